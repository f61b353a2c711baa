"""Indices that are arrays of places: `a[places]`, `a[rows, columns] = …`.

What they find is a copy, as in NumPy: an array as large as the array of places.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError

from batchsim.compiler.array_functions import numbers_of
from batchsim.compiler.arrays import (
    LIMIT,
    TUPLE,
    Reference,
    Value,
    broadcast,
    data_pointer,
    elements,
    is_small,
    load,
    make_value,
    offsets,
    slot_of,
    spread,
)
from batchsim.compiler.elementwise import is_array, sample

__all__ = ["Chosen", "chosen", "read", "result_type", "write_chosen", "write_into"]


class Chosen(NamedTuple):
    """What an index with arrays of places finds in an array."""

    places: tuple[int, ...]
    """The shape that the arrays of places are broadcast to."""
    rest: tuple[int, ...]
    """Of each part that is found, the shape and the strides."""
    strides: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of all that is found."""
        return (*self.places, *self.rest)


def _parts(index: Any) -> tuple[Any, ...]:
    return tuple(index) if isinstance(index, TUPLE) else (index,)


def chosen(array: Any, index: Any) -> Chosen | None:
    """Return what an index finds, None if it has no arrays of places.

    Args:
        array: the type of what is indexed.
        index: the type of the index.

    Raises:
        TypingError: it finds too much, or is beyond the array.
    """
    parts = _parts(index)
    arrays: list[Any] = [part for part in parts if isinstance(part, (Reference, Value))]
    if not arrays or not all(
        isinstance(getattr(part, "dtype", part), types.Integer) for part in parts
    ):
        return None
    if len(parts) > array.ndim:
        raise TypingError(f"{array} has {array.ndim} axes and is indexed by {len(parts)} numbers.")
    if not all(map(is_small, arrays)):
        raise TypingError(f"An index is an array of more than {LIMIT} places: write a loop.")
    places = broadcast([part.shape for part in arrays])
    rest: Any = array.shape[len(parts) :]
    if None in rest or math.prod((*places, *rest)) > LIMIT:
        raise TypingError(
            f"An index finds {math.prod((*places, *rest))} elements; expected at most {LIMIT}: "
            "write a loop over its places."
        )
    steps = _strides(array)[len(parts) :]
    return Chosen(places, rest, steps)


def _strides(array: Any) -> tuple[int, ...]:
    """Return the strides of an array where it is kept."""
    if isinstance(array, Value):
        return Reference(array.dtype, array.shape).strides
    strides: tuple[int, ...] = array.strides
    return strides


def result_type(array: Any, index: Any, found: Chosen) -> Value:
    """Return the type of the array that is found."""
    shape = tuple(1 if n is None else n for n in array.shape)
    places = tuple(np.zeros(part.shape, int) if is_array(part) else 0 for part in _parts(index))
    like = sample(Reference(array.dtype, shape, strides=array.strides))[places]
    return Value(array.dtype, found.shape, like.strides)


def _pointers(
    context: Any, builder: Any, kind: Any, memory: Any, length: Any, index: Any, value: Any
) -> list[Any]:
    """Return pointers to the first element of each part that an index finds, row by row.

    Args:
        context, builder: Numba's.
        kind: of the array.
        memory: a pointer to its first element.
        length: how many rows it has, where that is not known.
        index, value: type and value of the index.
    """
    word = context.get_value_type(types.intp)
    parts = _parts(index)
    values = (
        [value]
        if parts == (index,)
        else [builder.extract_value(value, k) for k in range(len(parts))]
    )
    shape = broadcast([part.shape for part in parts if is_array(part)])
    totals = [word(0)] * math.prod(shape)
    strides = _strides(kind)
    for axis, (part, given) in enumerate(zip(parts, values, strict=True)):
        extent = kind.shape[axis]
        count = length if extent is None else word(extent)
        if is_array(part):
            numbers = spread(elements(context, builder, part, given), part.shape, shape)
            number_kind = part.dtype
        else:
            numbers, number_kind = [given] * len(totals), types.unliteral(part)
        for k, number in enumerate(numbers):
            place = context.cast(builder, number, number_kind, types.intp)
            if number_kind.signed:
                is_negative = builder.icmp_signed("<", place, word(0))
                place = builder.select(is_negative, builder.add(place, count), place)
            if context.enable_boundscheck:
                cgutils.do_boundscheck(context, builder, place, count, axis)
            totals[k] = builder.add(totals[k], builder.mul(place, word(strides[axis])))
    return [builder.gep(memory, [total]) for total in totals]


def _place_of(context: Any, builder: Any, kind: Any, value: Any) -> tuple[Any, Any]:
    """Return a pointer to the first element of an array, and its length if that is not known."""
    if isinstance(kind, Value):
        return cgutils.gep_inbounds(builder, slot_of(builder, value), 0, 0), None
    length = None
    if kind.shape[0] is None:
        shape = context.data_model_manager[kind].get_field_position("shape")
        length = builder.extract_value(value, (shape, 0))
    return data_pointer(context, builder, kind, value), length


def read(context: Any, builder: Any, sig: Any, args: Any, found: Chosen) -> Any:
    """Return the array that an index finds."""
    array, index = sig.args
    memory, length = _place_of(context, builder, array, args[0])
    invariant = isinstance(array, Reference) and not array.mutable
    word = context.get_value_type(types.intp)
    numbers = [
        load(context, builder, array.dtype, builder.gep(pointer, [word(k)]), invariant=invariant)
        for pointer in _pointers(context, builder, array, memory, length, index, args[1])
        for k in offsets(found.rest, found.strides)
    ]
    return make_value(context, builder, sig.return_type, numbers)


def write_chosen(
    context: Any,
    builder: Any,
    kind: Any,
    memory: Any,
    length: Any,
    index: Any,
    index_value: Any,
    found: Chosen,
    given: Any,
    value: Any,
) -> None:
    """Write numbers where an index says, one after the other: the last one stays.

    Args:
        context, builder: Numba's.
        kind: of the array.
        memory: a pointer to its first element.
        length: how many rows it has, where that is not known.
        index, index_value: type and value of the index.
        found: what it finds.
        given, value: type and value of what is written.
    """
    shape, numbers = numbers_of(context, builder, given, value, kind.dtype)
    numbers = spread(numbers, shape, found.shape) if shape else numbers * math.prod(found.shape)
    model = context.data_model_manager[kind.dtype]
    word = context.get_value_type(types.intp)
    pointers = _pointers(context, builder, kind, memory, length, index, index_value)
    places = [
        builder.gep(pointer, [word(k)])
        for pointer in pointers
        for k in offsets(found.rest, found.strides)
    ]
    for place, number in zip(places, numbers, strict=True):
        builder.store(model.as_data(builder, number), place)


def write_into(context: Any, builder: Any, sig: Any, args: Any, found: Chosen) -> None:
    """Write numbers into a reference where an index says."""
    array, index, given = sig.args
    memory, length = _place_of(context, builder, array, args[0])
    write_chosen(context, builder, array, memory, length, index, args[1], found, given, args[2])
