"""Compiled kernels are kept on disk, found again, never stale, and never in the way."""

import copy
import gc
import importlib
import math
import os
import pickle
import subprocess
import sys
import textwrap
import warnings
import weakref
from enum import Enum, IntEnum
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import batchsim
import batchsim.compiler.compile
import batchsim.random
from batchsim.compiler import cache, digest
from batchsim.compiler.digest import OWN_CODE, Digest, hash_of_files, own_files, reads
from batchsim.definition import Definition

PACKAGE = Path(batchsim.__file__).parent
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
    assert len(files) == len(PARTS)
    processes = [start(tmp_path, n, hash_seed=h) for n, h in ((3, "1"), (1000, "2"))]
    for process in processes:
        assert end(process) == (0, "")
    assert snapshot(tmp_path / "new" / "cache") == files


def test_processes_that_compile_at_once_do_not_disturb_each_other(tmp_path):
    for process in [start(tmp_path) for _ in range(3)]:
        end(process)
    files = snapshot(tmp_path / "new" / "cache")
    assert [Path(name).suffix for name in files] == [".kernel"] * len(PARTS)
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


PARTS = ("advance_rows", "restart_rows", "observe_rows")
"""What the kernel of an environment without options and infos consists of: a file each."""


def forget(monkeypatch):
    """Let this process forget the kernels it has loaded."""
    monkeypatch.setattr(batchsim.compiler.compile, "_loaded", {})
    monkeypatch.setattr(batchsim.compiler.compile, "_loaded_code", {})


