"""Rows of pictures: the same bytes in Python, in vector instructions and in NumPy."""

from typing import NamedTuple

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

import batchsim
from batchsim.raster import BLUE, GREEN, RED, advance, choose, paint, paint_row, shifted

COLOURS = np.random.default_rng(0).integers(0, 2**32, 1000, np.uint32)
WIDEST = 48


class Wallpaper:
    """Two rows of pixels, looked up at computed places."""

    class State(NamedTuple):
        start: int

    class Scratch(NamedTuple):
        texels: np.dtype((np.int32, WIDEST))
        lights: np.dtype((np.int32, WIDEST))

    class Params(NamedTuple):
        width: int = 37
        grayscale: bool = False
        channels_first: bool = False

    class Arguments(NamedTuple):
        pass

    class Tables(NamedTuple):
        colours: np.ndarray

    ACTION = Discrete(2)

    @staticmethod
    def OBSERVATION(p):  # noqa: N802
        channels = 1 if p.grayscale else 3
        shape = (channels, 2, p.width) if p.channels_first else (2, p.width, channels)
        return Box(0, 255, shape, np.uint8)

    @staticmethod
    def tables(arguments):
        return Wallpaper.Tables(COLOURS)

    @staticmethod
    def reset(s, i, p, rng):
        s.start[i] = 0

    @staticmethod
    def step(s, i, action, p, rng):
        s.start[i] += 1 + 3 * action
        return 0.0, False

    @staticmethod
    def observe(s, i, p, out):
        for y in range(2):
            place = advance(s.start[i] * 2**31, 0)
            for x in range(p.width):
                place = advance(place, -(2**30) * 7 // 5)
                s.texels[i, x] = choose(x % 5 == 0, 7, shifted(place, 0, 23) + y)
                s.lights[i, x] = x * 256 // p.width
            paint_row(
                p.colours, s.texels, s.lights, i, out, y, p.width, p.grayscale, p.channels_first
            )


def expected(start, width, grayscale, channels_first):
    x, y = np.arange(width), np.arange(2)[:, None]
    places = (start * 2**31 + (x + 1) * (-(2**30) * 7 // 5)) % 2**32 // 2**23
    colours = COLOURS[np.where(x % 5 == 0, 7, places + y)].astype(int)
    channels = [(colours >> k & 255) * (x * 256 // width) >> 8 for k in (0, 8, 16)]
    if grayscale:
        channels = [(RED * channels[0] + GREEN * channels[1] + BLUE * channels[2]) >> 8]
    return np.stack(channels, 0 if channels_first else -1).astype(np.uint8)


@pytest.mark.parametrize("width", [1, 16, 37])
@pytest.mark.parametrize("grayscale", [False, True])
@pytest.mark.parametrize("channels_first", [False, True])
@pytest.mark.parametrize("backend", ["native", "reference"])
def test_a_row_has_the_bytes_that_numpy_finds(width, grayscale, channels_first, backend):
    shown = {"width": width, "grayscale": grayscale, "channels_first": channels_first}
    envs = batchsim.make_vec(Wallpaper, 3, backend=backend, **shown)
    seen, _ = envs.reset(seed=0)
    np.testing.assert_array_equal(seen, np.stack([expected(0, **shown)] * 3))
    start = np.zeros(3, int)
    for actions in ([0, 1, 0], [1, 1, 0]):
        start += 1 + 3 * np.array(actions)
        seen = envs.step(np.array(actions))[0]
        np.testing.assert_array_equal(seen, np.stack([expected(k, **shown) for k in start]))


def test_a_row_that_is_written_leaves_its_neighbours_alone():
    for shape, flags in (
        ((3, 20, 3), (False, False)),
        ((3, 3, 20), (False, True)),
        ((3, 20, 1), (True, False)),
        ((1, 3, 20), (True, True)),
    ):
        out = np.full(shape, 9, np.uint8)
        texels, lights = np.zeros((2, 20), np.int32), np.full((2, 20), 256, np.int32)
        paint_row(np.array([0xFFFFFF], np.uint32), texels, lights, 1, out, 1, 20, *flags)
        rows = out.transpose(1, 0, 2) if flags[1] else out
        assert (rows[[0, 2]] == 9).all()
        assert (rows[1] == 255).all()


@pytest.mark.parametrize("light", [0, 1, 100, 255, 256])
def test_light_dims_each_channel_by_itself(light):
    for colour in (0x000000, 0xFFFFFF, 0x123456, 0xFF000000, 0xFF00FF, 0x00FF00):
        out = np.zeros((1, 1, 3), np.uint8)
        paint(out, 0, 0, colour, light, False, False)
        channels = colour & 255, colour >> 8 & 255, colour >> 16 & 255
        assert out[0, 0].tolist() == [channel * light >> 8 for channel in channels]


def test_places_wrap_around():
    assert advance(2**32 - 1, 1) == 0
    assert advance(0, -1) == 2**32 - 1
    assert advance(5, 2**40 + 1) == 6
    assert shifted(0xC0000000, 0, 30) == 3
    assert shifted(3, 4, 1) == 24
