"""Gamma and beta draws, as numpy's `Generator` and `RandomState` draw them.

Sources:
    - Marsaglia and Tsang, "A Simple Method for Generating Gamma Variables", ACM TOMS 26, 2000.
    - Ahrens and Dieter, "Computer Methods for Sampling from Gamma, Beta, Poisson and Binomial
      Distributions", Computing 12, 1974: shapes below 1, with Best's improvement of 1983.
    - Jöhnk, "Erzeugung von betaverteilten und gammaverteilten Zufallszahlen", Metrika 8, 1964.
"""

import math
from typing import Any

from numba.extending import register_jitable

from batchsim.math import power
from batchsim.streams.source import fraction, standard_exponential, standard_normal
from batchsim.streams.words import float64, log

__all__ = ["beta_share", "gamma_number", "old_beta_share"]


@register_jitable
def gamma_number(rng: Any, i: int, shape: float) -> float:
    """Return a float64 of this shape, float64, and scale 1."""
    if shape == 1.0:
        return standard_exponential(rng, i)
    if not shape > 0.0:
        return 0.0
    if shape < 1.0:
        return _gamma_below_1(rng, i, shape)
    b = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * b)
    while True:
        x = standard_normal(rng, i)
        v = 1.0 + c * x
        if v <= 0.0:
            continue
        v = v * v * v
        u = fraction(rng, i)
        if u < 1.0 - 0.0331 * (x * x) * (x * x):
            return b * v
        if log(u) < 0.5 * x * x + b * (1.0 - v + math.log(v)):
            return b * v


@register_jitable
def _gamma_below_1(rng: Any, i: int, shape: float) -> float:
    while True:
        u = fraction(rng, i)
        v = standard_exponential(rng, i)
        if u <= 1.0 - shape:
            x = float64(power(u, 1.0 / shape))
            if x <= v:
                return x
        else:
            y = -log((1.0 - u) / shape)
            x = float64(power(1.0 - shape + shape * y, 1.0 / shape))
            if x <= v + y:
                return x


_TINY = 3e-103
"""Below this, powers of fractions are 0 but for a chance that no stream meets."""


@register_jitable
def beta_share(rng: Any, i: int, a: float, b: float) -> float:
    """Return a float64 from [0, 1] of the beta distribution of two positive float64 numbers."""
    if not (a > 0.0 and b > 0.0):
        return math.nan
    if a > 1.0 or b > 1.0:
        x = gamma_number(rng, i, a)
        y = gamma_number(rng, i, b)
        return x / (x + y)
    if a < _TINY and b < _TINY:
        return 1.0 if (a + b) * fraction(rng, i) < a else 0.0
    while True:
        u = fraction(rng, i)
        v = fraction(rng, i)
        x = float64(power(u, 1.0 / a))
        y = float64(power(v, 1.0 / b))
        if x + y <= 1.0 and u + v > 0.0:
            if x > 0.0 and y > 0.0:
                return x / (x + y)
            # Both powers may be too small for a float64, their quotient is not.
            difference = log(u) / a - log(v) / b
            if difference > 0.0:
                return math.exp(-math.log1p(math.exp(-difference)))
            return math.exp(difference - math.log1p(math.exp(difference)))


@register_jitable
def old_beta_share(rng: Any, i: int, a: float, b: float) -> float:
    """Return what `beta_share` does as `RandomState` draws it: sums of powers that are too small
    are told by another rule, and very small numbers by none.
    """
    if not (a > 0.0 and b > 0.0):
        return math.nan
    if a > 1.0 or b > 1.0:
        x = gamma_number(rng, i, a)
        y = gamma_number(rng, i, b)
        return x / (x + y)
    while True:
        u = fraction(rng, i)
        v = fraction(rng, i)
        x = float64(power(u, 1.0 / a))
        y = float64(power(v, 1.0 / b))
        if x + y <= 1.0:
            if x + y > 0.0:
                return x / (x + y)
            one = log(u) / a
            other = log(v) / b
            larger = max(one, other)
            one -= larger
            other -= larger
            return math.exp(one - log(math.exp(one) + math.exp(other)))
