"""Parts of an observation that parameters add."""

from typing import NamedTuple

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete

import batchsim
from batchsim.parts import part, put


class Lamp:
    """A picture, and where its light is if that is asked for."""

    class State(NamedTuple):
        place: int

    class Params(NamedTuple):
        shown: bool = False

    ACTION = Discrete(4)

    @staticmethod
    def OBSERVATION(p):  # noqa: N802
        picture = Box(0, 255, (2, 2, 1), np.uint8)
        return Dict({"a": Box(0, 9, (2, 2), int), "picture": picture}) if p.shown else picture

    @staticmethod
    def reset(s, i, p, rng):
        s.place[i] = 0

    @staticmethod
    def step(s, i, action, p, rng):
        s.place[i] = action
        return 0.0, False

    @staticmethod
    def observe(s, i, p, out):
        picture = part(out, "picture")
        for y in range(2):
            for x in range(2):
                is_there = 2 * y + x == s.place[i]
                picture[y, x, 0] = 255 * is_there
                put(out, "a", y, x, 7 * is_there)
                put(out, "b", y, x, 1)  # which there is not


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_a_part_is_written_if_it_is_there(backend):
    for shown in (False, True):
        envs = batchsim.make_vec(Lamp, 2, shown=shown, backend=backend)
        envs.reset(seed=0)
        seen = envs.step(np.array([3, 1]))[0]
        picture = seen["picture"] if shown else seen
        assert picture.reshape(2, 4).tolist() == [[0, 0, 0, 255], [0, 255, 0, 0]]
        if shown:
            assert seen["a"].reshape(2, 4).tolist() == [[0, 0, 0, 7], [0, 7, 0, 0]]
