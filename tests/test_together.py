"""A step whose rows do a part together gives each row what its `step` gives it alone."""

from typing import NamedTuple

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from numpy.testing import assert_array_equal

import batchsim

LANES = 4


def begin(s, i, action, p, rng):
    s.x[i] += action
    s.waits[i] = action > 0


def together(s, first, last):
    for lane in range(LANES):
        i = first + lane
        s.lane[first, lane] = s.x[i] if i < last else 0.0
    for _ in range(10):
        for lane in range(LANES):
            s.lane[first, lane] = np.sqrt(s.lane[first, lane]) + 0.25
    for i in range(first, last):
        if s.waits[i]:
            s.x[i] = s.lane[first, i - first]
            s.waits[i] = False


def finish(s, i, action, p, rng):
    return s.x[i], action == 2 and s.x[i] > 1.5


def reset(s, i, p, rng):
    s.x[i] = 2.0
    s.waits[i] = False


def step(s, i, action, p, rng):
    begin(s, i, action, p, rng)
    together(s, i, i + 1)
    return finish(s, i, action, p, rng)


def observe(s, i, p, out):
    out[0] = s.x[i]


class Alone:
    """Takes the root of what it has, ten times, from time to time."""

    class State(NamedTuple):
        x: float
        waits: bool

    class Scratch(NamedTuple):
        lane: batchsim.column(float, (LANES,))

    ACTION = Discrete(3)
    OBSERVATION = Box(-np.inf, np.inf, (1,), np.float64)

    reset, step, observe = reset, step, observe


class Together(Alone):
    LANES = LANES
    begin, together, finish = begin, together, finish


def played(opened, definition, sizes, **kwargs):
    actions = np.random.default_rng(0).integers(0, 3, (40, sum(sizes)))
    first, found = 0, []
    for size in sizes:
        envs = opened(batchsim.make_vec(definition, size, **kwargs))
        steps = [envs.reset(seed=0)[0][:, 0]]
        for row in actions[:, first : first + size]:
            obs, reward, terminated, _, _ = envs.step(row)
            steps += [obs[:, 0], reward, terminated]
        found.append(np.array(steps, float))
        first += size
    return np.concatenate(found, axis=1)


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_rows_together_do_what_each_does_alone(opened, mode):
    alone = played(opened, Alone, [75], backend="reference", autoreset_mode=mode)
    for sizes in ([75], [1, 2, 3, 4, 5, 60]):
        for threads in (1, 2):
            found = played(opened, Together, sizes, num_threads=threads, autoreset_mode=mode)
            assert_array_equal(found, alone)
    for kwargs in ({"backend": "reference"}, {"checked": True}):
        assert_array_equal(played(opened, Together, [75], autoreset_mode=mode, **kwargs), alone)


@pytest.mark.parametrize("name", ["begin", "together", "finish", "LANES"])
def test_a_definition_with_a_part_of_the_parts_is_refused(name):
    names = {key: value for key, value in vars(Together).items() if key != name}
    partial = type("Partial", (Alone,), names)
    with pytest.raises(TypeError, match=f"The definition of Partial has no {name}; it needs all"):
        batchsim.make_vec(partial, 2, backend="reference")
