"""A user's own environment: any class or module with the names of the author's contract.

Each environment here is written so that a shortcut of the compiled kernel would show. The oracle is
the reference backend: the same functions as plain Python.
"""
# ruff: noqa: N805 - the author's contract: plain functions, whose first argument is the state

import inspect
import re
import sys
import textwrap
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import oracle
import pytest
from gymnasium import error
from gymnasium.spaces import Box, Dict, Discrete, Graph, Text
from gymnasium.vector import AutoresetMode

import batchsim
from batchsim.definition import CompileError, Definition
from batchsim.random import integers, uniform

LINE = Box(-np.inf, np.inf, (1,), np.float32)


class CarriesOver:
    """The next episode starts where the last one ended: reset reads the state."""

    class State(NamedTuple):
        level: float

    ACTION = Discrete(2)
    OBSERVATION = LINE

    def reset(s, i, p, rng):
        s.level[i] = s.level[i] * 0.5 + uniform(rng, i, 0.0, 1.0)

    def step(s, i, action, p, rng):
        s.level[i] = s.level[i] + 1.0
        return s.level[i], s.level[i] > 3.0

    def observe(s, i, p, out):
        out[0] = s.level[i]


class LooksUp:
    """The level at the end of an episode is one past the end of a table."""

    class State(NamedTuple):
        level: int

    ACTION = Discrete(2)
    OBSERVATION = LINE

    def reset(s, i, p, rng):
        s.level[i] = integers(rng, i, 0, 2)

    def step(s, i, action, p, rng):
        reward = (1.0, 2.0, 4.0)[s.level[i]]
        s.level[i] = s.level[i] + action
        return reward, s.level[i] == 3

    def observe(s, i, p, out):
        out[0] = s.level[i]


ManyKinds = namedtuple("ManyKinds", "place cells episodes won")
# By hand, as NamedTuple's syntax allows no tuple.
ManyKinds.__annotations__ = {
    "place": np.int8,
    "cells": (np.int16, (3,)),
    "episodes": np.uint32,
    "won": bool,
}


class DrawsInStep:
    """Draws random numbers in a step, and keeps a column that reset leaves alone."""

    State = ManyKinds

    class Params(NamedTuple):
        chance: float = 0.25
        bonus: int = 2

    ACTION = Discrete(3, start=-1)
    OBSERVATION = Box(-np.inf, np.inf, (5,), np.float64)

    def reset(s, i, p, rng):
        s.place[i] = integers(rng, i, -2, 3)
        s.episodes[i] += 1
        for k in range(3):
            s.cells[i, k] = integers(rng, i, 0, 1000)

    def step(s, i, action, p, rng):
        s.place[i] = s.place[i] + action
        slipped = uniform(rng, i, 0.0, 1.0) < p.chance
        if slipped:
            s.cells[i, integers(rng, i, 0, 3)] += p.bonus
        s.won[i] = s.place[i] > 3
        return p.bonus * slipped - 0.125 * action, s.place[i] < -3 or s.won[i]

    def observe(s, i, p, out):
        out[0] = s.place[i]
        for k in range(3):
            out[1 + k] = s.cells[i, k]
        out[4] = s.episodes[i]


CASES = [
    # Only there is a row stepped although its episode is over.
    (CarriesOver, AutoresetMode.NEXT_STEP),
    (LooksUp, AutoresetMode.NEXT_STEP),
    (DrawsInStep, AutoresetMode.NEXT_STEP),
    (DrawsInStep, AutoresetMode.SAME_STEP),
]


