"""What all scenarios let a caller set, and the observation that follows from it."""

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Dict

from batchsim.envs.egocentric.pixels import SPRITE, SPRITES, WIDEST
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
    depth: bool = False
    labels: bool = False
    status_bar: bool = False


class Info(NamedTuple):
    health: np.float64
    ammo: int
    kills: int


class Arguments(NamedTuple):
    pass


class Tables(NamedTuple):
    atlas: np.ndarray  # (textures * AREA,)


def tables(arguments):
    return Tables(atlas())


def pixels(p):
    """Return the space of observations: a picture, or a Dict if there is more."""
    channels = 1 if p.grayscale else 3
    size = (p.height, p.width)
    shape = (channels, *size) if p.channels_first else (*size, channels)
    parts = {"pixels": Box(0, 255, shape, np.uint8)}
    if p.depth:
        parts["depth"] = Box(0.0, np.inf, size, np.float32)
    if p.labels:
        parts["labels"] = Box(0, SPRITE + SPRITES - 1, size, np.uint8)
    return Dict(parts) if len(parts) > 1 else parts["pixels"]


def inform(s, i, p, out):
    out.health[0], out.ammo[0], out.kills[0] = s.health[i], s.ammo[i], s.kills[i]


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
