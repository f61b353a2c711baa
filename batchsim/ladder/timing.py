"""Times the steps of a batch: in blocks of calls, and call by call."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

from batchsim.ladder.rung import Array, Batch

__all__ = ["time_block", "time_calls", "warm_up"]


def warm_up(batch: Batch, turn: Iterator[Array], seconds: float) -> float:
    """Step for `seconds`; return the seconds that the fastest call took."""
    best = float("inf")
    end = time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        batch.step(next(turn))
        now = time.perf_counter()
        best = min(best, now - start)
        if now >= end:
            return best


def time_block(batch: Batch, turn: Iterator[Array], calls: int) -> float:
    """Return the seconds that `calls` calls took together."""
    step = batch.step
    block = itertools.islice(turn, calls)
    start = time.perf_counter()
    for action in block:
        step(action)
    return time.perf_counter() - start


def time_calls(batch: Batch, turn: Iterator[Array], calls: int) -> list[float]:
    """Return the seconds that each of `calls` calls took."""
    step = batch.step
    clock = time.perf_counter
    latencies: list[float] = []
    for action in itertools.islice(turn, calls):
        start = clock()
        step(action)
        latencies.append(clock() - start)
    return latencies
