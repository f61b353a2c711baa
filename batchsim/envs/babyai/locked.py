"""Levels with a locked room, whose key lies somewhere else."""

from batchsim.envs.babyai.furnishing import add, hang, scatter
from batchsim.envs.babyai.things import code_of
from batchsim.envs.minigrid.cells import KEY, colour_of
from batchsim.envs.minigrid.rooms import (
    ANY,
    COLUMNS,
    ROWS,
    place_agent_anywhere,
    random_room,
    room_at,
    room_of,
)


def lock_room(s, i, p, rng):
    """Lock one door of a random room, and put its key anywhere, even behind that door.

    Returns:
        The room, or ANY if there was no room for the key.
    """
    room = random_room(p, rng, i)
    door = hang(s, i, p, rng, room, ANY, ANY, True)
    colour = colour_of(code_of(s, i, door))
    return room if add(s, i, p, rng, random_room(p, rng, i), KEY, colour) else ANY


def scatter_in_all(s, i, p, rng, count):
    """Put so many random things into each room; return whether there was room."""
    for column in range(p.rooms[COLUMNS]):
        for row in range(p.rooms[ROWS]):
            if not scatter(s, i, p, rng, room_at(p, column, row), count, False):
                return False
    return True


def place_agent_outside(s, i, p, rng, room):
    """Put the agent into another room than this one; return whether there was room."""
    while True:
        if not place_agent_anywhere(s, i, p, rng):
            return False
        if room_of(p, s.place[i]) != room:
            return True
