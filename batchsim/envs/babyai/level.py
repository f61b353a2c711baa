"""What all levels of BabyAI have in common, as a family of definitions."""

from typing import NamedTuple

import numpy as np

from batchsim.envs.babyai.instructions import (
    FAILURE,
    NO_PART,
    SUCCESS,
    Instructions,
    follow,
    settle,
)
from batchsim.envs.babyai.things import MOST, Search, Things, code_of, number_at
from batchsim.envs.babyai.words import (
    ACTION,
    ANYTHING,
    CLAUSE,
    CLAUSES,
    COLOUR,
    DESCRIPTION,
    JOINT,
    LONGEST,
    MOVED,
    PUT_NEXT,
    THEN,
    THING,
    THINGS,
    VALUES,
    Mission,
    mission_text,
)
from batchsim.envs.minigrid.cells import BOX, EMPTY, KEY, LOCKED, UNSEEN, colour_of, kind_of
from batchsim.envs.minigrid.rooms import (
    NOWHERE,
    AllTables,
    RoomGrid,
    build,
)
from batchsim.envs.minigrid.world import (
    DROP,
    EXTRA,
    LIMIT,
    ORIGIN,
    PICKUP,
    TOGGLE,
    State,
    act,
    front,
)
from batchsim.family import env, merge

IS_FIXED, IS_UNBLOCKING = EXTRA, EXTRA + 1  # places in the table `grid`
OWN = EXTRA + 2  # of a definition's own numbers
KEY_WORDS = (1 + KEY - ANYTHING, 1 + KEY - ANYTHING + len(THINGS))


class Episode(NamedTuple):
    limit: np.int32  # steps after which the episode is truncated
    boxed: np.uint8  # what the only box of a level holds; UNSEEN where boxes are empty
    lifted: np.int32  # the place of what the agent carries from the first step on, or NOWHERE


class Chances(NamedTuple):
    chances: np.ndarray  # (1,), that a level has a locked room, where that is drawn


LevelTables = merge(AllTables, Chances)


def begin(s, i, p, rng):
    """Begin a level: rooms without doors, nothing in them, and nothing asked."""
    build(s, i, p, rng)
    s.numbers[i] = 0
    s.words[i] = 0
    s.count[i], s.held[i], s.has_changed[i], s.lifted[i] = 0, 0, False, NOWHERE
    s.strict[i], s.begun[i], s.done[i], s.boxed[i] = 0, 0, 0, UNSEEN


def is_valid(s, i, p):
    """Return whether what is asked makes sense: if not, another level is made."""
    for clause in range(CLAUSES):
        action = s.words[i, clause * CLAUSE + ACTION]
        if action == PUT_NEXT and is_done_already(s, i, p, s.moved[i, clause], s.fixed[i, clause]):
            return False
        if action != 0 and p.grid[IS_UNBLOCKING]:
            for place in range(clause * CLAUSE + MOVED, (clause + 1) * CLAUSE, DESCRIPTION):
                if is_key_needed(s, i, place):
                    return False
    return True


def is_done_already(s, i, p, moved, fixed):
    """Return whether a thing of the first set is in the second one too, or beside one of those."""
    if moved & fixed != 0:
        return True
    for number in range(1, s.count[i] + 1):
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
    for number in range(1, s.count[i] + 1):
        code = code_of(s, i, number)
        if kind_of(code) == LOCKED and colour_of(code) == s.words[i, place + COLOUR] - 1:
            return True
    return False


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


def lift(s, i, p):
    """Let the agent carry what it is to carry from the first step on."""
    place = s.lifted[i]
    s.lifted[i] = NOWHERE
    take(s, i, p, place)
    s.carried[i] = s.cells[i, place]
    s.cells[i, place] = EMPTY


def take(s, i, p, place):
    """Remember which thing was picked up."""
    s.held[i] = number_at(s, i, p, place)
    s.has_changed[i] = True


def unpack(s, i, place):
    """See to what was in a box that is open now; a thing is known by the box's number."""
    if s.boxed[i] == UNSEEN:
        s.has_changed[i] = True
    else:
        s.cells[i, place] = s.boxed[i]


def look_round(s, i, p):
    """See where all things are now."""
    if s.has_changed[i]:
        for number in range(1, s.count[i] + 1):
            place = s.places[i, number]
            if s.cells[i, place] == EMPTY:
                s.numbers[i, place - p.grid[ORIGIN]] = 0
                s.places[i, number] = NOWHERE
        s.has_changed[i] = False


def put_down(s, i, p, place):
    """Remember where a thing was dropped."""
    number = s.held[i]
    s.held[i] = 0
    s.places[i, number] = place
    s.numbers[i, place - p.grid[ORIGIN]] = number


