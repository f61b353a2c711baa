"""Loops and comprehensions."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from batchsim.convert import kinds
from batchsim.convert.elements import spelled_name
from batchsim.convert.kinds import INT, Array, Kind, Number, Tuple
from batchsim.convert.lists import Lists
from batchsim.convert.refusal import at
from batchsim.convert.values import (
    Group,
    Known,
    Place,
    Plain,
    Value,
    expression,
    for_each,
    joined,
    statement,
)

__all__ = ["Loops"]

UNROLLED = 32  # turns of a loop over known values that is written out


class Loops(Lists):
    """Loops and comprehensions."""

    def _steady(self, value: Value, node: ast.AST) -> Value:
        if isinstance(value, Plain) and isinstance(value.kind, Number):
            return Plain(self.kept(value.node, "member"), value.kind)
        return value

    def _apply(self, function: ast.expr, value: Value, node: ast.AST) -> Value:
        """Return what a function that is passed makes of a value."""
        if isinstance(function, ast.Lambda):
            names = [argument.arg for argument in function.args.args]
            before = dict(self.names)
            self.names[names[0]] = value
            found = self.expr(function.body)
            self.names = before
            return found
        name = self.fresh("argument")
        self.names[name] = value
        call = ast.Call(function, [ast.Name(name, ast.Load())], [])
        for part in (call, *call.args):
            ast.copy_location(part, function)
            part.source = getattr(node, "source", None)  # type: ignore[attr-defined]
        return self.call(call)

    def _loop_range(
        self, call: ast.Call, target: ast.expr, body: Callable[[], None], node: ast.AST
    ) -> None:
        values = [self.expr(part) for part in call.args]
        args = [self.plain(value, node) for value in values]
        name = self._loop_name(target)
        with self.block() as inner:
            self._bind_counter(target, name)
            body()
        loop = ast.For(
            ast.Name(name, ast.Store()),
            ast.Call(ast.Name("range", ast.Load()), args, []),
            inner or [ast.Pass()],
            [],
            lineno=1,
        )
        self.emit(loop)

    def _loop_name(self, target: ast.expr) -> str:
        if isinstance(target, ast.Name) and target.id != "_":
            name = self.variable(target.id)
            self.used.add(name)
            return str(name)
        return self.fresh("k")

    def _bind_counter(self, target: ast.expr, name: str) -> None:
        if isinstance(target, ast.Name):
            self.names[target.id] = Plain(ast.Name(name, ast.Load()), INT)

    def _loop_value(
        self,
        value: Value,
        target: ast.expr,
        body: Callable[[], None],
        node: ast.AST,
        backwards: bool = False,
    ) -> None:
        if is_set(value):
            raise at(
                node,
                "for over a set",
                "the order of its elements is not the class's to say",
                "Use a list, or sorted(…).",
            )
        if isinstance(value, Known) and isinstance(value.value, dict):
            value = Known(list(value.value))
        if isinstance(value, Known) and isinstance(value.value, range):
            value = Known(list(value.value))
        if isinstance(value, Known):
            held = list(value.value)
            if held and all(type(x) in (int, float) for x in held) and len(held) <= UNROLLED:
                value = Group([Known(x) for x in held])
            else:
                value = self._placed(held, getattr(node, "iter", None), node)
        if isinstance(value, Group) and self._is_uniform(value):
            items = [self.plain(member, node) for member in value.members]
            if backwards:
                items.reverse()
            kind = kinds.joined(self.kind_of_value(member) for member in value.members)
            name = self._loop_name(target)
            with self.block() as inner:
                self.names_for(target, Plain(ast.Name(name, ast.Load()), kind), node)
                body()
            self.emit(
                ast.For(
                    ast.Name(name, ast.Store()),
                    ast.Tuple(items, ast.Load()),
                    inner or [ast.Pass()],
                    [],
                    lineno=1,
                )
            )
            return
        if isinstance(value, Group):
            self._unrolled(value, target, body, node)
            return
        if isinstance(value, Place) and isinstance(value.kind, kinds.Record):
            self._unrolled(Group([Known(key) for key, _ in value.kind.fields]), target, body, node)
            return
        k = self.fresh("k")
        with self.block() as inner:
            index: ast.expr = ast.Name(k, ast.Load())
            if backwards:
                index = expression("_0 - 1 - _1", self.plain(self.length(value, node), node), index)
            before, self.written.resizes = self.written.resizes, set()
            self.store_loop_target(target, self._element(value, index, node), node)
            body()
            changes = isinstance(value, Place) and value.name in self.written.resizes
            self.written.resizes |= before
        count = self.plain(self.length(value, node), node)
        if changes and not isinstance(count, ast.Constant) and not backwards:
            # Python asks at each turn how long the list is.
            self.say(f"{k} = -1")
            loop = statement(f"while {k} + 1 < _0: {k} += 1", count)
            assert isinstance(loop, ast.While)
            loop.body += inner
            self.emit(loop)
            return
        self.emit(for_each(k, count, inner))

    def _placed(self, held: list[Any], source: ast.AST | None, node: ast.AST) -> Value:
        """Return known values as a constant, or as they are if they are of different kinds."""
        alike = kinds.joined(kinds.kind_of(x, self.whole.seen.own) for x in held)
        if not held or isinstance(alike, kinds.Other):
            return Group([Known(x) for x in held])
        return self.constant_place(Known(held), spelled_name(source), node)

    def _is_uniform(self, value: Group) -> bool:
        found = {self.kind_of_value(member) for member in value.members}
        return len(found) == 1 and all(isinstance(kind, Number) for kind in found)

    def _unrolled(
        self, value: Group, target: ast.expr, body: Callable[[], None], node: ast.AST
    ) -> None:
        if len(value.members) > UNROLLED:
            raise at(
                node, "for", f"{len(value.members)} values of different kinds are gone through"
            )
        if any(isinstance(part, ast.Break | ast.Continue) for part in ast.walk(node)):
            raise at(
                node,
                "for with break or continue",
                "its values are of different kinds",
                "Use a loop over numbers.",
            )
        for member in value.members:
            self.names_for(target, member, node)
            body()

    def names_for(self, target: ast.expr, value: Value, node: ast.AST) -> None:
        """Bind the names of a target to a value, without writing an assignment."""
        if isinstance(target, ast.Name):
            self.names[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            for part, member in zip(
                target.elts, self.members(value, len(target.elts), node), strict=True
            ):
                self.names_for(part, member, node)

    def store_loop_target(self, target: ast.expr, value: Value, node: ast.AST) -> None:
        """Write the assignment of an element to the target of a loop."""
        if isinstance(value, Place) and isinstance(target, ast.Name):
            self.names[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            for part, member in zip(
                target.elts, self.members(value, len(target.elts), node), strict=True
            ):
                self.store_loop_target(part, member, node)
        else:
            self.store(target, value, node)

    def _element(self, value: Value, index: ast.expr, node: ast.AST) -> Value:
        if isinstance(value, Place) and isinstance(value.kind, kinds.Sequence):
            return self.load(value.part("", value.kind.element, index))
        if isinstance(value, Place) and isinstance(value.kind, kinds.Map):
            return self.load(value.part("keys", value.kind.key, index))
        if isinstance(value, Place):
            value = self.load(value)
        if isinstance(value, Plain) and isinstance(value.kind, Array):
            found = ast.Subscript(value.node, index, ast.Load())
            return Plain(found, kinds.element_of(value.kind))
        if isinstance(value, Plain) and isinstance(value.kind, Tuple):
            return Plain(ast.Subscript(value.node, index, ast.Load()), value.kind.members[0])
        raise at(node, "for", f"{self.words(value)} is not gone through")

    def _loop_many(
        self,
        sources: Sequence[ast.expr],
        counter: ast.expr | None,
        targets: Sequence[ast.expr] | ast.expr,
        body: Callable[[], None],
        node: ast.AST,
        start: Value | None = None,
    ) -> None:
        values: list[Value] = []
        found: list[tuple[ast.expr, Value]] = []
        for source in sources:
            if isinstance(source, ast.Starred):
                members = self.members(self.expr(source.value), None, node)
                found += [(source.value, member) for member in members]
            else:
                found.append((source, self.expr(source)))
        for source, value in found:
            if isinstance(value, Known):
                value = self._placed(list(value.value), source, node)
            if isinstance(value, Group):
                value = self.listed(value, f"row_{len(values)}", node)
            values.append(value)
        name = self._loop_name(counter) if counter is not None else self.fresh("k")
        counts = [self.plain(self.length(value, node), node) for value in values]
        count = counts[0] if len(counts) == 1 else ast.Call(ast.Name("min", ast.Load()), counts, [])
        if all(isinstance(c, ast.Constant) for c in counts):
            count = ast.Constant(min(c.value for c in counts if isinstance(c, ast.Constant)))  # type: ignore[type-var]
        shifted = start is not None and not (isinstance(start, Known) and start.value == 0)
        index = self.fresh("k") if shifted else name
        with self.block() as inner:
            if shifted and start is not None:
                self.say(f"{name} = {index} + _0", self.plain(start, node))
            if counter is not None:
                self._bind_counter(counter, name)
            where = ast.Name(index, ast.Load())
            if isinstance(targets, ast.expr):
                members = [self._held(self._element(value, where, node), node) for value in values]
                numbered = [Plain(ast.Name(name, ast.Load()), INT)] if start is not None else []
                self.names_for(targets, Group([*numbered, *members]), node)
            else:
                for target, value in zip(targets, values, strict=True):
                    self.store_loop_target(target, self._element(value, where, node), node)
            body()
        self.emit(for_each(index, count, inner))

    def _loop_dict(
        self, func: ast.Attribute, target: ast.expr, body: Callable[[], None], node: ast.AST
    ) -> None:
        base = self.expr(func.value)
        pairs = self.pairs(base)
        if pairs is not None:
            members = members_of_dict(pairs, func.attr)
            alike = kinds.joined(self.kind_of_value(member) for member in members)
            if isinstance(base, Known) and not isinstance(alike, kinds.Other):
                held = {
                    "items": list(base.value.items()),
                    "keys": list(base.value),
                    "values": list(base.value.values()),
                }
                self._loop_value(Known(held[func.attr]), target, body, node)
                return
            self._unrolled(Group(members), target, body, node)
            return
        if not isinstance(base, Place) or not isinstance(base.kind, kinds.Map):
            raise at(node, f".{func.attr}()", f"{self.words(base)} is no dict in columns")
        kind = base.kind
        k = self.fresh("k")
        where = ast.Name(k, ast.Load())
        key = self.load(base.part("keys", kind.key, where))
        value = self.load(base.part("values", kind.value, where))
        with self.block() as inner:
            if func.attr == "items" and isinstance(target, ast.Tuple):
                self.store_loop_target(target.elts[0], key, node)
                self.store_loop_target(target.elts[1], value, node)
            elif func.attr == "items":
                self.names_for(target, Group([key, value]), node)
            else:
                self.store_loop_target(target, key if func.attr == "keys" else value, node)
            body()
        self.emit(for_each(k, base.count(), inner))

    def comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, there: Place | None = None
    ) -> Value:
        """Return the list that a comprehension makes: at a place, or in working space."""
        kind = self.seen_kind(node)
        if isinstance(node, ast.GeneratorExp) or not isinstance(kind, kinds.Sequence):
            element = self.seen_kind(node.elt)
            if isinstance(node.elt, ast.Constant):
                element = kinds.kind_of(node.elt.value)
            if isinstance(kind, Tuple) and kind.form == "list":
                kind = kinds.Sequence(element, len(kind.members), len(kind.members), "list")
            elif isinstance(element, kinds.Unknown):
                raise at(
                    node,
                    "a comprehension",
                    "it never ran while episodes were watched: its elements' kind is not known",
                    "Watch more steps with --steps.",
                )
            else:
                kind = kinds.Sequence(element, 0, 64, "list")
        if isinstance(kind.element, kinds.Unknown):
            kind = dataclasses.replace(kind, element=self._element_of(node))
        label = self.hints.get(id(node)) or f"list_{node.lineno}_{node.col_offset}"
        place = there or self.scratch_place(label, kind, node)
        if there is not None and isinstance(there.kind, kinds.Sequence):
            kind = there.kind
        if any(part.ifs for part in node.generators):
            self.whole.resized.add(place.key)  # though as many as ever may have met the conditions
        fixed = self.is_fixed(place)
        count = self.fresh("count")
        self.say(f"{count} = 0")
        where = ast.Name(count, ast.Load())

        def put(value: Value) -> None:
            if fixed:
                self.assign(place.part("", kind.element, where), value, node)
                self.say(f"{count} += 1")
            else:
                self._put_behind(place, where, value, node)

        def element_() -> None:
            value = self.new(node.elt)
            if not isinstance(node, ast.SetComp):
                put(value)
                return
            with self.block() as inner:
                put(value)
            found = self.search(place, kind.element, where, value, node)
            self.emit(ast.If(expression("_0 < 0", found), inner, []))

        self.generators(node.generators, element_, node)
        if not fixed:
            self._set(place.count(), where)
        return place

    def _element_of(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> Kind:
        """Return of which kind the elements are of a comprehension that never had any."""
        found: list[Kind] = []
        before = dict(self.names)
        with self.block():
            self.generators(
                node.generators, lambda: found.append(self.kind_of_value(self.expr(node.elt))), node
            )
        self.names = before
        element = kinds.joined(found)
        if isinstance(element, kinds.Unknown):
            raise at(
                node,
                "a comprehension",
                "it had no elements while episodes were watched, and their kind is not known",
                "Watch more steps with --steps.",
            )
        return element

    def generators(
        self, generators: Sequence[ast.comprehension], body: Callable[[], None], node: ast.AST
    ) -> None:
        """Write the loops and conditions of a comprehension."""
        if not generators:
            body()
            return
        first = generators[0]

        def inner() -> None:
            conditions: list[ast.expr] = []
            for condition in first.ifs:
                test = self.test(condition)
                if test is False:
                    return
                if test is not True:
                    conditions.append(test)
            if not conditions:
                self.generators(generators[1:], body, node)
                return
            with self.block() as held:
                self.generators(generators[1:], body, node)
            self.emit(ast.If(joined(ast.And(), conditions), held or [ast.Pass()], []))

        self.loop(first.iter, first.target, inner, node)


def members_of_dict(pairs: Sequence[tuple[Value, Value]], method: str) -> list[Value]:
    """Return what `items`, `keys` or `values` goes through, of a dict whose keys are known."""
    if method == "items":
        return [Group([key, value]) for key, value in pairs]
    return [key if method == "keys" else value for key, value in pairs]


def is_set(value: Value) -> bool:
    """Return whether a value is a set: known, written there, or in columns."""
    match value:
        case Known():
            return isinstance(value.value, set | frozenset)
        case Group():
            return value.form == "set"
        case Place():
            return isinstance(value.kind, kinds.Sequence) and value.kind.form == "set"
    return False
