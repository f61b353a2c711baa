"""`batchsim.check` finds what is wrong with an author's environment, and says where.

Every case is the sound environment below with one mistake in it. The line that the check names must
be one that was marked.
"""

import importlib.util
import itertools
import os
import re
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import oracle
import pytest
from gymnasium import spaces

import batchsim
from batchsim.__main__ import main
from batchsim.checking import KINDS, backends, examine, trials
from batchsim.checking.problems import HINTS

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

RICH = """
from typing import NamedTuple
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple
import batchsim
from batchsim.random import integers, uniform

class State(NamedTuple):
    x: float
    cell: np.int16
    seen: np.dtype((np.bool_, (4,)))

class Scratch(NamedTuple):
    queue: np.dtype((np.int16, (4,)))

class Params(NamedTuple):
    torques: tuple[float, float, float] = (-1.0, 0.0, 1.0)
    gain: float = 0.5

class Arguments(NamedTuple):
    text: str = "abca"

class Tables(NamedTuple):
    board: np.ndarray
    weights: np.ndarray

class Info(NamedTuple):
    prob: float
    mask: np.dtype((np.int8, (3,)))

INFO_AT_RESET = {"prob": int}

def tables(arguments):
    if not arguments.text:
        raise ValueError("no text")
    row = [ord(letter) - ord("a") for letter in arguments.text]
    return Tables(np.array([row, row], np.int8), np.linspace(0, 1, 4))

ACTION = MultiDiscrete([3, 4])
KEYS = {None: (1, 0), "left": (0, 0), "up": (1, 3)}

def OBSERVATION(p):
    return Dict(
        image=Box(0, 255, p.board.shape, np.uint8),
        where=Discrete(4),
        pair=Tuple((Box(-100.0, 100.0, (1,), np.float32), MultiBinary(4))),
    )

def check_params(params):
    if params.gain < 0:
        raise ValueError("gain")

def reset(s, i, p, rng):
    s.x[i] = uniform(rng, i, -1.0, 1.0)
    s.cell[i] = integers(rng, i, 0, 4)
    for k in range(4):
        s.seen[i, k] = False

def step(s, i, action, p, rng):
    for k in range(4):
        s.queue[i, k] = k
    s.x[i] = min(max(s.x[i] + p.torques[action[0]] * p.gain, -50.0), 50.0)
    s.cell[i] = s.queue[i, action[1]]
    s.seen[i, s.cell[i]] = True
    return p.weights[s.cell[i]] * s.x[i], p.board[0, s.cell[i]] == 2 and s.x[i] > 3.0

def observe(s, i, p, out):
    for r in range(p.board.shape[0]):
        for c in range(p.board.shape[1]):
            out.image[r, c] = p.board[r, c] * 10
    out.where[0] = s.cell[i]
    out.pair[0][0] = s.x[i]
    for k in range(4):
        out.pair[1][k] = s.seen[i, k]

def inform(s, i, p, out):
    out.prob[0] = 0.5 if s.x[i] > 0 else 1.0
    for k in range(3):
        out.mask[k] = 1 if s.cell[i] >= k else 0
"""
"""Every optional part of the contract."""

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


def with_mistakes(source, changes):
    """Return a source with each pair (old, new) exchanged, and the numbers of the new lines."""
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
    assert str(caught.value).startswith("environment has ")
    return caught.value.problems


STEP = "    s.x[i] += push"
REWARD = "    reward = sin(s.x[i])"
RETURN = "    return reward, terminated"
HELPER = "def helper(s, i, p):"


def state_checked(body, arguments="s, p"):
    """A change that adds a `check_state`."""
    return HELPER, f"def check_state({arguments}):\n    {body}\n\n{HELPER}"


FIRST = "    out[0] = s.x[i]"
ZERO = "    s.count[i] = 0"

