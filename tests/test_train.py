"""Training as a whole: the command, checkpoints that survive a kill, and what it writes."""

import dataclasses
import importlib.util
import inspect
import io
import json
import math
import multiprocessing
import os
import pickle
import re
import signal
import sys
import time
from pathlib import Path

import gymnasium
import numpy as np
import pytest

pytest.importorskip("torch")
import torch
from command_line import status_of

import batchsim
from batchsim.__main__ import main
from batchsim.torch import ActorCritic, Hyperparameters, Settings, Training, TrainingError
from batchsim.torch import checkpoint as checkpoints
from batchsim.torch.checkpoint import load_actions, load_policy
from batchsim.torch.evaluate import LONGEST, Evaluation, evaluate, most_likely
from batchsim.torch.presets import BOARDS, PIXELS, PRESETS, hyperparameters_for
from batchsim.torch.train import read_device, to_json

SHORT = ["--num-envs", 8, "--threads", 1, "--episodes", 5]
for setting in ("steps=16", "epochs=2", "minibatches=2"):
    SHORT += ["--set", setting]
HOW = Hyperparameters(num_envs=8, steps=16, total_steps=512, epochs=2, minibatches=2)
BATCH = HOW.num_envs * HOW.steps


@pytest.fixture(autouse=True)
def threads():
    """Training chooses how many threads PyTorch computes with; give the old number back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The working directory is the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])


def run(*arguments):
    """The exit status of the command."""
    return status_of(main, *arguments)


def train(*arguments):
    """The exit status of a short training."""
    return run("train", *arguments[:1], *SHORT, *arguments[1:])


def trained(env="CartPole-v1", how=HOW, **settings):
    """A training made whole."""
    training = Training(Settings(env, how, threads=1, episodes=5, **settings))
    training.run()
    training.close()
    return training


def content(directory):
    """What a checkpoint holds but for the time that it took."""
    found = vars(checkpoints.load(Path(directory)))
    found["training"].pop("seconds")
    return {name: value for name, value in found.items() if name != "seconds"}


def assert_same(found, expected, where=""):
    """Nested containers of tensors and numbers are the same, bit for bit."""
    assert type(found) is type(expected), where
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for key in expected:
            assert_same(found[key], expected[key], f"{where}.{key}")
    elif isinstance(expected, (list, tuple)):
        assert len(found) == len(expected), where
        for key, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_same(one, other, f"{where}.{key}")
    elif isinstance(expected, torch.Tensor):
        assert found.dtype == expected.dtype, where
        assert found.shape == expected.shape, where
        assert found.numpy().tobytes() == expected.numpy().tobytes(), where
    else:
        assert found == expected, where


def parameters(training):
    return training.policy.state_dict()


# -- the command -----------------------------------------------------------------------------------


def test_a_training_says_what_it_does_on_stderr_and_what_came_of_it_on_stdout(capsys):
    assert train("CartPole-v1", "--total-steps", 2560) == 0
    printed = capsys.readouterr()
    progress = printed.err.splitlines()
    assert len(progress) == 10
    for number, line in enumerate(progress, 1):
        assert line.startswith(f"{number * 256:,} steps: ")
        assert "steps/s, mean return " in line
        assert ", environment " in line
    summary = printed.out.splitlines()
    assert len(summary) == 3
    assert summary[0].startswith("CartPole-v1 on batchsim, seed 0: 2,560 steps in ")
    assert " on cpu, 1 thread; " in summary[0]
    assert re.fullmatch(
        r"time: environment [\d.]+%, policy [\d.]+%, learning [\d.]+%, rest [\d.]+%", summary[1]
    )
    assert re.match(r"evaluation: 5 episodes, mean return [\d.]+ ± [\d.]+ \(from ", summary[2])
    assert summary[2].endswith("; not solved, which takes 475")
    assert not list(Path().iterdir())


def test_the_figures_are_written_as_json():
    arguments = ["--seed", 7, "--precision", "fast", "--json", "figures.json"]
    assert train("CartPole-v1", "--total-steps", 500, "--set", "hidden=(8,)", *arguments) == 0
    found = json.loads(Path("figures.json").read_text())
    kinds = {
        "schema": int,
        "env_id": str,
        "date": str,
        "machine": dict,
        "versions": dict,
        "seed": int,
        "device": str,
        "threads": int,
        "ranks": int,
        "precision": str,
        "arguments": dict,
        "baseline": bool,
        "hyperparameters": dict,
        "steps": int,
        "seconds": float,
        "setup_seconds": float,
        "steps_per_second": float,
        "times": dict,
        "draw": bool,
        "evaluation": dict,
    }
    assert {name: type(value) for name, value in found.items()} == kinds
    assert found["schema"] == 1
    assert found["env_id"] == "CartPole-v1"
    assert (found["seed"], found["precision"], found["threads"]) == (7, "fast", 1)
    assert found["ranks"] == 1
    assert found["baseline"] is False
    assert found["arguments"] == {}
    how = found["hyperparameters"]
    assert how.keys() == {field.name for field in dataclasses.fields(Hyperparameters)}
    assert how["hidden"] == [8]
    assert found["steps"] == 512  # whole rollouts
    assert found["times"].keys() == {"environment", "policy", "learning", "rest"}
    assert all(seconds >= 0 for seconds in found["times"].values())
    assert sum(found["times"].values()) == pytest.approx(found["seconds"])
    assert found["steps_per_second"] == pytest.approx(found["steps"] / found["seconds"])
    evaluation = found["evaluation"]
    assert evaluation.keys() == {field.name for field in dataclasses.fields(Evaluation)}
    assert evaluation["success_rate"] is None  # which standing upright is not
    assert evaluation["episodes"] == 5
    assert evaluation["lowest"] <= evaluation["mean"] <= evaluation["highest"]
    assert {"python", "batchsim", "gymnasium", "numpy", "torch"} <= found["versions"].keys()
    assert {"cpu", "threads", "system"} <= found["machine"].keys()


def test_what_is_not_given_comes_from_the_presets():
    preset = hyperparameters_for("CartPole-v1")
    assert preset != Hyperparameters()
    assert hyperparameters_for("CartPole-v1", gamma=0.5) == preset.replace(gamma=0.5)
    assert hyperparameters_for("Blackjack-v1") == Hyperparameters()
    assert hyperparameters_for("EgoBattle-v0") == Hyperparameters(**PIXELS)
    assert hyperparameters_for("MinAtar/Breakout-v1") == Hyperparameters(**BOARDS)
    assert {"LunarLander-v3", "LunarLanderContinuous-v3", "BipedalWalker-v3"} <= set(PRESETS)
    assert set(PRESETS) <= set(batchsim.registry.environments())
    assert train("CartPole-v1", "--total-steps", 128, "--checkpoint", "run") == 0
    found = checkpoints.load(Path("run")).hyperparameters
    assert found == hyperparameters_for(
        "CartPole-v1", num_envs=8, total_steps=128, steps=16, epochs=2, minibatches=2
    )


def test_threads_are_measured_unless_given():
    training = Training(Settings("CartPole-v1", HOW))
    training.close()
    assert training.threads == torch.get_num_threads()
    assert f"{training.threads} thread" in training.why
    training = Training(Settings("CartPole-v1", HOW, threads=2))
    training.close()
    assert (training.threads, training.why) == (2, "as asked for")
    assert torch.get_num_threads() == 2


def test_measuring_threads_changes_nothing_of_what_is_learned():
    training = Training(Settings("CartPole-v1", HOW))
    torch.set_num_threads(1)
    training.run()
    training.close()
    assert_same(parameters(training), parameters(trained()))


BAD = [
    (["CartPol-v1"], "did you mean 'CartPole-v1'"),
    ([], "ID"),
    (["own.py:Sid"], "has no 'Sid' (did you mean 'Side'?)"),
    (["own.py:Uncompilable"], "State has no field 'aeg' (did you mean 'age'?)"),
    (["CartPole-v1", "--num-envs", "0"], "num_envs is 0; expected a positive whole number"),
    (["CartPole-v1", "--num-envs", "x"], "--num-envs"),
    (["CartPole-v1", "--num-envs", "2" + 9 * "0"], "do not fit into memory"),
    (
        ["CartPole-v1", "--num-envs", "1" + 11 * "0"],
        "expected a whole number of at least 1 and at most",
    ),
    (["CartPole-v1", "--total-steps", "-5"], "total_steps is -5; expected a positive whole"),
    (["CartPole-v1", "--total-step", "5"], "--total-step"),
    (["CartPole-v1", "--set", "learning_rat=1"], "'learning_rat' (did you mean 'learning_rate'?)"),
    (["CartPole-v1", "--set", "learning_rate"], "--set is 'learning_rate'; expected name=value"),
    (["CartPole-v1", "--set", "learning_rate=fast"], "learning_rate is 'fast'; expected a number"),
    (["CartPole-v1", "--set", "learning_rate=True"], "learning_rate is True; expected a number"),
    (["CartPole-v1", "--set", "learning_rate=0"], "learning_rate is 0; expected a positive"),
    (["CartPole-v1", "--set", "learning_rate=1e999"], "learning_rate is inf; expected"),
    (["CartPole-v1", "--set", "clip=nan"], "clip is 'nan'; expected a number"),
    (["CartPole-v1", "--set", "gamma=1.5"], "gamma is 1.5; expected a number from 0 to 1"),
    (["CartPole-v1", "--set", "gamma=-0.1"], "gamma is -0.1; expected a number from 0 to 1"),
    (["CartPole-v1", "--set", "correlation=1.0"], "correlation is 1.0; expected"),
    (["CartPole-v1", "--set", "anneal=1"], "anneal is 1; expected True or False"),
    (["CartPole-v1", "--set", "epochs=2.5"], "epochs is 2.5; expected a positive whole number"),
    (["CartPole-v1", "--set", "hidden=64"], "hidden is 64; expected a tuple of"),
    (["CartPole-v1", "--set", "hidden=(64,0)"], "hidden is (64, 0); expected a tuple of"),
    (["CartPole-v1", "--set", "hidden=('a',)"], "hidden is ('a',); expected a tuple of"),
    (["CartPole-v1", "--set", "num_splits=3"], "num_splits is 3; expected"),
    (["CartPole-v1", "--set", "minibatches=1000"], "num_envs times steps is 128; expected"),
    (["CartPole-v1", "--device", "cudda"], "device is 'cudda'; expected 'auto', 'cpu' or 'cuda'"),
    (["CartPole-v1", "--device", "mps"], "device is 'mps'"),
    (["CartPole-v1", "--device", "cuda:99"], "device is 'cuda:99', but"),
    (["CartPole-v1", "--seed", "-1"], "seed is -1; expected a whole number"),
    (["CartPole-v1", "--seed", "1" + 30 * "0"], "seed is 1000000000000000000000000000000; "),
    (["CartPole-v1", "--precision", "fats"], "precision is 'fats' (did you mean 'fast'?)"),
    (["CartPole-v1", "--threads", "0"], "threads is 0; expected"),
    (["CartPole-v1", "--episodes", "0"], "episodes is 0; expected"),
    (["CartPole-v1", "--checkpoint-seconds", "-1"], "checkpoint_seconds is -1.0; expected"),
    (["CartPole-v1", "--checkpoint-seconds", "nan"], "checkpoint_seconds is nan; expected"),
    (["CartPole-v1", "--checkpoint", "own.py"], "checkpoint is own.py, but own.py is a file"),
    (["CartPole-v1", "--checkpoint", "own.py/run"], "but own.py is a file"),
    (["CartPole-v1", "--checkpoint", "done"], "done holds a checkpoint already; resume from it"),
    (["CartPole-v1", "--resume"], "resume asks for a checkpoint's directory"),
    (["CartPole-v1", "--resume", "--checkpoint", "none"], "There is no checkpoint none"),
    (["Pendulum-v1", "--resume", "--checkpoint", "done"], "environment 'CartPole-v1', not 'Pend"),
    (["CartPole-v1", "--resume", "--checkpoint", "done", "--seed", "1"], "with seed 0, not 1"),
    (["CartPole-v1", "--resume", "--checkpoint", "done", "--num-envs", "4"], "num_envs 8, not 4"),
    (
        ["CartPole-v1", "--resume", "--checkpoint", "done", "--precision", "fast"],
        "with precision 'exact', not 'fast'",
    ),
    (
        ["CartPole-v1", "--resume", "--checkpoint", "done", "--set", "gamma=0.5"],
        ", not 0.5; expected the same training",
    ),
    (
        ["CartPole-v1", "--param", "gravit=1"],
        "unexpected keyword argument 'gravit' (did you mean 'gravity'?)",
    ),
    (["CartPole-v1", "--param", "gravity"], "--param is 'gravity'; expected name=value"),
    (["CartPole-v1", "--param", "gravity=moon"], "The parameter 'gravity' is 'moon'; expected"),
    (["CartPole-v1", "--param", "gravity=[1,2]"], "'gravity' is [1, 2]; expected one value"),
    (["CartPole-v1", "--param", "frame_stack=0"], "frame_stack is 0; expected"),
    (["CartPole-v1", "--param", "precision=fast"], "precision is no parameter of an environment"),
    (
        ["CartPole-v1", "--resume", "--checkpoint", "done", "--param", "gravity=5"],
        "with arguments {}, not {'gravity': 5}",
    ),
    (["CartPole-v1", "--baseline", "--param", "gravity=5"], "either baseline or parameters"),
    (["CartPole-v1", "--baseline", "--checkpoint", "run"], "either baseline or checkpoint"),
    (["own.py:Side", "--baseline"], "Gymnasium has no environment Side; expected an id"),
    (["CartPole-v1", "--baseline", "--precision", "fast"], "Gymnasium's environments know only"),
    (["CartPole-v1", "--json", "no/such/figures.json"], "cannot be written"),
    (["CartPole-v1", "--json", "done"], "done cannot be written"),
    (["CartPole-v1", "--tensorboard", "own.py/events"], "but own.py is a file"),
]

OWN = """
from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

