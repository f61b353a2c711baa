"""MiniGrid-MultiRoom: a chain of rooms, each of random size, joined by doors."""

from typing import NamedTuple

import numpy as np

import batchsim
from batchsim.envs.minigrid.cells import AT_GOAL, BY_NAME, CLOSED, cell
from batchsim.envs.minigrid.common import MiniGrid
from batchsim.envs.minigrid.grid import EXTRA, HEIGHT, WIDTH, clear, put, put_room
from batchsim.envs.minigrid.rooms import DOWN, LEFT, RIGHT
from batchsim.envs.minigrid.view import Scratch
from batchsim.envs.minigrid.world import place_agent, place_thing
from batchsim.family import merge
from batchsim.random import integers

FEWEST, MOST, LARGEST = EXTRA, EXTRA + 1, EXTRA + 2
SMALLEST, TRIES = 4, 8


def count(p):
    """Return for how many rooms there is room; one kernel serves all that need no more."""
    return max(8, p.maxNumRooms)


class Chain(NamedTuple):
    # Of the chain that grows, and of the longest so far: x, y, width and height of each room, and
    # where the door is by which one enters.
    growing: batchsim.column(np.int32, lambda p: (count(p), 6))
    longest: batchsim.column(np.int32, lambda p: (count(p), 6))


class MultiRoom(MiniGrid):
    """# MiniGrid-MultiRoom

    Go through a chain of rooms, opening their doors, to the goal in the last one.

    `MiniGrid-MultiRoom-N4-S5-v0` has six rooms in spite of its name, v1 has four.

    ## Starting State

    Places and sizes of the rooms are drawn, until as many as wanted fit. The agent is in the
    first.
    """

    Scratch = merge(Scratch, Chain)
    MISSION = "traverse the rooms to get to the goal"
    HAS_WALLS = False  # but those of the rooms

    class Arguments(NamedTuple):
        minNumRooms: int = 6
        maxNumRooms: int = 6
        maxRoomSize: int = 10
        width: int = 25
        height: int = 25
        max_steps: int | None = None

    def size_of(p):
        return p.width, p.height

    def steps_of(p):
        return 20 * p.maxNumRooms

    def extras_of(p):
        if not 1 <= p.minNumRooms <= p.maxNumRooms:
            raise ValueError(
                f"minNumRooms is {p.minNumRooms} and maxNumRooms {p.maxNumRooms}; expected at "
                "least 1, and no less."
            )
        if not SMALLEST <= p.maxRoomSize <= min(p.width, p.height):
            raise ValueError(
                f"maxRoomSize is {p.maxRoomSize}; expected 4 to {min(p.width, p.height)}, as the "
                f"grid is {p.width} by {p.height}."
            )
        return p.minNumRooms, p.maxNumRooms, p.maxRoomSize

    def reset(s, i, p, rng):
        clear(s, i, p)
        wanted = integers(rng, i, p.grid[FEWEST], p.grid[MOST] + 1)
        rooms = 0
        while rooms < wanted:
            grown = grow(s, i, p, rng, wanted)
            if grown > rooms:
                rooms = grown
                for k in range(rooms):
                    for number in range(6):
                        s.longest[i, k, number] = s.growing[i, k, number]
        last = -1  # the place of the last door's colour
        for k in range(rooms):
            x, y, width, height, door_x, door_y = room_of(s, i, k)
            put_room(s, i, p, x, y, width, height)
            if k == 1:
                last = integers(rng, i, 0, 6)
            elif k > 1:
                other = integers(rng, i, 0, 5)
                last = other if other < last else other + 1
            if k > 0:
                put(s, i, p, door_x, door_y, cell(CLOSED, BY_NAME[last]))
        x, y, width, height, door_x, door_y = room_of(s, i, 0)
        place_agent(s, i, p, rng, x, y, width, height)
        x, y, width, height, door_x, door_y = room_of(s, i, rooms - 1)
        place_thing(s, i, p, rng, x, y, width, height, AT_GOAL)


def room_of(s, i, k):
    """Return what is kept of a room of the longest chain."""
    room = s.longest[i, k]
    return room[0], room[1], room[2], room[3], room[4], room[5]


def grow(s, i, p, rng, wanted):
    """Make a chain of so many rooms, or of as many as fit; return how many."""
    x = integers(rng, i, 0, p.grid[WIDTH] - 2)
    y = integers(rng, i, 0, p.grid[WIDTH] - 2)
    wall = LEFT
    if not add_room(s, i, p, rng, 0, wall, x, y):
        return 0
    rooms = 1
    while rooms < wanted:
        is_added = False
        for _ in range(TRIES):
            chosen = integers(rng, i, 0, 3)
            leave = chosen if chosen < wall else chosen + 1
            x, y = s.growing[i, rooms - 1, 0], s.growing[i, rooms - 1, 1]
            width, height = s.growing[i, rooms - 1, 2], s.growing[i, rooms - 1, 3]
            if leave in (RIGHT, LEFT):
                y += integers(rng, i, 1, height - 1)
                x += width - 1 if leave == RIGHT else 0
            else:
                x += integers(rng, i, 1, width - 1)
                y += height - 1 if leave == DOWN else 0
            enter = (leave + 2) % 4
            if add_room(s, i, p, rng, rooms, enter, x, y):
                is_added = True
                wall = enter
                break
        if not is_added:
            break
        rooms += 1
    return rooms


def add_room(s, i, p, rng, rooms, wall, door_x, door_y):
    """Add a room to the chain with its door in this wall; return whether there is space."""
    width = integers(rng, i, SMALLEST, p.grid[LARGEST] + 1)
    height = integers(rng, i, SMALLEST, p.grid[LARGEST] + 1)
    x, y = door_x, door_y
    if rooms > 0:
        if wall in (RIGHT, LEFT):
            y = integers(rng, i, door_y - height + 2, door_y)
            x = door_x - width + 1 if wall == RIGHT else door_x
        else:
            x = integers(rng, i, door_x - width + 2, door_x)
            y = door_y - height + 1 if wall == DOWN else door_y
    if x < 0 or y < 0 or x + width > p.grid[WIDTH] or y + height >= p.grid[HEIGHT]:
        return False
    for k in range(rooms - 1):
        other_x, other_y = s.growing[i, k, 0], s.growing[i, k, 1]
        is_beside = x + width < other_x or other_x + s.growing[i, k, 2] <= x
        is_above = y + height < other_y or other_y + s.growing[i, k, 3] <= y
        if not (is_beside or is_above):
            return False
    room = s.growing[i, rooms]
    room[0], room[1], room[2], room[3], room[4], room[5] = x, y, width, height, door_x, door_y
    return True
