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
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.errors import TypingError

from batchsim.compiler import orders
from batchsim.compiler.arithmetic import (
    add,
    add_in_order,
    balanced,
    cast,
    dtype_of,
    earlier,
    extreme,
    multiply,
    plain,
    square_root,
    subtract,
    truth,
)  # fmt: skip
from batchsim.compiler.orders import Order, Terms
from batchsim.compiler.ufuncs import DisagreementError

__all__ = [
    "NAMES",
    "accumulate",
    "accumulate_type",
    "no_order",
    "offsets",
    "packed",
    "reduce",
    "reduce_type",
    "row_major",
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


def _check_dtype(name: str, kind: Any, dtype: Any) -> Any:
    """Return the type of a result for which `dtype` was asked, if that is not None."""
    if dtype is None:
        return _result_kind(name, kind)
    is_float = isinstance(dtype, types.Float)
    is_known = name in ("sum", "prod", "cumsum", "cumprod") or (name == "mean" and is_float)
    is_wider = is_float or not isinstance(kind, types.Float)
    if not (is_known and is_wider and isinstance(dtype, (types.Integer, types.Float))):
        raise TypingError(f"np.{name} of {kind} numbers with dtype={dtype} is not compiled")
    return dtype


def reduce_type(
    name: str,
    kind: Any,
    shape: tuple[int, ...],
    axis: int | None = None,
    keepdims: bool = False,
    dtype: Any = None,
) -> tuple[Any, tuple[int, ...]]:
    """Return the element type and shape of a reduction's result; the shape of a number is ().

    Args:
        name: one of `NAMES`.
        kind: Numba's type of the elements.
        shape: the array's.
        axis: which axis is reduced; None for all.
        keepdims: whether reduced axes stay, with length 1.
        dtype: of `mean`, `prod` and `sum`, Numba's type that numbers are added or multiplied as.

    Raises:
        TypingError: NumPy, or this module, has no such reduction.
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
    return _check_dtype(name, kind, dtype), result


def accumulate_type(
    name: str, kind: Any, shape: tuple[int, ...], axis: int | None = None, dtype: Any = None
) -> tuple[Any, tuple[int, ...]]:
    """Return the element type and shape of `cumsum` or `cumprod`.

    Raises:
        TypingError: NumPy has no such function.
    """
    _check_kind(name, kind)
    axis = _axis(name, shape, axis)
    result = _check_dtype(name, kind, dtype)
    return result, (math.prod(shape),) if axis is None else shape


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
        return np.asarray(function(array, axis=axis)).ravel()

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
        return [plain(count)] * results  # In any order: nothing is rounded.
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
                large = draw(shape, side) * 2.0**40
                whole: np.ndarray = np.clip(large, -(2.0**62), 2.0**62)
                return whole.astype(dtype)

        return drawn(whole)

    return of_whole


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
    given: Any, kind: Any, shape: tuple[int, ...], axis: int | None, strides: Strides
) -> list[list[int]]:
    """Return for each result the order in which elements are multiplied."""
    places = offsets(shape, strides)
    groups = _groups(shape, axis)
    found = [sorted(range(len(group)), key=lambda k: places[group[k]]) for group in groups]
    if isinstance(kind, types.Float) and groups[0]:
        function = functools.partial(np.multiply.reduce, dtype=dtype_of(kind))
        of_rows, results, count = _of_groups(function, shape, axis, strides)
        rows = np.random.default_rng(0).uniform(0.5, 2.0, (8, results, count))
        if not isinstance(given, types.Float):
            rows = np.rint(rows * 50)
        for draw in rows.astype(dtype_of(given)):
            mine = [
                functools.reduce(operator.mul, row[order].astype(dtype_of(kind)))
                for row, order in zip(draw, found, strict=True)
            ]
            if mine != of_rows(draw).tolist():
                raise no_order("np.prod", kind, shape)
    return found


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
    dtype: Any = None,
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
        dtype: of `mean`, `prod` and `sum`, Numba's type that numbers are added or multiplied as.
        ddof: of `std` and `var`.
        exact: whether NumPy's order is kept, or numbers are added as they come.

    Returns:
        element type, shape and values of the result.

    Raises:
        TypingError: NumPy has no such reduction.
        DisagreementError: NumPy's order of operations was not found out.
    """
    result, result_shape = reduce_type(name, kind, shape, axis, keepdims, dtype)
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
        found = [subtract(builder, kind, most, least) for most, least in pairs]
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
            return [self.context.get_constant(kind, 0)] * len(self.groups)
        values = cast(self.context, self.builder, self.values, self.kind, kind)
        found = [plain(self.count)] * len(self.groups)
        if self.exact and isinstance(kind, types.Float):
            found = _order_of_sum(self.kind, kind, self.shape, self.axis, self.strides)
        return [
            add_in_order(self.context, self.builder, kind, order, [values[k] for k in group])
            for group, order in zip(self.groups, found, strict=True)
        ]

    def divided(self, kind: Any, values: Values, count: int) -> Values:
        divisor = self.context.get_constant(kind, count)
        return [self.builder.fdiv(value, divisor) for value in values]

    def products(self, kind: Any) -> Values:
        if not self.count:
            return [self.context.get_constant(kind, 1)] * len(self.groups)
        values = cast(self.context, self.builder, self.values, self.kind, kind)
        found = [list(range(self.count))] * len(self.groups)
        if self.exact:
            found = _order_of_product(self.kind, kind, self.shape, self.axis, self.strides)
        times = functools.partial(multiply, self.builder, kind)
        return [
            functools.reduce(times, [values[group[k]] for k in order])
            for group, order in zip(self.groups, found, strict=True)
        ]

    def extremes(self, name: str) -> Values:
        found = [list(range(self.count))] * len(self.groups)
        if self.exact and isinstance(self.kind, types.Float):
            found = _order_of_extreme(name, self.kind, self.shape, self.axis, self.strides)
        function = functools.partial(extreme, self.builder, self.kind, name)
        return [
            balanced(function, [self.values[group[k]] for k in order])
            for group, order in zip(self.groups, found, strict=True)
        ]

    def places(self, name: str) -> Values:
        function = functools.partial(earlier, self.builder, self.kind, name)
        pairs = [
            [(self.values[k], WHOLE(place)) for place, k in enumerate(group)]
            for group in self.groups
        ]
        return [balanced(function, row)[1] for row in pairs]

    def truths(self, name: str) -> Values:
        builder = self.builder
        truths = [truth(self.context, builder, self.kind, value) for value in self.values]
        if not self.count:
            empty = self.context.get_constant(_result_kind(name, self.kind), name == "all")
            return [empty] * len(self.groups)
        if name == "count_nonzero":
            truths = [builder.zext(truth, WHOLE) for truth in truths]
            function = builder.add
        else:
            function = builder.or_ if name == "any" else builder.and_
        return [balanced(function, [truths[k] for k in group]) for group in self.groups]

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


def accumulate(
    context: Any,
    builder: Any,
    name: str,
    kind: Any,
    shape: tuple[int, ...],
    values: Values,
    axis: int | None = None,
    dtype: Any = None,
) -> tuple[Any, tuple[int, ...], Values]:
    """Return all partial sums or products, as `np.cumsum` and `np.cumprod` do.

    They are made one after another along the axis, whatever the layout in memory. Arguments, result
    and errors are those of `reduce`.
    """
    result, result_shape = accumulate_type(name, kind, shape, axis, dtype)
    axis = _axis(name, shape, axis)
    operation = add if name == "cumsum" else multiply
    found = cast(context, builder, values, kind, result)
    for group in _groups(shape, axis):
        for before, k in itertools.pairwise(group):
            found[k] = operation(builder, result, found[before], found[k])
    return result, result_shape, found