from batchsim.random import integers


class Side:
    class State(NamedTuple):
        side: int
        count: int

    ACTION = Discrete(2)
    OBSERVATION = Box(0, 255, (8, 8, 1), np.uint8)

    def reset(s, i, p, rng):
        s.side[i] = integers(rng, i, 0, 2)
        s.count[i] = 0

    def step(s, i, action, p, rng):
        reward = 1.0 if action == s.side[i] else 0.0
        s.side[i] = integers(rng, i, 0, 2)
        s.count[i] += 1
        return reward, s.count[i] == 8

    def observe(s, i, p, out):
        for row in range(8):
            for column in range(8):
                out[row, column, 0] = 255 if (column >= 4) == (s.side[i] == 1) else 0

    def renderer(p):
        def draw(s, i):
            frame = np.zeros((8, 8, 3), np.uint8)
            frame[:, 4 * s.side[i] :][:, :4] = 255
            return frame

        return draw


class Rotten:
    class State(NamedTuple):
        age: int

    ACTION = Discrete(2)
    OBSERVATION = Box(0, np.inf, (1,), np.float32)

    def reset(s, i, p, rng):
        s.age[i] = 0

    def step(s, i, action, p, rng):
        s.age[i] += 1
        return np.nan if s.age[i] > 50 else 1.0, False

    def observe(s, i, p, out):
        out[0] = s.age[i]


