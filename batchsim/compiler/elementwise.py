"""Operators and functions of numbers over small arrays: element by element, with NumPy's bits.

Which loop NumPy would take decides the types. Arithmetic is written out; what is more than that is
done by NumPy's own loop, called once for all elements (`batchsim.compiler.ufuncs`).
"""

from __future__ import annotations

import functools
import operator
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.np import numpy_support

from batchsim.compiler import ufuncs
from batchsim.compiler.arrays import (
    LIMIT,
    Large,
    Reference,
    Value,
    broadcast,
    cast_elements,
    elements,
    is_small,
    lies_by_row,
    make_value,
    spread,
)
from batchsim.compiler.ufuncs import DisagreementError

__all__ = [
    "BINARY",
    "COMPARISONS",
    "INPLACE",
    "UNARY",
    "Choice",
    "apply",
    "choose",
    "in_doubt",
    "is_array",
    "layout",
    "loop_of",
    "require_in_place",
    "result_type",
    "sample",
]

BINARY = {
    operator.add: np.add,
    operator.sub: np.subtract,
    operator.mul: np.multiply,
    operator.truediv: np.divide,
    operator.floordiv: np.floor_divide,
    operator.mod: np.remainder,
    operator.pow: np.power,
    operator.and_: np.bitwise_and,
    operator.or_: np.bitwise_or,
    operator.xor: np.bitwise_xor,
    operator.lshift: np.left_shift,
    operator.rshift: np.right_shift,
    operator.eq: np.equal,
    operator.ne: np.not_equal,
    operator.lt: np.less,
    operator.le: np.less_equal,
    operator.gt: np.greater,
    operator.ge: np.greater_equal,
}
INPLACE = {
    operator.iadd: np.add,
    operator.isub: np.subtract,
    operator.imul: np.multiply,
    operator.itruediv: np.divide,
    operator.ifloordiv: np.floor_divide,
    operator.imod: np.remainder,
    operator.ipow: np.power,
    operator.iand: np.bitwise_and,
    operator.ior: np.bitwise_or,
    operator.ixor: np.bitwise_xor,
    operator.ilshift: np.left_shift,
    operator.irshift: np.right_shift,
}
UNARY = {
    operator.neg: np.negative,
    operator.pos: np.positive,
    operator.invert: np.invert,
    abs: np.absolute,
}
COMPARISONS = {
    np.equal: "==", np.not_equal: "!=", np.less: "<", np.less_equal: "<=", np.greater: ">",
    np.greater_equal: ">=",
}  # fmt: skip
LOGICAL = {np.logical_and, np.logical_or, np.logical_xor, np.logical_not}


# --- Which loop -----------------------------------------------------------------------------------


class Choice(NamedTuple):
    """What NumPy does with operands."""

    inputs: tuple[Any, ...]
    """Numba's types that they are converted to."""
    output: Any
    kinds: tuple[str, ...]
    """The types' characters of the loop."""
    in_doubt: tuple[int, ...]
    """Which operands must be Python's numbers for that: NumPy's would be taken for wider."""


def choose(ufunc: np.ufunc, arguments: tuple[Any, ...]) -> Choice:
    """Return what NumPy does with operands of Numba's types, of which one is an array.

    Whether a number is true is the same in any loop that NumPy has for it.

    Raises:
        DisagreementError: no loop for them could be called.
    """
    kinds = [getattr(kind, "dtype", kind) for kind in map(types.unliteral, arguments)]
    for kind in kinds:
        if not isinstance(kind, (types.Number, types.Boolean)):
            raise DisagreementError(f"np.{ufunc.__name__} is for arrays and numbers; got {kind}")
    dtypes = tuple(map(numpy_support.as_dtype, kinds))
    python = tuple(
        dtype if is_array(argument) else {types.int64: int, types.float64: float}.get(kind, dtype)
        for argument, kind, dtype in zip(arguments, kinds, dtypes, strict=True)
    )
    if ufunc in COMPARISONS and int in python and all(dtype.kind in "iu" for dtype in dtypes):
        # NumPy compares with the number itself, also with one that is beyond the array's type.
        wide = tuple(types.uint64 if kind == types.uint64 else types.int64 for kind in kinds)
        return Choice(wide, types.boolean, (*(dtype.char for dtype in dtypes), "?"), ())
    found = loop_of(ufunc, python)
    in_doubt = tuple(
        k
        for k, reading in enumerate(python)
        if ufunc not in LOGICAL
        and isinstance(reading, type)
        and not isinstance(arguments[k], types.Literal)
        and loop_of(ufunc, (*python[:k], dtypes[k], *python[k + 1 :])) != found
    )
    inputs = tuple(numpy_support.from_dtype(np.dtype(kind)) for kind in found[: ufunc.nin])
    for kind, argument in zip(inputs, arguments, strict=True):
        _require_fit(ufunc, argument, kind)
    output = numpy_support.from_dtype(np.dtype(found[ufunc.nin]))
    return Choice(inputs, output, found, in_doubt)


