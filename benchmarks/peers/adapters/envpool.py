"""EnvPool, with one thread and with as many as this process may use."""

from __future__ import annotations

import functools

from batchsim.batch.processors import available_cpus
from batchsim.ladder import peers
from benchmarks.peers.peer import Peer, Setting

__all__ = ["PEERS"]


def older(env_id: str) -> str | None:
    """Tell if it is an older version of the id."""
    return f"its {peers.OLDER[env_id]}" if env_id in peers.OLDER else None


PEERS = (
    Peer(
        name="envpool",
        description="EnvPool: C++ environments, one object each, in a thread pool",
        adapter=__name__,
        package="envpool",
        settings=tuple(
            Setting(str(threads), functools.partial(peers.EnvPool, num_threads=threads))
            for threads in sorted({1, available_cpus()})
        ),
        autoreset="next step",
        absent=lambda env_id, num_envs: peers.no_envpool(env_id),
        remark=older,
    ),
)
