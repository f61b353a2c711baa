"""Measures Snake both ways: steps a second of the Gymnasium class and of the batchsim definition.

Run it with `python docs/examples/compare.py`, while nothing else runs.
"""

import datetime
import statistics
import time

import snake
from gymnasium.vector import SyncVectorEnv
from snake_gymnasium import SnakeEnv

import batchsim
from batchsim.ladder.machine import describe_machine, find_versions

NUM_ENVS = 4096
BLOCKS = 5
PACKAGES = ("python", "gymnasium", "numpy", "numba", "batchsim")


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


def main():
    """Print the machine, both rates and their ratio."""
    machine, versions = describe_machine(), find_versions()
    print(f"Snake, {NUM_ENVS:,} environments, {machine['cpu']}, {machine['threads']} threads;")
    print(", ".join(f"{name} {versions[name]}" for name in PACKAGES) + ";")
    print(f"{datetime.date.today()}")
    original = steps_per_second(SyncVectorEnv([SnakeEnv] * NUM_ENVS), calls=10)
    batched = steps_per_second(batchsim.make_vec(snake, NUM_ENVS), calls=2000)
    print(f"gymnasium.vector.SyncVectorEnv  {original / 1e3:12,.0f} thousand steps/s")
    print(f"batchsim                        {batched / 1e3:12,.0f} thousand steps/s")
    print(f"ratio                           {batched / original:12,.0f}")


if __name__ == "__main__":
    main()
