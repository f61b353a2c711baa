"""Expressions over arrays that are too large to be values: computed element by element when used.

`np.any(s.board[i] == 3)` and `s.image[i] = s.image[i] // 2` need no array in between: the
expression is kept as a type, with its operands as its value, and the loop that sums it up, or
stores it, computes each element. Between the expression and its use nothing may be written; that it
is used where it is made is checked by `batchsim.compiler.aliases`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.errors import TypingError
from numba.extending import register_model

from batchsim.compiler.arrays import (
    LIMIT,
    Large,
    Reference,
    Value,
    broadcast,
    data_pointer,
    each_offset,
    lies_by_row,
    load,
)
from batchsim.compiler.elementwise import Choice, apply, choose, is_array, layout

__all__ = [
    "computed",
    "element_by_index",
    "is_large",
    "large_type",
    "lies_in_one_run",
    "make_large",
    "rearranged_type",
    "store",
]

STACK = 2**16
"""Bytes of an expression that are kept on the stack until all elements are computed."""


class _Computed(NamedTuple):
    """In a tree: what a function makes of operands, which are broadcast."""

    function: Any
    """A function of numbers, or `np.where`."""
    choice: Choice
    children: tuple[Any, ...]


class _Rearranged(NamedTuple):
    """In a tree: elements of operands at other places."""

    places: tuple[int, ...]
    """Of which element of the operands, from 1, each is a copy; 0 is the number zero."""
    dtype: Any
    children: tuple[Any, ...]
    shapes: tuple[tuple[int, ...], ...]
    """Of the operands."""


@register_model(Large)
class _LargeModel(models.StructModel):
    def __init__(self, manager: Any, kind: Large) -> None:
        members = [(f"leaf{k}", leaf) for k, leaf in enumerate(kind.leaves)]
        super().__init__(manager, kind, members)


def is_large(arguments: tuple[Any, ...]) -> bool:
    """Whether an expression over operands of these types is too large to be a value."""
    if any(isinstance(kind, Large) for kind in arguments):
        return True
    shapes = [kind.shape for kind in arguments if is_array(kind)]
    return bool(shapes) and math.prod(broadcast(shapes)) > LIMIT


def _operands(arguments: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the trees of operands, and their leaves together."""
    leaves: list[Any] = []
    children: list[Any] = []
    for kind in arguments:
        if isinstance(kind, Large):
            children.append(_moved(kind.tree, len(leaves)))
            leaves += kind.leaves
        else:
            children.append(len(leaves))
            leaves.append(types.unliteral(kind))
    return tuple(children), tuple(leaves)


def large_type(function: Any, arguments: tuple[Any, ...], choice: Choice | None = None) -> Large:
    """Return the type of an expression over operands of which one is an array.

    Args:
        function: of numbers, or `np.where`.
        arguments: the types of the operands.
        choice: what NumPy does, if that is known already.

    Raises:
        TypingError: for arrays that do not go together.
        DisagreementError: if NumPy's bits are out of reach.
    """
    shape = broadcast([kind.shape for kind in arguments if is_array(kind)])
    choice = choose(function, arguments) if choice is None else choice
    children, leaves = _operands(arguments)
    strides = layout(function, arguments)
    return Large(choice.output, shape, _Computed(function, choice, children), leaves, strides)


def rearranged_type(
    arguments: Any, places: np.ndarray[Any, Any], dtype: Any, strides: tuple[int, ...]
) -> Large:
    """Return the type of an expression whose elements are those of operands, at other places.

    Args:
        arguments: the types of the operands.
        places: of which element of them, from 1, each is a copy; 0 is the number zero.
        dtype: of the elements.
        strides: that NumPy's array would have, in elements.
    """
    children, leaves = _operands(arguments)
    shapes = tuple(getattr(kind, "shape", ()) for kind in arguments)
    tree = _Rearranged(tuple(places.ravel().tolist()), dtype, children, shapes)
    return Large(dtype, places.shape, tree, leaves, strides)


