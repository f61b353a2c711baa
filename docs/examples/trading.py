"""Trading: hold one kind of share, or none of it, from day to day, over prices that a caller gives.

Actions: 0 keeps the wealth in cash, 1 in shares; a change costs a fee. An episode begins on any
day that has enough days before it. It is terminated by ruin, and truncated on the last day.
"""

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

from batchsim.random import integers
from batchsim.ranges import require_between

WINDOW = 8  # days whose changes of the price are observed
OBSERVATION = Box(-1.0, np.inf, (WINDOW + 1,), np.float32)
ACTION = Discrete(2)


class State(NamedTuple):
    day: int
    invested: int
    wealth: float


class Params(NamedTuple):
    fee: float = 0.001  # share of the wealth
    ruin: float = 0.9


class Arguments(NamedTuple):
    prices: np.ndarray = 100.0 + 20.0 * np.sin(np.arange(250) / 9.0)  # one a day


class Tables(NamedTuple):
    price: np.ndarray
    change: np.ndarray  # of each day's price, as a share of the day's before


def tables(arguments):
    prices = np.asarray(arguments.prices, np.float64)
    if prices.ndim != 1 or len(prices) < WINDOW + 2 or not (prices > 0.0).all():
        raise ValueError(f"prices are {prices}; expected at least {WINDOW + 2} positive numbers.")
    change = np.append(0.0, prices[1:] / prices[:-1] - 1.0)
    return Tables(prices, change.astype(np.float32))


def reset(s, i, p, rng):
    s.day[i] = integers(rng, i, WINDOW, p.price.shape[0] - 1)
    s.invested[i], s.wealth[i] = 0, 1.0


def step(s, i, action, p, rng):
    last = p.price.shape[0] - 1
    before = s.wealth[i]
    if action != s.invested[i]:
        s.invested[i] = action
        s.wealth[i] *= 1.0 - p.fee
    # Nobody can step from the last day, but a snapshot can be made to begin there.
    s.day[i] = min(s.day[i] + 1, last)
    if action == 1:
        s.wealth[i] *= p.price[s.day[i]] / p.price[s.day[i] - 1]
    return s.wealth[i] - before, s.wealth[i] < p.ruin, s.day[i] == last


def observe(s, i, p, out):
    for k in range(WINDOW):
        out[k] = p.change[s.day[i] - k]
    out[WINDOW] = s.invested[i]


def check_state(s, p):
    require_between("day", s.day, WINDOW, p.price.size - 1)
