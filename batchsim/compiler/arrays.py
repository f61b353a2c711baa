"""Arrays whose shape is known when a kernel is compiled: what they are to Numba.

There are two kinds. A *reference* is memory that lies somewhere: a column, one of its rows, a
table, a slice of one. What is written into it is in the column, as in NumPy. A *value* is what an
expression makes: a few numbers, which are members of one LLVM value and no memory at all. A
variable that holds a value can be written into; that no other variable is expected to see it is
checked by `batchsim.compiler.aliases`.

Both are indexed here. An index that has slices in it is of a type of its own, `IndexType`, because
the shape of the result must be known.
"""

from __future__ import annotations

import itertools
import math
import operator
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.errors import TypingError
from numba.core.imputils import (
    RefType,
    impl_ret_borrowed,
    iternext_impl,
    lower_builtin,
    lower_cast,
)
from numba.core.typing.templates import AbstractTemplate, infer, infer_global, signature
from numba.extending import register_model
from numba.np.arrayobj import populate_array

__all__ = [
    "LIMIT",
    "ConstantArray",
    "IndexType",
    "Reference",
    "RowIterator",
    "Value",
    "cast_elements",
    "data_pointer",
    "elements",
    "is_small",
    "make_value",
    "reference_at",
    "spread",
    "store_elements",
]

LIMIT = 64
"""Elements up to which an array can be a value; what there is code for, one by one."""

DYNAMIC = "?"
"""In a pattern: a number that is known when the code runs."""


def contiguous(shape: tuple[int | None, ...]) -> tuple[int, ...]:
    """Return the strides, in elements, of an array that lies row by row."""
    return tuple(math.prod(shape[k + 1 :]) for k in range(len(shape)))  # type: ignore[arg-type]


def lies_by_row(shape: tuple[int | None, ...], strides: tuple[int, ...]) -> bool:
    """Whether strides are those of an array that lies row by row.

    As NumPy, which ignores the strides of axes of one element.
    """
    pairs = zip(shape, strides, contiguous(shape), strict=True)
    return all(n == 1 or one == other for n, one, other in pairs)


# --- Types ----------------------------------------------------------------------------------------


class Reference(types.Array):
    """An array in memory; Numba's own functions take it for an array as any other.

    Args:
        dtype: Numba's type of an element.
        shape: numbers of elements; the first may be None, which the code finds out.
        readonly: whether nothing may be written.
        strides: in elements, by default those of an array that lies row by row.
    """

    def __init__(
        self,
        dtype: Any,
        shape: tuple[int | None, ...],
        *,
        readonly: bool = False,
        strides: tuple[int, ...] | None = None,
    ) -> None:
        plain = contiguous(shape)
        self.shape = shape
        self.strides = plain if strides is None else strides
        self.is_contiguous = lies_by_row(shape, self.strides)
        layout = "C" if self.is_contiguous else "A"
        extents = ", ".join("n" if n is None else str(n) for n in shape)
        kind = "readonly row" if readonly else "row"
        where = "" if self.is_contiguous else f", strides {self.strides}"
        name = f"{kind}({dtype}, {extents}{where})"
        super().__init__(dtype, len(shape), layout, readonly=readonly, name=name)

    @property
    def key(self) -> Any:
        """What makes types the same."""
        return self.dtype, self.shape, self.strides, self.mutable

    def __repr__(self) -> str:
        return self.name

    def copy(self, dtype=None, ndim=None, layout=None, readonly=None):  # type: ignore[no-untyped-def]
        """Return a type alike, with the shape if that can still be known: as Numba asks for it."""
        if dtype is None and ndim is None and layout is None:
            readonly = not self.mutable if readonly is None else readonly
            return Reference(self.dtype, self.shape, readonly=readonly, strides=self.strides)
        return super().copy(dtype, ndim, layout, readonly)

    @property
    def iterator_type(self) -> Any:
        """What goes through it."""
        return super().iterator_type if None in self.shape else RowIterator(self)