CASES = {
    "a state that is reached is refused": (
        "check-state",
        r"^After \d+ steps: The state of row \d does not fit: x is .*; expected up to 0.5\.$",
        state_checked("if (s.x > 0.5).any(): raise ValueError(f'x is {s.x}; expected up to 0.5')"),
    ),
    "check_state fails": (
        "check-state",
        "check_state raises AttributeError",
        state_checked("s.y.any()"),
    ),
    "check_state writes": (
        "check-state",
        "is read-only",
        state_checked("s.x[:] = 0.0"),
    ),
    "check_state lacks an argument": (
        "arguments",
        "check_state takes (s), which is 1 argument; it is called as check_state(s, p).",
        state_checked("pass", "s"),
    ),
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
    "values are sought": ("allocation", "calls np.unique", (STEP, "    v = np.unique(s.deck[i])")),
    "a list is made of an array": (
        "allocation",
        ".tolist()",
        (STEP, "    v = s.deck[i].tolist()"),
    ),
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
    "a compiled helper": (
        "object",
        "calls compiled, which is compiled already",
        ("LEFT = 0", "LEFT = 0\nimport numba\n\n\n@numba.njit\ndef compiled(x):\n    return x"),
        (STEP, "    s.x[i] += compiled(push)"),
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
    "a loop without end": (
        "endless",
        r"step has not returned after 2.0 seconds",
        (STEP, "    while push != 7.0:\n        push += 0.0"),
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
    "four values are returned": (
        "return",
        "step returns `(reward, terminated, False, 0)`",
        (RETURN, "    return reward, terminated, False, 0"),
    ),
    "three values are returned once": (
        "return",
        r"returns two values, `\(reward, terminated\)`, and three in line \d+, `\(0.0, False",
        (REWARD, f"{REWARD}\n    if reward < -0.9:\n        return 0.0, False, True"),
        (RETURN, f"{RETURN}  # and not truncated"),
    ),
    "a tuple has another number of values": (
        "return",
        r"step returns \d values once and \d another time; expected as many",
        (REWARD, f"{REWARD}\n    if s.count[i] == 3:\n        return THREE[0]"),
        ("LEFT = 0", "LEFT = 0\nTHREE = ((0.0, False, True),)"),
        ("def step(", "def step("),
    ),
    "truncated is a number": (
        "return",
        "returns 1 (int) as truncated",
        (RETURN, "    return reward, terminated, 1"),
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
    "a whole number has more than 63 bits": (
        "backends",
        "Compiled code and plain Python differ: in step",
        (STEP, "    s.x[i] += push if int(np.uint64(2**64 - 1) * np.uint64(3)) > 0 else 0.0"),
    ),
    "a type differs by path": (
        "compile",
        "push is",
        (
            STEP,
            "    if action == 1:\n        push = (1.0, 2.0)\n"
            "    s.x[i] += push[0] if action == 1 else 0.5",
        ),
        ("    push = 0.1 * p.gravity if action == 1 else -0.1 * p.gravity", "    push = 1.0"),
    ),
}


RICH_CASES = {
    "Info without inform": (
        "missing",
        "environment has Info but no inform",
        ("def inform(", "def informs("),
        ("class Info(", "class Info("),
    ),
    "a shape names what there is not": (
        "size",
        "The shape of State.seen names 'texts', which is no parameter or argument (did you mean 't",
        (
            "    seen: np.dtype((np.bool_, (4,)))",
            '    seen: batchsim.column(bool, "texts")',
        ),
    ),
    "a shape is no whole number": (
        "size",
        "Scratch.queue of environment gets the shape 4.5; expected whole numbers",
        (
            "    queue: np.dtype((np.int16, (4,)))",
            "    queue: batchsim.column(np.int16, lambda p: 9 * p.gain)",
        ),
    ),
    "a default that is none": (
        "field",
        "The default of State.seen is 'no'; expected True or False.",
        (
            "    seen: np.dtype((np.bool_, (4,)))",
            "    seen: np.dtype((np.bool_, (4,))) = 'no'",
        ),
    ),
    "a default in Scratch": (
        "field",
        "Scratch.queue has a default value",
        (
            "    queue: np.dtype((np.int16, (4,)))",
            "    queue: np.dtype((np.int16, (4,))) = 0",
        ),
    ),
    "a text info": ("field", "Info.prob is annotated str", ("    prob: float", "    prob: str")),
    "a field of two groups": (
        "clash",
        "'cell' is a field of both State and Scratch",
        (
            "    queue: np.dtype((np.int16, (4,)))",
            "    queue: np.dtype((np.int16, (4,)))\n    cell: int",
        ),
    ),
    "tables fail": (
        "tables",
        "tables of environment returned 3",
        ('    if not arguments.text:\n        raise ValueError("no text")', "    return 3"),
        ("def tables(arguments):", "def tables(arguments):"),
    ),
    "scratch is read first": (
        "uninitialised",
        "step reads s.queue[i, 0] before it has written it",
        ("    for k in range(4):\n        s.queue[i, k] = k", "    s.queue[i, 1] = s.queue[i, 0]"),
        ("    s.cell[i] = s.queue[i, action[1]]", "    s.cell[i] = action[1]"),
    ),
    "an info is not written": (
        "unwritten",
        "inform does not write out.mask[2]",
        (
            "    for k in range(3):\n        out.mask[k]",
            "    for k in range(2):\n        out.mask[k]",
        ),
        ("def inform(s, i, p, out):", "def inform(s, i, p, out):"),
    ),
    "an info does not fit": (
        "does-not-fit",
        "inform writes out.mask[0], where 300",
        ("        out.mask[k] = 1 if s.cell[i] >= k else 0", "        out.mask[k] = 300"),
    ),
    "an image does not fit": (
        "does-not-fit",
        "observe writes out.image[0, 2], where 256",
        ("p.board[r, c] * 10", "int(p.board[r, c]) * 128"),
        ("    for r in range(p.board.shape[0]):", "    for r in range(p.board.shape[0]):"),
        ("        for c in range(p.board.shape[1]):", "        for c in range(p.board.shape[1]):"),
    ),
    "no such place": (
        "outside",
        "observe writes 4 into out.where[0]; OBSERVATION.where goes from 0.0 to 3.0",
        ("    out.where[0] = s.cell[i]", "    out.where[0] = s.cell[i] + 1"),
    ),
    "a part is not written": (
        "unwritten",
        "observe does not write out.pair[0][0]",
        ("    out.pair[0][0] = s.x[i]", "    pass"),
        ("def observe(s, i, p, out):", "def observe(s, i, p, out):"),
    ),
    "a key that is no name": (
        "space",
        "the key 'next room'",
        ("        where=Discrete(4),", "        **{'next room': Discrete(4)},"),
        ("def OBSERVATION(p):", "def OBSERVATION(p):"),
    ),
    "no such key": (
        "unknown-field",
        "observe uses out.were, which is not there (did you mean 'where'?)",
        ("    out.where[0] = s.cell[i]", "    out.were[0] = s.cell[i]"),
    ),
    "a key that there is not": (
        "keys",
        "names 'lft' (did you mean 'left'?); expected a key such as",
        ('KEYS = {None: (1, 0), "left"', 'KEYS = {None: (1, 0), "lft"'),
    ),
    "a key of an action outside": (
        "keys",
        "gives 'up' at index 1 the value 4; expected a whole number from 0 to 3",
        ('"up": (1, 3)', '"up": (1, 4)'),
    ),
    "beyond a table": (
        "out-of-bounds",
        "step uses p.board[2, 0], but p.board has 2 elements",
        ("p.board[0, s.cell[i]] == 2", "p.board[2, 0] == 2"),
    ),
    "beyond a tuple of parameters": (
        "out-of-bounds",
        "step uses p.torques[3], but p.torques has 3 elements",
        ("p.torques[action[0]]", "p.torques[3]"),
    ),
    "before a tuple of parameters": (
        "negative-index",
        "step uses p.torques[-1]; a negative index silently counts from the end",
        ("p.torques[action[0]]", "p.torques[action[0] - 1]"),
    ),
    "a table is written": (
        "read-only",
        "step writes p.board[0, 0]",
        ("        s.queue[i, k] = k", "        s.queue[i, k] = k\n    p.board[0, 0] = 1"),
    ),
    "the action is written": (
        "read-only",
        "step writes action[0]",
        ("        s.queue[i, k] = k", "        s.queue[i, k] = k\n    action[0] = 1"),
    ),
    "beyond the action": ("out-of-bounds", "action[2]", ("action[1]]", "action[2]]")),
    "inform changes the state": (
        "read-only",
        "inform writes s.x[i]",
        ("    out.prob[0] = ", "    s.x[i] = 0.0\n    out.prob[0] = "),
    ),
}


TOLD = """
from typing import NamedTuple
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, Text, Tuple
from batchsim.random import integers

COLOURS = ("red", "green", "blue")

class State(NamedTuple):
    place: int
    colour: int

ACTION = Discrete(2)
OBSERVATION = Dict(place=Discrete(9), mission=Text(20, charset="abcdefghijklmnopqrstuvwxyz "))
TOKENS = Box(0, 8, (2,), np.int8)

def text(tokens):
    colour, place = tokens
    word = COLOURS[colour]
    return f"go to the {word} door"

def reset(s, i, p, rng):
    s.colour[i] = integers(rng, i, 0, 3)
    s.place[i] = 4

def step(s, i, action, p, rng):
    s.place[i] = integers(rng, i, action, 9)
    return 0.0, s.place[i] == 0

def observe(s, i, p, out):
    out.place[0] = s.place[i]
    out.mission[0] = s.colour[i]
    out.mission[1] = s.place[i]
"""

TOLD_CASES = {
    "text raises": (
        "string",
        "text of environment raised IndexError for the tokens (",
        ("    word = COLOURS[colour]", "    word = COLOURS[colour + place]"),
    ),
    "text returns bytes": (
        "string",
        "returned b'go' for the tokens (",
        ("def text(tokens):", "def text(tokens):"),
        ('    return f"go to the {word} door"', '    return b"go"'),
    ),
    "text returns what has other letters": (
        "string",
        "text returns 'Go to",
        ("def text(tokens):", "def text(tokens):"),
        ('    return f"go to', '    return f"Go to'),
    ),
    "text returns what is too long": (
        "string",
        "charset=.*: it has 38 characters|charset=.*: it has 40 characters|charset=.*: it has 39",
        ("def text(tokens):", "def text(tokens):"),
        ('{word} door"', '{word} door" + " door" * 4'),
    ),
    "tokenize does not undo text": (
        "string",
        "tokenize returns (1, 1) for 'go to the",
        ("def text(tokens):", "def tokenize(text):\n    return 1, 1\n\ndef text(tokens):"),
    ),
    "tokenize raises": (
        "string",
        "tokenize of environment raised IndexError for 'go to the",
        ("def text(tokens):", "def tokenize(text):\n    return text[99]\n\ndef text(tokens):"),
    ),
    "tokenize takes two arguments": (
        "arguments",
        "tokenize takes (text, p), which is 2 arguments; it is called as tokenize(text)",
        ("def text(tokens):", "def tokenize(text, p):\n    pass\n\ndef text(tokens):"),
    ),
    "text takes two arguments": (
        "arguments",
        "text takes (tokens, p), which is 2 arguments; it is called as text(tokens)",
        ("def text(tokens):", "def text(tokens, p):"),
    ),
    "text is missing": (
        "missing",
        "environment has TOKENS but no text.",
        ("def text(tokens):", "def told(tokens):"),
        ("TOKENS = Box", "TOKENS = Box"),
    ),
    "tokens do not fit": (
        "does-not-fit",
        "observe writes out.mission[1], where 200",
        ("    out.mission[1] = s.place[i]", "    out.mission[1] = 200"),
    ),
    "tokens are outside": (
        "outside",
        "observe writes 9 into out.mission[1]; TOKENS of 'mission' goes from 0.0 to 8.0",
        ("    out.mission[1] = s.place[i]", "    out.mission[1] = 9"),
    ),
    "a token is not written": (
        "unwritten",
        "observe does not write out.mission[1]",
        ("    out.mission[1] = s.place[i]", "    pass"),
        ("def observe(s, i, p, out):", "def observe(s, i, p, out):"),
    ),
    "TOKENS are no space": (
        "space",
        "TOKENS of environment is <class 'numpy.int8'> for 'mission'; expected a Box of whole",
        ("TOKENS = Box(0, 8, (2,), np.int8)", "TOKENS = np.int8"),
    ),
    "TOKENS name another text": (
        "space",
        "TOKENS of environment names 'mision' (did you mean 'mission'?)",
        ("TOKENS = Box(0, 8, (2,), np.int8)", "TOKENS = {'mision': Box(0, 8, (2,), np.int8)}"),
    ),
    "no TOKENS": (
        "space",
        "has a text in OBSERVATION but no TOKENS",
        ("TOKENS = Box(0, 8", "TOKEN = Box(0, 8"),
        ("OBSERVATION = Dict", "OBSERVATION = Dict"),
    ),
}


@pytest.mark.parametrize("source", [SOUND, RICH, TOLD], ids=["sound", "rich", "told"])
def test_a_sound_environment_passes(tmp_path, source):
    report = batchsim.check(load(tmp_path, source), num_envs=8, steps=60)
    assert report.hints == ()
    assert len(report.tried) == 6
    assert str(report).startswith("environment passes:")


def test_a_check_state_that_takes_what_is_reached_passes(tmp_path):
    source, _ = with_mistakes(SOUND, [state_checked("assert len(s.x) == len(s.deck) > 0")])
    report = batchsim.check(load(tmp_path, source), num_envs=8, steps=60)
    assert "the states of 50 steps, shown to check_state" in report.tried


@pytest.fixture
def without_compiler(monkeypatch):
    """Leave out what takes long: the runs of compiled code."""
    monkeypatch.setattr(examine, "examine_backends", lambda *arguments: [])


@pytest.mark.parametrize("name", oracle.IDS)
def test_every_environment_passes_what_is_read_and_watched(name, without_compiler):
    assert batchsim.check(name, steps=150).hints == ()


@pytest.mark.parametrize("name", oracle.MODELS)
def test_an_environment_passes(name):
    assert batchsim.check(name, num_envs=16, steps=100).hints == ()


@pytest.mark.parametrize(
    ("source", "case"),
    [
        *(pytest.param(SOUND, case, id=name) for name, case in CASES.items()),
        *(pytest.param(RICH, case, id=name) for name, case in RICH_CASES.items()),
        *(pytest.param(TOLD, case, id=name) for name, case in TOLD_CASES.items()),
    ],
)
def test_a_mistake_is_found_and_placed(tmp_path, monkeypatch, source, case):
    kind, words, *changes = case
    if kind == "endless":
        monkeypatch.setattr(trials, "PATIENCE", 2.0)
    source, marked = with_mistakes(source, changes)
    found = problems(tmp_path, source)
    assert {problem.kind for problem in found} == {kind}, found
    for problem in found:
        assert problem.message.endswith(".")
        assert "\n" not in problem.message
        assert Path(problem.file).name == "environment.py"
    assert words in found[0].message or re.search(words, found[0].message)
    # Of a name that is missing there is no line.
    if not (kind == "missing" and words.startswith("has no")):
        assert found[0].line in marked
    assert str(found[0]).startswith(f"{found[0].file}:{found[0].line}: ")


def test_every_kind_is_tested():
    tested = {case[0] for case in [*CASES.values(), *RICH_CASES.values(), *TOLD_CASES.values()]}
    assert set(KINDS) - tested == {"definition", *HINTS}


def test_many_problems_are_told_at_once(tmp_path):
    changes = [(STEP, "    s.x[i] += p.gravty"), (REWARD, "    reward = s.speed[i]"), (RETURN, "")]
    found = problems(tmp_path, with_mistakes(SOUND, changes)[0])
    assert [problem.kind for problem in found] == ["unknown-parameter", "unknown-field"]
    assert found[0].hint == "The parameters are: gravity, bound, low."


def test_functions_without_source_are_run_all_the_same(without_compiler):
    module = types.ModuleType("typed_in")
    sys.modules[module.__name__] = module
    exec(
        compile(SOUND.replace("s.count[i] = 0", "s.counts[i] = 0"), "<text>", "exec"), vars(module)
    )
    with pytest.raises(batchsim.CheckError) as caught:
        batchsim.check(module, steps=20)
    (problem,) = caught.value.problems
    assert (problem.kind, problem.file) == ("unknown-field", "<text>")
    assert "did you mean 'count'?" in problem.message


# -- Hints ---------------------------------------------------------------------------------------


def test_actions_that_nothing_depends_on_are_a_hint(tmp_path, without_compiler):
    source, _ = with_mistakes(SOUND, [("    s.x[i] += push", "    s.x[i] += 0.1")])
    (hint,) = batchsim.check(load(tmp_path, source), num_envs=4, steps=60).hints
    assert hint.kind == "ignores-actions"
    assert "depends on the actions" in hint.message


def test_episodes_of_one_length_are_a_hint(tmp_path, without_compiler):
    no_index = "    out[2] = s.deck[i, s.count[i]]", "    out[2] = 0"
    changes = [no_index, (RETURN, "    return reward, s.count[i] % 4 == 3")]
    source, _ = with_mistakes(SOUND, changes)
    (hint,) = batchsim.check(load(tmp_path, source), num_envs=4, steps=60).hints
    assert hint.kind == "same-length"
    assert "after 3 steps, whatever the seed and the actions" in hint.message


COUNTS = (
    ("    s.count[i] = (s.count[i] + 1) % 4", "    s.count[i] += 1"),
    ("    out[2] = s.deck[i, s.count[i]]", "    out[2] = 0"),
    ("    out[1] = s.count[i]", "    out[1] = 0"),
)
"""Changes with which the column counts steps, and is no index."""


@pytest.mark.parametrize(
    "comparison", ["s.count[i] >= 50", "s.count[i] + 1 > p.bound * 10", "int(s.count[i]) == FIFTY"]
)
def test_a_time_limit_in_step_is_a_hint(tmp_path, without_compiler, comparison):
    changes = [*COUNTS, (RETURN, f"    terminated |= {comparison}\n{RETURN}")]
    source, _ = with_mistakes(SOUND, [*changes, ("LEFT = 0", "FIFTY = 50")])
    (hint,) = batchsim.check(load(tmp_path, source), num_envs=4, steps=60).hints
    assert hint.kind == "time-limit"
    assert f"counts steps in s.count and terminates by `{comparison}`" in hint.message
    assert "MAX_EPISODE_STEPS" in hint.hint
    assert source.splitlines()[hint.line - 1].strip() == f"terminated |= {comparison}"


@pytest.mark.parametrize(
    "changes",
    [
        [*COUNTS, (RETURN, f"{RETURN}, s.count[i] >= 50")],
        [*COUNTS, (RETURN, f"    terminated |= s.count[i] >= 5 * s.deck[i, 0] + 5\n{RETURN}")],
        [
            ("class Options", "class Tables(NamedTuple):\n    days: np.ndarray\n\nclass Options"),
            (HELPER, f"def tables(arguments):\n    return Tables(np.zeros(20))\n\n{HELPER}"),
            *COUNTS,
            (RETURN, "    return reward, s.count[i] == p.days.shape[0]"),
        ],
        [
            ("deck: np.dtype((np.int16, (4,)))", "deck: np.dtype((np.int16, (20,)))"),
            ("range(4)", "range(20)"),
            ("    s.count[i] = (s.count[i] + 1) % 4", "    s.count[i] += 1"),
            (RETURN, "    return reward, s.count[i] == 20"),
            ("    out[2] = s.deck[i, s.count[i]]", "    out[2] = s.deck[i, s.count[i] - 1] / 10"),
            ("    out[1] = s.count[i]", "    out[1] = 0"),
            ("    s.count[i] = 0", "    s.count[i] = 1"),
        ],
    ],
    ids=["truncated", "drawn", "data", "deck"],
)
def test_what_is_no_time_limit_is_no_hint(tmp_path, without_compiler, changes):
    source, _ = with_mistakes(SOUND, changes)
    hints = batchsim.check(load(tmp_path, source), num_envs=4, steps=90).hints
    assert {hint.kind for hint in hints} <= {"same-length"}
    assert not hints or "p.days" in source


def test_fast_precision_far_from_exact_is_a_hint(tmp_path):
    source, _ = with_mistakes(
        SOUND, [(FIRST, "    out[0] = min(max((s.x[i] + 1e6) - 1e6, -9.0), 9.0)")]
    )
    (hint,) = batchsim.check(load(tmp_path, source), num_envs=4, steps=20).hints
    assert hint.kind == "precision"
    assert "in fast precision and" in hint.message


def test_a_kind_can_be_ignored(tmp_path, without_compiler):
    source, _ = with_mistakes(SOUND, [(RETURN, "    return np.inf, terminated")])
    module = load(tmp_path, source)
    with pytest.raises(batchsim.CheckError, match="1 problem:"):
        batchsim.check(module, num_envs=2, steps=20)
    assert batchsim.check(module, num_envs=2, steps=20, ignore=["reward"])


# -- Arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"num_envs": 0}, "num_envs is 0; expected"),
        ({"steps": 2.5}, "steps is 2.5; expected"),
        ({"seed": -1}, "seed is -1; expected"),
        ({"ignore": ["rewrad"]}, "no kind of problem 'rewrad' (did you mean 'reward'?)"),
        ({"gravty": 1.0}, "unexpected keyword argument 'gravty' (did you mean 'gravity'?)"),
        ({"gravity": "much"}, "parameter 'gravity' is 'much'; expected a number"),
    ],
)
def test_bad_arguments_are_refused(settings, expected):
    with pytest.raises((TypeError, ValueError), match=re.escape(expected)):
        batchsim.check("CartPole-v1", **settings)


def test_what_is_no_environment_is_refused():
    with pytest.raises(TypeError, match="The environment id is 3"):
        batchsim.check(3)
    with pytest.raises(ValueError, match="CartPole-v1"):
        batchsim.check("CartPole-v7")


def test_parameters_by_row_are_checked_with_their_rows(without_compiler):
    gravity = np.linspace(5.0, 15.0, 6)
    assert batchsim.check("CartPole-v1", num_envs=6, steps=30, gravity=gravity).hints == ()


def test_a_module_that_holds_an_environment_is_none(tmp_path):
    module = load(tmp_path, "class Game:\n    def step(): ...\n")
    with pytest.raises(batchsim.CheckError) as caught:
        batchsim.check(module)
    (problem,) = caught.value.problems
    assert problem.message.startswith("environment is no environment: it has none of State, ACTION")
    assert problem.hint == "It holds Game: name it as environment:Game."


def test_a_class_is_examined_too(tmp_path):
    class Nearly:
        ACTION = spaces.Discrete(2)

        def step(s, i, action, p):  # noqa: N805
            return 1.0, False

    with pytest.raises(batchsim.CheckError, match="Nearly has 5 problems:") as caught:
        batchsim.check(Nearly)
    assert all(problem.file == __file__ for problem in caught.value.problems)


# -- The compiler's words --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Cannot unify float64 and none for 'v.2', defined at environment.py (3)",
            "v is float64 on one path and None on another",
        ),
        (
            "No implementation of function Function(<built-in function add>) found for signature:"
            "\n \n >>> add(array(float64, 1d, C), int64)",
            "the compiler has no add for these types, add(an array of float64, int64)",
        ),
        (
            "Use of unsupported NumPy function 'numpy.kron' or",
            "the compiler does not know numpy.kron",
        ),
        ("\x1b[1mUnknown attribute 'foo' of type float64\x1b[0m", "knows no foo of float64"),
        ("Failed in nopython mode\nsomething new", "something new"),
    ],
)
def test_the_compilers_words_are_explained(text, expected):
    message, _, place = backends.explain_compile_error(RuntimeError(text), [])
    assert message.startswith("The environment cannot be compiled: ")
    assert expected in message
    assert place is None


