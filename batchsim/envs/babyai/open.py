"""BabyAI-Open…: open a door, or two."""

from typing import NamedTuple

from batchsim.envs.babyai.descriptions import ask_for
from batchsim.envs.babyai.furnishing import can_reach_all, fill_maze, hang
from batchsim.envs.babyai.level import OWN, Level
from batchsim.envs.babyai.rooms import FourDoors
from batchsim.envs.babyai.subsets import draw_colours, drawn
from batchsim.envs.babyai.things import number_at
from batchsim.envs.babyai.words import (
    ANY_COLOUR,
    ON_LEFT,
    OPEN,
    ask,
    ask_where,
)
from batchsim.envs.minigrid.cells import DOOR, RED
from batchsim.envs.minigrid.rooms import (
    ANY,
    COLUMNS,
    RIGHT,
    ROWS,
    place_agent_in,
    room_at,
)
from batchsim.random import integers

THINGS = 18  # that lie about
IS_STRICT = OWN
SELECTED = OWN + 1
WAYS = ("color", "loc")  # of describing a door
BY_COLOUR = WAYS.index("color")


class Open(Level):
    """# BabyAI-Open

    Open a door, one of those of a maze of rooms.

    ## Starting State

    Doors at random connect all rooms, in which 18 random things lie. One can get to all of them
    through doors without moving another.
    """

    def things_of(p):
        return THINGS

    def generate(s, i, p, rng):
        return (
            fill_maze(s, i, p, rng, THINGS)
            and can_reach_all(s, i, p)
            and ask_for(s, i, 0, OPEN, random_door(s, i, p, rng, s.last[i] - THINGS))
        )


def random_door(s, i, p, rng, count):
    """Return the number of one of so many doors, drawn from both sides of all of them."""
    left = integers(rng, i, 0, 2 * count)
    for column in range(p.rooms[COLUMNS]):
        for row in range(p.rooms[ROWS]):
            room = room_at(p, column, row)
            for wall in range(4):
                if s.doors[i, 4 * room + wall]:
                    if left == 0:
                        return number_at(s, i, p, s.door_places[i, 4 * room + wall])
                    left -= 1
    return 0


class OpenRedDoor(Level):
    """# BabyAI-OpenRedDoor

    Open the red door, the only one of two rooms.

    ## Starting State

    The agent is in the left one of two rooms.
    """

    class Arguments(NamedTuple):
        max_steps: int | None = None

    def rooms_of(p):
        return 5, 1, 2

    def generate(s, i, p, rng):
        hang(s, i, p, rng, 0, RIGHT, RED, False)
        return place_agent_in(s, i, p, rng, 0) and ask_for(s, i, 0, OPEN, 1)


class OpenDoor(FourDoors):
    """# BabyAI-OpenDoor

    Open one of the four doors of a room, which is described by its colour or by where it is at
    the start (`select_by`: "color", "loc", or None for either). With `debug`, opening or
    closing another door is a failure.

    ## Starting State

    The agent is in the room in the middle of nine, whose doors have four different colours.
    """

    class Arguments(NamedTuple):
        debug: bool = False
        select_by: str | None = None
        room_size: int = 8
        num_rows: int = 3
        num_cols: int = 3
        max_steps: int | None = None

    def rooms_of(p):
        return p.room_size, p.num_rows, p.num_cols

    def numbers_of(p):
        if p.select_by is not None and p.select_by not in WAYS:
            raise ValueError(f"select_by is {p.select_by!r}; expected None, 'color' or 'loc'.")
        return p.debug, ANY if p.select_by is None else WAYS.index(p.select_by)

    def generate(s, i, p, rng):
        room = room_at(p, 1, 1)
        colours = draw_colours(rng, i, 4)
        for wall in range(4):
            hang(s, i, p, rng, room, wall, drawn(colours, wall), False)
        selected = p.grid[SELECTED]
        if selected == ANY:
            selected = integers(rng, i, 0, 2)
        if selected == BY_COLOUR:
            ask_for(s, i, 0, OPEN, 1)
        else:
            ask(s, i, 0, OPEN, DOOR, ANY_COLOUR)
            ask_where(s, i, 0, ON_LEFT + integers(rng, i, 0, 4))
        s.strict[i] = p.grid[IS_STRICT]
        return place_agent_in(s, i, p, rng, room)
