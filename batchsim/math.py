"""Scalar functions that environments call, once by `exact` and once by `fast` precision.

Environments import the names without underscore. In `exact` precision they are the functions of the
C library, the same that NumPy and Gymnasium call, so that every bit agrees. In `fast` precision the
compiler binds the float32 polynomials of this module in their place (`FAST`): they contain no call
and no branch, so that LLVM turns a loop over rows into vector instructions.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload, register_jitable

__all__ = ["cos", "cos32", "pi", "power", "sin", "sin32", "wrap_angle", "wrap_turns"]

pi = math.pi
sin = math.sin
cos = math.cos


# --- Exact: the C library's results, computed without calling it where that is certain ---------


@intrinsic
def _call_pow(typing_context: Any, x: Any, y: Any) -> Any:
    # LLVM replaces pow(x, 2.0) by x * x, which is not what the C library returns: about one result
    # in a thousand differs in the last bit. "nobuiltin" keeps the call.
    if x not in (types.float32, types.float64):
        return None

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = context.get_value_type(x)
        name = "powf" if x is types.float32 else "pow"
        function = builder.module.globals.get(name)
        if function is None:
            function = ir.Function(builder.module, ir.FunctionType(kind, [kind, kind]), name)
            function.attributes.add("nobuiltin")
        return builder.call(function, arguments)

    return x(x, x), codegen


@intrinsic
def _fused_multiply_add(typing_context: Any, x: Any, y: Any, z: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    kind = types.float32 if x is types.float32 else types.float64
    return kind(kind, kind, kind), codegen


# glibc documents errors of pow below 0.55 units in the last place, so that its result can differ
# from the correctly rounded one only where the true value lies that near to the middle between
# two numbers. Other C libraries promise less, and are called.
_POW_IS_TIGHT = platform.libc_ver()[0] == "glibc"


def _power(x, y):  # type: ignore[no-untyped-def]
    return x**y


@overload(_power)
def _overload_power(x, y):  # type: ignore[no-untyped-def]
    if x is not types.float64 or not _POW_IS_TIGHT:
        return lambda x, y: _call_pow(x, y)

    def power_unless_a_clear_square(x, y):  # type: ignore[no-untyped-def]
        if y == 2.0:
            square = x * x
            rest = _fused_multiply_add(x, x, -square)  # x * x is exactly square + rest.
            # Adding a little more than the rest changes nothing: the true value lies closer to
            # `square` than to the middle by 0.045 units. Not so for overflow, underflow and NaN.
            if square > 1e-290 and square + 1.1 * rest == square:
                return square
        return _call_pow(x, y)

    return power_unless_a_clear_square


@register_jitable
def power(x: Any, y: Any) -> Any:
    """`x ** y` as NumPy computes it for floating-point scalars: the C library's `pow`.

    Args:
        x: float32 or float64 scalar; the result has its type.
        y: scalar exponent of the same type.

    Note that `power(x, 2.0)` and `x * x` differ in the last bit about once in a thousand values;
    write whichever the original environment writes (`**` here, `np.square` as `x * x`).
    """
    return _power(x, y)


def _modulo(x, y):  # type: ignore[no-untyped-def]
    return x % y


@overload(_modulo)
def _overload_modulo(x, y):  # type: ignore[no-untyped-def]
    def modulo_by_fused_remainder(x, y):  # type: ignore[no-untyped-def]
        # The remainder of floating-point numbers is always a floating-point number, so that one
        # rounding at the end gives it exactly, if the quotient is right. Rounding can have
        # carried the quotient one too far from zero, which shows in the remainder's sign.
        quotient = np.trunc(x / y)
        if not abs(quotient) < 2.0**52:
            return x % y
        rest = _fused_multiply_add(-quotient, y, x)
        if x > 0.0 and rest < 0.0:
            rest = _fused_multiply_add(1.0 - quotient, y, x)
        elif x < 0.0 and rest > 0.0:
            rest = _fused_multiply_add(-1.0 - quotient, y, x)
        if rest < 0.0:
            rest += y
        elif rest == 0.0:
            rest = 0.0
        return rest

    return modulo_by_fused_remainder


@register_jitable
def wrap_angle(angle: float) -> float:
    """`angle` in radians, moved by whole turns into [-pi, pi): `(angle + pi) % (2 pi) - pi`."""
    wrapped: float = _modulo(angle + pi, 2 * pi) - pi
    return wrapped


_FARTHEST = 1e9


@register_jitable
def wrap_turns(angle: float) -> float:
    """`angle` in radians, moved into [-pi, pi] by adding or subtracting 2 pi again and again.

    Returns NaN for angles beyond 1e9, for which that would take seconds, or no end.
    """
    if abs(angle) > _FARTHEST:
        return math.nan
    while angle > pi:
        angle = angle - 2 * pi
    while angle < -pi:
        angle = angle + 2 * pi
    return angle


# NumPy has its own sine and cosine of float32 numbers, where the CPU can fuse a product and a sum:
# polynomials after the angle was reduced to a quarter turn around zero. Elsewhere it calls the C
# library, whose results are those of float64, rounded.
_PROBES = np.linspace(-3.0, 3.0, 1000, dtype=np.float32)
_NUMPY_HAS_POLYNOMIALS = bool(
    (np.cos(_PROBES) != np.cos(_PROBES.astype(np.float64)).astype(np.float32)).any()
)

_TO_QUADRANTS = np.float32(float.fromhex("0x1.45f306p-1"))  # 2 / pi
# Pi over two in three parts.
_QUARTER_TURN = tuple(
    np.float32(float.fromhex(part)) for part in ("0x1.921fb0p0", "0x1.5110b4p-22", "0x1.846988p-48")
)
# Added to a float32 number and subtracted again, it leaves the nearest whole number.
_ROUNDER = np.float32(1.5 * 2**23)
# Coefficients of the highest powers come first.
_NUMPY_SIN = tuple(
    np.float32(float.fromhex(coefficient))
    for coefficient in ("0x1.7d3bbcp-19", "-0x1.a06bbap-13", "0x1.11119ap-7", "-0x1.555556p-3")
)
_NUMPY_COS = tuple(
    np.float32(float.fromhex(coefficient))
    for coefficient in ("0x1.98e616p-16", "-0x1.6c06dcp-10", "0x1.55553cp-5", "-0x1p-1", "0x1p0")
)
# Up to these angles the reduction is accurate enough; NumPy calls the C library beyond them.
_NUMPY_SIN_LIMIT = np.float32(117435.992)
_NUMPY_COS_LIMIT = np.float32(71476.0625)


@register_jitable
def _numpy_sin_of_quadrant(angle, offset):  # type: ignore[no-untyped-def]
    """The sine of `angle` and `offset` quarter turns, as NumPy's float32 loop computes it."""
    quadrant = _fused_multiply_add(angle, _TO_QUADRANTS, _ROUNDER) - _ROUNDER
    high, middle, low = _QUARTER_TURN
    r = _fused_multiply_add(-quadrant, high, angle)
    r = _fused_multiply_add(-quadrant, middle, r)
    r = _fused_multiply_add(-quadrant, low, r)
    square = r * r
    c8, c6, c4, c2, c0 = _NUMPY_COS
    cosine = _fused_multiply_add(c8, square, c6)
    cosine = _fused_multiply_add(cosine, square, c4)
    cosine = _fused_multiply_add(cosine, square, c2)
    cosine = _fused_multiply_add(cosine, square, c0)
    s9, s7, s5, s3 = _NUMPY_SIN
    sine = _fused_multiply_add(s9, square, s7)
    sine = _fused_multiply_add(sine, square, s5)
    sine = _fused_multiply_add(sine, square, s3)
    sine = _fused_multiply_add(sine * square, r, r)
    turn = np.int32(quadrant) + offset
    value = cosine if turn & np.int32(1) else sine
    return -value if turn & np.int32(2) else value


