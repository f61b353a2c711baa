"""NumPy's reductions of long runs of numbers in compiled code: loops with NumPy's bits.

The elements come from a callback that is given an index, and so may lie in memory or be computed
when they are needed, as those of `np.any(s.board[i] == 3)`. They are those of an array of one
dimension, or of all dimensions of one that is contiguous in row-major order.

NumPy adds float numbers pairwise: a run is halved until no part is longer than 128, halves at
multiples of 8; a part is added up in 8 sums, in turn. Whether this process's NumPy does so is found
out when a length is first asked for.
"""

from __future__ import annotations

import contextlib
import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from batchsim.compiler import arithmetic, orders, reductions

__all__ = ["accumulate_run", "in_memory", "reduce_run", "reduce_run_type"]

Element = Callable[[Any], Any]
WHOLE = ir.IntType(64)
_PART = 128
"""The longest part that is not halved."""
_SUMS = 8
_LONGEST = 4096
"""Of how many float numbers it is found out which of two zeros is the least."""
_BUFFER = 8192
"""NumPy converts that many numbers at a time."""


def in_memory(context: Any, builder: Any, kind: Any, pointer: Any) -> Element:
    """Return a callback for elements that lie one after another.

    Args:
        context: Numba's.
        builder: llvmlite's.
        kind: Numba's type of the elements.
        pointer: where the first lies.
    """

    def element(index: Any) -> Any:
        return context.unpack_value(builder, kind, builder.gep(pointer, [index]))

    return element


def reduce_run_type(name: str, kind: Any, count: int) -> Any:
    """Return the type of a reduction's result.

    Raises:
        TypingError: NumPy has no such reduction.
    """
    return reductions.reduce_type(name, kind, (count,))[0]


# --- What NumPy does ------------------------------------------------------------------------------


def _parts(start: int, count: int) -> tuple[list[tuple[int, int]], Any]:
    """Return starts and lengths of the parts of a run, and the tree in which they are added."""
    if count <= _PART:
        return [(start, count)], 0
    half = count // 2
    half -= half % _SUMS
    first, one = _parts(start, half)
    second, other = _parts(start + half, count - half)

    def moved(tree: Any) -> Any:
        if isinstance(tree, int):
            return tree + len(first)
        return moved(tree[0]), moved(tree[1])

    return first + second, (one, moved(other))


def _add_tree(tree: Any, values: list[Any], add: Callable[[Any, Any], Any]) -> Any:
    if isinstance(tree, int):
        return values[tree]
    return add(_add_tree(tree[0], values, add), _add_tree(tree[1], values, add))


def _pairwise(values: np.ndarray) -> Any:
    """Add up as NumPy is expected to."""
    parts, tree = _parts(0, len(values))
    sums = []
    for start, count in parts:
        part = values[start : start + count]
        whole = count - count % _SUMS if count >= _SUMS else 0
        total = part.dtype.type(-0.0)
        if whole:
            rows = part[:whole].reshape(-1, _SUMS)
            lanes = functools.reduce(operator.add, rows)
            total = arithmetic.balanced(operator.add, list(lanes))
        for value in part[whole:]:
            total = total + value
        sums.append(total)
    return _add_tree(tree, sums, operator.add) + part.dtype.type(0)


def _draw(given: Any, count: int) -> np.ndarray:
    rng = np.random.default_rng(count)
    dtype = arithmetic.dtype_of(given)
    if dtype.kind == "f":
        return np.ldexp(rng.normal(size=count), rng.integers(-9, 9, count)).astype(dtype)
    limits = np.iinfo(np.int8 if dtype.kind == "b" else dtype)
    return rng.integers(limits.min, limits.max, count, limits.dtype).astype(dtype)


