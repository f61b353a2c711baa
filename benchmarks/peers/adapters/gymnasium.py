"""Gymnasium's vector environments: sync, async, and vectorised where an id has that."""

from __future__ import annotations

from typing import Any

import gymnasium

from batchsim.ladder import multiprocessing, peers, python_loop
from benchmarks.peers.peer import Peer, Setting, by_id, unless_unknown

__all__ = ["PEERS"]

(VECTORISED,) = (rung for rung in peers.PEERS if rung.name == "gymnasium-vector")


def make_sync(env_id: str, num_envs: int) -> Any:
    """Return a `SyncVectorEnv`: one object an environment, stepped in a Python loop."""
    return gymnasium.make_vec(env_id, num_envs, vectorization_mode="sync")


PEERS = (
    Peer(
        name="gymnasium-sync",
        description="Gymnasium's SyncVectorEnv: one object an environment, a Python loop over them",
        adapter=__name__,
        package="gymnasium",
        settings=(Setting("1", make_sync),),
        autoreset="next step",
        absent=unless_unknown(by_id(python_loop.RUNG.absent)),
    ),
    Peer(
        name="gymnasium-async",
        description="Gymnasium's AsyncVectorEnv: one process an environment",
        adapter=__name__,
        package="gymnasium",
        settings=(Setting("N processes", by_id(multiprocessing.make)),),
        autoreset="next step",
        absent=unless_unknown(by_id(multiprocessing.RUNG.absent)),
    ),
    Peer(
        name="gymnasium-vector",
        description=VECTORISED.description,
        adapter=__name__,
        package="gymnasium",
        settings=(Setting("1", by_id(VECTORISED.make)),),
        autoreset="next step",
        absent=unless_unknown(by_id(VECTORISED.absent)),
    ),
)
