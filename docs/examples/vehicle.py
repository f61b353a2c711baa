"""Vehicle: a force of two components pushes it to a place, where it has to be slow."""

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
    s.position[i] = [uniform(rng, i, -1, 1), uniform(rng, i, -1, 1)]
    s.target[i] = [uniform(rng, i, -1, 1), uniform(rng, i, -1, 1)]
    s.velocity[i] = np.zeros(2)


def step(s, i, action, p, rng):
    force = np.clip(action, -1.0, 1.0).astype(np.float64)
    s.velocity[i] += p.dt * (p.power * force - p.drag * s.velocity[i])
    speed = np.linalg.norm(s.velocity[i])
    if speed > p.top_speed:
        s.velocity[i] *= p.top_speed / speed
    s.position[i] += p.dt * s.velocity[i]
    outside = np.abs(s.position[i]) > 2.0
    s.velocity[i][outside] = 0.0
    s.position[i] = np.clip(s.position[i], -2.0, 2.0)
    distance = np.linalg.norm(s.target[i] - s.position[i])
    reward = -distance - 0.01 * np.sum(force**2)
    arrived = distance < 0.1 and np.linalg.norm(s.velocity[i]) < 0.2
    return reward, arrived


def observe(s, i, p, out):
    offset = s.target[i] - s.position[i]
    out[:] = np.concatenate([s.position[i], s.velocity[i], offset])
