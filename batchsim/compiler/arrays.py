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
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.errors import TypingError
from numba.core.imputils import lower_cast
from numba.extending import register_model
from numba.np.arrayobj import populate_array

from batchsim.compiler.layouts import LIMIT

__all__ = [
    "LIMIT",
    "TUPLE",
    "ConstantArray",
    "IndexType",
    "Large",
    "Reference",
    "RowIterator",
    "Value",
    "Window",
    "cast_elements",
    "data_pointer",
    "each_offset",
    "elements",
    "is_small",
    "lies_by_row",
    "load",
    "load_invariant",
    "make_value",
    "reference_at",
    "slot_of",
    "spread",
    "store_elements",
]

TUPLE: Any = types.BaseTuple
"""Numba's tuples, whose attributes have no annotations."""
DYNAMIC = "?"
"""In a pattern: a number that is known when the code runs."""


class Window(NamedTuple):
    """In a pattern: a slice that begins at a number which is known when the code runs."""

    length: int


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
        layout: Any = "C" if self.is_contiguous else "A"
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


class Large(types.Type):
    """An expression over arrays that are too large to be values; see `batchsim.compiler.large`.

    Args:
        dtype: Numba's type of an element.
        shape: numbers of elements.
        tree: the number of a leaf, or what is done with trees of operands.
        leaves: the types of the operands, arrays and numbers.
        strides: that NumPy's array would have, in elements, as of a `Value`.
    """

    def __init__(
        self,
        dtype: Any,
        shape: tuple[int, ...],
        tree: Any,
        leaves: tuple[Any, ...],
        strides: tuple[int, ...] | None = None,
    ) -> None:
        self.dtype = dtype
        self.shape = shape
        self.ndim = len(shape)
        self.tree = tree
        self.leaves = leaves
        self.strides = contiguous(shape) if strides is None else strides
        super().__init__(f"expression({dtype}, {', '.join(map(str, shape))})")

    @property
    def key(self) -> Any:
        """What makes types the same."""
        return self.dtype, self.shape, self.tree, self.leaves, self.strides


class RowIterator(types.SimpleIteratorType):  # type: ignore[misc, name-defined]
    """What goes through an array of a known shape, along its first axis."""

    def __init__(self, array: Reference | Value) -> None:
        self.array = array
        place = find(array, (DYNAMIC,))
        assert place is not None
        super().__init__(f"iter({array})", found_type(array, (DYNAMIC,), place))


class IndexType(types.Type):
    """An index with slices whose bounds are known.

    Args:
        pattern: of each axis a whole number, `DYNAMIC`, a tuple (start, stop, step), a `Window`,
            None for a new axis, or Ellipsis. What is dynamic is in the value.
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
        return sum(part == DYNAMIC or isinstance(part, Window) for part in self.pattern)


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


def load_invariant(builder: Any, pointer: Any) -> Any:
    """Load what nothing writes while a kernel runs: once, where a loop would load it each time."""
    loaded = builder.load(pointer)
    loaded.set_metadata("invariant.load", builder.module.add_metadata([]))
    return loaded


def load(context: Any, builder: Any, kind: Any, pointer: Any, *, invariant: bool) -> Any:
    """Return the number in memory; `invariant` if nothing writes it while a kernel runs."""
    loaded = load_invariant(builder, pointer) if invariant else builder.load(pointer)
    return context.data_model_manager[kind].from_data(builder, loaded)


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


def offsets(shape: tuple[int, ...], strides: tuple[int, ...]) -> list[int]:
    """Return where the elements lie, row by row."""
    places = itertools.product(*map(range, shape))
    return [sum(k * n for k, n in zip(place, strides, strict=True)) for place in places]


def elements(context: Any, builder: Any, kind: Any, value: Any) -> list[Any]:
    """Return the elements of a small array, row by row, as numbers."""
    if isinstance(kind, Value):
        model = context.data_model_manager[kind.dtype]
        return [model.from_data(builder, builder.extract_value(value, k)) for k in range(kind.size)]
    pointer = data_pointer(context, builder, kind, value)
    intp = context.get_value_type(types.intp)
    return [
        load(
            context,
            builder,
            kind.dtype,
            builder.gep(pointer, [intp(offset)], inbounds=True),
            invariant=not kind.mutable,
        )
        for offset in offsets(kind.shape, kind.strides)
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
    for number, offset in zip(numbers, offsets(kind.shape, kind.strides), strict=True):  # type: ignore[arg-type]
        place = builder.gep(pointer, [intp(offset)], inbounds=True)
        builder.store(model.as_data(builder, number), place)


class each_offset:  # noqa: N801 - used as a function
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


# --- Indices --------------------------------------------------------------------------------------


class Place(NamedTuple):
    """What an index finds."""

    offset: int
    """In elements, of what is known."""
    steps: tuple[tuple[int, int | None, int, int | None], ...]
    """Of each dynamic number: the stride, how many elements its axis has, which axis it is, and the
    length of the slice that begins there, None if it is an element.
    """
    shape: tuple[int, ...]
    """Of what is found; none of a number."""
    strides: tuple[int, ...]


def pattern_of(index: Any) -> tuple[Any, ...] | None:
    """Return the pattern of an index of Numba's type, or of a Python value that is known."""
    if isinstance(index, IndexType):
        return index.pattern
    parts = index if isinstance(index, (tuple, TUPLE)) else (index,)
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
    steps: list[Any] = []
    shape, places = [], []
    for part in filled:
        if part is None:
            shape.append(1)
            places.append(0)
            continue
        extent, stride = kind.shape[axis], strides[axis]
        if part == DYNAMIC:
            steps.append((stride, extent, axis, None))
        elif isinstance(part, Window):
            if extent is not None and part.length > extent:
                raise TypingError(f"A slice of {part.length} elements is beyond {kind}.")
            steps.append((stride, extent, axis, part.length))
            shape.append(part.length)
            places.append(stride)
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
    return Reference(array.dtype, place.shape, readonly=not array.mutable, strides=place.strides)
