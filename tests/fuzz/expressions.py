"""Writes random expressions over what a function of a definition knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from .vocabulary import CALLS, DEFAULT_SWITCHES, LARGEST_INT, WORDS, Expression, boolean, bounded

STYLES = {
    "plain": 0.24, "substeps": 0.16, "loops": 0.11, "arrays": 0.11, "draws": 0.2,
    "expressions": 0.18,
}  # fmt: skip
"""How many definitions are written in each style."""

DTYPES = ["bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))]
DTYPES += ["float32", "float64"]

FLOAT_RANGES = [(-1.0, 1.0), (-10.0, 10.0), (0.0, 100.0), (-3.5, 3.5), (-1000.0, 1000.0)]


class Column(NamedTuple):
    """A column, or an array that is written to: what its elements may be."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    low: float
    high: float

    @property
    def kind(self) -> str:
        """The kind of expression that is stored in it."""
        if self.dtype == "bool":
            return "bool"
        return "float" if self.dtype.startswith("float") else "int"


def dtype_range(rng: np.random.Generator, dtype: str) -> tuple[float, float]:
    """Choose what a column may hold; whole numbers often up to their ends."""
    if dtype == "bool":
        return 0, 1
    if dtype.startswith("float"):
        return FLOAT_RANGES[rng.integers(len(FLOAT_RANGES))]
    info = np.iinfo(dtype)
    if dtype in ("int64", "uint64"):
        # Sums of these stay within 64 bits.
        edge = 2 ** int(rng.choice([4, 10, 31, 32, 33, 53]))
        return (0, edge) if dtype == "uint64" else (-edge, edge)
    if rng.random() < 0.6:
        return int(info.min), int(info.max)
    return max(int(info.min), -50), min(int(info.max), 100)


