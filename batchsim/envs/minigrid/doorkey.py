"""Doorkey"""
from typing import NamedTuple

from batchsim.envs.minigrid.cells import *
from batchsim.envs.minigrid.minigrid import MiniGrid
from batchsim.envs.minigrid.world import *
from batchsim.random import integers


class Arguments(NamedTuple):
    size: int = 8
    max_steps: int | None = None

class DoorKey(MiniGrid):
    Arguments = Arguments

    def tables(p):
        steps = 10 * p.size**2 if p.max_steps is None else p.max_steps
        return lay_out(p.size, p.size, steps, p.agent_view_size)

    def text(tokens):
        return "use the key to open the door and then get to the goal"

    def reset(s, i, p, rng):
        clear(s, i, p)
        size = p.grid[WIDTH]
        put(s, i, p, size - 2, size - 2, AT_GOAL)
        split = integers(rng, i, 2, size - 2)
        put_column(s, i, p, split, 0, size, WALLED)
        place_agent(s, i, p, rng, 0, 0, split, size)
        door = integers(rng, i, 1, size - 2)
        put(s, i, p, split, door, cell(LOCKED, YELLOW))
        place_thing(s, i, p, rng, 0, 0, split, size, cell(KEY, YELLOW))
