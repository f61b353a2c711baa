"""NumPy's reductions of a few numbers, and of long rows, in compiled code with NumPy's bits.

`reduce` and `accumulate` are given the elements of an array as LLVM values, in row-major order, and
return such values; `reduce_type` and `accumulate_type` return types alone. The order of additions,
and which of two zeros is the least, come from `orders`, which finds out what NumPy does. They
depend on the layout of the array in memory, so that this is an argument: `strides`, in elements,
None if the array is contiguous in row-major order.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.errors import TypingError
from numba.np import numpy_support

from batchsim.compiler import orders
from batchsim.compiler.orders import Order, Terms
from batchsim.compiler.ufuncs import DisagreementError

__all__ = [
    "NAMES",
    "accumulate",
    "accumulate_type",
    "add_in_order",
    "cast",
    "dtype_of",
    "no_order",
    "offsets",
    "packed",
    "plain",
    "reduce",
    "reduce_type",
    "row_major",
    "square_root",
]

NAMES = frozenset(
    {
        "all", "any", "argmax", "argmin", "count_nonzero", "max", "mean", "min", "prod", "ptp",
        "std", "sum", "var",
    }
)  # fmt: skip
"""NumPy's reductions."""

Values = list[Any]
Strides = tuple[int, ...] | None
WHOLE = ir.IntType(64)


# --- Types ----------------------------------------------------------------------------------------


def dtype_of(kind: Any) -> np.dtype:
    """Return NumPy's type of Numba's."""
    dtype: np.dtype = numpy_support.as_dtype(kind)
    return dtype


def _wide(kind: Any) -> Any:
    """Return the type of sums and products."""
    if isinstance(kind, types.Float):
        return kind
    if isinstance(kind, types.Integer) and not _is_signed(kind):
        return types.uint64
    return types.int64


def _is_signed(kind: Any) -> bool:
    return bool(kind.signed)


def _result_kind(name: str, kind: Any) -> Any:
    if name in ("any", "all"):
        return types.boolean
    if name in ("argmax", "argmin", "count_nonzero"):
        return types.intp
    if name in ("mean", "std", "var"):
        return kind if isinstance(kind, types.Float) else types.float64
    return _wide(kind) if name in ("sum", "prod", "cumsum", "cumprod") else kind


def _check_kind(name: str, kind: Any) -> None:
    if not isinstance(kind, (types.Integer, types.Float, types.Boolean)):
        raise TypingError(f"np.{name} is for arrays of numbers here; got {kind}")
    if name == "ptp" and isinstance(kind, types.Boolean):
        raise TypingError("np.ptp does not exist for truth values in NumPy")


def _axis(name: str, shape: tuple[int, ...], axis: int | None) -> int | None:
    if axis is None:
        return None
    if not -len(shape) <= axis < len(shape):
        raise TypingError(f"np.{name}: axis {axis} is not one of an array's with shape {shape}")
    return axis % len(shape)


def reduce_type(
    name: str, kind: Any, shape: tuple[int, ...], axis: int | None = None, keepdims: bool = False
) -> tuple[Any, tuple[int, ...]]:
    """Return the element type and shape of a reduction's result; the shape of a number is ().

    Args:
        name: one of `NAMES`.
        kind: Numba's type of the elements.
        shape: the array's.
        axis: which axis is reduced; None for all.
        keepdims: whether reduced axes stay, with length 1.

    Raises:
        TypingError: NumPy has no such reduction.
    """
    _check_kind(name, kind)
    axis = _axis(name, shape, axis)
    length = math.prod(shape) if axis is None else shape[axis]
    if not length and name in ("argmax", "argmin", "max", "min", "ptp"):
        raise TypingError(f"np.{name} of no elements raises in NumPy")
    reduced = range(len(shape)) if axis is None else (axis,)
    if keepdims:
        result = tuple(1 if k in reduced else n for k, n in enumerate(shape))
    else:
        result = tuple(n for k, n in enumerate(shape) if k not in reduced)
    return _result_kind(name, kind), result


def accumulate_type(
    name: str, kind: Any, shape: tuple[int, ...], axis: int | None = None
) -> tuple[Any, tuple[int, ...]]:
    """Return the element type and shape of `cumsum` or `cumprod`.

    Raises:
        TypingError: NumPy has no such function.
    """
    _check_kind(name, kind)
    axis = _axis(name, shape, axis)
    return _result_kind(name, kind), (math.prod(shape),) if axis is None else shape


