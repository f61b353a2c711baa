"""How compiled code reads arrays whose shape is known: by index, by slice, one after the other."""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.errors import TypingError
from numba.core.imputils import RefType, impl_ret_borrowed, iternext_impl, lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer, infer_global, signature
from numba.extending import register_model

from batchsim.compiler import gathering
from batchsim.compiler.arrays import (
    DYNAMIC,
    TUPLE,
    IndexType,
    Large,
    Place,
    Reference,
    RowIterator,
    Value,
    Window,
    data_pointer,
    find,
    found_type,
    load,
    make_value,
    offsets,
    pattern_of,
    reference_at,
    slot_of,
)
from batchsim.compiler.ufuncs import DisagreementError

__all__ = [
    "as_numba_does",
    "numba_index",
    "offset_of",
    "plain_type",
    "pointer_to",
    "refuse_arrays",
]


def _dynamic(builder: Any, kind: Any, value: Any) -> list[tuple[Any, Any]]:
    """Return type and value of the numbers of an index that are not known."""
    if isinstance(kind, IndexType):
        return [(types.intp, builder.extract_value(value, k)) for k in range(kind.count)]
    if isinstance(kind, TUPLE):
        pairs = [(part, builder.extract_value(value, k)) for k, part in enumerate(kind.types)]
    else:
        pairs = [(kind, value)]
    return [
        (types.unliteral(part), number)
        for part, number in pairs
        if isinstance(part, types.Integer) and not isinstance(part, types.IntegerLiteral)
    ]


def offset_of(
    context: Any, builder: Any, kind: Any, place: Place, index: Any, index_value: Any, length: Any
) -> Any:
    """Return in how many elements after the first an index finds something.

    Args:
        context, builder: Numba's.
        kind: of the array.
        place: what is known.
        index, index_value: type and value of the index; the value is a Python one if all is known.
        length: how many rows there are, where that is not known.
    """
    intp = context.get_value_type(types.intp)
    total = intp(place.offset)
    numbers = _dynamic(builder, index, index_value) if place.steps else []
    for (stride, extent, axis, size), (part, number) in zip(place.steps, numbers, strict=True):
        count = length if extent is None else intp(extent)
        number = context.cast(builder, number, part, types.intp)
        if size is not None:
            number = _start_of_window(context, builder, number, count, size, axis)
        elif part.signed:
            is_negative = builder.icmp_signed("<", number, intp(0))
            number = builder.select(is_negative, builder.add(number, count), number)
        if context.enable_boundscheck and size is None:
            cgutils.do_boundscheck(context, builder, number, count, axis)
        product = number if stride == 1 else builder.mul(number, intp(stride))
        total = (
            product
            if not place.offset and total is not None and _is_zero(total)
            else (builder.add(total, product))
        )
    return total


def _start_of_window(
    context: Any, builder: Any, number: Any, count: Any, size: int, axis: int
) -> Any:
    """Return where a slice of so many elements begins: within the array, whatever the number.

    A slice that NumPy would cut off is an error of the author's, as an index beyond the end is.
    """
    zero = number.type(0)
    last = builder.sub(count, number.type(size))
    if context.enable_boundscheck:
        cgutils.do_boundscheck(context, builder, number, builder.add(last, number.type(1)), axis)
    number = builder.select(builder.icmp_signed("<", number, zero), zero, number)
    return builder.select(builder.icmp_signed(">", number, last), last, number)


def _is_zero(value: Any) -> bool:
    return isinstance(value, ir.Constant) and value.constant == 0