@pytest.mark.parametrize(("namespace", "mode"), CASES)
def test_a_users_environment_has_the_reference_backends_bits(namespace, mode, capfd):
    definition = Definition(namespace, namespace.__name__)
    settings = {"autoreset_mode": mode, "max_episode_steps": 9}
    native, reference = (
        batchsim.BatchEnv(definition, 70, backend=backend, **settings)
        for backend in ("native", "reference")
    )
    oracle.assert_same_reset(reference.reset(seed=3), native.reset(seed=3))
    actions = oracle.Actions(native)
    over = np.zeros(70, np.bool_)
    for t in range(40):
        if mode is AutoresetMode.DISABLED and over.any():
            options = {"reset_mask": over}
            oracle.assert_same_reset(
                reference.reset(options=options), native.reset(options=options)
            )
        batch = actions()
        expected = reference.step(batch)
        oracle.assert_same_step(expected, native.step(batch), f"step {t}")
        over = expected[2] | expected[3]
    oracle.assert_same_streams(reference, native)
    native.close()
    assert "rror" not in capfd.readouterr().err  # raised in compiled code and ignored


class FallsOff:
    """Reads past the end of a table, in the fourth step, in a row that is alive."""

    class State(NamedTuple):
        level: int

    ACTION = Discrete(2)
    OBSERVATION = LINE

    def reset(s, i, p, rng):
        s.level[i] = 0

    def step(s, i, action, p, rng):
        reward = (1.0, 2.0, 4.0)[s.level[i]]
        s.level[i] = s.level[i] + action
        return reward, False

    def observe(s, i, p, out):
        out[0] = s.level[i]


@pytest.mark.parametrize("function", [oracle.step, oracle.send_and_receive])
def test_an_error_in_compiled_code_is_not_passed_over(function):
    definition = Definition(FallsOff, "FallsOff-v0")
    env = batchsim.BatchEnv(definition, 200, num_threads=2, autoreset_mode="Disabled")
    climb = np.arange(200) % 3 == 1
    for _ in range(2):
        env.reset(seed=0)
        for t in range(3):
            assert function(env, climb.astype(np.int64))[1].max() == 2.0**t
        with pytest.raises(RuntimeError, match=r"FallsOff-v0 .*call reset\(\) first"):
            function(env, climb.astype(np.int64))
        with pytest.raises(error.ResetNeeded):
            function(env, climb.astype(np.int64))
    env.close()
    env = batchsim.BatchEnv(definition, 3, backend="reference")
    for _ in range(2):
        env.reset(seed=0)
        for _ in range(3):
            function(env, np.array([0, 1, 0]))
        with pytest.raises(IndexError):
            function(env, np.array([0, 1, 0]))
        # As in compiled code: row 0 is a step ahead of the others, and one half done.
        with pytest.raises(error.ResetNeeded, match="call reset"):
            function(env, np.array([0, 1, 0]))
        with pytest.raises(error.ResetNeeded, match="call reset"):
            env.get_state()


class FailsToStart(FallsOff):
    """Cannot be reset where an option says so."""

    class Options(NamedTuple):
        level: int = 0

    def reset(s, i, p, rng):
        s.level[i] = (0, 1, 2)[p.level]


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_a_reset_that_fails_leaves_a_batch_that_only_a_reset_brings_back(backend):
    env = batchsim.make_vec(FailsToStart, 3, backend=backend, autoreset_mode="Disabled")
    kind = RuntimeError if backend == "native" else IndexError
    env.reset(seed=0)
    state = env.get_state()
    for call in (env.get_state, lambda: env.step(np.zeros(3, np.int64))):
        with pytest.raises(kind):
            env.reset(options={"level": np.array([0, 3, 0])})
        with pytest.raises(error.ResetNeeded, match="call reset"):
            call()
    env.set_state(state)
    assert (env.step(np.zeros(3, np.int64))[1] == 1.0).all()


class Plain:
    """The least there is."""

    class State(NamedTuple):
        x: float

    ACTION = Discrete(2)
    OBSERVATION = LINE

    def reset(s, i, p, rng):
        s.x[i] = 0.0

    def step(s, i, action, p, rng):
        s.x[i] += action
        return 1.0, False

    def observe(s, i, p, out):
        out[0] = s.x[i]


