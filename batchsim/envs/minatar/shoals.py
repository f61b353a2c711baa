"""Things of which Seaquest has several at a time, in the order in which they came."""

from typing import NamedTuple

import numpy as np

import batchsim
from batchsim.envs.minatar.common import SIDE
from batchsim.ranges import require_between

DEEPEST = SIDE - 2  # row
X, Y, WAY, TIMER, SHOT = range(5)  # WAY is 1 to the right; timers are steps until it moves, shoots
SLOW, DRIFT = 5, 5  # steps between two moves of enemies, at first, and of divers
COOLDOWN, RELOAD = 5, 10  # steps between two shots of the submarine, and of an enemy

# The most that there can be. Of enemies one comes in a step, at the end of the ramps, and crosses
# the board in thirty. Each has one bullet in flight, and those that are gone may have left one. A
# bullet comes in five steps, and is gone after ten; a diver comes in thirty, and is gone after
# sixty.
ROOM = {"bullets": 3, "enemy_bullets": 48, "fish": 40, "submarines": 40, "divers": 3}


class Shoals(NamedTuple):
    bullets: batchsim.column(np.int8, (ROOM["bullets"], TIMER))
    enemy_bullets: batchsim.column(np.int8, (ROOM["enemy_bullets"], TIMER))
    fish: batchsim.column(np.int8, (ROOM["fish"], SHOT))
    submarines: batchsim.column(np.int8, (ROOM["submarines"], SHOT + 1))
    divers: batchsim.column(np.int8, (ROOM["divers"], SHOT))
    num_bullets: np.int8
    num_enemy_bullets: np.int8
    num_fish: np.int8
    num_submarines: np.int8
    num_divers: np.int8


LOWEST = np.array([0, 0, -1, 0, 0])
HIGHEST = np.array([SIDE - 1, DEEPEST, 1, max(SLOW, DRIFT), RELOAD])


def require_shoals(s):
    """Raise ValueError unless all things are on the board."""
    for name, room in ROOM.items():
        count, things = getattr(s, f"num_{name}"), getattr(s, name)
        require_between(f"num_{name}", count, 0, room)
        known = things[np.arange(room) < count[:, None]]
        fields = things.shape[2]
        require_between(name, known, LOWEST[:fields], HIGHEST[:fields])
        require_between(f"the way of {name}, squared,", known[:, WAY] ** 2, 1, 1)


def come(things, k, y, way, timer):
    """Have a thing come in that moves after some steps."""
    things[k, X], things[k, Y] = 0 if way > 0 else SIDE - 1, y
    things[k, WAY], things[k, TIMER] = way, timer


def remove(things, k, count):
    """Take away the first of `count` things that is like number k, and keep the others in order;
    return how many they are.
    """
    first = 0
    while not is_like(things, first, k):
        first += 1
    for j in range(first + 1, count):
        for field in range(things.shape[1]):
            things[j - 1, field] = things[j, field]
    return count - 1


def is_like(things, j, k):
    """Tell whether two things are equal in all that there is to say of them."""
    for field in range(things.shape[1]):
        if things[j, field] != things[k, field]:
            return False
    return True


def find(things, count, x, y):
    """Return the first of `count` things in a cell, or -1."""
    for k in range(count):
        if things[k, X] == x and things[k, Y] == y:
            return k
    return -1


def heads_otherwise(things, count, y, way):
    """Tell whether any of `count` things in a row goes the other way."""
    for k in range(count):
        if things[k, Y] == y and things[k, WAY] != way:
            return True
    return False


def is_outside(x):
    """Tell whether a column is beyond the board."""
    return x < 0 or x >= SIDE


def draw(out, things, count, channel):
    """Draw things."""
    for k in range(count):
        out[things[k, Y], things[k, X], channel] = True


def draw_trails(out, things, count, channel):
    """Draw the cells that things came from."""
    for k in range(count):
        x = things[k, X] - things[k, WAY]
        if not is_outside(x):
            out[things[k, Y], x, channel] = True


def is_met(s, i, things, k):
    """Tell whether a thing is where the submarine is."""
    return things[k, X] == s.x[i] and things[k, Y] == s.y[i]
