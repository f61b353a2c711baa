"""What the player sees: walls, floor and ceiling, then sprites from the farthest to the nearest.

The picture is written once, row by row, and as the eye is half a cell high, a row below the horizon
together with the row as far above it, which shows places as far away: what is seen of the floor
along a row lies on a line in the world, so that a pixel of it costs some additions. All that is per
pixel becomes vector instructions.
"""

import math
from typing import NamedTuple

import numpy as np

from batchsim.envs.egocentric.pixels import FOG, LIGHT, SPRITES, WIDEST, level_of
from batchsim.envs.egocentric.sprites import draw_sprites
from batchsim.envs.egocentric.status import draw_status
from batchsim.envs.egocentric.textures import AREA, BITS, SIDE, level_start
from batchsim.envs.egocentric.walls import look_around, project
from batchsim.math import cos, sin
from batchsim.parts import part, put
from batchsim.raster import advance, choose, paint_row, shifted

WHOLE = 2.0**32  # a cell of the floor, in the units of its places


class Scratch(NamedTuple):
    # Of each column of the picture:
    face: np.dtype((np.int32, WIDEST))  # that its ray hits: 512 * where + 256 * along x + texture
    place: np.dtype((np.float32, WIDEST))  # along the face, if a ray was followed
    depth: np.dtype((np.float32, WIDEST))  # of the wall
    first: np.dtype((np.float32, WIDEST))  # row of its texture at row 0 of the picture
    grain: np.dtype((np.float32, WIDEST))  # rows of the texture a row of the picture
    bits: np.dtype((np.int32, WIDEST))  # logarithm of the texels in a row of its texture
    head: np.dtype((np.int32, WIDEST))  # texels in the texture's first and last row
    foot: np.dtype((np.int32, WIDEST))
    light: np.dtype((np.int32, WIDEST))
    # Of each pixel in a row above the horizon, and in the one as far below it:
    upper: np.dtype((np.int32, WIDEST))  # texels
    lower: np.dtype((np.int32, WIDEST))
    lights: np.dtype((np.int32, WIDEST))
    # Of each sprite:
    ahead: np.dtype((np.float64, SPRITES))
    aside: np.dtype((np.float64, SPRITES))
    order: np.dtype((np.int32, SPRITES))  # farthest first


def draw(s, i, p, floor, ceiling, out):
    """Write what is seen in row i, with these textures below and above."""
    picture = part(out, "pixels")
    spread = math.tan(p.fov * (math.pi / 360.0))  # half of the picture's width, one cell ahead
    c, n = cos(s.angle[i]), sin(s.angle[i])
    look_around(s, i, p, c, n, spread)
    tallest = project(s, i, p, np.float32(c), np.float32(n), np.float32(spread))
    focus = p.width / (2.0 * spread)  # pixels a cell, one cell ahead
    for y in range((p.height + 1) // 2):
        mirrored = p.height - 1 - y
        above = 0.5 * p.height - (y + 0.5)
        # Of an odd number of rows the middle one looks at the horizon, where there are walls only.
        distance = 0.5 * focus / max(above, 0.5)
        survey(s, i, p, c, n, spread, distance, y, above, tallest, floor, ceiling)
        write(s, i, p, s.upper, y, picture)
        write(s, i, p, s.lower, mirrored, picture)
        measure(s, i, p, y, mirrored, np.float32(distance), out)
    draw_sprites(s, i, p, c, n, spread, picture, out)
    if p.status_bar:
        draw_status(s, i, p, picture)


def write(s, i, p, texels, y, picture):
    """Write row y of the picture."""
    paint_row(p.atlas, texels, s.lights, i, picture, y, p.width, p.grayscale, p.channels_first)


def measure(s, i, p, y, mirrored, distance, out):
    """Write how far away each pixel in two rows is, and whether it shows a wall, if asked for."""
    line = np.float32(y)
    for x in range(p.width):
        is_wall = s.first[i, x] + line * s.grain[i, x] >= np.float32(0.0)
        depth = s.depth[i, x] if is_wall else distance
        put(out, "depth", y, x, depth)
        put(out, "depth", mirrored, x, depth)
        put(out, "labels", y, x, is_wall)
        put(out, "labels", mirrored, x, is_wall)


def survey(s, i, p, c, n, spread, distance, y, above, tallest, floor, ceiling):
    """Find the texel and the light of each pixel in row y and in the row as far below the horizon.

    Floor and ceiling in these rows are at a `distance`.
    """
    left, pitch = (1.0 / p.width - 1.0) * spread, 2.0 * spread / p.width
    # A row shows texels that are near each other, the next row some that are farther away.
    level = min(level_of(distance * SIDE * math.sqrt(pitch / max(above, 0.5))), BITS - 1)
    # Where the row's first pixel lies in its cell.
    u = advance(int((s.x[i] + distance * (c - n * left)) % 1.0 * WHOLE), 0)
    v = advance(int((s.y[i] + distance * (n + c * left)) % 1.0 * WHOLE), 0)
    step_u = math.floor(distance * pitch * -n * WHOLE)
    step_v = math.floor(distance * pitch * c * WHOLE)
    floor = floor * AREA + level_start(level)
    ceiling = ceiling * AREA + level_start(level)
    bits = BITS - level
    mask = ((1 << bits) - 1) << bits
    shade = np.int32(LIGHT / (1.0 + FOG * distance))
    if above > tallest + 1:
        for x in range(p.width):
            texel = shifted(u, 0, 32 - bits) + (shifted(v, 0, 32 - 2 * bits) & mask)
            s.upper[i, x] = ceiling + texel
            s.lower[i, x] = floor + texel
            s.lights[i, x] = shade
            u, v = advance(u, step_u), advance(v, step_v)
        return
    line = np.float32(y)
    for x in range(p.width):
        texel = shifted(u, 0, 32 - bits) + (shifted(v, 0, 32 - 2 * bits) & mask)
        row = s.first[i, x] + line * s.grain[i, x]
        inside = row >= np.float32(0.0)
        down = shifted(np.int32(row), s.bits[i, x], 0)
        s.upper[i, x] = choose(inside, s.head[i, x] + down, ceiling + texel)
        s.lower[i, x] = choose(inside, s.foot[i, x] - down, floor + texel)
        s.lights[i, x] = choose(inside, s.light[i, x], shade)
        u, v = advance(u, step_u), advance(v, step_v)
