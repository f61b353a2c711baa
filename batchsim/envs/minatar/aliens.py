"""The aliens of Space Invaders, a block of which some are left."""

from typing import NamedTuple

import numpy as np

import batchsim
from batchsim.envs.minatar.common import SIDE
from batchsim.ranges import require_between

ROWS, COLUMNS = 4, 6
CENTER = 2  # column of the left ones at first
GONE = -1  # the row of a bullet that there is not


class Aliens(NamedTuple):
    aliens: batchsim.column(bool, (ROWS, COLUMNS))  # those that are left
    remaining: np.int8  # how many these are
    left: np.int8  # column of the block's left side, whether or not aliens are left there
    top: np.int8
    way: np.int8  # 1 to the right
    enemy_x: np.int8  # of their bullet
    enemy_y: np.int8


def require_aliens(s):
    """Raise ValueError unless there are aliens, and all within the borders."""
    left = s.aliens.sum((1, 2))
    require_between("remaining", s.remaining, np.maximum(left, 1), left)
    require_between("top", s.top, 0, SIDE)
    columns = s.left[:, None] + np.arange(COLUMNS)
    columns = np.where(s.aliens.any(1), columns, 0)
    require_between("the column of an alien", columns, 0, SIDE - 1)


def arrive(s, i):
    """Have new aliens come."""
    s.aliens[i] = True
    s.remaining[i] = ROWS * COLUMNS
    s.left[i], s.top[i] = CENTER, 0


def is_alien(s, i, x, y):
    """Tell whether an alien is in a cell; rows below the lowest are those above."""
    row, column = (int(y) - s.top[i]) % SIDE, int(x) - s.left[i]
    return row < ROWS and 0 <= column < COLUMNS and s.aliens[i, row, column]


def is_left(s, i, column):
    """Tell whether aliens are left in a column of the block."""
    found = False
    for row in range(ROWS):
        found = found or s.aliens[i, row, column]
    return found


def march(s, i):
    """Move the aliens; tell whether they get below the lowest row."""
    first, last = 0, COLUMNS - 1
    while not is_left(s, i, first):
        first += 1
    while not is_left(s, i, last):
        last -= 1
    if s.left[i] + (first if s.way[i] < 0 else last) != (0 if s.way[i] < 0 else SIDE - 1):
        s.left[i] += s.way[i]
        return False
    s.way[i] = -s.way[i]
    s.top[i] += 1
    for row in range(ROWS):
        for column in range(COLUMNS):
            if s.top[i] + row == SIDE and s.aliens[i, row, column]:
                return True
    return False


def shoot(s, i):
    """Have the lowest of the aliens that are nearest to the cannon shoot."""
    nearest = SIDE
    for column in range(COLUMNS):
        away = abs(s.left[i] + column - s.cannon[i])
        if away < nearest and is_left(s, i, column):
            nearest = away
            s.enemy_x[i], s.enemy_y[i] = s.left[i] + column, GONE
            for row in range(ROWS):
                if s.aliens[i, row, column]:
                    s.enemy_y[i] = max(s.enemy_y[i], (s.top[i] + row) % SIDE)
