"""A finished row is stepped only where that is harmless; what is not understood counts as harm."""

import functools
import inspect
import linecache
import math
import random
import sys
import textwrap
from math import sqrt
from types import ModuleType, SimpleNamespace
from typing import NamedTuple

import numba
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

import batchsim
from batchsim import registry
from batchsim.compiler import kernels
from batchsim.compiler.compile import OPTIONS
from batchsim.compiler.safety import may_step_finished_rows
from batchsim.definition import Definition
from batchsim.math import sin
from batchsim.random import uniform
from batchsim.registry import ENVIRONMENTS

TABLE = np.arange(3.0)
PERIOD = 7


class State(NamedTuple):
    x: float
    k: int


class WithArray(NamedTuple):
    x: float
    k: np.dtype((np.int64, (2,)))  # type: ignore[valid-type]


def reset(s, i, p, rng):
    s.x[i] = uniform(rng, i, 0.0, 1.0)
    s.k[i] = 0


def step(s, i, action, p, rng):
    s.x[i] = half(s.x[i]) + sin(s.x[i]) * np.float32(2.0) if action == 1 else -s.x[i]
    s.k[i] += 1
    return 1.0, s.k[i] > 3


def half(x):
    return max(x / 2.0, 0.0)


def twice_in_a_loop(x):
    while x < 0.0:
        x = x + 1.0
    return 2.0 * x


@numba.njit
def compiled(x):
    return x


def looks_up(s, i, action, p, rng):
    return TABLE[s.k[i]], False


def looks_up_in_a_literal(s, i, action, p, rng):
    return (0.5, 1.5)[s.k[i]], False


def reads_another_row(s, i, action, p, rng):
    return s.x[0], False


def indexes_the_action_by_state(s, i, action, p, rng):
    return action[s.k[i]], False


def takes_a_type_of_something_else(s, i, action, p, rng):
    return s.dtype.type(action[0]), False


def calls_a_function_of_the_action(s, i, action, p, rng):
    return action.max(), False


def draws(s, i, action, p, rng):
    return uniform(rng, i, 0.0, 1.0), False


def draws_if_asked_to(s, i, action, p, rng):
    if p.noise > 0.0:
        s.x[i] = uniform(rng, i, 0.0, p.noise)
    return 0.0, False


def passes_the_parameters_on(s, i, action, p, rng):
    return scaled(s.x[i], p), False


def scaled(x, q):
    return x * q.noise + q.ends[1]


def looks_up_in_a_parameter(s, i, action, p, rng):
    return p.ends[s.k[i]], False


def endless(x):
    while True:
        x = x + 1.0


def harmless_at_first_sight(x):
    return 2.0 * x


@functools.wraps(harmless_at_first_sight)
def wraps(x):
    while True:
        x = x + 1.0


def shadows_a_helper(s, i, action, p, rng):
    half = endless
    s.x[i] = half(s.x[i])
    return 0.0, False


def shadows_a_function_of_python(s, i, action, p, rng):
    if action == 1:
        abs = endless
    s.x[i] = abs(s.x[i])
    return 0.0, False


def shadows_a_module(s, i, action, p, rng):
    np = p
    return np.take(s.x[i]), False


def takes_a_module_for_an_argument(s, i, np, p, rng):
    return np.sqrt(s.x[i]), False


def takes_a_function_for_an_argument(s, i, half, p, rng):
    return half(s.x[i]), False


def passes_a_function_on(s, i, action, p, rng):
    return applied(endless, s.x[i]), False


def applied(half, x):
    return half(x)


def unpacks_a_function(s, i, action, p, rng):
    half, x = endless, s.x[i]
    return half(x), False


def assigns_a_global(s, i, action, p, rng):
    global half
    half = endless
    return half(s.x[i]), False


def calls_a_function_of_a_function(s, i, action, p, rng):
    return (half if action == 1 else endless)(s.x[i]), False


def calls_what_wraps_something_harmless(s, i, action, p, rng):
    return wraps(s.x[i]), False


def uses_what_is_known(s, i, action, p, rng):
    """Docstring."""
    s.x[i] = sqrt(s.x[i]) + math.pi * np.float32(np.pi) + batchsim.math.power(s.x[i], 2.0)
    s.k[i] = (s.k[i] << 3) % PERIOD // 2 + round(s.x[i]) ** 2 + len(p.ends)
    return np.minimum(s.x[i], float(PERIOD)), not 0 < s.k[i] < 5


def has_too_few_arguments(s, i, action, p, rng):
    return scaled(p), False


