"""Compiled products and linear algebra have the bits of NumPy's."""

import functools
import itertools

import numba
import numpy as np
import pytest
from compiled_arrays import DRAWS, ZEROS, Case, differing, draw_all, numbers
from numba.core.errors import TypingError

from batchsim.compiler import linear, orders
from batchsim.compiler.linear import Operand


def numbas(kind):
    return numba.from_dtype(np.dtype(kind))


def operand(described, values=()):
    kind, shape, strides = described
    return Operand(numbas(kind), shape, list(values), strides)


def build_product(name, described, context, builder, *values):
    left, right = (operand(*pair) for pair in zip(described, values, strict=True))
    found = linear.product(context, builder, name, left, right)
    assert found[:2] == linear.product_type(name, left, right)
    return found


def product(name, left, right):
    """A case; operands are of type, shape and strides."""
    return Case(
        f"{name} {left} {right}",
        (left, right),
        getattr(np, name),
        functools.partial(build_product, name, (left, right)),
    )


def transposed(shape):
    return (1, shape[0])


def products(kind):
    """Shapes and layouts that NumPy, or a BLAS, does differently."""
    for count in (1, 5, 16, 35):
        yield product("matmul", (kind, (count,), None), (kind, (count,), None))
        yield product("dot", (kind, (count,), (2,)), (kind, (count,), None))
    sizes = [(1, 8), (3, 3), (4, 9), (8, 8), (13, 5)]
    for rows, count in sizes:
        for strides in (None, transposed((rows, count))):
            matrix, vector = (kind, (rows, count), strides), (kind, (count,), None)
            yield product("matmul", matrix, vector)
            yield product("dot", matrix, vector)
            matrix = kind, (count, rows), transposed((count, rows)) if strides else None
            yield product("matmul", vector, matrix)
    sizes = [(1, 8, 8), (8, 8, 1), (2, 2, 2), (3, 4, 5), (5, 8, 7), (8, 8, 8), (4, 8, 8)]
    for rows, count, columns in sizes:
        for left, right in itertools.product((False, True), repeat=2):
            one = kind, (rows, count), transposed((rows, count)) if left else None
            other = kind, (count, columns), transposed((count, columns)) if right else None
            yield product("matmul", one, other)
            if left == right:
                yield product("dot", one, other)
    yield product("matmul", (kind, (4, 5), (12, 2)), (kind, (5, 3), (7, 2)))
    yield product("inner", (kind, (4, 5), None), (kind, (3, 5), None))
    yield product("inner", (kind, (9, 1), (2, 1)), (kind, (1,), None))
    yield product("dot", (kind, (1,), (2,)), (kind, (1, 5), None))
    yield product("dot", (kind, (7, 1), None), (kind, (1, 1), (2, 2)))
    yield product("inner", (kind, (9,), None), (kind, (9,), None))
    yield product("vdot", (kind, (3, 4), None), (kind, (4, 3), None))


def build_shared(described, context, builder, values):
    one = operand(described, values)
    kind, (rows, columns), strides = described
    strides = strides or (columns, 1)
    flipped = [values[i * columns + j] for j in range(columns) for i in range(rows)]
    other = Operand(numbas(kind), (columns, rows), flipped, strides[::-1])
    return linear.product(context, builder, "matmul", one, other, is_shared=True)


def shared(kind):
    """A matrix and its transpose, which are the same memory."""
    for shape in [(1, 4), (2, 2), (3, 3), (4, 1), (5, 8), (8, 8), (9, 4)]:
        for strides in (None, transposed(shape)):
            described = kind, shape, strides
            name = f"shared {described}"
            build = functools.partial(build_shared, described)
            yield Case(name, (described,), lambda a: a @ a.T, build)


