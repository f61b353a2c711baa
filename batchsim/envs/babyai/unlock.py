"""BabyAI-Unlock…: a door is locked; find its key."""

from typing import NamedTuple

from batchsim.envs.babyai.instructions import ask_for
from batchsim.envs.babyai.level import OWN, Level
from batchsim.envs.babyai.locked import lock_room, place_agent_outside, scatter_in_all
from batchsim.envs.babyai.subsets import draw_colours, drawn
from batchsim.envs.babyai.things import add, can_reach_all, code_of, connect, hang, note, scatter
from batchsim.envs.babyai.words import ANY_COLOUR, OPEN, PICK_UP, ask
from batchsim.envs.minigrid.cells import BALL, BOX, DOOR, KEY, cell, colour_of
from batchsim.envs.minigrid.rooms import (
    ANY,
    RIGHT,
    place_agent_in,
    random_colour,
    room_at,
)
from batchsim.random import integers

ROOM_SIZE = 6


class Unlock(Level):
    """# BabyAI-Unlock

    Open the locked door in a maze of rooms. Other doors may have its colour.
    """

    def things_of(p):
        return 1 + 3 * p.num_rows * p.num_cols

    def generate(s, i, p, rng):
        room = lock_room(s, i, p, rng)
        if room == ANY:
            return False
        avoided = ANY
        if integers(rng, i, 0, 2) == 0:
            avoided = colour_of(code_of(s, i, 1))
        return (
            connect(s, i, p, rng, avoided)
            and scatter_in_all(s, i, p, rng, 3)
            and place_agent_outside(s, i, p, rng, room)
            and can_reach_all(s, i, p)
            and ask_for(s, i, 0, OPEN, 1)
        )


class UnlockLocal(Level):
    """# BabyAI-UnlockLocal

    Open the locked door of a room with the key that lies there.
    """

    LEAST_ROOMS = 2

    class Arguments(NamedTuple):
        distractors: bool = False
        room_size: int = 8
        num_rows: int = 3
        num_cols: int = 3
        max_steps: int | None = None

    def things_of(p):
        return 4 if p.distractors else 1

    def numbers_of(p):
        return (3 if p.distractors else 0,)

    def generate(s, i, p, rng):
        room = room_at(p, 1, 1)
        door = hang(s, i, p, rng, room, ANY, ANY, True)
        ask(s, i, 0, OPEN, DOOR, ANY_COLOUR)
        return (
            add(s, i, p, rng, room, KEY, colour_of(code_of(s, i, door)))
            and scatter(s, i, p, rng, room, p.grid[OWN], True)
            and place_agent_in(s, i, p, rng, room)
        )


class KeyInBox(Level):
    """# BabyAI-KeyInBox

    Open the locked door of a room. The key is in a box.
    """

    LEAST_ROOMS = 2

    def generate(s, i, p, rng):
        room = room_at(p, 1, 1)
        door = hang(s, i, p, rng, room, ANY, ANY, True)
        s.boxed[i] = cell(KEY, colour_of(code_of(s, i, door)))
        ask(s, i, 0, OPEN, DOOR, ANY_COLOUR)
        return add(s, i, p, rng, room, BOX, ANY) and place_agent_in(s, i, p, rng, room)


class UnlockPickup(Level):
    """# BabyAI-UnlockPickup

    Pick up the box in the other one of two rooms, behind a locked door.
    """

    class Arguments(NamedTuple):
        distractors: bool = False
        max_steps: int | None = None

    def rooms_of(p):
        return ROOM_SIZE, 1, 2

    def numbers_of(p):
        return (4 if p.distractors else 0,)

    def generate(s, i, p, rng):
        if not add(s, i, p, rng, 1, BOX, ANY):
            return False
        door = hang(s, i, p, rng, 0, RIGHT, ANY, True)
        return (
            add(s, i, p, rng, 0, KEY, colour_of(code_of(s, i, door)))
            and scatter(s, i, p, rng, ANY, p.grid[OWN], True)
            and place_agent_in(s, i, p, rng, 0)
            and ask_for(s, i, 0, PICK_UP, 1)
        )


class BlockedUnlockPickup(Level):
    """# BabyAI-BlockedUnlockPickup

    Pick up the box in the other one of two rooms, behind a locked door, before which a ball lies.
    """

    class Arguments(NamedTuple):
        max_steps: int | None = None

    def rooms_of(p):
        return ROOM_SIZE, 1, 2

    def limit_of(p):
        return 16 * ROOM_SIZE**2

    def generate(s, i, p, rng):
        if not add(s, i, p, rng, 1, BOX, ANY):
            return False
        door = hang(s, i, p, rng, 0, RIGHT, ANY, True)
        before = s.places[i, door] - 1
        s.cells[i, before] = cell(BALL, random_colour(rng, i))
        note(s, i, p, before)
        ask(s, i, 0, PICK_UP, BOX, ANY_COLOUR)
        return add(s, i, p, rng, 0, KEY, colour_of(code_of(s, i, door))) and place_agent_in(
            s, i, p, rng, 0
        )


class UnlockToUnlock(Level):
    """# BabyAI-UnlockToUnlock

    Pick up the ball in the first of three rooms. Its door is locked; the key is in the third room, whose
    door is locked too.
    """

    class Arguments(NamedTuple):
        max_steps: int | None = None

    def rooms_of(p):
        return ROOM_SIZE, 1, 3

    def limit_of(p):
        return 30 * ROOM_SIZE**2

    def generate(s, i, p, rng):
        colours = draw_colours(rng, i, 2)
        for room in range(2):
            colour = drawn(colours, room)
            hang(s, i, p, rng, room, RIGHT, colour, True)
            if not add(s, i, p, rng, 2 - room, KEY, colour):
                return False
        ask(s, i, 0, PICK_UP, BALL, ANY_COLOUR)
        return add(s, i, p, rng, 0, BALL, ANY) and place_agent_in(s, i, p, rng, 1)
