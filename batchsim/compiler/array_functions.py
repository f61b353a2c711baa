"""NumPy's functions of small arrays in compiled code: what makes arrays, and what rearranges them.

What is known when a kernel is compiled, such as a shape, an axis or a dtype, decides the code;
the rest are the arguments of what stands for the function (`Specification`).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.core.errors import TypingError
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, intrinsic, lower_getattr
from numba.np import numpy_support

from batchsim.compiler import elementwise
from batchsim.compiler.arrays import (
    LIMIT,
    TUPLE,
    Large,
    Reference,
    Value,
    cast_elements,
    data_pointer,
    elements,
    is_small,
    make_value,
    reference_at,
    spread,
)
from batchsim.compiler.elementwise import is_array, too_large
from batchsim.compiler.large import is_large, large_type, make_large, rearranged_type
from batchsim.compiler.ufuncs import DisagreementError

__all__ = [
    "CONSTANTS",
    "METHODS",
    "SPECIFICATIONS",
    "Specification",
    "of_ufunc",
    "rearrange",
    "specify",
    "strides_of_result",
    "with_arity",
]

NUMBERS = (types.Number, types.Boolean)


# --- What stands for a function -------------------------------------------------------------------


def with_arity(name: str, count: int, implement: Callable[..., Any]) -> Any:
    """Return an intrinsic of `count` arguments, given `implement(typing_context, *types)`."""

    def none(typing_context: Any) -> Any:
        return implement(typing_context)

    def one(typing_context: Any, a: Any) -> Any:
        return implement(typing_context, a)

    def two(typing_context: Any, a: Any, b: Any) -> Any:
        return implement(typing_context, a, b)

    def three(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
        return implement(typing_context, a, b, c)

    def four(typing_context: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
        return implement(typing_context, a, b, c, d)

    def five(typing_context: Any, a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
        return implement(typing_context, a, b, c, d, e)

    function = (none, one, two, three, four, five)[count]
    function.__name__ = name
    return intrinsic(prefer_literal=True)(function)


class Specification(NamedTuple):
    """How a function is called, and what makes its code.

    `build(precision, statics)` returns `implement(typing_context, *types)`, which returns a
    signature and a code generator.
    """

    signature: inspect.Signature
    dynamic: tuple[str, ...]
    """The parameters that code computes; the others must be known when it is compiled."""
    build: Callable[[str, dict[str, Any]], Callable[..., Any]]


SPECIFICATIONS: dict[Any, Specification] = {}
"""By function."""
METHODS: dict[str, Any] = {}
"""Methods of an array, and the functions of `SPECIFICATIONS` that are the same."""


def specify(function: Any, parameters: str, dynamic: str, *methods: str) -> Any:
    """Register what builds the code of a function of NumPy's.

    Args:
        function: NumPy's.
        parameters: as in `def`.
        dynamic: the names of those that code computes, separated by spaces.
        *methods: of an array, that are the same.
    """
    names: dict[str, Any] = {}
    exec(f"def call({parameters}): pass", names)
    signature = inspect.signature(names["call"])

    def register(build: Any) -> Any:
        SPECIFICATIONS[function] = Specification(signature, tuple(dynamic.split()), build)
        METHODS.update(dict.fromkeys(methods, function))
        return build

    return register


# --- Arguments ------------------------------------------------------------------------------------


def array_type(kind: Any, precision: str = "exact") -> Any:
    """Return the type of the array that an argument is, or is made into; of a number, its own.

    Args:
        kind: of an array, a number, or a tuple of such.
        precision: in "fast", what is no array yet is made of float32.

    Raises:
        TypingError: it can be none.
    """
    if isinstance(kind, (Large, Reference, Value)):
        if not is_small(kind):
            raise TypingError(too_large(kind.shape))
        return kind
    kind = types.unliteral(kind)
    if isinstance(kind, NUMBERS):
        return kind
    if isinstance(kind, TUPLE) and kind.types:
        members = [array_type(member, precision) for member in kind.types]
        shapes = {getattr(member, "shape", ()) for member in members}
        if len(shapes) > 1:
            raise TypingError(f"An array is made of parts of the shapes {sorted(shapes)}.")
        shape = (len(members), *shapes.pop())
        if int(np.prod(shape)) > LIMIT:
            raise TypingError(too_large(shape))
        return Value(common_type(members, precision), shape)
    if isinstance(kind, types.Array):
        raise TypingError(
            "The shape of an array is not known: it is one of two that lie differently, or has as "
            "many rows as a caller gives: write .copy() where each is made, or take a row."
        )
    raise TypingError(
        f"{kind} is taken for an array; expected an array whose shape is known, or numbers."
    )


def common_type(kinds: list[Any], precision: str) -> Any:
    """Return the type of numbers that arrays and numbers are put into one array as."""
    dtypes = [numpy_support.as_dtype(getattr(kind, "dtype", kind)) for kind in kinds]
    found = np.result_type(*dtypes)
    if precision == "fast" and found == np.float64 and np.dtype(np.float64) not in dtypes:
        found = np.dtype(np.float32)
    return numpy_support.from_dtype(found)


def numbers_of(
    context: Any, builder: Any, kind: Any, value: Any, wanted: Any
) -> tuple[tuple[int, ...], list[Any]]:
    """Return the shape and the elements, of a wanted type, of what is taken for an array."""
    kind = types.unliteral(kind) if isinstance(kind, types.Literal) else kind
    if isinstance(kind, (Reference, Value)):
        numbers = elements(context, builder, kind, value)
        return kind.shape, cast_elements(context, builder, numbers, kind.dtype, wanted)  # type: ignore[return-value]
    if isinstance(kind, NUMBERS):
        return (), [context.cast(builder, value, kind, wanted)]
    parts = [
        numbers_of(context, builder, member, builder.extract_value(value, k), wanted)
        for k, member in enumerate(kind.types)
    ]
    return (len(parts), *parts[0][0]), [number for _, part in parts for number in part]


def numba_dtype(dtype: Any, precision: str) -> Any:
    """Return Numba's type for what is written as a dtype.

    Raises:
        TypingError: compiled code knows no such numbers.
    """
    try:
        found = np.dtype(dtype)
        if found.kind not in "biuf" or found.itemsize > 8:
            raise TypeError
        kind = numpy_support.from_dtype(found)
    except (TypeError, NotImplementedError):
        raise TypingError(
            f"The dtype is {dtype!r}; expected that of numbers, such as float, int or np.float32."
        ) from None
    if precision == "fast" and kind == types.float64:
        return types.float32
    return kind


# --- Functions of numbers -------------------------------------------------------------------------


def of_ufunc(ufunc: np.ufunc, constants: frozenset[int], precision: str) -> Any:
    """Return `implement` for a function of numbers that is given an array, else None of it.

    Args:
        ufunc: the function.
        constants: which arguments are certain to be Python's numbers.
        precision: "exact" computes by NumPy's loops, "fast" by Numba's functions.
    """

    def implement(typing_context: Any, *arguments: Any) -> Any:
        if not any(isinstance(kind, (Large, Reference, Value, TUPLE)) for kind in arguments):
            return None
        if any(map(is_array, arguments)) and is_large(arguments):
            choice = elementwise.choose(ufunc, arguments)
            require_certain(ufunc, arguments, choice, constants)
            return large_type(ufunc, arguments)(*arguments), make_large
        made = tuple(array_type(kind, precision) for kind in arguments)
        if not any(map(is_array, made)):
            return None
        if ufunc.nout != 1:
            raise DisagreementError(f"np.{ufunc.__name__} gives two arrays: use two functions")
        result = elementwise.result_type(ufunc, made)
        choice = elementwise.choose(ufunc, made)
        require_certain(ufunc, made, choice, constants)
        by = ufunc if precision == "fast" and isinstance(choice.output, types.Float) else None

        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            values = [
                _made(context, builder, *argument)
                for argument in zip(sig.args, made, args, strict=True)
            ]
            _, _, numbers = elementwise.compute(context, builder, ufunc, result(*made), values, by)
            return make_value(context, builder, result, numbers)

        return result(*arguments), generate

    return implement


def _made(context: Any, builder: Any, given: Any, kind: Any, value: Any) -> Any:
    """Return the value of an argument as that of the array that it is made into."""
    if not isinstance(given, TUPLE):
        return value
    _, numbers = numbers_of(context, builder, given, value, kind.dtype)
    return make_value(context, builder, kind, numbers)


def power_of_arrays(x: Any, y: Any, exponent: float | None, constants: frozenset[int]) -> Any:
    """Return signature and code of `x ** y`, one of them an array.

    NumPy computes some powers otherwise, where the exponent is a number of Python's.
    """
    special = elementwise.special_power(x, exponent)
    if special is not None:
        implemented = of_ufunc(special, frozenset(), "exact")(None, x)
        _, generate = implemented

        def without_exponent(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            wanted = sig.return_type(sig.args[0])
            return generate(context, builder, wanted, args[:1])

        return implemented[0].return_type(x, y), without_exponent
    return of_ufunc(np.power, constants, "exact")(None, x, y)


def require_certain(
    ufunc: np.ufunc, arguments: Any, choice: elementwise.Choice, constants: frozenset[int]
) -> None:
    """Raise DisagreementError where a number that decides the width may be NumPy's."""
    for k in choice.in_doubt:
        if k not in constants:
            raise DisagreementError(elementwise.in_doubt(ufunc, arguments))


