"""What the agent sees: a square of cells before it, turned so that it looks up."""

from collections import namedtuple
from typing import NamedTuple

import numpy as np

import batchsim
from batchsim.envs.minigrid.cells import (
    AGENT,
    CLOSED,
    COLOURS,
    DOOR,
    EMPTY,
    OPAQUE,
    colour_of,
    kind_of,
)
from batchsim.envs.minigrid.grid import ORIGIN
from batchsim.symbols import Symbols


class Scratch(NamedTuple):
    seen: batchsim.column(np.uint8, lambda p: p.agent_view_size * p.agent_view_size)


class Partial:
    """The view that MiniGrid has by default: three numbers of each cell that the agent sees."""

    def shape_of(p):
        """Return the shape of the image."""
        return p.agent_view_size, p.agent_view_size, 3

    @classmethod
    def image_of(cls, p):
        """Return the space of the image."""
        return Symbols(cls.shape_of(p), (AGENT + 1, len(COLOURS), 3))

    def show(s, i, p, image):
        """Write the image."""
        look(s, i, p)
        count = p.agent_view_size * p.agent_view_size
        numbers = image.reshape(3 * count)
        for k in range(count):
            encode(numbers, k, s.seen[i, k])


def encode(numbers, k, code):
    """Write what MiniGrid has for cell k: its kind, its colour, and the state of a door."""
    kind = kind_of(code)
    numbers[3 * k] = plain_kind(code)
    numbers[3 * k + 1] = colour_of(code)
    numbers[3 * k + 2] = kind - CLOSED + 1 if kind >= CLOSED else 0


def plain_kind(code):
    """Return the kind that MiniGrid says that a cell has."""
    kind = kind_of(code)
    return DOOR if kind >= CLOSED else kind


def place_of(s, i, p, k):
    """Return where in the grid a cell of the view lies, or in the walls around it."""
    return s.place[i] - p.grid[ORIGIN] + p.sight[s.heading[i], k]


def look(s, i, p):
    """Write the cells that the agent sees into `seen`, column by column; 0 what it does not see."""
    size, half = p.agent_view_size, p.agent_view_size // 2
    heading = s.heading[i]
    # What has no sign cannot count from the end of an array, and is a faster index.
    place = np.uint32(s.place[i] - p.grid[ORIGIN])
    everything = (1 << size) - 1
    visible = 1 << half
    for y in range(size - 1, -1, -1):
        opaque = 0
        for x in range(size):
            code = s.cells[i, place + p.sight[heading, x * size + y]]
            s.seen[i, x * size + y] = code
            opaque |= int(code >= OPAQUE) << x
        if not p.see_through_walls:
            upwards = spread(visible, everything ^ opaque, size) & everything
            visible |= upwards
            for x in range(size):
                code = s.seen[i, x * size + y]
                s.seen[i, x * size + y] = code if visible >> x & 1 else 0
            visible = upwards
    s.seen[i, half * size + size - 1] = s.carried[i] if s.carried[i] != 0 else EMPTY


def spread(visible, clear, size):
    """Return which cells of a row, and of the next one, are visible from cells of the row.

    Sight spreads along a row, to the next, and to that one's cells beside, from visible cells that
    one can see through: from the whole of each run of such cells of which one is visible.

    Args:
        visible: cells that are visible from the row before, as bits.
        clear: cells that one can see through, as bits.
        size: how many there are.
    """
    seeds = visible & clear
    reached, runs, shift = seeds, clear, 1
    while shift < size:  # to lower bits
        reached |= reached >> shift & runs
        runs &= runs >> shift
        shift *= 2
    # To higher bits a sum carries through a run of ones.
    reached |= (seeds + clear ^ clear) & clear
    return reached | reached << 1 | reached >> 1


def beside(tables, **more):
    """Return tables with some more."""
    return namedtuple("Tables", (*tables._fields, *more))(*tables, *more.values())
