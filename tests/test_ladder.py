"""The ladder: its rungs are right, its figures well formed and its command line clear."""
# ruff: noqa: N805 - the author's contract: plain functions, whose first argument is the state

import dataclasses
import functools
import io
import json
import os
import re
import shutil
import subprocess
import sys
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import oracle
import pytest
from gymnasium.spaces import Box, Discrete
from rich.console import Console

import batchsim
from batchsim import registry
from batchsim.__main__ import main
from batchsim.ladder import check, measure, memory, report, runner, soa_numpy
from batchsim.ladder.kind import Kind
from batchsim.ladder.measure import Measurement, Row, Settings
from batchsim.ladder.peers import PEERS
from batchsim.ladder.rungs import RUNGS
from batchsim.ladder.runner import Result

ROWS = 8
STEPS = 260  # Pendulum's episodes end after 200.
BY_NAME = {rung.name: rung for rung in (*RUNGS, *PEERS)}


@functools.cache
def kind(env_id):
    """The kind of an id, always the same: what is computed for one is kept by it."""
    return Kind(env_id)


@pytest.mark.parametrize("env_id", oracle.KINDS)
@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.name)
def test_rung_is_correct(rung, env_id):
    reason = rung.absent(kind(env_id), ROWS)
    if reason is not None:
        assert "only" in reason
        return
    verdict = rung.check(rung.make, kind(env_id), ROWS, STEPS)
    assert verdict.correct, verdict.detail
    if rung is not BY_NAME["fast"]:
        assert verdict.digest == check.oracle(kind(env_id), ROWS, STEPS).digest


PARAMETERS = {
    "CartPole-v1": {"gravity": 3.7, "masspole": 0.3, "max_episode_steps": 30},
    "FrozenLake-v1": {"desc": ["SFHS", "FGFS", "HSFF"], "success_rate": 0.6},
}
"""Of an id whose original has them as attributes, and of one whose original takes them as
arguments."""


@functools.cache
def other_kind(env_id):
    """The kind of an id with the `PARAMETERS`, always the same."""
    return Kind(env_id, PARAMETERS[env_id])


@pytest.mark.parametrize("env_id", PARAMETERS)
@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.name)
def test_rung_is_correct_with_parameters(rung, env_id):
    reason = rung.absent(other_kind(env_id), ROWS)
    if rung.name in ("soa-numpy", "cython"):
        assert "only" in reason
        return
    assert reason is None
    verdict = rung.check(rung.make, other_kind(env_id), ROWS, STEPS)
    assert verdict.correct, verdict.detail
    if rung is not BY_NAME["fast"]:
        assert verdict.digest == check.oracle(other_kind(env_id), ROWS, STEPS).digest
        assert verdict.digest != check.oracle(kind(env_id), ROWS, STEPS).digest


def interpreted(kind, num_envs):
    """A batch of batchsim, of which nothing has to be compiled."""
    return batchsim.make_vec(kind.env_id, num_envs, backend="reference", **kind.arguments)


BOUNDS = {
    "MountainCarContinuous-v0": {"min_action": (-0.5, -0.2), "max_action": (0.3, 0.7)},
    "Pendulum-v1": {"max_torque": (0.5, 3.0)},
}
"""Parameters that change the space of actions, with a range, by id."""
RANGES = [
    (name, key, ends)
    for ranges in (oracle.PARAMETERS, BOUNDS)
    for name in ranges
    for key, ends in ranges[name].items()
]


# A car may start beyond the ends of its valley, which Gymnasium remarks on.
@pytest.mark.filterwarnings("ignore:.*not within the observation space")
@pytest.mark.parametrize(("name", "key", "ends"), RANGES)
def test_every_parameter_is_the_originals_too(name, key, ends):
    for value in ends:
        changed = Kind(name, {key: value, "max_episode_steps": 30})
        verdict = check.same_bits(interpreted, changed, 3, 60)
        assert verdict.correct, verdict.detail


@pytest.mark.parametrize(("name", "arguments"), oracle.variants())
def test_arguments_of_the_original_are_those_of_the_ladder(name, arguments):
    verdict = check.same_bits(interpreted, Kind(name, arguments), 3, 60)
    assert verdict.correct, verdict.detail


