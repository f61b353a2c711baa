"""Whole numbers of Poisson and binomial distributions, as numpy's generators draw them alike.

Sources:
    - Hörmann, "The Transformed Rejection Method for Generating Poisson Random Variables",
      Insurance: Mathematics and Economics 12, 1993: PTRS.
    - Kachitvichyanukul and Schmeiser, "Binomial Random Variate Generation", CACM 31, 1988: BTPE,
      whose names the variables here have.
    - Zhang and Jin, "Computation of Special Functions", 1996: the logarithm of the gamma function.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from batchsim.streams.source import fraction
from batchsim.streams.words import exp, float64, int64, log, uint64

__all__ = ["binomial_count", "multinomial_counts", "poisson_count"]

# --- Poisson --------------------------------------------------------------------------------------


@register_jitable
def poisson_count(rng: Any, i: int, lam: float) -> int:
    """Return a whole number of mean `lam`, a float64 that is not negative."""
    if lam >= 10.0:
        return _poisson_by_rejection(rng, i, lam)
    if lam == 0.0:
        return 0
    return _poisson_by_product(rng, i, lam)


@register_jitable
def _poisson_by_product(rng: Any, i: int, lam: float) -> int:
    """Count the factors from [0, 1) whose product stays above exp(-lam)."""
    least = exp(-lam)
    count = 0
    product = fraction(rng, i)
    while product > least:
        count += 1
        product *= fraction(rng, i)
    return count


@register_jitable
def _poisson_by_rejection(rng: Any, i: int, lam: float) -> int:
    """PTRS."""
    root = math.sqrt(lam)
    log_lam = math.log(lam)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    squeeze = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        u = fraction(rng, i) - 0.5
        v = fraction(rng, i)
        us = 0.5 - math.fabs(u)
        if us == 0.0:
            continue
        k = math.floor((2.0 * a / us + b) * u + lam + 0.43)
        if us >= 0.07 and v <= squeeze:
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        height = log(v) + math.log(inverse_alpha) - math.log(a / (us * us) + b)
        if height <= -lam + float64(k) * log_lam - _log_gamma(float64(k + 1)):
            return k


@register_jitable
def _log_gamma(x: float) -> float:
    """Return the logarithm of the gamma function of a positive whole number, by Stirling's series.

    The series holds from 7 on; smaller arguments are moved there, and back by the recurrence.
    """
    if x == 1.0 or x == 2.0:
        return 0.0
    steps = int(7.0 - x) if x < 7.0 else 0
    large = x + steps
    square = (1.0 / large) * (1.0 / large)
    series = -1.39243221690590e00
    for k in range(8, -1, -1):
        series = series * square + _STIRLING[k]
    found = series / large + 0.5 * _LOG_TWO_PI + (large - 0.5) * math.log(large) - large
    for _ in range(steps):
        found -= math.log(large - 1.0)
        large -= 1.0
    return found


_LOG_TWO_PI = 1.8378770664093453
_STIRLING = (
    8.333333333333333e-02,
    -2.777777777777778e-03,
    7.936507936507937e-04,
    -5.952380952380952e-04,
    8.417508417508418e-04,
    -1.917526917526918e-03,
    6.410256410256410e-03,
    -2.955065359477124e-02,
    1.796443723688307e-01,
)
"""B(2k) / (2k (2k - 1)) of the Bernoulli numbers B."""


# --- Binomial -------------------------------------------------------------------------------------


@register_jitable
def binomial_count(rng: Any, i: int, n: int, p: float) -> int:
    """Return how many of `n` trials succeed, an int64, each with the float64 probability `p`."""
    if n <= 0 or p == 0.0 or math.isnan(p):
        return 0
    if p <= 0.5:
        if p * float64(n) <= 30.0:
            return _binomial_by_inversion(rng, i, n, p)
        return _binomial_by_rejection(rng, i, n, p)
    q = 1.0 - p
    if q * float64(n) <= 30.0:
        return n - _binomial_by_inversion(rng, i, n, q)
    return n - _binomial_by_rejection(rng, i, n, q)


@register_jitable
def _binomial_by_inversion(rng: Any, i: int, n: int, p: float) -> int:
    """Search the cumulative distribution from 0 on, up to ten deviations beyond the mean."""
    q = 1.0 - p
    none = exp(float64(n) * math.log1p(-p))
    mean = float64(n) * p
    bound = int(min(float64(n), mean + 10.0 * math.sqrt(mean * q + 1.0)))
    x = 0
    at_x = none
    u = fraction(rng, i)
    while u > at_x:
        x += 1
        if x > bound:
            x = 0
            at_x = none
            u = fraction(rng, i)
        else:
            u -= at_x
            at_x = (float64(n - x + 1) * p * at_x) / (float64(x) * q)
    return x


@register_jitable
def _binomial_by_rejection(rng: Any, i: int, n: int, p: float) -> int:
    """BTPE: a triangle and a parallelogram in the middle, and exponential tails."""
    r = min(p, 1.0 - p)
    q = 1.0 - r
    trials = float64(n)
    fm = trials * r + r
    m = math.floor(fm)
    p1 = math.floor(2.195 * math.sqrt(trials * r * q) - 4.6 * q) + 0.5
    xm = float64(m) + 0.5
    xl = xm - p1
    xr = xm + p1
    c = 0.134 + 20.5 / (15.3 + float64(m))
    a = (fm - xl) / (fm - xl * r)
    left = a * (1.0 + a / 2.0)
    a = (xr - fm) / (xr * q)
    right = a * (1.0 + a / 2.0)
    p2 = p1 * (1.0 + 2.0 * c)
    p3 = p2 + c / left
    p4 = p3 + c / right
    nrq = trials * r * q
    while True:
        u = fraction(rng, i) * p4
        v = fraction(rng, i)
        if u <= p1:
            return math.floor(xm - p1 * v + u)
        if u <= p2:
            x = xl + (u - p1) / c
            v = v * c + 1.0 - math.fabs(float64(m) - x + 0.5) / p1
            if v > 1.0:
                continue
            y = math.floor(x)
        elif v == 0.0:
            continue
        elif u <= p3:
            y = math.floor(xl + math.log(v) / left)
            if y < 0:
                continue
            v = v * (u - p2) * left
        else:
            y = math.floor(xr - math.log(v) / right)
            if y > n:
                continue
            v = v * (u - p3) * right
        if _is_binomial(n, r, y, v, m, xm, nrq):
            return y


@register_jitable
def _is_binomial(n: int, r: float, y: int, v: float, m: int, xm: float, nrq: float) -> bool:
    """Tell whether v is at most the probability of y over that of the mode m."""
    q = 1.0 - r
    k = abs(y - m)
    if k <= 20 or float64(k) >= nrq / 2.0 - 1.0:
        s = r / q
        a = s * float64(n + 1)
        ratio = 1.0
        for place in range(m + 1, y + 1):
            ratio *= a / float64(place) - s
        for place in range(y + 1, m + 1):
            ratio /= a / float64(place) - s
        return v <= ratio
    far = float64(k)
    rho = (far / nrq) * ((far * (far / 3.0 + 0.625) + 0.16666666666666666) / nrq + 0.5)
    t = float64(int64(uint64(-k * k))) / (2.0 * nrq)  # In 64 bits, as numpy computes it.
    height = log(v)
    if height < t - rho:
        return True
    if height > t + rho:
        return False
    x1 = float64(y + 1)
    f1 = float64(m + 1)
    z = float64(n + 1 - m)
    w = float64(n - y + 1)
    bound = (
        xm * math.log(f1 / x1)
        + (float64(n - m) + 0.5) * math.log(z / w)
        + float64(y - m) * math.log(w * r / (x1 * q))
        + _stirling_rest(f1)
        + _stirling_rest(z)
        + _stirling_rest(x1)
        + _stirling_rest(w)
    )
    return not height > bound


@register_jitable
def _stirling_rest(x: float) -> float:
    square = x * x
    inner = 462.0 - (132.0 - (99.0 - 140.0 / square) / square) / square
    return (13680.0 - inner / square) / x / 166320.0


@register_jitable
def multinomial_counts(
    rng: Any, i: int, n: int, p: npt.NDArray[np.floating], out: npt.NDArray[np.integer]
) -> None:
    """Write how many of `n` trials have each of the outcomes of probabilities `p`, (k,)."""
    remaining = 1.0
    left = int64(uint64(n))
    last = len(p) - 1
    for k in range(len(p)):
        out[k] = 0
    for k in range(last):
        if left <= 0:
            break
        count = binomial_count(rng, i, left, float64(p[k]) / remaining)
        out[k] = count
        left -= count
        remaining -= float64(p[k])
    if left > 0:
        out[last] = left
