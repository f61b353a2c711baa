"""Walls: which of them each column of the picture shows, and where.

A ray is followed from cell to cell of the grid until a wall (Amanatides and Woo, 1987). Not every
column needs one: between two rays that hit the same face of walls less than a cell apart, there is
no room for anything before it.
"""

import numpy as np

from batchsim.envs.egocentric.pixels import FINEST, FOG, LIGHT
from batchsim.envs.egocentric.textures import AREA, BITS, SIDE, level_start
from batchsim.raster import shifted

SIDE_LIGHT = 0.75  # of walls along x, so that corners show
SPAN = 8  # columns from one ray to the next, a power of two


def look_around(s, i, p, c, n, spread):
    """Find the face that each column shows."""
    last = p.width - 1
    for x in range(0, p.width, SPAN):
        cast(s, i, p, x, c, n, spread)
    if last % SPAN != 0:
        cast(s, i, p, last, c, n, spread)
    half = SPAN // 2
    while half > 0:
        for x in range(half, last, 2 * half):
            left, right = x - half, min(x + half, last)
            gap = s.place[i, left] - s.place[i, right]
            if s.face[i, left] == s.face[i, right] and abs(gap) < 1.0:
                s.face[i, x] = s.face[i, left]
                # As far from its neighbours as those are from each other, at most.
                s.place[i, x] = s.place[i, left]
            else:
                cast(s, i, p, x, c, n, spread)
        half //= 2


def cast(s, i, p, x, c, n, spread):
    """Follow the ray of column x until a wall; note which face it hits, and where."""
    across = (2.0 * (x + 0.5) / p.width - 1.0) * spread
    dx, dy = c - n * across, n + c * across
    column, row = int(s.x[i]), int(s.y[i])
    step_x, step_y = (1 if dx >= 0.0 else -1), (1 if dy >= 0.0 else -1)
    across_x = abs(1.0 / dx) if dx != 0.0 else 1e30
    across_y = abs(1.0 / dy) if dy != 0.0 else 1e30
    next_x = (column + 1 - s.x[i] if dx >= 0.0 else s.x[i] - column) * across_x
    next_y = (row + 1 - s.y[i] if dy >= 0.0 else s.y[i] - row) * across_y
    distance, along_x = 0.0, False
    while s.grid[i, row, column] == 0:
        if next_x < next_y:
            distance, along_x = next_x, False
            next_x += across_x
            column += step_x
        else:
            distance, along_x = next_y, True
            next_y += across_y
            row += step_y
    texture = int(s.grid[i, row, column]) - 1
    if along_x:
        s.face[i, x] = 512 * (row + (step_y < 0)) + 256 + texture
        s.place[i, x] = s.x[i] + distance * dx
    else:
        s.face[i, x] = 512 * (column + (step_x < 0)) + texture
        s.place[i, x] = s.y[i] + distance * dy


def project(s, i, p, c, n, spread):
    """Find what of its wall each column shows, and where; return half the height of the tallest."""
    one, half = np.float32(1.0), np.float32(0.5)
    pitch = np.float32(2.0) * spread / np.float32(p.width)
    middle, focus = np.float32(0.5 * p.height), one / pitch
    player_x, player_y = np.float32(s.x[i]), np.float32(s.y[i])
    tallest = np.int32(0)
    for x in range(p.width):
        face = s.face[i, x]
        where, along_x = np.float32(shifted(face, 0, 9)), (face & 256) != 0
        across = (np.float32(np.int32(x)) + half) * pitch - spread
        dx, dy = c - n * across, n + c * across
        ahead = (where - player_y) / dy if along_x else (where - player_x) / dx
        depth = max(ahead, np.float32(1e-3))
        place = player_x + depth * dx if along_x else player_y + depth * dy
        # Textures run from left to right for who looks at them, whichever side of the cell that is.
        mirrored = dy > np.float32(0.0) if along_x else dx < np.float32(0.0)
        texel = np.int32((place - np.floor(place)) * np.float32(SIDE)) & (SIDE - 1)
        texel = (SIDE - 1) - texel if mirrored else texel
        tall = focus / depth
        grain = np.float32(SIDE) / tall
        # `level_of`, without a loop.
        level, scale = 0, one
        for k in range(BITS):
            coarser = grain > np.float32(FINEST * 2**k)
            level += coarser
            scale *= half if coarser else one
        bits = BITS - level
        start = level_start(level)
        s.depth[i, x] = depth
        s.grain[i, x] = grain * scale
        s.first[i, x] = (half * tall - middle + half) * (grain * scale)
        s.bits[i, x] = bits
        s.head[i, x] = (face & 255) * AREA + start + shifted(texel, 0, level)
        light = np.float32(LIGHT) / (one + np.float32(FOG) * depth)
        s.light[i, x] = np.int32(light * (np.float32(SIDE_LIGHT) if along_x else one))
        tallest = max(tallest, np.int32(half * tall))
    for x in range(p.width):
        last = shifted(1, s.bits[i, x], 0) - 1
        s.foot[i, x] = s.head[i, x] + shifted(last, s.bits[i, x], 0)
    return tallest
