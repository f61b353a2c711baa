"""Rung `driver`: batchsim itself in exact precision, tile kernels run by the Cython driver."""

from __future__ import annotations

import batchsim
from batchsim.ladder.check import same_bits
from batchsim.ladder.memory import traced
from batchsim.ladder.rung import Batch, Rung

__all__ = ["RUNG", "make"]


def make(env_id: str, num_envs: int) -> Batch:
    """Return a `BatchEnv` as `batchsim.make_vec` makes it."""
    return batchsim.make_vec(env_id, num_envs)


RUNG = Rung(
    name="driver",
    description="batchsim: loops over tiles that vectorise, called by address; sleeping threads",
    make=make,
    check=same_bits,
    bytes_per_env=traced,
)