# -- The command -----------------------------------------------------------------------------------


def command(directory, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "batchsim", "check", *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
    )


def test_the_command_names_file_and_line(tmp_path):
    source, (line,) = with_mistakes(SOUND, [(STEP, "    s.x[i] += p.gravty")])
    (tmp_path / "swing.py").write_text(source)
    done = command(tmp_path, "swing.py")
    assert done.returncode == 1
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "swing has 1 problem:",
        f"swing.py:{line}: step uses p.gravty, but there is no parameter 'gravty' (did you mean "
        "'gravity'?).",
        "    The parameters are: gravity, bound, low.",
    ]


def test_what_is_printed_in_a_run_is_not_shown(tmp_path, capsys):
    source, _ = with_mistakes(SOUND, [(STEP, "    print(push)")])
    assert {problem.kind for problem in problems(tmp_path, source)} == {"text"}
    assert capsys.readouterr().out == ""


def test_progress_is_told(without_compiler):
    told = []
    batchsim.check("CartPole-v1", progress=told.append)
    assert told[0] == "reading the source"
    assert any("plain Python" in doing for doing in told)


def test_the_command_says_what_was_tried(tmp_path):
    done = command(tmp_path, "CartPole-v1", "--steps=20", "--num-envs=4", "--param=gravity=3.7")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("CartPole-v1 passes:\n")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["swing.py"], "There is no file"),
        (["CartPole-v1", "--param", "gravity"], "--param is 'gravity'; expected name=value"),
        (["CartPole-v1", "--param", "gravity={[]:1}"], "'gravity' is '{[]:1}'; expected"),
        (["CartPole-v1", "--ignore", "nothing"], "no kind of problem 'nothing'"),
        (["EgoBattle-v0", "--param", "layout=no"], "layout is 'no', a file that cannot be read"),
    ],
)
def test_the_command_refuses_bad_input(tmp_path, monkeypatch, capsys, arguments, expected):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["batchsim", "check", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert expected in said
    assert said.startswith("batchsim: ")


def test_the_page_describes_every_kind():
    page = (Path(__file__).parent.parent / "docs" / "checking.md").read_text()
    for kind, meaning in KINDS.items():
        assert f"| `{kind}` | {meaning} |" in page
