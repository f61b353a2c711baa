"""Views in colours: pictures of the grid, or of what the agent sees.

Source: Chevalier-Boisvert and others, "Minigrid & Miniworld" (2023), `minigrid/wrappers.py`.
"""

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box

import batchsim
from batchsim.envs.minigrid import tiles
from batchsim.envs.minigrid.cells import CODES, code_of
from batchsim.envs.minigrid.grid import HEIGHT, WIDTH, at
from batchsim.envs.minigrid.view import beside, look, place_of
from batchsim.envs.minigrid.world import UP


class Shade(NamedTuple):
    shade: batchsim.column(np.int16, lambda p: p.blank.shape)  # where in the table, by place


class Coloured:
    """Tiles as pictures: a table of them, which `show` copies from."""

    @classmethod
    def image_of(cls, p):
        return Box(0, 255, cls.shape_of(p), np.uint8)

    @classmethod
    def tables(cls, p):
        return beside(super().tables(p), tiles=tiles.table(p.tile_size))


class Rgb(Coloured):
    """`RGBImgObsWrapper`: a picture of the grid, in which what the agent sees is lighter."""

    SCRATCH = Shade

    def shape_of(p):
        return int(p.grid[HEIGHT]) * p.tile_size, int(p.grid[WIDTH]) * p.tile_size, 3

    def show(s, i, p, image):
        look(s, i, p)
        s.shade[i] = tiles.PLAIN
        for k in range(p.agent_view_size * p.agent_view_size):
            if s.seen[i, k] != 0:
                s.shade[i, place_of(s, i, p, k)] = tiles.LIT
        s.shade[i, s.place[i]] = tiles.WITH_AGENT + CODES * s.heading[i]
        size = p.tiles.shape[1]
        for y in range(image.shape[0] // size):
            for x in range(image.shape[1] // size):
                place = at(p, x, y)
                top, left = y * size, x * size
                number = code_of(s.cells[i, place]) + s.shade[i, place]
                image[top : top + size, left : left + size] = p.tiles[number]


class RgbPartial(Coloured):
    """`RGBImgPartialObsWrapper`: a picture of what the agent sees."""

    def shape_of(p):
        return p.agent_view_size * p.tile_size, p.agent_view_size * p.tile_size, 3

    def show(s, i, p, image):
        look(s, i, p)
        size, cells = p.tiles.shape[1], p.agent_view_size
        for y in range(cells):
            for x in range(cells):
                code = code_of(s.seen[i, x * cells + y])
                top, left = y * size, x * size
                number = code + tiles.LIT if code != 0 else 0
                image[top : top + size, left : left + size] = p.tiles[number]
        top, left = (cells - 1) * size, cells // 2 * size
        number = tiles.WITH_AGENT + CODES * UP + code_of(s.seen[i, cells // 2 * cells + cells - 1])
        image[top : top + size, left : left + size] = p.tiles[number]
