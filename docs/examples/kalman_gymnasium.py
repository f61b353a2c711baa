"""Pursuit with a Kalman filter as an ordinary Gymnasium environment: one object a chase."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box

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


class KalmanEnv(gymnasium.Env):
    """Catch a target that moves, by noisy measurements of its place.

    A controller flies to where a filter of eight states believes the target to be, and the actions
    correct it. The observation is the estimate, seen from the pursuer, and how sure it is.
    """

    def __init__(self, gain=2.0, damping=2.5, power=1.0, radius=0.3):
        self.gain = gain
        self.damping = damping
        self.power = power
        self.radius = radius
        self.action_space = Box(-1.0, 1.0, (2,), np.float32)
        self.observation_space = Box(-np.inf, np.inf, (16,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.position, self.velocity = np.zeros(2), np.zeros(2)
        self.target = np.sqrt(np.diag(P0)) * self.np_random.standard_normal(8)
        self.target[:2] += [3.0, 0.0]
        self.x = np.array([3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
        self.P = P0.copy()
        return self.observation(), {}

    def step(self, action):
        self.target = F @ self.target + DRIFT * self.np_random.standard_normal(8)
        self.predict()
        self.update(H @ self.target + NOISE * self.np_random.standard_normal(2))

        pull = self.gain * (self.x[0:2] - self.position)
        brake = self.damping * (self.x[2:4] - self.velocity)
        command = pull + brake + self.x[4:6] + self.power * action.astype(np.float64)
        self.velocity += DT * np.clip(command, -4.0, 4.0)
        self.position += DT * self.velocity

        distance = np.linalg.norm(self.target[:2] - self.position)
        caught = distance < self.radius
        reward = 10.0 if caught else -0.1 * distance
        return self.observation(), float(reward), bool(caught or distance > 20.0), False, {}

    def predict(self):
        self.x = F @ self.x
        self.P = F @ self.P @ F.T + Q

    def update(self, z):
        S = H @ self.P @ H.T + R
        K = self.P @ H.T @ np.linalg.inv(S)
        self.x += K @ (z - H @ self.x)
        self.P -= K @ S @ K.T

    def observation(self):
        seen = self.x.copy()
        seen[0:2] -= self.position
        seen[2:4] -= self.velocity
        return np.concatenate([seen, np.sqrt(np.diag(self.P))]).astype(np.float32)
