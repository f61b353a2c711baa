"""Compiled kernels are kept on disk, found again, never stale, and never in the way."""

import importlib
import os
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import numpy as np
import pytest

import batchsim
import batchsim.compile
from batchsim import cache
from batchsim.definition import Definition

GAME = """
from typing import NamedTuple
import numpy as np
from gymnasium.spaces import Box, Discrete

class State(NamedTuple):
    x: float

ACTION = Discrete(2)
OBSERVATION = Box(-np.inf, np.inf, (1,), np.float64)

def reset(s, i, p, rng):
    s.x[i] = 0.25

def step(s, i, action, p, rng):
    s.x[i] = s.x[i] + 1.0
    return 1.0, False

def observe(s, i, p, out):
    out[0] = s.x[i]
"""
FIRST_STEP = """
import sys
import numpy as np
import batchsim
import smallest
from batchsim.definition import Definition

definition = Definition(smallest, "Smallest-v0")
env = batchsim.BatchEnv(definition, int(sys.argv[1]), autoreset_mode="Disabled", num_threads=1)
env.reset(seed=0)
results = env.step(np.zeros(env.num_envs, np.int64))
assert (results[0] == 1.25).all()
print(env.kernel.compile_seconds)
env.close()
"""


def start(folder, num_envs=3, *, hash_seed="0", **settings):
    """Begin a process that makes an environment and steps it once."""
    folder.mkdir(exist_ok=True)
    game = folder / "smallest.py"
    if not game.exists():  # Another process may be reading it.
        game.write_text(GAME)
    environment = {
        **os.environ,
        "BATCHSIM_CACHE_DIR": str(folder / "new" / "cache"),
        "PYTHONHASHSEED": hash_seed,
        "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)]),
    }
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", FIRST_STEP, str(num_envs)],
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
        **{"stderr": subprocess.PIPE, **settings},
    )


def end(process):
    """Wait for it; return the seconds it compiled, and what it said."""
    printed, said = process.communicate(timeout=240)
    assert process.returncode == 0, said
    return float(printed), said


def snapshot(folder):
    """The files in a folder with their contents."""
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def test_a_second_start_compiles_nothing(tmp_path):
    seconds, said = end(start(tmp_path))
    assert seconds > 0
    assert said == ""  # No terminal, no line.
    files = snapshot(tmp_path / "new" / "cache")
    assert len(files) == 1
    processes = [start(tmp_path, n, hash_seed=h) for n, h in ((3, "1"), (1000, "2"))]
    for process in processes:
        assert end(process) == (0, "")
    assert snapshot(tmp_path / "new" / "cache") == files


def test_processes_that_compile_at_once_do_not_disturb_each_other(tmp_path):
    for process in [start(tmp_path) for _ in range(3)]:
        end(process)
    files = snapshot(tmp_path / "new" / "cache")
    assert [Path(name).suffix for name in files] == [".kernel"]
    assert end(start(tmp_path)) == (0, "")
    assert snapshot(tmp_path / "new" / "cache") == files


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal")
def test_a_terminal_user_sees_one_line_while_a_kernel_compiles(tmp_path):
    def said_on_a_terminal():
        leader, follower = os.openpty()
        process = start(tmp_path, stderr=follower)
        os.close(follower)
        said = b""
        while True:
            try:
                part = os.read(leader, 4096)
            except OSError:  # Linux says so when the other end is closed.
                break
            if not part:
                break
            said += part
        os.close(leader)
        return end(process)[0], said.decode().splitlines()

    seconds, lines = said_on_a_terminal()
    assert seconds > 0
    assert len(lines) == 1
    assert "compiling Smallest-v0" in lines[0]
    assert said_on_a_terminal() == (0, [])


# -- In this process -------------------------------------------------------------------------------
#
# A small environment of a user's, in files that the tests write.