class Value(types.IterableType):
    """An array that an expression made.

    Args:
        dtype: Numba's type of an element.
        shape: numbers of elements.
        strides: that NumPy's array would have, in elements, by default those of one that lies row
            by row. They decide in which order NumPy adds; here elements are always kept by row.
    """

    def __init__(
        self, dtype: Any, shape: tuple[int, ...], strides: tuple[int, ...] | None = None
    ) -> None:
        self.dtype = dtype
        self.shape = shape
        self.ndim = len(shape)
        plain = contiguous(shape)
        if strides is None or lies_by_row(shape, strides):
            strides = plain
        self.strides = strides
        where = "" if strides == plain else f", strides {strides}"
        super().__init__(f"array({dtype}, {', '.join(map(str, shape))}{where})")

    @property
    def key(self) -> Any:
        """What makes types the same."""
        return self.dtype, self.shape, self.strides

    @property
    def memory(self) -> Reference:
        """The type of a reference to memory that lies as NumPy's array would."""
        return Reference(self.dtype, self.shape, strides=self.strides)

    @property
    def size(self) -> int:
        """How many elements there are."""
        return math.prod(self.shape)

    @property
    def iterator_type(self) -> Any:
        """What goes through it."""
        return RowIterator(self)


class RowIterator(types.SimpleIteratorType):
    """What goes through an array of a known shape, along its first axis."""

    def __init__(self, array: Reference | Value) -> None:
        self.array = array
        place = find(array, (DYNAMIC,))
        assert place is not None
        super().__init__(f"iter({array})", found_type(array, (DYNAMIC,), place))


class IndexType(types.Type):
    """An index with slices whose bounds are known.

    Args:
        pattern: of each axis a whole number, `DYNAMIC`, a tuple (start, stop, step), None for a new
            axis, or Ellipsis. What is dynamic is in the value.
    """

    def __init__(self, pattern: tuple[Any, ...]) -> None:
        self.pattern = pattern
        super().__init__(f"index{pattern}")

    @property
    def key(self) -> Any:
        """What makes types the same."""
        return self.pattern

    @property
    def count(self) -> int:
        """How many numbers the value has."""
        return sum(part == DYNAMIC for part in self.pattern)


def is_small(kind: Any) -> bool:
    """Whether a type is of arrays whose shape is known, up to the limit."""
    if isinstance(kind, Value):
        return True
    return (
        isinstance(kind, Reference) and None not in kind.shape and math.prod(kind.shape) <= LIMIT  # type: ignore[arg-type]
    )


register_model(Reference)(models.ArrayModel)


@register_model(Value)
class _ValueModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Value) -> None:
        element = manager[kind.dtype].get_data_type()
        super().__init__(manager, kind, ir.ArrayType(element, kind.size))


@register_model(IndexType)
class _IndexModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: IndexType) -> None:
        super().__init__(manager, kind, ir.ArrayType(ir.IntType(64), kind.count))


@lower_cast(Reference, types.Array)
def _forget_shape(context: Any, builder: Any, given: Any, wanted: Any, value: Any) -> Any:
    return value