def changed(**members):
    """`Plain` with other members; None leaves one out."""
    names = ("State", "ACTION", "OBSERVATION", "reset", "step", "observe")
    found = {name: Plain.__dict__[name] for name in names} | members
    return SimpleNamespace(**{name: value for name, value in found.items() if value is not None})


def fields(*defaults, **annotations):
    """A NamedTuple of these fields, the last with these defaults."""
    cls = namedtuple("Fields", annotations, defaults=defaults)
    cls.__annotations__ = annotations
    cls.__module__ = __name__
    return cls


def inform(s, i, p, out):
    pass


def make(namespace, **kwargs):
    return batchsim.BatchEnv(Definition(namespace, "Test-v0"), 3, **kwargs)


def move(s, i, action, p, rng):
    s.x[i] += action
    return action, False


@pytest.mark.parametrize("start", [-1, 2**31 - 2, -(2**40)])
def test_discrete_actions_may_start_anywhere(start):
    env = make(changed(ACTION=Discrete(3, start=start), step=move), autoreset_mode="Disabled")
    env.reset(seed=0)
    good = start + np.array([2, 0, 1])
    for t in range(3):
        observations, rewards, *_ = oracle.send_and_receive(env, good)
        assert rewards.tolist() == good.tolist()
        for wrong in (start - 1, start + 3, start + 2**32, start - 2**32 + 1):
            bad = good.copy()
            bad[t] = wrong
            with pytest.raises(ValueError, match=f"row {t} is {wrong}; expected"):
                env.step(bad)
    oracle.assert_same_array((3.0 * good)[:, None].astype(np.float32), observations, "sums")
    env.close()


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_the_least_environment_works(backend):
    env = make(Plain, backend=backend, autoreset_mode="Disabled")
    env.reset(seed=0)
    observations, rewards, *_ = env.step(np.array([0, 1, 1]))
    assert observations[:, 0].tolist() == [0.0, 1.0, 1.0]
    assert rewards.tolist() == [1.0, 1.0, 1.0]
    env.close()


