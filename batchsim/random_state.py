"""Draws from row i's own stream, bit-equal to NumPy's legacy `RandomState`.

For definitions with `RANDOM = "numpy.random.RandomState"`. A row is bit-equal to
`numpy.random.RandomState(seed)`; seeds are below 2**32. The functions take the streams and a row,
as in `randint(rng, i, 6)`, and run in Python and compiled with the same bits. For values that NumPy
refuses Python raises ValueError; compiled code, which cannot raise, returns some number.

    >>> streams = allocate(num_envs=2)
    >>> seed_rows(streams, rows=[0, 1], seeds=[7, 8])
    >>> randint(streams, 1, 1, 7) == np.random.RandomState(8).randint(1, 7)
    True

Sources are those of the modules of `batchsim.streams`.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from batchsim.streams import mt19937
from batchsim.streams.counts import binomial_count, multinomial_counts, poisson_count
from batchsim.streams.gamma import gamma_number, old_beta_share
from batchsim.streams.mt19937 import RandomStateStreams, fraction, next32, next64, seed_rows
from batchsim.streams.orders import filled, first_shuffled, shuffled, weighted
from batchsim.streams.sizes import sized, sized_inline
from batchsim.streams.words import (
    MASK32,
    MASK64,
    between,
    exp,
    float64,
    inlined,
    int64,
    require,
    require_range,
    uint64,
)

__all__ = [
    "RandomStateStreams",
    "allocate",
    "beta",
    "binomial",
    "chisquare",
    "choice",
    "choice_weighted",
    "choice_without_replacement",
    "exponential",
    "fresh_seeds",
    "gamma",
    "lognormal",
    "multinomial",
    "normal",
    "permutation",
    "poisson",
    "rand",
    "randint",
    "randn",
    "random",
    "random_sample",
    "seed_rows",
    "shuffle",
    "standard_exponential",
    "standard_gamma",
    "standard_normal",
    "uniform",
]


def allocate(num_envs: int) -> RandomStateStreams:
    """Return zeroed streams for `num_envs` environments; a row can draw once it is seeded."""
    return mt19937.allocate(RandomStateStreams, num_envs)  # type: ignore[no-any-return]


def fresh_seeds(n: int) -> list[int]:
    """Return `n` different seeds of 32 bits from the operating system's entropy."""
    return mt19937.fresh_seeds(RandomStateStreams, n)


@sized_inline
def random_sample(rng: RandomStateStreams, i: int) -> float:
    """Return a float64 from [0, 1), drawn as `RandomState.random_sample()` does."""
    return fraction(rng, i)


@sized_inline
def random(rng: RandomStateStreams, i: int) -> float:
    """Return a float64 from [0, 1), drawn as `RandomState.random()` does."""
    return fraction(rng, i)


@inlined
def rand(rng: RandomStateStreams, i: int) -> float:
    """Return a float64 from [0, 1), drawn as `RandomState.rand()` does."""
    return fraction(rng, i)


@sized_inline
def uniform(rng: RandomStateStreams, i: int, low: float = 0.0, high: float = 1.0) -> float:
    """Return a float64 from [low, high), drawn as `RandomState.uniform(low, high)` does."""
    return between(low, high, fraction(rng, i))


@sized_inline
def randint(rng: RandomStateStreams, i: int, low: int, high: int | None = None) -> int:
    """Return an int64 from [low, high), or from [0, low) without `high`, as `RandomState.randint`.

    If the range is empty, Python raises ValueError; compiled code, which cannot raise, returns any
    integer.
    """
    if high is None:
        return _from_range(rng, i, 0, low)
    return _from_range(rng, i, low, high)


@inlined
def _from_range(rng: RandomStateStreams, i: int, low: int, high: int) -> int:
    require_range(i, low, high, False)
    span = uint64(uint64(high) - uint64(1) - uint64(low))
    return int64(uint64(uint64(low) + _bounded(rng, i, span)))


@inlined
def _bounded(rng: RandomStateStreams, i: int, span: int) -> int:
    """Return an integer from [0, span], both words, by masked rejection."""
    if span == 0:
        return uint64(0)
    if span == uint64(MASK64):
        return next64(rng, i)
    mask = filled(span)
    while True:
        draw = next32(rng, i) & mask if span <= uint64(MASK32) else next64(rng, i) & mask
        if draw <= span:
            return draw


@sized_inline
def choice(rng: RandomStateStreams, i: int, n: int) -> int:
    """Return an int64 from [0, n), drawn as `RandomState.choice(n)` does."""
    return _from_range(rng, i, 0, n)


@sized_inline
def choice_weighted(rng: RandomStateStreams, i: int, p: npt.NDArray[np.floating]) -> int:
    """Return k with probability p[k], drawn as `RandomState.choice(len(p), p=p)` does.

    `p` is (n,) float64 or float32, n > 0, not negative, with a positive sum, which need not be 1.
    """
    return weighted(rng, i, p)


@register_jitable
def choice_without_replacement(
    rng: RandomStateStreams, i: int, n: int, out: npt.NDArray[np.integer]
) -> None:
    """Write len(out) different integers from [0, n) into `out`, in random order.

    They are drawn as `RandomState.choice(n, size=len(out), replace=False)` does, which shuffles all
    n. `out` is (size,), size <= n, of integers that can hold n - 1. If size > n, Python raises
    ValueError; compiled code writes any integers. It keeps 8 n bytes on the stack.
    """
    size = len(out)
    require(size <= n, i, size, "a sample of {} is larger than what it is taken from")
    first_shuffled(rng, i, n, out)