# --- Which elements -------------------------------------------------------------------------------


def row_major(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides, in elements, of an array that is contiguous in row-major order."""
    return tuple(math.prod(shape[k + 1 :]) for k in range(len(shape)))


def _groups(shape: tuple[int, ...], axis: int | None) -> list[list[int]]:
    """Return for each result the places of its elements."""
    places = np.arange(math.prod(shape)).reshape(shape)
    if axis is None:
        return [places.ravel().tolist()]
    rows = np.moveaxis(places, axis, -1)
    return [row.tolist() for row in rows.reshape(math.prod(rows.shape[:-1]), shape[axis])]


def offsets(shape: tuple[int, ...], strides: Strides) -> list[int]:
    """Return where in memory elements lie."""
    steps = row_major(shape) if strides is None else strides
    return [
        sum(k * step for k, step in zip(place, steps, strict=True))
        for place in itertools.product(*map(range, shape))
    ]


def packed(shape: tuple[int, ...], strides: Strides) -> Strides:
    """Return the strides of NumPy's results of elementwise functions of such an array."""
    if strides is None:
        return None
    result, room = [0] * len(shape), 1
    for axis in sorted(range(len(shape)), key=lambda k: (strides[k], -k)):
        result[axis] = room
        room *= shape[axis]
    return tuple(result)


def no_order(name: str, kind: Any, shape: tuple[int, ...]) -> DisagreementError:
    """Return what is raised where NumPy's order of operations is not known."""
    return DisagreementError(
        f"{name} of {kind} numbers of shape {shape} goes through them in an order that is not "
        "known for this NumPy and processor: write a loop over the elements"
    )


def _of_groups(
    function: Any, shape: tuple[int, ...], axis: int | None, strides: Strides
) -> tuple[Any, int, int]:
    """Return a function of rows, one for each result, and how many rows and columns there are."""
    groups = np.array(_groups(shape, axis))

    def of_rows(rows: np.ndarray) -> np.ndarray:
        elements = np.zeros(math.prod(shape), rows.dtype)
        elements[groups] = rows
        array = orders.strided(elements.reshape(shape), strides)
        found: np.ndarray = np.asarray(function(array, axis=axis)).ravel()
        return found

    return of_rows, *groups.shape


@functools.cache
def _order_of_sum(
    given: Any, kind: Any, shape: tuple[int, ...], axis: int | None, strides: Strides
) -> list[Order]:
    """Return how elements of type `given` are added up as numbers of type `kind`."""
    dtype, wide = dtype_of(given), dtype_of(kind)
    if dtype == np.uint64:
        dtype = np.dtype(np.int64)  # It has what is needed: numbers less than zero.
    function = functools.partial(np.add.reduce, dtype=wide)
    of_rows, results, count = _of_groups(function, shape, axis, strides)

    def drawn(draw: Any) -> tuple[Any, Any, Any]:
        rows = draw((results, count), 0)
        return rows, np.ones_like(rows), of_rows(rows)

    if dtype.kind != "f" and (wide.kind != "f" or dtype.itemsize < 8):
        return [Order(_chain(count), "")] * results  # In any order: nothing is rounded.
    kinds = (dtype.type, dtype.type, wide.type)
    terms = Terms(lambda left, _: of_rows(np.tile(left, (results, 1))), drawn, kinds, count, False)
    if dtype.kind != "f":
        terms = terms._replace(same=lambda left, _: of_rows(_tiled(left, results, dtype)))
        terms = terms._replace(kinds=(wide.type, wide.type, wide.type), drawn=_whole(drawn, dtype))
    found = orders.orders(terms)
    if found is None:
        raise no_order("np.sum", kind, shape)
    return found


def _tiled(row: np.ndarray, results: int, dtype: np.dtype) -> np.ndarray:
    if np.signbit(row).any() and not row.any():
        row = -np.zeros_like(row)
    with np.errstate(invalid="ignore"):
        whole = row.astype(np.int64).astype(dtype)
    return np.tile(whole, (results, 1))


def _whole(drawn: Any, dtype: np.dtype) -> Any:
    """Return `drawn` for whole numbers of every size."""

    def of_whole(draw: Any) -> Any:
        def whole(shape: Any, side: int) -> np.ndarray:
            with np.errstate(invalid="ignore", over="ignore"):
                return (draw(shape, side) * 2.0**40).clip(-(2.0**62), 2.0**62).astype(dtype)

        return drawn(whole)

    return of_whole


def _chain(count: int) -> Any:
    tree: Any = 0
    for place in range(1, count):
        tree = (place, tree, False)
    return tree


def plain(count: int) -> Order:
    """Return the order of a loop over the elements."""
    return Order(_chain(count), "")


@functools.cache
def _order_of_extreme(
    name: str, kind: Any, shape: tuple[int, ...], axis: int | None, strides: Strides
) -> list[list[int]]:
    """Return for each result the places in rising order of which is taken of equal numbers."""
    function, other = (np.min, 1.0) if name == "min" else (np.max, -1.0)
    of_rows, results, count = _of_groups(function, shape, axis, strides)
    found = orders.priorities(
        lambda row: of_rows(np.tile(row, (results, 1))), dtype_of(kind).type, count, other
    )
    if found is None:
        raise no_order(f"np.{name}", kind, shape)
    return found


@functools.cache
def _order_of_product(
    kind: Any, shape: tuple[int, ...], axis: int | None, strides: Strides
) -> list[list[int]]:
    """Return for each result the order in which elements are multiplied."""
    places = offsets(shape, strides)
    groups = _groups(shape, axis)
    found = [sorted(range(len(group)), key=lambda k: places[group[k]]) for group in groups]
    if isinstance(kind, types.Float) and groups[0]:
        of_rows, results, count = _of_groups(np.prod, shape, axis, strides)
        rows = np.random.default_rng(0).uniform(0.5, 2.0, (8, results, count))
        for draw in rows.astype(dtype_of(kind)):
            mine = [
                functools.reduce(operator.mul, row[order])
                for row, order in zip(draw, found, strict=True)
            ]
            if mine != of_rows(draw).tolist():
                raise no_order("np.prod", kind, shape)
    return found


# --- Instructions ---------------------------------------------------------------------------------


def cast(context: Any, builder: Any, values: Values, given: Any, kind: Any) -> Values:
    """Return values of type `kind` for those of type `given`."""
    if given == kind:
        return list(values)
    return [context.cast(builder, value, given, kind) for value in values]


def _constant(context: Any, kind: Any, number: Any) -> Any:
    return context.get_constant(kind, number)


def _add(builder: Any, kind: Any, x: Any, y: Any) -> Any:
    return builder.fadd(x, y) if isinstance(kind, types.Float) else builder.add(x, y)


def _multiply(builder: Any, kind: Any, x: Any, y: Any) -> Any:
    return builder.fmul(x, y) if isinstance(kind, types.Float) else builder.mul(x, y)


def _compare(builder: Any, kind: Any, relation: str, x: Any, y: Any) -> Any:
    if isinstance(kind, types.Float):
        return builder.fcmp_ordered(relation, x, y)
    if isinstance(kind, types.Integer) and _is_signed(kind):
        return builder.icmp_signed(relation, x, y)
    return builder.icmp_unsigned(relation, x, y)


def _is_nan(builder: Any, x: Any) -> Any:
    return builder.fcmp_unordered("uno", x, x)


def _truth(context: Any, builder: Any, kind: Any, x: Any) -> Any:
    """Return whether a number is not zero: NaN is not."""
    if isinstance(kind, types.Boolean):
        return x
    zero = _constant(context, kind, 0)
    if isinstance(kind, types.Float):
        return builder.fcmp_unordered("!=", x, zero)
    return builder.icmp_unsigned("!=", x, zero)


def _balanced(function: Callable[[Any, Any], Any], values: Sequence[Any]) -> Any:
    """Combine values by an associative function, in few steps after one another."""
    if len(values) == 1:
        return values[0]
    half = len(values) // 2
    return function(_balanced(function, values[:half]), _balanced(function, values[half:]))


def add_in_order(context: Any, builder: Any, kind: Any, order: Order, terms: Sequence[Any]) -> Any:
    """Return a sum in NumPy's order.

    Args:
        context: Numba's.
        builder: llvmlite's.
        kind: the type of operands and result.
        order: in which the terms are added.
        terms: values; of products, pairs of values.
    """
    result = given = kind
    kind = types.float64 if order.wide else kind
    if order.wide == "products":
        terms = [tuple(cast(context, builder, list(pair), given, kind)) for pair in terms]
        given = kind
    zero = _constant(context, kind, 0)
    firsts, is_any_fused = orders.firsts(order.tree)

    def product(place: int) -> Any:
        term = terms[place]
        value = _multiply(builder, given, *term) if isinstance(term, tuple) else term
        return context.cast(builder, value, given, kind)

    def start(tree: Any) -> Any:
        if not isinstance(tree, int):
            return add(tree)
        if order.zero != "first" or tree not in firsts:
            return product(tree)
        if is_any_fused:
            return builder.fma(*terms[tree], zero)
        return _add(builder, kind, product(tree), zero)

    def add(tree: Any) -> Any:
        first, second, is_fused = tree
        other = start(second)
        if is_fused:
            return builder.fma(*terms[first], other)
        return _add(builder, kind, other, start(first))

    total = start(order.tree)
    if order.zero == "last":
        total = _add(builder, kind, total, zero)
    return context.cast(builder, total, kind, result)


def _extreme(builder: Any, kind: Any, name: str, x: Any, y: Any) -> Any:
    """Return the lesser or greater of two; the second if they are equal; NaN if one is."""
    taken = _compare(builder, kind, "<=" if name == "min" else ">=", y, x)
    if isinstance(kind, types.Float):
        taken = builder.or_(taken, _is_nan(builder, y))
    return builder.select(taken, y, x)


def _earlier(builder: Any, kind: Any, name: str, one: Any, other: Any) -> Any:
    """Return the value and place of the extreme of two; the first if they are equal."""
    (x, place_x), (y, place_y) = one, other
    taken = _compare(builder, kind, "<" if name == "argmin" else ">", y, x)
    if isinstance(kind, types.Float):
        new = builder.and_(_is_nan(builder, y), builder.not_(_is_nan(builder, x)))
        taken = builder.or_(taken, new)
    return builder.select(taken, y, x), builder.select(taken, place_y, place_x)


# --- Reductions of values -------------------------------------------------------------------------


def reduce(
    context: Any,
    builder: Any,
    name: str,
    kind: Any,
    shape: tuple[int, ...],
    values: Values,
    axis: int | None = None,
    keepdims: bool = False,
    *,
    strides: Strides = None,
    ddof: int = 0,
    exact: bool = True,
) -> tuple[Any, tuple[int, ...], Values]:
    """Reduce an array as `np.sum` and its like do.

    Args:
        context: Numba's.
        builder: llvmlite's.
        name: one of `NAMES`.
        kind: Numba's type of the elements.
        shape: the array's.
        values: its elements, in row-major order.
        axis: which axis is reduced; None for all.
        keepdims: whether reduced axes stay, with length 1.
        strides: of the array in memory, in elements; None if it is contiguous in row-major order.
            They decide bits of `sum`, `mean`, `prod`, `std` and `var` of float numbers, and the
            sign of a `min` or `max` that is zero.
        ddof: of `std` and `var`.
        exact: whether NumPy's order is kept, or numbers are added as they come.

    Returns:
        element type, shape and values of the result.

    Raises:
        TypingError: NumPy has no such reduction.
        DisagreementError: NumPy's order of operations was not found out.
    """
    result, result_shape = reduce_type(name, kind, shape, axis, keepdims)
    axis = _axis(name, shape, axis)
    if strides == row_major(shape):
        strides = None
    work = _Reduction(context, builder, kind, shape, values, axis, strides, exact)
    if name in ("std", "var"):
        return result, result_shape, work.variance(name, result, ddof)
    if name in ("sum", "mean"):
        found = work.sums(result)
        if name == "mean":
            found = work.divided(result, found, work.count)
    elif name == "prod":
        found = work.products(result)
    elif name in ("min", "max"):
        found = work.extremes(name)
    elif name == "ptp":
        pairs = zip(work.extremes("max"), work.extremes("min"), strict=True)
        subtract = builder.fsub if isinstance(kind, types.Float) else builder.sub
        found = [subtract(most, least) for most, least in pairs]
    elif name in ("argmin", "argmax"):
        found = work.places(name)
    else:
        found = work.truths(name)
    return result, result_shape, found


class _Reduction:
    """One array and the axis along which it is reduced."""

    def __init__(
        self,
        context: Any,
        builder: Any,
        kind: Any,
        shape: tuple[int, ...],
        values: Values,
        axis: int | None,
        strides: Strides,
        exact: bool,
    ) -> None:
        self.context, self.builder, self.kind = context, builder, kind
        self.shape, self.values, self.axis = shape, values, axis
        self.strides, self.exact = strides, exact
        self.groups = _groups(shape, axis)
        self.count = math.prod(shape) if axis is None else shape[axis]

    def sums(self, kind: Any) -> Values:
        """Add up elements as numbers of type `kind`."""
        if not self.count:
            return [_constant(self.context, kind, 0)] * len(self.groups)
        values = cast(self.context, self.builder, self.values, self.kind, kind)
        found = [plain(self.count)] * len(self.groups)
        if self.exact and isinstance(kind, types.Float):
            found = _order_of_sum(self.kind, kind, self.shape, self.axis, self.strides)
        return [
            add_in_order(self.context, self.builder, kind, order, [values[k] for k in group])
            for group, order in zip(self.groups, found, strict=True)
        ]

    def divided(self, kind: Any, values: Values, count: int) -> Values:
        divisor = _constant(self.context, kind, count)
        return [self.builder.fdiv(value, divisor) for value in values]

    def products(self, kind: Any) -> Values:
        if not self.count:
            return [_constant(self.context, kind, 1)] * len(self.groups)
        values = cast(self.context, self.builder, self.values, self.kind, kind)
        found = [list(range(self.count))] * len(self.groups)
        if self.exact:
            found = _order_of_product(kind, self.shape, self.axis, self.strides)
        multiply = functools.partial(_multiply, self.builder, kind)
        return [
            functools.reduce(multiply, [values[group[k]] for k in order])
            for group, order in zip(self.groups, found, strict=True)
        ]

    def extremes(self, name: str) -> Values:
        found = [list(range(self.count))] * len(self.groups)
        if self.exact and isinstance(self.kind, types.Float):
            found = _order_of_extreme(name, self.kind, self.shape, self.axis, self.strides)
        function = functools.partial(_extreme, self.builder, self.kind, name)
        return [
            _balanced(function, [self.values[group[k]] for k in order])
            for group, order in zip(self.groups, found, strict=True)
        ]

    def places(self, name: str) -> Values:
        function = functools.partial(_earlier, self.builder, self.kind, name)
        pairs = [
            [(self.values[k], WHOLE(place)) for place, k in enumerate(group)]
            for group in self.groups
        ]
        return [_balanced(function, row)[1] for row in pairs]

    def truths(self, name: str) -> Values:
        builder = self.builder
        truths = [_truth(self.context, builder, self.kind, value) for value in self.values]
        if not self.count:
            empty = _constant(self.context, _result_kind(name, self.kind), name == "all")
            return [empty] * len(self.groups)
        if name == "count_nonzero":
            truths = [builder.zext(truth, WHOLE) for truth in truths]
            function = builder.add
        else:
            function = builder.or_ if name == "any" else builder.and_
        return [_balanced(function, [truths[k] for k in group]) for group in self.groups]

    def variance(self, name: str, kind: Any, ddof: int) -> Values:
        builder = self.builder
        means = self.divided(kind, self.sums(kind), self.count)
        values = cast(self.context, builder, self.values, self.kind, kind)
        for mean, group in zip(means, self.groups, strict=True):
            for k in group:
                rest = builder.fsub(values[k], mean)
                values[k] = builder.fmul(rest, rest)
        strides = packed(self.shape, self.strides)
        squares = _Reduction(
            self.context, builder, kind, self.shape, values, self.axis, strides, self.exact
        )
        found = self.divided(kind, squares.sums(kind), max(self.count - ddof, 0))
        if name == "std":
            found = [square_root(builder, value) for value in found]
        return found


def square_root(builder: Any, value: Any) -> Any:
    """Return the square root of a float number."""
    function = builder.module.declare_intrinsic("llvm.sqrt", [value.type])
    return builder.call(function, [value])


def accumulate(
    context: Any,
    builder: Any,
    name: str,
    kind: Any,
    shape: tuple[int, ...],
    values: Values,
    axis: int | None = None,
) -> tuple[Any, tuple[int, ...], Values]:
    """Return all partial sums or products, as `np.cumsum` and `np.cumprod` do.

    They are made one after another along the axis, whatever the layout in memory. Arguments, result
    and errors are those of `reduce`.
    """
    result, result_shape = accumulate_type(name, kind, shape, axis)
    axis = _axis(name, shape, axis)
    operation = _add if name == "cumsum" else _multiply
    found = cast(context, builder, values, kind, result)
    for group in _groups(shape, axis):
        for before, k in itertools.pairwise(group):
            found[k] = operation(builder, result, found[before], found[k])
    return result, result_shape, found
