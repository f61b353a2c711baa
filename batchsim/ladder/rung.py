"""What a rung of the ladder is: one complete way to build a batch of environments."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy.typing as npt

if TYPE_CHECKING:
    from batchsim.ladder.kind import Kind

__all__ = [
    "Absent",
    "Array",
    "Batch",
    "Check",
    "Make",
    "Rung",
    "Verdict",
    "at_most",
    "hand_written",
]

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


Make: TypeAlias = "Callable[[Kind, int], Batch]"
"""`make(kind, num_envs)` returns a batch."""


@dataclass(frozen=True)
class Verdict:
    """What a check found."""

    correct: bool
    detail: str
    """What the rung agrees in, or the first difference."""
    digest: str | None = None
    """SHA-256 of the rung's trajectory, where the check computes one."""


Check: TypeAlias = "Callable[[Make, Kind, int, int], Verdict]"
"""`check(make, kind, rows, steps)` compares a rung with the per-object environments."""

Absent: TypeAlias = "Callable[[Kind, int], str | None]"
"""`absent(kind, num_envs)` says why there is no such batch; None if there is one."""


@dataclass(frozen=True)
class Rung:
    """One way to build a batch of environments."""

    name: str
    description: str
    """What is new at this rung."""
    make: Make
    check: Check | None
    """None if the trajectory cannot be compared, being drawn from other random streams."""
    bytes_per_env: Callable[[Make, Kind], float | None]
    """Measures the memory that one more environment takes; None if it cannot."""
    also: tuple[Make, ...] = ()
    """Other settings of the same rung; the fastest of all is shown."""
    absent: Absent = lambda kind, num_envs: None
    """Why there is no such batch of a kind and size, or None."""
    apart: bool = False
    """Whether it may compile for minutes: it is measured in a process of its own, which is ended
    after some time."""
    includes: str | None = None
    """The rung of which it compiles all and more: where that was given up, it is not begun."""


def hand_written(ids: Collection[str]) -> Absent:
    """Return the `absent` of a rung that is written out for `ids` alone."""

    def absent(kind: Kind, num_envs: int) -> str | None:
        if kind.env_id not in ids:
            return f"written by hand for {' and '.join(sorted(ids))} only"
        return "written by hand for the default parameters only" if kind.params else None

    return absent


def at_most(limit: int, why: str) -> Absent:
    """Return the `absent` of a rung that is measured up to `limit` environments."""

    def absent(kind: Kind, num_envs: int) -> str | None:
        return None if num_envs <= limit else f"measured up to {limit:,} environments: {why}"

    return absent