@pytest.mark.parametrize("arguments", [{"frame_stack": 3}, {"max_episode_steps": -1}])
def test_frame_stack_and_time_limit_are_the_originals_too(arguments):
    changed = Kind("Pendulum-v1", arguments)
    verdict = check.same_bits(interpreted, changed, 3, 210)
    assert verdict.correct, verdict.detail
    stacks = "frame_stack" in arguments
    for name in ("numba", "numba-parallel"):
        assert BY_NAME[name].absent(changed, 3) == ("it stacks no frames" if stacks else None)


def test_a_map_that_is_drawn_is_the_same_for_every_rung():
    drawn = Kind("FrozenLake-v1", {"map_name": None})
    assert check.same_bits(interpreted, drawn, 3, 60).correct
    assert str(drawn) == "FrozenLake-v1 with map_name=None"
    original = drawn.original.make()
    letters = original.unwrapped.desc.astype(str)
    assert drawn.document()["desc"] == ["".join(row) for row in letters]


def test_peers_say_which_parameters_they_lack():
    pytest.importorskip("envpool")

    def absent(**params):
        lacks = Kind("CartPole-v1", params)
        return [BY_NAME[name].absent(lacks, 8) for name in ("gymnasium-vector", "envpool")]

    assert absent() == [None, None]
    assert absent(max_episode_steps=9) == [None, None]
    assert absent(gravity=3.7, tau=0.01) == ["it has no gravity and no tau"] * 2
    assert absent(sutton_barto_reward=True) == [None, "it has no sutton_barto_reward"]
    assert absent(max_episode_steps=-1) == ["it has no episodes without a time limit"] * 2


@pytest.mark.parametrize("name", ["gymnasium-vector", "envpool"])
def test_peers_have_the_time_limit_that_is_given(name):
    if name == "envpool":
        pytest.importorskip("envpool")
    batch = BY_NAME[name].make(Kind("CartPole-v1", {"max_episode_steps": 5}), 4)
    batch.reset(seed=0)
    for _ in range(5):
        truncated = batch.step(np.array([0, 1, 0, 1]))[3]
    assert truncated.all()
    batch.close()


class Market:
    """Walks along prices that are an argument, as its original does."""

    class State(NamedTuple):
        day: int

    class Params(NamedTuple):
        fee: float = 0.0
        spread: float = 0.0

    class Arguments(NamedTuple):
        closes: Any = (1.0, 2.0)

    class Tables(NamedTuple):
        prices: np.ndarray

    ACTION = Discrete(2)
    OBSERVATION = Box(0.0, np.inf, (1,), np.float64)

    def tables(arguments):
        return Market.Tables(np.array(arguments.closes, float))

    def reset(s, i, p, rng):
        s.day[i] = 0

    def step(s, i, action, p, rng):
        s.day[i] += 1
        over = s.day[i] >= p.prices.shape[0] - 1
        return action * (p.prices[s.day[i]] - p.fee), over

    def observe(s, i, p, out):
        out[0] = p.prices[s.day[i]]


class PlainMarket(gymnasium.Env):
    """The original of `Market`, which knows no spread."""

    action_space = Market.ACTION
    observation_space = Market.OBSERVATION

    def __init__(self, closes=(1.0, 2.0)):
        if min(closes) < 0.0:
            raise ValueError("a price is negative.\nIt must not be.")
        self.closes = closes
        self.fee = 0.0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.day = 0
        return np.array([self.closes[0]]), {}

    def step(self, action):
        self.day += 1
        price, over = self.closes[self.day], self.day >= len(self.closes) - 1
        return np.array([price]), action * (price - self.fee), over, False, {}


@pytest.fixture
def market(monkeypatch):
    monkeypatch.setitem(registry._entries, "Market-v0", registry.Entry(Market))
    spec = gymnasium.envs.registration.EnvSpec("Market-v0", entry_point=PlainMarket)
    monkeypatch.setitem(gymnasium.registry, "Market-v0", spec)
    return "Market-v0"


def test_an_environment_of_ones_own_is_measured_with_parameters(market):
    closes = np.array([3.0, 4.5, 2.25, 8.0])
    mine = Kind(market, {"closes": closes, "fee": 0.5})
    verdict = check.same_bits(interpreted, mine, 3, 20)
    assert verdict.correct, verdict.detail
    assert mine.document() == {"closes": closes.tolist(), "fee": 0.5}
    assert mine.original.make().unwrapped.fee == 0.5

    with pytest.raises(ValueError, match=r"Market-v0, the per-object .* has no parameter 'spread'"):
        Kind(market, {"spread": 0.1})
    assert "spread" not in Kind(market, {"spread": 0.0}).original.attributes
    message = r"Market-v0 with closes=\[-1.0, 2.0\] is refused by Market-v0: a price is negative\.$"
    with pytest.raises(ValueError, match=message):
        Kind(market, {"closes": [-1.0, 2.0]})


