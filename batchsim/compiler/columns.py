"""How kernels reach the columns: from the driver's table to a tile, and from a tile to a row.

Each function exists twice with the same meaning, as plain Python for the reference backend and as
what Numba generates for the native one.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

from batchsim.compiler.kernels import Tile
from batchsim.compiler.layouts import (
    ACCESSORS,
    ArrayLayout,
    HiddenLayout,
    TupleLayout,
    count,
    cut_rows,
    flatten,
    rebuild,
    row_bytes,
)
from batchsim.compiler.returns import EXPECTED
from batchsim.compiler.rows import (
    ParametersType,
    RowsType,
    StateType,
    array_value,
    arrays_of,
    numba_type,
    row_type,
    row_value,
    type_of_arrays,
)

__all__ = [
    "NATIVE",
    "native_target",
    "native_view",
    "reference_accessors",
]

Array = npt.NDArray[Any]

# --- A tile ---------------------------------------------------------------------------------------


def reference_view(table: Tile, lo: int, hi: int) -> Tile:
    """`view` of the reference backend, whose table is the `Tile` of whole columns."""
    if hi - lo == len(table.pending):
        return table  # To cut dozens of columns takes longer than many a step.
    return cut_rows(table, lambda column: column[lo:hi])


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

            def enter(slot: int, layout: ArrayLayout | HiddenLayout | TupleLayout) -> int:
                if isinstance(layout, HiddenLayout):
                    return slot + layout.arrays
                if isinstance(layout, TupleLayout):
                    for member in layout.members:
                        slot = enter(slot, member)
                    return slot
                address = builder.load(builder.gep(pointers, [number(slot)]))
                if layout.length is None:
                    row = number(row_bytes(layout))
                    address = builder.add(address, builder.mul(first, row))
                builder.store(address, builder.gep(addresses, [ir.IntType(32)(1 + slot)]))
                return slot + 1

            enter(0, kind.layout)
            return addresses

        return kind(table, types.intp, types.intp), codegen

    return view


@functools.cache
def native_target(layout: ArrayLayout | TupleLayout) -> Any:
    """Return the intrinsic `target(table, lo, hi, frames, place)`: arrays to write into, the first
    of which is in this place of the table.

    Args:
        layout: of the arrays, with one row a frame.
    """

    @intrinsic
    def target(typing_context: Any, table: Any, lo: Any, hi: Any, frames: Any, place: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointers, first, end, times, slot = arguments
            first, end = builder.mul(first, times), builder.mul(end, times)

            def build(layout: ArrayLayout | TupleLayout) -> Any:
                nonlocal slot
                kind = numba_type(layout)
                if isinstance(layout, TupleLayout):
                    members = [build(member) for member in layout.members]
                    return context.make_tuple(builder, kind, members)
                address = builder.load(builder.gep(pointers, [slot]))
                slot = builder.add(slot, slot.type(1))
                row = builder.mul(first, first.type(row_bytes(layout)))
                pointer = builder.inttoptr(builder.add(address, row), ir.IntType(8).as_pointer())
                rows = builder.sub(end, first)
                return array_value(context, builder, kind, pointer, layout.trailing, rows)

            return build(layout)

        return numba_type(layout)(table, lo, hi, types.intp, types.intp), codegen

    return target


# --- A row ----------------------------------------------------------------------------------------


def parameters_at(constants, tile, i):  # type: ignore[no-untyped-def]
    """Return the parameters of row i: those of the tile in place of `constants`."""
    found = constants._replace(
        **{name: _as_given(column[0]) for name, column in _named(tile.common)},
        **{name: _as_given(column[i]) for name, column in _named(tile.parameters)},
    )
    return found._replace(**dict(_named(tile.tables)))


def reset_parameters_at(constants, tile, i, options_row):  # type: ignore[no-untyped-def]
    """Return the parameters of row i as its reset sees them: with a row's options, or the defaults
    for row -1.
    """
    found = parameters_at(constants, tile, i)
    if options_row < 0:
        return found
    return found._replace(
        **{name: _as_given(column[options_row]) for name, column in _named(tile.options)}
    )


def _as_given(value: Any) -> Any:
    """Return a parameter as its default is: as Python's number, which adapts to narrow arrays."""
    return value.item() if isinstance(value, (np.float64, np.int64, np.bool_)) else value


