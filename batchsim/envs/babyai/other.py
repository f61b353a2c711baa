"""BabyAI's levels of other kinds: any action in a room, mazes to search, things to move across."""

from typing import NamedTuple

from batchsim.envs.babyai.descriptions import ask_for, ask_to_put
from batchsim.envs.babyai.furnishing import add, connect, hang, random_last, scatter
from batchsim.envs.babyai.level import OWN, Level
from batchsim.envs.babyai.putnext import KINDS, furnish
from batchsim.envs.babyai.rooms import FourDoors, OneRoom, TwoRooms
from batchsim.envs.babyai.subsets import draw_two
from batchsim.envs.babyai.things import code_of, is_door
from batchsim.envs.babyai.words import ANY_COLOUR, GO_TO, OPEN, PICK_UP, THEN, ask, join
from batchsim.envs.minigrid.cells import BALL, KEY, colour_of, kind_of
from batchsim.envs.minigrid.doors import remove_wall
from batchsim.envs.minigrid.missions import kind_number
from batchsim.envs.minigrid.rooms import ANY, LEFT, ROWS, UP, place_agent_in, random_room, room_at
from batchsim.random import integers
from batchsim.ranges import require_between

LYING = 5  # things


class ActionObjDoor(FourDoors):
    """# BabyAI-ActionObjDoor

    In a room with four doors: go to a thing, pick one up, go to a door or open one.

    ## Starting State

    The agent and five random things, no two of them alike, are in the room in the middle of
    nine, which has four doors of random colours.
    """

    ROOM = 7

    def things_of(p):
        return LYING

    def generate(s, i, p, rng):
        room = room_at(p, 1, 1)
        if not scatter(s, i, p, rng, room, LYING, True):
            return False
        for _ in range(4):
            hang(s, i, p, rng, room, ANY, ANY, False)
        if not place_agent_in(s, i, p, rng, room):
            return False
        number = random_last(s, i, rng, LYING + 4)
        other = OPEN if is_door(kind_of(code_of(s, i, number))) else PICK_UP
        return ask_for(s, i, 0, GO_TO if integers(rng, i, 0, 2) == 0 else other, number)


class FindObjS5(Level):
    """# BabyAI-FindObj

    Pick up the only thing, which is in any of nine rooms.

    ## Starting State

    The agent is in the room in the middle of nine, which doors at random connect.
    """

    class Arguments(NamedTuple):
        room_size: int = 5
        max_steps: int | None = None

    def rooms_of(p):
        return p.room_size, 3, 3

    def limit_of(p):
        return 20 * p.room_size**2

    def generate(s, i, p, rng):
        return (
            add(s, i, p, rng, random_room(p, rng, i), ANY, ANY)
            and place_agent_in(s, i, p, rng, room_at(p, 1, 1))
            and connect(s, i, p, rng, ANY)
            and ask_of_kind(s, i, PICK_UP, 1)
        )


def ask_of_kind(s, i, action, number):
    """Ask that something be done to a thing of this one's kind; return True."""
    ask(s, i, 0, action, kind_of(code_of(s, i, number)), ANY_COLOUR)
    return True


class KeyCorridor(Level):
    """# BabyAI-KeyCorridor

    Pick up the thing in a locked room. Its key is in another room along a corridor.

    ## Starting State

    The agent is in the corridor, which three columns of rooms have in their middle. The locked
    room is on the right, the key in one of the rooms on the left. Doors at random connect all
    other rooms.
    """

    class Arguments(NamedTuple):
        num_rows: int = 3
        obj_type: str = "ball"
        room_size: int = 6
        max_steps: int | None = None

    def rooms_of(p):
        return p.room_size, p.num_rows, 3

    def things_of(p):
        return 2

    def limit_of(p):
        return 30 * p.room_size**2

    def numbers_of(p):
        return (kind_number("obj_type", p.obj_type),)

    def generate(s, i, p, rng):
        rows = p.rooms[ROWS]
        for row in range(1, rows):
            remove_wall(s, i, p, room_at(p, 1, row), UP)
        locked = room_at(p, 2, integers(rng, i, 0, rows))
        door = hang(s, i, p, rng, locked, LEFT, ANY, True)
        if not add(s, i, p, rng, locked, p.grid[OWN], ANY):
            return False
        of_key = room_at(p, 0, integers(rng, i, 0, rows))
        return (
            add(s, i, p, rng, of_key, KEY, colour_of(code_of(s, i, door)))
            and place_agent_in(s, i, p, rng, room_at(p, 1, rows // 2))
            and connect(s, i, p, rng, ANY)
            and ask_of_kind(s, i, PICK_UP, door + 1)
        )


class OneRoomS8(OneRoom):
    """# BabyAI-OneRoom

    Pick up the ball in a room.

    ## Starting State

    The agent and the ball are anywhere in the room.
    """

    def generate(s, i, p, rng):
        ask(s, i, 0, PICK_UP, BALL, ANY_COLOUR)
        return add(s, i, p, rng, 0, BALL, ANY) and place_agent_in(s, i, p, rng, 0)


class MoveTwoAcross(TwoRooms):
    """# BabyAI-MoveTwoAcross

    Put a thing of the left one of two rooms next to one of the right room, then another of the
    right room next to another of the left one. No wall is between the rooms.

    ## Starting State

    The agent is in the left one of two rooms. `objs_per_room` random things lie in each, no two
    of them alike.
    """

    def limit_of(p):
        return 16 * p.room_size**2

    def numbers_of(p):
        require_between("objs_per_room", p.objs_per_room, 2, KINDS // 2)
        return (p.objs_per_room,)

    def generate(s, i, p, rng):
        count = p.grid[OWN]
        if not furnish(s, i, p, rng, count):
            return False
        left, other_left = draw_two(rng, i, count)
        right, other_right = draw_two(rng, i, count)
        ask_to_put(s, i, 0, 1 + left, 1 + count + right)
        join(s, i, 2, THEN)
        return ask_to_put(s, i, 2, 1 + count + other_right, 1 + other_left)