PICTURES = "EgoBattle-v0"
COMPILED = [pytest.param(name, marks=pytest.mark.slow) for name in ("numba", "numba-parallel")]


@pytest.mark.parametrize("name", ["python", "multiprocessing", "driver", "fast", *COMPILED])
def test_rung_draws_the_baselines_pictures(name):
    rung = BY_NAME[name]
    verdict = rung.check(rung.make, kind(PICTURES), 4, 60)
    assert verdict.correct, verdict.detail
    if name == "fast":
        assert "numbers in pictures differ" in verdict.detail
    else:
        assert verdict.digest == check.oracle(kind(PICTURES), 4, 60).digest


@pytest.mark.parametrize("name", COMPILED)
def test_a_rung_draws_from_streams_of_another_kind(name):
    pytest.importorskip("minatar")
    rung = BY_NAME[name]
    verdict = rung.check(rung.make, kind("MinAtar/Breakout-v1"), 4, 60)
    assert verdict.correct, verdict.detail


class OneLighter(batchsim.BatchEnv):
    def step(self, actions):
        results = super().step(actions)
        results[0][:, :20] += 1
        return results


def test_check_of_fast_precision_counts_pixels():
    def skewed(kind, num_envs):
        return OneLighter(kind.env_id, num_envs, precision="fast")

    verdict = check.within_tolerance(skewed, kind(PICTURES), 4, 5)
    assert not verdict.correct
    assert re.match(r"27\.\d+% of the numbers in pictures differ", verdict.detail)


def test_difference_of_pictures_is_a_count():
    def lighter(kind, num_envs):
        return OneLighter(kind.env_id, num_envs)

    verdict = check.same_bits(lighter, kind(PICTURES), 4, 5)
    assert verdict.detail == "step 1: 7,680 of 27,648 numbers in the picture of row 0 differ"


def test_large_observations_are_measured_and_checked_in_smaller_batches(monkeypatch):
    assert measure.default_sizes(kind("CartPole-v1")) == measure.SIZES
    assert measure.default_sizes(kind(PICTURES)) == (64, 1024, 4096)
    assert BY_NAME["python"].absent(kind(PICTURES), 1024) is None
    assert "up to 1,024" in BY_NAME["python"].absent(kind(PICTURES), 4096)
    for rung in PEERS:
        reason = rung.absent(kind(PICTURES), 64)
        assert PICTURES in reason or "not installed" in reason

    monkeypatch.setattr(runner, "RUNGS", ())
    for env_id, rows in ((PICTURES, 4), ("CartPole-v1", 24)):
        settings = Settings(kind(env_id), measure.default_sizes(kind(env_id)), rungs=())
        assert runner.climb(settings).settings.check_rows == rows
    settings = Settings(kind(PICTURES), (64, 1024, 4096), rungs=())
    notes = report.Report(runner.climb(settings)).notes
    assert "The per-object environment is batchsim-baseline/EgoBattle-v0" in "".join(notes)
    assert "No N above 4,096: 16,384 observations take 453 MB." in notes


def test_an_id_without_a_per_object_environment_is_refused(monkeypatch):
    monkeypatch.setitem(registry._entries, "Mine-v0", registry.Entry("nowhere"))
    with pytest.raises(ValueError, match="Mine-v0 has no per-object environment"):
        Kind("Mine-v0")


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Pendulum-v1"])
def test_the_checked_trajectory_has_ends_and_resets(env_id):
    outputs = check.oracle(kind(env_id), ROWS, STEPS).outputs
    over = np.array([terminated | truncated for _, _, terminated, truncated in outputs[1:]])
    assert over.any(axis=0).all()
    assert not (over[1:] & over[:-1]).any()


@pytest.mark.parametrize("name", ["soa-numpy", "numba", "cython", "numba-parallel", "driver"])
def test_bad_action_is_refused(name):
    batch = BY_NAME[name].make(kind("CartPole-v1"), 3)
    batch.reset(seed=0)
    with pytest.raises(ValueError, match="action"):
        batch.step(np.array([0, 2, 1]))
    batch.close()


