"""The ground of BipedalWalker: slightly uneven, and with obstacles where there are to be some.

Numbers and their order are those of `gymnasium/envs/box2d/bipedal_walker.py`.
"""

import math
from typing import NamedTuple

import numpy as np

from batchsim.columns import column
from batchsim.envs.box2d.ground import put_edge
from batchsim.envs.box2d.tree import hang, plant, unhang
from batchsim.family import env
from batchsim.random import integers, uniform

SCALE = 30.0
STEP = 14 / SCALE  # from corner to corner
LENGTH = 200  # in steps
HEIGHT = 400 / SCALE / 4
GRASS = 10  # how long a stretch without obstacles is at most, in steps
STARTPAD = 20  # in steps
EDGES = LENGTH - 1
POLYGONS = 40  # more than fit: pits take at least ten steps for two of them
GROUNDS = EDGES + POLYGONS
CLOUDS, CORNERS = LENGTH // 20, 5
CLOUD_Y = 400 / SCALE * 3 / 4


class Terrain(NamedTuple):
    """What pictures show of it, and how many polygons there are."""

    polygons: np.int16 = 0
    terrain_y: column(float, (LENGTH,)) = 0.0
    cloud: column(float, (CLOUDS, CORNERS, 2)) = 0.0


def clear(s, i):
    """Take everything that the last episode had out of the tree, in upstream's order."""
    if not s.is_planted[i]:
        plant(s, i)
        return
    for back in range(EDGES):
        unhang(s, i, env.BODIES + EDGES - 1 - back)
    for back in range(s.polygons[i]):
        unhang(s, i, env.BODIES + EDGES + int(s.polygons[i]) - 1 - back)
    for body in range(env.BODIES):
        unhang(s, i, body)


def grow(s, i, rng):
    """Make the ground of an episode."""
    s.polygons[i] = 0
    env.shape(s, i, rng)
    for k in range(EDGES):
        x1, y1 = np.float32(k * STEP), np.float32(s.terrain_y[i, k])
        x2, y2 = np.float32((k + 1) * STEP), np.float32(s.terrain_y[i, k + 1])
        put_edge(s, i, k, x1, y1, x2, y2)
        hang_ground(s, i, k)


def hang_ground(s, i, k):
    """Give a shape of the ground a leaf of the tree."""
    box = s.ground_box[i, k]
    hang(s, i, env.BODIES + k, box[0], box[1], box[2], box[3])


def uneven(s, i, rng):
    """Draw the heights of a ground without obstacles."""
    y, velocity, counter, pause = HEIGHT, 0.0, STARTPAD, False
    for k in range(LENGTH):
        if not pause:
            velocity = roll(s, i, rng, k, y, velocity)
            y += velocity
        pause = False
        s.terrain_y[i, k] = y
        counter -= 1
        if counter == 0:
            counter = integers(rng, i, GRASS // 2, GRASS)
            pause = True


def roll(s, i, rng, k, y, velocity):
    """Return by how much the ground rises from one corner to the next."""
    velocity = 0.8 * velocity + 0.01 * np.sign(HEIGHT - y)
    if k > STARTPAD:
        velocity += uniform(rng, i, -1.0, 1.0) / SCALE
    return velocity


def draw_clouds(s, i, rng):
    """Draw the clouds of an episode, which pictures show."""
    for k in range(CLOUDS):
        x = uniform(rng, i, 0.0, float(LENGTH)) * STEP
        for corner in range(CORNERS):
            angle = 3.14 * 2 * corner / 5
            across = uniform(rng, i, 0.0, 5 * STEP)
            s.cloud[i, k, corner, 0] = x + 15 * STEP * math.sin(angle) + across
            up = uniform(rng, i, 0.0, 5 * STEP)
            s.cloud[i, k, corner, 1] = CLOUD_Y + 5 * STEP * math.cos(angle) + up
