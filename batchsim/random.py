"""Draws from row i's own stream, bit-equal to NumPy's `Generator`.

A row is bit-equal to `numpy.random.Generator(numpy.random.PCG64(numpy.random.SeedSequence(seed)))`.
The drawing functions take the streams and a row, as in `uniform(rng, i, low, high)`. Called from
Python they run as plain Python, called from Numba-compiled code they are compiled, and both give
the same bits. For values that NumPy refuses Python raises ValueError; compiled code, which cannot
raise, returns some number.

    >>> streams = allocate(num_envs=2)
    >>> seed_rows(streams, rows=[0, 1], seeds=[7, 8])
    >>> uniform(streams, 1, -1.0, 1.0) == np.random.default_rng(8).uniform(-1.0, 1.0)
    True

Definitions whose `RANDOM` is another kind of stream draw with `batchsim.random_state` or
`batchsim.python_random`.

Sources, beside those of the modules of `batchsim.streams`:
    - Bentley and Floyd, "Programming Pearls: A Sample of Brilliance", CACM 30, 1987; the shuffle is
      algorithm P in Knuth, The Art of Computer Programming 2, 3.4.2.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from batchsim.math import power
from batchsim.streams import ziggurat
from batchsim.streams.counts import binomial_count, multinomial_counts, poisson_count
from batchsim.streams.gamma import beta_share, gamma_number
from batchsim.streams.orders import shuffled, weighted
from batchsim.streams.pcg64 import Streams, allocate, bounded, fraction, fresh_seeds, seed_rows
from batchsim.streams.sizes import sized, sized_inline
from batchsim.streams.vectors import factor_of, normal_vector
from batchsim.streams.words import (
    between,
    exp,
    float64,
    int64,
    require,
    require_range,
    uint64,
)

__all__ = [
    "Streams",
    "allocate",
    "beta",
    "binomial",
    "chisquare",
    "choice",
    "choice_weighted",
    "choice_without_replacement",
    "covariance_factor",
    "exponential",
    "fresh_seeds",
    "gamma",
    "geometric",
    "gumbel",
    "integers",
    "laplace",
    "logistic",
    "lognormal",
    "multinomial",
    "multivariate_normal",
    "normal",
    "permutation",
    "poisson",
    "random",
    "rayleigh",
    "seed_rows",
    "shuffle",
    "shuffle_first",
    "standard_exponential",
    "standard_gamma",
    "standard_normal",
    "uniform",
    "weibull",
]


@sized_inline
def random(rng: Streams, i: int) -> float:
    """Return a float64 from [0, 1), drawn from row i's stream as `Generator.random()` does."""
    return fraction(rng, i)


@sized_inline
def uniform(rng: Streams, i: int, low: float, high: float) -> float:
    """Return a float64 from [low, high), drawn as `Generator.uniform(low, high)` does."""
    return between(low, high, fraction(rng, i))


@sized_inline
def integers(rng: Streams, i: int, low: int, high: int, endpoint: bool = False) -> int:
    """Return an int64 from [low, high), drawn as `Generator.integers(low, high)` does.

    With `endpoint` it is from [low, high]. `low` and `high` are integers, `high` up to 2**63 (in
    compiled code as uint64). If the range is empty, Python raises ValueError; compiled code, which
    cannot raise, returns any integer.
    """
    require_range(i, low, high, endpoint)
    span = uint64(high) - uint64(low)
    if not endpoint:
        span = uint64(span - uint64(1))
    return int64(uint64(uint64(low) + bounded(rng, i, uint64(span))))


@sized_inline
def choice(rng: Streams, i: int, n: int) -> int:
    """Return an int64 from [0, n), drawn as `Generator.choice(n)` does."""
    return integers(rng, i, 0, n)  # type: ignore[no-any-return]


@sized_inline
def choice_weighted(rng: Streams, i: int, p: npt.NDArray[np.floating]) -> int:
    """Return k with probability p[k], drawn as `Generator.choice(len(p), p=p)` does.

    `p` is (n,) float64 or float32, n > 0, not negative, with a positive sum, which need not be 1.
    """
    return weighted(rng, i, p)


@register_jitable
def choice_without_replacement(rng: Streams, i: int, n: int, out: npt.NDArray[np.integer]) -> None:
    """Write len(out) different integers from [0, n) into `out`, in random order.

    They are drawn as `Generator.choice(n, size=len(out), replace=False)` does, but in place: the
    time grows with the square of len(out). `out` is (size,), size <= n, of integers that can hold
    n - 1. If size > n, Python raises ValueError; compiled code writes any integers.
    """
    size = len(out)
    # This is where numpy changes from one method to the other, and so to other draws.
    if n > 10_000 and size > n // 50:
        _choose_by_shuffle(rng, i, n, out)
    else:
        _choose_by_floyd(rng, i, n, out)


@register_jitable
def _choose_by_floyd(rng: Streams, i: int, n: int, out: npt.NDArray[np.integer]) -> None:
    """Draw from ever larger ranges; a draw that is there already stands for the range's last."""
    size = len(out)
    for k in range(size):
        last = n - size + k
        draw = integers(rng, i, 0, last + 1)
        out[k] = draw
        for earlier in range(k):
            if out[earlier] == draw:
                out[k] = last
                break
    for k in range(size - 1, 0, -1):
        other = integers(rng, i, 0, k + 1)
        out[k], out[other] = out[other], out[k]


