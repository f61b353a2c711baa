"""Calls: of the author's functions, of classes, and what is left out."""

from __future__ import annotations

import ast
import copy
import dataclasses
import enum
import inspect
import random
import types
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np

from batchsim.convert import kinds, recursion
from batchsim.convert.attributes import lookup, unindexed
from batchsim.convert.conversion import Written
from batchsim.convert.kinds import Array, Kind, Member
from batchsim.convert.numeric import filled
from batchsim.convert.objects import Objects
from batchsim.convert.refusal import ConversionError, at
from batchsim.convert.streams import Draw as ForeignDraw
from batchsim.convert.streams import Maker, nothing
from batchsim.convert.values import (
    Bound,
    Choice,
    Draw,
    Group,
    Idle,
    Known,
    Made,
    Perhaps,
    Place,
    Plain,
    Self,
    Streams,
    Value,
)

__all__ = ["Calls"]

NEVER_RAN = "the line never ran while episodes were watched"
IDLE = ("print", "warn")
REWRITES = {
    "Counter": "Count in an array: `counts[x] += 1`.",
    "defaultdict": "Use a dict: `d[key] = d.get(key, 0) + 1`.",
    "heappush": "Append to a list, and take out its least: `x = min(xs)`, `xs.remove(x)`.",
    "ord": "Look letters up in a dict.",
    "bin": "Count bits in a loop: `x & 1`, `x >>= 1`.",
    "type": "Keep a number in the object that says of which class it is.",
}
FINITE = ("permutations", "combinations", "combinations_with_replacement", "product", "chain")
IDLE_MODULES = ("logging", "warnings", "pprint", "pygame", "matplotlib", "time", "loguru", "tqdm")


