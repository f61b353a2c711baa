"""NumPy's functions of numbers in compiled code: by NumPy's own loops, and so with its bits.

What NumPy computes for `np.exp(x)` is not what the C library does, and depends on its version and
on the processor. Compiled code therefore calls the very loop that NumPy calls for a number: the
machine code names it by a symbol, which stands for the loop of the process that loads the code, so
that cached kernels hold no address. Functions of which every result is determined, such as a square
root, stay instructions.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import os
from collections.abc import Iterable
from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic
from numba.np import numpy_support

__all__ = [
    "MARK",
    "SYMBOLS",
    "UFUNCS",
    "DisagreementError",
    "by_python",
    "call_loop",
    "fingerprint",
    "implement",
    "loops",
    "make_intrinsic",
    "symbol_of",
    "width",
    "written_out_for_arrays",
]


class DisagreementError(TypingError):
    """Compiled code would give other bits than Python.

    Args:
        reason: what differs, and which spelling agrees; without a full stop.
    """

    def __init__(self, reason: str) -> None:
        # Numba hands errors on as text.
        super().__init__(f"{MARK}{reason}")


MARK = "Other bits than Python's: "
"""What the messages of `DisagreementError` begin with."""


class _Ufunc(ctypes.Structure):
    """What `ufuncobject.h` says of a `PyUFuncObject`, after Python's own head."""

    _fields_ = (
        ("nin", ctypes.c_int),
        ("nout", ctypes.c_int),
        ("nargs", ctypes.c_int),
        ("identity", ctypes.c_int),
        ("functions", ctypes.POINTER(ctypes.c_void_p)),
        ("data", ctypes.POINTER(ctypes.c_void_p)),
        ("ntypes", ctypes.c_int),
    )


class _Loop(ctypes.Structure):
    """A loop and what it wants as its last argument."""

    _fields_ = (("function", ctypes.c_void_p), ("data", ctypes.c_void_p))


UFUNCS = frozenset(
    value
    for value in vars(np).values()
    if isinstance(value, np.ufunc) and value.signature is None and value.nin <= 2
)
"""NumPy's functions of one or two numbers."""

_KINDS = "?bBhHiIlLqQfd"


def loops(ufunc: np.ufunc) -> dict[tuple[str, ...], _Loop]:
    """Return the loops of a function for numbers of Numba's types, by the types' characters."""
    head = _Ufunc.from_address(id(ufunc) + object.__basicsize__)
    if (head.nin, head.nout, head.ntypes) != (ufunc.nin, ufunc.nout, ufunc.ntypes):
        return {}  # A NumPy that is built otherwise: nothing is found, and nothing misread.
    found: dict[tuple[str, ...], _Loop] = {}
    for k, text in enumerate(ufunc.types):
        kinds = tuple(text.replace("->", ""))
        if head.functions[k] and set(kinds) <= set(_KINDS):
            found.setdefault(kinds, _Loop(head.functions[k], head.data[k]))
    return found


CLIP = np._core.umath.clip  # type: ignore[attr-defined]
"""What `np.clip` calls."""

_LOOPS = {ufunc: loops(ufunc) for ufunc in (*UFUNCS, CLIP)}


def _symbol(ufunc: np.ufunc, kinds: tuple[str, ...]) -> str:
    # Symbols know no "?".
    return f"batchsim_numpy_{ufunc.__name__}_{''.join(kinds).replace('?', 'o')}"


SYMBOLS = {
    _symbol(ufunc, kinds): ctypes.addressof(loop)
    for ufunc, by_kinds in _LOOPS.items()
    for kinds, loop in by_kinds.items()
}
"""Name and address of what compiled code refers to; `_LOOPS` keeps it."""


def _announce() -> None:
    """Make the symbols known to the loader of machine code, before there is any."""
    for name, address in SYMBOLS.items():
        llvmlite.binding.add_symbol(name, address)


_announce()


# --- Which loop -----------------------------------------------------------------------------------


def _readings(kind: Any, is_constant: bool) -> list[Any]:
    """Return what a number of Numba's type may be in Python, as `resolve_dtypes` wants it.

    Of Python's number and NumPy's that is as wide, Numba has the same type.
    """
    dtype = numpy_support.as_dtype(kind)
    python = {types.int64: int, types.float64: float}.get(kind)
    if python is None:
        return [dtype]
    return [python] if is_constant else [dtype, python]


