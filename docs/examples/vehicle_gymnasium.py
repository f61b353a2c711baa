"""Vehicle as a gymnasium.Env: what `vehicle.py` must equal bit for bit."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box


class VehicleEnv(gymnasium.Env):
    """A vehicle in the plane that is pushed to a place and has to be slow there."""

    def __init__(self, power=2.0, drag=0.3, top_speed=1.5, dt=0.05):
        self.power = power
        self.drag = drag
        self.top_speed = top_speed
        self.dt = dt
        self.action_space = Box(-1.0, 1.0, (2,), np.float32)
        self.observation_space = Box(-np.inf, np.inf, (6,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.position = self.np_random.uniform(-1, 1, 2)
        self.target = self.np_random.uniform(-1, 1, 2)
        self.velocity = np.zeros(2)
        return self.observe(), {}

    def step(self, action):
        force = np.clip(action, -1.0, 1.0).astype(np.float64)
        self.velocity += self.dt * (self.power * force - self.drag * self.velocity)
        speed = np.linalg.norm(self.velocity)
        if speed > self.top_speed:
            self.velocity *= self.top_speed / speed
        self.position += self.dt * self.velocity
        outside = np.abs(self.position) > 2.0
        self.velocity[outside] = 0.0
        self.position = np.clip(self.position, -2.0, 2.0)
        distance = np.linalg.norm(self.target - self.position)
        reward = -distance - 0.01 * np.sum(force**2)
        arrived = distance < 0.1 and np.linalg.norm(self.velocity) < 0.2
        return self.observe(), float(reward), bool(arrived), False, {}

    def observe(self):
        offset = self.target - self.position
        return np.concatenate([self.position, self.velocity, offset]).astype(np.float32)