EDITS = {
    "a constant beside it": ("STEP_COST = 0.5", "STEP_COST = 0.75"),
    "the type of a constant": ("STEP_COST = 0.5", "STEP_COST = np.float32(0.5)"),
    "a number in its code": ("s.x[i] = 0.25", "s.x[i] = 0.75"),
    "the order of its code": ("s.x[i] + s.turn[i]", "s.turn[i] + s.x[i]"),
    "a default value": ("size: float = 1.0", "size: float = 1.5"),
    "the dtype of a column": ("turn: np.int64", "turn: np.int32"),
    "the dtype it observes": ("(1,), np.float64)", "(1,), np.float32)"),
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


def refuse(*_):
    raise NewKernelError


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_of_whatever_a_kernel_reaches_is_noticed(project, monkeypatch, edit):
    forget(monkeypatch)
    outcome(project())
    monkeypatch.setattr(batchsim.compiler.compile, "_load", lambda *_: None)
    monkeypatch.setattr(batchsim.compiler.compile, "_compile", refuse)
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


# An environment that reads of an installed package, which tells no version.

LIBRARY = {
    "mylib/__init__.py": """
        from enum import IntEnum
        from typing import NamedTuple
        import numba
        import numpy as np
        from mylib import sub

        GRAVITY = 9.8
        TABLE = np.zeros(150_000)
        SCALES = (np.ones(2), 0.5)
        UNUSED = 1.0

        class Constants(NamedTuple):
            mass: float = 2.0

        class Kind(IntEnum):
            GOAL = 3

        CONSTANTS = Constants()
        HIDDEN = {"LAZY": 0.25}

        def __getattr__(name):
            if name == "LAZY":
                return HIDDEN[name]
            raise AttributeError(name)

        def twice(x, factor=2.0):
            return x * factor

        @numba.njit
        def pulled(x):
            return x * GRAVITY
    """,
    "mylib/sub.py": """
        LIMIT = 7.0

        def shifted(x):
            return x + LIMIT
    """,
    "world.py": """
        from typing import NamedTuple
        import numpy as np
        from gymnasium.spaces import Box, Discrete
        import mylib
        from mylib import pulled

        class State(NamedTuple):
            x: float

        ACTION = Discrete(2)
        OBSERVATION = Box(-np.inf, np.inf, (1,), np.float64)

        view = 1.0

        def reset(s, i, p, rng):
            s.x[i] = shift(mylib.GRAVITY, mylib.TABLE[7])

        def shift(x, y):
            m = mylib.sub
            return x + y + m.LIMIT

        def step(s, i, action, p, rng):
            s.x[i] = s.x[i] + mylib.sub.LIMIT + mylib.SCALES[0][1] + mylib.CONSTANTS.mass + view
            s.x[i] = mylib.twice(s.x[i]) + mylib.sub.shifted(1.0) + pulled(0.5) + mylib.pulled(2.0)
            return mylib.LAZY + (action + mylib.Kind.GOAL) + number, False

        def observe(s, i, p, out):
            out[0] = s.x[i]
    """,
}
NAMES = ("mylib", "mylib.sub", "world")


@pytest.fixture
def world(tmp_path, monkeypatch):
    """The environment's definition; `mylib` is installed beside."""
    folder = tmp_path / "site-packages"
    for name, text in LIBRARY.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
    monkeypatch.syspath_prepend(folder)
    for name in NAMES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr("builtins.number", 0.5, raising=False)
    yield Definition(importlib.import_module("world"), "World-v0")
    for name in NAMES:
        sys.modules.pop(name, None)


def key_of(definition, monkeypatch):
    """The key of a definition's kernel, which is not compiled."""
    seen = []

    def refuse(spec, plan):
        seen.append(plan.key)
        raise NewKernelError

    with monkeypatch.context() as patch:
        forget(patch)
        patch.setattr(batchsim.compiler.cache, "load", lambda key: None)
        patch.setattr(batchsim.compiler.compile, "_compile", refuse)
        with pytest.raises(NewKernelError):
            batchsim.BatchEnv(definition, 2, autoreset_mode="Disabled")
    return seen[0]


def other_code(x, factor=2.0):
    return x - factor


CHANGES = {
    "a constant": ("mylib", "GRAVITY", 1.6),
    "the type of a constant": ("mylib", "GRAVITY", np.float32(9.8)),
    "a zero's sign": ("mylib", "GRAVITY", -0.0),
    "a constant of a submodule": ("mylib.sub", "LIMIT", 8.0),
    "an array": ("mylib", "TABLE", np.ones(150_000)),
    "a tuple": ("mylib", "SCALES", (np.ones(2), 1.0)),
    "a namedtuple": ("mylib", "CONSTANTS", (3.0,)),
    "a member of an enumeration": ("mylib", "Kind", IntEnum("Kind", {"GOAL": 4})),
    "what its __getattr__ gives": ("mylib", "HIDDEN", {"LAZY": 0.75}),
    "a function": ("mylib", "twice", other_code),
    "a function that was compiled": ("mylib", "pulled", other_code),
    "a constant with the name of a placeholder": ("world", "view", 2.0),
    "a name that Python's builtins got": ("builtins", "number", 1.5),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_whatever_is_read_of_a_module_is_noticed(world, monkeypatch, change):
    module, name, value = CHANGES[change]
    before = key_of(world, monkeypatch)
    assert key_of(world, monkeypatch) == before
    monkeypatch.setattr(importlib.import_module(module), name, value)
    assert key_of(world, monkeypatch) != before


def test_an_element_of_an_array_of_a_module_is_noticed(world, monkeypatch):
    before = key_of(world, monkeypatch)
    importlib.import_module("mylib").TABLE[-1] = 1e-300
    assert key_of(world, monkeypatch) != before


def test_what_is_not_read_of_a_module_does_not_matter(world, monkeypatch):
    before = key_of(world, monkeypatch)
    monkeypatch.setattr(importlib.import_module("mylib"), "UNUSED", 2.0)
    assert key_of(world, monkeypatch) == before


@pytest.mark.parametrize("setting", ["BOUNDSCHECK", "LOOP_VECTORIZE", "OPT", "SLP_VECTORIZE"])
def test_what_numba_is_told_otherwise_is_noticed(world, monkeypatch, setting):
    before = key_of(world, monkeypatch)
    monkeypatch.setattr(f"numba.config.{setting}", 7)
    assert key_of(world, monkeypatch) != before


def test_a_batch_keeps_the_values_that_it_was_made_with(world, opened, monkeypatch):
    def start(env):
        return env.reset(seed=0)[0].tolist(), env.step(np.zeros(2, int))[0].tolist()

    mylib = importlib.import_module("mylib")
    envs = {}
    for turn, backend in [(0, "native"), (0, "reference"), (1, "native"), (1, "reference")]:
        if turn == 1:
            monkeypatch.setattr(mylib, "GRAVITY", 1.6)
            mylib.TABLE[7] = 1.0  # in place
        envs[turn, backend] = opened(batchsim.BatchEnv(world, 2, backend=backend))
    seen = {which: start(env) for which, env in envs.items()}
    assert seen[0, "native"] == seen[0, "reference"]
    assert seen[1, "native"] == seen[1, "reference"]
    assert seen[0, "native"][0] == [[16.8], [16.8]]
    assert seen[1, "native"][0] == [[9.6], [9.6]]


def test_in_fast_precision_constants_of_modules_are_float32(world):
    def read():
        return (mylib.GRAVITY, mylib.sub.LIMIT, mylib.CONSTANTS.mass, math.pi, np.e, number)  # noqa: F821

    read.__globals__["mylib"] = importlib.import_module("mylib")

    def read_of_another_name():
        library = mylib  # noqa: F821
        return library.GRAVITY, library.CONSTANTS.mass, library.SCALES[1], library.TABLE[0]

    copies = map(
        batchsim.compiler.binder.Binder("fast", {}, lambda copy: copy).copy,
        (read, read_of_another_name),
    )
    found = [value for copy in copies for value in copy()]
    del read.__globals__["mylib"]
    assert {type(value) for value in found} == {np.float32}
    assert found[0] == np.float32(9.8)


class Colour(Enum):
    RED = 1
    BLUE = 2


class Wide(float):
    def __repr__(self):
        return "1.0"


def structure(*names):
    return np.zeros(2, [(name, float) for name in names])


PAIRS = {
    "a number and a truth value": (1, True),
    "whole and floating-point": (1, 1.0),
    "zeros": (0.0, -0.0),
    "NaNs": (math.nan, -math.nan),
    "widths": (np.float32(1), np.float64(1)),
    "a scalar and an array": (np.float64(1), np.array(1.0)),
    "numbers that look alike": (Wide(1.0), Wide(2.0)),
    "where texts end": (("a", "b;"), ("a;b", "")),
    "where tuples end": (((1,), 2), ((1, 2),)),
    "a text and bytes": ("a", b"a"),
    "fields": (structure("a", "b"), structure("b", "a")),
    "shapes": (np.zeros((2, 3)), np.zeros((3, 2))),
    "how rows lie": (np.zeros((2, 3)), np.zeros((2, 3), order="F")),
    "members": (Colour.RED, Colour.BLUE),
    "sets": ({1, 2}, {1, 3}),
    "keys of different types": ({1: 0, "1": 1}, {1: 1, "1": 0}),
    "numbers in code": (lambda: 1, lambda: 1.0),
    "defaults": (lambda x=1: x, lambda x=2: x),
    "long numbers": (10**5000, 10**5000 + 1),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_values_that_differ_have_different_hashes(pair):
    one, other = PAIRS[pair]
    assert Digest(one).hexdigest() == Digest(one).hexdigest()
    assert Digest(one).hexdigest() != Digest(other).hexdigest()


def test_a_hash_does_not_depend_on_an_order_that_is_none():
    assert Digest({"a": 1, "b": 2}).hexdigest() == Digest({"b": 2, "a": 1}).hexdigest()
    assert Digest({"a", "b"}).hexdigest() == Digest({"b", "a"}).hexdigest()


def test_a_module_as_a_whole_counts_by_what_it_holds():
    one = ModuleType("mine")
    one.text = "x = 1"
    before = Digest(one).hexdigest()
    one.number = 2.0
    assert Digest(one).hexdigest() != before


def test_the_bytecode_tells_what_is_read_of_modules():
    text = """
def function(x):
    a = one.sub.X + one.f(x) + one.sub.g(one.K)(x)
    b = (two if x else three).Y
    m = four
    h(five, six.Z.method(1)[2].real)
    if seven.A < seven.B:
        eight.C[0] = 3
    c = [nine.Q for _ in x]
    return (lambda: ten.R)() + abs(x.attribute) + eleven.a.b.c(x).d
"""
    names = {}
    exec(text, names)
    leaf = {"": {}}
    assert reads(names["function"].__code__) == {
        "one": {"sub": {"X": leaf, "g": leaf}, "f": leaf, "K": leaf},
        "two": leaf,
        "three": {"Y": leaf},
        "four": leaf,
        "h": leaf,
        "five": leaf,
        "six": {"Z": {"method": leaf}},
        "seven": {"A": leaf, "B": leaf},
        "eight": {"C": leaf},
        "nine": {"Q": leaf},
        "ten": {"R": leaf},
        "abs": leaf,
        "eleven": {"a": {"b": {"c": leaf}}},
    }


def test_batchsims_own_code_is_in_every_key(monkeypatch, tmp_path):
    files = {path.relative_to(PACKAGE).as_posix() for path in own_files()}
    assert {"random.py", "compiler/compile.py", "streams/pcg64.py"} <= files
    compiled = [module for module in sys.modules if module.startswith("batchsim.compiler.")]
    compiled.remove("batchsim.compiler._loops")  # It calls what is compiled, and is not in it.
    assert {f"{name.removeprefix('batchsim.').replace('.', '/')}.py" for name in compiled} <= files
    assert hash_of_files() == OWN_CODE
    changed = tmp_path / "random.py"
    changed.write_text((PACKAGE / "random.py").read_text() + "\n")
    others = [path for path in own_files() if path.name != "random.py"]
    monkeypatch.setattr(digest, "own_files", lambda: [changed, *others])
    assert hash_of_files() != OWN_CODE


def test_kernels_are_compiled_although_numba_was_told_not_to(tmp_path):
    code = """
        import numba
        import numpy as np
        import batchsim

        @numba.njit
        def decorated(x):
            return x

        env = batchsim.make_vec("CartPole-v1", 2)
        assert env.kernel.compile_seconds > 0
        env.reset(seed=0)
        assert env.step(np.zeros(2, int))[1].tolist() == [1.0, 1.0]
        assert not hasattr(decorated, "py_func") and numba.config.DISABLE_JIT == 1
    """
    environment = {
        **os.environ,
        "NUMBA_DISABLE_JIT": "1",
        "BATCHSIM_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env=environment, check=True, timeout=240
    )


def words_of_a_process(code, folder):
    """What a new process prints that runs this code, with modules and a cache in a folder."""
    environment = {
        **os.environ,
        "BATCHSIM_CACHE_DIR": str(folder / "cache"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)]),
    }
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    ).stdout.split()


