"""How things come into a level.

Source: `minigrid/core/roomgrid.py` of MiniGrid 3.
"""

from typing import NamedTuple

import numpy as np

import batchsim
from batchsim.envs.babyai.things import code_of, is_door, note, number_at
from batchsim.envs.minigrid.cells import EMPTY, WALL, cell, kind_of, random_colour, random_kind
from batchsim.envs.minigrid.doors import add_door, connect_all
from batchsim.envs.minigrid.rooms import (
    ANY,
    COLUMNS,
    DOWN,
    RIGHT,
    ROWS,
    add_thing,
    place_agent_anywhere,
    random_room,
)
from batchsim.random import integers


class Search(NamedTuple):
    is_found: batchsim.column(bool, lambda p: p.blank.shape)
    places_waiting: batchsim.column(np.int32, lambda p: p.blank.shape)


def add(s, i, p, rng, room, kind, colour):
    """Put a thing into a room; return whether there was room."""
    return note(s, i, p, add_thing(s, i, p, rng, room, kind, colour))


def hang(s, i, p, rng, room, wall, colour, locked):
    """Put a door into a wall of a room, and return its number."""
    note(s, i, p, add_door(s, i, p, rng, room, wall, colour, locked))
    return s.last[i]


def is_new(s, i, code):
    """Return whether no thing is like this one."""
    for number in range(1, s.last[i] + 1):
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
    last = s.last[i] + count
    while s.last[i] < last:
        colour = random_colour(rng, i)
        kind = random_kind(rng, i)
        if is_unique and not is_new(s, i, cell(kind, colour)):
            continue
        where = random_room(p, rng, i) if room == ANY else room
        if not add(s, i, p, rng, where, kind, colour):
            return False
    return True


def random_last(s, i, rng, count):
    """Return the number of a thing, one of so many that were added last."""
    return s.last[i] - count + 1 + integers(rng, i, 0, count)


def connect(s, i, p, rng, avoided):
    """Add doors until one can get to every room; return whether one can.

    Args:
        avoided: a colour that they must not have, or ANY.
    """
    if not connect_all(s, i, p, rng, avoided):
        return False
    for room in range(p.rooms[ROWS] * p.rooms[COLUMNS]):
        for wall in range(RIGHT, DOWN + 1):
            place = s.door_places[i, 4 * room + wall]
            if is_door(kind_of(s.cells[i, place])) and number_at(s, i, p, place) == 0:
                note(s, i, p, place)
    return True


def fill_maze(s, i, p, rng, count):
    """Put the agent anywhere, connect all rooms, and put so many random things into them.

    Returns:
        Whether there was room.
    """
    return (
        place_agent_anywhere(s, i, p, rng)
        and connect(s, i, p, rng, ANY)
        and scatter(s, i, p, rng, ANY, count, False)
    )


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
    for number in range(1, s.last[i] + 1):
        if not s.is_found[i, s.places[i, number]]:
            return False
    return True
