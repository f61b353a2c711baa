"""What random definitions are written in: expressions whose values are known to lie in a range.

An expression is text with a kind and a range. Ranges keep every definition within what the
author's contract allows, so that any difference between two backends is a fault: divisors are not
zero, arguments lie in a function's domain, what is stored fits the column. `WORDS` is the table of
ways to make an expression of others; an entry that names a switch is used only where that is on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

SWITCHES = {
    "float-of-float32": "float() of a float32 is a float64 number",
    "numpy-functions": "NumPy's transcendental functions of numbers give NumPy's own bits",
    "promotion": "a Python number beside a float32 has its width",
    "unsigned": "int() of an unsigned number is a signed one",
    "python-functions": "math.hypot, gamma and lgamma give Python's own bits",
}
"""Constructs that backends do not agree on in every version, by the name that turns them on."""

DEFAULT_SWITCHES: frozenset[str] = frozenset()

LARGEST_FLOAT = 1e9
LARGEST_INT = 2**61


class Expression(NamedTuple):
    """Text, and what its value can be."""

    text: str
    kind: str
    """"float", "int", "bool", or "float32" (of that width in both backends)."""
    low: float
    high: float

    @property
    def size(self) -> float:
        """The largest magnitude."""
        return max(abs(self.low), abs(self.high))


class Word(NamedTuple):
    """One way to make an expression of others."""

    kind: str
    arguments: tuple[str, ...]
    weight: float
    make: Callable[..., Expression | None]
    """Returns None where the arguments' ranges do not allow it."""
    switch: str = ""


def boolean(text: str) -> Expression:
    """Return an expression that is true or false."""
    return Expression(text, "bool", 0, 1)


def _within(kind: str, text: str, *ends: float) -> Expression:
    return Expression(text, kind, min(ends), max(ends))


def _products(a: Expression, b: Expression) -> list[float]:
    return [x * y for x in (a.low, a.high) for y in (b.low, b.high)]


def _sum(kind: str) -> Callable[[Expression, Expression], Expression]:
    return lambda a, b: Expression(f"({a.text} + {b.text})", kind, a.low + b.low, a.high + b.high)


def _difference(kind: str) -> Callable[[Expression, Expression], Expression]:
    return lambda a, b: Expression(f"({a.text} - {b.text})", kind, a.low - b.high, a.high - b.low)


def _product(kind: str) -> Callable[[Expression, Expression], Expression]:
    return lambda a, b: _within(kind, f"({a.text} * {b.text})", *_products(a, b))


def _function(
    template: str, low: float, high: float, domain: tuple[float, float] = (-math.inf, math.inf)
) -> Callable[[Expression], Expression | None]:
    """A function of one number with this range, of arguments within a domain."""

    def make(a: Expression) -> Expression | None:
        if a.low < domain[0] or a.high > domain[1]:
            return None
        return Expression(template.format(a.text), "float", low, high)

    return make


def _growing(
    template: str, function: Callable[[float], float], largest: float
) -> Callable[..., Expression | None]:
    """A function that grows, of arguments up to a magnitude; its ends with room for rounding."""

    def make(a: Expression) -> Expression | None:
        if a.size > largest:
            return None
        low, high = function(a.low), function(a.high)
        room = 1e-6 * (1.0 + abs(low) + abs(high))
        return Expression(template.format(a.text), "float", low - room, high + room)

    return make


def _two(
    template: str, kind: str, ends: Callable[[Expression, Expression], tuple[float, ...]]
) -> Callable[..., Expression]:
    return lambda a, b: _within(kind, template.format(a.text, b.text), *ends(a, b))


def _comparison(sign: str) -> Callable[[Expression, Expression], Expression]:
    return lambda a, b: boolean(f"({a.text} {sign} {b.text})")


def _conditional(kind: str) -> Callable[[Expression, Expression, Expression], Expression]:
    return lambda c, a, b: _within(
        kind, f"({a.text} if {c.text} else {b.text})", a.low, a.high, b.low, b.high
    )