def test_an_edit_is_noticed_by_another_process(tmp_path):
    code = """
        import numpy as np, game, batchsim
        from batchsim.definition import Definition
        env = batchsim.BatchEnv(Definition(game, "Game-v0"), 1, autoreset_mode="Disabled")
        env.reset(seed=0)
        print(env.step(np.array([1]))[0][0, 0], env.kernel.compile_seconds > 0)
    """
    files = {name: textwrap.dedent(text) for name, text in PROJECT.items()}

    def run():
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        return words_of_a_process(code, tmp_path)

    assert run() == ["6.5625", "True"]
    assert run() == ["6.5625", "False"]
    files["deep.py"] = files["deep.py"].replace("4.0", "8.0")
    assert run() == ["10.5625", "True"]


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A cache of this test's own, and nothing remembered in this process."""
    folder = tmp_path / "own"
    monkeypatch.setenv("BATCHSIM_CACHE_DIR", str(folder))
    monkeypatch.setattr(batchsim.compiler.compile, "_loaded", {})
    monkeypatch.setattr(batchsim.compiler.compile, "_loaded_code", {})
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
        cache.store({"0" * 64: b"content"})
    assert file.read_text() == "not a folder"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder nobody can write")
def test_a_read_only_cache_is_not_written(monkeypatch):
    monkeypatch.setenv("BATCHSIM_CACHE_DIR", "/proc/self/batchsim")
    with pytest.warns(RuntimeWarning, match="cannot keep compiled kernels"):
        cache.store({"0" * 64: b"content"})
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
    cache.store({key: b"a kernel" * 100})
    assert cache.load(key) == b"a kernel" * 100
    (path,) = own_cache.iterdir()
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert cache.load(key) is None
    cache.store({key: b"a kernel" * 100})
    assert cache.load(key) == b"a kernel" * 100


