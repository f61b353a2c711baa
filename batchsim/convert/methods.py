"""Methods of containers."""

from __future__ import annotations

import ast
from collections.abc import Sequence

import numpy as np

from batchsim.convert import kinds
from batchsim.convert.kinds import INT, Maybe
from batchsim.convert.python import Python
from batchsim.convert.refusal import at
from batchsim.convert.values import (
    Group,
    Known,
    Made,
    Perhaps,
    Place,
    Plain,
    Value,
    as_known,
    expression,
)

__all__ = ["Methods"]


class Methods(Python):
    """Methods of containers."""

    def method_of_list(self, base: Place, name: str, node: ast.Call) -> Value:
        """A method of a list, deque, set or dict in columns."""
        if isinstance(base.kind, kinds.Map):
            return self._method_of_map(base, name, self.in_order(node.args), node)
        if isinstance(base.kind, kinds.Record):
            return self._method_of_record(base, name, node)
        assert isinstance(base.kind, kinds.Sequence)
        args = node.args
        match name:
            case "append" | "add":
                value = self.new(args[0])
                if name == "add":
                    value = self._held(self.expr_of(value), node)
                    with self.block() as body:
                        self.append(base, value, node)
                    self.emit(ast.If(expression("_0 < 0", self.find(base, value, node)), body, []))
                else:
                    self.append(base, value, node)
                return Known(None)
            case "appendleft":
                self.prepend(base, self.new(args[0]), ast.Constant(0), node)
                return Known(None)
            case "insert":
                where = self.plain(self.expr(args[0]), node)
                self.prepend(base, self.new(args[1]), where, node)
                return Known(None)
            case "pop":
                return self.pop(base, self.expr(args[0]) if args else None, node)
            case "popleft":
                return self.pop(base, Known(0, ast.Constant(0)), node)
            case "extend" | "update":
                self.each_of(args[0], lambda member: self.append(base, member, node), node)
                return Known(None)
            case "clear":
                self._resized(base)
                self.say("_0 = 0", base.count())
                return Known(None)
            case "remove" | "discard":
                where = self.kept(self.find(base, self.expr(args[0]), node), "k")
                with self.block() as body:
                    self._remove(base, where, node)
                self.emit(ast.If(expression("_0 >= 0", where), body, []))
                return Known(None)
            case "index":
                return Plain(self.find(base, self.expr(args[0]), node), INT)
            case "count":
                return self._count(base, self.expr(args[0]), node)
            case "copy":
                return self.copied(base, base.kind, node)
            case "sort" if isinstance(node.func, ast.Attribute):
                keywords = self._keywords(node)
                self.assign(
                    base, self.in_order_of(node.func.value, base.kind, keywords, node), node
                )
                return Known(None)
            case "reverse":
                self.assign(base, self.turned_round(base, base.kind, node), node)
                return Known(None)
        if base.kind.form == "array" and not node.args:
            given = {key: self.expr(part) for key, part in self._keywords(node).items()}
            found = self.of_list(name, base, given, node)
            if found is not None:
                return found
        raise at(
            node,
            f".{name}()",
            f"a {base.kind.form} in columns has no such method",
        )

    def _count(self, base: Place, value: Value, node: ast.Call) -> Value:
        total = self.fresh("count")
        self.say(f"{total} = 0")
        value = self._held(self.expr_of(value), node)

        def one(member: Value) -> None:
            test = self.condition(self.compare(member, ast.Eq(), value, node), node)
            with self.block() as body:
                self.say(f"{total} += 1")
            self.emit(ast.If(test, body, []))

        self.each(base, one, node)
        return Plain(ast.Name(total, ast.Load()), INT)

    def _method_of_map(
        self, base: Place, name: str, args: Sequence[Value], node: ast.Call
    ) -> Value:
        assert isinstance(base.kind, kinds.Map)
        match name:
            case "get" | "pop":
                where = self.kept(self.find(base, args[0], node), "k")
                default = args[1] if len(args) > 1 else Known(None)
                kind = self.seen_kind(node)
                found = self.load(base.part("values", base.kind.value, where))
                if isinstance(kind, kinds.Unknown):
                    kind = base.kind.value
                none = isinstance(default, Known) and default.value is None
                if isinstance(kind, Maybe) and none:
                    return self._found_or_none(base, where, name, node)
                got = self.holder("found", "got", kind, node)
                if isinstance(got, Plain) and none:
                    default = Plain(self.default(kind))
                with self.block() as body:
                    self.hold(got, found, node)
                    if name == "pop":
                        self._remove(base, where, node)
                with self.block() as orelse:
                    self.hold(got, default, node)
                self.emit(ast.If(expression("_0 >= 0", where), body, orelse))
                return self.expr_of(got)
            case "clear":
                self.written.writes.add(base.name)
                self.say("_0 = 0", base.count())
                return Known(None)
        raise at(node, f".{name}()", "a dict in columns has no such method here")

    def _found_or_none(self, base: Place, where: ast.expr, name: str, node: ast.Call) -> Value:
        """Return what lies under a key, or None; of a key that is missing the first is read."""
        assert isinstance(base.kind, kinds.Map)
        found = self.load(base.part("values", base.kind.value, expression("max(_0, 0)", where)))
        missing = self.kept(expression("_0 < 0", where), "missing")
        if not self.is_plain(base.kind.value):
            if name == "pop":
                raise at(node, ".pop()", "what it returns lies in columns", "Read it, then delete.")
            return Perhaps(missing, found)
        held = Plain(self.kept(self.plain(found, node), "found"), base.kind.value)
        if name == "pop":
            with self.block() as body:
                self._remove(base, where, node)
            self.emit(ast.If(expression("_0 >= 0", where), body, []))
        return Perhaps(missing, held)

    def _method_of_record(self, base: Place, name: str, node: ast.Call) -> Value:
        assert isinstance(base.kind, kinds.Record)
        if name == "get":
            key = self.expr(node.args[0])
            if isinstance(key, Known):
                part = self.field(base, key.value)
                if part is not None:
                    return self.load(part)
                return self.expr(node.args[1]) if len(node.args) > 1 else Known(None)
        if name == "copy":
            return self.copied(base, base.kind, node)
        raise at(node, f".{name}()", "a dict in columns has no such method here")

    def method_of_known(self, base: Value, name: str, node: ast.Call) -> Value | None:
        """A method of a container that is known, or that is written there."""
        if isinstance(base, Known) and isinstance(base.value, np.ndarray):
            return None
        args = [self.expr(part) for part in node.args]
        if isinstance(base, Known) and all(isinstance(arg, Known) for arg in args):
            method = getattr(base.value, name)
            if name in (
                "append",
                "pop",
                "clear",
                "update",
                "extend",
                "insert",
                "remove",
                "add",
                "setdefault",
            ):
                return Known(None)
            return Known(method(*[arg.value for arg in args if isinstance(arg, Known)]))
        if isinstance(base, Made) and name == "get" and not isinstance(args[0], Known):
            held = as_known(base)
            base = base if held is None else held
        if isinstance(base, Known) and isinstance(base.value, dict) and name == "get":
            place = self.constant_place(base, "table", node, has_keys=True)
            return self._method_of_map(place, name, args, node)
        if isinstance(base, Known) and isinstance(base.value, str) and name == "index":
            base = Known(list(base.value))
        if isinstance(base, Known) and name == "index":
            place = self.constant_place(base, "members", node)
            return Plain(self.find(place, args[0], node), INT)
        if isinstance(base, Known) and isinstance(base.value, str):
            return Known("")
        if isinstance(base, Group) and name == "copy":
            return base
        if isinstance(base, Made) and name == "update":
            for key, value in self.dict_of(args, node).fields.items():
                self.put(base, key, value, node)
            return Known(None)
        if isinstance(base, Made) and name == "get" and isinstance(args[0], Known):
            return base.fields.get(args[0].value, args[1] if len(args) > 1 else Known(None))
        if isinstance(base, Made) and name == "copy":
            return Made(dict(base.fields))
        raise at(node, f".{name}()", f"{self.words(base)} has no such method here")
