"""Numba's types of what kernels work on: a tile, the state of one of its rows, and its parameters.

A tile has dozens of arrays. Were it a tuple of them, every function that it is passed to would take
hundreds of values, and most of a kernel's compile time went into passing them on. So what compiled
code passes is the place where the addresses of the arrays stand, one for a whole tile and for every
part of it; an array is made where it is named. Once the functions are inlined, nothing is left of
the place, and the addresses are in registers.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.imputils import lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, register_model
from numba.np.arrayobj import populate_array
from numba.np.numpy_support import from_dtype

from batchsim.compiler.arrays import Reference, load, load_invariant, reference_at
from batchsim.compiler.layouts import UNKNOWN, ArrayLayout, HiddenLayout, TupleLayout, count

__all__ = [
    "ParametersType",
    "RowsType",
    "StateType",
    "array_at",
    "array_value",
    "arrays_of",
    "mark_addresses",
    "numba_type",
    "row_type",
    "row_value",
    "type_of_arrays",
]

ADDRESSES = types.CPointer(types.int64)
"""How many rows a tile has, and the addresses of its arrays."""


# --- How arrays lie -------------------------------------------------------------------------------


@functools.cache
def numba_type(layout: ArrayLayout | TupleLayout) -> Any:
    """Return the type of arrays, in tuples as the layout says, that are passed by themselves."""
    if isinstance(layout, ArrayLayout):
        shape = (layout.length if layout.is_small_table else None, *layout.trailing)
        return Reference(from_dtype(layout.dtype), shape, readonly=not layout.writeable)
    return types.BaseTuple.from_types([numba_type(part) for part in layout.members], layout.type)


# --- Types ----------------------------------------------------------------------------------------


class RowsType(types.Type):
    """A tile or a part of it; its attributes are arrays, and parts of this type again.

    Functions that are given a part of a tile, such as the state or the streams, are compiled once
    for all the tiles that have such a part.

    Args:
        tile: the layout of the whole tile; of a part, of itself: it has no tables.
        layout: of the part.
        slot: the place of the part's first array among the tile's.
        constants: the parameters' values that are compiled in, a namedtuple.
    """

    def __init__(self, tile: TupleLayout, layout: TupleLayout, slot: int, constants: Any) -> None:
        self.tile = tile
        self.layout = layout
        self.slot = slot
        self.constants = constants
        # Equal numbers may be of different types.
        self.identity = tile, layout, slot, repr(constants)
        super().__init__(f"Rows.{_number(self.identity)}")

    @property
    def key(self) -> Any:
        """What makes types the same."""
        return self.identity

    @property
    def instance_class(self) -> Any:
        """The class of the tuple, as Numba's type of one has it."""
        return self.layout.type

    @functools.cached_property
    def places(self) -> dict[str, tuple[int, Any]]:
        """By name: the slot, and the layout, of a member."""
        found = {}
        slot = self.slot
        # Members of a plain tuple have no names.
        for field, member in zip(self.layout.fields, self.layout.members, strict=False):
            if not isinstance(member, HiddenLayout):
                found[field] = slot, member
            slot += count(member)
        return found

    def member(self, slot: int, layout: ArrayLayout | TupleLayout) -> Any:
        """Return the type of a member."""
        if isinstance(layout, ArrayLayout):
            return numba_type(layout)
        return RowsType(layout, layout, slot, ())


class StateType(types.Type):
    """The columns as an environment's functions see them; its value knows of which row.

    Args:
        rows: the type of the columns.
    """

    def __init__(self, rows: RowsType) -> None:
        self.rows = rows
        super().__init__(f"State.{_number(rows.identity)}")

    @property
    def key(self) -> Any:
        """What makes types the same."""
        return self.rows

    def shape_of(self, name: str) -> tuple[int | None, ...] | None:
        """Return the shape of a column, whose first extent the code finds out."""
        _, layout = self.rows.places.get(name, (0, None))
        return (None, *layout.trailing) if isinstance(layout, ArrayLayout) else None


