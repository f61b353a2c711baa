"""batchsim itself, in both precisions and with its default number of threads."""

from __future__ import annotations

import functools
from typing import Any

from batchsim.batch.processors import available_cpus
from benchmarks.peers.peer import Peer, Setting

__all__ = ["PEERS"]


def make(env_id: str, num_envs: int, precision: str) -> Any:
    """Return a batch as callers make it. What it is compared with need not be installed here."""
    import batchsim

    return batchsim.make_vec(env_id, num_envs, precision=precision)


PEERS = (
    Peer(
        name="batchsim-exact",
        description="batchsim in float64, with Gymnasium's bits",
        adapter=__name__,
        package="batchsim",
        settings=(Setting(str(available_cpus()), functools.partial(make, precision="exact")),),
        autoreset="next step",
    ),
    Peer(
        name="batchsim-fast",
        description="batchsim in float32, within 1e-5 of exact per step",
        adapter=__name__,
        package="batchsim",
        settings=(Setting(str(available_cpus()), functools.partial(make, precision="fast")),),
        autoreset="next step",
    ),
)