# --- Arrays that are made -------------------------------------------------------------------------


def _is_given(value: Any) -> bool:
    return value is not None and value is not np._NoValue


def _maker(function: Any) -> Any:
    return functools.partial(_make_array, function)


def _make_array(function: Any, precision: str, statics: dict[str, Any]) -> Any:
    def implement(typing_context: Any, given: Any) -> Any:
        if isinstance(given, types.Array) and not is_array(given):
            return None
        kind = array_type(given, precision)
        if not is_array(kind):
            raise TypingError("An array of no axis is made: write the number itself.")
        dtype = statics.get("dtype")
        wanted = numba_dtype(dtype, precision) if _is_given(dtype) else kind.dtype
        result = Value(wanted, kind.shape, elementwise.layout(function, (kind,)))

        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            # As NumPy: through the type that the parts have in common only if none is asked for.
            _, numbers = numbers_of(context, builder, sig.args[0], args[0], wanted)
            return make_value(context, builder, result, numbers)

        return result(given), generate

    return implement


def astype(array: Any, dtype: Any = np.int8, copy: bool = True) -> Any:
    """`array.astype(dtype)`."""
    return array.astype(dtype, copy=copy)


def copied(array: Any) -> Any:
    """`array.copy()`, which lies by row, as `np.copy(array)` need not."""
    return array.copy()