@functools.cache
def _is_pairwise(given: Any, kind: Any, count: int) -> bool:
    """Tell whether NumPy adds elements of type `given` as numbers of type `kind` as expected."""
    if given != kind and count > _BUFFER:
        return False
    values, wide = _draw(given, count), arithmetic.dtype_of(kind)
    zeros = -np.zeros(count, values.dtype)
    return all(
        np.add.reduce(row, dtype=wide).tobytes() == _pairwise(row.astype(wide)).tobytes()
        for row in (values, values[::-1].copy(), zeros)
    )


@functools.cache
def _is_in_turn(kind: Any, count: int) -> bool:
    """Tell whether NumPy multiplies float numbers one after another."""
    values = np.exp2(np.random.default_rng(count).uniform(-1, 1, count))
    values = values.astype(arithmetic.dtype_of(kind))
    with np.errstate(all="ignore"):
        return bool(np.prod(values) == functools.reduce(operator.mul, values))


@functools.cache
def _ranks(name: str, kind: Any, count: int) -> list[int] | None:
    """Return of places how late they are taken among equal ones; None if unknown."""
    function, other = (np.min, 1.0) if name == "min" else (np.max, -1.0)
    dtype = arithmetic.dtype_of(kind).type
    if count > _LONGEST:
        return None
    found = orders.priorities(lambda row: np.atleast_1d(function(row)), dtype, count, other)
    if found is None:
        return None
    ranks = [0] * count
    for rank, place in enumerate(found[0]):
        ranks[place] = rank
    return ranks


# --- Loops ----------------------------------------------------------------------------------------


def reduce_run(
    context: Any,
    builder: Any,
    name: str,
    kind: Any,
    count: int,
    element: Element,
    *,
    ddof: int = 0,
    exact: bool = True,
) -> tuple[Any, Any]:
    """Reduce a long run as `np.sum` and its like do.

    Args:
        context: Numba's.
        builder: llvmlite's, which is at the run's end of the loops afterwards.
        name: one of `reductions.NAMES`.
        kind: Numba's type of the elements.
        count: how many.
        element: given an index of LLVM's type i64, adds instructions and returns an element. It is
            called some times, by `std` and `var` and of zeros by `min` and `max` for each element
            twice.
        ddof: of `std` and `var`.
        exact: whether NumPy's order is kept, or numbers are added as they come.

    Returns:
        type and value of the result.

    Raises:
        TypingError: NumPy has no such reduction.
        DisagreementError: NumPy's order of operations was not found out.
    """
    result = reduce_run_type(name, kind, count)
    run = _Run(context, builder, kind, count, element, exact)
    if not count:
        return result, reductions.reduce(context, builder, name, kind, (0,), [])[2][0]
    if name in ("min", "max"):
        return result, run.extreme(name)
    if name == "ptp":
        most, least = run.extreme("max"), run.extreme("min")
        return result, arithmetic.subtract(builder, kind, most, least)
    if name in ("argmin", "argmax"):
        return result, run.place(name)
    if name == "sum":
        return result, run.sum(result)
    if name == "prod":
        return result, run.product(result)
    if name in ("any", "all", "count_nonzero"):
        return result, run.truths(name)
    value = builder.fdiv(run.sum(result), context.get_constant(result, count))
    if name == "mean":
        return result, value
    mean = value

    def square(index: Any) -> Any:
        (given,) = arithmetic.cast(context, builder, [element(index)], kind, result)
        rest = builder.fsub(given, mean)
        return builder.fmul(rest, rest)

    squares = _Run(context, builder, result, count, square, exact)
    divisor = context.get_constant(result, max(count - ddof, 0))
    value = builder.fdiv(squares.sum(result), divisor)
    return result, arithmetic.square_root(builder, value) if name == "std" else value


