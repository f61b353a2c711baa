"""Rung `python`: Gymnasium's own environments, one object each, stepped one after the other."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from batchsim.ladder.check import same_bits
from batchsim.ladder.memory import traced
from batchsim.ladder.rung import Array, Rung, at_most, new_outputs

__all__ = ["RUNG", "PythonLoop"]


class PythonLoop:
    """A list of `gymnasium.make` environments."""

    def __init__(self, env_id: str, num_envs: int) -> None:
        self.envs = [gymnasium.make(env_id) for _ in range(num_envs)]
        self.over = [False] * num_envs

    def reset(self, *, seed: int) -> tuple[Array, dict[str, Any]]:
        """Start an episode in each environment."""
        observations = [env.reset(seed=seed + k)[0] for k, env in enumerate(self.envs)]
        self.over = [False] * len(self.envs)
        return np.stack(observations), {}

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Step each environment, or reset it if its episode is over."""
        space = self.envs[0].observation_space
        observation, reward, terminated, truncated = new_outputs(len(self.envs), space)
        for k, env in enumerate(self.envs):
            if self.over[k]:
                observation[k], _ = env.reset()
                reward[k], terminated[k], truncated[k] = 0.0, False, False
                self.over[k] = False
            else:
                observation[k], reward[k], ended, cut, _ = env.step(actions[k])
                terminated[k], truncated[k] = ended, cut
                self.over[k] = ended or cut
        return observation, reward, terminated, truncated, {}

    def close(self) -> None:
        """Close every environment."""
        for env in self.envs:
            env.close()


RUNG = Rung(
    name="python",
    description="one Gymnasium object an environment, a Python loop over them",
    make=PythonLoop,
    check=same_bits,
    bytes_per_env=traced,
    absent=at_most(65_536, "making the objects takes longer than measuring them"),
)
