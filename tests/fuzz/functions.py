"""Writes random functions over rows, which are compiled by themselves: many a minute."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .arrays import SHAPES, Array
from .expressions import Column, dtype_range
from .statements import Statements
from .vocabulary import Expression

KINDS = ["float64"] * 3 + ["float32"] * 2 + ["int64", "int32", "int8", "uint8", "bool"]


class Source(NamedTuple):
    """A random function, and what it is called with."""

    text: str
    arrays: list[np.ndarray[Any, Any]]


class Functions(Statements):
    """Writes functions of rows, of the style "expressions"."""

    def expression(self, kind: str, depth: int = 2) -> Expression:
        """Return a number of an array, or one that is there."""
        if depth > 0 and kind in ("float", "int", "bool") and self.chance(0.3):
            found = self.number(kind)
            if found is not None and found.size < 1e9:
                return found
        return self.leaf("float" if kind == "float32" else kind)

    def value_for(self, column: Column, depth: int = 2) -> str:
        """Return text of a value that an element may be."""
        return self.fitted(self.expression(column.kind, depth), column)

    def narrow(self, rows: list[Array]) -> str:
        """Return text of what an operator makes of an element, as narrow as its row."""

        def element(row: Array) -> str:
            return f"{row.text}[{', '.join('0' for _ in row.shape)}]"

        one, other = self.pick(rows), self.pick(rows)
        letters = one.kind + other.kind
        signs = ["+", "*", "<", "=="]
        signs += [] if letters == "bb" else ["-"]
        signs += [] if "f" in letters else ["&", "|", "^"]
        beside = element(other)
        if self.chance(0.5):
            beside = self.pick(["2", "True", "len(r0)"] + (["0.3"] if "f" in letters else []))
            signs = ["+", "*", "<"]
        return f"({element(one)} {self.pick(signs)} {beside})"

    def function(self) -> Source:
        """Write one."""
        self.forget()
        self.lines = []
        rows: list[Any] = []
        arrays = []
        for k in range(self.count(2, 4)):
            dtype = self.pick(KINDS)
            shape = self.pick(SHAPES)
            low, high = dtype_range(self.rng, dtype)
            rows.append(Array(f"r{k}", np.ones(shape, dtype), low, high))
            if dtype.startswith("float"):
                numbers = self.rng.uniform(low, high, shape)
                numbers = np.where(self.rng.random(shape) < 0.2, np.rint(numbers), numbers)
            else:
                numbers = self.rng.integers(int(low), int(high), shape, endpoint=True)
            arrays.append(numbers.astype(dtype))
        self.leaves["array"] = list(rows)
        self.write(f"def function({', '.join(row.text for row in rows)}):")
        self.depth += 1
        for row in rows:
            place = ", ".join("0" for _ in row.shape)
            if row.kind == "f":
                self.know(Expression(f"float({row.text}[{place}])", "float", row.low, row.high))
            elif row.kind in "iu":
                self.know(Expression(f"int({row.text}[{place}])", "int", row.low, row.high))
        for _ in range(self.count(2, 6)):
            ways = [self.new_array, self.change_array, self.go_through, self.swap]
            self.pick(ways, [3, 5, 0.7, 0.5])()
        found = [self.array(3).text for _ in range(self.count(3, 7))]
        found += [self.expression(kind, 1).text for kind in ("float", "int", "bool")]
        found += [self.narrow(rows) for _ in range(self.count(1, 3))]
        self.write(f"return ({', '.join(found)})")
        self.depth -= 1
        return Source("\n".join(self.lines) + "\n", arrays)


def generate(seed: int, number: int) -> Source:
    """Return random function `number` of a seed."""
    rng = np.random.default_rng([seed, number])
    return Functions(rng, style="expressions").function()


def load(source: Source) -> Any:
    """Return a random function."""
    names: dict[str, Any] = {"np": np, "sin": math.sin, "wrap_angle": math.sin}
    names["__name__"] = "random_function"
    exec(source.text, names)
    return names["function"]
