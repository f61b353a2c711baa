"""Products and linear algebra of matrices that are too large to be values: in memory.

NumPy's own loops are given rows where they lie. What they make stays in memory of the function's
own, and is an expression (`batchsim.compiler.large`): it must be used where it is made.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.np import numpy_support

from batchsim.compiler import linear
from batchsim.compiler.array_functions import array_type, numbers_of
from batchsim.compiler.array_reductions import strides_of
from batchsim.compiler.arrays import (
    LIMIT,
    Large,
    Reference,
    Value,
    data_pointer,
    elements,
    is_small,
    make_value,
    reference_at,
)
from batchsim.compiler.elementwise import is_array
from batchsim.compiler.gufuncs import Operand, call_into, in_memory
from batchsim.compiler.large import computed, make_large

__all__ = ["are_large", "matrix_type", "product", "solver"]

LARGEST = 256
"""Elements of a matrix, of 16 by 16: a BLAS uses no threads for so few."""


def matrix_type(kind: Any, precision: str) -> Any:
    """Return the type of the array that an operand is, or is made into, which may be large.

    Raises:
        TypingError: it can be none, or is too large.
    """
    if not is_array(kind) or is_small(kind):
        return array_type(kind, precision)
    _require_size(kind.shape)
    return kind


def _require_size(shape: tuple[int, ...]) -> None:
    if math.prod(shape) > LARGEST:
        raise TypingError(
            f"A matrix of the shape {shape} is multiplied or solved; expected at most {LARGEST} "
            "elements: write a loop over its rows."
        )


def are_large(kinds: list[Any], shape: tuple[int, ...]) -> bool:
    """Whether operands, or a result of a shape, are too large to be values."""
    return math.prod(shape) > LIMIT or not all(map(is_small, kinds))


def _operand(kind: Any) -> Operand:
    return Operand(kind.dtype, kind.shape, [], strides_of(kind))


def _result_type(dtype: Any, shape: tuple[int, ...]) -> Any:
    _require_size(shape)
    if math.prod(shape) > LIMIT:
        return Large(dtype, shape, 0, (Reference(dtype, shape),))
    return Value(dtype, shape) if shape else dtype


def _placed(
    context: Any, builder: Any, given: Any, kind: Any, value: Any, wanted: Any
) -> tuple[Any, list[int]]:
    """Return address, and strides in bytes, of an operand whose elements are of a wanted type.

    Args:
        context, builder: Numba's.
        given, value: type and value of what was passed.
        kind: of the array that it is, or is made into.
        wanted: the type of the elements; converted ones lie by row.

    Raises:
        TypingError: NumPy's array would not lie by row.
    """
    size = context.get_abi_sizeof(context.get_data_type(wanted))
    if isinstance(kind, Reference) and kind.dtype == wanted:
        return data_pointer(context, builder, kind, value), [size * n for n in kind.strides]
    if isinstance(kind, Value):
        _, numbers = numbers_of(context, builder, given, value, wanted)
        strides = strides_of(kind) if kind.dtype == wanted else None
        model = context.data_model_manager[wanted]
        numbers = [model.as_data(builder, number) for number in numbers]
        return in_memory(context, builder, Operand(wanted, kind.shape, numbers, strides))
    if isinstance(kind, Large) and kind.dtype == wanted and strides_of(kind) is not None:
        raise TypingError(
            "A matrix of many elements that is made of a transposed one is multiplied: store it in "
            "a column first."
        )
    memory = computed(context, builder, kind, value, wanted)
    return memory, [size * n for n in Reference(wanted, kind.shape).strides]


def _made(context: Any, builder: Any, result: Any, shape: Any, memory: Any, dtype: Any) -> Any:
    """Return the value of a result that lies in memory by row, as numbers of some type."""
    kind = Reference(dtype, shape or (1,))
    array = reference_at(context, builder, kind, memory)
    if isinstance(result, Large):
        if dtype != result.dtype:
            memory = computed(context, builder, kind, array, result.dtype)
            kind = Reference(result.dtype, shape)
            array = reference_at(context, builder, kind, memory)
        return make_large(context, builder, result(kind), [array])
    if not shape:
        (number,) = elements(context, builder, kind, array)
        return context.cast(builder, number, dtype, result)
    _, numbers = numbers_of(context, builder, kind, array, result.dtype)
    return make_value(context, builder, result, numbers)


def product(
    name: str, given: tuple[Any, ...], kinds: list[Any], is_shared: bool
) -> tuple[Any, Any]:
    """Return signature and code of one of `linear.PRODUCTS`.

    Args:
        name: which.
        given: the types of the arguments.
        kinds: of the arrays that they are, or are made into.
        is_shared: whether both are the same memory.

    Raises:
        DisagreementError: NumPy's bits are out of reach.
    """
    left, right = map(_operand, kinds)
    dtype, shape = linear.product_type(name, left, right)
    result = _result_type(dtype, shape)
    dtypes = [numpy_support.as_dtype(kind.dtype) for kind in kinds]
    wide = np.result_type(*dtypes)
    if wide.kind == "f" and dtypes[0] != dtypes[1]:
        linear.require_conversion(name, (dtypes[0], dtypes[1]), left, right, wide)
    is_shared = is_shared and dtypes[0] == dtypes[1]
    one, other = (
        operand._replace(kind=dtype, strides=operand.strides if own == wide else None)
        for operand, own in zip((left, right), dtypes, strict=True)
    )
    linear.require_matmul(name, one, other, is_shared)
    symbol = f"batchsim_numpy_matmul_{wide.char * 3}".replace("?", "o")

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        arrays = [
            _placed(context, builder, *argument, dtype)
            for argument in zip(sig.args, kinds, args, strict=True)
        ]
        (first, first_steps), (second, second_steps) = arrays
        if is_shared and isinstance(kinds[0], Value):
            second = first
        steps = first_steps, second_steps
        dimensions, of_operands = linear.operands_of_matmul(name, one, other, steps)
        data = context.get_data_type(dtype)
        size = context.get_abi_sizeof(data)
        rows, _, columns = dimensions
        memory = cgutils.alloca_once(builder, data, size=rows * columns)
        output = (memory, [columns * size, size])
        pairs = [*zip((first, second), of_operands, strict=True), output]
        call_into(context, builder, symbol, dimensions, pairs)
        return _made(context, builder, result, shape, memory, dtype)

    return result(*given), generate


def solver(name: str, given: tuple[Any, ...], kinds: list[Any]) -> tuple[Any, Any]:
    """Return signature and code of one of `linear.SOLVERS`; arguments are as in `product`.

    Raises:
        TypingError: NumPy, or this module, has no such function.
    """
    operands = list(map(_operand, kinds))
    dtype, shape = linear.solver_type(name, *operands)
    result = _result_type(dtype, shape)
    symbol, dimensions = linear.solver_call(name, *operands)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        arrays = [
            _placed(context, builder, *argument, types.float64)
            for argument in zip(sig.args, kinds, args, strict=True)
        ]
        data = context.get_data_type(types.float64)
        memory = cgutils.alloca_once(builder, data, size=max(1, math.prod(shape)))
        steps = [8 * n for n in Reference(types.float64, shape).strides]
        call_into(context, builder, symbol, dimensions, [*arrays, (memory, steps)])
        return _made(context, builder, result, shape, memory, types.float64)

    return result(*given), generate
