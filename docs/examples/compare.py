"""Measures a game both ways: steps a second of the Gymnasium class and of the batchsim definition.

Run it with `python docs/examples/compare.py`, or with the name of another game, while nothing else
runs.
"""

import datetime
import importlib
import statistics
import sys
import time

from gymnasium.vector import SyncVectorEnv

import batchsim
from batchsim.ladder.machine import describe_machine, find_versions

NUM_ENVS = 4096
BLOCKS = 5
ORIGINALS = {"snake": "SnakeEnv", "sokoban": "SokobanEnv"}  # the class in <game>_gymnasium.py
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


def main(game="snake"):
    """Print the machine, both rates and their ratio."""
    if game not in ORIGINALS:
        sys.exit(f"There is no game {game!r}; expected one of {', '.join(ORIGINALS)}.")
    definition = importlib.import_module(game)
    one_object = getattr(importlib.import_module(f"{game}_gymnasium"), ORIGINALS[game])
    machine, versions = describe_machine(), find_versions()
    title = f"{game.capitalize()}, {NUM_ENVS:,} environments"
    print(f"{title}, {machine['cpu']}, {machine['threads']} threads;")
    print(", ".join(f"{name} {versions[name]}" for name in PACKAGES) + ";")
    print(f"{datetime.date.today()}")
    original = steps_per_second(SyncVectorEnv([one_object] * NUM_ENVS), calls=10)
    batched = steps_per_second(batchsim.make_vec(definition, NUM_ENVS), calls=2000)
    print(f"gymnasium.vector.SyncVectorEnv  {original / 1e3:12,.0f} thousand steps/s")
    print(f"batchsim                        {batched / 1e3:12,.0f} thousand steps/s")
    print(f"ratio                           {batched / original:12,.0f}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
