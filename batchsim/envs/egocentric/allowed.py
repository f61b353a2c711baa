"""What the columns may hold, so that no ray, no body and no texture is looked for outside.

Rays end at walls, and bodies are moved only where there are none: walls all around, and a player
and monsters within them, are what keeps both in the grid. Places are looked at with some room, as
they may have been rounded to float32.
"""

import math

import numpy as np

from batchsim.envs.egocentric.textures import COUNT
from batchsim.envs.egocentric.world import (
    ASIDE,
    CLIP,
    DEAD,
    FORWARD,
    FRICTION,
    FULL,
    RADIUS,
    RELOAD,
    SHOOTER,
    SIZE,
)
from batchsim.ranges import require_between

ROOM = 0.05  # of the player's radius, for rounding
FASTEST = 1.1 * math.hypot(FORWARD, ASIDE) / (1.0 - FRICTION)  # cells a tic; what speeds tend to
TURNED = 1e6  # radians, many hours of turning
LAST, MOST = SIZE - 1, 2**31 - 1


def check_state(s, p):
    require_between("grid", s.grid, 0, COUNT)
    border = s.grid[:, 0], s.grid[:, LAST], s.grid[:, :, 0], s.grid[:, :, LAST]
    require_between("the grid's border", np.stack(border), 1, COUNT)
    for name in ("x", "y"):
        require_between(name, getattr(s, name), 1.0, LAST)
    _require_free(s)
    require_between("angle", s.angle, -TURNED, TURNED)
    for name in ("speed_x", "speed_y", "monster_dx", "monster_dy"):
        require_between(name, getattr(s, name), -FASTEST, FASTEST)
    require_between("health", s.health, 0.0, FULL)
    require_between("best", s.best, 0.0, 2.0 * SIZE)
    require_between("reload", s.reload, 0, RELOAD)
    for name in ("ammo", "kills", "tic", "buttons"):
        require_between(name, getattr(s, name), 0, MOST)
    require_between("monster", s.monster, 0, SHOOTER)
    require_between("monster_state", s.monster_state, 0, DEAD)
    require_between("item", s.item, 0, CLIP)
    for thing, kinds in (("monster", s.monster), ("item", s.item)):
        for name in (f"{thing}_x", f"{thing}_y"):
            # What an empty slot held may be anywhere.
            places = np.where(kinds == 0, 1.0, getattr(s, name))
            require_between(name, places, 1.0, LAST)


def _require_free(s):
    """Raise ValueError unless no wall is in a player."""
    radius = RADIUS - ROOM
    rows = np.arange(len(s.x))
    for dx in (-radius, radius):
        for dy in (-radius, radius):
            column, row = (s.x + dx).astype(int), (s.y + dy).astype(int)
            walls = np.flatnonzero(s.grid[rows, row, column])
            if walls.size:
                k = walls[0]
                raise ValueError(
                    f"x and y are {s.x[k]} and {s.y[k]}, where a wall is nearer than {radius}; "
                    "expected a free place."
                )