class OffByOneBit(soa_numpy.CartPole):
    def advance(self, actions):
        reward, terminated = super().advance(actions)
        if self.elapsed[1] == 3:
            reward[1] = np.nextafter(1.0, 2.0)
        return reward, terminated


def test_check_names_the_first_difference():
    verdict = check.same_bits(OffByOneBit, kind("CartPole-v1"), ROWS, STEPS)
    assert not verdict.correct
    assert re.match(r"step 4: the reward of row 1 is 1\.0\d* ?; expected 1\.0", verdict.detail)


class OffByTwiceTheTolerance(batchsim.BatchEnv):
    def step(self, actions):
        results = super().step(actions)
        results[0][5, 2] += 2e-5
        return results


def test_check_of_fast_precision_finds_a_wrong_step():
    def skewed(kind, num_envs):
        return OffByTwiceTheTolerance(kind.env_id, num_envs, precision="fast")

    verdict = check.within_tolerance(skewed, kind("CartPole-v1"), ROWS, STEPS)
    assert not verdict.correct
    assert verdict.detail.startswith("step 1: the observation is off by 2")


@pytest.mark.parametrize("share", [0.5 / ROWS, 1 / ROWS])
def test_a_definition_states_how_often_fast_precision_is_further_off(share, monkeypatch):
    from batchsim.envs.classic_control import cartpole

    def skewed(kind, num_envs):
        return OffByTwiceTheTolerance(kind.env_id, num_envs, precision="fast")

    stated = (1e-5, share)
    monkeypatch.setattr(cartpole, "FAST_TOLERANCE", stated, raising=False)
    verdict = check.within_tolerance(skewed, kind("CartPole-v1"), ROWS, STEPS)
    assert verdict.correct == (share == 1 / ROWS)
    assert f"{ROWS * STEPS:,}" in verdict.detail


def test_memory_of_columns_is_their_size():
    class Floats:
        def __init__(self, kind, num_envs):
            self.column = np.zeros((num_envs, 100))

        def reset(self, *, seed):
            pass

        def step(self, actions):
            pass

        def close(self):
            pass

    assert memory.traced(Floats, kind("CartPole-v1")) == pytest.approx(800, abs=8)


def _broken(kind, num_envs):
    raise RuntimeError("the first line\nand the second")


def test_failed_and_wrong_rungs_are_shown_and_not_timed(monkeypatch):
    rungs = (
        dataclasses.replace(BY_NAME["soa-numpy"], name="broken", make=_broken),
        dataclasses.replace(BY_NAME["soa-numpy"], name="wrong", make=OffByOneBit),
        BY_NAME["soa-numpy"],
    )
    monkeypatch.setattr(runner, "RUNGS", rungs)
    names = tuple(rung.name for rung in rungs)
    result = runner.climb(
        Settings(kind("CartPole-v1"), (8,), 0.01, names, check_rows=ROWS, check_steps=50)
    )
    broken, wrong, right = result.rows
    assert broken.failed == "RuntimeError: the first line"
    assert not wrong.verdict.correct
    assert not broken.measurements
    assert not wrong.measurements
    assert right.measurements[8].steps_per_second > 0
    assert not result.sound
    text = report.to_markdown(result)
    assert "| `broken` | failed" in text
    assert "broken failed: RuntimeError: the first line" in text
    assert re.search(r"\| `wrong` .*\| no", text)


def test_a_rung_that_compiles_for_long_is_measured_apart():
    parts = []
    result = runner.climb(
        Settings(kind("CartPole-v1"), (8,), 0.01, ("numba",), ROWS, STEPS),
        lambda result, doing, done: parts.append(doing),
    )
    (row,) = result.rows
    assert row.verdict.correct, row.verdict.detail
    assert row.verdict.digest == check.oracle(kind("CartPole-v1"), ROWS, STEPS).digest
    assert row.measurements[8].steps_per_second > 0
    assert row.compile_seconds > 0.1
    assert parts == ["numba: first use", "numba: checking", "numba: 8 environments", ""]


def test_a_rung_that_compiles_for_too_long_is_given_up():
    names = ("numba", "numba-parallel")
    result = runner.climb(Settings(kind("CartPole-v1"), (8,), 0.01, names, compile_seconds=0.05))
    assert [list(row.absent.values()) for row in result.rows] == [
        ["given up, as it had not compiled within 0.05 s"],
        ["given up with numba, which compiles a part of it"],
    ]
    assert result.sound
    assert not any(row.measurements for row in result.rows)


