"""What people watch: a larger picture of what the player sees, beside a map of the world."""

import math

import numpy as np

from batchsim.envs.egocentric.pixels import WIDEST
from batchsim.envs.egocentric.world import CLIP, DEAD, MEDIKIT, MELEE, SIZE, VEST, VIAL, State

RENDER_FPS = 35 / 4  # steps of 4 tics, of which there are 35 a second
WIDTH = 320  # of the picture in pixels, at least, if that is a multiple of what the player sees
FREE, WALL, PLAYER = (38, 38, 42), (120, 112, 104), (240, 240, 240)
BITING, SHOOTING, CORPSE = (220, 110, 130), (120, 160, 80), (90, 40, 40)
THINGS = {
    MEDIKIT: (230, 60, 60),
    VIAL: (80, 110, 240),
    VEST: (60, 200, 90),
    CLIP: (220, 190, 80),
}


def overview(scenario, p):
    """Return a function (s, i) -> frame for a scenario."""
    from batchsim.batch.vector import make_vec

    times = max(1, min(math.ceil(WIDTH / p.width), WIDEST // max(p.width, p.height)))
    width, height = times * p.width, times * p.height
    # One row that is put into the state of whichever is drawn.
    settings = {"fov": p.fov, "grayscale": p.grayscale, "status_bar": p.status_bar}
    envs = make_vec(scenario, 1, width=width, height=height, **settings)
    envs.reset(seed=0)
    snapshot = envs.get_state()

    def draw(s, i):
        for column in State._fields:
            snapshot[f"state.{column}"][0] = getattr(s, column)[i]
        # Gray has one channel.
        view = np.broadcast_to(envs.set_state(snapshot)[0], (height, width, 3))
        # A map needs a few pixels a cell, however low the picture is.
        beside = plan(s, i, max(height, 3 * SIZE))
        below = np.zeros((len(beside) - height, width, 3), np.uint8)
        return np.concatenate([np.concatenate([view, below]), beside], axis=1)

    return draw


def plan(s, i, side):
    """Return a square map, rows downwards as in the grid: walls, items, monsters, player.

    It shows the smallest square that has all free cells and the walls around them.
    """
    is_free = s.grid[i] == 0
    rows, columns = np.nonzero(is_free)
    top, left = rows.min() - 1, columns.min() - 1
    size = max(rows.max() + 2 - top, columns.max() + 2 - left)
    top, left = min(top, SIZE - size), min(left, SIZE - size)
    scale = max(1, side // size)
    shown = is_free[top : top + size, left : left + size]
    cells = np.where(shown[..., None], FREE, WALL).astype(np.uint8)
    picture = np.full((side, side, 3), WALL, np.uint8)
    inner = cells.repeat(scale, 0).repeat(scale, 1)[:side, :side]
    picture[: len(inner), : len(inner)] = inner

    def mark(x, y, radius, colour):
        dot(picture, (x - left) * scale, (y - top) * scale, radius * scale, colour)

    for kind, x, y in zip(s.item[i], s.item_x[i], s.item_y[i], strict=True):
        if kind:
            mark(x, y, 0.22, THINGS[int(kind)])
    monsters = s.monster[i], s.monster_state[i], s.monster_x[i], s.monster_y[i]
    for kind, state, x, y in zip(*monsters, strict=True):
        if kind:
            colour = CORPSE if state == DEAD else BITING if kind == MELEE else SHOOTING
            mark(x, y, 0.35, colour)
    x, y, angle = s.x[i], s.y[i], s.angle[i]
    for ahead in np.linspace(0.0, 0.9, 10):
        mark(x + ahead * math.cos(angle), y + ahead * math.sin(angle), 0.12, PLAYER)
    mark(x, y, 0.3, PLAYER)
    return picture


def dot(picture, x, y, radius, colour):
    """Paint a disc of at least one pixel."""
    rows, columns = np.ogrid[: len(picture), : len(picture)]
    inside = (columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2 <= max(radius, 0.75) ** 2
    picture[inside] = colour