def _sin32(angle):  # type: ignore[no-untyped-def]
    return np.sin(angle)


def _cos32(angle):  # type: ignore[no-untyped-def]
    return np.cos(angle)


@overload(_sin32)
def _overload_sin32(angle):  # type: ignore[no-untyped-def]
    if not _NUMPY_HAS_POLYNOMIALS:
        return lambda angle: math.sin(angle)

    def numpys_sin(angle):  # type: ignore[no-untyped-def]
        if angle == np.float32(0.0):
            return angle  # of either sign
        if abs(angle) <= _NUMPY_SIN_LIMIT:
            return _numpy_sin_of_quadrant(angle, np.int32(0))
        return np.float32(math.sin(angle))

    return numpys_sin


@overload(_cos32)
def _overload_cos32(angle):  # type: ignore[no-untyped-def]
    if not _NUMPY_HAS_POLYNOMIALS:
        return lambda angle: math.cos(angle)

    def numpys_cos(angle):  # type: ignore[no-untyped-def]
        if abs(angle) <= _NUMPY_COS_LIMIT:
            return _numpy_sin_of_quadrant(angle, np.int32(1))
        return np.float32(math.cos(angle))

    return numpys_cos


@register_jitable
def sin32(angle: Any) -> Any:
    """The sine of an angle in radians as NumPy computes it for float32: `np.sin(np.float32(x))`."""
    return _sin32(np.float32(angle))