def others(kind):
    """Norms, traces, and products of elements."""
    for shape, strides in [((9,), None), ((3,), (4,)), ((5, 3), None), ((5, 3), (1, 5))]:
        for axis in [None, *range(len(shape))]:
            described = kind, shape, strides

            def norm(context, builder, values, described=described, axis=axis):
                return linear.norm(context, builder, operand(described, values), axis)

            name = f"norm {described} {axis}"
            theirs = functools.partial(np.linalg.norm, axis=axis)
            yield Case(name, (described,), theirs, norm)
    for shape, offset in [((3, 3), 0), ((9, 9), 0), ((4, 6), 2), ((6, 4), -3)]:
        described = kind, shape, None

        def trace(context, builder, values, described=described, offset=offset):
            return linear.trace(context, builder, operand(described, values), offset)

        theirs = functools.partial(np.trace, offset=offset)
        yield Case(f"trace {shape} {offset}", (described,), theirs, trace)
    for function, theirs, shapes in (
        (linear.outer, np.outer, ((3,), (4,))),
        (linear.cross, np.cross, ((3,), (3,))),
        (linear.cross, np.cross, ((2, 3), (2, 3))),
    ):
        pair = tuple((kind, shape, None) for shape in shapes)

        def build(context, builder, *values, function=function, pair=pair):
            given = (operand(*both) for both in zip(pair, values, strict=True))
            return function(context, builder, *given)

        yield Case(f"{theirs.__name__} {pair}", pair, theirs, build)


def every(kind):
    return [*products(kind), *shared(kind), *others(kind)]


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_products_have_numpys_bits(kind):
    assert list(differing(every(kind))) == []


def test_products_have_numpys_bits_where_the_order_is_not_known(monkeypatch):
    kind = np.float64
    linear._orders_of_product.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(orders, "orders", lambda terms: None)
        # Of one element each, np.dot is another function than np.matmul.
        several = (case for case in products(kind) if 1 not in case.operands[1][1])
        cases = [*several, *shared(kind)]
        try:
            assert list(differing(cases)) == []
        finally:
            linear._orders_of_product.cache_clear()


def test_products_of_other_numbers_have_numpys_bits():
    few = []
    for kinds in [
        *((np.bool_,) * 2, (np.int8,) * 2, (np.uint64,) * 2),
        *((np.int64, np.int32), (np.float64, np.int64)),
    ]:
        for shapes in [((5,), (5,)), ((3, 4), (4,)), ((3, 8), (8, 4))]:
            few.append(
                product("matmul", *((*pair, None) for pair in zip(kinds, shapes, strict=True)))
            )
    for kind in (np.int8, np.int64):
        few += others(kind)
    assert list(differing(few, [(0, ())] * 6, repeats=1)) == []


def build_solver(name, described, context, builder, *values):
    operands = [operand(*pair) for pair in zip(described, values, strict=True)]
    found = linear.solver(context, builder, name, *operands)
    assert found[:2] == linear.solver_type(name, *operands)
    return found


def solvers(kind):
    for n in (1, 2, 3, 8, 16):
        matrix = kind, (n, n), None
        rest = [("solve", (matrix, (kind, (n,), None))), ("solve", (matrix, (kind, (n, 3), None)))]
        for name in ("inv", "det", "cholesky"):
            rest.append((name, (matrix,)))
            rest.append((name, ((kind, (n, n), (1, n)),)))
        for name, described in rest:
            build = functools.partial(build_solver, name, described)
            yield Case(f"{name} {described}", described, getattr(np.linalg, name), build)


def draw_matrices(case, rng, spread, special):
    """Draw operands; a matrix to be factorized is positive definite, or nearly so."""
    operands = draw_all(case, rng, spread, special)
    if case.name.startswith("cholesky"):
        matrix = operands[0]
        with np.errstate(all="ignore"):
            operands[0] = matrix @ matrix.T + numbers(rng, matrix.dtype, (), 2)
    return operands


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_solvers_have_numpys_bits(kind):
    draws = [draw for draw in DRAWS if np.isfinite(draw[1]).all()]
    assert ZEROS in [special for _, special in draws]  # Some matrices are singular.
    assert list(differing(list(solvers(kind)), draws, draw_matrices)) == []


@pytest.mark.parametrize(
    ("call", "shapes", "reason"),
    [
        (functools.partial(linear.product_type, "matmul"), ((3,), (4,)), "do not match"),
        (functools.partial(linear.product_type, "dot"), ((2, 2, 2), (2,)), "vectors and matrices"),
        (linear.cross_type, ((2,), (2,)), "vectors of 3"),
        (linear.trace_type, ((3,),), "matrices"),
        (functools.partial(linear.solver_type, "inv"), ((2, 3),), "square"),
        (functools.partial(linear.solver_type, "solve"), ((2, 2), (3,)), "do not match"),
    ],
)
def test_what_numpy_cannot_multiply_is_told(call, shapes, reason):
    with pytest.raises(TypingError, match=reason):
        call(*(Operand(numba.float64, shape, []) for shape in shapes))