@register_jitable
def shuffle(rng: RandomStateStreams, i: int, x: npt.NDArray[Any]) -> None:
    """Shuffle `x`, an (n,) array with n <= 2**32, in place as `RandomState.shuffle(x)` does."""
    shuffled(rng, i, x, len(x))


@register_jitable
def permutation(rng: RandomStateStreams, i: int, out: npt.NDArray[np.integer]) -> None:
    """Write 0 ... n - 1 into `out`, (n,), ordered as by `RandomState.permutation(n)`."""
    for k in range(len(out)):
        out[k] = k
    shuffled(rng, i, out, len(out))


@sized
def standard_normal(rng: RandomStateStreams, i: int) -> float:
    """Return a float64 with mean 0 and deviation 1, as `RandomState.standard_normal()` does.

    They come in pairs: every second draw takes none from the stream.
    """
    return mt19937.standard_normal(rng, i)


@register_jitable
def randn(rng: RandomStateStreams, i: int) -> float:
    """Return a float64 with mean 0 and deviation 1, drawn as `RandomState.randn()` does."""
    return mt19937.standard_normal(rng, i)


@sized
def normal(rng: RandomStateStreams, i: int, loc: float = 0.0, scale: float = 1.0) -> float:
    """Return a float64 with mean `loc` and deviation `scale`, drawn as `RandomState.normal`."""
    require(not scale < 0.0, i, scale, "scale is {}, expected at least 0")
    return float64(loc) + float64(scale) * mt19937.standard_normal(rng, i)


@sized
def standard_exponential(rng: RandomStateStreams, i: int) -> float:
    """Return a float64 with mean 1, drawn as `RandomState.standard_exponential()` does."""
    return mt19937.standard_exponential(rng, i)


@sized
def exponential(rng: RandomStateStreams, i: int, scale: float = 1.0) -> float:
    """Return a float64 with mean `scale`, drawn as `RandomState.exponential(scale)` does."""
    require(not scale < 0.0, i, scale, "scale is {}, expected at least 0")
    return float64(scale) * mt19937.standard_exponential(rng, i)


@sized
def lognormal(rng: RandomStateStreams, i: int, mean: float = 0.0, sigma: float = 1.0) -> float:
    """Return `exp` of a normal draw, float64, drawn as `RandomState.lognormal(mean, sigma)`."""
    require(not sigma < 0.0, i, sigma, "sigma is {}, expected at least 0")
    return exp(float64(mean) + float64(sigma) * mt19937.standard_normal(rng, i))


@sized
def standard_gamma(rng: RandomStateStreams, i: int, shape: float) -> float:
    """Return a float64 of this shape and scale 1, drawn as `RandomState.standard_gamma` does."""
    require(shape >= 0.0, i, shape, "shape is {}, expected at least 0")
    return gamma_number(rng, i, float64(shape))


@sized
def gamma(rng: RandomStateStreams, i: int, shape: float, scale: float = 1.0) -> float:
    """Return a float64 of mean `shape * scale`, drawn as `RandomState.gamma(shape, scale)` does."""
    require(shape >= 0.0, i, shape, "shape is {}, expected at least 0")
    require(not scale < 0.0, i, scale, "scale is {}, expected at least 0")
    return float64(scale) * gamma_number(rng, i, float64(shape))


@sized
def chisquare(rng: RandomStateStreams, i: int, df: float) -> float:
    """Return a float64 of mean `df`, positive, drawn as `RandomState.chisquare(df)` does."""
    require(df > 0.0, i, df, "df is {}, expected more than 0")
    return 2.0 * gamma_number(rng, i, float64(df) / 2.0)


@sized
def beta(rng: RandomStateStreams, i: int, a: float, b: float) -> float:
    """Return a float64 from [0, 1], drawn as `RandomState.beta(a, b)` does for positive a and b."""
    require(a > 0.0, i, a, "a is {}, expected more than 0")
    require(b > 0.0, i, b, "b is {}, expected more than 0")
    return old_beta_share(rng, i, float64(a), float64(b))


@sized
def poisson(rng: RandomStateStreams, i: int, lam: float) -> int:
    """Return an int64 with mean `lam`, drawn as `RandomState.poisson(lam)` does."""
    require(0.0 <= lam <= 9.2e18, i, lam, "lam is {}, expected from 0 to 9.2e18")
    return poisson_count(rng, i, float64(lam))


@sized
def binomial(rng: RandomStateStreams, i: int, n: int, p: float) -> int:
    """Return how many of `n` trials succeed, int64, drawn as `RandomState.binomial(n, p)` does."""
    require(n >= 0, i, n, "n is {}, expected at least 0")
    require(0.0 <= p <= 1.0, i, p, "p is {}, expected from 0 to 1")
    return binomial_count(rng, i, int64(uint64(n)), float64(p))


@register_jitable
def multinomial(
    rng: RandomStateStreams,
    i: int,
    n: int,
    p: npt.NDArray[np.floating],
    out: npt.NDArray[np.integer],
) -> None:
    """Write how often each of len(p) outcomes comes in `n` trials, as `RandomState.multinomial`.

    `p` is (k,) float64, k > 0, of which all but the last, which is what is left, sum to at most 1;
    `out` is (k,), of integers that can hold n.
    """
    require(n >= 0, i, n, "n is {}, expected at least 0")
    multinomial_counts(rng, i, n, p, out)
