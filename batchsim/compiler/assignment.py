"""How compiled code writes into arrays whose shape is known: into columns, and into variables."""

from __future__ import annotations

import math
import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer, infer_global, signature

from batchsim.compiler import gathering
from batchsim.compiler.array_functions import array_type, numbers_of
from batchsim.compiler.arrays import (
    LIMIT,
    TUPLE,
    IndexType,
    Large,
    Place,
    Reference,
    Value,
    broadcast,
    cast_elements,
    data_pointer,
    each_offset,
    elements,
    find,
    is_small,
    load,
    make_value,
    pattern_of,
    reference_at,
    spread,
    store_elements,
)
from batchsim.compiler.indexing import (
    as_numba_does,
    numba_index,
    offset_of,
    plain_type,
    pointer_to,
    refuse_arrays,
)
from batchsim.compiler.large import store

__all__ = ["is_mask", "write", "write_where"]


class _SetItem(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        array, index, value = args
        if not isinstance(array, (Reference, Value)):
            if isinstance(index, IndexType):
                return _set_of_others(self.context, array, index, value)
            return None
        if is_mask(index):
            return _set_where(array, index, value)
        chosen = gathering.chosen(array, index)
        if chosen is not None:
            return _set_chosen(array, index, value, chosen)
        refuse_arrays(index)
        pattern = pattern_of(index)
        place = None if pattern is None else find(array, pattern)
        if place is None:
            if isinstance(array, Value):
                raise TypingError(
                    f"{array} is indexed by {index}; expected whole numbers and slices whose "
                    "bounds are known when it is compiled."
                )
            if isinstance(value, (Large, Value)):
                raise TypingError(
                    f"An array is written where {index} says; expected whole numbers and slices "
                    "whose bounds are known when it is compiled: write a loop over the elements."
                )
            if isinstance(index, IndexType):
                return _set_of_others(self.context, array, index, value)
            return None
        if isinstance(array, Reference) and not array.mutable:
            raise TypingError(f"Cannot modify readonly array: {array}")
        given = _type_of_list(value, array) if isinstance(value, TUPLE) else value
        if isinstance(given, (Large, Reference, Value)):
            if None in given.shape:
                return None
            shape: Any = given.shape
            while len(shape) > len(place.shape) and shape[0] == 1:
                shape = shape[1:]
            fits = given.shape == place.shape
            if (
                not fits
                if isinstance(given, Large)
                else (broadcast([shape, place.shape]) != place.shape)
            ):
                raise TypingError(
                    f"An array of the shape {given.shape} is written where {place.shape} is."
                )
        elif isinstance(value, types.Array):
            raise TypingError(
                f"{value}, whose shape is not known, is written into {array}: write a loop over "
                "the elements."
            )
        elif not isinstance(value, (types.Integer, types.Float, types.Boolean)):
            return None
        return signature(types.none, *args)


def _type_of_list(kind: Any, array: Any) -> Any:
    """Return the type of the array that a list or a tuple is, which is written into another.

    Raises:
        TypingError: it has rows in it, which NumPy may read after it has written into them.
    """

    def has_rows(part: Any) -> bool:
        if isinstance(part, TUPLE):
            return any(map(has_rows, part.types))
        return isinstance(part, Reference) and part.mutable and part.dtype == array.dtype

    if isinstance(array, Reference) and has_rows(kind):
        raise TypingError("A list of rows is written into an array: write np.array([…]).")
    return array_type(kind)


def is_mask(index: Any) -> bool:
    """Whether an index says of each element whether it is meant."""
    return isinstance(index, (Reference, Value)) and isinstance(index.dtype, types.Boolean)


def _set_where(array: Any, index: Any, value: Any) -> Any:
    """Return the signature of `array[mask] = number`."""
    if not (is_small(array) and is_small(index)):
        return None
    if index.shape != array.shape:
        raise TypingError(f"A mask of the shape {index.shape} is for an array of {array.shape}.")
    if not isinstance(value, (types.Number, types.Boolean)):
        raise TypingError(
            "An array is written where a mask says: write array[:] = np.where(mask, …, array)."
        )
    if isinstance(array, Reference) and not array.mutable:
        raise TypingError(f"Cannot modify readonly array: {array}")
    return signature(types.none, array, index, value)


def _set_chosen(array: Any, index: Any, value: Any, chosen: gathering.Chosen) -> Any:
    """Return the signature of `array[places] = value`."""
    if isinstance(array, Reference) and not array.mutable:
        raise TypingError(f"Cannot modify readonly array: {array}")
    given = array_type(value)
    shape = getattr(given, "shape", ())
    if broadcast([shape, chosen.shape]) != chosen.shape:
        raise TypingError(f"An array of the shape {shape} is written where {chosen.shape} is.")
    return signature(types.none, array, index, value)


def write_where(
    context: Any,
    builder: Any,
    kind: Any,
    pointer: Any,
    mask: Any,
    mask_value: Any,
    given: Any,
    value: Any,
) -> None:
    """Write a number into the elements that a mask names.

    Args:
        context, builder: Numba's.
        kind: of the array, a reference, or a value in memory.
        pointer: to its first element.
        mask, mask_value: type and value of the mask.
        given, value: type and value of what is written.
    """
    memory = Reference(kind.dtype, kind.shape) if isinstance(kind, Value) else kind
    array = reference_at(context, builder, memory, pointer)
    number = context.cast(builder, value, given, kind.dtype)
    chosen = [
        builder.select(flag, number, before)
        for flag, before in zip(
            elements(context, builder, mask, mask_value),
            elements(context, builder, memory, array),
            strict=True,
        )
    ]
    store_elements(context, builder, memory, pointer, chosen)


@lower_builtin(operator.setitem, Reference, Value, types.Any)
@lower_builtin(operator.setitem, Reference, Reference, types.Any)
def _set_by_array(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    array, mask, given = sig.args
    chosen = gathering.chosen(array, mask)
    if chosen is not None:
        gathering.write_into(context, builder, sig, args, chosen)
        return context.get_dummy_value()
    pointer = data_pointer(context, builder, array, args[0])
    write_where(context, builder, array, pointer, mask, args[1], given, args[2])
    return context.get_dummy_value()


def _set_of_others(typing_context: Any, array: Any, index: IndexType, value: Any) -> Any:
    found = typing_context.resolve_setitem(plain_type(array), numba_index(index), value)
    return None if found is None else signature(types.none, array, index, value)


@lower_builtin(operator.setitem, types.Any, IndexType, types.Any)
def _set_into_others(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return as_numba_does(context, builder, operator.setitem, sig.args, args)


@infer_global(operator.setitem)
class _SetItemOfRows(_SetItem):
    prefer_literal = True
    metadata = {"target": "cpu"}  # noqa: RUF012


@infer
class _StaticSetItem(_SetItem):
    key = "static_setitem"
    metadata = {"target": "cpu"}  # noqa: RUF012


@lower_builtin(operator.setitem, Reference, IndexType, types.Any)
@lower_builtin(operator.setitem, Reference, types.Integer, types.Any)
@lower_builtin(operator.setitem, Reference, types.IntegerLiteral, types.Any)
@lower_builtin(operator.setitem, Reference, types.BaseTuple, types.Any)
@lower_builtin("static_setitem", Reference, types.Any, types.Any)
def _set_item(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    array, index, given = sig.args
    chosen = gathering.chosen(array, index) if isinstance(args[1], ir.Value) else None
    if chosen is not None:
        gathering.write_into(context, builder, sig, args, chosen)
        return context.get_dummy_value()
    pattern = pattern_of(index if isinstance(args[1], ir.Value) else args[1])
    place = None if pattern is None else find(array, pattern)
    if place is None:
        if not isinstance(args[1], ir.Value):
            raise NotImplementedError
        return as_numba_does(context, builder, operator.setitem, sig.args, args)
    pointer = pointer_to(context, builder, array, args[0], place, index, args[1])
    _write_at(context, builder, array.dtype, place, pointer, given, args[2])
    return context.get_dummy_value()


def write(
    context: Any,
    builder: Any,
    kind: Value,
    place: Place,
    pointer: Any,
    index: Any,
    index_value: Any,
    given: Any,
    value: Any,
) -> None:
    """Write a number or an array into a variable that holds an array.

    Args:
        context, builder: Numba's.
        kind: of the variable.
        place: what the index finds.
        pointer: to the variable's first element.
        index, index_value: type and value of the index.
        given, value: type and value of what is written.
    """
    offset = offset_of(context, builder, kind, place, index, index_value, None)
    pointer = builder.gep(pointer, [offset])
    _write_at(context, builder, kind.dtype, place, pointer, given, value)


def _write_at(
    context: Any, builder: Any, dtype: Any, place: Place, pointer: Any, given: Any, value: Any
) -> None:
    """Write a number or an array where an index found something.

    Args:
        context, builder: Numba's.
        dtype: of the array that is written into.
        place: what the index found.
        pointer: to its first element.
        given, value: type and value of what is written.
    """
    target = Reference(dtype, place.shape, strides=place.strides)
    count = math.prod(place.shape)
    if isinstance(given, TUPLE):
        parts, numbers = numbers_of(context, builder, given, value, dtype)
        given = Value(dtype, parts)
        value = make_value(context, builder, given, numbers)
    if isinstance(given, Large):
        store(context, builder, target, pointer, given, value)
        return
    if not isinstance(given, (Reference, Value)):
        number = context.cast(builder, value, given, dtype)
        if count <= LIMIT:
            store_elements(context, builder, target, pointer, [number] * count)
        else:
            with each_offset(context, builder, target) as offset:
                data = context.data_model_manager[dtype].as_data(builder, number)
                builder.store(data, builder.gep(pointer, [offset]))
        return
    shape: Any = (
        given.shape[len(given.shape) - len(place.shape) :]
        if len(given.shape) > len(place.shape)
        else given.shape
    )
    if count <= LIMIT:
        # All are read before the first is written, in case they are the same memory.
        numbers = elements(context, builder, given, value)
        numbers = cast_elements(context, builder, numbers, given.dtype, dtype)
        store_elements(context, builder, target, pointer, spread(numbers, shape, place.shape))
        return
    _copy(context, builder, target, pointer, given, value, shape)


def _copy(
    context: Any, builder: Any, target: Reference, pointer: Any, given: Any, value: Any, shape: Any
) -> None:
    """Copy many elements, as if they had been kept elsewhere in between.

    What can only be read is not where anything is written.
    """
    if isinstance(given, Value):
        given, value = _in_memory(context, builder, given, value)
    source = data_pointer(context, builder, given, value)
    item = context.get_abi_sizeof(context.get_data_type(target.dtype))
    count = math.prod(target.shape)  # type: ignore[arg-type]
    same = given.dtype == target.dtype and shape == target.shape
    if same and given.is_contiguous and target.is_contiguous:
        cgutils.raw_memmove(
            builder, pointer, source, context.get_value_type(types.intp)(count), item
        )
        return
    if same and not given.mutable:
        _copy_runs(context, builder, target, pointer, given, source, item)
        return
    strides = given.strides[len(given.strides) - len(shape) :]
    strides = (0,) * (len(target.shape) - len(shape)) + strides
    shape = (1,) * (len(target.shape) - len(shape)) + shape
    strides = tuple(0 if n == 1 else stride for n, stride in zip(shape, strides, strict=True))
    read = Reference(given.dtype, target.shape, strides=strides)
    kept = Reference(target.dtype, target.shape)
    element = context.get_data_type(target.dtype)
    between = cgutils.alloca_once(builder, element, size=count)
    model = context.data_model_manager[target.dtype]
    with each_offset(context, builder, read, kept) as (one, other):
        number = load(
            context, builder, given.dtype, builder.gep(source, [one]), invariant=not given.mutable
        )
        number = context.cast(builder, number, given.dtype, target.dtype)
        builder.store(model.as_data(builder, number), builder.gep(between, [other]))
    with each_offset(context, builder, kept, target) as (one, other):
        builder.store(builder.load(builder.gep(between, [one])), builder.gep(pointer, [other]))


def _copy_runs(
    context: Any, builder: Any, target: Reference, pointer: Any, given: Any, source: Any, item: int
) -> None:
    """Copy an array into another memory, so many elements at once as lie side by side in both."""
    strides = given.strides[len(given.strides) - len(target.shape) :]
    run, outer = 1, len(target.shape)
    while outer and {strides[outer - 1], target.strides[outer - 1]} == {run}:
        outer -= 1
        run *= target.shape[outer]  # type: ignore[operator]
    extents = target.shape[:outer]
    one, other = (
        Reference(target.dtype, extents, strides=of[:outer]) for of in (target.strides, strides)
    )
    size = context.get_value_type(types.intp)(run)
    with each_offset(context, builder, one, other) as (to, at):
        into, of = builder.gep(pointer, [to]), builder.gep(source, [at])
        cgutils.raw_memcpy(builder, into, of, size, item)


def _in_memory(context: Any, builder: Any, kind: Value, value: Any) -> tuple[Reference, Any]:
    """Return type and value of a reference to where an array is kept."""
    found = Reference(kind.dtype, kind.shape)
    slot = cgutils.alloca_once_value(builder, value)
    return found, reference_at(context, builder, found, slot)
