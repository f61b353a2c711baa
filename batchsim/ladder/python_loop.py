"""Rung `python`: per-object environments, stepped one after the other."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from gymnasium.vector.utils import concatenate, create_empty_array

from batchsim.ladder.check import observation_bytes, same_bits
from batchsim.ladder.kind import Kind
from batchsim.ladder.memory import traced
from batchsim.ladder.rung import Array, Rung, at_most

__all__ = ["RUNG", "PythonLoop"]


class PythonLoop:
    """A list of per-object environments."""

    def __init__(self, kind: Kind, num_envs: int) -> None:
        self.envs = [kind.original.make() for _ in range(num_envs)]
        self.over = [False] * num_envs

    def reset(self, *, seed: int) -> tuple[Array, dict[str, Any]]:
        """Start an episode in each environment."""
        observations = [env.reset(seed=seed + k)[0] for k, env in enumerate(self.envs)]
        self.over = [False] * len(self.envs)
        return self._batch(observations), {}

    def _batch(self, observations: list[Any]) -> Any:
        space: Any = self.envs[0].observation_space
        empty: Any = create_empty_array(space, len(self.envs))
        return concatenate(space, observations, empty)

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Step each environment, or reset it if its episode is over."""
        observations = []
        reward = np.empty(len(self.envs))
        terminated, truncated = np.empty((2, len(self.envs)), np.bool_)
        for k, env in enumerate(self.envs):
            if self.over[k]:
                observation, _ = env.reset()
                reward[k], terminated[k], truncated[k] = 0.0, False, False
                self.over[k] = False
            else:
                observation, reward[k], ended, cut, _ = env.step(actions[k])
                terminated[k], truncated[k] = ended, cut
                self.over[k] = ended or cut
            observations.append(observation)
        return self._batch(observations), reward, terminated, truncated, {}

    def close(self) -> None:
        """Close every environment."""
        for env in self.envs:
            env.close()


LARGE = 4096
"""Bytes of an observation that takes about a millisecond to compute in Python."""


def absent(kind: Kind, num_envs: int) -> str | None:
    """Say so if there are too many."""
    if observation_bytes(kind) >= LARGE:
        return at_most(1024, "one call would take seconds")(kind, num_envs)
    # Each of these computes all its transitions when it is made.
    tabular = kind.env_id.startswith(("CliffWalking", "Taxi"))
    limit = at_most(1024 if tabular else 65_536, "making the objects takes longer than measuring")
    return limit(kind, num_envs)


RUNG = Rung(
    name="python",
    description="one Python object an environment, a Python loop over them",
    make=PythonLoop,
    check=same_bits,
    # Objects take kilobytes each, and some of them milliseconds to be made.
    bytes_per_env=functools.partial(traced, rows=32),
    absent=absent,
)
