"""What the player sees: walls, floor and ceiling, then sprites from the farthest to the nearest.

Each column of the picture has one ray, followed from cell to cell of the grid until a wall
(Amanatides and Woo, 1987). The picture is then written once, row by row: along a row, what is seen
of the floor lies on a line in the world, so that each pixel costs some additions and one look into
the atlas. All that is per pixel is float32, in loops that become vector instructions.
"""

import math
from typing import NamedTuple

import numpy as np

from batchsim.envs.egocentric.pixels import FOG, LIGHT, SPRITES, WIDEST, paint
from batchsim.envs.egocentric.sprites import draw_sprites
from batchsim.envs.egocentric.textures import AREA, SIDE
from batchsim.lookup import lookup
from batchsim.math import cos, sin

LAST = np.float32(SIDE - 1)
SIDE_LIGHT = 0.75  # of walls along x, so that corners show


class Scratch(NamedTuple):
    # Of each column of the picture:
    depth: np.dtype((np.float32, WIDEST))  # of the wall
    top: np.dtype((np.float32, WIDEST))  # where the wall begins and ends
    bottom: np.dtype((np.float32, WIDEST))
    wall: np.dtype((np.float32, WIDEST))  # its texel in row 0 of its texture
    first: np.dtype((np.float32, WIDEST))  # row of the texture at row 0 of the picture
    grain: np.dtype((np.float32, WIDEST))  # rows of the texture a row of the picture
    light: np.dtype((np.float32, WIDEST))
    # Of each sprite:
    ahead: np.dtype((np.float64, SPRITES))
    aside: np.dtype((np.float64, SPRITES))
    order: np.dtype((np.int32, SPRITES))  # farthest first


def draw(s, i, p, floor, ceiling, out):
    """Write the picture of row i, with these textures below and above."""
    spread = math.tan(p.fov * (math.pi / 360.0))  # half of the picture's width, one cell ahead
    c, n = cos(s.angle[i]), sin(s.angle[i])
    for x in range(p.width):
        across = (2.0 * (x + 0.5) / p.width - 1.0) * spread
        cast(s, i, x, c - n * across, n + c * across)
    project(s, i, p, np.float32(p.width / (2.0 * spread)))
    highest, lowest = np.float32(p.height), np.float32(0.0)
    for x in range(p.width):
        highest, lowest = min(highest, s.top[i, x]), max(lowest, s.bottom[i, x])
    left = (1.0 / p.width - 1.0) * spread
    pitch = 2.0 * spread / p.width
    focus = p.width / (2.0 * spread)
    for y in range(p.height):
        below = y + 0.5 - 0.5 * p.height
        # Of an odd number of rows the middle one looks at the horizon, where there are walls only.
        distance = 0.5 * focus / max(abs(below), 0.5)
        # Where the row's first pixel lies in the world, but for whole cells.
        along_x = np.float32(s.x[i] % 1.0 + distance * (c - n * left))
        along_y = np.float32(s.y[i] % 1.0 + distance * (n + c * left))
        step_x, step_y = np.float32(distance * pitch * -n), np.float32(distance * pitch * c)
        plane = np.float32((floor if below > 0.0 else ceiling) * AREA)
        shade = np.float32(LIGHT / (1.0 + FOG * distance))
        if y + 0.5 <= highest or y + 0.5 >= lowest:
            cover(p, out, y, along_x, along_y, step_x, step_y, plane, shade)
        else:
            fill(s, i, p, out, y, along_x, along_y, step_x, step_y, plane, shade)
    draw_sprites(s, i, p, c, n, spread, out)


def cast(s, i, x, dx, dy):
    """Follow the ray of column x until a wall; note how far it is, and what is seen of it."""
    column, row = int(s.x[i]), int(s.y[i])
    step_x, step_y = (1 if dx >= 0.0 else -1), (1 if dy >= 0.0 else -1)
    across_x = abs(1.0 / dx) if dx != 0.0 else 1e30
    across_y = abs(1.0 / dy) if dy != 0.0 else 1e30
    next_x = (column + 1 - s.x[i] if dx >= 0.0 else s.x[i] - column) * across_x
    next_y = (row + 1 - s.y[i] if dy >= 0.0 else s.y[i] - row) * across_y
    distance, lit = 0.0, 1.0
    while s.grid[i, row, column] == 0:
        if next_x < next_y:
            distance, lit = next_x, 1.0
            next_x += across_x
            column += step_x
        else:
            distance, lit = next_y, SIDE_LIGHT
            next_y += across_y
            row += step_y
    # Textures run from left to right for who looks at them, whichever side of the cell that is.
    if lit == 1.0:
        place, mirrored = s.y[i] + distance * dy, dx < 0.0
    else:
        place, mirrored = s.x[i] + distance * dx, dy > 0.0
    texel = int((place - math.floor(place)) * SIDE)
    if mirrored:
        texel = SIDE - 1 - texel
    s.depth[i, x] = max(distance, 1e-3)
    s.wall[i, x] = (int(s.grid[i, row, column]) - 1) * AREA + texel
    s.light[i, x] = lit


def project(s, i, p, focus):
    """Find where on each column its wall lies; `focus` is its height in pixels one cell away."""
    middle = np.float32(0.5 * p.height)
    for x in range(p.width):
        depth = s.depth[i, x]
        half = np.float32(0.5) * focus / depth
        grain = np.float32(SIDE) / (half + half)
        s.top[i, x] = middle - half
        s.bottom[i, x] = middle + half
        s.grain[i, x] = grain
        s.first[i, x] = (half - middle + np.float32(0.5)) * grain
        light = np.float32(LIGHT) / (np.float32(1.0) + np.float32(FOG) * depth)
        s.light[i, x] = s.light[i, x] * light


def ground(k, along_x, along_y, step_x, step_y, plane):
    """Return which texel of floor or ceiling the k-th pixel of a row shows."""
    u, v = along_x + k * step_x, along_y + k * step_y
    # Rounding may give the texel after the last.
    u = min(np.floor((u - np.floor(u)) * np.float32(SIDE)), LAST)
    v = min(np.floor((v - np.floor(v)) * np.float32(SIDE)), LAST)
    return plane + v * np.float32(SIDE) + u


def cover(p, out, y, along_x, along_y, step_x, step_y, plane, shade):
    """Write row y of the picture where no wall reaches it."""
    light = np.int32(shade)
    for x in range(p.width):
        texel = ground(np.float32(np.int32(x)), along_x, along_y, step_x, step_y, plane)
        paint(p, out, y, x, lookup(p.atlas, np.int32(texel)), light)


def fill(s, i, p, out, y, along_x, along_y, step_x, step_y, plane, shade):
    """Write row y of the picture: walls, and floor or ceiling around them."""
    middle, line = np.float32(y + 0.5), np.float32(y)
    for x in range(p.width):
        below = ground(np.float32(np.int32(x)), along_x, along_y, step_x, step_y, plane)
        depth = min(np.floor(s.first[i, x] + line * s.grain[i, x]), LAST)
        wall = s.wall[i, x] + depth * np.float32(SIDE)
        # Sums in place of a choice, which would look up both; whole numbers stay whole.
        inside = np.float32((s.top[i, x] < middle) & (middle < s.bottom[i, x]))
        texel = lookup(p.atlas, np.int32(below + inside * (wall - below)))
        paint(p, out, y, x, texel, np.int32(shade + inside * (s.light[i, x] - shade)))
