"""BabyAI-Unlock…: a door is locked; find its key."""

from typing import NamedTuple

from batchsim.envs.babyai.descriptions import ask_for
from batchsim.envs.babyai.furnishing import add, can_reach_all, connect, hang, scatter
from batchsim.envs.babyai.level import OWN, Level
from batchsim.envs.babyai.locked import lock_room, place_agent_outside, scatter_in_all
from batchsim.envs.babyai.things import code_of
from batchsim.envs.babyai.words import ANY_COLOUR, OPEN, ask
from batchsim.envs.minigrid.cells import BOX, DOOR, KEY, cell, colour_of
from batchsim.envs.minigrid.rooms import ANY, place_agent_in, room_at
from batchsim.random import integers


class Unlock(Level):
    """# BabyAI-Unlock

    Open the locked door in a maze of rooms. Other doors may have its colour.

    ## Starting State

    Doors at random connect all rooms, one of which has a locked door. Three random things lie
    in each room, and the key anywhere, be it behind its own door. The agent is in another room
    than the locked one.
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

    ## Starting State

    The agent and the key are in the room in the middle of nine, which has one door, and so are
    three other things with `distractors`.
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

    ## Starting State

    The agent and the box are in the room in the middle of nine, which has one door.
    """

    LEAST_ROOMS = 2

    def generate(s, i, p, rng):
        room = room_at(p, 1, 1)
        door = hang(s, i, p, rng, room, ANY, ANY, True)
        s.boxed[i] = cell(KEY, colour_of(code_of(s, i, door)))
        ask(s, i, 0, OPEN, DOOR, ANY_COLOUR)
        return add(s, i, p, rng, room, BOX, ANY) and place_agent_in(s, i, p, rng, room)
