"""Compiles what is built from lists of LLVM values, and compares it with NumPy, bit by bit."""

from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from batchsim.compiler import agreement, arithmetic, orders
from batchsim.compiler.compile import OPTIONS

OUTPUTS = (np.float64, np.float32, np.int64)
ROOM = 256
"""The most results of a case."""


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
    is_given_addresses: bool = False
    """Whether it is called with addresses in place of values."""


def place(kind):
    """The number of the output that results of a type belong to; whole numbers are int64 there."""
    return {types.float64: 0, types.float32: 1}.get(kind, 2)


def define(context, module, case):
    """Return an LLVM function of addresses that computes a case, and which output it is for."""
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte] * (len(case.operands) + 1))
    function = ir.Function(module, kind, f"case_{len(module.globals)}")
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    values = []
    for address, (kind, shape, _) in zip(function.args, case.operands, strict=False):
        numbas = numba.from_dtype(np.dtype(kind))
        start = builder.bitcast(address, context.get_data_type(numbas).as_pointer())
        if case.is_given_addresses:
            values.append(start)
            continue
        places = [cgutils.gep(builder, start, k) for k in range(int(np.prod(shape)))]
        values.append([context.unpack_value(builder, numbas, p) for p in places])
    kind, shape, results = case.build(context, builder, *values)
    assert len(results) == int(np.prod(shape)), case.name
    out = place(kind)
    wide = numba.from_dtype(np.dtype(OUTPUTS[out]))
    results = arithmetic.cast(context, builder, results, kind, wide)
    end = builder.bitcast(function.args[-1], context.get_data_type(wide).as_pointer())
    for k, value in enumerate(results):
        builder.store(value, cgutils.gep(builder, end, k))
    builder.ret_void()
    return function, out


def compiled(cases):
    """Return a function of addresses: those of operands and results, case after case; and for each
    case the number of its output.
    """
    outputs = []

    @intrinsic
    def every(typing_context, addresses):
        def codegen(context, builder, signature, arguments):
            outputs.clear()
            array = context.make_array(addresses)(context, builder, arguments[0])
            number = 0
            for case in cases:
                given = []
                for _ in range(len(case.operands) + 1):
                    address = builder.load(cgutils.gep(builder, array.data, number))
                    given.append(builder.inttoptr(address, ir.IntType(8).as_pointer()))
                    number += 1
                function, out = define(context, builder.module, case)
                builder.call(function, given)
                outputs.append(out)
            return context.get_dummy_value()

        return types.void(addresses), codegen

    run = numba.njit(lambda a: every(a), **OPTIONS, pipeline_class=agreement.Compiler)
    run.compile((types.int64[::1],))
    return run, outputs


def numbers(rng, kind, shape, spread, special=()):
    """Numbers of many magnitudes, some of them special."""
    dtype = np.dtype(kind)
    if dtype.kind == "b":
        return rng.random(shape) < rng.choice([0.1, 0.5, 0.9])
    if dtype.kind != "f":
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    exponents = rng.integers(-spread, spread + 1, shape)
    if spread == TINY:
        exponents = rng.integers(-12, 0, shape) + np.finfo(dtype).minexp // 2
    values = np.ldexp(rng.normal(size=shape), exponents)
    if len(special):
        values = np.where(rng.random(shape) < 0.5, values, rng.choice(special, shape))
    return values.astype(dtype)


ZEROS = (0.0, -0.0)
SPECIAL = (0.0, -0.0, 1.0, np.nan, np.inf, -np.inf)
POSITIVE = (0.0, -0.0, 1.0, 0.5)
TINY = 1
"""Stands for numbers whose products are next to the least numbers."""
DRAWS = [
    (0, ()), (3, ()), (20, ()), (60, ()), (TINY, ()), (TINY, ZEROS), (3, ZEROS), (0, ZEROS),
    (20, SPECIAL), (2, POSITIVE),
]  # fmt: skip


def draw_all(case, rng, spread, special):
    """Draw the operands of a case."""
    return [numbers(rng, kind, shape, spread, special) for kind, shape, _ in case.operands]


def differing(cases, draws=DRAWS, draw=draw_all, repeats=2):
    """Return the names of the cases of which a result has other bits than NumPy's."""
    run, outputs = compiled(cases)
    rng = np.random.default_rng(1)
    wrong = {}
    for spread, special in [draw for draw in draws for _ in range(repeats)]:
        given = [draw(case, rng, spread, special) for case in cases]
        flat = [[np.ascontiguousarray(array) for array in row] for row in given]
        results = [np.full(ROOM, 77, OUTPUTS[out]) for out in outputs]
        addresses = [
            array.ctypes.data
            for row, result in zip(flat, results, strict=True)
            for array in (*row, result)
        ]
        run(np.array(addresses))
        for case, row, found in zip(cases, given, results, strict=True):
            arrays = [
                orders.strided(array, strides)
                for array, (_, _, strides) in zip(row, case.operands, strict=True)
            ]
            try:
                with np.errstate(all="ignore"):
                    answer = np.asarray(case.theirs(*arrays))
            except np.linalg.LinAlgError:
                if not np.isnan(found).any():
                    wrong[case.name] = row, None, found
                continue
            if not same(answer.ravel(), found[: answer.size]):
                wrong.setdefault(case.name, (row, answer, found[: answer.size]))
    return wrong


def same(theirs, mine):
    """Whether results have the same bits; NaN is NaN."""
    if theirs.dtype.kind != "f":
        if mine.dtype.kind == "f":
            return False
        return np.array_equal(theirs.astype(np.int64), mine)
    bits = {8: np.int64, 4: np.int32}[theirs.itemsize]
    if theirs.dtype != mine.dtype:
        return False
    equal = theirs.view(bits) == mine.view(bits)
    return bool((equal | (np.isnan(theirs) & np.isnan(mine))).all())
