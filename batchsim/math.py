"""Scalar functions that environments call, once by `exact` and once by `fast` precision.

Environments import the names without underscore. In `exact` precision they are the functions of the
C library, the same that NumPy and Gymnasium call, so that every bit agrees; where it is known how
the C library computes, the compiler binds functions that do the same in place (`EXACT`). In `fast`
precision it binds the float32 polynomials of this module (`FAST`): they contain no call and no
branch, so that LLVM turns a loop over rows into vector instructions.
"""

from __future__ import annotations

import ctypes
import math
import platform
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload, register_jitable

from batchsim.compiler import libm
from batchsim.compiler.lanes import FUSES, Lanes, lanewise
from batchsim.compiler.libm import fused_multiply_add

__all__ = [
    "cos", "cos32", "cosf", "pi", "power", "sin", "sin32", "sinf", "wrap_angle", "wrap_turns",
]  # fmt: skip

pi = math.pi
sin = math.sin
cos = math.cos


# --- Exact: the C library's results, computed without calling it where that is certain ---------


def _call_c(builder: Any, name: str, arguments: Any) -> Any:
    """Call a function of the C library whose arguments and result are of one type."""
    function = builder.module.globals.get(name)
    if function is None:
        kinds = [argument.type for argument in arguments]
        function = ir.Function(builder.module, ir.FunctionType(kinds[0], kinds), name)
        # LLVM replaces pow(x, 2.0) by x * x, which is not what the C library returns: about one
        # result in a thousand differs in the last bit. This keeps the call.
        function.attributes.add("nobuiltin")
    return builder.call(function, arguments)


@intrinsic
def _call_pow(typing_context: Any, x: Any, y: Any) -> Any:
    if x not in (types.float32, types.float64):
        return None

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _call_c(builder, "powf" if x is types.float32 else "pow", arguments)

    return x(x, x), codegen


# Since version 2.28 glibc's pow(x, 2.0) is wrong by less than 0.515 units in the last place for
# results between 1e-38 and 1e38 (`e_pow.c` states the terms of the error: 0.511, and 3e-5 for each
# unit of the logarithm), so that it can differ from the correctly rounded square only where the
# true value lies that near to the middle between two numbers. Its powf(x, 2.0) comes within 0.002
# (all significands were tried). Other C libraries promise less, and are called.
_LIBRARY, _VERSION = platform.libc_ver()
_POW_IS_TIGHT = FUSES and _LIBRARY == "glibc" and tuple(map(int, _VERSION.split("."))) >= (2, 28)
_BEYOND = 1.03
"""Adding this much of what rounding cut off changes nothing, if that is below 0.485 units."""


def _square(x):  # type: ignore[no-untyped-def]
    return _call_pow(x, 2.0)


def _square_body(x: Lanes) -> tuple[Lanes, Lanes]:
    square = x * x
    rest = x.fused(x, -square)  # x * x is exactly square + rest.
    certain = (square > 1e-38) & (square < 1e38) & (square + rest * _BEYOND).same(square)
    return square, ~certain


def _square32(x):  # type: ignore[no-untyped-def]
    return np.float64(_call_pow(np.float32(x), np.float32(2.0)))


def _square32_body(x: Lanes) -> tuple[Lanes, Lanes]:
    square = x * x  # Exact: the numbers have 24 bits.
    nearest = square.rounded_to_float32()
    beyond = (nearest + (square - nearest) * _BEYOND).rounded_to_float32()
    return nearest, ~((square > 1e-35) & (square < 1e35) & beyond.same(nearest))


_lanewise_square = lanewise(_square, _square_body)
_lanewise_square32 = lanewise(_square32, _square32_body)


def _power(x, y):  # type: ignore[no-untyped-def]
    return x**y


@overload(_power)
def _overload_power(x, y):  # type: ignore[no-untyped-def]
    if not _POW_IS_TIGHT or x not in (types.float32, types.float64):
        return lambda x, y: _call_pow(x, y)
    if x is types.float32:
        return lambda x, y: (
            np.float32(_lanewise_square32(np.float64(x)))
            if y == np.float32(2.0)
            else _call_pow(x, y)
        )
    return lambda x, y: _lanewise_square(x) if y == 2.0 else _call_pow(x, y)


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


@register_jitable
def _wrap_angle(angle):  # type: ignore[no-untyped-def]
    return (angle + pi) % (2 * pi) - pi


def _wrap_angle_body(angle: Lanes) -> tuple[Lanes, Lanes]:
    # The remainder of floating-point numbers is always a floating-point number, so that one
    # rounding at the end gives it exactly, if the quotient is right. Rounding can have carried the
    # quotient one too far from zero, which shows in the remainder's sign.
    turn = 2 * pi
    x = angle + pi
    quotient = (x / turn).call("trunc")
    rest = (-quotient).fused(turn, x)
    rest = ((x > 0.0) & (rest < 0.0)).choose((1.0 - quotient).fused(turn, x), rest)
    rest = ((x < 0.0) & (rest > 0.0)).choose((-1.0 - quotient).fused(turn, x), rest)
    rest = (rest < 0.0).choose(rest + turn, rest)
    return rest - pi, ~(abs(quotient) < 2.0**52)


_lanewise_wrap_angle = lanewise(_wrap_angle, _wrap_angle_body)


def _wrap(angle):  # type: ignore[no-untyped-def]
    return _wrap_angle(angle)


