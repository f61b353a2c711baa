"""Operators, comparisons and conditions."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from batchsim.convert import kinds
from batchsim.convert.iterables import Iterables
from batchsim.convert.kinds import BOOL, UNKNOWN, Array, Kind, Member, Number, Tuple
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
    evaluated,
    expression,
    for_each,
    in_place_of,
    joined,
    statement,
)

__all__ = ["Operators"]

Dicts = dict[int, tuple[Made, dict[Any, Value]]]


class Operators(Iterables):
    """Operators, comparisons and conditions."""

    def _dicts(self, before: Dicts | None = None) -> Dicts:
        """Return what each dict that is written out holds; and let it hold what it held before."""
        found: Dicts = {}
        for value in self.names.values():
            if isinstance(value, Made):
                found[id(value)] = (value, dict(value.fields))
        for key, (made, fields) in (before or {}).items():
            found.setdefault(key, (made, dict(made.fields)))
            made.fields = dict(fields)
        return found

    def _join_dicts(
        self,
        before: Dicts,
        changed: Dicts,
        body: list[ast.stmt],
        orelse: list[ast.stmt],
        node: ast.AST,
    ) -> None:
        """Let dicts hold what either branch put in; what only one did is not known to be there."""
        for key, (made, fields) in before.items():
            one, other = changed[key][1], dict(made.fields)
            for name in {**one, **other}:
                mine, theirs = one.get(name), other.get(name)
                if mine is theirs or (mine is fields.get(name) and theirs is mine):
                    continue
                if mine is None or theirs is None:
                    made.fields.pop(name, None)
                    continue
                held = self.fresh(str(name) if str(name).isidentifier() else "held")
                for value, branch in ((mine, body), (theirs, orelse)):
                    branch.append(statement(f"{held} = _0", self.plain(value, node)))
                kind = kinds.join(self.kind_of_value(mine), self.kind_of_value(theirs))
                made.fields[name] = Plain(ast.Name(held, ast.Load()), kind)

    def test(self, node: ast.expr) -> ast.expr | bool:
        """Return a condition, or its value where that is known."""
        return self.truth(self.expr(node), node)

    def truth(self, value: Value, node: ast.AST) -> ast.expr | bool:
        """Return whether a value counts as true."""
        if isinstance(value, Place):
            value = self.load(value)
        match value:
            case Known():
                try:
                    return bool(value.value)
                except ValueError as error:
                    raise at(node, "a condition", f"{error}") from error
            case Perhaps():
                inner = self.truth(value.value, node)
                if isinstance(inner, bool):
                    return expression("not _0", value.missing) if inner else False
                return expression("not _0 and _1", value.missing, inner)
            case Place() if isinstance(value.kind, kinds.Sequence | kinds.Map):
                return expression("_0 > 0", self.plain(self.length(value, node), node))
            case Place() if isinstance(value.kind, kinds.Object):
                return True
            case Group():
                return bool(value.members)
            case Made():
                return bool(value.fields)
            case Bound() | Self():
                return True
            case Idle():
                raise self.idle_is_used(value, node)
        if isinstance(self.kind_of_value(value), Member):
            return True
        return self.plain(value, node)

    def condition(self, value: Value, node: ast.AST) -> ast.expr:
        """Return whether a value counts as true, as an expression."""
        truth = self.truth(value, node)
        return ast.Constant(truth) if isinstance(truth, bool) else truth

    def of_BoolOp(self, node: ast.BoolOp) -> Value:
        """`and` and `or`, of which what is known is left out."""
        is_and = isinstance(node.op, ast.And)
        parts: list[ast.expr] = []
        value: Value = Known(is_and)
        for k, part in enumerate(node.values):
            with self.block() as ahead:
                value = self.expr(part)
                truth = self.truth(value, part)
            if isinstance(truth, bool):
                if truth is not is_and:
                    if not parts:
                        return (
                            value
                            if k == len(node.values) - 1 or isinstance(value, Known)
                            else Known(truth)
                        )
                    parts.append(ast.Constant(truth))
                    break
                continue
            if ahead and parts:
                return self._in_turn(node, parts, ahead, truth, k, is_and)
            for statement_ in ahead:
                self.emit(statement_)
            parts.append(truth)
        if not parts:
            return value
        return Plain(joined(node.op, parts), BOOL)

    def _in_turn(
        self,
        node: ast.BoolOp,
        parts: list[ast.expr],
        ahead: list[ast.stmt],
        truth: ast.expr,
        k: int,
        is_and: bool,
    ) -> Value:
        """Write `and` or `or` as branches, where a part needs statements of its own."""
        name = self.fresh("holds")
        self.say(f"{name} = _0", joined(node.op, parts))
        held = ast.Name(name, ast.Load())
        rest = node.values[k + 1 :]
        with self.block() as body:
            for part in ahead:
                self.emit(part)
            self.say(f"{name} = _0", truth)
            if rest:
                more = joined(node.op, rest)
                guard = held if is_and else expression("not _0", held)
                with self.block() as inner:
                    self.say(f"{name} = _0", self.condition(self.expr(more), node))
                self.emit(ast.If(guard, inner, []))
        self.emit(ast.If(held if is_and else expression("not _0", held), body, []))
        return Plain(held, BOOL)

    def of_UnaryOp(self, node: ast.UnaryOp) -> Value:
        """`-x`, `not x` and the like."""
        if isinstance(node.op, ast.Not):
            truth = self.test(node.operand)
            if isinstance(truth, bool):
                return Known(not truth)
            if isinstance(truth, ast.UnaryOp) and isinstance(truth.op, ast.Not):
                return Plain(truth.operand, BOOL)
            return Plain(ast.UnaryOp(node.op, truth), BOOL)
        value = self.expr(node.operand)
        if isinstance(value, Known) and isinstance(value.value, int | float | np.number):
            functions: dict[type, Callable[[Any], Any]] = {
                ast.USub: operator.neg,
                ast.UAdd: operator.pos,
                ast.Invert: operator.invert,
            }
            result = functions[type(node.op)](value.value)
            written = ast.UnaryOp(node.op, self.known(value, node))
            return Known(result, written)
        return Plain(ast.UnaryOp(node.op, self.plain(value, node)))

    def of_BinOp(self, node: ast.BinOp) -> Value:
        """`x + y` and the like."""
        left, right = self.in_order([node.left, node.right])
        return self.operation(left, node.op, right, node)

    def in_order(self, nodes: Sequence[ast.expr]) -> list[Value]:
        """Return what several expressions become, evaluated one after the other."""
        found: list[Value] = []
        for node in nodes:
            before, self.written.writes = self.written.writes, set()
            with self.block() as ahead:
                starred = isinstance(node, ast.Starred)
                value = self.expr(node.value if isinstance(node, ast.Starred) else node)
                values = self.members(value, None, node) if starred else [value]
            changed, self.written.writes = self.written.writes, self.written.writes | before
            if ahead:
                found = [self._fixed(earlier, changed, node) for earlier in found]
                for part in ahead:
                    self.emit(part)
            found += values
        return found

    def _fixed(self, value: Value, changed: set[str], node: ast.AST) -> Value:
        """Return a value that statements behind it do not change."""
        if isinstance(value, Place) and value.scratch and value.name in changed:
            return self.copied(value, value.kind, node)
        if (
            isinstance(value, Plain)
            and isinstance(value.kind, Number)
            and any(isinstance(part, ast.Subscript | ast.Call) for part in ast.walk(value.node))
        ):
            return Plain(self.kept(value.node), value.kind)
        return value

    def operation(self, left: Value, op: ast.operator, right: Value, node: ast.AST) -> Value:
        """Return what an operator makes of two values."""
        left, right = self.expr_of(left), self.expr_of(right)
        self.gathered(left)
        self.gathered(right)
        if isinstance(left, Known) and isinstance(right, Known):
            return self._folded(left, op, right, node)
        if isinstance(left, Group) and isinstance(right, Group) and isinstance(op, ast.Add):
            return Group([*left.members, *right.members], left.form)
        if isinstance(op, ast.Mult) and isinstance(left, Group) and isinstance(right, Known):
            return Group(left.members * int(right.value), left.form)
        if isinstance(op, ast.Add) and any(
            isinstance(side, Known) and isinstance(side.value, str) for side in (left, right)
        ):
            return Known("")
        made = self.of_elements(
            left, lambda x, y: self.operation(x, op, y, bare(node)), right, node
        )
        if made is not None:
            return made
        for side in (left, right):
            kind = self.kind_of_value(side)
            if isinstance(kind, kinds.Sequence | Tuple) and not self._is_array_like(left, right):
                return self.sequence_operation(left, op, right, node)
        kinds_ = [self.kind_of_value(left), self.kind_of_value(right)]
        if isinstance(op, ast.Pow) and isinstance(right, Known) and right.value == 2:
            base = kinds_[0]
            if isinstance(base, Number) and base.dtype == np.float64:
                power = self.whole.imported("batchsim.math", "power")
                return Plain(expression("_0(_1, 2.0)", power, self.plain(left, node)), base)
        nodes = [
            self.operand(left, kinds_[1], node),
            self.operand(right, kinds_[0], node),
        ]
        return Plain(ast.BinOp(nodes[0], op, nodes[1]), self._kind_of_operation(node, op, kinds_))

    def of_elements(
        self, left: Value, function: Callable[[Value, Value], Value], right: Value, node: ast.AST
    ) -> Value | None:
        """Return what an operator makes of arrays whose length changes: a list in working space."""
        lists = [side for side in (left, right) if is_changing_array(side)]
        if not lists:
            return None
        first = lists[0]
        assert isinstance(first, Place)
        assert isinstance(first.kind, kinds.Sequence)
        k = self.fresh("k")
        where = ast.Name(k, ast.Load())
        with self.block() as body:
            sides = [
                self.load(side.part("", side.kind.element, where))
                if isinstance(side, Place) and isinstance(side.kind, kinds.Sequence)
                else side
                for side in (left, right)
            ]
            made = function(sides[0], sides[1])
            element = self.kind_of_value(made)
            if isinstance(element, Number):
                element = Number(element.dtype, False)
            kind = kinds.Sequence(element, 0, first.kind.greatest, "array")
            place = self.changing_place("elements", kind, node)
            self.assign(place.part("", element, where), made, node)
        count = self.plain(self.length(first, node), node)
        self.emit(for_each(k, count, body))
        self.say("_0 = _1", place.count(), count)
        return place

    def sequence_operation(
        self, left: Value, op: ast.operator, right: Value, node: ast.AST
    ) -> Value:
        """Return the list that `+` or `*` makes of lists."""
        if isinstance(op, ast.Add):
            try:
                members = [*self.members(left, None, node), *self.members(right, None, node)]
                return Group(members)
            except ConversionError:
                pass
            kind = self.seen_kind(node) if isinstance(node, ast.expr) else UNKNOWN
            if isinstance(kind, kinds.Sequence):
                place = self.scratch_place(f"sum_{getattr(node, 'lineno', 0)}", kind, node)
                self.assign(place, left, node)
                self.extend(place, right, node)
                return place
        kind = self.seen_kind(node) if isinstance(node, ast.expr) else UNKNOWN
        numbers = [isinstance(self.kind_of_value(side), Number) for side in (left, right)]
        if isinstance(op, ast.Mult) and any(numbers) and isinstance(kind, kinds.Sequence):
            part, count = (right, left) if numbers[0] else (left, right)
            repeated = self.changing_place("repeated", kind, node)
            self.say("_0 = 0", repeated.count())
            with self.block() as body:
                self.extend(repeated, part, node)
            self.emit(for_each(self.fresh("k"), self.plain(count, node), body))
            return repeated
        raise at(node, "an operator of lists", "only `+` of two lists, and `*`, are written out")

    def _is_array_like(self, left: Value, right: Value) -> bool:
        return any(isinstance(self.kind_of_value(side), Array) for side in (left, right))

    def _kind_of_operation(self, node: ast.AST, op: ast.operator, sides: list[Kind]) -> Kind:
        seen = self.seen_kind(node) if isinstance(node, ast.BinOp) else UNKNOWN
        if not isinstance(seen, kinds.Unknown):
            return seen
        if all(isinstance(side, Number) for side in sides):
            joined = kinds.join(*sides)
            if (
                isinstance(op, ast.Div)
                and isinstance(joined, Number)
                and joined.dtype.kind in "iub"
            ):
                return Number(np.dtype(float), joined.python)
            return joined
        arrays = [side for side in sides if isinstance(side, Array)]
        if len(arrays) == 1:
            return arrays[0]
        return UNKNOWN

    def _folded(self, left: Known, op: ast.operator, right: Known, node: ast.AST) -> Value:
        both = ast.BinOp(ast.Name("a", ast.Load()), op, ast.Name("b", ast.Load()))
        try:
            result = evaluated(both, left.value, right.value)
        except Exception as error:
            raise at(
                node, "a constant", f"computing it ends with {type(error).__name__}: {error}"
            ) from error
        numbers = isinstance(left.value, bool | int | float) and isinstance(
            right.value, bool | int | float
        )
        if numbers and type(result) in (bool, int, float):
            return Known(result, ast.BinOp(self.known(left, node), op, self.known(right, node)))
        return Known(result)

    def chosen_of(
        self,
        key: Value,
        options: Sequence[tuple[Value, Value]],
        node: ast.Call | ast.Subscript,
        call: bool = False,
    ) -> Value:
        """Return one of several values, or what a call of it returns, by a computed key."""
        kind = self.seen_kind(node)
        if isinstance(kind, kinds.Unknown):
            raise at(
                node,
                "a choice",
                "it never ran while episodes were watched",
                "Watch more steps with --steps.",
            )
        nothing = isinstance(kind, kinds.Nothing)
        chosen = None if nothing else self.holder("chosen", "choice", kind, node)
        key = self._steady(self.expr_of(key), node)
        written: list[ast.stmt] = []
        for known, option in reversed(options):
            test = self.truth(self.compare(key, ast.Eq(), known, node), node)
            if test is False:
                continue
            with self.block() as body:
                value = (
                    self.call_value(option, node) if call and isinstance(node, ast.Call) else option
                )
                if chosen is not None:
                    self.hold(chosen, value, node)
            if test is True or not written:
                written = body
            else:
                written = [ast.If(test, body or [ast.Pass()], written)]
        for part in written:
            self.emit(part)
        return Known(None) if chosen is None else self.expr_of(chosen)


def is_changing_array(value: Value) -> bool:
    """Return whether a value is an array of NumPy whose length changes: a list in columns."""
    return (
        isinstance(value, Place)
        and isinstance(value.kind, kinds.Sequence)
        and value.kind.form == "array"
    )


def bare(node: ast.AST) -> ast.AST:
    """Return a node at the same place of the source of which nothing was seen."""
    return in_place_of(ast.Pass(), node)
