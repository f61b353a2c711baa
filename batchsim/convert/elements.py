"""Elements and slices of containers: read, written and removed."""

from __future__ import annotations

import ast
import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from batchsim.convert import kinds, layout
from batchsim.convert.assignment import Assignment
from batchsim.convert.attributes import lookup
from batchsim.convert.kinds import INT, UNKNOWN, Array, Maybe, Number, Tuple
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
    element,
    expression,
    for_each,
    in_place_of,
)

__all__ = ["Elements"]

CONTAINERS = "batchsim.containers"


class Elements(Assignment):
    """Elements and slices of containers: read, written and removed."""

    def length(self, value: Value, node: ast.AST) -> Value:
        """Return how many elements a container has."""
        match value:
            case Known():
                return Known(len(value.value), ast.Constant(len(value.value)))
            case Group():
                return Known(len(value.members), ast.Constant(len(value.members)))
            case Made():
                return Known(len(value.fields), ast.Constant(len(value.fields)))
            case Place() if isinstance(value.kind, kinds.Record):
                return Known(len(value.kind.fields), ast.Constant(len(value.kind.fields)))
            case Place() if isinstance(value.kind, kinds.Sequence) and self.is_fixed(value):
                return Known(value.kind.greatest, ast.Constant(value.kind.greatest))
            case Place() if isinstance(value.kind, kinds.Sequence | kinds.Map):
                return Plain(value.count(), INT)
            case Place() if isinstance(value.kind, kinds.Object):
                method = lookup(value.kind.cls, "__len__")
                if method is not None:
                    return self.call_function(method[1], value, [], {}, node)
            case Place():
                return self.length(self.load(value), node)
            case Plain() if isinstance(value.kind, Tuple):
                return Known(len(value.kind.members), ast.Constant(len(value.kind.members)))
            case Plain() if isinstance(value.kind, Array):
                return Known(value.kind.shape[0], ast.Constant(value.kind.shape[0]))
            case Plain() if isinstance(value.kind, kinds.Text):
                raise at(node, "len", "in columns a number stands for each text that there is")
            case Plain():
                return Plain(expression("len(_0)", value.node), INT)
            case Perhaps():
                return self.length(value.value, node)
        raise at(node, "len", f"{self.words(value)} has no length here")

    def clipped_element(self, node: ast.Subscript) -> ast.expr | None:
        """Return `np.clip(a, low, high)[k]` as `np.clip(a[k], low, high)`, or None."""
        call = node.value
        if (
            not isinstance(call, ast.Call)
            or not isinstance(call.func, ast.Attribute)
            or call.func.attr != "clip"
            or len(call.args) != 3
            or call.keywords
            or not isinstance(node.slice, ast.Constant)
        ):
            return None
        array = self.seen_kind(call.args[0])
        bounds = [self.seen_kind(part) for part in call.args[1:]]
        if not isinstance(array, Array) or any(isinstance(bound, Array) for bound in bounds):
            return None
        element = in_place_of(ast.Subscript(call.args[0], node.slice, ast.Load()), node)
        made = in_place_of(ast.Call(call.func, [element, *call.args[1:]], []), node)
        made.k = node.k  # type: ignore[attr-defined]
        return made

    def item_place(self, base: Value, node: ast.Subscript) -> Value:
        """Return the place of an element, or the value that an index or slice finds."""
        if isinstance(base, Perhaps):
            base = base.value
        if isinstance(base, Place) and isinstance(base.kind, Maybe):
            base = base.part("", base.kind.value)
        if isinstance(base, Place) and isinstance(base.kind, Tuple):
            base = self.load(base)
        if isinstance(node.slice, ast.Slice) and not self._is_array(base):
            return self._slice(base, node)
        match base:
            case Known():
                return self._item_of_known(base, node)
            case Group():
                index = self.expr(node.slice)
                if isinstance(index, Known) and isinstance(index.value, int):
                    return base.members[index.value]
                self.gathered(base)
                whole: ast.expr = ast.Tuple(self.alike_numbers(base.members, node), ast.Load())
                return Plain(ast.Subscript(whole, self.plain(index, node), ast.Load()))
            case Made():
                index = self.expr(node.slice)
                if isinstance(index, Known):
                    if index.value not in base.fields:
                        raise at(
                            node, "[…]", f"whether the dict has {index.value!r} here is not known"
                        )
                    return base.fields[index.value]
                return self._option(index, base.fields, node)
            case Plain():
                return self._item_of_plain(base, node)
            case Place() if isinstance(base.kind, kinds.Map):
                return self._item_of_place(base, [self.expr_of(self.expr(node.slice))], node)
            case Place():
                return self._item_of_place(base, self._index(node), node)
        raise at(node, "[…]", f"{self.words(base)} has no elements here")

    def _is_array(self, base: Value) -> bool:
        return isinstance(self.kind_of_value(base), Array) or (
            isinstance(base, Plain) and not isinstance(base.kind, Tuple)
        )

    def _item_of_known(self, base: Known, node: ast.Subscript) -> Value:
        several = isinstance(base.value, np.ndarray)
        indices = self._index(node) if several else [self.expr_of(self.expr(node.slice))]
        known = [part.value for part in indices if isinstance(part, Known)]
        if len(known) == len(indices):
            try:
                return Known(base.value[known[0] if len(known) == 1 else tuple(known)])
            except (KeyError, IndexError, TypeError) as error:
                raise at(node, "[…]", f"{type(error).__name__}: {error}") from error
        if isinstance(base.value, dict) and any(map(callable, base.value.values())):
            return self._option(indices[0], {k: Known(v) for k, v in base.value.items()}, node)
        if isinstance(base.value, str):
            base = Known(list(base.value), name=base.name)
        place = self.constant_place(base, spelled_name(node.value), node)
        return self._item_of_place(place, indices, node)

    def _item_of_plain(self, base: Plain, node: ast.Subscript) -> Value:
        if isinstance(base.kind, Tuple):
            index = self.expr(node.slice)
            if isinstance(index, Known):
                if isinstance(base.node, ast.Tuple):
                    return Plain(base.node.elts[index.value], base.kind.members[index.value])
                return Plain(
                    ast.Subscript(base.node, constant(index.value), ast.Load()),
                    base.kind.members[index.value],
                )
            return Plain(
                ast.Subscript(base.node, self.plain(index, node), ast.Load()), base.kind.members[0]
            )
        indices = self._index(node)
        parts = [self._index_part(part) for part in indices]
        kind = self.seen_kind(node)
        numbers = all(isinstance(self.kind_of_value(part), Number) for part in indices)
        if isinstance(kind, kinds.Unknown) and isinstance(base.kind, Array) and numbers:
            kind = kinds.element_of(base.kind, len(parts))
        return Plain(element(base.node, parts, numbers), kind)

    def _index(self, node: ast.Subscript) -> list[Value]:
        """Return the parts of an index; those of a tuple that is computed, one by one."""
        if isinstance(node.slice, ast.Tuple):
            return self._windows([self.expr(part) for part in node.slice.elts], node)
        if isinstance(node.slice, ast.Slice):
            return self._windows([self.expr(node.slice)], node)
        value = self.expr(node.slice)
        if isinstance(value, Place):
            value = self.load(value)
        kind = self.kind_of_value(value)
        if isinstance(kind, Tuple):
            return self.members(value, None, node)
        return [value]

    def _windows(self, parts: list[Value], node: ast.Subscript) -> list[Value]:
        """Write slices of computed bounds as `k:k + n`, if they were always of the same length."""
        seen = self.seen_kind(node)
        axis = 0
        found: list[Value] = []
        for part in parts:
            held = part.node if isinstance(part, Plain) else None
            if isinstance(self.kind_of_value(part), Number):
                found.append(part)
                continue
            if (
                isinstance(held, ast.Slice)
                and held.step is None
                and held.lower is not None
                and held.upper is not None
                and any(
                    isinstance(inner, ast.Subscript | ast.Name | ast.Call)
                    for bound in (held.lower, held.upper)
                    for inner in ast.walk(bound)
                )
                and isinstance(seen, Array)
                and axis < len(seen.shape)
                and seen.shape[axis] > 0
            ):
                low = self.kept(held.lower, "first")
                high = expression("_0 + _1", low, ast.Constant(seen.shape[axis]))
                part = Plain(ast.Slice(low, high))
            found.append(part)
            axis += 1
        return found

    def _index_part(self, value: Value) -> ast.expr:
        if isinstance(value, Known) and value.value is None:
            return ast.Constant(None)
        if isinstance(value, Known) and value.value is Ellipsis:
            return ast.Constant(Ellipsis)
        return self.plain(value, self.node)

    def _item_of_place(self, place: Place, index: Sequence[Value], node: ast.AST) -> Value:
        kind = place.kind
        first = index[0]
        match kind:
            case Array():
                return self._item_of_array(place, kind, index, node)
            case kinds.Sequence():
                where = self._position(place, kind, first, node)
                inner = place.part("", kind.element, where)
                if len(index) > 1:
                    return self._item_of_place(inner, index[1:], node)
                return inner
            case kinds.Record():
                if not isinstance(first, Known):
                    self.whole.look_for_keys(place, kind)
                    raise at(
                        node,
                        "a computed key",
                        "each key of a dict of strings is a column of its own",
                        "Use an array, and numbers for the keys.",
                    )
                found = self.field(place, first.value)
                if found is None:
                    raise at(
                        node, "[…]", f"the dict was never seen to have the key {first.value!r}"
                    )
                return found
            case kinds.Map():
                where = self.kept(self.find_key(place, first, node), "k")
                return place.part("values", kind.value, where)
            case Tuple():
                if isinstance(first, Known) and kinds.common_dtype(kind) is None:
                    return place.part(str(first.value), kind.members[first.value])
                return place.part("", kind.members[0], self.plain(first, node))
        raise at(node, "[…]", f"{kind} has no elements here")

    def _item_of_array(
        self, place: Place, kind: Array, index: Sequence[Value], node: ast.AST
    ) -> Value:
        numbers = all(isinstance(self.kind_of_value(value), Number) for value in index)
        if numbers and len(index) <= len(kind.shape):
            parts = tuple(self._index_part(value) for value in index)
            return place.part("", kinds.element_of(kind, len(index)), *parts)
        parts_ = [self._index_part(value) for value in index]
        where = parts_[0] if len(parts_) == 1 else ast.Tuple(parts_, ast.Load())
        seen = self.seen_kind(node) if isinstance(node, ast.expr) else UNKNOWN
        return Plain(ast.Subscript(place.leaf(), where, ast.Load()), seen)

    def _position(
        self, place: Place, kind: kinds.Sequence, index: Value, node: ast.AST
    ) -> ast.expr:
        if isinstance(index, Place):
            index = self.load(index)
        if isinstance(index, Known) and isinstance(index.value, int) and index.value < 0:
            if self.is_fixed(place):
                return ast.Constant(kind.greatest + index.value)
            return expression("_0 - _1", place.count(), ast.Constant(-index.value))
        found = self.plain(index, node)
        if isinstance(found, ast.UnaryOp) and not self.is_fixed(place):
            return expression("_0 + _1", place.count(), found)
        return found

    def _slice(self, base: Value, node: ast.Subscript) -> Value:
        """Return a slice of a list: a copy."""
        assert isinstance(node.slice, ast.Slice)
        bounds = [
            None if part is None else self.expr(part)
            for part in (node.slice.lower, node.slice.upper, node.slice.step)
        ]
        known = all(bound is None or isinstance(bound, Known) for bound in bounds)
        if known:
            which = slice(*(b.value if isinstance(b, Known) else None for b in bounds))
            if isinstance(base, Known):
                return Known(base.value[which])
            if isinstance(base, Group) or (
                isinstance(base, Plain) and isinstance(base.kind, Tuple)
            ):
                return Group(self.members(base, None, node)[which])
            fixed = isinstance(base, Place) and isinstance(base.kind, kinds.Sequence)
            if isinstance(base, Place) and fixed and self.is_fixed(base):
                row = self.row(base)
                if row is not None and isinstance(base.kind, kinds.Sequence):
                    column = next(layout.columns(base.kind, base.name, self.whole.room()))
                    n = len(range(base.kind.greatest)[which])
                    shape = (n, *column.shape[len(base.index) + 1 :])
                    part = ast.Subscript(row, self.plain(self.expr(node.slice), node), ast.Load())
                    return Plain(part, Array(column.dtype, shape))
        if isinstance(base, Known) and type(base.value).__module__.startswith("pandas"):
            raise at(
                node,
                "a foreign call in step",
                "no kernel can ask pandas",
                "Take arrays of the table in the constructor.",
            )
        if isinstance(base, Known):
            base = self.constant_place(base, spelled_name(node.value), node)
        if (
            not isinstance(base, Place)
            or not isinstance(base.kind, kinds.Sequence)
            or bounds[2] is not None
        ):
            raise at(node, "a slice", f"{self.words(base)} is not sliced so", "Use a loop.")
        count = self.plain(self.length(base, node), node)
        low = self._bound(bounds[0], ast.Constant(0), count, node)
        high = self._bound(bounds[1], count, count, node)
        seen = self.seen_kind(node)
        kind = seen if isinstance(seen, kinds.Sequence) else base.kind
        target = self.changing_place("slice", kind, node)
        low, high = self.kept(low, "low"), self.kept(high, "high")
        k = self.fresh("k")
        with self.block() as body:
            where = ast.Name(k, ast.Load())
            source = base.part("", base.kind.element, where)
            self.assign(
                target.part("", kind.element, expression("_0 - _1", where, low)),
                self.load(source),
                node,
            )
        self.emit(for_each(k, high, body, low))
        self._set(target.count(), expression("max(_1 - _0, 0)", low, high))
        return target

    def _bound(
        self, bound: Value | None, default: ast.expr, count: ast.expr, node: ast.AST
    ) -> ast.expr:
        if bound is None or (isinstance(bound, Known) and bound.value is None):
            return default
        found = self.plain(bound, node)
        if isinstance(bound, Known) and bound.value < 0:
            return expression("max(_0 - _1, 0)", count, ast.Constant(-bound.value))
        if isinstance(found, ast.UnaryOp) and isinstance(found.op, ast.USub):
            # -n as a bound: of n = 0 it is 0.
            return expression("max(_0 + _1, 0) if _1 < 0 else 0", count, found)
        return expression("min(_0, _1)", found, count)

    def store_item(self, target: ast.Subscript, value: Value, node: ast.AST) -> None:
        """Write an assignment to an element."""
        base = self.place_of(target.value)
        if self._store_each(base, target, value, node):
            return
        if isinstance(base, Plain):
            parts = [self._index_part(part) for part in self._index(target)]
            if isinstance(base.kind, Array):
                value = self.as_row(value, kinds.element_of(base.kind, len(parts)))
            self._set(element(base.node, parts, False), self.plain(value, node))
            return
        if isinstance(base, Perhaps) and isinstance(base.value, Place):
            base = base.value
        if isinstance(base, Place) and isinstance(base.kind, kinds.Map):
            self.store_key(base, base.kind, target.slice, value, node)
            return
        if isinstance(base, Made):
            key = self.expr(target.slice)
            if isinstance(key, Known):
                self.put(base, key.value, value, node)
                return
        found = self.item_place(base, target)
        if isinstance(found, Place):
            self.assign(found, value, node)
        elif isinstance(found, Plain):
            self.written.writes.add(base.name if isinstance(base, Place) else "")
            self._set(copy.deepcopy(found.node), self.plain(value, node))
        else:
            raise at(
                target,
                "an assignment",
                "what is known when the definition is written cannot change",
            )

    def _store_each(self, base: Value, target: ast.Subscript, value: Value, node: ast.AST) -> bool:
        """Write a number to the elements of an array whose numbers a list holds, if it is so."""
        listed = self.seen_kind(target.slice)
        if not isinstance(listed, kinds.Sequence) or not isinstance(listed.element, Number):
            return False
        kind = self.kind_of_value(base)
        number = self.kind_of_value(value)
        if not isinstance(kind, Array) or not isinstance(number, Number):
            return False
        with self.block() as ahead:
            where = self.expr(target.slice)
        if not isinstance(where, Place) or self.is_fixed(where):
            return False  # it is evaluated as any other index
        for part in ahead:
            self.emit(part)
        whole, given = self.plain(base, node), self.kept(self.plain(value, node))
        k = self.fresh("k")
        here = element(whole, [where.leaf("", ast.Name(k, ast.Load()))], True)
        with self.block() as body:
            self._set(here, given)
        self.written.writes.add(base.name if isinstance(base, Place) else "")
        self.emit(for_each(k, where.count(), body))
        return True

    def put(self, made: Made, key: Any, value: Value, node: ast.AST) -> None:
        """Write what a dict that is written out holds under a key from now on."""
        value = self.expr_of(value)
        held, kind = made.fields.get(key), self.kind_of_value(value)
        variable = held.node if isinstance(held, Plain) else None
        if (
            isinstance(held, Plain)
            and isinstance(variable, ast.Name)
            and variable.id in self.entries
            and isinstance(kind, Number)
        ):
            self.say(f"{variable.id} = _0", self.plain(value, node))
            held.kind = kinds.join(held.kind, kind)  # in all branches, and at each turn of loops
        else:
            made.fields[key] = self._now(value, node)

    def entry(self, label: str, key: Any, value: Value, node: ast.AST) -> Value:
        """Return a number as the variable in which a dict that changes keeps it."""
        value = self.expr_of(value)
        kind = self.kind_of_value(value)
        if not isinstance(kind, Number) or not str(key).isidentifier():
            return value
        name = self.fresh(f"{label}_{key}")
        self.entries.add(name)
        self.say(f"{name} = _0", self.plain(value, node))
        return Plain(ast.Name(name, ast.Load()), kind)

    def store_key(
        self, place: Place, kind: kinds.Map, source: ast.expr, value: Value, node: ast.AST
    ) -> None:
        """Write what a dict in columns holds under a key from now on."""
        self.written.writes.add(place.name)
        key = self.expr(source)
        k = self.kept(self.find_key(place, key, node), "k")
        assert isinstance(k, ast.Name)
        room = self.whole.imported(CONTAINERS, "room")
        with self.block() as body:
            self.say(
                f"{k.id} = _0(_1, _2)",
                room,
                self._array(place.part("keys", kind.key)),
                place.count(),
            )
            self.assign(place.part("keys", kind.key, k), key, node)
            self.say("_0 += 1", place.count())
        self.emit(ast.If(expression("_0 < 0", k), body, []))
        self.assign(place.part("values", kind.value, k), value, node)

    def delete_item(self, target: ast.Subscript, node: ast.AST) -> None:
        """Write `del container[index]`."""
        base = self.place_of(target.value)
        if isinstance(base, Place) and isinstance(base.kind, kinds.Map):
            k = self.kept(self.find_key(base, self.expr(target.slice), node), "k")
            self._remove(base, k, node)
        elif isinstance(base, Place) and isinstance(base.kind, kinds.Sequence):
            self.whole.resize(base.key) if self.is_fixed(base) else None
            index = self.kept(self._position(base, base.kind, self.expr(target.slice), node), "k")
            self._remove(base, index, node)
        else:
            raise at(node, "del", f"{self.words(base)} keeps its elements")


def spelled_name(node: Any) -> str:
    """Return a name for what an expression says."""
    if isinstance(node, ast.Attribute):
        return node.attr.strip("_") or "constant"
    if isinstance(node, ast.Name):
        return node.id.strip("_") or "constant"
    if isinstance(node, ast.Subscript):
        return spelled_name(node.value)
    return "constant"