specify(np.array, "object, dtype=None, copy=True, ndmin=0", "object")(_maker(np.array))
specify(np.copy, "object", "object")(_maker(np.copy))
specify(copied, "object", "object", "copy")(_maker(copied))
specify(astype, "object, dtype, copy=True", "object", "astype")(_maker(astype))
# Copies, as expressions make no memory that could be shared; `aliases` knows that they share.
specify(np.asarray, "object, dtype=None", "object")(_maker(np.asarray))
specify(np.asanyarray, "object, dtype=None", "object")(_maker(np.asanyarray))


@specify(np.full, "shape, fill_value, dtype=None", "fill_value")
def _full(precision: str, statics: dict[str, Any]) -> Any:
    shape = statics["shape"]
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)

    def implement(typing_context: Any, fill_value: Any) -> Any:
        kind = array_type(fill_value, precision)
        dtype = statics.get("dtype")
        wanted = (
            numba_dtype(dtype, precision) if _is_given(dtype) else common_type([kind], precision)
        )
        return _filled(Value(wanted, _checked(shape)), fill_value)

    return implement


def _checked(shape: Any) -> tuple[int, ...]:
    if not all(isinstance(n, (int, np.integer)) and n > 0 for n in shape):
        raise TypingError(f"An array gets the shape {shape}; expected numbers of at least 1.")
    if int(np.prod(shape)) > LIMIT:
        raise TypingError(too_large(tuple(shape)))
    return tuple(map(int, shape))


