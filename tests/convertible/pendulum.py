"""A pendulum on a motor: floating-point state, powers, and parameters derived from others."""

import hashlib
from math import cos, pi, sin

import gymnasium as gym
import numpy as np
from gymnasium import spaces


class MotorPendulum(gym.Env):
    """Swing the rod up and hold it, with a motor that is too weak to do it at once.

    Observation: cosine and sine of the angle (0 is up), angular velocity, time that is left.
    Action: the motor's voltage, from -1 to 1.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 20}

    def __init__(
        self, mass=0.8, length=1.2, friction=0.05, gear=4.0, seconds=8.0, render_mode=None
    ):
        self.mass = mass
        self.length = length
        self.friction = friction
        self.gear = gear
        self.gravity = 9.81
        self.dt = 0.05

        # a thin rod that turns about its end
        self.inertia = self.mass * self.length**2 / 3
        self.weight = 0.5 * self.mass * self.gravity * self.length
        self.max_speed = 12.0
        self.horizon = int(seconds / self.dt)

        self.name = "motor pendulum"  # nobody reads it
        self.render_mode = render_mode

        high = np.array([1.0, 1.0, self.max_speed, 1.0], dtype=np.float32)
        self.observation_space = spaces.Box(-high, high, dtype=np.float32)
        self.action_space = spaces.Box(-1.0, 1.0, shape=(1,), dtype=np.float32)

        self.theta = None
        self.omega = None
        self.t = 0

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        spread = 0.3
        if options is not None:
            spread = options.get("spread", spread)
        self.theta = pi + self.np_random.uniform(-spread, spread)
        self.omega = self.np_random.uniform(-0.5, 0.5)
        self.t = 0
        return self._obs(), {"energy": self._energy()}

    def step(self, action):
        u = float(np.clip(action[0], -1.0, 1.0))
        torque = self.gear * u + self._disturbance()

        acc = (self.weight * sin(self.theta) + torque - self.friction * self.omega) / self.inertia
        self.omega += acc * self.dt
        self.omega = max(-self.max_speed, min(self.omega, self.max_speed))
        self.theta += self.omega * self.dt
        self.t += 1

        angle = ((self.theta + pi) % (2 * pi)) - pi
        reward = -(angle**2 + 0.1 * self.omega**2 + 0.01 * u**2)
        fell_apart = abs(self.theta - pi) > 4 * pi
        return self._obs(), reward, fell_apart, self.t >= self.horizon, {"energy": self._energy()}

    def _disturbance(self):
        return 0.0

    def _energy(self):
        return 0.5 * self.inertia * self.omega**2 + self.weight * cos(self.theta)

    def _obs(self):
        left = 1.0 - self.t / self.horizon
        return np.array([cos(self.theta), sin(self.theta), self.omega, left], dtype=np.float32)

    def render(self):
        if self.render_mode == "ansi":
            column = int(20 + 20 * sin(self.theta))
            return " " * column + "o"


class RefusedGusts(MotorPendulum):
    """Refused: a foreign call in `step`, `hashlib.sha256`."""

    def _disturbance(self):
        digest = hashlib.sha256(str(self.t).encode()).digest()
        return 0.5 * (digest[0] / 255.0 - 0.5)