PROJECT = {
    "game.py": """
        from typing import NamedTuple
        import numpy as np
        from gymnasium.spaces import Box, Discrete
        from helpers import BONUS, Direction, SCALES, TABLE, middle, twice
        import tools

        STEP_COST = 0.5

        class State(NamedTuple):
            x: float
            turn: np.int64

        class Params(NamedTuple):
            size: float = 1.0

        ACTION = Discrete(2)
        OBSERVATION = Box(-np.inf, np.inf, (1,), np.float64)

        def reset(s, i, p, rng):
            s.x[i] = 0.25
            s.turn[i] = 0

        def step(s, i, action, p, rng):
            s.turn[i] = s.turn[i] + Direction.UP
            s.x[i] = twice(s.x[i]) + middle(action) + TABLE[s.turn[i] % 1200]
            return BONUS * p.size - STEP_COST + SCALES[0][1] * 1e6 + tools.LIMIT, False

        def observe(s, i, p, out):
            out[0] = s.x[i] + s.turn[i]
    """,
    "helpers.py": """
        from enum import IntEnum
        import numpy as np
        from deep import innermost

        BONUS = 3.0
        TABLE = np.zeros(1200)
        TABLE[600:] = 0.125
        TABLE[1] = 0.0625
        SCALES = (np.array([1.0, 0.5]), np.array([2.0, 0.25]))

        class Direction(IntEnum):
            UP = 1
            DOWN = 2

        def twice(x, factor=2.0):
            return x * factor

        def middle(action):
            return innermost(action) + 1.0
    """,
    "deep.py": """
        def innermost(action):
            return action * 4.0
    """,
    "tools.py": """
        LIMIT = 7.0
    """,
}
MODULES = [Path(name).stem for name in PROJECT]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Write the project, with some texts replaced, and return its Definition."""
    before = list(sys.path)
    count = 0

    def write(*changes):
        nonlocal count
        folder = tmp_path / f"version{count}"  # apart, so that no old bytecode can be taken
        count += 1
        folder.mkdir()
        left = set(changes)
        for name, text in PROJECT.items():
            for old, new in changes:
                if old in text:
                    text = text.replace(old, new)
                    left.discard((old, new))
            (folder / name).write_text(textwrap.dedent(text))
        assert not left, "nothing to replace"
        for module in MODULES:
            sys.modules.pop(module, None)
        sys.path[:] = [str(folder), *before]
        importlib.invalidate_caches()
        return Definition(importlib.import_module("game"), "Game-v0")

    monkeypatch.setattr(sys, "path", sys.path)
    yield write
    sys.path[:] = before
    for module in MODULES:
        sys.modules.pop(module, None)


def outcome(definition, backend="native"):
    """What two steps return, and how long the kernel was compiled."""
    kwargs = {"backend": backend, "autoreset_mode": "Disabled", "num_threads": 1}
    env = batchsim.BatchEnv(definition, 2, **kwargs)
    seen = [env.reset(seed=0)[0].tolist()]
    for action in ([0, 1], [1, 1]):
        observations, rewards, *_ = env.step(np.array(action))
        seen += [observations.tolist(), rewards.tolist()]
    seconds = env.kernel.compile_seconds if backend == "native" else None
    env.close()
    return seen, seconds


def forget(monkeypatch):
    """Let this process forget the kernels it has loaded."""
    monkeypatch.setattr(batchsim.compile, "_loaded", {})


EDITS = {
    "a constant beside it": ("STEP_COST = 0.5", "STEP_COST = 0.75"),
    "the type of a constant": ("STEP_COST = 0.5", "STEP_COST = np.float32(0.5)"),
    "a number in its code": ("s.x[i] = 0.25", "s.x[i] = 0.75"),
    "the order of its code": ("s.x[i] + s.turn[i]", "s.turn[i] + s.x[i]"),
    "a default value": ("size: float = 1.0", "size: float = 1.5"),
    "the dtype of a column": ("turn: np.int64", "turn: np.int32"),
    "the dtype it observes": ("(1,), np.float64)", "(1,), np.float32)"),
    "the action space": ("Discrete(2)", "Discrete(3)"),
    "a constant in another file": ("BONUS = 3.0", "BONUS = 5.0"),
    "a function in another file": ("+ 1.0", "+ 2.0"),
    "a function that one calls": ("action * 4.0", "action * 8.0"),
    "the default of an argument": ("factor=2.0", "factor=3.0"),
    "what a name stands for": ("middle, twice", "twice as middle, twice"),
    "an element of an array": ("TABLE[1] = 0.0625", "TABLE[1] = 0.0626"),
    "an element deep in an array": ("TABLE[600:]", "TABLE[601:]"),
    "the dtype of an array": ("np.zeros(1200)", "np.zeros(1200, np.float32)"),
    "an element of a hidden array": ("np.array([1.0, 0.5])", "np.array([1.0, 0.5 + 1e-11])"),
    "a member of an enumeration": ("UP = 1", "UP = 3"),
    "a constant of a module": ("LIMIT = 7.0", "LIMIT = 9.0"),
}


class NewKernelError(Exception):
    """Raised in place of compiling a kernel, which takes seconds."""


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_of_whatever_a_kernel_reaches_is_noticed(project, monkeypatch, edit):
    def refuse(*_):
        raise NewKernelError

    forget(monkeypatch)
    outcome(project())
    monkeypatch.setattr(batchsim.compile, "_load", lambda *_: None)
    monkeypatch.setattr(batchsim.compile, "_compile", refuse)
    outcome(project())
    with pytest.raises(NewKernelError):
        outcome(project(EDITS[edit]))


@pytest.mark.parametrize("edit", ["a function that one calls", "an element of a hidden array"])
def test_an_edited_kernel_does_what_it_says_now(project, edit):
    original, _ = outcome(project())
    changed = project(EDITS[edit])
    expected, _ = outcome(changed, "reference")
    assert expected != original
    assert outcome(changed)[0] == expected


def test_an_edit_is_noticed_by_another_process(tmp_path):
    code = """
        import numpy as np, game, batchsim
        from batchsim.definition import Definition
        env = batchsim.BatchEnv(Definition(game, "Game-v0"), 1, autoreset_mode="Disabled")
        env.reset(seed=0)
        print(env.step(np.array([1]))[0][0, 0], env.kernel.compile_seconds > 0)
    """
    files = {name: textwrap.dedent(text) for name, text in PROJECT.items()}
    environment = {
        **os.environ,
        "BATCHSIM_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)]),
    }

    def run():
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=240,
        ).stdout.split()

    assert run() == ["6.5625", "True"]
    assert run() == ["6.5625", "False"]
    files["deep.py"] = files["deep.py"].replace("4.0", "8.0")
    assert run() == ["10.5625", "True"]


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A cache of this test's own, and nothing remembered in this process."""
    folder = tmp_path / "own"
    monkeypatch.setenv("BATCHSIM_CACHE_DIR", str(folder))
    monkeypatch.setattr(batchsim.compile, "_loaded", {})
    return folder


