"""Choices and orders, as numpy's `Generator` and `RandomState` draw them alike."""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from batchsim.streams.source import fraction, next32
from batchsim.streams.words import MASK32, float64, inlined, int64, uint64

__all__ = ["filled", "interval", "shuffled", "weighted"]


@inlined
def filled(limit: int) -> int:
    """Return the word with all bits up to the highest one of a word set."""
    mask = limit | limit >> uint64(1)
    mask |= mask >> uint64(2)
    mask |= mask >> uint64(4)
    mask |= mask >> uint64(8)
    mask |= mask >> uint64(16)
    return mask | mask >> uint64(32)


@inlined
def interval(rng: Any, i: int, last: int) -> int:
    """Return an integer from [0, last], last < 2**32, by masked rejection."""
    limit = uint64(last)
    mask = filled(limit) & uint64(MASK32)
    while True:
        draw = next32(rng, i) & mask
        if draw <= limit:
            return int64(draw)


@inlined
def weighted(rng: Any, i: int, p: npt.NDArray[np.floating]) -> int:
    """Return k with probability p[k] over the sum of p."""
    total = 0.0
    for k in range(len(p)):
        total += float64(p[k])
    draw = fraction(rng, i)
    # numpy divides each partial sum by the last and takes the first that exceeds the draw.
    partial = 0.0
    for k in range(len(p) - 1):
        partial += float64(p[k])
        if draw < partial / total:
            return k
    return len(p) - 1


@register_jitable
def shuffled(rng: Any, i: int, x: npt.NDArray[Any], count: int) -> None:
    """Shuffle the first of an array of one axis in place: algorithm P of Knuth, TAOCP 2, 3.4.2."""
    for last in range(count - 1, 0, -1):
        other = interval(rng, i, last)
        x[last], x[other] = x[other], x[last]
