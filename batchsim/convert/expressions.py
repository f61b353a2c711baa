"""How expressions of the author's become values."""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from batchsim.convert import kinds
from batchsim.convert.elements import CONTAINERS
from batchsim.convert.kinds import INT, Maybe, Number
from batchsim.convert.names import Names
from batchsim.convert.refusal import at
from batchsim.convert.values import (
    Bound,
    Group,
    Known,
    Made,
    Perhaps,
    Place,
    Plain,
    Value,
    expression,
    for_each,
    statement,
)

__all__ = ["Expressions"]


class Expressions(Names):
    """How expressions of the author's become values."""

    def expr(self, node: ast.expr) -> Value:
        """Return what an expression becomes."""
        method = getattr(self, f"of_{type(node).__name__}", None)
        if method is None:
            raise at(node, type(node).__name__, "a definition has nothing of the kind")
        value: Value = method(node)
        if isinstance(value, Plain) and isinstance(value.kind, kinds.Unknown):
            value.kind = self.seen_kind(node)
        return value

    def of_Constant(self, node: ast.Constant) -> Value:
        """A literal."""
        return Known(node.value, None if isinstance(node.value, str) else node)

    def of_Tuple(self, node: ast.Tuple) -> Value:
        """A tuple."""
        return self._display(node, "tuple")

    def of_List(self, node: ast.List) -> Value:
        """A list."""
        return self._display(node, "list")

    def of_Set(self, node: ast.Set) -> Value:
        """A set."""
        return self._display(node, "set")

    def _display(self, node: ast.Tuple | ast.List | ast.Set, form: str) -> Value:
        members: list[Value] = []
        for part in node.elts:
            if isinstance(part, ast.Starred):
                value = self.expr(part.value)
                seen = self.seen_kind(part.value)
                always = isinstance(seen, kinds.Sequence) and seen.least == seen.greatest > 0
                # A list of this function that was always of one length here.
                local = always and isinstance(value, Place) and value.scratch
                count = seen.greatest if local and isinstance(seen, kinds.Sequence) else None
                members += self.members(value, count, part)
            else:
                members.append(self.new(part))
        if all(isinstance(member, Known) for member in members):
            held = [member.value for member in members if isinstance(member, Known)]
            if form == "tuple":
                return Known(tuple(held), self._tuple_of(members))
            if form == "set":
                return Known(set(held))
        return Group(members, form)

    def _tuple_of(self, members: Sequence[Value]) -> ast.expr | None:
        nodes = [member.node for member in members if isinstance(member, Known)]
        if not nodes or any(node is None for node in nodes):
            return None
        return ast.Tuple([node for node in nodes if node is not None], ast.Load())

    def of_Dict(self, node: ast.Dict) -> Value:
        """A dict with strings as keys."""
        made = Made()
        for key, part in zip(node.keys, node.values, strict=True):
            if key is None:
                inner = self.expr(part)
                if not isinstance(inner, Made):
                    raise at(node, "**", "which keys it has is not known here")
                made.fields.update(inner.fields)
                continue
            known = self.expr(key)
            if not isinstance(known, Known):
                raise at(
                    node, "a dict", "its keys are computed", "Use an array, or a list of pairs."
                )
            value = self.expr(part)
            made.fields[known.value] = value
        if all(isinstance(value, Known) for value in made.fields.values()) and made.fields:
            return Known({k: v.value for k, v in made.fields.items() if isinstance(v, Known)})
        return made

    def of_JoinedStr(self, node: ast.JoinedStr) -> Value:
        """A text that is put together: of what is known, as a key of a dict, or nothing of it."""
        text = ""
        for part in node.values:
            value: Value | None = None
            match part:
                case ast.Constant():
                    value = Known(part.value)
                case ast.FormattedValue(ast.Name(id=name), conversion=-1, format_spec=None):
                    value = self.names.get(name)
            if not isinstance(value, Known):
                return Known("")
            text += f"{value.value}"
        return Known(text)

    def of_IfExp(self, node: ast.IfExp) -> Value:
        """`x if c else y`."""
        test = self.test(node.test)
        if isinstance(test, bool):
            return self.expr(node.body if test else node.orelse)
        with self.block() as ahead:
            body = self.expr(node.body)
        with self.block() as behind:
            orelse = self.expr(node.orelse)
        kind = self.seen_kind(node)
        if isinstance(kind, kinds.Unknown):
            kind = kinds.join(self.kind_of_value(body), self.kind_of_value(orelse))
        if isinstance(kind, Maybe):
            return self._perhaps(node, test, body, orelse, ahead, behind)
        if not self.is_plain(kind):
            place = self.scratch_place(f"choice_{node.lineno}", kind, node)
            with self.block() as first:
                for part in ahead:
                    self.emit(part)
                self.assign(place, body, node)
            with self.block() as second:
                for part in behind:
                    self.emit(part)
                self.assign(place, orelse, node)
            self.emit(ast.If(test, first or [ast.Pass()], second))
            return place
        if ahead or behind:
            name = self.fresh("chosen")
            then = [
                *ahead,
                ast.Assign([ast.Name(name, ast.Store())], self.plain(body, node), lineno=1),
            ]
            other = [
                *behind,
                ast.Assign([ast.Name(name, ast.Store())], self.plain(orelse, node), lineno=1),
            ]
            self.emit(ast.If(test, list(then), list(other)))
            return Plain(ast.Name(name, ast.Load()), kind)
        return Plain(ast.IfExp(test, self.plain(body, node), self.plain(orelse, node)), kind)

    def _perhaps(
        self,
        node: ast.IfExp,
        test: ast.expr,
        body: Value,
        orelse: Value,
        ahead: list[ast.stmt],
        behind: list[ast.stmt],
    ) -> Value:
        kind = kinds.join(self.kind_of_value(body), self.kind_of_value(orelse))
        assert isinstance(kind, Maybe)
        name = self.fresh("chosen")
        branches = []
        for value, before in ((body, ahead), (orelse, behind)):
            with self.block() as branch:
                for part in before:
                    self.emit(part)
                missing, inner = self.optional(value, node)
                held = self.plain(inner, node) if inner is not None else self.default(kind.value)
                self.say(f"{name}_missing, {name} = _0, _1", missing, held)
            branches.append(branch)
        self.emit(ast.If(test, *branches))
        return Perhaps(
            ast.Name(f"{name}_missing", ast.Load()), Plain(ast.Name(name, ast.Load()), kind.value)
        )

    def of_ListComp(self, node: ast.ListComp) -> Value:
        """A list comprehension."""
        return self.comprehension(node)

    def of_SetComp(self, node: ast.SetComp) -> Value:
        """A set comprehension."""
        return self.comprehension(node)

    def of_GeneratorExp(self, node: ast.GeneratorExp) -> Value:
        """A generator, whose elements are made at once."""
        return self.comprehension(node)

    def of_Lambda(self, node: ast.Lambda) -> Value:
        """A function that is written where it is used."""
        return Bound(node)

    def of_Call(self, node: ast.Call) -> Value:
        """A call."""
        return self.call(node)

    def of_Subscript(self, node: ast.Subscript) -> Value:
        """An element, or a slice."""
        clipped = self.clipped_element(node)
        if clipped is not None:
            return self.expr(clipped)
        base = self._letters(node.value) or self.expr(node.value)
        found = self.item_place(base, node)
        return self.load(found) if isinstance(found, Place) else found

    def _letters(self, node: ast.expr) -> Value | None:
        """Return a line of a map of texts, `LINES[y]`, as its letters; None of anything else."""
        if not isinstance(node, ast.Subscript) or isinstance(node.slice, ast.Slice):
            return None
        if not isinstance(node.value, ast.Name | ast.Attribute):
            return None
        with self.block():  # what is known takes no statements; all else is evaluated below
            base = self.expr(node.value)
        lines = base.value if isinstance(base, Known) else None
        if not isinstance(lines, list | tuple) or not all(isinstance(x, str) for x in lines):
            return None
        letters = Known([list(line) for line in lines], name=getattr(base, "name", ""))
        return self.item_place(letters, node)

    def of_NamedExpr(self, node: ast.NamedExpr) -> Value:
        """`(x := y)`."""
        self.bind(node.target.id, self.expr(node.value), node)
        return self.names[node.target.id]

    def of_Slice(self, node: ast.Slice) -> Value:
        """A slice within an index of an array."""
        parts = [
            None if part is None else self.plain(self.expr(part), node)
            for part in (node.lower, node.upper, node.step)
        ]
        return Plain(ast.Slice(*parts))

    def _reduced(
        self, name: str, place: Place, element: Number, count: ast.expr, node: ast.Call
    ) -> Value:
        """Return a sum, a mean or how far numbers spread, of a list whose length changes."""
        held = place.kind
        assert isinstance(held, kinds.Sequence)
        k = self.fresh("k")
        where = ast.Name(k, ast.Load())
        here = place.leaf("", where)
        kind = Number(np.dtype(float), False)
        if element.dtype.kind != "f" and name == "sum":
            added = self.fresh("total")
            self.say(f"{added} = 0")
            self.emit(for_each(k, count, [statement(f"{added} += _0", here)]))
            return Plain(ast.Name(added, ast.Load()), Number(np.dtype(np.int64), False))
        if element.dtype not in (np.float64, np.int64, np.bool_):
            raise at(
                node, f"np.{name}", f"it is asked of a list of {element}", "Keep floats in it."
            )
        numbers = place
        if element.dtype != np.float64:
            numbers = self.changing_place("numbers", replace(held, element=kind), node)
            self.emit(for_each(k, count, [statement("_0 = _1", numbers.leaf("", where), here)]))
        row = numbers.leaf()
        if name == "sum":
            return Plain(self._of_containers("total", row, count), kind)
        found = self._of_containers("mean", row, count)
        if name == "mean":
            return Plain(found, kind)
        middle = self.kept(found, "middle")
        squares = self.changing_place("squares", replace(held, element=kind), node)
        off = expression("_0 - _1", numbers.leaf("", where), middle)
        with self.block() as body:
            off = self.kept(off, "off")
            self.say("_0 = _1 * _1", squares.leaf("", where), off)
        self.emit(for_each(k, count, body))
        spread = self._of_containers("mean", squares.leaf(), count)
        return Plain(expression("np.sqrt(_0)", spread) if name == "std" else spread, kind)

    def _of_containers(self, name: str, *args: ast.expr) -> ast.expr:
        function = self.whole.imported(CONTAINERS, name)
        return ast.Call(function, [copy.deepcopy(arg) for arg in args], [])

    def of_list(
        self, name: str, place: Place, keywords: Mapping[str, Value], node: ast.Call
    ) -> Value | None:
        """Return what a function of NumPy makes of a list whose length changes."""
        assert isinstance(place.kind, kinds.Sequence)
        element = place.kind.element
        if self.is_fixed(place) or not isinstance(element, Number):
            return None
        if name in ("array", "asarray"):
            dtype = keywords.get("dtype")
            if isinstance(dtype, Known) and np.dtype(dtype.value) != element.dtype:
                return None
            kind = kinds.Sequence(
                Number(element.dtype, False), place.kind.least, place.kind.greatest, "array"
            )
            return place.part("", kind)
        count = self.plain(self.length(place, node), node)
        k = self.fresh("k")
        where = ast.Name(k, ast.Load())
        here = place.leaf("", where)
        if name == "cumsum":
            kind = kinds.Sequence(Number(element.dtype, False), 0, place.kind.greatest, "array")
            target = self.changing_place("sums", kind, node)
            total = self.fresh("total")
            self.say(f"{total} = _0", ast.Constant(0.0 if element.dtype.kind == "f" else 0))
            with self.block() as body:
                self.say(f"{total} += _0", here)
                self.say(f"_0 = {total}", target.leaf("", where))
            self.emit(for_each(k, count, body))
            self.say("_0 = _1", target.count(), count)
            return target
        if name in ("argmax", "argmin"):
            best = self.fresh("best")
            self.say(f"{best} = 0")
            with self.block() as body:
                op = ">" if name == "argmax" else "<"
                self.emit(
                    ast.If(
                        expression(f"_0 {op} _1", here, place.leaf("", ast.Name(best, ast.Load()))),
                        [ast.parse(f"{best} = {k}").body[0]],
                        [],
                    )
                )
            self.emit(for_each(k, count, body))
            return Plain(ast.Name(best, ast.Load()), INT)
        if name in ("sum", "mean", "std", "var") and not keywords:
            return self._reduced(name, place, element, count, node)
        if name in ("any", "all", "max", "min", "amax", "amin"):
            short = ast.Call(
                ast.Name(name.removeprefix("a") if name in ("amax", "amin") else name, ast.Load()),
                node.args[:1],
                [],
            )
            short.lineno, short.col_offset, short.k = node.lineno, node.col_offset, node.k  # type: ignore[attr-defined]
            return getattr(self, f"call_{short.func.id}")(short)  # type: ignore[attr-defined,no-any-return]
        return None
