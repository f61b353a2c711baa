"""Rung `driver`: batchsim itself in exact precision, tile kernels run by the Cython driver."""

from __future__ import annotations

from batchsim.ladder.check import same_bits
from batchsim.ladder.kind import Kind
from batchsim.ladder.memory import traced
from batchsim.ladder.rung import Batch, Rung

__all__ = ["RUNG", "make"]


def make(kind: Kind, num_envs: int) -> Batch:
    """Return a `BatchEnv` as `batchsim.make_vec` makes it."""
    return kind.make_vec(num_envs)


RUNG = Rung(
    name="driver",
    description="batchsim: loops over tiles that vectorise, called by address; sleeping threads",
    make=make,
    check=same_bits,
    bytes_per_env=traced,
)
