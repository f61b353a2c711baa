"""What all scenarios let a caller set, and the observation that follows from it."""

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box

from batchsim.envs.egocentric.renderer import WIDEST
from batchsim.envs.egocentric.textures import atlas
from batchsim.random import random


class Params(NamedTuple):
    frame_skip: int = 4
    sticky: float = 0.0
    width: int = 128
    height: int = 72
    fov: float = 90.0
    grayscale: bool = False
    channels_first: bool = False


class Arguments(NamedTuple):
    pass


class Tables(NamedTuple):
    atlas: np.ndarray  # (textures * AREA,)


def tables(arguments):
    return Tables(atlas())


def pixels(p):
    """Return the space of observations."""
    channels = 1 if p.grayscale else 3
    shape = (p.height, p.width, channels)
    return Box(0, 255, (channels, *shape[:2]) if p.channels_first else shape, np.uint8)


def check_params(params):
    for name, highest in (("width", WIDEST), ("height", WIDEST), ("frame_skip", 1000)):
        value = getattr(params, name)
        if not 1 <= value <= highest:
            raise ValueError(f"{name} is {value}; expected a whole number from 1 to {highest}.")
    if not 10.0 <= params.fov <= 160.0:
        raise ValueError(f"fov is {params.fov}; expected an angle from 10 to 160 degrees.")
    if not 0.0 <= params.sticky < 1.0:
        raise ValueError(f"sticky is {params.sticky}; expected a probability below 1.")


def held(s, i, action, p, rng):
    """Return the buttons that are held: with sticky actions now and then those of before."""
    if p.sticky == 0.0 or random(rng, i) >= p.sticky:
        s.buttons[i] = action
    return int(s.buttons[i])
