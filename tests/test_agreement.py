"""Compiled functions give the bits that Python gives, or are refused."""

import inspect
import json
import math
import os
import re
import subprocess
import sys
import warnings

import numba
import numpy as np
import pytest
from numba.core.registry import cpu_target

from batchsim.compiler import agreement, ufuncs
from batchsim.compiler.compile import OPTIONS

KINDS = {"d": np.float64, "f": np.float32, "l": np.int64}
ORDINARY = 400
CONSTANT = 0.1


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def compiled(function):
    """Compile a function as those of an environment are in exact precision."""
    return numba.njit(function, **OPTIONS, pipeline_class=agreement.Compiler)


def numbers(kind, rng):
    """Special numbers of every sort, and ordinary ones of every size."""
    if np.dtype(kind).kind != "f":
        limits = np.iinfo(kind)
        special = [0, 1, 2, 3, -1, -7, limits.max, -limits.max]
        return np.array([*special, *rng.integers(-1000, 1000, ORDINARY)]).astype(kind)
    limits = np.finfo(kind)
    special = [0.0, 0.5, 1.0, 2.0, 3.0, 10.0, np.inf, limits.max, limits.tiny]
    special += [limits.smallest_subnormal, limits.eps, 1e10, np.pi, np.pi / 2, CONSTANT]
    sizes = np.ldexp(rng.normal(size=ORDINARY), rng.integers(-40, 40, ORDINARY))
    ordinary = [*rng.normal(size=ORDINARY), *(30 * rng.normal(size=ORDINARY)), *sizes]
    with np.errstate(over="ignore"):
        return np.array([*special, *(-x for x in special), np.nan, *ordinary]).astype(kind)


def pairs(values, rng):
    """Each of the first numbers with each other one, and all with any other one."""
    first = values[:16]
    return (
        np.concatenate([np.repeat(first, len(first)), values]),
        np.concatenate([np.tile(first, len(first)), rng.permutation(values)]),
    )


def answers(function, x, y):
    """What Python answers for each pair; None where it raises."""
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for one, other in zip(x, y, strict=True):
            try:
                answer = function(one, other)
            except (ArithmeticError, ValueError):
                answer = None
            # Integers of Python have no end, complex numbers no place.
            if isinstance(answer, int) and abs(answer) >= 2**63:
                answer = None
            found.append(None if isinstance(answer, complex) else answer)
    return found


def differing(expressions, kind, rng):
    """Return of which expressions in x and y compiled code gives other bits than Python."""
    x, y = pairs(numbers(kind, rng), rng)
    scope = {"np": np, "math": math, "CONSTANT": CONSTANT}
    expected = [answers(eval(f"lambda x, y: {text}", scope), x, y) for text in expressions]
    lines = []
    for k, column in enumerate(expected):
        # A float64 holds what a float32 and a small integer may be, but not every large one.
        answer = next((answer for answer in column if answer is not None), 0.0)
        out = "floats" if np.asarray(answer).dtype.kind == "f" else "integers"
        lines.append(f"    {out}[{k}, i] = {expressions[k]}")
    exec("\n".join(["def every(x, y, i, floats, integers):", *lines]), scope)
    every = compiled(scope["every"])

    @numba.njit
    def run(x, y, floats, integers):
        for i in range(x.shape[0]):
            every(x[i], y[i], i, floats, integers)

    shape = len(expressions), len(x)
    floats, integers = np.full(shape, 0.625), np.full(shape, 625)
    run(x, y, floats, integers)
    wrong = {}
    for k, text in enumerate(expressions):
        found = integers if (floats[k] == 0.625).all() else floats
        for one, other, right, bits in zip(x, y, expected[k], found[k], strict=True):
            if right is not None and not same(right, bits):
                wrong[text] = one, other, right, bits
    return wrong


def same(one, other):
    return (one != one and other != other) or (
        one == other and math.copysign(1.0, one) == math.copysign(1.0, other)
    )


def call(ufunc, result=""):
    return f"np.{ufunc.__name__}({', '.join('xy'[: ufunc.nin])}){result}"