class ConstantArray:
    """An array of a module's, as compiled code is to see it: with a shape that is known."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self.array = array


@numba.extending.typeof_impl.register(ConstantArray)
def _type_of_constant(constant: ConstantArray, _: Any) -> Any:
    array = constant.array
    dtype = numba.np.numpy_support.from_dtype(array.dtype)
    strides = tuple(stride // array.itemsize for stride in array.strides)
    return Reference(dtype, array.shape, readonly=True, strides=strides)


@numba.core.imputils.lower_constant(Reference)
def _lower_constant(context: Any, builder: Any, kind: Reference, constant: ConstantArray) -> Any:
    plain = types.Array(kind.dtype, kind.ndim, kind.layout, readonly=True)
    return context.make_constant_array(builder, plain, constant.array)


# --- Elements -------------------------------------------------------------------------------------


def data_pointer(context: Any, builder: Any, kind: Reference, value: Any) -> Any:
    """Return where the first element of a reference lies."""
    return builder.extract_value(value, context.data_model_manager[kind].get_field_position("data"))


def reference_at(context: Any, builder: Any, kind: Reference, pointer: Any) -> Any:
    """Return the reference whose first element lies at a pointer; its shape is known."""
    intp = context.get_value_type(types.intp)
    item = context.get_abi_sizeof(context.get_data_type(kind.dtype))
    array = context.make_array(kind)(context, builder)
    populate_array(
        array,
        data=builder.bitcast(pointer, array.data.type),
        shape=[intp(n) for n in kind.shape],
        strides=[intp(n * item) for n in kind.strides],
        itemsize=intp(item),
        meminfo=None,
    )
    return array._getvalue()


def _load(context: Any, builder: Any, kind: Any, pointer: Any, *, invariant: bool) -> Any:
    loaded = builder.load(pointer)
    if invariant:
        # Nothing writes it while a kernel runs: it is loaded once, where a loop would do it anew.
        loaded.set_metadata("invariant.load", builder.module.add_metadata([]))
    return context.data_model_manager[kind].from_data(builder, loaded)


def _offsets(shape: tuple[int, ...], strides: tuple[int, ...]) -> list[int]:
    """Return where the elements lie, row by row."""
    places = itertools.product(*map(range, shape))
    return [sum(k * n for k, n in zip(place, strides, strict=True)) for place in places]


def elements(context: Any, builder: Any, kind: Any, value: Any) -> list[Any]:
    """Return the elements of a small array, row by row, as numbers."""
    if isinstance(kind, Value):
        model = context.data_model_manager[kind.dtype]
        return [
            model.from_data(builder, builder.extract_value(value, k)) for k in range(kind.size)
        ]
    pointer = data_pointer(context, builder, kind, value)
    intp = context.get_value_type(types.intp)
    return [
        _load(
            context,
            builder,
            kind.dtype,
            builder.gep(pointer, [intp(offset)], inbounds=True),
            invariant=not kind.mutable,
        )
        for offset in _offsets(kind.shape, kind.strides)  # type: ignore[arg-type]
    ]


def make_value(context: Any, builder: Any, kind: Value, numbers: list[Any]) -> Any:
    """Return the array of numbers that are of its type already."""
    model = context.data_model_manager[kind.dtype]
    value = context.get_value_type(kind)(ir.Undefined)
    for k, number in enumerate(numbers):
        value = builder.insert_value(value, model.as_data(builder, number), k)
    return value


def cast_elements(
    context: Any, builder: Any, numbers: list[Any], given: Any, wanted: Any
) -> list[Any]:
    """Return numbers as those of another type, as NumPy's assignment converts them."""
    if given == wanted:
        return numbers
    return [context.cast(builder, number, given, wanted) for number in numbers]


def spread(numbers: list[Any], shape: tuple[int, ...], wanted: tuple[int, ...]) -> list[Any]:
    """Return the elements of an array that is broadcast to another shape."""
    if shape == wanted:
        return numbers
    places = np.arange(len(numbers)).reshape(shape)
    return [numbers[k] for k in np.broadcast_to(places, wanted).ravel()]


def broadcast(shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the shape that several are broadcast to."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise TypingError(
            f"Arrays of the shapes {' and '.join(map(str, shapes))} do not go together."
        ) from None


def store_elements(
    context: Any, builder: Any, kind: Reference, pointer: Any, numbers: list[Any]
) -> None:
    """Store numbers, which are of its type already, as the elements of a reference."""
    model = context.data_model_manager[kind.dtype]
    intp = context.get_value_type(types.intp)
    for number, offset in zip(numbers, _offsets(kind.shape, kind.strides), strict=True):  # type: ignore[arg-type]
        place = builder.gep(pointer, [intp(offset)], inbounds=True)
        builder.store(model.as_data(builder, number), place)


# --- Indices --------------------------------------------------------------------------------------


class Place(NamedTuple):
    """What an index finds."""

    offset: int
    """In elements, of what is known."""
    steps: tuple[tuple[int, int | None, int], ...]
    """Of each dynamic number: the stride, how many elements its axis has, and which axis it is."""
    shape: tuple[int, ...]
    """Of what is found; none of a number."""
    strides: tuple[int, ...]


