"""A finished row is stepped only where that is harmless; what is not understood counts as harm."""

import inspect
import linecache
import sys
from types import SimpleNamespace
from typing import NamedTuple

import numba
import numpy as np
import pytest

from batchsim import registry
from batchsim.definition import Definition
from batchsim.math import sin
from batchsim.random import uniform
from batchsim.registry import ENVIRONMENTS
from batchsim.safety import may_step_finished_rows

TABLE = np.arange(3.0)


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


def test_columns_of_several_values_are_guarded():
    assert answer(State=WithArray) is False
