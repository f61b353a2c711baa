"""The things of a level, which are numbered from 1 on in the order in which they were added.

`places` has where a thing was seen last: things are looked at when an episode begins, and whenever
the agent drops something or tries to.

Source: `minigrid/core/roomgrid.py` of MiniGrid 3.
"""

from typing import NamedTuple

import numpy as np

import batchsim
from batchsim.envs.minigrid.cells import CLOSED, DOOR, EMPTY, WALL, cell, kind_of
from batchsim.envs.minigrid.rooms import (
    ANY,
    COLUMNS,
    DOWN,
    NOWHERE,
    RIGHT,
    ROWS,
    add_door,
    add_thing,
    connect_all,
    random_colour,
    random_kind,
    room_at,
)
from batchsim.envs.minigrid.world import CAPACITY, HEIGHT, ORIGIN, STRIDE
from batchsim.random import integers

MOST = 62  # things, whose sets are the bits 1 to 62 of a number
CONNECTIONS = 5001  # that are tried


def spots(p):
    """Return for how many places `numbers` has room; one kernel serves all grids of as many."""
    capacity = CAPACITY
    while capacity < p.grid[HEIGHT] * p.grid[STRIDE]:
        capacity *= 2
    return capacity


class Things(NamedTuple):
    count: np.int32  # of things; the last one's number
    places: batchsim.column(np.int32, MOST + 2)  # by number
    numbers: batchsim.column(np.int8, spots)  # by place, from the grid's first one on; or 0
    held: np.int8  # the number of what is carried, or 0
    has_changed: bool  # whether something was taken away since things were looked at


class Search(NamedTuple):
    is_found: batchsim.column(bool, lambda p: p.blank.shape)
    places_waiting: batchsim.column(np.int32, lambda p: p.blank.shape)


def number_at(s, i, p, place):
    return int(s.numbers[i, place - p.grid[ORIGIN]])


def code_of(s, i, number):
    """Return the cell of a thing, while a level is made."""
    return int(s.cells[i, s.places[i, number]])


def note(s, i, p, place):
    """Number the thing at a place; return whether there is one: the place may be NOWHERE."""
    if place == NOWHERE:
        return False
    s.count[i] += 1
    s.places[i, s.count[i]] = place
    s.numbers[i, place - p.grid[ORIGIN]] = s.count[i]
    return True


def add(s, i, p, rng, room, kind, colour):
    """Put a thing into a room; return whether there was room."""
    return note(s, i, p, add_thing(s, i, p, rng, room, kind, colour))


def hang(s, i, p, rng, room, wall, colour, locked):
    """Put a door into a wall of a room, and return its number."""
    note(s, i, p, add_door(s, i, p, rng, room, wall, colour, locked))
    return s.count[i]


def is_new(s, i, code):
    for number in range(1, s.count[i] + 1):
        if code_of(s, i, number) == code:
            return False
    return True


def scatter(s, i, p, rng, room, count, is_unique):
    """Put random things into a room, or anywhere.

    Args:
        room: its number, or ANY.
        count: how many.
        is_unique: whether each must differ from all that there are.

    Returns:
        Whether there was room.
    """
    last = s.count[i] + count
    while s.count[i] < last:
        colour = random_colour(rng, i)
        kind = random_kind(rng, i)
        if is_unique and not is_new(s, i, cell(kind, colour)):
            continue
        where = room
        if room == ANY:
            column = integers(rng, i, 0, p.rooms[COLUMNS])
            where = room_at(p, column, integers(rng, i, 0, p.rooms[ROWS]))
        if not add(s, i, p, rng, where, kind, colour):
            return False
    return True


def random_last(s, i, rng, count):
    """Return the number of a thing, one of so many that were added last."""
    return s.count[i] - count + 1 + integers(rng, i, 0, count)


def connect(s, i, p, rng, avoided):
    """Add doors until one can get to every room; return whether one can.

    Args:
        avoided: a colour that they must not have, or ANY.
    """
    if not connect_all(s, i, p, rng, CONNECTIONS, avoided):
        return False
    for room in range(p.rooms[ROWS] * p.rooms[COLUMNS]):
        for wall in range(RIGHT, DOWN + 1):
            place = s.door_places[i, 4 * room + wall]
            if s.doors[i, 4 * room + wall] and is_door(kind_of(s.cells[i, place])):
                if number_at(s, i, p, place) == 0:
                    note(s, i, p, place)
    return True


def is_door(kind):
    return kind == DOOR or kind >= CLOSED


def can_reach_all(s, i, p):
    """Return whether the agent can get to every thing through doors, without moving any other."""
    s.is_found[i] = False
    s.is_found[i, s.place[i]] = True
    s.places_waiting[i, 0] = s.place[i]
    waiting = 1
    while waiting > 0:
        waiting -= 1
        place = s.places_waiting[i, waiting]
        for heading in range(4):
            beside = place + p.ahead[heading]
            kind = kind_of(s.cells[i, beside])
            if kind == WALL or s.is_found[i, beside]:
                continue
            s.is_found[i, beside] = True
            if kind == EMPTY or is_door(kind):
                s.places_waiting[i, waiting] = beside
                waiting += 1
    for number in range(1, s.count[i] + 1):
        if not s.is_found[i, s.places[i, number]]:
            return False
    return True
