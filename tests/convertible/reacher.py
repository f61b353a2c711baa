"""An arm of two links that reaches for a point: norms, angles, exponentials, some float32."""

import gymnasium as gym
import numpy as np
from gymnasium import spaces


class Reacher2(gym.Env):
    """Turn two joints so that the hand comes close to the goal and rests there."""

    def __init__(self, links=(1.0, 0.8), tolerance=0.08, damping=0.15, sharpness=4.0):
        super(Reacher2, self).__init__()
        self.links = np.array(links, dtype=np.float64)
        self.reach = self.links.sum()
        self.tolerance = np.float32(tolerance)
        self.damping = damping
        self.sharpness = sharpness
        self.dt = np.float32(0.04)
        self.max_steps = 250
        self.action_space = spaces.Box(low=-1, high=1, shape=(2,), dtype=np.float32)
        self.observation_space = spaces.Box(low=-np.inf, high=np.inf, shape=(9,), dtype=np.float32)

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.q = self.np_random.uniform(-np.pi, np.pi, size=2)
        self.dq = np.zeros(2, dtype=np.float32)
        self.hand = self._forward()
        self._pick_goal()
        self.step_count = 0
        self.held = 0
        return self._get_obs(), {"distance": self._distance()}

    def _pick_goal(self):
        radius = self.reach * np.sqrt(self.np_random.uniform(0.05, 0.9))
        phi = self.np_random.uniform(0, 2 * np.pi)
        self.goal = np.array([radius * np.cos(phi), radius * np.sin(phi)])

    def _forward(self):
        a, b = self.q[0], self.q[0] + self.q[1]
        x = self.links[0] * np.cos(a) + self.links[1] * np.cos(b)
        y = self.links[0] * np.sin(a) + self.links[1] * np.sin(b)
        return np.array([x, y])

    def _distance(self):
        return np.linalg.norm(self.hand - self.goal)

    def _swing(self):
        """Where the hand is now; and how far it went."""
        before = self.hand
        self.hand = self._forward()
        return np.linalg.norm(self.hand - before)

    def step(self, action):
        action = np.clip(action, self.action_space.low, self.action_space.high)
        self.dq += self.dt * (8.0 * action - self.damping * self.dq)
        self.q = self.q + self.dq * self.dt
        self.q = (self.q + np.pi) % (2 * np.pi) - np.pi
        moved = self._swing()

        d = self._distance()
        offset = self.goal - self.hand
        bearing = np.arctan2(offset[1], offset[0])
        reward = np.exp(-self.sharpness * d) - 0.05 * np.sum(np.square(action)) - 0.02 * moved
        if d < self.tolerance:
            self.held += 1
            reward += 0.5
        else:
            self.held = 0
        self.step_count += 1

        terminated = self.held >= 10
        truncated = self.step_count >= self.max_steps
        info = {"distance": d, "bearing": bearing, "is_success": terminated}
        return self._get_obs(), float(reward), terminated, truncated, info

    def _get_obs(self):
        parts = [np.cos(self.q), np.sin(self.q), self.dq, self.goal - self.hand]
        return np.hstack(parts + [self._distance()]).astype(np.float32)


class RefusedShadow(Reacher2):
    """Refused: `hand` and `shadow` share one array, and a line of `_swing` writes it."""

    def reset(self, seed=None, options=None):
        obs, info = super().reset(seed=seed, options=options)
        self.shadow = self.hand
        return obs, info

    def _swing(self):
        self.hand += 0.5 * (self._forward() - self.hand)
        return np.linalg.norm(self.hand - self.shadow)