@register_jitable
def _choose_by_shuffle(rng: Streams, i: int, n: int, out: npt.NDArray[np.integer]) -> None:
    """Write what a shuffle of 0 ... n - 1, begun at the end, has put into its last places.

    The n integers are never stored. `out` takes the place that each of the last places was swapped
    with, and then the integer that stood there, which only the swaps before can have moved there.
    """
    size = len(out)
    first = n - size
    for k in range(size - 1, -1, -1):
        out[k] = integers(rng, i, 0, first + k + 1)
    for k in range(size):
        place = out[k]
        for before in range(k + 1, size):
            if out[before] == place:
                place = first + before
        out[k] = place


@register_jitable
def shuffle(rng: Streams, i: int, x: npt.NDArray[Any]) -> None:
    """Shuffle `x`, an (n,) array with n <= 2**32, in place as `Generator.shuffle(x)` does."""
    shuffled(rng, i, x, len(x))


@register_jitable
def shuffle_first(rng: Streams, i: int, x: npt.NDArray[Any], n: int) -> None:
    """Shuffle the first n elements of `x`, an array of one axis, as `Generator.shuffle(x[:n])`."""
    shuffled(rng, i, x, n)


@register_jitable
def permutation(rng: Streams, i: int, out: npt.NDArray[np.integer]) -> None:
    """Write the integers 0 ... n - 1 into `out`, (n,), ordered as by `Generator.permutation(n)`."""
    for k in range(len(out)):
        out[k] = k
    shuffled(rng, i, out, len(out))


# --- Normal and exponential -----------------------------------------------------------------------


@sized_inline
def standard_normal(rng: Streams, i: int) -> float:
    """Return a float64 with mean 0 and deviation 1, drawn as `Generator.standard_normal()` does."""
    return ziggurat.standard_normal(rng, i)


@sized_inline
def normal(rng: Streams, i: int, loc: float, scale: float) -> float:
    """Return a float64 with mean `loc` and deviation `scale`, drawn as `Generator.normal` does."""
    require(not scale < 0.0, i, scale, _SCALE)
    return float64(loc) + float64(scale) * ziggurat.standard_normal(rng, i)


@sized
def lognormal(rng: Streams, i: int, mean: float, sigma: float) -> float:
    """Return `exp` of a normal draw, float64, drawn as `Generator.lognormal(mean, sigma)` does."""
    require(not sigma < 0.0, i, sigma, "sigma is {}, expected at least 0")
    return exp(float64(mean) + float64(sigma) * ziggurat.standard_normal(rng, i))


@sized_inline
def standard_exponential(rng: Streams, i: int) -> float:
    """Return a float64 with mean 1, drawn as `Generator.standard_exponential()` does."""
    return ziggurat.standard_exponential(rng, i)


@sized_inline
def exponential(rng: Streams, i: int, scale: float = 1.0) -> float:
    """Return a float64 with mean `scale`, drawn as `Generator.exponential(scale)` does."""
    require(not scale < 0.0, i, scale, _SCALE)
    return float64(scale) * ziggurat.standard_exponential(rng, i)


@sized
def rayleigh(rng: Streams, i: int, scale: float = 1.0) -> float:
    """Return a float64 of mode `scale`, drawn as `Generator.rayleigh(scale)` does."""
    require(not scale < 0.0, i, scale, _SCALE)
    return float64(scale) * math.sqrt(2.0 * ziggurat.standard_exponential(rng, i))


@sized
def weibull(rng: Streams, i: int, a: float) -> float:
    """Return a float64 of shape `a` and scale 1, drawn as `Generator.weibull(a)` does."""
    require(not a < 0.0, i, a, "a is {}, expected at least 0")
    if a == 0.0:
        return 0.0
    return float64(power(ziggurat.standard_exponential(rng, i), 1.0 / float64(a)))


@register_jitable
def multivariate_normal(
    rng: Streams,
    i: int,
    mean: npt.NDArray[np.floating],
    factor: npt.NDArray[np.floating],
    out: npt.NDArray[np.floating],
) -> None:
    """Write a normal vector into `out`, as `Generator.multivariate_normal(mean, covariance)` draws.

    `mean` and `out` are (d,), `factor` is (d, d), what `covariance_factor(covariance)` returns,
    which the environment's `tables(p)` keeps; all float64. NumPy's method is its default, "svd".
    """
    normal_vector(rng, i, mean, factor, out)


