"""Writes random expressions and statements of small arrays.

What NumPy makes of an expression, its dtype and shape, NumPy is asked itself: each array comes with
a sample of ones. Ranges keep numbers finite, divisors from zero, and what is stored within a
column; whole numbers wrap around in their width.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .expressions import Column, Expressions
from .vocabulary import LARGEST_INT, Expression, boolean, bounded

LARGEST = 1e6
"""What floats are cut to beyond."""
FINITE = 1e30
SHAPES = [(2,), (3,), (4,), (5,), (8,), (9,), (1,), (2, 2), (2, 3), (3, 3), (4, 2), (2, 2, 2)]
KINDS = ["float64", "float64", "float64", "float32", "float32", "int64", "int8", "uint8", "int32"]
KINDS += ["bool", "uint16"]


class Array(NamedTuple):
    """An expression that is an array."""

    text: str
    sample: np.ndarray[Any, Any]
    low: float
    high: float

    @property
    def kind(self) -> str:
        """NumPy's letter: f, i, u or b."""
        return self.sample.dtype.kind

    @property
    def shape(self) -> tuple[int, ...]:
        """How many elements each axis has."""
        return self.sample.shape

    @property
    def size(self) -> float:
        """The largest magnitude."""
        return max(abs(self.low), abs(self.high))


Ends = tuple[float, float]
Range = Callable[..., Ends]


def _around(*sizes: float) -> Ends:
    return -max(sizes), max(sizes)


def _sum(a: Any, b: Any) -> Ends:
    return a.low + b.low, a.high + b.high


def _difference(a: Any, b: Any) -> Ends:
    return a.low - b.high, a.high - b.low


def _product(a: Any, b: Any) -> Ends:
    return _around(a.size * b.size)


def _lesser(a: Any, b: Any) -> Ends:
    return min(a.low, b.low), min(a.high, b.high)


def _greater(a: Any, b: Any) -> Ends:
    return max(a.low, b.low), max(a.high, b.high)


def _both(a: Any, b: Any) -> Ends:
    return min(a.low, b.low), max(a.high, b.high)


def _truth(*_: Any) -> Ends:
    return 0, 1


def _same(a: Any) -> Ends:
    return a.low, a.high


def _bits(a: Any, b: Any) -> Ends:
    top = 2 ** int(max(a.size, b.size)).bit_length()
    return -top, top - 1


OF_TWO: list[tuple[float, str, Range, str]] = [
    (5, "({} + {})", _sum, "biuf"),
    (4, "({} - {})", _difference, "iuf"),
    (5, "({} * {})", _product, "biuf"),
    (2, "({} / (np.abs({}) + 0.5))", lambda a, b: _around(2 * a.size), "f"),
    (0.7, "({} % (np.abs({}) + 0.25))", lambda a, b: _around(b.size + 0.25), "f"),
    (0.5, "({} // (np.abs({}) + 0.25))", lambda a, b: _around(4 * a.size + 1), "f"),
    (0.7, "({} // {})", lambda a, b: _around(a.size), "iu"),
    (0.7, "({} % {})", lambda a, b: _around(b.size), "iu"),
    (1, "({} & {})", _bits, "biu"),
    (1, "({} | {})", _bits, "biu"),
    (1, "({} ^ {})", _bits, "biu"),
    *((0.5, f"({{}} {sign} {{}})", _truth, "biuf") for sign in ("<", "<=", ">", ">=", "==", "!=")),
    (1, "np.minimum({}, {})", _lesser, "biuf"),
    (1, "np.maximum({}, {})", _greater, "biuf"),
    (0.4, "np.fmin({}, {})", _lesser, "f"),
    (0.4, "np.hypot({}, {})", lambda a, b: (0, 2 * (a.size + b.size)), "f"),
    (0.4, "np.arctan2({}, {})", lambda a, b: _around(3.2), "f"),
    (0.4, "np.copysign({}, {})", lambda a, b: _around(a.size), "f"),
    (0.4, "np.logical_and({}, {})", _truth, "biuf"),
    (0.4, "np.logical_xor({}, {})", _truth, "biuf"),
]
"""Weight, text, range, and NumPy's letters of operands."""

