"""MiniGrid-FourRooms: four rooms joined by four gaps."""

from typing import NamedTuple

from batchsim.envs.minigrid.cells import AT_GOAL, WALLED
from batchsim.envs.minigrid.common import MiniGrid
from batchsim.envs.minigrid.grid import EXTRA, WIDTH, at, clear, put, put_column, put_row, take_away
from batchsim.envs.minigrid.world import place_agent, place_thing
from batchsim.random import integers

SIZE = 19
GOAL_X = EXTRA + 2


def place_of(name, place):
    """Return the numbers of a cell that the caller may name, -1 for none."""
    if place is None:
        return -1, -1
    x, y = place
    if not (0 < x < SIZE - 1 and 0 < y < SIZE - 1):
        raise ValueError(f"{name} is {place!r}; expected a cell within a grid of 19 by 19.")
    return x, y


class FourRooms(MiniGrid):
    """# MiniGrid-FourRooms

    Get to the goal in a grid of four rooms that are joined by gaps in their walls.

    Source: Sutton, Precup and Singh, "Between MDPs and semi-MDPs" (1999).

    ## Starting State

    The agent and the goal are at random places, unless the caller names them.
    """

    MISSION = "reach the goal"

    class Arguments(NamedTuple):
        agent_pos: tuple[int, int] | None = None
        goal_pos: tuple[int, int] | None = None
        max_steps: int | None = 100

    def size_of(p):
        return SIZE, SIZE

    def steps_of(p):
        return 100

    def extras_of(p):
        return *place_of("agent_pos", p.agent_pos), *place_of("goal_pos", p.goal_pos)

    def reset(s, i, p, rng):
        clear(s, i, p)
        side = SIZE // 2
        for row in range(2):
            for column in range(2):
                x, y = column * side, row * side
                if column == 0:
                    put_column(s, i, p, x + side, y, side, WALLED)
                    take_away(s, i, p, x + side, integers(rng, i, y + 1, y + side))
                if row == 0:
                    put_row(s, i, p, x, y + side, side, WALLED)
                    take_away(s, i, p, integers(rng, i, x + 1, x + side), y + side)
        if p.grid[EXTRA] < 0:
            place_agent(s, i, p, rng, 0, 0, SIZE, SIZE)
        else:
            take_away(s, i, p, p.grid[EXTRA], p.grid[EXTRA + 1])
            s.place[i] = at(p, p.grid[EXTRA], p.grid[EXTRA + 1])
            s.heading[i] = integers(rng, i, 0, 4)
        if p.grid[GOAL_X] < 0:
            place_thing(s, i, p, rng, 0, 0, p.grid[WIDTH], p.grid[WIDTH], AT_GOAL)
        else:
            put(s, i, p, p.grid[GOAL_X], p.grid[GOAL_X + 1], AT_GOAL)
