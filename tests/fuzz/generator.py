"""Writes random definitions: source text, and the arguments that a batch of it is made with.

A definition is written in one of four styles, as compiled code has loops of different kinds for
them: "plain" (the step is harmless in rows whose episode is over, so that all rows are stepped
without a branch), "loops" (scalar columns and no draws, but loops, so that the step stands under a
condition), "arrays" (columns of several elements, tables, Scratch) and "draws".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .vocabulary import DEFAULT_SWITCHES, LARGEST_INT, WORDS, Expression, boolean, bounded

STYLES = {"plain": 0.35, "loops": 0.25, "arrays": 0.2, "draws": 0.2}

DTYPES = ["bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))]
DTYPES += ["float32", "float64"]

ANNOTATIONS = {"bool": "bool", "int64": "int", "float64": "float"}

FLOAT_RANGES = [(-1.0, 1.0), (-10.0, 10.0), (0.0, 100.0), (-3.5, 3.5), (-1000.0, 1000.0)]

HEADER = """\
\"\"\"{title}\"\"\"

import math
from typing import NamedTuple

import numpy as np
from gymnasium import spaces

from batchsim.math import cos, cos32, power, sin, sin32, wrap_angle, wrap_turns
from batchsim.random import (
    choice,
    choice_weighted,
    choice_without_replacement,
    integers,
    normal,
    permutation,
    random,
    shuffle,
    standard_normal,
    uniform,
)
"""


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


@dataclass
class Source:
    """A random definition."""

    text: str
    style: str
    parameters: dict[str, tuple[Any, Callable[..., Any]]]
    """Of each parameter its default, and what draws other values: `draw(rng, n)` or, where n is
    None, of one value."""
    options: dict[str, Callable[..., Any]]
    arguments: dict[str, Callable[..., Any]]
    """What draws reset options and arguments."""


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


class Generator:
    """Writes one definition.

    Args:
        rng: decides everything.
        switches: of `vocabulary.SWITCHES`, those that are on.
    """

    def __init__(self, rng: np.random.Generator, switches: frozenset[str] = DEFAULT_SWITCHES):
        self.rng = rng
        self.switches = switches
        words = [word for word in WORDS if not word.switch or word.switch in switches]
        self.words = {
            kind: [word for word in words if word.kind == kind]
            for kind in ("float", "int", "bool", "float32")
        }
        self.weights = {kind: [word.weight for word in words] for kind, words in self.words.items()}
        self.style = self.pick(list(STYLES), list(STYLES.values()))
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
        if kind in ("float", "int") and self.style in ("arrays", "draws") and self.chance(0.15):
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
        return columns + self.tables

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
            wide = "float" if "float-of-float32" in self.switches else "np.float64"
            return Expression(f"{wide}({text})", "float", low, high)
        if dtype.startswith("uint") and "unsigned" not in self.switches:
            return Expression(f"np.int64({text})", "int", low, high)
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
        """Begin a function: only parameters are known."""
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

    def know_parameters(self, name: str = "p", options: bool = True) -> None:
        """Make the parameters leaves."""
        for expression in self.parameter_leaves:
            self.know(expression._replace(text=expression.text.replace("p.", f"{name}.")))
        if options:
            for expression in self.option_leaves:
                self.know(expression)

    # -- statements --------------------------------------------------------------------------

    def statements(self, size: int, loops: bool, arrays: bool, draws: bool) -> None:
        """Write so many statements."""
        for _ in range(size):
            self.statement(loops, arrays, draws)

    def statement(self, loops: bool, arrays: bool, draws: bool) -> None:
        """Write a statement; `loops`, `arrays` and `draws` say what it may hold."""
        deep = self.depth >= 4
        arrays_there = arrays and any(column.shape for column in self.columns)
        ways: list[tuple[float, Callable[[], None]]] = [
            (5, self.store),
            (2, self.add_in_place),
            (
                1.5,
                lambda: (
                    self.new_local(self.expression(self.pick(["float", "int", "bool"], [3, 2, 1])))
                    and None
                ),
            ),
            (1.0 if self.assignable else 0, self.change_local),
            (0 if deep else 2.5, lambda: self.branch(loops, arrays, draws)),
            (0.6, self.decrement_unless),
            (
                2 if loops and not deep and self.in_loop < 2 else 0,
                lambda: self.counted_loop(arrays, draws),
            ),
            (
                0.8 if loops and not deep and self.in_loop < 1 else 0,
                lambda: self.open_loop(arrays, draws),
            ),
            (0.7 if loops and not deep and self.in_loop < 2 else 0, self.substeps),
            (2 if arrays_there else 0, self.store_element),
            (0.5 if arrays_there else 0, self.fill_row),
            (3 if draws and self.draw_sites < 4 else 0, self.draw),
            (0.6 if self.returns and self.depth > 1 else 0, self.leave),
        ]
        weights = [weight for weight, _ in ways]
        self.pick([way for _, way in ways], weights)()

    def scalars(self, *kinds: str) -> list[Column]:
        """The scalar columns, or those of these kinds."""
        return [c for c in self.columns if not c.shape and (not kinds or c.kind in kinds)]

    def store(self) -> None:
        """Write a scalar column."""
        column = self.pick(self.scalars())
        self.write(f"{column.name}[i] = {self.value_for(column)}")

    def add_in_place(self) -> None:
        """Change a scalar column in place, so that whole numbers may wrap around in their width."""
        column = self.pick(self.scalars("int", "float") or self.scalars())
        place = f"{column.name}[i]"
        if column.kind == "bool":
            self.write(f"{place} = not {place}")
        elif column.kind == "float":
            factors = ["0.5", "0.125"]  # exact in any width
            if column.dtype == "float32":
                factors.append("np.float32(0.75)")
            if column.dtype == "float64" or "promotion" in self.switches:
                factors.append("0.99")
            smaller = column.low <= 0 <= column.high
            self.write(f"{place} *= {self.pick(factors)}" if smaller else f"{place} = {place}")
        elif column.dtype == "uint64":
            added = f"np.int64({place} + np.uint64({self.count(1, 9)}))"
            self.write(f"{place} = {added} % {int(column.high) + 1}")
        elif column.dtype == "int64" or (column.low, column.high) != (
            np.iinfo(column.dtype).min,
            np.iinfo(column.dtype).max,
        ):
            self.write(f"{place} += {self.count(1, 3)}")
            self.write(f"if {place} > {int(column.high) - 4}:")
            self.write(f"    {place} = {int(column.low)}")
        else:
            self.write(f"{place} {self.pick(['+=', '-=', '*='])} {self.count(1, 5)}")

    def decrement_unless(self) -> None:
        """Change a narrow number under the condition of a flag."""
        flags = self.scalars("bool")
        numbers = [
            c
            for c in self.scalars("int")
            if c.dtype in ("int8", "uint8", "int16", "int32", "uint16", "uint32")
            and (c.low, c.high) == (np.iinfo(c.dtype).min, np.iinfo(c.dtype).max)
        ]
        if not flags or not numbers:
            return self.store()
        flag, number = self.pick(flags), self.pick(numbers)
        self.write(f"if {self.pick(['not ', ''])}{flag.name}[i]:")
        self.write(f"    {number.name}[i] {self.pick(['-=', '+='])} 1")

    def change_local(self) -> None:
        """Assign another value to a name that keeps its kind and range."""
        name = self.pick(self.assignable)
        column = Column(
            name.text,
            {"float": "float64", "int": "int64", "bool": "bool"}[name.kind],
            (),
            name.low,
            name.high,
        )
        self.write(f"{name.text} = {self.fitted(self.expression(name.kind), column)}")

    def declare(self) -> None:
        """Bind a name that later statements may change."""
        self.locals += 1
        name = f"w{self.locals}"
        if self.chance(0.6):
            made = Expression(name, "float", *self.pick(FLOAT_RANGES))
            start = self.literal("float", made.low, made.high)
        else:
            made = Expression(name, "int", -100, 100)
            start = self.literal("int", -100, 100)
        self.write(f"{name} = {start.text}")
        self.know(made)
        self.assignable.append(made)

    def branch(self, loops: bool, arrays: bool, draws: bool) -> None:
        """An if, with or without others."""
        with self.block(f"if {self.expression('bool').text}:"):
            self.statements(self.count(1, 2), loops, arrays, draws)
        if self.chance(0.25):
            with self.block(f"elif {self.expression('bool').text}:"):
                self.statements(1, loops, arrays, draws)
        if self.chance(0.4):
            with self.block("else:"):
                self.statements(self.count(1, 2), loops, arrays, draws)

    def counted_loop(self, arrays: bool, draws: bool) -> None:
        """A for over a range."""
        self.locals += 1
        name = f"k{self.locals}"
        if self.chance(0.6):
            end = self.count(1, 5)
            last, text = end - 1, str(end)
        else:
            last, text = 4, f"{self.leaf('int').text} % 6"
        self.in_loop += 1
        with self.block(f"for {name} in range({text}):"):
            self.know(Expression(name, "int", 0, last))
            self.statements(self.count(1, 2), False, arrays, draws and self.in_loop < 2)
            if self.chance(0.2):
                self.write(f"if {self.expression('bool', 1).text}:")
                self.write(f"    {self.pick(['break', 'continue'])}")
        self.in_loop -= 1

    def open_loop(self, arrays: bool, draws: bool) -> None:
        """A while that ends by a count at the latest."""
        self.locals += 1
        name = f"n{self.locals}"
        self.write(f"{name} = 0")
        self.know(Expression(name, "int", 0, 5))
        self.in_loop += 1
        with self.block(
            f"while {name} < {self.count(1, 5)} and {self.expression('bool', 1).text}:"
        ):
            self.write(f"{name} += 1")
            self.statements(self.count(1, 2), False, arrays, draws)
        self.in_loop -= 1

    def substeps(self) -> None:
        """A loop of small steps with vector functions, and a count after it."""
        reals = self.scalars("float")
        if not reals:
            return self.store()
        column = self.pick(reals)
        place = f"{column.name}[i]"
        self.locals += 1
        with self.block(f"for _{self.locals} in range({self.count(1, 3)}):"):
            wide = f"np.float64({place})" if column.dtype == "float32" else place
            moved = f"{wide} + 0.05 * {self.pick(['sin', 'cos'])}({wide})"
            if column.dtype == "float64" and self.chance(0.5):
                self.write(f"{place} = {moved}")
                moved = place
            self.write(f"{place} = min(max({moved}, {column.low!r}), {column.high!r})")
        self.add_in_place()

    def arrays_written(self) -> list[Column]:
        return [column for column in self.columns if column.shape]

    def store_element(self) -> None:
        """Write an element of a column with a shape."""
        column = self.pick(self.arrays_written())
        self.write(f"{self.place(column)} = {self.value_for(column, 1)}")

    def fill_row(self) -> None:
        """Write all elements of a row."""
        column = self.pick(self.arrays_written())
        kind = column.kind
        value = (
            self.literal(kind)
            if kind == "bool"
            else self.literal(kind, column.low, min(column.high, 2**31))
        )
        self.write(f"{column.name}[i] = {value.text}")

    def draw(self) -> None:
        """Draw from the row's stream."""
        self.draw_sites += 1
        numbers = [
            c
            for c in self.columns
            if len(c.shape) == 1 and c.kind == "int" and c.low <= 0 and c.high >= 8
        ]
        some = [c for c in self.columns if len(c.shape) == 1]
        weights = [
            c
            for c in self.readable_arrays()
            if len(c.shape) == 1 and c.name.startswith("p.weights")
        ]
        ways: list[tuple[float, Callable[[], None]]] = [
            (2, lambda: self.drawn("float", "random(rng, i)", 0.0, 1.0)),
            (2, self.draw_uniform),
            (2, self.draw_integers),
            (0.7, lambda: self.drawn("float", "standard_normal(rng, i)", -60.0, 60.0)),
            (0.5, self.draw_normal),
            (0.7, self.draw_choice),
            (
                1 if weights else 0,
                lambda: self.drawn(
                    "int", f"choice_weighted(rng, i, {weights[0].name})", 0, weights[0].shape[0] - 1
                ),
            ),
            (0.7 if some else 0, lambda: self.write(f"shuffle(rng, i, {self.pick(some).name}[i])")),
            (
                0.6 if numbers else 0,
                lambda: self.write(f"permutation(rng, i, {self.pick(numbers).name}[i])"),
            ),
            (
                0.6 if numbers else 0,
                lambda: self.write(
                    f"choice_without_replacement(rng, i, {self.count(8, 9)}, "
                    f"{self.pick(numbers).name}[i])"
                ),
            ),
        ]
        self.pick([way for _, way in ways], [weight for weight, _ in ways])()

    def drawn(self, kind: str, text: str, low: float, high: float) -> None:
        if self.chance(0.5):
            self.new_local(Expression(text, kind, low, high))
            return
        column = self.pick(self.scalars(kind) or self.scalars("float", "int") or self.scalars())
        if column.kind == kind:
            self.write(
                f"{column.name}[i] = {self.fitted(Expression(text, kind, low, high), column)}"
            )
        else:
            self.new_local(Expression(text, kind, low, high))

    def draw_uniform(self) -> None:
        low, high = sorted(self.literal("float", -5.0, 5.0).low for _ in range(2))
        self.drawn("float", f"uniform(rng, i, {low!r}, {high!r})", low, high)

    def draw_normal(self) -> None:
        self.drawn("float", f"normal(rng, i, {self.literal('float').text}, 0.5)", -60.0, 60.0)

    def draw_integers(self) -> None:
        low = self.count(-4, 3)
        high = low + int(self.pick([1, 2, 3, 10, 2**16, 2**32 - 1, 2**32, 2**40]))
        self.drawn("int", f"integers(rng, i, {low}, {high})", low, high - 1)

    def draw_choice(self) -> None:
        n = self.count(1, 9)
        self.drawn("int", f"choice(rng, i, {n})", 0, n - 1)

    def leave(self) -> None:
        """Return early, under a condition."""
        assert self.returns is not None
        with self.block(f"if {self.expression('bool').text}:"):
            self.write(self.returns())

    # -- the parts of a definition -----------------------------------------------------------

    def generate(self, title: str) -> Source:
        """Write it."""
        self.lines = HEADER.format(title=title).splitlines()
        self.make_columns()
        self.make_parameters()
        self.make_tables()
        self.make_helpers()
        action = self.make_action()
        observation = self.make_observation()
        self.write_reset()
        self.write_step(action)
        self.write_observe(observation)
        if self.chance(0.4):
            self.write_infos()
        return Source(
            "\n".join(self.lines) + "\n", self.style, self.parameters, self.options, self.arguments
        )

    def named_tuple(self, name: str, members: list[str]) -> None:
        """Write a class."""
        self.write("")
        self.write("")
        self.write(f"class {name}(NamedTuple):")
        for member in members:
            self.write(f"    {member}")

    def annotation(self, column: Column) -> str:
        scalar = ANNOTATIONS.get(column.dtype, f"np.{column.dtype}")
        if not column.shape:
            return scalar
        return (
            f"np.dtype((np.{column.dtype if column.dtype != 'bool' else 'bool_'}, {column.shape}))"
        )

    def new_column(self, prefix: str, dtype: str, shape: tuple[int, ...] = ()) -> Column:
        return Column(prefix, dtype, shape, *dtype_range(self.rng, dtype))

    def make_columns(self) -> None:
        scalars = self.count(2, 6)
        chosen = [self.pick(DTYPES) for _ in range(scalars)] + ["float64"]
        if self.chance(0.3):
            chosen += ["bool", "int8"]
        self.rng.shuffle(chosen)
        for k, dtype in enumerate(chosen):
            self.columns.append(self.new_column(f"s.{'xabcdefgh'[k % 9]}{k}", dtype))
        self.columns.append(
            Column("s.age", str(self.pick(["int64", "int32", "int16"])), (), 0, 1000)
        )
        if self.style == "arrays" or (self.style == "draws" and self.chance(0.7)):
            for k in range(self.count(1, 2)):
                shape = self.pick([(3,), (5,), (8,), (2, 3), (4, 4), (2, 2, 2), (1,)])
                self.columns.append(self.new_column(f"s.m{k}", self.pick(DTYPES), shape))
        self.named_tuple("State", [f"{c.name[2:]}: {self.annotation(c)}" for c in self.columns])
        if self.style in ("arrays", "loops") and self.chance(0.4):
            for k in range(self.count(1, 2)):
                shape = self.pick([(), (4,), (2, 3)])
                self.scratch.append(self.new_column(f"s.t{k}", self.pick(DTYPES), shape))
            self.named_tuple(
                "Scratch", [f"{c.name[2:]}: {self.annotation(c)}" for c in self.scratch]
            )

    def make_parameters(self) -> None:
        self.parameter_leaves, self.option_leaves = [], []
        members = []
        for k in range(self.count(0, 3)):
            way = self.pick(["float", "int", "bool", "tuple"])
            name = f"q{k}"
            if way == "float":
                low, high = self.pick(FLOAT_RANGES)
                members.append(f"{name}: float = {self.literal('float', low, high).low!r}")
                self.parameters[name] = (
                    low,
                    lambda rng, n, low=low, high=high: rng.uniform(low, high, n),
                )
                self.parameter_leaves.append(Expression(f"p.{name}", "float", low, high))
            elif way == "int":
                members.append(f"{name}: int = {self.count(-3, 9)}")
                self.parameters[name] = 0, lambda rng, n: rng.integers(-3, 10, n)
                self.parameter_leaves.append(Expression(f"p.{name}", "int", -3, 9))
            elif way == "bool":
                members.append(f"{name}: bool = {self.chance(0.5)}")
                self.parameters[name] = False, lambda rng, n: rng.random(n) < 0.5
                self.parameter_leaves.append(boolean(f"p.{name}"))
            else:
                members.append(f"{name}: tuple[float, float] = (-1.0, {self.count(0, 4)}.5)")
                self.parameters[name] = (
                    (),
                    lambda rng, n: rng.uniform(-1.0, 5.0, 2 if n is None else (n, 2)),
                )
                self.parameter_leaves += [
                    Expression(f"p.{name}[{j}]", "float", -1.0, 5.0) for j in (0, 1)
                ]
        if members:
            self.named_tuple("Params", members)
        members = []
        if self.chance(0.4):
            members.append("low: float = -0.5")
            self.options["low"] = lambda rng, n: rng.uniform(-2.0, 2.0, n)
            self.option_leaves.append(Expression("p.low", "float", -2.0, 2.0))
        if self.chance(0.2):
            members.append("level: int = 1")
            self.options["level"] = lambda rng, n: rng.integers(0, 5, n)
            self.option_leaves.append(Expression("p.level", "int", 0, 5))
        if members:
            self.named_tuple("Options", members)

    def make_tables(self) -> None:
        self.tables = []
        if self.style not in ("arrays", "draws"):
            return
        if self.chance(0.5):
            values = [float(v) for v in self.rng.uniform(-4, 4, 5).round(2)]
            self.write("")
            self.write("")
            self.write(f"NUMBERS = np.array({values})")
            self.write(f"COUNTS = ({', '.join(str(self.count(-9, 9)) for _ in range(4))})")
            self.tables += [
                Column("NUMBERS", "float64", (5,), -4.0, 4.0),
                Column("COUNTS", "int64", (4,), -9, 9),
            ]
        if self.chance(0.5):
            dtype = self.pick(["int64", "int8", "uint8", "float64", "bool"])
            size = self.count(2, 5)
            self.named_tuple("Arguments", [f"size: int = {size}", "offset: int = 0"])
            self.named_tuple("Tables", ["grid: np.ndarray", "weights: np.ndarray"])
            self.write("")
            self.write("")
            self.write("def tables(arguments):")
            self.write("    n = arguments.size")
            self.write("    grid = (np.arange(n * n) + arguments.offset).reshape(n, n) % 7")
            scalar = "bool_" if dtype == "bool" else dtype
            self.write(f"    return Tables(grid.astype(np.{scalar}), np.arange(1.0, n + 1.0))")
            self.tables += [
                Column("p.grid", dtype, (size, size), 0, 6),
                Column("p.weights", "float64", (size,), 1.0, size),
            ]
            self.arguments["offset"] = lambda rng: int(rng.integers(0, 7))

    def make_helpers(self) -> None:
        self.helpers = []
        for k in range(self.count(0, 2)):
            self.forget()
            self.state_is_known = False
            takes = [self.pick(["float", "int"]) for _ in range(self.count(1, 2))]
            names = [f"a{j}" for j in range(len(takes))]
            with_parameters = self.chance(0.3)
            self.write("")
            self.write("")
            self.write(f"def helper{k}({', '.join(names + ['p'] * with_parameters)}):")
            self.depth += 1
            for name, kind in zip(names, takes, strict=True):
                self.know(
                    Expression(name, kind, -100.0, 100.0)
                    if kind == "float"
                    else Expression(name, kind, -100, 100)
                )
            if with_parameters:
                self.know_parameters(options=False)
            result = Column("", "float64", (), -100.0, 100.0)
            if self.chance(0.5):
                with self.block(f"if {self.expression('bool').text}:"):
                    self.write(f"return {self.as_float(self.expression('float', 1), result)}")
            if self.style != "plain" and self.chance(0.5):
                self.write("total = 0.0")
                with self.block(f"for k in range({self.count(1, 4)}):"):
                    self.know(Expression("k", "int", 0, 3))
                    self.write(f"total += {self.as_float(self.expression('float', 1), result)}")
                self.know(Expression("total", "float", -400.0, 400.0))
            self.write(f"return {self.as_float(self.expression('float'), result)}")
            self.depth -= 1

            def call(
                k: int = k, takes: list[str] = takes, with_parameters: bool = with_parameters
            ) -> Expression:
                arguments = []
                for kind in takes:
                    like = Column("", "float64" if kind == "float" else "int64", (), -100, 100)
                    leaf = self.leaf(kind)
                    arguments.append(
                        self.fitted(
                            leaf, like._replace(low=-100.0, high=100.0) if kind == "float" else like
                        )
                    )
                arguments += ["p"] * with_parameters
                return Expression(f"helper{k}({', '.join(arguments)})", "float", -100.0, 100.0)

            self.made_helpers = [*getattr(self, "made_helpers", []), call]
        # None calls another one, nor itself.
        self.helpers = getattr(self, "made_helpers", [])

    def as_float(self, expression: Expression, column: Column) -> str:
        return self.fitted(expression, column)

    def make_action(self) -> tuple[str, list[Expression]]:
        """Return the space's text and the action's leaves."""
        way = self.pick(["discrete", "box", "multidiscrete", "multibinary"], [5, 3, 1.5, 0.7])
        if way == "discrete":
            n, start = self.count(2, 7), self.pick([0, 0, 0, -2, 3])
            return f"spaces.Discrete({n}, start={start})", [
                Expression("action", "int", start, start + n - 1)
            ]
        size = self.count(1, 3)
        leaves = []
        if way == "multibinary":
            space = f"spaces.MultiBinary({size})"
            leaves = [Expression(f"int(action[{k}])", "int", 0, 1) for k in range(size)]
        elif way == "multidiscrete":
            counts = [self.count(2, 6) for _ in range(size)]
            dtype = self.pick(["int64", "int32", "int8"])
            space = f"spaces.MultiDiscrete({counts}, dtype=np.{dtype})"
            leaves = [
                Expression(f"int(action[{k}])", "int", 0, n - 1) for k, n in enumerate(counts)
            ]
        else:
            dtype = self.pick(
                ["float32", "float64", "int8", "uint8", "int16", "int64"], [5, 3, 1, 1, 1, 1]
            )
            low, high = self.pick([(-1, 1), (0, 3), (-2, 2)])
            low = max(low, 0) if dtype.startswith("u") else low
            space = f"spaces.Box({low}, {high}, ({size},), np.{dtype})"
            like = Column("action", dtype, (), low, high)
            leaves = [self.as_wide(f"action[{k}]", like) for k in range(size)]
            if dtype == "float32":
                leaves += [Expression(f"action[{k}]", "float32", low, high) for k in range(size)]
        return space, leaves

    def make_space(self, depth: int) -> tuple[str, list[Column]]:
        """Return an observation space's text and the arrays to be written, by their path."""
        way = self.pick(
            ["box", "discrete", "multidiscrete", "multibinary", "dict", "tuple"],
            [7, 0.7, 0.7, 0.7, 1.5 if depth else 0, 1 if depth else 0],
        )
        if way in ("dict", "tuple"):
            parts = [self.make_space(depth - 1) for _ in range(self.count(1, 3))]
            leaves = []
            for k, (_, inner) in enumerate(parts):
                path = f".part{k}" if way == "dict" else f"[{k}]"
                leaves += [leaf._replace(name=path + leaf.name) for leaf in inner]
            texts = [
                f"part{k}={text}" if way == "dict" else text for k, (text, _) in enumerate(parts)
            ]
            return (
                f"spaces.Dict({', '.join(texts)})"
                if way == "dict"
                else f"spaces.Tuple(({', '.join(texts)},))"
            ), leaves
        if way == "discrete":
            n = self.count(2, 9)
            return f"spaces.Discrete({n})", [Column("", "int64", (1,), 0, n - 1)]
        if way == "multidiscrete":
            return "spaces.MultiDiscrete([4, 7])", [Column("", "int64", (2,), 0, 3)]
        if way == "multibinary":
            return "spaces.MultiBinary(3)", [Column("", "int8", (3,), 0, 1)]
        dtype = self.pick(DTYPES[1:], [1] * (len(DTYPES) - 3) + [5, 3])
        shape = self.pick(
            [(1,), (2,), (3,), (4,), (7,), (2, 3), (3, 2, 2), ()], [2, 3, 3, 3, 1, 1, 0.5, 0.5]
        )
        low, high = (-1e6, 1e6) if dtype.startswith("float") else dtype_range(self.rng, dtype)
        ends = ("-np.inf", "np.inf") if dtype.startswith("float") else (low, high)
        return f"spaces.Box({ends[0]}, {ends[1]}, {shape}, np.{dtype})", [
            Column("", dtype, shape or (1,), low, high)
        ]

    def make_observation(self) -> list[Column]:
        space, leaves = self.make_space(2)
        self.write("")
        self.write("")
        if self.chance(0.15):
            self.write("def OBSERVATION(p):")
            self.write(f"    return {space}")
        else:
            self.write(f"OBSERVATION = {space}")
        return leaves

    def start_scratch(self) -> None:
        """Scratch holds anything before it is written."""
        for column in self.scratch:
            value = (
                self.literal(column.kind)
                if column.kind == "bool"
                else self.literal(column.kind, column.low, min(column.high, 2**31))
            )
            self.write(f"{column.name}[i] = {value.text}")

    @contextmanager
    def with_scratch(self) -> Iterator[None]:
        """Use Scratch as the other columns."""
        kept = self.columns
        if self.scratch:
            self.start_scratch()
            self.columns = [*kept, *self.scratch]
        yield
        self.columns = kept

    def write_reset(self) -> None:
        self.forget()
        self.write("")
        self.write("")
        self.write("def reset(s, i, p, rng):")
        self.depth += 1
        self.know_parameters()
        self.state_is_known = False
        self.draw_sites = 0
        for _ in range(self.count(0, 2) if self.style != "draws" else self.count(1, 3)):
            self.drawn_local()
        kept = self.style != "plain" and self.chance(0.2)
        for column in self.columns:
            if kept and column.name != "s.age" and self.chance(0.2):
                continue
            if column.name == "s.age":
                self.write("s.age[i] = 0")
            elif column.shape:
                value = (
                    self.literal(column.kind)
                    if column.kind == "bool"
                    else self.literal(column.kind, column.low, min(column.high, 2**31))
                )
                self.write(f"{column.name}[i] = {value.text}")
            else:
                self.write(f"{column.name}[i] = {self.value_for(column, 1)}")
        if self.style != "plain":
            self.know_state()
            with self.with_scratch():
                self.returns = lambda: "return"
                self.statements(
                    self.count(0, 2), self.style != "plain", True, self.style == "draws"
                )
        self.depth -= 1

    def drawn_local(self) -> None:
        if self.chance(0.6):
            self.new_local(Expression("uniform(rng, i, -1.0, 1.0)", "float", -1.0, 1.0))
        else:
            self.new_local(Expression("integers(rng, i, 0, 5)", "int", 0, 4))

    def write_step(self, action: tuple[str, list[Expression]]) -> None:
        space, leaves = action
        self.forget()
        self.draw_sites = 0
        self.write("")
        self.write("")
        self.write(f"ACTION = {space}")
        self.write("")
        self.write("")
        self.write("def step(s, i, action, p, rng):")
        self.depth += 1
        self.know_parameters()
        self.know_state()
        for leaf in leaves:
            self.know(leaf)
            self.know(leaf)
        with self.with_scratch():
            for _ in range(self.count(0, 2)):
                self.declare()
            self.write(
                "s.age[i] = min(s.age[i] + 1, 1000)" if self.chance(0.5) else "s.age[i] += 1"
            )
            if self.lines[-1].endswith("+= 1"):
                self.write("if s.age[i] > 999:")
                self.write("    s.age[i] = 999")
            self.returns = self.final
            loops = self.style != "plain"
            self.statements(
                self.count(3, 8), loops, self.style in ("arrays", "draws"), self.style == "draws"
            )
            self.write(self.final())
        self.depth -= 1

    def final(self) -> str:
        reward = self.expression("float", 2)
        ending = self.pick(
            [
                f"s.age[i] >= {self.count(2, 12)}",
                f"{self.expression('bool').text} and s.age[i] > 1",
                f"{self.expression('bool').text} or s.age[i] > {self.count(3, 9)}",
                "False",
            ],
            [4, 3, 3, 0.5],
        )
        return (
            f"return float({reward.text}), {ending}"
            if reward.kind == "float" and self.chance(0.3)
            else f"return {reward.text}, {ending}"
        )

    def write_observe(self, leaves: list[Column]) -> None:
        self.forget()
        self.write("")
        self.write("")
        self.write("def observe(s, i, p, out):")
        self.depth += 1
        self.know_parameters()
        self.know_state()
        with self.with_scratch():
            for leaf in leaves:
                self.write_array(leaf._replace(name=f"out{leaf.name}"))
        self.depth -= 1

    def write_array(self, array: Column) -> None:
        """Write every element of an array: one after the other, or in loops."""
        if len(array.shape) == 1 and array.shape[0] <= 4 and self.chance(0.7):
            for k in range(array.shape[0]):
                self.write(f"{array.name}[{k}] = {self.value_for(array, 1)}")
            return
        if self.chance(0.4):
            value = (
                self.literal(array.kind)
                if array.kind == "bool"
                else self.literal(array.kind, max(array.low, -100), min(array.high, 2**31))
            )
            self.write(
                f"{array.name}[:] = {value.text}"
                if len(array.shape) == 1
                else f"{array.name}[...] = {value.text}"
            )
            first = ", ".join("0" for _ in array.shape)
            self.write(f"{array.name}[{first}] = {self.value_for(array, 1)}")
            return
        names = [f"j{k}" for k in range(len(array.shape))]
        for name, length in zip(names, array.shape, strict=True):
            self.write(f"for {name} in range({length}):")
            self.depth += 1
            self.know(Expression(name, "int", 0, length - 1))
        self.write(f"{array.name}[{', '.join(names)}] = {self.value_for(array, 1)}")
        self.depth -= len(names)
        for name in names:
            self.leaves["int"] = [leaf for leaf in self.leaves["int"] if leaf.text != name]

    def write_infos(self) -> None:
        fields = []
        for k in range(self.count(1, 3)):
            shape = self.pick([(), (), (2,), (3, 2)])
            fields.append(self.new_column(f".f{k}", self.pick(DTYPES), shape))
        self.named_tuple("Info", [f"{c.name[1:]}: {self.annotation(c)}" for c in fields])
        whole = [c for c in fields if c.dtype == "float64" and not c.shape]
        if whole and self.chance(0.5):
            self.write("")
            self.write("")
            self.write(f'INFO_AT_RESET = {{"{whole[0].name[1:]}": int}}')
        self.forget()
        self.write("")
        self.write("")
        self.write("def inform(s, i, p, out):")
        self.depth += 1
        self.know_parameters()
        self.know_state()
        with self.with_scratch():
            for column in fields:
                self.write_array(
                    column._replace(name=f"out{column.name}", shape=column.shape or (1,))
                )
        self.depth -= 1


def generate(seed: int, number: int, switches: frozenset[str] = DEFAULT_SWITCHES) -> Source:
    """Return random definition `number` of a seed: the same one in every process."""
    rng = np.random.default_rng([seed, number])
    return Generator(rng, switches).generate(f"Random definition {number} of seed {seed}.")
