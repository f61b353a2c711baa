"""The grid that a world lies in, and how it is filled.

It lies row by row in a column of bytes, with walls around it as far as the agent sees beyond its
border. The walls at the right of a row are those at the left of the next.
"""

from typing import NamedTuple

import numpy as np

from batchsim.envs.minigrid.cells import EMPTY, WALLED

CAPACITY = 640  # cells, the least; one kernel serves all grids of a capacity
NOWHERE = 0  # a place that is none
WIDTH, HEIGHT, STRIDE, ORIGIN, LIMIT, EXTRA = range(6)  # places in the table `grid`


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
    s.place[i] = NOWHERE


def at(p, x, y):
    """Return the place of column x and row y in `cells`."""
    return p.grid[ORIGIN] + y * p.grid[STRIDE] + x


def column_of(p, place):
    """Return the column of a place in the grid."""
    return (place - p.grid[ORIGIN]) % p.grid[STRIDE]


def row_of(p, place):
    """Return the row of a place in the grid."""
    return (place - p.grid[ORIGIN]) // p.grid[STRIDE]


def put(s, i, p, x, y, code):
    """Put a cell at column x and row y."""
    s.cells[i, at(p, x, y)] = code


def take_away(s, i, p, x, y):
    """Leave nothing at column x and row y."""
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