class _GetItem(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        array, index = args
        if isinstance(array, Large):
            raise DisagreementError(
                "an expression over an array of many elements is indexed: store it in a column "
                "first, or index what it is made of"
            )
        if not isinstance(array, (Reference, Value)):
            if isinstance(index, IndexType):
                return _of_others(self.context, array, index)
            return None
        found = gathering.chosen(array, index)
        if found is not None:
            return signature(gathering.result_type(array, index, found), *args)
        refuse_arrays(index)
        pattern = pattern_of(index)
        place = None if pattern is None else find(array, pattern)
        if pattern is None or place is None:
            if isinstance(array, Value):
                raise TypingError(
                    f"{array} is indexed by {index}; expected whole numbers and slices whose "
                    "bounds are known when it is compiled."
                )
            return _of_others(self.context, array, index) if isinstance(index, IndexType) else None
        return signature(found_type(array, pattern, place), *args)


def refuse_arrays(index: Any) -> None:
    """Raise DisagreementError for an index that is an array, or has arrays in it."""
    parts = tuple(index) if isinstance(index, (TUPLE, tuple)) else (index,)
    for part in parts:
        if not isinstance(part, (Reference, Value)):
            continue
        if isinstance(part.dtype, types.Boolean) and len(parts) > 1:
            raise DisagreementError(
                "an index has a mask beside numbers: write array[k][mask] = … instead of "
                "array[k, mask] = …"
            )
        if isinstance(part.dtype, types.Boolean):
            raise DisagreementError(
                "how many elements a mask chooses is not known when the environment is compiled: "
                "write np.where(mask, …, 0), np.sum(mask * …) or a loop over the elements"
            )
        raise DisagreementError(
            "an index has an array of places beside slices, or of numbers that are not whole: "
            "write array.T[places].T for array[:, places], or .astype(int)"
        )


@infer_global(operator.getitem)
class _GetItemOfRows(_GetItem):
    prefer_literal = True
    metadata = {"target": "cpu"}  # noqa: RUF012 - Numba looks here; it is asked before Numba's own


@infer
class _StaticGetItem(_GetItem):
    key = "static_getitem"
    metadata = {"target": "cpu"}  # noqa: RUF012


def _of_others(typing_context: Any, array: Any, index: IndexType) -> Any:
    """Return the signature of an index with slices for what is none of these arrays."""
    if isinstance(array, TUPLE):
        (part,) = index.pattern
        return signature(types.BaseTuple.from_types(array.types[slice(*part)]), array, index)
    found = typing_context.resolve_getitem(plain_type(array), numba_index(index))
    return None if found is None else signature(found.return_type, array, index)


def plain_type(array: Any) -> Any:
    """Return the type of an array without its shape."""
    if not isinstance(array, Reference):
        return array
    return types.Array(array.dtype, array.ndim, array.layout, readonly=not array.mutable)


def numba_index(index: IndexType) -> Any:
    """Return the type of the same index as Numba has it."""
    kinds = [_numba_part(part) for part in index.pattern]
    return kinds[0] if len(kinds) == 1 else types.BaseTuple.from_types(kinds)


def _numba_part(part: Any) -> Any:
    if part is None:
        return types.none
    if part is Ellipsis:
        return types.ellipsis
    if isinstance(part, Window):
        return types.slice2_type
    if isinstance(part, tuple):
        return types.slice2_type if part[2] is None else types.slice3_type
    return types.intp


def numba_index_value(context: Any, builder: Any, index: IndexType, value: Any) -> Any:
    """Return the value of `_numba_index`."""
    intp = context.get_value_type(types.intp)
    parts, k = [], 0
    for part in index.pattern:
        if part is None or part is Ellipsis:
            parts.append(context.get_dummy_value())
        elif part == DYNAMIC:
            parts.append(builder.extract_value(value, k))
            k += 1
        elif isinstance(part, Window):
            found = context.make_helper(builder, types.slice2_type)
            found.start = builder.extract_value(value, k)
            found.stop = builder.add(found.start, intp(part.length))
            found.step = intp(1)
            parts.append(found._getvalue())
            k += 1
        elif isinstance(part, tuple):
            kind = _numba_part(part)
            found = context.make_helper(builder, kind)
            step = 1 if part[2] is None else part[2]
            ends = (0, 2**63 - 1) if step > 0 else (2**63 - 1, -(2**63))
            found.start = intp(ends[0] if part[0] is None else part[0])
            found.stop = intp(ends[1] if part[1] is None else part[1])
            found.step = intp(step)
            parts.append(found._getvalue())
        else:
            parts.append(intp(part))
    kind = numba_index(index)
    return parts[0] if len(parts) == 1 else context.make_tuple(builder, kind, parts)


@lower_builtin(operator.getitem, types.Any, IndexType)
def _get_from_others(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    array, index = sig.args
    if isinstance(array, TUPLE):
        (part,) = index.pattern
        chosen = range(len(array.types))[slice(*part)]
        members = [builder.extract_value(args[0], k) for k in chosen]
        return context.make_tuple(builder, sig.return_type, members)
    return _get_as_numba_does(context, builder, sig, args)


@lower_builtin(operator.getitem, Reference, IndexType)
@lower_builtin(operator.getitem, Reference, types.Integer)
@lower_builtin(operator.getitem, Reference, types.IntegerLiteral)
@lower_builtin(operator.getitem, Reference, types.BaseTuple)
@lower_builtin(operator.getitem, Reference, Reference)
@lower_builtin(operator.getitem, Reference, Value)
def _get_item(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    array, index = sig.args
    found = gathering.chosen(array, index)
    if found is not None:
        return gathering.read(context, builder, sig, args, found)
    pattern = pattern_of(index)
    place = None if pattern is None else find(array, pattern)
    if place is None:
        return _get_as_numba_does(context, builder, sig, args)
    return _get(context, builder, sig, args, place)


def as_numba_does(
    context: Any, builder: Any, function: Any, kinds: tuple[Any, ...], args: Any
) -> Any:
    """Index an array as Numba does, which finds its shape out when the code runs."""
    array, index, *others = kinds
    value = args[1]
    if isinstance(index, IndexType):
        value = numba_index_value(context, builder, index, value)
        index = numba_index(index)
    given = (plain_type(array), index, *others)
    typed = context.typing_context.resolve_value_type(function)
    own = typed.get_call_type(context.typing_context, given, {})
    values = [
        args[0],
        *(
            context.cast(builder, one, kind, wanted)
            for one, kind, wanted in zip((value, *args[2:]), given[1:], own.args[1:], strict=True)
        ),
    ]
    return context.get_function(typed, own)(builder, values)


def _get_as_numba_does(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return as_numba_does(context, builder, operator.getitem, sig.args, args)


@lower_builtin("static_getitem", Reference, types.Any)
def _get_static(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    array, _ = sig.args
    pattern = pattern_of(args[1])
    place = None if pattern is None else find(array, pattern)
    if place is None:
        raise NotImplementedError  # Numba then uses the index's variable.
    return _get(context, builder, sig, args, place)


def _get(context: Any, builder: Any, sig: Any, args: Any, place: Place) -> Any:
    array, index = sig.args
    pointer = pointer_to(context, builder, array, args[0], place, index, args[1])
    found = sig.return_type
    if not place.shape:
        number = load(context, builder, array.dtype, pointer, invariant=not array.mutable)
        return impl_ret_borrowed(context, builder, found, number)
    return reference_at(context, builder, found, pointer)


def pointer_to(
    context: Any, builder: Any, array: Reference, value: Any, place: Place, index: Any, number: Any
) -> Any:
    """Return a pointer to what an index finds in a reference."""
    length = None
    if array.shape and array.shape[0] is None:
        shape = context.data_model_manager[array].get_field_position("shape")
        length = builder.extract_value(value, (shape, 0))
    offset = offset_of(context, builder, array, place, index, number, length)
    pointer = data_pointer(context, builder, array, value)
    return builder.gep(pointer, [offset])


# --- Of values ------------------------------------------------------------------------------------


@lower_builtin(operator.getitem, Value, types.Any)
@lower_builtin(operator.getitem, Value, IndexType)
@lower_builtin("static_getitem", Value, types.Any)
def _get_of_value(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    array, index = sig.args
    chosen = gathering.chosen(array, index) if isinstance(args[1], ir.Value) else None
    if chosen is not None:
        return gathering.read(context, builder, sig, args, chosen)
    pattern = pattern_of(index if isinstance(args[1], ir.Value) else args[1])
    place = None if pattern is None else find(array, pattern)
    if place is None:
        raise NotImplementedError
    places = offsets(place.shape, place.strides)
    if place.steps:
        offset = offset_of(context, builder, array, place, index, args[1], None)
        slot = slot_of(builder, args[0])
        pointer = cgutils.gep_inbounds(builder, slot, 0, 0)
        intp = offset.type
        numbers = [
            load(
                context,
                builder,
                array.dtype,
                builder.gep(pointer, [builder.add(offset, intp(k)) if k else offset]),
                invariant=False,
            )
            for k in places
        ]
    else:
        model = context.data_model_manager[array.dtype]
        numbers = [
            model.from_data(builder, builder.extract_value(args[0], place.offset + k))
            for k in places
        ]
    if not place.shape:
        return numbers[0]
    return make_value(context, builder, sig.return_type, numbers)


# --- One after the other --------------------------------------------------------------------------


@register_model(RowIterator)
class _IteratorModel(models.StructModel):
    def __init__(self, manager: Any, kind: RowIterator) -> None:
        number = types.CPointer(types.intp)
        memory = types.CPointer(kind.array) if isinstance(kind.array, Value) else kind.array
        super().__init__(manager, kind, [("next", number), ("array", memory)])


@lower_builtin("getiter", Reference)
@lower_builtin("getiter", Value)
def _get_iterator(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    (array,) = sig.args
    if not isinstance(sig.return_type, RowIterator):
        raise NotImplementedError
    iterator = context.make_helper(builder, sig.return_type)
    zero = context.get_constant(types.intp, 0)
    iterator.next = cgutils.alloca_once(builder, zero.type)
    builder.store(zero, iterator.next)
    memory = args[0]
    if isinstance(array, Value):
        memory = cgutils.alloca_once(builder, memory.type)
        builder.store(args[0], memory)
    iterator.array = memory
    return iterator._getvalue()


@lower_builtin("iternext", RowIterator)
@iternext_impl(RefType.BORROWED)
def _next_row(context: Any, builder: Any, sig: Any, args: Any, result: Any) -> None:
    (kind,) = sig.args
    array = kind.array
    iterator = context.make_helper(builder, kind, value=args[0])
    index = builder.load(iterator.next)
    is_valid = builder.icmp_signed("<", index, index.type(array.shape[0]))
    result.set_valid(is_valid)
    with builder.if_then(is_valid):
        place = find(array, (DYNAMIC,))
        assert place is not None
        value = builder.load(iterator.array) if isinstance(array, Value) else iterator.array
        wanted = signature(kind.yield_type, array, types.uintp)
        get = _get_of_value if isinstance(array, Value) else _get_item
        result.yield_(get(context, builder, wanted, (value, index)))
        builder.store(builder.add(index, index.type(1)), iterator.next)


@lower_builtin(len, Value)
def _length(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return context.get_constant(types.intp, sig.args[0].shape[0])


@infer_global(len)
class _Length(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        return signature(types.intp, *args) if isinstance(args[0], Value) else None
