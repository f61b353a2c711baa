"""The vehicle of docs/examples as scalars: what its small arrays are measured against.

The columns are the same, and so are the numbers; bits differ where a sum of squares is fused.
"""

import math
from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box

import batchsim
from batchsim.random import uniform

ACTION = Box(-1.0, 1.0, (2,), np.float32)
OBSERVATION = Box(-np.inf, np.inf, (6,), np.float32)


class State(NamedTuple):
    position: batchsim.column(float, 2)
    velocity: batchsim.column(float, 2)
    target: batchsim.column(float, 2)


class Params(NamedTuple):
    power: float = 2.0
    drag: float = 0.3
    top_speed: float = 1.5
    dt: float = 0.05


def reset(s, i, p, rng):
    s.position[i, 0] = uniform(rng, i, -1, 1)
    s.position[i, 1] = uniform(rng, i, -1, 1)
    s.target[i, 0] = uniform(rng, i, -1, 1)
    s.target[i, 1] = uniform(rng, i, -1, 1)
    s.velocity[i, 0] = 0.0
    s.velocity[i, 1] = 0.0


def step(s, i, action, p, rng):
    fx = float(min(max(action[0], -1.0), 1.0))
    fy = float(min(max(action[1], -1.0), 1.0))
    vx = s.velocity[i, 0] + p.dt * (p.power * fx - p.drag * s.velocity[i, 0])
    vy = s.velocity[i, 1] + p.dt * (p.power * fy - p.drag * s.velocity[i, 1])
    speed = math.sqrt(vx * vx + vy * vy)
    if speed > p.top_speed:
        vx = vx * (p.top_speed / speed)
        vy = vy * (p.top_speed / speed)
    x = s.position[i, 0] + p.dt * vx
    y = s.position[i, 1] + p.dt * vy
    if abs(x) > 2.0:
        vx = 0.0
    if abs(y) > 2.0:
        vy = 0.0
    x = min(max(x, -2.0), 2.0)
    y = min(max(y, -2.0), 2.0)
    s.position[i, 0] = x
    s.position[i, 1] = y
    s.velocity[i, 0] = vx
    s.velocity[i, 1] = vy
    dx = s.target[i, 0] - x
    dy = s.target[i, 1] - y
    distance = math.sqrt(dx * dx + dy * dy)
    reward = -distance - 0.01 * (fx * fx + fy * fy)
    return reward, distance < 0.1 and math.sqrt(vx * vx + vy * vy) < 0.2


def observe(s, i, p, out):
    out[0] = s.position[i, 0]
    out[1] = s.position[i, 1]
    out[2] = s.velocity[i, 0]
    out[3] = s.velocity[i, 1]
    out[4] = s.target[i, 0] - s.position[i, 0]
    out[5] = s.target[i, 1] - s.position[i, 1]