def _filled(result: Value, *arguments: Any) -> Any:
    """Return signature and code of an array whose elements are those of the last argument."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        shape, numbers = numbers_of(context, builder, sig.args[-1], args[-1], result.dtype)
        return make_value(context, builder, result, spread(numbers, shape, result.shape))

    return result(*arguments), generate


def _make_like(value: float | None) -> Any:
    def build(precision: str, statics: dict[str, Any]) -> Any:
        def implement(typing_context: Any, array: Any, *fill_value: Any) -> Any:
            kind = array_type(array, precision)
            dtype = statics.get("dtype")
            wanted = numba_dtype(dtype, precision) if _is_given(dtype) else kind.dtype
            result = Value(wanted, kind.shape, elementwise.layout(np.zeros_like, (kind,)))
            if fill_value:
                return _filled(result, array, *fill_value)

            def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
                number = context.get_constant_generic(builder, wanted, value)
                return make_value(context, builder, result, [number] * result.size)

            return result(array), generate

        return implement

    return build


specify(np.zeros_like, "a, dtype=None", "a")(_make_like(0))
specify(np.empty_like, "a, dtype=None", "a")(_make_like(0))
specify(np.ones_like, "a, dtype=None", "a")(_make_like(1))
specify(np.full_like, "a, fill_value, dtype=None", "a fill_value")(_make_like(None))


def constant_array(array: Any, precision: str) -> Any:
    """Return what makes an array that is known when a kernel is compiled."""
    shape = _checked(array.shape)
    kind = numba_dtype(array.dtype, precision)
    result = Value(kind, shape)
    values = array.astype(numpy_support.as_dtype(kind)).ravel().tolist()

    def implement(typing_context: Any) -> Any:
        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            numbers = [context.get_constant(kind, value) for value in values]
            return make_value(context, builder, result, numbers)

        return result(), generate

    return with_arity("constant", 0, implement)


CONSTANTS: frozenset[Any] = frozenset(
    {np.zeros, np.ones, np.empty, np.full, np.arange, np.linspace, np.eye, np.identity, np.tri}
)
"""Functions that are called when a kernel is compiled, if all that they are given is known."""


# --- Arrays that are rearranged -------------------------------------------------------------------

# Where the elements of the result come from, NumPy itself says, given arrays of numbers of places.

VIEWS = frozenset(
    {
        np.reshape, np.ravel, np.transpose, np.swapaxes, np.moveaxis, np.squeeze, np.expand_dims,
        np.flip, np.flipud, np.fliplr, np.rot90, np.broadcast_to, np.atleast_1d, np.atleast_2d,
        np.diagonal, np.diag,
    }
)  # fmt: skip
"""Functions whose result may be the memory of their argument."""


OF_SEVERAL = frozenset({np.concatenate, np.stack, np.hstack, np.vstack, np.column_stack, np.dstack})
"""Functions of a tuple of arrays."""


def rearrange(function: Any) -> Any:
    """Return what builds a function whose elements are those of its arguments, or zero."""
    of_several = function in OF_SEVERAL

    def build(precision: str, statics: dict[str, Any]) -> Any:
        def implement(typing_context: Any, *given: Any) -> Any:
            parts: Any = given
            if of_several and isinstance(given[0], TUPLE):
                parts = given[0].types
            if function in VIEWS and isinstance(parts[0], Reference) and None not in parts[0].shape:
                view = _view(function, parts[0], statics)
                if view is not None:
                    return view
            kinds = [part if is_array(part) else array_type(part, precision) for part in parts]
            places = _rearranged(function, kinds, statics)
            if places.ndim == 0:
                return None
            dtype = common_type(kinds, precision)
            strides = strides_of_result(function, kinds, statics)
            of_many = places.size > LIMIT or any(map(_is_many, kinds))
            if of_many and not any(isinstance(part, TUPLE) for part in parts):
                return _rearranged_large(given, rearranged_type(kinds, places, dtype, strides))
            result = Value(dtype, _checked(places.shape), strides)

            def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
                numbers = [context.get_constant(dtype, 0)]
                for kind, value in zip(sig.args, args, strict=True):
                    if of_several:
                        for k, member in enumerate(kind.types):
                            part = builder.extract_value(value, k)
                            numbers += numbers_of(context, builder, member, part, dtype)[1]
                    else:
                        numbers += numbers_of(context, builder, kind, value, dtype)[1]
                chosen = [numbers[k] for k in places.ravel()]
                return make_value(context, builder, result, chosen)

            return result(*given), generate

        return implement

    return build


def _is_many(kind: Any) -> bool:
    """Whether a type is of arrays that are too large to be values."""
    return is_array(kind) and not is_small(kind)


def _rearranged_large(given: tuple[Any, ...], result: Large) -> Any:
    """Return signature and code of what rearranges arrays into one that is too large for a value.

    Args:
        given: the types of the arguments: arrays and numbers, or one tuple of them.
        result: the type of what is made.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kinds, values = sig.args, args
        if isinstance(kinds[0], TUPLE):
            kinds = kinds[0].types
            values = [builder.extract_value(args[0], k) for k in range(len(kinds))]
        return make_large(context, builder, result(*kinds), values)

    return result(*given), generate


