"""MiniGrid-LavaGap: a wall of lava with a gap in it."""

from typing import NamedTuple

from batchsim.envs.minigrid.cells import AT_GOAL, EMPTY
from batchsim.envs.minigrid.grid import EXTRA, HEIGHT, WIDTH, clear, put, put_column
from batchsim.envs.minigrid.obstacles import LAVA, Obstructed, obstacle
from batchsim.envs.minigrid.world import put_agent
from batchsim.random import integers


class LavaGap(Obstructed):
    """# MiniGrid-LavaGap

    Get to the goal through a gap in a strip of lava.

    ## Starting State

    The agent is in the upper left corner and looks right. Where the strip and its gap are is
    drawn.

    ## Episode End

    Terminated at the goal, and in the lava without a reward; truncated after `max_steps`.
    """

    LEAST = 5

    class Arguments(NamedTuple):
        size: int = 5
        obstacle_type: str = LAVA
        max_steps: int | None = None

    def steps_of(p):
        return 4 * p.size**2

    def extras_of(p):
        return (obstacle(p.obstacle_type),)

    def reset(s, i, p, rng):
        clear(s, i, p)
        width, height = p.grid[WIDTH], p.grid[HEIGHT]
        put_agent(s, i, p, 1, 1, 0)
        put(s, i, p, width - 2, height - 2, AT_GOAL)
        x = integers(rng, i, 2, width - 2)
        y = integers(rng, i, 1, height - 1)
        put_column(s, i, p, x, 1, height - 2, p.grid[EXTRA])
        put(s, i, p, x, y, EMPTY)