class _Run:
    """A run of elements of which there is at least one."""

    def __init__(
        self, context: Any, builder: Any, kind: Any, count: int, element: Element, exact: bool
    ) -> None:
        self.context, self.builder, self.kind = context, builder, kind
        self.count, self.element, self.exact = count, element, exact

    def variable(self, value: Any) -> Any:
        """Return stack memory that holds a value now."""
        place = cgutils.alloca_once(self.builder, value.type)
        self.builder.store(value, place)
        return place

    def as_kind(self, kind: Any) -> Element:
        def element(index: Any) -> Any:
            values = [self.element(index)]
            return arithmetic.cast(self.context, self.builder, values, self.kind, kind)[0]

        return element

    def fold(self, start: Any, step: Callable[[Any, Any], Any], first: int = 0) -> Any:
        """Return the last of values, each of which is made of the one before and an index."""
        place = self.variable(start)
        with cgutils.for_range(self.builder, WHOLE(self.count), WHOLE(first)) as loop:
            self.builder.store(step(self.builder.load(place), loop.index), place)
        return self.builder.load(place)

    def sum(self, kind: Any) -> Any:
        builder, element = self.builder, self.as_kind(kind)
        add = functools.partial(arithmetic.add, builder, kind)
        if not (self.exact and isinstance(kind, types.Float)):
            zero = self.context.get_constant(kind, 0)
            return self.fold(zero, lambda total, index: add(total, element(index)))
        dtype = arithmetic.dtype_of(self.kind)
        is_exact = dtype.kind != "f" and dtype.itemsize < 8
        if not (is_exact or _is_pairwise(self.kind, kind, self.count)):
            raise reductions.no_order("np.sum", kind, (self.count,))
        parts, tree = _parts(0, self.count)
        zero = self.context.get_constant(kind, -0.0)
        sums = [zero]
        if self.count >= _SUMS:
            place = cgutils.alloca_once(builder, ir.ArrayType(zero.type, len(parts)))
            with self.each_part(parts) as (part, start, rounds):
                total = self.lanes(kind, element, start, rounds)
                builder.store(total, builder.gep(place, [WHOLE(0), part]))
            sums = [
                builder.load(cgutils.gep_inbounds(builder, place, 0, k)) for k in range(len(parts))
            ]
        for k in range(self.count - self.count % _SUMS, self.count):
            sums[-1] = add(sums[-1], element(WHOLE(k)))
        return add(_add_tree(tree, sums, add), self.context.get_constant(kind, 0))

    @contextlib.contextmanager
    def each_part(self, parts: list[tuple[int, int]]) -> Any:
        """Loop over parts; yields number, start and how often 8 elements are added up."""
        builder = self.builder
        if len(parts) == 1:
            yield WHOLE(0), WHOLE(0), WHOLE(self.count // _SUMS)
            return
        numbers = [number for start, count in parts for number in (start, count // _SUMS)]
        constant = ir.Constant(ir.ArrayType(WHOLE, len(numbers)), numbers)
        table = cgutils.global_constant(builder, ".parts", constant)
        with cgutils.for_range(builder, WHOLE(len(parts))) as loop:
            place = builder.mul(loop.index, WHOLE(2))
            places = place, builder.add(place, WHOLE(1))
            start, rounds = (builder.load(builder.gep(table, [WHOLE(0), k])) for k in places)
            yield loop.index, start, rounds

    def lanes(self, kind: Any, element: Element, start: Any, rounds: Any) -> Any:
        """Return the sum of 8 sums, each of every eighth element."""
        builder = self.builder
        add = functools.partial(arithmetic.add, builder, kind)
        places = [self.variable(self.context.get_constant(kind, -0.0)) for _ in range(_SUMS)]
        with cgutils.for_range(builder, rounds) as loop:
            index = builder.add(start, builder.mul(loop.index, WHOLE(_SUMS)))
            for k, place in enumerate(places):
                value = element(builder.add(index, WHOLE(k)))
                builder.store(add(builder.load(place), value), place)
        return arithmetic.balanced(add, [builder.load(place) for place in places])

    def product(self, kind: Any) -> Any:
        if self.exact and isinstance(kind, types.Float) and not _is_in_turn(kind, self.count):
            raise reductions.no_order("np.prod", kind, (self.count,))
        element = self.as_kind(kind)
        return self.fold(
            self.context.get_constant(kind, 1),
            lambda total, index: arithmetic.multiply(self.builder, kind, total, element(index)),
        )

    def extreme(self, name: str) -> Any:
        builder, kind = self.builder, self.kind

        def step(best: Any, index: Any) -> Any:
            return arithmetic.extreme(builder, kind, name, best, self.element(index))

        found = self.fold(self.element(WHOLE(0)), step, 1)
        if not (self.exact and isinstance(kind, types.Float)):
            return found
        ranks = _ranks(name, kind, self.count)
        if ranks is None:
            raise reductions.no_order(f"np.{name}", kind, (self.count,))
        if ranks == list(range(self.count)):
            return found  # The last of equal ones is taken.
        return self.chosen_zero(found, ranks)

    def chosen_zero(self, found: Any, ranks: list[int]) -> Any:
        """Return the extreme; if it is zero, of the zero that NumPy takes."""
        builder = self.builder
        result = self.variable(found)
        best = cgutils.alloca_once(builder, WHOLE)
        zero = self.context.get_constant(self.kind, 0)
        constant = ir.Constant(ir.ArrayType(WHOLE, self.count), ranks)
        table = cgutils.global_constant(builder, ".ranks", constant)
        with builder.if_then(builder.fcmp_ordered("==", found, zero)):
            builder.store(WHOLE(-1), best)
            with cgutils.for_range(builder, WHOLE(self.count)) as loop:
                value = self.element(loop.index)
                rank = builder.load(builder.gep(table, [WHOLE(0), loop.index]))
                before = builder.load(best)
                taken = builder.and_(
                    builder.fcmp_ordered("==", value, zero), builder.icmp_signed(">", rank, before)
                )
                builder.store(builder.select(taken, rank, before), best)
                builder.store(builder.select(taken, value, builder.load(result)), result)
        return builder.load(result)

    def place(self, name: str) -> Any:
        builder = self.builder
        best = self.variable(self.element(WHOLE(0)))

        def step(place: Any, index: Any) -> Any:
            one, other = (builder.load(best), place), (self.element(index), index)
            value, place = arithmetic.earlier(builder, self.kind, name, one, other)
            builder.store(value, best)
            return place

        return self.fold(WHOLE(0), step, 1)

    def truths(self, name: str) -> Any:
        builder = self.builder
        start: Any = WHOLE(0) if name == "count_nonzero" else ir.IntType(1)(name == "all")

        def step(before: Any, index: Any) -> Any:
            truth = arithmetic.truth(self.context, builder, self.kind, self.element(index))
            if name == "count_nonzero":
                return builder.add(before, builder.zext(truth, WHOLE))
            return builder.or_(before, truth) if name == "any" else builder.and_(before, truth)

        return self.fold(start, step)


def accumulate_run(
    context: Any,
    builder: Any,
    name: str,
    kind: Any,
    count: int,
    element: Element,
    store: Callable[[Any, Any], None],
) -> Any:
    """Go through all partial sums or products, as `np.cumsum` and `np.cumprod` make them.

    Args:
        context: Numba's.
        builder: llvmlite's.
        name: "cumsum" or "cumprod".
        kind: Numba's type of the elements.
        count: how many.
        element: as for `reduce_run`.
        store: given an index and a value, adds instructions that store it.

    Returns:
        the values' type.
    """
    result, _ = reductions.accumulate_type(name, kind, (count,))
    if not count:
        return result
    operation = arithmetic.add if name == "cumsum" else arithmetic.multiply
    run = _Run(context, builder, kind, count, element, exact=True)
    of_result = run.as_kind(result)

    def step(before: Any, index: Any) -> Any:
        value = operation(builder, result, before, of_result(index))
        store(index, value)
        return value

    first = of_result(WHOLE(0))
    store(WHOLE(0), first)
    run.fold(first, step, 1)
    return result
