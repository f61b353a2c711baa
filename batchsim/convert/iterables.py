"""What is gone through: `zip`, `map`, products and the like; and dicts that are so made."""

from __future__ import annotations

import ast
import enum
import itertools
from collections.abc import Callable

from batchsim.convert import kinds
from batchsim.convert.kinds import UNKNOWN, Array, Tuple
from batchsim.convert.loops import UNROLLED, Loops, members_of_dict
from batchsim.convert.refusal import at
from batchsim.convert.values import Group, Known, Made, Place, Plain, Value, for_each

__all__ = ["Iterables"]

ITERATORS = ("range", "zip", "enumerate", "map", "filter", "reversed")
OF_DICTS = ("items", "keys", "values")


class Iterables(Loops):
    """What is gone through: `zip`, `map`, products and the like; and dicts that are so made."""

    def iterator(self, source: ast.expr) -> str:
        """Return which of Python's iterators a call makes; empty if none."""
        if not isinstance(source, ast.Call):
            return ""
        func = source.func
        if isinstance(func, ast.Attribute) and func.attr in OF_DICTS and not source.args:
            return func.attr
        if self.whole.seen.things.get(getattr(func, "k", -1)) is itertools.product:
            return "product"
        name = func.id if isinstance(func, ast.Name) else ""
        return name if name in ITERATORS and name not in self.names else ""

    def each_of(self, source: ast.expr, one: Callable[[Value], None], node: ast.AST) -> None:
        """Write something for each element of a container or of a comprehension."""
        if isinstance(source, ast.GeneratorExp | ast.ListComp):
            self.generators(source.generators, lambda: one(self.expr(source.elt)), source)
            return
        iterator = self.iterator(source)
        if iterator:
            name = self.fresh("k" if iterator == "range" else "member")
            self.loop(source, ast.Name(name, ast.Store()), lambda: one(self.names[name]), node)
        else:
            self.each(self.expr(source), one, node)

    def loop(
        self, source: ast.expr, target: ast.expr, body: Callable[[], None], node: ast.AST
    ) -> None:
        """Write a loop over what an expression yields."""
        call = source if isinstance(source, ast.Call) else None
        iterator = self.iterator(source)
        parts = target.elts if isinstance(target, ast.Tuple | ast.List) else None
        if _is_copy(source):
            assert isinstance(source, ast.Subscript)
            self._loop_copy(source, source.value, target, body, node)
        elif call is None:
            self._loop_value(self.expr(source), target, body, node)
        elif iterator == "range":
            self._loop_range(call, target, body, node)
        elif iterator == "enumerate":
            start = self.expr(call.args[1]) if len(call.args) > 1 else Known(0)
            if parts is not None and len(parts) == 2:
                self._loop_many([call.args[0]], parts[0], parts[1:], body, node, start)
            else:
                self._loop_many([call.args[0]], None, target, body, node, start)
        elif iterator == "zip":
            self._loop_many(call.args, None, target if parts is None else parts, body, node)
        elif iterator == "map" and len(call.args) == 2:
            self._loop_map(call, target, body, node)
        elif iterator == "filter":
            self._loop_filter(call, target, body, node)
        elif iterator == "product":
            self._loop_product(call, target, body, node)
        elif iterator == "reversed":
            self._loop_value(self.expr(call.args[0]), target, body, node, backwards=True)
        elif iterator in OF_DICTS:
            assert isinstance(call.func, ast.Attribute)
            self._loop_dict(call.func, target, body, node)
        elif isinstance(call.func, ast.Name) and call.func.id in ("list", "tuple") and call.args:
            if self.iterator(call.args[0]):
                self.loop(call.args[0], target, body, node)
            else:
                self._loop_copy(call, call.args[0], target, body, node)
        else:
            self._loop_value(self.expr(source), target, body, node)

    def _takes_own(self, source: ast.expr, target: ast.expr, node: ast.AST) -> bool:
        """Return whether a loop changes the list by nothing but taking out the element it is at."""
        kind = self.seen_kind(source)
        element = kind.element if isinstance(kind, kinds.Sequence) else UNKNOWN
        if not isinstance(element, kinds.Object | kinds.Record) or not isinstance(node, ast.For):
            return False
        own = [
            part
            for part in ast.walk(ast.Module(node.body, []))
            if isinstance(part, ast.Attribute | ast.Subscript)
            and ast.unparse(part.value) == ast.unparse(source)
        ]
        removes = [
            part
            for part in ast.walk(ast.Module(node.body, []))
            if isinstance(part, ast.Call)
            and any(part.func is other for other in own)
            and getattr(part.func, "attr", "") == "remove"
            and ast.unparse(part.args[0]) == ast.unparse(target)
        ]
        first = min((part.lineno for part in removes), default=0)
        used_after = any(
            isinstance(part, ast.Name)
            and part.lineno > first
            and any(isinstance(n, ast.Name) and n.id == part.id for n in ast.walk(target))
            for part in ast.walk(ast.Module(node.body, []))
        )
        return len(own) == len(removes) > 0 and not used_after

    def _loop_taking(
        self, value: Place, target: ast.expr, body: Callable[[], None], node: ast.AST
    ) -> None:
        """Write a loop that may take out the element it is at: so many are left behind it."""
        count = self.kept(value.count(), "count")
        k, at_ = self.fresh("k"), self.fresh("at")
        with self.block() as inner:
            self.say(f"{at_} = _0 - _1 + {k}", value.count(), count)
            assert isinstance(value.kind, kinds.Sequence)
            where = ast.Name(at_, ast.Load())
            self.store_loop_target(target, value.part("", value.kind.element, where), node)
            body()
        self.emit(for_each(k, count, inner))

    def _loop_copy(
        self,
        source: ast.expr,
        inner: ast.expr,
        target: ast.expr,
        body: Callable[[], None],
        node: ast.AST,
    ) -> None:
        """Write a loop over a copy of a list, and the copy only if the loop changes the list.

        Where it does, all is written again.
        """
        copies = getattr(source, "k", None) in self.whole.changing
        value = self.expr(source if copies else inner)
        if copies or not isinstance(value, Place):
            self._loop_value(value, target, body, node)
            return
        if self._takes_own(inner, target, node):
            self._loop_taking(value, target, body, node)
            return
        before, self.written.resizes = self.written.resizes, set()
        self._loop_value(value, target, body, node)
        if value.name in self.written.resizes:
            self.whole.change(source.k)  # type: ignore[attr-defined]
        self.written.resizes |= before

    def _loop_map(
        self, call: ast.Call, target: ast.expr, body: Callable[[], None], node: ast.AST
    ) -> None:
        name = self.fresh("argument")

        def one() -> None:
            self.names_for(target, self._apply(call.args[0], self.names[name], call), node)
            body()

        self.loop(call.args[1], ast.Name(name, ast.Store()), one, node)

    def _loop_filter(
        self, call: ast.Call, target: ast.expr, body: Callable[[], None], node: ast.AST
    ) -> None:
        name = self.fresh("member")
        every = isinstance(call.args[0], ast.Constant)  # None: what counts as true

        def one() -> None:
            member = self.names[name]
            test = self.condition(
                member if every else self._apply(call.args[0], member, call), node
            )
            with self.block() as inner:
                self.names_for(target, member, node)
                body()
            self.emit(ast.If(test, inner or [ast.Pass()], []))

        self.loop(call.args[1], ast.Name(name, ast.Store()), one, node)

    def _loop_product(
        self, call: ast.Call, target: ast.expr, body: Callable[[], None], node: ast.AST
    ) -> None:
        repeat = self.expr(self._keywords(call).get("repeat", ast.Constant(1)))
        if not isinstance(repeat, Known):
            raise at(call, "itertools.product", "how often it repeats is computed", "Write loops.")
        sources = [*call.args] * int(repeat.value)
        if isinstance(target, ast.Tuple | ast.List):
            parts: list[ast.expr] = target.elts
        else:
            parts = [ast.Name(self.fresh("member"), ast.Store()) for _ in sources]
        if isinstance(node, ast.For) and breaks(node):
            reason = "a `break` would leave one loop of several"
            raise at(call, "itertools.product", reason, "Write loops.")
        if len(parts) != len(sources):
            reason = f"{len(sources)} members go into {len(parts)} names"
            raise at(call, "itertools.product", reason, "Write loops.")

        def nested(k: int) -> None:
            if k < len(sources):
                self.loop(sources[k], parts[k], lambda: nested(k + 1), node)
                return
            if isinstance(target, ast.Name):
                members = [self.names[part.id] for part in parts if isinstance(part, ast.Name)]
                self.names[target.id] = Group(members)
            body()

        nested(0)

    def countable(self, value: Value) -> bool:
        """Return whether it is known how many elements there are, and they are few."""
        match value:
            case Known():
                return hasattr(value.value, "__len__") and len(value.value) <= UNROLLED
            case Group():
                return True
            case Plain():
                kind = value.kind
                row = isinstance(kind, Array) and len(kind.shape) == 1 and kind.shape[0] <= UNROLLED
                return row or isinstance(kind, Tuple)
            case Place():
                return isinstance(value.kind, Tuple) or self.is_fixed(value)
        return False

    def call_map(self, node: ast.Call) -> Value:
        """`map(f, x)` as a value: of a tuple and the like, whose members are written out."""
        value = self.expr_of(self.expr(node.args[1]))
        if len(node.args) != 2 or not self.countable(value):
            raise at(node, "map as a value", "how many elements it has changes", "Use a loop.")
        members = self.members(value, None, node)
        return Group([self._apply(node.args[0], member, node) for member in members], "list")

    def _known_members(self, source: ast.expr, node: ast.AST) -> list[Value]:
        """Return what is gone through, one by one, where all of that is known."""
        iterator = self.iterator(source)
        call = source if isinstance(source, ast.Call) else None
        if call is not None and iterator in OF_DICTS:
            assert isinstance(call.func, ast.Attribute)
            pairs = self.pairs(self.expr(call.func.value))
            if pairs is not None:
                return members_of_dict(pairs, iterator)
        if call is not None and iterator == "zip":
            columns = [self._known_members(part, node) for part in call.args]
            return [Group(list(members)) for members in zip(*columns, strict=False)]
        if call is not None and iterator == "enumerate":
            members = self._known_members(call.args[0], node)
            return [Group([Known(k), member]) for k, member in enumerate(members)]
        value = self.expr(source)
        if isinstance(value, Known) and isinstance(value.value, type):
            value = Known(list(value.value) if issubclass(value.value, enum.Enum) else value.value)
        if isinstance(value, Known) and isinstance(value.value, dict | range | set | frozenset):
            value = Known(list(value.value))
        pairs = self.pairs(value)
        if pairs is not None:
            return members_of_dict(pairs, "keys")
        if not self.countable(value):
            raise at(
                node,
                "a dict comprehension",
                "which keys there are is not known here",
                "Use a list or an array, and numbers for the keys.",
            )
        return self.members(value, None, node)

    def call_fromkeys(self, node: ast.Call) -> Value:
        """`dict.fromkeys(keys, value)`."""
        value: Value = self.expr(node.args[1]) if len(node.args) > 1 else Known(None)
        made = Made()
        for key in self._known_members(node.args[0], node):
            if not isinstance(key, Known):
                raise at(node, "dict.fromkeys", "its keys are computed", "Use a list or an array.")
            made.fields[key.value] = value
        return made

    def of_DictComp(self, node: ast.DictComp) -> Value:
        """A dict comprehension: written out if its keys are known, else a dict in columns."""
        kind = self.seen_kind(node)
        if isinstance(kind, kinds.Map):
            place = self.scratch_place(f"dict_{node.lineno}_{node.col_offset}", kind, node)
            self.say("_0 = 0", place.count())

            def one() -> None:
                self.store_key(place, kind, node.key, self.expr(node.value), node)

            self.generators(node.generators, one, node)
            return place
        first = node.generators[0]
        if len(node.generators) > 1:
            raise at(node, "a dict comprehension", "it goes through several things", "Use a loop.")
        made = Made()
        before = dict(self.names)
        for member in self._known_members(first.iter, node):
            self.names_for(first.target, member, node)
            tests = [self.test(condition) for condition in first.ifs]
            key = self.expr(node.key)
            if not isinstance(key, Known) or any(not isinstance(test, bool) for test in tests):
                raise at(
                    node, "a dict comprehension", "its keys are computed", "Use a list or an array."
                )
            if all(tests):
                made.fields[key.value] = self._own(self.expr(node.value), str(key.value), node)
        self.names = before
        if made.fields and all(isinstance(value, Known) for value in made.fields.values()):
            return Known({k: v.value for k, v in made.fields.items() if isinstance(v, Known)})
        return made

    def _own(self, value: Value, key: str, node: ast.DictComp) -> Value:
        """Return a new object in working space of its own: the next one is made where it was."""
        if not isinstance(value, Place) or not value.scratch:
            return value
        label = "".join(c if c.isalnum() else "_" for c in key)
        place = self.scratch_place(f"{label}_{node.lineno}_{node.col_offset}", value.kind, node)
        self.assign(place, value, node)
        return place


def _is_copy(node: ast.expr) -> bool:
    """Return whether an expression is a slice that takes all of a list, `x[:]`."""
    if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Slice):
        return False
    return node.slice.lower is None and node.slice.upper is None and node.slice.step is None


def breaks(loop: ast.For | ast.While) -> bool:
    """Return whether a loop is broken off by a `break` of its own."""
    parts: list[ast.AST] = list(loop.body)
    while parts:
        part = parts.pop()
        if isinstance(part, ast.Break):
            return True
        if isinstance(part, ast.For | ast.While):
            parts += part.orelse
        else:
            parts += ast.iter_child_nodes(part)
    return False
