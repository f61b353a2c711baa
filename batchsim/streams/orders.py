"""Choices and orders, as numpy's `Generator` and `RandomState` draw them alike."""

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload, register_jitable

from batchsim.streams.source import fraction, next32
from batchsim.streams.words import MASK32, float64, inlined, int64, uint64

__all__ = ["filled", "first_shuffled", "interval", "shuffled", "weighted"]


@inlined
def filled(limit: int) -> int:
    """Return the word with all bits up to the highest one of a word set."""
    mask = limit | limit >> uint64(1)
    mask |= mask >> uint64(2)
    mask |= mask >> uint64(4)
    mask |= mask >> uint64(8)
    mask |= mask >> uint64(16)
    return mask | mask >> uint64(32)


@inlined
def interval(rng: Any, i: int, last: int) -> int:
    """Return an integer from [0, last], last < 2**32, by masked rejection."""
    limit = uint64(last)
    mask = filled(limit) & uint64(MASK32)
    while True:
        draw = next32(rng, i) & mask
        if draw <= limit:
            return int64(draw)


@inlined
def weighted(rng: Any, i: int, p: npt.NDArray[np.floating]) -> int:
    """Return k with probability p[k] over the sum of p."""
    total = 0.0
    for k in range(len(p)):
        total += float64(p[k])
    draw = fraction(rng, i)
    # numpy divides each partial sum by the last and takes the first that exceeds the draw.
    partial = 0.0
    for k in range(len(p) - 1):
        partial += float64(p[k])
        if draw < partial / total:
            return k
    return len(p) - 1


@register_jitable
def shuffled(rng: Any, i: int, x: npt.NDArray[Any], count: int) -> None:
    """Shuffle the first of an array of one axis in place: algorithm P of Knuth, TAOCP 2, 3.4.2."""
    for last in range(count - 1, 0, -1):
        other = interval(rng, i, last)
        x[last], x[other] = x[other], x[last]


def first_shuffled(rng: Any, i: int, n: int, out: npt.NDArray[np.integer]) -> None:
    """Write the first len(out) of 0 ... n - 1, shuffled, into an array."""
    _fill(rng, i, np.arange(n), out)


@overload(first_shuffled)
def _first_shuffled_compiled(rng, i, n, out):  # type: ignore[no-untyped-def]
    return lambda rng, i, n, out: _with_memory(rng, i, int64(uint64(n)), out)


def _fill(rng, i, x, out):  # type: ignore[no-untyped-def]
    for k in range(len(x)):
        x[k] = k
    shuffled(rng, i, x, len(x))
    for k in range(min(len(x), len(out))):
        out[k] = x[k]


@intrinsic
def _with_memory(typing_context: Any, rng: Any, i: Any, n: Any, out: Any) -> Any:
    """Call `_fill` with an array of n numbers on the stack of a function of its own."""
    # Here, since starts that compile nothing need none of what it imports.
    from numba.np.arrayobj import populate_array

    kind = types.Array(types.int64, 1, "C")

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values = [context.get_value_type(one) for one in signature.args]
        name = f"batchsim_first_shuffled {rng} {i} {out}"
        function = builder.module.globals.get(name)
        if function is None:
            function = ir.Function(builder.module, ir.FunctionType(ir.VoidType(), values), name)
            function.linkage = "internal"
            for attribute in ("noinline", "nounwind"):
                function.attributes.add(attribute)
            inner = ir.IRBuilder(function.append_basic_block())
            streams, row, count, found = function.args
            word = context.get_value_type(types.intp)
            array = context.make_array(kind)(context, inner)
            populate_array(
                array,
                data=inner.alloca(word, count),
                shape=[count],
                strides=[word(8)],
                itemsize=word(8),
                meminfo=None,
            )
            own = types.void(rng, i, kind, out)
            given = [streams, row, array._getvalue(), found]
            filling = context.compile_subroutine(inner, _fill, own)
            context.call_internal_no_propagate(inner, filling.fndesc, own, given)
            inner.ret_void()
        builder.call(function, arguments)
        return context.get_dummy_value()

    return types.void(rng, i, types.int64, out), codegen
