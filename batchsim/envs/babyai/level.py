"""What all levels of BabyAI have in common, as a family of definitions."""

from typing import NamedTuple

import numpy as np

from batchsim.envs.babyai.allowed import check_level
from batchsim.envs.babyai.furnishing import Search
from batchsim.envs.babyai.instructions import (
    FAILURE,
    SUCCESS,
    Instructions,
    begin_instructions,
    follow,
    order,
    settle,
    ways,
)
from batchsim.envs.babyai.things import (
    MOST,
    Things,
    begin_things,
    lift,
    look_round,
    put_down,
    take,
    unpack,
)
from batchsim.envs.babyai.validity import is_valid
from batchsim.envs.babyai.words import LONGEST, VALUES, Mission, mission_text, mission_words
from batchsim.envs.minigrid.cells import BOX, WALLED, kind_of
from batchsim.envs.minigrid.grid import EXTRA, LIMIT, NOWHERE
from batchsim.envs.minigrid.rooms import AllTables, RoomGrid, build
from batchsim.envs.minigrid.world import DROP, PICKUP, TOGGLE, State, act, front
from batchsim.family import env, merge

IS_FIXED, IS_UNBLOCKING = EXTRA, EXTRA + 1  # places in the table `grid`
OWN = EXTRA + 2  # of a definition's own numbers

CELLS = 1280  # the least; so many have room for all ids, which share a kernel then


class Episode(NamedTuple):
    limit: np.int32  # steps after which it is truncated


class Chances(NamedTuple):
    chances: np.ndarray  # (1,), that a level has a locked room, where that is drawn


LevelTables = merge(AllTables, Chances)


class Level(RoomGrid):
    """A definition has `generate`, which makes a level and asks something, or fails: returns False.

    ## Action Space

    `Discrete(7)`: 0 turns left, 1 right, 2 moves forward, 3 picks up what is ahead, 4 drops what is
    carried, 5 opens or closes a door, or opens a box, 6 does nothing.

    ## Observation Space

    A `Dict` of `direction`, 0 right, 1 down, 2 left, 3 up; of `image`, what each cell of the
    square before the agent holds, a kind, a colour and the state of a door; and of `mission`, what
    is to be done.

    ## Rewards

    `1 - 0.9 * steps / limit` for what was asked, after so many steps of those that an episode may
    last, and 0 otherwise.

    ## Episode End

    Terminated when all that was asked is done, or has become a failure; truncated after
    `max_steps`. Without that argument the limit depends on the size of the rooms, and in most
    levels on their number and on what is asked.
    """

    State = merge(State, Things, Mission, Instructions, Episode)
    Scratch = merge(RoomGrid.Scratch, Search)
    WORDS, LONGEST = VALUES, LONGEST
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
        """Return how likely a locked room is, where that is drawn."""
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
        made = super().tables(p)  # which refuses rooms that are too few or too small
        doors = rows * (columns - 1) + columns * (rows - 1)
        things = cls.things_of(p)
        floor = rows * columns * (size - 2) ** 2
        taken = 1 if size == 3 else 3  # by the agent, who may be in a corner, and beside it
        most = min(MOST - doors, floor - taken)
        if things > most:
            raise ValueError(
                f"{things} things in {rows} by {columns} rooms of size {size}; expected at most "
                f"{most}, for which there is room."
            )
        more = np.full(max(CELLS - len(made.blank), 0), WALLED, np.uint8)
        made = made._replace(blank=np.append(made.blank, more))
        return LevelTables(*made, np.array([float(cls.chance_of(p))]))

    @classmethod
    def check_state(cls, s, p):
        super().check_state(s, p)
        check_level(s, p)

    def text(tokens):
        return mission_text(tokens)

    def tokenize(text):
        return mission_words(text)

    def say(s, i, p, out):
        out[:] = s.words[i]

    def reset(s, i, p, rng):
        while True:
            build(s, i, p, rng)
            begin_things(s, i)
            begin_instructions(s, i)
            if env.generate(s, i, p, rng):
                settle(s, i, p)
                if is_valid(s, i, p, p.grid[IS_UNBLOCKING]):
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
