"""What expressions become: values that are known, numbers and arrays, and places in columns."""

from __future__ import annotations

import ast
import copy
import functools
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from batchsim.convert.kinds import UNKNOWN, Kind

__all__ = [
    "Bound",
    "Choice",
    "Draw",
    "Group",
    "Idle",
    "Known",
    "Made",
    "Perhaps",
    "Place",
    "Plain",
    "Self",
    "Streams",
    "Value",
    "as_known",
    "constant",
    "element",
    "expression",
    "for_each",
    "in_place_of",
    "statement",
]

N = TypeVar("N", bound=ast.AST)


@dataclass
class Value:
    """What an expression of the author's becomes."""


@dataclass
class Known(Value):
    """A value that is known when the definition is written.

    Attributes:
        value: the value.
        node: how it is written, if it can be.
        name: what it is called, if it is called anything.
    """

    value: Any
    node: ast.expr | None = None
    name: str = ""


@dataclass
class Plain(Value):
    """A number, array or tuple of numbers, by an expression that the contract allows."""

    node: ast.expr
    kind: Kind = UNKNOWN


@dataclass
class Place(Value):
    """Where a value lies: in columns, `s.name[i, index]`, or in constants, `NAME[index]`.

    Attributes:
        kind: of what lies there.
        name: of the column, or what the names of its columns begin with.
        index: where in the columns, after the row.
        base: `"s"` for columns, `"p"` for tables, `""` for constants of the module.
        scratch: whether the columns are working space.
    """

    kind: Kind
    name: str
    index: tuple[ast.expr, ...] = ()
    base: str = "s"
    scratch: bool = False

    @property
    def key(self) -> str:
        """What tells the lists of one name from those within them."""
        return key_of(self.name, len(self.index))

    def count(self) -> ast.expr:
        """Return how many elements of the list here count."""
        return self.leaf(count_suffix(len(self.index)))

    def leaf(self, suffix: str = "", *further: ast.expr) -> ast.expr:
        """Return the element of a column."""
        name = f"{self.name}_{suffix}" if suffix else self.name
        index = [copy.deepcopy(k) for k in (*self.index, *further)]
        if self.base == "s":
            index.insert(0, ast.Name("i", ast.Load()))
        column: ast.expr = ast.Name(name if self.base else name.upper(), ast.Load())
        if self.base:
            column = ast.Attribute(ast.Name(self.base, ast.Load()), name, ast.Load())
        if not index:
            return column
        return element(column, index, not any(isinstance(k, ast.Slice) for k in index))

    def part(self, suffix: str, kind: Kind, *index: ast.expr) -> Place:
        """Return the place of a part of what lies here."""
        name = f"{self.name}_{suffix}" if suffix else self.name
        return replace(self, name=name, kind=kind, index=(*self.index, *index))


@dataclass
class Group(Value):
    """Several values in the order of a tuple or list that is written there."""

    members: list[Value]
    form: str = "tuple"
    origin: str = ""  # the attribute whose elements are columns of their own
    names: tuple[str, ...] = ()


@dataclass
class Made(Value):
    """A dict by its keys that is written there, or a new object of a class by its fields."""

    fields: dict[str, Value] = field(default_factory=dict)
    cls: type | None = None


@dataclass
class Perhaps(Value):
    """A value or None."""

    missing: ast.expr
    value: Value


@dataclass
class Self(Value):
    """The environment."""


@dataclass
class Streams(Value):
    """The row's random stream."""

    foreign: str = ""


@dataclass
class Draw(Value):
    """A function that draws: a generator's method, or one that is replaced by its full name."""

    name: str
    foreign: bool = False
    space: Any = None


@dataclass
class Bound(Value):
    """A function of the author's, with the value that it is a method of."""

    function: Any
    owner: Value | None = None


@dataclass
class Idle(Value):
    """What a call returns that is left out, such as the time of day."""

    said: str


@dataclass
class Choice(Value):
    """One of several functions, by a key that is computed."""

    key: Value
    options: list[tuple[Value, Value]]