class Failing(Rotten):
    def step(s, i, action, p, rng):
        s.age[i] += 1
        assert s.age[i] <= 50
        return 1.0, False


class Uncompilable(Rotten):
    def step(s, i, action, p, rng):
        return s.aeg[i], False
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A directory with a finished training's checkpoint."""
    directory = tmp_path_factory.mktemp("done")
    assert train("CartPole-v1", "--total-steps", 128, "--checkpoint", directory) == 0
    return directory / checkpoints.FILE


def files():
    return sorted(path for path in Path().rglob("*") if "__pycache__" not in path.parts)


@pytest.mark.parametrize(
    ("arguments", "message"),
    BAD,
    ids=lambda value: "_".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_sentence_and_status_2(arguments, message, done, capsys):
    Path("own.py").write_text(OWN)
    Path("done").mkdir()
    Path("done", checkpoints.FILE).write_bytes(done.read_bytes())
    before = files()
    if "--num-envs" not in arguments and "--resume" not in arguments:
        arguments = [*arguments[:1], "--num-envs", "8", "--set", "steps=16", *arguments[1:]]
    if not arguments[0].startswith("--"):
        assert run("train", *arguments) == 2
    else:
        assert run("train") == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert printed.err.startswith("batchsim: ")
    assert printed.err.count("\n") == 1
    assert files() == before
    assert Path("done", checkpoints.FILE).read_bytes() == done.read_bytes()


def test_a_missing_tensorboard_is_named_with_its_extra(monkeypatch, capsys):
    original = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *more: None if name == "tensorboard" else original(name, *more),
    )
    assert train("CartPole-v1", "--tensorboard", "events") == 2
    message = (
        'needs the library tensorboard; install it with pip install "batchsim[tensorboard]".\n'
    )
    assert capsys.readouterr().err.endswith(message)
    assert not files()


