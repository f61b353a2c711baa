"""What a peer is: one library's way to step a batch of environments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import gymnasium
import numpy as np

from batchsim.ladder.kind import Kind
from batchsim.ladder.rung import Array

__all__ = ["Peer", "Setting", "by_id", "either_flag", "unchanged", "unless_unknown"]

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Setting:
    """One choice of what a peer leaves to its users; the fastest one is shown."""

    threads: str
    """What steps the environments, in as few words as fit into a table: "2", "all"."""
    make: Callable[[str, int], Any]
    """`make(env_id, num_envs)` returns a batch with `reset(seed=…)`, `step(actions)` and `close()`.

    What `reset` and `step` return begins with the observations.
    """


def either_flag(results: Any) -> Array:
    """Return which rows' episodes ended, from what Gymnasium's `step` returns."""
    terminated, truncated = results[2:4]
    over: Array = np.logical_or(terminated, truncated)
    return over


def by_id(function: Callable[[Kind, int], Answer]) -> Callable[[str, int], Answer]:
    """Return the same function as one of the ladder's, of an id in place of a kind."""

    def of_id(env_id: str, num_envs: int) -> Answer:
        return function(Kind(env_id), num_envs)

    return of_id


def unless_unknown(absent: Callable[[str, int], str | None]) -> Callable[[str, int], str | None]:
    """Return an `absent` that also says so if Gymnasium has no such id."""

    def also_unknown(env_id: str, num_envs: int) -> str | None:
        try:
            gymnasium.spec(env_id)
        except gymnasium.error.Error:
            return f"Gymnasium has no {env_id}"
        return absent(env_id, num_envs)

    return also_unknown


def unchanged(actions: Array) -> Any:
    """Return the actions as they are."""
    return actions


@dataclass(frozen=True)
class Peer:
    """One library's way to step a batch of environments."""

    name: str
    description: str
    adapter: str
    """The module that defines it."""
    package: str
    """The distribution whose version is shown."""
    settings: tuple[Setting, ...]
    autoreset: Literal["next step", "same step"]
    """Whether a finished episode is reset by the next step, as a step of its own, or at once."""
    absent: Callable[[str, int], str | None] = lambda env_id, num_envs: None
    """Why there is no such batch of an id and size, or None."""
    remark: Callable[[str], str | None] = lambda env_id: None
    """What is to be known of its environments of an id that are not quite the same, or None."""
    over: Callable[[Any], Array] = either_flag
    """`over(results)` returns which rows' episodes ended, bool (N,), from what `step` returned."""
    prepare: Callable[[Array], Any] = unchanged
    """Turns actions into the kind of array that `step` takes, before anything is timed."""
    requirements: str | None = None
    """The name in `requirements/peers-<name>.txt` of what is not in `requirements/ci.txt`."""
    module: str | None = None
    """What is imported if those requirements are installed."""
