"""Writes random statements."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .arrays import Arrays
from .expressions import FLOAT_RANGES, Column
from .vocabulary import Expression


class Statements(Arrays):
    """Writes statements of functions."""

    # -- statements --------------------------------------------------------------------------

    def statements(self, size: int, loops: bool, arrays: bool, draws: bool) -> None:
        """Write so many statements."""
        for _ in range(size):
            self.statement(loops, arrays, draws)

    def statement(self, loops: bool, arrays: bool, draws: bool) -> None:
        """Write a statement; `loops`, `arrays` and `draws` say what it may hold."""
        deep = self.depth >= 4
        unrolled = self.style == "substeps"
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
            (1.5 if unrolled else 0.6, self.decrement_unless),
            (
                2 if loops and not deep and self.in_loop < 2 else 0,
                lambda: self.counted_loop(arrays, draws),
            ),
            (
                0.8 if loops and not unrolled and not deep and self.in_loop < 1 else 0,
                lambda: self.open_loop(arrays, draws),
            ),
            (
                (3 if unrolled else 0.7) if loops and not deep and self.in_loop < 2 else 0,
                self.substeps,
            ),
            (2 if arrays_there else 0, self.store_element),
            (0.5 if arrays_there else 0, self.fill_row),
            (3 if draws and self.draw_sites < 4 else 0, self.draw),
            (0.6 if self.returns and self.depth > 1 else 0, self.leave),
            (3 if self.has_arrays else 0, self.new_array),
            (4 if self.has_arrays else 0, self.change_array),
            (0.7 if self.has_arrays and not deep else 0, self.go_through),
            (0.3 if self.has_arrays else 0, self.swap),
        ]
        weights = [weight for weight, _ in ways]
        before = len(self.lines)
        self.pick([way for _, way in ways], weights)()
        if len(self.lines) == before:  # An array that cannot be written as was meant.
            self.store()

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
        unrolled = self.style == "substeps"
        if unrolled or self.chance(0.6):
            end = self.count(1, 3 if unrolled else 5)
            last, text = end - 1, str(end)
        else:
            last, text = 4, f"{self.leaf('int').text} % 6"
        self.in_loop += 1
        with self.block(f"for {name} in range({text}):"):
            self.know(Expression(name, "int", 0, last))
            self.statements(self.count(1, 2), False, arrays, draws and self.in_loop < 2)
            if not unrolled and self.chance(0.2):
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
        value = self.constant(column)
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
        ways: dict[str, tuple[float, Callable[[], None]]] = {
            "random": (2, lambda: self.drawn("float", "random(rng, i)", 0.0, 1.0)),
            "uniform": (2, self.draw_uniform),
            "integers": (2, self.draw_integers),
            "standard_normal": (
                0.7,
                lambda: self.drawn("float", "standard_normal(rng, i)", -60.0, 60.0),
            ),
            "normal": (0.5, self.draw_normal),
            "choice": (0.7, self.draw_choice),
            "exponential": (
                0.4,
                lambda: self.drawn("float", "exponential(rng, i, 0.5)", 0.0, 60.0),
            ),
            "gamma": (0.6, lambda: self.drawn("float", "gamma(rng, i, 1.7)", 0.0, 200.0)),
            "poisson": (0.2, lambda: self.drawn("int", "poisson(rng, i, 11.0)", 0, 200)),
            "binomial": (0.2, lambda: self.drawn("int", "binomial(rng, i, 99, 0.4)", 0, 99)),
            "geometric": (0.2, lambda: self.drawn("int", "geometric(rng, i, 0.5)", 1, 100)),
            "choice_weighted": (
                1 if weights else 0,
                lambda: self.drawn(
                    "int", f"choice_weighted(rng, i, {weights[0].name})", 0, weights[0].shape[0] - 1
                ),
            ),
            "shuffle": (
                0.7 if some else 0,
                lambda: self.write(f"shuffle(rng, i, {self.pick(some).name}[i])"),
            ),
            "permutation": (
                0.6 if numbers else 0,
                lambda: self.write(f"permutation(rng, i, {self.pick(numbers).name}[i])"),
            ),
            "choice_without_replacement": (
                0.6 if numbers else 0,
                lambda: self.write(
                    f"choice_without_replacement(rng, i, {self.count(8, 9)}, "
                    f"{self.pick(numbers).name}[i])"
                ),
            ),
        }
        known = [way for name, way in ways.items() if name in self.draws]
        self.pick([way for _, way in known], [weight for weight, _ in known])()

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
