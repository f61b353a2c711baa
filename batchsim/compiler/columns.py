"""How kernels reach the columns: from the driver's table to a tile, and from a tile to a row.

Each function exists twice with the same meaning, as plain Python for the reference backend and as
what Numba generates for the native one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic, register_jitable
from numba.np.arrayobj import populate_array
from numba.np.numpy_support import from_dtype

from batchsim.compiler.kernels import Tile
from batchsim.compiler.returns import EXPECTED

__all__ = ["NATIVE", "REFERENCE", "cut_rows", "layout_of", "native_view", "reference_view"]

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


UNKNOWN = -1


class ArrayLayout(NamedTuple):
    """What compiled code knows of an array; all of them are C-contiguous."""

    dtype: np.dtype[Any]
    trailing: tuple[int, ...]
    """The shape of a row."""
    length: int | None
    """How many rows there are of an array that all rows of a tile share; else None, and
    `UNKNOWN` where the tile says it.
    """
    writeable: bool


class TupleLayout(NamedTuple):
    """The layouts of the members of a tuple or namedtuple."""

    type: Any
    members: tuple[Any, ...]


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


def _slot(layout: TupleLayout, field: str, member: str) -> int:
    """Return the place in the driver's table of an array of a tile."""
    before = layout.members[: Tile._fields.index(field)]
    inside: TupleLayout = layout.members[Tile._fields.index(field)]
    place: int = inside.type._fields.index(member)
    return sum(map(_count, before)) + sum(map(_count, inside.members[:place]))


def _count(layout: ArrayLayout | TupleLayout) -> int:
    return 1 if isinstance(layout, ArrayLayout) else sum(map(_count, layout.members))


def _numba_type(layout: ArrayLayout | TupleLayout) -> Any:
    if isinstance(layout, ArrayLayout):
        axes = 1 + len(layout.trailing)
        return types.Array(from_dtype(layout.dtype), axes, "C", readonly=not layout.writeable)
    return types.BaseTuple.from_types([_numba_type(part) for part in layout.members], layout.type)