OF_ONE: list[tuple[float, str, Range, str]] = [
    (1, "(-{})", lambda a: (-a.high, -a.low), "iuf"),
    (0.5, "(+{})", _same, "iuf"),
    (1, "(~{})", lambda a: (-a.high - 1, -a.low), "biu"),
    (1, "np.abs({})", lambda a: (0, a.size), "iuf"),
    (0.5, "abs({})", lambda a: (0, a.size), "iuf"),
    (1, "np.sign({})", lambda a: _around(1), "iuf"),
    (1, "np.square({})", lambda a: (0, a.size**2), "iuf"),
    (1, "({} ** 2)", lambda a: (0, a.size**2), "iuf"),
    (0.5, "({} ** 3)", lambda a: _around(a.size**3), "iuf"),
    (0.5, "(np.abs({}) ** 0.5)", lambda a: (0, a.size + 1), "f"),
    (0.5, "((np.abs({}) + 0.5) ** -1)", lambda a: (0, 2), "f"),
    (1, "np.sqrt(np.abs({}))", lambda a: (0, a.size + 1), "f"),
    (0.7, "np.floor({})", lambda a: (math.floor(a.low), a.high), "f"),
    (0.5, "np.ceil({})", lambda a: (a.low, math.ceil(a.high)), "f"),
    (0.5, "np.rint({})", lambda a: (a.low - 1, a.high + 1), "f"),
    (0.5, "np.trunc({})", lambda a: _around(a.size), "f"),
    (0.5, "np.round({}, 1)", lambda a: (a.low - 1, a.high + 1), "f"),
    (0.7, "np.sin({})", lambda a: _around(1), "f"),
    (0.7, "np.cos({})", lambda a: _around(1), "f"),
    (0.7, "np.tanh({})", lambda a: _around(1), "f"),
    (0.5, "np.exp(np.minimum({}, 5.0))", lambda a: (0, 150), "f"),
    (0.5, "np.log(np.abs({}) + 0.01)", lambda a: _around(15), "f"),
    (0.4, "np.logical_not({})", _truth, "biuf"),
    (0.7, "({} << 1)", lambda a: _around(2 * a.size), "iu"),
    (0.7, "({} >> 2)", lambda a: _around(a.size), "iu"),
]

REARRANGED = [
    "{}[::-1]", "np.roll({}, 1)", "np.flip({})", "{}.copy()", "np.array({})", "np.clip({}, LOW)",
    "np.sort({})",
]  # fmt: skip
OTHERS = [
    "{}.T", "{}.ravel()", "{}[1:]", "{}[:-1]", "{}[::2]", "{}[..., 0]", "{}[None]", "{}.flatten()",
    "np.repeat({}, 2)", "np.tile({}, 2)", "np.cumsum({})", "{}.reshape(-1)", "{}[0]", "{}[-1]",
    "np.expand_dims({}, 0)", "{}.T.copy()", "{}[1:2]", "{}[[0, -1]]", "np.sort({}, axis=0)",
    "{}[np.array([-1, 0, 0])]", "np.sort({}, axis=None)",
]  # fmt: skip
REDUCTIONS = {
    "sum": lambda a, n: _around(n * a.size),
    "mean": lambda a, n: (a.low, a.high + 1e-6 * abs(a.high)),
    "max": lambda a, n: _same(a),
    "min": lambda a, n: _same(a),
    "any": lambda a, n: (0, 1),
    "all": lambda a, n: (0, 1),
    "std": lambda a, n: (0, 2 * a.size),
    "var": lambda a, n: (0, 4 * a.size**2),
    "prod": lambda a, n: _around(max(a.size, 1) ** n),
    "argmax": lambda a, n: (0, n),
    "argmin": lambda a, n: (0, n),
}


