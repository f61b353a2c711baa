"""Things that lie about, in the order in which they were placed."""

from typing import NamedTuple

import numpy as np

import batchsim
from batchsim.envs.minigrid.cells import KEY, cell, random_colour
from batchsim.random import integers

MOST = 32  # for which there is room at least; one kernel serves all that have no more


class Things(NamedTuple):
    things: batchsim.column(np.uint8, lambda p: max(MOST, p.numObjs))  # cells
    places: batchsim.column(np.int32, lambda p: max(MOST, p.numObjs))


def is_new(s, i, count, code):
    """Tell whether a thing is none of the first so many."""
    for k in range(count):
        if s.things[i, k] == code:
            return False
    return True


def draw_new(s, i, rng, count):
    """Return a random thing that is none of the first so many."""
    while True:
        kind = KEY + integers(rng, i, 0, 3)
        code = cell(kind, random_colour(rng, i))
        if is_new(s, i, count, code):
            return code