def compilable(ufunc, kind):
    """Tell whether a function is not refused for numbers of one kind."""
    try:
        ufuncs.width(ufunc, (numba.from_dtype(np.dtype(kind)),) * ufunc.nin, ())
    except ufuncs.DisagreementError:
        return False
    return True


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_numpys_functions_of_numbers_give_numpys_bits(kind, rng):
    functions = sorted(
        (ufunc for ufunc in ufuncs.UFUNCS if compilable(ufunc, kind)), key=lambda u: u.__name__
    )
    assert len(functions) > 50
    if kind is not np.int64:
        # None is forgotten: those left out are of whole numbers, or of moments in time.
        theirs = {u for u in vars(np).values() if isinstance(u, np.ufunc) and not u.signature}
        loop = np.dtype(kind).char
        left = {u for u in theirs - set(functions) if any(t[0] == loop for t in u.types)}
        assert all(ufunc.nin > 2 or ufunc is np.ldexp for ufunc in left), left
    expressions = [
        call(ufunc, f"[{k}]" if ufunc.nout > 1 else "")
        for ufunc in functions
        for k in range(ufunc.nout)
    ]
    assert differing(expressions, kind, rng) == {}


def functions_of_math():
    """The functions of `math` that Numba knows and that are not refused, called with x and y."""
    for name, function in vars(math).items():
        if not callable(function) or function in agreement.REFUSED:
            continue
        try:
            cpu_target.typing_context.resolve_value_type(function)
        except ValueError:  # Numba does not know it.
            continue
        try:
            count = len(inspect.signature(function).parameters)
        except ValueError:  # math.log takes a base as well.
            count = 1
        # Of whole numbers alone, or of numbers that Python alone calls so.
        if name == "frexp":
            yield from ("math.frexp(x)[0]", "math.frexp(x)[1]")
        elif name not in ("gcd", "ldexp", "trunc"):
            yield f"math.{name}({', '.join('xy'[:count])})"


