"""MiniGrid-LavaCrossing, MiniGrid-SimpleCrossing: rivers of lava or walls, each with an opening."""

from typing import NamedTuple

import numpy as np

import batchsim
from batchsim.envs.minigrid.cells import AT_GOAL
from batchsim.envs.minigrid.common import require_odd
from batchsim.envs.minigrid.grid import EXTRA, WIDTH, clear, put, put_column, put_row, take_away
from batchsim.envs.minigrid.obstacles import LAVA, Obstructed, obstacle
from batchsim.envs.minigrid.view import Scratch
from batchsim.envs.minigrid.world import put_agent
from batchsim.family import merge
from batchsim.random import integers, shuffle_first

CROSSINGS = EXTRA + 1


def most_rivers(p):
    """Return for how many rivers there is room; one kernel serves all sizes that need no more."""
    return max(64, 2 * p.size)


class Rivers(NamedTuple):
    rivers: batchsim.column(np.int32, most_rivers)  # columns, and rows beyond them
    is_river: batchsim.column(bool, most_rivers)  # by column, then by row
    path: batchsim.column(bool, most_rivers)  # whether it crosses a column next


class Crossing(Obstructed):
    """# MiniGrid-LavaCrossing, MiniGrid-SimpleCrossing

    Get to the goal in the opposite corner, across rivers of lava, each of which has one
    opening. In SimpleCrossing walls stand where the lava would be.

    ## Starting State

    The agent is in the upper left corner and looks right. Which rivers there are, and where
    their openings are, is drawn; there is always a way.

    ## Episode End

    Terminated at the goal, and in the lava without a reward; truncated after `max_steps`.
    """

    Scratch = merge(Scratch, Rivers)

    class Arguments(NamedTuple):
        size: int = 9
        num_crossings: int = 1
        obstacle_type: str = LAVA
        max_steps: int | None = None

    def steps_of(p):
        return 4 * p.size**2

    def extras_of(p):
        require_odd(p.size)
        if p.num_crossings < 0:
            raise ValueError(f"num_crossings is {p.num_crossings}; expected at least 0.")
        return obstacle(p.obstacle_type), p.num_crossings

    def reset(s, i, p, rng):
        clear(s, i, p)
        size = p.grid[WIDTH]
        put_agent(s, i, p, 1, 1, 0)
        put(s, i, p, size - 2, size - 2, AT_GOAL)
        count = choose_rivers(s, i, p, rng, size)
        open_path(s, i, p, rng, size, count)


def choose_rivers(s, i, p, rng, size):
    """Draw which rivers there are, and fill them; return how many."""
    possible = (size - 3) // 2
    for k in range(possible):
        s.rivers[i, k] = 2 + 2 * k
        s.rivers[i, possible + k] = size + 2 + 2 * k  # a row
    for place in range(2 * size):
        s.is_river[i, place] = False
    shuffle_first(rng, i, s.rivers[i], 2 * possible)
    count = min(p.grid[CROSSINGS], 2 * possible)
    for k in range(count):
        river = s.rivers[i, k]
        s.is_river[i, river] = True
        if river < size:
            put_column(s, i, p, river, 1, size - 2, p.grid[EXTRA])
        else:
            put_row(s, i, p, 1, river - size, size - 2, p.grid[EXTRA])
    return count


def open_path(s, i, p, rng, size, count):
    """Open each river where a path crosses it that leads to the goal in random turns."""
    right = 0
    for x in range(size):
        right += s.is_river[i, x]
    for k in range(count):
        s.path[i, k] = k < right  # going right through a column, first
    shuffle_first(rng, i, s.path[i], count)
    x, y = 0, 0  # the river to the left of the path, and the one above
    for k in range(count):
        next_x, next_y = next_river(s, i, 0, x, size), next_river(s, i, size, y, size)
        if s.path[i, k]:
            take_away(s, i, p, next_x, integers(rng, i, y + 1, next_y))
            x = next_x
        else:
            take_away(s, i, p, integers(rng, i, x + 1, next_x), next_y)
            y = next_y


def next_river(s, i, first, last, size):
    """Return the river after the last one, or the outer wall."""
    place = last + 1
    while place < size - 1 and not s.is_river[i, first + place]:
        place += 1
    return place
