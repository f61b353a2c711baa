"""NumPy's products of vectors and matrices, and its linear algebra, with NumPy's bits.

Functions are given the elements of small arrays as LLVM values, in row-major order, and return such
values; each has a companion that returns the types alone. Operands are described by `Operand`.

Products are written out where it is known in which order this process's BLAS adds, element by
element (`orders`): those are some hundred fused products, and no call. Otherwise compiled code
calls the loop that `np.matmul` calls, with operands in memory as NumPy would have them. Solving,
inverting and factorizing call the loops of `np.linalg`, which LAPACK stands behind. Compiled code
cannot raise: where NumPy raises `LinAlgError`, results are NaN.

The bits of a product depend on the layout of the operands in memory, such as that of a transpose,
and on whether both are the same memory, as in `a @ a.T`.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.errors import TypingError
from numba.np import numpy_support

from batchsim.compiler import orders, reductions, ufuncs
from batchsim.compiler.arithmetic import (
    add_in_order,
    cast,
    dtype_of,
    multiply,
    plain,
    square_root,
    subtract,
)  # fmt: skip
from batchsim.compiler.gufuncs import LOOPS, Operand, call, in_memory
from batchsim.compiler.lanes import FUSES
from batchsim.compiler.orders import Order, Terms

__all__ = [
    "PRODUCTS",
    "SOLVERS",
    "Operand",
    "cross",
    "cross_type",
    "norm",
    "norm_type",
    "operands_of_matmul",
    "outer",
    "outer_type",
    "product",
    "product_type",
    "require_conversion",
    "require_matmul",
    "solver",
    "solver_call",
    "solver_type",
    "trace",
    "trace_type",
]

PRODUCTS: dict[str, Any] = {"dot": np.dot, "inner": np.inner, "matmul": np.matmul, "vdot": np.vdot}
"""NumPy's products that are sums."""
SOLVERS = frozenset({"cholesky", "det", "inv", "solve"})
"""Functions of `np.linalg` that call LAPACK."""
LARGEST = 16
"""The most rows and columns of a matrix that is written out or solved."""

Found = tuple[Any, tuple[int, ...], list[Any]]
"""Element type, shape and values of a result; the shape of a number is ()."""


# --- Products that are sums -----------------------------------------------------------------------


class _Shapes(NamedTuple):
    """A product as one of matrices: which elements are multiplied, and the result's shape."""

    rows: int
    columns: int
    length: int
    result: tuple[int, ...]
    left: np.ndarray
    """Places of the left operand's elements: (row, term)."""
    right: np.ndarray
    """Places of the right operand's elements: (column, term)."""


def _shapes(name: str, left: tuple[int, ...], right: tuple[int, ...]) -> _Shapes:
    places = [np.arange(math.prod(shape)).reshape(shape) for shape in (left, right)]
    if name == "vdot":
        places = [array.ravel() for array in places]
    one, other = places
    if max(one.ndim, other.ndim) > 2 or min(one.ndim, other.ndim) == 0:
        raise TypingError(f"np.{name} is for vectors and matrices here; got {left} and {right}")
    if name in ("dot", "matmul") and other.ndim == 2:
        other = other.T
    if one.shape[-1] != other.shape[-1]:
        raise TypingError(f"np.{name}: shapes {left} and {right} do not match")
    result = (*one.shape[:-1], *other.shape[:-1])
    one, other = np.atleast_2d(one), np.atleast_2d(other)
    return _Shapes(len(one), len(other), one.shape[1], result, one, other)


def product_type(name: str, left: Operand, right: Operand) -> tuple[Any, tuple[int, ...]]:
    """Return element type and shape of a product; the shape of a number is ().

    Args:
        name: one of `PRODUCTS`.
        left, right: vectors or matrices.

    Raises:
        TypingError: NumPy, or this module, has no such product.
    """
    return _common_kind(name, left, right), _shapes(name, left.shape, right.shape).result


def _common_kind(name: str, *operands: Operand) -> Any:
    for operand in operands:
        if not isinstance(operand.kind, (types.Integer, types.Float, types.Boolean)):
            raise TypingError(f"np.{name} is for arrays of numbers here; got {operand.kind}")
    dtype = np.result_type(*(dtype_of(operand.kind) for operand in operands))
    return numpy_support.from_dtype(dtype)


