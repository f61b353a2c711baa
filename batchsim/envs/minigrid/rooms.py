"""Rooms side by side, joined by doors: what a level is made of in RoomGrid's environments.

Rooms are numbered row by row. Wall 0 of a room is its right one, 1 the lower, 2 the left, 3 the
upper one; what a column holds of wall k of room r is at 4 * r + k.

Source: `minigrid/core/roomgrid.py` of MiniGrid 3.
"""

from typing import NamedTuple

import numpy as np

import batchsim
from batchsim.envs.minigrid.cells import (
    EMPTY,
    cell,
    random_colour,
    random_kind,
)
from batchsim.envs.minigrid.common import MiniGrid
from batchsim.envs.minigrid.grid import NOWHERE, Tables, at, clear, column_of, put_room, row_of
from batchsim.envs.minigrid.view import Scratch
from batchsim.envs.minigrid.world import State, faces_a_thing, put_agent
from batchsim.family import merge
from batchsim.random import integers

RIGHT, DOWN, LEFT, UP = range(4)
ROOM_SIZE, ROWS, COLUMNS = range(3)  # places in the table `rooms`
ROOMS = 16  # for which there is room at least; one kernel serves all that have no more
TRIES = 1001  # of placing a thing in a room
ANY = -1  # a room, wall, colour or kind that is to be drawn


class Walls(NamedTuple):
    door_places: batchsim.column(np.int32, lambda p: 4 * capacity(p))  # where a door may be
    doors: batchsim.column(bool, lambda p: 4 * capacity(p))  # whether one can pass there
    locked: batchsim.column(bool, lambda p: capacity(p))  # by room
    reached: batchsim.column(bool, lambda p: capacity(p))
    waiting: batchsim.column(np.int32, lambda p: 4 * capacity(p) + 1)


class RoomTables(NamedTuple):
    rooms: np.ndarray  # (3,), see ROOM_SIZE and the others
    beside: np.ndarray  # (4,), from a room's number to its neighbours', by wall


AllTables = merge(Tables, RoomTables)


def capacity(p):
    """Return for how many rooms there is room in the columns."""
    return max(ROOMS, int(p.rooms[ROWS]) * int(p.rooms[COLUMNS]))