def as_known(value: Value) -> Known | None:
    """Return a container that is written out as a known one, if all that it holds is known."""
    if isinstance(value, Known):
        return value
    if isinstance(value, Group):
        parts = [as_known(member) for member in value.members]
        held = [part.value for part in parts if part is not None]
        made = {"list": list, "set": set}.get(value.form, tuple)(held)
        return Known(made) if len(held) == len(parts) and not value.names else None
    if isinstance(value, Made):
        found = {key: as_known(member) for key, member in value.fields.items()}
        known = {key: part.value for key, part in found.items() if part is not None}
        return Known(known) if len(known) == len(found) else None
    return None


def key_of(name: str, depth: int) -> str:
    """Return what tells a list at a depth of indices from others of its name."""
    return name + "·" * depth


def count_suffix(depth: int) -> str:
    """Return what the column of a list's length is called, behind its name."""
    return ("length", "lengths")[depth] if depth < 2 else f"lengths_{depth}"


def constant(value: Any) -> ast.expr:
    """Return a literal."""
    if isinstance(value, bool | int | float) and not isinstance(value, bool) and value < 0:
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(value)


def element(array: ast.expr, index: list[ast.expr], numbers: bool) -> ast.expr:
    """Return what an index finds: `a[k][m]` is `a[k, m]` if k and m are numbers."""
    if isinstance(array, ast.Subscript) and getattr(array, "numbers", False):
        first = array.slice
        before = first.elts if isinstance(first, ast.Tuple) else [first]
        index = [*before, *index]
        array = array.value
    where = index[0] if len(index) == 1 else ast.Tuple(index, ast.Load())
    found = ast.Subscript(array, where, ast.Load())
    found.numbers = numbers  # type: ignore[attr-defined]
    return found


@functools.cache
def _parsed(text: str) -> ast.stmt:
    return ast.parse(text).body[0]


class _Filler(ast.NodeTransformer):
    def __init__(self, parts: tuple[ast.expr, ...]) -> None:
        self.parts = parts

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id.startswith("_") and node.id[1:].isdigit():
            part = copy.deepcopy(self.parts[int(node.id[1:])])
            if isinstance(node.ctx, ast.Store):
                part.ctx = ast.Store()  # type: ignore[attr-defined]
            return part
        return node


def expression(text: str, *parts: ast.expr) -> ast.expr:
    """Return the tree of an expression in which `_0`, `_1` … stand for trees."""
    node = statement(text, *parts)
    assert isinstance(node, ast.Expr)
    return node.value


def statement(text: str, *parts: ast.expr) -> ast.stmt:
    """Return the tree of a statement in which `_0`, `_1` … stand for trees."""
    return _Filler(parts).visit(copy.deepcopy(_parsed(text)))  # type: ignore[no-any-return]


def in_place_of(made: N, node: ast.AST) -> N:
    """Return a node where another stands in the source, so that messages name that line."""
    ast.copy_location(made, node)
    made.source = getattr(node, "source", None)  # type: ignore[attr-defined]
    return made


def negated(node: ast.expr) -> ast.expr:
    """Return the opposite of a condition."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return node.operand
    return ast.UnaryOp(ast.Not(), node)


def joined(op: ast.boolop, parts: list[ast.expr]) -> ast.expr:
    """Return one or several conditions as one."""
    return parts[0] if len(parts) == 1 else ast.BoolOp(op, parts)


def evaluated(node: ast.expr, a: Any, b: Any) -> Any:
    """Return the value of an expression of the names `a` and `b`."""
    tree = ast.fix_missing_locations(ast.Expression(node))
    return eval(compile(tree, "<constant>", "eval"), {"a": a, "b": b})


def for_each(
    name: str, count: ast.expr, body: list[ast.stmt], start: ast.expr | None = None
) -> ast.For:
    """Return the loop over the numbers below one, from 0 or another one on."""
    bounds = "_0" if start is None else "_1, _0"
    loop = statement(f"for {name} in range({bounds}): pass", count, start or count)
    assert isinstance(loop, ast.For)
    loop.body = body or [ast.Pass()]
    return loop
