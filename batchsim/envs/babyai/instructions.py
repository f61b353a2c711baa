"""What a mission asks, followed while an episode lasts: which things it means, what is done.

Clauses of a part may be done in any order; one part follows the other.

Source: `minigrid/envs/babyai/core/verifier.py` of MiniGrid 3.
"""

from typing import NamedTuple

import numpy as np

import batchsim
from batchsim.envs.babyai.descriptions import find
from batchsim.envs.babyai.things import is_door, number_at
from batchsim.envs.babyai.words import (
    ACTION,
    CLAUSE,
    CLAUSES,
    COLOUR,
    DESCRIPTION,
    GO_TO,
    JOINT,
    MOVED,
    OPEN,
    PICK_UP,
    PUT_NEXT,
    THEN,
    THING,
    THINGS,
)
from batchsim.envs.minigrid.cells import DOOR, GREY, kind_of
from batchsim.envs.minigrid.world import DROP, PICKUP, TOGGLE, front

CONTINUE, SUCCESS, FAILURE = range(3)
NO_PART = -1
GREY_WORD = 1 + GREY


class Instructions(NamedTuple):
    moved: batchsim.column(int, CLAUSES)  # sets of things, as bits by number
    fixed: batchsim.column(int, CLAUSES)
    strict: np.int8  # clauses in which doing it to another thing is a failure, as bits
    begun: np.int8  # clauses that were looked at before, as bits
    done: np.int8  # clauses, as bits
    part: np.int8  # the first clause of the part that is to be done now
    next_part: np.int8  # and of the one after it, or NO_PART


def begin_instructions(s, i):
    """Begin a level in which nothing is asked."""
    s.words[i] = 0
    s.strict[i], s.begun[i], s.done[i] = 0, 0, 0


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


def order(s, i):
    """Find out which part comes first."""
    s.part[i], s.next_part[i] = 0, NO_PART
    second = CLAUSES // 2
    if s.words[i, second * CLAUSE + ACTION] != 0:
        is_last = s.words[i, second * CLAUSE + JOINT] == THEN
        s.part[i], s.next_part[i] = (0, second) if is_last else (second, 0)


def ways(s, i):
    """Return how many ways through the rooms a mission takes at most."""
    count = 0
    for clause in range(CLAUSES):
        action = s.words[i, clause * CLAUSE + ACTION]
        if action != 0:
            count += 2 if action == PUT_NEXT else 1
    return count


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
    """Tell what has become of a part; a failure in one of two clauses is none."""
    if s.words[i, (part + 1) * CLAUSE + ACTION] == 0:
        return follow_clause(s, i, p, action, held, part)
    for clause in range(part, part + 2):
        is_done = s.done[i] >> clause & 1 == 1
        if is_done or follow_clause(s, i, p, action, held, clause) == SUCCESS:
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
