"""How values are written into places."""

from __future__ import annotations

import ast
from collections import deque
from typing import Any

import numpy as np

from batchsim.convert import kinds
from batchsim.convert.core import LARGEST_VALUE
from batchsim.convert.kinds import Array, Kind, Maybe, Member, Number, Text, Tuple
from batchsim.convert.places import Places
from batchsim.convert.refusal import at
from batchsim.convert.values import (
    Group,
    Known,
    Made,
    Perhaps,
    Place,
    Plain,
    Value,
    expression,
    for_each,
)

__all__ = ["Assignment"]


class Assignment(Places):
    """How values are written into places."""

    def _now(self, value: Value, node: ast.AST) -> Value:
        """Return a value as it is before other assignments of the same line."""
        if isinstance(value, Place):
            value = self.load(value)
        if isinstance(value, Plain) and not isinstance(value.node, ast.Constant):
            copied = value.node
            if isinstance(value.kind, Array):
                copied = expression("_0.copy()", copied)
            return Plain(self.kept(copied), value.kind)
        return value

    def store(self, target: ast.expr, value: Value, node: ast.AST) -> None:
        """Write the assignment of a value to whatever a target is."""
        match target:
            case ast.Name():
                self.bind(target.id, value, node)
            case ast.Tuple() | ast.List():
                members = self.members_for(target, value)
                for part, member in zip(target.elts, members, strict=True):
                    self.store(part, member, node)
            case ast.Attribute():
                if self.is_dropped(target):
                    if isinstance(value, Plain) and self.has_effect(value.node):
                        self.emit(ast.Expr(value.node))
                    return
                self.assign(self.attribute_place(target), value, node)
            case ast.Subscript():
                self.store_item(target, value, node)
            case ast.Starred():
                self.store(target.value, value, node)
            case _:
                raise at(target, construct(target), "nothing can be assigned to it here")

    def assign(self, place: Place, value: Value, node: ast.AST) -> None:
        """Write the assignment of a value to a place."""
        self.written.writes.add(place.name)
        if isinstance(value, Place) and value == place:
            return
        kind = place.kind
        if (
            isinstance(value, Known)
            and value.value is None
            and not isinstance(kind, Maybe | kinds.Nothing)
        ):
            self.whole.make_optional(place, node)
        match kind:
            case kinds.Nothing():
                return
            case Maybe():
                self._assign_perhaps(place, kind, value, node)
            case Number() | kinds.Text() | kinds.Member():
                self._set(place.leaf(), self.plain(value, node))
            case Array():
                self._set(place.leaf(), stored(self.plain(self.as_row(value, kind), node), kind))
            case Tuple():
                self._assign_tuple(place, kind, value, node)
            case kinds.Sequence():
                self._assign_sequence(place, kind, value, node)
            case kinds.Record() | kinds.Object():
                self._assign_fields(place, kind, value, node)
            case kinds.Map():
                self._assign_map(place, kind, value, node)
            case _:
                raise at(node, "an assignment", f"what is assigned was seen to be {kind}")

    def as_row(self, value: Value, kind: Kind) -> Value:
        """Return as many numbers of a list whose length changes as an array takes of it."""
        if (
            isinstance(value, Place)
            and isinstance(value.kind, kinds.Sequence)
            and isinstance(value.kind.element, Number)
            and isinstance(kind, Array)
            and len(kind.shape) == 1
            and not self.is_fixed(value)
        ):
            part = value.leaf("", ast.Slice(None, ast.Constant(kind.shape[0])))
            return Plain(part, Array(value.kind.element.dtype, kind.shape))
        return value

    def changing_place(self, label: str, kind: kinds.Sequence, node: ast.AST) -> Place:
        """Return working space for a list whose length changes."""
        place = self.scratch_place(f"{label}_{position_of(node)}", kind, node)
        self.whole.resized.add(place.key)
        return place

    def copied(self, value: Value, kind: Kind, node: ast.AST) -> Place:
        """Return a copy of a value in working space."""
        place = self.scratch_place(f"copy_{position_of(node)}", kind, node)
        self.assign(place, value, node)
        return place

    def holder(self, wanted: str, label: str, kind: Kind, node: ast.AST) -> Plain | Place:
        """Return a new variable, or working space with a label, for what branches come to."""
        if self.is_plain(kind):
            return Plain(ast.Name(self.fresh(wanted), ast.Load()), kind)
        return self.scratch_place(f"{label}_{position_of(node)}", kind, node)

    def hold(self, holder: Plain | Place, value: Value, node: ast.AST) -> None:
        """Write what a branch comes to into the variable or working space for it."""
        if isinstance(holder, Place):
            self.assign(holder, value, node)
        else:
            self.say("_0 = _1", holder.node, self.plain(value, node))

    def listed(self, value: Group, label: str, node: ast.AST) -> Place:
        """Return a list that is written there in working space: any element can be asked for."""
        kind = kinds.Sequence(
            kinds.joined(map(self.kind_of_value, value.members)),
            len(value.members),
            len(value.members),
            "list",
        )
        place = self.scratch_place(f"{label}_{getattr(node, 'lineno', 0)}", kind, node)
        self.assign(place, value, node)
        return place

    def _set(self, target: ast.expr, value: ast.expr) -> None:
        target.ctx = ast.Store()  # type: ignore[attr-defined]
        self.emit(ast.Assign([target], value, lineno=1))

    def _assign_perhaps(self, place: Place, kind: Maybe, value: Value, node: ast.AST) -> None:
        missing, inner = self.optional(value, node)
        if inner is not None:
            within = place.part("", kind.value)
            if isinstance(missing, ast.Constant) or self.is_plain(kind.value):
                self.assign(within, inner, node)
            else:
                with self.block() as body:
                    self.assign(within, inner, node)
                self.emit(ast.If(expression("not _0", missing), body, []))
        elif isinstance(kind.value, Number) and not place.scratch:
            # Written all the same: rows whose columns a reset writes all can be stepped on.
            self._set(place.leaf(), self.default(kind.value))
        self._set(place.leaf("missing"), missing)

    def _assign_tuple(self, place: Place, kind: Tuple, value: Value, node: ast.AST) -> None:
        if kinds.common_dtype(kind) is not None and not place.index:
            loaded = self.load(value) if isinstance(value, Place) else value
            if isinstance(loaded, Plain | Group) or (
                isinstance(loaded, Known) and loaded.value is not None
            ):
                self._set(place.leaf(), self.plain(loaded, node))
                return
        elements = elements_of(value, np.dtype(float))
        if (
            kind.form == kinds.SPREAD
            and elements is not None
            and len(elements) == len(kind.members)
        ):
            value = Group([Plain(part) for part in elements])
        members = self.members(value, len(kind.members), node)
        held = [self._taken(member, place) for member in members]
        common = kinds.common_dtype(kind) is not None
        for k, (member, part) in enumerate(zip(held, kind.members, strict=True)):
            if common:
                self._set(place.leaf("", ast.Constant(k)), self.plain(member, node))
            else:
                self.assign(place.part(str(k), part), member, node)

    def _taken(self, value: Value, place: Place) -> Value:
        """Return a value that writing to a place does not change."""
        if isinstance(value, Plain) and any(
            isinstance(part, ast.Attribute)
            and (part.attr == place.name or part.attr.startswith(f"{place.name}_"))
            for part in ast.walk(value.node)
        ):
            return Plain(self.kept(value.node), value.kind)
        return value

    def _assign_sequence(
        self, place: Place, kind: kinds.Sequence, value: Value, node: ast.AST
    ) -> None:
        self.written.resizes.add(place.name)
        if isinstance(value, Plain) and isinstance(value.kind, Array) and self.is_fixed(place):
            self._set(place.leaf(), self.plain(value, node))
            return
        if isinstance(value, Place) and isinstance(value.kind, kinds.Sequence):
            self._copy(place, value, node)
            return
        if isinstance(value, Known) and isinstance(
            value.value, list | tuple | set | frozenset | deque
        ):
            value = self._known_as_members(value, node)
            if isinstance(value, Place):
                self._copy(place, value, node)
                return
        members = [self._taken(member, place) for member in self.members(value, None, node)]
        if self.is_fixed(place) and len(members) != kind.greatest:
            self.whole.resize(place.key)
        for k, member in enumerate(members):
            self.assign(place.part("", kind.element, ast.Constant(k)), member, node)
        if not self.is_fixed(place):
            self._set(place.count(), ast.Constant(len(members)))

    def _known_as_members(self, value: Known, node: ast.AST) -> Value:
        held = list(value.value)
        if len(held) <= 8:
            return Group([Known(member) for member in held], "list")
        return self.constant_place(Known(held), "initial", node)

    def _copy(self, place: Place, source: Place, node: ast.AST) -> None:
        """Write the copy of a list into another."""
        assert isinstance(place.kind, kinds.Sequence)
        assert isinstance(source.kind, kinds.Sequence)
        if (
            self.is_fixed(place)
            and self.is_fixed(source)
            and self.row(source) is not None
            and place.kind.greatest == source.kind.greatest
        ):
            self._set(place.leaf(), source.leaf())
            return
        if self.is_fixed(place) and not self.is_fixed(source):
            self.whole.resize(place.key)
        count = self.plain(self.length(source, node), node)
        if not isinstance(count, ast.Constant):
            count = self.kept(count, "count")
        k = self.fresh("k")
        with self.block() as body:
            where = ast.Name(k, ast.Load())
            self.assign(
                place.part("", place.kind.element, where),
                self.load(source.part("", source.kind.element, where)),
                node,
            )
        self.emit(for_each(k, count, body))
        if not self.is_fixed(place):
            self._set(place.count(), count)

    def _assign_fields(
        self, place: Place, kind: kinds.Record | kinds.Object, value: Value, node: ast.AST
    ) -> None:
        if isinstance(value, Perhaps):
            value = value.value
        if self.is_row(place, kind) and self._assign_row(place, kind, value, node):
            return
        for key, _ in kind.fields:
            target = self.field(place, key)
            assert target is not None
            part = self._field_of(value, key)
            if part is not None:
                self.assign(target, part, node)
            elif not isinstance(value, Place | Made):
                raise at(node, "an assignment", f"{self.words(value)} is no {kind}")

    def _field_of(self, value: Value, key: str) -> Value | None:
        """Return what an object or a dict holds under a name; None if it holds nothing there."""
        match value:
            case Place():
                source = self.field(value, key)
                return None if source is None else self.load(source)
            case Made():
                return value.fields.get(key)
            case Known():
                held = value.value
                return Known(held[key] if isinstance(held, dict) else getattr(held, key))
        return None

    def _assign_row(
        self, place: Place, kind: kinds.Record | kinds.Object, value: Value, node: ast.AST
    ) -> bool:
        """Write all fields of an object at once, as a row; return whether that can be done."""
        if isinstance(value, Place) and value.kind == kind and self.is_row(value, kind):
            self._set(place.leaf(), value.leaf())
            return True
        parts: list[ast.expr] = []
        for key, _ in kind.fields:
            part = self._field_of(value, key)
            if part is None or not isinstance(self.kind_of_value(part), Number | Text | Member):
                return False
            parts.append(self.plain(part, node))
        self._set(place.leaf(), ast.Tuple(parts, ast.Load()))
        return True

    def _assign_map(self, place: Place, kind: kinds.Map, value: Value, node: ast.AST) -> None:
        if isinstance(value, Place) and isinstance(value.kind, kinds.Map):
            self._copy_map(place, value, node)
            return
        pairs = None if isinstance(value, Place) else self.pairs(value)
        if pairs is None:
            raise at(
                node, "an assignment", f"{self.words(value)} is no dict that can be written out"
            )
        for k, (key, member) in enumerate(pairs):
            self.assign(place.part("keys", kind.key, ast.Constant(k)), key, node)
            self.assign(place.part("values", kind.value, ast.Constant(k)), member, node)
        self._set(place.count(), ast.Constant(len(pairs)))

    def _copy_map(self, place: Place, source: Place, node: ast.AST) -> None:
        assert isinstance(place.kind, kinds.Map)
        assert isinstance(source.kind, kinds.Map)
        k = self.fresh("k")
        where = ast.Name(k, ast.Load())
        with self.block() as body:
            for suffix, mine, theirs in (
                ("keys", place.kind.key, source.kind.key),
                ("values", place.kind.value, source.kind.value),
            ):
                self.assign(
                    place.part(suffix, mine, where),
                    self.load(source.part(suffix, theirs, where)),
                    node,
                )
        self.emit(for_each(k, source.count(), body))
        self._set(place.count(), source.count())