def _resolve(
    ufunc: np.ufunc, arguments: tuple[Any, ...], constants: Iterable[int], name: str = ""
) -> tuple[str, ...]:
    """Return the types' characters of the loop that NumPy takes.

    Raises:
        DisagreementError: there is none that compiled code could call.
    """
    name = name or f"np.{ufunc.__name__}"
    kinds = [types.unliteral(kind) for kind in arguments]
    for kind in kinds:
        if not isinstance(kind, (types.Integer, types.Float, types.Boolean)):
            raise DisagreementError(f"{name} is for numbers here; got {kind}")
    constants = set(constants)
    readings = [_readings(kind, k in constants) for k, kind in enumerate(kinds)]
    found: set[tuple[str, ...]] = set()
    of_types = " and ".join(map(str, kinds))
    for reading in itertools.product(*readings):
        if all(isinstance(operand, type) for operand in reading):
            operands: tuple[Any, ...] = tuple(map(np.dtype, reading))
        else:
            operands = reading
        try:
            dtypes = ufunc.resolve_dtypes((*operands, *(None,) * ufunc.nout))
        except TypeError:
            reason = f"{name} does not exist for {of_types} in NumPy"
            raise DisagreementError(reason) from None
        found.add(tuple(dtype.char for dtype in dtypes))
    found = _without_narrower(found, ufunc.nin)
    if len(found) > 1:
        raise DisagreementError(
            f"{name} of {of_types} computes in one width if a number is Python's and in another if "
            "it is NumPy's: write float(…), int(…) or np.float32(…) around both"
        )
    (chosen,) = found
    if "e" in chosen:
        raise DisagreementError(
            f"{name} of {of_types} computes in float16 in NumPy: write float(…) around it"
        )
    if ufunc is np.power and np.dtype(chosen[0]).kind != "f":
        raise DisagreementError(f"{name} raises for negative exponents of {of_types}: write x ** y")
    known = _known(ufunc, chosen)
    if known is None:
        raise DisagreementError(f"{name} of {of_types} is out of reach of compiled code")
    return known


