"""Compiled reductions have the bits of NumPy's."""

import functools

import numba
import numpy as np
import pytest
from compiled_arrays import Case, differing
from numba.core.errors import TypingError

from batchsim.compiler import reductions

LAYOUTS = [
    ((), None), ((7,), None), ((9,), (2,)), ((33,), None), ((9, 1), None), ((5, 3), (1, 5)),
    ((3, 9), (20, 2)), ((2, 3, 4), None),
]  # fmt: skip
FEW = [((9,), None), ((3, 2), (1, 3))]
LARGE = [((64,), None), ((8, 8), (1, 8))]


def theirs(name, axis, keepdims, array):
    """What NumPy answers."""
    if name == "count_nonzero":
        return np.count_nonzero(array, axis=axis, keepdims=keepdims)
    return getattr(np, name)(array, axis=axis, keepdims=keepdims)


def built(name, kind, shape, strides, axis, keepdims, context, builder, values):
    """The same, built; its type is the one that is told."""
    numbas = numba.from_dtype(np.dtype(kind))
    found = reductions.reduce(
        context, builder, name, numbas, shape, values, axis, keepdims, strides=strides
    )
    assert found[:2] == reductions.reduce_type(name, numbas, shape, axis, keepdims)
    return found


def accumulated(name, kind, shape, axis, context, builder, values):
    """A `cumsum` or `cumprod`, built."""
    numbas = numba.from_dtype(np.dtype(kind))
    found = reductions.accumulate(context, builder, name, numbas, shape, values, axis)
    assert found[:2] == reductions.accumulate_type(name, numbas, shape, axis)
    return found


def cases(kind, layouts, names=reductions.NAMES):
    """Every reduction of every layout along every axis."""
    for shape, strides in layouts:
        operands = ((kind, shape, strides),)
        axes = [None, *range(-1, len(shape) - 1)]
        for name in sorted(names):
            if name == "ptp" and np.dtype(kind).kind == "b":
                continue
            for axis in axes:
                keepdims = axis == 0
                arguments = name, axis, keepdims
                yield Case(
                    f"{name} {np.dtype(kind)} {shape} {strides} {axis}",
                    operands,
                    functools.partial(theirs, *arguments),
                    functools.partial(built, name, kind, shape, strides, axis, keepdims),
                )
        for name in ("cumsum", "cumprod"):
            for axis in axes:
                yield Case(
                    f"{name} {np.dtype(kind)} {shape} {strides} {axis}",
                    operands,
                    functools.partial(getattr(np, name), axis=axis),
                    functools.partial(accumulated, name, kind, shape, axis),
                )


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_reductions_of_float_numbers_have_numpys_bits(kind):
    large = cases(kind, LARGE, {"max", "mean", "prod", "var"})
    assert list(differing([*cases(kind, LAYOUTS), *large])) == []


def test_reductions_of_other_numbers_have_numpys_bits():
    kinds = [np.bool_, np.int8, np.uint16, np.int64, np.uint64]
    every = [case for kind in kinds for case in cases(kind, FEW)]
    assert list(differing(every, [(0, ())] * 6, repeats=1)) == []


def test_sums_may_be_of_another_type():
    every = []
    for given, dtype in [(np.float32, np.float64), (np.int64, np.float32), (np.int8, np.int32)]:
        numbas, wanted = (numba.from_dtype(np.dtype(kind)) for kind in (given, dtype))
        for shape, strides in FEW:
            for name in ("sum", "prod", "mean"):
                if name == "mean" and dtype is np.int32:
                    continue

                def build(context, builder, values, name=name, of=(numbas, shape, strides, wanted)):
                    kind, shape, strides, dtype = of
                    more = {"strides": strides, "dtype": dtype}
                    return reductions.reduce(context, builder, name, kind, shape, values, 0, **more)

                theirs = functools.partial(getattr(np, name), axis=0, dtype=dtype)
                operands = ((given, shape, strides),)
                every.append(Case(f"{name} {operands} {dtype}", operands, theirs, build))
    assert list(differing(every, [(0, ()), (3, ())])) == []


@pytest.mark.parametrize(
    ("name", "kind", "shape", "axis", "reason"),
    [
        ("sum", numba.float64, (3,), 1, "axis 1 is not one"),
        ("max", numba.float64, (0,), None, "no elements"),
        ("ptp", numba.boolean, (3,), None, "truth values"),
        ("sum", numba.complex128, (3,), None, "arrays of numbers"),
    ],
)
def test_what_numpy_cannot_reduce_is_told(name, kind, shape, axis, reason):
    with pytest.raises(TypingError, match=reason):
        reductions.reduce_type(name, kind, shape, axis)