def covariance_factor(covariance: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the factor (d, d) of a covariance matrix that `multivariate_normal` draws with.

    It is ordinary Python, for `tables(p)`. ValueError if the matrix is not square.
    """
    return factor_of(covariance)


# --- Gamma and beta -------------------------------------------------------------------------------


@sized
def standard_gamma(rng: Streams, i: int, shape: float) -> float:
    """Return a float64 of this shape and scale 1, drawn as `Generator.standard_gamma` does."""
    require(shape >= 0.0, i, shape, "shape is {}, expected at least 0")
    return gamma_number(rng, i, float64(shape))


@sized
def gamma(rng: Streams, i: int, shape: float, scale: float = 1.0) -> float:
    """Return a float64 of mean `shape * scale`, drawn as `Generator.gamma(shape, scale)` does."""
    require(shape >= 0.0, i, shape, "shape is {}, expected at least 0")
    require(not scale < 0.0, i, scale, _SCALE)
    return float64(scale) * gamma_number(rng, i, float64(shape))


@sized
def chisquare(rng: Streams, i: int, df: float) -> float:
    """Return a float64 of mean `df`, positive, drawn as `Generator.chisquare(df)` does."""
    require(df > 0.0, i, df, "df is {}, expected more than 0")
    return 2.0 * gamma_number(rng, i, float64(df) / 2.0)


@sized
def beta(rng: Streams, i: int, a: float, b: float) -> float:
    """Return a float64 from [0, 1], drawn as `Generator.beta(a, b)` does for positive a and b."""
    require(a > 0.0, i, a, "a is {}, expected more than 0")
    require(b > 0.0, i, b, "b is {}, expected more than 0")
    return beta_share(rng, i, float64(a), float64(b))


# --- By inversion ---------------------------------------------------------------------------------


@sized
def laplace(rng: Streams, i: int, loc: float = 0.0, scale: float = 1.0) -> float:
    """Return a float64 with mean `loc`, drawn as `Generator.laplace(loc, scale)` does."""
    require(not scale < 0.0, i, scale, _SCALE)
    while True:
        u = fraction(rng, i)
        if u >= 0.5:
            return float64(loc) - float64(scale) * math.log(2.0 - u - u)
        if u > 0.0:
            return float64(loc) + float64(scale) * math.log(u + u)


@sized
def logistic(rng: Streams, i: int, loc: float = 0.0, scale: float = 1.0) -> float:
    """Return a float64 with mean `loc`, drawn as `Generator.logistic(loc, scale)` does."""
    require(not scale < 0.0, i, scale, _SCALE)
    while True:
        u = fraction(rng, i)
        if u > 0.0:
            return float64(loc) + float64(scale) * math.log(u / (1.0 - u))


@sized
def gumbel(rng: Streams, i: int, loc: float = 0.0, scale: float = 1.0) -> float:
    """Return a float64 with mode `loc`, drawn as `Generator.gumbel(loc, scale)` does."""
    require(not scale < 0.0, i, scale, _SCALE)
    while True:
        u = 1.0 - fraction(rng, i)
        if u < 1.0:
            return float64(loc) - float64(scale) * math.log(-math.log(u))


# --- Counts ---------------------------------------------------------------------------------------


@sized
def poisson(rng: Streams, i: int, lam: float) -> int:
    """Return an int64 with mean `lam`, drawn as `Generator.poisson(lam)` does."""
    require(0.0 <= lam <= _LARGEST_MEAN, i, lam, _MEAN)
    return poisson_count(rng, i, float64(lam))


@sized
def binomial(rng: Streams, i: int, n: int, p: float) -> int:
    """Return how many of `n` trials succeed, int64, drawn as `Generator.binomial(n, p)` does."""
    require(n >= 0, i, n, _TRIALS)
    require(0.0 <= p <= 1.0, i, p, _PROBABILITY)
    return binomial_count(rng, i, int64(uint64(n)), float64(p))


@sized
def geometric(rng: Streams, i: int, p: float) -> int:
    """Return how many trials the first success takes, int64, drawn as `Generator.geometric(p)`."""
    require(0.0 < p <= 1.0, i, p, "p is {}, expected more than 0 and at most 1")
    p = float64(p)
    if p < 0.333333333333333333333333:
        trials = -ziggurat.standard_exponential(rng, i) / math.log1p(-p)
        return math.ceil(trials) if trials < 9.223372036854776e18 else 2**63 - 1
    trial = 1
    at_trial = p
    up_to = p
    u = fraction(rng, i)
    while u > up_to and at_trial > 0.0:
        at_trial *= 1.0 - p
        up_to += at_trial
        trial += 1
    return trial


@register_jitable
def multinomial(
    rng: Streams, i: int, n: int, p: npt.NDArray[np.floating], out: npt.NDArray[np.integer]
) -> None:
    """Write how often each of len(p) outcomes comes in `n` trials, as `Generator.multinomial`.

    `p` is (k,) float64, k > 0, of which all but the last, which is what is left, sum to at most 1;
    `out` is (k,), of integers that can hold n.
    """
    require(n >= 0, i, n, _TRIALS)
    multinomial_counts(rng, i, n, p, out)


_SCALE = "scale is {}, expected at least 0"
_TRIALS = "n is {}, expected at least 0"
_PROBABILITY = "p is {}, expected from 0 to 1"
_MEAN = "lam is {}, expected from 0 to 9.2e18"
_LARGEST_MEAN = 2.0**63 - 10.0 * 2.0**31.5
"""Counts of a larger mean do not fit into an int64."""
