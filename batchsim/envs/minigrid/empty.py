"""MiniGrid-Empty: a room without anything but the goal."""

from typing import NamedTuple

from batchsim.envs.minigrid.cells import AT_GOAL
from batchsim.envs.minigrid.common import MiniGrid, Open, started
from batchsim.envs.minigrid.grid import HEIGHT, WIDTH, clear, put
from batchsim.envs.minigrid.world import start


class Empty(MiniGrid):
    """# MiniGrid-Empty

    Get to the green goal in the corner of an empty room. The reward comes at the end only: the
    simplest task, and in a large room not an easy one.

    ## Starting State

    The agent is in the upper left corner and looks right; in the ids called Random it may be
    anywhere and look anywhere.
    """

    Params = Open
    MISSION = "get to the green goal square"

    class Arguments(NamedTuple):
        size: int = 8
        agent_start_pos: tuple[int, int] | None = (1, 1)
        agent_start_dir: int = 0
        max_steps: int | None = None

    def steps_of(p):
        return 4 * p.size**2

    def extras_of(p):
        return started(p, p.size, p.size)

    def reset(s, i, p, rng):
        clear(s, i, p)
        put(s, i, p, p.grid[WIDTH] - 2, p.grid[HEIGHT] - 2, AT_GOAL)
        start(s, i, p, rng)
