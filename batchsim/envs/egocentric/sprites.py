"""Items and monsters: pictures that stand upright on the floor and face the player."""

import math

import numpy as np

from batchsim.envs.egocentric.pixels import FOG, LIGHT, SPRITES, paint
from batchsim.envs.egocentric.textures import AREA, MEDIKIT, MELEE, SHOOTER, SIDE
from batchsim.envs.egocentric.world import MONSTERS

NEAREST = 0.2  # nearer ones are not seen
ITEM_SIZE, MONSTER_SIZE = 0.5, 0.9  # height and width in cells


def draw_sprites(s, i, p, c, n, spread, out):
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
        draw_sprite(s, i, p, out, texture, size, s.ahead[i, k], s.aside[i, k], spread)


def draw_sprite(s, i, p, out, texture, size, ahead, aside, spread):
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
