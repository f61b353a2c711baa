"""The world that all environments of MiniGrid have: things in a grid, and an agent that moves."""

from typing import NamedTuple

import numpy as np

import batchsim
from batchsim.envs.minigrid.cells import (
    BALL,
    BOX,
    CLOSED,
    DOOR,
    EMPTY,
    FLOOR,
    GOAL,
    KEY,
    LAVA,
    LOCKED,
    OPAQUE,
    WALL,
    colour_of,
    kind_of,
)
from batchsim.envs.minigrid.grid import EXTRA, HEIGHT, LIMIT, NOWHERE, WIDTH, at
from batchsim.random import integers

TURN_LEFT, TURN_RIGHT, FORWARD, PICKUP, DROP, TOGGLE, DONE = range(7)
UP = 3  # a heading
ENTERED = 1 << EMPTY | 1 << FLOOR | 1 << DOOR | 1 << GOAL | 1 << LAVA  # kinds, as bits
CARRIED = 1 << KEY | 1 << BALL | 1 << BOX


class State(NamedTuple):
    cells: batchsim.column(np.uint8, lambda p: p.blank.shape)
    place: np.int32  # of the agent, in `cells`
    heading: np.int32  # 0 right, 1 down, 2 left, 3 up
    carried: np.uint8  # a cell; UNSEEN stands for nothing
    steps: np.int32  # of this episode


def find_free(s, i, p, rng, x, y, width, height):
    """Return a random empty place of a rectangle, not the agent's."""
    right = min(x + width, p.grid[WIDTH])
    bottom = min(y + height, p.grid[HEIGHT])
    while True:
        column = integers(rng, i, x, right)
        place = at(p, column, integers(rng, i, y, bottom))
        if s.cells[i, place] == EMPTY and place != s.place[i]:
            return place


def place_thing(s, i, p, rng, x, y, width, height, code):
    """Put a thing on a random empty place of a rectangle, and return the place."""
    place = find_free(s, i, p, rng, x, y, width, height)
    s.cells[i, place] = code
    return place


def place_agent(s, i, p, rng, x, y, width, height):
    """Put the agent on a random empty place of a rectangle, heading anywhere."""
    s.place[i] = NOWHERE
    s.place[i] = find_free(s, i, p, rng, x, y, width, height)
    s.heading[i] = integers(rng, i, 0, 4)


def put_agent(s, i, p, x, y, heading):
    """Put the agent at column x and row y."""
    s.place[i], s.heading[i] = at(p, x, y), heading


def start(s, i, p, rng):
    """Put the agent where its caller wants it: at the numbers from EXTRA on, or anywhere."""
    if p.grid[EXTRA] < 0:
        place_agent(s, i, p, rng, 0, 0, p.grid[WIDTH], p.grid[HEIGHT])
    else:
        put_agent(s, i, p, p.grid[EXTRA], p.grid[EXTRA + 1], p.grid[EXTRA + 2])


def success(s, i, p):
    """Return the reward of an episode that ends well: the sooner, the more."""
    return 1.0 - 0.9 * (s.steps[i] / p.grid[LIMIT])


def front(s, i, p):
    """Return the place in front of the agent."""
    return s.place[i] + p.ahead[s.heading[i]]


def faces_a_thing(s, i, p):
    """Return whether the agent heads at anything but a wall."""
    return kind_of(s.cells[i, front(s, i, p)]) not in (EMPTY, WALL)


def act(s, i, action, p):
    """Do what every environment of MiniGrid does in a step; return reward and terminated."""
    if action <= TURN_RIGHT:
        s.heading[i] = (s.heading[i] + 2 * action + 3) & 3
        return 0.0, False
    place = front(s, i, p)
    code = int(s.cells[i, place])
    kind = kind_of(code)
    if action == FORWARD:
        if ENTERED >> kind & 1:
            s.place[i] = place
        if kind == GOAL:
            return success(s, i, p), True
        return 0.0, kind == LAVA
    if action == PICKUP:
        if CARRIED >> kind & 1 and s.carried[i] == 0:
            s.carried[i] = code
            s.cells[i, place] = EMPTY
    elif action == DROP:
        if kind == EMPTY and s.carried[i] != 0:
            s.cells[i, place] = s.carried[i]
            s.carried[i] = 0
    elif action == TOGGLE:
        toggle(s, i, place, code)
    return 0.0, False


def toggle(s, i, place, code):
    """Open or close a door, or open a box."""
    kind = kind_of(code)
    if kind == LOCKED:
        key = int(s.carried[i])
        if kind_of(key) == KEY and colour_of(key) == colour_of(code):
            s.cells[i, place] = code - OPAQUE - LOCKED + DOOR
    elif kind == CLOSED:
        s.cells[i, place] = code - OPAQUE - CLOSED + DOOR
    elif kind == DOOR:
        s.cells[i, place] = code + OPAQUE + CLOSED - DOOR
    elif kind == BOX:
        s.cells[i, place] = EMPTY
