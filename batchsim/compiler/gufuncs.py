"""Calls the loops behind `np.matmul` and `np.linalg`, with operands in memory as NumPy has them.

As for functions of numbers (`ufuncs`), machine code names a loop by a symbol, which stands for the
loop of the process that loads the code.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any, NamedTuple

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.linalg import _umath_linalg

from batchsim.compiler import reductions, ufuncs

__all__ = ["LOOPS", "Operand", "call", "call_into", "in_memory", "multiply_in_place"]


class Operand(NamedTuple):
    """An array."""

    kind: Any
    """Numba's type of the elements."""
    shape: tuple[int, ...]
    values: list[Any]
    """The elements in row-major order; none where only types are wanted."""
    strides: tuple[int, ...] | None = None
    """In memory, counted in elements; None if contiguous in row-major order."""


def _gufuncs() -> dict[str, np.ufunc]:
    names = ("cholesky_lo", "det", "inv", "solve", "solve1")
    found = {name: getattr(_umath_linalg, name, None) for name in names}
    found["matmul"] = np.matmul
    return {name: ufunc for name, ufunc in found.items() if isinstance(ufunc, np.ufunc)}


LOOPS = {
    f"batchsim_numpy_{name}_{''.join(kinds).replace('?', 'o')}": loop
    for name, ufunc in _gufuncs().items()
    for kinds, loop in ufuncs.loops(ufunc).items()
    if name == "matmul" or set(kinds) <= {"f", "d"}
}
"""The loops that compiled code calls, by their symbols."""
for _name, _loop in LOOPS.items():
    llvmlite.binding.add_symbol(_name, ctypes.addressof(_loop))


def in_memory(context: Any, builder: Any, operand: Operand) -> tuple[Any, list[int]]:
    """Store an array on the stack, and return its address and its strides in bytes."""
    strides = operand.strides or reductions.row_major(operand.shape)
    room = 1 + sum((n - 1) * step for n, step in zip(operand.shape, strides, strict=True))
    kind = context.get_data_type(operand.kind)
    size = context.get_abi_sizeof(kind)
    memory = cgutils.alloca_once(builder, ir.ArrayType(kind, max(room, 1)))
    memory.align = 16
    offsets = np.lib.stride_tricks.as_strided(np.arange(max(room, 1)), operand.shape, [
        8 * step for step in strides
    ]).ravel()  # fmt: skip
    for offset, value in zip(offsets.tolist(), operand.values, strict=False):
        builder.store(value, cgutils.gep_inbounds(builder, memory, 0, offset))
    return memory, [step * size for step in strides]


def call(
    context: Any,
    builder: Any,
    name: str,
    dimensions: list[int],
    operands: list[tuple[Any, list[int]]],
    result: Operand,
) -> list[Any]:
    """Call a loop of float64 or float32 numbers, and return the values of its result.

    Args:
        context: Numba's.
        builder: llvmlite's.
        name: which loop.
        dimensions: lengths, in the order in which the function's signature names them.
        operands: addresses and strides in bytes, one a dimension that the signature has.
        result: without values.
    """
    output, output_steps = in_memory(context, builder, result)
    size = context.get_abi_sizeof(context.get_data_type(result.kind))
    if name.startswith("batchsim_numpy_matmul"):
        output_steps = [dimensions[2] * size, size]
    call_into(context, builder, name, dimensions, [*operands, (output, output_steps)])
    return [
        builder.load(cgutils.gep_inbounds(builder, output, 0, k))
        for k in range(math.prod(result.shape))
    ]


def call_into(
    context: Any,
    builder: Any,
    name: str,
    dimensions: list[int],
    arrays: list[tuple[Any, list[int]]],
) -> None:
    """Call a loop with operands, and a result, that lie in memory; arguments are as in `call`."""
    # The loop over many arrays comes first: there is one.
    steps = [0] * len(arrays) + [step for _, row in arrays for step in row]
    pointers = [memory for memory, _ in arrays]
    ufuncs.call_loop(context, builder, name, pointers, [1, *dimensions], steps)


@intrinsic
def multiply_in_place(typing_context: Any, matrix: Any, x: Any) -> Any:
    """Replace a vector `x` (d,) by `x[None] @ matrix.T`, as NumPy computes it in float64.

    Both are arrays of floats, C-contiguous.
    """
    for kind, axes in ((matrix, 2), (x, 1)):
        of_floats = isinstance(kind, types.Array) and isinstance(kind.dtype, types.Float)
        if not (of_floats and kind.ndim == axes and kind.layout == "C"):
            return None

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        arrays = [
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args, arguments, strict=True)
        ]
        size = builder.extract_value(arrays[1].shape, 0)
        function = _product(context, builder.module, *(kind.dtype for kind in signature.args))
        builder.call(function, [arrays[0].data, arrays[1].data, size])
        return context.get_dummy_value()

    return types.void(matrix, x), codegen


def _product(context: Any, module: Any, of_matrix: Any, of_x: Any) -> Any:
    """Return a function of a matrix's and a vector's memory and length that calls the loop."""
    symbol = "batchsim_numpy_matmul_ddd"
    name = f"{symbol}_{of_matrix}_{of_x}_call"
    found = module.globals.get(name)
    if found is not None:
        return found
    word = context.get_value_type(types.intp)
    pointers = [context.get_data_type(kind).as_pointer() for kind in (of_matrix, of_x)]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [*pointers, word]), name)
    function.linkage = "linkonce_odr"
    for attribute in ("noinline", "nounwind"):
        function.attributes.add(attribute)
    builder = ir.IRBuilder(function.append_basic_block())
    matrix, x, size = function.args
    numbers = [
        builder.alloca(ir.DoubleType(), count) for count in (builder.mul(size, size), size, size)
    ]

    def copied(source: Any, of: Any, target: Any, to: Any, count: Any) -> None:
        with cgutils.for_range(builder, count) as loop:
            value = builder.load(builder.gep(source, [loop.index]))
            builder.store(context.cast(builder, value, of, to), builder.gep(target, [loop.index]))

    copied(matrix, of_matrix, numbers[0], types.float64, builder.mul(size, size))
    copied(x, of_x, numbers[1], types.float64, size)
    # The strides are NumPy's: in the outer loop of one turn, of the row, of the matrix transposed,
    # and of the product.
    across = builder.mul(size, word(8))
    steps = [0] * 3 + [across, 8, 8, across, across, 8]
    places = [numbers[k] for k in (1, 0, 2)]
    ufuncs.call_loop(context, builder, symbol, places, [1, 1, size, size], steps)
    copied(numbers[2], types.float64, x, of_x, size)
    builder.ret_void()
    return function
