"""The fourth stage: writes the author's functions as functions over columns, line by line."""

from __future__ import annotations

import ast
import contextlib
import copy
import importlib
import types
from collections.abc import Iterator, Sequence
from typing import Any

import gymnasium
import numpy as np

from batchsim.convert import kinds
from batchsim.convert.assignment import construct
from batchsim.convert.attributes import lookup, whole_of
from batchsim.convert.calls import NEVER_RAN, Calls
from batchsim.convert.conversion import Conversion, Written
from batchsim.convert.iterables import breaks
from batchsim.convert.kinds import UNKNOWN, Array, Kind, Maybe, Number, Tuple
from batchsim.convert.names import DRAWS
from batchsim.convert.numeric import filled
from batchsim.convert.refusal import ConversionError, at
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
    in_place_of,
    negated,
)

__all__ = ["Writer"]


class Writer(Calls):
    """Writes one function.

    Args:
        whole: what is known of the class.
        function: the author's function.
        name: of what is written.
        owner: what `self` is in it.
        top: `"step"` or `"reset"`, if what it returns is for the caller of the batch.
    """

    def __init__(
        self,
        whole: Conversion,
        function: types.FunctionType,
        node: ast.FunctionDef,
        name: str,
        owner: Value | None,
        top: str = "",
    ) -> None:
        self.whole = whole
        self.function = function
        self.node = node
        self.name = name
        self.owner = owner
        self.top = top
        self.written = Written(name)
        self.names: dict[str, Value] = {}
        self.body: list[ast.stmt] = []
        self.used: set[str] = set()
        self.result_kind: Kind = UNKNOWN
        self.line = 0
        self.bindings = _bindings(node)
        self.renamed: dict[str, str] = {}
        self.skipped: set[int] = set()
        self.hints: dict[int, str] = {}
        self.broken: list[str] = []
        self.loaded = {
            part.id
            for part in ast.walk(node)
            if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Store)
        }
        targets = [part.target for part in ast.walk(node) if isinstance(part, ast.AugAssign)]
        self.loaded |= {part.id for part in targets if isinstance(part, ast.Name)}
        self.entries: set[str] = set()

    def _is_of_moment(self, value: Value) -> bool:
        """Return whether a value is an array of an attribute that is given others elsewhere."""
        if not isinstance(value, Plain) or not isinstance(value.kind, Array):
            return False
        column = value.node.value if isinstance(value.node, ast.Subscript) else None
        attribute = (
            self.whole.attributes.get(column.attr) or self.whole.attributes.get(f"_{column.attr}")
            if isinstance(column, ast.Attribute)
            else None
        )
        return attribute is not None and attribute.rebound

    def statements(self, nodes: Sequence[ast.stmt]) -> None:
        """Write statements."""
        outer = self.line  # a compound statement is written after its parts, for its own line
        for node in nodes:
            if id(node) in self.skipped:
                continue
            self.line = getattr(node, "lineno", self.line)
            method = getattr(self, f"do_{type(node).__name__}", None)
            if method is None:
                raise at(
                    node,
                    construct(node),
                    "a definition has nothing of the kind",
                    _instead(node),
                )
            try:
                method(node)
            except ConversionError as error:
                raise self._explained(error, node) from error
            if self.body and isinstance(self.body[-1], ast.Return | ast.Break | ast.Continue):
                break  # what follows is never reached, as where a condition is known
        self.line = outer

    def do_Pass(self, node: ast.Pass) -> None:
        """Write nothing."""

    def do_Import(self, node: ast.Import) -> None:
        """Bind the names of modules."""
        for alias in node.names:
            module = importlib.import_module(alias.name)
            self.names[alias.asname or alias.name.partition(".")[0]] = Known(module)

    def do_Assert(self, node: ast.Assert) -> None:
        """Leave an assertion out."""
        self.whole.note(f"line {node.lineno}: the assertion is left out")

    def do_Raise(self, node: ast.Raise) -> None:
        """Leave an exception out that no step of the proof may meet."""
        self.whole.note(f"line {node.lineno}: what is raised there is left out")

    def do_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Bind a function within a function, if it is one expression."""
        body = node.body[1:] if ast.get_docstring(node) else node.body
        given = node.args
        simple = not (given.defaults or given.kwonlyargs or given.vararg or given.kwarg)
        if len(body) != 1 or not isinstance(body[0], ast.Return) or not simple:
            raise at(
                node,
                construct(node),
                "a definition has none that is more than one `return`",
                "Make it a method.",
            )
        value = body[0].value or ast.Constant(None)
        self.names[node.name] = Bound(ast.copy_location(ast.Lambda(given, value), node))

    def do_Match(self, node: ast.Match) -> None:
        """Write branches by values."""
        held = self.fresh("subject")
        self.bindings.setdefault(held, [node.subject])
        self.store(ast.Name(held, ast.Store()), self.expr(node.subject), node)
        branches: list[ast.stmt] = []
        for case in reversed(node.cases):
            test = _test_of(case.pattern, held, node)
            if case.guard is not None:
                test = ast.BoolOp(ast.And(), [test, case.guard])
            branch = ast.If(test, case.body, branches)
            for part in ast.walk(branch):
                if not hasattr(part, "lineno"):
                    ast.copy_location(part, case.pattern)
                part.source = getattr(node, "source", None)  # type: ignore[attr-defined]
            branches = [branch]
        self.statements(branches)

    def do_Global(self, node: ast.Global) -> None:
        """Refuse state of the module."""
        raise at(
            node, "global", "a row has no variables of the module", "Use an attribute of self."
        )

    def do_Break(self, node: ast.Break) -> None:
        """Write it; the `else` of its loop is not for this case."""
        if self.broken[-1]:
            self.say(f"{self.broken[-1]} = True")
        self.emit(ast.Break())

    def do_Continue(self, node: ast.Continue) -> None:
        """Write it."""
        self.emit(ast.Continue())

    def do_Expr(self, node: ast.Expr) -> None:
        """Write a call for what it does."""
        if isinstance(node.value, ast.Constant) or self.is_idle(node.value):
            return
        value = self.expr(node.value)
        if (
            isinstance(value, Plain)
            and isinstance(value.node, ast.Call)
            and self.has_effect(value.node)
        ):
            self.emit(ast.Expr(value.node))

    def do_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Write an assignment without its annotation."""
        if node.value is not None:
            self._assign_to(node.target, node.value, node)

    def do_Assign(self, node: ast.Assign) -> None:
        """Write an assignment."""
        if len(node.targets) == 1:
            self._assign_to(node.targets[0], node.value, node)
            return
        value = self.expr(node.value)
        if isinstance(value, Plain):
            value = Plain(self.kept(value.node), value.kind)
        for target in node.targets:
            self.store(target, value, node)

    def _assign_to(self, target: ast.expr, source: ast.expr, node: ast.stmt) -> None:
        if self.is_dropped(target) and not self.must_run(source):
            self._check_constant(target, node)
            return
        if (
            isinstance(target, ast.Tuple | ast.List)
            and isinstance(source, ast.Tuple | ast.List)
            and len(target.elts) == len(source.elts)
            and not any(isinstance(part, ast.Starred) for part in (*target.elts, *source.elts))
        ):
            values = [self._now(value, node) for value in self.in_order(source.elts)]
            for part, value in zip(target.elts, values, strict=True):
                self.store(part, value, node)
            return
        unread = isinstance(target, ast.Name) and target.id not in self.loaded
        if unread and not self.must_run(source) and _is_pure(source):
            return
        if isinstance(target, ast.Name):
            self.hints[id(source)] = target.id  # what working space for it is called
        if self._made_there(target, source, node):
            return
        draws = self._draws_apart(target, source)
        self.store(target, draws or self.expr(source), node)

    def _made_there(self, target: ast.expr, source: ast.expr, node: ast.stmt) -> bool:
        """Write a list where it is kept, if making it reads nothing of what is kept there.

        A list of some of its own elements is made so, too: none is read behind where it is written.
        """
        if not isinstance(source, ast.ListComp) or not isinstance(target, ast.Attribute):
            return False
        if self.is_dropped(target):
            return False
        reads = [
            part
            for part in ast.walk(source)
            if isinstance(part, ast.Attribute) and part.attr == target.attr
        ]
        first = source.generators[0]
        filters = (
            len(source.generators) == 1
            and ast.unparse(first.target) == ast.unparse(source.elt)
            and ast.unparse(first.iter) == ast.unparse(target)
            and len(reads) == 1
        )
        if (reads and not filters) or self._calls_authors(source):
            return False
        place = self.attribute_place(target)
        if not isinstance(place.kind, kinds.Sequence) or place.kind.form != "list":
            return False
        if not any(part.ifs for part in source.generators) and self.is_fixed(place):
            return False
        if UNKNOWN in kinds.walk(place.kind) or self.whole.limits.get(place.key) is not None:
            return False
        self._resized(place)
        self.comprehension(source, place)
        return True

    def _calls_authors(self, node: ast.expr) -> bool:
        """Return whether an expression calls functions or reads properties of the author's."""
        for part in ast.walk(node):
            thing = self.whole.seen.things.get(getattr(getattr(part, "func", None), "k", -1))
            if isinstance(part, ast.Call) and not isinstance(part.func, ast.Name):
                if not isinstance(getattr(thing, "__self__", None), np.random.Generator):
                    return True
            elif isinstance(part, ast.Call) and isinstance(thing, types.FunctionType):
                return True
            if isinstance(part, ast.Attribute) and self._is_property(part):
                return True
        return False

    def _is_property(self, node: ast.Attribute) -> bool:
        kind = self.seen_kind(node.value)
        kind = kind.value if isinstance(kind, Maybe) else kind
        cls = kind.cls if isinstance(kind, kinds.Object) else type(self.whole.seen.env)
        found = lookup(cls, node.attr)
        return found is not None and isinstance(found[1], property)

    def _draws_apart(self, target: ast.expr, source: ast.expr) -> Value | None:
        """Return an array's draws as so many numbers, if each goes into a column of its own."""
        if not isinstance(target, ast.Attribute) or not isinstance(source, ast.Call):
            return None
        attribute = self.whole.attributes.get(target.attr)
        kind = attribute.kind if attribute is not None else UNKNOWN
        if not isinstance(kind, Tuple) or kind.form != kinds.SPREAD:
            return None
        if not isinstance(source.func, ast.Attribute) or source.func.attr not in DRAWS:
            return None
        rest = [keyword for keyword in source.keywords if keyword.arg != "size"]
        given = [*source.args, *(keyword.value for keyword in rest)]
        if len(rest) == len(source.keywords) or any(
            isinstance(self.seen_kind(part), Array) for part in given
        ):
            return None
        one = in_place_of(ast.Call(source.func, source.args, rest), source)
        draws = [self.expr(one) for _ in kind.members]
        return Group(
            [Plain(self.kept(draw.node), draw.kind) for draw in draws if isinstance(draw, Plain)]
        )

    def _is_constant(self, target: ast.expr) -> bool:
        """Return whether a target is of a constant of the definition; spaces may be made anew."""
        whole = whole_of(target)
        attribute = self.whole.attributes.get(whole.attr) if whole is not None else None
        known = attribute is not None and attribute.role == "known"
        return known and not isinstance(getattr(attribute, "value", None), gymnasium.Space)

    def _check_constant(self, target: ast.expr, node: ast.stmt) -> None:
        """Refuse a line that never ran and changes what is a constant of the definition."""
        if self._is_constant(target):
            raise at(
                node,
                f"{ast.unparse(target)} =",
                f"{NEVER_RAN}, and it would change what never changes",
                "Watch more steps with --steps, or take the line out.",
            )

    def do_AugAssign(self, node: ast.AugAssign) -> None:
        """Write `+=` and the like."""
        if self.is_dropped(node.target) and not self.must_run(node.value):
            return
        load: ast.expr = copy.deepcopy(node.target)
        load.ctx = ast.Load()  # type: ignore[attr-defined]
        value = self.expr(node.value)
        if isinstance(node.target, ast.Name):
            current: Value = self.names.get(node.target.id, Known(None))
        else:
            current = self.place_of(load)
        if isinstance(current, Place) and isinstance(current.kind, kinds.Sequence):
            self.extend(current, value, node)
            return
        if isinstance(current, Place):
            current = self.load(current)
        if isinstance(current, Plain) and isinstance(current.kind, Array | kinds.Unknown):
            target = copy.deepcopy(current.node)
            self.emit(
                ast.AugAssign(_stored(target), node.op, self.operand(value, current.kind, node))
            )
            return
        result = self.operation(current, node.op, value, node)
        if isinstance(current, Plain) and isinstance(current.kind, Number):
            target = copy.deepcopy(current.node)
            if isinstance(target, ast.Subscript) or (
                isinstance(target, ast.Name) and isinstance(node.target, ast.Name)
            ):
                right = self.operand(value, current.kind, node)
                self.emit(ast.AugAssign(_stored(target), node.op, right))
                return
        self.store(node.target, result, node)

    def do_Try(self, node: ast.Try) -> None:
        """Write what is tried, if no exception was ever caught there."""
        seen = self.whole.seen.kinds
        for handler in node.handlers:
            for part in handler.body:
                for child in ast.walk(part):
                    if getattr(child, "k", None) in seen:
                        raise at(
                            handler,
                            "except",
                            "an exception was caught there, and a kernel has none",
                            "Ask before whether it can be done, with an `if`.",
                        )
        self.whole.note(f"line {node.lineno}: nothing was ever caught, and nothing is")
        self.statements([*node.body, *node.orelse, *node.finalbody])

    def do_Delete(self, node: ast.Delete) -> None:
        """Write the removal of an element of a list."""
        for target in node.targets:
            if isinstance(target, ast.Subscript):
                self.delete_item(target, node)
            elif not isinstance(target, ast.Name):
                raise at(node, "del", "an attribute is a column, which is always there")

    def do_If(self, node: ast.If) -> None:
        """Write a branch; where its condition is known, what it comes to."""
        if self.is_for_nothing(node):
            return
        test = self.test(node.test)
        if isinstance(test, bool):
            self.statements(node.body if test else node.orelse)
            return
        before = dict(self.names)
        dicts = self._dicts()
        with self.block() as body:
            self.statements(node.body)
        after = dict(self.names)
        changed = self._dicts(dicts)
        self.names = dict(before)
        with self.block() as orelse:
            self.statements(node.orelse)
        self._join_dicts(dicts, changed, body, orelse, node)
        for name, value in after.items():
            self.names.setdefault(name, value)
        if not body and not orelse:
            return
        if not body:
            self.emit(ast.If(negated(test), orelse, []))
        else:
            self.emit(ast.If(test, body, orelse))

    def do_While(self, node: ast.While) -> None:
        """Write a loop; what its condition needs is evaluated within it."""
        with self._loop_with_else(node):
            with self.block() as body:
                test = self.test(node.test)
                ahead = bool(body)
                if ahead and not isinstance(test, bool):
                    self.emit(ast.If(negated(test), [ast.Break()], []))
                self.statements(node.body)
            if test is not False:
                condition = ast.Constant(True) if ahead or test is True else test
                assert isinstance(condition, ast.expr)
                self.emit(ast.While(condition, body or [ast.Pass()], []))

    def do_For(self, node: ast.For) -> None:
        """Write a loop over numbers or over a container."""
        if not self.is_for_nothing(node):
            with self._loop_with_else(node):
                self.loop(node.iter, node.target, lambda: self.statements(node.body), node)

    @contextlib.contextmanager
    def _loop_with_else(self, node: ast.For | ast.While) -> Iterator[None]:
        """Write a loop, and behind it what is for the case that nothing broke it off."""
        flag = self.fresh("broken") if node.orelse and breaks(node) else ""
        if flag:
            self.say(f"{flag} = False")
        self.broken.append(flag)
        yield
        self.broken.pop()
        if not flag:
            self.statements(node.orelse)
            return
        with self.block() as orelse:
            self.statements(node.orelse)
        if orelse:
            self.emit(ast.If(expression(f"not {flag}"), orelse, []))

    def do_Return(self, node: ast.Return) -> None:
        """Write what is returned."""
        value = self.expr(node.value) if node.value is not None else Known(None)
        self.emit_return(value, node)

    def emit_return(self, value: Value, node: ast.AST) -> None:
        """Write the return of a function's value; all of a function's have the same form."""
        packed, result = self.pack(value, self.result_kind, node, "result")
        before = self.written.result
        if before is not None and type(before) is not type(result):
            raise at(node, "return", "another kind of value is returned elsewhere")
        self.written.result = result
        self.emit(ast.Return(packed))

    def pack(
        self, value: Value, kind: Kind, node: ast.AST, name: str
    ) -> tuple[ast.expr | None, Value]:
        """Return how a value is returned, and what a call makes: `_call` is the call."""
        if isinstance(kind, kinds.Nothing) or (
            isinstance(value, Known) and value.value is None and not isinstance(kind, Maybe)
        ):
            return None, Known(None)
        if self.is_plain(kind):
            return self.plain(value, node), Plain(ast.Name("_call"), kind)
        if isinstance(kind, Maybe) and self.is_plain(kind.value):
            missing, inner = self.optional(value, node)
            held = self.plain(inner, node) if inner is not None else self.default(kind.value)
            return ast.Tuple([missing, held], ast.Load()), Perhaps(
                expression("_call[0]"), Plain(expression("_call[1]"), kind.value)
            )
        if isinstance(kind, Tuple):
            return self._pack_members(value, kind, node, name)
        if isinstance(kind, kinds.Record) and isinstance(value, Made):
            return self._pack_fields(value, kind, node, name)
        if isinstance(value, Place) and not value.index and not self._returns_several():
            return None, value
        if isinstance(value, Known) and not self._returns_several():
            return None, value
        if isinstance(value, Group) and not value.members and UNKNOWN in kinds.walk(kind):
            return None, value
        place = self.scratch_place(name, kind, node)
        self.assign(place, value, node)
        return None, place

    def _pack_members(
        self, value: Value, kind: Tuple, node: ast.AST, name: str
    ) -> tuple[ast.expr | None, Value]:
        members = self.members(value, len(kind.members), node)
        nodes: list[ast.expr] = []
        results: list[Value] = []
        for k, (member, part) in enumerate(zip(members, kind.members, strict=True)):
            packed, result = self.pack(member, part, node, f"{name}_{k}")
            if packed is not None:
                results.append(_within(result, len(nodes)))
                nodes.append(packed)
            else:
                results.append(result)
        if not nodes:
            return None, Group(results)
        return ast.Tuple(nodes, ast.Load()), Group(results)

    def _pack_fields(
        self, value: Made, kind: kinds.Record, node: ast.AST, name: str
    ) -> tuple[ast.expr | None, Value]:
        fields = dict(kind.fields)
        members = Group(list(value.fields.values()))
        parts = Tuple(tuple(fields.get(key, UNKNOWN) for key in value.fields))
        packed, result = self._pack_members(members, parts, node, name)
        assert isinstance(result, Group)
        return packed, Made(dict(zip(value.fields, result.members, strict=True)))

    def _returns_several(self) -> bool:
        return sum(isinstance(node, ast.Return) for node in ast.walk(self.node)) > 1

    def write(self, parameters: Sequence[tuple[str, Value]], arguments: Sequence[str]) -> Written:
        """Write the function and return it.

        Args:
            parameters: what its parameters are bound to.
            arguments: the names that it is given besides s, i, p and rng.
        """
        self.names.update(parameters)
        self.used.update(arguments)
        seen = self.whole.seen.kinds
        for node in ast.walk(self.node):
            if isinstance(node, ast.Return) and node.value is not None:
                kind = seen.get(node.value.k, UNKNOWN)  # type: ignore[attr-defined]
                if isinstance(node.value, ast.Constant):
                    kind = kinds.kind_of(node.value.value)
                self.result_kind = kinds.join(self.result_kind, kind)
        self.statements(self.node.body)
        self.finish(arguments)
        return self.written

    def finish(self, arguments: Sequence[str]) -> None:
        """Make the function of what was written."""
        body = self.body or [ast.Pass()]
        while len(body) > 1 and isinstance(body[-1], ast.Return) and body[-1].value is None:
            body.pop()
        found = {node.id for part in body for node in ast.walk(part) if isinstance(node, ast.Name)}
        if self.top:
            passed: tuple[str, ...] = ("s", "i", "action", "p", "rng")
            if self.top == "reset":
                passed = ("s", "i", "p", "rng")
        else:
            passed = tuple(name for name in ("s", "i", "p", "rng") if name in found)
        self.written.passed = passed
        names = [*passed, *(name for name in arguments if name not in passed)]
        docstring = ast.get_docstring(self.node)
        if docstring:
            body = [ast.Expr(ast.Constant(docstring)), *body]
        self.written.node = ast.FunctionDef(
            name=self.name,
            args=ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, []),
            body=body,
            decorator_list=[],
            lineno=self.node.lineno,
        )