@functools.cache
def native_view(layout: TupleLayout) -> Any:
    """Return the intrinsic `view(table, lo, hi)` for tiles of this layout.

    There is one a layout, and it refers to no array: Numba keeps every intrinsic for good.
    """
    result = _numba_type(layout)
    lengths_slot = _slot(layout, "settings", "lengths")

    @intrinsic
    def view(typing_context: Any, table: Any, lo: Any, hi: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointers, first, end = arguments
            intp = context.get_value_type(types.intp)
            rows = builder.sub(end, first)
            slot = 0
            table_number = 0

            def length_of_table() -> Any:
                nonlocal table_number
                address = builder.load(builder.gep(pointers, [intp(lengths_slot)]))
                lengths = builder.inttoptr(address, intp.as_pointer())
                length = _load_invariant(builder, builder.gep(lengths, [intp(table_number)]))
                table_number += 1
                return length

            def rows_of(of: ArrayLayout) -> Any:
                if of.length is None:
                    return rows
                return length_of_table() if of.length == UNKNOWN else intp(of.length)

            def array(kind: Any, of: ArrayLayout) -> Any:
                nonlocal slot
                item = context.get_abi_sizeof(context.get_data_type(kind.dtype))
                row = item * int(np.prod(of.trailing, dtype=int))
                address = builder.load(builder.gep(pointers, [intp(slot)]))
                slot += 1
                if of.length is None:
                    address = builder.add(address, builder.mul(first, intp(row)))
                value = context.make_array(kind)(context, builder)
                # Constant trailing shapes and strides are what lets LLVM see how rows lie in
                # memory.
                strides = [row]
                for extent in of.trailing:
                    strides.append(strides[-1] // extent if extent else 0)
                populate_array(
                    value,
                    data=builder.inttoptr(address, value.data.type),
                    shape=[rows_of(of), *(intp(extent) for extent in of.trailing)],
                    strides=[intp(stride) for stride in strides],
                    itemsize=intp(item),
                    meminfo=None,
                )
                return value._getvalue()

            def build(kind: Any, of: Any) -> Any:
                if isinstance(kind, types.Array):
                    return array(kind, of)
                members = [
                    build(part, member) for part, member in zip(kind.types, of.members, strict=True)
                ]
                return context.make_tuple(builder, kind, members)

            return build(result, layout)

        return result(table, types.intp, types.intp), codegen

    return view


# --- A row ----------------------------------------------------------------------------------------


def _row_type(kind: Any) -> Any:
    """Return the type of a row of an array."""
    if kind.ndim == 1:
        return kind.dtype
    return types.Array(kind.dtype, kind.ndim - 1, "C", readonly=not kind.mutable)


def _load_invariant(builder: Any, pointer: Any) -> Any:
    """Load what nothing writes while a kernel runs: once, where a loop would load it each time."""
    loaded = builder.load(pointer)
    loaded.set_metadata("invariant.load", builder.module.add_metadata([]))
    return loaded


def _row_value(context: Any, builder: Any, kind: Any, value: Any, row: Any) -> Any:
    """Return a row of an array: a number, or an array that refers to its memory."""
    array = context.make_array(kind)(context, builder, value=value)
    if kind.ndim == 1:
        place = builder.gep(array.data, [row])
        if kind.mutable:
            return context.unpack_value(builder, kind.dtype, place)
        model = context.data_model_manager[kind.dtype]
        return model.from_data(builder, _load_invariant(builder, place))
    shape = cgutils.unpack_tuple(builder, array.shape, kind.ndim)
    strides = cgutils.unpack_tuple(builder, array.strides, kind.ndim)
    view = context.make_array(_row_type(kind))(context, builder)
    populate_array(
        view,
        data=cgutils.pointer_add(builder, array.data, builder.mul(row, strides[0])),
        shape=shape[1:],
        strides=strides[1:],
        itemsize=array.itemsize,
        meminfo=None,
    )
    return view._getvalue()


def _fields(kind: Any) -> Any:
    return getattr(kind, "fields", ())


def _replaced(constants: Any, columns: Any, convert: Any) -> Any:
    members = [
        convert(columns.types[_fields(columns).index(name)]) if name in _fields(columns) else kind
        for name, kind in zip(constants.fields, constants.types, strict=True)
    ]
    return types.BaseTuple.from_types(members, constants.instance_class)


def row_parameters(constants, columns, i):  # type: ignore[no-untyped-def]
    """Return `constants` with the fields of `columns` replaced by their values in row i."""
    if not columns:
        return constants
    return constants._replace(
        **{name: column[i] for name, column in zip(columns._fields, columns, strict=True)}
    )


@intrinsic
def _row_parameters(typing_context: Any, constants: Any, columns: Any, i: Any) -> Any:
    result = _replaced(constants, columns, _row_type)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        constant_values, column_values, row = arguments
        values = []
        for k, name in enumerate(constants.fields):
            if name in _fields(columns):
                place = columns.fields.index(name)
                column = builder.extract_value(column_values, place)
                values.append(_row_value(context, builder, columns.types[place], column, row))
            else:
                values.append(builder.extract_value(constant_values, k))
        return context.make_tuple(builder, result, values)

    return result(constants, columns, types.intp), codegen


def with_tables(parameters, tables):  # type: ignore[no-untyped-def]
    """Return `parameters` with the fields of `tables` replaced by those arrays."""
    return parameters._replace(**tables._asdict()) if tables else parameters


@intrinsic
def _with_tables(typing_context: Any, parameters: Any, tables: Any) -> Any:
    result = _replaced(parameters, tables, lambda kind: kind)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values = [
            builder.extract_value(arguments[1], tables.fields.index(name))
            if name in _fields(tables)
            else builder.extract_value(arguments[0], k)
            for k, name in enumerate(parameters.fields)
        ]
        return context.make_tuple(builder, result, values)

    return result(parameters, tables), codegen


def row_views(nested, i):  # type: ignore[no-untyped-def]
    """Return row i of an array, or of each array of a nested tuple."""
    if isinstance(nested, np.ndarray):
        return nested[i]
    return _rebuild(nested, [row_views(member, i) for member in nested])


@intrinsic
def _row_views(typing_context: Any, nested: Any, i: Any) -> Any:
    def type_of(kind: Any) -> Any:
        if isinstance(kind, types.Array):
            return _row_type(kind)
        members = [type_of(member) for member in kind.types]
        return types.BaseTuple.from_types(members, getattr(kind, "instance_class", None))

    result = type_of(nested)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def build(kind: Any, value: Any) -> Any:
            if isinstance(kind, types.Array):
                return _row_value(context, builder, kind, value, arguments[1])
            members = [
                build(member, builder.extract_value(value, k))
                for k, member in enumerate(kind.types)
            ]
            return context.make_tuple(builder, type_of(kind), members)

        return build(nested, arguments[0])

    return result(nested, types.intp), codegen


def state_at(state, i):  # type: ignore[no-untyped-def]
    """Return the columns as the functions of row i see them: as they are, in Python.

    In compiled code the fields of `Scratch` that have several elements a row are in every row of a
    tile the memory of its first one. As each holds something within one call only, they stay in the
    cache from row to row.
    """
    return state


@intrinsic
def _state_at(typing_context: Any, state: Any, i: Any) -> Any:
    scratch = getattr(state.instance_class, "_scratch", ())

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        result, row = arguments
        for k, (name, kind) in enumerate(zip(state.fields, state.types, strict=True)):
            if name not in scratch or kind.ndim == 1:
                continue
            column = builder.extract_value(result, k)
            array = context.make_array(kind)(context, builder, value=column)
            shape = cgutils.unpack_tuple(builder, array.shape, kind.ndim)
            elements = functools.reduce(builder.mul, shape[1:])
            array.data = builder.gep(array.data, [builder.neg(builder.mul(row, elements))])
            result = builder.insert_value(result, array._getvalue(), k)
        return result

    return state(state, types.intp), codegen


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

        clear(nested, arguments[0])
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

        copy(source, sources, targets)
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

        fetch(nested, arguments[0])
        return context.get_dummy_value()

    return types.void(nested, types.intp), codegen


# --- What a step returned -------------------------------------------------------------------------


def outcome(returned):  # type: ignore[no-untyped-def]
    """Return reward, terminated and truncated, which is False where `step` leaves it out."""
    if not isinstance(returned, tuple) or len(returned) not in (2, 3):
        raise TypeError(f"step returns {returned!r}; {EXPECTED}.")
    reward, terminated, *truncated = returned
    return reward, terminated, any(truncated)


@intrinsic
def _outcome(typing_context: Any, returned: Any) -> Any:
    kinds: Any = getattr(returned, "types", ())  # None but tuples have them.
    if len(kinds) not in (2, 3):
        raise TypingError(f"step returns {returned}; {EXPECTED}.")
    result = types.Tuple((*kinds[:2], types.boolean))

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values = cgutils.unpack_tuple(builder, arguments[0], len(kinds))
        truncated = cgutils.false_bit
        if len(kinds) == 3:
            truncated = context.cast(builder, values[2], kinds[2], types.boolean)
        return context.make_tuple(builder, result, (*values[:2], truncated))

    return result(returned), codegen


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


REFERENCE = {
    "row_parameters": row_parameters,
    "with_tables": with_tables,
    "row_views": row_views,
    "state_at": state_at,
    "clear_row": clear_row,
    "copy_row": copy_row,
    "outcome": outcome,
    "fetch_row": fetch_row,
    "flag_bits": flag_bits,
    "lowest_bit": lowest_bit,
    "without_lowest_bit": without_lowest_bit,
}
"""What free names of the tile loops stand for, by backend."""

NATIVE = {
    "row_parameters": _row_parameters,
    "with_tables": _with_tables,
    "row_views": _row_views,
    "state_at": _state_at,
    "clear_row": _clear_row,
    "copy_row": _copy_row,
    "outcome": _outcome,
    "fetch_row": _fetch_row,
    "flag_bits": _flag_bits,
    "lowest_bit": _lowest_bit,
    "without_lowest_bit": _without_lowest_bit,
}
