"""A function that calls itself, as a loop that takes what is left to do from a list.

The list is a stack: what a call would do next is taken next, so that all happens in the same order.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Sequence

from batchsim.convert import kinds
from batchsim.convert.kinds import Kind, Number, Tuple
from batchsim.convert.refusal import at

__all__ = ["calls_itself", "looped"]

LEFT = "todo"
LEAST = 64  # calls for which the list has room at least


def calls_itself(function: ast.FunctionDef) -> bool:
    """Return whether a function's source has a call of its own name."""
    return any(_is_call(part, function) for part in ast.walk(function))


def _is_call(node: ast.AST, function: ast.FunctionDef) -> bool:
    if not isinstance(node, ast.Call):
        return False
    names = [argument.arg for argument in function.args.args]
    match node.func:
        case ast.Attribute(value=ast.Name(id=owner), attr=attr):
            return attr == function.name and bool(names) and owner == names[0]
        case ast.Name(id=name):
            return name == function.name
    return False


def looped(
    function: ast.FunctionDef,
    kind_of: Callable[[str], Kind],
    number: Callable[[ast.expr, Kind], None],
    room: int,
) -> ast.FunctionDef:
    """Return a function that does the same without calling itself.

    Args:
        function: the author's function.
        kind_of: returns the kind of a variable of the function.
        number: gives a new expression its number, with the kind of its values.
        room: for how many calls the list should have room.

    Raises:
        ConversionError: if more is done than to call itself behind all else, and to add up what
            that returns.
    """
    return _Loop(function, kind_of, number, max(room, LEAST)).written()


