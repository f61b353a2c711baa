"""MiniGrid-RedBlueDoors: open one door, then the other."""

from typing import NamedTuple

import numpy as np

from batchsim.envs.minigrid.cells import BLUE, CLOSED, DOOR, RED, cell, kind_of
from batchsim.envs.minigrid.common import MiniGrid
from batchsim.envs.minigrid.grid import HEIGHT, at, clear, put_room
from batchsim.envs.minigrid.world import State, act, place_agent, success
from batchsim.family import merge
from batchsim.random import integers


class Doors(NamedTuple):
    red_door: np.int32  # places
    blue_door: np.int32


class RedBlueDoors(MiniGrid):
    """# MiniGrid-RedBlueDoors

    Open the red door, then the blue one. The agent does not see both at once: it must remember.

    ## Starting State

    The agent is anywhere in the room between the doors.

    ## Episode End

    Terminated when the blue door is opened, with a reward if the red one was open; truncated
    after `max_steps`.
    """

    State = merge(State, Doors)
    MISSION = "open the red door then the blue door"
    LEAST = 4

    class Arguments(NamedTuple):
        size: int = 8
        max_steps: int | None = None

    def size_of(p):
        return 2 * p.size, p.size

    def steps_of(p):
        return 20 * p.size**2

    def reset(s, i, p, rng):
        clear(s, i, p)
        size = p.grid[HEIGHT]
        put_room(s, i, p, size // 2, 0, size, size)
        place_agent(s, i, p, rng, size // 2, 0, size, size)
        s.red_door[i] = at(p, size // 2, integers(rng, i, 1, size - 1))
        s.cells[i, s.red_door[i]] = cell(CLOSED, RED)
        s.blue_door[i] = at(p, size // 2 + size - 1, integers(rng, i, 1, size - 1))
        s.cells[i, s.blue_door[i]] = cell(CLOSED, BLUE)

    def play(s, i, action, p, rng):
        was_red_open = kind_of(s.cells[i, s.red_door[i]]) == DOOR
        reward, terminated = act(s, i, action, p)
        if kind_of(s.cells[i, s.blue_door[i]]) == DOOR:
            return success(s, i, p) if was_red_open else 0.0, True
        return reward, terminated
