"""Peers: what else steps these environments in batch, measured the same way and shown apart.

Their random streams are their own, so that their trajectories cannot be compared with
those of per-object environments bit by bit.
"""

from __future__ import annotations

import functools
import importlib.util
import warnings
from typing import Any

import gymnasium

from batchsim import registry
from batchsim.ladder.memory import traced, unknown
from batchsim.ladder.rung import Array, Batch, Rung
from batchsim.processors import available_cpus

__all__ = ["PEERS"]

OLDER = {"Taxi-v4": "Taxi-v3"}
"""Ids of which EnvPool has an older version only, whose steps cost the same."""


def make_gymnasium(env_id: str, num_envs: int) -> Batch:
    """Return Gymnasium's own vectorised implementation of one id."""
    name = registry.original(env_id)
    return gymnasium.make_vec(name, num_envs, vectorization_mode="vector_entry_point")


def no_vector_entry_point(env_id: str, num_envs: int) -> str | None:
    """Say so if Gymnasium has no vectorised implementation."""
    if gymnasium.spec(registry.original(env_id)).vector_entry_point is None:
        return f"Gymnasium has no vector_entry_point for {env_id}"
    return None


class EnvPool:
    """EnvPool's C++ environments behind the ladder's interface."""

    def __init__(self, env_id: str, num_envs: int, num_threads: int) -> None:
        import envpool

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Its spaces are given in float64 and kept in float32.
            self.pool: Any = envpool.make(
                OLDER.get(env_id, env_id),
                env_type="gymnasium",
                num_envs=num_envs,
                num_threads=num_threads,
                seed=0,
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


def no_envpool(env_id: str, num_envs: int) -> str | None:
    """Say so if EnvPool is not installed or has no such id."""
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
        make=functools.partial(EnvPool, num_threads=1),
        check=None,
        bytes_per_env=unknown,
        also=tuple(functools.partial(EnvPool, num_threads=k) for k in {available_cpus()} - {1}),
        absent=no_envpool,
    ),
)
