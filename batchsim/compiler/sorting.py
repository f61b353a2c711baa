"""NumPy's sorts of small arrays in compiled code, by the functions that NumPy itself calls.

Which of equal numbers comes first, of zeros of both signs or among places, depends on NumPy's
version and on the processor, unless `kind="stable"` is asked for. So the very function is called,
as for functions of numbers (`batchsim.compiler.ufuncs`).
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.np import numpy_support

from batchsim.compiler.array_functions import array_type, numbers_of, specify, strides_of_result
from batchsim.compiler.arrays import Value, make_value
from batchsim.compiler.elementwise import is_array
from batchsim.compiler.ufuncs import DisagreementError

__all__: list[str] = []

KINDS = {None: 0, "quicksort": 0, "stable": 2, "mergesort": 2}
"""What may be asked for, and its number in NumPy's tables."""
_TABLE = 365
"""The place of the function that finds the table of a dtype, in NumPy's interface since 2.0."""
_FIRST = 21 + 12
"""Of the sorts in that table, behind 21 conversions and 12 other functions."""
_ROW = 3
"""So many kinds of sorts, and behind them of sorts of places."""

_SORT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_void_p)
_SORT_PLACES = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_void_p
)


def _symbol(dtype: Any, number: int, *, of_places: bool) -> str:
    name = np.dtype(dtype).name
    return f"batchsim_numpy_{'argsort' if of_places else 'sort'}{number}_{name}"


def _addresses() -> dict[str, int]:
    """Return the addresses of NumPy's sorts by their symbols."""
    pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
    pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    words = ctypes.POINTER(ctypes.c_void_p)
    interface = ctypes.cast(pointer_of(np._core._multiarray_umath._ARRAY_API, None), words)  # type: ignore[attr-defined]
    table_of = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.py_object)(interface[_TABLE])
    found = {}
    for char in "?bBhHiIlLfd":
        table = ctypes.cast(table_of(np.dtype(char)), words)
        for number in set(KINDS.values()):
            for of_places in (False, True):
                address = table[_FIRST + _ROW * of_places + number]
                if address:
                    found[_symbol(char, number, of_places=of_places)] = address
    return found


SYMBOLS = _addresses()
for _name, _address in SYMBOLS.items():
    llvmlite.binding.add_symbol(_name, _address)


@functools.cache
def _agrees(dtype: Any, number: int, of_places: bool) -> bool:
    """Whether the function in NumPy's table does what NumPy does, of few numbers, many equal."""
    address = SYMBOLS.get(_symbol(dtype, number, of_places=of_places))
    if address is None:
        return False
    kind: Any = "stable" if number else "quicksort"
    rng = np.random.default_rng(0)
    some = np.array([0.0, -0.0, 1.0, 2.0, 3.0, np.nan, np.inf])
    some = some if dtype.kind == "f" else np.arange(5)
    for count in range(1, 65):
        numbers = rng.choice(some, count).astype(dtype)
        places, sorted_numbers = np.arange(count), numbers.copy()
        if of_places:
            _SORT_PLACES(address)(numbers.ctypes.data, places.ctypes.data, count, None)
            if (places != np.argsort(numbers, kind=kind)).any():
                return False
            continue
        _SORT(address)(sorted_numbers.ctypes.data, count, None)
        if sorted_numbers.tobytes() != np.sort(numbers, kind=kind).tobytes():
            return False
    return True


def _sorted(function: Any) -> Any:
    of_places = function is np.argsort

    def build(precision: str, statics: dict[str, Any]) -> Any:
        kind, axis = statics.get("kind"), statics.get("axis", -1)
        if statics.get("stable"):
            kind = "stable"
        if kind not in KINDS:
            raise TypingError(f"np.{function.__name__} of kind {kind!r}: write kind='stable'.")
        number = KINDS[kind]

        def implement(typing_context: Any, given: Any) -> Any:
            array = array_type(given, precision)
            if not is_array(array):
                return None
            dtype = numpy_support.as_dtype(array.dtype)
            if not _agrees(dtype, number, of_places):
                raise DisagreementError(f"np.{function.__name__} is out of reach of compiled code")
            places = np.arange(int(np.prod(array.shape))).reshape(array.shape)
            lanes = places.reshape(1, -1) if axis is None else _lanes(function, places, axis)
            shape = lanes.shape[1:] if axis is None else array.shape
            strides = strides_of_result(function, [array], {"axis": axis})
            result = Value(types.intp if of_places else array.dtype, shape, strides)
            symbol = _symbol(dtype, number, of_places=of_places)

            def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
                _, numbers = numbers_of(context, builder, sig.args[0], args[0], array.dtype)
                found: list[Any] = [None] * len(numbers)
                for lane in lanes.reshape(-1, lanes.shape[-1]).tolist():
                    row = [numbers[place] for place in lane]
                    made = _call(context, builder, symbol, array.dtype, row, of_places)
                    for place, one in zip(lane, made, strict=True):
                        found[place] = one
                return make_value(context, builder, result, found)

            return result(given), generate

        return implement

    return build


def _lanes(function: Any, places: Any, axis: int) -> Any:
    try:
        return np.moveaxis(places, axis, -1)
    except ValueError as error:
        raise TypingError(f"np.{function.__name__}: {error}.") from None


def _call(
    context: Any, builder: Any, symbol: str, kind: Any, numbers: list[Any], of_places: bool
) -> list[Any]:
    """Return numbers in their order, or their places."""
    word, byte = context.get_value_type(types.intp), ir.IntType(8).as_pointer()
    model = context.data_model_manager[kind]
    count = len(numbers)
    memory = cgutils.alloca_once(builder, context.get_data_type(kind), size=count)
    for k, number in enumerate(numbers):
        builder.store(model.as_data(builder, number), builder.gep(memory, [word(k)]))
    pointers = [memory]
    if of_places:
        pointers.append(cgutils.alloca_once(builder, word, size=count))
        for k in range(count):
            builder.store(word(k), builder.gep(pointers[1], [word(k)]))
    arguments = [builder.bitcast(pointer, byte) for pointer in pointers]
    arguments += [word(count), ir.Constant(byte, None)]
    signature = ir.FunctionType(ir.IntType(32), [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, signature, symbol)
    builder.call(function, arguments)
    found = [builder.load(builder.gep(pointers[-1], [word(k)])) for k in range(count)]
    return found if of_places else [model.from_data(builder, number) for number in found]


specify(np.sort, "a, axis=-1, kind=None, *, stable=None", "a")(_sorted(np.sort))
specify(np.argsort, "a, axis=-1, kind=None, *, stable=None", "a", "argsort")(_sorted(np.argsort))