class ParametersType(types.Type):
    """The parameters of a row.

    Args:
        tile: the type of the tile.
        at_reset: whether the options of the reset are among them, or their defaults.
    """

    def __init__(self, tile: RowsType, at_reset: bool) -> None:
        self.tile = tile
        self.at_reset = at_reset and "options" in tile.places
        super().__init__(f"Parameters.{_number(tile.identity)}.{int(self.at_reset)}")

    @property
    def key(self) -> Any:
        """What makes types the same."""
        return self.tile, self.at_reset

    def shape_of(self, name: str) -> tuple[int | None, ...] | None:
        """Return the shape of a table, or of a parameter of several numbers."""
        if name not in self.sources:
            return None
        field, _, layout = self.sources[name]
        return numba_type(layout).shape if field == "tables" else layout.trailing or None

    def is_plain(self, name: str) -> bool:
        """Tell whether a parameter is a number, or a truth value, of Python's."""
        if name not in self.sources:
            return isinstance(getattr(self.tile.constants, name, None), (int, float))
        field, _, layout = self.sources[name]
        return field != "tables" and not layout.trailing

    @functools.cached_property
    def sources(self) -> dict[str, tuple[str, int, ArrayLayout]]:
        """Of the parameters that are not compiled in: the field of the tile, slot and layout."""
        found = {}
        for field in ("common", "parameters", *["options"] * self.at_reset, "tables"):
            if field not in self.tile.places:
                continue
            slot, layout = self.tile.places[field]
            # The last ones may be left out.
            for name, member in zip(layout.fields, layout.members, strict=False):
                if not isinstance(member, HiddenLayout):
                    found[name] = field, slot, member
                slot += 1
        return found


@functools.cache
def _number(identity: Any) -> int:
    """Return a number of an identity's own, for the names of types."""
    return next(_numbers)


_numbers = itertools.count()


@register_model(RowsType)
class _RowsModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, ir.IntType(64).as_pointer())


