"""Looking things up in tables, in loops that become vector instructions.

LLVM does not vectorise a loop that reads memory at computed places while it writes elsewhere, since
both might be the same memory. A table is never written to; `lookup` lets LLVM know that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from batchsim.lanes import add_attribute, describe

__all__ = ["lit", "lookup"]

NAME = "batchsim_lookup"
WIDTHS = (4, 8, 16, 32)
INDEX, ADDRESS = ir.IntType(32), ir.IntType(64)


def lookup(table, index):  # type: ignore[no-untyped-def]
    """Return `table[index]`.

    Args:
        table: a table of an environment with one axis, uint32.
        index: int32, from 0 to below its length; not checked in compiled code.
    """
    return table[index]


@overload(lookup)
def _overload_lookup(table, index):  # type: ignore[no-untyped-def]
    if isinstance(table, types.Array) and (table.ndim, table.dtype) == (1, types.uint32):
        return lambda table, index: _lookup(table, index)
    return None


def lit(colour, light):  # type: ignore[no-untyped-def]
    """Return the red and blue of a colour, and its green, lit from 0 (black) to 256 (as it is).

    Args:
        colour: uint32, red + 256 * green + 65536 * blue; bits from the 24th on are dropped.
        light: int32.

    Returns:
        256 * red + 2 ** 24 * blue, and 256 * green; bits below each are its fraction.
    """
    return (int(colour) & 0xFF00FF) * int(light), (int(colour) >> 8 & 0xFF) * int(light)


@overload(lit)
def _overload_lit(colour, light):  # type: ignore[no-untyped-def]
    return lambda colour, light: (
        _times(np.uint32(colour & 0xFF00FF), np.int32(light)),
        _times(np.uint32(colour >> 8 & 0xFF), np.int32(light)),
    )


@intrinsic
def _times(typing_context: Any, number: Any, factor: Any) -> Any:
    # In 32 bits, where Numba's own products have 64.
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.mul(*arguments)

    return types.uint32(types.uint32, types.int32), codegen


@intrinsic
def _lookup(typing_context: Any, table: Any, index: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = context.cast(builder, arguments[1], signature.args[1], types.int32)
        function = builder.module.globals.get(NAME) or _define(builder.module)
        # As a number: functions with pointers are not vectorised.
        return builder.call(function, [builder.ptrtoint(array.data, ADDRESS), place])

    return types.uint32(table, index), codegen


def _define(module: Any) -> Any:
    function = ir.Function(module, ir.FunctionType(INDEX, [ADDRESS, INDEX]), NAME)
    # Inlined before loops are vectorised, it would no longer be a call with other versions.
    describe(function, "noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    builder.ret(_load(builder, *function.args))
    versions = []
    for width in WIDTHS:
        kind = ir.VectorType(INDEX, width)
        version = ir.Function(module, ir.FunctionType(kind, [ADDRESS, kind]), f"{NAME}_{width}")
        describe(version, "alwaysinline")
        versions.append(f"_ZGV_LLVM_N{width}uv_{NAME}({version.name})")
        builder = ir.IRBuilder(version.append_basic_block())
        address, places = version.args
        found: Any = ir.Constant(kind, ir.Undefined)
        for lane in range(width):
            at = ir.Constant(INDEX, lane)
            value = _load(builder, address, builder.extract_element(places, at))
            found = builder.insert_element(found, value, at)
        builder.ret(found)
    add_attribute(function, f'"vector-function-abi-variant"="{",".join(versions)}"')
    return function


def _load(builder: Any, address: Any, place: Any) -> Any:
    start = builder.inttoptr(address, INDEX.as_pointer())
    return builder.load(builder.gep(start, [builder.zext(place, ADDRESS)]))
