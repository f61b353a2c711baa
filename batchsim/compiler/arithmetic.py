"""Instructions on numbers, and sums in a given order, for what is built from LLVM values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.np import numpy_support

from batchsim.compiler import orders
from batchsim.compiler.orders import Order

__all__ = [
    "add",
    "add_in_order",
    "balanced",
    "cast",
    "compare",
    "dtype_of",
    "earlier",
    "extreme",
    "fused",
    "is_nan",
    "multiply",
    "plain",
    "square_root",
    "subtract",
    "truth",
]


def dtype_of(kind: Any) -> np.dtype:
    """Return NumPy's type of Numba's."""
    dtype: np.dtype = numpy_support.as_dtype(kind)
    return dtype


def cast(context: Any, builder: Any, values: Sequence[Any], given: Any, kind: Any) -> list[Any]:
    """Return values of type `kind` for those of type `given`."""
    if given == kind:
        return list(values)
    return [context.cast(builder, value, given, kind) for value in values]


# --- Of two numbers of one type -------------------------------------------------------------------


def add(builder: Any, kind: Any, x: Any, y: Any) -> Any:
    """Return x + y; whole numbers wrap around."""
    return builder.fadd(x, y) if isinstance(kind, types.Float) else builder.add(x, y)


def subtract(builder: Any, kind: Any, x: Any, y: Any) -> Any:
    """Return x - y; whole numbers wrap around."""
    return builder.fsub(x, y) if isinstance(kind, types.Float) else builder.sub(x, y)


def multiply(builder: Any, kind: Any, x: Any, y: Any) -> Any:
    """Return x * y; whole numbers wrap around, of truth values both must hold."""
    return builder.fmul(x, y) if isinstance(kind, types.Float) else builder.mul(x, y)


def fused(builder: Any, x: Any, y: Any, z: Any) -> Any:
    """Return x * y + z, rounded once, of numbers or vectors of them."""
    name, kind = "", x.type
    if isinstance(kind, ir.VectorType):
        name, kind = f"v{kind.count}", kind.element
    name = f"llvm.fma.{name}{'f64' if kind == ir.DoubleType() else 'f32'}"
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(x.type, [x.type] * 3), name)
    return builder.call(function, [x, y, z])


def square_root(builder: Any, value: Any) -> Any:
    """Return the square root of a float number."""
    function = builder.module.declare_intrinsic("llvm.sqrt", [value.type])
    return builder.call(function, [value])


def compare(builder: Any, kind: Any, relation: str, x: Any, y: Any) -> Any:
    """Return whether a relation, such as "<", holds; none does for NaN."""
    if isinstance(kind, types.Float):
        return builder.fcmp_ordered(relation, x, y)
    if getattr(kind, "signed", False):
        return builder.icmp_signed(relation, x, y)
    return builder.icmp_unsigned(relation, x, y)


def is_nan(builder: Any, x: Any) -> Any:
    """Return whether a float number is NaN."""
    return builder.fcmp_unordered("uno", x, x)


def truth(context: Any, builder: Any, kind: Any, x: Any) -> Any:
    """Return whether a number is not zero: NaN is not."""
    if isinstance(kind, types.Boolean):
        return x
    zero = context.get_constant(kind, 0)
    if isinstance(kind, types.Float):
        return builder.fcmp_unordered("!=", x, zero)
    return builder.icmp_unsigned("!=", x, zero)


def extreme(builder: Any, kind: Any, name: str, x: Any, y: Any) -> Any:
    """Return the "min" or "max" of two; the second if they are equal; NaN if one is."""
    taken = compare(builder, kind, "<=" if name == "min" else ">=", y, x)
    if isinstance(kind, types.Float):
        taken = builder.or_(taken, is_nan(builder, y))
    return builder.select(taken, y, x)


def earlier(builder: Any, kind: Any, name: str, one: Any, other: Any) -> Any:
    """Return value and place of the "argmin" or "argmax" of two; the first if they are equal."""
    (x, place_x), (y, place_y) = one, other
    taken = compare(builder, kind, "<" if name == "argmin" else ">", y, x)
    if isinstance(kind, types.Float):
        new = builder.and_(is_nan(builder, y), builder.not_(is_nan(builder, x)))
        # Nothing is less or greater than NaN.
        taken = builder.or_(taken, new)
    return builder.select(taken, y, x), builder.select(taken, place_y, place_x)


# --- Of many --------------------------------------------------------------------------------------


def balanced(function: Callable[[Any, Any], Any], values: Sequence[Any]) -> Any:
    """Combine values by an associative function, in few steps after one another."""
    if len(values) == 1:
        return values[0]
    half = len(values) // 2
    return function(balanced(function, values[:half]), balanced(function, values[half:]))


def plain(count: int) -> Order:
    """Return the order of a loop over the terms of a sum."""
    tree: Any = 0
    for place in range(1, count):
        tree = (place, tree, False)
    return Order(tree, "")


def add_in_order(context: Any, builder: Any, kind: Any, order: Order, terms: Sequence[Any]) -> Any:
    """Return a sum in NumPy's order.

    Args:
        context: Numba's.
        builder: llvmlite's.
        kind: the type of operands and result.
        order: in which the terms are added.
        terms: values; of products, pairs of values. They may be vectors of float numbers, if the
            order has nothing wide.
    """
    result = given = kind
    kind = types.float64 if order.wide else kind
    if order.wide == "products":
        terms = [tuple(cast(context, builder, pair, given, kind)) for pair in terms]
        given = kind
    firsts = orders.firsts(order.tree)

    def product(place: int) -> Any:
        term = terms[place]
        value = multiply(builder, given, *term) if isinstance(term, tuple) else term
        return context.cast(builder, value, given, kind) if given != kind else value

    def zero() -> Any:
        like = terms[0][0].type if isinstance(terms[0], tuple) else terms[0].type
        if isinstance(like, ir.VectorType):
            return ir.Constant(like, [0.0] * like.count)
        return context.get_constant(kind, 0)

    def start(tree: Any) -> Any:
        if not isinstance(tree, int):
            return partial(tree)
        if order.zero != "first" or tree not in firsts:
            return product(tree)
        x, y = terms[tree]
        return fused(builder, x, y, zero())

    def partial(tree: Any) -> Any:
        first, second, is_fused = tree
        other = start(second)
        if is_fused:
            x, y = terms[first]
            return fused(builder, x, y, other)
        return add(builder, kind, other, start(first))

    total = start(order.tree)
    if order.zero == "last":
        total = add(builder, kind, total, zero())
    return context.cast(builder, total, kind, result) if result != kind else total
