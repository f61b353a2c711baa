"""Stable-Baselines3's vectorised environments over Gymnasium's, in one process and in many."""

from __future__ import annotations

import sys
from typing import Any

import gymnasium
import numpy as np

from batchsim.ladder import multiprocessing, python_loop
from batchsim.ladder.rung import Array
from benchmarks.peers.peer import Peer, Setting, by_id, unless_unknown

__all__ = ["PEERS"]


class Vectorised:
    """A `VecEnv` whose `reset` takes the seed, as Gymnasium's does."""

    def __init__(self, vec_env: Any) -> None:
        self.vec_env = vec_env
        self.step = vec_env.step

    def reset(self, *, seed: int) -> tuple[Array]:
        """Start an episode in each row, row k with the seed `seed + k`."""
        self.vec_env.seed(seed)
        return (self.vec_env.reset(),)

    def close(self) -> None:
        """End the processes."""
        self.vec_env.close()


def make_dummy(env_id: str, num_envs: int) -> Vectorised:
    """Return a `DummyVecEnv`: one object an environment, stepped in a Python loop."""
    from stable_baselines3.common.vec_env import DummyVecEnv

    return Vectorised(DummyVecEnv([lambda: gymnasium.make(env_id)] * num_envs))


def make_subproc(env_id: str, num_envs: int) -> Vectorised:
    """Return a `SubprocVecEnv`: one process an environment."""
    from stable_baselines3.common.vec_env import SubprocVecEnv

    # The steps cost the same, but a process that is not forked has to import PyTorch first.
    fork = "fork" if sys.platform == "linux" else None
    makers = [lambda: gymnasium.make(env_id)] * num_envs
    return Vectorised(SubprocVecEnv(makers, start_method=fork))


def dones(results: Any) -> Array:
    """Return which rows' episodes ended; the infos say which of them were truncated."""
    return np.asarray(results[2])


PEERS = (
    Peer(
        name="sb3-dummy",
        description="Stable-Baselines3's DummyVecEnv over Gymnasium's objects, a Python loop",
        adapter=__name__,
        package="stable-baselines3",
        settings=(Setting("1", make_dummy),),
        autoreset="same step",
        absent=unless_unknown(by_id(python_loop.RUNG.absent)),
        over=dones,
        requirements="stable-baselines3",
        module="stable_baselines3",
    ),
    Peer(
        name="sb3-subproc",
        description="Stable-Baselines3's SubprocVecEnv over Gymnasium's objects, one process each",
        adapter=__name__,
        package="stable-baselines3",
        settings=(Setting("N processes", make_subproc),),
        autoreset="same step",
        absent=unless_unknown(by_id(multiprocessing.RUNG.absent)),
        over=dones,
        requirements="stable-baselines3",
        module="stable_baselines3",
    ),
)
