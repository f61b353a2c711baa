"""The rungs of the ladder, from the bottom up."""

from __future__ import annotations

from batchsim.ladder import (
    cython_loop,
    driver,
    fast,
    multiprocessing,
    numba_parallel,
    numba_serial,
    python_loop,
    soa_numpy,
)
from batchsim.ladder.rung import Rung

__all__ = ["RUNGS"]

RUNGS: tuple[Rung, ...] = (
    python_loop.RUNG,
    multiprocessing.RUNG,
    soa_numpy.RUNG,
    numba_serial.RUNG,
    cython_loop.RUNG,
    numba_parallel.RUNG,
    driver.RUNG,
    fast.RUNG,
)