def _named(columns: Any) -> list[tuple[str, Any]]:
    """Return the names and the arrays of a namedtuple; none of an empty tuple."""
    return list(columns._asdict().items()) if columns else []


@intrinsic
def _parameters_at(typing_context: Any, tile: Any, i: Any) -> Any:
    return ParametersType(tile, at_reset=False)(tile, types.intp), _with_row


@intrinsic
def _reset_parameters_at(typing_context: Any, tile: Any, i: Any, options_row: Any) -> Any:
    kind = ParametersType(tile, at_reset=True)
    return kind(tile, types.intp, types.intp), _with_row


def _with_row(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    kind = context.get_value_type(signature.return_type)
    value = kind(ir.Undefined)
    for k, argument in enumerate(arguments[: len(kind.elements)]):
        value = builder.insert_value(value, argument, k)
    return value


def row_views(nested, i):  # type: ignore[no-untyped-def]
    """Return row i of an array, or of each array of a nested tuple."""
    if isinstance(nested, np.ndarray):
        return nested[i]
    return rebuild(nested, [row_views(member, i) for member in nested])


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


def clear_rows(nested):  # type: ignore[no-untyped-def]
    """Write zeros into each array of a nested tuple."""
    for member in nested:
        if isinstance(member, np.ndarray):
            member[:] = 0
        else:
            clear_rows(member)


@intrinsic
def _clear_rows(typing_context: Any, nested: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        for array in _each_array(context, builder, nested, arguments[0]):
            cgutils.memset(builder, array.data, _size(builder, array), 0)
        return context.get_dummy_value()

    return types.void(nested), codegen


def _each_array(context: Any, builder: Any, kind: Any, value: Any) -> list[Any]:
    """Return Numba's access to each of the arrays of a part of a tile, or of a nested tuple."""
    kind, value = arrays_of(context, builder, kind, value)
    if isinstance(kind, types.Array):
        return [context.make_array(kind)(context, builder, value=value)]
    members = [(part, builder.extract_value(value, k)) for k, part in enumerate(kind.types)]
    return [array for member in members for array in _each_array(context, builder, *member)]


def _size(builder: Any, array: Any) -> Any:
    """Return how many bytes an array has."""
    return builder.mul(array.nitems, array.itemsize)


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


# --- The reference backend ------------------------------------------------------------------------


def _reference_target(table: Tile, lo: int, hi: int, frames: int, place: str) -> Any:
    def rows(nested: Any) -> Any:
        if isinstance(nested, np.ndarray):
            part = nested[lo:hi]
            return part.reshape(len(part) * frames, *part.shape[2:]) if frames > 1 else part
        return rebuild(nested, [rows(member) for member in nested])

    return rows(getattr(table, place))


def reference_accessors(constants: Any, *, stacks: bool) -> dict[str, Any]:
    """Return what free names of the tile loops stand for in the reference backend.

    Args:
        constants: the parameters' values, a namedtuple.
        stacks: whether frames are stacked.
    """
    accessors = (
        functools.partial(parameters_at, constants),
        functools.partial(reset_parameters_at, constants),
        row_views,
        state_at,
        clear_rows,
        outcome,
    )
    return {
        "view": reference_view,
        "part_view": reference_view,
        "observation_at": _reference_target,
        "info_at": _reference_target,
        "OBSERVED": "frames" if stacks else "observation",
        "INFO": "info",
        "FINAL_INFO": "final_info",
        "leaves": flatten,
        **dict(zip(ACCESSORS, accessors, strict=True)),
    }


_NATIVE = (
    _parameters_at,
    _reset_parameters_at,
    _row_views,
    _state_at,
    _clear_rows,
    _outcome,
)
NATIVE = dict(zip(ACCESSORS, _NATIVE, strict=True))
"""What free names of the parts stand for in the native backend, beside `part_view`."""
