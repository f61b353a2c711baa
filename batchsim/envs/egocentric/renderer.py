"""What the player sees: walls, floor and ceiling, then sprites from the farthest to the nearest.

Each column of the picture has one ray, followed from cell to cell of the grid until a wall
(Amanatides and Woo, 1987). The picture is then written once, row by row: along a row, what is seen
of the floor lies on a line in the world, so that each pixel costs some additions and one look into
the atlas. All that is per pixel is float32, in loops that become vector instructions.
"""

import math
from typing import NamedTuple

import numpy as np

from batchsim.envs.egocentric.textures import AREA, MEDIKIT, MELEE, SHOOTER, SIDE
from batchsim.envs.egocentric.world import ITEMS, MONSTERS
from batchsim.lookup import lit, lookup
from batchsim.math import cos, sin

WIDEST = 640
SPRITES = MONSTERS + ITEMS
FOG = 0.12  # how much darker it gets with each cell
LIGHT = 256.0
SIDE_LIGHT = 0.75  # of walls along x, so that corners show
NEAREST = 0.2  # sprites
ITEM_SIZE, MONSTER_SIZE = 0.5, 0.9  # height and width in cells; they stand on the floor


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
        cast(s, i, p, x, c - n * across, n + c * across, spread)
    left = (1.0 / p.width - 1.0) * spread
    pitch = 2.0 * spread / p.width
    focus = p.width / (2.0 * spread)
    for y in range(p.height):
        below = y + 0.5 - 0.5 * p.height
        distance = 0.5 * focus / abs(below)
        # Of the world's first texel in this row, and from pixel to pixel; whole cells do not matter.
        along_x = np.float32(s.x[i] % 1.0 + distance * (c - n * left))
        along_y = np.float32(s.y[i] % 1.0 + distance * (n + c * left))
        plane = floor if below > 0.0 else ceiling
        fill(
            s,
            i,
            p,
            out,
            y,
            along_x,
            along_y,
            np.float32(distance * pitch * -n),
            np.float32(distance * pitch * c),
            np.float32(plane * AREA),
            np.float32(LIGHT / (1.0 + FOG * distance)),
        )
    sprites(s, i, p, c, n, spread, out)


def cast(s, i, p, x, dx, dy, spread):
    """Follow the ray of column x until a wall, and note what is seen of that."""
    column, row = int(s.x[i]), int(s.y[i])
    step_x, step_y = (1 if dx > 0.0 else -1), (1 if dy > 0.0 else -1)
    across_x = abs(1.0 / dx) if dx != 0.0 else 1e30
    across_y = abs(1.0 / dy) if dy != 0.0 else 1e30
    next_x = (column + 1 - s.x[i] if dx > 0.0 else s.x[i] - column) * across_x
    next_y = (row + 1 - s.y[i] if dy > 0.0 else s.y[i] - row) * across_y
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
    distance = max(distance, 1e-3)
    place = s.y[i] + distance * dy if lit == 1.0 else s.x[i] + distance * dx
    texel = math.floor((place - math.floor(place)) * SIDE)
    height = p.width / (2.0 * spread) / distance
    s.depth[i, x] = distance
    s.top[i, x] = 0.5 * p.height - 0.5 * height
    s.bottom[i, x] = 0.5 * p.height + 0.5 * height
    s.wall[i, x] = (int(s.grid[i, row, column]) - 1) * AREA + texel
    s.grain[i, x] = SIDE / height
    s.first[i, x] = (0.5 * height - 0.5 * p.height + 0.5) * (SIDE / height)
    s.light[i, x] = lit * LIGHT / (1.0 + FOG * distance)


