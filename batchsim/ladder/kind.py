"""What a ladder is about: one kind of environment, which every rung makes batches of."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping
from typing import Any

import gymnasium

from batchsim.arguments import settle
from batchsim.definition import Definition
from batchsim.ladder.original import Original
from batchsim.registry import find, original
from batchsim.vector import BatchEnv

__all__ = ["Kind"]


class Kind:
    """An id, and the parameters that all of its environments have.

    It is equal to itself alone: what is compiled or computed for a kind is kept by it.

    Args:
        env_id: the id, with or without its namespace.
        params: parameters and other arguments of the environment by name, one value for all
            environments; also `frame_stack` and `max_episode_steps` of `BatchEnv`.

    Attributes:
        env_id: the id without its namespace.
        params: as given.
        arguments: as `batchsim.make_vec` takes them; what the environment reads from a file or
            draws at random is settled.
        original: the per-object environment, with the same values.
        time_limit: the steps after which episodes are truncated, None for never.
        frame_stack: how many frames are observed together.
        observation_space, action_space: of one environment.

    Raises:
        TypeError, ValueError: if there is no such id, a value is out of place, or there is no
            per-object environment that has these parameters too.
    """

    def __init__(self, env_id: str, params: Mapping[str, Any] | None = None) -> None:
        self.env_id = find(env_id)[0]
        self.params = dict(params or {})
        name = original(self.env_id)
        self.arguments = settle(self.env_id, self.params)
        # It reads all of them, and compiles nothing.
        self._one = BatchEnv(self.env_id, 1, num_threads=1, backend="reference", **self.arguments)
        self.time_limit = self._one.max_episode_steps
        self.frame_stack: int = self._one.frame_stack
        self.observation_space: gymnasium.Space[Any] = self._one.single_observation_space
        self.action_space: gymnasium.Space[Any] = self._one.single_action_space
        self.original = Original.of(self, name)

    @property
    def definition(self) -> Definition:
        """The definition of the environment, always the same object."""
        return self._one.definition

    def functions_see(self) -> Any:
        """Return what the environment's functions see as `p`: parameters and tables."""
        return self.definition.parameters({**self._one.row_params(0), **self._one.tables})

    def make_vec(self, num_envs: int, precision: str = "exact") -> BatchEnv:
        """Return `num_envs` environments of batchsim."""
        return BatchEnv(self.env_id, num_envs, precision=precision, **self.arguments)

    def __str__(self) -> str:
        given = ", ".join(f"{name}={reprlib.repr(value)}" for name, value in self.params.items())
        return f"{self.env_id} with {given}" if given else self.env_id

    def document(self) -> dict[str, Any]:
        """Return `arguments` as JSON can hold them."""
        found: dict[str, Any] = json.loads(json.dumps(self.arguments, default=_plain))
        return found


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
