"""Two elevators with passengers in them: dataclasses, and lists of them."""

from dataclasses import dataclass, field
from typing import List

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, MultiDiscrete


@dataclass
class Passenger:
    origin: int
    target: int
    waited: int = 0


@dataclass
class Elevator:
    floor: int = 0
    direction: int = 0
    riders: List[Passenger] = field(default_factory=list)

    @property
    def full(self) -> bool:
        return len(self.riders) >= 4

    def move(self, top: int) -> None:
        self.floor += self.direction
        if self.floor < 0 or self.floor > top:
            self.floor = max(0, min(self.floor, top))
            self.direction = 0

    def unload(self) -> List[Passenger]:
        out = [p for p in self.riders if p.target == self.floor]
        self.riders = [p for p in self.riders if p.target != self.floor]
        return out


class ElevatorEnv(gym.Env):
    """Actions: for each of the two cabins down (0), stop (1) or up (2)."""

    def __init__(self, floors: int = 6, arrivals: float = 0.4, queue_limit: int = 10):
        self.floors = floors
        self.arrivals = arrivals
        self.queue_limit = queue_limit
        self.action_space = MultiDiscrete([3, 3])
        self.observation_space = Box(-1.0, 100.0, (floors + 6,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.cabins = [Elevator(floor=0), Elevator(floor=self.floors - 1)]
        self.waiting: List[Passenger] = []
        self.delivered = 0
        self.now = 0
        return self._observe(), {}

    def step(self, action):
        self.now += 1
        self._arrive()
        reward = 0.0
        for cabin, a in zip(self.cabins, action):
            cabin.direction = int(a) - 1
            if cabin.direction != 0:
                cabin.move(self.floors - 1)
            else:
                reward += self._stop(cabin)
        for p in self.waiting:
            p.waited += 1
        reward -= 0.05 * len(self.waiting)

        crowded = len(self.waiting) > self.queue_limit
        info = {
            "delivered": self.delivered,
            "longest": max((p.waited for p in self.waiting), default=0),
        }
        return self._observe(), reward, crowded, self.now >= 300, info

    def _stop(self, cabin):
        """Lets passengers out and in; what that earns."""
        earned = 0.0
        for p in cabin.unload():
            earned += 1.0 + 1.0 / (1 + p.waited)
            self.delivered += 1
        for p in list(self.waiting):
            if p.origin == cabin.floor and not cabin.full:
                self.waiting.remove(p)
                cabin.riders.append(p)
        return earned

    def _arrive(self):
        if self.np_random.random() < self.arrivals:
            a, b = self.np_random.choice(self.floors, size=2, replace=False)
            self.waiting.append(Passenger(int(a), int(b)))

    def _observe(self):
        calls = np.zeros(self.floors, dtype=np.float32)
        for p in self.waiting:
            calls[p.origin] += 1
        rest = []
        for cabin in self.cabins:
            rest += [cabin.floor, cabin.direction, len(cabin.riders)]
        return np.concatenate([calls, np.array(rest, dtype=np.float32)])


class RefusedExpress(ElevatorEnv):
    """Refused: the original hangs on a legal action; an express run by twos misses odd floors."""

    def _stop(self, cabin):
        if cabin.riders and cabin.floor % 2 == 0:
            target = cabin.riders[0].target
            while cabin.floor != target:
                cabin.floor = (cabin.floor + 2) % (2 * self.floors)
        return super()._stop(cabin)
