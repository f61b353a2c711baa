"""Draws from the row's stream."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

import numpy as np

from batchsim.convert import kinds, streams
from batchsim.convert.expressions import Expressions
from batchsim.convert.kinds import FLOAT, INT, UNKNOWN, Array, Member, Number, Text
from batchsim.convert.names import DRAWS
from batchsim.convert.refusal import at
from batchsim.convert.values import (
    Draw,
    Group,
    Known,
    Place,
    Plain,
    Value,
    constant,
    element,
    expression,
    for_each,
    statement,
)

__all__ = ["Drawing"]


class Drawing(Expressions):
    """Draws from the row's stream."""

    random_module = "batchsim.random"

    def draw(self, callee: Draw, node: ast.Call) -> Value:
        """Return a draw from the row's stream."""
        self.written.draws = True
        if callee.foreign:
            return self._foreign(callee, node)
        name = callee.name
        if name in ("choice", "shuffle", "permutation"):
            return getattr(self, f"_draw_{name}")(node)  # type: ignore[no-any-return]
        if name in ("seed", "bit_generator", "spawn"):
            return Known(None)
        if name not in DRAWS:
            raise at(
                node,
                f"np_random.{name}",
                "no such draw is offered",
                "Write it with uniform or normal draws.",
            )
        bound, wide = self._bind_draw(name, node)
        size = bound.pop("size", None)
        bound.pop("dtype", None)
        if name == "integers":
            if bound["high"] is None:
                bound["low"], bound["high"] = ast.Constant(0), bound["low"]
            endpoint = bound.pop("endpoint", None)
            keywords = (
                []
                if endpoint is None or (isinstance(endpoint, ast.Constant) and not endpoint.value)
                else [ast.keyword("endpoint", endpoint)]
            )
        else:
            keywords = []
        if size is not None and not (isinstance(size, ast.Constant) and size.value is None):
            keywords.append(ast.keyword("size", size))
        function = self.whole.imported(self.random_module, name)
        args = [part for part in bound.values() if part is not None]
        if wide:
            return self._draws_of_arrays(function, bound, wide, node)
        drawn = self._drawn(function, args, keywords)
        kind = self.seen_kind(node)
        if isinstance(kind, kinds.Unknown):
            kind = INT if name == "integers" else FLOAT
        return Plain(self.kept(drawn, "drawn"), kind)

    def _drawn(
        self, function: ast.expr, args: Sequence[ast.expr], keywords: Sequence[ast.keyword] = ()
    ) -> ast.Call:
        """Return the call of a function that draws from the row's stream."""
        row = [ast.Name("rng", ast.Load()), ast.Name("i", ast.Load())]
        return ast.Call(function, [*row, *args], list(keywords))

    def _draws_of_arrays(
        self,
        function: ast.expr,
        bound: Mapping[str, ast.expr | None],
        wide: Mapping[str, Array],
        node: ast.Call,
    ) -> Value:
        """Return an array of draws, one for each element of arguments that are arrays."""
        kind = self.seen_kind(node)
        if not isinstance(kind, Array) or any(held.shape != kind.shape for held in wide.values()):
            raise at(
                node,
                "draws with arrays",
                f"its arrays are of {' and of '.join(str(held.shape) for held in wide.values())}, "
                f"and what is drawn was seen to be {kind}",
                "Give it arrays of the shape of what is drawn.",
            )
        index = [ast.Name(self.fresh("k"), ast.Load()) for _ in kind.shape]
        parts = []
        for key, held in bound.items():
            if held is not None:
                direct = isinstance(held, ast.Name | ast.Constant)
                part = held if direct else self.kept(held, key)
                parts.append(element(part, list(index), True) if key in wide else part)
        drawn: Value
        if self.is_plain(kind):
            name = self.fresh("drawn")
            self.say(f"{name} = _0", self.default(kind))
            drawn = Plain(ast.Name(name, ast.Load()), kind)
        else:
            drawn = self.scratch_place(f"drawn_{node.lineno}", kind, node)
        loop = statement(
            "_0[_1] = _2",
            self.plain(drawn, node),
            index[0] if len(index) == 1 else ast.Tuple(list(index), ast.Load()),
            self._drawn(function, parts),
        )
        for k, length in reversed(list(zip(index, kind.shape, strict=True))):
            loop = for_each(k.id, ast.Constant(length), [loop])
        self.emit(loop)
        return drawn

    def _draw_choice(self, node: ast.Call) -> Value:
        """`choice(a)`: an index that is drawn, and the element there."""
        keywords = self._keywords(node)
        names = ("a", "size", "replace", "p")
        given: dict[str, Value] = {
            name: self.expr(part)
            for name, part in [*zip(names, node.args, strict=False), *keywords.items()]
        }
        source = self.expr_of(given["a"])
        count = (
            source if isinstance(self.kind_of_value(source), Number) else self.length(source, node)
        )
        size = given.get("size")
        if size is not None and not (isinstance(size, Known) and size.value is None):
            return self._choices(source, count, size, given, node)
        where = self.kept(self._drawn_index(count, given, node), "drawn")
        if isinstance(self.kind_of_value(source), Number):
            return Plain(where, self.seen_kind(node))
        return self._chosen(source, where, node)

    def _drawn_index(self, count: Value, given: Mapping[str, Value], node: ast.Call) -> ast.expr:
        """Return the draw of an index, by the weights `p` if any are given."""
        weights = given.get("p")
        if weights is None or (isinstance(weights, Known) and weights.value is None):
            function = self.whole.imported(self.random_module, "choice")
            return expression("_0(rng, i, _1)", function, self.plain(count, node))
        function = self.whole.imported(self.random_module, "choice_weighted")
        return expression("_0(rng, i, _1)", function, self._array_of(weights, node))

    def _array_of(self, value: Value, node: ast.AST) -> ast.expr:
        if isinstance(value, Known):
            value = self.constant_place(value, "weights", node)
        if isinstance(value, Group):
            return expression(
                "np.array(_0)", ast.List([self.plain(m, node) for m in value.members], ast.Load())
            )
        return self.plain(value, node)

    def _chosen(self, source: Value, where: ast.expr, node: ast.AST) -> Value:
        """Return an element of what is chosen from."""
        if isinstance(source, Group) and all(isinstance(m, Known) for m in source.members):
            source = Known([m.value for m in source.members if isinstance(m, Known)])
        if isinstance(source, Known):
            source = self.constant_place(source, "choices", node)
        if isinstance(source, Group):
            source = self.listed(source, "choices", node)
        found = self._element(source, where, node)
        return self._held(found, node)

    def _choices(
        self, source: Value, count: Value, size: Value, given: Mapping[str, Value], node: ast.Call
    ) -> Value:
        replace = given.get("replace", Known(True))
        kind = self.seen_kind(node)
        if isinstance(kind, kinds.Unknown) and isinstance(size, Known):
            kind = Array(
                np.dtype(np.int64), (int(size.value),)
            )  # of a draw that stands for another
        if not isinstance(kind, Array) or len(kind.shape) != 1 or -1 in kind.shape:
            raise at(node, "choice with a size", f"what is drawn was seen to be {kind}")
        n = kind.shape[0]
        if isinstance(replace, Known) and not replace.value:
            place = self.scratch_place(
                f"drawn_{node.lineno}", Array(np.dtype(np.int64), (n,)), node
            )
            function = self.whole.imported(self.random_module, "choice_without_replacement")
            self.emit(
                ast.Expr(
                    expression(
                        "_0(rng, i, _1, _2)", function, self.plain(count, node), place.leaf()
                    )
                )
            )
            if isinstance(self.kind_of_value(source), Number):
                return place
            target = self.scratch_place(f"chosen_{node.lineno}", kind, node)
            k = self.fresh("k")
            with self.block() as body:
                self.say(
                    "_0 = _1",
                    target.leaf("", ast.Name(k, ast.Load())),
                    self.plain(
                        self._chosen(source, place.leaf("", ast.Name(k, ast.Load())), node), node
                    ),
                )
            self.emit(for_each(k, ast.Constant(n), body))
            return target
        target = self.scratch_place(f"chosen_{node.lineno}", kind, node)
        k = self.fresh("k")
        index = self._drawn_index(count, given, node)
        with self.block() as body:
            found: Value = Plain(self.kept(index, "drawn"), INT)
            if not isinstance(self.kind_of_value(source), Number):
                found = self._chosen(source, self.plain(found, node), node)
            self.say("_0 = _1", target.leaf("", ast.Name(k, ast.Load())), self.plain(found, node))
        if n == 1:
            k_is_zero = ast.Assign([ast.Name(k, ast.Store())], ast.Constant(0), lineno=1)
            for part in (k_is_zero, *body):
                self.emit(part)
        else:
            self.emit(for_each(k, ast.Constant(n), body))
        return target

    def _draw_shuffle(self, node: ast.Call) -> Value:
        value = self.expr(node.args[0])
        if isinstance(value, Place) and isinstance(value.kind, kinds.Sequence | Array):
            self.written.writes.add(value.name)
            element = value.kind.element if isinstance(value.kind, kinds.Sequence) else UNKNOWN
            if isinstance(value.kind, Array) or isinstance(element, Number | Text | Member):
                if isinstance(value.kind, Array) or self.is_fixed(value):
                    function = self.whole.imported(self.random_module, "shuffle")
                    self.emit(ast.Expr(expression("_0(rng, i, _1)", function, value.leaf())))
                else:
                    function = self.whole.imported(self.random_module, "shuffle_first")
                    self.emit(
                        ast.Expr(
                            expression("_0(rng, i, _1, _2)", function, value.leaf(), value.count())
                        )
                    )
                return Known(None)
            if isinstance(value.kind, kinds.Sequence):
                self._shuffle_places(value, value.kind, node)
                return Known(None)
        raise at(
            node,
            "shuffle",
            f"{self.words(value)} is not shuffled",
            "Shuffle a list or array of numbers.",
        )

    def _shuffle_places(self, place: Place, kind: kinds.Sequence, node: ast.Call) -> None:
        """Write the shuffle of a list of no numbers: of its places, then of what is there."""
        most = self.whole.room().capacity(kind, place.name, len(place.index))
        numbers = Array(np.dtype(np.int64), (most,))
        order = self.scratch_place(f"order_{node.lineno}", numbers, node)
        held = self.copied(place, kind, node)
        count = self.plain(self.length(place, node), node)
        k = self.fresh("k")
        where = ast.Name(k, ast.Load())
        self.emit(for_each(k, count, [statement("_0 = _1", order.leaf("", where), where)]))
        name, args = "shuffle", [order.leaf()]
        if not self.is_fixed(place):
            name, args = "shuffle_first", [*args, count]
        function = self.whole.imported(self.random_module, name)
        self.emit(ast.Expr(self._drawn(function, args)))
        with self.block() as body:
            source = held.part("", kind.element, order.leaf("", where))
            self.assign(place.part("", kind.element, where), self.load(source), node)
        self.emit(for_each(k, count, body))

    def _draw_permutation(self, node: ast.Call) -> Value:
        kind = self.seen_kind(node)
        source = self.expr(node.args[0])
        if not isinstance(kind, Array) or len(kind.shape) != 1 or -1 in kind.shape:
            raise at(node, "permutation", f"what is drawn was seen to be {kind}")
        if not isinstance(self.kind_of_value(source), Number):
            raise at(
                node, "permutation", "of numbers from 0 on alone", "Write permutation(len(x))."
            )
        place = self.scratch_place(f"permutation_{node.lineno}", kind, node)
        function = self.whole.imported(self.random_module, "permutation")
        self.emit(ast.Expr(expression("_0(rng, i, _1)", function, place.leaf())))
        return place

    def _foreign(self, callee: Draw, node: ast.Call) -> Value:
        """Return the draw of the row's stream that stands in place of one elsewhere."""
        if callee.name.rpartition(".")[2] in streams.SEEDS:
            return Known(None)
        keywords = self._keywords(node)
        found = streams.variant(callee.name, len(node.args), frozenset(keywords))
        if found is None:
            raise at(
                node, callee.name, "how it draws is not known here", "Draw from self.np_random."
            )
        self.whole.note(f"{callee.name} draws from the row's stream")
        bound = found.signature.bind(*node.args, **keywords)
        bound.apply_defaults()
        before = dict(self.names)
        values: dict[str, Value] = {}
        for key, part in bound.arguments.items():
            values[key] = (
                self.expr(part)
                if isinstance(part, ast.expr)
                else Known(part, constant(part) if isinstance(part, int | float) else None)
            )
        if callee.space is not None:
            for key in ("n", "start", "low", "high", "dtype"):
                if hasattr(callee.space, key):
                    values[key] = Known(getattr(callee.space, key))
        self.names.update(values)
        body = found.tree.body
        for part in ast.walk(body):
            if isinstance(part, ast.expr):
                part.lineno, part.col_offset = node.lineno, node.col_offset
                part.source = getattr(node, "source", None)  # type: ignore[attr-defined]
                if (
                    isinstance(part, ast.Name)
                    and part.id not in self.names
                    and part.id not in ("len", "range", "int")
                ):
                    self.names[part.id] = Known(np) if part.id == "np" else Draw(part.id)
        body.k = getattr(node, "k", -1)  # type: ignore[attr-defined]
        try:
            return self.expr(body)
        finally:
            kept = {name: value for name, value in self.names.items() if name in before}
            kept.update({name: before[name] for name in before})
            self.names = kept
