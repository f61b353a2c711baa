"""What the agent sees: a square of cells before it, turned so that it looks up."""

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box

import batchsim
from batchsim.envs.minigrid.cells import CLOSED, DOOR, EMPTY, colour_of, kind_of


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
        return Box(0, 255, cls.shape_of(p), np.uint8)

    def show(s, i, p, image):
        """Write the image."""
        look(s, i, p)
        size = p.agent_view_size
        for x in range(size):
            for y in range(size):
                encode(image, x, y, s.seen[i, x * size + y])


def encode(image, x, y, code):
    """Write the three numbers that MiniGrid has for a cell: kind, colour, and state of a door."""
    kind = kind_of(code)
    image[x, y, 0] = plain_kind(code)
    image[x, y, 1] = colour_of(code)
    image[x, y, 2] = kind - CLOSED + 1 if kind >= CLOSED else 0


def plain_kind(code):
    """Return the kind that MiniGrid says that a cell has."""
    kind = kind_of(code)
    return DOOR if kind >= CLOSED else kind


def place_of(s, i, p, k):
    """Return where in the grid a cell of the view lies, or in the walls around it."""
    size = p.agent_view_size
    ahead, right = p.ahead[s.heading[i]], p.ahead[(s.heading[i] + 1) & 3]
    x, y = k // size, k % size
    return s.place[i] + (x - size // 2) * right + (size - 1 - y) * ahead


def look(s, i, p):
    """Write the cells that the agent sees into `seen`, column by column; 0 what it does not see."""
    size, half = p.agent_view_size, p.agent_view_size // 2
    heading = int(s.heading[i])
    ahead, right = p.ahead[heading], p.ahead[(heading + 1) & 3]
    left_end = s.place[i] - half * right
    everything = (1 << size) - 1
    visible = 1 << half
    for y in range(size - 1, -1, -1):
        clear = 0
        for x in range(size):
            code = s.cells[i, left_end + x * right]
            clear |= (code >> 7 ^ 1) << x
        if p.see_through_walls:
            visible = everything
            upwards = everything
        else:
            visible, upwards = spread(visible, int(clear), size)
        for x in range(size):
            code = s.cells[i, left_end + x * right]
            s.seen[i, x * size + y] = code if visible >> x & 1 else 0
        visible = upwards
        left_end += ahead
    s.seen[i, half * size + size - 1] = s.carried[i] if s.carried[i] != 0 else EMPTY


def spread(visible, clear, size):
    """Return which cells of a row are visible, and which of the next row are from there.

    Sight spreads along a row and to the next, from visible cells that one can see through.

    Args:
        visible: cells that are visible from the row before, as bits.
        clear: cells that one can see through, as bits.
        size: how many there are.
    """
    everything = (1 << size) - 1
    # A sum carries through a run of ones: from each visible cell on to higher bits.
    rightwards = (visible | ((visible & clear) + clear) ^ clear) & everything
    both, runs, shift = rightwards, clear, 1
    while shift < size:
        both |= (both & runs) >> shift
        runs &= runs << shift
        shift *= 2
    # Going rightwards, the last cell does not look on, and leftwards not the first one.
    here, there = rightwards & clear & everything >> 1, both & clear & ~1
    return both, here | here << 1 | there | there >> 1