class Arrays(Expressions):
    """Writes expressions and statements of arrays; `leaves["array"]` are those that are there."""

    frozen: frozenset[str] = frozenset()
    """Names that must not be changed in place, as others may be the same array."""

    # -- what is known ---------------------------------------------------------------------------

    @property
    def has_arrays(self) -> bool:
        """Whether definitions of this style have expressions of arrays."""
        return self.style == "expressions"

    def arrays_there(self) -> list[Array]:
        """Return names, rows of columns and tables that are arrays."""
        found: list[Any] = list(self.leaves.get("array", []))
        for column in self.readable_arrays():
            text, shape = column.name, column.shape
            if text == "COUNTS" or (text.startswith("p.") and len(shape) == 1):
                continue  # A tuple, and what has a length that is not known.
            if text.startswith("s."):
                text = f"{text}[i]"
            if text.startswith("p."):
                text, shape = f"{text}[{self.index(shape[0])}]", shape[1:]
            found.append(Array(text, np.ones(shape, column.dtype), column.low, column.high))
        return found

    def made(self, template: str, range_: Range, *operands: Any) -> Array | None:
        """Return what a template makes of operands, None if that is no small array of numbers."""
        names = {f"x{k}": operand.sample for k, operand in enumerate(operands)}
        try:
            with np.errstate(all="ignore"):
                sample = eval(template.format(*names), {"np": np, **names})
            low, high = range_(*operands)
        except (ValueError, TypeError, OverflowError, IndexError, np.linalg.LinAlgError):
            return None
        text = template.format(*(operand.text for operand in operands))
        if not isinstance(sample, np.ndarray) or sample.dtype.kind not in "biuf":
            return None
        if sample.dtype == np.float16 or not 0 < sample.size <= 64 or sample.ndim == 0:
            return None
        return self.settled(Array(text, np.ones_like(sample), low, high))

    def settled(self, array: Array) -> Array | None:
        """Return an array whose range is right, and not too large."""
        text, sample, low, high = array
        if sample.dtype.kind == "b":
            return array._replace(low=0, high=1)
        if sample.dtype.kind in "iu":
            limits = np.iinfo(sample.dtype)
            if low < limits.min or high > limits.max:
                low, high = int(limits.min), int(limits.max)
            return Array(text, sample, low, high)
        if not array.size < FINITE:
            return None
        if array.size > LARGEST:
            return Array(f"np.clip({text}, -50.0, 50.0)", sample, -50.0, 50.0)
        room = 1e-5 * array.size
        return Array(text, sample, low - room, high + room)

    def number_beside(self, array: Array) -> Array:
        """Return a number that goes with an array: as an operand, whose sample is a number."""
        if array.kind == "f" and self.chance(0.5) and array.sample.dtype == np.float64:
            found = self.expression("float", 1)
            if found.size <= LARGEST:
                return Array(found.text, np.float64(1), found.low, found.high)  # type: ignore[arg-type]
        if array.sample.dtype == np.int64 and self.chance(0.4):
            found = self.expression("int", 1)
            if found.size < 2**40:
                return Array(found.text, 1, found.low, found.high)  # type: ignore[arg-type]
        scalars = [
            column
            for column in self.columns
            if not column.shape and column.dtype == str(array.sample.dtype)
        ]
        if scalars and self.state_is_known and self.chance(0.3):
            column = self.pick(scalars)
            one: Any = np.dtype(column.dtype).type(1)
            return Array(f"{column.name}[i]", one, column.low, column.high)
        if array.kind == "f" and self.chance(0.7):
            value = self.literal("float")
            if self.chance(0.2):
                leaf = self.leaf("float")
                if leaf.size <= LARGEST:
                    value = leaf._replace(text=f"float({leaf.text})")
            return Array(value.text, 1.0, value.low, value.high)  # type: ignore[arg-type]
        low = 0 if array.kind == "u" else -9
        value = self.literal("int", low, 20)
        return Array(value.text, 1, value.low, value.high)  # type: ignore[arg-type]

    # -- expressions -----------------------------------------------------------------------------

    def forget(self) -> None:
        super().forget()
        self.frozen = frozenset()

    def expression(self, kind: str, depth: int = 2) -> Expression:
        """Return an expression of a kind, of at most so many levels."""
        if self.has_arrays and depth > 0 and kind != "float32" and self.chance(0.15):
            found = self.number(kind)
            if found is not None and (kind != "int" or found.size <= LARGEST_INT):
                return bounded(found)
        return super().expression(kind, depth)

    def array(self, depth: int = 2, shape: tuple[int, ...] | None = None) -> Array:
        """Return an array, of a shape if one is given."""
        if depth <= 0:
            return self.array_leaf(shape)
        for _ in range(8):
            found = self.pick(
                [self.of_two, self.of_one, self.rearranged, self.chosen, self.reduced_array,
                 self.joined, self.product, self.cast, self.array_leaf_at, self.computed_index],
                [6, 3, 1.5, 1, 1, 0.8, 0.8, 0.7, 1, 0.4],
            )(depth, shape)  # fmt: skip
            if found is not None and shape in (None, found.shape):
                return found  # type: ignore[no-any-return]
        return self.array_leaf(shape)

    def array_leaf_at(self, depth: int, shape: tuple[int, ...] | None) -> Array:
        return self.array_leaf(shape)

    def array_leaf(self, shape: tuple[int, ...] | None = None) -> Array:
        """Return an array that is there, or is written there."""
        there = [a for a in self.arrays_there() if shape in (None, a.shape)]
        if there and self.chance(0.85):
            return self.pick(there)  # type: ignore[no-any-return]
        if shape is None:
            shape = self.pick(SHAPES)
        assert shape is not None
        dtype = np.dtype(self.pick(KINDS))
        way = self.pick(["written", "full", "arange", "zeros"], [4, 2, 1, 0.5])
        suffix = self.dtype_text(dtype)
        if way == "arange":
            count = math.prod(shape)
            text = f"np.arange({count})" + (f".reshape({shape})" if len(shape) > 1 else "")
            return Array(text, np.ones(shape, np.int64), 0, count)
        if way == "zeros":
            name, value = self.pick([("zeros", 0), ("ones", 1)])
            return Array(f"np.{name}({shape}, {suffix})", np.ones(shape, dtype), value, value)
        value = {"b": "bool", "f": "float"}.get(dtype.kind, "int")
        low = 0 if dtype.kind == "u" else -9
        if way == "full" or math.prod(shape) > 9:
            one = self.literal(value, low, 20)
            return Array(
                f"np.full({shape}, {one.text}, {suffix})",
                np.ones(shape, dtype),
                math.floor(one.low),
                math.ceil(one.high),
            )
        parts = []
        for _ in range(math.prod(shape)):
            one = self.literal(value, low, 20)
            if dtype == np.float64 and self.chance(0.5):
                leaf = self.leaf("float")
                one = leaf if leaf.size <= LARGEST else one
            parts.append(one)
        text = self.nested([part.text for part in parts], shape)
        low = min(part.low for part in parts) - 1
        high = max(part.high for part in parts) + 1
        found = self.settled(Array(f"np.array({text}, {suffix})", np.ones(shape, dtype), low, high))
        assert found is not None
        return found

    def dtype_text(self, dtype: np.dtype[Any]) -> str:
        return f"np.{'bool_' if dtype.kind == 'b' else dtype.name}"

    def nested(self, parts: list[str], shape: tuple[int, ...]) -> str:
        if len(shape) == 1:
            return f"[{', '.join(parts)}]"
        step = len(parts) // shape[0]
        rows = [parts[k : k + step] for k in range(0, len(parts), step)]
        return f"[{', '.join(self.nested(row, shape[1:]) for row in rows)}]"

    def of_two(self, depth: int, shape: tuple[int, ...] | None) -> Array | None:
        a = self.array(depth - 1, shape)
        others = [None, a.shape, a.shape[-1:], (1,), (*a.shape[:-1], 1)]
        other = self.pick(others, [2, 4, 1, 0.3, 0.5])
        b = self.number_beside(a) if other is None else self.array(depth - 1, other)
        if self.chance(0.5):
            a, b = b, a
        kinds = {np.asarray(part.sample).dtype.kind for part in (a, b)}
        ways = [way for way in OF_TWO if kinds <= set(way[3])]
        _, template, range_, _ = self.pick(ways, [way[0] for way in ways])
        if "abs" in template and not isinstance(b.sample, np.ndarray):
            return None  # A number of NumPy's, whose width counts.
        return self.made(template, range_, a, b)

    def of_one(self, depth: int, shape: tuple[int, ...] | None) -> Array | None:
        a = self.array(depth - 1, shape)
        ways = [way for way in OF_ONE if a.kind in way[3]]
        _, template, range_, _ = self.pick(ways, [way[0] for way in ways])
        return self.made(template, range_, a)

    def rearranged(self, depth: int, shape: tuple[int, ...] | None) -> Array | None:
        a = self.array(depth - 1, shape)
        template = self.pick(REARRANGED if shape is not None or self.chance(0.4) else OTHERS)
        if "LOW" in template:
            return self.clipped(a)
        if "cumsum" in template:
            return self.made(template, lambda a: _around(a.size * a.sample.size), a)
        return self.made(template, _same, a)

    def clipped(self, a: Array) -> Array | None:
        if a.kind == "b":
            return None
        ends = sorted(
            self.literal("float" if a.kind == "f" else "int", 0 if a.kind == "u" else -9, 20).low
            for _ in range(2)
        )
        return self.made(f"np.clip({{}}, {ends[0]!r}, {ends[1]!r})", lambda a: (*ends,), a)

    def chosen(self, depth: int, shape: tuple[int, ...] | None) -> Array | None:
        a = self.array(depth - 1, shape)
        b = self.array(depth - 1, a.shape) if self.chance(0.6) else self.number_beside(a)
        mask = self.array(depth - 1, a.shape)
        if mask.kind != "b":
            mask = mask._replace(text=f"({mask.text} > 1)", sample=np.ones(mask.shape, bool))
        return self.made("np.where({}, {}, {})", lambda m, a, b: _both(a, b), mask, a, b)

    def reduced_array(self, depth: int, shape: tuple[int, ...] | None) -> Array | None:
        a = self.array(depth - 1)
        axis = self.count(-a.sample.ndim, a.sample.ndim - 1)
        name = self.pick(list(REDUCTIONS))
        if name == "prod" and (a.kind in "iub" or max(a.size, 1) ** a.shape[axis] > FINITE):
            name = "sum"
        if name in ("std", "var") and a.kind != "f":
            name = "mean"
        keep = ", keepdims=True" if self.chance(0.3) and not name.startswith("arg") else ""
        text = f"{{}}.{name}(axis={axis}{keep})"
        if self.chance(0.5):
            text = f"np.{name}({{}}, axis={axis}{keep})"
        return self.made(text, lambda a: REDUCTIONS[name](a, a.shape[axis]), a)

    def joined(self, depth: int, shape: tuple[int, ...] | None) -> Array | None:
        a = self.array(depth - 1)
        b = self.array(depth - 1, a.shape)
        name = self.pick(["concatenate", "stack", "hstack", "vstack", "outer", "append"])
        if name in ("outer", "append"):
            range_ = _product if name == "outer" else _both
            return self.made(f"np.{name}({{}}, {{}})", range_, a, b)
        return self.made(f"np.{name}([{{}}, {{}}])", _both, a, b)

    def product(self, depth: int, shape: tuple[int, ...] | None) -> Array | None:
        a = self.array(depth - 1, shape if self.chance(0.5) else None)
        count = a.shape[-1]
        if len(a.shape) == 2 and a.shape[0] == count and a.kind == "f" and self.chance(0.2):
            solver = f"np.linalg.inv(np.sin({{}}) + {count + 1}.0 * np.eye({count}))"
            return self.made(solver, lambda a: _around(1.5), a)
        if len(a.shape) == 2 and self.chance(0.3):
            return self.made("({0} @ {0}.T)", lambda a: _around(count * a.size**2), a)
        if len(a.shape) == 2 and a.kind == "f" and self.chance(0.2):
            norm = "np.linalg.norm({}, axis=1)"
            return self.made(norm, lambda a: (0, a.size * count), a)
        b = self.array(depth - 1, self.pick([(count,), (count, 2), (count, 3)]))
        if len(a.shape) > 2 or "b" in (a.kind, b.kind):
            return None
        text = self.pick(["({} @ {})", "np.dot({}, {})"])
        return self.made(text, lambda a, b: _around(count * a.size * b.size), a, b)

    def cast(self, depth: int, shape: tuple[int, ...] | None) -> Array | None:
        a = self.array(depth - 1, shape)
        dtype = np.dtype(self.pick(KINDS))
        if a.kind == "f" and dtype.kind in "iu":
            clip = f"np.clip({{}}, {0 if dtype.kind == 'u' else -100}.0, 100.0)"
            return self.made(
                f"{clip}.astype({self.dtype_text(dtype)})",
                lambda a: (-100 * (dtype.kind == "i"), 100),
                a,
            )
        if a.kind in "iu" and dtype.kind == "u" and a.low < 0:
            return self.made(f"{{}}.astype({self.dtype_text(dtype)})", lambda a: (0, FINITE), a)
        return self.made(f"{{}}.astype({self.dtype_text(dtype)})", _same, a)

    def computed_index(self, depth: int, shape: tuple[int, ...] | None) -> Array | None:
        a = self.array_leaf()
        if len(a.shape) < 2:
            return None
        if self.chance(0.5):
            text = f"{a.text}[{self.index(a.shape[0])}]"
            return Array(text, a.sample[0], a.low, a.high)
        text = f"{a.text}[:, {self.index(a.shape[1])}]"
        return Array(text, a.sample[:, 0], a.low, a.high)

    # -- numbers out of arrays -------------------------------------------------------------------

    def number(self, kind: str, depth: int = 1) -> Expression | None:
        """Return a number that is computed of an array."""
        a = self.array(depth)
        count = a.sample.size
        if kind == "bool":
            if a.kind != "b":
                a = a._replace(text=f"({a.text} > {self.literal('int', 0, 9).text})")
            return boolean(f"{self.pick(['np.any', 'np.all'])}({a.text})")
        if kind == "int":
            if a.kind in "biu" and self.chance(0.5):
                element = self.element_of(a)
                return Expression(f"int({element})", "int", a.low, a.high)
            if a.kind == "b":
                return Expression(f"int({a.text}.sum())", "int", 0, count)
            text = self.pick(["{}.argmax()", "np.argmin({})", "np.count_nonzero({})"])
            return Expression(f"int({text.format(a.text)})", "int", 0, count)
        if a.kind != "f":
            low, high = a.low - 1, a.high + 1
            return Expression(f"float({a.text}.mean())", "float", low, high)
        wide = "{}" if a.sample.dtype == np.float64 else "float({})"
        way = self.pick(["element", "sum", "mean", "max", "min", "std", "norm", "dot"])
        size = a.size * (1 + 1e-5)
        if way == "element":
            return Expression(wide.format(self.element_of(a)), "float", -size, size)
        if way == "norm" and len(a.shape) == 1:
            return Expression(wide.format(f"np.linalg.norm({a.text})"), "float", 0, size * count)
        if way == "dot" and len(a.shape) == 1:
            b = self.array(depth, a.shape)
            if b.sample.dtype == a.sample.dtype:
                top = count * size * b.size
                return Expression(wide.format(f"({a.text} @ {b.text})"), "float", -top, top)
        if way in ("norm", "dot", "element"):
            way = "sum"
        text = wide.format(f"{a.text}.{way}()" if self.chance(0.5) else f"np.{way}({a.text})")
        low, high = REDUCTIONS[way](a._replace(low=-size, high=size), count)
        return Expression(text, "float", low, high)

    def element_of(self, array: Array) -> str:
        """Return text of an element; the index may be computed."""
        indices = [self.index(length) for length in array.shape]
        if self.chance(0.2):
            indices[0] = str(self.count(-array.shape[0], -1))
        return f"{array.text}[{', '.join(indices)}]"

    # -- statements ------------------------------------------------------------------------------

    def fit(self, array: Array, column: Column) -> str:
        """Return text of an array that a column, or what is like one, may hold."""
        text, sample = array.text, array.sample
        low, high = column.low, column.high
        if column.kind == "bool":
            return text if array.kind == "b" else f"({text} > {self.literal('int', 0, 5).text})"
        if array.kind == "b" or (low <= array.low and array.high <= high):
            return text
        if column.kind == "float":
            return f"np.clip({text}, {float(low)!r}, {float(high)!r})"
        if array.kind == "f":
            return f"np.clip({text}, {float(low)!r}, {float(high)!r})"
        limits = np.iinfo(sample.dtype)
        low, high = max(int(low), int(limits.min)), min(int(high), int(limits.max))
        return f"np.clip({text}, {low}, {high})"

    def new_array(self) -> None:
        """Bind a new name to an array that is its own."""
        made = self.array(2)
        self.locals += 1
        name = f"a{self.locals}x"
        text = made.text
        if made.text in {a.text for a in self.arrays_there()} or not text.startswith(("(", "np.w")):
            text = f"{text}.copy()"
        self.write(f"{name} = {text}")
        self.leaves.setdefault("array", []).append(made._replace(text=name))  # type: ignore[arg-type]

    def names(self) -> list[Array]:
        """Return the names that may be changed in place."""
        found: list[Any] = self.leaves.get("array", [])
        return [array for array in found if array.text not in self.frozen]

    def written_rows(self) -> list[tuple[Array, Column]]:
        """Return arrays that can be written, and what they may hold."""
        found = [
            (
                Array(f"{c.name}[i]", np.ones(c.shape, c.dtype), c.low, c.high),
                c,
            )
            for c in self.columns
            if c.shape and math.prod(c.shape) <= 64
        ]
        for array in self.names():
            column = Column(array.text, str(array.sample.dtype), array.shape, array.low, array.high)
            found.append((array, column))
        return found

    def change_array(self) -> None:
        """Write into an array: all of it, a part, an element, where a mask says, in place."""
        rows = self.written_rows()
        if not rows:
            return self.new_array()
        array, column = self.pick(rows)
        name = array.text
        is_name = name.isidentifier()
        way = self.pick(
            ["all", "part", "element", "mask", "in place", "part in place", "list"],
            [3, 2, 2, 1, 2, 1, 0.5],
        )
        if way == "all":
            new = self.array(2, array.shape)
            text = self.fit(new, column)
            if not is_name:
                self.write(f"{name}{self.pick(['', '[:]', '[...]'])} = {text}")
                return None
            if new.sample.dtype == array.sample.dtype and self.chance(0.5):
                # Another array: by the name of the last one.
                self.write(f"{name} = {text} + {self.zero(array)}")
                return None
            self.write(f"{name}[:] = {text}")
            return None
        if way == "list" and len(array.shape) == 1 and array.shape[0] <= 5:
            parts = [self.value_for(column._replace(shape=()), 1) for _ in range(array.shape[0])]
            if column.dtype == "float32":
                parts = [f"float({part})" for part in parts]
            self.write(f"{name}[:] = [{', '.join(parts)}]")
            return None
        if way == "element":
            place = self.element_of(array)
            self.write(f"{place} = {self.value_for(column._replace(shape=()), 1)}")
            return None
        if way == "mask":
            mask = self.array(1, array.shape)
            text = mask.text if mask.kind == "b" else f"({mask.text} > 0)"
            self.write(f"{name}[{text}] = {self.constant(column).text}")
            return None
        if way in ("part", "part in place"):
            first = self.pick(["1:", ":-1", "::2", "0", "-1", ":1", "::-1"])
            try:
                part = array.sample[eval(f"np.s_[{first}]", {"np": np})]
            except IndexError:
                return None
            if not isinstance(part, np.ndarray) or not part.size:
                return self.change_array() if self.chance(0.5) else None
            place = f"{name}[{first}]"
            if way == "part":
                new = self.array(1, part.shape)
                self.write(f"{place} = {self.fit(new, column)}")
                return None
            self.in_place(place, array._replace(sample=np.ones(part.shape, part.dtype)), column)
            return None
        self.in_place(name, array, column)
        return None

    def zero(self, array: Array) -> str:
        """Return what changes nothing if it is added, and keeps the type."""
        return "False" if array.kind == "b" else "0"

    def in_place(self, place: str, array: Array, column: Column) -> None:
        """Change an array in place, to something that it may hold."""
        low, high = column.low, column.high
        name = array.text
        if column.kind == "bool":
            new = self.array(1, array.shape)
            text = new.text if new.kind == "b" else f"({new.text} != 0)"
            self.write(f"{place} {self.pick(['&=', '|=', '^='])} {text}")
            return
        if column.kind == "float":
            if low <= 0 <= high and self.chance(0.5):
                self.write(f"{place} *= {self.pick(['0.5', '0.125', '0.99'])}")
                return
            new = self.array(1, array.shape)
            if not np.can_cast(
                np.result_type(new.sample, array.sample), array.sample.dtype, "same_kind"
            ):
                return
            self.write(f"{place} {self.pick(['+=', '-='])} {new.text}")
            ends = f"{float(low)!r}, {float(high)!r}"
        else:
            new = self.array(1, array.shape)
            if not np.can_cast(
                np.result_type(new.sample, array.sample), array.sample.dtype, "same_kind"
            ):
                return
            limits = np.iinfo(array.sample.dtype)
            if array.sample.dtype.itemsize == 8 and new.size > 2**60:
                return
            self.write(f"{place} {self.pick(['+=', '-=', '*=', '//='])} {new.text}")
            ends = f"{max(int(low), int(limits.min))}, {min(int(high), int(limits.max))}"
        # The whole of it: a row by itself, a name by what it is called.
        whole = f"{name}[:]" if name.isidentifier() else name
        self.write(f"{whole} = np.clip({name}, {ends})")

    def go_through(self) -> None:
        """A loop over the elements, or the rows, of an array."""
        array = self.pick(self.arrays_there() or [self.array_leaf()])
        self.locals += 1
        element, total = f"e{self.locals}", f"t{self.locals}"
        self.write(f"{total} = 0.0")
        kept = self.frozen
        self.frozen = kept | {array.text}
        self.in_loop += 1
        header = self.pick(["for {e} in {a}:", "for k{e}, {e} in enumerate({a}):"])
        with self.block(header.format(e=element, a=array.text)):
            if header.startswith("for k"):
                self.know(Expression(f"k{element}", "int", 0, array.shape[0] - 1))
            if len(array.shape) == 1:
                self.write(f"{total} = {total} * 0.5 + float({element})")
            else:
                self.write(f"{total} = {total} * 0.5 + float({element}.mean())")
        self.in_loop -= 1
        self.frozen = kept
        self.know(Expression(total, "float", -2 * array.size - 1, 2 * array.size + 1))

    def swap(self) -> None:
        """Give two names each other's arrays."""
        names = self.names()
        for a in names:
            for b in names:
                same = a.sample.dtype == b.sample.dtype and a.shape == b.shape
                if same and a.text < b.text and self.depth == 1:
                    self.write(f"{a.text}, {b.text} = {b.text}, {a.text}")
                    both = min(a.low, b.low), max(a.high, b.high)
                    self.leaves["array"] = [
                        other._replace(low=both[0], high=both[1])  # type: ignore[misc]
                        if other.text in (a.text, b.text)
                        else other
                        for other in self.leaves["array"]
                    ]
                    return
        self.new_array()