def test_a_rung_whose_process_ends_has_failed(monkeypatch):
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    result = runner.climb(Settings(kind("CartPole-v1"), (8,), 0.01, ("numba",)))
    assert result.rows[0].failed == "its process ended with status 1"
    assert not result.sound


def test_sizes_that_would_take_long_are_left_out(monkeypatch):
    monkeypatch.setattr(measure, "LONGEST", 0.01)
    result = runner.climb(
        Settings(kind("CartPole-v1"), (64, 2**16), 0.01, ("soa-numpy",), ROWS, check_steps=30)
    )
    (row,) = result.rows
    assert row.measurements.keys() == {64}
    assert re.fullmatch(r"so many would take \d+ s and more", row.absent[2**16])


def _measured(speeds):
    return {size: Measurement(size, speed, 1.0, 2.0, 10) for size, speed in speeds.items()}


def test_speedups_are_at_the_largest_common_size():
    result = Result(Settings(kind("CartPole-v1")))
    speeds = [{64: 10.0, 1024: 20.0}, {64: 5.0}, {64: 100.0, 1024: 400.0}, {1024: 200.0}]
    result.rows = [
        Row(rung, peer=number == 3, measurements=_measured(speed))
        for number, (rung, speed) in enumerate(zip(RUNGS, speeds, strict=False))
    ]
    assert report.speedups(result) == [(None, None), (0.5, 0.5), (20.0, 20.0), (None, 10.0)]


def test_table_comes_in_two_parts_where_the_terminal_is_narrow():
    result = Result(Settings(kind("CartPole-v1")))
    result.rows = [Row(RUNGS[0], peer=False, measurements=_measured({64: 1.0, 1024: 2.0}))]
    shown = report.Report(result)
    wide, narrow = (Console(width=width, file=io.StringIO()) for width in (120, 80))
    assert len(shown.tables(wide)) == 1
    assert len(shown.tables(narrow)) == 2
    for console in (wide, narrow):
        console.print(*shown.tables(console))
        assert "…" not in console.file.getvalue()


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.5, "0.50"), (999.4, "999"), (1234.0, "1.23 k"), (49_200, "49.2 k"), (2.8e8, "280 M")],
)
def test_counts_have_three_digits(number, text):
    assert report.format_count(number) == text