class Level(RoomGrid):
    """A definition has `generate`, which makes a level and asks something, or fails: returns False.

    ## Action Space

    `Discrete(7)`: 0 turns left, 1 right, 2 moves forward, 3 picks up, 4 drops, 5 toggles what is
    ahead, 6 does nothing.
    """

    State = merge(State, Things, Mission, Instructions, Episode)
    Scratch = merge(RoomGrid.Scratch, Search)
    WORDS, LONGEST = VALUES, LONGEST
    LEAST_ROOM = 3  # of the size of a room
    LEAST_ROOMS = 1  # in a row, and in a column
    IS_UNBLOCKING = False  # whether no clause may be about the key of a locked door

    class Arguments(NamedTuple):
        room_size: int = 8
        num_rows: int = 3
        num_cols: int = 3
        max_steps: int | None = None

    def rooms_of(p):
        return p.room_size, p.num_rows, p.num_cols

    def things_of(p):
        """Return how many things there are, doors not counted."""
        return 1

    def limit_of(p):
        """Return after how many steps an episode is truncated, or None where missions decide it."""
        return None

    def chance_of(p):
        return 0.0

    def numbers_of(p):
        """Return numbers that `generate` finds in `p.grid`, from OWN on."""
        return ()

    @classmethod
    def steps_of(cls, p):
        size, rows, columns = cls.rooms_of(p)
        limit = cls.limit_of(p)
        return size**2 * rows * columns if limit is None else limit

    @classmethod
    def extras_of(cls, p):
        is_fixed = p.max_steps is not None or cls.limit_of(p) is not None
        return is_fixed, cls.IS_UNBLOCKING, *cls.numbers_of(p)

    @classmethod
    def tables(cls, p):
        size, rows, columns = cls.rooms_of(p)
        if size < cls.LEAST_ROOM or min(rows, columns) < cls.LEAST_ROOMS:
            raise ValueError(
                f"Rooms of size {size} in {rows} rows and {columns} columns; expected a size of at "
                f"least {cls.LEAST_ROOM}, and at least {cls.LEAST_ROOMS} rows and columns."
            )
        doors = rows * (columns - 1) + columns * (rows - 1)
        things = cls.things_of(p)
        floor = rows * columns * (size - 2) ** 2
        most = min(MOST - doors, floor - 1)
        if not 0 <= things <= most:
            raise ValueError(
                f"{things} things in {rows} by {columns} rooms of size {size}; expected at most "
                f"{most}, for which there is room."
            )
        return LevelTables(*super().tables(p), np.array([float(cls.chance_of(p))]))

    def text(tokens):
        return mission_text(tokens)

    def say(s, i, p, out):
        out[:] = s.words[i]

    def reset(s, i, p, rng):
        while True:
            begin(s, i, p, rng)
            if env.generate(s, i, p, rng):
                settle(s, i, p)
                if is_valid(s, i, p):
                    break
        order(s, i)
        s.limit[i] = p.grid[LIMIT] if p.grid[IS_FIXED] else p.grid[LIMIT] * ways(s, i)

    def step(s, i, action, p, rng):
        s.steps[i] += 1
        if s.lifted[i] != NOWHERE:
            lift(s, i, p)
        held = s.held[i]
        place = front(s, i, p)
        kind = kind_of(s.cells[i, place])
        act(s, i, action, p)
        if action == PICKUP:
            if held == 0 and s.carried[i] != 0:
                take(s, i, p, place)
        elif action == TOGGLE:
            if kind == BOX:
                unpack(s, i, place)
        elif action == DROP:
            look_round(s, i, p)
            if held != 0 and s.carried[i] == 0:
                put_down(s, i, p, place)
        status = follow(s, i, p, action, held)
        truncated = s.steps[i] >= s.limit[i]
        if status == SUCCESS:
            return 1.0 - 0.9 * (s.steps[i] / s.limit[i]), True, truncated
        return 0.0, status == FAILURE, truncated


class OneRoom(Level):
    """A level in a single room."""

    class Arguments(NamedTuple):
        room_size: int = 8
        max_steps: int | None = None

    def rooms_of(p):
        return p.room_size, 1, 1


class FourDoors(Level):
    """A level whose doors are those of the room in the middle of nine."""

    LEAST_ROOMS = 3
    ROOM = 8  # the size of a room

    class Arguments(NamedTuple):
        num_rows: int = 3
        num_cols: int = 3
        max_steps: int | None = None

    @classmethod
    def rooms_of(cls, p):
        return cls.ROOM, p.num_rows, p.num_cols