@register_jitable
def cos32(angle: Any) -> Any:
    """The cosine of an angle in radians as NumPy computes it for float32."""
    return _cos32(np.float32(angle))


# --- Fast: float32 polynomials --------------------------------------------------------------------

# Two over pi, and pi over two in three parts whose products with a small whole number are exact in
# float32 (Cody and Waite's reduction). Valid for angles up to about 10,000 radians.
_TWO_OVER_PI = np.float32(2 / math.pi)
_HALF_PI_HIGH = np.float32(1.5703125)
_HALF_PI_MIDDLE = np.float32(4.837512969970703125e-4)
_HALF_PI_LOW = np.float32(math.pi / 2 - 1.5703125 - 4.837512969970703125e-4)
_HALF = np.float32(0.5)
_ONE = np.int32(1)
_TWO = np.int32(2)
_FLOAT_ONE = np.float32(1.0)

# Taylor coefficients are enough on [-pi/4, pi/4]: the first term left out is below 2e-9.
_SIN_3 = np.float32(-1 / 6)
_SIN_5 = np.float32(1 / 120)
_SIN_7 = np.float32(-1 / 5040)
_SIN_9 = np.float32(1 / 362880)
_COS_2 = np.float32(-1 / 2)
_COS_4 = np.float32(1 / 24)
_COS_6 = np.float32(-1 / 720)
_COS_8 = np.float32(1 / 40320)


@register_jitable
def _quadrant(angle: Any) -> Any:
    """The nearest multiple of pi/2 to `angle` (float32), as a float32 whole number."""
    return np.float32(math.floor(angle * _TWO_OVER_PI + _HALF))


@register_jitable
def _remainder(angle: Any, quadrant: Any) -> Any:
    return ((angle - quadrant * _HALF_PI_HIGH) - quadrant * _HALF_PI_MIDDLE) - (
        quadrant * _HALF_PI_LOW
    )


@register_jitable
def _sin_polynomial(r: Any) -> Any:
    square = r * r
    return r + r * square * (_SIN_3 + square * (_SIN_5 + square * (_SIN_7 + square * _SIN_9)))


@register_jitable
def _cos_polynomial(r: Any) -> Any:
    square = r * r
    return _FLOAT_ONE + square * (_COS_2 + square * (_COS_4 + square * (_COS_6 + square * _COS_8)))


@register_jitable
def _fast_sin(angle: Any) -> Any:
    angle = np.float32(angle)
    quadrant = _quadrant(angle)
    turn = np.int32(quadrant)
    r = _remainder(angle, quadrant)
    value = _cos_polynomial(r) if turn & _ONE else _sin_polynomial(r)
    return -value if turn & _TWO else value


@register_jitable
def _fast_cos(angle: Any) -> Any:
    angle = np.float32(angle)
    quadrant = _quadrant(angle)
    turn = np.int32(quadrant)
    r = _remainder(angle, quadrant)
    value = _sin_polynomial(r) if turn & _ONE else _cos_polynomial(r)
    return -value if (turn + _ONE) & _TWO else value


_TURNS_OVER_RADIANS = np.float32(0.5 / math.pi)
_FOUR = np.float32(4.0)
_FLOAT_TWO = np.float32(2.0)


@register_jitable
def _fast_wrap_angle(angle: Any) -> Any:
    # Subtracting whole turns in parts keeps the result as accurate as the angle itself.
    angle = np.float32(angle)
    turns = np.float32(math.floor(angle * _TURNS_OVER_RADIANS + _HALF))
    return _remainder(angle, turns * _FOUR)


@register_jitable
def _fast_power(x: Any, y: Any) -> Any:
    # LLVM makes this product of a power; written out, Python computes it as well.
    return x * x if y == _FLOAT_TWO else x**y


FAST: dict[Callable[..., Any], Callable[..., Any]] = {
    sin: _fast_sin,
    cos: _fast_cos,
    sin32: _fast_sin,
    cos32: _fast_cos,
    wrap_angle: _fast_wrap_angle,
    wrap_turns: _fast_wrap_angle,
    power: _fast_power,
}
"""What replaces each function in `fast` precision."""
