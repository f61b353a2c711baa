"""Items and monsters: pictures that stand upright on the floor and face the player."""

import math

import numpy as np

from batchsim.envs.egocentric.pixels import FOG, LIGHT, SPRITE, SPRITES, level_of
from batchsim.envs.egocentric.textures import (
    AREA,
    MEDIKIT,
    MELEE,
    SHOOTER,
    SIDE,
    level_start,
)
from batchsim.envs.egocentric.world import MONSTERS
from batchsim.parts import put
from batchsim.raster import paint

NEAREST = 0.2  # nearer ones are not seen
ITEM_SIZE, MONSTER_SIZE = 0.5, 0.9  # height and width in cells


def draw_sprites(s, i, p, c, n, spread, picture, out):
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
        draw_sprite(s, i, p, picture, out, k, texture, size, spread)


def draw_sprite(s, i, p, picture, out, k, texture, size, spread):
    """Draw a sprite that stands on the floor, where no wall is before it."""
    ahead, aside = s.ahead[i, k], s.aside[i, k]
    scale = p.width / (2.0 * spread) / ahead  # pixels a cell
    side = size * scale
    left = 0.5 * p.width + aside * scale - 0.5 * side
    top = 0.5 * p.height + 0.5 * scale - side
    light = np.int32(LIGHT / (1.0 + FOG * ahead))
    level = level_of(SIDE / side)
    texels = SIDE >> level
    start = texture * AREA + level_start(level)
    grain = texels / side
    first, last = max(0, math.ceil(left - 0.5)), min(p.width, math.ceil(left + side - 0.5))
    # In parts of 2 ** 16 of a texel, rounded down, so as not to go past the last one.
    begin, step = int((first + 0.5 - left) * grain * 65536.0), int(grain * 65536.0)
    for y in range(max(0, math.ceil(top - 0.5)), min(p.height, math.ceil(top + side - 0.5))):
        line = start + min(texels - 1, int((y + 0.5 - top) * grain)) * texels
        across = begin
        for x in range(first, last):
            colour = p.atlas[line + (across >> 16)]
            if colour >> 24 != 0 and s.depth[i, x] > ahead:
                paint(picture, y, x, colour, light, p.grayscale, p.channels_first)
                put(out, "depth", y, x, ahead)
                put(out, "labels", y, x, SPRITE + k)
            across += step
