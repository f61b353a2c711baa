"""In which order NumPy adds: found out from its results, for any processor and linear algebra.

A sum of rounded numbers depends on the order of the additions, and NumPy's order on the length, on
the layout in memory, and for products of matrices on the BLAS, the processor and the place in the
result. All of them add by a tree: two partial sums at a time. The tree shows in sums that are
chosen for it: of a huge number, its negative, and ones, those ones are lost that are added before
the huge ones meet. How many are left tells how large the smallest partial sum is that holds both,
for each two places; those sizes determine the tree. (The method is that of Xie et al., "FPRev:
Revealing floating-point accumulation order through numerical testing", 2024.) Where a product is
fused with an addition, its rounding error shows in a sum that it would otherwise be missing from;
whether a sum starts from zero, in sums of negative zeros.

What is found is checked with numbers of all magnitudes. If NumPy does anything else than what was
found, nothing is returned, and compiled code calls NumPy's own loops.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "Order",
    "Priorities",
    "Terms",
    "Tree",
    "add_up",
    "firsts",
    "fma",
    "orders",
    "priorities",
    "strided",
]

Tree = Any
"""A place, or a tuple of two trees and whether the first, a place, is a product that is fused."""

_HUGE = 2.0**60
_CHECKED = 48
"""How many results are computed here for a check."""
_TINY = 1
"""Stands for numbers whose products are not exact, for want of smaller ones."""
_SPECIAL = 7
"""Stands for numbers among which are infinite ones, zeros and NaN."""


class Order(NamedTuple):
    """How one result is added up."""

    tree: Tree
    zero: str
    """Where a zero is added: "" nowhere, "first" to the first products, "last" to the result.

    The first are fused with it; otherwise, it does not matter where it is added.
    """
    wide: str = ""
    """What of float32 numbers is float64: "" nothing, "sums", or "products" and sums; the result
    is rounded.
    """


class Terms(NamedTuple):
    """Sums of products to be found out about.

    The operands are those of each result, one a row: `left` and `right` have as many rows as there
    are results, and as many columns as terms; of sums without products, `right` is all ones.
    """

    same: Callable[[np.ndarray, np.ndarray], np.ndarray]
    """Returns the results, in one dimension, if all are of the same left and right terms."""
    drawn: Callable[[Callable[[Any, int], np.ndarray]], tuple[Any, ...]]
    """Given `draw(shape, operand)`, returns left and right operands of each result, and results."""
    kinds: tuple[Any, Any, Any]
    """Of left and right operands, and results."""
    length: int
    """How many terms a sum has."""
    are_products: bool = True
    also: Sequence[list[int]] = ()
    """Which result's order to try for each, if those found do not hold."""


def strided(values: np.ndarray, strides: tuple[int, ...] | None) -> np.ndarray:
    """Return an array of the same values whose strides are these, counted in elements.

    Args:
        values: any array.
        strides: one a dimension; None for those of contiguous memory.
    """
    values = np.ascontiguousarray(values)
    if strides is None or not values.size:
        return values
    ends = [(n - 1) * stride for n, stride in zip(values.shape, strides, strict=True)]
    before = -sum(min(0, end) for end in ends)
    memory = np.zeros(1 + before + sum(max(0, end) for end in ends), values.dtype)
    view = np.lib.stride_tricks.as_strided(
        memory[before:], values.shape, [stride * values.itemsize for stride in strides]
    )
    view[...] = values
    return view


# --- Products and sums, rounded once --------------------------------------------------------------


@functools.cache
def _functions() -> Any:
    """Return the C library's `fma` and `fmaf`, None if there are none."""
    for name in (None, ctypes.util.find_library("m"), "ucrtbase"):
        try:
            library = ctypes.CDLL(name)
            double, single = library.fma, library.fmaf
        except (AttributeError, OSError, TypeError):
            continue
        double.restype, double.argtypes = ctypes.c_double, [ctypes.c_double] * 3
        single.restype, single.argtypes = ctypes.c_float, [ctypes.c_float] * 3
        return double, single
    return None


def fma(x: Any, y: Any, z: Any, kind: Any) -> Any:
    """Return x * y + z, rounded once to float32 or float64, of numbers in one dimension."""
    double, single = _functions()
    function = double if kind is np.float64 else single
    return np.array(list(map(function, x.tolist(), y.tolist(), z.tolist())), kind)


