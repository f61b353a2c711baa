"""The walker of BipedalWalker: its hull, legs and joints, its motors, and what it sees.

Numbers and their order are those of `gymnasium/envs/box2d/bipedal_walker.py`.
"""

import math

import numpy as np

from batchsim.envs.box2d.bodies import put_body, wake
from batchsim.envs.box2d.columns import Sizes, tree_of
from batchsim.envs.box2d.joints import relax
from batchsim.envs.box2d.settings import ONE, ZERO
from batchsim.envs.box2d.shapes import box, mass, polygon
from batchsim.envs.box2d.terrain import EDGES, GROUNDS, HEIGHT, SCALE, STARTPAD, STEP
from batchsim.envs.box2d.tree import hang
from batchsim.envs.box2d.vectors import dot
from batchsim.envs.box2d.world import finish_step
from batchsim.envs.box2d.worlds import Joint, world_of
from batchsim.family import env, merge

VIEW_WIDTH, VIEW_HEIGHT = 600 / SCALE, 400 / SCALE
MOTORS_TORQUE = 80
SPEED_HIP, SPEED_KNEE = 4, 6
LIDAR_RANGE = 160 / SCALE
RAYS = 10
HULL_POLY = [(-30, +9), (+6, +9), (+34, +1), (+34, -8), (-30, -8)]
LEG_DOWN = -8 / SCALE
LEG_W, LEG_H = 8 / SCALE, 34 / SCALE
LEG_ANGLE = 0.05
FRICTION = 2.5  # of the ground

START_X = STEP * STARTPAD / 2
START_Y = HEIGHT + 2 * LEG_H
UPPER_Y = START_Y - LEG_H / 2 - LEG_DOWN
LOWER_Y = START_Y - LEG_H * 3 / 2 - LEG_DOWN

HULL, BODIES, JOINTS = 0, 5, 4
CONTACTS = 128  # more than overlap at the utmost speed: 19 shapes the hull, 17 either part of a leg
_HULL = polygon([(x / SCALE, y / SCALE) for x, y in HULL_POLY])
_UPPER, _LOWER = box(LEG_W / 2, LEG_H / 2), box(0.8 * LEG_W / 2, LEG_H / 2)


def _legs():
    for hip, side in ((1, -1), (3, +1)):
        angle = side * LEG_ANGLE
        yield Joint(HULL, hip, (0.0, LEG_DOWN), (0.0, LEG_H / 2), angle, -0.8, 1.1)
        yield Joint(hip, hip + 1, (0.0, -LEG_H / 2), (0.0, LEG_H / 2), 0.0, -1.6, -0.1)


_World = world_of(
    Sizes(
        bodies=BODIES,
        joints=JOINTS,
        grounds=GROUNDS,
        contacts=CONTACTS,
        corners=len(HULL_POLY),
        lane_contacts=8,
    ),
    polygons=[_HULL, _UPPER, _LOWER, _UPPER, _LOWER],
    masses=[mass(_HULL, 5.0), *[mass(_UPPER, 1.0), mass(_LOWER, 1.0)] * 2],
    joints=list(_legs()),
    friction=[0.1, 0.2, 0.2, 0.2, 0.2] + [FRICTION] * GROUNDS,
    one_ground=False,
)
_Tree, _Search = tree_of(BODIES + GROUNDS, CONTACTS)


class World(_World):
    """The columns of the walker's world, and its tree."""

    State = merge(_World.State, _Tree)
    Scratch = merge(_World.Scratch, _Search)


RAY_X = np.array([math.sin(1.5 * ray / 10.0) * LIDAR_RANGE for ray in range(RAYS)])
RAY_Y = np.array([math.cos(1.5 * ray / 10.0) * LIDAR_RANGE for ray in range(RAYS)])


def stand(s, i):
    """Make the walker, at the beginning of its way."""
    x = np.float32(START_X)
    put_body(s, i, HULL, x, np.float32(START_Y), ZERO)
    hang_body(s, i, HULL)
    for leg in range(2):
        upper, angle = 1 + 2 * leg, np.float32(LEG_ANGLE if leg == 1 else -LEG_ANGLE)
        put_body(s, i, upper, x, np.float32(UPPER_Y), angle)
        hang_body(s, i, upper)
        relax(s, i, 2 * leg, ZERO, ZERO)
        put_body(s, i, upper + 1, x, np.float32(LOWER_Y), angle)
        hang_body(s, i, upper + 1)
        relax(s, i, 2 * leg + 1, ZERO, ZERO)


def hang_body(s, i, body):
    """Give a body a leaf of the tree."""
    box = s.box[i, body]
    hang(s, i, body, box[0], box[1], box[2], box[3])


def drive(s, i, j, strength):
    """Let a motor turn as it is told, by a number of 64 bits from -1 to 1, and wake its bodies."""
    wake(s, i, env.FIRST[j])
    wake(s, i, env.SECOND[j])
    speed = SPEED_HIP if j % 2 == 0 else SPEED_KNEE
    s.motor_speed[i, j] = np.float32(speed * np.sign(strength))
    s.max_torque[i, j] = np.float32(MOTORS_TORQUE * min(abs(strength), 1.0))


def joint_angle(s, i, j):
    """Return the angle between the bodies of a joint."""
    return float(s.angle[i, env.SECOND[j]] - s.angle[i, env.FIRST[j]] - env.REFERENCE[j])


def joint_speed(s, i, j):
    """Return how fast a joint turns."""
    return float(s.spin[i, env.SECOND[j]] - s.spin[i, env.FIRST[j]])


def look(s, i):
    """Measure how far the ground is along ten rays, as parts of their length."""
    px, py = s.place[i, HULL, 0], s.place[i, HULL, 1]
    for ray in range(RAYS):
        x = np.float32(float(px) + RAY_X[ray])
        y = np.float32(float(py) - RAY_Y[ray])
        # The edges' corners are a step apart; those beside the ray are looked at too.
        first = max(int(float(px) / STEP) - 1, 0)
        last = min(int(float(x) / STEP) + 1, EDGES - 1)
        nearest = ONE
        for k in range(first, last + 1):
            nearest = look_at_edge(s, i, k, px, py, x - px, y - py, nearest)
        s.lidar[i, ray] = env.look_at_obstacles(s, i, px, py, x, y, nearest)


def look_at_edge(s, i, k, px, py, dx, dy, nearest):
    """Return at which part of a ray it meets an edge, if that is nearer than what it met so far."""
    nx, ny = s.ground_normal[i, k, 0], s.ground_normal[i, k, 1]
    x1, y1 = s.ground[i, k, 0], s.ground[i, k, 1]
    along = dot(nx, ny, dx, dy)
    if along == ZERO:
        return nearest
    part = dot(nx, ny, x1 - px, y1 - py) / along
    if part < ZERO or nearest < part:
        return nearest
    qx, qy = px + part * dx, py + part * dy
    rx, ry = s.ground[i, k, 2] - x1, s.ground[i, k, 3] - y1
    square = dot(rx, ry, rx, ry)
    if square == ZERO:
        return nearest
    place = dot(qx - x1, qy - y1, rx, ry) / square
    return nearest if place < ZERO or place > ONE else part


def arrive(s, i):
    """Finish a step of the world, look around, and note what the new place is worth."""
    finish_step(s, i)
    look(s, i)
    x, angle = float(s.place[i, HULL, 0]), float(s.angle[i, HULL])
    s.worth[i] = 130 * x / SCALE - 5.0 * abs(angle)
