"""Functions and methods of NumPy and of math."""

from __future__ import annotations

import ast
import copy
import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from batchsim.convert import kinds
from batchsim.convert.draws import Drawing
from batchsim.convert.kinds import FLOAT, UNKNOWN, Array, Kind, Number
from batchsim.convert.refusal import at
from batchsim.convert.values import (
    Group,
    Known,
    Made,
    Perhaps,
    Place,
    Plain,
    Value,
    expression,
    for_each,
)

__all__ = ["Numeric"]

MAKERS = ("array", "zeros", "ones", "empty", "full", "zeros_like", "ones_like", "full_like", "copy")
"""Functions whose arrays are there to be written into."""
OF_TEXTS = (
    "in columns a number stands for each text that there is, and has none of its letters",
    "Compare it with ==, or look it up in a dict.",
)
COPIES = ("copy", "asarray", "array", "asanyarray", "ascontiguousarray")


class Numeric(Drawing):
    """Functions and methods of NumPy and of math."""

    def _is_numeric(self, function: Any) -> bool:
        module = getattr(function, "__module__", None) or ""
        return (
            isinstance(function, np.ufunc)
            or module.partition(".")[0] in ("numpy", "math")
            or (isinstance(function, type) and issubclass(function, np.generic))
        )

    def spelled(self, node: ast.Call, function: Any) -> ast.expr:
        """Return how a function of NumPy or of math is named in a definition."""
        if isinstance(node.func, ast.Attribute):
            parts = [node.func.attr]
            base = node.func.value
            while isinstance(base, ast.Attribute):
                parts.insert(0, base.attr)
                base = base.value
            if isinstance(base, ast.Name):
                module = self.function.__globals__.get(base.id)
                if module is math:
                    return expression("math." + ".".join(parts))
                if isinstance(module, types.ModuleType) and module.__name__.startswith("numpy"):
                    inner = module.__name__.split(".")[1:]
                    return expression(".".join(["np", *inner, *parts]))
        module_name = getattr(function, "__module__", "") or "numpy"
        if module_name == "math":
            return expression(f"math.{function.__name__}")
        if module_name.startswith("numpy.linalg"):
            return expression(f"np.linalg.{function.__name__}")
        return expression(f"np.{function.__name__}")

    def call_numeric(self, function: Any, node: ast.Call) -> Value:
        """Return the call of a function of NumPy or math."""
        values = self.in_order(node.args)
        keywords = {key: self.expr(part) for key, part in self._keywords(node).items()}
        everything = [*values, *keywords.values()]
        if everything and all(isinstance(value, Known) for value in everything):
            try:
                result = function(
                    *[v.value for v in values if isinstance(v, Known)],
                    **{k: v.value for k, v in keywords.items() if isinstance(v, Known)},
                )
            except Exception as error:
                raise at(node, "a constant", f"{type(error).__name__}: {error}") from error
            if isinstance(result, float | int | np.generic) and not isinstance(result, np.bool_):
                args = [self._argument(value, UNKNOWN, node) for value in values]
                return Known(
                    result,
                    ast.Call(self.spelled(node, function), args, []) if not keywords else None,
                )
            if (
                not isinstance(result, np.ndarray)
                or getattr(function, "__name__", "") not in MAKERS
            ):
                return Known(result)
        name = getattr(function, "__name__", "")
        if values and isinstance(values[0], Place) and isinstance(values[0].kind, kinds.Sequence):
            changing = self.of_list(name, values[0], keywords, node)
            if changing is not None:
                return changing
            listed = isinstance(values[0].kind.element, Number) and not self.is_fixed(values[0])
            if listed and name not in (*COPIES, "where", "nonzero", "flatnonzero", "argwhere"):
                raise at(
                    node,
                    f"np.{name} of a list",
                    "how many elements the list has changes",
                    "Write a loop, or keep an array of the largest size and how many of it count.",
                )
        rows = name == "stack" and not keywords and len(values) == 1
        if rows or (name in COPIES and values):
            made = self._as_array(values[0], keywords, node)
            if made is not None:
                return made
        if name in ("flatnonzero", "argwhere", "nonzero") or (name == "where" and len(values) == 1):
            return self.places(name, values[0], node)
        if name == "rot90" and len(values) > 1 and not isinstance(values[1], Known):
            return self._turned(values, node)
        if name in ("concatenate", "hstack") and len(values) == 1 and not keywords:
            row = self._joined_rows(values[0])
            if row is not None:
                return Plain(row, self.seen_kind(node))
        if name in ("zeros", "ones", "full", "empty"):
            made = self._large_array(name, values, node)
            if made is not None:
                return made
        if name == "norm" and (len(values) > 1 or keywords):
            found = self._norm(values, keywords, node)
            if found is not None:
                return found
        dtype = None
        if name in ("hstack", "vstack", "stack", "concatenate", "column_stack"):
            dtype = keywords.pop("dtype", None)
        widest = self._narrowest(values, name)
        whole = name not in ("array", "asarray")  # arrays that are made of elements need no more
        circular = (
            self._circular(name, values, node)
            or self._square(name, values)
            or self._clipped(name, values, keywords, node)
        )
        if circular is not None:
            return circular
        args = [self._argument(value, widest, node, whole) for value in values]
        if isinstance(function, np.ufunc):
            args = [
                expression("np.array(_0)", arg) if isinstance(arg, ast.List) else arg
                for arg in args
            ]
        named = [
            ast.keyword(key, self._argument(value, UNKNOWN, node, whole))
            for key, value in keywords.items()
        ]
        call: ast.expr = ast.Call(self.spelled(node, function), args, named)
        if dtype is not None:
            call = ast.Call(
                ast.Attribute(call, "astype", ast.Load()), [self.plain(dtype, node)], []
            )
        return Plain(call, self._kind_of_result(name, values, keywords, node))

    def _clipped(
        self, name: str, values: Sequence[Value], keywords: Mapping[str, Value], node: ast.Call
    ) -> Value | None:
        """Return `np.clip` of a number as `min` and `max`, which are instructions."""
        if name != "clip" or len(values) != 3 or keywords:
            return None
        found = [self.kind_of_value(value) for value in values]
        if not all(isinstance(kind, Number) for kind in found):
            return None
        first = found[0]
        assert isinstance(first, Number)
        whole = [isinstance(kind, Number) and kind.dtype.kind in "iub" for kind in found]
        if any(whole) and not all(whole) and first.dtype.kind != "f":
            return None
        value, low, high = (
            self.operand(v, first if k else UNKNOWN, node) for k, v in enumerate(values)
        )
        return Plain(expression("min(max(_0, _1), _2)", value, low, high), self.seen_kind(node))

    def _square(self, name: str, values: Sequence[Value]) -> Value | None:
        """Return `np.square(x)` of a number as NumPy computes it."""
        if name != "square" or not isinstance(values[0], Plain) or len(values) != 1:
            return None
        if not isinstance(values[0].node, ast.Name) or not isinstance(values[0].kind, Number):
            return None
        return Plain(expression("_0 * _0", values[0].node), values[0].kind)

    def _circular(self, name: str, values: Sequence[Value], node: ast.Call) -> Value | None:
        """Return a sine or cosine of `batchsim.math`: the same bits, and it vectorises."""
        if name not in ("sin", "cos") or len(values) != 1:
            return None
        kind = self.kind_of_value(values[0])
        if not isinstance(kind, Number) or kind.dtype != np.float64:
            return None
        function = self.whole.imported("batchsim.math", name)
        return Plain(ast.Call(function, [self.plain(values[0], node)], []), self.seen_kind(node))

    def _kind_of_result(
        self, name: str, values: Sequence[Value], keywords: Mapping[str, Value], node: ast.Call
    ) -> Kind:
        """Return the kind of what a function of NumPy makes."""
        first = values[0] if values else None
        if name in ("array", "asarray") and isinstance(first, Place) and not keywords:
            kind = first.kind
            if isinstance(kind, kinds.Sequence) and isinstance(kind.element, Number):
                return Array(kind.element.dtype, (kind.greatest,))
        if name in ("cumsum", "cumprod", "sort") and isinstance(first, Plain) and len(values) == 1:
            return first.kind
        if name in ("argmax", "argmin") and len(values) == 1:
            return Number(np.dtype(np.int64), False)
        return self.seen_kind(node)

    def places(self, name: str, value: Value, node: ast.Call) -> Value:
        """Return where an array is not zero: a list, in working space, for each axis or of rows."""
        value = self.expr_of(value)
        kind = self.kind_of_value(value)
        if not isinstance(kind, Array):
            raise at(node, name, "it is asked of something that is no array")
        axes = len(kind.shape)
        number = Number(np.dtype(np.int64), False)
        most = kinds.size_of(kind)
        lists: list[Place] = []
        separate = name in ("nonzero", "where")
        for axis in range(axes if separate else 1):
            element: Kind = (
                number if separate or name == "flatnonzero" else Array(number.dtype, (axes,))
            )
            place = self.scratch_place(
                f"{name}_{node.lineno}_{node.col_offset}_{axis}"
                if separate and axes > 1
                else f"{name}_{node.lineno}_{node.col_offset}",
                kinds.Sequence(element, 0, (most + 1) // 2, "array"),
                node,
            )
            self.whole.resized.add(place.key)
            lists.append(place)
        mask = self.plain(value, node)
        if not self._is_memory(mask):
            if self.is_plain(kind):
                mask = self.kept(mask, "mask")
            else:
                held = self.scratch_place(f"mask_{node.lineno}_{node.col_offset}", kind, node)
                self.assign(held, Plain(mask, kind), node)
                mask = held.leaf()
        count = self.fresh("count")
        self.say(f"{count} = 0")
        names = [self.fresh("k") for _ in range(axes)]
        index = ", ".join(names)
        where = ast.Name(count, ast.Load())
        with self.block() as body:
            if name == "flatnonzero":
                flat = names[0]
                for k in range(1, axes):
                    flat = f"({flat}) * {kind.shape[k]} + {names[k]}"
                self.say(f"_0 = {flat}", lists[0].leaf("", where))
            elif name == "argwhere":
                for k in range(axes):
                    self.say(f"_0 = {names[k]}", lists[0].leaf("", where, ast.Constant(k)))
            else:
                for k in range(axes):
                    self.say(f"_0 = {names[k]}", lists[k].leaf("", where))
            self.say(f"{count} += 1")
        loops: list[ast.stmt] = [ast.If(expression(f"_0[{index}]", mask), body, [])]
        for k in reversed(range(axes)):
            loops = [for_each(names[k], ast.Constant(kind.shape[k]), loops)]
        self.emit(loops[0])
        for place in lists:
            self.say("_0 = _1", place.count(), where)
        return Group(list(lists)) if separate else lists[0]

    def _joined_rows(self, value: Value) -> ast.expr | None:
        """Return the rows of a list that never changes its length, one behind the other."""
        kind = value.kind if isinstance(value, Place) else UNKNOWN
        if not isinstance(value, Place) or not isinstance(kind, kinds.Sequence):
            return None
        if not isinstance(kind.element, Array) or len(kind.element.shape) > 1:
            return None
        row = self.row(value)
        if row is None and kind.least == kind.greatest:
            row = value.leaf("", ast.Slice(None, ast.Constant(kind.greatest)))  # as many as ever
        return None if row is None else expression("_0.reshape(-1)", row)

    def _is_memory(self, node: ast.expr) -> bool:
        """Return whether an expression is a row of a column, or a variable."""
        if isinstance(node, ast.Name):
            return True
        return isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute)

    def _turned(self, values: Sequence[Value], node: ast.Call) -> Value:
        """Return an array turned by so many right angles as is computed."""
        kind = self.seen_kind(node)
        name = self.fresh("turned")
        turns = self.plain(values[1], node)
        self.say(f"{name} = _0.copy()", self.plain(values[0], node))
        self.say(f"for {self.fresh('k')} in range(_0 % 4): {name} = np.rot90({name}).copy()", turns)
        return Plain(ast.Name(name, ast.Load()), kind)

    def _norm(
        self, values: Sequence[Value], keywords: Mapping[str, Value], node: ast.Call
    ) -> Value | None:
        """Return a norm of a vector that is no length, as NumPy computes it."""
        order = values[1] if len(values) == 2 else keywords.get("ord")
        kind = self.kind_of_value(values[0])
        if len(keywords) + len(values) != 2 or not isinstance(order, Known):
            return None
        written = {
            None: "np.linalg.norm(_0)",
            2: "np.linalg.norm(_0)",
            1: "np.sum(np.abs(_0))",
            np.inf: "np.max(np.abs(_0))",
            -np.inf: "np.min(np.abs(_0))",
        }.get(order.value)
        if written is None or not isinstance(kind, Array) or len(kind.shape) != 1:
            return None
        vector = self.plain(values[0], node)
        if kind.dtype.kind != "f":
            vector = expression("_0.astype(float)", vector)
        return Plain(expression(written, vector), self.seen_kind(node))

    def _large_array(self, name: str, values: Sequence[Value], node: ast.Call) -> Value | None:
        """Return working space for an array that no variable can hold."""
        kind = self.seen_kind(node)
        if not isinstance(kind, Array) or self.is_plain(kind) or -1 in kind.shape:
            return None
        place = self.scratch_place(f"array_{node.lineno}", kind, node)
        if name != "empty":
            filled: ast.expr = ast.Constant(0 if name == "zeros" else 1)
            if name == "full":
                filled = self.plain(values[1], node)
            self.say("_0 = _1", place.leaf(), filled)
        return place

    def _narrowest(self, values: Sequence[Value], name: str) -> Kind:
        """Return the kind of an argument beside which others would be wider in compiled code."""
        if name not in (
            "clip",
            "maximum",
            "minimum",
            "where",
            "power",
            "arctan2",
            "hypot",
            "fmod",
            "mod",
        ):
            return UNKNOWN
        for value in values:
            kind = self.kind_of_value(value)
            if isinstance(kind, Number | Array) and kind.dtype == np.float32:
                return kind
        return UNKNOWN

    def _argument(self, value: Value, widest: Kind, node: ast.AST, whole: bool = True) -> ast.expr:
        """Return an argument; an array whose elements are columns is gathered if needed whole."""
        if isinstance(value, Known) and value.value is None:
            return ast.Constant(None)
        if isinstance(value, Known) and isinstance(value.value, str):
            return ast.Constant(value.value)
        if whole:
            self.gathered(value)
        if isinstance(value, Group):
            return ast.List(
                [self._argument(member, widest, node, whole) for member in value.members],
                ast.Load(),
            )
        return self.operand(value, widest, node)

    def _as_array(
        self, value: Value, keywords: Mapping[str, Value], node: ast.Call
    ) -> Value | None:
        """Return an array made of a list or another array."""
        kind = self.seen_kind(node)
        if (
            isinstance(value, Place)
            and isinstance(value.kind, kinds.Sequence)
            and not self.is_fixed(value)
        ):
            if not isinstance(kind, Array) or -1 in kind.shape:
                raise at(
                    node,
                    "an array of a list",
                    "how many elements the list has changes",
                    "Use an array of the largest size, and how many of it count.",
                )
            rows = value.leaf("", ast.Slice(None, ast.Constant(kind.shape[0])))
            dtype = keywords.get("dtype")
            if dtype is None:
                return Plain(expression("_0.copy()", rows), kind)
            return Plain(
                expression("_0.astype(_1)", rows, self._argument(dtype, UNKNOWN, node)), kind
            )
        if isinstance(value, Place) and isinstance(value.kind, Array) and not keywords:
            if self.is_plain(value.kind):
                return Plain(expression("_0.copy()", value.leaf()), value.kind)
            return self.copied(value, value.kind, node)
        if isinstance(value, Plain) and isinstance(value.kind, Number) and isinstance(kind, Number):
            wanted = kind.dtype.name
            return Plain(
                value.node
                if kind.dtype == value.kind.dtype
                else expression(f"np.{wanted}(_0)", value.node),
                kind,
            )
        return None

    def method_of_array(self, base: Value, name: str, node: ast.Call) -> Value:
        """A method of an array or of a number."""
        kind = self.kind_of_value(base)
        held = self.plain(base, node)
        if isinstance(kind, kinds.Text):
            raise at(node, f".{name}()", *OF_TEXTS)
        if name == "copy" and isinstance(base, Place) and not self.is_plain(kind):
            return self.copied(base, kind, node)
        if name == "item":
            number = Number(kind.dtype, True) if isinstance(kind, Number | Array) else FLOAT
            if isinstance(kind, Array):
                held = expression("_0[0]", held)
            function = {"b": "bool", "i": "int", "u": "int", "f": "float"}[number.dtype.kind]
            return Plain(expression(f"{function}(_0)", held), self.seen_kind(node))
        if name == "tolist":
            if isinstance(kind, Array):
                return Group(self.members(Plain(held, kind), None, node), "list")
            return Plain(held, kind)
        args = [self._argument(value, UNKNOWN, node) for value in self.in_order(node.args)]
        named = [
            ast.keyword(key, self._argument(self.expr(part), UNKNOWN, node))
            for key, part in self._keywords(node).items()
            if key != "copy"
        ]
        if isinstance(kind, Number):
            if name == "astype":
                return Plain(ast.Call(args[0], [held], []), self.seen_kind(node))
            if name in ("sum", "min", "max", "mean", "copy", "squeeze"):
                return Plain(held, kind)
        if name in ("fill", "sort"):
            if isinstance(base, Place):
                self.written.writes.add(base.name)
            self.emit(ast.Expr(ast.Call(ast.Attribute(held, name, ast.Load()), args, named)))
            return Known(None)
        return Plain(
            ast.Call(ast.Attribute(held, name, ast.Load()), args, named), self.seen_kind(node)
        )


def filled(result: Value, held: ast.expr) -> Value:
    """Return what a call returned, by the name that holds it."""

    class Fill(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            return copy.deepcopy(held) if node.id == "_call" else node

    def put(node: ast.expr) -> ast.expr:
        return Fill().visit(copy.deepcopy(node))  # type: ignore[no-any-return]

    match result:
        case Plain():
            return Plain(put(result.node), result.kind)
        case Perhaps():
            return Perhaps(put(result.missing), filled(result.value, held))
        case Made():
            return Made({key: filled(member, held) for key, member in result.fields.items()})
        case Group():
            return replace(result, members=[filled(member, held) for member in result.members])
    return result
