"""What the columns may hold, so that nobody walks or looks out of the grid.

The agent is kept in the grid by the walls that lie around it in the column.
"""

import numpy as np

from batchsim.envs.minigrid.cells import (
    BALL,
    BOX,
    CLOSED,
    DOOR,
    EMPTY,
    FLOOR,
    GOAL,
    GREEN,
    GREY,
    KEY,
    LAVA,
    LOCKED,
    RED,
    UNSEEN,
    WALL,
    cell,
)
from batchsim.envs.minigrid.grid import HEIGHT, ORIGIN, STRIDE, WIDTH
from batchsim.ranges import require_between

PLACES = ("target", "right_end", "wrong_end", "red_door", "blue_door")
"""Columns that hold places in `cells`, of those environments that have them."""


def possible(kinds):
    """Return which bytes are cells of these kinds, (256,) bool."""
    found = np.zeros(256, bool)
    found[[cell(kind, colour) for kind in kinds for colour in range(6)]] = True
    return found


CARRIED = possible((KEY, BALL, BOX))
CARRIED[UNSEEN] = True
IN_GRID = possible((FLOOR, DOOR, CLOSED, LOCKED, KEY, BALL, BOX, GOAL, LAVA))
IN_GRID[[cell(EMPTY, RED), cell(WALL, GREY), cell(GOAL, GREEN)]] = True


def require_cells(name, cells, allowed):
    """Raise ValueError unless all cells of a column are allowed."""
    fits = allowed[cells]
    if not fits.all():
        wrong = cells[~fits][0]
        raise ValueError(f"{name} holds {wrong}; expected the byte of a thing that may be there.")


def grid_of(p):
    """Return which places of the column are in the grid, (places,) bool."""
    width, height, stride, origin = p.grid[[WIDTH, HEIGHT, STRIDE, ORIGIN]]
    inside = np.zeros(len(p.blank), bool)
    for row in range(height):
        inside[origin + row * stride :][:width] = True
    return inside


def require_places(name, places, allowed):
    """Raise ValueError unless all places of a column are allowed, (places,) bool."""
    fits = (places >= 0) & (places < len(allowed))
    fits &= allowed[np.clip(places, 0, len(allowed) - 1)]
    if not fits.all():
        raise ValueError(f"{name} is {places[~fits][0]}; expected a place within the walls.")


def check_world(s, p, words):
    """Raise ValueError unless rows hold what an environment of MiniGrid may.

    Args:
        s, p: as in `check_state`.
        words: how many values each token of a mission has.
    """
    inside = grid_of(p)
    require_cells("cells", s.cells, IN_GRID)
    require_between("a cell beyond the grid", s.cells[:, ~inside], *2 * [p.blank[~inside]])
    require_places("place", s.place, inside)
    require_between("heading", s.heading, 0, 3)
    require_cells("carried", s.carried, CARRIED)
    require_between("steps", s.steps, 0, 2**31 - 2)
    for name in PLACES:
        if name in s._fields:
            require_between(name, getattr(s, name), 0, len(inside) - 1)
    if "words" in s._fields:
        require_between("words", s.words[:, : len(words)], 0, np.array(words) - 1)
    if "inside" in s._fields:
        require_cells("inside", s.inside, CARRIED)
        require_cells("carried_inside", s.carried_inside, CARRIED)