def _test_of(pattern: ast.pattern, name: str, node: ast.Match) -> ast.expr:
    """Return the condition under which a value is what a `case` says."""
    match pattern:
        case ast.MatchValue(value=value) | ast.MatchSingleton(value=value):
            other = value if isinstance(value, ast.expr) else ast.Constant(value)
            return ast.Compare(ast.Name(name, ast.Load()), [ast.Eq()], [other])
        case ast.MatchOr(patterns=patterns):
            return ast.BoolOp(ast.Or(), [_test_of(part, name, node) for part in patterns])
        case ast.MatchAs(pattern=None, name=None):
            return ast.Constant(True)
    raise at(
        node, "match", "a `case` that takes a value apart is not converted", "Write it with `if`."
    )


def _is_pure(node: ast.expr) -> bool:
    """Return whether an expression calls none but functions by their names, and texts' methods."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and not isinstance(part.func, ast.Name):
            base = part.func.value if isinstance(part.func, ast.Attribute) else part.func
            if not isinstance(base, ast.Constant) and getattr(base, "id", "") not in ("np", "math"):
                return False
    return True


def _within(result: Value, k: int) -> Value:
    """Return what a call's value has as its k-th member."""
    return filled(result, expression(f"_call[{k}]"))


def _stored(node: ast.expr) -> Any:
    node.ctx = ast.Store()  # type: ignore[attr-defined]
    return node


