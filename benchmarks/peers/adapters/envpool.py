"""EnvPool, with one thread and with as many as this process may use."""

from __future__ import annotations

import functools

from batchsim.batch.processors import available_cpus
from batchsim.ladder import peers
from benchmarks.peers.peer import Peer, Setting, by_id

__all__ = ["PEERS"]

PEERS = (
    Peer(
        name="envpool",
        description="EnvPool: C++ environments, one object each, in a thread pool",
        adapter=__name__,
        package="envpool",
        settings=tuple(
            Setting(str(threads), by_id(functools.partial(peers.EnvPool, num_threads=threads)))
            for threads in sorted({1, available_cpus()})
        ),
        autoreset="next step",
        absent=by_id(peers.no_envpool),
    ),
)
