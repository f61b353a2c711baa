"""`batchsim.check` finds what is wrong with an author's environment, and says where.

Every case is the sound environment below with one mistake in it. The line that the check names must
be one that was marked.
"""

import importlib.util
import itertools
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import oracle
import pytest

import batchsim
from batchsim.checking import KINDS

SOUND = """
import random
import time
from typing import NamedTuple

import numpy as np
from gymnasium import spaces
from gymnasium.spaces import Box, Discrete

from batchsim.math import sin
from batchsim.random import integers, shuffle, uniform

TABLE = np.array([1.0, 2.0, 4.0])
PRICES = (1.0, 2.0, 4.0)
NUMBERS = [1.0, 2.0]
LEFT = 0


class State(NamedTuple):
    x: float
    count: np.int8
    deck: np.dtype((np.int16, (4,)))


class Params(NamedTuple):
    gravity: float = 9.8
    bound: int = 5


class Options(NamedTuple):
    low: float = -1.0


ACTION = Discrete(2)


def OBSERVATION(p):
    return Box(-2.0 * p.bound, 2.0 * p.bound, (3,), np.float32)


def helper(s, i, p):
    return s.x[i] * p.gravity


def reset(s, i, p, rng):
    s.x[i] = uniform(rng, i, p.low, 1.0)
    s.count[i] = 0
    for k in range(4):
        s.deck[i, k] = k
    shuffle(rng, i, s.deck[i])


def step(s, i, action, p, rng):
    push = 0.1 * p.gravity if action == 1 else -0.1 * p.gravity
    s.x[i] += push
    s.count[i] = (s.count[i] + 1) % 4
    reward = sin(s.x[i])
    if integers(rng, i, 0, 100) == 0:
        s.x[i] = 0.0
    terminated = abs(s.x[i]) > p.bound
    return reward, terminated


def observe(s, i, p, out):
    out[0] = s.x[i]
    out[1] = s.count[i]
    out[2] = s.deck[i, s.count[i]]
"""

numbers = itertools.count()


def load(path, source):
    """Return the module of a source text."""
    file = path / "environment.py"
    file.write_text(source)
    name = f"checked_environment_{next(numbers)}"
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


MARK = "\N{PILCROW SIGN}"


def with_mistakes(*changes):
    """Return the sound source with each pair (old, new) exchanged, and the numbers of new lines."""
    source = SOUND
    for old, new in changes:
        assert source.count(old) == 1, f"{old!r} occurs {source.count(old)} times"
        source = source.replace(old, MARK + new.replace("\n", f"\n{MARK}"))
    lines = source.split("\n")
    return source.replace(MARK, ""), {k for k, line in enumerate(lines, 1) if MARK in line}


def problems(path, source, **settings):
    """Return what the check finds wrong with a source text."""
    module = load(path, source)
    settings = {"num_envs": 8, "steps": 60, **settings}
    with pytest.raises(batchsim.CheckError) as caught:
        batchsim.check(module, **settings)
    assert str(caught.value).startswith(module.__name__)
    return caught.value.problems


STEP = "    s.x[i] += push"
REWARD = "    reward = sin(s.x[i])"
RETURN = "    return reward, terminated"
FIRST = "    out[0] = s.x[i]"
ZERO = "    s.count[i] = 0"

