"""Words: the arithmetic that differs between Python and Numba.

Python's integers do not wrap, numpy's scalars warn when they do, and Numba makes float64 of uint64
with int64. So all draws compute with words, which are Python ints in [0, 2**64) in Python and
uint64 in Numba; every constant, argument or result that may be anything else passes `uint64`.
"""

import math

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload, register_jitable

__all__ = [
    "MASK32",
    "MASK64",
    "between",
    "exp",
    "float64",
    "high32",
    "inlined",
    "int64",
    "log",
    "low32",
    "multiply_high",
    "require",
    "require_range",
    "uint64",
]

MASK32 = 0xFFFFFFFF
MASK64 = 0xFFFFFFFFFFFFFFFF

# Passing the streams' arrays to a function costs more than a draw: `integers` takes 2 ns when it is
# inlined and 14 ns when it is not.
inlined = register_jitable(forceinline=True)


def uint64(x: int | np.integer | bool) -> int:
    """Return a whole number as a word, modulo 2**64."""
    return int(x) & MASK64


@overload(uint64)
def _uint64_compiled(x):  # type: ignore[no-untyped-def]
    return lambda x: np.uint64(x)


def int64(word: int) -> int:
    """Return the signed whole number of a word's 64 bits."""
    return word - (word >> 63 << 64)


@overload(int64)
def _int64_compiled(word):  # type: ignore[no-untyped-def]
    return lambda word: np.int64(word)


def float64(x: float) -> float:
    """Return a number as a float64."""
    return float(x)


@overload(float64)
def _float64_compiled(x):  # type: ignore[no-untyped-def]
    return lambda x: np.float64(x)


def multiply_high(a: int, b: int) -> int:
    """Return the high word of the 128-bit product of two words."""
    return a * b >> 64


@intrinsic
def _multiply_high_instruction(typing_context, a, b):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        wide = ir.IntType(128)
        a, b = (builder.zext(argument, wide) for argument in arguments)
        return builder.trunc(builder.lshr(builder.mul(a, b), ir.Constant(wide, 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), generate


@overload(multiply_high)
def _multiply_high_compiled(a, b):  # type: ignore[no-untyped-def]
    return lambda a, b: _multiply_high_instruction(a, b)  # type: ignore[call-arg]


def exp(x: float) -> float:
    """Return the C library's `exp`, which is infinite where Python raises."""
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


@overload(exp)
def _exp_compiled(x):  # type: ignore[no-untyped-def]
    return lambda x: math.exp(x)


def log(x: float) -> float:
    """Return the C library's `log`: where Python raises, -inf of 0 and NaN of negative numbers."""
    if x > 0.0:
        return math.log(x)
    return -math.inf if x == 0.0 else math.nan


@overload(log)
def _log_compiled(x):  # type: ignore[no-untyped-def]
    return lambda x: math.log(x)


def require(condition: bool, i: int, value: float, expected: str) -> None:
    """Raise ValueError unless a condition holds; in Python only, as compiled code cannot raise."""
    if not condition:
        raise ValueError(f"row {i}: {expected.format(value)}")


@overload(require)
def _require_compiled(condition, i, value, expected):  # type: ignore[no-untyped-def]
    return lambda condition, i, value, expected: None


def require_range(i: int, low: int, high: int, closed: bool) -> None:
    """Raise ValueError if a range is empty; in Python only."""
    if low > high or (low == high and not closed):
        end, sign = ("]", "<=") if closed else (")", "<")
        raise ValueError(
            f"row {i}: the range [{low}, {high}{end} is empty, expected low {sign} high"
        )


@overload(require_range)
def _require_range_compiled(i, low, high, closed):  # type: ignore[no-untyped-def]
    return lambda i, low, high, closed: None


@inlined
def between(low: float, high: float, part: float) -> float:
    """Return the number at a part, from [0, 1), of the way from one to another."""
    return float64(low) + (float64(high) - float64(low)) * part


@inlined
def low32(word: int) -> int:
    """Return the low half of a word."""
    return word & uint64(MASK32)


@inlined
def high32(word: int) -> int:
    """Return the high half of a word."""
    return word >> uint64(32)
