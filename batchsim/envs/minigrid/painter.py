"""What people watch: a picture of the grid, in which what the agent sees is lighter."""

import numpy as np

from batchsim.envs.minigrid.cells import code_of
from batchsim.envs.minigrid.grid import HEIGHT, ORIGIN, STRIDE, WIDTH
from batchsim.envs.minigrid.tiles import tile
from batchsim.envs.minigrid.view import Scratch, look, place_of
from batchsim.envs.minigrid.world import State
from batchsim.family import merge

TILE = 32  # pixels of a tile's side

Row = merge(State, Scratch)


def painter(p):
    """Return a function (s, i) -> frame (height, width, 3)."""
    width, height = int(p.grid[WIDTH]), int(p.grid[HEIGHT])
    rows, columns = np.arange(height)[:, None], np.arange(width)
    inside = p.grid[ORIGIN] + rows * p.grid[STRIDE] + columns
    size = p.agent_view_size * p.agent_view_size
    seen = np.empty((1, size), np.uint8)

    def draw(s, i):
        row = Row(*(getattr(s, name)[i : i + 1] for name in State._fields), seen)
        look(row, 0, p)
        places = [place_of(row, 0, p, k) for k in range(size) if seen[0, k] != 0]
        lit = np.isin(inside, places)
        frame = np.empty((height, TILE, width, TILE, 3), np.uint8)
        for y, x in np.ndindex(height, width):
            place = inside[y, x]
            heading = int(row.heading[0]) if place == row.place[0] else None
            frame[y, :, x] = tile(code_of(row.cells[0, place]), TILE, bool(lit[y, x]), heading)
        return frame.reshape(height * TILE, width * TILE, 3)

    return draw
