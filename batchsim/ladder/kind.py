"""What a ladder is about: one kind of environment, which every rung makes batches of."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import gymnasium

from batchsim.batch.arguments import settle
from batchsim.batch.texts import text_names
from batchsim.definition import Definition
from batchsim.ladder.original import Original
from batchsim.registry import find, original

if TYPE_CHECKING:
    from batchsim.batch.vector import BatchEnv

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
        trajectories: of per-object environments, by numbers of rows and steps, for `check.oracle`.

    Raises:
        TypeError, ValueError: if there is no such id, a value is out of place, or there is no
            per-object environment that has these parameters too.
    """

    def __init__(self, env_id: str, params: Mapping[str, Any] | None = None) -> None:
        self.env_id = find(env_id)[0]
        self.params = dict(params or {})
        name = original(self.env_id)
        self.arguments = settle(self.env_id, self.params) if self.params else {}
        self.original = Original.of(self, name) if self.params else Original(name)
        self.trajectories: dict[tuple[int, int], Any] = {}

    def __reduce__(self) -> Any:
        return _restored, (self.env_id, self.arguments, self.trajectories)

    @cached_property
    def one(self) -> BatchEnv:
        """One environment of batchsim, which has read the arguments and compiles nothing."""
        # What steps other libraries' environments has no Numba, and need not know it.
        from batchsim.batch.vector import BatchEnv

        return BatchEnv(self.env_id, 1, num_threads=1, backend="reference", **self.arguments)

    @cached_property
    def spaces(self) -> tuple[gymnasium.Space[Any], gymnasium.Space[Any]]:
        """The spaces of one environment's observations and actions."""
        env = self.original.make()
        env.close()
        return env.observation_space, env.action_space

    @property
    def time_limit(self) -> int | None:
        """The steps after which episodes are truncated, None for never."""
        return self.one.max_episode_steps

    @property
    def frame_stack(self) -> int:
        """How many frames are observed together, 1 for none but the last."""
        return self.original.frame_stack

    @cached_property
    def has_texts(self) -> bool:
        """Whether there are strings among what is observed."""
        return bool(text_names(self.spaces[0]))

    @property
    def definition(self) -> Definition:
        """The definition of the environment, always the same object."""
        return self.one.definition

    def functions_see(self) -> Any:
        """Return what the environment's functions see as `p`: parameters and tables."""
        return self.one._row_values(0)

    def frame_spaces(self) -> tuple[gymnasium.Space[Any], gymnasium.Space[Any]]:
        """Return the definition's spaces, of one frame's observation and of actions."""
        return self.one._spaces_of(0, self.one.params)[:2]

    def make_vec(self, num_envs: int, precision: str = "exact") -> BatchEnv:
        """Return `num_envs` environments of batchsim."""
        from batchsim.batch.vector import BatchEnv

        return BatchEnv(self.env_id, num_envs, precision=precision, **self.arguments)

    def __str__(self) -> str:
        given = ", ".join(f"{name}={reprlib.repr(value)}" for name, value in self.params.items())
        return f"{self.env_id} with {given}" if given else self.env_id

    def document(self) -> dict[str, Any]:
        """Return `arguments` as JSON can hold them."""
        found: dict[str, Any] = json.loads(json.dumps(self.arguments, default=_plain))
        return found


def _restored(env_id: str, arguments: Mapping[str, Any], trajectories: Any) -> Kind:
    """Return the same kind in another process, with what its arguments were settled to."""
    kind = Kind(env_id, arguments)
    kind.trajectories = trajectories
    return kind


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
