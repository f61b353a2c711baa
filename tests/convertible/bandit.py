"""A bandit whose arms wander: it draws from the streams that np.random and random hold globally."""

import random

import gymnasium as gym
import numpy as np


class RestlessBandit(gym.Env):
    """
    Pull one of a few levers. Their pay wanders a bit with every pull, now and then a lever
    breaks and is replaced by a new one.

    NOTE: seed it with np.random.seed() and random.seed()
    """

    def __init__(self, arms=5, wander=0.05, break_chance=0.02, pulls=200):
        self.arms = arms
        self.wander = wander
        self.break_chance = break_chance
        self.pulls = pulls
        self.action_space = gym.spaces.Discrete(arms)
        self.observation_space = gym.spaces.Box(
            -np.inf, np.inf, shape=(arms + 1,), dtype=np.float64
        )
        self.means = None
        self.estimates = None
        self.counts = None

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.means = np.random.randn(self.arms)
        self.estimates = np.zeros(self.arms)
        self.counts = np.zeros(self.arms, dtype=int)
        self.n = 0
        self.broken = 0
        return self.get_state(), {}

    def get_state(self):
        return np.append(self.estimates, self.n / self.pulls)

    def step(self, a):
        self._drift()
        if random.random() < self.break_chance:
            k = random.randint(0, self.arms - 1)
            self.means[k] = np.random.normal(0.0, 1.0)
            self.broken += 1

        pay = np.random.normal(self.means[a], 0.5)
        self.counts[a] += 1
        # running average
        self.estimates[a] += (pay - self.estimates[a]) / self.counts[a]
        self.n += 1

        best = self.means.max()
        info = {"regret": best - self.means[a], "broken": self.broken}
        done = self.n >= self.pulls
        return self.get_state(), pay, False, done, info

    def _drift(self):
        self.means += np.random.uniform(-self.wander, self.wander, size=self.arms)


class RefusedVonMises(RestlessBandit):
    """Refused: a draw from `np.random` that no stream of batchsim has, `vonmises`."""

    def _drift(self):
        self.means += self.wander * np.random.vonmises(0.0, 4.0, size=self.arms)
