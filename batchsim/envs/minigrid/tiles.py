"""Cells as pictures: what people watch, and what agents see that learn from pixels.

A tile is drawn three times as fine as it is shown, and each pixel is the mean of nine. All
arithmetic is MiniGrid's, in its order and its types, so that every byte is the same.

Source: Chevalier-Boisvert and others, "Minigrid & Miniworld" (2023),
`minigrid/core/world_object.py`, `minigrid/core/grid.py` and `minigrid/utils/rendering.py`.
"""

import functools
import math

import numpy as np

from batchsim.envs.minigrid.cells import (
    AGENT,
    BALL,
    BOX,
    CLOSED,
    CODES,
    COLOURS,
    DOOR,
    FLOOR,
    GOAL,
    GREY,
    KEY,
    KINDS,
    LAVA,
    LOCKED,
    RED,
    WALL,
    colour_of,
    kind_of,
)

FINER = 3
RGB = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (112, 39, 195), (255, 255, 0), (100, 100, 100))
BLACK, ORANGE = (0, 0, 0), (255, 128, 0)
LIGHT = 0.30  # of the cells that the agent sees
CORNERS = ((0.12, 0.19), (0.87, 0.50), (0.12, 0.81))  # of the agent that looks to the right

PLAIN, LIT, WITH_AGENT = 0, CODES, 2 * CODES  # where in the table: see `table`


@functools.cache
def table(size):
    """Return all tiles (6 * CODES, size, size, 3): plain, lit, and lit with an agent in it, which
    looks to the right, down, to the left and up; each by the cell's code.

    A cell that is not seen looks like an empty one.
    """
    tiles = np.zeros((6, CODES, size, size, 3), np.uint8)
    for kind in range(len(KINDS)):
        if kind == AGENT:
            continue
        for colour in range(len(COLOURS)):
            code = kind + 16 * colour
            tiles[0, code] = tile(code, size)
            tiles[1, code] = tile(code, size, lit=True)
            for heading in range(4):
                tiles[2 + heading, code] = tile(code, size, lit=True, heading=heading)
    return tiles.reshape(-1, size, size, 3)


@functools.cache
def tile(code, size, lit=False, heading=None):
    """Return the picture (size, size, 3) of a cell, with an agent in it if that has a heading."""
    fine = drawn(code, size).copy()
    if heading is not None:
        fine[agent(size, heading)] = RGB[RED]
    if lit:
        fine[:] = (fine + LIGHT * (np.uint8(255) - fine)).clip(0, 255)
    rows = fine.reshape(size, FINER, size, FINER, 3)
    return rows.mean(axis=3).mean(axis=1).astype(np.uint8)