def _bindings(function: ast.FunctionDef) -> dict[str, list[ast.expr | None]]:
    """Return how each variable of a function gets its values; None where that is no expression."""
    found: dict[str, list[ast.expr | None]] = {}

    def note(target: ast.expr, value: ast.expr | None) -> None:
        if isinstance(target, ast.Name):
            found.setdefault(target.id, []).append(value)
        elif isinstance(target, ast.Tuple | ast.List):
            paired = (
                value.elts
                if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts)
                else [None] * len(target.elts)
            )
            for part, member in zip(target.elts, paired, strict=True):
                note(part, member)
        elif isinstance(target, ast.Starred):
            note(target.value, None)

    for argument in (*function.args.args, *function.args.kwonlyargs):
        found.setdefault(argument.arg, []).append(None)
    for node in ast.walk(function):
        match node:
            case ast.Assign():
                for target in node.targets:
                    note(target, node.value)
            case ast.AnnAssign():
                if node.value is not None:
                    note(node.target, node.value)
            case ast.AugAssign():
                note(node.target, None)
            case ast.For() | ast.comprehension():
                note(node.target, None)
            case ast.NamedExpr():
                note(node.target, node.value)
            case ast.withitem():
                if node.optional_vars is not None:
                    note(node.optional_vars, None)
    return found


def _instead(node: ast.AST) -> str:
    return {
        "Try": "Ask before whether it can be done, with an `if`.",
        "With": "Move what needs it into the constructor.",
    }.get(type(node).__name__, "")