CASES = {
    # The contract.
    "a function is missing": ("missing", "has no step", ("def step(", "def advance(")),
    "a name in other letters": ("missing", "did you mean 'Reset'", ("def reset(", "def Reset(")),
    "State is missing": ("missing", "has no State", ("class State(", "class Stat(")),
    "ACTION is missing": ("missing", "has no ACTION", ("ACTION = D", "ACTIONS = D")),
    "inform without Info": (
        "missing",
        "has inform but no Info",
        ("def helper(s, i, p):", "def inform(s, i, p, out):"),
    ),
    "too few arguments": (
        "arguments",
        "step takes (s, i, action, p), which is 4 arguments; it is called as step(s, i, action, p",
        ("def step(s, i, action, p, rng):", "def step(s, i, action, p):"),
    ),
    "too many arguments": (
        "arguments",
        "observe takes (s, i, p, rng, out)",
        ("def observe(s, i, p, out):", "def observe(s, i, p, rng, out):"),
    ),
    "a text column": ("field", "State.x is annotated str", ("    x: float", "    x: str")),
    "a parameter without default": (
        "field",
        "Params.gravity has no default",
        ("    gravity: float = 9.8\n    bound: int = 5", "    gravity: float"),
    ),
    "State is no NamedTuple": ("field", "State is", ("class State(NamedTuple)", "class State")),
    "options and parameters clash": (
        "clash",
        "'gravity' is a field of both Params and Options",
        ("    low: float = -1.0", "    gravity: float = -1.0"),
    ),
    "ACTION is no space": ("space", "ACTION of", ("ACTION = Discrete(2)", "ACTION = 2")),
    "an unsupported space": (
        "space",
        "ACTION is Text",
        ("ACTION = Discrete(2)", "ACTION = spaces.Text(3)"),
    ),
    # The source.
    "an array is made": ("allocation", "calls np.zeros", (STEP, "    v = np.zeros(3)")),
    "an array is copied": ("allocation", ".copy()", (STEP, "    v = s.deck[i].copy()")),
    "a list": ("object", "uses a list", (STEP, "    v = [push, 1.0]")),
    "a dict": ("object", "uses a dict", (STEP, "    v = {0: push}")),
    "a comprehension": ("object", "uses a list", (STEP, "    v = [k for k in range(3)]")),
    "isinstance": ("object", "uses isinstance", (STEP, "    v = isinstance(push, float)")),
    "a string": ("text", "uses the string 'left'", (STEP, "    v = 'left'")),
    "printing": ("text", "step prints", (STEP, "    print('x', s.x[i])")),
    "a formatted string": ("text", "formats a string", (STEP, "    v = f'{push}'")),
    "an exception": (
        "exception",
        "`raise`",
        (STEP, "    if push > 9:\n        raise ValueError('no')"),
    ),
    "an assertion": ("exception", "`assert`", (STEP, "    assert push < 9, 'no'")),
    "try": (
        "exception",
        "`try`",
        (STEP, "    try:\n        push += 1\n    finally:\n        pass"),
    ),
    "recursion": (
        "recursion",
        "helper calls itself",
        (
            "def helper(s, i, p):\n    return s.x[i]",
            "def helper(s, i, p):\n    return helper(s, i, p)",
        ),
        (STEP, "    push = helper(s, i, p)"),
    ),
    "a lambda": ("closure", "uses a lambda", (STEP, "    f = lambda: 1.0")),
    "a function inside": (
        "closure",
        "defines the function 'f'",
        (STEP, "    def f():\n        pass"),
    ),
    "a global statement": ("global", "'LEFT'", (STEP, "    global LEFT\n    LEFT = LEFT + 1")),
    "a global array is written": ("global", "changes .* 'TABLE'", (STEP, "    TABLE[0] = push")),
    "a global list is used": (
        "global",
        "NUMBERS, a module-level list",
        (STEP, "    v = NUMBERS[0]"),
    ),
    "a function through its module": (
        "module-call",
        "calls textwrap.dedent through textwrap",
        ("import time", "import time, textwrap"),
        (STEP, "    v = textwrap.dedent(push)"),
    ),
    "random.random": ("random", "calls random.random", (STEP, "    push += random.random()")),
    "np.random": ("random", "calls np.random.uniform", (STEP, "    push += np.random.uniform()")),
    "the clock": ("random", "calls time.time", (STEP, "    push += time.time()")),
    "rng as in NumPy": ("random", "uses rng.uniform", (STEP, "    push += rng.uniform(0, 1)")),
    "an undefined name": (
        "name",
        "uses pusch, which is not defined (did you mean 'push'?)",
        (STEP, "    if push > 900.0:\n        push = pusch"),
    ),
    # Use of what is given.
    "an unknown field": (
        "unknown-field",
        "State has no field 'cuont' (did you mean 'count'?)",
        (STEP, "    if push > 900.0:\n        s.cuont[i] = 0"),
    ),
    "an unknown field in a helper": (
        "unknown-field",
        "no field 'z'",
        ("    return s.x[i] * p.gravity", "    return s.z[i]"),
        (STEP, "    push = helper(s, i, p)"),
    ),
    "an unknown parameter": (
        "unknown-parameter",
        "there is no parameter 'gravty' (did you mean 'gravity'?)",
        (STEP, "    s.x[i] += p.gravty"),
    ),
    "the next row": ("another-row", r"s.x\[i \+ 1\]", (STEP, "    s.x[i] = s.x[i + 1]")),
    "the first row": ("another-row", r"s.x\[0\]", (STEP, "    s.x[0] += push")),
    "a computed row": (
        "another-row",
        r"s.x\[3\] while it runs for row 2",
        (STEP, "    k = i + 1\n    s.x[k] += push"),
    ),
    "another row's stream": (
        "another-row",
        "random numbers as row 0",
        (STEP, "    push += uniform(rng, 0, 0.0, 1.0)"),
    ),
    "a column's sum": ("whole-column", r"calls s.x.sum\(\)", (STEP, "    push = s.x.sum()")),
    "a column is assigned": ("whole-column", "assigns", (STEP, "    s.x = push")),
    "a column is summed": ("whole-column", "s.x", (STEP, "    push = np.sum(s.x)")),
    "a slice of a column": ("whole-column", r"uses s.x\[:\]", (STEP, "    s.x[:] = push")),
    "beyond a column's row": (
        "out-of-bounds",
        r"s.deck\[i, 4\], but s.deck\[i\] has 4 elements",
        (STEP, "    s.deck[i, 4] = 1"),
    ),
    "beyond the observation": (
        "out-of-bounds",
        r"out\[3\], but out has 3 elements",
        (FIRST, "    out[0] = s.x[i]\n    out[3] = 1.0"),
    ),
    "beyond a tuple": ("raises", "IndexError", (STEP, "    push = PRICES[s.count[i] + 3]")),
    "a negative index": (
        "negative-index",
        r"s.deck\[i, -1\]",
        (STEP, "    s.deck[i, s.count[i] - 1] = 1"),
    ),
    "a parameter is written": ("read-only", "the parameter p.bound", (STEP, "    p.bound = 3")),
    "the state is written in observe": (
        "read-only",
        "observe writes s.x",
        (FIRST, "    s.x[i] += 1.0\n    out[0] = s.x[i]"),
    ),
    "a column is not reset": (
        "uninitialised",
        "s.count is read here, but reset did not write it",
        (ZERO, "    pass"),
        ("    s.count[i] = (s.count[i] + 1) % 4", "    s.count[i] = (s.count[i] + 1) % 4"),
        ("    out[1] = s.count[i]", "    out[1] = s.count[i]"),
    ),
    "out is read": ("uninitialised", r"observe reads out\[0\]", (FIRST, "    out[0] += s.x[i]")),
    "an element is not written": (
        "unwritten",
        r"observe does not write out\[0\]",
        (FIRST, "    pass"),
        ("def observe(s, i, p, out):", "def observe(s, i, p, out):"),
    ),
    "too large for int8": ("does-not-fit", "300 is outside", (ZERO, "    s.count[i] = 300")),
    "a fraction in an int": ("does-not-fit", "loses its fraction", (ZERO, "    s.count[i] = 0.5")),
    "negative in a uint": (
        "does-not-fit",
        "-1 is outside the range of uint8",
        ("    count: np.int8", "    count: np.uint8"),
        (ZERO, "    s.count[i] = -1"),
    ),
    "division by zero": ("raises", "ZeroDivisionError", (STEP, "    v = 1 / (p.bound * 0)")),
    "an index into a number": (
        "raises",
        "step raises IndexError",
        (STEP, "    s.x[i] += action[0]"),
    ),
    # Results.
    "nothing is returned": ("return", "step returns nothing", (RETURN, "    return")),
    "one value is returned": ("return", "returns one value", (RETURN, "    return reward")),
    "three values are returned": (
        "return",
        "returns 3 values",
        (RETURN, "    return reward, terminated, False"),
    ),
    "terminated is a number": (
        "return",
        "returns 1 (int) as terminated",
        (RETURN, "    return reward, 1"),
    ),
    "the reward is None": ("return", "the reward None", (RETURN, "    return None, terminated")),
    "reset returns something": (
        "return",
        "reset returns 1",
        ("    shuffle(rng, i, s.deck[i])", "    return 1"),
    ),
    "an infinite reward": ("reward", "the reward inf", (RETURN, "    return np.inf, terminated")),
    "an observation outside": (
        "outside",
        r"observe writes 11.0 into out\[0\]; OBSERVATION goes from -10.0 to 10.0",
        (FIRST, "    out[0] = 11.0"),
    ),
    "an observation of NaN": ("outside", "writes nan", (FIRST, "    out[0] = np.nan")),
    "a time limit": (
        "time-limit",
        "s.count and terminates by `s.count",
        (
            "    s.count[i] = (s.count[i] + 1) % 4",
            "    s.count[i] += 1",
        ),
        (RETURN, "    terminated = terminated or s.count[i] >= 100\n    return reward, terminated"),
        ("    out[2] = s.deck[i, s.count[i]]", "    out[2] = 0"),
        ("    out[1] = s.count[i]", "    out[1] = 0"),
    ),
    "step calls reset": (
        "restart",
        "calls reset",
        (RETURN, "    if terminated:\n        reset(s, i, p, rng)\n    return reward, terminated"),
    ),
    "step restarts": (
        "restart",
        "as a reset would",
        (
            "    if integers(rng, i, 0, 100) == 0:\n        s.x[i] = 0.0\n"
            "    terminated = abs(s.x[i]) > p.bound",
            "    terminated = abs(s.x[i]) > 2\n    if terminated:\n"
            "        s.x[i] = uniform(rng, i, p.low, 1.0)\n        s.count[i] = 0\n"
            "        for k in range(4):\n            s.deck[i, k] = k\n"
            "        shuffle(rng, i, s.deck[i])",
        ),
        (RETURN, RETURN),
    ),
    # Runs compared.
    "a hidden counter": (
        "not-reproducible",
        "different episodes",
        ("LEFT = 0", "LEFT = iter(range(10**9))"),
        ("def reset(s, i, p, rng):", "def reset(s, i, p, rng):"),
        ("    s.x[i] = uniform(rng, i, p.low, 1.0)", "    s.x[i] = (1 + next(LEFT) % 7) / 7"),
    ),
    "the row's number": (
        "row-number",
        "depends on the number of its row",
        (ZERO, "    s.count[i] = i % 4"),
        ("def reset(s, i, p, rng):", "def reset(s, i, p, rng):"),
    ),
    "a narrow integer overflows": (
        "backends",
        "differ",
        (STEP, "    wide = s.count[i] + np.int8(126)\n    s.x[i] += push if wide > 0 else 0.0"),
        (RETURN, RETURN),
    ),
    "a type differs by path": (
        "compile",
        "push is",
        (
            STEP,
            "    if action == 1:\n        push = (1.0, 2.0)\n    s.x[i] += push[0] if action == 1 else 0.5",
        ),
        ("    push = 0.1 * p.gravity if action == 1 else -0.1 * p.gravity", "    push = 1.0"),
    ),
}


def test_the_sound_environment_passes(tmp_path):
    report = batchsim.check(load(tmp_path, SOUND), num_envs=8, steps=60)
    assert report.hints == ()
    assert len(report.tried) >= 4
    assert "passes" in str(report)


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_found_and_placed(tmp_path, name):
    kind, words, *changes = CASES[name]
    source, marked = with_mistakes(*changes)
    found = problems(tmp_path, source)
    assert {problem.kind for problem in found} == {kind}, found
    for problem in found:
        assert problem.message.endswith(".")
        assert "\n" not in problem.message
        assert Path(problem.file).name == "environment.py"
    assert words in found[0].message or re.search(words, found[0].message)
    if not (kind == "missing" and "has no" in words) and name != "ACTION is no space":
        assert found[0].line in marked
    assert str(found[0]).startswith(f"{found[0].file}:{found[0].line}: ")
