"""Normal and exponential draws by the ziggurat, as numpy's `Generator` draws them.

A ziggurat covers the area below a curve by strips of equal area, of which strip 1 is the narrowest,
at the top, and strip 0 the base with the tail beyond.

Source: Marsaglia and Tsang, "The Ziggurat Method for Generating Random Variables", JSS 5, 2000.
"""

import decimal
import functools
import math
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba.extending import overload, register_jitable

from batchsim.streams.pcg64 import Streams, fraction, next64
from batchsim.streams.words import float64, inlined, uint64

__all__ = ["standard_exponential", "standard_normal"]

_STRIPS = 256


class Ziggurat(NamedTuple):
    """The tables; a height is the curve's at the strip's width, and 1 for strip 0."""

    scale: npt.NDArray[np.float64]
    """The strips' widths, over how many magnitudes a draw has."""
    inside: npt.NDArray[np.uint64]
    """The magnitudes that lie within the strip above."""
    height: npt.NDArray[np.float64]


# --- Normal draws ---------------------------------------------------------------------------------

_NORMAL_TAIL = 3.6541528853610088
# Typed in, as numpy's tables follow from this one: the correctly rounded area is 4 doubles above.
_NORMAL_AREA = 0.0049286732339746519


@functools.cache
def normal_ziggurat() -> Ziggurat:
    """Return the tables for exp(-x**2 / 2), x >= 0, and 52 bits of magnitude.

    Each width follows from the next one in double precision: to have numpy's bits, every rounding
    must be numpy's.
    """
    width = np.zeros(_STRIPS)
    height = np.ones(_STRIPS)
    width[-1] = _NORMAL_TAIL
    # Decimal rounds exp and ln correctly, where those of the C library depend on the platform.
    with decimal.localcontext() as context:
        context.prec = 25
        for k in range(_STRIPS - 1, 0, -1):
            height[k] = Decimal(-0.5 * width[k] * width[k]).exp()
            if k == 38:
                # The one value that numpy's tables have rounded up, from 0.498 of the last place.
                height[k] = np.nextafter(height[k], 1.0)
            if k > 1:
                above = Decimal(height[k] + _NORMAL_AREA / width[k])
                width[k - 1] = math.sqrt(-2.0 * float(above.ln()))
    base = _NORMAL_AREA / height[-1]
    inside = np.append(_NORMAL_TAIL / base, width[:-1] / width[1:]) * 2.0**52
    scale = np.append(base, width[1:]) / 2.0**52
    return Ziggurat(scale, np.rint(inside).astype(np.uint64), height)


def _column(tables: Any, name: str) -> Any:
    """Return a function that looks a strip up, for which the tables are made when it is needed."""

    def look_up(strip: int) -> Any:
        return getattr(tables(), name)[strip]

    @overload(look_up, jit_options={"forceinline": True})
    def compiled(strip):  # type: ignore[no-untyped-def]
        values = getattr(tables(), name)
        return lambda strip: values[strip]

    return look_up


_normal_scale = _column(normal_ziggurat, "scale")
_normal_inside = _column(normal_ziggurat, "inside")
_normal_height = _column(normal_ziggurat, "height")


@inlined
def standard_normal(rng: Streams, i: int) -> float:
    """Return a float64 with mean 0 and deviation 1."""
    while True:
        word = next64(rng, i)
        strip = word & uint64(_STRIPS - 1)
        magnitude = word >> uint64(9) & uint64(2**52 - 1)
        x = float64(magnitude) * float64(_normal_scale(strip))
        if word & uint64(1 << 8):
            x = -x
        if magnitude < _normal_inside(strip):
            return x
        if strip == 0:
            return _normal_tail(rng, i, magnitude)
        bottom = float64(_normal_height(strip))
        top = float64(_normal_height(strip - uint64(1)))
        if (top - bottom) * fraction(rng, i) + bottom < math.exp(-0.5 * x * x):
            return x


@register_jitable
def _normal_tail(rng: Streams, i: int, magnitude: int) -> float:
    """Draw from beyond the base strip, by Marsaglia's method."""
    while True:
        beyond = -(1.0 / _NORMAL_TAIL) * math.log1p(-fraction(rng, i))
        y = -math.log1p(-fraction(rng, i))
        if y + y > beyond * beyond:
            # numpy reads the sign from a bit of the magnitude here.
            negative = magnitude & uint64(1 << 8)
            return -(_NORMAL_TAIL + beyond) if negative else _NORMAL_TAIL + beyond


# --- Exponential draws ----------------------------------------------------------------------------

_EXPONENTIAL_TAIL = 7.69711747013104972
_EXACT_TAIL = "7.697117470131049714044628048"
"""Where 255 strips of the area of the base and its tail reach up to 1."""


@functools.cache
def exponential_ziggurat() -> Ziggurat:
    """Return the tables for exp(-x), x >= 0, and 53 bits of magnitude."""
    with decimal.localcontext() as context:
        context.prec = 25
        tail = Decimal(_EXACT_TAIL)
        width, height = [tail], [(-tail).exp()]
        area = (tail + 1) * height[0]
        while len(width) < _STRIPS - 1:
            height.append(height[-1] + area / width[-1])
            width.append(-height[-1].ln())
        width = [*width, Decimal(0)][::-1]
        height = [*height, Decimal(1)][::-1]
        base = tail + 1
        shares = [tail / base, *(width[k - 1] / width[k] for k in range(1, _STRIPS))]
        # numpy's are of 52 bits, doubled.
        inside = [2 * int(share * 2**52) for share in shares]
    scale = np.array([base, *width[1:]], np.float64) / 2.0**53
    return Ziggurat(scale, np.array(inside, np.uint64), np.array(height, np.float64))


_exponential_scale = _column(exponential_ziggurat, "scale")
_exponential_inside = _column(exponential_ziggurat, "inside")
_exponential_height = _column(exponential_ziggurat, "height")


@inlined
def standard_exponential(rng: Streams, i: int) -> float:
    """Return a float64 with mean 1."""
    while True:
        word = next64(rng, i) >> uint64(3)
        strip = word & uint64(_STRIPS - 1)
        magnitude = word >> uint64(8)
        x = float64(magnitude) * float64(_exponential_scale(strip))
        if magnitude < _exponential_inside(strip):
            return x
        if strip == 0:
            return _EXPONENTIAL_TAIL - math.log1p(-fraction(rng, i))
        bottom = float64(_exponential_height(strip))
        top = float64(_exponential_height(strip - uint64(1)))
        if (top - bottom) * fraction(rng, i) + bottom < math.exp(-x):
            return x