class _Product(NamedTuple):
    """What decides in which order a product is added up."""

    name: str
    kinds: tuple[np.dtype, np.dtype]
    left: tuple[int, ...]
    right: tuple[int, ...]
    left_strides: tuple[int, ...] | None
    right_strides: tuple[int, ...] | None
    is_shared: bool


def _arrays(given: _Product, left: Any, right: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return NumPy's operands, given the elements of each row and each column."""
    shapes = _shapes(given.name, given.left, given.right)
    filled = []
    for shape, strides, places, elements in (
        (given.left, given.left_strides, shapes.left, left),
        (given.right, given.right_strides, shapes.right, right),
    ):
        flat = np.zeros(math.prod(shape), elements.dtype)
        flat[places] = elements
        filled.append(orders.strided(flat.reshape(shape), strides))
    one, other = filled
    if given.is_shared:
        other = np.lib.stride_tricks.as_strided(
            one, given.right, [one.itemsize * step for step in _steps(given)[1]]
        )
    return one, other


def _steps(given: _Product) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return (
        given.left_strides or reductions.row_major(given.left),
        given.right_strides or reductions.row_major(given.right),
    )


@functools.cache
def _orders_of_product(given: _Product) -> list[Order] | None:
    """Return how each element of a product of float numbers is added up, None if unknown."""
    shapes = _shapes(given.name, given.left, given.right)
    rows, columns, count = shapes.rows, shapes.columns, shapes.length
    function = PRODUCTS[given.name]
    kind = np.result_type(*given.kinds)
    alone = given._replace(is_shared=False)

    def same(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        filled = np.tile(left, (rows, 1)), np.tile(right, (columns, 1))
        return np.asarray(function(*_arrays(alone, *filled))).ravel()

    def drawn(draw: Any) -> tuple[Any, Any, Any]:
        left = draw((rows, count), 0)
        right = left if given.is_shared else draw((columns, count), 1)
        results = function(*_arrays(given, left, right))
        return np.repeat(left, columns, axis=0), np.tile(right, (rows, 1)), results

    kinds = (given.kinds[0].type, given.kinds[1].type, kind.type)
    also = []
    if given.is_shared and rows == columns:
        # One triangle is computed, and the other copied.
        places = np.arange(rows * columns).reshape(rows, columns)
        upper, lower = np.triu(places), np.tril(places)
        also = [upper + upper.T - np.diag(np.diag(places)), lower + lower.T]
        also[1] -= np.diag(np.diag(places))
    return orders.orders(Terms(same, drawn, kinds, count, also=[list(k.ravel()) for k in also]))


def product(
    context: Any,
    builder: Any,
    name: str,
    left: Operand,
    right: Operand,
    *,
    is_shared: bool = False,
    exact: bool = True,
) -> Found:
    """Multiply as `np.dot`, `np.inner`, `np.matmul` and `np.vdot` do.

    Args:
        context: Numba's.
        builder: llvmlite's.
        name: one of `PRODUCTS`.
        left, right: vectors or matrices. Of float numbers, bits depend on their strides.
        is_shared: whether both are views of the same memory, as in `a @ a.T`.
        exact: whether NumPy's order is kept, or products are added as they come.

    Returns:
        element type, shape and values of the result.

    Raises:
        TypingError: NumPy, or this module, has no such product.
        DisagreementError: it is not known how NumPy computes it.
    """
    kind, result = product_type(name, left, right)
    shapes = _shapes(name, left.shape, right.shape)
    one = cast(context, builder, left.values, left.kind, kind)
    other = cast(context, builder, right.values, right.kind, kind)
    lines = shapes.left.tolist(), shapes.right.tolist()
    pairs = [
        [(one[i], other[j]) for i, j in zip(row, column, strict=True)]
        for row in lines[0]
        for column in lines[1]
    ]
    if isinstance(kind, types.Boolean):
        return kind, result, [_any_pair(builder, row) for row in pairs]
    if not shapes.length:
        return kind, result, [context.get_constant(kind, 0)] * len(pairs)
    found = [plain(shapes.length)] * len(pairs)
    if exact and isinstance(kind, types.Float):
        kinds = dtype_of(left.kind), dtype_of(right.kind)
        steps = [
            None if operand.strides == reductions.row_major(operand.shape) else operand.strides
            for operand in (left, right)
        ]
        is_shared = is_shared and left.kind == right.kind
        given = _Product(name, kinds, left.shape, right.shape, steps[0], steps[1], is_shared)
        known = _orders_of_product(given)
        if known is None and kinds[0] != kinds[1]:
            # NumPy converts one of them, into an array that lies by row.
            wide = dtype_of(kind)
            require_conversion(name, kinds, left, right, wide)
            steps = [
                step if dtype == wide else None for step, dtype in zip(steps, kinds, strict=True)
            ]
            given = given._replace(
                kinds=(wide, wide), left_strides=steps[0], right_strides=steps[1]
            )
            known = _orders_of_product(given)
        if known is None or (not FUSES and any(map(orders.fuses, known))):
            return kind, result, _by_matmul(context, builder, given, one, other)
        found = known
    if isinstance(kind, types.Float) and len(pairs) > 1 and len(pairs) * shapes.length >= _WORTH:
        rows = [[one[i] for i in row] for row in lines[0]]
        columns = [[other[j] for j in column] for column in lines[1]]
        if len(columns) == 1:
            rows, columns = columns, rows
        return kind, result, _by_vectors(context, builder, kind, found, rows, columns)
    sums = [
        add_in_order(context, builder, kind, order, row)
        for order, row in zip(found, pairs, strict=True)
    ]
    if exact and isinstance(kind, types.Float) and shapes.length == 1:
        for side, factors in enumerate((one, other)):
            if len(factors) == 1 and _ignores(given, side):
                zero = context.get_constant(kind, 0)
                is_zero = builder.fcmp_ordered("==", factors[0], zero)
                sums = [builder.select(is_zero, zero, value) for value in sums]
    return kind, result, sums


_WORTH = 64
"""Of how many products and more vectors are worth while; loops over rows that have few of them are
vectorised themselves.
"""
_WIDEST = 8


def _vector(builder: Any, values: list[Any]) -> Any:
    found = ir.Constant(ir.VectorType(values[0].type, len(values)), ir.Undefined)
    for k, value in enumerate(values):
        found = builder.insert_element(found, value, ir.Constant(ir.IntType(32), k))
    return found


def _by_vectors(
    context: Any,
    builder: Any,
    kind: Any,
    found: list[Order],
    rows: list[list[Any]],
    columns: list[list[Any]],
) -> list[Any]:
    """Return the values of a product, some neighbours in a row at a time."""
    results: list[Any] = []
    vectors: dict[tuple[int, int], list[Any]] = {}
    for i, row in enumerate(rows):
        j = 0
        while j < len(columns):
            order = found[i * len(columns) + j]
            width = _WIDEST
            while (
                j + width > len(columns)
                or order.wide
                or any(found[i * len(columns) + j + k] != order for k in range(width))
            ):
                width //= 2
                if width < 2:
                    break
            if width < 2:
                terms: list[Any] = list(zip(row, columns[j], strict=True))
                results.append(add_in_order(context, builder, kind, order, terms))
                j += 1
                continue
            if (j, width) not in vectors:
                lines = zip(*columns[j : j + width], strict=True)
                vectors[j, width] = [_vector(builder, list(values)) for values in lines]
            factors = [_vector(builder, [value] * width) for value in row]
            terms = list(zip(factors, vectors[j, width], strict=True))
            total = add_in_order(context, builder, kind, order, terms)
            places = (ir.Constant(ir.IntType(32), k) for k in range(width))
            results += [builder.extract_element(total, place) for place in places]
            j += width
    return results


@functools.cache
def _ignores(given: _Product, side: int) -> bool:
    """Tell whether nothing is multiplied if the only number of one operand is zero: a BLAS may add
    that multiple of a vector to zeros, and then sees no NaN.
    """
    shapes = _shapes(given.name, given.left, given.right)
    filled = [
        np.full((rows, 1), 0.0 if k == side else np.nan, kind)
        for k, (rows, kind) in enumerate(
            zip((shapes.rows, shapes.columns), given.kinds, strict=True)
        )
        if kind.kind == "f" or k == side
    ]
    if len(filled) < 2:
        return False
    one, other = _arrays(given._replace(is_shared=False), filled[0], filled[1])
    return not np.isnan(PRODUCTS[given.name](one, other)).any()


def _any_pair(builder: Any, pairs: list[Any]) -> Any:
    found = ir.Constant(ir.IntType(1), 0)
    for x, y in pairs:
        found = builder.or_(found, builder.and_(x, y))
    return found


def require_matmul(name: str, left: Operand, right: Operand, is_shared: bool) -> None:
    """Raise DisagreementError if a product of numbers of one type has not `np.matmul`'s bits."""
    dtype = dtype_of(left.kind)
    steps = (left.strides, right.strides)
    given = _Product(name, (dtype, dtype), left.shape, right.shape, *steps, is_shared)
    if dtype.kind == "f" and not _is_matmul(given):
        raise reductions.no_order(f"np.{name}", left.kind, (*left.shape, *right.shape))


def operands_of_matmul(
    name: str, left: Operand, right: Operand, steps: tuple[list[int], list[int]]
) -> tuple[list[int], list[list[int]]]:
    """Return the lengths, and the strides of the operands, that the loop of `np.matmul` asks for.

    Args:
        name: one of `PRODUCTS`.
        left, right: vectors or matrices.
        steps: the strides of each.
    """
    shapes = _shapes(name, left.shape, right.shape)
    first, second = steps
    if name == "vdot":
        first, second = first[-1:], second[-1:]
    if name == "inner":
        second = second[::-1]
    # Of a vector, a length that it has not is 1.
    of_operands = [[0, *first][-2:], [*second, 0][:2]]
    return [shapes.rows, shapes.length, shapes.columns], of_operands


def _by_matmul(
    context: Any, builder: Any, given: _Product, left: list[Any], right: list[Any]
) -> list[Any]:
    """Return the values of a product of float numbers, by the loop of `np.matmul`."""
    kind = numpy_support.from_dtype(given.kinds[0])
    symbol = f"batchsim_numpy_matmul_{given.kinds[0].char * 3}"
    if given.kinds[0] != given.kinds[1] or symbol not in LOOPS or not _is_matmul(given):
        raise reductions.no_order(f"np.{given.name}", kind, (*given.left, *given.right))
    one = Operand(kind, given.left, left, given.left_strides)
    other = Operand(kind, given.right, right, given.right_strides)
    first, first_steps = in_memory(context, builder, one)
    if given.is_shared:
        size = context.get_abi_sizeof(context.get_data_type(kind))
        second, second_steps = first, [size * step for step in _steps(given)[1]]
    else:
        second, second_steps = in_memory(context, builder, other)
    steps = first_steps, second_steps
    dimensions, (first_steps, second_steps) = operands_of_matmul(given.name, one, other, steps)
    arrays = [(first, first_steps), (second, second_steps)]
    output = Operand(kind, (dimensions[0], dimensions[2]), [])
    return call(context, builder, symbol, dimensions, arrays, output)


def require_conversion(
    name: str, kinds: tuple[Any, Any], left: Operand, right: Operand, wide: Any
) -> None:
    """Raise DisagreementError if operands of two types give other bits than converted ones."""
    rng = np.random.default_rng(0)
    function = PRODUCTS[name]
    for _ in range(30):
        arrays, converted = [], []
        for operand, dtype in zip((left, right), kinds, strict=True):
            strides = operand.strides or reductions.row_major(operand.shape)
            room = 1 + sum((n - 1) * k for n, k in zip(operand.shape, strides, strict=True))
            memory = (rng.normal(size=room) * 10.0 ** rng.integers(-6, 6, room)).astype(dtype)
            steps = tuple(step * memory.itemsize for step in strides)
            array = np.lib.stride_tricks.as_strided(memory, operand.shape, steps)
            arrays.append(array)
            converted.append(array if dtype == wide else array.astype(wide, order="C"))
        one, other = np.asarray(function(*arrays)), np.asarray(function(*converted))
        if one.tobytes() != other.tobytes():
            kind = numpy_support.from_dtype(wide)
            raise reductions.no_order(f"np.{name}", kind, (*left.shape, *right.shape))


@functools.cache
def _is_matmul(given: _Product) -> bool:
    """Tell whether a product has the bits of `np.matmul`."""
    if given.name == "matmul":
        return True
    if given.name == "vdot" and (given.left_strides or given.right_strides):
        return False
    rng = np.random.default_rng(0)
    kind = given.kinds[0]
    shapes = _shapes(given.name, given.left, given.right)
    if shapes.length == 1:
        return False
    for attempt in range(20):
        left, right = (
            rng.normal(size=(n, shapes.length)).astype(kind) for n in (shapes.rows, shapes.columns)
        )
        if attempt % 2:
            left *= kind.type(0)
        one, other = _arrays(given, left, left if given.is_shared else right)
        theirs = np.asarray(PRODUCTS[given.name](one, other))
        if given.name == "vdot":
            one, other = one.ravel(), other.ravel()
        if given.name == "inner":
            other = other.T
        if np.asarray(one @ other).tobytes() != theirs.tobytes():
            return False
    return True


# --- Products of elements -------------------------------------------------------------------------


def outer_type(left: Operand, right: Operand) -> tuple[Any, tuple[int, ...]]:
    """Return element type and shape of `np.outer`."""
    shape = math.prod(left.shape), math.prod(right.shape)
    return _common_kind("outer", left, right), shape


def outer(context: Any, builder: Any, left: Operand, right: Operand) -> Found:
    """Multiply each element with each, as `np.outer` does; layouts do not matter."""
    kind, shape = outer_type(left, right)
    one = cast(context, builder, left.values, left.kind, kind)
    other = cast(context, builder, right.values, right.kind, kind)
    return kind, shape, [multiply(builder, kind, x, y) for x in one for y in other]


def cross_type(left: Operand, right: Operand) -> tuple[Any, tuple[int, ...]]:
    """Return element type and shape of `np.cross`.

    Raises:
        TypingError: the operands are not arrays of vectors of three numbers, of the same shape.
    """
    if left.shape != right.shape or left.shape[-1:] != (3,):
        raise TypingError(
            f"np.cross is for vectors of 3 here, as many left as right; got {left.shape} and "
            f"{right.shape}"
        )
    kind = _common_kind("cross", left, right)
    if isinstance(kind, types.Boolean):
        raise TypingError("np.cross does not exist for truth values in NumPy")
    return kind, left.shape


def cross(context: Any, builder: Any, left: Operand, right: Operand) -> Found:
    """Return the vector products of `np.cross`; layouts do not matter."""
    kind, shape = cross_type(left, right)
    one = cast(context, builder, left.values, left.kind, kind)
    other = cast(context, builder, right.values, right.kind, kind)
    found = []
    for k in range(0, len(one), 3):
        for i, j in ((1, 2), (2, 0), (0, 1)):
            forth = multiply(builder, kind, one[k + i], other[k + j])
            back = multiply(builder, kind, one[k + j], other[k + i])
            found.append(subtract(builder, kind, forth, back))
    return kind, shape, found


# --- Sums over one array --------------------------------------------------------------------------


def trace_type(operand: Operand, offset: int = 0) -> tuple[Any, tuple[int, ...]]:
    """Return element type and shape of `np.trace`.

    Raises:
        TypingError: the operand is no matrix of numbers.
    """
    if len(operand.shape) != 2:
        raise TypingError(f"np.trace is for matrices here; got shape {operand.shape}")
    return reductions.reduce_type("sum", operand.kind, (1,))


def trace(
    context: Any, builder: Any, operand: Operand, offset: int = 0, *, exact: bool = True
) -> Found:
    """Add up a diagonal as `np.trace` does; the layout does not matter."""
    trace_type(operand, offset)
    rows, columns = operand.shape
    start = offset if offset >= 0 else -offset * columns
    count = max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
    values = [operand.values[start + k * (columns + 1)] for k in range(count)]
    strides = (columns + 1,) if count > 1 else None
    return reductions.reduce(
        context, builder, "sum", operand.kind, (count,), values, strides=strides, exact=exact
    )


def norm_type(operand: Operand, axis: int | None = None, keepdims: bool = False) -> Any:
    """Return element type and shape of `np.linalg.norm(x, axis=axis)`.

    Raises:
        TypingError: it is no array of numbers, or has no such axis.
    """
    return reductions.reduce_type("std", operand.kind, operand.shape, axis, keepdims)


def norm(
    context: Any,
    builder: Any,
    operand: Operand,
    axis: int | None = None,
    keepdims: bool = False,
    *,
    exact: bool = True,
) -> Found:
    """Return the lengths of vectors as `np.linalg.norm` does, of which no `ord` is asked.

    Args:
        context: Numba's.
        builder: llvmlite's.
        operand: an array; bits depend on its strides.
        axis: along which the vectors lie; None for that of all elements.
        keepdims: whether the axis stays, with length 1.
        exact: whether NumPy's order is kept.

    Returns:
        element type, shape and values.
    """
    kind, shape = norm_type(operand, axis, keepdims)
    values = cast(context, builder, operand.values, operand.kind, kind)
    if axis is None:
        # All elements as they lie in memory, with themselves.
        places = reductions.offsets(operand.shape, operand.strides)
        rank = sorted(range(len(values)), key=places.__getitem__)
        row = Operand(kind, (len(values),), [values[k] for k in rank])
        _, _, found = product(context, builder, "dot", row, row, is_shared=True, exact=exact)
    else:
        values = [builder.fmul(value, value) for value in values]
        strides = reductions.packed(operand.shape, operand.strides)
        _, _, found = reductions.reduce(
            context, builder, "sum", kind, operand.shape, values, axis, strides=strides, exact=exact
        )
    return kind, shape, [square_root(builder, value) for value in found]


# --- Equations ------------------------------------------------------------------------------------


def solver_type(name: str, *operands: Operand) -> tuple[Any, tuple[int, ...]]:
    """Return element type and shape of a function of `np.linalg`.

    Args:
        name: one of `SOLVERS`.
        operands: a square matrix; of `solve`, also a vector or matrix.

    Raises:
        TypingError: NumPy, or this module, has no such function.
    """
    shape = operands[0].shape
    if len(shape) != 2 or shape[0] != shape[1] or not 0 < shape[0] <= LARGEST:
        raise TypingError(
            f"np.linalg.{name} is for square matrices of up to {LARGEST} rows here; got shape "
            f"{shape}"
        )
    if name == "solve":
        other = operands[1].shape
        if len(other) not in (1, 2) or other[0] != shape[0] or other[-1] > LARGEST:
            raise TypingError(f"np.linalg.solve: shapes {shape} and {other} do not match")
    if len(operands) != (2 if name == "solve" else 1):
        raise TypingError(f"np.linalg.{name} has another number of arguments")
    _common_kind(f"linalg.{name}", *operands)
    # It computes in float64 in any case, and rounds the result.
    is_single = all(operand.kind == types.float32 for operand in operands)
    kind: Any = types.float32 if is_single else types.float64
    return kind, {"det": (), "solve": operands[-1].shape}.get(name, shape)


def solver(context: Any, builder: Any, name: str, *operands: Operand) -> Found:
    """Solve, invert or factorize a matrix as `np.linalg.solve`, `inv`, `det` and `cholesky` do.

    Layouts do not matter. Where NumPy raises `LinAlgError`, because a matrix is singular or not
    positive definite, all results are NaN. Arguments and errors are those of `solver_type`, after
    Numba's context and llvmlite's builder.

    Returns:
        element type, shape and values.
    """
    kind, shape = solver_type(name, *operands)
    symbol, dimensions = solver_call(name, *operands)
    arrays = [
        in_memory(
            context,
            builder,
            Operand(
                types.float64,
                operand.shape,
                cast(context, builder, operand.values, operand.kind, types.float64),
            ),
        )
        for operand in operands
    ]
    result = Operand(types.float64, shape, [])
    found = call(context, builder, symbol, dimensions, arrays, result)
    return kind, shape, cast(context, builder, found, types.float64, kind)


def solver_call(name: str, *operands: Operand) -> tuple[str, list[int]]:
    """Return the symbol of LAPACK's loop, of float64 numbers, and the lengths that it asks for.

    Raises:
        DisagreementError: there is no such loop.
    """
    shape = operands[-1].shape
    loop = {"cholesky": "cholesky_lo"}.get(name, name)
    if name == "solve" and len(shape) == 1:
        loop = "solve1"
    symbol = f"batchsim_numpy_{loop}_{'d' * (len(operands) + 1)}"
    if symbol not in LOOPS:
        raise ufuncs.DisagreementError(f"np.linalg.{name} is out of reach of compiled code")
    return symbol, [operands[0].shape[0], *(shape[1:] if name == "solve" else ())]
