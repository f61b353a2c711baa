"""How kernels reach the columns: from the driver's table to a tile, and from a tile to a row.

Each function exists twice with the same meaning, as plain Python for the reference backend and as
what Numba generates for the native one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, register_jitable

from batchsim.compiler.kernels import Tile
from batchsim.compiler.rows import (
    UNKNOWN,
    ArrayLayout,
    ParametersType,
    RowsType,
    StateType,
    TupleLayout,
    arrays_of,
    count,
    numba_type,
    row_type,
    row_value,
    type_of_arrays,
)

__all__ = [
    "NATIVE",
    "cut_rows",
    "layout_of",
    "native_view",
    "reference_accessors",
]

Array = npt.NDArray[Any]

SHARED = ("common", "tables", "settings")
"""The fields of a `Tile` that hold no row: a view does not slice them."""


# --- A tile ---------------------------------------------------------------------------------------


def reference_view(table: Tile, lo: int, hi: int) -> Tile:
    """`view` of the reference backend, whose table is the `Tile` of whole columns."""
    return cut_rows(table, lambda column: column[lo:hi])


def cut_rows(tile: Tile, cut: Callable[[Array], Array]) -> Tile:
    """Return a tile with `cut(column)` in place of every column, shared arrays as they are."""

    def walk(nested: Any) -> Any:
        if isinstance(nested, np.ndarray):
            return cut(nested)
        return _rebuild(nested, [walk(member) for member in nested])

    return Tile(
        **{
            name: nested if name in SHARED else walk(nested)
            for name, nested in tile._asdict().items()
        }
    )


def _rebuild(nested: Any, members: list[Any]) -> Any:
    return type(nested)(*members) if hasattr(nested, "_fields") else tuple(members)


def layout_of(tile: Tile) -> TupleLayout:
    """Return the layout of a tile: all that `native_view` needs of its arrays."""

    def layout(nested: Any, name: str) -> Any:
        if isinstance(nested, np.ndarray):
            length = len(nested) if name in SHARED else None
            if name == "tables":
                length = UNKNOWN
            return ArrayLayout(nested.dtype, nested.shape[1:], length, nested.flags.writeable)
        return TupleLayout(type(nested), tuple(layout(member, name) for member in nested))

    return TupleLayout(Tile, tuple(layout(nested, name) for name, nested in tile._asdict().items()))


def native_view(layout: TupleLayout, constants: Any) -> Any:
    """Return the intrinsic `view(table, lo, hi)` for tiles of this layout.

    Args:
        layout: of the tile.
        constants: the parameters' values that are compiled in, a namedtuple.
    """
    return _native_view(RowsType(layout, layout, 0, constants))


@functools.cache
def _native_view(kind: RowsType) -> Any:
    # There is one a type, and it refers to no array: Numba keeps every intrinsic for good.
    @intrinsic
    def view(typing_context: Any, table: Any, lo: Any, hi: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointers, first, end = arguments
            number = context.get_value_type(types.intp)
            addresses = cgutils.alloca_once(builder, number, 1 + count(kind.layout))
            builder.store(builder.sub(end, first), addresses)

            def enter(slot: int, layout: ArrayLayout | TupleLayout) -> int:
                if isinstance(layout, TupleLayout):
                    for member in layout.members:
                        slot = enter(slot, member)
                    return slot
                address = builder.load(builder.gep(pointers, [number(slot)]))
                if layout.length is None:
                    item = context.get_abi_sizeof(context.get_data_type(numba_type(layout).dtype))
                    row = item * int(np.prod(layout.trailing, dtype=int))
                    address = builder.add(address, builder.mul(first, number(row)))
                builder.store(address, builder.gep(addresses, [ir.IntType(32)(1 + slot)]))
                return slot + 1

            enter(0, kind.layout)
            return addresses

        return kind(table, types.intp, types.intp), codegen

    return view


# --- A row ----------------------------------------------------------------------------------------


def parameters_at(constants, tile, i):  # type: ignore[no-untyped-def]
    """Return the parameters of row i: those of the tile in place of `constants`."""
    found = constants._replace(
        **{name: column[0] for name, column in _named(tile.common)},
        **{name: column[i] for name, column in _named(tile.parameters)},
    )
    return found._replace(**dict(_named(tile.tables)))


def reset_parameters_at(constants, tile, i):  # type: ignore[no-untyped-def]
    """Return the parameters of row i as its reset sees them: with the options' values."""
    found = parameters_at(constants, tile, i)
    return found._replace(**{name: column[i] for name, column in _named(tile.options)})


