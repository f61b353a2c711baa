"""MiniGrid-Playground: nine rooms full of things, and nothing that one must do."""

from typing import NamedTuple

from batchsim.envs.minigrid.cells import CLOSED, KEY, WALLED, cell, random_colour
from batchsim.envs.minigrid.common import MiniGrid
from batchsim.envs.minigrid.grid import clear, put, put_column, put_row
from batchsim.envs.minigrid.world import place_agent, place_thing
from batchsim.random import integers

SIZE, THINGS = 19, 12


class Playground(MiniGrid):
    """# MiniGrid-Playground

    Nine rooms joined by doors, with twelve things in them. There is no mission.

    ## Starting State

    Doors, things and the agent are at random places.

    ## Rewards

    There are none.

    ## Episode End

    Truncated after `max_steps`.
    """

    class Arguments(NamedTuple):
        max_steps: int | None = 100

    def size_of(p):
        return SIZE, SIZE

    def steps_of(p):
        return 100

    def reset(s, i, p, rng):
        clear(s, i, p)
        side = SIZE // 3
        for row in range(3):
            for column in range(3):
                x, y = column * side, row * side
                if column < 2:
                    put_column(s, i, p, x + side, y, side, WALLED)
                    place = integers(rng, i, y + 1, y + side - 1)
                    put(s, i, p, x + side, place, cell(CLOSED, random_colour(rng, i)))
                if row < 2:
                    put_row(s, i, p, x, y + side, side, WALLED)
                    place = integers(rng, i, x + 1, x + side - 1)
                    put(s, i, p, place, y + side, cell(CLOSED, random_colour(rng, i)))
        place_agent(s, i, p, rng, 0, 0, SIZE, SIZE)
        for _ in range(THINGS):
            kind = KEY + integers(rng, i, 0, 3)
            code = cell(kind, random_colour(rng, i))
            place_thing(s, i, p, rng, 0, 0, SIZE, SIZE, code)