# --- From results to trees ------------------------------------------------------------------------


def _sizes(terms: Terms) -> np.ndarray:
    """Return the sizes of the smallest partial sums that hold two places: (place, place, result)"""
    count = terms.length
    ones = [np.ones(count, kind) for kind in terms.kinds[:2]]
    # The huge numbers are put where there are float numbers.
    side = 0 if np.dtype(terms.kinds[0]).kind == "f" else 1
    found = np.zeros((count, count, len(terms.same(*ones))), np.int64)
    for i in range(count):
        for j in range(i):
            operands = [values.copy() for values in ones]
            operands[side][i], operands[side][j] = _HUGE, -_HUGE
            left = terms.same(*operands)
            if not (np.isfinite(left).all() and (left == np.rint(left)).all()):
                return np.zeros_like(found)
            found[i, j] = found[j, i] = count - left
    return found


def _grow(places: Sequence[int], sizes: np.ndarray) -> Tree:
    """Return the tree of partial sums of some places, None if there is none of these sizes."""
    first, size = places[0], 1
    tree: Tree = first
    groups: dict[int, list[int]] = {}
    for place in places[1:]:
        groups.setdefault(int(sizes[first, place]), []).append(place)
    for together, group in sorted(groups.items()):
        other = _grow(group, sizes)
        size += len(group)
        if other is None or together != size:
            return None
        # A place comes first: it may be a product that is fused.
        tree = (other, tree, False) if isinstance(other, int) else (tree, other, False)
    return tree


def _places(tree: Tree) -> list[int]:
    return [tree] if isinstance(tree, int) else _places(tree[0]) + _places(tree[1])


def _pairs(tree: Tree) -> list[tuple[int, int]]:
    """Return the places that a partial sum is added to, and one place of that."""
    if isinstance(tree, int):
        return []
    first, second, _ = tree
    found = _pairs(first) + _pairs(second)
    for one, other in ((first, second), (second, first)):
        if isinstance(one, int):
            found.append((one, _places(other)[0]))
    return found


def _fused_places(terms: Terms, trees: list[Tree]) -> list[set[int]]:
    """Return for each result the places whose products are fused with a sum."""
    kinds = [np.dtype(kind) for kind in terms.kinds]
    epsilon = np.finfo(kinds[2]).eps
    fused: list[set[int]] = [set() for _ in trees]
    done: dict[tuple[int, int], np.ndarray] = {}
    for result, tree in enumerate(trees):
        for place, other in _pairs(tree):
            if (place, other) not in done:
                operands = [np.zeros(terms.length, kind) for kind in kinds[:2]]
                for operand in operands:
                    operand[place] = 3 if operand.dtype.kind != "f" else 1 + 3 * epsilon
                with np.errstate(all="ignore"):
                    product = kinds[2].type(operands[0][place]) * kinds[2].type(operands[1][place])
                side = 0 if kinds[0].kind == "f" else 1
                operands[side][other], operands[1 - side][other] = -product, 1
                done[place, other] = terms.same(*operands)
            if done[place, other][result] != 0:
                fused[result].add(place)
    return fused


def _fuse(tree: Tree, fused: set[int]) -> Tree:
    """Return a tree that says where products are fused."""
    if isinstance(tree, int):
        return tree
    first, second, _ = tree
    if not (isinstance(first, int) and first in fused) and isinstance(second, int):
        first, second = second, first
    is_fused = isinstance(first, int) and first in fused
    return _fuse(first, fused), _fuse(second, fused), is_fused


def _zeros(terms: Terms) -> list[str]:
    """Return for each result where a zero is added."""
    kinds = [np.dtype(kind) for kind in terms.kinds]
    operands = [np.ones(terms.length, kind) for kind in kinds[:2]]
    side = 0 if kinds[0].kind == "f" else 1
    operands[side][:] = -0.0
    positive = ~np.signbit(terms.same(*operands))
    # Where nothing is multiplied, nothing is too small: the place does not matter.
    last = np.full_like(positive, not terms.are_products)
    if all(kind.kind == "f" for kind in kinds) and terms.are_products:
        # A fused product that is too small for a number is added to zero as what it is.
        operands[side][:] = -np.finfo(kinds[side]).tiny
        operands[1 - side][:] = np.finfo(kinds[1 - side]).tiny
        last = ~np.signbit(terms.same(*operands))
    return [
        "" if not is_positive else "last" if is_last else "first"
        for is_positive, is_last in zip(positive, last, strict=True)
    ]