def in_doubt(ufunc: Any, arguments: Any) -> str:
    """Return what is said where it decides the width whether a number is Python's or NumPy's."""
    of_types = " and ".join(str(types.unliteral(kind)) for kind in arguments)
    return (
        f"np.{ufunc.__name__} of {of_types} computes in one width if the number is Python's and in "
        "another if it is NumPy's: write float(…) or int(…) around it"
    )


def _require_fit(ufunc: np.ufunc, argument: Any, kind: Any) -> None:
    """Raise TypingError for a whole number that NumPy would refuse beside small ones."""
    if isinstance(argument, types.IntegerLiteral) and isinstance(kind, types.Integer):
        limits = np.iinfo(numpy_support.as_dtype(kind))
        if not limits.min <= argument.literal_value <= limits.max and ufunc not in COMPARISONS:
            raise TypingError(
                f"{argument.literal_value} is beyond {kind}, of which the array is: NumPy raises."
            )


@functools.cache
def loop_of(ufunc: np.ufunc, operands: tuple[Any, ...]) -> tuple[str, ...]:
    """Return the types' characters of the loop that NumPy takes for dtypes, or Python's types.

    Raises:
        DisagreementError: there is none, or none that compiled code could call.
    """
    try:
        dtypes = ufunc.resolve_dtypes((*operands, *(None,) * ufunc.nout))
    except TypeError:
        described = " and ".join(getattr(kind, "__name__", str(kind)) for kind in operands)
        raise DisagreementError(
            f"np.{ufunc.__name__} does not exist for {described} in NumPy"
        ) from None
    if any(dtype.char == "e" for dtype in dtypes):
        raise DisagreementError(f"np.{ufunc.__name__} of these computes in float16 in NumPy")
    return tuple(dtype.char for dtype in dtypes)


def is_array(kind: Any) -> bool:
    """Whether a type is of arrays whose shape is known."""
    return isinstance(kind, (Large, Reference, Value)) and None not in kind.shape


def result_type(ufunc: np.ufunc, arguments: tuple[Any, ...]) -> Value:
    """Return the type of what a function of small arrays and numbers makes.

    Raises:
        TypingError: for arrays that are too large, or do not go together.
        DisagreementError: if NumPy's bits are out of reach.
    """
    shape = broadcast([kind.shape for kind in arguments if is_array(kind)])
    for kind in arguments:
        if is_array(kind) and not is_small(kind):
            raise TypingError(too_large(kind.shape))
    if int(np.prod(shape)) > LIMIT:
        raise TypingError(too_large(shape))
    return Value(choose(ufunc, arguments).output, shape, layout(ufunc, arguments))


def require_in_place(ufunc: np.ufunc, arguments: tuple[Any, ...]) -> None:
    """Raise DisagreementError if NumPy does not write what a function makes into its operand."""
    array = arguments[0]
    shape = broadcast([kind.shape for kind in arguments if is_array(kind)])
    if shape != array.shape:
        raise DisagreementError(
            f"np.{ufunc.__name__} in place makes an array of the shape {shape}, which does not fit "
            f"into one of {array.shape}: write array = … instead, or change each row"
        )
    given, wanted = map(numpy_support.as_dtype, (choose(ufunc, arguments).output, array.dtype))
    if not np.can_cast(given, wanted, "same_kind"):
        raise DisagreementError(
            f"np.{ufunc.__name__} in place makes {given} numbers, which NumPy does not write into "
            f"{wanted} ones: write array[:] = … instead, which cuts them off"
        )
    if isinstance(array, Reference) and not array.mutable:
        raise DisagreementError("what can only be read is changed in place: write .copy() before")


def sample(kind: Any) -> Any:
    """Return an array of NumPy's that lies as one of a type does, or a number."""
    if not is_array(kind):
        return np.int8(1)
    lowest = sum(min(0, (n - 1) * k) for n, k in zip(kind.shape, kind.strides, strict=True))
    highest = sum(max(0, (n - 1) * k) for n, k in zip(kind.shape, kind.strides, strict=True))
    memory = np.ones(highest - lowest + 1, np.int8)
    return np.lib.stride_tricks.as_strided(memory[-lowest:], kind.shape, kind.strides)


