"""Textures and sprites, computed: no picture is loaded.

An atlas is one array of colours, `AREA` of them a texture: a square of `SIDE` rows and columns, row
by row, then the same in half as many rows and columns, and so on to a single one, for what is far
away (Williams, "Pyramidal Parametrics", 1983). A colour is red + 256 * green + 65536 * blue, with
2 ** 24 more where a sprite is opaque.
"""

import functools

import numpy as np

from batchsim.raster import shifted

BITS = 6
SIDE = 2**BITS
AREA = (4 * SIDE * SIDE - 1) // 3
BRICKS, STONE, METAL, WOOD, FLOOR, CEILING, ACID = range(7)
MEDIKIT, VIAL, VEST, CLIP = range(7, 11)
MELEE, SHOOTER = 11, 15  # each followed by its flinch, aim and dead
COUNT = 19


def level_start(level):
    """Where a level begins in its texture, of which level 0 has `SIDE` rows."""
    # Of the number of texels every other bit is set, one for each level.
    return AREA - (AREA & (shifted(1, 2 * (BITS + 1 - level), 0) - 1))


def _draw_atlas():
    """Return the colours of all textures, (COUNT * AREA,), uint32."""
    random = np.random.default_rng(1)
    v, u = np.mgrid[0:SIDE, 0:SIDE]
    colours = np.zeros((COUNT, SIDE, SIDE, 3))
    opaque = np.zeros((COUNT, SIDE, SIDE))
    opaque[:MEDIKIT] = 1.0
    colours[BRICKS] = _bricks(u, v, (150, 72, 52), (92, 84, 78), 16, 32)
    colours[STONE] = _bricks(u, v, (118, 118, 124), (70, 70, 74), 32, 32)
    colours[METAL] = np.array([92, 104, 112]) + 24.0 * (u % 16 < 2)[..., None]
    rivets = (np.hypot(u % 16 - 8, v % 16 - 8) < 2)[..., None]
    colours[METAL] += 50.0 * rivets
    colours[WOOD] = np.array([124, 88, 48]) * (0.8 + 0.2 * np.sin(u / 3 + v / 29))[..., None]
    tiles = ((u // 32 + v // 32) % 2)[..., None]
    colours[FLOOR] = np.array([84, 78, 66]) + 18.0 * tiles
    colours[CEILING] = np.array([52, 56, 66]) + 10.0 * ((u % 32 < 2) | (v % 32 < 2))[..., None]
    waves = np.sin(u / SIDE * 4 * np.pi) + np.sin(v / SIDE * 4 * np.pi)
    colours[ACID] = np.array([50, 130, 40]) + 30.0 * waves[..., None]
    colours[:MEDIKIT] += random.normal(0.0, 7.0, (MEDIKIT, SIDE, SIDE, 1))

    _box(colours[MEDIKIT], opaque[MEDIKIT], u, v, (16, 40, 48, 63), (226, 226, 226))
    _box(colours[MEDIKIT], opaque[MEDIKIT], u, v, (29, 44, 35, 60), (200, 24, 24))
    _box(colours[MEDIKIT], opaque[MEDIKIT], u, v, (22, 49, 42, 55), (200, 24, 24))
    _disc(colours[VIAL], opaque[VIAL], u, v, (32, 53, 9, 10), (60, 90, 230))
    _box(colours[VIAL], opaque[VIAL], u, v, (29, 36, 35, 46), (170, 180, 210))
    _box(colours[VEST], opaque[VEST], u, v, (18, 34, 46, 63), (40, 170, 60))
    _box(colours[VEST], opaque[VEST], u, v, (27, 34, 37, 40), (20, 80, 30))
    _box(colours[CLIP], opaque[CLIP], u, v, (22, 48, 42, 63), (190, 160, 60))
    _box(colours[CLIP], opaque[CLIP], u, v, (24, 44, 40, 48), (120, 80, 40))
    for first, skin in ((MELEE, (190, 96, 110)), (SHOOTER, (96, 116, 70))):
        for state in range(4):
            _monster(colours[first + state], opaque[first + state], u, v, skin, state)
    levels = []
    for _ in range(BITS + 1):
        red, green, blue = np.moveaxis(np.clip(colours, 0, 255).astype(np.uint32), 3, 0)
        packed = red | green << 8 | blue << 16 | (opaque >= 0.5).astype(np.uint32) << 24
        levels.append(packed.reshape(COUNT, -1))
        colours, opaque = _halve(colours, opaque)
    found = np.concatenate(levels, 1).reshape(-1)
    found.flags.writeable = False  # All that ask share it.
    return found


atlas = functools.cache(_draw_atlas)


def _halve(colours, opaque):
    """Return textures of half as many rows and columns: means, of what is opaque."""

    def sums(texels):
        return sum(texels[:, k::2, j::2] for k in (0, 1) for j in (0, 1))

    if opaque.shape[1] == 1:
        return colours, opaque
    weight = sums(opaque)
    means = sums(colours * opaque[..., None]) / np.maximum(weight, 1e-9)[..., None]
    return means, weight / 4


def _bricks(u, v, brick, mortar, height, width):
    """Rows of bricks, every other one moved by half a brick."""
    row = v // height
    joint = (v % height < 2) | ((u + row % 2 * width // 2) % width < 2)
    shade = 0.9 + 0.1 * np.sin(row * 12.9898 + (u + row % 2 * width // 2) // width * 78.233)
    return np.where(joint[..., None], mortar, shade[..., None] * np.array(brick))


def _box(colours, opaque, u, v, sides, colour):
    left, top, right, bottom = sides
    inside = (u >= left) & (u < right) & (v >= top) & (v < bottom)
    edge = inside & ((u < left + 2) | (u >= right - 2) | (v < top + 2) | (v >= bottom - 2))
    colours[inside] = colour
    colours[edge] *= 0.7
    opaque[inside] = 1.0


def _disc(colours, opaque, u, v, circle, colour):
    across, down, width, height = circle
    distance = np.hypot((u - across) / width, (v - down) / height)
    inside = distance < 1.0
    colours[inside] = (1.0 - 0.35 * distance[inside, None] ** 2) * np.array(colour)
    opaque[inside] = 1.0


def _monster(colours, opaque, u, v, skin, state):
    """A body with a head, arms and legs: walking, flinching, aiming, dead."""
    if state == 3:
        _disc(colours, opaque, u, v, (32, 58, 24, 6), np.array(skin) * 0.6)
        _disc(colours, opaque, u, v, (36, 57, 8, 4), (150, 20, 20))
        return
    lean = 4 if state == 1 else 0
    _box(colours, opaque, u, v, (22, 44, 30, 64), np.array(skin) * 0.55)
    _box(colours, opaque, u, v, (34, 44, 42, 64), np.array(skin) * 0.55)
    _disc(colours, opaque, u, v, (32 + lean // 2, 33, 14, 17), skin)
    _disc(colours, opaque, u, v, (32 + lean, 13, 9, 10), np.array(skin) * 1.1)
    reach = 22 if state == 2 else 34
    _disc(colours, opaque, u, v, (17 + lean // 2, reach, 5, 12), np.array(skin) * 0.85)
    _disc(colours, opaque, u, v, (47 + lean // 2, reach, 5, 12), np.array(skin) * 0.85)
    for eye in (28, 36):
        _disc(colours, opaque, u, v, (eye + lean, 12, 2.5, 2.5), (250, 230, 60))
    if state == 1:
        _disc(colours, opaque, u, v, (32, 34, 5, 5), (200, 20, 20))
    if state == 2:
        _disc(colours, opaque, u, v, (32, 24, 5, 5), (255, 170, 40))
