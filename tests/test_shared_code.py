"""What batches and environments share of what is compiled: the parts that read no difference."""

from typing import NamedTuple

import numpy as np
import oracle
import pytest
from gymnasium.spaces import Box, Dict, Discrete

import batchsim
from batchsim.compiler import compile
from batchsim.random import uniform


def start(p):
    return p.low


class Tables(NamedTuple):
    costs: np.ndarray


class Swing:
    """Each function reads parameters of its own, by a helper and by `getattr` too."""

    class State(NamedTuple):
        x: float

    class Params(NamedTuple):
        force: float = 1.0
        low: float = 0.25
        scale: float = 2.0
        weight: float = 3.0

    class Options(NamedTuple):
        push: float = 0.5

    ACTION = Discrete(2)
    OBSERVATION = Box(-np.inf, np.inf, (1,), np.float64)

    def tables(p):  # noqa: N805
        return Tables(np.array([2.0, 7.0]))

    def reset(s, i, p, rng):  # noqa: N805
        s.x[i] = uniform(rng, i, start(p), 1.0) + p.push

    def step(s, i, action, p, rng):  # noqa: N805
        s.x[i] += p.force * action + p.costs[action] * uniform(rng, i, 0.0, 1.0)
        return s.x[i] * p.weight, s.x[i] > 20.0

    def observe(s, i, p, out):  # noqa: N805
        out[0] = s.x[i] * p.scale


class Reflecting(Swing):
    def observe(s, i, p, out):  # noqa: N805
        out[0] = s.x[i] * getattr(p, "scale")  # noqa: B009


class Board:
    """Nothing of it is as in `Swing` but the actions and the streams."""

    class State(NamedTuple):
        board: batchsim.column(np.int8, (2, 3))
        turn: int

    class Scratch(NamedTuple):
        queue: batchsim.column(np.int32, (6,))

    ACTION = Discrete(2)
    OBSERVATION = Dict({"board": Box(0, 9, (2, 3), np.int8), "turn": Box(0, 99, (1,), np.int64)})

    def reset(s, i, p, rng):  # noqa: N805
        s.board[i, 1, 2] = 9 * uniform(rng, i, 0.0, 1.0)
        s.turn[i] = 0

    def step(s, i, action, p, rng):  # noqa: N805
        s.queue[i, 3] = action + s.board[i, 1, 2]
        s.board[i, action, s.turn[i] % 3] = s.queue[i, 3] % 9
        s.turn[i] += 1
        return 1.0 * s.queue[i, 3], s.turn[i] > 5

    def observe(s, i, p, out):  # noqa: N805
        out.board[:] = s.board[i]
        out.turn[0] = s.turn[i]


class Choosing(Swing):
    ACTION = Discrete(3)


def keys(definition=Swing, **settings):
    """What the parts of a kernel would be kept under."""
    env = batchsim.make_vec(definition, 3, backend="reference", **settings)
    return compile._Plan(env._kernels.spec, for_numba=False).keys


ADVANCE, RESTART, OBSERVE = "advance_rows", "restart_rows", "observe_rows"
ROWS = [0.1, 0.2, 0.3]
CHANGES = {
    "the time limit": ({"max_episode_steps": 5}, set()),
    "the autoreset mode": ({"autoreset_mode": "SameStep"}, set()),
    "statistics": ({"record_episode_statistics": True}, set()),
    "stacked frames": ({"frame_stack": 3}, set()),
    "what step reads": ({"weight": 4.0}, {ADVANCE}),
    "what step reads, by row": ({"weight": ROWS}, {ADVANCE}),
    "what reset reads": ({"low": 0.5}, {RESTART}),
    "what observe reads": ({"scale": 0.5}, {OBSERVE}),
    "what two read": ({"scale": 0.5, "low": ROWS}, {OBSERVE, RESTART}),
    "the precision": ({"precision": "fast"}, {ADVANCE, RESTART, OBSERVE}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_part_is_compiled_anew_for_what_it_reads_alone(change):
    settings, expected = CHANGES[change]
    before, after = keys(), keys(**settings)
    assert {name for name in before if before[name] != after[name]} == expected


def test_how_many_actions_there_are_is_in_no_key():
    assert keys(Choosing) == keys()


def test_the_value_of_a_parameter_that_was_given_is_in_no_key():
    assert keys(weight=4.0) == keys(weight=5.0)


def test_what_is_read_by_getattr_may_be_anything():
    before, after = keys(Reflecting), keys(Reflecting, weight=4.0)
    assert before[OBSERVE] != after[OBSERVE]
    assert before[RESTART] == after[RESTART]


GIVEN = [
    {},
    {"force": 0.5, "scale": ROWS},
    {"low": ROWS, "weight": 0.25, "max_episode_steps": 4},
    {"force": ROWS, "low": 0.5, "scale": 3.0, "weight": ROWS, "max_episode_steps": 70_000},
    {"weight": ROWS, "frame_stack": 3, "max_episode_steps": 40_000},
]


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
@pytest.mark.parametrize("given", GIVEN, ids=range(len(GIVEN)))
def test_each_part_finds_what_it_reads(given, mode):
    have_the_same_bits(Swing, {"push": ROWS}, autoreset_mode=mode, **given)


@pytest.mark.parametrize("given", [{}, {"record_episode_statistics": True, "frame_stack": 2}])
def test_what_is_shared_finds_what_another_environment_has(given):
    for definition in (Swing, Board, Swing):
        have_the_same_bits(definition, None, **given)


def have_the_same_bits(definition, options, **settings):
    envs = [
        batchsim.make_vec(definition, 3, backend=backend, **settings)
        for backend in ("native", "reference")
    ]
    rng = np.random.default_rng(0)
    seen = [[env.reset(seed=5, options=options)[0]] for env in envs]
    for _ in range(12):
        actions = rng.integers(0, 2, 3)
        for env, results in zip(envs, seen, strict=True):
            results += env.step(actions)[:4]
    assert oracle.bits(tuple(seen[0])) == oracle.bits(tuple(seen[1]))
