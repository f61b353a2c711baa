"""Expressions over arrays that are too large to be values: computed element by element when used.

`np.any(s.board[i] == 3)` and `s.image[i] = s.image[i] // 2` need no array in between: the
expression is kept as a type, with its operands as its value, and the loop that sums it up, or
stores it, computes each element. Between the expression and its use nothing may be written; that it
is used where it is made is checked by `batchsim.compiler.aliases`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

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
    load,
)
from batchsim.compiler.elementwise import apply, choose, is_array

__all__ = ["element_by_index", "is_large", "large_type", "lies_in_one_run", "make_large", "store"]

STACK = 2**16
"""Bytes of an expression that are kept on the stack until all elements are computed."""


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


def large_type(ufunc: Any, arguments: tuple[Any, ...]) -> Large:
    """Return the type of an expression over operands of which one is an array.

    Raises:
        TypingError: for arrays that do not go together.
        DisagreementError: if NumPy's bits are out of reach.
    """
    shape = broadcast([kind.shape for kind in arguments if is_array(kind)])
    leaves: list[Any] = []
    children: list[Any] = []
    for kind in arguments:
        if isinstance(kind, Large):
            children.append(_moved(kind.tree, len(leaves)))
            leaves += kind.leaves
        else:
            children.append(len(leaves))
            leaves.append(types.unliteral(kind))
    choice = choose(ufunc, arguments)
    return Large(choice.output, shape, (ufunc, choice, tuple(children)), tuple(leaves))


def _moved(tree: Any, by: int) -> Any:
    """Return a tree whose leaves have other numbers."""
    if isinstance(tree, int):
        return tree + by
    ufunc, choice, children = tree
    return ufunc, choice, tuple(_moved(child, by) for child in children)


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


class _Leaf:
    """An operand, and how its elements are found."""

    def __init__(self, context: Any, builder: Any, kind: Any, value: Any, shape: Any) -> None:
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
        missing = len(shape) - kind.ndim
        self.strides = (
            *[0] * missing,
            *(0 if n == 1 else k for n, k in zip(kind.shape, strides, strict=True)),
        )

    def at(self, place: list[Any]) -> Any:
        """Return the element at a place, a number an axis."""
        if not is_array(self.kind):
            return self.value
        builder = self.builder
        offset = self.context.get_constant(types.intp, 0)
        for number, stride in zip(place, self.strides, strict=True):
            if stride:
                step = number if stride == 1 else builder.mul(number, number.type(stride))
                offset = builder.add(offset, step)
        invariant = isinstance(self.kind, Reference) and not self.kind.mutable
        where = builder.gep(self.pointer, [offset])
        return load(self.context, builder, self.dtype, where, invariant=invariant)


def element_by_index(context: Any, builder: Any, kind: Any, value: Any) -> Callable[[Any], Any]:
    """Return what computes the element with a number, counted row by row.

    Args:
        context, builder: Numba's.
        kind, value: type and value of an expression, or of a reference.
    """
    if isinstance(kind, Large):
        leaves = [
            _Leaf(context, builder, leaf, builder.extract_value(value, k), kind.shape)
            for k, leaf in enumerate(kind.leaves)
        ]
        tree = kind.tree
    else:
        leaves, tree = [_Leaf(context, builder, kind, value, kind.shape)], 0
    flat = all(
        not is_array(leaf.kind) or leaf.strides == Reference(leaf.dtype, kind.shape).strides
        for leaf in leaves
    )

    def compute(tree: Any, place: list[Any]) -> tuple[Any, Any]:
        if isinstance(tree, int):
            return leaves[tree].dtype, leaves[tree].at(place)
        ufunc, choice, children = tree
        operands = []
        for child, wanted in zip(children, choice.inputs, strict=True):
            dtype, number = compute(child, place)
            operands.append([context.cast(builder, number, dtype, wanted)])
        return choice.output, apply(context, builder, ufunc, choice, operands)[0]

    def element(index: Any) -> Any:
        if flat:  # One number finds the elements of all.
            zero = index.type(0)
            place = [*[zero] * (len(kind.shape) - 1), index]
        else:
            place = _unravel(builder, index, kind.shape)
        return compute(tree, place)[1]

    return element


def _unravel(builder: Any, index: Any, shape: tuple[int, ...]) -> list[Any]:
    place: list[Any] = []
    for extent in reversed(shape[1:]):
        place.insert(0, builder.urem(index, index.type(extent)))
        index = builder.udiv(index, index.type(extent))
    return [index, *place]


def lies_in_one_run(kind: Any) -> bool:
    """Whether NumPy would add an array, or what an expression makes, in the order of its rows."""
    leaves = kind.leaves if isinstance(kind, Large) else (kind,)
    return all(not is_array(leaf) or leaf.is_contiguous for leaf in leaves)


def store(
    context: Any, builder: Any, target: Reference, pointer: Any, kind: Any, value: Any
) -> None:
    """Store an expression in memory, as if all elements were computed before the first is stored.

    Args:
        context, builder: Numba's.
        target: the type of the memory, of the shape of the expression.
        pointer: to its first element.
        kind, value: type and value of the expression.

    Raises:
        TypingError: it is too large to be kept in between.
    """
    count = math.prod(kind.shape)
    data = context.get_data_type(target.dtype)
    if count * context.get_abi_sizeof(data) > STACK:
        raise TypingError(
            f"An expression of {count:,} elements is stored; expected at most {STACK // 1024} KiB: "
            "write a loop over the elements."
        )
    element = element_by_index(context, builder, kind, value)
    between = cgutils.alloca_once(builder, data, size=count)
    model = context.data_model_manager[target.dtype]
    number = context.get_constant(types.intp, count)
    with cgutils.for_range(builder, number) as loop:
        found = context.cast(builder, element(loop.index), kind.dtype, target.dtype)
        builder.store(model.as_data(builder, found), builder.gep(between, [loop.index]))
    rows = Reference(target.dtype, target.shape)
    with each_offset(context, builder, rows, target) as (one, other):
        builder.store(builder.load(builder.gep(between, [one])), builder.gep(pointer, [other]))