# --- Checks ---------------------------------------------------------------------------------------


def add_up(order: Order, left: np.ndarray, right: np.ndarray, kind: Any, are_products: bool) -> Any:
    """Return sums of products in that order.

    Args:
        order: of all the sums.
        left, right: their operands: (term, sum).
        kind: NumPy's type of them.
        are_products: whether they are multiplied; if not, the left ones are added up.
    """
    wide = np.float64 if order.wide else kind
    zero = np.zeros(left.shape[1], wide)
    if order.wide == "products":
        left, right = left.astype(wide), right.astype(wide)

    def product(place: int) -> Any:
        value = left[place] * right[place] if are_products else left[place]
        return value.astype(wide)

    def add(tree: Tree) -> Any:
        if isinstance(tree, int):
            return product(tree)
        first, second, is_fused = tree
        other = start(second)
        return fused(first, other) if is_fused else start(first) + other

    def fused(place: int, other: Any) -> Any:
        return fma(left[place], right[place], other, kind)

    def start(tree: Tree) -> Any:
        if not isinstance(tree, int) or order.zero != "first" or tree not in places:
            return add(tree)
        return fused(tree, zero)

    places = firsts(order.tree)
    total = start(order.tree)
    return (total + zero if order.zero == "last" else total).astype(kind)


def firsts(tree: Tree) -> set[int]:
    """Return the places that partial sums begin with."""
    if isinstance(tree, int):
        return {tree}
    first, second, is_fused = tree
    if isinstance(first, int) and isinstance(second, int):
        return {second} if is_fused else {first, second}
    parts = [firsts(part) for part in (first, second) if not isinstance(part, int)]
    return set().union(*parts)


def fuses(order: Order) -> bool:
    """Tell whether a product is fused with a sum."""

    def is_in(tree: Tree) -> bool:
        return not isinstance(tree, int) and (tree[2] or is_in(tree[0]) or is_in(tree[1]))

    return order.zero == "first" or is_in(order.tree)


def _draw(rng: Any, kind: Any, spread: int, shape: Any) -> np.ndarray:
    dtype = np.dtype(kind)
    if dtype.kind != "f":
        limits = np.iinfo(np.int8 if dtype.kind == "b" else dtype)
        found: np.ndarray = rng.integers(limits.min, limits.max, shape, limits.dtype, endpoint=True)
        return found.astype(dtype)
    exponents = rng.integers(-spread, spread + 1, shape)
    if spread == _TINY:
        # Their products are next to the least numbers.
        exponents = rng.integers(-12, 0, shape) + np.finfo(dtype).minexp // 2
    values: np.ndarray = np.ldexp(rng.normal(size=shape), exponents)
    if spread > 20:
        values[rng.random(shape) < 0.6] *= 0.0
    if spread == _SPECIAL:
        special = rng.choice([0.0, 1.0, np.inf, -np.inf, np.nan], shape)
        values = np.where(rng.random(shape) < 0.7, values, special)
    return values.astype(dtype)


def _are_same(mine: np.ndarray, theirs: np.ndarray) -> bool:
    bits = np.int64 if theirs.itemsize == np.dtype(np.int64).itemsize else np.int32
    equal = mine.view(bits) == np.ascontiguousarray(theirs).ravel().view(bits)
    return bool((equal | (np.isnan(mine) & np.isnan(theirs.ravel()))).all())


