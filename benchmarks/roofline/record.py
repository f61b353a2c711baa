"""Numbers and columns that write down what is done with them.

An environment's own functions run over them as plain Python and come to the same results. Every
operation is noted under what it computes and from what, so that an expression that occurs twice in
a step counts once, as a compiler computes it once. What is computed from parameters and constants
alone leaves no trace: it is done when a kernel is compiled.
"""

from __future__ import annotations

import builtins
import contextlib
import math
import operator
import types
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from batchsim import math as batchsim_math
from batchsim.compiler import compile
from batchsim.streams import MODULES

__all__ = ["Column", "Memory", "Number", "Recorder", "plain"]

OPERATORS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "truediv": operator.truediv,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "pow": operator.pow,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "lshift": operator.lshift,
    "rshift": operator.rshift,
}
COMPARISONS = {name: getattr(operator, name) for name in ("lt", "le", "gt", "ge", "eq", "ne")}
COMMUTATIVE = {"add", "mul", "and", "or", "xor", "eq", "ne"}
ROUNDINGS: dict[str, Callable[..., Any]] = {
    "floor": math.floor,
    "ceil": math.ceil,
    "trunc": math.trunc,
    "rint": round,
    "round": round,
}
SIGNS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "absolute": abs,
    "fabs": abs,
    "neg": operator.neg,
    "negative": operator.neg,
}
"""They change one bit of a floating-point number, and count as nothing."""
EXTREMES: dict[str, Callable[..., Any]] = {
    "min": min,
    "minimum": min,
    "fmin": min,
    "max": max,
    "maximum": max,
    "fmax": max,
}
TESTS = ("isnan", "isinf", "isfinite")
COMPUTED_IN_PLACE = {
    function: original for original, function in getattr(batchsim_math, "EXACT", {}).items()
}
"""Functions that stand for those of the C library in kernels, with the same results. The count
takes them for its calls: what they cost depends on how they are written.
"""

BUILTINS = ("abs", "min", "max", "int", "float", "bool", "round")


def plain(value: Any) -> Any:
    """Return the number that `value` stands for."""
    return value.value if isinstance(value, Number) else value


def _is_float(value: Any) -> bool:
    return isinstance(value, (float, np.floating))


def _bits(value: Any) -> int:
    return 32 if isinstance(value, np.float32) else 64


def _strict(value: Any) -> Any:
    """Return a plain number with the type that it has in compiled code.

    Python's own floats there are float64, and do not give way to a float32 beside them.
    """
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    return np.float64(value) if type(value) is float else value


class Number:
    """A number that was read from a column, or computed from such numbers."""

    __slots__ = ("id", "recorder", "value", "whole")

    # NumPy's numbers leave operations with this one to it.
    __array_ufunc__ = None

    def __init__(self, recorder: Recorder, id: int, value: Any, whole: Any = None) -> None:
        self.recorder = recorder
        self.id = id
        self.value = value
        self.whole = whole
        """If the value is a rounded float: that float, still as one."""

    def __neg__(self) -> Any:
        return self.recorder.sign("neg", self)

    def __abs__(self) -> Any:
        return self.recorder.sign("abs", self)

    def __pos__(self) -> Any:
        return self

    def __invert__(self) -> Any:
        return self.recorder.keep(("invert", self.id), ~self.value, "integer")

    def __floor__(self) -> Any:
        return self.recorder.round("floor", self)

    def __ceil__(self) -> Any:
        return self.recorder.round("ceil", self)

    def __trunc__(self) -> Any:
        return self.recorder.round("trunc", self)

    def __round__(self, digits: int | None = None) -> Any:
        return self.recorder.round("rint", self)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __index__(self) -> int:
        return operator.index(self.value)

    def __float__(self) -> float:
        return float(self.value)

    def __repr__(self) -> str:
        return f"Number({self.value!r})"

    __hash__ = None  # type: ignore[assignment]