PYTHONS = [
    "float(x)", "bool(x)", "abs(x)", "min(x, y)", "max(x, y)", "max(x, y, x)", "x ** y", "x ** 2",
    "x ** 3", "pow(x, y)", "divmod(x, y)[0]", "divmod(x, y)[1]", "x + y", "x - y", "x * y",
    "x / y", "x // y", "x % y", "-x", "x < y", "x == y", "not x", "float(x) * CONSTANT",
]  # fmt: skip
OF_FLOATS = [
    "x ** 2.0", "x ** 0.5", "x ** -1.0", "x ** CONSTANT", "np.maximum(x, 0.1)", "math.pow(x, 2.0)",
    "np.power(x, 2.0)", "np.minimum(CONSTANT, x)", "np.arctan2(x, float(y))", "np.round(x)",
    "math.pow(10.0, x)", "np.fmod(x, 0.1)",
    "x * 0.1", "0.1 * x", "x + 1", "1 - x", "x / 3", "3.0 / x", "x < 0.1", "x == 0.1", "1 >= x",
    "x % 0.3", "x // 0.07", "2 * x * 0.1 + y", "-0.1 * x + CONSTANT",
    "np.ldexp(x, 3)", "np.ldexp(x, int(y) % 100 if abs(y) < 1e9 else 0)",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_pythons_functions_give_pythons_bits(kind, rng):
    more = [] if kind is np.int64 else [*functions_of_math(), *OF_FLOATS]
    with np.errstate(all="ignore"):
        assert differing([*PYTHONS, *more], kind, rng) == {}


def test_float_widens_and_int_is_signed(rng):
    @compiled
    def convert(small, unsigned, flag):
        return float(small), float(flag), int(unsigned) - 5, int(flag) // 2

    convert(np.float32(0.1), np.uint8(3), True)
    (signature,) = convert.nopython_signatures
    assert [str(kind) for kind in signature.return_type] == ["float64"] * 2 + ["int64"] * 2
    assert convert(np.float32(0.1), np.uint8(3), True) == (float(np.float32(0.1)), 1.0, -2, 0)


FLOAT32, NARROW, ROW = np.float32(0.5), np.int8(3), np.ones(9)


@pytest.mark.parametrize(
    ("function", "arguments", "reason"),
    [
        (lambda x: math.hypot(x, x), (0.5,), r"write np\.hypot\(x, y\)"),
        (lambda x: round(x, 1), (0.5,), r"write np\.rint\(x \* 10\) / 10"),
        (lambda x: np.round(x, decimals=1), (0.5,), r"write np\.rint\(x \* 10\) / 10"),
        (lambda x, y: np.arctan2(x, y), (FLOAT32, 0.5), r"float32 and float64 .*: write float"),
        (lambda x, y: x**y, (0.5, FLOAT32), r"^x \*\* y of float64 and float32"),
        (lambda x: np.exp(x), (NARROW,), r"^np\.exp of int8 computes in float16"),
        (lambda x: np.sum(x), (ROW,), r"^np\.sum of float64 numbers .*: write a loop"),
        (lambda x: x.max(), (ROW,), r"^np\.max of float64 numbers .*: write a loop"),
        (lambda x: x.mean(), (ROW,), r"^np\.mean adds in another order"),
    ],
)
def test_what_cannot_agree_is_refused_with_a_spelling_that_does(function, arguments, reason):
    with pytest.raises(agreement.RefusedError) as caught:
        compiled(function)(*arguments)
    assert re.search(reason, caught.value.reason)
    assert str(caught.value).startswith(f"{__file__}:{function.__code__.co_firstlineno}: ")


def test_other_compiled_code_of_the_process_keeps_numbas_functions():
    function = numba.njit(lambda x: (float(x), math.hypot(x, x)))
    function(FLOAT32)
    (signature,) = function.nopython_signatures
    assert str(signature.return_type) == "UniTuple(float32 x 2)"


GAME = """
from math import sqrt
from typing import NamedTuple
import numpy as np
from gymnasium.spaces import Box, Discrete

class State(NamedTuple):
    x: np.float32
    y: float

ACTION = Discrete(2)
OBSERVATION = Box(-np.inf, np.inf, (2,), np.float64)

def reset(s, i, p, rng):
    s.x[i] = 0.3
    s.y[i] = 0.7

def step(s, i, action, p, rng):
    s.x[i] = np.exp(np.tanh(s.x[i])) - np.log(s.x[i])
    s.y[i] = np.tanh(s.y[i] ** 3) + np.cbrt(float(s.x[i])) * 0.1 + sqrt(s.x[i])
    return s.y[i] ** 2, False

def observe(s, i, p, out):
    out[0] = float(s.x[i]) * 0.1
    out[1] = np.arctan2(s.y[i], float(s.x[i]))
"""
STEPS = """
import json
import numpy as np
import batchsim
import functions
from batchsim.definition import Definition

definition = Definition(functions, "Functions-v0")
seconds, found = [], []
for backend in ("native", "reference"):
    envs = batchsim.BatchEnv(definition, 3, backend=backend, autoreset_mode="Disabled")
    observation, _ = envs.reset(seed=0)
    trajectory = [observation.tolist()]
    for _ in range(50):
        observation, reward, *_ = envs.step(np.zeros(3, np.int64))
        trajectory.append([observation.tolist(), reward.tolist()])
    found.append(trajectory)
    if backend == "native":
        seconds.append(envs.kernel.compile_seconds)
    envs.close()
print(json.dumps([seconds[0] > 0, found[0] == found[1], found[0]]))
"""


def test_a_kernel_loaded_by_another_process_gives_the_same_bits(tmp_path):
    (tmp_path / "functions.py").write_text(GAME)
    environment = {
        **os.environ,
        "BATCHSIM_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]),
    }

    def run():
        command = [sys.executable, "-c", STEPS]
        finished = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert finished.returncode == 0, finished.stderr
        return json.loads(finished.stdout)

    compiled_anew, agrees, trajectory = run()
    assert (compiled_anew, agrees) == (True, True)
    assert run() == [False, True, trajectory]