class Expressions:
    """What a definition is made of, as far as it is written; writes expressions.

    Args:
        rng: decides everything.
        switches: of `vocabulary.SWITCHES`, those that are on.
        style: what to write it in; by default one of `STYLES`.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        switches: frozenset[str] = DEFAULT_SWITCHES,
        style: str | None = None,
    ) -> None:
        self.rng = rng
        self.switches = switches
        picked = self.pick(list(STYLES), list(STYLES.values()))
        self.style = picked if style is None else style
        calls = self.style != "substeps" and self.chance(0.5)
        table = WORDS + (CALLS if calls else [])
        words = [word for word in table if not word.switch or word.switch in switches]
        self.words = {
            kind: [word for word in words if word.kind == kind]
            for kind in ("float", "int", "bool", "float32")
        }
        self.weights = {kind: [word.weight for word in words] for kind, words in self.words.items()}
        self.columns: list[Column] = []
        self.scratch: list[Column] = []
        self.lines: list[str] = []
        self.depth = 0
        self.leaves: dict[str, list[Expression]] = {}
        self.locals = 0
        self.assignable: list[Expression] = []
        self.in_loop = 0
        self.returns: Callable[[], str] | None = None
        self.helpers: list[Callable[[], Expression]] = []
        self.draw_sites = 0
        self.state_is_known = True
        self.parameters_are_known = True
        self.parameters: dict[str, tuple[Any, Callable[..., Any]]] = {}
        self.options: dict[str, Callable[..., Any]] = {}
        self.arguments: dict[str, Callable[..., Any]] = {}
        self.parameter_leaves: list[Expression] = []
        self.option_leaves: list[Expression] = []
        self.tables: list[Column] = []

    # -- chance ------------------------------------------------------------------------------

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return bool(self.rng.random() < probability)

    def pick(self, members: Sequence[Any], weights: Sequence[float] | None = None) -> Any:
        """Return one of several members."""
        if weights is None:
            return members[int(self.rng.random() * len(members))]
        place = self.rng.random() * sum(weights)
        for member, weight in zip(members, weights, strict=True):
            place -= weight
            if place < 0:
                return member
        return members[-1]

    def count(self, low: int, high: int) -> int:
        """Return a whole number from low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    # -- text --------------------------------------------------------------------------------

    def write(self, line: str) -> None:
        """Add a line at the present indentation."""
        self.lines.append("    " * self.depth + line if line else "")

    @contextmanager
    def block(self, header: str) -> Iterator[None]:
        """Indent; names that are bound inside are forgotten afterwards."""
        self.write(header)
        kept = {kind: list(members) for kind, members in self.leaves.items()}
        assignable = list(self.assignable)
        self.depth += 1
        yield
        self.depth -= 1
        self.leaves, self.assignable = kept, assignable

    # -- expressions -------------------------------------------------------------------------

    def literal(self, kind: str, low: float | None = None, high: float | None = None) -> Expression:
        """Return a constant, within a range where one is given."""
        if kind == "bool":
            return boolean(self.pick(["True", "False"]))
        if kind == "int":
            low, high = (-9, 20) if low is None else (int(low), int(high))
            value = self.pick([low, high, self.rng.integers(low, high + 1)], [1, 1, 4])
            return Expression(
                str(int(value)) if value >= 0 else f"({int(value)})", kind, int(value), int(value)
            )
        low, high = (-3.0, 3.0) if low is None else (low, high)
        value = float(
            self.pick(
                [
                    low,
                    high,
                    0.0 if low <= 0 <= high else low,
                    round(self.rng.uniform(low, high), 3),
                ],
                [1, 1, 1, 8],
            )
        )
        value = min(max(value, low), high)
        text = repr(value) if value >= 0 else f"({value!r})"
        if kind == "float32":
            text, value = f"np.float32({value!r})", float(np.float32(value))
        return Expression(text, kind, value, value)

    def constant(self, column: Column) -> Expression:
        """Return a constant that a column may hold."""
        if column.kind == "bool":
            return self.literal("bool")
        return self.literal(column.kind, column.low, min(column.high, 2**31))

    def leaf(self, kind: str) -> Expression:
        """Return something that is there: a column, a name, a parameter, a constant."""
        members = self.leaves.get(kind, [])
        if members and self.chance(0.8):
            return self.pick(members)
        if kind == "float32" and self.leaves.get("float") and self.chance(0.7):
            whole = self.pick(self.leaves["float"])
            return Expression(f"np.float32({whole.text})", kind, whole.low, whole.high)
        if kind == "bool":
            a, b = self.leaf("int"), self.leaf("int")
            return boolean(f"({a.text} {self.pick(['<', '>', '=='])} {b.text})")
        return self.literal(kind)

    def expression(self, kind: str, depth: int = 2) -> Expression:
        """Return an expression of a kind, of at most so many levels."""
        if depth <= 0 or self.chance(0.15):
            return self.leaf(kind)
        if kind == "float" and self.helpers and self.chance(0.08):
            return self.pick(self.helpers)()
        if (
            kind in ("float", "int")
            and self.style in ("arrays", "draws", "expressions")
            and self.chance(0.15)
        ):
            element = self.element(kind, depth - 1)
            if element is not None:
                return element
        for _ in range(6):
            word = self.pick(self.words[kind], self.weights[kind])
            made = word.make(*(self.expression(part, depth - 1) for part in word.arguments))
            if made is None or (kind == "int" and made.size > LARGEST_INT):
                continue
            return bounded(made)
        return self.leaf(kind)

    def index(self, length: int) -> str:
        """Return an index into an axis."""
        if self.chance(0.5):
            return str(self.count(0, length - 1))
        fitting = [e for e in self.leaves.get("int", []) if e.low >= -length and e.high < length]
        if fitting and self.chance(0.6):
            return self.pick(fitting).text
        return f"({self.expression('int', 1).text}) % {length}"

    def element(self, kind: str, depth: int) -> Expression | None:
        """Return an element of a column with a shape, or of a table, if there is one."""
        found = [column for column in self.readable_arrays() if column.kind == kind]
        return self.read(self.pick(found)) if found else None

    def readable_arrays(self) -> list[Column]:
        """The arrays that the function at work may read."""
        columns = [column for column in self.columns if column.shape] if self.state_is_known else []
        tables = [
            table
            for table in self.tables
            if self.parameters_are_known or not table.name.startswith("p.")
        ]
        return columns + tables

    def place(self, column: Column) -> str:
        """Return a column's element of row i, or an element of another array."""
        indices = [self.index(length) for length in column.shape]
        if column.name.startswith("s."):
            indices.insert(0, "i")
        return f"{column.name}[{', '.join(indices)}]"

    def read(self, column: Column) -> Expression:
        """Return an expression that reads a column, or an array's element, as a wide number."""
        return self.as_wide(self.place(column), column)

    def as_wide(self, text: str, column: Column) -> Expression:
        """Return what widens a number of a column's dtype."""
        dtype, low, high = column.dtype, column.low, column.high
        if dtype == "bool":
            return boolean(text)
        if dtype == "float64":
            return Expression(text, "float", low, high)
        if dtype == "float32":
            wide = self.pick(["float", "np.float64"])
            return Expression(f"{wide}({text})", "float", low, high)
        if dtype == "int64" and self.chance(0.5):
            return Expression(text, "int", low, high)
        return Expression(f"int({text})", "int", low, high)

    def fitted(self, expression: Expression, column: Column) -> str:
        """Return text whose value a column may hold."""
        low, high = column.low, column.high
        text = expression.text
        if column.kind == "bool" or (low <= expression.low and expression.high <= high):
            return text
        if column.kind == "int":
            span = int(high) - int(low) + 1
            shift = f" + {int(low)}" if low > 0 else f" - {-int(low)}" if low < 0 else ""
            return f"{text} % {span}{shift}"
        if low <= -3.15 and high >= 3.15 and self.chance(0.2):
            return f"wrap_angle({text})"
        if low <= -1 and high >= 1 and self.chance(0.2):
            return f"sin({text})"
        return f"min(max({text}, {low!r}), {high!r})"

    def value_for(self, column: Column, depth: int = 2) -> str:
        """Return text of a value that a column may hold."""
        if column.dtype == "float32" and self.chance(0.5):
            return self.fitted32(self.expression("float32", depth), column)
        return self.fitted(self.expression(column.kind, depth), column)

    def fitted32(self, expression: Expression, column: Column) -> str:
        low, high = column.low, column.high
        if low <= expression.low and expression.high <= high:
            return expression.text
        return f"min(max({expression.text}, np.float32({low!r})), np.float32({high!r}))"

    # -- names -------------------------------------------------------------------------------

    def know(self, expression: Expression) -> None:
        """Make an expression a leaf."""
        self.leaves.setdefault(expression.kind, []).append(expression)

    def new_local(self, expression: Expression) -> Expression:
        """Assign an expression to a new name."""
        self.locals += 1
        name = f"v{self.locals}"
        self.write(f"{name} = {expression.text}")
        made = expression._replace(text=name)
        self.know(made)
        return made

    def forget(self) -> None:
        """Begin a function: nothing is known."""
        self.state_is_known = self.parameters_are_known = False
        self.leaves = {}
        self.assignable = []
        self.locals = 0
        self.in_loop = 0
        self.returns = None

    def know_state(self) -> None:
        """Make the scalar columns leaves."""
        self.state_is_known = True
        for column in self.columns:
            if not column.shape:
                self.know(self.as_wide(f"{column.name}[i]", column))
                if column.dtype == "float32":
                    self.know(Expression(f"{column.name}[i]", "float32", column.low, column.high))
                if column.kind == "int" and self.chance(0.3):
                    sign, value = (
                        self.pick(["<", ">", "=="]),
                        self.literal("int", max(column.low, -9), min(column.high, 20)),
                    )
                    self.know(boolean(f"({column.name}[i] {sign} {value.text})"))

    def know_parameters(self, options: bool = True) -> None:
        """Make the parameters leaves."""
        self.parameters_are_known = True
        for expression in self.parameter_leaves:
            self.know(expression)
        if options:
            for expression in self.option_leaves:
                self.know(expression)
