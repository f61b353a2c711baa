"""Draws from row i's own stream, bit-equal to Python's `random.Random`.

For definitions with `RANDOM = "random.Random"`. A row is bit-equal to `random.Random(seed)`. The
functions take the streams and a row, as in `randint(rng, i, 1, 6)`, and run in Python and compiled
with the same bits. For values that Python's refuses Python raises ValueError; compiled code, which
cannot raise, returns some number.

    >>> import random as python
    >>> streams = allocate(num_envs=2)
    >>> seed_rows(streams, rows=[0, 1], seeds=[7, 8])
    >>> randint(streams, 1, 1, 6) == python.Random(8).randint(1, 6)
    True

Source: the documentation of Python's module `random`, which names the algorithms.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from batchsim.streams import mt19937
from batchsim.streams.mt19937 import PythonStreams, fraction, next32, seed_rows
from batchsim.streams.words import (
    between,
    float64,
    inlined,
    int64,
    require,
    require_range,
    uint64,
)

__all__ = [
    "PythonStreams",
    "allocate",
    "choice",
    "choice_weighted",
    "expovariate",
    "fresh_seeds",
    "gauss",
    "getrandbits",
    "normalvariate",
    "randint",
    "random",
    "randrange",
    "sample",
    "seed_rows",
    "shuffle",
    "uniform",
]


def allocate(num_envs: int) -> PythonStreams:
    """Return zeroed streams for `num_envs` environments; a row can draw once it is seeded."""
    return mt19937.allocate(PythonStreams, num_envs)  # type: ignore[no-any-return]


def fresh_seeds(n: int) -> list[int]:
    """Return `n` different seeds of 128 bits from the operating system's entropy."""
    return mt19937.fresh_seeds(PythonStreams, n)


@inlined
def random(rng: PythonStreams, i: int) -> float:
    """Return a float64 from [0, 1), drawn as `Random.random()` does."""
    return fraction(rng, i)


@inlined
def uniform(rng: PythonStreams, i: int, a: float, b: float) -> float:
    """Return a float64 from [a, b], drawn as `Random.uniform(a, b)` does."""
    return between(a, b, fraction(rng, i))


@inlined
def getrandbits(rng: PythonStreams, i: int, k: int) -> int:
    """Return an int64 of k random bits, k from 0 to 63, drawn as `Random.getrandbits(k)` does."""
    require(0 <= k <= 63, i, k, "k is {}, expected from 0 to 63 bits")
    return int64(_bits(rng, i, int64(uint64(k))))


@inlined
def _bits(rng: PythonStreams, i: int, k: int) -> int:
    """Return a word of k random bits, at most 64: the high ones of each 32, the low half first."""
    if k == 0:
        return uint64(0)
    if k <= 32:
        return next32(rng, i) >> uint64(32 - k)
    low = next32(rng, i)
    return low | (next32(rng, i) >> uint64(64 - k)) << uint64(32)


@inlined
def _below(rng: PythonStreams, i: int, n: int) -> int:
    """Return a word below another, 0 for 2**64: as many bits as that one has, until it is."""
    if n == uint64(0):
        while True:
            draw = _bits(rng, i, 64)
            if next32(rng, i) >> uint64(31) == uint64(0):
                return draw
    bits = 0
    rest = n
    while rest != uint64(0):
        rest = rest >> uint64(1)
        bits += 1
    while True:
        draw = _bits(rng, i, bits)
        if draw < n:
            return draw


@inlined
def randrange(
    rng: PythonStreams, i: int, start: int, stop: int | None = None, step: int = 1
) -> int:
    """Return an int64 of `range(start, stop, step)`, drawn as `Random.randrange` does.

    With `start` alone it is from [0, start). If the range is empty or the step 0, Python raises
    ValueError; compiled code, which cannot raise, returns any integer.
    """
    if stop is None:
        return _from_range(rng, i, 0, start)
    if step == 1:
        return _from_range(rng, i, start, stop)
    return _from_steps(rng, i, start, stop, step)


@inlined
def randint(rng: PythonStreams, i: int, a: int, b: int) -> int:
    """Return an int64 from [a, b], drawn as `Random.randint(a, b)` does."""
    require_range(i, a, b, True)
    width = uint64(uint64(b) - uint64(a) + uint64(1))
    return int64(uint64(uint64(a) + _below(rng, i, width)))


@inlined
def choice(rng: PythonStreams, i: int, n: int) -> int:
    """Return an int64 from [0, n), the place that `Random.choice(x)` takes of n elements."""
    return _from_range(rng, i, 0, n)


@inlined
def _from_range(rng: PythonStreams, i: int, low: int, high: int) -> int:
    require_range(i, low, high, False)
    width = uint64(uint64(high) - uint64(low))
    return int64(uint64(uint64(low) + _below(rng, i, width)))


