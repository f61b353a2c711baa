"""A shop that orders from far away: orders on their way are a list of [due, quantity]."""

import time

import gymnasium as gym
import numpy as np


class ShopEnv(gym.Env):
    """Each day: deliveries arrive, customers come, and the shopkeeper orders.

    An episode is cut short when too many customers in a row had to leave with empty hands.
    """

    def __init__(self, capacity=40, lead_time=(2, 5), demand_rate=4.0, patience=12, days=120):
        self.capacity = capacity
        self.lead_low, self.lead_high = lead_time
        self.demand_rate = demand_rate
        self.patience = patience
        self.days = days
        self.price, self.cost, self.holding, self.fee = 5.0, 3.0, 0.1, 2.0

        self.action_space = gym.spaces.Discrete(11)  # boxes of 2
        self.observation_space = gym.spaces.Box(
            low=0.0, high=np.float32(1e4), shape=(4,), dtype=np.float32
        )

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.day = 0
        self.stock = self.capacity // 2
        if options and "stock" in options:
            self.stock = int(options["stock"])
        self.orders = []
        self.unhappy = 0
        self.sales = []
        self.began = time.monotonic()
        return self._obs(), {}

    def _obs(self):
        coming = sum(quantity for _, quantity in self.orders)
        soonest = min([due - self.day for due, _ in self.orders], default=0)
        return np.array([self.stock, coming, soonest, self.unhappy], dtype=np.float32)

    def _receive(self):
        arrived = 0
        while self.orders and self.orders[0][0] <= self.day:
            due, quantity = self.orders.pop(0)
            arrived += quantity
        lost = max(0, self.stock + arrived - self.capacity)
        self.stock = self.stock + arrived - lost
        return lost

    def _order(self, quantity):
        lead = int(self.np_random.integers(self.lead_low, self.lead_high + 1))
        due = self.day + lead
        # orders do not overtake each other
        if len(self.orders) > 0 and self.orders[-1][0] > due:
            due = self.orders[-1][0]
        self.orders.append([due, quantity])

    def _give_up(self):
        return self.unhappy >= self.patience or self.day >= self.days

    def step(self, action):
        self.day += 1
        wasted = self._receive()

        demand = int(self.np_random.poisson(self.demand_rate))
        sold = min(demand, self.stock)
        self.stock -= sold
        self.unhappy = self.unhappy + demand - sold if demand > sold else 0
        self.sales.append(sold)

        quantity = 2 * int(action)
        if quantity:
            self._order(quantity)

        reward = self.price * sold - self.cost * quantity - self.holding * self.stock
        reward -= self.fee * (quantity > 0) + 0.5 * wasted
        return self._obs(), float(reward), False, self._give_up(), {"sold": sold, "wasted": wasted}


class RefusedHurry(ShopEnv):
    """Refused: `truncated` depends on more than steps and state, on the time of day."""

    def _give_up(self):
        return time.monotonic() - self.began > 30.0
