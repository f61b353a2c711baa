"""Trading as an ordinary Gymnasium environment: one object an account."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

WINDOW = 8  # days whose changes of the price are observed


class TradingEnv(gymnasium.Env):
    """The wealth is in cash (0) or in shares (1), whose price changes from day to day.

    An episode begins on any day that has enough days before it. It is terminated by ruin, and
    truncated on the last day.
    """

    def __init__(self, prices, fee=0.001, ruin=0.9):
        self.observation_space = Box(-1.0, np.inf, (WINDOW + 1,), np.float32)
        self.action_space = Discrete(2)
        self.prices = np.array(prices, np.float64)
        self.fee = fee
        self.ruin = ruin

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.day = self.np_random.integers(WINDOW, len(self.prices) - 1)
        self.invested = 0
        self.wealth = 1.0
        return self.observation(), {}

    def step(self, action):
        before = self.wealth
        if action != self.invested:
            self.invested = action
            self.wealth *= 1.0 - self.fee
        self.day += 1
        if action == 1:
            self.wealth *= self.prices[self.day] / self.prices[self.day - 1]
        terminated = self.wealth < self.ruin
        truncated = self.day == len(self.prices) - 1
        return self.observation(), self.wealth - before, terminated, truncated, {}

    def observation(self):
        newest_first = self.prices[self.day - WINDOW : self.day + 1][::-1]
        changes = newest_first[:-1] / newest_first[1:] - 1.0
        return np.append(changes, self.invested).astype(np.float32)
