"""MiniGrid-DoorKey: a key, a locked door, and the goal behind it."""

from typing import NamedTuple

from batchsim.envs.minigrid.cells import AT_GOAL, KEY, LOCKED, WALLED, YELLOW, cell
from batchsim.envs.minigrid.common import MiniGrid
from batchsim.envs.minigrid.grid import WIDTH, clear, put, put_column
from batchsim.envs.minigrid.world import place_agent, place_thing
from batchsim.random import integers


class DoorKey(MiniGrid):
    """# MiniGrid-DoorKey

    Pick up the key, unlock the door with it, and get to the goal in the other room. Without
    exploration of a planned kind the larger sizes are hard, as the reward comes at the end
    only.

    ## Starting State

    The wall's and the door's places are drawn. The agent and the key are at random places at
    the left of the wall.
    """

    LEAST = 5
    MISSION = "use the key to open the door and then get to the goal"

    class Arguments(NamedTuple):
        size: int = 8
        max_steps: int | None = None

    def steps_of(p):
        return 10 * p.size**2

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
