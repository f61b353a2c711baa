"""An inventory as an ordinary Gymnasium environment: one object a shop."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, MultiDiscrete

ORDER = 20  # most pieces of a product in a day's order


class InventoryEnv(gymnasium.Env):
    """Order several products, each of which arrives some days later, before customers ask for them.

    The demand of each day is the caller's. An episode begins on any day of the first half, and is
    truncated on the last. What is asked for and not there is lost, and so is what the shop has
    no room for.
    """

    def __init__(self, demand, prices, leads, cost=0.6, keeping=0.02, missing=0.1, room=50.0):
        self.asked = np.array(demand, np.float64)  # (days, products)
        self.price = np.array(prices, np.float64)
        self.lead = np.array(leads)  # days from an order to its arrival, 1 or more
        self.cost = cost  # of a piece, as a share of its price
        self.keeping = keeping  # of a piece and day
        self.missing = missing  # of a piece that is asked for and not there
        self.room = room  # for pieces of each product
        products = len(self.price)
        self.pipeline_shape = (self.lead.max(), products)
        self.action_space = MultiDiscrete([ORDER + 1] * products)
        self.observation_space = Box(0.0, np.inf, (3 * products,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.day = int(self.np_random.integers(len(self.asked) // 2))
        self.stock = np.ceil(self.asked[self.day])
        self.pipeline = np.zeros(self.pipeline_shape)
        self.sold = np.zeros(len(self.price))
        return self.observation(), {}

    def step(self, action):
        products = np.arange(len(self.price))
        self.pipeline[self.lead - 1, products] += action
        self.stock = np.minimum(self.stock + self.pipeline[0], self.room)
        self.pipeline = np.roll(self.pipeline, -1, axis=0)
        self.pipeline[-1] = 0.0

        asked = self.asked[self.day]
        self.sold = np.minimum(self.stock, asked)
        self.stock -= self.sold
        income = np.sum(self.price * self.sold)
        costs = self.cost * np.sum(self.price * action) + self.keeping * self.stock.sum()
        reward = income - costs - self.missing * np.sum(asked - self.sold)
        self.day += 1
        return self.observation(), float(reward), False, self.day == len(self.asked) - 1, {}

    def observation(self):
        coming = self.pipeline.sum(axis=0)
        return np.concatenate([self.stock, coming, self.sold]).astype(np.float32)
