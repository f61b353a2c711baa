"""Doors between rooms, and whether one can get everywhere."""

from batchsim.envs.minigrid.cells import CLOSED, EMPTY, LOCKED, cell, other_colour, random_colour
from batchsim.envs.minigrid.grid import NOWHERE, STRIDE, at
from batchsim.envs.minigrid.rooms import (
    ANY,
    COLUMNS,
    DOWN,
    LEFT,
    RIGHT,
    ROOM_SIZE,
    ROWS,
    random_room,
    room_of,
)
from batchsim.random import integers

TRIES = 5001  # of adding a door at random, before one gives up


def add_door(s, i, p, rng, room, wall, colour, locked):
    """Put a door into a wall of a room; draw wall, colour, and whether it is locked, where ANY.

    A room is locked as the last of its own doors is.

    Returns:
        The door's place.
    """
    if wall == ANY:
        wall = integers(rng, i, 0, 4)
        while s.door_places[i, 4 * room + wall] == NOWHERE or s.doors[i, 4 * room + wall]:
            wall = integers(rng, i, 0, 4)
    if colour == ANY:
        colour = random_colour(rng, i)
    if locked == ANY:
        locked = integers(rng, i, 0, 2) == 0
    s.locked[i, room] = locked
    place = s.door_places[i, 4 * room + wall]
    s.cells[i, place] = cell(LOCKED if locked else CLOSED, colour)
    join(s, i, p, room, wall)
    return place


def join(s, i, p, room, wall):
    """Note that one can get through a wall, from both sides."""
    s.doors[i, 4 * room + wall] = True
    s.doors[i, 4 * (room + p.beside[wall]) + (wall + 2) % 4] = True


def remove_wall(s, i, p, room, wall):
    """Take a wall away, all but its ends."""
    side = p.rooms[ROOM_SIZE] - 1
    x, y = room % p.rooms[COLUMNS] * side, room // p.rooms[COLUMNS] * side
    if wall == RIGHT:
        x += side
    elif wall == DOWN:
        y += side
    along = p.grid[STRIDE] if wall in (RIGHT, LEFT) else 1
    place = at(p, x, y)
    for _ in range(1, side):
        place += along
        s.cells[i, place] = EMPTY
    join(s, i, p, room, wall)


def count_reached(s, i, p, start):
    """Return how many rooms one can get to from this one."""
    rooms = p.rooms[ROWS] * p.rooms[COLUMNS]
    for room in range(rooms):
        s.reached[i, room] = False
    s.waiting[i, 0] = start
    waiting, count = 1, 0
    while waiting > 0:
        waiting -= 1
        room = s.waiting[i, waiting]
        if s.reached[i, room]:
            continue
        s.reached[i, room] = True
        count += 1
        for wall in range(4):
            if s.doors[i, 4 * room + wall]:
                s.waiting[i, waiting] = room + p.beside[wall]
                waiting += 1
    return count


def connect_all(s, i, p, rng, avoided):
    """Add doors at random until one can get from the agent's room to every other.

    Args:
        avoided: a colour that they must not have, or ANY.

    Returns:
        Whether one can.
    """
    start = room_of(p, s.place[i])
    rooms = p.rooms[ROWS] * p.rooms[COLUMNS]
    for _ in range(TRIES):
        if count_reached(s, i, p, start) == rooms:
            return True
        room = random_room(p, rng, i)
        wall = integers(rng, i, 0, 4)
        if s.door_places[i, 4 * room + wall] == NOWHERE or s.doors[i, 4 * room + wall]:
            continue
        if s.locked[i, room] or s.locked[i, room + p.beside[wall]]:
            continue
        colour = random_colour(rng, i) if avoided == ANY else other_colour(rng, i, avoided)
        add_door(s, i, p, rng, room, wall, colour, False)
    return False
