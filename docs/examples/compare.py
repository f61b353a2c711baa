"""Measures an example both ways: steps a second of the Gymnasium class and of the definition.

Run it with `python docs/examples/compare.py` for Snake, with `sokoban`, `trading`, `vehicle`,
`kalman`, `inventory` or `game2048` behind it for another example, while nothing else runs.
"""

import datetime
import functools
import statistics
import sys
import time

import game2048
import inventory
import kalman
import numpy as np
import snake
import sokoban
import trading
import vehicle
from game2048_gymnasium import Game2048Env
from gymnasium.vector import SyncVectorEnv
from inventory_gymnasium import InventoryEnv
from kalman_gymnasium import KalmanEnv
from snake_gymnasium import SnakeEnv
from sokoban_gymnasium import SokobanEnv
from trading_gymnasium import TradingEnv
from vehicle_gymnasium import VehicleEnv

import batchsim
from batchsim.ladder.machine import describe_machine, find_versions

NUM_ENVS = 4096
BLOCKS = 5
PACKAGES = ("python", "gymnasium", "numpy", "numba", "batchsim")
PRICES = 100.0 * np.exp(np.random.default_rng(0).normal(0.0, 0.01, 2500).cumsum())  # ten years
SHOP = {
    "demand": np.random.default_rng(0).uniform(0.0, 9.0, (365, 5)),
    "prices": [2.0, 5.0, 3.0, 4.0, 1.0],
    "leads": [1, 3, 2, 2, 3],
}
EXAMPLES = {
    "snake": ("Snake", snake, SnakeEnv, {}),
    "sokoban": ("Sokoban", sokoban, SokobanEnv, {}),
    "trading": ("Trading over 2,500 days", trading, TradingEnv, {"prices": PRICES}),
    "vehicle": ("Vehicle", vehicle, VehicleEnv, {}),
    "kalman": ("Kalman filter", kalman, KalmanEnv, {}),
    "inventory": ("Inventory of five products", inventory, InventoryEnv, SHOP),
    "game2048": ("2048", game2048, Game2048Env, {}),
}
"""Of each: what is measured, the definition, the class, and arguments of both."""


def steps_per_second(envs, calls):
    """Return the median over blocks of so many calls, with random actions, and close `envs`."""
    envs.action_space.seed(0)
    actions = [envs.action_space.sample() for _ in range(64)]
    envs.reset(seed=0)
    rates = []
    for _ in range(BLOCKS + 1):
        start = time.perf_counter()
        for t in range(calls):
            envs.step(actions[t % len(actions)])
        rates.append(calls * NUM_ENVS / (time.perf_counter() - start))
    envs.close()
    return statistics.median(rates[1:])  # The first block is for the caches.


def main(example="snake"):
    """Print the machine, both rates of an example and their ratio."""
    if example not in EXAMPLES:
        sys.exit(f"There is no example {example!r}; expected one of {', '.join(EXAMPLES)}.")
    title, definition, original, arguments = EXAMPLES[example]
    machine, versions = describe_machine(), find_versions()
    print(f"{title}, {NUM_ENVS:,} environments, {machine['cpu']}, {machine['threads']} threads;")
    print(", ".join(f"{name} {versions[name]}" for name in PACKAGES) + ";")
    print(f"{datetime.date.today()}")
    objects = SyncVectorEnv([functools.partial(original, **arguments)] * NUM_ENVS)
    one_by_one = steps_per_second(objects, calls=10)
    batched = steps_per_second(batchsim.make_vec(definition, NUM_ENVS, **arguments), calls=1000)
    print(f"gymnasium.vector.SyncVectorEnv  {one_by_one / 1e3:12,.0f} thousand steps/s")
    print(f"batchsim                        {batched / 1e3:12,.0f} thousand steps/s")
    print(f"ratio                           {batched / one_by_one:12,.0f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
