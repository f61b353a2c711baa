"""MiniGrid-ObstructedMaze: a ball in one of nine rooms, keys in boxes, doors that are blocked."""

from typing import NamedTuple

import numpy as np

import batchsim
from batchsim.envs.minigrid.cells import (
    BALL,
    BLUE,
    BOX,
    BY_NAME,
    EMPTY,
    GREEN,
    GREY,
    KEY,
    cell,
    kind_of,
)
from batchsim.envs.minigrid.doors import add_door
from batchsim.envs.minigrid.grid import EXTRA
from batchsim.envs.minigrid.rooms import (
    RIGHT,
    RoomGrid,
    add_thing,
    build,
    place_agent_in,
    place_in_room,
    room_at,
)
from batchsim.envs.minigrid.target import Target, fetch
from batchsim.envs.minigrid.world import State, front
from batchsim.family import env, merge
from batchsim.random import integers

IN_BOX, IS_BLOCKED, QUARTERS, AGENT_ROOM = range(EXTRA, EXTRA + 4)
ROOM_SIZE = 6
COLOURS = 6
SIDES = ((2, 1), (1, 2), (0, 1), (1, 0))  # rooms beside the one in the middle, column and row
CORNERS = ((2, 0), (2, 2), (0, 2), (0, 0))


class Boxes(NamedTuple):
    inside: batchsim.column(np.uint8, lambda p: p.blank.shape)  # what is in the box at a place
    carried_inside: np.uint8  # what is in the box that is carried


class Order(NamedTuple):
    colours: batchsim.column(np.int32, COLOURS)  # of doors


class ObstructedMaze(RoomGrid):
    """A maze of rooms in which a blue ball is to be found."""

    State = merge(State, Target, Boxes)
    Scratch = merge(RoomGrid.Scratch, Order)
    MISSION = "pick up the blue ball"

    def steps_of(p):
        return 4 * p.num_rooms_visited * ROOM_SIZE**2

    def play(s, i, action, p, rng):
        place, held = front(s, i, p), s.carried[i]
        code = s.cells[i, place]
        reward, terminated = fetch(s, i, action, p)
        carried = s.carried[i]
        if kind_of(code) == BOX and s.cells[i, place] == EMPTY:
            if carried == held:
                s.cells[i, place] = s.inside[i, place]
            else:
                s.carried_inside[i] = s.inside[i, place]
        if kind_of(held) == BOX and carried == 0:
            s.inside[i, place] = s.carried_inside[i]
        return reward, terminated


def begin(s, i, p, rng):
    """Build the rooms, and draw the order of colours."""
    build(s, i, p, rng)
    for k in range(COLOURS):
        s.colours[i, k] = BY_NAME[k]
    for k in range(COLOURS):
        chosen = k + integers(rng, i, 0, COLOURS - k)
        colour = s.colours[i, chosen]
        for place in range(chosen, k, -1):
            s.colours[i, place] = s.colours[i, place - 1]
        s.colours[i, k] = colour


def add_locked_door(s, i, p, rng, room, wall, colour):
    """Put a locked door into a wall, and a ball before it if doors are blocked."""
    door = add_door(s, i, p, rng, room, wall, colour, True)
    if p.grid[IS_BLOCKED]:
        s.cells[i, door - p.ahead[wall]] = cell(BALL, GREEN)


def add_key(s, i, p, rng, room, colour):
    """Put a key into a room, in a box if keys are in boxes."""
    key = cell(KEY, colour)
    if p.grid[IN_BOX]:
        s.inside[i, place_in_room(s, i, p, rng, room, cell(BOX, GREY))] = key
    else:
        place_in_room(s, i, p, rng, room, key)


class ObstructedMazeOneDoor(ObstructedMaze):
    """# MiniGrid-ObstructedMaze-1Dl

    Find the blue ball in the other one of two rooms. The door between them is locked; the key
    may be in a box (`h`), and a ball may block the door (`b`).

    ## Starting State

    The agent, the key or its box, and the blue ball are at random places in their rooms.
    """

    class Arguments(NamedTuple):
        key_in_box: bool = True
        blocked: bool = True
        num_rooms_visited: int = 2
        max_steps: int | None = None

    def rooms_of(p):
        return ROOM_SIZE, 1, 2

    def extras_of(p):
        return p.key_in_box, p.blocked

    def reset(s, i, p, rng):
        begin(s, i, p, rng)
        add_locked_door(s, i, p, rng, 0, RIGHT, s.colours[i, 0])
        add_key(s, i, p, rng, 0, s.colours[i, 0])
        s.target[i] = add_thing(s, i, p, rng, 1, BALL, BLUE)
        place_agent_in(s, i, p, rng, 0)


class ObstructedMazeFull(ObstructedMaze):
    """# MiniGrid-ObstructedMaze

    Find the blue ball, which is in a corner of nine rooms. The doors to the corners are locked;
    their keys lie in the rooms before them, maybe in boxes (`h`), and balls may block the doors
    (`b`). There are mazes of one, two and all four quarters.

    A ball that blocks the second door of a room may be put where the first door's key lies,
    which is gone then. In v1 the keys are put last.

    ## Starting State

    The agent is in the middle or beside it; things are at random places in their rooms.
    """

    class Arguments(NamedTuple):
        agent_room: tuple[int, int] = (1, 1)
        key_in_box: bool = True
        blocked: bool = True
        num_quarters: int = 4
        num_rooms_visited: int = 25
        max_steps: int | None = None

    def rooms_of(p):
        return ROOM_SIZE, 3, 3

    def extras_of(p):
        column, row = p.agent_room
        if not (0 <= column < 3 and 0 <= row < 3):
            raise ValueError(f"agent_room is {p.agent_room!r}; expected column and row, 0 to 2.")
        if not 1 <= p.num_quarters <= 4:
            raise ValueError(f"num_quarters is {p.num_quarters}; expected 1 to 4.")
        return p.key_in_box, p.blocked, p.num_quarters, 3 * row + column

    def reset(s, i, p, rng):
        begin(s, i, p, rng)
        quarters = p.grid[QUARTERS]
        for side in range(quarters):
            add_door(s, i, p, rng, room_at(p, 1, 1), side, s.colours[i, side], False)
            env.furnish(s, i, p, rng, room_at(p, SIDES[side][0], SIDES[side][1]), side)
        corner = integers(rng, i, 0, quarters)
        room = room_at(p, CORNERS[corner][0], CORNERS[corner][1])
        s.target[i] = add_thing(s, i, p, rng, room, BALL, BLUE)
        place_agent_in(s, i, p, rng, p.grid[AGENT_ROOM])

    def furnish(s, i, p, rng, room, side):
        """Lock the two doors of a room that lead to corners, each with its key in the room."""
        for turn in (-1, 1):
            colour = s.colours[i, (side + turn) % COLOURS]
            add_locked_door(s, i, p, rng, room, (side + turn) % 4, colour)
            add_key(s, i, p, rng, room, colour)


class ObstructedMazeFullV1(ObstructedMazeFull):
    __doc__ = ObstructedMazeFull.__doc__

    def furnish(s, i, p, rng, room, side):
        for turn in (-1, 1):
            colour = s.colours[i, (side + turn) % COLOURS]
            add_locked_door(s, i, p, rng, room, (side + turn) % 4, colour)
        for turn in (-1, 1):
            add_key(s, i, p, rng, room, s.colours[i, (side + turn) % COLOURS])