def _run(*arguments):
    # As wide as the table wants to be, whatever the width of the terminal that runs the tests.
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    return subprocess.run(
        [sys.executable, "-m", "batchsim", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment,
        check=False,
    )


def test_command_measures_and_writes_everything(tmp_path):
    pytest.importorskip("matplotlib")
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- ladder -->\nold\n<!-- /ladder -->\nafter\n")
    done = _run(
        *("ladder", "--env", "Pendulum-v1", "--num-envs", "128,8", "--seconds", "0.02"),
        *("--rungs", "driver,python,gymnasium-vector"),
        *("--json", str(tmp_path / "ladder.json"), "--plot", str(tmp_path / "ladder.png")),
        *("--markdown", str(readme)),
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for expected in ("python", "driver", "gymnasium-vector", "N=128", "yes"):
        assert expected in done.stdout
    assert "…" not in done.stdout

    document = json.loads((tmp_path / "ladder.json").read_text(encoding="utf-8"))
    assert document["schema"] == report.SCHEMA
    assert document["settings"]["num_envs"] == [8, 128]
    rows = {row["name"]: row for row in document["rows"]}
    assert list(rows) == ["python", "driver", "gymnasium-vector"]
    assert rows["gymnasium-vector"]["absent"].keys() == {"8", "128"}
    assert rows["python"]["digest"] == rows["driver"]["digest"]
    assert rows["driver"]["speedup_first"] > 1
    assert rows["gymnasium-vector"]["correct"] is None
    for row in rows.values():
        for found in row["measurements"]:
            assert 0 < found["p50_us"] <= found["p99_us"]

    assert (tmp_path / "ladder.png").read_bytes().startswith(b"\x89PNG")
    text = readme.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- ladder -->\nPendulum-v1 on ")
    assert text.endswith("<!-- /ladder -->\nafter\n")
    assert "old" not in text
    assert "| `driver` |" in text


def test_command_names_the_parameters_it_measured_with(tmp_path):
    (tmp_path / "map.json").write_text('["SFHS", "FGFS"]')
    done = _run(
        *("ladder", "--env", "FrozenLake-v1", "--num-envs", "8", "--seconds", "0.02"),
        *("--param", f"desc=@{tmp_path / 'map.json'}", "--param", "is_slippery=False"),
        *("--rungs", "python,driver,soa-numpy,envpool"),
        *("--json", str(tmp_path / "ladder.json"), "--markdown", str(tmp_path / "ladder.md")),
    )
    assert done.returncode == 0, done.stderr
    named = "FrozenLake-v1 with desc=['SFHS', 'FGFS'], is_slippery=False"
    assert f"The ladder: {named}" in done.stdout
    assert "soa-numpy – written by hand for" in done.stdout
    assert (tmp_path / "ladder.md").read_text(encoding="utf-8").startswith(f"{named} on ")
    document = json.loads((tmp_path / "ladder.json").read_text(encoding="utf-8"))
    assert document["params"] == {"desc": ["SFHS", "FGFS"], "is_slippery": False}
    rows = {row["name"]: row for row in document["rows"]}
    assert rows["python"]["digest"] == rows["driver"]["digest"]
    assert rows["soa-numpy"]["absent"].keys() == rows["envpool"]["absent"].keys() == {"8"}


def test_list_names_every_environment():
    done = _run("list")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == batchsim.environments()
    assert "500 steps" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--env", "CartPol-v1"], "did you mean 'CartPole-v1'"),
        (["--num-envs", "64,many"], "--num-envs is '64,many'; expected positive whole numbers"),
        (["--num-envs", "0"], "--num-envs is '0'"),
        (["--seconds", "0"], "--seconds is 0.0; expected a positive number"),
        (["--seconds", "soon"], "--seconds"),
        (["--compile-seconds", "-3"], "--compile-seconds is -3.0; expected a positive number"),
        (["--rungs", "pyton"], "did you mean 'python'"),
        (["--json", "no/such/directory/x.json"], "cannot be written"),
        (["--plot", "ladder.docx"], "expected a name that ends in .png or .svg"),
        (["--colour"], "--colour"),
        (["--param", "gravity"], "--param is 'gravity'; expected name=value, such as gravity=9.8"),
        (["--param", "gravty=1"], "unexpected keyword argument 'gravty' (did you mean 'gravity'?)"),
        (["--param", "gravity=moon"], "The parameter 'gravity' is 'moon'; expected a number"),
        (["--param", "gravity=[1]"], "'gravity' is [1]; expected one value for all environments"),
        (["--param", "gravity=[1,[2]]"], "'gravity' is [1, [2]]; expected a number"),
        (["--param", "gravity=@no.npy"], "--param gravity cannot be read from no.npy: No such"),
        (["--param", "gravity=@no.txt"], "'no.txt'; expected a .npy, .csv or .json file"),
        (["--param", "precision=fast"], "precision is no parameter of an environment"),
        (["--param", "frame_stack=0"], "frame_stack is 0; expected"),
        (["--env", "FrozenLake-v1", "--param", "success_rate=2"], "success_rate is 2.0; expected"),
        (["--env", "FrozenLake-v1", "--param", "map_name=5x5"], "map_name is '5x5'; expected"),
        (["--env", PICTURES, "--param", "depth=True"], "no parameter 'depth'; expected others of"),
        (["--env", PICTURES, "--param", "layout=no"], "layout is 'no', a file that cannot be read"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_sentence_and_status_2(arguments, message, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["batchsim", "ladder", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    printed = capsys.readouterr()
    assert exit_.value.code == 2
    assert printed.out == ""
    assert message in printed.err
    assert printed.err.startswith("batchsim: ")
    assert printed.err.count("\n") == 1


def test_markers_in_prose_are_no_markers(tmp_path):
    file = tmp_path / "page.md"
    prose = "It goes between `<!-- a -->` and `<!-- /a -->`.\n\n"
    for old in ("", "old\n"):
        file.write_text(f"{prose}<!-- a -->\n{old}<!-- /a -->\n\nThe end.\n")
        report.write_between(("<!-- a -->", "<!-- /a -->"), "new\n", file)
        assert file.read_text() == f"{prose}<!-- a -->\nnew\n<!-- /a -->\n\nThe end.\n"
