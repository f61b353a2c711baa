"""A user's own environment: any class or module with the names of the author's contract.

Each environment here is written so that a shortcut of the compiled kernel would show. The oracle is
the reference backend: the same functions as plain Python.
"""
# ruff: noqa: N805 - the author's contract: plain functions, whose first argument is the state

import sys
import textwrap
from collections import namedtuple
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import oracle
import pytest
from gymnasium import error
from gymnasium.spaces import Box, Dict, Discrete, Text
from gymnasium.vector import AutoresetMode

import batchsim
from batchsim.definition import Definition
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
    env.reset(seed=0)
    for _ in range(3):
        env.step(np.array([0, 1, 0]))
    with pytest.raises(IndexError):
        env.step(np.array([0, 1, 0]))


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
        ({"OBSERVATION": Text(3)}, "observation space of Test-v0 is Text.*; expected Box, Disc"),
        ({"OBSERVATION": Dict(a=Text(3))}, "observation space of Test-v0 is Text.*; expected Box"),
        ({"State": NamedTuple("State", [("x", str)])}, "State.x of Test-v0 .*; expected"),
        ({"Params": NamedTuple("Params", [("x", float)])}, "Params.x has no default value"),
    ],
)
def test_a_name_that_is_not_what_it_should_be_is_refused(members, expected):
    with pytest.raises(TypeError, match=expected):
        make(changed(**members), backend="reference")


def test_a_variable_of_an_enclosing_function_is_refused():
    captured = 2.0

    def step(s, i, action, p, rng):
        return captured, False

    with pytest.raises(TypeError, match="step uses a variable of an enclosing function"):
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
