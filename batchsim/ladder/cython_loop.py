"""Rung `cython`: the loop written by hand in Cython, for two environments."""

from __future__ import annotations

from batchsim.ladder._cython_loops import CartPole, Pendulum
from batchsim.ladder.check import same_bits
from batchsim.ladder.kind import Kind
from batchsim.ladder.memory import traced
from batchsim.ladder.rung import Batch, Rung, hand_written

__all__ = ["RUNG", "make"]

CLASSES = {"CartPole-v1": CartPole, "Pendulum-v1": Pendulum}


def make(kind: Kind, num_envs: int) -> Batch:
    """Return a batch of one of the `CLASSES`."""
    batch: Batch = CLASSES[kind.env_id](num_envs, kind.time_limit)
    return batch


RUNG = Rung(
    name="cython",
    description="the same loop by hand in Cython, NumPy's generators through their C interface",
    make=make,
    check=same_bits,
    bytes_per_env=traced,
    absent=hand_written(CLASSES),
)
