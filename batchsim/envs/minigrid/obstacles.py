"""What stands in the agent's way, in environments that have it as an argument."""

from batchsim.envs.minigrid.cells import IN_LAVA, WALLED
from batchsim.envs.minigrid.common import MiniGrid
from batchsim.envs.minigrid.grid import EXTRA

LAVA, WALL = "lava", "wall"
AVOID = "avoid the lava and get to the green goal square"
FIND = "find the opening and get to the green goal square"


class Obstructed(MiniGrid):
    """A definition whose obstacle, at EXTRA, decides the mission."""

    WORDS = (2,)

    def text(tokens):
        return AVOID if tokens[0] else FIND

    def say(s, i, p, out):
        out[0] = p.grid[EXTRA] == IN_LAVA


def obstacle(name):
    """Return the cell of an obstacle."""
    if name not in (LAVA, WALL):
        raise ValueError(f"obstacle_type is {name!r}; expected {LAVA!r} or {WALL!r}.")
    return IN_LAVA if name == LAVA else WALLED