def _floor_divided(divisor: int) -> Callable[[Expression], Expression]:
    return lambda a: _within("int", f"({a.text} // {divisor})", a.low // divisor, a.high // divisor)


def _remainder(divisor: int) -> Callable[[Expression], Expression]:
    return lambda a: _within(
        "int", f"({a.text} % {divisor})", 0, divisor - 1 if divisor > 0 else divisor + 1
    )


def _shifted(places: int) -> Callable[[Expression], Expression]:
    return lambda a: Expression(
        f"({a.text} << {places})", "int", a.low * 2**places, a.high * 2**places
    )


def _masked(mask: int) -> Callable[[Expression], Expression]:
    return lambda a: Expression(f"({a.text} & {mask})", "int", 0, mask)


def _bits(sign: str) -> Callable[[Expression, Expression], Expression | None]:
    def make(a: Expression, b: Expression) -> Expression | None:
        if min(a.low, b.low) < 0:
            return None
        top = 2 ** int(max(a.high, b.high)).bit_length() - 1
        return Expression(f"({a.text} {sign} {b.text})", "int", 0, top)

    return make


def _magnitude(kind: str) -> Callable[[Expression], Expression]:
    return lambda a: Expression(f"abs({a.text})", kind, 0, a.size)


def _negative(kind: str) -> Callable[[Expression], Expression]:
    return lambda a: Expression(f"(-{a.text})", kind, -a.high, -a.low)


def _lesser(name: str, kind: str) -> Callable[[Expression, Expression], Expression]:
    choose = min if name.endswith(("min", "minimum")) else max
    return lambda a, b: Expression(
        f"{name}({a.text}, {b.text})", kind, choose(a.low, b.low), choose(a.high, b.high)
    )


def _integer_of(template: str) -> Callable[[Expression], Expression | None]:
    def make(a: Expression) -> Expression | None:
        if a.size > 2**50:
            return None
        return Expression(
            template.format(a.text), "int", math.floor(a.low) - 1, math.ceil(a.high) + 1
        )

    return make


def _float_of(a: Expression) -> Expression | None:
    return None if a.size > 2**53 else Expression(f"float({a.text})", "float", a.low, a.high)


def _ratio(a: Expression, b: Expression) -> Expression | None:
    """Of two whole numbers, which Python divides without rounding them first."""
    if a.size > 2**53 or b.size > 2**52:
        return None
    return Expression(f"({a.text} / (abs({b.text}) + 1))", "float", -a.size, a.size)


def _power(a: Expression, b: Expression) -> Expression:
    return Expression(f"power(abs(sin({a.text})) + 0.5, sin({b.text}) * 3.0)", "float", 0.0, 8.1)


def _square(a: Expression) -> Expression:
    return Expression(f"power({a.text}, 2.0)", "float", 0.0, a.size**2 * 1.001)


def _float32(a: Expression) -> Expression | None:
    return None if a.size > 1e30 else Expression(f"np.float32({a.text})", "float32", a.low, a.high)


def _widened(template: str) -> Callable[[Expression], Expression]:
    # Rounding to float32 may have moved the ends.
    return lambda a: Expression(
        template.format(a.text), "float", a.low - 1e-6 * a.size, a.high + 1e-6 * a.size
    )


UNIT = (-1.0, 1.0)

WORDS = [
    # Floating-point arithmetic.
    Word("float", ("float", "float"), 5, _sum("float")),
    Word("float", ("float", "float"), 4, _difference("float")),
    Word("float", ("float", "float"), 5, _product("float")),
    Word("float", ("int", "float"), 1, _product("float")),
    Word("float", ("float", "int"), 1, _sum("float")),
    Word(
        "float",
        ("float", "float"),
        2,
        _two("({} / (abs({}) + 0.5))", "float", lambda a, b: (-2 * a.size, 2 * a.size)),
    ),
    Word(
        "float",
        ("float", "float"),
        1,
        _two("({} % (abs({}) + 0.25))", "float", lambda a, b: (0.0, b.size + 0.25)),
    ),
    Word(
        "float",
        ("float", "float"),
        0.5,
        _two("({} // (abs({}) + 0.25))", "float", lambda a, b: (-4 * a.size - 1, 4 * a.size + 1)),
    ),
    Word("float", ("float",), 1, _negative("float")),
    Word("float", ("float",), 1, _magnitude("float")),
    Word("float", ("float", "float"), 1, _lesser("min", "float")),
    Word("float", ("float", "float"), 1, _lesser("max", "float")),
    Word("float", ("float", "float"), 0.3, _lesser("np.minimum", "float")),
    Word("float", ("float", "float"), 0.3, _lesser("np.maximum", "float")),
    Word("float", ("bool", "float", "float"), 2, _conditional("float")),
    Word("float", ("int",), 1, _float_of),
    Word("float", ("int", "int"), 0.5, _ratio),
    # Functions of batchsim, with versions for vectors.
    Word("float", ("float",), 5, _function("sin({})", *UNIT)),
    Word("float", ("float",), 5, _function("cos({})", *UNIT)),
    Word("float", ("float",), 2, _square),
    Word("float", ("float", "float"), 1, _power),
    Word("float", ("float",), 1, _function("wrap_angle({})", -3.15, 3.15)),
    Word("float", ("float",), 1, _function("wrap_turns({})", -3.15, 3.15, (-1e4, 1e4))),
    # The C library's.
    Word("float", ("float",), 0.7, _function("math.sin({})", *UNIT)),
    Word("float", ("float",), 0.7, _function("math.cos({})", *UNIT)),
    Word("float", ("float",), 0.7, _growing("math.tanh({})", math.tanh, 1e3)),
    Word("float", ("float",), 0.7, _growing("math.exp({})", math.exp, 15.0)),
    Word("float", ("float",), 0.3, _growing("math.expm1({})", math.expm1, 15.0)),
    Word("float", ("float",), 0.3, _growing("math.sinh({})", math.sinh, 15.0)),
    Word("float", ("float",), 0.3, _function("math.cosh({})", 1.0, 1.7e6, (-15.0, 15.0))),
    Word("float", ("float",), 0.3, _growing("math.atan({})", math.atan, 1e9)),
    Word("float", ("float",), 0.3, _growing("math.asinh({})", math.asinh, 1e9)),
    Word("float", ("float",), 0.3, _function("math.asin(sin({}))", -1.6, 1.6)),
    Word("float", ("float",), 0.3, _function("math.acos(cos({}))", -0.1, 3.2)),
    Word(
        "float", ("float",), 0.3, _function("math.tan({} * 0.001)", -60.0, 60.0, (-1500.0, 1500.0))
    ),
    Word("float", ("float",), 0.3, _growing("math.erf({})", math.erf, 1e3)),
    Word("float", ("float",), 0.7, _function("math.sqrt(abs({}))", 0.0, 1e5)),
    Word("float", ("float",), 0.5, _function("math.log(abs({}) + 0.001)", -7.0, 24.0)),
    Word("float", ("float",), 0.3, _function("math.log2(abs({}) + 0.001)", -10.0, 34.0)),
    Word("float", ("float",), 0.3, _function("math.log10(abs({}) + 0.001)", -3.1, 10.0)),
    Word("float", ("float",), 0.3, _function("math.log1p(abs({}))", 0.0, 24.0)),
    Word(
        "float",
        ("float", "float"),
        0.5,
        _two("math.atan2({}, {})", "float", lambda a, b: (-3.2, 3.2)),
    ),
    Word(
        "float",
        ("float", "float"),
        0.3,
        _two("math.copysign({}, {})", "float", lambda a, b: (-a.size, a.size)),
    ),
    # NumPy's, of which each value is rounded correctly.
    Word("float", ("float",), 0.5, _function("np.sqrt(abs({}))", 0.0, 1e5)),
    Word("float", ("float",), 0.5, _growing("np.floor({})", math.floor, 1e15)),
    Word("float", ("float",), 0.3, _growing("np.ceil({})", math.ceil, 1e15)),
    Word("float", ("float",), 0.3, _function("np.sign({})", *UNIT)),
    Word("float", ("float",), 0.3, _magnitude("float")),
    # Whole numbers.
    Word("int", ("int", "int"), 4, _sum("int")),
    Word("int", ("int", "int"), 3, _difference("int")),
    Word("int", ("int", "int"), 2, _product("int")),
    *(Word("int", ("int",), 0.4, _floor_divided(k)) for k in (-7, -2, 3, 8, 10)),
    *(Word("int", ("int",), 0.4, _remainder(k)) for k in (-5, 2, 7, 64)),
    *(Word("int", ("int",), 0.3, _shifted(k)) for k in (1, 5)),
    *(Word("int", ("int",), 0.3, _masked(k)) for k in (1, 6, 255)),
    Word(
        "int",
        ("int",),
        0.5,
        lambda a: Expression(f"({a.text} >> 2)", "int", a.low // 4, a.high // 4),
    ),
    Word("int", ("int", "int"), 0.4, _bits("^")),
    Word("int", ("int", "int"), 0.4, _bits("|")),
    Word(
        "int", ("int",), 0.3, lambda a: Expression(f"(~{a.text})", "int", -a.high - 1, -a.low - 1)
    ),
    Word("int", ("int",), 0.7, _negative("int")),
    Word("int", ("int",), 0.7, _magnitude("int")),
    Word("int", ("int", "int"), 0.7, _lesser("min", "int")),
    Word("int", ("int", "int"), 0.7, _lesser("max", "int")),
    Word("int", ("bool", "int", "int"), 1.5, _conditional("int")),
    Word("int", ("bool",), 1, lambda a: Expression(f"int({a.text})", "int", 0, 1)),
    Word("int", ("float",), 1, _integer_of("int({})")),
    Word("int", ("float",), 0.7, _integer_of("math.floor({})")),
    Word("int", ("float",), 0.3, _integer_of("math.ceil({})")),
    Word("int", ("float",), 0.3, _integer_of("int(np.floor({}))")),
    # Truth.
    *(Word("bool", ("float", "float"), 1, _comparison(sign)) for sign in ("<", ">", "<=", ">=")),
    *(Word("bool", ("int", "int"), 1, _comparison(sign)) for sign in ("<", ">=", "==", "!=")),
    Word("bool", ("bool",), 2, lambda a: boolean(f"(not {a.text})")),
    Word("bool", ("bool", "bool"), 1.5, lambda a, b: boolean(f"({a.text} and {b.text})")),
    Word("bool", ("bool", "bool"), 1.5, lambda a, b: boolean(f"({a.text} or {b.text})")),
    Word(
        "bool",
        ("int", "int", "int"),
        0.5,
        lambda a, b, c: boolean(f"({a.text} <= {b.text} < {c.text})"),
    ),
    Word("bool", ("int",), 0.3, lambda a: boolean(f"bool({a.text})")),
    # float32 in both backends.
    Word("float32", ("float32", "float32"), 3, _sum("float32")),
    Word("float32", ("float32", "float32"), 3, _product("float32")),
    Word("float32", ("float32", "float32"), 2, _difference("float32")),
    Word("float32", ("float32",), 1, _magnitude("float32")),
    Word("float32", ("float32", "float32"), 1, _lesser("max", "float32")),
    Word("float32", ("bool", "float32", "float32"), 1, _conditional("float32")),
    Word("float32", ("float32",), 0.5, lambda a: Expression(f"sin32({a.text})", "float32", *UNIT)),
    Word("float32", ("float32",), 0.5, lambda a: Expression(f"cos32({a.text})", "float32", *UNIT)),
    Word("float32", ("float",), 3, _float32),
    Word("float", ("float32",), 2, _widened("np.float64({})")),
    Word("bool", ("float32", "float32"), 0.7, _comparison(">")),
    # What backends do not agree on in every version.
    Word("float", ("float32",), 2, _widened("float({})"), "float-of-float32"),
    Word(
        "float32",
        ("float32",),
        2,
        lambda a: Expression(f"({a.text} * 0.1)", "float32", -a.size, a.size),
        "promotion",
    ),
    Word(
        "float32",
        ("float32",),
        2,
        lambda a: Expression(f"(2 + {a.text})", "float32", a.low + 2, a.high + 2),
        "promotion",
    ),
    Word("bool", ("float32",), 1, lambda a: boolean(f"({a.text} > 0.1)"), "promotion"),
    *(
        Word("float", ("float",), 0.5, make, "numpy-functions")
        for make in (
            _function("np.sin({})", *UNIT),
            _function("np.cos({})", *UNIT),
            _function("np.tan({} * 0.001)", -60.0, 60.0, (-1500.0, 1500.0)),
            _growing("np.exp({})", math.exp, 15.0),
            _growing("np.expm1({})", math.expm1, 15.0),
            _growing("np.tanh({})", math.tanh, 1e3),
            _growing("np.sinh({})", math.sinh, 15.0),
            _growing("np.arctan({})", math.atan, 1e9),
            _growing("np.cbrt({})", lambda x: math.copysign(abs(x) ** (1 / 3), x), 1e12),
            _function("np.cosh({})", 1.0, 1.7e6, (-15.0, 15.0)),
            _function("np.log(abs({}) + 0.001)", -7.0, 24.0),
            _function("np.log2(abs({}) + 0.001)", -10.0, 34.0),
            _function("np.log10(abs({}) + 0.001)", -3.1, 10.0),
            _function("np.log1p(abs({}))", 0.0, 24.0),
            _function("np.arcsin(sin({}))", -1.6, 1.6),
            _function("np.arccos(cos({}))", -0.1, 3.2),
        )
    ),
    Word(
        "float",
        ("float", "float"),
        0.5,
        _two("np.arctan2({}, {})", "float", lambda a, b: (-3.2, 3.2)),
        "numpy-functions",
    ),
    Word(
        "float",
        ("float", "float"),
        0.5,
        _two("np.hypot({}, {})", "float", lambda a, b: (0.0, 2 * (a.size + b.size))),
        "numpy-functions",
    ),
    Word(
        "float",
        ("float", "float"),
        0.5,
        _two("np.mod({}, abs({}) + 0.25)", "float", lambda a, b: (0.0, b.size + 0.25)),
        "numpy-functions",
    ),
    Word(
        "float",
        ("float", "float"),
        0.5,
        _two("math.hypot({}, {})", "float", lambda a, b: (0.0, 2 * (a.size + b.size))),
        "python-functions",
    ),
    Word(
        "float",
        ("float",),
        0.5,
        _function("math.lgamma(abs({}) + 0.5)", -1.0, 1e11),
        "python-functions",
    ),
]
"""The table: add a line for another function or construct."""


def bounded(expression: Expression) -> Expression:
    """Return the expression, or what it is cut to where it may have grown too large."""
    text, kind, _, _ = expression
    if kind in ("float", "float32"):
        if expression.size <= LARGEST_FLOAT:
            return expression
        ends = ("np.float32(-50.0)", "np.float32(50.0)") if kind == "float32" else ("-50.0", "50.0")
        return Expression(f"min(max({text}, {ends[0]}), {ends[1]})", kind, -50.0, 50.0)
    if kind == "int" and expression.size > LARGEST_INT:
        return Expression(f"({text} % 1000003)", kind, 0, 1000002)
    return expression
