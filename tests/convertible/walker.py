"""A walker on a grid: vectors of two, clipping, and a dict of moves."""

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete


class PuddleWalk(gym.Env):
    """Reach the flag. Puddles cost; a step against the fence leaves the walker where it is."""

    def __init__(self, size: int = 7, puddles: int = 4, slip: float = 0.1):
        assert size >= 3, "a field of less than 3 by 3 is no walk"
        self.size = size
        self.n_puddles = puddles
        self.slip = slip
        self.window = None
        self.clock = None

        self._walker = np.array([-1, -1], dtype=int)
        self._flag = np.array([-1, -1], dtype=int)
        self._wet = np.zeros((size, size), dtype=bool)

        self.action_space = Discrete(4)
        self.observation_space = Dict(
            {
                "walker": Box(0, size - 1, shape=(2,), dtype=int),
                "flag": Box(0, size - 1, shape=(2,), dtype=int),
                "wet": Box(0, 1, shape=(4,), dtype=np.int8),
            }
        )
        # east, north, west, south
        self._moves = {
            0: np.array([1, 0]),
            1: np.array([0, 1]),
            2: np.array([-1, 0]),
            3: np.array([0, -1]),
        }

    def _get_obs(self):
        around = np.zeros(4, dtype=np.int8)
        for k, move in self._moves.items():
            there = np.clip(self._walker + move, 0, self.size - 1)
            around[k] = self._wet[there[0], there[1]]
        return {"walker": self._walker.copy(), "flag": self._flag.copy(), "wet": around}

    def _get_info(self):
        return {"distance": np.linalg.norm(self._walker - self._flag, ord=1)}

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)

        self._walker = self.np_random.integers(0, self.size, size=2, dtype=int)
        self._flag = self._walker
        while np.array_equal(self._flag, self._walker):
            self._flag = self.np_random.integers(0, self.size, size=2, dtype=int)

        self._wet[:] = False
        for _ in range(self.n_puddles):
            x, y = self.np_random.integers(0, self.size, size=2)
            self._wet[x, y] = True
        return self._get_obs(), self._get_info()

    def step(self, action):
        if self.np_random.random() < self.slip:
            action = (action + self.np_random.choice([1, 3])) % 4
        direction = self._moves[int(action)]
        self._walker = np.clip(self._walker + direction, 0, self.size - 1)

        terminated = np.array_equal(self._walker, self._flag)
        if terminated:
            reward = 1.0
        elif self._wet[tuple(self._walker)]:
            reward = -0.5
        else:
            reward = -0.02
        return self._get_obs(), reward, terminated, False, self._get_info()

    def close(self):
        if self.window is not None:
            self.window.close()


class RefusedWind(PuddleWalk):
    """Refused: `wind` is a float here and an array there."""

    def reset(self, seed=None, options=None):
        self.wind = 0.0
        return super().reset(seed=seed, options=options)

    def step(self, action):
        obs, reward, terminated, truncated, info = super().step(action)
        if self.np_random.random() < 0.2:
            self.wind = self.np_random.normal(0.0, 1.0, size=2)
        reward -= float(np.sum(np.abs(self.wind)))
        return obs, reward, terminated, truncated, info
