"""MiniGrid-Memory: remember what was seen at the start, and choose the way at the end."""

from typing import NamedTuple

import numpy as np

from batchsim.envs.minigrid.cells import BALL, GREEN, KEY, WALLED, cell
from batchsim.envs.minigrid.common import MiniGrid, require_odd
from batchsim.envs.minigrid.grid import EXTRA, HEIGHT, WIDTH, at, clear, put, put_column, put_row
from batchsim.envs.minigrid.world import PICKUP, TOGGLE, State, act, put_agent, success
from batchsim.family import merge
from batchsim.random import integers


class Ends(NamedTuple):
    right_end: np.int32  # places
    wrong_end: np.int32


class Memory(MiniGrid):
    """# MiniGrid-Memory

    A small room with a key or a ball in it opens into a hallway that ends in a fork, with a key
    at one side and a ball at the other. Go to the side of the thing that was in the room.
    Picking up toggles here.

    ## Starting State

    The agent is anywhere in the hallway or the room and looks right; in the ids called Random
    the hallway's length is drawn too.

    ## Episode End

    Terminated at either side of the fork, with a reward at the right one; truncated after
    `max_steps`.
    """

    State = merge(State, Ends)
    MISSION = "go to the matching object at the end of the hallway"
    LEAST = 7

    class Arguments(NamedTuple):
        size: int = 8
        random_length: bool = False
        max_steps: int | None = None

    def size_of(p):
        require_odd(p.size)
        return p.size, p.size

    def steps_of(p):
        return 5 * p.size**2

    def extras_of(p):
        return (bool(p.random_length),)

    def reset(s, i, p, rng):
        clear(s, i, p)
        width, height = p.grid[WIDTH], p.grid[HEIGHT]
        middle = height // 2
        end = width - 3
        if p.grid[EXTRA]:
            end = integers(rng, i, 4, width - 2)
        put_row(s, i, p, 1, middle - 2, 4, WALLED)
        put_row(s, i, p, 1, middle + 2, 4, WALLED)
        put_row(s, i, p, 4, middle - 1, max(end - 4, 1), WALLED)
        put_row(s, i, p, 4, middle + 1, max(end - 4, 1), WALLED)
        put_column(s, i, p, end, 0, middle, WALLED)
        put_column(s, i, p, end, middle + 1, height - middle - 1, WALLED)
        put_column(s, i, p, end + 2, 0, height, WALLED)
        put_agent(s, i, p, integers(rng, i, 1, end + 1), middle, 0)
        in_room = KEY + integers(rng, i, 0, 2)
        put(s, i, p, 1, middle - 1, cell(in_room, GREEN))
        upper = BALL - integers(rng, i, 0, 2)
        put(s, i, p, end + 1, middle - 2, cell(upper, GREEN))
        put(s, i, p, end + 1, middle + 2, cell(KEY + BALL - upper, GREEN))
        above, below = at(p, end + 1, middle - 1), at(p, end + 1, middle + 1)
        s.right_end[i] = above if in_room == upper else below
        s.wrong_end[i] = below if in_room == upper else above

    def play(s, i, action, p, rng):
        reward, terminated = act(s, i, TOGGLE if action == PICKUP else action, p)
        if s.place[i] == s.right_end[i]:
            return success(s, i, p), True
        if s.place[i] == s.wrong_end[i]:
            return 0.0, True
        return reward, terminated