@pytest.mark.parametrize("missing", ["State", "ACTION", "OBSERVATION", "reset", "step", "observe"])
def test_a_missing_name_is_named(missing):
    with pytest.raises(TypeError, match=f"has no {missing}"):
        make(changed(**{missing: None}))


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"ACTION": 3}, "ACTION of Test-v0 is 3; expected a gymnasium space"),
        ({"ACTION": Text(3)}, "action space is .*; expected Discrete, MultiDiscrete"),
        ({"OBSERVATION": Text(3)}, "Test-v0 has a text in OBSERVATION but no TOKENS; it needs"),
        ({"OBSERVATION": Graph(LINE, None)}, "space of Test-v0 is Graph.*; expected Box, Discrete"),
        ({"OBSERVATION": Dict(a=Graph(LINE, None))}, "space of Test-v0 is Graph.*; expected Box"),
        ({"State": fields(x=str)}, "State.x of Test-v0 .*; expected"),
        ({"State": fields(x=">f8")}, "annotated '>f8'; expected names of its module"),
        ({"State": fields(x=np.dtype(">f8"))}, "has dtype >f8; expected .*order of bytes"),
        ({"State": fields(x=np.dtype(">i4"))}, "has dtype >i4; expected .*order of bytes"),
        ({"State": fields(x=np.float16)}, "has dtype float16; expected .*float32, float64"),
        ({"State": fields(x=complex)}, "has dtype complex128; expected"),
        ({"State": fields(x=np.dtype(("f2", (3,))))}, "has dtype float16; expected"),
        ({"State": fields(x="Float")}, "annotated 'Float'; expected names .*'Float' is not def"),
        ({"State": fields(x="np.flat64")}, "annotated 'np.flat64'; expected names .*flat64"),
        ({"State": fields(x="float float")}, "annotated 'float float'; expected names"),
        ({"State": namedtuple("State", "x")}, "State of Test-v0 is .*; expected an annotation"),
        ({"State": type("State", (), {"x": 0.0})}, "State of Test-v0 is .*; expected a class w"),
        ({"State": 3}, "State of Test-v0 is 3; expected a class with NamedTuple as its base"),
        ({"Scratch": dict}, "Scratch of Test-v0 is <class 'dict'>; expected a class with Named"),
        ({"Params": type("Params", (), {})}, "Params is .*; expected a class with NamedTuple"),
        ({"Options": {"low": 0.0}}, r"Options is \{'low': 0.0\}; expected a class with NamedT"),
        ({"Arguments": dict}, "Arguments of Test-v0 is <class 'dict'>; expected a class with N"),
        ({"Arguments": fields(x=str)}, "Arguments.x of Test-v0 has no default value"),
        ({"Info": dict, "inform": inform}, "Info of Test-v0 is <class 'dict'>; expected a class"),
        ({"Params": fields(x=float)}, "Params.x has no default value"),
    ],
)
def test_a_name_that_is_not_what_it_should_be_is_refused(members, expected):
    with pytest.raises(TypeError, match=expected) as caught:
        make(changed(**members), backend="reference")
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def arguments(function):
    """The names of a function's arguments that can be passed by keyword."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}


OF_BATCHES = arguments(batchsim.BatchEnv) | arguments(batchsim.make_vec)
OF_SINGLE = arguments(batchsim.SingleEnv) | arguments(batchsim.make)
RESERVED = [
    *(("Params", name) for name in sorted(OF_BATCHES | OF_SINGLE)),
    *(("Arguments", name) for name in sorted(OF_BATCHES | OF_SINGLE)),
    ("Options", "reset_mask"),
    ("Info", "episode"),
    ("Info", "final_obs"),
    ("Info", "final_info"),
    *((part, "view") for part in ("State", "Scratch", "Params", "Options", "Info")),
]


@pytest.mark.parametrize(("part", "name"), RESERVED)
def test_a_name_with_a_meaning_of_its_own_is_refused(part, name):
    members = {part: fields(1.0, **{name: float})}
    if part == "Info":
        members["inform"] = inform
    with pytest.raises(TypeError, match=f"^{part}.{name} of Test-v0 .*; choose another.$"):
        make(changed(**members), backend="reference")


def test_the_contract_lists_the_reserved_names():
    contract = (Path(__file__).parent.parent / "docs" / "contract.md").read_text()
    section = contract.partition("### Reserved names\n")[2].partition("\n## ")[0]
    assert {name for _, name in RESERVED} <= set(re.findall(r"`(\w+)`", section))


def size_table(values):
    return namedtuple("Tables", "size")(np.arange(3))


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"Params": 1.0, "Options": 1.0}, "both Params and Options"),
        ({"Params": 1.0, "Arguments": 1.0}, "both Params and Arguments"),
        ({"Options": 1.0, "Arguments": 1.0}, "both Options and Arguments"),
        ({"Params": 1.0, "tables": size_table}, "both tables and Params, Options or Arguments"),
        ({"Options": 1.0, "tables": size_table}, "both tables and Params, Options or Arguments"),
        ({"Arguments": 1.0, "tables": size_table}, "both tables and Params, Options or Arg"),
    ],
)
def test_a_name_that_two_parts_have_is_refused(members, expected):
    members = {k: fields(v, size=float) if v == 1.0 else v for k, v in members.items()}
    with pytest.raises(TypeError, match=f"^'size' is a field of {expected}.* of Test-v0.$"):
        make(changed(**members), backend="reference")


@pytest.mark.parametrize("dtype", [">f8", ">i2", np.float16, np.longdouble, complex, "U3"])
def test_a_table_that_cannot_be_compiled_is_refused(dtype):
    def tables(arguments):
        return namedtuple("Tables", "size")(np.zeros(3, dtype))

    with pytest.raises(TypeError, match=r"^The table 'size' of Test-v0 .*; expected .*bytes.$"):
        make(changed(tables=tables), backend="reference")


class Weighs:
    """Pays what stands in a table, in a parameter and in its counter."""

    class State(NamedTuple):
        count: int

    class Params(NamedTuple):
        prices: tuple[float, float] = (1.0, 2.0)
        size: int = 3

    class Tables(NamedTuple):
        weights: np.ndarray

    WEIGHTS = np.arange(4.0)
    ACTION = Discrete(2)
    OBSERVATION = LINE

    def tables(arguments):
        return Weighs.Tables(Weighs.WEIGHTS)

    def reset(s, i, p, rng):
        s.count[i] = 0

    def step(s, i, action, p, rng):
        return p.weights[2] + p.prices[1], False

    def observe(s, i, p, out):
        out[0] = p.size


class WritesTable(Weighs):
    """Changes what all rows share."""

    def step(s, i, action, p, rng):
        p.weights[2] = 100.0
        return 0.0, False


class WritesParameter(Weighs):
    """Changes what its row was given."""

    def step(s, i, action, p, rng):
        p.prices[1] = 100.0
        return 0.0, False


PRICES = np.arange(6.0).reshape(3, 2)


@pytest.mark.parametrize("namespace", [WritesTable, WritesParameter])
@pytest.mark.parametrize("precision", ["exact", "fast"])
def test_what_an_environment_is_given_cannot_be_written_to(namespace, precision):
    prices, weights = PRICES.copy(), Weighs.WEIGHTS.copy()
    settings = {"precision": precision, "prices": prices}
    env = batchsim.make_vec(namespace, 3, backend="reference", **settings)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="read-only"):
        env.step(np.zeros(3, np.int64))
    with pytest.raises(CompileError, match=r"may only (be )?read"):
        batchsim.make_vec(namespace, 3, checked=True, **settings)
    assert (prices == PRICES).all()
    assert (weights == Weighs.WEIGHTS).all()


def test_arrays_that_a_caller_changes_later_change_nothing():
    prices = PRICES.copy()
    env = batchsim.make_vec(Weighs, 3, backend="reference", prices=prices)
    twin = batchsim.make_vec(Weighs, 3, backend="reference", prices=PRICES)
    prices[:] = -1.0
    env.reset(seed=0)
    twin.reset(seed=0)
    oracle.assert_same_step(twin.step(np.zeros(3, np.int64)), env.step(np.zeros(3, np.int64)))


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (2**63, f"'size' is {2**63}; expected a number of 64 bits"),
        (-(2**63) - 1, f"'size' is {-(2**63) - 1}; expected a number of 64 bits"),
        (10**30, f"'size' is {10**30}; expected a number of 64 bits"),
        (np.uint64(2**63), f"'size' is {2**63}; expected a number of 64 bits"),
        (
            np.array([1, 2, 2**63], np.uint64),
            rf"'size' is {2**63} in row 2; expected below 2\*\*63",
        ),
        (
            np.full(3, 2**64 - 1, np.uint64),
            rf"'size' is {2**64 - 1} in row 0; expected below 2\*\*63",
        ),
    ],
)
def test_whole_numbers_beyond_64_bits_are_refused(size, message):
    with pytest.raises(ValueError, match=f"^The parameter {message}.$"):
        batchsim.make_vec(Weighs, 3, backend="reference", size=size)


@pytest.mark.parametrize(
    "size", [2**63 - 1, -(2**63), np.full(3, 2**63 - 1, np.uint64), np.full(3, 5, np.uint8)]
)
def test_whole_numbers_of_64_bits_are_taken(size):
    env = batchsim.make_vec(Weighs, 3, backend="reference", size=size)
    expected = np.broadcast_to(np.asarray(size, np.int64), 3).astype(np.float32)
    assert env.reset(seed=0)[0][:, 0].tolist() == expected.tolist()


def test_a_variable_of_an_enclosing_function_is_refused():
    captured = 2.0

    def step(s, i, action, p, rng):
        return captured, False

    with pytest.raises(CompileError, match="step uses 'captured', a variable of an enclosing"):
        make(changed(step=step))


@pytest.mark.parametrize("future", ["", "from __future__ import annotations"])
def test_a_module_may_be_an_environment(tmp_path, monkeypatch, future):
    """With postponed annotations, too, which many modules ask for."""
    source = f"""
        {future}
        from typing import NamedTuple
        import numpy as np
        from gymnasium.spaces import Box, Discrete

        class State(NamedTuple):
            x: float
            count: np.int16

        class Params(NamedTuple):
            size: float = 1.5

        ACTION = Discrete(2)
        OBSERVATION = Box(-np.inf, np.inf, (1,), np.float32)

        def reset(s, i, p, rng):
            s.x[i] = p.size
            s.count[i] = 0

        def step(s, i, action, p, rng):
            s.count[i] += 1
            return p.size, False

        def observe(s, i, p, out):
            out[0] = s.x[i] + s.count[i]
    """
    module = f"environment_{'postponed' if future else 'usual'}"
    (tmp_path / f"{module}.py").write_text(textwrap.dedent(source))
    monkeypatch.syspath_prepend(tmp_path)
    env = make(__import__(module), backend="reference", size=2.5)
    assert env.reset(seed=0)[0][:, 0].tolist() == [2.5, 2.5, 2.5]
    del sys.modules[module]


def test_a_time_limit_is_the_callers_business():
    env = make(Plain, backend="reference")
    assert env.max_episode_steps is None
    env.reset(seed=0)
    assert not any(env.step(np.ones(3, np.int64))[3].any() for _ in range(1200))


class Spans:
    """Draws between the members of an option, and tells those of a parameter."""

    class State(NamedTuple):
        x: float

    class Params(NamedTuple):
        gains: tuple[float, float, float] = (-1.0, 2.5, 0.0)

    class Options(NamedTuple):
        span: tuple[float, float] = (-1.0, 2.5)
        add: int = 3
        turned: bool = False

    OBSERVATION = Box(-999.0, 999.0, (3,), np.float64)
    ACTION = Discrete(2)

    def reset(s, i, p, rng):
        s.x[i] = uniform(rng, i, p.span[0], p.span[1]) + p.add
        if p.turned:
            s.x[i] = -s.x[i]

    def step(s, i, action, p, rng):
        s.x[i] += 1.0
        return p.gains[1], s.x[i] > 6.0

    def observe(s, i, p, out):
        out[0] = s.x[i]
        out[1] = p.gains[0]
        out[2] = p.gains[2]


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
@pytest.mark.parametrize("precision", ["exact", "fast"])
def test_values_of_several_numbers_are_a_rows_own_in_both_backends(opened, mode, precision):
    gains = np.asfortranarray(np.arange(210.0).reshape(70, 3))
    spans = np.asfortranarray(np.arange(140.0).reshape(70, 2))
    rows = np.arange(70)
    envs = [
        opened(
            batchsim.make_vec(
                *(Spans, 70), precision=precision, autoreset_mode=mode, backend=backend, gains=gains
            )
        )
        for backend in ("native", "reference")
    ]
    for options in (
        None,
        {"span": (5.0, 6.0)},
        {"add": rows, "turned": rows % 2 == 0},
        {"span": spans, "reset_mask": rows % 3 == 0},
        None,
    ):
        one, other = (env.reset(seed=4, options=options)[0] for env in envs)
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one[:, 1:], gains[:, [0, 2]])
        for _ in range(12):
            # Those that end start anew with the defaults.
            one, other = (env.step(np.zeros(70, np.int64)) for env in envs)
            for found, expected in zip(one[:4], other[:4], strict=True):
                np.testing.assert_array_equal(found, expected)
