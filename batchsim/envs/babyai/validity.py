"""Which missions are refused: another level is made then.

Source: `minigrid/envs/babyai/core/roomgrid_level.py` of MiniGrid 3.
"""

from batchsim.envs.babyai.things import code_of, number_at
from batchsim.envs.babyai.words import (
    ACTION,
    ANYTHING,
    CLAUSE,
    CLAUSES,
    COLOUR,
    DESCRIPTION,
    MOVED,
    PUT_NEXT,
    THING,
    THINGS,
)
from batchsim.envs.minigrid.cells import KEY, LOCKED, colour_of, kind_of

KEY_WORDS = (1 + KEY - ANYTHING, 1 + KEY - ANYTHING + len(THINGS))


def is_valid(s, i, p, is_unblocking):
    """Return whether what is asked makes sense.

    Args:
        is_unblocking: whether nothing may be asked of the key of a locked door.
    """
    for clause in range(CLAUSES):
        action = s.words[i, clause * CLAUSE + ACTION]
        if action == PUT_NEXT and is_done_already(s, i, p, s.moved[i, clause], s.fixed[i, clause]):
            return False
        if action != 0 and is_unblocking:
            for place in range(clause * CLAUSE + MOVED, (clause + 1) * CLAUSE, DESCRIPTION):
                if is_key_needed(s, i, place):
                    return False
    return True


def is_done_already(s, i, p, moved, fixed):
    """Return whether a thing of the first set is in the second one too, or beside one of those."""
    if moved & fixed != 0:
        return True
    for number in range(1, s.last[i] + 1):
        if moved >> number & 1 == 1:
            for heading in range(4):
                beside = number_at(s, i, p, s.places[i, number] + p.ahead[heading])
                if fixed >> beside & 1 == 1:
                    return True
    return False


def is_key_needed(s, i, place):
    """Return whether the description at this place of the words is of a key of a locked door."""
    if s.words[i, place + THING] not in KEY_WORDS:
        return False
    for number in range(1, s.last[i] + 1):
        code = code_of(s, i, number)
        if kind_of(code) == LOCKED and colour_of(code) == s.words[i, place + COLOUR] - 1:
            return True
    return False