def fill(s, i, p, out, y, along_x, along_y, step_x, step_y, plane, shade):
    """Write row y of the picture: walls, and floor or ceiling around them."""
    middle, line = np.float32(y + 0.5), np.float32(y)
    for x in range(p.width):
        k = np.float32(np.int32(x))
        u, v = along_x + k * step_x, along_y + k * step_y
        u = np.floor((u - np.floor(u)) * np.float32(SIDE))
        v = np.floor((v - np.floor(v)) * np.float32(SIDE))
        ground = plane + v * np.float32(SIDE) + u
        depth = np.floor(s.first[i, x] + line * s.grain[i, x])
        wall = s.wall[i, x] + depth * np.float32(SIDE)
        # Sums in place of a choice, which would look up both; whole numbers stay whole.
        inside = np.float32((s.top[i, x] < middle) & (middle < s.bottom[i, x]))
        texel = lookup(p.atlas, np.int32(ground + inside * (wall - ground)))
        paint(p, out, y, x, texel, np.int32(shade + inside * (s.light[i, x] - shade)))


def paint(p, out, y, x, colour, light):
    """Write a pixel: a colour of the atlas, lit from 0 (black) to 256 (as it is)."""
    even, odd = lit(colour, light)
    red, green, blue = (even >> 8) & 255, (odd >> 8) & 255, (even >> 24) & 255
    if p.grayscale:
        red = (77 * red + 150 * green + 29 * blue) >> 8
    if p.channels_first:
        out[0, y, x] = red
        if not p.grayscale:
            out[1, y, x] = green
            out[2, y, x] = blue
    else:
        out[y, x, 0] = red
        if not p.grayscale:
            out[y, x, 1] = green
            out[y, x, 2] = blue


def sprites(s, i, p, c, n, spread, out):
    """Draw items and monsters, the farthest first."""
    count = 0
    for k in range(SPRITES):
        if k < MONSTERS:
            kind, x, y = int(s.monster[i, k]), s.monster_x[i, k], s.monster_y[i, k]
        else:
            j = k - MONSTERS
            kind, x, y = int(s.item[i, j]), s.item_x[i, j], s.item_y[i, j]
        dx, dy = x - s.x[i], y - s.y[i]
        ahead, aside = dx * c + dy * n, dy * c - dx * n
        if kind == 0 or ahead < NEAREST or abs(aside) > ahead * spread + 1.0:
            continue
        s.ahead[i, k], s.aside[i, k] = ahead, aside
        place = count
        while place > 0 and s.ahead[i, s.order[i, place - 1]] < ahead:
            s.order[i, place] = s.order[i, place - 1]
            place -= 1
        s.order[i, place] = k
        count += 1
    for place in range(count):
        k = int(s.order[i, place])
        size, texture = ITEM_SIZE, 0
        if k < MONSTERS:
            size = MONSTER_SIZE
            first = MELEE if s.monster[i, k] == 1 else SHOOTER
            texture = first + int(s.monster_state[i, k])
        else:
            texture = MEDIKIT + int(s.item[i, k - MONSTERS]) - 1
        sprite(s, i, p, out, texture, size, s.ahead[i, k], s.aside[i, k], spread)


def sprite(s, i, p, out, texture, size, ahead, aside, spread):
    """Draw a sprite that stands on the floor, where no wall is before it."""
    scale = p.width / (2.0 * spread) / ahead  # pixels a cell
    side = size * scale
    left = 0.5 * p.width + aside * scale - 0.5 * side
    top = 0.5 * p.height + 0.5 * scale - side
    light = np.int32(LIGHT / (1.0 + FOG * ahead))
    for y in range(max(0, math.ceil(top - 0.5)), min(p.height, math.ceil(top + side - 0.5))):
        v = min(SIDE - 1, int((y + 0.5 - top) * (SIDE / side)))
        line = texture * AREA + v * SIDE
        for x in range(max(0, math.ceil(left - 0.5)), min(p.width, math.ceil(left + side - 0.5))):
            if s.depth[i, x] > ahead:
                u = min(SIDE - 1, int((x + 0.5 - left) * (SIDE / side)))
                colour = p.atlas[line + u]
                if colour >> 24 != 0:
                    paint(p, out, y, x, colour, light)