@pytest.mark.parametrize("command", ["train", "watch"])
def test_a_missing_pytorch_is_named_with_its_extra(command, done, monkeypatch, capsys):
    for name in list(sys.modules):
        if name.startswith("batchsim.torch"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    more = ["--policy", done] if command == "watch" else []
    assert run(command, "CartPole-v1", *more) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert 'needs PyTorch; install it with pip install "batchsim[torch]".' in error


def test_settings_are_checked_in_python_too():
    with pytest.raises(TypeError, match=r"checkpoint is 'run'; expected a pathlib\.Path"):
        Settings("CartPole-v1", HOW, checkpoint="run")
    with pytest.raises(ValueError, match="but /dev/null is a file"):
        Settings("CartPole-v1", HOW, checkpoint=Path("/dev/null/run"))
    assert read_device("cpu") == torch.device("cpu")


def test_settings_hold_a_map_whatever_becomes_of_its_file():
    rows = ("#####", "#P.V#", "#####")
    Path("map.txt").write_text("\n".join(rows), encoding="utf-8")
    for layout in (Path("map.txt"), "map.txt", list(rows)):
        settings = Settings("EgoMyWayHome-v0", HOW, arguments={"layout": layout})
        assert settings.arguments == {"layout": rows}
    drawn = Settings("FrozenLake-v1", HOW, arguments={"map_name": None}).arguments
    assert len(drawn.pop("desc")) == 8
    assert drawn == {"map_name": None}
    assert Settings("FrozenLake8x8-v1", HOW).arguments == {}
    with pytest.raises(ValueError, match="layout is 'gone', a file that cannot be read"):
        Settings("EgoMyWayHome-v0", HOW, arguments={"layout": "gone"})


def test_a_directory_without_permission_is_refused(monkeypatch):
    Path("locked").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: path.name != "locked")  # root may do all
    with pytest.raises(ValueError, match="locked cannot be written to"):
        Settings("CartPole-v1", HOW, checkpoint=Path("locked/run"))