def pattern_of(index: Any) -> tuple[Any, ...] | None:
    """Return the pattern of an index of Numba's type, or of a Python value that is known."""
    if isinstance(index, IndexType):
        return index.pattern
    parts = index if isinstance(index, (tuple, types.BaseTuple)) else (index,)
    pattern: list[Any] = []
    for part in parts:
        if isinstance(part, types.IntegerLiteral):
            pattern.append(part.literal_value)
        elif isinstance(part, types.Integer):
            pattern.append(DYNAMIC)
        elif isinstance(part, (int, np.integer)) and not isinstance(part, bool):
            pattern.append(int(part))
        elif part is None or isinstance(part, types.NoneType):
            pattern.append(None)
        elif part is Ellipsis or isinstance(part, types.EllipsisType):
            pattern.append(Ellipsis)
        elif isinstance(part, slice):
            pattern.append((part.start, part.stop, part.step))
        else:
            return None
    return tuple(pattern)


def find(kind: Reference | Value, pattern: tuple[Any, ...]) -> Place | None:
    """Return what an index finds in an array, None if the code must find it out.

    Raises:
        TypingError: it is beyond the array.
    """
    # The elements of a value are kept by row, however NumPy's array would lie.
    strides = kind.strides if isinstance(kind, Reference) else contiguous(kind.shape)
    taken = sum(part is not None and part is not Ellipsis for part in pattern)
    missing = kind.ndim - taken
    if missing < 0:
        raise TypingError(f"{kind} has {kind.ndim} axes and is indexed by {taken} numbers.")
    filled: list[Any] = []
    for part in pattern if Ellipsis in pattern else (*pattern, Ellipsis):
        filled += [(None, None, None)] * missing if part is Ellipsis else [part]
    offset, axis = 0, 0
    steps, shape, places = [], [], []
    for part in filled:
        if part is None:
            shape.append(1)
            places.append(0)
            continue
        extent, stride = kind.shape[axis], strides[axis]
        if part == DYNAMIC:
            steps.append((stride, extent, axis))
        elif isinstance(part, tuple):
            if extent is None:
                return None
            chosen = range(extent)[slice(*part)]
            shape.append(len(chosen))
            places.append(stride * chosen.step)
            offset += stride * (chosen.start if len(chosen) else 0)
        else:
            if extent is None:
                if part < 0:
                    return None
            elif not -extent <= part < extent:
                raise TypingError(f"Index {part} is beyond the {extent} elements of {kind}.")
            offset += stride * (part % extent if extent is not None else part)
        axis += 1
    if any(n == 0 for n in shape):
        raise TypingError(f"The slice of {kind} is empty; expected at least one element.")
    return Place(offset, tuple(steps), tuple(shape), tuple(places))


def _dynamic(builder: Any, kind: Any, value: Any) -> list[tuple[Any, Any]]:
    """Return type and value of the numbers of an index that are not known."""
    if isinstance(kind, IndexType):
        return [(types.intp, builder.extract_value(value, k)) for k in range(kind.count)]
    if isinstance(kind, types.BaseTuple):
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
    for (stride, extent, axis), (part, number) in zip(place.steps, numbers, strict=True):
        count = length if extent is None else intp(extent)
        number = context.cast(builder, number, part, types.intp)
        if part.signed:
            is_negative = builder.icmp_signed("<", number, intp(0))
            number = builder.select(is_negative, builder.add(number, count), number)
        if context.enable_boundscheck:
            cgutils.do_boundscheck(context, builder, number, count, axis)
        product = number if stride == 1 else builder.mul(number, intp(stride))
        total = product if not place.offset and total is not None and _is_zero(total) else (
            builder.add(total, product)
        )
    return total


def _is_zero(value: Any) -> bool:
    return isinstance(value, ir.Constant) and value.constant == 0


