"""Hurdles that get harder: a level that lasts over resets, a base class, properties, a mode."""

from __future__ import annotations

from abc import abstractmethod

import gymnasium as gym
import numpy as np

MODES = ("gentle", "steady", "wild")


class Course(gym.Env):
    """What runs on a straight course have in common."""

    length: float = 12.0

    def __init__(self, mode: str = "steady", promote_after: int = 2, top_level: int = 6):
        if mode not in MODES:
            raise ValueError(f"mode is {mode!r}; expected one of {', '.join(MODES)}")
        self.mode = mode
        self.promote_after = promote_after
        self.top_level = top_level
        self.level = 1
        self.successes = 0
        self.action_space = gym.spaces.Discrete(3)
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (4,), np.float32)

    @property
    def spacing(self) -> float:
        """Metres between two hurdles: fewer on higher levels."""
        return max(2.0, 6.0 - 0.5 * self.level)

    @property
    def finished(self) -> bool:
        return self.x >= self.length

    @abstractmethod
    def accelerate(self, action: int) -> float: ...

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if self.successes >= self.promote_after:
            self._promote()
        self.x = 0.0
        self.v = 1.0
        self.ticks = 0
        self.hurdle = self._next_hurdle(self.spacing)
        return self._state(), {"level": self.level}

    def step(self, action):
        self.ticks += 1
        self.v = min(max(self.v + self.accelerate(int(action)), 0.2), 3.0)
        jumped = action == 2
        self.x += 0.25 * self.v

        reward, fallen = -0.01, False
        if self.x >= self.hurdle and not self.finished:
            clears = jumped and self.v > 0.5 + 0.1 * self.level
            fallen = not clears
            reward = -1.0 if fallen else 0.2 * self.level
            self.hurdle = self._next_hurdle(self.hurdle + self.spacing)
        if self.finished:
            self.successes += 1
            reward += 5.0
        over = self.finished or fallen
        return self._state(), reward, over, self.ticks >= 200, {"level": self.level}

    def _promote(self):
        self.level = min(self.level + 1, self.top_level)
        self.successes = 0

    def _next_hurdle(self, about: float) -> float:
        if self.mode == "gentle":
            return about
        spread = 0.5 if self.mode == "steady" else 1.5
        return about + self.np_random.uniform(-spread, spread)

    def _state(self):
        ahead = self.hurdle - self.x
        return np.array([self.x, self.v, ahead, self.level], dtype=np.float32)


class Hurdles(Course):
    """A runner who brakes (0), keeps the pace (1), or jumps (2), which costs speed."""

    def __init__(self, mode: str = "steady", power: float = 0.3, **kwargs):
        super().__init__(mode, **kwargs)
        self.power = power

    def accelerate(self, action: int) -> float:
        if action == 0:
            return -0.5 * self.power
        tired = 0.001 * self.ticks
        return self.power * (1.0 - tired) if action == 1 else -0.1


class RefusedLeague(Hurdles):
    """Refused: state that survives `reset` in the class, where all environments share it."""

    league_level = 1

    def _promote(self):
        RefusedLeague.league_level += 1
        self.level = min(RefusedLeague.league_level, self.top_level)
        self.successes = 0