def _holds(terms: Terms, found: list[Order]) -> bool:
    """Tell whether results of drawn numbers are those of the orders."""
    rng = np.random.default_rng(0)
    kind = np.dtype(terms.kinds[2]).type
    of_order: dict[Order, list[int]] = {}
    for k, order in enumerate(found):
        of_order.setdefault(order, []).append(k)
    for spread in (0, 2, 6, 12, 24, 60, _TINY, _SPECIAL):

        def draw(shape: Any, side: int, spread: int = spread) -> np.ndarray:
            return _draw(rng, terms.kinds[side], spread, shape)

        if spread == _SPECIAL and terms.length == 1:
            continue  # A product with zero may be no product at all: that is seen to elsewhere.
        draws = [terms.drawn(draw) for _ in range(max(1, _CHECKED // len(found)))]
        left, right = (
            np.stack([np.asarray(row[side]).astype(kind) for row in draws]) for side in (0, 1)
        )
        results = np.stack([np.asarray(row[2]).ravel() for row in draws])
        for order, places in of_order.items():
            some = places
            if len(places) > _CHECKED:
                some = rng.choice(places, _CHECKED, replace=False).tolist()
            one, other = (
                np.moveaxis(side[:, some], -1, 0).reshape(terms.length, -1)
                for side in (left, right)
            )
            mine = add_up(order, one, other, kind, terms.are_products)
            if not _are_same(mine, results[:, some]):
                return False
    return True


def orders(terms: Terms) -> list[Order] | None:
    """Return how each result is added up, None if that is not certain."""
    with np.errstate(all="ignore"):
        if terms.length == 0:
            return None
        sizes = _sizes(terms)
        results = sizes.shape[2]
        grown: dict[bytes, Tree] = {}
        trees: list[Tree] = []
        for k in range(results):
            key = sizes[:, :, k].tobytes()
            if key not in grown:
                grown[key] = _grow(range(terms.length), sizes[:, :, k])
            trees.append(grown[key])
        if any(tree is None for tree in trees):
            return None
        fused: list[set[int]] = [set() for _ in trees]
        if terms.are_products:
            fused = _fused_places(terms, trees)
        kinds = zip(trees, fused, _zeros(terms), strict=True)
        found = [Order(_fuse(tree, places), zero) for tree, places, zero in kinds]
        if any(map(fuses, found)) and _functions() is None:
            return None
        widths = ["", "sums", "products"] if terms.kinds[2] is np.float32 else [""]
        for wide in widths:
            if not (wide and any(map(fuses, found))):
                for places in (range(results), *terms.also):
                    candidates = [found[k]._replace(wide=wide) for k in places]
                    if _holds(terms, candidates):
                        return candidates
        return None


# --- Which of equal numbers -----------------------------------------------------------------------

Priorities = list[int]
"""Places in rising order of what is taken if numbers there are equal."""


def priorities(
    function: Callable[[np.ndarray], np.ndarray], kind: Any, count: int, other: float
) -> list[Priorities] | None:
    """Return of which place a minimum or maximum is, of zeros of both signs; None if uncertain.

    Args:
        function: returns all results, given numbers of which each result is made.
        kind: the numbers' type.
        count: how many numbers.
        other: a number that is neither minimum nor maximum beside a zero.
    """
    results = len(function(np.zeros(count, kind)))

    def later(result: int, one: int, two: int) -> int:
        """Return 1 if the second place is taken, -1 if the first is."""
        values = np.full(count, other, kind)
        values[one], values[two] = 0.0, -0.0
        first = bool(np.signbit(function(values)[result]))
        values[one], values[two] = -0.0, 0.0
        if first == bool(np.signbit(function(values)[result])):
            raise ArithmeticError
        return 1 if first else -1

    known: dict[tuple[int, ...], None] = {}
    found: list[Priorities] = []
    rng = np.random.default_rng(0)
    draws = [np.where(rng.random(count) < 0.5, 0.0, -0.0).astype(kind) for _ in range(24)]
    draws += [np.where(rng.random(count) < 0.7, other, draw).astype(kind) for draw in draws]
    theirs = [function(draw) for draw in draws]

    def agrees(order: Sequence[int], result: int) -> bool:
        for draw, answers in zip(draws, theirs, strict=True):
            zeros = [draw[place] for place in order if draw[place] == 0]
            if zeros and bool(np.signbit(zeros[-1])) != bool(np.signbit(answers[result])):
                return False
        return True

    for result in range(results):
        order = next((list(order) for order in known if agrees(order, result)), None)
        if order is None:
            compare = functools.cmp_to_key(
                lambda one, two, result=result: -later(result, one, two)  # type: ignore[misc]
            )
            try:
                order = sorted(range(count), key=compare)
            except ArithmeticError:
                return None
            if not agrees(order, result):
                return None
            known[tuple(order)] = None
        found.append(order)
    return found
