"""Words: the arithmetic that differs between Python and Numba.

Python's integers do not wrap, numpy's scalars warn when they do, and Numba makes float64 of uint64
with int64. So all draws compute with words, which are Python ints in [0, 2**64) in Python and
uint64 in Numba; every constant, argument or result that may be anything else passes `uint64`.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import lower_builtin, overload, register_jitable

__all__ = [
    "MASK32",
    "MASK64",
    "between",
    "compiled",
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


def compiled(
    function: Callable[..., Any],
    result: types.Type,
    parameters: Sequence[types.Type],
    generate: Callable[..., ir.Value],
) -> None:
    """Say what compiled code does in place of a function, a few instructions of LLVM's.

    An `overload` would be compiled anew by every kernel, for every type that it is called with.

    Args:
        function: plain Python.
        result: Numba's type of what it returns.
        parameters: the types that its arguments, any numbers, are converted to.
        generate: returns LLVM's value, of `builder` and the values of the arguments.
    """

    @infer_global(function)
    class Template(AbstractTemplate):
        key = function

        def generic(self, arguments: Any, names: Any) -> Any:
            kinds = types.Number, types.Boolean, types.IntEnumMember
            numbers = (isinstance(kind, kinds) for kind in arguments)
            fits = len(arguments) == len(parameters) and not names and all(numbers)
            return result(*parameters) if fits else None

    @lower_builtin(function, *[types.Any] * len(parameters))
    def lower(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        return generate(builder, *arguments)


def _as_it_is(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    return value


def uint64(x: int | np.integer | bool) -> int:
    """Return a whole number as a word, modulo 2**64."""
    return int(x) & MASK64


compiled(uint64, types.uint64, [types.uint64], _as_it_is)


def int64(word: int) -> int:
    """Return the signed whole number of a word's 64 bits."""
    return word - (word >> 63 << 64)


compiled(int64, types.int64, [types.int64], _as_it_is)


def float64(x: float) -> float:
    """Return a number as a float64."""
    return float(x)


compiled(float64, types.float64, [types.float64], _as_it_is)


def multiply_high(a: int, b: int) -> int:
    """Return the high word of the 128-bit product of two words."""
    return a * b >> 64


def _generate_multiply_high(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    wide = ir.IntType(128)
    product = builder.mul(builder.zext(a, wide), builder.zext(b, wide))
    return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))


compiled(multiply_high, types.uint64, [types.uint64] * 2, _generate_multiply_high)


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


def _nothing(builder: ir.IRBuilder, *_: ir.Value) -> ir.Value:
    return ir.Constant(ir.IntType(8).as_pointer(), None)


compiled(require_range, types.none, [types.int64] * 4, _nothing)


def between(low: float, high: float, part: float) -> float:
    """Return the number at a part, from [0, 1), of the way from one to another."""
    return float64(low) + (float64(high) - float64(low)) * part


def _generate_between(
    builder: ir.IRBuilder, low: ir.Value, high: ir.Value, part: ir.Value
) -> ir.Value:
    return builder.fadd(low, builder.fmul(builder.fsub(high, low), part))


compiled(between, types.float64, [types.float64] * 3, _generate_between)


def low32(word: int) -> int:
    """Return the low half of a word."""
    return word & MASK32


compiled(
    low32,
    types.uint64,
    [types.uint64],
    lambda builder, word: builder.and_(word, ir.Constant(word.type, MASK32)),
)


def high32(word: int) -> int:
    """Return the high half of a word."""
    return word >> 32


compiled(
    high32,
    types.uint64,
    [types.uint64],
    lambda builder, word: builder.lshr(word, ir.Constant(word.type, 32)),
)