class _GetItem(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        array, index = args
        if not isinstance(array, (Reference, Value)):
            if isinstance(index, IndexType):
                return _of_others(self.context, array, index)
            return None
        pattern = pattern_of(index)
        place = None if pattern is None else find(array, pattern)
        if place is None:
            if isinstance(array, Value):
                raise TypingError(
                    f"{array} is indexed by {index}; expected whole numbers and slices whose "
                    "bounds are known when it is compiled."
                )
            return _of_others(self.context, array, index) if isinstance(index, IndexType) else None
        return signature(found_type(array, pattern, place), *args)


def _layout(array: Value, pattern: tuple[Any, ...]) -> tuple[int, ...]:
    """Return the strides that NumPy's array would have after an index."""
    place = find(array.memory, pattern)
    assert place is not None
    return place.strides


def found_type(array: Any, pattern: tuple[Any, ...], place: Place) -> Any:
    """Return the type of what an index finds."""
    if not place.shape:
        return array.dtype
    if isinstance(array, Value):
        return Value(array.dtype, place.shape, _layout(array, pattern))
    return Reference(
        array.dtype, place.shape, readonly=not array.mutable, strides=place.strides
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
    if isinstance(array, types.BaseTuple):
        (part,) = index.pattern
        return signature(types.BaseTuple.from_types(array.types[slice(*part)]), array, index)
    found = typing_context.resolve_getitem(_plain(array), _numba_index(index))
    return None if found is None else signature(found.return_type, array, index)


def _plain(array: Any) -> Any:
    """Return the type of an array without its shape."""
    if not isinstance(array, Reference):
        return array
    return types.Array(array.dtype, array.ndim, array.layout, readonly=not array.mutable)


def _numba_index(index: IndexType) -> Any:
    kinds = [_numba_part(part) for part in index.pattern]
    return kinds[0] if len(kinds) == 1 else types.BaseTuple.from_types(kinds)


def _numba_part(part: Any) -> Any:
    if part is None:
        return types.none
    if part is Ellipsis:
        return types.ellipsis
    if isinstance(part, tuple):
        return types.slice2_type if part[2] is None else types.slice3_type
    return types.intp


def _numba_index_value(context: Any, builder: Any, index: IndexType, value: Any) -> Any:
    """Return the value of `_numba_index`."""
    intp = context.get_value_type(types.intp)
    parts, k = [], 0
    for part in index.pattern:
        if part is None or part is Ellipsis:
            parts.append(context.get_dummy_value())
        elif part == DYNAMIC:
            parts.append(builder.extract_value(value, k))
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
    kind = _numba_index(index)
    return parts[0] if len(parts) == 1 else context.make_tuple(builder, kind, parts)


@lower_builtin(operator.getitem, types.Any, IndexType)
def _get_from_others(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    array, index = sig.args
    if isinstance(array, types.BaseTuple):
        (part,) = index.pattern
        chosen = range(len(array.types))[slice(*part)]
        members = [builder.extract_value(args[0], k) for k in chosen]
        return context.make_tuple(builder, sig.return_type, members)
    return _get_as_numba_does(context, builder, sig, args)


@lower_builtin(operator.getitem, Reference, IndexType)
@lower_builtin(operator.getitem, Reference, types.Integer)
@lower_builtin(operator.getitem, Reference, types.IntegerLiteral)
@lower_builtin(operator.getitem, Reference, types.BaseTuple)
def _get_item(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    array, index = sig.args
    pattern = pattern_of(index)
    place = None if pattern is None else find(array, pattern)
    if place is None:
        return _get_as_numba_does(context, builder, sig, args)
    return _get(context, builder, sig, args, place)


def _as_numba_does(
    context: Any, builder: Any, function: Any, kinds: tuple[Any, ...], args: Any
) -> Any:
    """Index an array as Numba does, which finds its shape out when the code runs."""
    array, index, *others = kinds
    value = args[1]
    if isinstance(index, IndexType):
        value = _numba_index_value(context, builder, index, value)
        index = _numba_index(index)
    given = (_plain(array), index, *others)
    typed = context.typing_context.resolve_value_type(function)
    own = typed.get_call_type(context.typing_context, given, {})
    values = [args[0], *(
        context.cast(builder, one, kind, wanted)
        for one, kind, wanted in zip((value, *args[2:]), given[1:], own.args[1:], strict=True)
    )]
    return context.get_function(typed, own)(builder, values)


def _get_as_numba_does(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return _as_numba_does(context, builder, operator.getitem, sig.args, args)


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
    pointer = _pointer_to(context, builder, array, args[0], place, index, args[1])
    found = sig.return_type
    if not place.shape:
        number = _load(context, builder, array.dtype, pointer, invariant=not array.mutable)
        return impl_ret_borrowed(context, builder, found, number)
    return reference_at(context, builder, found, pointer)


def _pointer_to(
    context: Any, builder: Any, array: Reference, value: Any, place: Place, index: Any, number: Any
) -> Any:
    length = None
    if array.shape and array.shape[0] is None:
        shape = context.data_model_manager[array].get_field_position("shape")
        length = builder.extract_value(value, (shape, 0))
    offset = offset_of(context, builder, array, place, index, number, length)
    pointer = data_pointer(context, builder, array, value)
    return builder.gep(pointer, [offset])


# --- Of values ------------------------------------------------------------------------------------


def slot_of(builder: Any, value: Any) -> Any:
    """Return memory that holds an array: the variable's own, if it was only now read from there,
    so that one element need not be found in a copy of all.
    """
    for instruction in reversed(builder.block.instructions):
        if instruction is value:
            if isinstance(instruction, ir.LoadInstr):
                return instruction.operands[0]
            break
        if isinstance(instruction, (ir.StoreInstr, ir.CallInstr)):
            break
    return cgutils.alloca_once_value(builder, value)


@lower_builtin(operator.getitem, Value, types.Any)
@lower_builtin(operator.getitem, Value, IndexType)
@lower_builtin("static_getitem", Value, types.Any)
def _get_of_value(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    array, index = sig.args
    pattern = pattern_of(index if isinstance(args[1], ir.Value) else args[1])
    place = None if pattern is None else find(array, pattern)
    if place is None:
        raise NotImplementedError
    offsets = _offsets(place.shape, place.strides)
    if place.steps:
        offset = offset_of(context, builder, array, place, index, args[1], None)
        slot = slot_of(builder, args[0])
        pointer = cgutils.gep_inbounds(builder, slot, 0, 0)
        intp = offset.type
        numbers = [
            _load(
                context,
                builder,
                array.dtype,
                builder.gep(pointer, [builder.add(offset, intp(k)) if k else offset]),
                invariant=False,
            )
            for k in offsets
        ]
    else:
        model = context.data_model_manager[array.dtype]
        numbers = [
            model.from_data(builder, builder.extract_value(args[0], place.offset + k))
            for k in offsets
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


# --- Assignments ----------------------------------------------------------------------------------


class _SetItem(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        array, index, value = args
        if not isinstance(array, (Reference, Value)):
            if isinstance(index, IndexType):
                return _set_of_others(self.context, array, index, value)
            return None
        if is_mask(index):
            return _set_where(array, index, value)
        pattern = pattern_of(index)
        place = None if pattern is None else find(array, pattern)
        if place is None:
            if isinstance(array, Value):
                raise TypingError(
                    f"{array} is indexed by {index}; expected whole numbers and slices whose "
                    "bounds are known when it is compiled."
                )
            if isinstance(index, IndexType):
                return _set_of_others(self.context, array, index, value)
            return None
        if isinstance(array, Reference) and not array.mutable:
            raise TypingError(f"Cannot modify readonly array: {array}")
        if isinstance(value, (Reference, Value)):
            if None in value.shape:
                return None
            shape = value.shape
            while len(shape) > len(place.shape) and shape[0] == 1:
                shape = shape[1:]
            if broadcast([shape, place.shape]) != place.shape:
                raise TypingError(
                    f"An array of the shape {value.shape} is written where {place.shape} is."
                )
        elif not isinstance(value, (types.Number, types.Boolean)):
            return None
        return signature(types.none, *args)


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
def _set_by_mask(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    array, mask, given = sig.args
    pointer = data_pointer(context, builder, array, args[0])
    write_where(context, builder, array, pointer, mask, args[1], given, args[2])
    return context.get_dummy_value()


def _set_of_others(typing_context: Any, array: Any, index: IndexType, value: Any) -> Any:
    found = typing_context.resolve_setitem(_plain(array), _numba_index(index), value)
    return None if found is None else signature(types.none, array, index, value)


@lower_builtin(operator.setitem, types.Any, IndexType, types.Any)
def _set_into_others(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return _as_numba_does(context, builder, operator.setitem, sig.args, args)


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
    pattern = pattern_of(index if isinstance(args[1], ir.Value) else args[1])
    place = None if pattern is None else find(array, pattern)
    if place is None:
        if not isinstance(args[1], ir.Value):
            raise NotImplementedError
        return _as_numba_does(context, builder, operator.setitem, sig.args, args)
    pointer = _pointer_to(context, builder, array, args[0], place, index, args[1])
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
    if not isinstance(given, (Reference, Value)):
        number = context.cast(builder, value, given, dtype)
        if count <= LIMIT:
            store_elements(context, builder, target, pointer, [number] * count)
        else:
            with _each_offset(context, builder, target) as offset:
                data = context.data_model_manager[dtype].as_data(builder, number)
                builder.store(data, builder.gep(pointer, [offset]))
        return
    shape = given.shape[len(given.shape) - len(place.shape) :] if len(given.shape) > len(
        place.shape
    ) else given.shape
    if count <= LIMIT:
        # All are read before the first is written, in case they are the same memory.
        numbers = elements(context, builder, given, value)
        numbers = cast_elements(context, builder, numbers, given.dtype, dtype)
        store_elements(
            context, builder, target, pointer, spread(numbers, shape, place.shape)
        )
        return
    _copy(context, builder, target, pointer, given, value, shape)


def _copy(
    context: Any, builder: Any, target: Reference, pointer: Any, given: Any, value: Any, shape: Any
) -> None:
    """Copy many elements, as if they had been kept elsewhere in between."""
    if isinstance(given, Value):
        given, value = _in_memory(context, builder, given, value)
    source = data_pointer(context, builder, given, value)
    item = context.get_abi_sizeof(context.get_data_type(target.dtype))
    count = math.prod(target.shape)  # type: ignore[arg-type]
    same = given.dtype == target.dtype and shape == target.shape
    if same and given.is_contiguous and target.is_contiguous:
        cgutils.raw_memmove(builder, pointer, source, context.get_value_type(types.intp)(count), item)
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
    with _each_offset(context, builder, read, kept) as (one, other):
        number = _load(
            context, builder, given.dtype, builder.gep(source, [one]), invariant=not given.mutable
        )
        number = context.cast(builder, number, given.dtype, target.dtype)
        builder.store(model.as_data(builder, number), builder.gep(between, [other]))
    with _each_offset(context, builder, kept, target) as (one, other):
        builder.store(
            builder.load(builder.gep(between, [one])), builder.gep(pointer, [other])
        )


def _in_memory(context: Any, builder: Any, kind: Value, value: Any) -> tuple[Reference, Any]:
    """Return type and value of a reference to where an array is kept."""
    found = Reference(kind.dtype, kind.shape)
    slot = cgutils.alloca_once_value(builder, value)
    return found, reference_at(context, builder, found, slot)


class _each_offset:  # noqa: N801 - used as a function
    """Go through the elements of arrays of one shape: `with … as offset:` is the loops' body.

    The offsets are in elements, one of each array; of one array, it is not in a tuple.
    """

    def __init__(self, context: Any, builder: Any, *kinds: Reference) -> None:
        self.context, self.builder, self.kinds = context, builder, kinds
        self.loops: list[Any] = []

    def __enter__(self) -> Any:
        intp = self.context.get_value_type(types.intp)
        totals = [intp(0) for _ in self.kinds]
        for axis, extent in enumerate(self.kinds[0].shape):
            loop = cgutils.for_range(self.builder, intp(extent), intp=intp)
            index = loop.__enter__().index
            self.loops.append(loop)
            for k, kind in enumerate(self.kinds):
                product = self.builder.mul(index, intp(kind.strides[axis]))
                totals[k] = self.builder.add(totals[k], product)
        return totals[0] if len(totals) == 1 else tuple(totals)

    def __exit__(self, *error: Any) -> None:
        for loop in reversed(self.loops):
            loop.__exit__(*error)