def layout(function: Any, arguments: Any) -> tuple[int, ...] | None:
    """Return the strides, in elements, of what a function makes of arrays: as NumPy has them."""
    if all(not is_array(kind) or kind.ndim < 2 or is_by_row(kind) for kind in arguments):
        return None
    found = np.asarray(function(*map(sample, arguments)))
    return tuple(stride // found.itemsize for stride in found.strides)


def is_by_row(kind: Any) -> bool:
    """Whether an array lies row by row."""
    return lies_by_row(kind.shape, kind.strides)


def too_large(shape: Any) -> str:
    """Return what is said of an array that has too many elements."""
    return (
        f"An array of the shape {shape} is computed with; expected at most {LIMIT} elements: "
        "write a loop over the elements, or compute with its rows."
    )


# --- Code -----------------------------------------------------------------------------------------


def apply(
    context: Any,
    builder: Any,
    ufunc: np.ufunc,
    choice: Choice,
    operands: list[list[Any]],
    *,
    by: Any = None,
    numbers: tuple[bool, ...] | None = None,
) -> list[Any]:
    """Return the elements of what a function makes.

    Args:
        context, builder: Numba's.
        ufunc: the function.
        choice: what NumPy does.
        operands: of each the elements, converted already; one alone stands for all.
        by: a function of Numba's to be used for each element instead of NumPy's loop.
        numbers: which operands are numbers to NumPy, by default those of one element.
    """
    count = max(map(len, operands))
    numbers = tuple(len(part) == 1 for part in operands) if numbers is None else numbers
    direct = _direct(ufunc, choice)
    if direct is None and isinstance(choice.output, types.Float):
        if ufunc is ufuncs.CLIP:
            version = ufuncs.clipping(numbers[1] and numbers[2])
        else:
            version = ufuncs.written_out_for_arrays().get(ufunc)
        if version is not None:
            direct = _by_python(context, version, choice)
    if direct is None and (ufunc in ufuncs.INSTRUCTIONS or by is not None):
        direct = _by_numba(context, by or ufunc, choice)
    if direct is None:
        return _by_loop(context, builder, ufunc, choice, operands, count)
    columns = [part * count if len(part) == 1 else part for part in operands]
    return [direct(builder, *row) for row in zip(*columns, strict=True)]


FLOATS = {np.add: "fadd", np.subtract: "fsub", np.multiply: "fmul", np.divide: "fdiv"}
WHOLE = {
    np.add: "add", np.subtract: "sub", np.multiply: "mul", np.bitwise_and: "and_",
    np.bitwise_or: "or_", np.bitwise_xor: "xor",
}  # fmt: skip
TRUTH = {
    np.add: "or_", np.multiply: "and_", np.bitwise_and: "and_", np.bitwise_or: "or_",
    np.bitwise_xor: "xor", np.logical_and: "and_", np.logical_or: "or_", np.logical_xor: "xor",
    np.not_equal: "xor",
}  # fmt: skip


def _direct(ufunc: np.ufunc, choice: Choice) -> Any:
    """Return what generates the code for one element, where one or two instructions do."""
    kind = choice.inputs[0]
    if any(other != kind for other in choice.inputs):
        return None
    if isinstance(kind, types.Float):
        if ufunc in COMPARISONS:
            name = "fcmp_unordered" if ufunc is np.not_equal else "fcmp_ordered"
            return lambda builder, x, y: getattr(builder, name)(COMPARISONS[ufunc], x, y)
        if ufunc is np.square:
            return lambda builder, x: builder.fmul(x, x)
        if ufunc is np.negative:
            return lambda builder, x: builder.fneg(x)
        table: dict[Any, str] = FLOATS
    elif isinstance(kind, types.Boolean):
        table = TRUTH
        if ufunc in (np.invert, np.logical_not):
            return lambda builder, x: builder.not_(x)
        if ufunc is np.equal:
            return lambda builder, x, y: builder.not_(builder.xor(x, y))
    else:
        if ufunc in COMPARISONS:
            name = "icmp_signed" if kind.signed else "icmp_unsigned"
            return lambda builder, x, y: getattr(builder, name)(COMPARISONS[ufunc], x, y)
        if ufunc is np.square:
            return lambda builder, x: builder.mul(x, x)
        if ufunc is np.negative:
            return lambda builder, x: builder.neg(x)
        if ufunc is np.invert:
            return lambda builder, x: builder.not_(x)
        table = WHOLE
    if ufunc is np.positive:
        return lambda builder, x: x
    if ufunc not in table:
        return None
    return lambda builder, x, y: getattr(builder, table[ufunc])(x, y)


def _by_numba(context: Any, function: Any, choice: Choice) -> Any:
    typing_context = context.typing_context
    typed = typing_context.resolve_value_type(function)
    own = typing_context.resolve_function_type(typed, choice.inputs, {})
    if own is None:
        return None
    if own.return_type != choice.output and not isinstance(own.return_type, types.Number):
        return None
    implementation = context.get_function(typed, own)

    def generate(builder: Any, *numbers: Any) -> Any:
        values = [
            context.cast(builder, number, given, wanted)
            for number, given, wanted in zip(numbers, choice.inputs, own.args, strict=True)
        ]
        result = implementation(builder, values)
        return context.cast(builder, result, own.return_type, choice.output)

    return generate


def _by_python(context: Any, function: Any, choice: Choice) -> Any:
    wanted = choice.output(*choice.inputs)

    def generate(builder: Any, *numbers: Any) -> Any:
        return context.compile_internal(builder, function, wanted, numbers)

    return generate


def _by_loop(
    context: Any,
    builder: Any,
    ufunc: np.ufunc,
    choice: Choice,
    operands: list[list[Any]],
    count: int,
) -> list[Any]:
    """Call NumPy's loop once: a number has the stride 0, by which loops know it."""
    symbol = ufuncs.symbol_of(ufunc, choice.kinds)
    word = context.get_value_type(types.intp)
    places, strides = [], []
    for kind, numbers in zip(choice.inputs, operands, strict=True):
        place = cgutils.alloca_once(builder, context.get_data_type(kind), size=len(numbers))
        model = context.data_model_manager[kind]
        for k, number in enumerate(numbers):
            builder.store(model.as_data(builder, number), builder.gep(place, [word(k)]))
        places.append(place)
        size = context.get_abi_sizeof(place.type.pointee)
        strides.append(0 if len(numbers) == 1 and count > 1 else size)
    result = cgutils.alloca_once(builder, context.get_data_type(choice.output), size=count)
    places.append(result)
    strides.append(context.get_abi_sizeof(result.type.pointee))
    ufuncs.call_loop(context, builder, symbol, places, [count], strides)
    model = context.data_model_manager[choice.output]
    return [
        model.from_data(builder, builder.load(builder.gep(result, [word(k)]))) for k in range(count)
    ]


def compute(
    context: Any, builder: Any, ufunc: np.ufunc, sig: Any, args: Any, by: Any = None
) -> tuple[Choice, tuple[int, ...], list[Any]]:
    """Return what NumPy does, the shape, and the elements of a function of arrays and numbers."""
    choice = choose(ufunc, sig.args)
    shapes = [kind.shape for kind in sig.args if is_array(kind)]
    shape = broadcast(shapes)
    operands = []
    for kind, value, wanted in zip(sig.args, args, choice.inputs, strict=True):
        if is_array(kind):
            numbers = elements(context, builder, kind, value)
            numbers = cast_elements(context, builder, numbers, kind.dtype, wanted)
            # NumPy goes through one element with the stride 0, as through a number.
            one = len(numbers) == 1
            operands.append(numbers if one else spread(numbers, kind.shape, shape))
        else:
            number = context.cast(builder, value, types.unliteral(kind), wanted)
            operands.append([number])
    numbers = apply(context, builder, ufunc, choice, operands, by=by)
    count = int(np.prod(shape))
    return choice, shape, numbers * count if len(numbers) < count else numbers


def make(ufunc: np.ufunc, by: Any = None) -> Any:
    """Return the code generator of a function of arrays and numbers."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _, _, numbers = compute(context, builder, ufunc, sig, args, by)
        return make_value(context, builder, sig.return_type, numbers)

    return generate


# --- Operators ------------------------------------------------------------------------------------


def special_power(base: Any, exponent: float | None) -> np.ufunc | None:
    """Return what NumPy computes for `array ** 2`, and the like, None where it is a power."""
    if exponent is None or not is_array(base):
        return None
    if isinstance(base.dtype, types.Float):
        return FLOAT_POWERS.get(exponent)
    return WHOLE_POWERS.get(exponent) if isinstance(exponent, int) else None


FLOAT_POWERS = {
    exponent: ufunc
    for exponent, ufunc in (
        (2, np.square), (1, np.positive), (-1, np.reciprocal), (0.5, np.sqrt),
    )
}  # fmt: skip
WHOLE_POWERS = {2: np.square, 1: np.positive}
