"""The picture that the player sees, by whole-array NumPy.

A ray a column goes from cell to cell of the map until a wall, all of them at once. Walls, floor and
ceiling are then places in one atlas of textures, looked up for the whole picture; sprites follow,
the farthest first, and at last all is lit. Places and lights are computed in the same widths, and
in the same order, as by `batchsim.envs.egocentric.renderer`: the pictures have the same bits.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from batchsim.baselines.egocentric.world import World
from batchsim.envs.egocentric import textures
from batchsim.envs.egocentric import world as rules
from batchsim.envs.egocentric.pixels import FINEST, FOG, LIGHT, level_of
from batchsim.envs.egocentric.sprites import ITEM_SIZE, MONSTER_SIZE, NEAREST
from batchsim.envs.egocentric.textures import AREA, BITS, MEDIKIT, SIDE, level_start
from batchsim.envs.egocentric.view import Params
from batchsim.envs.egocentric.walls import SIDE_LIGHT
from batchsim.raster import BLUE, GREEN, RED

__all__ = ["View"]

Array = npt.NDArray[Any]
TURN = 2**32
"""A cell of the floor, in the whole numbers that count places on it."""
F = np.float32
STARTS = np.array([level_start(level) for level in range(BITS + 1)])
BODIES = {rules.MELEE: textures.MELEE, rules.SHOOTER: textures.SHOOTER}
"""The texture of each kind of monster that walks; those of its other states follow."""


class Atlas(NamedTuple):
    """All textures, in all sizes."""

    colours: Array
    """(texels, 3), uint8: red, green and blue."""
    opaque: Array
    """(texels,), bool."""


@functools.cache
def atlas() -> Atlas:
    """Return the colours of all textures, which all environments share."""
    packed = textures.atlas()
    colours = np.stack([packed >> shift & 255 for shift in (0, 8, 16)], axis=1)
    return Atlas(colours.astype(np.uint8), packed >> 24 != 0)


def halvings(grain: Array) -> Array:
    """Return how often a texture is halved for so many of its texels a pixel, `BITS` at most."""
    return np.searchsorted((FINEST * 2.0 ** np.arange(BITS)).astype(grain.dtype), grain)


class Walls(NamedTuple):
    """What each column of a picture shows of the map, arrays (width,)."""

    depth: Array
    """How far ahead it is, float32."""
    first: Array
    """Row of its texture at row 0 of the picture, float32."""
    grain: Array
    """Rows of its texture a row of the picture, float32."""
    bits: Array
    """Logarithm of the texels in a row of its texture."""
    head: Array
    """Texel in the first row of its texture."""
    light: Array


class View:
    """Draws what a player sees.

    Args:
        settings: size, angle and format of the pictures.
        floor, ceiling: textures.
    """

    def __init__(self, settings: Params, floor: int, ceiling: int) -> None:
        self.settings = settings
        self.floor, self.ceiling = floor, ceiling
        width, height = settings.width, settings.height
        # Half of the picture's width, one cell ahead.
        self.spread = spread = math.tan(settings.fov * (math.pi / 360.0))
        self.focus = width / (2.0 * spread)
        self.across = (2.0 * (np.arange(width) + 0.5) / width - 1.0) * spread

        # Of each row above the horizon, and of the one as far below it.
        self.rows = np.arange((height + 1) // 2)
        above = np.maximum(0.5 * height - (self.rows + 0.5), 0.5)
        pitch = 2.0 * spread / width
        self.distance = 0.5 * self.focus / above
        levels = halvings(self.distance * SIDE * np.sqrt(pitch / above))
        self.levels = np.minimum(levels, BITS - 1)
        self.shade = (LIGHT / (1.0 + FOG * self.distance)).astype(np.int64)

    def draw(self, world: World) -> Array:
        """Return the picture, (height, width, channels) or (channels, height, width), uint8."""
        angle = world.player.angle
        cos, sin = math.cos(angle), math.sin(angle)
        walls = self.project(world, F(cos), F(sin), *self.cast(world, cos, sin))
        texels, lights = self.walls_and_floor(world, cos, sin, walls)
        colours = atlas().colours.take(texels, 0)
        self.draw_sprites(world, cos, sin, walls.depth, colours, lights)
        return self.lit(colours, lights)

    def cast(self, world: World, cos: float, sin: float) -> tuple[Array, Array, Array]:
        """Follow the ray of each column until a wall (Amanatides and Woo, 1987).

        Returns:
            For each column whether the wall runs along x, on which line of the grid it stands, and
            its texture.
        """
        player, grid = world.player, world.plan.walls
        dx, dy = cos - sin * self.across, sin + cos * self.across
        column, row = np.full(len(dx), int(player.x)), np.full(len(dx), int(player.y))
        right, down = dx >= 0.0, dy >= 0.0
        step_x, step_y = np.where(right, 1, -1), np.where(down, 1, -1)
        far = np.full(len(dx), 1e30)
        across_x = np.abs(np.divide(1.0, dx, out=far.copy(), where=dx != 0.0))
        across_y = np.abs(np.divide(1.0, dy, out=far.copy(), where=dy != 0.0))
        next_x = np.where(right, column + 1 - player.x, player.x - column) * across_x
        next_y = np.where(down, row + 1 - player.y, player.y - row) * across_y
        along_x = np.zeros(len(dx), np.bool_)
        while (free := grid[row, column] == 0).any():
            to_side = free & (next_x < next_y)
            to_front = free ^ to_side
            next_x += across_x * to_side
            next_y += across_y * to_front
            column += step_x * to_side
            row += step_y * to_front
            along_x = np.where(free, to_front, along_x)
        line = np.where(along_x, row + ~down, column + ~right)
        return along_x, line, grid[row, column] - 1

    def project(
        self, world: World, cos: F, sin: F, along_x: Array, line: Array, texture: Array
    ) -> Walls:
        """Find what of its wall each column shows, and where; in float32."""
        width, height = self.settings.width, self.settings.height
        one, half = F(1.0), F(0.5)
        spread = F(self.spread)
        pitch = F(2.0) * spread / F(width)
        across = (np.arange(width, dtype=F) + half) * pitch - spread
        dx, dy = cos - sin * across, sin + cos * across
        x, y = F(world.player.x), F(world.player.y)
        ahead = (line.astype(F) - np.where(along_x, y, x)) / np.where(along_x, dy, dx)
        depth = np.maximum(ahead, F(1e-3))
        place = np.where(along_x, x + depth * dx, y + depth * dy)
        # Textures run from left to right for who looks at them, whichever side of the cell that is.
        texel = ((place - np.floor(place)) * F(SIDE)).astype(np.int64) & (SIDE - 1)
        texel = np.where(np.where(along_x, dy > 0.0, dx < 0.0), SIDE - 1 - texel, texel)
        tall = one / pitch / depth
        grain = F(SIDE) / tall
        level = halvings(grain)
        grain = np.ldexp(grain, -level)
        light = F(LIGHT) / (one + F(FOG) * depth) * np.where(along_x, F(SIDE_LIGHT), one)
        return Walls(
            depth,
            first=(half * tall - F(0.5 * height) + half) * grain,
            grain=grain,
            bits=BITS - level,
            head=texture * AREA + STARTS[level] + (texel >> level),
            light=light.astype(np.int64),
        )

    def walls_and_floor(
        self, world: World, cos: float, sin: float, walls: Walls
    ) -> tuple[Array, Array]:
        """Return the texel and the light of each pixel, both (height, width)."""
        row = walls.first + self.rows.astype(F)[:, None] * walls.grain
        is_wall = row >= 0.0
        down = row.astype(np.int64) << walls.bits
        foot = walls.head + ((1 << walls.bits) - 1 << walls.bits)
        ground = self.ground(world, cos, sin)
        upper = np.where(is_wall, walls.head + down, self.ceiling * AREA + ground)
        lower = np.where(is_wall, foot - down, self.floor * AREA + ground)
        light = np.where(is_wall, walls.light, self.shade[:, None])
        # Of an odd number of rows the middle one is in both.
        half = self.settings.height // 2
        return np.concatenate([upper[:half], lower[::-1]]), np.concatenate(
            [light[:half], light[::-1]]
        )

    def ground(self, world: World, cos: float, sin: float) -> Array:
        """Return the texel of floor and ceiling in each row above the horizon, from the beginning
        of their textures.
        """
        width, spread, distance = self.settings.width, self.spread, self.distance
        left, pitch = (1.0 / width - 1.0) * spread, 2.0 * spread / width
        u = (world.player.x + distance * (cos - sin * left)) % 1.0 * TURN
        v = (world.player.y + distance * (sin + cos * left)) % 1.0 * TURN
        step_u = np.floor(distance * pitch * -sin * TURN).astype(np.int64)
        step_v = np.floor(distance * pitch * cos * TURN).astype(np.int64)
        u, v = (
            (first.astype(np.int64)[:, None] + step[:, None] * np.arange(width)) % TURN
            for first, step in ((u, step_u), (v, step_v))
        )
        bits = (BITS - self.levels)[:, None]
        texel: Array = STARTS[self.levels][:, None] + (u >> 32 - bits) + (v >> 32 - bits << bits)
        return texel

    def draw_sprites(
        self, world: World, cos: float, sin: float, depth: Array, colours: Array, lights: Array
    ) -> None:
        """Draw items and monsters, the farthest first."""
        player = world.player
        things = [
            (one.x, one.y, BODIES[one.kind] + one.state, MONSTER_SIZE) for one in world.monsters
        ]
        things += [
            (item.x, item.y, MEDIKIT + item.kind - 1, ITEM_SIZE)
            for item in world.items
            if item is not None
        ]
        seen = []
        for x, y, texture, size in things:
            dx, dy = x - player.x, y - player.y
            ahead, aside = dx * cos + dy * sin, dy * cos - dx * sin
            if ahead >= NEAREST and abs(aside) <= ahead * self.spread + 1.0:
                seen.append((ahead, aside, texture, size))
        depth = depth.astype(np.float64)
        for sprite in sorted(seen, key=lambda sprite: -sprite[0]):
            self.draw_sprite(*sprite, depth, colours, lights)

    def draw_sprite(
        self,
        ahead: float,
        aside: float,
        texture: int,
        size: float,
        depth: Array,
        colours: Array,
        lights: Array,
    ) -> None:
        """Draw a sprite that stands on the floor, where no wall is before it."""
        width, height = self.settings.width, self.settings.height
        scale = self.focus / ahead  # pixels a cell
        side = size * scale
        left = 0.5 * width + aside * scale - 0.5 * side
        top = 0.5 * height + 0.5 * scale - side
        x = np.arange(max(0, math.ceil(left - 0.5)), min(width, math.ceil(left + side - 0.5)))
        y = np.arange(max(0, math.ceil(top - 0.5)), min(height, math.ceil(top + side - 0.5)))
        if not len(x) or not len(y):
            return
        level = level_of(SIDE / side)
        texels = SIDE >> level
        grain = texels / side
        line = np.minimum(texels - 1, ((y + 0.5 - top) * grain).astype(np.int64))
        # In parts of 2 ** 16 of a texel, rounded down, so as not to go past the last one.
        begin, step = int((x[0] + 0.5 - left) * grain * 65536.0), int(grain * 65536.0)
        across = begin + step * (x - x[0]) >> 16
        start = texture * AREA + level_start(level)
        found = start + line[:, None] * texels + across
        shown = atlas().opaque[found] & (depth[x] > ahead)
        part = slice(y[0], y[-1] + 1), slice(x[0], x[-1] + 1)
        colours[part][shown] = atlas().colours[found[shown]]
        lights[part][shown] = int(LIGHT / (1.0 + FOG * ahead))

    def lit(self, colours: Array, lights: Array) -> Array:
        """Return the picture of colours (height, width, 3) in this light, in the format wanted."""
        picture = colours * lights.astype(np.uint16)[..., None] >> 8
        if self.settings.grayscale:
            picture = picture @ np.array([RED, GREEN, BLUE], np.uint16)[:, None] >> 8
        if self.settings.channels_first:
            picture = np.moveaxis(picture, 2, 0)
        return np.ascontiguousarray(picture, np.uint8)