@overload(_wrap)
def _overload_wrap(angle):  # type: ignore[no-untyped-def]
    if not FUSES:
        return lambda angle: _wrap_angle(angle)
    return lambda angle: _lanewise_wrap_angle(np.float64(angle))


@register_jitable
def wrap_angle(angle: float) -> float:
    """`angle` in radians, moved by whole turns into [-pi, pi): `(angle + pi) % (2 pi) - pi`."""
    wrapped: float = _wrap(angle)
    return wrapped


_FARTHEST = 1e9


def _wrap_turns(angle):  # type: ignore[no-untyped-def]
    if abs(angle) > _FARTHEST:
        return math.nan
    while angle > pi:
        angle = angle - 2 * pi
    while angle < -pi:
        angle = angle + 2 * pi
    return angle


def _wrap_turns_body(angle: Lanes) -> tuple[Lanes, Lanes]:
    # One turn is what the environments need; who needs more takes the loop.
    angle = (angle > pi).choose(angle - 2 * pi, angle)
    angle = (angle < -pi).choose(angle + 2 * pi, angle)
    return angle, ~(abs(angle) <= pi)


_lanewise_wrap_turns = lanewise(_wrap_turns, _wrap_turns_body)


def _turns(angle):  # type: ignore[no-untyped-def]
    return _wrap_turns(angle)


@overload(_turns)
def _overload_turns(angle):  # type: ignore[no-untyped-def]
    return lambda angle: _lanewise_wrap_turns(np.float64(angle))


@register_jitable
def wrap_turns(angle: float) -> float:
    """`angle` in radians, moved into [-pi, pi] by adding or subtracting 2 pi again and again.

    Returns NaN for angles beyond 1e9, for which that would take seconds, or no end.
    """
    turned: float = _turns(angle)
    return turned


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
    quadrant = fused_multiply_add(angle, _TO_QUADRANTS, _ROUNDER) - _ROUNDER
    high, middle, low = _QUARTER_TURN
    r = fused_multiply_add(-quadrant, high, angle)
    r = fused_multiply_add(-quadrant, middle, r)
    r = fused_multiply_add(-quadrant, low, r)
    square = r * r
    c8, c6, c4, c2, c0 = _NUMPY_COS
    cosine = fused_multiply_add(c8, square, c6)
    cosine = fused_multiply_add(cosine, square, c4)
    cosine = fused_multiply_add(cosine, square, c2)
    cosine = fused_multiply_add(cosine, square, c0)
    s9, s7, s5, s3 = _NUMPY_SIN
    sine = fused_multiply_add(s9, square, s7)
    sine = fused_multiply_add(sine, square, s5)
    sine = fused_multiply_add(sine, square, s3)
    sine = fused_multiply_add(sine * square, r, r)
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


# The C library's own functions of float32 numbers, which C++ programs call.
_C = ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)


def _of_c(name: str) -> Any:
    function = getattr(_C, name)
    function.argtypes, function.restype = [ctypes.c_float], ctypes.c_float
    return function


_c_sinf, _c_cosf = _of_c("sinf"), _of_c("cosf")


def _called(name: str) -> Any:
    @intrinsic
    def call(typing_context: Any, angle: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return _call_c(builder, name, arguments)

        return types.float32(types.float32), codegen

    return call


_call_sinf, _call_cosf = _called("sinf"), _called("cosf")


def _sinf(angle):  # type: ignore[no-untyped-def]
    return np.float32(_c_sinf(angle))


def _cosf(angle):  # type: ignore[no-untyped-def]
    return np.float32(_c_cosf(angle))


@overload(_sinf)
def _overload_sinf(angle):  # type: ignore[no-untyped-def]
    return lambda angle: _call_sinf(angle)


@overload(_cosf)
def _overload_cosf(angle):  # type: ignore[no-untyped-def]
    return lambda angle: _call_cosf(angle)


@register_jitable
def sinf(angle: Any) -> Any:
    """The sine of a float32 angle in radians as the C library's `sinf` computes it."""
    return _sinf(np.float32(angle))


@register_jitable
def cosf(angle: Any) -> Any:
    """The cosine of a float32 angle in radians as the C library's `cosf` computes it."""
    return _cosf(np.float32(angle))


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
    return np.float32(np.floor(angle * _TWO_OVER_PI + _HALF))


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
    turns = np.float32(np.floor(angle * _TURNS_OVER_RADIANS + _HALF))
    return _remainder(angle, turns * _FOUR)


@register_jitable
def _fast_power(x: Any, y: Any) -> Any:
    # LLVM makes this product of a power; written out, Python computes it as well.
    return x * x if y == _FLOAT_TWO else x**y


EXACT: dict[Callable[..., Any], Callable[..., Any]] = (
    {sin: libm.sin, cos: libm.cos} if libm.is_known() else {}
)
"""What replaces each function in `exact` precision."""

FAST: dict[Callable[..., Any], Callable[..., Any]] = {
    sin: _fast_sin,
    cos: _fast_cos,
    sin32: _fast_sin,
    cos32: _fast_cos,
    sinf: _fast_sin,
    cosf: _fast_cos,
    wrap_angle: _fast_wrap_angle,
    wrap_turns: _fast_wrap_angle,
    power: _fast_power,
}
"""What replaces each function in `fast` precision."""