def has_too_many_arguments(s, i, action, p, rng):
    return half(s.x[i], p), False


def names_an_argument(s, i, action, p, rng):
    return half(x=s.x[i]), False


def relies_on_a_default(s, i, action, p, rng):
    return with_default(s.x[i]), False


def with_default(x, y=1.0):
    return x * y


def takes_from_an_array(s, i, action, p, rng):
    return np.take(TABLE, s.k[i]), False


def writes_into_an_array(s, i, action, p, rng):
    np.add(s.x[i], 1.0, TABLE)
    return 0.0, False


def renames_an_array(s, i, action, p, rng):
    table = TABLE
    return max(table), False


def prints(s, i, action, p, rng):
    print(s.k[i])
    return 0.0, False


def shifts_too_far(s, i, action, p, rng):
    return 0.0, 1 << s.k[i] > 0


def shifts_by_a_function(s, i, action, p, rng):
    return 0.0, np.left_shift(1, s.k[i]) > 0


def shifts_a_column(s, i, action, p, rng):
    s.k[i] <<= action
    return 0.0, False


def looks_for_a_number(s, i, action, p, rng):
    return 0.0, s.k[i] in (1, 2)


def unpacks_the_rest(s, i, action, p, rng):
    s.x[i], *s.k[i] = 1.0, 2
    return 0.0, False


def renames_the_state_in_a_tuple(s, i, action, p, rng):
    t, x = s, 0.0
    return t.x[i] + x, False


def writes_into_the_parameters(s, i, action, p, rng):
    p.ends[0] = s.x[i]
    return 0.0, False


def moves_the_row_in_passing(s, i, action, p, rng):
    i += 1
    return s.x[i], False


def matches_the_row(s, i, action, p, rng):
    match action:
        case i:
            s.x[i] = 0.0
    return 0.0, False


def asserts(s, i, action, p, rng):
    assert s.k[i] < 3
    return 0.0, False


def loops(s, i, action, p, rng):
    while s.x[i] < 0.0:
        s.x[i] = s.x[i] + 1.0
    return 0.0, False


def calls_a_loop(s, i, action, p, rng):
    return twice_in_a_loop(s.x[i]), False


def calls_something_compiled(s, i, action, p, rng):
    return compiled(s.x[i]), False


def passes_the_state_on(s, i, action, p, rng):
    return half(s), False


def renames_the_state(s, i, action, p, rng):
    t = s
    return t.x[i], False


def moves_the_row(s, i, action, p, rng):
    i = 0
    return s.x[i], False


def calls_itself(s, i, action, p, rng):
    return calls_itself(s, i, action, p, rng)


def keeps_a_column(s, i, p, rng):
    s.x[i] = 0.0


def goes_on_from_the_last_episode(s, i, p, rng):
    s.x[i] = 0.0
    s.k[i] = min(s.k[i], 1000)


def adds_to_the_last_episode(s, i, p, rng):
    s.x[i] = 0.0
    s.k[i] += 1


def writes_sometimes(s, i, p, rng):
    s.x[i] = 0.0
    if s.x[i] < 1.0:
        s.k[i] = 0


def returns_early(s, i, p, rng):
    s.x[i] = 0.0
    if uniform(rng, i, 0.0, 1.0) < 0.5:
        return
    s.k[i] = 0


def writes_another_row(s, i, p, rng):
    j = 0
    s.x[j] = 0.0
    s.k[j] = 0


def writes_nothing_after_a_match(s, i, p, rng):
    match s.x.shape[0]:
        case i:
            s.x[i] = 0.0
    s.k[i] = 0


def writes_row_by_row(s, i, p, rng):
    for i in range(1):
        s.x[i] = 0.0
    s.x[i], s.k[i] = 0.0, 0


def writes_a_column_from_itself(s, i, p, rng):
    s.x[i], s.k[i] = 0.0, s.k[i]


def may_give_up(s, i, p, rng):
    try:
        s.x[i] = 1 // uniform(rng, i, 0.0, 1.0)
    except ZeroDivisionError:
        pass
    s.x[i], s.k[i] = 0.0, 0


def writes_through_another_name(s, i, p, rng):
    t = s
    t.x[i] = 0.0
    t.k[i] = 0


def answer(**members):
    found = {
        "State": State,
        "ACTION": None,
        "OBSERVATION": None,
        "reset": reset,
        "step": step,
        "observe": None,
    }
    return may_step_finished_rows(Definition(SimpleNamespace(**{**found, **members}), "Test-v0"))


