"""Compiles what is built from lists of LLVM values, and compares it with NumPy, bit by bit."""

from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from batchsim.compiler import agreement, orders, reductions
from batchsim.compiler.compile import OPTIONS

OUTPUTS = (np.float64, np.float32, np.int64)


class Case(NamedTuple):
    """An expression of arrays, in NumPy and built."""

    name: str
    operands: tuple[Any, ...]
    """Type, shape and strides of each."""
    theirs: Any
    """Called with arrays."""
    build: Any
    """Called with Numba's context, llvmlite's builder and for each operand the values; returns
    type, shape and values.
    """


def place(kind):
    """The number of the output that results of a type belong to; whole numbers are int64 there."""
    return {types.float64: 0, types.float32: 1}.get(kind, 2)


def define(context, module, case, starts, data):
    """Return an LLVM function that computes a case, and the number of its output and results."""
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [*(start.type for start in starts), byte])
    function = ir.Function(module, kind, f"case_{len(module.globals)}")
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    values = []
    for start, (kind, shape, _) in zip(function.args, case.operands, strict=False):
        places = [cgutils.gep(builder, start, k) for k in range(int(np.prod(shape)))]
        numbas = numba.from_dtype(np.dtype(kind))
        values.append([context.unpack_value(builder, numbas, p) for p in places])
    kind, shape, results = case.build(context, builder, *values)
    assert len(results) == int(np.prod(shape)), case.name
    out = place(kind)
    wide = numba.from_dtype(np.dtype(OUTPUTS[out]))
    results = reductions.cast(context, builder, results, kind, wide)
    end = builder.bitcast(function.args[-1], data[out].type)
    for k, value in enumerate(results):
        builder.store(value, cgutils.gep(builder, end, k))
    builder.ret_void()
    return function, out, len(results)


def compiled(cases):
    """Return a function of one array a case and operand, and of three that are filled."""
    operands = [operand for case in cases for operand in case.operands]

    @intrinsic
    def every(typing_context, arrays, outputs):
        def codegen(context, builder, signature, arguments):
            given = iter(enumerate(cgutils.unpack_tuple(builder, arguments[0])))
            ends = [0] * len(OUTPUTS)
            data, byte = [], ir.IntType(8).as_pointer()
            for k in range(len(OUTPUTS)):
                member = builder.extract_value(arguments[1], k)
                structure = context.make_array(signature.args[1][k])(context, builder, member)
                data.append(structure.data)
            for case in cases:
                starts = []
                for _ in case.operands:
                    number, array = next(given)
                    of_array = context.make_array(signature.args[0][number])
                    starts.append(of_array(context, builder, array).data)
                function, out, size = define(context, builder.module, case, starts, data)
                end = cgutils.gep(builder, data[out], ends[out])
                builder.call(function, [*starts, builder.bitcast(end, byte)])
                ends[out] += size
            return context.get_dummy_value()

        return types.void(arrays, outputs), codegen

    assert operands
    return numba.njit(lambda a, o: every(a, o), **OPTIONS, pipeline_class=agreement.Compiler)


def numbers(rng, kind, shape, spread, special=()):
    """Numbers of many magnitudes, some of them special."""
    dtype = np.dtype(kind)
    if dtype.kind == "b":
        return rng.random(shape) < rng.choice([0.1, 0.5, 0.9])
    if dtype.kind != "f":
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    values = np.ldexp(rng.normal(size=shape), rng.integers(-spread, spread + 1, shape))
    if len(special):
        values = np.where(rng.random(shape) < 0.5, values, rng.choice(special, shape))
    return values.astype(dtype)


ZEROS = (0.0, -0.0)
SPECIAL = (0.0, -0.0, 1.0, np.nan, np.inf, -np.inf)
POSITIVE = (0.0, -0.0, 1.0, 0.5)
DRAWS = [(0, ()), (3, ()), (20, ()), (60, ()), (3, ZEROS), (0, ZEROS), (20, SPECIAL), (2, POSITIVE)]


def draw_all(case, rng, spread, special):
    """Draw the operands of a case."""
    return [numbers(rng, kind, shape, spread, special) for kind, shape, _ in case.operands]


def differing(cases, draws=DRAWS, draw=draw_all, repeats=4):
    """Return the names of the cases of which a result has other bits than NumPy's."""
    run = compiled(cases)
    rng = np.random.default_rng(1)
    wrong = {}
    for spread, special in [draw for draw in draws for _ in range(repeats)]:
        given = [draw(case, rng, spread, special) for case in cases]
        flat = tuple(np.ascontiguousarray(array).ravel() for row in given for array in row)
        expected = []
        with np.errstate(all="ignore"):
            for case, row in zip(cases, given, strict=True):
                arrays = [
                    orders.strided(array, strides)
                    for array, (_, _, strides) in zip(row, case.operands, strict=True)
                ]
                try:
                    expected.append(np.asarray(case.theirs(*arrays)))
                except np.linalg.LinAlgError:
                    expected.append(None)
        outputs = tuple(np.full(200_000, 77, kind) for kind in OUTPUTS)
        run(flat, outputs)
        ends = [0] * len(OUTPUTS)
        for case, answer, row in zip(cases, expected, given, strict=True):
            size, out = case_output(case, answer)
            found = outputs[out][ends[out] : ends[out] + size]
            ends[out] += size
            if answer is None:
                if not np.isnan(found).any():
                    wrong[case.name] = row, answer, found
            elif not same(answer.ravel(), found):
                wrong.setdefault(case.name, (row, answer, found.reshape(answer.shape)))
    return wrong


_SIZES = {}


def case_output(case, answer):
    """Return the number of results of a case, and the output they are in."""
    if answer is not None:
        _SIZES[case.name] = answer.size, place(numba.from_dtype(answer.dtype))
    return _SIZES[case.name]


def same(theirs, mine):
    """Whether results have the same bits; NaN is NaN."""
    if theirs.dtype.kind != "f":
        return np.array_equal(theirs.astype(np.int64), mine)
    bits = {8: np.int64, 4: np.int32}[theirs.itemsize]
    equal = theirs.view(bits) == mine.view(bits)
    return bool((equal | (np.isnan(theirs) & np.isnan(mine))).all())
