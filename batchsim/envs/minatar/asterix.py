"""MinAtar's Asterix: gold that passes by, and enemies among it."""

from typing import NamedTuple

import numpy as np

import batchsim
from batchsim.envs.minatar.common import (
    DOWN,
    LEFT,
    NOTHING,
    RIGHT,
    SIDE,
    UP,
    Last,
    MinAtar,
    moved,
)
from batchsim.family import merge
from batchsim.random_state import rand, randint
from batchsim.ranges import require_between

PLAYER, ENEMY, TRAIL, GOLD = range(4)  # channels
LANES = 8  # lane k is row k + 1
RARE, SLOW = 10, 5  # steps between two arrivals, and between two moves, at first
EASY = 100  # steps until the game becomes more difficult
EMPTY = -1  # the column of a thing that there is not
CHANGES = RARE - 1  # how often the game becomes more difficult


class Field(NamedTuple):
    x: np.int8
    y: np.int8
    place: batchsim.column(np.int8, (LANES,))  # columns of the things
    way: batchsim.column(np.int8, (LANES,))  # 1 to the right
    gold: batchsim.column(bool, (LANES,))
    spawn_interval: np.int8
    spawn_timer: np.int8
    move_interval: np.int8
    move_timer: np.int8
    ramp_timer: np.int8
    changes: np.int8  # how often the game became more difficult


class Asterix(MinAtar):
    """# MinAtar/Asterix

    Catch gold and keep away from enemies.

    Each of the rows 1 to 8 has room for one thing, gold or an enemy, which comes in on one side and
    leaves on the other. When one is to come, it is drawn whether from the left (probability 1/2),
    whether gold (1/3), and if any row is free, to which of them. All things move a cell at a time,
    in the same steps. The player moves after a new thing has come and before the things do, in the
    rows 1 to 8. Before and after a thing moves it is looked whether the player has it.

    A thing comes every 10 steps, and things move every 5 at first. After 100 steps, and then every
    102, both become more difficult, if they are to: the former becomes one step less, the latter
    every second time, until both are 1.

    Source: Young and Tian, "MinAtar: An Atari-Inspired Testbed for Thorough and Reproducible
    Reinforcement Learning Experiments" (2019); what it leaves open was seen at the package's games.

    ## Observation Space

    `Box(False, True, (10, 10, 4), bool)`: row, column and channel. The channels are the player,
    enemies, trails, which are cells behind things, and gold.

    ## Rewards

    1 for gold.

    ## Starting State

    The player is in row 5 and column 5, and there is nothing else.

    ## Episode End

    Terminated when the player meets an enemy. There is no time limit.
    """

    State = merge(Field, Last)
    CHANNELS = ("player", "enemy", "trail", "gold")
    MINIMAL = (NOTHING, LEFT, UP, RIGHT, DOWN)

    def check_board(s):
        require_between("x", s.x, 0, SIDE - 1)
        require_between("y", s.y, 1, LANES)
        require_between("place", s.place, EMPTY, SIDE - 1)
        require_between("way, squared,", s.way**2, 1, 1)
        require_between("spawn_interval", s.spawn_interval, 1, RARE)
        require_between("move_interval", s.move_interval, 1, SLOW)
        require_between("spawn_timer", s.spawn_timer, 0, RARE)
        require_between("move_timer", s.move_timer, 0, SLOW)
        require_between("ramp_timer", s.ramp_timer, -1, EASY)
        require_between("changes", s.changes, 0, CHANGES)

    def reset(s, i, p, rng):
        s.x[i] = s.y[i] = 5
        s.place[i] = EMPTY
        s.way[i] = 1
        s.gold[i] = False
        s.spawn_interval[i] = s.spawn_timer[i] = RARE
        s.move_interval[i] = s.move_timer[i] = SLOW
        s.ramp_timer[i] = EASY
        s.changes[i] = 0

    def play(s, i, action, p, rng):
        if s.spawn_timer[i] == 0:
            spawn(s, i, rng)
            s.spawn_timer[i] = s.spawn_interval[i]
        x = moved(int(s.x[i]), action, LEFT, RIGHT, 0, SIDE - 1)
        y = moved(int(s.y[i]), action, UP, DOWN, 1, LANES)
        s.x[i], s.y[i] = x, y

        found, caught = catch(s, i, x, y - 1)
        if s.move_timer[i] == 0:
            s.move_timer[i] = s.move_interval[i]
            for k in range(LANES):
                if s.place[i, k] != EMPTY:
                    place = s.place[i, k] + s.way[i, k]
                    s.place[i, k] = place if 0 <= place < SIDE else EMPTY
            more, met = catch(s, i, x, y - 1)
            found, caught = found or more, caught or met
        s.spawn_timer[i] -= 1
        s.move_timer[i] -= 1
        if p.difficulty_ramping:
            ramp(s, i)
        return float(found), caught

    def show(s, i, p, out):
        out[s.y[i], s.x[i], PLAYER] = True
        for k in range(LANES):
            place = s.place[i, k]
            if place != EMPTY:
                out[k + 1, place, GOLD if s.gold[i, k] else ENEMY] = True
                trail = place - s.way[i, k]
                if 0 <= trail < SIDE:
                    out[k + 1, trail, TRAIL] = True


def catch(s, i, x, lane):
    """Tell whether the player has gold, which is taken away then, and whether an enemy."""
    if s.place[i, lane] != x:
        return False, False
    if not s.gold[i, lane]:
        return False, True
    s.place[i, lane] = EMPTY
    return True, False


def spawn(s, i, rng):
    """Have a thing come, if a row is free."""
    from_left = rand(rng, i) < 0.5
    gold = rand(rng, i) < 1.0 / 3.0
    free = 0
    for k in range(LANES):
        if s.place[i, k] == EMPTY:
            free += 1
    if free == 0:
        return
    left_out = randint(rng, i, free)
    for k in range(LANES):
        if s.place[i, k] == EMPTY:
            if left_out == 0:
                s.place[i, k] = 0 if from_left else SIDE - 1
                s.way[i, k] = 1 if from_left else -1
                s.gold[i, k] = gold
                return
            left_out -= 1


def ramp(s, i):
    """Count down to where the game becomes more difficult."""
    if s.spawn_interval[i] == 1 and s.move_interval[i] == 1:
        return
    if s.ramp_timer[i] >= 0:
        s.ramp_timer[i] -= 1
        return
    if s.move_interval[i] > 1 and s.changes[i] % 2 == 1:
        s.move_interval[i] -= 1
    if s.spawn_interval[i] > 1:
        s.spawn_interval[i] -= 1
    s.changes[i] += 1
    s.ramp_timer[i] = EASY