# -- the same agent --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "env_id", ["CartPole-v1", "Pendulum-v1", "Blackjack-v1", "BabyAI-GoToLocal-v0"]
)
@pytest.mark.filterwarnings("ignore")  # Gymnasium's, about its own environments
def test_the_baseline_becomes_the_same_agent_bit_for_bit(env_id, capsys):
    """Texts too are the same to it, as tokens; and nothing is said of what upstream says."""
    if env_id.startswith("BabyAI"):
        pytest.importorskip("minigrid")
    mine = trained(env_id, seed=3)
    theirs = trained(env_id, seed=3, baseline=True)
    assert_same(parameters(theirs), parameters(mine))
    assert_same(theirs.ppo.optimizer.state_dict(), mine.ppo.optimizer.state_dict())
    assert list(theirs.ppo.recent) == list(mine.ppo.recent)
    assert theirs.evaluate() == mine.evaluate()
    assert capsys.readouterr().out == ""


def test_the_baseline_is_one_option_away(capsys):
    assert train("CartPole-v1", "--total-steps", 256) == 0
    mine = capsys.readouterr().out.splitlines()
    assert train("CartPole-v1", "--total-steps", 256, "--baseline") == 0
    theirs = capsys.readouterr().out.splitlines()
    assert theirs[0].startswith("CartPole-v1 on Gymnasium's SyncVectorEnv, seed 0: 256 steps")
    assert theirs[2] == mine[2]


def test_the_same_seed_makes_the_same_agent_and_another_seed_another():
    first, second, other = (parameters(trained(seed=seed)) for seed in (1, 1, 2))
    assert_same(first, second)
    assert not torch.equal(first["actor.0.weight"], other["actor.0.weight"])


def test_halves_that_take_turns_make_the_same_agent():
    """Whatever of the two is quicker."""
    how = HOW.replace(num_splits=2)
    assert_same(parameters(trained(how=how)), parameters(trained(how=how)))


# -- killed and resumed ----------------------------------------------------------------------------


def _train_quietly(arguments):
    """Runs in a process of its own."""
    for number, name in ((1, "output.txt"), (2, "errors.txt")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = ["batchsim", "train", *map(str, arguments)]
    main()


def _train_and_die_in_save(arguments, saves):
    """Runs in a process of its own, which kills itself while it writes a checkpoint."""
    left = iter(range(saves))
    os.fsync = lambda number: None if next(left, None) is not None else os.kill(os.getpid(), 9)
    _train_quietly(arguments)


@pytest.fixture(scope="module")
def processes():
    """Starts processes that have imported everything, and done nothing."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        pytest.skip("needs a fork")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["batchsim.torch", "batchsim.__main__", "numba.core.typing", "torch.utils.tensorboard"]
    )
    return context


def identity(path):
    """Changes whenever the file is replaced."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def kill_soon(context, arguments, directory, delay):
    """Start a training, kill it some time after its first checkpoint; return whether it lived."""
    file = directory / checkpoints.FILE
    before = identity(file)
    process = context.Process(target=_train_quietly, args=(arguments,))
    process.start()
    while identity(file) == before and process.is_alive():
        time.sleep(0.001)
    process.join(delay)
    process.kill()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL), Path("errors.txt").read_text()
    return process.exitcode != 0


