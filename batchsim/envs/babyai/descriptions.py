"""Which things a description means, and how things are asked for by descriptions.

Source: `minigrid/envs/babyai/core/verifier.py` of MiniGrid 3.
"""

import numpy as np

from batchsim.envs.babyai.things import code_of, is_door
from batchsim.envs.babyai.words import (
    ANYTHING,
    ANYWHERE,
    BEHIND,
    COLOUR,
    IN_FRONT,
    LOCATION,
    ON_LEFT,
    ON_RIGHT,
    PUT_NEXT,
    THING,
    ask,
    ask_beside,
)
from batchsim.envs.minigrid.cells import DOOR, colour_of, kind_of
from batchsim.envs.minigrid.grid import column_of, row_of
from batchsim.envs.minigrid.rooms import COLUMNS, ROOM_SIZE, room_of

EASTWARDS = np.array([1, 0, -1, 0])  # by heading
SOUTHWARDS = np.array([0, 1, 0, -1])


def ask_for(s, i, clause, action, number):
    """Ask that something be done to a thing of this one's kind and colour; return True."""
    code = code_of(s, i, number)
    ask(s, i, clause, action, kind_named(code), colour_of(code))
    return True


def ask_to_put(s, i, clause, moved, fixed):
    """Ask that a thing like this one be put next to one like that; return True."""
    code = code_of(s, i, fixed)
    ask_for(s, i, clause, PUT_NEXT, moved)
    ask_beside(s, i, clause, kind_named(code), colour_of(code))
    return True


def kind_named(code):
    """Return the kind of a thing, which of all doors is DOOR."""
    kind = kind_of(code)
    return DOOR if is_door(kind) else kind


def is_meant(s, i, p, number, thing, colour, location):
    """Tell whether a description means a thing."""
    code = code_of(s, i, number)
    if thing != 1 and thing - 1 + ANYTHING != kind_named(code):
        return False
    if colour != 0 and colour - 1 != colour_of(code):
        return False
    return location == ANYWHERE or is_at(s, i, p, s.places[i, number], location)


def is_at(s, i, p, place, location):
    """Tell whether a place is in the agent's room, walls included, and where the agent sees it."""
    side = p.rooms[ROOM_SIZE] - 1
    room = room_of(p, s.place[i])
    x, y = column_of(p, place), row_of(p, place)
    left, top = room % p.rooms[COLUMNS] * side, room // p.rooms[COLUMNS] * side
    if x < left or x > left + side or y < top or y > top + side:
        return False
    x -= column_of(p, s.place[i])
    y -= row_of(p, s.place[i])
    east, south = EASTWARDS[s.heading[i]], SOUTHWARDS[s.heading[i]]
    ahead, right = x * east + y * south, y * east - x * south
    if location == ON_LEFT:
        return right < 0
    if location == ON_RIGHT:
        return right > 0
    if location == IN_FRONT:
        return ahead > 0
    return location == BEHIND and ahead < 0


def find(s, i, p, place):
    """Return the set of things that the description at this place of the words means."""
    found = 0
    thing = int(s.words[i, place + THING])
    colour, location = int(s.words[i, place + COLOUR]), int(s.words[i, place + LOCATION])
    for number in range(1, s.last[i] + 1):
        if is_meant(s, i, p, number, thing, colour, location):
            found |= 1 << number
    return found
