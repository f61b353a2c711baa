"""BabyAI-Open…: open two doors in order."""

from typing import NamedTuple

from batchsim.envs.babyai.descriptions import ask_for
from batchsim.envs.babyai.furnishing import hang
from batchsim.envs.babyai.level import OWN
from batchsim.envs.babyai.rooms import FourDoors
from batchsim.envs.babyai.subsets import draw_colours, draw_two, drawn
from batchsim.envs.babyai.words import (
    AFTER,
    OPEN,
    THEN,
    join,
)
from batchsim.envs.minigrid.cells import COLOURS
from batchsim.envs.minigrid.rooms import ANY, LEFT, RIGHT, place_agent_in, room_at
from batchsim.random import integers
from batchsim.ranges import require_between

IS_STRICT = OWN
DOORS = FIRST = OWN + 1
SECOND = OWN + 2


def colour_number(name, value):
    """Return the number of a colour that is given by its name, or ANY for None."""
    if value is not None and value not in COLOURS:
        raise ValueError(f"{name} is {value!r}; expected None or one of {', '.join(COLOURS)}.")
    return ANY if value is None else COLOURS.index(value)


class OpenTwoDoors(FourDoors):
    """# BabyAI-OpenTwoDoors, BabyAI-OpenRedBlueDoors

    Open the door on the left side of a room, then the one on the right. Where it is `strict`,
    opening or closing the wrong door before the first one is done is a failure.

    ## Starting State

    The agent is in the room in the middle of nine. Its two doors have different colours, or
    those that are given.
    """

    ROOM = 6

    class Arguments(NamedTuple):
        first_color: str | None = None
        second_color: str | None = None
        strict: bool = False
        num_rows: int = 3
        num_cols: int = 3
        max_steps: int | None = None

    def limit_of(p):
        return 20 * OpenTwoDoors.ROOM**2

    def numbers_of(p):
        first = colour_number("first_color", p.first_color)
        return p.strict, first, colour_number("second_color", p.second_color)

    def generate(s, i, p, rng):
        room, colours = room_at(p, 1, 1), draw_colours(rng, i, 2)
        first, second = p.grid[FIRST], p.grid[SECOND]
        if first == ANY:
            first = drawn(colours, 0)
        if second == ANY:
            second = drawn(colours, 1)
        hang(s, i, p, rng, room, LEFT, first, False)
        hang(s, i, p, rng, room, RIGHT, second, False)
        ask_for(s, i, 0, OPEN, 1)
        ask_for(s, i, 2, OPEN, 2)
        join(s, i, 2, THEN)
        s.strict[i] = p.grid[IS_STRICT]
        return place_agent_in(s, i, p, rng, room)


class OpenDoorsOrder(FourDoors):
    """# BabyAI-OpenDoorsOrder

    Open a door of a room, or two in the order that is asked for. With `debug`, opening or
    closing another door is a failure.

    ## Starting State

    The agent is in the room in the middle of nine, which has `num_doors` doors of different
    colours.
    """

    ROOM = 6

    class Arguments(NamedTuple):
        num_doors: int = 2
        debug: bool = False
        num_rows: int = 3
        num_cols: int = 3
        max_steps: int | None = None

    def limit_of(p):
        return 20 * OpenDoorsOrder.ROOM**2

    def numbers_of(p):
        require_between("num_doors", p.num_doors, 2, 4)
        return 0b1111 * p.debug, p.num_doors

    def generate(s, i, p, rng):
        room, count = room_at(p, 1, 1), p.grid[DOORS]
        colours = draw_colours(rng, i, count)
        for k in range(count):
            hang(s, i, p, rng, room, ANY, drawn(colours, k), False)
        if not place_agent_in(s, i, p, rng, room):
            return False
        one, other = draw_two(rng, i, count)
        mode = integers(rng, i, 0, 3)
        ask_for(s, i, 0, OPEN, 1 + one)
        if mode != 0:
            ask_for(s, i, 2, OPEN, 1 + other)
            join(s, i, 2, THEN if mode == 1 else AFTER)
        s.strict[i] = p.grid[IS_STRICT]
        return True