def _operator(name: str, swap: bool) -> Callable[[Number, Any], Any]:
    def method(self: Number, other: Any) -> Any:
        if not isinstance(plain(other), (int, float, np.number, np.bool_)):
            return NotImplemented
        return self.recorder.binary(name, *((other, self) if swap else (self, other)))

    return method


for _name in OPERATORS:
    setattr(Number, f"__{_name}__", _operator(_name, swap=False))
    setattr(Number, f"__r{_name}__", _operator(_name, swap=True))
for _name in COMPARISONS:
    setattr(Number, f"__{_name}__", _operator(_name, swap=False))


class Memory:
    """The elements of one array: which were read before anything was written there, which written.

    Args:
        values: one row of a column, as an array (1, …).
        is_shared: all rows have the same array, a table: it is no row's traffic.
    """

    def __init__(self, values: Any, is_shared: bool = False) -> None:
        self.dtype = values.dtype
        self.is_shared = is_shared
        self.read: set[int] = set()
        self.written: set[int] = set()
        self.held: dict[int, Any] = {}


class Column:
    """An array whose elements are `Number`s, or a view of one; it takes part in no arithmetic."""

    def __init__(
        self, recorder: Recorder, values: Any, memory: Memory | None = None, places: Any = None
    ) -> None:
        self.recorder = recorder
        self.values = values
        if memory is None:
            memory = Memory(values)
            recorder.memories.append(memory)
        self.memory = memory
        if places is None:
            places = np.arange(values.size).reshape(values.shape)
        self.places = places
        self.dtype, self.shape = values.dtype, values.shape
        self.size, self.ndim = values.size, values.ndim

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Any:
        return (self[k] for k in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        places = self.places[index]
        if isinstance(places, np.ndarray):
            return Column(self.recorder, self.values[index], self.memory, places)
        place = int(places)
        if place not in self.memory.held:
            self.memory.read.add(place)
            self.memory.held[place] = self.recorder.leaf(self.values[index])
        return self.memory.held[place]

    def __setitem__(self, index: Any, value: Any) -> None:
        places = self.places[index]
        if isinstance(places, np.ndarray):
            parts = value if isinstance(value, Column) else np.asarray(plain(value))
            source = np.broadcast_to(np.arange(parts.size).reshape(parts.shape), places.shape)
            flat = [self._flat(parts, k) for k in range(parts.size)]
            target = self[index]
            for where in np.ndindex(places.shape):
                target[where] = flat[source[where]]
            return
        number = self.recorder.cast(self.dtype.type, value)
        self.values[index] = plain(number)
        self.memory.held[int(places)] = number
        self.memory.written.add(int(places))

    @staticmethod
    def _flat(parts: Any, k: int) -> Any:
        return parts[np.unravel_index(k, parts.shape)] if parts.shape else parts[()]


class Recorder:
    """What one step of one row does."""

    def __init__(self) -> None:
        self.operations: Counter[str] = Counter()
        """By kind and width: "add32", "multiply64", "divide32", "square_root32", "compare64",
        "round32", "convert64", and "integer"."""
        self.calls: dict[tuple[Any, ...], tuple[float, ...]] = {}
        """The arguments of each call of a function of the C library, by its name and theirs."""
        self.draws = 0
        self.memories: list[Memory] = []
        self._known: dict[tuple[Any, ...], Any] = {}
        self._ids = 0
        self._pausing = 0
        self._copies: dict[Any, Any] = {}

    # -- numbers -----------------------------------------------------------------------------------

    def leaf(self, value: Any) -> Number:
        """Return a number of its own."""
        self._ids += 1
        return Number(self, self._ids, _strict(value))

    def keep(self, key: tuple[Any, ...], value: Any, *kinds: str, whole: Any = None) -> Number:
        """Return the number that `key` tells how to compute; count it unless it is known."""
        if key not in self._known:
            self._known[key] = self.leaf(value)
            self._known[key].whole = whole
            if not self._pausing:
                self.operations.update(kinds)
        found: Number = self._known[key]
        return found

    def _id(self, value: Any) -> Any:
        if isinstance(value, Number):
            return value.id
        return (type(value).__name__, repr(value))

    def _ids_of(self, values: Iterable[Any]) -> tuple[Any, ...]:
        return tuple(self._id(value) for value in values)

    def binary(self, name: str, a: Any, b: Any) -> Any:
        """Return the result of an operator."""
        # A constant that a branch has chosen is no constant to the compiler. It is taken for one
        # here, which can only make the count smaller, by an operation that a special value saves.
        x, y = _strict(plain(a)), _strict(plain(b))
        simple = self._simplified(name, a, b, x, y)
        if simple is not None:
            return simple
        ids = self._ids_of((a, b))
        if name in COMMUTATIVE:
            ids = tuple(sorted(ids, key=str))
        floats = [value for value in (x, y) if _is_float(value)]
        if name in COMPARISONS:
            bits = max(map(_bits, floats), default=0)
            kinds = [f"compare{bits}"] if floats else ["integer"]
            return self.keep((name, *ids), bool(COMPARISONS[name](x, y)), *kinds)
        if not floats:
            is_logic = isinstance(x, bool) and isinstance(y, bool) and name in ("and", "or", "xor")
            result = OPERATORS[name](x, y)
            if _is_float(result):
                return self.keep((name, *ids), np.float64(result), "divide64")
            return self.keep((name, *ids), result, *([] if is_logic else ["integer"]))
        # Whole numbers beside a float take the width that NumPy and Numba give them: 64 bits.
        x, y = (np.int64(value) if isinstance(value, int) else value for value in (x, y))
        with np.errstate(all="ignore"):
            result = OPERATORS[name](x, y)
        return self._arithmetic(name, ids, result, x, y, b)

    def _simplified(self, name: str, a: Any, b: Any, x: Any, y: Any) -> Any:
        """Return what a compiler makes of an operation with a special constant, or None."""
        constant, other, value = (b, a, y) if isinstance(a, Number) else (a, b, x)
        if isinstance(constant, Number) or not _is_float(plain(other)):
            return None
        if _is_float(value) and _bits(value) != _bits(plain(other)):
            return None
        if name == "mul" or (name == "truediv" and constant is b):
            if value == 1.0:
                return other
            if value == -1.0:
                return self.sign("neg", other)
        if name == "sub" and constant is b and value == 0.0 and not np.signbit(value):
            return other
        return None

    def _arithmetic(
        self, name: str, ids: tuple[Any, ...], result: Any, x: Any, y: Any, b: Any
    ) -> Any:
        bits = _bits(result)
        if name == "pow":
            if y == 2.0 and not isinstance(b, Number):
                return self.keep(("square", ids[0]), result, f"multiply{bits}")
            return self._call("pow", ids, result, (float(x), float(y)))
        if name in ("mod", "floordiv"):
            # A quotient, rounded, and what it leaves.
            kinds = [f"{kind}{bits}" for kind in ("divide", "round", "multiply", "add")]
            return self.keep((name, *ids), result, *(kinds if name == "mod" else kinds[:2]))
        kind = {"add": "add", "sub": "add", "mul": "multiply", "truediv": "divide"}[name]
        if name == "mul" and ids[0] == ids[1]:
            return self.keep(("square", ids[0]), result, f"multiply{bits}")
        if name == "truediv" and not isinstance(b, Number) and abs(math.frexp(y)[0]) == 0.5:
            kind = "multiply"  # The reciprocal of a power of two is exact.
        return self.keep((name, *ids), result, f"{kind}{bits}")

    def sign(self, name: str, x: Any) -> Any:
        """Return -x or abs(x)."""
        if not isinstance(x, Number):
            return SIGNS[name](x)
        kinds = [] if _is_float(x.value) else ["integer"]
        value = _strict(x.value)
        if isinstance(value, bool):
            value = int(value)
        return self.keep((SIGNS[name].__name__, x.id), SIGNS[name](value), *kinds)

    def round(self, name: str, x: Any) -> Any:
        """Return a rounded float as an integer."""
        function = ROUNDINGS[name]
        if not isinstance(x, Number) or not _is_float(x.value):
            return x if isinstance(x, Number) else function(x)
        result = function(float(x.value))
        if x.whole is None:
            rounded = type(x.value)(result)
            whole = self.keep((name, x.id), rounded, f"round{_bits(x.value)}")
            whole.whole = whole
        else:
            whole = x.whole
        # As an integer it is converted only if it is used as one.
        return self.keep(("whole", whole.id), result, whole=whole)

    def _round_as_float(self, name: str, x: Any) -> Any:
        found = self.round(name, x)
        return found.whole if isinstance(found, Number) and found.whole is not None else found

    def cast(self, kind: Any, x: Any) -> Any:
        """Return `kind(x)`, `kind` being one of NumPy's types of numbers, int, float or bool."""
        if kind is float:
            kind = np.float64
        if not isinstance(x, Number):
            return kind(x)
        is_float, to_float = _is_float(x.value), issubclass(kind, np.floating)
        if to_float and x.whole is not None and type(x.whole.value) is kind:
            return x.whole
        if is_float == to_float and (not is_float or type(x.value) is kind):
            value = kind(x.value)
            if is_float or value == x.value:
                return x
            return self.keep(("cast", kind.__name__, x.id), value)  # Bits are left out, for free.
        if kind in (bool, np.bool_):
            return self.binary("ne", x, 0)
        with np.errstate(all="ignore"):
            value = kind(x.value)
        if isinstance(x.value, bool):
            return self.keep(("cast", kind.__name__, x.id), value)
        bits = max(_bits(number) for number in (x.value, value) if _is_float(number))
        # To integers of whatever width it is one conversion.
        name = kind.__name__ if to_float else "integer"
        source = x.whole if x.whole is not None else x
        return self.keep(("convert", name, source.id), value, f"convert{bits}")

    def extreme(self, name: str, *values: Any) -> Any:
        """Return the smallest or largest of numbers."""
        found = values[0]
        for value in values[1:]:
            if not isinstance(found, Number) and not isinstance(value, Number):
                found = EXTREMES[name](found, value)
                continue
            x, y = _strict(plain(found)), _strict(plain(value))
            result = EXTREMES[name](x, y)
            floats = [number for number in (x, y) if _is_float(number)]
            if floats:
                kind = np.float64 if max(map(_bits, floats)) == 64 else np.float32
                result, kinds = kind(result), [f"compare{_bits(kind(0))}"]
            else:
                kinds = ["integer"]
            key = (EXTREMES[name].__name__, *self._ids_of((found, value)))
            found = self.keep(key, result, *kinds)
        return found

    def call(self, name: str, function: Any, *arguments: Any) -> Any:
        """Return the result of a function of `math` or NumPy."""
        if not any(isinstance(argument, Number) for argument in arguments):
            return function(*arguments)
        x = arguments[0]
        bits = max(_bits(_strict(plain(argument))) for argument in arguments)
        if name in EXTREMES:
            return self.extreme(name, *arguments)
        if name in ROUNDINGS:
            return self.round(name, x)
        if name in SIGNS:
            return self.sign(name, x)
        if name == "square":
            return x * x
        if name == "clip":
            return self.extreme("min", self.extreme("max", x, arguments[1]), arguments[2])
        if name == "pow" or name == "power":
            return x ** arguments[1]
        if name in ("fmod", "mod", "remainder"):
            return x % arguments[1]
        ids = self._ids_of(arguments)
        with np.errstate(all="ignore"):
            result = function(*(_strict(plain(argument)) for argument in arguments))
        if name in TESTS:
            return self.keep((name, *ids), bool(result), f"compare{bits}")
        if name == "copysign":
            return self.keep((name, *ids), self._like(result, bits))
        if name == "sqrt":
            return self.keep((name, *ids), self._like(result, bits), f"square_root{bits}")
        return self._call(name, ids, self._like(result, bits), tuple(map(float, arguments)))

    @staticmethod
    def _like(result: Any, bits: int) -> Any:
        return (np.float32 if bits == 32 else np.float64)(result)

    def _call(self, name: str, ids: tuple[Any, ...], value: Any, arguments: Any) -> Number:
        if not self._pausing:
            self.calls.setdefault((name, *ids), arguments)
        return self.keep((name, *ids), value)

    def library_calls(self) -> list[tuple[str, tuple[float, ...]]]:
        """Return name and arguments of each call of the C library.

        The sine and cosine of one angle are one call, of `sincos`, as compilers make it.
        """
        found = []
        for (name, *ids), arguments in self.calls.items():
            both = ("sin", *ids) in self.calls and ("cos", *ids) in self.calls
            if name in ("sin", "cos") and both:
                if name == "sin":
                    found.append(("sincos", arguments))
            else:
                found.append((name, arguments))
        return found

    def draw(self, function: Any, *arguments: Any) -> Any:
        """Return what a function of `batchsim.random` draws; its own arithmetic is not counted."""
        self.draws += 1
        self._pausing += 1
        try:
            result = function(*(plain(argument) for argument in arguments))
        finally:
            self._pausing -= 1
        return None if result is None else self.leaf(plain(result))

    # -- functions ---------------------------------------------------------------------------------

    def rebind(self, copy: types.FunctionType) -> types.FunctionType:
        """Make a function, whose globals are its own, see recording functions by the old names."""
        names = copy.__globals__
        for name in _names(copy.__code__):
            if name in names:
                names[name] = self.stand_in(names[name])
            elif name in BUILTINS:
                names[name] = self.stand_in(getattr(builtins, name))
        return copy

    def stand_in(self, value: Any) -> Any:
        """Return what takes the place of a function, module or array."""
        with contextlib.suppress(TypeError):  # what cannot be hashed is no function
            value = COMPUTED_IN_PLACE.get(value, value)
        if isinstance(value, types.ModuleType):
            return _Module(self, value)
        if isinstance(value, np.ndarray):
            return Column(self, value, Memory(value, is_shared=True))
        if isinstance(value, types.FunctionType):
            if value.__module__ in MODULES.values():
                return lambda *arguments: self.draw(value, *arguments)
            return self._copy(value) if value.__module__ in compile.LIBRARIES else value
        if isinstance(value, type) and (
            issubclass(value, np.number) or value in (int, float, bool, np.bool_)
        ):
            return lambda x=0: self.cast(value, x)
        if isinstance(value, (np.ufunc, types.BuiltinFunctionType)):
            numpys = isinstance(value, np.ufunc)
            return lambda *arguments: self._function(value, numpys, *arguments)
        return value

    def _function(self, function: Any, numpys: bool, *arguments: Any) -> Any:
        name = function.__name__
        if numpys and name in ROUNDINGS and isinstance(arguments[0], Number):
            return self._round_as_float(name, arguments[0])  # NumPy's return floats.
        return self.call(C_NAMES.get(name, name), function, *arguments)

    def _copy(self, function: types.FunctionType) -> Any:
        """Return a recording copy of a function of `batchsim.math`."""
        if function not in self._copies:
            copy = types.FunctionType(
                function.__code__,
                dict(function.__globals__),
                function.__name__,
                function.__defaults__,
                function.__closure__,
            )
            self._copies[function] = copy
            self.rebind(copy)
        return self._copies[function]


C_NAMES = {
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arctan2": "atan2",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
}
"""What the C library calls NumPy's functions."""


class _Module:
    """A module whose functions record."""

    def __init__(self, recorder: Recorder, module: types.ModuleType) -> None:
        self._recorder = recorder
        self._module = module

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        if self._module is np and name in ("clip", "round"):
            return lambda *arguments: self._recorder.call(name, value, *arguments)
        return self._recorder.stand_in(value)


def _names(code: types.CodeType) -> set[str]:
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= _names(constant)
    return found
