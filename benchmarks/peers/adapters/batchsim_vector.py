"""batchsim itself, in both precisions and with its default number of threads."""

from __future__ import annotations

from batchsim.batch.processors import available_cpus
from batchsim.ladder import driver, fast
from benchmarks.peers.peer import Peer, Setting, by_id

__all__ = ["PEERS"]

PEERS = (
    Peer(
        name="batchsim-exact",
        description="batchsim in float64, with Gymnasium's bits",
        adapter=__name__,
        package="batchsim",
        settings=(Setting(str(available_cpus()), by_id(driver.make)),),
        autoreset="next step",
    ),
    Peer(
        name="batchsim-fast",
        description="batchsim in float32, within 1e-5 of exact per step",
        adapter=__name__,
        package="batchsim",
        settings=(Setting(str(available_cpus()), by_id(fast.make)),),
        autoreset="next step",
    ),
)
