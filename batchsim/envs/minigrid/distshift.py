"""MiniGrid-DistShift: lava between the agent and the goal, in one of two places."""

from typing import NamedTuple

from batchsim.envs.minigrid.cells import AT_GOAL, IN_LAVA
from batchsim.envs.minigrid.common import MiniGrid, Open, started
from batchsim.envs.minigrid.grid import EXTRA, WIDTH, clear, put, put_row
from batchsim.envs.minigrid.world import start

STRIP = EXTRA + 3  # the row of the second strip


class DistShift(MiniGrid):
    """# MiniGrid-DistShift

    Get to the goal, and do not step into the lava. A strip of it lies along the upper wall, and
    another one in a row that is not the same in both ids: so one tells whether an agent that
    learned in one of them finds its way in the other.

    ## Starting State

    The agent is in the upper left corner and looks right.

    ## Episode End

    Terminated at the goal, and in the lava without a reward; truncated after `max_steps`.
    """

    Params = Open
    MISSION = "get to the green goal square"

    class Arguments(NamedTuple):
        width: int = 9
        height: int = 7
        agent_start_pos: tuple[int, int] | None = (1, 1)
        agent_start_dir: int = 0
        strip2_row: int = 2
        max_steps: int | None = None

    def size_of(p):
        return p.width, p.height

    def steps_of(p):
        return 4 * p.width * p.height

    def extras_of(p):
        if p.width < 4 or not 0 < p.strip2_row < p.height - 1:
            raise ValueError(
                f"width is {p.width} and strip2_row {p.strip2_row}; expected a width of at least "
                f"4, and a row within the walls of a grid of height {p.height}."
            )
        return *started(p, p.width, p.height), p.strip2_row

    def reset(s, i, p, rng):
        clear(s, i, p)
        width = p.grid[WIDTH]
        put(s, i, p, width - 2, 1, AT_GOAL)
        put_row(s, i, p, 3, 1, width - 6, IN_LAVA)
        put_row(s, i, p, 3, p.grid[STRIP], width - 6, IN_LAVA)
        start(s, i, p, rng)
