"""NumPy's products and linear algebra of small arrays as compiled functions call them.

What is computed, and in which order, is in `batchsim.compiler.linear`; here is how it is called.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.core.errors import TypingError

from batchsim.compiler import linear, matrices
from batchsim.compiler.array_functions import array_type, numbers_of, specify
from batchsim.compiler.array_reductions import strides_of
from batchsim.compiler.arrays import LIMIT, Value, make_value
from batchsim.compiler.elementwise import is_array, too_large
from batchsim.compiler.linear import Operand

__all__ = ["SHARED", "SHARING"]

SHARED = "is_shared"
"""The name of what is known of products: whether both operands are the same memory."""
SHARING = frozenset({np.dot, np.matmul, np.inner, np.vdot, operator.matmul})
"""Functions for which that matters."""


def operand_of(kind: Any, values: list[Any]) -> Operand:
    """Return an array as `linear` wants it."""
    return Operand(kind.dtype, kind.shape, values, strides_of(kind))


def _implement(
    precision: str,
    type_of: Callable[..., Any],
    make: Callable[..., Any],
    given: tuple[Any, ...],
) -> Any:
    """Return signature and code of a function of arrays.

    Args:
        precision: "exact" or "fast".
        type_of: returns the element type and the shape, given operands without values.
        make: returns those and the values, given Numba's context, a builder and operands.
        given: the types of the arguments.
    """
    if any(isinstance(kind, types.Array) and not is_array(kind) for kind in given):
        return None
    kinds = [array_type(kind, precision) for kind in given]
    if not all(map(is_array, kinds)):
        return None
    found, shape = type_of(*(operand_of(kind, []) for kind in kinds))
    if int(np.prod(shape)) > LIMIT:
        raise TypingError(too_large(shape))
    result = Value(found, shape) if shape else found

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        operands = []
        for kind, own, value in zip(sig.args, kinds, args, strict=True):
            _, numbers = numbers_of(context, builder, kind, value, own.dtype)
            operands.append(operand_of(own, numbers))
        _, _, numbers = make(context, builder, *operands)
        return make_value(context, builder, result, numbers) if shape else numbers[0]

    return result(*given), generate


def _of_matrices(
    implement: Callable[..., Any], name: str, given: tuple[Any, ...], precision: str, *more: Any
) -> Any:
    """Return signature and code of a function of matrices that are too large to be values."""
    if any(isinstance(kind, types.Array) and not is_array(kind) for kind in given):
        return None
    kinds = [matrices.matrix_type(kind, precision) for kind in given]
    if not all(map(is_array, kinds)):
        return None
    operands = [operand_of(kind, []) for kind in kinds]
    is_solver = name in linear.SOLVERS
    type_of = linear.solver_type if is_solver else linear.product_type
    _, shape = type_of(name, *operands)
    return implement(name, given, kinds, *more) if matrices.are_large(kinds, shape) else None


def _product(name: str) -> Any:
    def build(precision: str, statics: dict[str, Any]) -> Any:
        is_shared = bool(statics.get(SHARED, False))

        def implement(typing_context: Any, *given: Any) -> Any:
            large = _of_matrices(matrices.product, name, given, precision, is_shared)
            if large is not None:
                return large

            def type_of(left: Operand, right: Operand) -> Any:
                return linear.product_type(name, left, right)

            def make(context: Any, builder: Any, left: Operand, right: Operand) -> Any:
                exact = precision == "exact"
                return linear.product(
                    context, builder, name, left, right, is_shared=is_shared, exact=exact
                )

            return _implement(precision, type_of, make, given)

        return implement

    return build


specify(np.dot, f"a, b, {SHARED}=False", "a b", "dot")(_product("dot"))
specify(np.matmul, f"a, b, {SHARED}=False", "a b")(_product("matmul"))
specify(operator.matmul, f"a, b, {SHARED}=False", "a b")(_product("matmul"))
specify(np.inner, f"a, b, {SHARED}=False", "a b")(_product("inner"))
specify(np.vdot, f"a, b, {SHARED}=False", "a b")(_product("vdot"))


def _plain(type_of: Callable[..., Any], make: Callable[..., Any]) -> Any:
    def build(precision: str, statics: dict[str, Any]) -> Any:
        def types_of(*operands: Operand) -> Any:
            return type_of(*operands, **statics)

        def numbers(context: Any, builder: Any, *operands: Operand) -> Any:
            return make(context, builder, *operands, **statics)

        return lambda typing_context, *given: _implement(precision, types_of, numbers, given)

    return build


specify(np.outer, "a, b", "a b")(_plain(linear.outer_type, linear.outer))
specify(np.cross, "a, b", "a b")(_plain(linear.cross_type, linear.cross))
specify(np.trace, "a, offset=0", "a", "trace")(_plain(linear.trace_type, linear.trace))


def _solver(name: str) -> Any:
    def build(precision: str, statics: dict[str, Any]) -> Any:
        def type_of(*operands: Operand) -> Any:
            return linear.solver_type(name, *operands)

        def make(context: Any, builder: Any, *operands: Operand) -> Any:
            return linear.solver(context, builder, name, *operands)

        def implement(typing_context: Any, *given: Any) -> Any:
            large = _of_matrices(matrices.solver, name, given, precision)
            return _implement(precision, type_of, make, given) if large is None else large

        return implement

    return build


specify(np.linalg.solve, "a, b", "a b")(_solver("solve"))
for _name in ("inv", "det", "cholesky"):
    specify(getattr(np.linalg, _name), "a", "a")(_solver(_name))


@specify(np.linalg.norm, "x, ord=None, axis=None, keepdims=False", "x")
def _norm(precision: str, statics: dict[str, Any]) -> Any:
    if statics.get("ord") is not None:
        raise TypingError("np.linalg.norm is for the length of vectors here, without `ord`.")
    axis, keepdims = statics.get("axis"), statics.get("keepdims", False)

    def type_of(operand: Operand) -> Any:
        return linear.norm_type(operand, axis, keepdims)

    def make(context: Any, builder: Any, operand: Operand) -> Any:
        exact = precision == "exact"
        return linear.norm(context, builder, operand, axis, keepdims, exact=exact)

    return lambda typing_context, *given: _implement(precision, type_of, make, given)
