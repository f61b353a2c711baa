"""Python's own functions."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from batchsim.convert import kinds
from batchsim.convert.kinds import (
    BOOL,
    FLOAT,
    INT,
    UNKNOWN,
    Array,
    Kind,
    Maybe,
    Number,
    Text,
    Tuple,
)
from batchsim.convert.numeric import Numeric
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
    expression,
    in_place_of,
)

__all__ = ["Python"]


class Python(Numeric):
    """Python's own functions."""

    def call_len(self, node: ast.Call) -> Value:
        """`len(x)`; of a set, how many of its elements differ."""
        return self.length(self.expr(node.args[0]), node)

    def call_int(self, node: ast.Call) -> Value:
        """`int(x)`."""
        return self._converted(node, int, INT)

    def call_float(self, node: ast.Call) -> Value:
        """`float(x)`."""
        return self._converted(node, float, FLOAT)

    def call_bool(self, node: ast.Call) -> Value:
        """`bool(x)`."""
        if not node.args:
            return Known(False)
        value = self.expr(node.args[0])
        kind = self.kind_of_value(value)
        if isinstance(value, Plain) and isinstance(kind, Number) and kind.dtype.kind != "b":
            return Plain(expression("_0 != 0", value.node), BOOL)
        truth = self.truth(value, node)
        return Known(truth) if isinstance(truth, bool) else Plain(truth, BOOL)

    def _converted(self, node: ast.Call, function: Any, kind: Number) -> Value:
        if not node.args:
            return Known(function())
        value = self.expr_of(self.expr(node.args[0]))
        if isinstance(value, Known):
            try:
                result = function(value.value)
            except Exception as error:
                raise at(node, function.__name__, f"{type(error).__name__}: {error}") from error
            return Known(result, value.node if type(value.value) is function else None)
        held = self.plain(value, node)
        found = self.kind_of_value(value)
        if isinstance(found, Array):
            held = expression("_0[0]", held) if found.shape == (1,) else held
        same = isinstance(found, Number) and found.dtype == kind.dtype
        if same and isinstance(value, Plain) and function is int:
            return Plain(held, kind)
        return Plain(ast.Call(ast.Name(function.__name__, ast.Load()), [held], []), kind)

    def call_abs(self, node: ast.Call) -> Value:
        """`abs(x)`."""
        value = self.expr_of(self.expr(node.args[0]))
        if isinstance(value, Known):
            return Known(abs(value.value))
        kind = self.kind_of_value(value)
        name = "np.abs" if isinstance(kind, Array) else "abs"
        return Plain(expression(f"{name}(_0)", self.plain(value, node)), kind)

    def call_dict(self, node: ast.Call) -> Value:
        """`dict(key=value)`, or a copy."""
        return self.dict_of(self.in_order(node.args), node)

    def dict_of(self, values: Sequence[Value], node: ast.Call) -> Made:
        """Return what dicts hold together, and the arguments that a call passes by name."""
        made = Made()
        for value in values:
            if isinstance(value, Known) and isinstance(value.value, dict):
                made.fields |= {key: Known(member) for key, member in value.value.items()}
            elif isinstance(value, Made):
                made.fields |= value.fields
            else:
                raise at(node, "dict", f"{self.words(value)} is not copied into a dict")
        made.fields |= {key: self.expr(part) for key, part in self._keywords(node).items()}
        return made

    def call_divmod(self, node: ast.Call) -> Value:
        """`divmod(x, y)`."""
        values = [self._steady(self.expr_of(value), node) for value in self.in_order(node.args)]
        over, rest = (
            self.operation(values[0], op, values[1], node) for op in (ast.FloorDiv(), ast.Mod())
        )
        return Group([over, rest])

    def call_round(self, node: ast.Call) -> Value:
        """`round(x)`."""
        if len(node.args) > 1:
            digits = self.expr(node.args[1])
            if not isinstance(digits, Known) or digits.value is not None:
                raise at(
                    node,
                    "round(x, n)",
                    "Python rounds by way of decimal digits, which compiled code does not",
                    "Write np.rint(x * 100) / 100, in the class too.",
                )
        value = self.expr_of(self.expr(node.args[0]))
        kind = self.kind_of_value(value)
        if isinstance(kind, Number) and kind.dtype.kind in "iu":
            return value
        return Plain(expression("int(np.rint(_0))", self.plain(value, node)), INT)

    def call_min(self, node: ast.Call) -> Value:
        """`min(…)`."""
        return self._extreme(node, "min", ast.Lt())

    def call_max(self, node: ast.Call) -> Value:
        """`max(…)`."""
        return self._extreme(node, "max", ast.Gt())

    def _extreme(self, node: ast.Call, name: str, better: ast.cmpop) -> Value:
        keywords = self._keywords(node)
        if len(node.args) > 1 and not keywords:
            values = [self.expr_of(value) for value in self.in_order(node.args)]
            if all(isinstance(value, Known) for value in values):
                function = min if name == "min" else max
                return Known(function(value.value for value in values if isinstance(value, Known)))
            found = kinds.joined(self.kind_of_value(value) for value in values)
            narrow = next(
                (
                    self.kind_of_value(value)
                    for value in values
                    if getattr(self.kind_of_value(value), "dtype", None) == np.float32
                ),
                UNKNOWN,
            )
            args = [self.operand(value, narrow, node) for value in values]
            args = [
                expression(f"np.{narrow.dtype.name}(_0)", arg)
                if isinstance(narrow, Number) and isinstance(arg, ast.Constant)
                else arg
                for arg in args
            ]
            if isinstance(narrow, Number) and all(
                kind == narrow or getattr(kind, "python", False)
                for kind in map(self.kind_of_value, values)
            ):
                found = narrow
            return Plain(ast.Call(ast.Name(name, ast.Load()), args, []), found)
        source = node.args[0]
        key = keywords.get("key")
        default = keywords.get("default")
        kind = self.seen_kind(node)
        if isinstance(kind, kinds.Unknown):
            kind = self.seen_kind(source.elt) if isinstance(source, ast.GeneratorExp) else FLOAT
        best, first = self.fresh("best"), self.fresh("first")
        structured = not self.is_plain(kind)
        target = (
            self.scratch_place(f"best_{node.lineno}_{node.col_offset}", kind, node)
            if structured
            else None
        )
        if target is None:
            start = (
                self.plain(self.expr(default), node) if default is not None else self.default(kind)
            )
            self.say(f"{best} = _0", start)
        self.say(f"{first} = True")
        score = self.fresh("score") if key is not None else best
        if key is not None:
            self.say(f"{score} = _0", self.default(self._kind_of_key(key)))

        def one(member: Value) -> None:
            member = self.expr_of(member)
            if key is not None:
                judged: Value = self._apply(key, member, node)
                judged = Plain(
                    self.kept(self.plain(judged, node), "judged"), self.kind_of_value(judged)
                )
            else:
                judged = member = self._steady(member, node)
            current: Value = Plain(ast.Name(score, ast.Load()), self.kind_of_value(judged))
            test = self.condition(self.compare(judged, better, current, node), node)
            with self.block() as body:
                if target is not None:
                    self.assign(target, member, node)
                else:
                    self.say(f"{best} = _0", self.plain(member, node))
                if key is not None:
                    self.say(f"{score} = _0", self.plain(judged, node))
                self.say(f"{first} = False")
            self.emit(ast.If(expression("_0 or _1", ast.Name(first, ast.Load()), test), body, []))

        self.each_of(source, one, node)
        if target is not None:
            return self.load(target)
        return Plain(ast.Name(best, ast.Load()), kind)

    def _kind_of_key(self, key: ast.expr) -> Kind:
        if isinstance(key, ast.Lambda):
            found = self.seen_kind(key.body)
            if not isinstance(found, kinds.Unknown):
                return found
        return FLOAT

    def call_sum(self, node: ast.Call) -> Value:
        """`sum(…)` of Python: one after the other."""
        kind = self.seen_kind(node)
        value = None
        source = node.args[0]
        if not isinstance(source, ast.GeneratorExp | ast.ListComp) and not self.iterator(source):
            value = self.expr(source)
            if isinstance(value, Known):
                return Known(sum(value.value))
        total = self.fresh("total")
        start = self.expr(node.args[1]) if len(node.args) > 1 else Known(0)
        first = self.plain(start, node)
        if isinstance(kind, Number) and kind.dtype.kind == "f" and isinstance(first, ast.Constant):
            first = ast.Constant(float(first.value))  # type: ignore[arg-type]
        self.say(f"{total} = _0", first)

        def one(member: Value) -> None:
            self.say(f"{total} += _0", self.plain(member, node))

        if value is not None:
            self.each(value, one, node)
        else:
            self.each_of(source, one, node)
        if isinstance(kind, Number):
            return Plain(ast.Name(total, ast.Load()), kind)
        return Plain(ast.Name(total, ast.Load()), FLOAT)

    def call_any(self, node: ast.Call) -> Value:
        """`any(…)`."""
        return self._quantified(node, True)

    def call_all(self, node: ast.Call) -> Value:
        """`all(…)`."""
        return self._quantified(node, False)

    def _quantified(self, node: ast.Call, wanted: bool) -> Value:
        source = node.args[0]
        result = self.fresh("found" if wanted else "all_hold")
        self.say(f"{result} = {not wanted}")

        def one(member: Value) -> None:
            truth = self.truth(member, node)
            if isinstance(truth, bool):
                if truth is wanted:
                    self.say(f"{result} = {wanted}")
                return
            test = truth if wanted else ast.UnaryOp(ast.Not(), truth)
            with self.block() as body:
                self.say(f"{result} = {wanted}")
            self.emit(ast.If(test, body, []))

        self.each_of(source, one, node)
        return Plain(ast.Name(result, ast.Load()), BOOL)

    def call_next(self, node: ast.Call) -> Value:
        """`next(…)` of a generator that is written there: its first element, or the default."""
        if not isinstance(node.args[0], ast.GeneratorExp) or len(node.args) < 2:
            raise at(node, "next", "it is given no generator and a default", "Use a loop.")
        kind = self.seen_kind(node)
        default = self.expr_of(self.expr(node.args[1]))
        missing = self.fresh("missing")
        self.say(f"{missing} = True")
        inner = kind.value if isinstance(kind, Maybe) else kind
        first = self.holder("first", "first", inner if self.is_plain(inner) else kind, node)
        if isinstance(first, Plain) and isinstance(default, Known) and default.value is None:
            default = Plain(self.default(inner))
        self.hold(first, default, node)

        def one(member: Value) -> None:
            with self.block() as body:
                self.hold(first, member, node)
                self.say(f"{missing} = False")
            self.emit(ast.If(ast.Name(missing, ast.Load()), body, []))

        self.each_of(node.args[0], one, node)
        if isinstance(first, Plain) and isinstance(kind, Maybe):
            return Perhaps(ast.Name(missing, ast.Load()), first)
        return self.expr_of(first)

    def call_isinstance(self, node: ast.Call) -> Value:
        """`isinstance(x, T)`, by what was seen."""
        value = self.expr(node.args[0])
        types_ = self.expr(node.args[1])
        kind = self.kind_of_value(value)
        if isinstance(value, Known) and isinstance(types_, Known):
            return Known(isinstance(value.value, types_.value))
        asked = types_.value if isinstance(types_, Known) else ()
        asked = asked if isinstance(asked, tuple) else (asked,)
        python = {
            Number: {"b": bool, "i": int, "f": float}.get(
                getattr(getattr(kind, "dtype", None), "kind", ""), object
            ),
            Array: np.ndarray,
            Tuple: tuple,
            Text: str,
        }.get(type(kind), object)
        if isinstance(kind, Number) and not kind.python:
            python = kind.dtype.type
        if isinstance(kind, kinds.Object):
            python = kind.cls
        return Known(any(isinstance(python, type) and issubclass(python, one) for one in asked))

    def call_hasattr(self, node: ast.Call) -> Value:
        """`hasattr(self, name)`."""
        value, name = self.expr(node.args[0]), self.expr(node.args[1])
        if isinstance(value, Self) and isinstance(name, Known):
            return Known(name.value in self.whole.attributes)
        kind = self.kind_of_value(value)
        if isinstance(kind, Number | Array) and isinstance(name, Known):
            python = {"b": bool, "i": int, "f": float}
            held: Any = np.ndarray
            if isinstance(kind, Number):
                held = python[kind.dtype.kind] if kind.python else kind.dtype.type
            return Known(hasattr(held, name.value))
        raise at(node, "hasattr", "which attributes there are is always the same")

    def call_getattr(self, node: ast.Call) -> Value:
        """`getattr(x, name)` of a name that is known."""
        name = self.expr(node.args[1])
        if not isinstance(name, Known):
            raise at(node, "getattr", "which attribute it asks for is computed", "Use `if`.")
        if len(node.args) > 2:
            has = in_place_of(ast.Call(node.func, node.args[:2], []), node)
            if self.truth(self.call_hasattr(has), node) is False:
                return self.expr(node.args[2])
        found = in_place_of(ast.Attribute(node.args[0], name.value, ast.Load()), node)
        found.k = getattr(node, "k", -1)  # type: ignore[attr-defined]
        return self.expr(found)

    def call_str(self, node: ast.Call) -> Value:
        """`str(x)`: nothing of texts is kept."""
        return Known("")

    def call_print(self, node: ast.Call) -> Value:
        """`print(…)`."""
        return Known(None)

    def call_range(self, node: ast.Call) -> Value:
        """`range(…)` as a value."""
        values = [self.expr(part) for part in node.args]
        if all(isinstance(value, Known) for value in values):
            return Known(range(*[value.value for value in values if isinstance(value, Known)]))
        raise at(node, "range as a value", "its bounds are computed", "Use it in a `for`.")

    def call_list(self, node: ast.Call) -> Value:
        """`list(x)`: a copy."""
        return self._list_of(node)

    def call_tuple(self, node: ast.Call) -> Value:
        """`tuple(x)`."""
        if node.args:
            kind = self.seen_kind(node)
            turned = _turned_round(node.args[0])
            if turned is not None and isinstance(kind, Tuple):
                members = self.members(self.expr(turned), len(kind.members), node)
                return Group(members[::-1])
            value = self.expr(node.args[0])
            if isinstance(value, Known):
                return Known(tuple(value.value))
            if isinstance(kind, Tuple):
                return Group(self.members(value, len(kind.members), node))
            return self._list_from(value, node)
        return self._list_of(node)

    def call_set(self, node: ast.Call) -> Value:
        """`set(x)`: each element once."""
        if not node.args:
            return Group([], "set")
        kind = self.seen_kind(node)
        if isinstance(kind, kinds.Unknown):
            raise at(node, "set", "it never ran while episodes were watched")
        assert isinstance(kind, kinds.Sequence)
        value = self.expr(node.args[0])
        if isinstance(value, Known):
            return Known(set(value.value))
        place = self.changing_place("set", kind, node)
        self.say("_0 = 0", place.count())

        def one(member: Value) -> None:
            member = self.expr_of(member)
            with self.block() as body:
                self.append(place, member, node)
            self.emit(ast.If(expression("_0 < 0", self.find(place, member, node)), body, []))

        self.each(value, one, node)
        return place

    def _list_of(self, node: ast.Call) -> Value:
        if not node.args:
            return Group([], "list")
        source = node.args[0]
        turned = _turned_round(source)
        if turned is not None:
            return self._reversed_copy(turned, node)
        kind = self.seen_kind(node)
        if self.iterator(source) and isinstance(kind, kinds.Sequence):
            place = self.changing_place("list", kind, node)
            self.say("_0 = 0", place.count())
            self.each_of(source, lambda member: self.append(place, member, node), node)
            return place
        return self._list_from(self.expr(source), node)

    def _list_from(self, value: Value, node: ast.Call) -> Value:
        if isinstance(value, Known):
            return Known(list(value.value))
        if isinstance(value, Group):
            return Group(list(value.members), "list")
        if isinstance(value, Place) and isinstance(value.kind, kinds.Sequence):
            if value.scratch:
                return value
            return self.copied(value, value.kind, node)
        if isinstance(self.seen_kind(node), kinds.Sequence):
            return Group(self.members(value, None, node), "list")
        raise at(node, "a copy", f"{self.words(value)} is not copied")

    def _reversed_copy(self, source: ast.expr, node: ast.Call) -> Value:
        """Return a list whose elements are those of another, the last one first."""
        value = self.expr(source)
        if isinstance(value, Known):
            return Known(list(value.value)[::-1])
        if isinstance(value, Group):
            return Group(value.members[::-1], "list")
        kind = self.seen_kind(node)
        if not isinstance(kind, kinds.Sequence):
            raise at(node, "reversed", "it never ran while episodes were watched")
        return self.turned_round(value, kind, node)

    def turned_round(self, value: Value, kind: kinds.Sequence, node: ast.AST) -> Place:
        """Return the elements of a list, the last one first, in working space."""
        place = self.changing_place("reversed", kind, node)
        self.say("_0 = 0", place.count())
        name = self.fresh("member")
        self._loop_value(
            value,
            ast.Name(name, ast.Store()),
            lambda: self.append(place, self.names[name], node),
            node,
            backwards=True,
        )
        return place

    def call_deque(self, node: ast.Call) -> Value:
        """`deque(…)`; its `maxlen` is kept by where it is assigned."""
        if not node.args:
            return Group([], "deque")
        value = self.expr(node.args[0])
        return Group(value.members, "deque") if isinstance(value, Group) else value

    def call_copy(self, node: ast.Call) -> Value:
        """`copy.copy(x)`."""
        value = self.expr(node.args[0])
        if (
            isinstance(value, Place | Plain)
            and isinstance(value.kind, Array)
            and self.is_plain(value.kind)
        ):
            return Plain(expression("_0.copy()", self.plain(value, node)), value.kind)
        if isinstance(value, Place) and not value.scratch:
            return self.copied(value, value.kind, node)
        return value

    call_deepcopy = call_copy

    def call_sorted(self, node: ast.Call) -> Value:
        """`sorted(x)`: insertion into a list, equal elements in their order."""
        kind = self.seen_kind(node)
        if not isinstance(kind, kinds.Sequence):
            raise at(node, "sorted", "it never ran while episodes were watched")
        return self.in_order_of(node.args[0], kind, self._keywords(node), node)

    def in_order_of(
        self,
        source: ast.expr,
        kind: kinds.Sequence,
        keywords: Mapping[str, ast.expr],
        node: ast.Call,
    ) -> Place:
        """Return what an expression yields, in order, in working space."""
        place = self.changing_place("sorted", kind, node)
        backwards = self.expr(keywords["reverse"]) if "reverse" in keywords else Known(False)
        if not isinstance(backwards, Known):
            raise at(node, "sorted", "reverse= is computed")
        key = keywords.get("key")
        self.say("_0 = 0", place.count())

        def one(member: Value) -> None:
            member = self._held(self.expr_of(member), node)
            where = self.fresh("where")
            self.say(f"{where} = _0", place.count())
            at_ = ast.Name(where, ast.Load())
            mine = self._apply(key, member, node) if key is not None else member
            with self.block() as body:
                before = self.load(place.part("", kind.element, expression("_0 - 1", at_)))
                theirs = self._apply(key, before, node) if key is not None else before
                op: ast.cmpop = ast.GtE() if backwards.value else ast.LtE()
                stays = self.condition(self.compare(theirs, op, mine, node), node)
                self.emit(ast.If(stays, [ast.Break()], []))
                self.say(f"{where} -= 1")
            self.emit(ast.While(expression("_0 > 0", at_), body, []))
            self.prepend(place, member, at_, node)

        self.each_of(source, one, node)
        return place


def _turned_round(node: ast.expr) -> ast.expr | None:
    """Return what a call of `reversed` is given; None if it is no such call."""
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "reversed"
    ):
        return node.args[0]
    return None
