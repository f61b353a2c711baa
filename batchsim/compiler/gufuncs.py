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
from numpy.linalg import _umath_linalg

from batchsim.compiler import reductions, ufuncs

__all__ = ["LOOPS", "Operand", "call", "in_memory"]


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
    f"batchsim_numpy_{name}_{''.join(kinds)}": loop
    for name, ufunc in _gufuncs().items()
    for kinds, loop in ufuncs.loops(ufunc).items()
    if set(kinds) <= {"f", "d"}
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
    word, byte = context.get_value_type(types.intp), ir.IntType(8).as_pointer()
    output, output_steps = in_memory(context, builder, result)
    size = context.get_abi_sizeof(context.get_data_type(result.kind))
    if name.startswith("batchsim_numpy_matmul"):
        output_steps = [dimensions[2] * size, size]
    arrays = [*operands, (output, output_steps)]
    # The loop over many arrays comes first: there is one.
    steps = [0] * len(arrays) + [step for _, row in arrays for step in row]

    def words(numbers: list[int]) -> Any:
        array = ir.Constant(ir.ArrayType(word, len(numbers)), numbers)
        return cgutils.global_constant(builder, f".{name}", array)

    addresses = cgutils.alloca_once(builder, ir.ArrayType(byte, len(arrays)))
    for k, (memory, _) in enumerate(arrays):
        place = cgutils.gep_inbounds(builder, addresses, 0, k)
        builder.store(builder.bitcast(memory, byte), place)
    signature = ir.FunctionType(
        ir.VoidType(), [byte.as_pointer(), word.as_pointer(), word.as_pointer(), byte]
    )
    record = ir.LiteralStructType([signature.as_pointer(), byte])
    module = builder.module
    loop = module.globals.get(name) or ir.GlobalVariable(module, record, name)
    called, closure = (
        builder.load(cgutils.gep_inbounds(builder, loop, 0, member)) for member in (0, 1)
    )
    first = [
        cgutils.gep_inbounds(builder, memory, 0, 0)
        for memory in (addresses, words([1, *dimensions]), words(steps))
    ]
    builder.call(called, [*first, closure])
    return [
        builder.load(cgutils.gep_inbounds(builder, output, 0, k))
        for k in range(math.prod(result.shape))
    ]
