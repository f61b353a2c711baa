"""What the agent sees: a square of cells before it, turned so that it looks up."""

from typing import NamedTuple

import numpy as np

import batchsim
from batchsim.envs.minigrid.cells import EMPTY


class Scratch(NamedTuple):
    seen: batchsim.column(np.uint8, lambda p: p.agent_view_size * p.agent_view_size)


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
