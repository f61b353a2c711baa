"""The per-object side of a training: Gymnasium's `SyncVectorEnv`, as a policy sees a batch."""

from __future__ import annotations

from contextlib import closing, redirect_stdout
from typing import Any

import gymnasium
from gymnasium.spaces import Dict, Space, Tuple
from gymnasium.vector import VectorEnv, VectorObservationWrapper
from gymnasium.vector.utils import batch_space

from batchsim import registry
from batchsim.batch.texts import is_text, with_tokens
from batchsim.batch.tokenizer import Tokenizer
from batchsim.batch.vector import BatchEnv

__all__ = ["make_baseline"]


def make_baseline(env_id: str, num_envs: int) -> VectorEnv[Any, Any, Any]:
    """Return one Python object an environment, stepped in a loop, with texts as tokens.

    Args:
        env_id: an id with a per-object environment (`registry.original`).
        num_envs: how many.

    Raises:
        ValueError: if there is none, or its texts cannot be made tokens.
    """
    original = registry.original(env_id)
    with closing(BatchEnv(env_id, 1, backend="reference")) as ours:
        tokenizers = {name: Tokenizer(text) for name, text in ours.texts.items()}
    envs = gymnasium.make_vec(original, num_envs, vectorization_mode="sync")
    if not tokenizers:
        return envs
    strings = ours.single_observation_space
    return Tokenized(envs, strings, with_tokens(strings, ours.texts), tokenizers)


class Tokenized(VectorObservationWrapper[Any, Any, Any, Any]):
    """Environments whose texts are returned as the tokens that batchsim's definition has for them.

    Args:
        envs: which return strings.
        strings, tokens: the space of one environment as the definition has it, and with tokens.
        tokenizers: by the names of the texts.
    """

    def __init__(
        self,
        envs: VectorEnv[Any, Any, Any],
        strings: Space[Any],
        tokens: Space[Any],
        tokenizers: dict[str, Tokenizer],
    ) -> None:
        super().__init__(envs)
        self.strings = strings
        self.tokenizers = tokenizers
        self.single_observation_space = tokens
        self.observation_space = batch_space(tokens, envs.num_envs)

    def reset(self, **arguments: Any) -> Any:
        """Reset the environments, which may print which levels they throw away."""
        with redirect_stdout(None):
            return super().reset(**arguments)

    def step(self, actions: Any) -> Any:
        """Step the environments, likewise."""
        with redirect_stdout(None):
            return super().step(actions)

    def observations(self, observations: Any) -> Any:
        """Return what a batch observes, its texts as arrays (N, tokens)."""
        return self._told(self.strings, observations, "")

    def _told(self, space: Space[Any], seen: Any, path: str) -> Any:
        if is_text(space):
            return self.tokenizers[path](seen)
        if isinstance(space, Dict):
            parts = space.spaces.items()
            return {key: self._told(part, seen[key], _join(path, key)) for key, part in parts}
        if isinstance(space, Tuple):
            places = enumerate(space.spaces)
            return tuple(self._told(part, seen[k], _join(path, k)) for k, part in places)
        return seen


def _join(path: str, key: str | int) -> str:
    return f"{path}.{key}" if path else str(key)
