"""The C library's sine and cosine, computed in place: every bit the same, without the call.

Exact precision owes the bits of the C library that Python and NumPy call. Its functions save and
restore the rounding mode, and a call in a loop makes the compiler spill everything that it has in
registers: 7 to 9 ns a call, of which the arithmetic is 2 to 6. This module does the arithmetic of
glibc (since 2.28, on CPUs that fuse a product and a sum; `sysdeps/ieee754/dbl-64/s_sin.c`, after
IBM's Accurate Mathematical Library): the angle is reduced to |a| < pi/4 or so, in two parts `a` and
`da`; the sine and cosine of the nearest multiple of 1/128 come from a table, also in two parts, and
those of the rest from short polynomials. The order of the operations and the places where products
are fused decide the last bit, so both are glibc's.

Whether the C library of this process is one that computes so is found out by its results
(`is_known`). If it is not, it is called.
"""

from __future__ import annotations

import functools
import hashlib
import math
from fractions import Fraction
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic, overload

from batchsim.compiler.lanes import FUSES, Lanes, lanewise

__all__ = ["cos", "fused_multiply_add", "is_known", "sin"]


@intrinsic
def fused_multiply_add(typing_context: Any, x: Any, y: Any, z: Any) -> Any:
    """Return x * y + z, rounded once."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    kind = types.float32 if x is types.float32 else types.float64
    return kind(kind, kind, kind), codegen


# --- The table ------------------------------------------------------------------------------------

_STEPS = 110
"""Entries for 0, 1/128, … 109/128."""
_FIXED = 200
"""Bits after the point of the fixed-point numbers that the table is computed with."""

# glibc's table is not rounded to nearest everywhere: by how many units in the last place the low
# part at these positions differs.
_NOT_NEAREST = {
    9: -1, 41: -1, 93: -39, 107: 1, 109: -1, 133: -1, 137: -1, 145: 1, 161: -2, 179: -1, 283: 1,
    301: -1, 303: 2, 319: 1, 341: -1, 361: -2, 377: 1, 429: 1,
}  # fmt: skip


def _series(x: int, term: int, power: int) -> int:
    """Sum the Taylor series of the sine or cosine of `x`, in fixed point."""
    total = 0
    while term:
        total += term
        term = -((term * x >> _FIXED) * x >> _FIXED) // ((power + 1) * (power + 2))
        power += 2
    return total


def _make_table() -> list[float]:
    """Return sine, its rest, cosine, its rest of each entry: sums of two float64 numbers."""
    table: list[float] = []
    for k in range(_STEPS):
        x = (k << _FIXED) // 128
        for value in (_series(x, x, 1), _series(x, 1 << _FIXED, 0)):
            exact = Fraction(value, 1 << _FIXED)
            high = float(exact)
            table += [high, float(exact - Fraction(high))]
    for place, units in _NOT_NEAREST.items():
        table[place] += units * math.ulp(table[place])
    return table


_TABLE = _make_table()

# --- The arithmetic -------------------------------------------------------------------------------

_TO_128THS = float.fromhex("0x1.8p45")
"""Added to a small number, it leaves that in 128ths, rounded, and their count in the low bits."""
_TO_WHOLE = float.fromhex("0x1.8p52")

_SIN_3, _SIN_5 = float.fromhex("-0x1.5555555555515p-3"), float.fromhex("0x1.11110e829872fp-7")
_COS_2, _COS_4, _COS_6 = (
    0.5,
    float.fromhex("-0x1.5555555555535p-5"),
    float.fromhex("0x1.6c16bedd9e239p-10"),
)
"""Of the rest after the table; 1 - cos, so that the signs alternate from plus."""
_TAYLOR = tuple(
    float.fromhex(text)
    for text in (
        "-0x1.addffc2fcdf59p-26",
        "0x1.71de27b9a7ed9p-19",
        "-0x1.a01a019db08b8p-13",
        "0x1.1111111110ecep-7",
        "-0x1.5555555555555p-3",
    )
)
"""Of the sine of angles below 0.126, which needs no table; the highest power first."""

_HALF_PI, _HALF_PI_LOW = math.pi / 2, float.fromhex("0x1.1a62633145c07p-54")
_TWO_OVER_PI = 2 / math.pi
_QUARTER_TURN = tuple(
    float.fromhex(text)
    for text in ("0x1.921fb58p0", "-0x1.dde973cp-27", "-0x1.cb3b398p-55", "-0x1.d747f23e32ed7p-83")
)
"""pi/2 in four parts, whose products with whole numbers are exact but for the last."""

# Where one way of reducing the angle gives way to the next: glibc compares the upper words.
_NO_REDUCTION = 0.85546875
_ONE_SUBTRACTION = float.fromhex("0x1.368fdp1")
_TOO_LARGE = float.fromhex("0x1.921fbp26")
_TAYLOR_BELOW = 0.126


def _quarter_turns(x: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """Return a, da and n: x is n quarter turns and a + da."""
    first, second, third, fourth = _QUARTER_TURN
    u = x.fused(_TWO_OVER_PI, _TO_WHOLE)
    whole = -(u - _TO_WHOLE)
    y = whole.fused(first, x)
    y = whole.fused(second, y)
    z = whole.fused(third, y)
    da = whole.fused(third, y - z)
    a = whole.fused(fourth, z)
    return a, da + whole.fused(fourth, z - a), u.bits()


def _evaluate(a: Lanes, da: Lanes, is_cos: Lanes) -> Lanes:
    """Return the sine of a + da, or the cosine where that is asked for; |a| < 0.86 and da tiny."""
    size = abs(a)
    da = (a < 0.0).choose(-da, da)
    u = size + _TO_128THS
    r = size - (u - _TO_128THS)
    sine, sine_low, cosine, cosine_low = u.bits().whole("and_", 127).rows(_TABLE, 4)
    r = is_cos.choose(r + da, r)
    square = r * r
    cube = r * square
    p = square.fused(_SIN_5, _SIN_3)
    s = is_cos.choose(cube.fused(p, r), r + cube.fused(p, da))
    q = square.fused(square.fused(_COS_6, _COS_4), _COS_2)
    c = square * q
    c = is_cos.choose(c, r.fused(da, c))
    # sin(k + r) = sin(k) cos(r) + cos(k) sin(r), cos(k + r) = cos(k) cos(r) - sin(k) sin(r)
    value = is_cos.choose(cosine, sine)
    low = is_cos.choose(cosine_low, sine_low)
    other = is_cos.choose(-sine, cosine)
    other_low = is_cos.choose(-sine_low, cosine_low)
    value = value + s.fused(other, (-c).fused(value, s.fused(other_low, low)))

    square = size * size
    t11, t9, t7, t5, t3 = _TAYLOR
    t = square.fused(t11, t9)
    t = square.fused(t, t7)
    t = square.fused(t, t5)
    t = square.fused(t, t3)
    taylor = size + square.fused(t.fused(size, da * -0.5), da)
    return is_cos.choose(value, (size < _TAYLOR_BELOW).choose(taylor, value).signed_as(a))


def _sin_body(x: Lanes) -> tuple[Lanes, Lanes]:
    size = abs(x)
    a, da, turns = _quarter_turns(x)
    small = size < _NO_REDUCTION
    large = ~(size < _ONE_SUBTRACTION)
    middle = ~(small | large)
    a = small.choose(x, middle.choose(_HALF_PI - size, a))
    da = small.choose(0.0, middle.choose(_HALF_PI_LOW, da))
    value = _evaluate(a, da, middle | (large & turns.odd()))
    value = large.choose(turns.odd(2).choose(-value, value), value.signed_as(x))
    return value, ~(size < _TOO_LARGE)


def _cos_body(x: Lanes) -> tuple[Lanes, Lanes]:
    size = abs(x)
    a, da, turns = _quarter_turns(x)
    turns = turns.whole("add", 1)
    small = size < _NO_REDUCTION
    large = ~(size < _ONE_SUBTRACTION)
    middle = ~(small | large)
    rest = _HALF_PI - size
    whole = rest + _HALF_PI_LOW
    a = small.choose(x, middle.choose(whole, a))
    da = small.choose(0.0, middle.choose((rest - whole) + _HALF_PI_LOW, da))
    value = _evaluate(a, da, small | (large & turns.odd()))
    return (large & turns.odd(2)).choose(-value, value), ~(size < _TOO_LARGE)


def sin(x):  # type: ignore[no-untyped-def]
    """The sine of `x` radians (float64): the bits of `math.sin`."""
    return math.sin(x)


def cos(x):  # type: ignore[no-untyped-def]
    """The cosine of `x` radians (float64): the bits of `math.cos`."""
    return math.cos(x)


_lanewise_sin = lanewise(sin, _sin_body)
_lanewise_cos = lanewise(cos, _cos_body)


@overload(sin)
def _overload_sin(x):  # type: ignore[no-untyped-def]
    return lambda x: _lanewise_sin(np.float64(x))


@overload(cos)
def _overload_cos(x):  # type: ignore[no-untyped-def]
    return lambda x: _lanewise_cos(np.float64(x))


# --- Which C library is it? -----------------------------------------------------------------------

# Angles whose sine or cosine is another as soon as one of the products is not fused with its sum,
# or another one is: found by trying 80 million angles for each product. The other products decide
# no bit of so many.
_TELLING = """
    0x1.a1a43541e0bc3p+1 0x1.d044f391d8317p-5 0x1.7479604b98bb3p-4 0x1.8e5b7ef0d1609p+23
    0x1.593b60874f5efp+15 0x1.57674f91bc36ep+16 0x1.5d50bd19ff9dbp+25 0x1.5f1c4070579bdp+26
    0x1.a76a13e478ecep+22 0x1.9fdf7907577cfp+25 0x1.8528a434c39aap+6 0x1.9f0da96a50f2dp+0
    0x1.4ab918b0383afp+0 0x1.cb65cc87cd627p+14 0x1.5747097e978cep+5 0x1.44672e4524feap+2
    0x1.a0656fa150661p+5 0x1.12b515ff062eep+1 0x1.7290ec8ecce9dp+1 0x1.11f5bb0401af3p+3
    0x1.7cc9cd5e4906fp+2 0x1.b4dba6505d7b3p+0 0x1.391f7370403e6p-8 0x1.23270f7618abbp+0
    0x1.c0daf3a0245aap+5 0x1.4a3eb883c3e9bp-1 0x1.b20872027f0fbp-1 0x1.35e133cb7ef0dp-1
"""
_ORDINARY = 100
_SCALES = (0.5, 2.5, 100.0, 1e6)
_FINGERPRINT = "f9871f2c6514cee6e6515a69b979eaf1914a7fc78698f504488af3a3db4e895b"


def probe() -> str:
    """Return a hash of what the C library answers to some angles of every size."""
    golden = (math.sqrt(5) - 1) / 2
    angles = [scale * (golden * k % 1.0) for scale in _SCALES for k in range(_ORDINARY)]
    angles += [float.fromhex(text) for text in _TELLING.split()]
    answers = np.array([[math.sin(angle), math.cos(angle)] for angle in angles])
    return hashlib.sha256(answers.tobytes()).hexdigest()


@functools.cache
def is_known() -> bool:
    """Tell whether the C library computes as this module does, and compiled code can do so."""
    return FUSES and probe() == _FINGERPRINT
