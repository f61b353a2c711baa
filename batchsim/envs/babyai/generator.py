"""Levels whose missions are drawn from all that BabyAI's language can say, or from a part of it.

Source: `minigrid/envs/babyai/core/levelgen.py` of MiniGrid 3.
"""

from typing import NamedTuple

from batchsim.envs.babyai.furnishing import add, can_reach_all, connect, hang, scatter
from batchsim.envs.babyai.instructions import find
from batchsim.envs.babyai.level import IS_UNBLOCKING, OWN, Level
from batchsim.envs.babyai.locked import place_agent_outside
from batchsim.envs.babyai.things import MOST, code_of
from batchsim.envs.babyai.words import (
    ACTION,
    AFTER,
    AND,
    ANY_COLOUR,
    ANYWHERE,
    CLAUSE,
    FIXED,
    GO_TO,
    MOVED,
    ON_LEFT,
    OPEN,
    PICK_UP,
    PUT_NEXT,
    THEN,
    describe,
    join,
)
from batchsim.envs.minigrid.cells import BALL, BOX, BY_NAME, DOOR, KEY, colour_of
from batchsim.envs.minigrid.grid import NOWHERE, column_of, row_of
from batchsim.envs.minigrid.rooms import ANY, COLUMNS, ROOM_SIZE, random_room
from batchsim.random import integers, uniform
from batchsim.ranges import require_between

DISTS, HAS_LOCATIONS, UNLOCKS, ACTIONS, SHAPES = range(OWN, OWN + 5)  # places in the table `grid`
FIRST_ACTION = OWN + 5
FIRST_SHAPE = FIRST_ACTION + 4
TRIES = 101  # of finding a description that means something
NAMES = ("goto", "pickup", "open", "putnext")
CODES = (GO_TO, PICK_UP, OPEN, PUT_NEXT)
SHAPE_NAMES = ("action", "and", "seq")
ONE, PAIR, SEQUENCE = range(3)
KINDS = (BOX, BALL, KEY, DOOR)  # as they are drawn
ALL_KINDS, MOVABLE, DOORS = 4, 3, 1  # how many of them may be drawn; DOORS is the last one


def add_locked_room(s, i, p, rng):
    """Lock a room, and put its key into another one; return the room, or ANY on failure."""
    while True:
        room = random_room(p, rng, i)
        wall = integers(rng, i, 0, 4)
        if s.door_places[i, 4 * room + wall] != NOWHERE:
            break
    door = hang(s, i, p, rng, room, wall, ANY, True)
    while True:
        of_key = random_room(p, rng, i)
        if of_key != room:
            break
    return room if add(s, i, p, rng, of_key, KEY, colour_of(code_of(s, i, door))) else ANY


def draw_description(s, i, p, rng, place, kinds, locked):
    """Write a random description that means something, at this place of the words.

    Args:
        kinds: of which kinds; see ALL_KINDS and the others.
        locked: the locked room, or ANY; without unlocking, not all that is meant may be there.

    Returns:
        Whether one was found in so many tries.
    """
    for _ in range(TRIES):
        colour = integers(rng, i, 0, 1 + len(BY_NAME)) - 1
        kind = DOOR if kinds == DOORS else KINDS[integers(rng, i, 0, kinds)]
        location = ANYWHERE
        if p.grid[HAS_LOCATIONS] and integers(rng, i, 0, 2) == 0:
            location = ON_LEFT + integers(rng, i, 0, 4)
        describe(s, i, place, kind, ANY_COLOUR if colour < 0 else BY_NAME[colour], location)
        found = find(s, i, p, place)
        if found == 0:
            continue
        if p.grid[UNLOCKS] or locked == ANY or is_one_outside(s, i, p, found, locked):
            return True
    return False


