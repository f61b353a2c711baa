"""BabyAI-Pickup…: pick up a thing."""

from typing import NamedTuple

from batchsim.envs.babyai.descriptions import ask_for
from batchsim.envs.babyai.furnishing import (
    add,
    can_reach_all,
    connect,
    fill_maze,
    hang,
    random_last,
    scatter,
)
from batchsim.envs.babyai.generator import Generator
from batchsim.envs.babyai.level import OWN, Level
from batchsim.envs.babyai.rooms import FourDoors
from batchsim.envs.babyai.things import code_of
from batchsim.envs.babyai.words import ANY_COLOUR, ANYTHING, PICK_UP, ask
from batchsim.envs.minigrid.cells import colour_of, kind_of
from batchsim.envs.minigrid.rooms import ANY, UP, place_agent_in, room_at
from batchsim.random import integers

IN_MAZE, BLOCKING, IN_ROOM = 18, 20, 5  # things that lie about
BY_KIND, BY_COLOUR = range(2)


class Pickup(Level):
    """# BabyAI-Pickup

    Pick up one of the things in a maze of rooms.

    ## Starting State

    Doors at random connect all rooms, in which 18 random things lie. One can get to all of them
    through doors without moving another.
    """

    def things_of(p):
        return IN_MAZE

    def generate(s, i, p, rng):
        return (
            fill_maze(s, i, p, rng, IN_MAZE)
            and can_reach_all(s, i, p)
            and ask_for(s, i, 0, PICK_UP, random_last(s, i, rng, IN_MAZE))
        )


class UnblockPickup(Level):
    """# BabyAI-UnblockPickup

    Pick up one of the things in a maze of rooms, some of which one cannot get to without moving
    others.

    ## Starting State

    Doors at random connect all rooms, in which 20 random things lie. One cannot get to all of
    them without moving another.
    """

    def things_of(p):
        return BLOCKING

    def generate(s, i, p, rng):
        return (
            fill_maze(s, i, p, rng, BLOCKING)
            and not can_reach_all(s, i, p)
            and ask_for(s, i, 0, PICK_UP, random_last(s, i, rng, BLOCKING))
        )


class PickupLoc(Generator):
    """# BabyAI-PickupLoc

    Pick up a thing in a room, which may be described by where it is at the start.

    ## Starting State

    Eight random things lie in a room. One can get to all of them without moving another.
    """

    class Arguments(NamedTuple):
        room_size: int = 8
        max_steps: int | None = None

    IS_UNBLOCKING = False
    ACTIONS, SHAPES = ("pickup",), ("action",)

    def rooms_of(p):
        return p.room_size, 1, 1

    def dists_of(p):
        return 8

    def chance_of(p):
        return 0.0


class PickupDist(Level):
    """# BabyAI-PickupDist

    Pick up a thing in a room, which is described by its kind, its colour, or both. With
    `debug`, picking up another thing is a failure.

    ## Starting State

    Five random things lie in a room, no two of them alike.
    """

    class Arguments(NamedTuple):
        debug: bool = False
        max_steps: int | None = None

    def rooms_of(p):
        return 7, 1, 1

    def things_of(p):
        return IN_ROOM

    def numbers_of(p):
        return (p.debug,)

    def generate(s, i, p, rng):
        if not scatter(s, i, p, rng, 0, IN_ROOM, True) or not place_agent_in(s, i, p, rng, 0):
            return False
        code = code_of(s, i, random_last(s, i, rng, IN_ROOM))
        kind, colour = kind_of(code), colour_of(code)
        selected = integers(rng, i, 0, 3)
        if selected == BY_KIND:
            colour = ANY_COLOUR
        elif selected == BY_COLOUR:
            kind = ANYTHING
        ask(s, i, 0, PICK_UP, kind, colour)
        s.strict[i] = p.grid[OWN]
        return True


class PickupAbove(FourDoors):
    """# BabyAI-PickupAbove

    Pick up the thing in the room above.

    ## Starting State

    The agent is in the room in the middle of nine, the thing in the room above. Doors at random
    connect all rooms, and one joins these two.
    """

    LEAST_ROOMS = 2
    ROOM = 6

    def limit_of(p):
        return 8 * PickupAbove.ROOM**2

    def generate(s, i, p, rng):
        if not add(s, i, p, rng, room_at(p, 1, 0), ANY, ANY):
            return False
        hang(s, i, p, rng, room_at(p, 1, 1), UP, ANY, False)
        return (
            place_agent_in(s, i, p, rng, room_at(p, 1, 1))
            and connect(s, i, p, rng, ANY)
            and ask_for(s, i, 0, PICK_UP, 1)
        )
