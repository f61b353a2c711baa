"""Inventory: order several products, each of which arrives some days later, before customers ask
for them.

The demand of each day is the caller's. An episode begins on any day of the first half, and is
truncated on the last. What is asked for and not there is lost, and so is what the shop has no
room for. Actions: how many pieces of each product are ordered.
"""

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, MultiDiscrete

import batchsim
from batchsim.random import integers
from batchsim.ranges import require_between

ORDER = 20  # most pieces of a product in a day's order


class Arguments(NamedTuple):
    demand: np.ndarray = 4.0 + 3.0 * np.sin(np.arange(180).reshape(60, 3))  # (days, products)
    prices: np.ndarray = np.array([2.0, 5.0, 3.0])
    leads: np.ndarray = np.array([1, 2, 4])  # days from an order to its arrival, 1 or more


class Tables(NamedTuple):
    asked: np.ndarray
    price: np.ndarray
    lead: np.ndarray


class State(NamedTuple):
    day: int
    stock: batchsim.column(float, lambda p: p.price.shape)
    pipeline: batchsim.column(float, lambda p: (p.lead.max(), p.price.size))
    sold: batchsim.column(float, lambda p: p.price.shape)


class Params(NamedTuple):
    cost: float = 0.6  # of a piece, as a share of its price
    keeping: float = 0.02  # of a piece and day
    missing: float = 0.1  # of a piece that is asked for and not there
    room: float = 50.0  # for pieces of each product


def tables(p):
    found = Tables(np.array(p.demand, float), np.array(p.prices, float), np.array(p.leads))
    if found.asked.shape[1:] != found.price.shape or found.lead.shape != found.price.shape:
        raise ValueError(
            f"demand, prices and leads have the shapes {', '.join(str(t.shape) for t in found)}; "
            "expected (days, products), (products,) and (products,)."
        )
    if len(found.asked) < 2 or found.asked.min() < 0.0 or found.lead.min() < 1:
        raise ValueError("Expected two days or more, no negative demand, and leads of at least 1.")
    return found


def OBSERVATION(p):
    return Box(0.0, np.inf, (3 * len(p.price),), np.float32)


def ACTION(p):
    return MultiDiscrete([ORDER + 1] * len(p.price))


def reset(s, i, p, rng):
    s.day[i] = integers(rng, i, 0, len(p.asked) // 2)
    s.stock[i] = np.ceil(p.asked[s.day[i]])
    s.pipeline[i] = 0.0
    s.sold[i] = 0.0


def step(s, i, action, p, rng):
    days = np.arange(len(s.pipeline[i]))[:, None]
    s.pipeline[i] += np.where(days == p.lead - 1, action, 0)
    s.stock[i] = np.minimum(s.stock[i] + s.pipeline[i, 0], p.room)
    s.pipeline[i] = np.roll(s.pipeline[i], -1, axis=0)
    s.pipeline[i, -1] = 0.0

    asked = p.asked[s.day[i]]
    s.sold[i] = np.minimum(s.stock[i], asked)
    s.stock[i] -= s.sold[i]
    income = np.sum(p.price * s.sold[i])
    costs = p.cost * np.sum(p.price * action) + p.keeping * s.stock[i].sum()
    reward = income - costs - p.missing * np.sum(asked - s.sold[i])
    # Nobody can step from the last day, but a snapshot can be made to begin there.
    s.day[i] = min(s.day[i] + 1, len(p.asked) - 1)
    return reward, False, s.day[i] == len(p.asked) - 1


def observe(s, i, p, out):
    coming = s.pipeline[i].sum(axis=0)
    out[:] = np.concatenate([s.stock[i], coming, s.sold[i]])


def check_state(s, p):
    require_between("day", s.day, 0, len(p.asked) - 1)
