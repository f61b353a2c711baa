"""What a mission asks, followed while an episode lasts: which things it means, what is done.

Clauses of a part may be done in any order; one part follows the other.

Source: `minigrid/envs/babyai/core/verifier.py` of MiniGrid 3.
"""

from typing import NamedTuple

import numpy as np

import batchsim
from batchsim.envs.babyai.things import code_of, is_door, number_at
from batchsim.envs.babyai.words import (
    ACTION,
    ANYTHING,
    ANYWHERE,
    BEHIND,
    CLAUSE,
    CLAUSES,
    COLOUR,
    DESCRIPTION,
    GO_TO,
    IN_FRONT,
    LOCATION,
    MOVED,
    ON_LEFT,
    ON_RIGHT,
    OPEN,
    PICK_UP,
    PUT_NEXT,
    THING,
    THINGS,
    ask,
    ask_beside,
)
from batchsim.envs.minigrid.cells import DOOR, GREY, colour_of, kind_of
from batchsim.envs.minigrid.rooms import COLUMNS, ROOM_SIZE, room_of
from batchsim.envs.minigrid.world import DROP, PICKUP, TOGGLE, column_of, front, row_of

CONTINUE, SUCCESS, FAILURE = range(3)
NO_PART = -1
GREY_WORD = 1 + GREY
EASTWARDS = np.array([1, 0, -1, 0])  # by heading
SOUTHWARDS = np.array([0, 1, 0, -1])


class Instructions(NamedTuple):
    moved: batchsim.column(int, CLAUSES)  # sets of things, as bits by number
    fixed: batchsim.column(int, CLAUSES)
    strict: np.int8  # clauses in which doing it to another thing is a failure, as bits
    begun: np.int8  # clauses that were looked at before, as bits
    done: np.int8  # clauses, as bits
    part: np.int8  # the first clause of the part that is to be done now
    next_part: np.int8  # and of the one after it, or NO_PART


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
    for number in range(1, s.count[i] + 1):
        if is_meant(s, i, p, number, thing, colour, location):
            found |= 1 << number
    return found


def settle(s, i, p):
    """Find what all descriptions mean, and their articles."""
    for clause in range(CLAUSES):
        s.moved[i, clause] = s.fixed[i, clause] = 0
        if s.words[i, clause * CLAUSE + ACTION] == 0:
            continue
        for place in range(clause * CLAUSE + MOVED, (clause + 1) * CLAUSE, DESCRIPTION):
            if s.words[i, place + THING] == 0:
                continue
            found = find(s, i, p, place)
            # All walls are grey objects.
            is_wall = s.words[i, place + THING] == 1 and s.words[i, place + COLOUR] == GREY_WORD
            if found & found - 1 != 0 or is_wall:
                s.words[i, place + THING] += len(THINGS)
            if place == clause * CLAUSE + MOVED:
                s.moved[i, clause] = found
            else:
                s.fixed[i, clause] = found


def follow(s, i, p, action, held):
    """Tell what a step has brought about: CONTINUE, SUCCESS or FAILURE.

    Args:
        held: the number of what was carried before the step.
    """
    status = follow_part(s, i, p, action, held, int(s.part[i]))
    if status == SUCCESS and s.next_part[i] != NO_PART:
        # The second part may be done in the same step.
        s.part[i], s.next_part[i] = s.next_part[i], NO_PART
        status = follow_part(s, i, p, action, held, int(s.part[i]))
    return status


def follow_part(s, i, p, action, held, part):
    if s.words[i, (part + 1) * CLAUSE + ACTION] == 0:
        return follow_clause(s, i, p, action, held, part)
    for clause in range(part, part + 2):
        if s.done[i] >> clause & 1 == 0:
            if follow_clause(s, i, p, action, held, clause) == SUCCESS:
                s.done[i] |= 1 << clause
    return SUCCESS if s.done[i] >> part & 3 == 3 else CONTINUE


def follow_clause(s, i, p, action, held, clause):
    """Tell what has become of a clause, which remembers what was carried only once it has begun."""
    if s.begun[i] >> clause & 1 == 0:
        held = 0
        s.begun[i] |= 1 << clause
    asked, things = s.words[i, clause * CLAUSE + ACTION], s.moved[i, clause]
    is_strict = s.strict[i] >> clause & 1 == 1
    place = front(s, i, p)
    if asked == GO_TO:
        return SUCCESS if things >> number_at(s, i, p, place) & 1 == 1 else CONTINUE
    if asked == OPEN and action == TOGGLE:
        kind = kind_of(s.cells[i, place])
        if kind == DOOR and things >> number_at(s, i, p, place) & 1 == 1:
            return SUCCESS
        return FAILURE if is_strict and is_door(kind) else CONTINUE
    if asked == PICK_UP and action == PICKUP:
        if held == 0 and things >> int(s.held[i]) & 1 == 1:
            return SUCCESS
        return FAILURE if is_strict and s.held[i] != 0 else CONTINUE
    if asked == PUT_NEXT and action == DROP and things >> held & 1 == 1 and s.held[i] == 0:
        for heading in range(4):
            if s.fixed[i, clause] >> number_at(s, i, p, place + p.ahead[heading]) & 1 == 1:
                return SUCCESS
    return CONTINUE
