"""The world that all environments of MiniGrid have: a grid of cells, and an agent that moves in it.

The grid lies row by row in a column of bytes, with walls around it as far as the agent sees beyond
its border. The walls at the right of a row are those at the left of the next.
"""

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
    WALLED,
    colour_of,
    kind_of,
)
from batchsim.random import integers

TURN_LEFT, TURN_RIGHT, FORWARD, PICKUP, DROP, TOGGLE, DONE = range(7)
CAPACITY = 640  # cells, the least; one kernel serves all grids of a capacity
UP = 3  # a heading
WIDTH, HEIGHT, STRIDE, ORIGIN, LIMIT, EXTRA = range(6)  # places in the table `grid`
ENTERED = 1 << EMPTY | 1 << FLOOR | 1 << DOOR | 1 << GOAL | 1 << LAVA  # kinds, as bits
CARRIED = 1 << KEY | 1 << BALL | 1 << BOX


class State(NamedTuple):
    cells: batchsim.column(np.uint8, lambda p: p.blank.shape)
    place: np.int32  # of the agent, in `cells`
    heading: np.int32  # 0 right, 1 down, 2 left, 3 up
    carried: np.uint8  # a cell; UNSEEN stands for nothing
    steps: np.int32  # of this episode


class Tables(NamedTuple):
    blank: np.ndarray  # (capacity,) uint8, an empty grid with walls around it
    grid: np.ndarray  # numbers of a definition: see WIDTH and the others; from EXTRA on, its own
    ahead: np.ndarray  # (4,), from a cell to the next, by heading
    sight: np.ndarray  # (4, cells) uint32, the places of the cells that an agent at ORIGIN sees


def lay_out(width, height, max_steps, view_size, has_walls=True, extras=()):
    """Return the tables of a grid.

    Args:
        width, height: of the grid, in cells, its outer walls among them.
        max_steps: after which an episode is truncated.
        view_size: how many cells wide and deep the agent's view is.
        has_walls: whether the outermost cells are walls.
        extras: numbers that a definition has besides.
    """
    margin = view_size - 1
    stride = width + margin
    cells = np.full((height + 2 * margin, stride), WALLED, np.uint8)
    wall = 1 if has_walls else 0
    cells[margin + wall : margin + height - wall, margin + wall : stride - wall] = EMPTY
    capacity = CAPACITY
    while capacity < cells.size + margin:
        capacity *= 2
    blank = np.full(capacity, WALLED, np.uint8)
    blank[: cells.size] = cells.ravel()
    origin = margin * stride + margin
    grid = np.array([width, height, stride, origin, max_steps, *extras])
    ahead = np.array([1, stride, -1, -stride])
    right = np.roll(ahead, -1)
    # From left to right, and of each column from the farthest cell to the nearest.
    x, y = np.divmod(np.arange(view_size**2), view_size)
    sight = np.outer(right, x - view_size // 2) + np.outer(ahead, view_size - 1 - y)
    return Tables(blank, grid, ahead, (origin + sight).astype(np.uint32))


def clear(s, i, p):
    """Begin an episode with an empty grid."""
    s.cells[i] = p.blank
    s.carried[i], s.steps[i] = 0, 0
    s.place[i] = 0  # nowhere


def at(p, x, y):
    """Return the place of a column x and a row y in `cells`."""
    return p.grid[ORIGIN] + y * p.grid[STRIDE] + x


def column_of(p, place):
    return (place - p.grid[ORIGIN]) % p.grid[STRIDE]


def row_of(p, place):
    return (place - p.grid[ORIGIN]) // p.grid[STRIDE]


def put(s, i, p, x, y, code):
    s.cells[i, at(p, x, y)] = code


def take_away(s, i, p, x, y):
    s.cells[i, at(p, x, y)] = EMPTY


def put_row(s, i, p, x, y, length, code):
    """Fill some cells from (x, y) on to the right."""
    start = at(p, x, y)
    for k in range(length):
        s.cells[i, start + k] = code


def put_column(s, i, p, x, y, length, code):
    """Fill some cells from (x, y) on downwards."""
    place = at(p, x, y)
    for _ in range(length):
        s.cells[i, place] = code
        place += p.grid[STRIDE]


def put_room(s, i, p, x, y, width, height):
    """Build the walls of a room."""
    put_row(s, i, p, x, y, width, WALLED)
    put_row(s, i, p, x, y + height - 1, width, WALLED)
    put_column(s, i, p, x, y, height, WALLED)
    put_column(s, i, p, x + width - 1, y, height, WALLED)


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
    s.place[i] = 0
    s.place[i] = find_free(s, i, p, rng, x, y, width, height)
    s.heading[i] = integers(rng, i, 0, 4)


def put_agent(s, i, p, x, y, heading):
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