class _Loop:
    def __init__(
        self,
        function: ast.FunctionDef,
        kind_of: Callable[[str], Kind],
        number: Callable[[ast.expr, Kind], None],
        room: int,
    ) -> None:
        self.function = function
        self.kind_of = kind_of
        self.number = number
        self.room = room
        arguments = [argument.arg for argument in function.args.args]
        first = next(part for part in ast.walk(function) if _is_call(part, function))
        assert isinstance(first, ast.Call)
        self.names = arguments[1:] if isinstance(first.func, ast.Attribute) else arguments
        self.total = ""
        self.guards: set[str] = set()
        self.guard: ast.expr | None = None

    def refuse(self, node: ast.AST) -> Exception:
        """Return the error about a part that is not of the form."""
        return at(
            node,
            "recursion",
            f"{self.function.name} does more than to call itself behind all else, and to add up "
            "whole numbers that it returns",
            "Keep what is left to do in a list, and take it from there in a loop.",
        )

    def is_recursive(self, node: ast.AST) -> bool:
        """Return whether a statement has a call of the function."""
        return any(_is_call(part, self.function) for part in ast.walk(node))

    def named(self, name: str, store: bool = False) -> ast.Name:
        """Return a variable."""
        node = ast.Name(name, ast.Store() if store else ast.Load())
        self.number(node, self.kind_of(name))
        return node

    def written(self) -> ast.FunctionDef:
        """Return the function."""
        for name in self.names:
            if not isinstance(self.kind_of(name), Number):
                raise self.refuse(self.function)
        docstring = ast.get_docstring(self.function) is not None
        body = self.function.body[1:] if docstring else self.function.body
        begin = next(k for k, node in enumerate(body) if self.is_recursive(node))
        self.total = self._sum(body[begin:])
        ahead = [copy.deepcopy(node) for node in body[:begin]]
        tail = list(body[begin:])
        if tail and isinstance(tail[-1], ast.Return) and not self.is_recursive(tail[-1]):
            self._check_result(tail.pop())
        pushed = list(self._pushes(tail, first=True))
        turn = [*self._without_returns(ahead), *pushed]
        one = Tuple(tuple(self.kind_of(name) for name in self.names))
        whole = kinds.Sequence(one, 0, self.room, "list")
        row = ast.Tuple([self.named(name) for name in self.names], ast.Load())
        self.number(row, one)
        start = ast.List([row], ast.Load())
        self.number(start, whole)
        pop = ast.Call(ast.Attribute(self._todo(whole), "pop", ast.Load()), [], [])
        self.number(pop, one)
        self.number(pop.func, kinds.UNKNOWN)
        targets = ast.Tuple([self.named(name, store=True) for name in self.names], ast.Store())
        self.number(targets, one)
        taken = ast.Assign([targets], pop, lineno=0)
        again: list[ast.stmt] = []
        before: list[ast.stmt] = []
        if self.guard is not None:
            # The first call was made without asking.
            before = [ast.Assign([self._flag(store=True)], self._constant(True), lineno=0)]
            skipped = ast.BoolOp(ast.And(), [self._not(self._flag()), self._not(self.guard)])
            self.number(skipped, kinds.kind_of(True))
            again = [
                ast.If(skipped, [ast.Continue()], []),
                ast.Assign([self._flag(store=True)], self._constant(False), lineno=0),
            ]
        if self.total:
            before.append(
                ast.Assign([self.named(self.total, store=True)], self._constant(0), lineno=0)
            )
        made = copy.copy(self.function)
        target = ast.Name(LEFT, ast.Store())
        self.number(target, whole)
        made.body = [
            *before,
            ast.Assign([target], start, lineno=0),
            ast.While(self._todo(whole), [taken, *again, *turn], []),
        ]
        if self.total:
            made.body.append(ast.Return(self.named(self.total)))
        if docstring:
            made.body.insert(0, self.function.body[0])
        for node in ast.walk(made):
            if isinstance(node, ast.stmt | ast.expr):
                node.lineno = getattr(node, "lineno", 0) or self.function.lineno
                node.col_offset = getattr(node, "col_offset", 0)
                source = getattr(self.function, "source", None)
                node.source = source  # type: ignore[union-attr]
        return made

    def _constant(self, value: object) -> ast.Constant:
        node = ast.Constant(value)  # type: ignore[arg-type]
        self.number(node, kinds.kind_of(value))
        return node

    def _flag(self, store: bool = False) -> ast.Name:
        node = ast.Name("first", ast.Store() if store else ast.Load())
        self.number(node, kinds.kind_of(True))
        return node

    def _not(self, node: ast.expr) -> ast.expr:
        made = ast.UnaryOp(ast.Not(), node)
        self.number(made, kinds.kind_of(True))
        return made

    def _todo(self, whole: Kind) -> ast.Name:
        node = ast.Name(LEFT, ast.Load())
        self.number(node, whole)
        return node

    # -- what is returned -----------------------------------------------------------------------

    def _sum(self, tail: Sequence[ast.stmt]) -> str:
        """Return the variable that what the calls return is added to."""
        for node in tail:
            for part in ast.walk(node):
                if isinstance(part, ast.AugAssign) and _is_call(part.value, self.function):
                    if not isinstance(part.target, ast.Name) or not isinstance(part.op, ast.Add):
                        raise self.refuse(part)
                    kind = self.kind_of(part.target.id)
                    if not isinstance(kind, Number) or kind.dtype.kind != "i":
                        raise self.refuse(part)
                    return part.target.id
        return ""

    def _check_result(self, node: ast.stmt) -> None:
        assert isinstance(node, ast.Return)
        is_sum = isinstance(node.value, ast.Name) and node.value.id == self.total
        is_nothing = node.value is None or (
            isinstance(node.value, ast.Constant) and node.value.value is None
        )
        if not (is_sum if self.total else is_nothing):
            raise self.refuse(node)

    def _without_returns(self, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        """Return statements that go on with the list where they returned."""
        found: list[ast.stmt] = []
        for node in body:
            match node:
                case ast.Return():
                    found += self._added(node.value)
                    found.append(ast.Continue())
                case ast.If():
                    node.body = self._without_returns(node.body)
                    node.orelse = self._without_returns(node.orelse)
                    found.append(node)
                case ast.Assign() if self.total and _assigns(node, self.total):
                    found += self._added(node.value)
                case _:
                    if any(isinstance(part, ast.Return) for part in ast.walk(node)):
                        raise self.refuse(node)
                    found.append(node)
        return found

    def _added(self, value: ast.expr | None) -> list[ast.stmt]:
        """Return the statement that adds what a call returns."""
        if not self.total:
            if value is not None and not isinstance(value, ast.Constant):
                raise self.refuse(value)
            return []
        if value is None or (isinstance(value, ast.Constant) and value.value == 0):
            return []
        return [ast.AugAssign(self.named(self.total, store=True), ast.Add(), value)]

    # -- what is put on the list ----------------------------------------------------------------

    def _pushes(self, body: Sequence[ast.stmt], first: bool = False) -> Iterator[ast.stmt]:
        """Yield statements that put calls on the list, the last one first.

        Args:
            first: whether none of the calls has been made when they begin.
        """
        plain = [node for node in body if not self.is_recursive(node)]
        calls = [node for node in body if self.is_recursive(node)]
        for node in plain:
            if not isinstance(node, ast.Assign) or not all(
                isinstance(part, ast.Name | ast.Tuple) for part in node.targets
            ):
                if isinstance(node, ast.Pass | ast.Continue):
                    continue
                raise self.refuse(node)
            yield copy.deepcopy(node)
        for node in reversed(calls):
            yield self._push(node, first and node is calls[0])

    def _push(self, node: ast.stmt, first: bool) -> ast.stmt:
        match node:
            case ast.For() if not node.orelse and not self.is_recursive(node.iter):
                made = copy.copy(node)
                made.body = list(self._pushes(node.body))
                made.iter = self._backwards(node.iter)
                return made
            case ast.If() if not self.is_recursive(node.test):
                made_ = copy.copy(node)
                made_.body = list(self._pushes(node.body, first)) or [ast.Pass()]
                made_.orelse = list(self._pushes(node.orelse, first))
                if first or self._is_steady(node.test):
                    return made_
                if node.orelse or len(made_.body) != 1 or len(node.body) != 1:
                    raise self.refuse(node)
                self._guarded(node)
                return made_.body[0]
            case ast.Expr(value=call) if _is_call(call, self.function):
                return self._pushed(call)
            case ast.AugAssign(value=call) if _is_call(call, self.function):
                return self._pushed(call)
        raise self.refuse(node)

    def _backwards(self, source: ast.expr) -> ast.expr:
        call = ast.Call(ast.Name("reversed", ast.Load()), [source], [])
        self.number(call, kinds.UNKNOWN)
        self.number(call.func, kinds.UNKNOWN)
        return call

    def _is_steady(self, test: ast.expr) -> bool:
        """Return whether a condition is of variables alone, which other calls do not change."""
        return not any(
            isinstance(part, ast.Call | ast.Attribute | ast.Subscript) for part in ast.walk(test)
        )

    def _guarded(self, node: ast.If) -> None:
        """Keep a condition of what is called for, to be asked when its turn comes."""
        call = next(part for part in ast.walk(node) if _is_call(part, self.function))
        assert isinstance(call, ast.Call)
        mine = {ast.dump(part): name for name, part in zip(self.names, call.args, strict=False)}
        test = _Renamed(mine, self).visit(copy.deepcopy(node.test))
        local = {
            part.id
            for part in ast.walk(self.function)
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
        }
        said = ast.unparse(test)
        if any(isinstance(part, ast.Name) and part.id in local for part in ast.walk(test)):
            raise self.refuse(node)
        if self.guards and said not in self.guards:
            raise self.refuse(node)
        self.guards.add(said)
        assert isinstance(test, ast.expr)
        self.guard = test

    def _pushed(self, call: ast.expr) -> ast.stmt:
        assert isinstance(call, ast.Call)
        if len(call.args) != len(self.names) or call.keywords:
            raise self.refuse(call)
        one = Tuple(tuple(self.kind_of(name) for name in self.names))
        row = ast.Tuple(list(call.args), ast.Load())
        self.number(row, one)
        todo = self._todo(kinds.Sequence(one, 0, self.room, "list"))
        append = ast.Call(ast.Attribute(todo, "append", ast.Load()), [row], [])
        self.number(append, kinds.NOTHING)
        self.number(append.func, kinds.UNKNOWN)
        return ast.Expr(append)


class _Renamed(ast.NodeTransformer):
    """Puts the names of parameters in the places of what is passed for them."""

    def __init__(self, names: dict[str, str], loop: _Loop) -> None:
        self.names = names
        self.loop = loop

    def visit(self, node: ast.AST) -> ast.AST:
        """Visit a node."""
        name = self.names.get(ast.dump(node)) if isinstance(node, ast.expr) else None
        return self.loop.named(name) if name is not None else self.generic_visit(node)


def _assigns(node: ast.Assign, name: str) -> bool:
    return any(isinstance(part, ast.Name) and part.id == name for part in node.targets)