def _rearranged(function: Any, kinds: list[Any], statics: dict[str, Any]) -> np.ndarray[Any, Any]:
    """Return of which element of its arguments, from 1, each element of the result is a copy; 0
    is of none of them, but the number zero.
    """
    arrays, start = [], 1
    for kind in kinds:
        shape = getattr(kind, "shape", ())
        count = int(np.prod(shape))
        arrays.append(np.arange(start, start + count).reshape(shape))
        start += count
    try:
        found = (
            function(arrays, **statics) if function in OF_SEVERAL else function(*arrays, **statics)
        )
    except (ValueError, TypeError) as error:
        raise TypingError(f"np.{function.__name__}: {str(error).rstrip('.')}.") from None
    return np.asarray(found)


def strides_of_result(function: Any, kinds: list[Any], statics: dict[str, Any]) -> tuple[int, ...]:
    """Return the strides, in elements, of what NumPy makes."""
    samples = [elementwise.sample(kind) for kind in kinds]
    found = (
        function(samples, **statics) if function in OF_SEVERAL else function(*samples, **statics)
    )
    return np.asarray(found).strides  # Of bytes: an element is one.


def _view(function: Any, kind: Reference, statics: dict[str, Any]) -> Any:
    """Return signature and code of a view of memory, None where NumPy would copy it."""
    array = elementwise.sample(kind)
    try:
        found = function(array, **statics)
    except (ValueError, TypeError) as error:
        raise TypingError(f"np.{function.__name__}: {str(error).rstrip('.')}.") from None
    if not np.shares_memory(found, array):
        return None
    offset = found.ctypes.data - array.ctypes.data
    readonly = not (kind.mutable and found.flags.writeable)
    result = Reference(kind.dtype, found.shape, readonly=readonly, strides=found.strides)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = data_pointer(context, builder, kind, args[0])
        moved = builder.gep(pointer, [context.get_value_type(types.intp)(offset)])
        return reference_at(context, builder, result, moved)

    return result(kind), generate


