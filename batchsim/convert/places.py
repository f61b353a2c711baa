"""Where values lie: attributes, constants and working space."""

from __future__ import annotations

import ast
import copy
from dataclasses import replace

import numpy as np

from batchsim.convert import kinds, layout
from batchsim.convert.constants import placed
from batchsim.convert.conversion import RestartError
from batchsim.convert.kinds import Array, Kind, Maybe, Member, Number, Text, Tuple
from batchsim.convert.plain import Plainly
from batchsim.convert.refusal import at
from batchsim.convert.values import (
    Group,
    Known,
    Made,
    Perhaps,
    Place,
    Plain,
    Self,
    Value,
    element,
    expression,
)

__all__ = ["Places"]


class Places(Plainly):
    """Where values lie: attributes, constants and working space."""

    def scratch_place(self, name: str, kind: Kind, node: ast.AST) -> Place:
        """Return working space for a value of a kind."""
        for part in kinds.walk(kind):
            if isinstance(part, (kinds.Other, kinds.Unknown)):
                raise at(
                    node,
                    f"the variable {name}",
                    f"it holds {part}",
                    "Let it hold one kind of number, array, list or object throughout.",
                )
        wanted = f"{self.name}_{name}"
        known = self.whole.scratch.get(wanted)
        joined = kinds.join(known, kind) if known is not None else kind
        if known is not None and joined != known:
            self.whole.scratch[wanted] = joined
            raise RestartError(wanted)
        self.whole.scratch[wanted] = joined
        return Place(joined, wanted, scratch=True)

    def frozen(self, place: Place) -> Place:
        """Return a place whose index is evaluated now."""
        return replace(place, index=tuple(self.kept(k, "k") for k in place.index))

    def members_for(self, target: ast.Tuple | ast.List, value: Value) -> list[Value]:
        """Return what each part of a target is assigned; a starred one takes what is over."""
        starred = [k for k, part in enumerate(target.elts) if isinstance(part, ast.Starred)]
        if not starred:
            return self.members(value, len(target.elts), target)
        members = self.members(value, None, target)
        first, over = starred[0], len(members) - len(target.elts) + 1
        taken = Group(members[first : first + over], "list")
        return [*members[:first], taken, *members[first + over :]]

    def load(self, place: Place) -> Value:
        """Return what lies at a place, if it is a number, an array or a tuple of numbers."""
        match place.kind:
            case Number() | Text() | Member() | Array():
                return Plain(place.leaf(), place.kind)
            case Tuple():
                if kinds.common_dtype(place.kind) is not None:
                    parts: list[ast.expr] = [
                        place.leaf("", ast.Constant(k)) for k in range(len(place.kind.members))
                    ]
                    return Plain(ast.Tuple(parts, ast.Load()), place.kind)
                return Group(
                    [
                        self.load(place.part(str(k), member))
                        for k, member in enumerate(place.kind.members)
                    ],
                    place.kind.form,
                    place.name if place.kind.form == kinds.SPREAD else "",
                )
            case Maybe():
                inner = place.part("", place.kind.value)
                return Perhaps(place.leaf("missing"), self.load(inner))
            case kinds.Nothing():
                return Known(None)
        return place

    def row(self, place: Place) -> ast.expr | None:
        """Return a list of numbers that never changes its length as a row of its column."""
        if isinstance(place.kind, kinds.Sequence) and self.is_fixed(place):
            if isinstance(place.kind.element, Number | Array):
                return place.leaf()
            if isinstance(place.kind.element, Tuple) and kinds.common_dtype(place.kind.element):
                return place.leaf()
            inner = place.part("", place.kind.element, ast.Constant(0))
            if isinstance(inner.kind, kinds.Sequence) and self.row(inner) is not None:
                return place.leaf()
        return None

    def constant_place(
        self, value: Known, wanted: str, node: ast.AST, has_keys: bool = False
    ) -> Place:
        """Return the place of a known container among the constants of the module."""
        return placed(self.whole, value.value, value.name or wanted, node, has_keys)

    def place_of(self, node: ast.expr) -> Value:
        """Return where what an expression says lies: what is assigned to is found so."""
        match node:
            case ast.Attribute():
                return self.attribute_place(node)
            case ast.Subscript():
                return self.item_place(self.place_of(node.value), node)
        return self.expr(node)

    def attribute_place(self, node: ast.Attribute) -> Place:
        """Return the place of an attribute that is assigned to."""
        base = self.expr(node.value)
        if isinstance(base, Self):
            attribute = self.whole.attributes.get(node.attr)
            if attribute is None or attribute.role != "state":
                raise at(
                    node,
                    f"self.{node.attr}",
                    "it was never seen to be assigned, so that its kind is not known",
                    "Give it a value in the constructor.",
                )
            self.written.writes.add(node.attr)
            return self.state_place(node.attr, node)
        if isinstance(base, Place):
            place = self.field(base, node.attr)
            if place is not None:
                self.written.writes.add(place.name)
                return place
        if isinstance(base, Known) and isinstance(base.value, type):
            raise at(
                node,
                f"{base.value.__name__}.{node.attr} =",
                "it is state that survives reset, shared by all environments",
                f"Keep it in the environment: self.{node.attr} = ….",
            )
        raise at(
            node, f".{node.attr} =", "attributes of the environment and of its objects are columns"
        )

    def field(self, place: Place, name: str) -> Place | None:
        """Return the place of an object's attribute."""
        kind = place.kind
        if isinstance(kind, Maybe):
            kind = kind.value
        if isinstance(kind, kinds.Object | kinds.Record):
            for k, (key, part) in enumerate(kind.fields):
                if key == name and self.is_row(place, kind):
                    return place.part("", part, self.whole.field(kind, key, k))
                if key == name:
                    return place.part(key, part)
        return None

    def is_row(self, place: Place, kind: kinds.Object | kinds.Record) -> bool:
        """Return whether the fields of an object here are one row of a column."""
        return bool(place.index) and kinds.row_dtype(kind) is not None

    def state_place(self, name: str, node: ast.AST) -> Place:
        """Return the place of an attribute of the environment that is state."""
        attribute = self.whole.attributes[name]
        reason = layout.trouble(attribute.kind)
        if reason:
            raise at(
                node,
                f"self.{name}",
                reason,
                "Let it hold one kind of number, array, list or object throughout.",
            )
        column = (
            name.lstrip("_")
            if name.startswith("_") and name.lstrip("_") not in self.whole.attributes
            else name
        )
        self.whole.state[column] = attribute.kind
        return Place(attribute.kind, column)

    def derived(self, name: str, node: ast.AST) -> ast.expr:
        """Return the call of the function that computes an attribute from parameters."""
        attribute = self.whole.attributes[name]
        function = name.lstrip("_")
        if function not in self.whole.derived:
            assert attribute.node is not None
            made = self.plain(self.expr(attribute.node), node)
            self.whole.names.add(function)
            self.whole.derived[function] = ast.FunctionDef(
                name=function,
                args=ast.arguments([], [ast.arg("p")], None, [], [], None, []),
                body=[ast.Return(made)],
                decorator_list=[],
                lineno=1,
            )
        return expression(f"{function}(p)")

    def pairs(self, base: Value) -> list[tuple[Value, Value]] | None:
        """Return the keys and values of a dict whose keys are known; None of others."""
        if isinstance(base, Known) and isinstance(base.value, dict):
            return [(Known(key), Known(value)) for key, value in base.value.items()]
        if isinstance(base, Made):
            return [(Known(key), value) for key, value in base.fields.items()]
        if isinstance(base, Place) and isinstance(base.kind, kinds.Record):
            places = [(key, self.field(base, key)) for key, _ in base.kind.fields]
            return [(Known(key), self.load(place)) for key, place in places if place is not None]
        return None

    def members(self, value: Value, count: int | None, node: ast.AST) -> list[Value]:
        """Return the members of a value that is taken apart."""
        if isinstance(value, Place):
            value = self.load(value)
        match value:
            case Group():
                found = list(value.members)
            case Perhaps():
                return self.members(value.value, count, node)
            case Known() if isinstance(value.value, tuple | list | np.ndarray):
                found = [Known(member) for member in value.value]
            case Plain() if isinstance(value.kind, Tuple):
                if isinstance(value.node, ast.Tuple):
                    found = [
                        Plain(part, member)
                        for part, member in zip(value.node.elts, value.kind.members, strict=True)
                    ]
                else:
                    whole = (
                        value.node if isinstance(value.node, ast.Name) else self.kept(value.node)
                    )
                    found = [
                        Plain(expression(f"_0[{k}]", whole), member)
                        for k, member in enumerate(value.kind.members)
                    ]
            case Plain() if isinstance(value.kind, Array) and len(value.kind.shape) == 1:
                whole = value.node
                if not isinstance(whole, ast.Name) and not getattr(whole, "numbers", False):
                    whole = self.kept(whole)
                number = Number(value.kind.dtype, False)
                found = [
                    Plain(element(copy.deepcopy(whole), [ast.Constant(k)], True), number)
                    for k in range(value.kind.shape[0])
                ]
            case Place() if isinstance(value.kind, kinds.Sequence):
                if count is None and not self.is_fixed(value):
                    raise at(
                        node,
                        "unpacking",
                        f"how many elements a {value.kind.form} has here changes",
                        "Go through it in a loop.",
                    )
                n = count if count is not None else value.kind.greatest
                found = [
                    self.load(value.part("", value.kind.element, ast.Constant(k))) for k in range(n)
                ]
            case _:
                raise at(
                    node,
                    "unpacking",
                    f"how many members there are is not known of {self.words(value)}",
                )
        if count is not None and len(found) != count:
            raise at(node, "unpacking", f"{len(found)} members go into {count} names")
        return found
