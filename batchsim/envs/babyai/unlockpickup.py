"""BabyAI-UnlockPickup and the like: pick up a thing behind a locked door."""

from typing import NamedTuple

from batchsim.envs.babyai.descriptions import ask_for
from batchsim.envs.babyai.furnishing import add, hang, scatter
from batchsim.envs.babyai.level import OWN, Level
from batchsim.envs.babyai.subsets import draw_colours, drawn
from batchsim.envs.babyai.things import code_of, note
from batchsim.envs.babyai.words import ANY_COLOUR, PICK_UP, ask
from batchsim.envs.minigrid.cells import BALL, BOX, KEY, cell, colour_of, random_colour
from batchsim.envs.minigrid.rooms import ANY, RIGHT, place_agent_in

ROOM_SIZE = 6


class UnlockPickup(Level):
    """# BabyAI-UnlockPickup

    Pick up the box in the other one of two rooms, behind a locked door.

    ## Starting State

    The agent and the key are in the left one of two rooms, the box is in the right one. With
    `distractors` four other things lie in these rooms.
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

    Pick up the box in the other one of two rooms, behind a locked door, before which a ball
    lies.

    ## Starting State

    The agent, the key and the ball are in the left one of two rooms, the box is in the right
    one.
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

    Pick up the ball in the first of three rooms. Its door is locked; the key is in the third
    room, whose door is locked too.

    ## Starting State

    The agent is in the room in the middle, with the key to the room on the right.
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
