"""The world that all egocentric scenarios share: a grid of cells, a player, monsters and items.

A unit of length is a cell, of time a tic: 35 a second. Rows of the grid grow with y, columns with
x, and angles from x towards y. Speeds, turns, shots and damages are those of Doom (1993), whose
64 units are taken for a cell. Unlike there, turns are at full speed at once, shots fly straight
and leave in the tic in which the button is down, and bodies are in nobody's way.
"""

import math
from typing import NamedTuple

import numpy as np

from batchsim.math import cos, sin
from batchsim.random import integers

SIZE = 24  # rows, and columns, of the grid; what a map does not use is wall
MONSTERS, ITEMS = 12, 24  # slots

UNITS = 64.0  # a cell
FRICTION = 0.90625  # what is left of the speed after a tic
FORWARD, ASIDE = 0.78125 / UNITS, 0.75 / UNITS  # a tic's push
STANDING = 0.0625 / UNITS  # speeds below are none
TURN = math.radians(3.515625)  # a tic
RADIUS = 0.25  # of a player, from walls
REACH = 0.6  # from an item that is taken
HALF_WIDTH = 0.32  # of a monster, for shots
RELOAD = 14  # tics from shot to shot
FLINCHING = 6  # tics
BURIAL = 70  # tics from a death until the monster may be put elsewhere
FULL = 100.0  # health of a player

NOTHING, MEDIKIT, VIAL, VEST, CLIP = range(5)  # kinds of items
MELEE, SHOOTER = 1, 2  # kinds of monsters; 0 is an empty slot
WALK, FLINCH, AIM, DEAD = range(4)  # what a monster is at


class State(NamedTuple):
    grid: np.dtype((np.uint8, (SIZE, SIZE)))  # 0 is free, else the texture of a wall
    x: float
    y: float
    angle: float
    speed_x: float
    speed_y: float
    health: float
    ammo: np.int32
    kills: np.int32
    reload: np.int32  # tics until the next shot
    tic: np.int32
    buttons: np.int32  # of the step before, for sticky actions
    best: float  # what a scenario measures progress by
    monster: np.dtype((np.uint8, MONSTERS))  # kind
    monster_x: np.dtype((np.float64, MONSTERS))
    monster_y: np.dtype((np.float64, MONSTERS))
    monster_dx: np.dtype((np.float64, MONSTERS))  # what it walks in a tic
    monster_dy: np.dtype((np.float64, MONSTERS))
    monster_health: np.dtype((np.int32, MONSTERS))
    monster_full: np.dtype((np.int32, MONSTERS))  # its health at first
    monster_state: np.dtype((np.uint8, MONSTERS))
    monster_timer: np.dtype((np.int32, MONSTERS))  # tics left in this state, or to the next look
    item: np.dtype((np.uint8, ITEMS))  # kind
    item_x: np.dtype((np.float64, ITEMS))
    item_y: np.dtype((np.float64, ITEMS))


def begin(s, i, x, y, angle, ammo):
    """Put the player into an empty world whose map has been written."""
    s.x[i], s.y[i], s.angle[i] = x, y, angle
    s.speed_x[i], s.speed_y[i] = 0.0, 0.0
    s.health[i], s.ammo[i] = FULL, ammo
    s.kills[i], s.reload[i], s.tic[i], s.buttons[i] = 0, 0, 0, 0
    s.best[i] = 0.0
    s.monster[i], s.item[i] = 0, NOTHING


def is_free(s, i, x, y, radius):
    """Whether a square of this radius around a place touches no wall."""
    for row in range(int(y - radius), int(y + radius) + 1):
        for column in range(int(x - radius), int(x + radius) + 1):
            if s.grid[i, row, column] != 0:
                return False
    return True


def tick(s, i):
    """Let a tic pass."""
    s.tic[i] += 1
    s.reload[i] = max(0, int(s.reload[i]) - 1)


