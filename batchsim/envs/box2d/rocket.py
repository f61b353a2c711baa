"""The lander of LunarLander: its shapes and legs, engines, the wind, what it is worth where.

Numbers and their order are those of `gymnasium/envs/box2d/lunar_lander.py`.
"""

import math

import numpy as np

from batchsim.envs.box2d.bodies import push, wake
from batchsim.envs.box2d.columns import Sizes
from batchsim.envs.box2d.ground import put_edge
from batchsim.envs.box2d.settings import FRAMES_PER_SECOND, ZERO
from batchsim.envs.box2d.shapes import box, mass, polygon
from batchsim.envs.box2d.world import begin_step
from batchsim.envs.box2d.worlds import Joint, world_of
from batchsim.math import cos, pi, sin
from batchsim.random import uniform

SCALE = 30.0  # pixels a metre
WIDTH, HEIGHT = 600 / SCALE, 400 / SCALE
CHUNKS = 11  # corners of the moon's surface
HELIPAD_Y = HEIGHT / 4

# In pixels.
LANDER_POLY = [(-14, +17), (-17, 0), (-17, -10), (+17, -10), (+17, 0), (+14, +17)]
LEG_AWAY = 20
LEG_DOWN = 18
LEG_W, LEG_H = 2, 8
MAIN_ENGINE_Y = 4
SIDE_ENGINE_HEIGHT = 14
SIDE_ENGINE_AWAY = 12

MAIN_ENGINE_POWER = 13.0
SIDE_ENGINE_POWER = 0.6
LEG_TORQUE = 40
LEG_SPEED = 0.3  # at which the springs turn the legs
LEG_ANGLE = 0.05
LEG_LIMITS = [(0.9 - 0.5, 0.9), (-0.9, -0.9 + 0.5)]
SIDES = (-1, +1)  # of the legs

LANDER, LEGS = 0, (1, 2)
LANE_CONTACTS = 4
BODIES = 1 + len(LEGS)
_LANDER = polygon([(x / SCALE, y / SCALE) for x, y in LANDER_POLY])
_LEG = box(LEG_W / SCALE, LEG_H / SCALE)

World = world_of(
    Sizes(
        bodies=BODIES,
        joints=len(LEGS),
        grounds=CHUNKS,
        contacts=BODIES * CHUNKS,
        corners=len(LANDER_POLY),
        lane_contacts=LANE_CONTACTS,
    ),
    polygons=[_LANDER, _LEG, _LEG],
    masses=[mass(_LANDER, density=5.0), mass(_LEG, density=1.0), mass(_LEG, density=1.0)],
    joints=[
        Joint(
            first=LANDER,
            second=leg,
            anchor_a=(0.0, 0.0),
            anchor_b=(side * LEG_AWAY / SCALE, LEG_DOWN / SCALE),
            reference=side * LEG_ANGLE,
            lower=lower,
            upper=upper,
        )
        for leg, side, (lower, upper) in zip(LEGS, SIDES, LEG_LIMITS, strict=True)
    ],
    # Of lander, legs, the line below the moon, and its surface.
    friction=[0.1, 0.2, 0.2, 0.2] + [0.1] * (CHUNKS - 1),
    one_ground=True,
)


def make_moon(s, i, rng):
    """Draw the surface of the moon, level around the pad, and smooth it."""
    for k in range(CHUNKS + 1):
        s.height[i, k] = uniform(rng, i, 0.0, HEIGHT / 2)
    for k in range(CHUNKS // 2 - 2, CHUNKS // 2 + 3):
        s.height[i, k] = HELIPAD_Y
    put_edge(s, i, 0, ZERO, ZERO, np.float32(WIDTH), ZERO)
    step = WIDTH / (CHUNKS - 1)
    for k in range(CHUNKS - 1):
        left, right = np.float32(step * k), np.float32(step * (k + 1))
        put_edge(s, i, k + 1, left, smooth(s, i, k), right, smooth(s, i, k + 1))


def smooth(s, i, k):
    """Return the height of corner k of the moon."""
    before = s.height[i, k - 1] if k > 0 else s.height[i, CHUNKS]
    return np.float32(0.33 * (before + s.height[i, k] + s.height[i, k + 1]))


def instruments(s, i):
    """Return place, velocity, angle and spin of the lander, in the units of its observations."""
    x = (float(s.place[i, 0, 0]) - WIDTH / 2) / (WIDTH / 2)
    y = (float(s.place[i, 0, 1]) - (HELIPAD_Y + LEG_DOWN / SCALE)) / (HEIGHT / 2)
    vx = float(s.velocity[i, 0, 0]) * (WIDTH / 2) / FRAMES_PER_SECOND
    vy = float(s.velocity[i, 0, 1]) * (HEIGHT / 2) / FRAMES_PER_SECOND
    return x, y, vx, vy, float(s.angle[i, 0]), 20.0 * float(s.spin[i, 0]) / FRAMES_PER_SECOND


def worth(s, i):
    """Return how good it is to be where the lander is."""
    x, y, vx, vy, angle, _ = instruments(s, i)
    return (
        -100 * math.sqrt(x * x + y * y)
        - 100 * math.sqrt(vx * vx + vy * vy)
        - 100 * abs(angle)
        + (10.0 if s.touched[i, 1] else 0.0)
        + (10.0 if s.touched[i, 2] else 0.0)
    )


def gust(index):
    """Return a number between -1 and 1 that never repeats."""
    return math.tanh(sin(0.02 * index) + sin(pi * 0.01 * index))


def fly(s, i, p, rng, main, power, direction, force_x, force_y):
    """Begin a step of the world with the engines at work.

    Args:
        main, power: throttles of the main engine, and of the one at a side, from 0 to 1.
        direction: of the side engine: -1 for the left one, 1 for the right one.
        force_x, force_y: a push besides.
    """
    torque = ZERO
    if p.enable_wind and not (s.touched[i, 1] or s.touched[i, 2]):
        wake(s, i, LANDER)
        force_x += np.float32(gust(s.wind[i]) * p.wind_power)
        torque = np.float32(gust(s.turbulence[i]) * p.turbulence_power)
        s.wind[i] += 1
        s.turbulence[i] += 1
    angle = float(s.angle[i, 0])
    tip_x, tip_y = sin(angle), cos(angle)
    side_x, side_y = -tip_y, tip_x
    along = uniform(rng, i, -1.0, 1.0) / SCALE
    across = uniform(rng, i, -1.0, 1.0) / SCALE
    px, py = float(s.place[i, 0, 0]), float(s.place[i, 0, 1])
    if main > 0.0:
        back = MAIN_ENGINE_Y / SCALE + 2 * along
        x = tip_x * back + side_x * across
        y = -tip_y * back - side_y * across
        impulse_x, impulse_y = -x * MAIN_ENGINE_POWER * main, -y * MAIN_ENGINE_POWER * main
        push(s, i, LANDER, impulse_x, impulse_y, px + x, py + y)
    if power > 0.0:
        out = 3 * across + direction * SIDE_ENGINE_AWAY / SCALE
        x = tip_x * along + side_x * out
        y = -tip_y * along - side_y * out
        impulse_x, impulse_y = -x * SIDE_ENGINE_POWER * power, -y * SIDE_ENGINE_POWER * power
        # 17 is upstream's, where the engine's height seems to be meant.
        at_x, at_y = px + x - tip_x * 17 / SCALE, py + y + tip_y * SIDE_ENGINE_HEIGHT / SCALE
        push(s, i, LANDER, impulse_x, impulse_y, at_x, at_y)
    begin_step(s, i, np.float32(p.gravity), force_x, force_y, torque)