class Calls(Objects):
    """Calls: of the author's functions, of classes, and what is left out."""

    def _explained(self, error: ConversionError, node: ast.stmt) -> ConversionError:
        """Return an error that says so, if the line that it is about never ran."""
        seen = self.whole.seen.kinds
        said = error.refusals[0]
        if (
            isinstance(node, ast.Assign | ast.AugAssign | ast.Expr | ast.Return)
            and said.line == node.lineno
            and NEVER_RAN not in said.reason
            and any(isinstance(part, ast.Attribute | ast.Name) for part in ast.walk(node))
            and not any(getattr(part, "k", None) in seen for part in ast.walk(node))
        ):
            instead = said.instead or "Watch more steps with --steps, or take the line out."
            reason = f"{said.reason}; {NEVER_RAN}"
            return ConversionError(dataclasses.replace(said, reason=reason, instead=instead))
        return error

    def is_for_nothing(self, node: ast.stmt) -> bool:
        """Return whether a statement only changes attributes that are not kept, or prints."""
        match node:
            case ast.Expr():
                return isinstance(node.value, ast.Constant) or self.is_idle(node.value)
            case ast.Assign():
                dropped = all(map(self.is_dropped, node.targets))
                constant = any(map(self._is_constant, node.targets))
                return dropped and not constant and not self.must_run(node.value)
            case ast.AugAssign():
                dropped = self.is_dropped(node.target) and not self._is_constant(node.target)
                return dropped and not self.must_run(node.value)
            case ast.If() | ast.For():
                ahead = node.test if isinstance(node, ast.If) else node.iter
                parts = [*node.body, *node.orelse]
                return not self.must_run(ahead) and all(map(self.is_for_nothing, parts))
        return isinstance(node, ast.Pass)

    def idle_is_used(self, value: Idle, node: ast.AST) -> ConversionError:
        """Return the error about what is used of a call that is left out."""
        return at(
            node,
            value.said,
            "what it returns depends on more than the steps and the state of an episode",
            "Let it depend on steps that are counted.",
        )

    def is_idle(self, node: ast.expr) -> bool:
        """Return whether a call does nothing for the episode: it prints, logs or draws pictures."""
        if not isinstance(node, ast.Call):
            return False
        func = node.func
        if isinstance(func, ast.Name):
            if func.id in IDLE:
                return True
            value = self.function.__globals__.get(func.id)
            return getattr(value, "__module__", "") in IDLE_MODULES
        if not isinstance(func, ast.Attribute):
            return False
        if func.attr in ("render", "_render_frame", "_render", "close", "_render_gui"):
            base = func.value
            if isinstance(base, ast.Name) and base.id == "self":
                return True
        base = func.value
        while isinstance(base, ast.Attribute):
            base = base.value
        if isinstance(base, ast.Name) and base.id not in self.names:
            value = self.function.__globals__.get(base.id)
            name = getattr(value, "__name__", "") or type(value).__module__
            last = name.rpartition(".")[2]
            if (
                name.partition(".")[0] in IDLE_MODULES
                or last in ("logger", "log")
                or type(value).__module__ == "logging"
            ):
                return True
        if self.is_super(func.value):
            found = lookup(type(self.whole.seen.env), func.attr, self._class_of())
            return found is None or found[0].__module__ not in self.whole.program.modules
        return self.is_dropped(func.value) and not any(
            self.must_run(argument) for argument in node.args
        )

    def is_super(self, node: ast.expr) -> bool:
        """Return whether an expression is `super()`."""
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "super"
        )

    def _class_of(self) -> type:
        """Return the class in which the function stands that is written."""
        name = self.function.__qualname__.rpartition(".")[0]
        for base in type(self.whole.seen.env).__mro__:
            if base.__qualname__ == name and base.__module__ == self.function.__module__:
                return base
        return type(self.whole.seen.env)

    def is_dropped(self, target: ast.expr) -> bool:
        """Return whether an expression is an attribute that is not kept."""
        target = unindexed(target)
        if not isinstance(target, ast.Attribute) or not isinstance(target.value, ast.Name):
            return False
        if not isinstance(self.names.get(target.value.id), Self):
            return False
        attribute = self.whole.attributes.get(target.attr)
        if attribute is None:
            return False
        if attribute.role == "known" and not isinstance(target.ctx, ast.Load):
            return True
        return attribute.role in ("dropped", "stream")

    def must_run(self, node: ast.expr) -> bool:
        """Return whether an expression that is not used must be evaluated all the same."""
        for part in ast.walk(node):
            if isinstance(part, ast.Call):
                thing = self.whole.seen.things.get(getattr(part.func, "k", -1))
                if isinstance(thing, types.FunctionType | types.MethodType) and (
                    self.whole.program.definition(getattr(thing, "__func__", thing)) is not None
                ):
                    return True
                if isinstance(thing, ForeignDraw) or isinstance(
                    getattr(thing, "__self__", None), np.random.Generator
                ):
                    return True
                if isinstance(part.func, ast.Attribute) and part.func.attr in (
                    "pop",
                    "popleft",
                    "remove",
                ):
                    return True
        return False

    def has_effect(self, node: ast.expr) -> bool:
        """Return whether evaluating an expression changes something."""
        for part in ast.walk(node):
            if isinstance(part, ast.Call) and isinstance(part.func, ast.Name):
                for written in self.whole.functions.values():
                    if written.name == part.func.id and (written.writes or written.draws):
                        return True
                if part.func.id in self.whole.imports.get(self.random_module, ()):
                    return True
        return False

    def call(self, node: ast.Call) -> Value:
        """Return what a call becomes."""
        func = node.func
        if self.is_idle(node):
            if isinstance(self.seen_kind(node), kinds.Nothing | kinds.Unknown):
                return Known(None)
            return Idle(ast.unparse(func))
        if isinstance(func, ast.Attribute):
            if self.is_super(func.value):
                found = lookup(type(self.whole.seen.env), func.attr, self._class_of())
                assert found is not None
                return self.call_function(
                    found[1], self._self(), node.args, self._keywords(node), node
                )
            base = self.expr(func.value)
            if isinstance(base, Perhaps):
                base = base.value
            if isinstance(base, Place) and isinstance(
                base.kind, kinds.Sequence | kinds.Map | kinds.Record
            ):
                return self.method_of_list(base, func.attr, node)
            self.gathered(base)
            if isinstance(base, Group | Made) or (
                isinstance(base, Known)
                and isinstance(base.value, list | tuple | dict | set | str | np.ndarray)
                and not isinstance(base.value, enum.Enum)
            ):
                found_ = self.method_of_known(base, func.attr, node)
                if found_ is not None:
                    return found_
            method = self._method_of_named(base, func)
            if method is not None:
                return self.call_function(method, base, node.args, self._keywords(node), node)
            if isinstance(self.kind_of_value(base), Member):
                return self.call_value(self.attribute_of_plain(base, func), node)
            if (
                isinstance(base, Plain)
                or (
                    isinstance(base, Known)
                    and isinstance(base.value, np.ndarray | np.generic | int | float)
                    and not isinstance(base.value, enum.Enum)
                )
                or (isinstance(base, Place) and isinstance(base.kind, Array))
            ):
                return self.method_of_array(base, func.attr, node)
        callee = self.expr(func)
        return self.call_value(callee, node)

    def _method_of_named(self, base: Value, func: ast.Attribute) -> Any:
        """Return a method of the author's class of named tuples; None if it is no such tuple."""
        for kind in self.named_kinds(base, func.value):
            cls = self.whole.named_tuple(kind.names)
            found = lookup(cls, func.attr) if cls is not None else None
            if found is not None and isinstance(found[1], types.FunctionType):
                return found[1]
        return None

    def _self(self) -> Value:
        first = self.node.args.args[0].arg
        return self.names.get(first, Self())

    def _keywords(self, node: ast.Call) -> dict[str, ast.expr]:
        found: dict[str, ast.expr] = {}
        for keyword in node.keywords:
            if keyword.arg is not None:
                found[keyword.arg] = keyword.value
                continue
            pairs = self.pairs(self.expr(keyword.value))
            if pairs is None:
                raise at(node, "**", "which arguments it passes is not known here")
            for key, value in pairs:
                assert isinstance(key, Known)
                name = self.fresh(str(key.value))
                self.names[name] = value
                found[key.value] = ast.copy_location(ast.Name(name, ast.Load()), node)
        return found

    def call_value(self, callee: Value, node: ast.Call) -> Value:
        """Return what a call of a value becomes."""
        match callee:
            case Bound() if isinstance(callee.function, ast.Lambda):
                return self._call_lambda(callee.function, node)
            case Choice():
                return self.chosen_of(callee.key, callee.options, node, call=True)
            case Bound():
                return self.call_function(
                    callee.function, callee.owner, node.args, self._keywords(node), node
                )
            case Draw():
                return self.draw(callee, node)
            case Known() if isinstance(callee.value, ForeignDraw):
                return self.draw(Draw(callee.value.foreign, foreign=True), node)
            case Known():
                return self.call_known(callee.value, node)
        raise at(node, "a call", f"{self.words(callee)} is called")

    def _call_lambda(self, function: ast.Lambda, node: ast.Call) -> Value:
        """Return what a call of a function becomes that is written where it is used."""
        names = [argument.arg for argument in function.args.args]
        if len(names) != len(node.args) or node.keywords or function.args.vararg is not None:
            raise at(node, "a lambda", f"it takes {len(names)} arguments, each by its place")
        values = [self._steady(self.expr_of(value), node) for value in self.in_order(node.args)]
        before = dict(self.names)
        self.names.update(zip(names, values, strict=True))
        try:
            return self.expr(function.body)
        finally:
            self.names = before

    def call_known(self, function: Any, node: ast.Call) -> Value:
        """Return what a call of a function becomes that is known by name."""
        if isinstance(function, Maker):
            return Streams(function.kind)
        if function is nothing:
            return Known(None)  # what seeds a stream that is replaced
        if isinstance(function, types.MethodType):
            owner = function.__self__
            if owner is self.whole.seen.env:
                return self.call_function(
                    function.__func__, Self(), node.args, self._keywords(node), node
                )
            if self.whole.program.definition(function.__func__) is not None:
                held = Known(owner)
                return self.call_function(
                    function.__func__, held, node.args, self._keywords(node), node
                )
            if isinstance(owner, gymnasium.Space) and function.__name__ == "contains":
                return Known(True)
            if isinstance(owner, gymnasium.Space) and function.__name__ == "seed":
                self.in_order(node.args)  # what it draws for the seed
                return Known(None)
        if isinstance(function, type) and issubclass(function, enum.Enum):
            return Plain(self.plain(self.expr(node.args[0]), node), Member(function))
        if isinstance(function, type) and function in self.whole.seen.own:
            return self.make(function, node)
        if (
            isinstance(function, type)
            and issubclass(function, tuple)
            and hasattr(function, "_fields")
        ):
            return self._named_tuple(function, node)
        name = getattr(function, "__name__", "")
        builtin = getattr(self, f"call_{name}", None)
        if builtin is not None and (
            getattr(function, "__module__", "") in ("builtins", "copy", "collections")
            or function in (deque, copy.copy, copy.deepcopy, dict.fromkeys)
        ):
            return builtin(node)  # type: ignore[no-any-return]
        if (
            isinstance(function, types.FunctionType)
            and self.whole.program.definition(function) is not None
        ):
            return self.call_function(function, None, node.args, self._keywords(node), node)
        if isinstance(getattr(function, "__self__", None), random.Random | np.random.RandomState):
            raise at(
                node,
                ast.unparse(node.func),
                "no stream of the batch has this draw",
                "Write it with uniform or normal draws.",
            )
        if self._is_numeric(function):
            return self.call_numeric(function, node)
        if getattr(function, "__module__", "") == "itertools":
            values = self.in_order(node.args)
            named = {key: self.expr(part) for key, part in self._keywords(node).items()}
            known = all(isinstance(value, Known) for value in (*values, *named.values()))
            if name in FINITE and known:
                given = [v.value for v in values if isinstance(v, Known)]
                more = {key: v.value for key, v in named.items() if isinstance(v, Known)}
                return Known(list(function(*given, **more)))
        where = getattr(function, "__module__", None) or ""
        raise at(
            node,
            f"{where + '.' if where else ''}{getattr(function, '__qualname__', name or function)}",
            "it is a foreign function, which a kernel cannot call",
            REWRITES.get(name, "Write what it does with NumPy's functions of numbers and arrays."),
        )

    def call_function(
        self,
        raw: Any,
        owner: Value | None,
        args: Sequence[ast.expr],
        keywords: Mapping[str, ast.expr],
        node: ast.AST,
    ) -> Value:
        """Return what a call of the author's function becomes; it is written if it is new."""
        if isinstance(raw, property):
            raw = raw.fget
        function = getattr(raw, "__func__", raw)
        tree = self.whole.program.definition(function)
        if not isinstance(tree, ast.FunctionDef):
            raise at(
                node,
                getattr(function, "__qualname__", "a call"),
                "its source is not the author's",
                "Write what it does with NumPy's functions.",
            )
        if any(isinstance(part, ast.Yield | ast.YieldFrom) for part in ast.walk(tree)):
            raise at(tree, "yield", "a kernel has no generators", "Return a list.")
        values = self._bound_arguments(function, tree, owner, args, keywords, node)
        bound: list[tuple[str, Value]] = []
        arguments: list[str] = []
        passed: list[ast.expr] = []
        signature: list[Any] = []
        for name, value in values:
            bound.append((name, self._parameter(name, value, arguments, passed, signature, node)))
        key = (function.__code__, tuple(signature))
        written = self.whole.functions.get(key)
        if written is None:
            written = self._write(key, function, tree, bound, arguments, owner, node)
        if written.node is None:
            raise at(
                node,
                "recursion",
                f"{function.__qualname__} calls itself",
                "Keep what is left to do in a list, and take it from there in a loop.",
            )
        self._keep_results(written.writes, node)
        self.written.writes |= written.writes
        self.written.resizes |= written.resizes
        self.written.draws |= written.draws
        call = ast.Call(
            ast.Name(written.name, ast.Load()),
            [*(ast.Name(name, ast.Load()) for name in written.passed), *passed],
            [],
        )
        return self._called(written, call)

    def _keep_results(self, writes: set[str], node: ast.AST) -> None:
        """Have variables hold copies of lists that a function returned, and writes again now."""
        line = getattr(node, "lineno", 0)
        for name, value in self.names.items():
            if not isinstance(value, Place) or not value.scratch or value.name not in writes:
                continue
            if self.broken or any(
                isinstance(part, ast.Name) and part.id == name and part.lineno >= line
                for part in ast.walk(self.node)
                if isinstance(getattr(part, "ctx", None), ast.Load)
            ):
                self.whole.keep(self.name, name)

    def _write(
        self,
        key: Any,
        function: Any,
        tree: ast.FunctionDef,
        bound: Sequence[tuple[str, Value]],
        arguments: Sequence[str],
        owner: Value | None,
        node: ast.AST,
    ) -> Written:
        from batchsim.convert.functions import Writer

        if recursion.calls_itself(tree):
            tree = self._without_recursion(function, tree, owner)
        wanted = function.__name__.strip("_") or "function"
        if isinstance(owner, Place) and isinstance(owner.kind, kinds.Object):
            wanted = f"{owner.kind.cls.__name__.lower().strip('_')}_{wanted}"
        name = self.whole.free_name(wanted)
        self.whole.functions[key] = Written(name)
        writer = Writer(self.whole, function, tree, name, owner)
        written = writer.write(bound, arguments)
        del self.whole.functions[key]
        self.whole.functions[key] = written  # behind those that it calls
        return written

    def _without_recursion(
        self, function: Any, tree: ast.FunctionDef, owner: Value | None
    ) -> ast.FunctionDef:
        """Return a function that calls itself as a loop."""
        from batchsim.convert.functions import Writer

        seen = self.whole.seen
        asked = Writer(self.whole, function, tree, "", owner)

        def number(node: ast.expr, kind: Kind) -> None:
            node.k = self.whole.program.number(node)  # type: ignore[attr-defined]
            seen.kinds[node.k] = kind  # type: ignore[attr-defined]

        sizes = [
            kinds.size_of(a.kind)
            for a in self.whole.attributes.values()
            if isinstance(a.kind, Array)
        ]
        return recursion.looped(tree, asked.kind_of_variable, number, 4 * max(sizes, default=0))

    def _called(self, written: Written, call: ast.Call) -> Value:
        result = written.result
        effect = bool(written.writes or written.draws)
        if result is None or (isinstance(result, Known | Place)):
            if effect:
                self.emit(ast.Expr(call))
            return result if result is not None else Known(None)
        if isinstance(result, Plain):
            if effect:
                return Plain(self.kept(call), result.kind)
            return Plain(call, result.kind)
        held = self.kept(call, "returned")
        return filled(result, held)

    def _bound_arguments(
        self,
        function: Any,
        tree: ast.FunctionDef,
        owner: Value | None,
        args: Sequence[ast.expr],
        keywords: Mapping[str, ast.expr],
        node: ast.AST,
    ) -> list[tuple[str, Value]]:
        names = [argument.arg for argument in (*tree.args.posonlyargs, *tree.args.args)]
        given: list[Value] = [] if owner is None else [owner]
        given += self.in_order(args)
        if len(given) > len(names) and tree.args.vararg is None:
            raise at(node, "a call", f"{function.__qualname__} takes {len(names)} arguments")
        found = dict(zip(names, given, strict=False))
        if tree.args.vararg is not None:
            found[tree.args.vararg.arg] = Group(given[len(names) :])
        named = list(keywords.items())
        for (key, _), value in zip(named, self.in_order([part for _, part in named]), strict=True):
            found[key] = value
        defaults = inspect.signature(function).parameters
        everything = [*names, *(argument.arg for argument in tree.args.kwonlyargs)]
        for name in everything:
            if name not in found:
                default = defaults[name].default
                found[name] = Known(None if default is inspect.Parameter.empty else default)
        if tree.args.kwarg is not None:
            extra = {key: value for key, value in found.items() if key not in everything}
            found = {key: value for key, value in found.items() if key in everything}
            found[tree.args.kwarg.arg] = Made(extra)
        return list(found.items())

    def _parameter(
        self,
        name: str,
        value: Value,
        arguments: list[str],
        passed: list[ast.expr],
        signature: list[Any],
        node: ast.AST,
    ) -> Value:
        """Return what a parameter is bound to; what it is given goes into the lists."""
        written = f"{name}_" if name in ("s", "i", "p", "rng", "out", "np", "math") else name
        if isinstance(value, Place):
            loaded = self.load(value)
            if not isinstance(loaded, Place):
                value = loaded
        match value:
            case Known() if type(value.value) in (int, float, bool) and value.node is not None:
                arguments.append(written)
                passed.append(value.node)
                kind = kinds.kind_of(value.value)
                signature.append("number")
                return Plain(ast.Name(written, ast.Load()), kind)
            case Known():
                try:
                    hash(value.value)
                    signature.append(("known", value.value))
                except TypeError:
                    signature.append(("known", id(value.value)))
                return value
            case Plain() if isinstance(value.kind, Array) and not self.is_plain(value.kind):
                signature.append(("memory", str(value.kind)))
                arguments.append(written)
                passed.append(value.node)
                return Plain(ast.Name(written, ast.Load()), value.kind)
            case Plain():
                signature.append(
                    ("plain", type(value.kind).__name__, getattr(value.kind, "shape", None))
                )
                arguments.append(written)
                passed.append(value.node)
                return Plain(ast.Name(written, ast.Load()), value.kind)
            case Perhaps():
                signature.append("perhaps")
                arguments.append(f"{written}_missing")
                passed.append(value.missing)
                inner = self._parameter(name, value.value, arguments, passed, signature, node)
                return Perhaps(ast.Name(f"{written}_missing", ast.Load()), inner)
            case Place():
                index: list[ast.expr] = []
                for k, part in enumerate(value.index):
                    if isinstance(part, ast.Constant):
                        index.append(part)
                        continue
                    label = f"{written}_{k}" if len(value.index) > 1 else f"{written}_k"
                    arguments.append(label)
                    passed.append(part)
                    index.append(ast.Name(label, ast.Load()))
                signature.append(("place", value.name, tuple(map(ast.dump, index))))
                return replace(value, index=tuple(index))
            case Group():
                signature.append(("group", len(value.members), value.names))
                members = [
                    self._parameter(f"{name}_{k}", member, arguments, passed, signature, node)
                    for k, member in enumerate(value.members)
                ]
                return replace(value, members=members)
            case Made():
                signature.append(("made", tuple(value.fields)))
                return Made(
                    {
                        key: self._parameter(
                            f"{name}_{key}", member, arguments, passed, signature, node
                        )
                        for key, member in value.fields.items()
                    }
                )
            case Bound():
                signature.append(("function", value.function))
                return value
        signature.append(type(value).__name__)
        return value