def test_a_cache_that_cannot_be_written_costs_a_warning_only(project, tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("not a folder")
    monkeypatch.setenv("BATCHSIM_CACHE_DIR", str(file / "below"))
    forget(monkeypatch)
    with pytest.warns(RuntimeWarning, match="cannot keep compiled kernels in") as caught:
        seen, seconds = outcome(project())
    assert seen == outcome(project(), "reference")[0]
    assert seconds > 0
    assert len(caught) == 1
    assert str(file / "below") in str(caught[0].message)
    monkeypatch.setenv("BATCHSIM_CACHE_DIR", str(file))
    with pytest.warns(RuntimeWarning, match="cannot keep compiled kernels in"):
        cache.store("0" * 64, b"content")
    assert file.read_text() == "not a folder"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder nobody can write")
def test_a_read_only_cache_is_not_written(monkeypatch):
    monkeypatch.setenv("BATCHSIM_CACHE_DIR", "/proc/self/batchsim")
    with pytest.warns(RuntimeWarning, match="cannot keep compiled kernels"):
        cache.store("0" * 64, b"content")
    assert cache.load("0" * 64) is None


DAMAGES = {
    "emptied": lambda content: b"",
    "cut short": lambda content: content[:-1],
    "cut in half": lambda content: content[: len(content) // 2],
    "one bit flipped": lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
    "other content": lambda content: b"no kernel at all" * 99,
    "longer": lambda content: content + b"\0",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_not_used(own_cache, damage):
    key = "ab" * 32
    cache.store(key, b"a kernel" * 100)
    assert cache.load(key) == b"a kernel" * 100
    (path,) = own_cache.iterdir()
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert cache.load(key) is None
    cache.store(key, b"a kernel" * 100)
    assert cache.load(key) == b"a kernel" * 100


def test_a_damaged_kernel_is_compiled_again(project, own_cache, monkeypatch):
    definition = project()
    expected, seconds = outcome(definition)
    assert seconds > 0
    (path,) = own_cache.glob("*.kernel")
    path.write_bytes(path.read_bytes()[:1000])
    for compiles in (True, False):
        forget(monkeypatch)
        seen, seconds = outcome(definition)
        assert seen == expected
        assert (seconds > 0) == compiles
    assert list(own_cache.iterdir()) == [path]


def test_a_process_loads_a_kernel_once(project):
    definition = project()
    _, seconds = outcome(definition)
    files = snapshot(cache.directory())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            assert outcome(definition)[1] == seconds  # the very same kernel
    assert snapshot(cache.directory()) == files


def test_the_least_recently_used_kernels_are_removed(own_cache, monkeypatch):
    monkeypatch.setattr(cache, "MAX_KERNELS", 3)
    keys = [f"{k:064x}" for k in range(5)]
    for age, key in enumerate(keys[:3]):
        cache.store(key, key.encode())
        os.utime(own_cache / f"{key}.kernel", (1000 + age, 1000 + age))
    assert cache.load(keys[0]) == keys[0].encode()  # used just now
    cache.store(keys[3], b"3")
    assert [cache.load(key) is not None for key in keys] == [True, False, True, True, False]


def test_kernels_that_another_process_removes_are_no_reason_to_warn(own_cache, monkeypatch):
    """Between the listing of the files and the look at each, and in the removal itself."""
    monkeypatch.setattr(cache, "MAX_KERNELS", 1)
    for k in range(4):
        cache.store(f"{k:064x}", b"content")
    listed = cache.kernels()
    gone = own_cache / f"{9:064x}.kernel"
    monkeypatch.setattr(cache, "kernels", lambda: [gone, *cache.directory().glob("*.kernel")])
    monkeypatch.setattr(Path, "unlink", lambda path, **_: path.rename(gone.parent / "x" / "y"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.store("ef" * 32, b"content")
    assert len(listed) == 1
    assert cache.load("ef" * 32) == b"content"


def test_nothing_is_left_behind_when_a_file_cannot_be_written(own_cache, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    own_cache.mkdir()
    monkeypatch.setattr(os, "replace", fail)
    with pytest.warns(RuntimeWarning, match="No space left on device"):
        cache.store("cd" * 32, b"content")
    assert list(own_cache.iterdir()) == []


def test_the_users_cache_directory_is_the_default(monkeypatch):
    monkeypatch.delenv("BATCHSIM_CACHE_DIR")
    assert "batchsim" in cache.directory().parts