def test_a_plain_environment_is_safe():
    assert answer() is True


def rounds_to_the_actions_type(s, i, action, p, rng):
    s.x[i] = action[0] * action.dtype.type(0.5) if action.itemsize == 4 else 0.0
    s.k[i] += 1
    return 0.0, False


def test_the_type_of_the_action_does_no_harm():
    assert answer(step=rounds_to_the_actions_type) is True


@pytest.mark.parametrize("id", sorted(ENVIRONMENTS))
def test_of_the_registered_environments_those_without_draws_have_the_fast_loop(id):
    draws = ".classic_control." not in ENVIRONMENTS[id].module
    assert may_step_finished_rows(registry.load(id)) is not draws


@pytest.mark.parametrize(
    "step",
    [
        looks_up,
        looks_up_in_a_literal,
        reads_another_row,
        indexes_the_action_by_state,
        takes_a_type_of_something_else,
        calls_a_function_of_the_action,
        draws,
        draws_if_asked_to,
        looks_up_in_a_parameter,
        asserts,
        loops,
        calls_a_loop,
        calls_something_compiled,
        passes_the_state_on,
        renames_the_state,
        moves_the_row,
        calls_itself,
        shadows_a_helper,
        shadows_a_function_of_python,
        shadows_a_module,
        takes_a_module_for_an_argument,
        takes_a_function_for_an_argument,
        passes_a_function_on,
        unpacks_a_function,
        assigns_a_global,
        calls_a_function_of_a_function,
        calls_what_wraps_something_harmless,
        has_too_few_arguments,
        has_too_many_arguments,
        names_an_argument,
        relies_on_a_default,
        takes_from_an_array,
        writes_into_an_array,
        renames_an_array,
        prints,
        shifts_too_far,
        shifts_by_a_function,
        shifts_a_column,
        looks_for_a_number,
        unpacks_the_rest,
        renames_the_state_in_a_tuple,
        writes_into_the_parameters,
        moves_the_row_in_passing,
        matches_the_row,
        functools.wraps(step)(draws),
        functools.partial(step),
        lambda s, i, action, p, rng: (0.0, False),
    ],
)
def test_a_step_that_may_do_harm_is_guarded(step):
    assert answer(step=step) is False


@pytest.mark.parametrize(
    "reset",
    [
        keeps_a_column,
        goes_on_from_the_last_episode,
        adds_to_the_last_episode,
        writes_sometimes,
        returns_early,
        writes_another_row,
        writes_nothing_after_a_match,
        writes_row_by_row,
        writes_a_column_from_itself,
        may_give_up,
        writes_through_another_name,
    ],
)
def test_a_reset_that_does_not_write_everything_anew_is_guarded(reset):
    assert answer(reset=reset) is False


def test_a_branch_that_the_constants_rule_out_does_no_harm():
    definition = Definition(
        SimpleNamespace(
            State=State,
            ACTION=None,
            OBSERVATION=None,
            reset=reset,
            step=draws_if_asked_to,
            observe=None,
        ),
        "Test-v0",
    )
    assert may_step_finished_rows(definition, {"noise": 0.0}) is True
    assert may_step_finished_rows(definition, {"noise": 0.1}) is False
    assert may_step_finished_rows(definition, {}) is False


def test_parameters_may_be_passed_on():
    assert answer(step=passes_the_parameters_on) is True


def test_a_file_that_changed_since_it_was_loaded_is_not_believed(tmp_path, monkeypatch):
    source = "def step(s, i, action, p, rng):\n    s.x[i] = {}\n    return 1.0, False\n"
    file = tmp_path / "game.py"
    file.write_text(source.format("s.x[action]"))
    names: dict[str, object] = {}
    exec(compile(file.read_text(), str(file), "exec"), names)
    monkeypatch.setitem(sys.modules, "game", SimpleNamespace(__file__=str(file)))
    assert answer(step=names["step"]) is False
    file.write_text(source.format("s.x[i] + 1"))
    linecache.checkcache(str(file))
    assert "s.x[i] + 1" in inspect.getsource(names["step"])
    assert answer(step=names["step"]) is False


def test_names_of_modules_and_numbers_are_harmless():
    assert answer(step=uses_what_is_known) is True


def test_columns_of_several_values_are_guarded():
    assert answer(State=WithArray) is False


