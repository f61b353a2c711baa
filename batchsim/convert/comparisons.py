"""Comparisons, and what is searched for in containers."""

from __future__ import annotations

import ast
import dataclasses

import numpy as np

from batchsim.convert import kinds
from batchsim.convert.attributes import lookup
from batchsim.convert.kinds import BOOL, UNKNOWN, Array, Kind, Maybe, Number, Text, Tuple
from batchsim.convert.loops import is_set
from batchsim.convert.operators import Operators, bare
from batchsim.convert.refusal import at
from batchsim.convert.values import (
    Group,
    Known,
    Made,
    Perhaps,
    Place,
    Plain,
    Value,
    constant,
    evaluated,
    expression,
    for_each,
    joined,
    negated,
    statement,
)

__all__ = ["Comparisons"]

FEW = 8  # members of a container that is searched by comparisons one after the other


class Comparisons(Operators):
    """What a writer of functions makes of comparisons."""

    def of_Compare(self, node: ast.Compare) -> Value:
        """Comparisons, chained ones too."""
        values = self.in_order([node.left, *node.comparators])
        if len(node.ops) == 1:
            return self.compare(values[0], node.ops[0], values[1], node)
        for k in range(1, len(values) - 1):
            middle = self.expr_of(values[k])
            if isinstance(middle, Plain) and any(
                isinstance(part, ast.Call) for part in ast.walk(middle.node)
            ):
                values[k] = Plain(self.kept(middle.node), middle.kind)
        if all(isinstance(self.kind_of_value(value), Number) for value in values) and not all(
            isinstance(value, Known) for value in values
        ):
            return Plain(
                ast.Compare(
                    self.plain(values[0], node), node.ops, [self.plain(v, node) for v in values[1:]]
                ),
                BOOL,
            )
        parts: list[ast.expr] = []
        for left, op, right in zip(values, node.ops, values[1:], strict=False):
            truth = self.truth(self.compare(left, op, right, node), node)
            if truth is False:
                return Known(False)
            if truth is not True:
                parts.append(truth)
        if not parts:
            return Known(True)
        return Plain(joined(ast.And(), parts), BOOL)

    def compare(self, left: Value, op: ast.cmpop, right: Value, node: ast.AST) -> Value:
        """Return a comparison."""
        if isinstance(op, ast.In | ast.NotIn):
            found = self.contains(left, right, node)
            if isinstance(op, ast.In):
                return found
            truth = self.truth(found, node)
            if isinstance(truth, bool):
                return Known(not truth)
            return Plain(_not(truth), BOOL)
        left, right = self.expr_of(left), self.expr_of(right)
        self.gathered(left)
        self.gathered(right)
        if isinstance(left, Known) and isinstance(right, Known):
            test = ast.Compare(ast.Name("a", ast.Load()), [op], [ast.Name("b", ast.Load())])
            return Known(evaluated(test, left.value, right.value))
        for one, other in ((left, right), (right, left)):
            if (
                isinstance(other, Known)
                and other.value is None
                and isinstance(op, ast.Is | ast.IsNot | ast.Eq | ast.NotEq)
            ):
                positive = isinstance(op, ast.Is | ast.Eq)
                missing = self._missing(one)
                if isinstance(missing, bool):
                    return Known(missing is positive)
                return Plain(missing if positive else _not(missing), BOOL)
        if isinstance(op, ast.Is | ast.IsNot):
            op = ast.Eq() if isinstance(op, ast.Is) else ast.NotEq()
        if isinstance(left, Perhaps) or isinstance(right, Perhaps):
            return self._compare_perhaps(left, op, right, node)
        made = self.of_elements(left, lambda x, y: self.compare(x, op, y, bare(node)), right, node)
        if made is not None:
            return made
        if isinstance(op, ast.Eq | ast.NotEq) and not self._is_array_like(left, right):
            alike = self._alike_objects(left, right, node)
            if alike is None:
                alike = self._alike_members(left, right, node)
            if alike is not None:
                if isinstance(alike, bool):
                    return Known(alike is isinstance(op, ast.Eq))
                return Plain(alike if isinstance(op, ast.Eq) else _not(alike), BOOL)
        sides = [self.kind_of_value(left), self.kind_of_value(right)]
        for side, beside in ((sides[0], sides[1]), (sides[1], sides[0])):
            # A whole number or member equals no string.
            if isinstance(side, Text) and isinstance(beside, Number | Array):
                return Known(isinstance(op, ast.NotEq))
        nodes = [self.operand(left, sides[1], node), self.operand(right, sides[0], node)]
        kind: Kind = BOOL
        arrays = [side for side in sides if isinstance(side, Array)]
        if len(arrays) == 1 and isinstance(sides[1 - sides.index(arrays[0])], Number):
            kind = Array(np.dtype(bool), arrays[0].shape)
        elif arrays and isinstance(node, ast.Compare) and len(node.ops) == 1:
            kind = self.seen_kind(node)
        return Plain(ast.Compare(nodes[0], [op], [nodes[1]]), kind)

    def _missing(self, value: Value) -> ast.expr | bool:
        if isinstance(value, Perhaps):
            return value.missing
        if isinstance(value, Place) and isinstance(value.kind, Maybe):
            return value.leaf("missing")
        return isinstance(value, Known) and value.value is None

    def _compare_perhaps(self, left: Value, op: ast.cmpop, right: Value, node: ast.AST) -> Value:
        missing = [side.missing for side in (left, right) if isinstance(side, Perhaps)]
        inner = [side.value if isinstance(side, Perhaps) else side for side in (left, right)]
        alike = self.condition(self.compare(inner[0], op, inner[1], node), node)
        if len(missing) == 2 and isinstance(op, ast.Eq | ast.NotEq):
            both = expression(
                "_0 == _1 and (_0 or _2)"
                if isinstance(op, ast.Eq)
                else "_0 != _1 or (not _0 and _2)",
                *missing,
                alike,
            )
            return Plain(both, BOOL)
        if isinstance(op, ast.NotEq):
            return Plain(expression("_0 or _1", missing[0], alike), BOOL)
        if isinstance(op, ast.Eq):
            return Plain(expression("not _0 and _1", missing[0], alike), BOOL)
        return Plain(alike, BOOL)  # Python would raise where it is None

    def _alike_objects(self, left: Value, right: Value, node: ast.AST) -> ast.expr | bool | None:
        """Return whether two objects are equal; None if they are none."""
        places: list[Place] = []
        for side in (left, right):
            kind = self.kind_of_value(side)
            if not isinstance(side, Place) or not isinstance(kind, kinds.Object):
                return None
            places.append(side)
        one, other = places
        assert isinstance(one.kind, kinds.Object)
        own = lookup(one.kind.cls, "__eq__")
        if own is not None and self.whole.program.definition(own[1]) is not None:
            name = self.fresh("other")
            self.names[name] = other
            called = self.call_function(own[1], one, [ast.Name(name, ast.Load())], {}, node)
            return self.truth(called, node)
        if not dataclasses.is_dataclass(one.kind.cls):
            self.whole.note(f"objects of {one.kind} with the same attributes count as the same")
        parts: list[ast.expr] = []
        for name, part in one.kind.fields:
            second = self.field(other, name)
            if isinstance(part, kinds.Sequence | kinds.Map) or second is None:
                raise at(
                    node,
                    "==",
                    f"the list {name} of two objects would be compared",
                    "Give each object a number of its own, and compare that.",
                )
            first = self.field(one, name)
            assert first is not None
            truth = self.truth(
                self.compare(first, ast.Eq(), self.load(second), node),
                node,
            )
            if not isinstance(truth, bool):
                parts.append(truth)
        return joined(ast.And(), parts) if parts else True

    def _alike_members(self, left: Value, right: Value, node: ast.AST) -> ast.expr | bool | None:
        """Return whether two tuples or lists of known length are equal; None if they are none."""
        sides = []
        for side in (left, right):
            kind = self.kind_of_value(side)
            if not isinstance(kind, Tuple | kinds.Sequence):
                return None
            if isinstance(side, Place) and not self.is_fixed(side):
                if isinstance(right, Group) and not right.members:
                    return expression("_0 == 0", self.plain(self.length(side, node), node))
                return self._alike_lists(left, right, node)
            sides.append(self.members(side, None, node))
        if len(sides[0]) != len(sides[1]):
            return False
        parts: list[ast.expr] = []
        for one, other in zip(*sides, strict=True):
            truth = self.truth(self.compare(one, ast.Eq(), other, node), node)
            if truth is False:
                return False
            if truth is not True:
                parts.append(truth)
        if not parts:
            return True
        return joined(ast.And(), parts)

    def _alike_lists(self, left: Value, right: Value, node: ast.AST) -> ast.expr:
        """Return whether two lists whose lengths change are equal."""
        if any(is_set(side) for side in (left, right)):
            raise at(node, "==", "two sets are compared", "Compare sorted lists.")
        sides = [
            self.listed(side, "other", node) if isinstance(side, Group) else side
            for side in (left, right)
        ]
        name, k = self.fresh("alike"), self.fresh("k")
        lengths = [self.plain(self.length(side, node), node) for side in sides]
        self.say(f"{name} = _0 == _1", *lengths)
        with self.block() as body:
            one, other = (self._element(side, ast.Name(k, ast.Load()), node) for side in sides)
            differs = self.condition(self.compare(one, ast.NotEq(), other, node), node)
            ends = [statement(f"{name} = False"), ast.Break()]
            self.emit(ast.If(differs, ends, []))
        found = ast.Name(name, ast.Load())
        self.emit(ast.If(found, [for_each(k, lengths[0], body)], []))
        return found

    def contains(self, value: Value, container: Value, node: ast.AST) -> Value:
        """Return whether a container holds a value."""
        if isinstance(container, Known) and isinstance(value, Known):
            try:
                return Known(value.value in container.value)
            except TypeError as error:
                raise at(node, "in", f"{error}") from error
        if isinstance(container, Known) and container.value is None:
            return Known(False)  # of a branch that never ran
        if isinstance(container, Known) and isinstance(container.value, range):
            held = container.value
            inside = self.kept(self.plain(value, node))
            if held.step == 1:
                return Plain(
                    expression("_0 <= _1 < _2", constant(held.start), inside, constant(held.stop)),
                    BOOL,
                )
        members: list[Value] | None = None
        if isinstance(container, Known):
            those = list(container.value)
            if len(those) <= FEW:
                members = [Known(member) for member in those]
            else:
                container = self.constant_place(Known(those), "members", node)
        elif isinstance(container, Group):
            members = container.members
        elif isinstance(container, Made):
            members = [Known(key) for key in container.fields]
        elif isinstance(container, Plain) and isinstance(container.kind, Array | Tuple):
            if isinstance(container.kind, Array) and len(container.kind.shape) == 2:
                find = self.whole.imported("batchsim.containers", "find_row")
                count = ast.Constant(container.kind.shape[0])
                row = self.plain(value, node)
                return Plain(
                    expression("_0(_1, _2, _3) >= 0", find, container.node, count, row), BOOL
                )
            if isinstance(container.kind, Array):
                return Plain(
                    expression("np.any(_0 == _1)", container.node, self.plain(value, node)), BOOL
                )
            members = self.members(container, None, node)
        if members is not None:
            kept = self._held_for_search(value, node)
            parts: list[ast.expr] = []
            for member in members:
                truth = self.truth(self.compare(kept, ast.Eq(), member, node), node)
                if truth is True:
                    return Known(True)
                if truth is not False:
                    parts.append(truth)
            if not parts:
                return Known(False)
            return Plain(joined(ast.Or(), parts), BOOL)
        if isinstance(container, Place):
            if isinstance(container.kind, kinds.Record):
                raise at(node, "in", "which keys a dict has is always the same")
            return Plain(expression("_0 >= 0", self.find(container, value, node)), BOOL)
        raise at(node, "in", f"{self.words(container)} is not searched")

    def _held_for_search(self, value: Value, node: ast.AST) -> Value:
        value = self.expr_of(value)
        if isinstance(value, Plain):
            if isinstance(value.node, ast.Tuple):
                members = [Plain(self.kept(part)) for part in value.node.elts]
                kind = value.kind
                parts = kind.members if isinstance(kind, Tuple) else [UNKNOWN] * len(members)
                return Group([Plain(m.node, k) for m, k in zip(members, parts, strict=True)])
            return Plain(self.kept(value.node), value.kind)
        return value


def _not(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        opposite = {ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.GtE, ast.GtE: ast.Lt}
        kind = opposite.get(type(node.ops[0]))
        searched = isinstance(node.ops[0], ast.GtE) and _is_search(node.left)
        if kind is not None and (kind in (ast.Eq, ast.NotEq) or searched):
            return ast.Compare(node.left, [kind()], node.comparators)
    return negated(node)


def _is_search(node: ast.expr) -> bool:
    """Return whether an expression finds the index of an element, a whole number."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("find", "find_row")
    )