def build(s, i, p, rng):
    """Build the walls of all rooms, draw where their doors would be, and put the agent amidst."""
    clear(s, i, p)
    side, rows, columns = p.rooms[ROOM_SIZE] - 1, p.rooms[ROWS], p.rooms[COLUMNS]
    for row in range(rows):
        for column in range(columns):
            put_room(s, i, p, column * side, row * side, side + 1, side + 1)
    for room in range(rows * columns):
        s.locked[i, room] = False
        for wall in range(4):
            s.doors[i, 4 * room + wall] = False
            s.door_places[i, 4 * room + wall] = NOWHERE
    for row in range(rows):
        for column in range(columns):
            x, y, room = column * side, row * side, row * columns + column
            if column < columns - 1:
                place = at(p, x + side, integers(rng, i, y + 1, y + side))
                s.door_places[i, 4 * room + RIGHT] = place
                s.door_places[i, 4 * (room + 1) + LEFT] = place
            if row < rows - 1:
                place = at(p, integers(rng, i, x + 1, x + side), y + side)
                s.door_places[i, 4 * room + DOWN] = place
                s.door_places[i, 4 * (room + columns) + UP] = place
    middle = (side + 1) // 2
    put_agent(s, i, p, columns // 2 * side + middle, rows // 2 * side + middle, 0)


def room_at(p, column, row):
    """Return the number of the room in a column and a row of rooms."""
    return row * p.rooms[COLUMNS] + column


def random_room(p, rng, i):
    """Return the number of one of all rooms."""
    column = integers(rng, i, 0, p.rooms[COLUMNS])
    return room_at(p, column, integers(rng, i, 0, p.rooms[ROWS]))


def find_in_room(s, i, p, rng, room, apart):
    """Return a random empty place of a room, or NOWHERE if it was not found in so many tries.

    Args:
        apart: whether it must be neither the agent's place nor beside it.
    """
    side = p.rooms[ROOM_SIZE] - 1
    x, y = room % p.rooms[COLUMNS] * side, room // p.rooms[COLUMNS] * side
    agent = s.place[i]
    agent_x, agent_y = column_of(p, agent), row_of(p, agent)
    for _ in range(TRIES):
        column = integers(rng, i, x, x + side + 1)
        row = integers(rng, i, y, y + side + 1)
        place = at(p, column, row)
        if s.cells[i, place] != EMPTY or place == agent:
            continue
        if apart and abs(column - agent_x) + abs(row - agent_y) < 2:
            continue
        return place
    return NOWHERE


def place_in_room(s, i, p, rng, room, code):
    """Put a thing on a random empty place of a room, not beside the agent; return the place."""
    place = find_in_room(s, i, p, rng, room, True)
    if place != NOWHERE:
        s.cells[i, place] = code
    return place


def add_thing(s, i, p, rng, room, kind, colour):
    """Put a thing into a room; draw its kind, then its colour, where they are ANY.

    Returns:
        Its place, or NOWHERE.
    """
    if kind == ANY:
        kind = random_kind(rng, i)
    if colour == ANY:
        colour = random_colour(rng, i)
    return place_in_room(s, i, p, rng, room, cell(kind, colour))


def is_blocked(s, i, p, room):
    """Return whether all empty places of a room have things on all sides; the agent is moved."""
    side = p.rooms[ROOM_SIZE] - 1
    x, y = room % p.rooms[COLUMNS] * side, room // p.rooms[COLUMNS] * side
    for k in range(4 * (side + 1) * (side + 1)):
        s.place[i], s.heading[i] = at(p, x + k // 4 % (side + 1), y + k // 4 // (side + 1)), k % 4
        if s.cells[i, s.place[i]] == EMPTY and not faces_a_thing(s, i, p):
            return False
    return True


def place_agent_in(s, i, p, rng, room):
    """Put the agent into a room, heading anywhere but at a thing; return whether there was room.

    MiniGrid never returns from a room that is blocked. Here there is no room then.
    """
    tries = 0
    while tries != TRIES or not is_blocked(s, i, p, room):
        s.place[i] = NOWHERE
        place = find_in_room(s, i, p, rng, room, False)
        if place == NOWHERE:
            return False
        s.place[i], s.heading[i] = place, integers(rng, i, 0, 4)
        if not faces_a_thing(s, i, p):
            return True
        tries += 1
    return False


def place_agent_anywhere(s, i, p, rng):
    """Put the agent into a random room; return whether there was room."""
    return place_agent_in(s, i, p, rng, random_room(p, rng, i))


def room_of(p, place):
    """Return the number of the room in which a place is; a wall belongs to the room after it."""
    side = p.rooms[ROOM_SIZE] - 1
    return room_at(p, column_of(p, place) // side, row_of(p, place) // side)


class RoomGrid(MiniGrid):
    """A definition has besides `rooms_of(p)`: the size of a room, and how many rows and columns."""

    State, Scratch = State, merge(Scratch, Walls)
    LEAST_ROOM = 3  # of the size of a room
    LEAST_ROOMS = 1  # in a row, and in a column

    @classmethod
    def size_of(cls, p):
        size, rows, columns = cls.rooms_of(p)
        return (size - 1) * columns + 1, (size - 1) * rows + 1

    @classmethod
    def tables(cls, p):
        size, rows, columns = cls.rooms_of(p)
        if size < cls.LEAST_ROOM or min(rows, columns) < cls.LEAST_ROOMS:
            raise ValueError(
                f"Rooms of size {size} in {rows} rows and {columns} columns; expected a size of at "
                f"least {cls.LEAST_ROOM}, and at least {cls.LEAST_ROOMS} rows and columns."
            )
        beside = np.array([1, columns, -1, -columns])
        return AllTables(*super().tables(p), np.array([size, rows, columns]), beside)
