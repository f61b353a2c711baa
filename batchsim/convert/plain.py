"""How values are written as numbers and arrays that the contract allows."""

from __future__ import annotations

import ast
import copy
import enum
import keyword
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from batchsim.convert import kinds
from batchsim.convert.core import Core
from batchsim.convert.kinds import Array, Kind, Number, Tuple
from batchsim.convert.refusal import at
from batchsim.convert.values import (
    Group,
    Idle,
    Known,
    Perhaps,
    Place,
    Plain,
    Value,
    constant,
    expression,
)

__all__ = ["Plainly"]


class Plainly(Core):
    """How values are written as numbers and arrays that the contract allows."""

    def _held(self, value: Value, node: ast.AST) -> Value:
        """Return a member of a group as it is now."""
        if isinstance(value, Plain) and not isinstance(value.node, ast.Constant):
            return Plain(self.kept(value.node), value.kind)
        if isinstance(value, Place):
            loaded = self.load(value)
            if isinstance(loaded, Plain):
                return Plain(self.kept(loaded.node), loaded.kind)
        return value

    def plain(self, value: Value, node: ast.AST) -> ast.expr:
        """Return a value as an expression that the contract allows."""
        match value:
            case Plain():
                return copy.deepcopy(value.node)
            case Known():
                return self.known(value, node)
            case Place():
                loaded = self.load(value)
                if not isinstance(loaded, Place):
                    return self.plain(loaded, node)
                row = self.row(loaded)
                if row is not None:
                    return row
            case Group():
                self.gathered(value)
                return ast.Tuple([self.plain(member, node) for member in value.members], ast.Load())
            case Perhaps():
                return self.plain(value.value, node)
            case Idle():
                raise self.idle_is_used(value, node)
        raise at(
            node,
            self.words(value),
            "numbers and arrays of NumPy are computed with, and this is neither",
        )

    def gathered(self, value: Value) -> None:
        """Have an array in one column that is needed as a whole."""
        if isinstance(value, Group) and value.origin:
            self.whole.gather(value.origin)

    def known(self, value: Known, node: ast.AST) -> ast.expr:
        """Return how a known value is written."""
        held = value.value
        if isinstance(held, str) or (isinstance(held, enum.Enum) and not isinstance(held, int)):
            return self.code(held)
        if value.node is not None:
            return copy.deepcopy(value.node)
        if isinstance(held, bool | int | float) and type(held) in (bool, int, float):
            if isinstance(held, float) and not math.isfinite(held):
                return (
                    ast.Attribute(
                        ast.Name("math", ast.Load()), "nan" if held != held else "inf", ast.Load()
                    )
                    if not held < 0
                    else expression("-math.inf")
                )
            return constant(held)
        if isinstance(held, enum.Enum):
            return constant(int(held.value))
        if isinstance(held, np.bool_):
            return constant(bool(held))
        if isinstance(held, np.generic):
            # As many digits as tell it from its neighbours.
            shortest = type(held.item())(str(held)) if held.dtype.kind == "f" else held.item()
            said = expression(f"np.{held.dtype.name}(_0)", constant(shortest))
            wanted = value.name.strip("_").upper()
            if wanted and wanted not in self.whole.constants and wanted not in self.names:
                self.whole.constants[wanted] = said
            if wanted and ast.dump(self.whole.constants[wanted]) == ast.dump(said):
                return ast.Name(wanted, ast.Load())
            return said
        if (
            isinstance(held, tuple | list)
            and held
            and all(isinstance(k, int | float | np.number) for k in held)
        ):
            return ast.Tuple([self.known(Known(k), node) for k in held], ast.Load())
        if isinstance(held, np.ndarray | list | tuple):
            loaded = self.load(self.constant_place(value, "constant", node))
            if isinstance(loaded, Plain):
                return loaded.node
            if isinstance(loaded, Place):
                row = self.row(loaded)
                if row is not None:
                    return row
        if isinstance(held, type) and issubclass(held, np.generic | bool | int | float):
            return (
                ast.Name(held.__name__, ast.Load())
                if held in (bool, int, float)
                else expression(f"np.{held.__name__}")
            )
        if isinstance(held, np.dtype):
            return expression(f"np.{held.name}")
        raise at(node, self.words(value), "a definition computes with numbers and arrays alone")

    def code(self, value: Any) -> ast.expr:
        """Return the constant that stands for a string or a member of an enumeration."""
        number = self.whole.codes.of(value)
        said = value if isinstance(value, str) else value.name
        name = "".join(c if c.isalnum() else "_" for c in said.strip().upper()) or "EMPTY"
        if not name.isidentifier() or keyword.iskeyword(name):
            name = f"CODE_{name}"
        known = self.whole.constants.get(name)
        if known is not None and not (isinstance(known, ast.Constant) and known.value == number):
            name = f"{name}_CODE"
        self.whole.constants[name] = constant(number)
        return ast.Name(name, ast.Load())

    def operand(self, value: Value, other: Kind, node: ast.AST) -> ast.expr:
        """Return a value beside one of another kind, as wide as NumPy makes it there.

        Compiled code does not tell Python's numbers from NumPy's, which are wider beside a float32.
        """
        kind = self.kind_of_value(value)
        if isinstance(other, Array) and isinstance(kind, Tuple) and kinds.is_numeric(kind):
            members = [self.plain(member, node) for member in self.members(value, None, node)]
            return expression("np.array(_0)", ast.List(members, ast.Load()))
        found = self.plain(value, node)
        if not isinstance(other, Number | Array) or not isinstance(kind, Number | Array):
            return found
        if isinstance(kind, Number) and kind.python:
            fits = _is_narrow(other) and (kind.dtype.kind in "ib" or other.dtype.kind == "f")
            if fits and not isinstance(found, ast.Constant):
                return expression(f"np.{other.dtype.name}(_0)", found)
        elif _is_narrow(kind) and other.dtype == np.float64 and not getattr(other, "python", False):
            wide = "float(_0)" if isinstance(kind, Number) else "_0.astype(np.float64)"
            return expression(wide, found)
        return found

    def expr_of(self, value: Value) -> Value:
        """Return a value, loaded if it is a place."""
        return self.load(value) if isinstance(value, Place) else value

    def optional(self, value: Value, node: ast.AST) -> tuple[ast.expr, Value | None]:
        """Return whether a value is None, and what it is if not."""
        if isinstance(value, Place):
            value = self.load(value)
        if isinstance(value, Known) and value.value is None:
            return ast.Constant(True), None
        if isinstance(value, Perhaps):
            return value.missing, value.value
        return ast.Constant(False), value

    def alike_numbers(self, members: Sequence[Value], node: ast.AST) -> list[ast.expr]:
        """Return numbers of one type: whole ones beside others are of floating point."""
        found = [self.plain(member, node) for member in members]
        types = {
            getattr(getattr(self.kind_of_value(m), "dtype", None), "kind", "f") for m in members
        }
        if len(types) == 1:
            return found
        return [
            ast.Constant(float(part.value))  # type: ignore[arg-type]
            if isinstance(part, ast.Constant)
            else expression("float(_0)", part)
            for part in found
        ]


def _is_narrow(kind: Number | Array) -> bool:
    """Return whether NumPy computes with a number or array in fewer than 64 bits."""
    python = isinstance(kind, Number) and kind.python
    return not python and kind.dtype.kind in "iuf" and kind.dtype.itemsize < 8