@pytest.mark.parametrize("value", [(1.0, 2.0), np.ones(3), math.nan, 2**70])
def test_a_branch_is_ruled_out_by_plain_numbers_alone(value):
    definition = Definition(
        SimpleNamespace(
            State=State,
            ACTION=None,
            OBSERVATION=None,
            reset=reset,
            step=draws_if_asked_to,
            observe=None,
        ),
        "Test-v0",
    )
    assert may_step_finished_rows(definition, {"noise": value}) is False


def test_a_function_that_changed_its_code_is_judged_by_the_new_one():
    def changed(s, i, action, p, rng):
        return 0.0, False

    assert answer(step=changed) is True
    changed.__code__ = draws.__code__
    assert answer(step=changed) is False


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Run a text as a module of its own, from a file, and return it."""
    count = 0

    def write(text, **names):
        nonlocal count
        file = tmp_path / f"written{count}.py"
        count += 1
        file.write_text(text)
        module = ModuleType(file.stem)
        module.__file__ = str(file)
        vars(module).update(names)
        monkeypatch.setitem(sys.modules, file.stem, module)
        exec(compile(text, str(file), "exec"), vars(module))
        return module

    return write


HOSTILE = {
    "a local of the name of a function of its module": """
        def step(s, i, action, p, rng):
            s.x[i] = half(s.x[i])
            half = endless
            return 0.0, False
    """,
    "an assignment within an expression": """
        def step(s, i, action, p, rng):
            return 0.0, (half := endless)(s.x[i]) > 0.0
    """,
    "a class, which changes names": """
        def __helper(x):
            return x

        _Environment__helper = endless

        class Environment:
            def step(s, i, action, p, rng):
                return __helper(s.x[i]), False

        step = Environment.step
    """,
    "a function that takes the place of another": """
        def step(s, i, action, p, rng):
            return half(s.x[i]), False

        half = endless
    """,
    "a builtin that is none any more": """
        abs = endless

        def step(s, i, action, p, rng):
            return abs(s.x[i]), False
    """,
    "a module of one's own": """
        from types import SimpleNamespace
        math = SimpleNamespace(sqrt=endless)

        def step(s, i, action, p, rng):
            return math.sqrt(s.x[i]), False
    """,
    "a function with the name of a library": """
        def step(s, i, action, p, rng):
            return half(s.x[i]), False

        half = endless
        half.__module__ = "batchsim.math"
    """,
    "functions that call each other": """
        def step(s, i, action, p, rng):
            return one(s.x[i]), False

        def one(x):
            return other(x)

        def other(x):
            return one(x)
    """,
}
BEFORE = """
def endless(x):
    while True:
        x = x + 1.0

def half(x):
    return x / 2.0
"""


@pytest.mark.parametrize("what", HOSTILE)
def test_a_step_that_is_not_what_it_seems_is_guarded(written, what):
    assert answer(step=written(BEFORE + textwrap.dedent(HOSTILE[what])).step) is False


def test_an_expression_too_deep_to_be_read_is_guarded(written):
    text = "def step(s, i, action, p, rng):\n    return {}, False\n"
    for terms, harmless in ((50, True), (900, False)):
        step = written(text.format(" + ".join(["s.x[i]"] * terms))).step
        assert answer(step=step) is harmless


# What raises in Python goes on in compiled code, with NaN, infinity or any whole number.
FAILING = """
from math import acos, atanh, ceil, exp, floor, gamma, ldexp, lgamma, log, sqrt, trunc

PERIOD = 0

def reset(s, i, p, rng):
    s.x[i] = s.y[i] = uniform(rng, i, -1.0, 0.0)
    s.k[i] = s.m[i] = 0

def step(s, i, action, p, rng):
    s.m[i] = s.k[i] // PERIOD + s.k[i] % PERIOD + 5 // s.k[i] + 5 % s.k[i] + LEAST // -1
    s.m[i] = s.m[i] + LEAST % (s.m[i] - s.m[i] - 1) + s.k[i] ** -1 + s.k[i] ** s.m[i]
    s.y[i] = sqrt(s.x[i]) + log(s.x[i]) + acos(2.0) + atanh(2.0) + gamma(-1.0) + lgamma(0.0)
    s.y[i] = s.y[i] + exp(1e9) + ldexp(s.x[i], 100000) + 1.0 / s.k[i] + s.x[i] // 0.0
    s.y[i] = s.y[i] + np.power(s.k[i], s.k[i] - 1) + np.sqrt(s.x[i]) + np.divide(s.x[i], s.k[i])
    s.y[i] = s.y[i] + s.x[i] ** 0.5 + power(s.x[i], 0.5) + wrap_turns(s.y[i]) + math.pow(0.0, -1.0)
    s.m[i] = s.m[i] + int(s.y[i]) + floor(s.y[i]) + ceil(s.y[i]) + trunc(1e300) + round(s.y[i])
    return 1.0, action == 1