@pytest.mark.parametrize("damage", ["gone", "cut off"])
def test_a_kernel_of_which_a_part_is_missing_is_mended(project, own_cache, monkeypatch, damage):
    definition = project()
    expected, seconds = outcome(definition)
    assert seconds > 0
    files = sorted(own_cache.glob("*.kernel"))
    assert len(files) == len(PARTS)
    for file in files:
        if damage == "gone":
            file.unlink()
        else:
            file.write_bytes(file.read_bytes()[:1000])
        for compiles in (True, False):
            forget(monkeypatch)
            seen, seconds = outcome(definition)
            assert seen == expected
            assert (seconds > 0) == compiles
        assert sorted(own_cache.iterdir()) == files


def test_another_process_mends_a_kernel_of_which_a_part_is_missing(tmp_path):
    end(start(tmp_path))
    min((tmp_path / "new" / "cache").glob("*.kernel")).unlink()
    seconds, _ = end(start(tmp_path))
    assert seconds > 0
    assert end(start(tmp_path)) == (0, "")


def test_a_large_array_of_a_module_is_no_harm_to_the_next_process(tmp_path):
    (tmp_path / "large.py").write_text(
        textwrap.dedent(
            """
            from typing import NamedTuple
            import numpy as np
            from gymnasium.spaces import Box, Discrete

            LARGE = np.arange(300_000.0)

            class State(NamedTuple):
                n: int

            OBSERVATION = Box(-np.inf, np.inf, (1,), np.float64)
            ACTION = Discrete(2)

            def reset(s, i, p, rng):
                s.n[i] = 5

            def step(s, i, action, p, rng):
                s.n[i] += 1
                return LARGE[s.n[i]], False

            def observe(s, i, p, out):
                out[0] = LARGE[s.n[i]]
            """
        )
    )
    code = """
        import large, batchsim, numpy as np
        envs = batchsim.make_vec(large, 3)
        print(envs.reset(seed=0)[0].tolist(), envs.step(np.zeros(3, int))[1].tolist())
    """
    for _ in range(2):
        assert words_of_a_process(code, tmp_path) == [
            "[[5.0],",
            "[5.0],",
            "[5.0]]",
            "[6.0,",
            "6.0,",
            "6.0]",
        ]


