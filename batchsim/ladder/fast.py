"""Rung `fast`: batchsim in float32, with polynomials that turn into vector instructions."""

from __future__ import annotations

from batchsim.ladder.check import within_tolerance
from batchsim.ladder.kind import Kind
from batchsim.ladder.memory import traced
from batchsim.ladder.rung import Batch, Rung

__all__ = ["RUNG", "make"]


def make(kind: Kind, num_envs: int) -> Batch:
    """Return a `BatchEnv` in fast precision."""
    return kind.make_vec(num_envs, precision="fast")


RUNG = Rung(
    name="fast",
    description="batchsim in float32: within 1e-5 of exact per step, no longer the same bits",
    make=make,
    check=within_tolerance,
    bytes_per_env=traced,
)
