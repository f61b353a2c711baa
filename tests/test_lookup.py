"""Looking up tables and lighting colours: the same numbers in Python and in vector instructions."""

from typing import NamedTuple

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

import batchsim
from batchsim.lookup import lit, lookup

COUNT = 77  # no multiple of a vector's width


class Gather:
    """Shows a table, looked up at computed places, and lit."""

    class State(NamedTuple):
        start: int

    class Arguments(NamedTuple):
        seed: int = 0

    class Tables(NamedTuple):
        colours: np.ndarray

    OBSERVATION, ACTION = Box(0, 255, (COUNT, 3), np.uint8), Discrete(2)

    @staticmethod
    def tables(arguments):
        random = np.random.default_rng(arguments.seed)
        return Gather.Tables(random.integers(0, 2**32, 1000, np.uint32))

    @staticmethod
    def reset(s, i, p, rng):
        s.start[i] = 0

    @staticmethod
    def step(s, i, action, p, rng):
        s.start[i] += 1 + 3 * action
        return 0.0, False

    @staticmethod
    def observe(s, i, p, out):
        start = np.float32(np.int32(s.start[i]))
        for k in range(COUNT):
            place = start + np.float32(np.int32(k)) * np.float32(11.5)
            colour = lookup(p.colours, np.int32(place))
            even, odd = lit(colour, np.int32(3 * k))
            out[k, 0] = (even >> 8) & 255
            out[k, 1] = (odd >> 8) & 255
            out[k, 2] = (even >> 24) & 255


def expected(start):
    colours = Gather.tables(Gather.Arguments()).colours
    places = (start + np.arange(COUNT) * 11.5).astype(int)
    channels = colours[places][:, None] >> np.array([0, 8, 16], np.uint32) & 255
    return (channels * (3 * np.arange(COUNT, dtype=np.uint32))[:, None] >> 8).astype(np.uint8)


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("precision", ["exact", "fast"])
def test_what_is_looked_up_and_lit_is_what_numpy_finds(backend, precision):
    envs = batchsim.make_vec(Gather, 3, backend=backend, precision=precision)
    seen, _ = envs.reset(seed=0)
    np.testing.assert_array_equal(seen, np.stack([expected(0)] * 3))
    start = np.zeros(3, int)
    for actions in ([0, 1, 0], [1, 1, 0], [0, 0, 0]):
        start += 1 + 3 * np.array(actions)
        seen = envs.step(np.array(actions))[0]
        np.testing.assert_array_equal(seen, np.stack([expected(one) for one in start]))


@pytest.mark.parametrize("light", [0, 1, 100, 255, 256])
def test_light_dims_each_channel_by_itself(light):
    for colour in (0x000000, 0xFFFFFF, 0x123456, 0xFF000000, 0xFF00FF, 0x00FF00):
        even, odd = lit(np.uint32(colour), np.int32(light))
        found = (even >> 8) & 255, (odd >> 8) & 255, (even >> 24) & 255
        channels = colour & 255, colour >> 8 & 255, colour >> 16 & 255
        assert found == tuple(channel * light >> 8 for channel in channels)
