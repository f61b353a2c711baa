"""Pursuit with a Kalman filter: catch a target that moves, by noisy measurements of its place.

A controller flies to where a filter of eight states believes the target to be, and the actions
correct it. The observation is the estimate, seen from the pursuer, and how sure it is.
"""

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box

import batchsim
from batchsim.random import standard_normal

DT = 0.1
# How a state becomes the next: position, velocity, acceleration and jerk, which fades.
F = np.eye(8) + DT * np.eye(8, k=2) + DT**2 / 2 * np.eye(8, k=4) + DT**3 / 6 * np.eye(8, k=6)
F[6:, 6:] *= 0.8
H = np.eye(2, 8)  # the position is measured
DRIFT = np.array([0.0, 0.0, 0.0, 0.0, 0.1, 0.1, 0.5, 0.5])  # what a step adds at random
NOISE = np.array([0.2, 0.2])  # of a measurement
Q = np.diag(DRIFT**2)
R = np.diag(NOISE**2)
P0 = np.diag([1.0, 1.0, 0.25, 0.25, 0.25, 0.25, 1.0, 1.0])
ACTION = Box(-1.0, 1.0, (2,), np.float32)
OBSERVATION = Box(-np.inf, np.inf, (16,), np.float32)


class State(NamedTuple):
    position: batchsim.column(float, 2)
    velocity: batchsim.column(float, 2)
    target: batchsim.column(float, 8)
    x: batchsim.column(float, 8)  # what the filter believes the target to be
    P: batchsim.column(float, (8, 8))  # its covariance


class Params(NamedTuple):
    gain: float = 2.0
    damping: float = 2.5
    power: float = 1.0
    radius: float = 0.3


def reset(s, i, p, rng):
    s.position[i], s.velocity[i] = np.zeros(2), np.zeros(2)
    s.target[i] = noise(rng, i, np.sqrt(np.diag(P0)))
    s.target[i, :2] += [3.0, 0.0]
    s.x[i] = [3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    s.P[i] = P0


def step(s, i, action, p, rng):
    s.target[i] = F @ s.target[i] + noise(rng, i, DRIFT)
    predict(s, i)
    update(s, i, H @ s.target[i] + noise(rng, i, NOISE))

    pull = p.gain * (s.x[i, 0:2] - s.position[i])
    brake = p.damping * (s.x[i, 2:4] - s.velocity[i])
    command = pull + brake + s.x[i, 4:6] + p.power * action.astype(np.float64)
    s.velocity[i] += DT * np.clip(command, -4.0, 4.0)
    s.position[i] += DT * s.velocity[i]

    distance = np.linalg.norm(s.target[i, :2] - s.position[i])
    caught = distance < p.radius
    reward = 10.0 if caught else -0.1 * distance
    return reward, caught or distance > 20.0


def noise(rng, i, scale):
    draws = np.zeros(len(scale))
    for k in range(len(scale)):
        draws[k] = scale[k] * standard_normal(rng, i)
    return draws


def predict(s, i):
    s.x[i] = F @ s.x[i]
    s.P[i] = F @ s.P[i] @ F.T + Q


def update(s, i, z):
    S = H @ s.P[i] @ H.T + R
    K = s.P[i] @ H.T @ np.linalg.inv(S)
    s.x[i] += K @ (z - H @ s.x[i])
    s.P[i] -= K @ S @ K.T


def observe(s, i, p, out):
    seen = s.x[i].copy()
    seen[0:2] -= s.position[i]
    seen[2:4] -= s.velocity[i]
    out[:] = np.concatenate([seen, np.sqrt(np.diag(s.P[i]))])