def is_one_outside(s, i, p, found, room):
    """Return whether one of these things is neither in a room nor in its walls."""
    side = p.rooms[ROOM_SIZE] - 1
    left, top = room % p.rooms[COLUMNS] * side, room // p.rooms[COLUMNS] * side
    for number in range(1, s.last[i] + 1):
        if found >> number & 1 == 1:
            x = column_of(p, s.places[i, number])
            y = row_of(p, s.places[i, number])
            if x < left or x > left + side or y < top or y > top + side:
                return True
    return False


def draw_clause(s, i, p, rng, clause, locked):
    """Ask for something at random; return whether there was something to ask for."""
    start = clause * CLAUSE
    action = p.grid[FIRST_ACTION + integers(rng, i, 0, p.grid[ACTIONS])]
    s.words[i, start + ACTION] = action
    kinds = ALL_KINDS
    if action in (PICK_UP, PUT_NEXT):
        kinds = MOVABLE
    elif action == OPEN:
        kinds = DOORS
    for place in range(start + MOVED, start + CLAUSE, FIXED - MOVED):
        if not draw_description(s, i, p, rng, place, kinds, locked):
            return False
        if action != PUT_NEXT:
            break
        kinds = ALL_KINDS
    return True


def draw_mission(s, i, p, rng, locked):
    """Draw what is asked; return whether there was something to ask for."""
    shape = p.grid[FIRST_SHAPE + integers(rng, i, 0, p.grid[SHAPES])]
    for part in range(2 if shape == SEQUENCE else 1):
        is_pair = shape == PAIR
        if shape == SEQUENCE:
            is_pair = integers(rng, i, 0, 2) == 1
        for clause in range(2 * part, 2 * part + (2 if is_pair else 1)):
            if not draw_clause(s, i, p, rng, clause, locked):
                return False
            if clause & 1 == 1:
                join(s, i, clause, AND)
    if shape == SEQUENCE:
        join(s, i, 2, THEN if integers(rng, i, 0, 2) == 0 else AFTER)
    return True


class Generator(Level):
    """A level with random things and a random mission, and a locked room now and then."""

    IS_UNBLOCKING = True
    HAS_LOCATIONS = True
    UNLOCKS = True  # whether what is asked may be in the locked room alone
    ACTIONS: tuple[str, ...] = NAMES
    SHAPES: tuple[str, ...] = SHAPE_NAMES

    class Arguments(NamedTuple):
        room_size: int = 8
        num_rows: int = 3
        num_cols: int = 3
        num_dists: int = 18
        locked_room_prob: float = 0.5
        max_steps: int | None = None

    def dists_of(p):
        return p.num_dists

    def chance_of(p):
        return p.locked_room_prob

    @classmethod
    def things_of(cls, p):
        return cls.dists_of(p) + (cls.chance_of(p) > 0.0)

    @classmethod
    def numbers_of(cls, p):
        actions = [CODES[NAMES.index(name)] for name in cls.ACTIONS]
        shapes = [SHAPE_NAMES.index(name) for name in cls.SHAPES]
        counts = len(actions), len(shapes)
        actions += [0] * (len(NAMES) - len(actions))
        require_between("num_dists", cls.dists_of(p), 0, MOST)
        require_between("locked_room_prob", cls.chance_of(p), 0.0, 1.0)
        return cls.dists_of(p), cls.HAS_LOCATIONS, cls.UNLOCKS, *counts, *actions, *shapes

    def generate(s, i, p, rng):
        locked = ANY
        if uniform(rng, i, 0.0, 1.0) < p.chances[0]:
            locked = add_locked_room(s, i, p, rng)
            if locked == ANY:
                return False
        return (
            connect(s, i, p, rng, ANY)
            and scatter(s, i, p, rng, ANY, p.grid[DISTS], False)
            and place_agent_outside(s, i, p, rng, locked)
            and (p.grid[IS_UNBLOCKING] != 0 or can_reach_all(s, i, p))
            and draw_mission(s, i, p, rng, locked)
        )