"""


class Four(NamedTuple):
    x: float
    y: float
    k: int
    m: int


def test_what_is_judged_harmless_does_not_fail_when_compiled(written):
    game = written(
        FAILING,
        State=Four,
        uniform=uniform,
        power=batchsim.math.power,
        wrap_turns=batchsim.math.wrap_turns,
        np=np,
        math=math,
        LEAST=np.int64(-(2**63)),
    )
    assert answer(State=Four, step=game.step, reset=game.reset) is True
    compiled = numba.njit(**OPTIONS)(game.step)
    s = Four(
        *(
            np.full(1, start, kind)
            for start, kind in zip((-0.5, 1, 0, 0), Four.__annotations__.values(), strict=True)
        )
    )
    assert compiled(s, 0, 1, 0, 0) == (1.0, True)


STEPS = [
    "s.x[i] = s.x[i] * 0.5 + action",
    "s.k[i] += action",
    "s.x[i], s.y[i] = s.y[i], half(s.x[i])",
    "if p.noise > 0.0:\n        s.y[i] = uniform(rng, i, 0.0, 1.0)",
    "if s.k[i] > 2:\n        s.y[i] = np.sqrt(abs(s.x[i]))",
    "z = s.x[i] if action == 1 else s.y[i]\n    s.y[i] = min(z, 1.0)",
    "s.y[i] = s.y[i] + uniform(rng, i, 0.0, 1.0)",
    "s.x[0] = s.x[0] + 1.0",
    "third = draw\n    s.y[i] = third(rng)",
    "t = s\n    t.x[0] = t.x[0] + 1.0",
    "j = i - 1\n    s.k[j] = s.k[j] + 1",
]
RESETS = [
    "s.x[i] = uniform(rng, i, -1.0, 1.0)",
    "s.y[i] = 0.5",
    "s.k[i] = 0",
    "s.x[i], s.y[i], s.k[i] = 0.5, uniform(rng, i, 0.0, 1.0), 1",
    "s.y[i] = s.x[i]",
    "s.k[i] += 1",
    "if s.k[i] > 3:\n        s.k[i] = 0",
    "if uniform(rng, i, 0.0, 1.0) < 0.5:\n        return",
]
RANDOM = """
def half(x):
    return x / 2.0

def third(x):
    return x / 3.0

def draw(rng):
    return uniform(rng, 0, 0.0, 1.0)

def reset(s, i, p, rng):
    {reset}

def step(s, i, action, p, rng):
    {step}
    return s.x[i] + s.y[i], s.k[i] % 3 == 2 or s.x[i] > 1.5

def observe(s, i, p, out):
    out[0], out[1], out[2] = s.x[i], s.y[i], s.k[i]
"""


class Three(NamedTuple):
    x: float
    y: float
    k: int


class Noise(NamedTuple):
    noise: float = 0.0


def test_of_what_is_judged_harmless_stepping_finished_rows_changes_nothing(written, monkeypatch):
    def run(definition):
        env = batchsim.BatchEnv(definition, 3, backend="reference")
        seen = [env.reset(seed=1)[0]]
        actions = np.random.default_rng(2)
        for _ in range(8):
            seen += env.step(actions.integers(0, 2, 3))[:4]
        env.close()
        return b"".join(array.tobytes() for array in seen)

    choose = random.Random(3)
    counts = {(judged, same): 0 for judged in (True, False) for same in (True, False)}
    for _ in range(100):
        text = RANDOM.format(
            step="\n    ".join(choose.choices(STEPS[: choose.choice((6, 11))], k=3)),
            reset="\n    ".join(choose.choices(RESETS[: choose.choice((4, 8))], k=4)),
        )
        game = written(
            text,
            State=Three,
            Params=Noise,
            ACTION=Discrete(2),
            OBSERVATION=Box(-np.inf, np.inf, (3,), np.float64),
            uniform=uniform,
            np=np,
        )
        definition = Definition(game, "Test-v0")
        with monkeypatch.context() as patch:
            guarded = run(definition)
            patch.setattr(kernels, "advance_rows_guarded", kernels.advance_rows)
            counts[may_step_finished_rows(definition), run(definition) == guarded] += 1
    assert counts[True, False] == 0
    assert min(counts[True, True], counts[False, False]) > 10