def _known(ufunc: np.ufunc, chosen: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the loop for types as it is listed: the same integers have several names."""
    for kinds in _LOOPS[ufunc]:
        if list(map(np.dtype, kinds)) == list(map(np.dtype, chosen)):
            return kinds
    return None


def symbol_of(ufunc: np.ufunc, kinds: tuple[str, ...]) -> str:
    """Return the symbol of the loop for the types' characters.

    Raises:
        DisagreementError: compiled code cannot call it.
    """
    known = _known(ufunc, kinds)
    if known is None:
        raise DisagreementError(f"np.{ufunc.__name__} is out of reach of compiled code")
    return _symbol(ufunc, known)


def _without_narrower(found: set[tuple[str, ...]], nin: int) -> set[tuple[str, ...]]:
    """Return the widest of loops that give the same: for whole numbers of any width, and for
    whether numbers are zero.
    """
    dtypes = [tuple(map(np.dtype, loop)) for loop in found]
    same_results = len({loop[nin:] for loop in dtypes}) == 1
    if same_results and all(
        len(operands - {np.dtype(bool)}) <= 1 or all(dtype.kind in "biu" for dtype in operands)
        for operands in map(set, zip(*(loop[:nin] for loop in dtypes), strict=True))
    ):
        return {max(found, key=lambda loop: sum(np.dtype(kind).itemsize for kind in loop))}
    return found


def width(
    ufunc: np.ufunc, arguments: tuple[Any, ...], constants: Iterable[int], name: str = ""
) -> Any:
    """Return Numba's type in which NumPy computes a function, that of the loop's first argument.

    Args:
        ufunc: one of `UFUNCS`.
        arguments: Numba's types of what it is called with.
        constants: which of the arguments are Python's constants, such as `0.5`.
        name: what is written for it, by default `np.…`.

    Raises:
        DisagreementError: it is not certain.
    """
    return numpy_support.from_dtype(np.dtype(_resolve(ufunc, arguments, constants, name)[0]))


# --- Compiled code --------------------------------------------------------------------------------


# Correctly rounded, or no arithmetic at all: Numba's instructions give the same bits.
INSTRUCTIONS = frozenset(
    {
        np.absolute, np.add, np.ceil, np.copysign, np.divide, np.equal, np.fabs, np.floor,
        np.greater, np.greater_equal, np.isfinite, np.isinf, np.isnan, np.less, np.less_equal,
        np.logical_and, np.logical_not, np.logical_or, np.logical_xor, np.multiply, np.negative,
        np.not_equal, np.rint, np.signbit, np.sqrt, np.square, np.subtract, np.trunc,
    }
)  # fmt: skip


def _maximum(x, y):  # type: ignore[no-untyped-def]
    return x if x > y or x != x else y


def _minimum(x, y):  # type: ignore[no-untyped-def]
    return x if x < y or x != x else y


def _first_maximum(x, y):  # type: ignore[no-untyped-def]
    return x if x >= y or x != x else y


def _first_minimum(x, y):  # type: ignore[no-untyped-def]
    return x if x <= y or x != x else y


def _choose(ufunc: np.ufunc, *versions: Any) -> dict[np.ufunc, Any]:
    """Return, with its function, the version that answers zeros of both signs as NumPy does, which
    is a matter of the processor and all that can differ.
    """
    zeros = [(kind(one), kind(-one)) for kind in (np.float32, np.float64) for one in (0.0, -0.0)]
    theirs = [np.signbit(ufunc(one, other)) for one, other in zeros]
    for version in versions:
        if [np.signbit(version(one, other)) for one, other in zeros] == theirs:
            return {ufunc: version}
    return {}


_WRITTEN_OUT = {
    **_choose(np.maximum, _maximum, _first_maximum),
    **_choose(np.minimum, _minimum, _first_minimum),
}


def _agrees_for_arrays(ufunc: np.ufunc, version: Any) -> bool:
    """Whether arrays of every length get the zeros that numbers get."""
    for kind in (np.float32, np.float64):
        for one in (0.0, -0.0):
            wanted = np.signbit(version(kind(one), kind(-one)))
            for length in range(1, 2 * 64):
                found = ufunc(np.full(length, one, kind), np.full(length, -one, kind))
                if (np.signbit(found) != wanted).any():
                    return False
    return True


def _clip(x, low, high):  # type: ignore[no-untyped-def]
    if x != x:
        return x
    raised = x if x > low else low
    if raised != raised:
        return raised
    return raised if raised < high else high


def _clip_between_numbers(x, low, high):  # type: ignore[no-untyped-def]
    if low != low:
        return low
    if high != high:
        return high
    raised = low if x < low else x
    return high if raised > high else raised


_TELLING = (0.0, -0.0, 1.0, -1.0, 2.0, np.inf, -np.inf, np.nan)
"""Numbers by which one can tell how NumPy clips."""


def _clip_agrees(version: Any, *, between_numbers: bool) -> bool:
    """Whether NumPy clips so, zeros of both signs and NaN included, in arrays of every length."""
    rows = np.array(list(itertools.product(_TELLING, repeat=3)))  # both bounds, then what
    wanted = np.array([version(x, low, high) for low, high, x in rows.tolist()])
    count = len(_TELLING)
    for kind in (np.float32, np.float64):
        low, high, x = rows.T.astype(kind)
        found = np.empty_like(x)
        for length in (1, 2, 3, 4, 7, count) if between_numbers else (1, 3, 8, 21, len(x)):
            for start in range(0, len(x), count if between_numbers else length):
                for first in range(start, start + count, length) if between_numbers else (start,):
                    part = slice(first, first + length)
                    bounds = (low[first], high[first])
                    if not between_numbers:
                        bounds = (low[part], high[part])
                    found[part] = CLIP(x[part], *bounds)
            if not _same(found, wanted.astype(kind)):
                return False
    return True


def _same(ones: np.ndarray[Any, Any], others: np.ndarray[Any, Any]) -> bool:
    """Whether numbers are the same, the sign of zeros included."""
    nan = np.isnan(ones)
    signs = (np.signbit(ones) == np.signbit(others)) | nan
    return bool(signs.all()) and np.array_equal(ones, others, equal_nan=True)


@functools.cache
def clipping(between_numbers: bool) -> Any:
    """Return the function that clips one number as NumPy does, None if none is known.

    Args:
        between_numbers: whether both bounds are numbers, not arrays.
    """
    version = _clip_between_numbers if between_numbers else _clip
    return version if _clip_agrees(version, between_numbers=between_numbers) else None


@functools.cache
def written_out_for_arrays() -> dict[np.ufunc, Any]:
    """Return functions with the versions whose bits arrays get, too."""
    return {
        ufunc: version
        for ufunc, version in _WRITTEN_OUT.items()
        if _agrees_for_arrays(ufunc, version)
    }


def implement(ufunc: np.ufunc, constants: frozenset[int] = frozenset()) -> Any:
    """Return `implement(typing_context, *types)` of a function of numbers.

    Args:
        ufunc: one of `UFUNCS`.
        constants: numbers of the arguments that are Python's constants, such as `0.5`.
    """

    def of_numbers(typing_context: Any, *arguments: Any) -> Any:
        kinds = _resolve(ufunc, arguments, constants)
        numbers = [numpy_support.from_dtype(np.dtype(kind)) for kind in kinds]
        inputs, outputs = numbers[: ufunc.nin], numbers[ufunc.nin :]
        result = outputs[0] if ufunc.nout == 1 else types.Tuple(outputs)
        if ufunc in INSTRUCTIONS:
            function = typing_context.resolve_value_type(ufunc)
            own = typing_context.resolve_function_type(function, tuple(inputs), {})
            if own is not None and own.return_type == result:
                if ufunc in INTRINSICS:
                    return result(*inputs), by_intrinsic(ufunc)
                return result(*inputs), _by_instruction(function, own)
        if ufunc in _WRITTEN_OUT:
            return result(*inputs), by_python(_WRITTEN_OUT[ufunc])
        return result(*inputs), _by_loop(_symbol(ufunc, kinds), inputs, outputs)

    return of_numbers


def make_intrinsic(name: str, count: int, implement: Any) -> Any:
    """Return an intrinsic of one or two arguments, given `implement(typing_context, *types)`."""

    def of_one(typing_context: Any, x: Any) -> Any:
        return implement(typing_context, x)

    def of_two(typing_context: Any, x: Any, y: Any) -> Any:
        return implement(typing_context, x, y)

    function = of_one if count == 1 else of_two
    function.__name__ = name
    return intrinsic(function)


DECIDING = (
    "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES",
    "OPENBLAS_CORETYPE",
)  # fmt: skip
"""Environment variables that choose among NumPy's, and its BLAS's, ways of computing."""


def fingerprint() -> list[str]:
    """Return what of this process's NumPy decides how functions are compiled.

    In which order it adds and multiplies follows from its version, the processor, and these.
    """
    blas = str(getattr(np.__config__, "CONFIG", {}).get("Build Dependencies", {}).get("blas"))
    chosen = [f"{name}={os.environ.get(name)}" for name in DECIDING]
    return (
        [blas, *chosen] + sorted(SYMBOLS) + [version.__name__ for version in _WRITTEN_OUT.values()]
    )


INTRINSICS = {np.copysign: "llvm.copysign", np.exp2: "llvm.exp2", np.log2: "llvm.log2"}
"""Functions that Numba cannot compile for two widths of numbers in one module, and what they are
to LLVM.
"""


def by_intrinsic(ufunc: np.ufunc) -> Any:
    """Return a code generator that calls LLVM's function for the width of the result."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.return_type
        numbers = [
            context.cast(builder, value, given, kind)
            for value, given in zip(arguments, signature.args, strict=True)
        ]
        width = numbers[0].type
        kinds = ir.FunctionType(width, [width] * len(numbers))
        function = builder.module.declare_intrinsic(INTRINSICS[ufunc], [width], kinds)
        return builder.call(function, numbers)

    return codegen


def _by_instruction(function: Any, own: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        implementation = context.get_function(function, own)
        numbers = [
            context.cast(builder, value, given, wanted)
            for value, given, wanted in zip(arguments, signature.args, own.args, strict=True)
        ]
        return implementation(builder, numbers)

    return codegen


def by_python(function: Any) -> Any:
    """Return a code generator that compiles and calls a Python function."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.compile_internal(builder, function, signature, arguments)

    return codegen


def _by_loop(symbol: str, inputs: list[Any], outputs: list[Any]) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function = _function(context, builder.module, symbol, inputs, outputs)
        members = builder.call(function, arguments)
        values = [
            context.data_model_manager[kind].from_data(builder, builder.extract_value(members, k))
            for k, kind in enumerate(outputs)
        ]
        if len(values) == 1:
            return values[0]
        return context.make_tuple(builder, signature.return_type, values)

    return codegen


def _function(context: Any, module: Any, symbol: str, inputs: list[Any], outputs: list[Any]) -> Any:
    """Return a function of numbers that calls a loop: the numbers in memory, a length of 1."""
    name = f"{symbol}_call"
    found = module.globals.get(name)
    if found is not None:
        return found
    results = ir.LiteralStructType([context.get_data_type(kind) for kind in outputs])
    numbers = [context.get_value_type(kind) for kind in inputs]
    function = ir.Function(module, ir.FunctionType(results, numbers), name)
    # Merged with its like from other modules. Inlined, it would keep stack for each call.
    function.linkage = "linkonce_odr"
    for attribute in ("noinline", "nounwind"):
        function.attributes.add(attribute)
    builder = ir.IRBuilder(function.append_basic_block())
    kinds = [*inputs, *outputs]
    places = [builder.alloca(context.get_data_type(kind)) for kind in kinds]
    for kind, place, value in zip(inputs, places, function.args, strict=False):
        builder.store(context.data_model_manager[kind].as_data(builder, value), place)
    # NumPy's strides: those of numbers are zero, by which loops know a constant.
    sizes = [context.get_abi_sizeof(place.type.pointee) for place in places]
    strides = [0] * len(inputs) + sizes[len(inputs) :]
    call_loop(context, builder, symbol, places, [1], strides)
    members = [builder.load(place) for place in places[len(inputs) :]]
    result = ir.Constant(results, ir.Undefined)
    for k, member in enumerate(members):
        result = builder.insert_value(result, member, k)
    builder.ret(result)
    return function


def call_loop(
    context: Any,
    builder: Any,
    symbol: str,
    pointers: list[Any],
    counts: list[Any],
    strides: list[Any],
) -> None:
    """Call one of NumPy's loops.

    Args:
        context, builder: Numba's.
        symbol: what stands for the loop.
        pointers: to the operands and the results.
        counts: how many elements there are, an int or an LLVM value; and what a loop over arrays
            asks for behind it.
        strides: of the operands and the results, in bytes, likewise.
    """
    word, byte = context.get_value_type(types.intp), ir.IntType(8).as_pointer()

    def first(kind: Any, values: list[Any]) -> Any:
        array = ir.ArrayType(kind, len(values))
        if all(isinstance(value, ir.Constant) for value in values):
            memory = cgutils.global_constant(builder, f".{symbol}", ir.Constant(array, values))
        else:
            memory = cgutils.alloca_once(builder, array)
            for k, value in enumerate(values):
                builder.store(value, cgutils.gep_inbounds(builder, memory, 0, k))
        return cgutils.gep_inbounds(builder, memory, 0, 0)

    def words(numbers: list[Any]) -> Any:
        return first(word, [word(n) if isinstance(n, int) else n for n in numbers])

    signature = ir.FunctionType(
        ir.VoidType(), [byte.as_pointer(), word.as_pointer(), word.as_pointer(), byte]
    )
    record = ir.LiteralStructType([signature.as_pointer(), byte])
    module = builder.module
    loop = module.globals.get(symbol) or ir.GlobalVariable(module, record, symbol)
    called, closure = (
        builder.load(cgutils.gep_inbounds(builder, loop, 0, member)) for member in (0, 1)
    )
    places = first(byte, [builder.bitcast(pointer, byte) for pointer in pointers])
    builder.call(called, [places, words(counts), words(strides), closure])
