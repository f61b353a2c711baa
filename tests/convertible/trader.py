"""A trader over a data frame: rows of prices, a position that is an Enum, a log nobody reads."""

from enum import Enum

import gymnasium as gym
import numpy as np
import pandas as pd
from gymnasium import spaces


class Actions(Enum):
    HOLD = 0
    BUY = 1
    SELL = 2


class Position(Enum):
    SHORT = -1
    FLAT = 0
    LONG = 1

    def sign(self):
        return self.value


def made_up_prices(rows=300, seed=11):
    """A frame of closing prices and volumes, always the same."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, rows)))
    return pd.DataFrame({"close": close, "volume": rng.integers(100, 1000, rows)})


class TraderEnv(gym.Env):
    def __init__(self, df=None, window_size=8, commission=0.001, max_loss=0.2):
        self.df = made_up_prices() if df is None else df
        assert {"close", "volume"} <= set(self.df.columns)
        self.window_size = window_size
        self.commission = commission
        self.max_loss = max_loss

        self.prices = self.df["close"].to_numpy()
        volume = self.df["volume"]
        relative = (volume - volume.mean()) / volume.std()
        change = self.df["close"].pct_change().fillna(0.0)
        self.features = np.column_stack([change, relative]).astype(np.float32)

        self.action_space = spaces.Discrete(len(Actions))
        self.observation_space = spaces.Dict(
            {
                "window": spaces.Box(-np.inf, np.inf, (window_size, 2), np.float32),
                "position": spaces.Box(-1, 1, (1,), np.int8),
            }
        )
        self.history = {}

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        last_start = len(self.prices) - 100
        self._tick = int(self.np_random.integers(self.window_size, last_start))
        self._position = Position.FLAT
        self._entry = None
        self._wealth = 1.0
        self.history = {"wealth": [], "position": []}
        return self._get_observation(), self._get_info()

    def step(self, action):
        trade = Actions(int(action))
        old = self._position
        if trade == Actions.BUY and old is not Position.LONG:
            self._position = Position(old.value + 1)
        elif trade is Actions.SELL and old != Position.SHORT:
            self._position = Position(old.value - 1)
        if self._position != old:
            self._wealth *= 1 - self.commission
            self._entry = self._price()

        before = self._price()
        self._tick += 1
        profit = self._position.sign() * (self._price() / before - 1)
        self._wealth *= 1 + profit
        self._update_history()

        ruined = self._wealth < 1 - self.max_loss
        at_end = self._tick >= len(self.prices) - 1
        return self._get_observation(), float(profit), bool(ruined), at_end, self._get_info()

    def _price(self):
        return self.prices[self._tick]

    def _update_history(self):
        self.history["wealth"].append(self._wealth)
        self.history["position"].append(self._position.name)

    def _get_observation(self):
        window = self.features[self._tick - self.window_size + 1 : self._tick + 1].copy()
        return {"window": window, "position": np.array([self._position.value], dtype=np.int8)}

    def _get_info(self):
        gain = 0.0 if self._entry is None else self._price() / self._entry - 1
        return {"wealth": self._wealth, "gain": gain, "position": self._position.name}


class RefusedAverage(TraderEnv):
    """Refused: a foreign call in `step`, of pandas: `DataFrame.ewm`."""

    def _price(self):
        return float(self.df["close"].iloc[: self._tick + 1].ewm(span=5).mean().iloc[-1])
