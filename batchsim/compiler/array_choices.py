"""NumPy's choices among numbers: `np.clip` and `np.where`, of small arrays and of large ones."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numba import types
from numba.core.errors import TypingError
from numba.np import numpy_support

from batchsim.compiler import elementwise, ufuncs
from batchsim.compiler.array_functions import (
    array_type,
    common_type,
    numbers_of,
    of_ufunc,
    require_certain,
    specify,
)
from batchsim.compiler.arrays import Value, broadcast, make_value, spread
from batchsim.compiler.elementwise import is_array
from batchsim.compiler.large import is_large, large_type, make_large
from batchsim.compiler.ufuncs import DisagreementError

__all__ = ["OF_WIDTHS", "PYTHONS"]

PYTHONS = "of_python"
"""The name of what is known of some functions: which arguments are Python's numbers."""
OF_WIDTHS = frozenset({np.clip, np.where})
"""Functions for which that matters, and that are no ufuncs."""


@specify(np.clip, "a, a_min=None, a_max=None", "a a_min a_max", "clip")
def _clip(precision: str, statics: dict[str, Any]) -> Any:
    constants = frozenset(statics.get(PYTHONS, ()))

    def implement(typing_context: Any, *arguments: Any) -> Any:
        if len(arguments) != 3 or any(isinstance(kind, types.NoneType) for kind in arguments):
            raise TypingError("np.clip needs both bounds here: write np.minimum or np.maximum.")
        if any(map(is_array, arguments)) and is_large(arguments):
            return of_ufunc(ufuncs.CLIP, constants, precision)(typing_context, *arguments)
        made = tuple(array_type(kind, precision) for kind in arguments)
        if any(map(is_array, made)):
            return of_ufunc(ufuncs.CLIP, constants, precision)(typing_context, *arguments)
        choice = elementwise.choose(ufuncs.CLIP, made)
        require_certain(ufuncs.CLIP, made, choice, constants)

        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            numbers = [
                [context.cast(builder, value, types.unliteral(kind), wanted)]
                for kind, value, wanted in zip(sig.args, args, choice.inputs, strict=True)
            ]
            return elementwise.apply(context, builder, ufuncs.CLIP, choice, numbers)[0]

        return choice.output(*arguments), generate

    return implement


@specify(np.where, "condition, x, y", "condition x y")
def _where(precision: str, statics: dict[str, Any]) -> Any:
    certain = [k + 1 in statics.get(PYTHONS, ()) for k in range(2)]

    def implement(typing_context: Any, *arguments: Any) -> Any:
        if any(map(is_array, arguments)) and is_large(arguments):
            kinds = [types.unliteral(kind) for kind in arguments]
            dtype = _where_dtype(kinds[1:], arguments[1:], certain, precision)
            choice = elementwise.Choice((types.boolean, dtype, dtype), dtype, (), ())
            return large_type(np.where, arguments, choice)(*arguments), make_large
        made = [array_type(kind, precision) for kind in arguments]
        arrays = [kind for kind in made if is_array(kind)]
        if not arrays:
            return None
        shape = broadcast([kind.shape for kind in arrays])
        dtype = _where_dtype(made[1:], arguments[1:], certain, precision)
        result = Value(dtype, shape, elementwise.layout(np.where, made))

        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            wanted = (types.boolean, dtype, dtype)
            columns = []
            for kind, value, one in zip(sig.args, args, wanted, strict=True):
                found, numbers = numbers_of(context, builder, kind, value, one)
                columns.append(spread(numbers, found, shape))
            numbers = [builder.select(*row) for row in zip(*columns, strict=True)]
            return make_value(context, builder, result, numbers)

        return result(*arguments), generate

    return implement


def _where_dtype(kinds: list[Any], given: Any, certain: list[bool], precision: str) -> Any:
    """Return the type of what `np.where` chooses from: Python's numbers adapt to NumPy's."""
    if precision == "fast" and not any(map(is_array, kinds)):
        return common_type(kinds, precision)
    pythons = {types.int64: 1, types.float64: 1.0}
    dtypes = [numpy_support.as_dtype(getattr(kind, "dtype", kind)) for kind in kinds]
    readings: list[list[Any]] = []
    for kind, argument, is_certain, dtype in zip(kinds, given, certain, dtypes, strict=True):
        if is_array(kind) or kind not in pythons:
            readings.append([dtype])
        elif is_certain or isinstance(argument, types.Literal):
            readings.append([pythons[kind]])
        else:
            readings.append([dtype, pythons[kind]])
    found = {np.result_type(*pair) for pair in itertools.product(*readings)}
    if len(found) > 1:
        raise DisagreementError(elementwise.in_doubt(np.where, kinds))
    return numpy_support.from_dtype(found.pop())
