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


def overview(name, p):
    """Return a function (s, i) -> frame for an id."""
    from batchsim.vector import make_vec

    times = max(1, min(math.ceil(WIDTH / p.width), WIDEST // max(p.width, p.height)))
    width, height = times * p.width, times * p.height
    # One row that is put into the state of whichever is drawn.
    envs = make_vec(name, 1, width=width, height=height, fov=p.fov)
    envs.reset(seed=0)
    snapshot = envs.get_state()

    def draw(s, i):
        for column in State._fields:
            snapshot[f"state.{column}"][0] = getattr(s, column)[i]
        picture = envs.set_state(snapshot)[0]
        return np.concatenate([picture, plan(s, i, height)], axis=1)

    return draw


def plan(s, i, side):
    """Return a square map, rows downwards as in the grid: walls, items, monsters, player."""
    scale = max(1, side // SIZE)
    cells = np.where((s.grid[i] == 0)[..., None], FREE, WALL).astype(np.uint8)
    picture = np.full((side, side, 3), WALL, np.uint8)
    inner = cells.repeat(scale, 0).repeat(scale, 1)
    picture[: SIZE * scale, : SIZE * scale] = inner[:side, :side]
    for kind, x, y in zip(s.item[i], s.item_x[i], s.item_y[i], strict=True):
        if kind:
            dot(picture, x * scale, y * scale, 0.22 * scale, THINGS[int(kind)])
    monsters = s.monster[i], s.monster_state[i], s.monster_x[i], s.monster_y[i]
    for kind, state, x, y in zip(*monsters, strict=True):
        if kind:
            colour = CORPSE if state == DEAD else BITING if kind == MELEE else SHOOTING
            dot(picture, x * scale, y * scale, 0.35 * scale, colour)
    x, y, angle = s.x[i], s.y[i], s.angle[i]
    for ahead in np.linspace(0.0, 0.9, 10):
        at_x, at_y = x + ahead * math.cos(angle), y + ahead * math.sin(angle)
        dot(picture, at_x * scale, at_y * scale, 0.12 * scale, PLAYER)
    dot(picture, x * scale, y * scale, 0.3 * scale, PLAYER)
    return picture


def dot(picture, x, y, radius, colour):
    """Paint a disc of at least one pixel."""
    rows, columns = np.ogrid[: len(picture), : len(picture)]
    inside = (columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2 <= max(radius, 0.75) ** 2
    picture[inside] = colour