@pytest.mark.parametrize(
    ("env_id", "more"),
    [
        ("CartPole-v1", ()),
        ("Pendulum-v1", ("--set", "correlation=0.5", "--set", "normalize=True")),
        ("Blackjack-v1", ("--set", "num_splits=2")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_killed_training_ends_as_if_nothing_had_happened(env_id, more, processes, capsys):
    pytest.importorskip("tensorboard")
    iterations = 24
    arguments = [env_id, *SHORT, "--total-steps", iterations * BATCH, *more]
    assert run("train", *arguments, "--checkpoint", "whole") == 0
    expected = capsys.readouterr().out.splitlines()[2]

    arguments += ["--checkpoint", "killed", "--checkpoint-seconds", 0, "--tensorboard", "events"]
    kills, resume, reached = 0, [], []
    for delay in np.random.default_rng().uniform(0.0, 0.06, 3):
        killed = kill_soon(processes, [*arguments, *resume], Path("killed"), delay)
        kills += killed
        resume = ["--resume"]
        reached.append(checkpoints.load(Path("killed")).training["iteration"])
        if not killed:
            break
    assert kills >= 2
    assert reached == sorted(set(reached))
    last = processes.Process(target=_train_quietly, args=([*arguments, *resume],))
    last.start()
    last.join()
    assert last.exitcode == 0
    assert Path("output.txt").read_text().splitlines()[2] == expected
    assert_same(content("killed"), content("whole"))
    # Events that no checkpoint has behind it are not shown twice, and none is missing.
    steps = [BATCH * number for number in range(1, iterations + 1)]
    assert [event.step for event in events("events").Scalars("learning/entropy")] == steps


def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before(processes, capsys):
    arguments = ["CartPole-v1", *SHORT, "--total-steps", 6 * BATCH, "--checkpoint-seconds", 0]
    assert run("train", *arguments, "--checkpoint", "whole") == 0
    arguments += ["--checkpoint", "killed"]
    process = processes.Process(target=_train_and_die_in_save, args=(arguments, 3))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    (left,) = set(Path("killed").iterdir()) - {Path("killed", checkpoints.FILE)}
    assert left.name.startswith(f".{checkpoints.FILE}.")
    assert checkpoints.load(Path("killed")).training["iteration"] == 3
    assert run("train", *arguments, "--resume") == 0
    assert_same(content("killed"), content("whole"))


def test_what_killed_processes_left_behind_does_not_pile_up(done):
    """But what another process is writing just now stays."""
    directory = done.parent
    saved = checkpoints.load(directory)
    stale, fresh = directory / f".{done.name}.123", directory / f".{done.name}.456"
    for path in (stale, fresh):
        path.write_bytes(b"part")
    old = time.time() - checkpoints.STALE - 60
    os.utime(stale, (old, old))
    checkpoints.save(saved, directory)
    assert set(directory.iterdir()) == {done, fresh}
    fresh.unlink()


def test_a_finished_training_is_only_evaluated_again(capsys):
    arguments = ["CartPole-v1", "--total-steps", 256, "--checkpoint", "run"]
    assert train(*arguments) == 0
    first = capsys.readouterr().out.splitlines()
    before = identity(Path("run", checkpoints.FILE))
    # What the checkpoint knows need not be said again.
    arguments = ["CartPole-v1", "--resume", "--checkpoint", "run", "--episodes", 5]
    assert run("train", *arguments, "--json", "figures.json") == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.splitlines()[2] == first[2]
    assert json.loads(Path("figures.json").read_text())["steps"] == 256
    assert identity(Path("run", checkpoints.FILE)) == before


def test_a_training_can_be_resumed_in_python():
    whole = trained(checkpoint=Path("whole"), checkpoint_seconds=0)
    settings = Settings("CartPole-v1", HOW, threads=1, checkpoint=Path("run"), checkpoint_seconds=0)
    training = Training(settings)

    def stop(iteration):
        if iteration.number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.run(stop)
    training.close()
    resumed = Training(dataclasses.replace(settings, resume=True))
    assert resumed.resumed_at == 2
    assert resumed.seconds > 0
    resumed.run()
    resumed.close()
    assert_same(parameters(resumed), parameters(whole))
    assert resumed.times.whole == pytest.approx(resumed.seconds)


class Bomb:
    def __reduce__(self):
        return Path.touch, (Path("executed"),)


def _archive(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _flipped(data):
    """The largest part of the archive has one bit changed."""
    return data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]


DAMAGED = {
    "empty": lambda data: b"",
    "truncated": lambda data: data[:-1000],
    "half": lambda data: data[: len(data) // 2],
    "one bit": _flipped,
    "text": lambda data: b"not a checkpoint\n",
    "a pickle with code": lambda data: pickle.dumps(Bomb()),
    "an archive with code": lambda data: _archive({"format": 2, "training": Bomb()}),
    "other tensors": lambda data: _archive(torch.zeros(3)),
    "a state_dict": lambda data: _archive({"weight": torch.zeros(3)}),
    "another format": lambda data: _archive({"format": 1, "batchsim": "0.0"}),
    "no name": lambda data: _archive({"format": 2, "training": {}}),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_file_that_is_no_checkpoint_is_refused_and_not_executed(damage, done, capsys):
    Path("run").mkdir()
    file = Path("run", checkpoints.FILE)
    file.write_bytes(DAMAGED[damage](done.read_bytes()))
    assert run("train", "CartPole-v1", "--resume", "--checkpoint", "run") == 2
    assert run("watch", "CartPole-v1", "--policy", file, "--out", "x.png") == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 2
    expected = {
        "another format": "has format 1, of batchsim 0.0; expected 2.",
        "other tensors": "is no checkpoint of batchsim.",
        "a state_dict": "is no checkpoint of batchsim.",
        "no name": "lacks a part of a checkpoint of batchsim.",
    }
    unreadable = "cannot be read as a checkpoint of batchsim: it is damaged, or something else."
    assert f"{file} {expected.get(damage, unreadable)}" in printed.err
    assert files() == [Path("run"), file]


def test_a_disk_that_is_full_ends_training_and_leaves_the_checkpoint(monkeypatch, capsys):
    left = iter(range(2))

    def full(number):
        if next(left, None) is None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    arguments = ["--total-steps", 512, "--checkpoint", "run", "--checkpoint-seconds", 0]
    assert train("CartPole-v1", *arguments) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == "batchsim: No checkpoint could be saved to run: No space left on device."
    assert files() == [Path("run"), Path("run", checkpoints.FILE)]
    assert checkpoints.load(Path("run")).training["iteration"] == 2


# -- environments of one's own ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Rotten", "The losses of iteration 4 are not finite"),
        ("Failing", "Iteration 4 could not be made: A function of Failing raised an exception"),
    ],
)
def test_an_environment_gone_wrong_ends_training_and_leaves_the_checkpoint(name, message, capsys):
    Path("own.py").write_text(OWN)
    arguments = ["--total-steps", 2048, "--checkpoint", "run", "--checkpoint-seconds", 0]
    assert train(f"own.py:{name}", *arguments) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    *progress, error = printed.err.splitlines()
    assert error.startswith(f"batchsim: {message}")
    assert all(" steps: " in line for line in progress)
    saved = checkpoints.load(Path("run"))
    assert saved.training["iteration"] == 3
    assert all(weights.isfinite().all() for weights in saved.training["policy"].values())


def test_an_environment_that_fails_in_the_evaluation_is_explained(capsys):
    Path("own.py").write_text(OWN)  # Its episodes go on after the few steps of this training.
    assert train("own.py:Failing", "--total-steps", 256, "--json", "figures.json") == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("batchsim: The evaluation could not be made: A function of Failing")
    assert files() == [Path("own.py")]


def test_an_error_in_training_is_one_kind_of_exception():
    Path("own.py").write_text(OWN)
    training = Training(Settings(batchsim.registry.resolve("own.py:Rotten"), HOW, threads=1))
    with pytest.raises(TrainingError, match="not finite"):
        training.run()
    training.close()


def test_pixels_of_an_environment_of_ones_own_are_learned_and_watched(capsys):
    pytest.importorskip("PIL")
    Path("own.py").write_text(OWN)
    arguments = ["--num-envs", 16, "--threads", 1, "--episodes", 20, "--checkpoint-seconds", 0]
    arguments += ["--set", "steps=32", "--checkpoint", "run"]
    assert run("train", "own.py:Side", *arguments, "--total-steps", 8192) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Side on batchsim, ")
    assert "mean return 8.0 ± 0.0 (from 8.0 to 8.0)\n" in printed
    found = checkpoints.load(Path("run"))
    assert any("convolutions" in name for name in found.training["policy"])
    assert run("train", "own.py:Side", *arguments, "--resume") == 0
    assert "mean return 8.0 ± 0.0" in capsys.readouterr().out

    arguments = ["--num-envs", 1, "--steps", 3, "--out", "side.png"]
    assert run("watch", "own.py:Side", "--policy", "run", *arguments) == 0
    Path("changed.py").write_text(OWN.replace("(8, 8, 1)", "(9, 9, 1)"))
    capsys.readouterr()
    for command in (
        ["watch", "changed.py:Side", "--policy", "run"],
        ["train", "changed.py:Side", "--checkpoint", "run", "--resume"],
    ):
        assert run(*command) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert "does not fit Side: the environment ha" in error


def test_what_an_environment_was_told_is_remembered(capsys):
    pytest.importorskip("PIL")
    told = {"gravity": 20.0, "frame_stack": 2, "max_episode_steps": 30}
    options = [part for name in told for part in ("--param", f"{name}={told[name]}")]
    arguments = ["CartPole-v1", "--checkpoint", "run", "--json", "figures.json"]
    assert train(*arguments, *options, "--total-steps", 256) == 0
    figures = json.loads(Path("figures.json").read_text())
    assert figures["arguments"] == told
    assert figures["evaluation"]["highest"] <= 30
    saved = checkpoints.load(Path("run"))
    assert saved.arguments == told
    assert saved.training["policy"]["actor.0.weight"].shape[1] == 8
    first = capsys.readouterr().out.splitlines()[2]
    assert run("train", *arguments, "--episodes", 5, "--resume") == 0
    assert capsys.readouterr().out.splitlines()[2] == first
    policy = load_policy("run", "CartPole-v1")
    found = evaluate(policy, "CartPole-v1", 5, **told)
    assert (
        found
        == Training(
            Settings(
                "CartPole-v1",
                saved.hyperparameters,
                threads=1,
                episodes=5,
                arguments=told,
                checkpoint=Path("run"),
                resume=True,
            )
        ).evaluate()
    )
    watch = ["--num-envs", 1, "--steps", 3, "--out", "cartpole.png"]
    assert run("watch", "CartPole-v1", "--policy", "run", *watch) == 0


# -- TensorBoard -----------------------------------------------------------------------------------


def events(directory):
    """What TensorBoard shows of a directory."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(directory), size_guidance={"scalars": 0})
    found.Reload()
    return found


TAGS = {
    "learning": {"policy_loss", "value_loss", "entropy", "learning_rate"},
    "episodes": {"mean_return", "mean_length", "episodes"},
    "time": {"steps_per_second", "environment", "policy", "learning", "rest"},
}


def test_tensorboard_shows_each_iteration_once():
    pytest.importorskip("tensorboard")
    losses = []
    settings = Settings("CartPole-v1", HOW, threads=1, tensorboard=Path("events"))
    training = Training(settings)
    training.run(lambda iteration: losses.append(iteration.value_loss))
    training.close()
    found = events("events")
    tags = {f"{group}/{name}" for group, names in TAGS.items() for name in names}
    assert set(found.Tags()["scalars"]) == tags
    for tag in tags:
        steps = [event.step for event in found.Scalars(tag)]
        assert steps == [BATCH, 2 * BATCH, 3 * BATCH, 4 * BATCH]
    shown = [event.value for event in found.Scalars("learning/value_loss")]
    np.testing.assert_allclose(shown, losses, rtol=1e-6)
    shares = [found.Scalars(f"time/{name}")[-1].value for name in TAGS["time"] if "/" not in name]
    assert sum(shares) - found.Scalars("time/steps_per_second")[-1].value == pytest.approx(
        1.0, abs=1e-2
    )


# -- the page --------------------------------------------------------------------------------------


def test_the_code_of_the_page_runs(capsys):
    page = Path(__file__).parents[1] / "docs" / "training.md"
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)
    assert len(blocks) == 5
    names = {}
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)
    names["envs"].close()
    assert names["ppo"].finished
    assert names["rollout"].rewards.sum() > 0


def test_the_page_names_every_option_figure_and_curve():
    page = (Path(__file__).parents[1] / "docs" / "training.md").read_text(encoding="utf-8")
    for parameter in inspect.signature(batchsim.__main__.train).parameters:
        if parameter != "env":
            assert f"--{parameter.replace('_', '-').rstrip('-')}" in page, parameter
    for group, names in TAGS.items():
        for name in names:
            assert f"`{group}/{name}`" in page, name
    training = trained()
    for key, value in json.loads(to_json(training, training.evaluate())).items():
        assert f"`{key}`" in page, key
        if key in ("times", "evaluation"):
            assert all(f"`{part}`" in page for part in value), key


# -- the evaluation --------------------------------------------------------------------------------


@pytest.fixture
def random_policy(opened):
    """Makes policies that decide firmly."""

    def make(env_id):
        envs = opened(batchsim.make_vec(env_id, 1, backend="reference"))
        generator = torch.Generator().manual_seed(5)
        policy = ActorCritic(
            envs.single_observation_space, envs.single_action_space, generator=generator
        )
        with torch.no_grad():
            policy.actor[-1].weight.mul_(100)
        return policy

    return make


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Pendulum-v1", "FrozenLake-v1", "Blackjack-v1"])
@pytest.mark.filterwarnings("ignore")
def test_an_evaluation_is_that_of_gymnasiums_environments(env_id, random_policy):
    torch.set_num_threads(1)
    policy = random_policy(env_id)
    found = evaluate(policy, env_id, 20, seed=4)

    envs = gymnasium.make_vec(env_id, 20, vectorization_mode="sync")
    act = most_likely(policy, envs.single_action_space)
    seeds = np.random.SeedSequence((4, 20)).generate_state(20)
    observations, _ = envs.reset(seed=seeds.tolist())
    totals, lengths, succeeded = np.zeros(20), np.zeros(20), np.zeros(20, bool)
    running = np.ones(20, bool)
    while running.any():
        observations, rewards, terminated, truncated, _ = envs.step(act(observations))
        succeeded |= running & terminated & (rewards > 0)
        totals[running] += rewards[running]
        lengths[running] += 1
        running &= ~(terminated | truncated)
    envs.close()
    assert found.episodes == 20
    assert found.mean == totals.mean()
    assert found.std == totals.std()
    assert (found.lowest, found.highest) == (totals.min(), totals.max())
    assert found.mean_length == lengths.mean()
    assert not math.isnan(found.mean)
    pays_at_the_end = env_id in ("FrozenLake-v1", "Blackjack-v1")
    assert found.success_rate == (succeeded.mean() if pays_at_the_end else None)


def test_actions_may_be_drawn_as_in_training(random_policy):
    policy = random_policy("CartPole-v1")
    one, again = (evaluate(policy, "CartPole-v1", 20, seed=4, draw=True) for _ in range(2))
    assert one == again
    assert evaluate(policy, "CartPole-v1", 20, seed=4) != one
    with torch.no_grad():
        policy.actor[-1].weight.mul_(1e6)  # which leaves nothing to chance
    firm, best = (evaluate(policy, "CartPole-v1", 20, draw=draw) for draw in (True, False))
    assert firm == best


def test_episodes_without_a_time_limit_are_broken_off(random_policy):
    policy = random_policy("CliffWalking-v1")
    with torch.no_grad():
        policy.actor[-1].weight.zero_()
        policy.actor[-1].bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))  # up, into the wall
    found = evaluate(policy, "CliffWalking-v1", 3)
    assert found.mean_length == LONGEST
    assert (found.lowest, found.highest) == (-LONGEST, -LONGEST)


def test_a_saved_policy_does_what_it_did():
    training = trained(checkpoint=Path("run"))
    policy = load_policy("run", "CartPole-v1")
    assert evaluate(policy, "CartPole-v1", 5) == training.evaluate()
    act, _ = load_actions(Path("run"), "CartPole-v1")
    observations = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    expected = training.policy.best(torch.from_numpy(observations)).numpy()
    np.testing.assert_array_equal(act(observations), expected)
    with pytest.raises(ValueError, match="was trained on CartPole-v1, not on Acrobot-v1"):
        load_policy("run", "Acrobot-v1")
    assert json.loads(to_json(training, training.evaluate()))["evaluation"]["episodes"] == 5