@functools.cache
def drawn(code, size):
    """Return the fine picture of a cell."""
    side = FINER * size
    fine = np.zeros((side, side, 3), np.uint8)
    y, x = places(size)
    kind, colour = kind_of(code), np.array(RGB[min(colour_of(code), GREY)])

    def rectangle(left, right, top, bottom, filling):
        fine[(x >= left) & (x <= right) & (y >= top) & (y <= bottom)] = filling

    def disc(middle_x, middle_y, radius, filling):
        away = (x - middle_x) * (x - middle_x) + (y - middle_y) * (y - middle_y)
        fine[away <= radius * radius] = filling

    rectangle(0, 0.031, 0, 1, RGB[GREY])
    rectangle(0, 1, 0, 0.031, RGB[GREY])
    if kind in (WALL, GOAL):
        rectangle(0, 1, 0, 1, colour)
    elif kind == FLOOR:
        rectangle(0.031, 1, 0.031, 1, colour / 2)
    elif kind == LAVA:
        rectangle(0, 1, 0, 1, ORANGE)
        for wave in range(3):
            crest, trough = 0.3 + 0.2 * wave, 0.4 + 0.2 * wave
            for k, left in enumerate((0.1, 0.3, 0.5, 0.7)):
                ends = (crest, trough) if k % 2 == 0 else (trough, crest)
                right = (0.3, 0.5, 0.7, 0.9)[k]
                fine[stroke(size, left, ends[0], right, ends[1], 0.03)] = BLACK
    elif kind == DOOR:
        rectangle(0.88, 1, 0, 1, colour)
        rectangle(0.92, 0.96, 0.04, 0.96, BLACK)
    elif kind == CLOSED:
        rectangle(0, 1, 0, 1, colour)
        rectangle(0.04, 0.96, 0.04, 0.96, BLACK)
        rectangle(0.08, 0.92, 0.08, 0.92, colour)
        rectangle(0.12, 0.88, 0.12, 0.88, BLACK)
        disc(0.75, 0.50, 0.08, colour)
    elif kind == LOCKED:
        rectangle(0, 1, 0, 1, colour)
        rectangle(0.06, 0.94, 0.06, 0.94, 0.45 * colour)
        rectangle(0.52, 0.75, 0.50, 0.56, colour)
    elif kind == KEY:
        rectangle(0.50, 0.63, 0.31, 0.88, colour)
        rectangle(0.38, 0.50, 0.59, 0.66, colour)
        rectangle(0.38, 0.50, 0.81, 0.88, colour)
        disc(0.56, 0.28, 0.190, colour)
        disc(0.56, 0.28, 0.064, BLACK)
    elif kind == BALL:
        disc(0.5, 0.5, 0.31, colour)
    elif kind == BOX:
        rectangle(0.12, 0.88, 0.12, 0.88, colour)
        rectangle(0.18, 0.82, 0.18, 0.82, BLACK)
        rectangle(0.16, 0.84, 0.47, 0.53, colour)
    return fine


def places(size):
    """Return y (side, 1) and x (1, side) of the middles of a fine picture's pixels, from 0 to 1."""
    middles = (np.arange(FINER * size) + 0.5) / (FINER * size)
    return middles[:, None], middles[None]


@functools.cache
def stroke(size, x0, y0, x1, y1, radius):
    """Return which pixels of a fine picture (side, side) are near a line."""
    start, end = np.array([x0, y0], np.float32), np.array([x1, y1], np.float32)
    along = end - start
    length = np.linalg.norm(along)
    along = along / length
    y, x = places(size)
    near = (x >= min(x0, x1) - radius) & (x <= max(x0, x1) + radius)
    near = near & (y >= min(y0, y1) - radius) & (y <= max(y0, y1) + radius)
    for row, column in np.argwhere(near):
        # One pixel at a time: a product of two numbers is rounded as BLAS rounds it.
        at = np.array([x[0, column], y[row, 0]])
        nearest = start + np.clip(np.dot(at - start, along), 0, length) * along
        near[row, column] = np.linalg.norm(at - nearest) <= radius
    return near


@functools.cache
def agent(size, heading):
    """Return which pixels of a fine picture (side, side) an agent covers."""
    first, second, third = np.array(CORNERS, np.float32)
    one, other = third - first, second - first
    of_one, of_both, of_other = np.dot(one, one), np.dot(one, other), np.dot(other, other)
    scale = 1 / (of_one * of_other - of_both * of_both)
    cos, sin = math.cos(-0.5 * math.pi * heading), math.sin(-0.5 * math.pi * heading)
    middle = 0.5
    y, x = places(size)
    y, x = y - middle, x - middle
    turned_x, turned_y = middle + x * cos - y * sin, middle + y * cos + x * sin
    covered = np.zeros(turned_x.shape, bool)
    for place in np.ndindex(covered.shape):
        from_first = np.array((turned_x[place], turned_y[place])) - first
        on_one, on_other = np.dot(one, from_first), np.dot(other, from_first)
        u = (of_other * on_one - of_both * on_other) * scale
        v = (of_one * on_other - of_both * on_one) * scale
        covered[place] = u >= 0 and v >= 0 and u + v < 1
    return covered
