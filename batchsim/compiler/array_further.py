"""NumPy's further functions of small arrays: diagonals, borders, differences, rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.core.errors import TypingError

from batchsim.compiler import elementwise
from batchsim.compiler.array_functions import (
    array_type,
    numbers_of,
    rearrange,
    specify,
    strides_of_result,
)
from batchsim.compiler.arrays import Value, make_value
from batchsim.compiler.elementwise import is_array

__all__: list[str] = []

for _function, _parameters in (
    (np.diag, "v, k=0"),
    (np.diagflat, "v, k=0"),
    (np.tril, "m, k=0"),
    (np.triu, "m, k=0"),
    (np.pad, "array, pad_width, mode='constant'"),
):
    specify(_function, _parameters, _parameters.split(",")[0])(rearrange(_function))


@specify(np.diff, "a, n=1, axis=-1", "a")
def _diff(precision: str, statics: dict[str, Any]) -> Any:
    times, axis = statics.get("n", 1), statics.get("axis", -1)

    def implement(typing_context: Any, given: Any) -> Any:
        kind = array_type(given, precision)
        if not is_array(kind):
            return None
        ufunc = np.not_equal if isinstance(kind.dtype, types.Boolean) else np.subtract
        choice = elementwise.choose(ufunc, (kind, kind))
        shape = np.diff(np.zeros(kind.shape, np.int8), n=times, axis=axis).shape
        strides = strides_of_result(np.diff, [kind], {"n": times, "axis": axis})
        result = Value(choice.output, shape, strides)

        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            _, numbers = numbers_of(context, builder, sig.args[0], args[0], kind.dtype)
            places = np.arange(len(numbers)).reshape(kind.shape)
            for _ in range(times):
                first, second = (np.delete(places, end, axis).ravel().tolist() for end in (-1, 0))
                shorter = np.delete(places, 0, axis).shape
                operands = [[numbers[k] for k in part] for part in (second, first)]
                numbers = elementwise.apply(context, builder, ufunc, choice, operands)
                places = np.arange(len(numbers)).reshape(shorter)
            return make_value(context, builder, result, numbers)

        return result(given), generate

    return implement


@specify(np.array_equal, "a1, a2", "a1 a2")
def _array_equal(precision: str, statics: dict[str, Any]) -> Any:
    def implement(typing_context: Any, one: Any, other: Any) -> Any:
        kinds = [array_type(kind, precision) for kind in (one, other)]
        if not all(map(is_array, kinds)):
            return None
        choice = elementwise.choose(np.equal, tuple(kinds))

        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            equal = context.get_constant(types.boolean, kinds[0].shape == kinds[1].shape)
            if kinds[0].shape != kinds[1].shape:
                return equal
            operands = [
                numbers_of(context, builder, kind, value, wanted)[1]
                for kind, value, wanted in zip(sig.args, args, choice.inputs, strict=True)
            ]
            for flag in elementwise.apply(context, builder, np.equal, choice, operands):
                equal = builder.and_(equal, flag)
            return equal

        return types.boolean(one, other), generate

    return implement


def _round(precision: str, statics: dict[str, Any]) -> Any:
    decimals = statics.get("decimals", 0)

    def implement(typing_context: Any, given: Any) -> Any:
        if isinstance(given, types.Array) and not is_array(given):
            return None
        kind = array_type(given, precision)
        if not is_array(kind):
            return None
        if not isinstance(kind.dtype, types.Float) and decimals < 0:
            raise TypingError("np.round of whole numbers to tens: write a // 10 * 10.")
        result = Value(kind.dtype, kind.shape, elementwise.layout(np.round, (kind,)))

        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            _, numbers = numbers_of(context, builder, sig.args[0], args[0], kind.dtype)
            if isinstance(kind.dtype, types.Float):
                numbers = _rounded(context, builder, result, numbers, decimals)
            return make_value(context, builder, result, numbers)

        return result(given), generate

    return implement


def _rounded(
    context: Any, builder: Any, kind: Value, numbers: list[Any], decimals: int
) -> list[Any]:
    """Return numbers rounded as NumPy does it, which scales them before and after."""
    factor = [context.get_constant(kind.dtype, 10.0 ** abs(decimals))]
    steps = [np.multiply, np.rint, np.divide] if decimals > 0 else [np.divide, np.rint, np.multiply]
    for ufunc in steps if decimals else [np.rint]:
        arguments = (kind,) if ufunc is np.rint else (kind, kind)
        choice = elementwise.choose(ufunc, arguments)
        operands = [numbers] if ufunc is np.rint else [numbers, factor]
        numbers = elementwise.apply(context, builder, ufunc, choice, operands)
    return numbers


specify(np.round, "a, decimals=0", "a", "round")(_round)
specify(np.around, "a, decimals=0", "a")(_round)
