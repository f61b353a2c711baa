"""What the submarine of Seaquest does, with its bullets and with divers.

Things of a kind move one after the other, the last that came first.
"""

from typing import NamedTuple

import numpy as np

from batchsim.envs.minatar.common import DOWN, FIRE, LEFT, RIGHT, SIDE, UP, moved
from batchsim.envs.minatar.shoals import (
    COOLDOWN,
    DEEPEST,
    DRIFT,
    TIMER,
    WAY,
    X,
    Y,
    find,
    is_met,
    is_outside,
    remove,
)

FULL = 6  # divers on board


class Boat(NamedTuple):
    x: np.int8
    y: np.int8
    way: np.int8  # 1 to the right
    oxygen: np.int16
    crew: int  # divers on board
    cooldown: np.int8
    is_up: bool  # whether the submarine has been at the surface in the step before, too
    enemy_interval: np.int8
    enemy_timer: np.int8
    diver_timer: np.int8
    move_interval: np.int8
    changes: np.int8  # how often the game became more difficult


def steer(s, i, action):
    """Move the submarine, or have it shoot."""
    if action == FIRE:
        new = s.num_bullets[i]
        if s.cooldown[i] == 0 and new < len(s.bullets[i]):
            s.bullets[i, new, X], s.bullets[i, new, Y] = s.x[i], s.y[i]
            s.bullets[i, new, WAY] = s.way[i]
            s.num_bullets[i] += 1
            s.cooldown[i] = COOLDOWN
    way = int(action == RIGHT) - int(action == LEFT)
    s.way[i] = way if way != 0 else s.way[i]
    s.x[i] = moved(int(s.x[i]), action, LEFT, RIGHT, 0, SIDE - 1)
    s.y[i] = moved(int(s.y[i]), action, UP, DOWN, 0, DEEPEST)


def move_bullets(s, i):
    """Move the submarine's bullets, and return how many enemies they hit."""
    hits = 0
    for k in range(s.num_bullets[i] - 1, -1, -1):
        s.bullets[i, k, X] += s.bullets[i, k, WAY]
        x, y = s.bullets[i, k, X], s.bullets[i, k, Y]
        if is_outside(x):
            gone = True
        else:
            gone = is_fish_hit(s, i, x, y) or is_submarine_hit(s, i, x, y)
            if gone:
                hits += 1
        if gone:
            s.num_bullets[i] = remove(s.bullets[i], k, s.num_bullets[i])
    return hits


def is_fish_hit(s, i, x, y):
    """Take away a fish in a cell, if there is one, and tell whether there was."""
    k = find(s.fish[i], s.num_fish[i], x, y)
    if k >= 0:
        s.num_fish[i] = remove(s.fish[i], k, s.num_fish[i])
    return k >= 0


def is_submarine_hit(s, i, x, y):
    """Take away an enemy's submarine in a cell, if there is one, and tell whether there was."""
    k = find(s.submarines[i], s.num_submarines[i], x, y)
    if k >= 0:
        s.num_submarines[i] = remove(s.submarines[i], k, s.num_submarines[i])
    return k >= 0


def move_divers(s, i):
    """Move the divers; those that meet the submarine come on board while there is room."""
    for k in range(s.num_divers[i] - 1, -1, -1):
        gone = False
        on_board = s.crew[i] < FULL and is_met(s, i, s.divers[i], k)
        if not on_board:
            if s.divers[i, k, TIMER] > 0:
                s.divers[i, k, TIMER] -= 1
            else:
                s.divers[i, k, TIMER] = DRIFT
                s.divers[i, k, X] += s.divers[i, k, WAY]
                gone = is_outside(s.divers[i, k, X])
                on_board = s.crew[i] < FULL and is_met(s, i, s.divers[i], k)
        if on_board:
            s.crew[i] += 1
        if gone or on_board:
            s.num_divers[i] = remove(s.divers[i], k, s.num_divers[i])
