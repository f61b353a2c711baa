# -*- coding: utf-8 -*-
"""A greenhouse of twelve beds, written for the API of old: step returns four values."""

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding

N_BEDS = 12
DRY, WET = 0.15, 0.95


class GreenhouseEnv(gym.Env):
    """Water one bed a day, or none. What grows is sold; beds that dry out or rot are lost."""

    def __init__(self, evaporation=0.06, can=0.35, season=90):
        self.evaporation = evaporation
        self.can = can
        self.season = season
        # 0..11: a bed to water, 12: a day off
        self.action_space = spaces.Discrete(N_BEDS + 1)
        self.observation_space = spaces.Box(0.0, 1.0, shape=(2 * N_BEDS,), dtype=np.float32)
        self.price = 1.5
        self.seed()
        self.viewer = None
        self.state = None

    def seed(self, seed=None):
        self.np_random, seed = seeding.np_random(seed)
        return [seed]

    def _watered(self, action):
        return self.water[action] if action < N_BEDS else 0.0

    def step(self, action):
        assert self.action_space.contains(action), "%r (%s) invalid" % (action, type(action))
        sun = self.np_random.uniform(0.5, 1.5)
        before = self._watered(action)
        if action < N_BEDS:
            self.water[action] = min(1.0, before + self.can)
        self.water = np.maximum(self.water - self.evaporation * sun, 0.0)

        fine = (self.water > DRY) & (self.water < WET) & self.alive
        growth = np.where(fine, 0.02 * sun * self.water, 0.0)
        self.size = np.minimum(self.size + growth, 1.0)
        self.alive = self.alive & (self.water > 0.0)
        self.day = self.day + 1

        reward = self.price * growth.sum() - 0.001 * np.sum(self.water)
        done = bool(self.day >= self.season or not self.alive.any())
        if done:
            reward += np.mean(self.size)
        return self._get_obs(), reward, done, {"alive": self.alive.sum()}

    def reset(self):
        self.water = self.np_random.uniform(0.4, 0.8, size=N_BEDS)
        self.size = np.zeros(N_BEDS)
        self.alive = np.ones(N_BEDS, dtype=bool)
        self.day = 0
        return self._get_obs()

    def _get_obs(self):
        return np.concatenate([self.water, self.size]).astype(np.float32)

    def render(self, mode="human"):
        bars = ["%4.2f" % w if a else "dead" for w, a in zip(self.water, self.alive)]
        print("day %d: " % self.day + " ".join(bars))

    def close(self):
        if self.viewer:
            self.viewer.close()
            self.viewer = None


class RefusedDayOff(GreenhouseEnv):
    """Refused: the original raises on a legal action; there is no bed for the day off."""

    def _watered(self, action):
        return self.water[action]