def axis(button, less, more):
    """What two opposite buttons ask for: -1, 0 or 1."""
    return 1 if button == more else (-1 if button == less else 0)


def turn(s, i, direction):
    """Turn the player for a tic: to the left if -1, to the right if 1."""
    if direction != 0:
        s.angle[i] += TURN * direction


def move(s, i, forward, aside):
    """Push the player for a tic, and let it slide along walls.

    Each of `forward` and `aside` (to the right) is -1, 0 or 1.
    """
    speed_x, speed_y = s.speed_x[i] * FRICTION, s.speed_y[i] * FRICTION
    if forward != 0 or aside != 0:
        c, n = cos(s.angle[i]), sin(s.angle[i])
        speed_x += FORWARD * forward * c - ASIDE * aside * n
        speed_y += FORWARD * forward * n + ASIDE * aside * c
    elif abs(speed_x) < STANDING and abs(speed_y) < STANDING:
        speed_x, speed_y = 0.0, 0.0
    # Tried as it is stored: rounding must not carry the player into a wall.
    x, y = s.x[i], s.y[i]
    if speed_x != 0.0:
        s.x[i] += speed_x
        if not is_free(s, i, s.x[i], s.y[i], RADIUS):
            s.x[i] = x
            speed_x = 0.0
    if speed_y != 0.0:
        s.y[i] += speed_y
        if not is_free(s, i, s.x[i], s.y[i], RADIUS):
            s.y[i] = y
            speed_y = 0.0
    s.speed_x[i], s.speed_y[i] = speed_x, speed_y


def free_way(s, i, x, y, dx, dy):
    """The share of the way from (x, y) along (dx, dy) until a wall; at least 1 if there is none."""
    column, row = int(x), int(y)
    step_x, step_y = (1 if dx >= 0.0 else -1), (1 if dy >= 0.0 else -1)
    across_x = abs(1.0 / dx) if dx != 0.0 else 1e30
    across_y = abs(1.0 / dy) if dy != 0.0 else 1e30
    next_x = (column + 1 - x if dx >= 0.0 else x - column) * across_x
    next_y = (row + 1 - y if dy >= 0.0 else y - row) * across_y
    way = 0.0
    while s.grid[i, row, column] == 0 and way < 1.0:
        if next_x < next_y:
            way = next_x
            next_x += across_x
            column += step_x
        else:
            way = next_y
            next_y += across_y
            row += step_y
    return way


def sees(s, i, x, y):
    """Whether no wall stands between the player and a place."""
    return free_way(s, i, s.x[i], s.y[i], x - s.x[i], y - s.y[i]) >= 1.0


def shoot(s, i, rng):
    """Shoot straight ahead, if loaded; return whether there was a shot and the monster it hit.

    The monster's slot is -1 if there was none in the way.
    """
    if s.reload[i] > 0 or s.ammo[i] <= 0:
        return False, -1
    s.reload[i] = RELOAD
    s.ammo[i] -= 1
    c, n = cos(s.angle[i]), sin(s.angle[i])
    nearest, hit = 1e30, -1
    for k in range(MONSTERS):
        if s.monster[i, k] == 0 or s.monster_state[i, k] == DEAD:
            continue
        dx, dy = s.monster_x[i, k] - s.x[i], s.monster_y[i, k] - s.y[i]
        ahead, beside = dx * c + dy * n, abs(dy * c - dx * n)
        if 0.0 < ahead < nearest and beside < HALF_WIDTH:
            nearest, hit = ahead, k
    if hit >= 0 and free_way(s, i, s.x[i], s.y[i], c * nearest, n * nearest) < 1.0:
        hit = -1
    if hit >= 0:
        s.monster_health[i, hit] -= 5 * integers(rng, i, 1, 4)
        dead = s.monster_health[i, hit] <= 0
        s.monster_state[i, hit] = DEAD if dead else FLINCH
        s.monster_timer[i, hit] = BURIAL if dead else FLINCHING
        s.kills[i] += dead
    return True, hit
