"""A courier between three towns on a line: a target that is None between two orders."""

from __future__ import annotations

from typing import Any, Optional

import gymnasium
import numpy as np
from gymnasium import spaces

NOBODY = -1


class CourierEnv(gymnasium.Env[np.ndarray, int]):
    """Drive left or right, pick parcels up where they wait, and bring them where they belong.

    After a delivery nothing is to be done until the next order comes in, by chance.
    """

    LEFT, STAY, RIGHT = range(3)

    def __init__(self, road_length: int = 12, order_rate: float = 0.3, fuel: int = 80) -> None:
        super().__init__()
        self.road_length = road_length
        self.order_rate = order_rate
        self.tank_size = fuel
        self.action_space = spaces.Discrete(3)
        self.observation_space = spaces.Box(
            low=NOBODY, high=max(road_length, fuel), shape=(5,), dtype=np.int32
        )
        self.place: int = 0
        self.fuel: int = 0
        self.pickup: Optional[int] = None
        self.target: Optional[int] = None
        self.loaded_at: int | None = None
        self.clock: int = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.place = self.road_length // 2
        self.fuel = self.tank_size
        self.pickup, self.target, self.loaded_at = None, None, None
        self.clock = 0
        return self._observation(), self._info()

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.clock += 1
        reward = 0.0
        if action != self.STAY:
            self.place += 1 if action == self.RIGHT else -1
            self.place = min(max(self.place, 0), self.road_length - 1)
            self.fuel -= 1

        if self.pickup is not None and self.place == self.pickup:
            self.pickup = None
            self.loaded_at = self.clock
        elif self.loaded_at is not None and self.place == self.target:
            reward += 10.0 - 0.1 * (self.clock - self.loaded_at)
            self.target = None
            self.loaded_at = None
        elif self.target is None:
            self._maybe_order()

        dry = self.fuel <= 0
        if dry:
            reward -= 5.0
        return self._observation(), reward, dry, self.clock >= 400, self._info()

    def _maybe_order(self) -> None:
        """A new order, of two places that differ."""
        if self.np_random.random() >= self.order_rate:
            return
        self.pickup = int(self.np_random.integers(self.road_length))
        target = self.pickup
        while target == self.pickup:
            target = int(self.np_random.integers(self.road_length))
        self.target = target

    def _observation(self) -> np.ndarray:
        pickup = NOBODY if self.pickup is None else self.pickup
        target = self.target if self.target is not None else NOBODY
        loaded = int(self.loaded_at is not None)
        return np.array([self.place, self.fuel, pickup, target, loaded], dtype=np.int32)

    def _info(self) -> dict[str, Any]:
        return {"status": f"at {self.place}, bound for {self.target}", "fuel": self.fuel}


class RefusedToll(CourierEnv):
    """Refused: the line that gives `toll` a value never ran, its type is guessed."""

    def __init__(self, tariff: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tariff = tariff
        self.toll = None

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        if self.clock > 100_000:  # no tank lasts so long
            self.toll = self.tariff.at(self.place)
        obs, reward, terminated, truncated, info = super().step(action)
        if self.toll is not None:
            reward -= self.toll
        return obs, reward, terminated, truncated, info
