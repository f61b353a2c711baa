"""Compiled reductions of long runs have the bits of NumPy's."""

import functools

import numba
import numpy as np
import pytest
from compiled_arrays import Case, differing
from llvmlite import ir
from numba.core import cgutils

from batchsim.compiler import arithmetic, reductions, runs

COUNTS = [1, 7, 131, 1000]


def numbas(kind):
    return numba.from_dtype(np.dtype(kind))


def build(name, kind, count, context, builder, start):
    element = runs.in_memory(context, builder, numbas(kind), start)
    result, value = runs.reduce_run(context, builder, name, numbas(kind), count, element)
    return result, (), [value]


def build_sums(name, kind, count, context, builder, start):
    element = runs.in_memory(context, builder, numbas(kind), start)
    place = cgutils.alloca_once(builder, ir.ArrayType(ir.IntType(64), count))
    result = reductions.accumulate_type(name, numbas(kind), (count,))[0]
    sums = builder.bitcast(place, context.get_value_type(result).as_pointer())

    def store(index, value):
        builder.store(value, builder.gep(sums, [index]))

    given = context, builder, name, numbas(kind), count, element, store
    assert runs.accumulate_run(*given) == result
    return result, (count,), [builder.load(cgutils.gep(builder, sums, k)) for k in range(count)]


def cases(kind, counts):
    for count in counts:
        operands = ((kind, (count,), None),)
        for name in sorted(reductions.NAMES):
            if (name, np.dtype(kind).kind) != ("ptp", "b"):
                built = functools.partial(build, name, kind, count)
                yield Case(f"{name} {kind} {count}", operands, getattr(np, name), built, True)
        if count < 200:
            for name in ("cumsum", "cumprod"):
                built = functools.partial(build_sums, name, kind, count)
                yield Case(f"{name} {kind} {count}", operands, getattr(np, name), built, True)


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_reductions_of_runs_of_float_numbers_have_numpys_bits(kind):
    assert list(differing(list(cases(kind, COUNTS)))) == []


def test_reductions_of_runs_of_other_numbers_have_numpys_bits():
    kinds = np.bool_, np.int8, np.uint16, np.int64, np.uint64
    every = [case for kind in kinds for case in cases(kind, [131])]
    assert list(differing(every, [(0, ())] * 6, repeats=1)) == []


def test_elements_may_be_computed():
    """A run of which no element lies in memory: a sum of products, and a question."""
    operands = ((np.float64, (300,), None), (np.float64, (300,), None))

    def weighted(context, builder, *starts):
        one, other = (runs.in_memory(context, builder, numba.float64, start) for start in starts)

        def element(index):
            return builder.fmul(one(index), other(index))

        kind, value = runs.reduce_run(context, builder, "sum", numba.float64, 300, element)
        return kind, (), [value]

    def any_large(context, builder, *starts):
        one, other = (runs.in_memory(context, builder, numba.float64, start) for start in starts)

        def element(index):
            return arithmetic.compare(builder, numba.float64, ">", one(index), other(index))

        _, value = runs.reduce_run(context, builder, "count_nonzero", numba.boolean, 300, element)
        return numba.int64, (), [value]

    every = [
        Case("weighted", operands, lambda x, y: np.sum(x * y), weighted, True),
        Case("any", operands, lambda x, y: np.count_nonzero(x > y), any_large, True),
    ]
    assert list(differing(every)) == []