def position_of(node: ast.AST) -> str:
    """Return where in the source something stands, as part of a name."""
    return f"{getattr(node, 'lineno', 0)}_{getattr(node, 'col_offset', 0)}"


def construct(node: ast.AST) -> str:
    """Return what a statement or expression is called in a message."""
    return {
        "Try": "try … except",
        "With": "with",
        "FunctionDef": "a function within a function",
        "ClassDef": "a class within a function",
        "Lambda": "lambda",
        "Await": "await",
        "Yield": "yield",
        "Nonlocal": "nonlocal",
    }.get(type(node).__name__, type(node).__name__)


def elements_of(value: Value, *dtypes: np.dtype[Any]) -> list[ast.expr] | None:
    """Return the numbers of an array that is written out there, if it is of one of these dtypes."""
    node = value.node if isinstance(value, Plain) else None
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("array", "asarray")
        and isinstance(node.args[0], ast.List)
        and not any(isinstance(part, ast.List | ast.Starred) for part in node.args[0].elts)
        and isinstance(value, Plain)
        and isinstance(value.kind, Array)
        and len(value.kind.shape) == 1
        and value.kind.dtype in dtypes
    ):
        return list(node.args[0].elts)
    return None


def stored(node: ast.expr, kind: Array) -> ast.expr:
    """Return what a row is assigned; a large array is copied and converted by being stored."""
    large = -1 in kind.shape or kinds.size_of(kind) > LARGEST_VALUE
    if not large or not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return node
    is_copy = node.func.attr == "copy"
    is_cast = node.func.attr == "astype" and ast.unparse(node.args[0]) == f"np.{kind.dtype.name}"
    return node.func.value if is_copy or is_cast else node