def _moved(tree: Any, by: int) -> Any:
    """Return a tree whose leaves have other numbers."""
    if isinstance(tree, int):
        return tree + by
    return tree._replace(children=tuple(_moved(child, by) for child in tree.children))


def make_large(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    """Return the value of an expression: its operands."""
    leaves: list[Any] = []
    for kind, value in zip(sig.args, args, strict=True):
        if isinstance(kind, Large):
            leaves += [builder.extract_value(value, k) for k in range(len(kind.leaves))]
        else:
            leaves.append(value)
    found = context.make_helper(builder, sig.return_type)
    for k, leaf in enumerate(leaves):
        setattr(found, f"leaf{k}", leaf)
    return found._getvalue()


# --- Elements -------------------------------------------------------------------------------------


class _Leaf:
    """An operand, and how its elements are found."""

    def __init__(self, context: Any, builder: Any, kind: Any, value: Any) -> None:
        self.context, self.builder, self.kind, self.value = context, builder, kind, value
        if not is_array(kind):
            self.dtype = kind
            return
        self.dtype = kind.dtype
        if isinstance(kind, Value):
            slot = cgutils.alloca_once(builder, value.type)
            builder.store(value, slot)
            self.pointer = cgutils.gep_inbounds(builder, slot, 0, 0)
            strides = Reference(kind.dtype, kind.shape).strides
        else:
            self.pointer = data_pointer(context, builder, kind, value)
            strides = kind.strides
        steps = zip(kind.shape, strides, strict=True)
        self.strides = tuple(0 if n == 1 else stride for n, stride in steps)

    def lies_as(self, shape: tuple[int, ...]) -> bool:
        """Tell whether an index, counted row by row, is where the element lies."""
        return not is_array(self.kind) or (
            self.kind.shape == shape and lies_by_row(shape, self.strides)
        )

    def at(self, offset: Any) -> Any:
        """Return the element that lies so many after the first."""
        if not is_array(self.kind):
            return self.value
        invariant = isinstance(self.kind, Reference) and not self.kind.mutable
        where = self.builder.gep(self.pointer, [offset])
        return load(self.context, self.builder, self.dtype, where, invariant=invariant)


Element = Callable[[Any], Any]
"""Returns an element, given its number, counted row by row."""


class _Elements:
    """Computes the elements of an expression."""

    def __init__(self, context: Any, builder: Any, leaves: list[_Leaf]) -> None:
        self.context, self.builder, self.leaves = context, builder, leaves

    def element(self, tree: Any, shape: tuple[int, ...]) -> tuple[Any, Element]:
        """Return the type of the elements of a tree, broadcast to a shape, and what computes one.

        Trees are compiled once; where they lie otherwise than the whole, an index is taken apart.
        """
        if isinstance(tree, int):
            leaf = self.leaves[tree]
            if leaf.lies_as(shape):
                return leaf.dtype, leaf.at
            missing = len(shape) - len(leaf.strides)
            steps = (*[0] * missing, *leaf.strides)
            return leaf.dtype, lambda index: leaf.at(self.offset(index, shape, steps))
        if isinstance(tree, _Rearranged):
            return tree.dtype, self.rearranged(tree)
        choice = tree.choice
        operands = [self.element(child, shape) for child in tree.children]
        are_numbers = tuple(
            isinstance(child, int) and not is_array(self.leaves[child].kind)
            for child in tree.children
        )

        def compute(index: Any) -> Any:
            numbers = [
                self.context.cast(self.builder, element(index), dtype, wanted)
                for (dtype, element), wanted in zip(operands, choice.inputs, strict=True)
            ]
            if tree.function is np.where:
                return self.builder.select(*numbers)
            columns = [[number] for number in numbers]
            (found,) = apply(
                self.context, self.builder, tree.function, choice, columns, numbers=are_numbers
            )
            return found

        return choice.output, compute

    def offset(self, index: Any, shape: tuple[int, ...], strides: tuple[int, ...]) -> Any:
        """Return where an element of an array lies, given its number, counted row by row."""
        total = index.type(0)
        for axis in reversed(range(len(shape))):
            number = index
            if axis:
                number = self.builder.urem(index, index.type(shape[axis]))
                index = self.builder.udiv(index, index.type(shape[axis]))
            if strides[axis]:
                step = self.builder.mul(number, number.type(strides[axis]))
                total = self.builder.add(total, step)
        return total

    def rearranged(self, tree: _Rearranged) -> Element:
        """Return what finds an element, by a table of places."""
        builder, word = self.builder, ir.IntType(32)
        numbers = [word(place) for place in tree.places]
        constant = ir.Constant(ir.ArrayType(word, len(numbers)), numbers)
        table = cgutils.global_constant(builder, ".places", constant)
        parts, start = [], 1
        for child, shape in zip(tree.children, tree.shapes, strict=True):
            parts.append((start, math.prod(shape), *self.element(child, shape)))
            start += math.prod(shape)

        def find(index: Any) -> Any:
            place = builder.load(cgutils.gep_inbounds(builder, table, 0, index))
            place = builder.zext(place, index.type)
            found = self.context.get_constant(tree.dtype, 0)
            for first, count, dtype, element in parts:
                own = builder.sub(place, index.type(first))
                is_own = builder.icmp_unsigned("<", own, index.type(count))
                # An element that is not chosen is the first: it is always there.
                number = element(builder.select(is_own, own, index.type(0)))
                number = self.context.cast(builder, number, dtype, tree.dtype)
                found = builder.select(is_own, number, found)
            return found

        return find


def _leaves(context: Any, builder: Any, kind: Any, value: Any) -> tuple[Any, list[_Leaf]]:
    """Return the tree of an expression or a reference, and its leaves."""
    if not isinstance(kind, Large):
        return 0, [_Leaf(context, builder, kind, value)]
    return kind.tree, [
        _Leaf(context, builder, leaf, builder.extract_value(value, k))
        for k, leaf in enumerate(kind.leaves)
    ]


def element_by_index(context: Any, builder: Any, kind: Any, value: Any) -> Element:
    """Return what computes the element with a number, counted row by row.

    Args:
        context, builder: Numba's.
        kind, value: type and value of an expression, or of a reference.
    """
    tree, leaves = _leaves(context, builder, kind, value)
    return _Elements(context, builder, leaves).element(tree, kind.shape)[1]


def lies_in_one_run(kind: Any) -> bool:
    """Whether NumPy would add an array, or what an expression makes, in the order of its rows."""
    return lies_by_row(kind.shape, kind.strides)


# --- Stored ---------------------------------------------------------------------------------------


def _may_overlap(leaf: _Leaf, target: Reference) -> bool:
    """Whether writing into memory of a type may change an operand."""
    kind = leaf.kind
    return isinstance(kind, Reference) and kind.mutable and kind.dtype == target.dtype


def _spoils(
    context: Any, builder: Any, tree: Any, leaves: list[_Leaf], target: Reference, pointer: Any
) -> Any:
    """Return whether elements that are stored may change operands that are still to be read.

    An operand that lies just where the elements are stored is no such: each is read before.
    """
    word = context.get_value_type(types.intp)
    item = context.get_abi_sizeof(context.get_data_type(target.dtype))
    in_place = set() if isinstance(tree, int) else _in_place(tree)

    def ends(kind: Any, place: Any) -> tuple[Any, Any]:
        reach = [(n - 1) * k for n, k in zip(kind.shape, kind.strides, strict=True)]
        lowest, highest = (
            sum(n for n in reach if (n < 0) == is_below) for is_below in (True, False)
        )
        first = builder.ptrtoint(place, word)
        return (
            builder.add(first, word(lowest * item)),
            builder.add(first, word((highest + 1) * item)),
        )

    spoilt = context.get_constant(types.boolean, False)
    begin, end = ends(target, pointer)
    for k, leaf in enumerate(leaves):
        if not _may_overlap(leaf, target):
            continue
        first, last = ends(leaf.kind, leaf.pointer)
        before = builder.icmp_unsigned("<=", last, begin)
        apart = builder.or_(before, builder.icmp_unsigned("<=", end, first))
        same = (leaf.kind.shape, leaf.kind.strides) == (target.shape, target.strides)
        if same and k in in_place:
            apart = builder.or_(apart, builder.icmp_unsigned("==", first, begin))
        spoilt = builder.or_(spoilt, builder.not_(apart))
    return spoilt


def _in_place(tree: Any) -> set[int]:
    """Return the leaves whose elements are read at the place of the result alone."""
    if isinstance(tree, int):
        return {tree}
    if isinstance(tree, _Rearranged):
        return set()
    return set().union(*map(_in_place, tree.children))


def store(
    context: Any, builder: Any, target: Reference, pointer: Any, kind: Any, value: Any
) -> None:
    """Store an expression in memory, as if all elements were computed before the first is stored.

    Elements are kept elsewhere in between only where the memory is also an operand's.

    Args:
        context, builder: Numba's.
        target: the type of the memory, of the shape of the expression.
        pointer: to its first element.
        kind, value: type and value of the expression.

    Raises:
        TypingError: it is too large to be kept in between.
    """
    tree, leaves = _leaves(context, builder, kind, value)
    overlaps = any(_may_overlap(leaf, target) for leaf in leaves)
    element = _Elements(context, builder, leaves).element(tree, kind.shape)[1]
    rows = Reference(target.dtype, target.shape)
    between, spoilt = pointer, None
    if overlaps or not target.is_contiguous:
        between = _memory(context, builder, kind, target.dtype)
    if overlaps and target.is_contiguous:
        spoilt = _spoils(context, builder, tree, leaves, target, pointer)
        own = builder.bitcast(between, pointer.type)
        between = builder.select(spoilt, own, pointer)
    _compute_into(context, builder, kind, element, target.dtype, between)
    if not target.is_contiguous:
        with each_offset(context, builder, rows, target) as (one, other):
            builder.store(builder.load(builder.gep(between, [one])), builder.gep(pointer, [other]))
    elif spoilt is not None:
        with builder.if_then(spoilt):
            item = context.get_abi_sizeof(context.get_data_type(target.dtype))
            count = context.get_constant(types.intp, math.prod(kind.shape))
            cgutils.raw_memcpy(builder, pointer, between, count, item)


def _memory(context: Any, builder: Any, kind: Any, dtype: Any) -> Any:
    """Return memory of the function's own for the elements of an expression.

    Raises:
        TypingError: there are too many.
    """
    count = math.prod(kind.shape)
    data = context.get_data_type(dtype)
    if count * context.get_abi_sizeof(data) > STACK:
        raise TypingError(
            f"An expression of {count:,} elements is stored; expected at most {STACK // 1024} KiB: "
            "write a loop over the elements."
        )
    return cgutils.alloca_once(builder, data, size=count)


def _compute_into(
    context: Any, builder: Any, kind: Any, element: Element, dtype: Any, memory: Any
) -> None:
    """Compute all elements of an expression into memory, by row, converted."""
    model = context.data_model_manager[dtype]
    count = context.get_constant(types.intp, math.prod(kind.shape))
    with cgutils.for_range(builder, count) as loop:
        found = context.cast(builder, element(loop.index), kind.dtype, dtype)
        builder.store(model.as_data(builder, found), builder.gep(memory, [loop.index]))


def computed(context: Any, builder: Any, kind: Any, value: Any, dtype: Any) -> Any:
    """Return a pointer to memory of the function's own with all elements, converted, by row.

    Args:
        context, builder: Numba's.
        kind, value: type and value of an expression, or of a reference.
        dtype: the type of the elements.

    Raises:
        TypingError: there are too many.
    """
    memory = _memory(context, builder, kind, dtype)
    element = element_by_index(context, builder, kind, value)
    _compute_into(context, builder, kind, element, dtype, memory)
    return memory