@register_jitable
def _from_steps(rng: PythonStreams, i: int, start: int, stop: int, step: int) -> int:
    require(step != 0, i, step, "the step is {}, expected another")
    count = 0
    if step > 0:
        count = (stop - start + step - 1) // step
    elif step < 0:
        count = (stop - start + step + 1) // step
    require(count > 0, i, step, "the range with the step {} is empty, expected start before stop")
    if count <= 0:
        return start
    return start + step * int64(_below(rng, i, uint64(count)))


@register_jitable
def choice_weighted(rng: PythonStreams, i: int, weights: npt.NDArray[np.floating]) -> int:
    """Return k of weight weights[k], int64, drawn as `Random.choices(range(n), weights)[0]` does.

    `weights` is (n,) float64, n > 0, not negative, with a positive sum, which need not be 1.
    """
    total = 0.0
    for k in range(len(weights)):
        total += float64(weights[k])
    draw = fraction(rng, i) * total
    partial = 0.0
    for k in range(len(weights) - 1):
        partial += float64(weights[k])
        if draw < partial:
            return k
    return len(weights) - 1


@register_jitable
def shuffle(rng: PythonStreams, i: int, x: npt.NDArray[Any]) -> None:
    """Shuffle `x`, an (n,) array, in place as `Random.shuffle(x)` does."""
    for last in range(len(x) - 1, 0, -1):
        other = int64(_below(rng, i, uint64(last + 1)))
        x[last], x[other] = x[other], x[last]


@register_jitable
def sample(rng: PythonStreams, i: int, n: int, out: npt.NDArray[np.integer]) -> None:
    """Write len(out) different integers from [0, n) into `out`, as `Random.sample(range(n), k)`.

    `out` is (k,), k <= n, of integers that can hold n - 1. If k > n, Python raises ValueError;
    compiled code writes any integers. The time grows with the square of k.
    """
    size = len(out)
    require(size <= n, i, size, "a sample of {} is larger than what it is taken from")
    # Python keeps a list of what is left up to this many, else a set of what is drawn.
    most = 21
    if size > 5:
        power = math.ceil(math.log(float64(size * 3)) / math.log(4.0))
        most += 4**power
    if n <= most:
        _sample_from_list(rng, i, n, out)
        return
    for k in range(size):
        draw = int64(_below(rng, i, uint64(n)))
        earlier = 0
        while earlier < k:
            if out[earlier] == draw:
                draw = int64(_below(rng, i, uint64(n)))
                earlier = 0
            else:
                earlier += 1
        out[k] = draw


@register_jitable
def _sample_from_list(rng: PythonStreams, i: int, n: int, out: npt.NDArray[np.integer]) -> None:
    """Draw from what is left, where the last one takes the place of what is drawn.

    The list is never stored. `out` takes the places drawn, and then, the last one first, what stood
    there: what had been moved there before.
    """
    size = len(out)
    for k in range(size):
        out[k] = int64(_below(rng, i, uint64(max(n - k, 1))))
    for k in range(size - 1, -1, -1):
        place = int(out[k])
        for before in range(k - 1, -1, -1):
            if out[before] == place:
                place = n - before - 1
        out[k] = place


@register_jitable
def gauss(rng: PythonStreams, i: int, mu: float = 0.0, sigma: float = 1.0) -> float:
    """Return a float64 with mean `mu` and deviation `sigma`, drawn as `Random.gauss` does.

    They come in pairs: every second draw takes none from the stream.
    """
    value = mt19937.kept(rng, i)
    if math.isnan(value):
        turn = fraction(rng, i) * _TWO_PI
        radius = math.sqrt(-2.0 * math.log(1.0 - fraction(rng, i)))
        value = math.cos(turn) * radius
        mt19937.keep(rng, i, math.sin(turn) * radius)
    return float64(mu) + value * float64(sigma)


_TWO_PI = 2.0 * math.pi
_NORMAL_BOUND = 4.0 * math.exp(-0.5) / math.sqrt(2.0)


@register_jitable
def normalvariate(rng: PythonStreams, i: int, mu: float = 0.0, sigma: float = 1.0) -> float:
    """Return a float64 with mean `mu` and deviation `sigma`, drawn as `Random.normalvariate`.

    By Kinderman and Monahan's ratio of uniform numbers, ACM TOMS 3, 1977.
    """
    while True:
        u = fraction(rng, i)
        v = 1.0 - fraction(rng, i)
        z = _NORMAL_BOUND * (u - 0.5) / v
        if z * z / 4.0 <= -math.log(v):
            return float64(mu) + z * float64(sigma)


@register_jitable
def expovariate(rng: PythonStreams, i: int, lambd: float) -> float:
    """Return a float64 with mean 1 / `lambd`, not 0, drawn as `Random.expovariate(lambd)` does."""
    require(lambd != 0.0, i, lambd, "lambd is {}, expected another number")
    return -math.log(1.0 - fraction(rng, i)) / float64(lambd)
