"""Peers: what else steps these environments in batch, measured the same way and shown apart.

Their random streams are their own, so that their trajectories cannot be compared with
those of per-object environments bit by bit.
"""

from __future__ import annotations

import functools
import importlib.util
import warnings
from collections.abc import Collection
from typing import Any

import gymnasium

from batchsim.batch.processors import available_cpus
from batchsim.ladder.kind import Kind
from batchsim.ladder.memory import traced, unknown
from batchsim.ladder.original import names_taken
from batchsim.ladder.rung import Array, Batch, Rung

__all__ = ["PEERS"]

OLDER = {"Taxi-v4": "Taxi-v3"}
"""Ids of which EnvPool has an older version only, whose steps cost the same."""
LIMIT = "max_episode_steps"


def make_gymnasium(kind: Kind, num_envs: int) -> Batch:
    """Return Gymnasium's own vectorised implementation of one kind."""
    return gymnasium.make_vec(
        kind.original.name,
        num_envs,
        vectorization_mode="vector_entry_point",
        **kind.original.arguments,
    )


def no_vector_entry_point(kind: Kind, num_envs: int) -> str | None:
    """Say so if Gymnasium has no vectorised implementation, or it lacks a parameter."""
    entry_point = gymnasium.spec(kind.original.name).vector_entry_point
    if entry_point is None:
        return f"Gymnasium has no vector_entry_point for {kind.env_id}"
    return _lacks(kind, names_taken(entry_point))


def _lacks(kind: Kind, taken: Collection[str]) -> str | None:
    """Say so if a peer lacks a parameter.

    Args:
        kind: the id and its parameters.
        taken: the names of those that it takes; of a time limit, any number of steps.
    """
    lacking = [name for name in kind.params if name not in taken]
    if LIMIT in kind.params and LIMIT in taken and kind.time_limit is None:
        lacking.append("episodes without a time limit")
    return f"it has no {' and no '.join(lacking)}" if lacking else None


class EnvPool:
    """EnvPool's C++ environments behind the ladder's interface.

    Args:
        env_id: batchsim's id.
        num_envs: how many.
        num_threads: that step them.
        limit: a time limit, if it is not the id's own.
    """

    def __init__(
        self, env_id: str, num_envs: int, num_threads: int, limit: int | None = None
    ) -> None:
        import envpool

        limits = {} if limit is None else {LIMIT: limit}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Its spaces are given in float64 and kept in float32.
            self.pool: Any = envpool.make(
                OLDER.get(env_id, env_id),
                env_type="gymnasium",
                num_envs=num_envs,
                num_threads=num_threads,
                seed=0,
                **limits,
            )
            self.pool.reset()
        self.step = self.pool.step

    def reset(self, *, seed: int) -> tuple[Array, dict[str, Any]]:
        """Start an episode in each row; EnvPool takes its seed when it is made."""
        observations: tuple[Array, dict[str, Any]] = self.pool.reset()
        return observations

    def close(self) -> None:
        """Stop the threads."""
        self.pool.close()


def make_envpool(kind: Kind, num_envs: int, num_threads: int) -> Batch:
    """Return EnvPool's environments of one kind."""
    limit = kind.time_limit if LIMIT in kind.params else None
    return EnvPool(kind.env_id, num_envs, num_threads, limit)


def no_envpool(env_id: str) -> str | None:
    """Say so if EnvPool is not installed, or has no such id."""
    if importlib.util.find_spec("envpool") is None:
        return 'EnvPool is not installed (pip install "batchsim[peers]")'
    import envpool

    name = OLDER.get(env_id, env_id)
    return None if name in envpool.list_all_envs() else f"EnvPool has no {name}"


PEERS: tuple[Rung, ...] = (
    Rung(
        name="gymnasium-vector",
        description="Gymnasium's vector_entry_point: whole-array NumPy",
        make=make_gymnasium,
        check=None,
        bytes_per_env=traced,
        absent=no_vector_entry_point,
    ),
    Rung(
        name="envpool",
        description="EnvPool: C++ environments, one object each, in a thread pool",
        make=functools.partial(make_envpool, num_threads=1),
        check=None,
        bytes_per_env=unknown,
        also=tuple(
            functools.partial(make_envpool, num_threads=k) for k in {available_cpus()} - {1}
        ),
        absent=lambda kind, num_envs: no_envpool(kind.env_id) or _lacks(kind, (LIMIT,)),
    ),
)