class _OfRowModel(models.StructModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        members = [("addresses", ADDRESSES), ("row", types.intp)]
        if getattr(kind, "at_reset", False):
            members.append(("options_row", types.intp))
        super().__init__(manager, kind, members)


register_model(StateType)(_OfRowModel)
register_model(ParametersType)(_OfRowModel)
OF_ADDRESSES = (RowsType, StateType, ParametersType)
"""Types whose values refer to the addresses of a tile's arrays."""


def mark_addresses(context: Any, function: Any, kinds: tuple[Any, ...], result: Any) -> None:
    """Let LLVM know of an LLVM function that nothing writes over the addresses it is given.

    Without that it reads them again after every write into a column wherever a function that has
    them is not inlined, and of loops over lanes it makes no vector instructions.

    Args:
        context: Numba's.
        function: the function, declared.
        kinds: Numba's types of its arguments.
        result: that of what it returns.
    """
    if isinstance(result, OF_ADDRESSES):
        return
    arguments = iter(context.call_conv.get_arguments(function))
    for kind in kinds:
        model = context.data_model_manager[kind]
        for _ in _flat(model.get_argument_type()):
            argument = next(arguments)
            if isinstance(kind, OF_ADDRESSES) and isinstance(argument.type, ir.PointerType):
                for attribute in ("noalias", "captures(none)", "readonly"):
                    # llvmlite refuses attributes that it does not list.
                    set.add(argument.attributes, attribute)


def _flat(kinds: Any) -> Iterator[Any]:
    """Yield LLVM's types in nested tuples."""
    if not isinstance(kinds, tuple):
        yield kinds
        return
    for kind in kinds:
        yield from _flat(kind)


# --- Arrays ---------------------------------------------------------------------------------------


def array_value(
    context: Any, builder: Any, kind: Any, address: Any, trailing: tuple[int, ...], rows: Any
) -> Any:
    """Return an array of rows that lie one after the other from an address on.

    Constant trailing shapes and strides are what lets LLVM see how rows lie in memory.

    Args:
        context, builder: Numba's.
        kind: the array's type.
        address: a pointer.
        trailing: the shape of a row.
        rows: how many there are.
    """
    intp = context.get_value_type(types.intp)
    item = context.get_abi_sizeof(context.get_data_type(kind.dtype))
    extents = [1, *trailing]
    strides = [item * int(np.prod(extents[k + 1 :], dtype=int)) for k in range(len(extents))]
    elements = int(np.prod(extents, dtype=int))
    model = context.data_model_manager[kind]
    struct = context.get_value_type(kind)
    axes = ir.ArrayType(intp, len(extents))
    known = {
        "meminfo": None,
        "parent": None,
        "nitems": elements,
        "itemsize": item,
        "data": ir.Undefined,
        "shape": axes([intp(extent) for extent in extents]),
        "strides": axes([intp(stride) for stride in strides]),
    }
    members = [
        value if isinstance(value, ir.Constant) else ir.Constant(part, value)
        for part, value in zip(struct.elements, map(known.get, model._fields), strict=True)
    ]
    value = ir.Constant.literal_struct(members)
    place = model.get_field_position
    data = builder.bitcast(address, struct.elements[place("data")])
    value = builder.insert_value(value, data, place("data"))
    total = rows if elements == 1 else builder.mul(rows, intp(elements))
    value = builder.insert_value(value, total, place("nitems"))
    return builder.insert_value(value, rows, (place("shape"), 0))


def _address(builder: Any, addresses: Any, slot: int) -> Any:
    """Return the address of the array in a slot."""
    place = builder.gep(addresses, [ir.IntType(32)(1 + slot)], inbounds=True)
    return builder.inttoptr(builder.load(place), ir.IntType(8).as_pointer())


def array_at(
    context: Any, builder: Any, tile: TupleLayout, addresses: Any, slot: int, layout: ArrayLayout
) -> Any:
    """Return the array of a tile that is in a slot."""
    intp = context.get_value_type(types.intp)
    if layout.length is None:
        rows = builder.load(addresses)
    elif layout.length == UNKNOWN:
        first, _ = tile.place("tables")
        before, settings = tile.place("settings")
        lengths = _address(builder, addresses, before + settings.place("table_lengths")[0])
        place = builder.gep(builder.bitcast(lengths, intp.as_pointer()), [intp(slot - first)])
        rows = load_invariant(builder, place)
    else:
        rows = intp(layout.length)
    address = _address(builder, addresses, slot)
    return array_value(context, builder, numba_type(layout), address, layout.trailing, rows)


def type_of_arrays(kind: Any) -> Any:
    """Return the type of what `arrays_of` makes."""
    return numba_type(kind.layout) if isinstance(kind, RowsType) else kind


def arrays_of(context: Any, builder: Any, kind: Any, value: Any) -> tuple[Any, Any]:
    """Return the type and the value of the arrays of a part of a tile, in nested tuples.

    An array, or a tuple of arrays, is returned as it is.
    """
    if not isinstance(kind, RowsType):
        return kind, value
    slot = kind.slot

    def build(layout: ArrayLayout | TupleLayout) -> Any:
        nonlocal slot
        if isinstance(layout, ArrayLayout):
            slot += 1
            return array_at(context, builder, kind.tile, value, slot - 1, layout)
        members = [build(member) for member in layout.members]
        return context.make_tuple(builder, numba_type(layout), members)

    return type_of_arrays(kind), build(kind.layout)


def row_type(kind: Any) -> Any:
    """Return the type of a row of an array."""
    if kind.ndim == 1:
        return kind.dtype
    if isinstance(kind, Reference):
        return Reference(kind.dtype, kind.shape[1:], readonly=not kind.mutable)
    # Arrays of a caller's own, which the ladder compiles for.
    return types.Array(kind.dtype, kind.ndim - 1, "C", readonly=not kind.mutable)


def row_value(context: Any, builder: Any, kind: Any, value: Any, row: Any) -> Any:
    """Return a row of an array: a number, or an array that refers to its memory."""
    array = context.make_array(kind)(context, builder, value=value)
    if kind.ndim == 1:
        place = builder.gep(array.data, [row])
        return load(context, builder, kind.dtype, place, invariant=not kind.mutable)
    if isinstance(kind, Reference):
        pointer = builder.gep(array.data, [builder.mul(row, row.type(kind.strides[0]))])
        return reference_at(context, builder, row_type(kind), pointer)
    shape = cgutils.unpack_tuple(builder, array.shape, kind.ndim)
    strides = cgutils.unpack_tuple(builder, array.strides, kind.ndim)
    view = context.make_array(row_type(kind))(context, builder)
    populate_array(
        view,
        data=cgutils.pointer_add(builder, array.data, builder.mul(row, strides[0])),
        shape=shape[1:],
        strides=strides[1:],
        itemsize=array.itemsize,
        meminfo=None,
    )
    return view._getvalue()


# --- Attributes -----------------------------------------------------------------------------------


@infer_getattr
class _RowsAttributes(AttributeTemplate):
    key = RowsType

    def generic_resolve(self, rows: RowsType, name: str) -> Any:  # type: ignore[override]
        return rows.member(*rows.places[name]) if name in rows.places else None


@lower_getattr_generic(RowsType)
def _member(context: Any, builder: Any, kind: RowsType, value: Any, name: str) -> Any:
    slot, layout = kind.places[name]
    if isinstance(layout, TupleLayout):
        return value
    return array_at(context, builder, kind.tile, value, slot, layout)


@infer_getattr
class _StateAttributes(AttributeTemplate):
    key = StateType

    def generic_resolve(self, state: StateType, name: str) -> Any:  # type: ignore[override]
        places = state.rows.places
        return state.rows.member(*places[name]) if name in places else None


@lower_getattr_generic(StateType)
def _column(context: Any, builder: Any, kind: StateType, value: Any, name: str) -> Any:
    slot, layout = kind.rows.places[name]
    addresses, row = (builder.extract_value(value, k) for k in range(2))
    array = array_at(context, builder, kind.rows.tile, addresses, slot, layout)
    if not layout.trailing or name not in getattr(kind.rows.layout.type, "_marked", ()):
        return array
    # In every row the memory of the first one.
    place = context.data_model_manager[numba_type(layout)].get_field_position("data")
    elements = row.type(int(np.prod(layout.trailing, dtype=int)))
    before = builder.neg(builder.mul(row, elements))
    return builder.insert_value(
        array, builder.gep(builder.extract_value(array, place), [before]), place
    )


@infer_getattr
class _ParametersAttributes(AttributeTemplate):
    key = ParametersType

    def generic_resolve(self, parameters: ParametersType, name: str) -> Any:  # type: ignore[override]
        if name in parameters.sources:
            field, _, layout = parameters.sources[name]
            kind = numba_type(layout)
            return kind if field == "tables" else row_type(kind)
        if name in parameters.tile.constants._fields:
            return numba.typeof(getattr(parameters.tile.constants, name))
        return None


@lower_getattr_generic(ParametersType)
def _parameter(context: Any, builder: Any, kind: ParametersType, value: Any, name: str) -> Any:
    if name not in kind.sources:
        constant = getattr(kind.tile.constants, name)
        return context.get_constant_generic(builder, numba.typeof(constant), constant)
    field, slot, layout = kind.sources[name]
    addresses, row = (builder.extract_value(value, k) for k in range(2))
    array = array_at(context, builder, kind.tile.tile, addresses, slot, layout)
    if field == "tables":
        return array
    if field == "options":
        return _option(context, builder, kind, value, name, array)
    if field == "common":
        row = row.type(0)
    return row_value(context, builder, numba_type(layout), array, row)


def _option(
    context: Any, builder: Any, kind: ParametersType, value: Any, name: str, array: Any
) -> Any:
    """Return what a row was given as an option, or the default."""
    row = builder.extract_value(value, 2)
    is_given = builder.icmp_signed(">=", row, row.type(0))
    place = builder.select(is_given, row, row.type(0))  # Row 0 is always there.
    kind_of_rows = numba_type(kind.sources[name][2])
    given = row_value(context, builder, kind_of_rows, array, place)
    default = getattr(kind.tile.constants, name)
    if not isinstance(default, tuple):
        number = context.get_constant_generic(builder, kind_of_rows.dtype, default)
        return builder.select(is_given, given, number)
    number = context.get_value_type(kind_of_rows.dtype)
    numbers = ir.Constant(ir.ArrayType(number, len(default)), [number(k) for k in default])
    memory = cgutils.global_constant(builder, f".default.{name}", numbers)
    data = context.data_model_manager[row_type(kind_of_rows)].get_field_position("data")
    memory = builder.bitcast(memory, number.as_pointer())
    chosen = builder.select(is_given, builder.extract_value(given, data), memory)
    return builder.insert_value(given, chosen, data)
