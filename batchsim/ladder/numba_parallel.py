"""Rung `numba-parallel`: the loop of `numba`, its rows shared out over threads by `prange`."""

from __future__ import annotations

import functools
from typing import Any

import numba

from batchsim.batch.processors import available_cpus
from batchsim.ladder import numba_serial
from batchsim.ladder.check import same_bits
from batchsim.ladder.kind import Kind
from batchsim.ladder.memory import traced
from batchsim.ladder.numba_batch import OPTIONS, NumbaBatch, absent, row_functions
from batchsim.ladder.rung import Batch, Rung

__all__ = ["RUNG", "make"]


@functools.cache
def _loops(kind: Kind) -> tuple[Any, Any]:
    step_row, is_bad, restart_all = row_functions(kind)

    @numba.njit(parallel=True, **OPTIONS)
    def step_rows(state, rng, elapsed, over, action, *outputs):  # type: ignore[no-untyped-def]
        observation, reward, terminated, truncated = outputs
        bad = 0
        for i in numba.prange(over.shape[0]):
            bad += is_bad(action, i)
        if bad == 0:
            for i in numba.prange(over.shape[0]):
                # The tuples of arrays go whole to a function: what the body of a prange itself
                # writes through one is lost (numba issue 5872).
                step_row(
                    state, rng, elapsed, over, action, observation, reward, terminated, truncated, i
                )
        return bad

    return step_rows, restart_all


def make(kind: Kind, num_envs: int) -> Batch:
    """Return a batch; the loops are compiled at its first reset and step."""
    numba.set_num_threads(min(available_cpus(), numba.get_num_threads()))
    return NumbaBatch(kind, num_envs, *_loops(kind))


RUNG = Rung(
    name="numba-parallel",
    description="the loop of numba, its rows shared out over threads by prange",
    make=make,
    check=same_bits,
    bytes_per_env=traced,
    absent=absent,
    apart=True,
    includes=numba_serial.RUNG.name,
)
