"""What a rung of the ladder is: one complete way to build a batch of environments."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt

__all__ = ["Array", "Batch", "Check", "Make", "Rung", "Verdict", "at_most", "hand_written"]

Array = npt.NDArray[Any]


class Batch(Protocol):
    """N environments, with the part of Gymnasium's `VectorEnv` that the ladder measures.

    Finished episodes are reset as by `AutoresetMode.NEXT_STEP`. Returned arrays are the caller's.
    """

    def reset(self, *, seed: int) -> tuple[Array, dict[str, Any]]:
        """Start an episode in each row, row k with the seed `seed + k`; return the observations."""

    def step(self, actions: Array, /) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Return the observations, rewards, terminated, truncated and infos of one step."""

    def close(self) -> None:
        """Let processes and threads go."""


Make = Callable[[str, int], Batch]
"""`make(env_id, num_envs)` returns a batch."""


@dataclass(frozen=True)
class Verdict:
    """What a check found."""

    correct: bool
    detail: str
    """What the rung agrees in, or the first difference."""
    digest: str | None = None
    """SHA-256 of the rung's trajectory, where the check computes one."""


Check = Callable[[Make, str, int, int], Verdict]
"""`check(make, env_id, rows, steps)` compares a rung with the per-object environments."""


@dataclass(frozen=True)
class Rung:
    """One way to build a batch of environments."""

    name: str
    description: str
    """What is new at this rung."""
    make: Make
    check: Check | None
    """None if the trajectory cannot be compared, being drawn from other random streams."""
    bytes_per_env: Callable[[Make, str], float | None]
    """Measures the memory that one more environment takes; None if it cannot."""
    also: tuple[Make, ...] = ()
    """Other settings of the same rung; the fastest of all is shown."""
    absent: Callable[[str, int], str | None] = lambda env_id, num_envs: None
    """Why there is no such batch of an id and size, or None."""


def hand_written(ids: Collection[str]) -> Callable[[str, int], str | None]:
    """Return the `absent` of a rung that is written out for `ids` alone."""

    def absent(env_id: str, num_envs: int) -> str | None:
        return None if env_id in ids else f"written by hand for {' and '.join(sorted(ids))} only"

    return absent


def at_most(limit: int, why: str) -> Callable[[str, int], str | None]:
    """Return the `absent` of a rung that is measured up to `limit` environments."""

    def absent(env_id: str, num_envs: int) -> str | None:
        return None if num_envs <= limit else f"measured up to {limit:,} environments: {why}"

    return absent