def _named(columns: Any) -> list[tuple[str, Any]]:
    """Return the names and the arrays of a namedtuple; none of an empty tuple."""
    return list(columns._asdict().items()) if columns else []


def _native_parameters_at(at_reset: bool) -> Any:
    @intrinsic
    def parameters_at(typing_context: Any, tile: Any, i: Any) -> Any:
        return ParametersType(tile, at_reset)(tile, types.intp), _with_row

    return parameters_at


def _with_row(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    value = context.get_value_type(signature.return_type)(ir.Undefined)
    for k, argument in enumerate(arguments):
        value = builder.insert_value(value, argument, k)
    return value


def row_views(nested, i):  # type: ignore[no-untyped-def]
    """Return row i of an array, or of each array of a nested tuple."""
    if isinstance(nested, np.ndarray):
        return nested[i]
    return _rebuild(nested, [row_views(member, i) for member in nested])


@intrinsic
def _row_views(typing_context: Any, nested: Any, i: Any) -> Any:
    def type_of(kind: Any) -> Any:
        if isinstance(kind, types.Array):
            return row_type(kind)
        members = [type_of(member) for member in kind.types]
        return types.BaseTuple.from_types(members, getattr(kind, "instance_class", None))

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def build(kind: Any, value: Any) -> Any:
            if isinstance(kind, types.Array):
                return row_value(context, builder, kind, value, arguments[1])
            members = [
                build(member, builder.extract_value(value, k))
                for k, member in enumerate(kind.types)
            ]
            return context.make_tuple(builder, type_of(kind), members)

        return build(*arrays_of(context, builder, nested, arguments[0]))

    return type_of(type_of_arrays(nested))(nested, types.intp), codegen


def state_at(state, i):  # type: ignore[no-untyped-def]
    """Return the columns as the functions of row i see them: as they are, in Python.

    In compiled code the fields of `Scratch` that have several elements a row are in every row of a
    tile the memory of its first one. As each holds something within one call only, they stay in the
    cache from row to row.
    """
    return state


@intrinsic
def _state_at(typing_context: Any, state: Any, i: Any) -> Any:
    return StateType(state)(state, types.intp), _with_row


def clear_row(nested, i):  # type: ignore[no-untyped-def]
    """Write zeros into row i of each array of a nested tuple."""
    for member in nested:
        if isinstance(member, np.ndarray):
            member[i] = 0
        else:
            clear_row(member, i)


@intrinsic
def _clear_row(typing_context: Any, nested: Any, i: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def clear(kind: Any, value: Any) -> None:
            if not isinstance(kind, types.Array):
                for k, member in enumerate(kind.types):
                    clear(member, builder.extract_value(value, k))
                return
            array = context.make_array(kind)(context, builder, value=value)
            row_bytes = cgutils.unpack_tuple(builder, array.strides, kind.ndim)[0]
            start = cgutils.pointer_add(builder, array.data, builder.mul(arguments[1], row_bytes))
            cgutils.memset(builder, start, row_bytes, 0)

        clear(*arrays_of(context, builder, nested, arguments[0]))
        return context.get_dummy_value()

    return types.void(nested, types.intp), codegen


def copy_row(source, j, target, k):  # type: ignore[no-untyped-def]
    """Copy row j of each array of a nested tuple into row k of each array of another one alike."""
    if isinstance(source, np.ndarray):
        target[k] = source[j]
        return
    for one, other in zip(source, target, strict=True):
        copy_row(one, j, other, k)


@intrinsic
def _copy_row(typing_context: Any, source: Any, j: Any, target: Any, k: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sources, from_row, targets, to_row = arguments

        def copy(kind: Any, one: Any, other: Any) -> None:
            if not isinstance(kind, types.Array):
                for place, member in enumerate(kind.types):
                    copy(
                        member,
                        builder.extract_value(one, place),
                        builder.extract_value(other, place),
                    )
                return
            from_array, to_array = (
                context.make_array(kind)(context, builder, value=value) for value in (one, other)
            )
            row_bytes = cgutils.unpack_tuple(builder, from_array.strides, kind.ndim)[0]
            read_from, write_to = (
                cgutils.pointer_add(builder, array.data, builder.mul(row, row_bytes))
                for array, row in ((from_array, from_row), (to_array, to_row))
            )
            cgutils.raw_memcpy(builder, write_to, read_from, row_bytes, 1)

        kind, from_arrays = arrays_of(context, builder, source, sources)
        copy(kind, from_arrays, arrays_of(context, builder, target, targets)[1])
        return context.get_dummy_value()

    return types.void(source, types.intp, target, types.intp), codegen


def fetch_row(nested, i):  # type: ignore[no-untyped-def]
    """Start to bring row i of each array of a nested tuple into the cache: nothing, in Python."""


@intrinsic
def _fetch_row(typing_context: Any, nested: Any, i: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte = ir.IntType(8).as_pointer()
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        write_to_nearest_data = [ir.Constant(number, flag) for flag in (1, 3, 1)]

        def fetch(kind: Any, value: Any) -> None:
            if not isinstance(kind, types.Array):
                for k, member in enumerate(kind.types):
                    fetch(member, builder.extract_value(value, k))
                return
            array = context.make_array(kind)(context, builder, value=value)
            row_bytes = cgutils.unpack_tuple(builder, array.strides, kind.ndim)[0]
            start = cgutils.pointer_add(builder, array.data, builder.mul(arguments[1], row_bytes))
            builder.call(prefetch, [builder.bitcast(start, byte), *write_to_nearest_data])

        fetch(*arrays_of(context, builder, nested, arguments[0]))
        return context.get_dummy_value()

    return types.void(nested, types.intp), codegen


# --- Flags ----------------------------------------------------------------------------------------


def flag_bits(flags, k):  # type: ignore[no-untyped-def]
    """Return flags 64 k to 64 k + 63 as the bits of one word, the first as its lowest."""
    return sum(1 << bit for bit in np.flatnonzero(flags[64 * k : 64 * k + 64]).tolist())


@intrinsic
def _flag_bits(typing_context: Any, flags: Any, k: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(flags)(context, builder, value=arguments[0])
        vector = ir.VectorType(ir.IntType(8), 64)
        start = builder.gep(array.data, [builder.shl(arguments[1], arguments[1].type(6))])
        loaded = builder.load(builder.bitcast(start, vector.as_pointer()))
        loaded.align = 1
        is_set = builder.icmp_unsigned("!=", loaded, ir.Constant(vector, None))
        return builder.bitcast(is_set, ir.IntType(64))

    return types.uint64(flags, types.intp), codegen


def lowest_bit(word):  # type: ignore[no-untyped-def]
    """Return the number of the lowest bit that is set in a word other than 0."""
    return (word & -word).bit_length() - 1


@intrinsic
def _lowest_bit(typing_context: Any, word: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.intp(types.uint64), codegen


def without_lowest_bit(word):  # type: ignore[no-untyped-def]
    """Return a word without the lowest bit that is set in it."""
    return word & (word - 1)


@register_jitable
def _without_lowest_bit(word):  # type: ignore[no-untyped-def]
    return word & (word - np.uint64(1))


def reference_accessors(constants: Any) -> dict[str, Any]:
    """Return what free names of the tile loops stand for in the reference backend.

    Args:
        constants: the parameters' values, a namedtuple.
    """
    return {
        "view": reference_view,
        "parameters_at": functools.partial(parameters_at, constants),
        "reset_parameters_at": functools.partial(reset_parameters_at, constants),
        "row_views": row_views,
        "state_at": state_at,
        "clear_row": clear_row,
        "copy_row": copy_row,
        "fetch_row": fetch_row,
        "flag_bits": flag_bits,
        "lowest_bit": lowest_bit,
        "without_lowest_bit": without_lowest_bit,
    }


NATIVE = {
    "parameters_at": _native_parameters_at(at_reset=False),
    "reset_parameters_at": _native_parameters_at(at_reset=True),
    "row_views": _row_views,
    "state_at": _state_at,
    "clear_row": _clear_row,
    "copy_row": _copy_row,
    "fetch_row": _fetch_row,
    "flag_bits": _flag_bits,
    "lowest_bit": _lowest_bit,
    "without_lowest_bit": _without_lowest_bit,
}
"""What free names of the tile loops stand for in the native backend, beside `view`."""
