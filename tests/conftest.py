"""Set-up of the tests: a kernel cache of their own, and the option `--slow`."""

import atexit
import gc
import os
import shutil
import subprocess
import sys
import tempfile

import pytest

# Before batchsim is imported: every kernel is compiled once, by whichever process needs it first,
# and never comes from an earlier state of the code. The workers of pytest-xdist inherit it.
if "BATCHSIM_CACHE_DIR" not in os.environ:
    _directory = tempfile.mkdtemp(prefix="batchsim-tests-")
    os.environ["BATCHSIM_CACHE_DIR"] = _directory
    _owner = os.getpid()

    @atexit.register
    def _remove_cache():
        if os.getpid() == _owner:  # not in a forked child
            shutil.rmtree(_directory, ignore_errors=True)


import gymnasium
import oracle

from batchsim import registry
from batchsim.batch.processors import available_cpus


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run the tests that take minutes, too")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes minutes; runs with --slow only")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--slow"):
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="takes minutes; run with --slow"))


# A run of all tests compiles most kernels first, on all processors. Of several workers each
# compiles its share once it has collected; none is given a test before the last has.
MANY_FILES = 20
COMPILE = """
import batchsim
from batchsim.batch.processors import available_cpus
for name, settings in {kernels}:
    batchsim.make_vec(name, 16, **settings).close()
"""


def kernels():
    """Ids and settings of kernels that the tests need and that take seconds to compile."""
    for name in oracle.IDS:
        for mode in ("NextStep", "SameStep", "Disabled"):
            yield name, {"autoreset_mode": mode}
            if name in oracle.MODELS:
                yield name, {"autoreset_mode": mode, "record_episode_statistics": True}
        yield name, {"precision": "fast"}
        if name in oracle.MODELS:
            yield name, {"autoreset_mode": "SameStep", "precision": "fast"}
            yield name, {"autoreset_mode": "Disabled", "max_episode_steps": -1}
        yield name, {key: [low] * 16 for key, (low, _) in oracle.PARAMETERS.get(name, {}).items()}
    for name, settings in oracle.variants():
        if settings:
            yield name, settings
    for name in set(oracle.ALL_BUT_SLOW) - set(oracle.IDS):
        yield from ((name, {"autoreset_mode": mode}) for mode in ("NextStep", "SameStep"))
        yield name, {"precision": "fast"}


def shares(count):
    """Return the kernels in so many parts: all of one id in one, as they share most of their code.

    Those that draw pictures take ten times as long as others.
    """
    groups = {}
    for name, settings in kernels():
        groups.setdefault(name, []).append((name, settings))
    parts = [[] for _ in range(count)]
    loads = [0] * count
    for name in sorted(groups, key=lambda name: ("Ego" not in name, -len(groups[name]), name)):
        least = loads.index(min(loads))
        parts[least] += groups[name]
        loads[least] += 10 if "Ego" in name else 1 + len(groups[name]) // 3
    return parts


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist tells that this worker is ready
def pytest_collection_finish(session):
    files = {item.path for item in session.items}
    if len(files) < MANY_FILES or session.config.option.collectonly:
        return
    worker = getattr(session.config, "workerinput", None)
    if worker is None:
        todo = shares(available_cpus())
    else:
        # One that replaces another that ended has a higher number.
        number = int(worker["workerid"].removeprefix("gw")) % worker["workercount"]
        todo = [shares(worker["workercount"])[number]]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", COMPILE.format(kernels=part)],
            env=environment,
            stderr=subprocess.DEVNULL,  # A test says it better.
        )
        for part in todo
    ]
    for process in processes:
        process.wait()


@pytest.fixture(scope="module", autouse=True)
def _unseen_by_the_collector():
    """Set everything aside that there is before the tests of a file.

    Items, modules and what was compiled are millions of objects that stay. Each collection of
    garbage that a test or the ladder asks for would look through them, which takes seconds.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def opened():
    """Close at the end of the test whatever was passed through this function."""
    envs = []

    def keep(env):
        envs.append(env)
        return env

    yield keep
    for env in envs:
        env.close()


@pytest.fixture
def one_thread():
    """PyTorch computes with one thread: with others last bits may differ."""
    from batchsim.torch import threads

    with threads.one_thread():
        yield


@pytest.fixture
def registered():
    """Forget at the end what was registered."""
    known, with_gymnasium = dict(registry._entries), dict(gymnasium.registry)
    yield
    for now, before in ((registry._entries, known), (gymnasium.registry, with_gymnasium)):
        now.clear()
        now.update(before)


@pytest.fixture
def blocked_rooms_end(monkeypatch):
    """MiniGrid gives a room up in which the agent can head at nothing but things.

    It would try for ever to put the agent there. That so many tries fail has no other reason.
    """
    from minigrid.core.roomgrid import RoomGrid
    from minigrid.minigrid_env import MiniGridEnv

    from batchsim.envs.minigrid.rooms import TRIES

    of_room, of_grid = RoomGrid.place_agent, MiniGridEnv.place_agent

    def in_room(self, *args, **kwargs):
        tries = 0

        def once(self, *args, **kwargs):
            nonlocal tries
            tries += 1
            if tries > TRIES:
                raise RecursionError("the room is blocked")
            return of_grid(self, *args, **kwargs)

        with monkeypatch.context() as patched:
            patched.setattr(MiniGridEnv, "place_agent", once)
            return of_room(self, *args, **kwargs)

    monkeypatch.setattr(RoomGrid, "place_agent", in_room)


@pytest.fixture
def beside():
    """`oracle.side_by_side`, closed at the end."""
    made = []

    def make(*args, **kwargs):
        made.append(oracle.side_by_side(*args, **kwargs))
        return made[-1]

    yield make
    for pair in made:
        pair.close()