for _function, _parameters, *_methods in (
    (np.reshape, "a, shape", "reshape"),
    (np.ravel, "a", "ravel"),
    (np.transpose, "a, axes=None", "transpose"),
    (np.swapaxes, "a, axis1, axis2", "swapaxes"),
    (np.moveaxis, "a, source, destination"),
    (np.squeeze, "a, axis=None", "squeeze"),
    (np.expand_dims, "a, axis"),
    (np.flip, "m, axis=None"),
    (np.flipud, "m"),
    (np.fliplr, "m"),
    (np.rot90, "m, k=1, axes=(0, 1)"),
    (np.roll, "a, shift, axis=None"),
    (np.repeat, "a, repeats, axis=None", "repeat"),
    (np.tile, "A, reps"),
    (np.broadcast_to, "array, shape"),
    (np.atleast_1d, "a"),
    (np.atleast_2d, "a"),
    (np.diagonal, "a, offset=0, axis1=0, axis2=1", "diagonal"),
):
    specify(_function, _parameters, _parameters.split(",")[0], *_methods)(rearrange(_function))
for _joining, _parameters in (
    (np.concatenate, "arrays, axis=0"),
    (np.stack, "arrays, axis=0"),
    (np.hstack, "arrays"),
    (np.vstack, "arrays"),
    (np.column_stack, "arrays"),
    (np.dstack, "arrays"),
):
    specify(_joining, _parameters, "arrays")(rearrange(_joining))
specify(np.append, "arr, values, axis=None", "arr values")(rearrange(np.append))


def flatten(array: Any) -> Any:
    """`array.flatten()`: a copy."""
    return array.flatten()


specify(flatten, "a", "a", "flatten")(rearrange(flatten))


# --- Attributes -----------------------------------------------------------------------------------


class _Attributes(AttributeTemplate):
    def resolve_T(self, array: Any) -> Any:  # noqa: N802 - NumPy's name
        if not is_array(array):
            return None
        return _transposed(array)[0].return_type

    def resolve_shape(self, array: Any) -> Any:
        return types.UniTuple(types.intp, array.ndim)

    def resolve_size(self, array: Any) -> Any:
        return types.intp

    def resolve_ndim(self, array: Any) -> Any:
        return types.intp

    def resolve_dtype(self, array: Any) -> Any:
        return types.DType(array.dtype)


@infer_getattr
class _ValueAttributes(_Attributes):
    key = Value


@infer_getattr
class _ReferenceAttributes(AttributeTemplate):
    key = Reference
    resolve_T = _Attributes.resolve_T  # noqa: N815


@infer_getattr
class _LargeAttributes(AttributeTemplate):
    key = Large
    resolve_T = _Attributes.resolve_T  # noqa: N815


def _transposed(kind: Any) -> Any:
    implement = SPECIFICATIONS[np.transpose].build("exact", {})
    return implement(None, kind)


@lower_getattr(Value, "T")
@lower_getattr(Reference, "T")
@lower_getattr(Large, "T")
def _lower_transposed(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    sig, generate = _transposed(kind)
    return generate(context, builder, sig, (value,))


@lower_getattr(Value, "shape")
def _lower_shape(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    numbers = [context.get_constant(types.intp, n) for n in kind.shape]
    return context.make_tuple(builder, types.UniTuple(types.intp, kind.ndim), numbers)


@lower_getattr(Value, "size")
def _lower_size(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    return context.get_constant(types.intp, kind.size)


@lower_getattr(Value, "ndim")
def _lower_ndim(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    return context.get_constant(types.intp, kind.ndim)


@lower_getattr(Value, "dtype")
def _lower_dtype(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    return context.get_dummy_value()