def test_a_compiled_kernel_keeps_no_batch(project, own_cache):
    env = batchsim.BatchEnv(project(), 2, autoreset_mode="Disabled")
    assert env.kernel.compile_seconds > 0
    traces = [weakref.ref(env), weakref.ref(env._tile.state.x)]
    del env
    gc.collect()
    assert [trace() for trace in traces] == [None, None]


COPIERS = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda env: pickle.loads(pickle.dumps(env)),
}


@pytest.mark.parametrize("copier", COPIERS.values(), ids=COPIERS)
def test_a_copy_is_what_its_original_is_whatever_was_edited_since(project, monkeypatch, copier):
    definition = project()
    env = batchsim.BatchEnv(definition, 2, autoreset_mode="Disabled")
    env.reset(seed=0)
    monkeypatch.setattr(batchsim.compiler.compile, "_load", lambda *_: None)
    monkeypatch.setattr(batchsim.compiler.compile, "_compile", refuse)
    definition.namespace.STEP_COST = 0.75
    twin = copier(env)
    assert twin.step(np.array([0, 1]))[1].tolist() == env.step(np.array([0, 1]))[1].tolist()
    with pytest.raises(NewKernelError):
        batchsim.BatchEnv(definition, 2, autoreset_mode="Disabled")
    # A pickle is read anew where its original is gone.
    data = pickle.dumps(env)
    del env, twin
    with pytest.raises(NewKernelError):
        pickle.loads(data)


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
    monkeypatch.setattr(cache, "MAX_FILES", 3)
    keys = [f"{k:064x}" for k in range(5)]
    for age, key in enumerate(keys[:3]):
        cache.store({key: key.encode()})
        os.utime(own_cache / f"{key}.kernel", (1000 + age, 1000 + age))
    assert cache.load(keys[0]) == keys[0].encode()  # used just now
    cache.store({keys[3]: b"3"})
    assert [cache.load(key) is not None for key in keys] == [True, False, True, True, False]


def test_kernels_that_another_process_removes_are_no_reason_to_warn(own_cache, monkeypatch):
    """Between the listing of the files and the look at each, and in the removal itself."""
    monkeypatch.setattr(cache, "MAX_FILES", 1)
    for k in range(4):
        cache.store({f"{k:064x}": b"content"})
    listed = cache.files()
    gone = own_cache / f"{9:064x}.kernel"
    monkeypatch.setattr(cache, "files", lambda: [gone, *cache.directory().glob("*.kernel")])
    monkeypatch.setattr(Path, "unlink", lambda path, **_: path.rename(gone.parent / "x" / "y"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.store({"ef" * 32: b"content"})
    assert len(listed) == 1
    assert cache.load("ef" * 32) == b"content"


def test_nothing_is_left_behind_when_a_file_cannot_be_written(own_cache, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    own_cache.mkdir()
    monkeypatch.setattr(os, "replace", fail)
    with pytest.warns(RuntimeWarning, match="No space left on device"):
        cache.store({"cd" * 32: b"content"})
    assert list(own_cache.iterdir()) == []


def test_the_users_cache_directory_is_the_default(monkeypatch):
    monkeypatch.delenv("BATCHSIM_CACHE_DIR")
    assert "batchsim" in cache.directory().parts
