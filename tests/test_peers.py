"""The peers: stepped alike, counted honestly, and shown with the reason where they are not."""

import contextlib
import dataclasses
import importlib.util
import io
import json
import os
import re
import subprocess
import sys

import gymnasium
import numpy as np
import pytest

import batchsim
from batchsim.ladder.check import draw_actions
from batchsim.ladder.kind import Kind
from benchmarks.peers import __main__ as command
from benchmarks.peers import install, measure, report, suite, worker
from benchmarks.peers.adapters import gymnax
from benchmarks.peers.peer import Peer, Setting
from benchmarks.peers.remote import ROOT

BY_NAME = {peer.name: peer for peer in measure.PEERS}
OPTIONAL = [peer for peer in measure.PEERS if peer.requirements]
INSTALLED = [
    peer for peer in measure.PEERS if not peer.module or importlib.util.find_spec(peer.module)
]
ENVPOOL = importlib.util.find_spec("envpool") is not None


def run(*arguments):
    """Run the command line in this process; return its exit status and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr(sys, "argv", ["peers", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            command.main()
    return exit_.value.code or 0, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """All peers at two sizes, and what was written of them."""
    folder = tmp_path_factory.mktemp("peers")
    with pytest.MonkeyPatch.context() as patch:
        # Whatever is installed beside this checkout: the table is that of a fresh one.
        patch.setattr(install, "DIRECTORY", folder / "none")
        status, out, err = run(
            *("--num-envs", "96,4", "--seconds", "0.05"),
            *("--json", folder / "peers.json", "--markdown", folder / "peers.md"),
            *("--plot", folder / "peers.png"),
        )
    assert status == 0, err
    return folder, out


def test_table_has_every_peer(measured):
    _, out = measured
    first_words = [line.split()[1] for line in out.splitlines() if line.startswith("│ ")]
    assert [word for word in first_words if word in BY_NAME] == list(BY_NAME)
    assert "…" not in out


def test_a_peer_that_is_not_installed_is_shown_with_the_command_that_installs_it(measured):
    folder, out = measured
    rows = json.loads((folder / "peers.json").read_text(encoding="utf-8"))["rows"]
    shown = {row["name"]: row for row in rows}
    for peer in set(OPTIONAL) - set(INSTALLED):
        reason = f"not installed (python -m benchmarks.peers --install {peer.requirements})"
        assert shown[peer.name]["absent"] == {"4": reason, "96": reason}
        assert shown[peer.name]["version"] is None
        assert f"{peer.name} – {reason}." in out


def test_json_holds_the_figures(measured):
    folder, _ = measured
    document = json.loads((folder / "peers.json").read_text(encoding="utf-8"))
    assert document["schema"] == report.SCHEMA
    assert document["settings"] == {"num_envs": [4, 96], "seconds": 0.05}
    rows = {row["name"]: row for row in document["rows"]}
    assert list(rows) == list(BY_NAME)
    exact = {found["num_envs"]: found["blocks"] for found in rows["batchsim-exact"]["measurements"]}
    assert exact.keys() == {4, 96}
    for name in ("batchsim-fast", "gymnasium-sync", "gymnasium-vector"):
        assert [found["num_envs"] for found in rows[name]["measurements"]] == [4, 96]
    assert [found["num_envs"] for found in rows["gymnasium-async"]["measurements"]] == [4]
    assert "process" in rows["gymnasium-async"]["absent"]["96"]
    for row in rows.values():
        assert not row["failed"]
        for found in row["measurements"]:
            assert 0 < found["low"] <= found["steps_per_second"] <= found["high"]
            assert 0 < found["p50_us"] <= found["p99_us"]
            assert found["steps_per_second"] == pytest.approx(np.median(found["blocks"]))
            turns = zip(exact[found["num_envs"]], found["blocks"], strict=False)
            ratios = [ours / theirs for ours, theirs in turns]
            assert found["exact_ratio"] == pytest.approx(np.median(ratios))
            assert re.match(r"\d+ episodes ended", row["check"])


def test_markdown_and_plot_are_written(measured):
    folder, _ = measured
    text = (folder / "peers.md").read_text(encoding="utf-8")
    assert text.startswith("CartPole-v1 on ")
    assert "| **batchsim-exact** | " in text
    assert (folder / "peers.png").read_bytes().startswith(b"\x89PNG")


def test_figures_survive_the_document():
    row = measure.Row(BY_NAME["batchsim-exact"], "0.1")
    found = measure.Measurement(64, "2", 1.1e8, 1.05e8, 1.15e8, (1e8, 1.1e8, 1.2e8), 0.7, 1.3, 2000)
    row.measurements[64] = found
    result = measure.Result(measure.Settings("CartPole-v1", (64,)), rows=[row])
    (written,) = json.loads(report.to_json(result))["rows"]
    (figures,) = written["measurements"]
    assert figures.pop("exact_ratio") == 1.0
    figures["blocks"] = tuple(figures["blocks"])
    assert measure.Measurement(**figures) == found


def _result(env_id, speeds, **absent):
    """A result at N = 4, of the peers with these steps a second and of those that are absent."""
    result = measure.Result(measure.Settings(env_id, (4,), 1.0, suite.PEERS))
    for name in (*speeds, *absent):
        row = measure.Row(BY_NAME[name], absent={4: absent[name]} if name in absent else {})
        if name in speeds:
            blocks = (speeds[name],) * 3
            found = measure.Measurement(4, "1", *blocks, blocks, 1.0, 2.0, 3)
            row.measurements[4] = found
        result.rows.append(row)
    return result


def test_several_ids_are_a_line_each(tmp_path):
    breakout, doorkey = "MinAtar/Breakout-v1", "MiniGrid-DoorKey-8x8-v0"
    table = suite.Suite(
        [
            _result(
                breakout,
                {"batchsim-exact": 8e6, "minatar": 8e4, "gymnax": 4e6},
                **{"gymnasium-sync": f"Gymnasium has no {breakout}"},
                envpool=f"EnvPool has no {breakout}",
            ),
            _result(
                doorkey,
                {"batchsim-exact": 4e6, "minigrid": 4e3, "envpool": 8e4},
                gymnax="not installed",
            ),
        ]
    )
    assert table.rows == [
        [breakout, "8.00 M", "–", "80.0 k (×100)", "–", "4.00 M¹ (×2.00)"],
        [doorkey, "4.00 M", "–", "4.00 k (×1,000)", "80.0 k (×50.0)", "–²"],
    ]
    assert table.notes[-2:] == [
        "¹ gymnax – its Breakout-MinAtar, which has other rules than MinAtar's.",
        "² gymnax – not installed.",
    ]
    file = tmp_path / "page.md"
    file.write_text("before\n<!-- peers-by-id -->\nold\n<!-- /peers-by-id -->\nafter\n")
    table.write_markdown(file)
    written = file.read_text(encoding="utf-8")
    assert written.startswith("before\n<!-- peers-by-id -->\nN = 4 on ")
    assert f"| `{doorkey}` | 4.00 M | – |" in written
    assert "old" not in written
    document = json.loads(table.to_json())
    assert [one["env_id"] for one in document["results"]] == [breakout, doorkey]


def test_the_suite_is_of_ids_that_there_are():
    assert set(suite.IDS) | set(gymnax.OTHER_RULES) <= set(batchsim.environments())
    assert set(suite.PEERS) <= set(BY_NAME)


def test_several_ids_are_measured(tmp_path):
    status, out, err = run(
        *("--env", "CartPole-v1,Pendulum-v1", "--num-envs", "4", "--seconds", "0.02"),
        *("--peers", "batchsim-exact,gymnasium-sync", "--json", tmp_path / "peers.json"),
    )
    assert status == 0, err
    assert re.search(r"│ CartPole-v1 +│ +[\d.]+ [kM] │ +[\d.]+ k \(×[\d,.]+\) │", out)
    results = json.loads((tmp_path / "peers.json").read_text(encoding="utf-8"))["results"]
    assert [result["env_id"] for result in results] == ["CartPole-v1", "Pendulum-v1"]


def test_python_m_measures():
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.peers", "--env", "Pendulum-v1", "--num-envs", "4"),
            *("--seconds", "0.05", "--peers", "gymnasium-vector,gymnasium-sync"),
        ],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if key != "COLUMNS"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "gymnasium-sync" in done.stdout
    assert "Gymnasium has no vector_entry_point for Pendulum-v1." in done.stdout
    assert "batchsim-fast" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--env", "CartPol-v1"], "did you mean 'CartPole-v1'"),
        (["--num-envs", "64,many"], "--num-envs is '64,many'; expected positive whole numbers"),
        (["--num-env", "64"], "--num-env"),
        (["--seconds", "0"], "--seconds is 0.0; expected a positive number"),
        (["--peers", "envpol"], "--peers names 'envpol' (did you mean 'envpool'?); the peers are"),
        (["--install", "gymnx"], "(did you mean 'gymnax'?); the peers to install are"),
        (["--json", "no/such/directory/x.json"], "cannot be written"),
        (["--plot", "peers.docx"], "expected a name that ends in .png or .svg"),
        (["--env", "CartPole-v1,Pendulm-v1"], "did you mean 'Pendulum-v1'"),
        (["--env", "suite", "--num-envs", "4,8"], "expected one number for several ids"),
        (["--env", "suite", "--plot", "peers.png"], "--plot draws one id; expected --json or"),
        (["--env", "suite", "--peers", "minigird"], "(did you mean 'minigrid'?); the peers are"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_sentence_and_status_2(arguments, message):
    status, out, err = run(*arguments)
    assert status == 2
    assert out == ""
    assert message in err
    assert err.startswith("batchsim: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("peer", INSTALLED, ids=lambda peer: peer.name)
def test_an_adapter_steps_every_row_and_resets_it_in_time(peer):
    # Nothing but its time limit ends an episode of Pendulum's; of CartPole's, a fall.
    env_id, limit = ("Pendulum-v1", 200)
    if peer.package == "batchsim" or peer.absent(env_id, 3) is not None:
        env_id, limit = ("CartPole-v1", 500)
    if peer.absent(env_id, 3) is not None:
        pytest.skip(peer.absent(env_id, 3))
    stepper = worker.Stepper(peer, 0, env_id, 3, draw_actions(Kind(env_id), 3, 16), seed=0)
    try:
        seen = worker.check(stepper, peer, 3, limit)
    finally:
        stepper.close()
    episodes = int(re.match(r"(\d+) episodes ended in \d+ calls of 3 environments", seen)[1])
    assert episodes == 3 if limit == 200 else episodes > 30


def test_a_peer_without_time_limit_is_found_out():
    def endless(env_id, num_envs):
        return gymnasium.make_vec(
            env_id, num_envs, vectorization_mode="sync", max_episode_steps=10_000
        )

    peer = dataclasses.replace(BY_NAME["gymnasium-sync"], settings=(Setting("1", endless),))
    actions = draw_actions(Kind("Pendulum-v1"), 2, 4)
    stepper = worker.Stepper(peer, 0, "Pendulum-v1", 2, actions, seed=0)
    with pytest.raises(RuntimeError, match="expected an end after 200 at most"):
        worker.check(stepper, peer, 2, 200)
    stepper.close()


def test_reading_copies_every_part_of_the_observations():
    first = {"a": np.zeros(2), "b": (np.zeros((2, 1)), ("north", "south"))}
    touched = []

    class Lazy:
        dtype, shape = np.dtype(float), (2,)

        def __array__(self, dtype=None, copy=None):
            touched.append(self)
            return np.ones(2)

    read = worker.reader(first)
    read({**first, "a": Lazy()})
    assert len(touched) == 1


# Peers that go wrong, which their workers find here.


class Broken:
    """Ends its process at the first step."""

    def __init__(self, env_id, num_envs):
        self.num_envs = num_envs

    def reset(self, *, seed):
        return (np.zeros(self.num_envs),)

    def close(self):
        pass

    def step(self, actions):
        print("the last words", file=sys.stderr, flush=True)
        os._exit(3)


def _raises(env_id, num_envs):
    print("printed, not answered")
    raise ValueError("the first line\nand the second")


PEERS = (
    Peer("dies", "", "tests.test_peers", "numpy", (Setting("1", Broken),), "next step"),
    Peer("raises", "", "tests.test_peers", "numpy", (Setting("1", _raises),), "next step"),
)


def test_a_peer_that_fails_is_shown_with_the_reason(monkeypatch):
    monkeypatch.setattr(measure, "PEERS", PEERS)
    result = measure.measure(measure.Settings("CartPole-v1", (4,), 0.01, ("dies", "raises")))
    dies, raises = result.rows
    assert dies.failed == {4: "its process ended with status 3: the last words"}
    assert raises.failed == {4: "ValueError: the first line"}
    text = report.to_markdown(result)
    assert re.search(r"\| dies \| failed¹ ", text)
    assert "² raises failed: ValueError: the first line" in text
    assert result.sound


def test_batchsim_that_fails_makes_the_result_unsound():
    row = measure.Row(BY_NAME["batchsim-exact"], failed={64: "why"})
    assert not measure.Result(measure.Settings("CartPole-v1", (64,)), rows=[row]).sound


def test_a_virtual_environment_of_its_own_comes_first(tmp_path, monkeypatch):
    monkeypatch.setattr(install, "DIRECTORY", tmp_path)
    peer = BY_NAME["gymnax"]
    before = install.find_python(peer)
    python = tmp_path / "gymnax" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    python.parent.mkdir(parents=True)
    python.touch()
    assert install.find_python(peer) == python != before


@pytest.mark.parametrize("name", command.INSTALLABLE)
def test_what_can_be_installed_has_requirements(name):
    assert (ROOT / "requirements" / f"peers-{name}.txt").exists()


def test_envpool_is_shown_by_its_fastest_setting(measured):
    folder, _ = measured
    rows = json.loads((folder / "peers.json").read_text(encoding="utf-8"))["rows"]
    (row,) = (row for row in rows if row["name"] == "envpool")
    if not ENVPOOL:
        assert "not installed" in row["absent"]["4"]
        return
    threads = {setting.threads for setting in BY_NAME["envpool"].settings}
    assert all(found["threads"] in threads for found in row["measurements"])


WITHOUT_COMPILER = """
import sys
from benchmarks.peers import worker
from benchmarks.peers.adapters import stable_baselines3
assert stable_baselines3.PEERS[0].absent("CartPole-v1", 3) is None
print([name for name in sys.modules if name in ("batchsim.batch._driver", "numba", "llvmlite")])
"""


def test_a_worker_needs_neither_numba_nor_what_was_compiled():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_COMPILER],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "[]\n", done.stderr
