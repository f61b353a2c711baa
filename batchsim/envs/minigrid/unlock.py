"""MiniGrid-Unlock and the like: two rooms, a locked door between them, and a key."""

from typing import NamedTuple

from batchsim.envs.minigrid.cells import (
    BALL,
    BOX,
    DOOR,
    KEY,
    cell,
    colour_of,
    kind_of,
    random_colour,
)
from batchsim.envs.minigrid.doors import add_door
from batchsim.envs.minigrid.missions import COLOURS, Worded, Words
from batchsim.envs.minigrid.rooms import ANY, RIGHT, RoomGrid, add_thing, build, place_agent_in
from batchsim.envs.minigrid.target import Target, fetch
from batchsim.envs.minigrid.world import TOGGLE, State, act, success
from batchsim.family import merge

ROOM_SIZE = 6


class TwoRooms(RoomGrid):
    class Arguments(NamedTuple):
        max_steps: int | None = None

    def rooms_of(p):
        return ROOM_SIZE, 1, 2

    def steps_of(p):
        return 8 * ROOM_SIZE**2


class Unlock(TwoRooms):
    """# MiniGrid-Unlock

    Open a locked door with the key that lies about.

    ## Starting State

    The agent and the key are at random places in the left one of two rooms.
    """

    State = merge(State, Target)
    MISSION = "open the door"

    def reset(s, i, p, rng):
        build(s, i, p, rng)
        door = add_door(s, i, p, rng, 0, RIGHT, ANY, True)
        add_thing(s, i, p, rng, 0, KEY, colour_of(s.cells[i, door]))
        place_agent_in(s, i, p, rng, 0)
        s.target[i] = door

    def play(s, i, action, p, rng):
        reward, terminated = act(s, i, action, p)
        if action == TOGGLE and kind_of(s.cells[i, s.target[i]]) == DOOR:
            return success(s, i, p), True
        return reward, terminated


class UnlockPickup(Worded, TwoRooms):
    """# MiniGrid-UnlockPickup

    Pick up the box in the room behind a locked door.

    ## Starting State

    The agent and the key are at random places in the left one of two rooms, the box in the
    right one.
    """

    State = merge(State, Words, Target)
    WORDS = (len(COLOURS),)

    def text(tokens):
        return f"pick up the {COLOURS[tokens[0]]} box"

    def reset(s, i, p, rng):
        build(s, i, p, rng)
        s.target[i] = add_thing(s, i, p, rng, 1, BOX, ANY)
        s.words[i, 0] = colour_of(s.cells[i, s.target[i]])
        door = add_door(s, i, p, rng, 0, RIGHT, ANY, True)
        add_thing(s, i, p, rng, 0, KEY, colour_of(s.cells[i, door]))
        place_agent_in(s, i, p, rng, 0)

    def play(s, i, action, p, rng):
        return fetch(s, i, action, p)


class BlockedUnlockPickup(UnlockPickup):
    """# MiniGrid-BlockedUnlockPickup

    Pick up the box in the room behind a locked door, before which a ball lies.

    ## Starting State

    The agent and the key are at random places in the left one of two rooms, the box in the
    right one.
    """

    def steps_of(p):
        return 16 * ROOM_SIZE**2

    def reset(s, i, p, rng):
        build(s, i, p, rng)
        s.target[i] = add_thing(s, i, p, rng, 1, BOX, ANY)
        s.words[i, 0] = colour_of(s.cells[i, s.target[i]])
        door = add_door(s, i, p, rng, 0, RIGHT, ANY, True)
        s.cells[i, door - 1] = cell(BALL, random_colour(rng, i))
        add_thing(s, i, p, rng, 0, KEY, colour_of(s.cells[i, door]))
        place_agent_in(s, i, p, rng, 0)
