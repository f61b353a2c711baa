"""What is done with lists, sets and dicts in columns."""

from __future__ import annotations

import ast
from collections.abc import Callable

from batchsim.convert import kinds
from batchsim.convert.elements import CONTAINERS, Elements
from batchsim.convert.kinds import BOOL, INT, Array, Kind, Maybe, Number, Tuple
from batchsim.convert.refusal import at
from batchsim.convert.values import (
    Group,
    Known,
    Perhaps,
    Place,
    Plain,
    Value,
    count_suffix,
    expression,
    for_each,
    statement,
)

__all__ = ["Lists"]


class Lists(Elements):
    """What is done with lists, sets and dicts in columns."""

    def leaves(self, place: Place, kind: Kind | None = None) -> list[Place]:
        """Return the places of the columns in which the elements of a list lie."""
        kind = place.kind if kind is None else kind
        match kind:
            case kinds.Sequence() if place.kind is kind:
                return self.leaves(place.part("", kind.element), kind.element)
            case kinds.Map() if place.kind is kind:
                return [
                    *self.leaves(place.part("keys", kind.key), kind.key),
                    *self.leaves(place.part("values", kind.value), kind.value),
                ]
            case Number() | kinds.Text() | kinds.Member() | Array():
                return [place.part("", kind)]
            case Tuple():
                if kinds.common_dtype(kind) is not None:
                    return [place.part("", kind)]
                return [
                    leaf
                    for k, member in enumerate(kind.members)
                    for leaf in self.leaves(place.part(str(k), member), member)
                ]
            case Maybe():
                return [
                    place.part("missing", BOOL),
                    *self.leaves(place.part("", kind.value), kind.value),
                ]
            case kinds.Record() | kinds.Object() if kinds.row_dtype(kind) is not None:
                return [place.part("", kind)]
            case kinds.Record() | kinds.Object():
                return [
                    leaf
                    for key, member in kind.fields
                    for leaf in self.leaves(place.part(key, member), member)
                ]
            case kinds.Sequence():
                inner = self.leaves(place.part("", kind.element), kind.element)
                if not self.whole.is_fixed(place.key, kind):
                    inner.insert(0, place.part(count_suffix(len(place.index)), INT))
                return inner
        return []

    def _array(self, place: Place) -> ast.expr:
        """Return the column of a row in which a list's elements lie."""
        return (
            self.leaves(place, place.kind)[0].leaf()
            if not isinstance(place.kind, Number | Tuple)
            else place.leaf()
        )

    def append(self, place: Place, value: Value, node: ast.AST) -> None:
        """Write `append`; a deque that is full loses its first."""
        assert isinstance(place.kind, kinds.Sequence)
        self._resized(place)
        limit = self.whole.limits.get(place.key)  # the `maxlen` of a deque
        if isinstance(value, Place):
            value = self.load(value)
        if limit is not None:
            with self.block() as body:
                self._remove(place, ast.Constant(0), node)
            self.emit(ast.If(expression("_0 == _1", place.count(), ast.Constant(limit)), body, []))
        self._put_behind(place, place.count(), value, node)

    def _put_behind(self, place: Place, count: ast.expr, value: Value, node: ast.AST) -> None:
        """Write a value behind so many elements of a list whose length changes, and count it."""
        assert isinstance(place.kind, kinds.Sequence)
        element = place.kind.element
        if isinstance(element, Number | kinds.Text | kinds.Member):
            append = self.whole.imported(CONTAINERS, "append")
            column, number = self._array(place), self.plain(value, node)
            self.written.writes.add(place.name)
            self.say("_0 = _1(_2, _0, _3)", count, append, column, number)
            return
        room = self.whole.imported(CONTAINERS, "room")
        end = expression("_0(_1, _2)", room, self._array(place), count)
        if len(self.leaves(place)) > 1 or isinstance(element, Tuple):
            end = self.kept(end, "end")
        self.assign(place.part("", element, end), value, node)
        self.say("_0 += 1", count)

    def _resized(self, place: Place) -> None:
        self.written.writes.add(place.name)
        self.written.resizes.add(place.name)
        if self.is_fixed(place):
            self.whole.resize(place.key)

    def prepend(self, place: Place, value: Value, where: ast.expr, node: ast.AST) -> None:
        """Write `insert` and `appendleft`."""
        assert isinstance(place.kind, kinds.Sequence)
        self._resized(place)
        limit = self.whole.limits.get(place.key)
        if isinstance(value, Plain):
            value = Plain(self.kept(value.node), value.kind)
        if limit is not None:
            with self.block() as body:
                self.say("_0 -= 1", place.count())
            self.emit(ast.If(expression("_0 == _1", place.count(), ast.Constant(limit)), body, []))
        insert = self.whole.imported(CONTAINERS, "insert")
        for leaf in self.leaves(place):
            self.emit(
                ast.Expr(expression("_0(_1, _2, _3)", insert, leaf.leaf(), place.count(), where))
            )
        self.assign(place.part("", place.kind.element, where), value, node)
        self.say("_0 += 1", place.count())

    def _remove(self, place: Place, where: ast.expr, node: ast.AST) -> None:
        """Write the removal of the element at an index."""
        self._resized(place)
        delete = self.whole.imported(CONTAINERS, "delete")
        for leaf in self.leaves(place):
            self.emit(
                ast.Expr(expression("_0(_1, _2, _3)", delete, leaf.leaf(), place.count(), where))
            )
        self.say("_0 -= 1", place.count())

    def pop(self, place: Place, index: Value | None, node: ast.AST) -> Value:
        """Write `pop`, and return what it returns."""
        assert isinstance(place.kind, kinds.Sequence)
        self._resized(place)
        if index is None or (isinstance(index, Known) and index.value == -1):
            self.say("_0 -= 1", place.count())
            return self._held_element(place, place.count(), node)
        where = self.kept(self._position(place, place.kind, index, node), "k")
        value = self._held_element(place, where, node)
        self._remove(place, where, node)
        return value

    def _held_element(self, place: Place, where: ast.expr, node: ast.AST) -> Value:
        """Return an element as it is now, though the list changes."""
        assert isinstance(place.kind, kinds.Sequence)
        element = self.load(place.part("", place.kind.element, where))
        if isinstance(element, Plain):
            if isinstance(element.node, ast.Tuple):
                return Plain(
                    ast.Tuple(
                        [self.kept(part, "popped") for part in element.node.elts], ast.Load()
                    ),
                    element.kind,
                )
            held = element.node
            if isinstance(element.kind, Array):
                held = expression("_0.copy()", held)
            return Plain(self.kept(held, "popped"), element.kind)
        kind = place.kind.element
        target = self.scratch_place(f"popped_{getattr(node, 'lineno', 0)}", kind, node)
        self.assign(target, element, node)
        return self.load(target)

    def extend(self, place: Place, value: Value, node: ast.AST) -> None:
        """Write `extend` and `+=`."""
        assert isinstance(place.kind, kinds.Sequence)
        self.each(value, lambda member: self.append(place, member, node), node)

    def each(self, value: Value, body: Callable[[Value], None], node: ast.AST) -> None:
        """Write something for each element of a container."""
        if isinstance(value, Group):
            for member in value.members:
                body(member)
            return
        if isinstance(value, Known):
            value = self._known_as_members(value, node)
            if isinstance(value, Group):
                self.each(value, body, node)
                return
        if isinstance(value, Place) and isinstance(value.kind, kinds.Sequence | kinds.Map):
            k = self.fresh("k")
            where = ast.Name(k, ast.Load())
            with self.block() as inner:
                if isinstance(value.kind, kinds.Map):
                    body(self.load(value.part("keys", value.kind.key, where)))
                else:
                    body(self.load(value.part("", value.kind.element, where)))
            self.emit(for_each(k, self.plain(self.length(value, node), node), inner))
            return
        if isinstance(value, Plain) and isinstance(value.kind, Array | Tuple):
            if isinstance(value.kind, Tuple):
                for member in self.members(value, None, node):
                    body(member)
                return
            whole = self.kept(value.node)
            k = self.fresh("k")
            with self.block() as inner:
                body(Plain(expression(f"_0[{k}]", whole), kinds.element_of(value.kind)))
            self.emit(for_each(k, ast.Constant(value.kind.shape[0]), inner))
            return
        raise at(node, "for", f"{self.words(value)} is not gone through")

    def find(self, place: Place, value: Value, node: ast.AST) -> ast.expr:
        """Return the index of the first element that equals a value, or -1."""
        if isinstance(place.kind, kinds.Map):
            return self.find_key(place, value, node)
        assert isinstance(place.kind, kinds.Sequence)
        count = self.plain(self.length(place, node), node)
        return self.search(place, place.kind.element, count, value, node)

    def find_key(self, place: Place, key: Value, node: ast.AST) -> ast.expr:
        """Return the index of a key, or -1."""
        assert isinstance(place.kind, kinds.Map)
        keys = place.part("keys", place.kind.key)
        return self.search(keys, place.kind.key, place.count(), key, node)

    def search(
        self, keys: Place, element: Kind, count: ast.expr, value: Value, node: ast.AST
    ) -> ast.expr:
        """Return the index of the first of so many elements that equals a value, or -1."""
        if isinstance(value, Place):
            value = self.load(value)
        if isinstance(value, Perhaps):
            inner = self.search(keys, element, count, value.value, node)
            return expression("-1 if _0 else _1", value.missing, inner)
        if isinstance(element, Number | kinds.Text | kinds.Member):
            find = self.whole.imported(CONTAINERS, "find")
            return expression("_0(_1, _2, _3)", find, keys.leaf(), count, self.plain(value, node))
        if isinstance(element, Tuple) and kinds.common_dtype(element) is not None:
            find = self.whole.imported(CONTAINERS, "find_row")
            return expression("_0(_1, _2, _3)", find, keys.leaf(), count, self.plain(value, node))
        k, at_ = self.fresh("k"), self.fresh("found")
        self.say(f"{at_} = -1")
        with self.block() as body:
            where = ast.Name(k, ast.Load())
            here = self.load(keys.part("", element, where))
            test = self.condition(self.compare(here, ast.Eq(), value, node), node)
            found = [statement(f"{at_} = {k}"), ast.Break()]
            self.emit(ast.If(test, found, []))
        self.emit(for_each(k, count, body))
        return ast.Name(at_, ast.Load())
