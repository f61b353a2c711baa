"""What all parts of a writer of functions use: statements, names and kinds."""

from __future__ import annotations

import abc
import ast
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from batchsim.convert import kinds
from batchsim.convert.conversion import TAKEN, Conversion, Written
from batchsim.convert.kinds import UNKNOWN, Array, Kind, Maybe, Member, Number, Text, Tuple
from batchsim.convert.refusal import ConversionError, at
from batchsim.convert.values import (
    Bound,
    Group,
    Idle,
    Known,
    Made,
    Perhaps,
    Place,
    Plain,
    Self,
    Value,
    constant,
    expression,
    statement,
)

__all__ = ["Core"]

LARGEST_VALUE = 64  # elements of an array that a variable can hold


class Core(abc.ABC):
    """What all parts of a writer of functions use: statements, names and kinds."""

    whole: Conversion
    function: Any  # the author's, a types.FunctionType
    hints: dict[int, str]
    node: ast.FunctionDef
    name: str
    owner: Value | None
    top: str
    written: Written
    names: dict[str, Value]
    body: list[ast.stmt]
    used: set[str]
    result_kind: Kind
    line: int
    bindings: dict[str, list[ast.expr | None]]
    renamed: dict[str, str]
    skipped: set[int]
    loaded: set[str]  # variables that something reads
    entries: set[str]  # variables that hold what is in dicts that change
    broken: list[str]  # of each loop around, the variable that a `break` sets; empty if none

    def emit(self, node: ast.stmt) -> None:
        """Write a statement."""
        module = getattr(self.node, "source", None)
        node.origin = (module.path, self.line) if module is not None else None  # type: ignore[attr-defined]
        self.body.append(node)

    def say(self, text: str, *parts: ast.expr) -> None:
        """Write a statement, given as text in which `_0` … stand for trees."""
        self.emit(statement(text, *parts))

    @contextlib.contextmanager
    def block(self) -> Iterator[list[ast.stmt]]:
        """Collect what is written meanwhile."""
        before, self.body = self.body, []
        try:
            yield self.body
        finally:
            self.body = before

    def fresh(self, wanted: str) -> str:
        """Return the name of a new variable."""
        name, k = wanted, 1
        while (
            name in self.used or name in self.bindings or name in TAKEN or name in self.whole.names
        ):
            k += 1
            name = f"{wanted}_{k}"
        self.used.add(name)
        self.whole.variables.add(name)
        return name

    def kept(self, node: ast.expr, wanted: str = "value") -> ast.expr:
        """Return an expression's value as a name or constant, evaluated here."""
        if isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id in self.used):
            return node
        name = self.fresh(wanted)
        self.say(f"{name} = _0", node)
        return ast.Name(name, ast.Load())

    def variable(self, name: str) -> str:
        """Return the name that a variable has in what is written."""
        if name in TAKEN or name in self.whole.names or name in self.whole.constants:
            return self.renamed.setdefault(name, f"{name}_")
        self.whole.variables.add(name)
        return name

    def is_plain(self, kind: Kind) -> bool:
        """Return whether a variable can hold a value of this kind as it is."""
        if isinstance(kind, Array):
            return -1 not in kind.shape and kinds.size_of(kind) <= LARGEST_VALUE
        return kinds.is_numeric(kind) or isinstance(kind, kinds.Text | kinds.Member)

    def seen_kind(self, node: ast.expr) -> Kind:
        """Return the kind of what an expression was seen to evaluate to."""
        return self.whole.seen.kinds.get(getattr(node, "k", -1), UNKNOWN)

    def kind_of_value(self, value: Value) -> Kind:
        """Return the kind of a value."""
        match value:
            case Known():
                return kinds.kind_of(value.value, self.whole.seen.own)
            case Plain() | Place():
                return value.kind
            case Group():
                members = [self.kind_of_value(member) for member in value.members]
                if value.form == "list":
                    one = kinds.joined(members)
                    return kinds.Sequence(one, len(members), len(members), "list")
                return Tuple(tuple(members), names=value.names)
            case Made():
                fields = [(key, self.kind_of_value(part)) for key, part in value.fields.items()]
                if value.cls is not None:
                    return kinds.Object(value.cls, tuple(sorted(fields)))
                return kinds.Record(tuple(fields))
            case Perhaps():
                return Maybe(self.kind_of_value(value.value))
        return UNKNOWN

    def words(self, value: Value) -> str:
        """Return what a value is called in a message."""
        match value:
            case Known():
                return f"{value.value!r}"[:60]
            case Place():
                return f"{value.kind}"
            case Group() | Made():
                return "a container"
            case Self():
                return "the environment itself"
            case Bound():
                return "a function as a value"
        return type(value).__name__.lower()

    def is_fixed(self, place: Place) -> bool:
        """Return whether the list at a place never changes its length."""
        return isinstance(place.kind, kinds.Sequence) and self.whole.is_fixed(place.key, place.kind)

    def default(self, kind: Kind) -> ast.expr:
        """Return something of a kind, for where there is nothing."""
        match kind:
            case Number():
                if kind.python:
                    return constant(np.zeros((), kind.dtype).item())
                return expression(f"np.{kind.dtype.name}(0)")
            case Text() | Member():
                return constant(0)
            case Array():
                return expression(f"np.zeros({kind.shape}, np.{kind.dtype.name})")
            case Tuple():
                return ast.Tuple([self.default(member) for member in kind.members], ast.Load())
        raise at(
            self.node,
            "a value or None",
            f"it is {kind} or None, of which only numbers are chosen so",
        )

    # -- what later parts define ----------------------------------------------------------------

    @abc.abstractmethod
    def _array(self, place: Place) -> ast.expr:
        """Return the column of a row in which a list's elements lie."""

    @abc.abstractmethod
    def _is_constant(self, target: ast.expr) -> bool:
        """Return whether a target is of a constant of the definition; spaces may be made anew."""

    @abc.abstractmethod
    def _is_of_moment(self, value: Value) -> bool:
        """Return whether a value is an array of an attribute that is given others elsewhere."""

    @abc.abstractmethod
    def _bound_arguments(
        self,
        function: Any,
        tree: ast.FunctionDef,
        owner: Value | None,
        args: Sequence[ast.expr],
        keywords: Mapping[str, ast.expr],
        node: ast.AST,
    ) -> list[tuple[str, Value]]:
        """Return what the parameters of an author's function are given in a call."""

    @abc.abstractmethod
    def loop(
        self, source: ast.expr, target: ast.expr, body: Callable[[], None], node: ast.AST
    ) -> None:
        """Write a loop over what an expression yields."""

    @abc.abstractmethod
    def _keywords(self, node: ast.Call) -> dict[str, ast.expr]:
        """Return the arguments of a call that are passed by name."""

    @abc.abstractmethod
    def _option(self, key: Value, fields: Mapping[Any, Value], node: ast.Subscript) -> Value:
        """Return what a dict that is written out holds under a computed key."""

    @abc.abstractmethod
    def _remove(self, place: Place, where: ast.expr, node: ast.AST) -> None:
        """Write the removal of the element at an index."""

    @abc.abstractmethod
    def bind(self, name: str, value: Value, node: ast.AST) -> None:
        """Write the assignment of a value to a variable."""

    @abc.abstractmethod
    def call(self, node: ast.Call) -> Value:
        """Return what a call becomes."""

    @abc.abstractmethod
    def call_function(
        self,
        raw: Any,
        owner: Value | None,
        args: Sequence[ast.expr],
        keywords: Mapping[str, ast.expr],
        node: ast.AST,
    ) -> Value:
        """Return what a call of the author's function becomes; it is written if it is new."""

    @abc.abstractmethod
    def call_value(self, callee: Value, node: ast.Call) -> Value:
        """Return what a call of a value becomes."""

    @abc.abstractmethod
    def compare(self, left: Value, op: ast.cmpop, right: Value, node: ast.AST) -> Value:
        """Return a comparison."""

    @abc.abstractmethod
    def constant_place(
        self, value: Known, wanted: str, node: ast.AST, has_keys: bool = False
    ) -> Place:
        """Return the place of a known container among the constants of the module."""

    @abc.abstractmethod
    def expr(self, node: ast.expr) -> Value:
        """Return what an expression becomes."""

    @abc.abstractmethod
    def find_key(self, place: Place, key: Value, node: ast.AST) -> ast.expr:
        """Return the index of a key, or -1."""

    @abc.abstractmethod
    def has_effect(self, node: ast.expr) -> bool:
        """Return whether evaluating an expression changes something."""

    @abc.abstractmethod
    def idle_is_used(self, value: Idle, node: ast.AST) -> ConversionError:
        """Return the error about what is used of a call that is left out."""

    @abc.abstractmethod
    def is_dropped(self, target: ast.expr) -> bool:
        """Return whether an expression is an attribute that is not kept."""

    @abc.abstractmethod
    def item_place(self, base: Value, node: ast.Subscript) -> Value:
        """Return the place of an element, or the value that an index or slice finds."""

    @abc.abstractmethod
    def length(self, value: Value, node: ast.AST) -> Value:
        """Return how many elements a container has."""

    @abc.abstractmethod
    def load(self, place: Place) -> Value:
        """Return what lies at a place, if it is a number, an array or a tuple of numbers."""

    @abc.abstractmethod
    def members(self, value: Value, count: int | None, node: ast.AST) -> list[Value]:
        """Return the members of a value that is taken apart."""

    @abc.abstractmethod
    def new(self, node: ast.expr) -> Value:
        """Return what is put into a list: a new object by its fields, if it only has some."""

    @abc.abstractmethod
    def row(self, place: Place) -> ast.expr | None:
        """Return a list of numbers that never changes its length as a row of its column."""

    @abc.abstractmethod
    def store_item(self, target: ast.Subscript, value: Value, node: ast.AST) -> None:
        """Write an assignment to an element."""

    @abc.abstractmethod
    def test(self, node: ast.expr) -> ast.expr | bool:
        """Return a condition, or its value where that is known."""

    @abc.abstractmethod
    def truth(self, value: Value, node: ast.AST) -> ast.expr | bool:
        """Return whether a value counts as true."""

    @abc.abstractmethod
    def condition(self, value: Value, node: ast.AST) -> ast.expr:
        """Return whether a value counts as true, as an expression."""
