"""Tells from an environment's source whether a row whose episode is over may be stepped.

With NEXT_STEP autoreset a row that is over is reset in the next step. A loop that steps it all the
same, and lets the reset overwrite it, has no branch and is vectorised. That must do no harm: `step`
must draw no random numbers, read and write nothing but scalar columns of its own row, and be unable
to fail; and `reset` must then write every column without having read it. What is not understood
counts as harm.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import math
import os
import textwrap
import threading
import types
from collections.abc import Mapping
from typing import Any

import numpy as np

from batchsim.definition import Definition

__all__ = ["may_step_finished_rows"]

# Nothing that loops, fails, defines, or binds names in ways that are not followed here.
STATEMENTS = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.If, ast.Return, ast.Pass, ast.Expr)
EXPRESSIONS = (
    ast.BoolOp,
    ast.BinOp,
    ast.UnaryOp,
    ast.IfExp,
    ast.Compare,
    ast.Call,
    ast.Constant,
    ast.Attribute,
    ast.Subscript,
    ast.Name,
    ast.Tuple,
)
BUILTINS = (abs, min, max, float, int, bool)
MODULES = (math, np)

# Some Pythons, 3.11.7 for one, count the depth of a tree for all threads together: where a parse
# collects garbage, and a batch in it lets other threads in while it waits for its own, a second
# parse raises SystemError.
_parsing = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_parsing.acquire, after_in_parent=_parsing.release, after_in_child=_parsing.release
    )


def may_step_finished_rows(
    definition: Definition, constants: Mapping[str, Any] | None = None
) -> bool:
    """Tell whether stepping a row that is over, before its reset, can do no harm.

    Args:
        definition: the environment.
        constants: the parameters whose values are compiled in; by default all, at their defaults.
    """
    if constants is None:
        constants = definition.params
    if definition.scratch or any(column.shape for column in definition.columns.values()):
        return False
    columns = set(definition.columns)
    return _step_is_harmless(definition.step, columns, constants) and _reset_writes_all(
        definition.reset, columns
    )


def _parse(function: Any) -> ast.FunctionDef | None:
    try:
        if not _is_source_of(function):
            return None
        with _parsing:
            body = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, TypeError, SyntaxError):
        return None
    if len(body) != 1 or not isinstance(body[0], ast.FunctionDef):
        return None
    arguments = body[0].args
    plain = not (
        arguments.posonlyargs
        or arguments.kwonlyargs
        or arguments.vararg
        or arguments.kwarg
        or arguments.defaults
    )
    return body[0] if plain else None


def _is_source_of(function: Any) -> bool:
    """Tell whether the file gives the code that runs: it may have changed since it was loaded."""
    lines, _ = inspect.findsource(function)
    codes = [compile("".join(lines), function.__code__.co_filename, "exec", dont_inherit=True)]
    for code in codes:
        if code == function.__code__:
            return True
        codes += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return False


def _parameters(tree: ast.FunctionDef) -> list[str]:
    return [argument.arg for argument in tree.args.args]


def _step_is_harmless(step: Any, columns: set[str], constants: Mapping[str, Any]) -> bool:
    tree = _parse(step)
    if tree is None or len(tree.args.args) != 5:
        return False
    state, row, action, params, rng = _parameters(tree)
    check = _Check(step, {state: columns}, row, action, params, {rng}, set(), constants)
    return check.body(tree.body)


class _Check:
    """Walks a function's statements; every method tells whether what it saw is harmless."""

    def __init__(
        self,
        function: Any,
        states: dict[str, set[str]],
        row: str | None,
        action: str | None,
        params: str | None,
        forbidden: set[str],
        callers: set[Any],
        constants: Mapping[str, Any],
    ) -> None:
        self.globals = function.__globals__
        self.states = states
        self.row = row
        self.action = action
        self.params = params
        self.forbidden = forbidden
        self.callers = callers | {function}
        self.constants = constants

    def body(self, statements: list[ast.stmt]) -> bool:
        return all(self.statement(statement) for statement in statements)

    def statement(self, node: ast.stmt) -> bool:
        if not isinstance(node, STATEMENTS):
            return False
        if isinstance(node, ast.If):
            decided = self.decide(node.test)
            if decided is not None:
                return self.body(node.body if decided else node.orelse)
            return self.expression(node.test) and self.body(node.body) and self.body(node.orelse)
        if isinstance(node, ast.Assign):
            return all(map(self.target, node.targets)) and self.expression(node.value)
        if isinstance(node, (ast.AugAssign, ast.AnnAssign)):
            return self.target(node.target) and (node.value is None or self.expression(node.value))
        if isinstance(node, (ast.Return, ast.Expr)):
            return node.value is None or self.expression(node.value)
        return isinstance(node, ast.Pass)

    def decide(self, node: ast.expr) -> bool | None:
        """Return the value of `p.name > number` if it is compiled in: one branch never runs."""
        match node:
            case ast.Compare(
                left=ast.Attribute(value=ast.Name(id=self.params), attr=name),
                ops=[ast.Gt()],
                comparators=[ast.Constant(value=int() | float() as number)],
            ) if name in self.constants:
                return bool(self.constants[name] > number)
        return None

    def target(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Tuple):
            return all(map(self.target, node.elts))
        if isinstance(node, ast.Name):
            # Names with a meaning keep it.
            kept = {*self.states, *self.forbidden, self.row, self.action, self.params}
            return node.id not in kept
        return isinstance(node, ast.Subscript) and self.is_column(node)

    def is_column(self, node: ast.Subscript) -> bool:
        return (
            isinstance(node.value, ast.Attribute)
            and isinstance(node.value.value, ast.Name)
            and node.value.value.id in self.states
            and node.value.attr in self.states[node.value.value.id]
            and isinstance(node.slice, ast.Name)
            and node.slice.id == self.row
        )

    def is_action_or_parameter(self, node: ast.Subscript) -> bool:
        # A constant index beyond the end would be so for every row.
        whole = node.value
        return (
            (
                (isinstance(whole, ast.Name) and whole.id == self.action)
                or (isinstance(whole, ast.Attribute) and self.is_parameter(whole))
            )
            and isinstance(node.slice, ast.Constant)
            and type(node.slice.value) is int
            and node.slice.value >= 0
        )

    def expression(self, node: ast.expr) -> bool:
        if not isinstance(node, EXPRESSIONS):
            return False
        if isinstance(node, ast.Subscript):
            return self.is_column(node) or self.is_action_or_parameter(node)
        if isinstance(node, ast.Attribute):
            # A parameter, or a constant of a known module.
            return self.is_parameter(node) or (
                isinstance(node.value, ast.Name) and self.is_module(node.value)
            )
        if isinstance(node, ast.Name):
            return node.id not in self.forbidden and node.id not in self.states
        if isinstance(node, ast.Call):
            return (
                not node.keywords
                and all(map(self.expression, node.args))
                and self.is_harmless_call(node.func, node.args)
            )
        return all(
            self.expression(child)
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.expr)
        )

    def is_parameter(self, node: ast.Attribute) -> bool:
        return isinstance(node.value, ast.Name) and node.value.id == self.params

    def is_module(self, node: ast.Name) -> bool:
        return any(self.globals.get(node.id) is module for module in MODULES)

    def is_harmless_call(self, node: ast.expr, arguments: list[ast.expr]) -> bool:
        if isinstance(node, ast.Attribute):
            return isinstance(node.value, ast.Name) and self.is_module(node.value)
        if not isinstance(node, ast.Name):
            return False
        called = self.globals.get(node.id, getattr(builtins, node.id, None))
        if any(called is known for known in BUILTINS) or isinstance(
            called, (types.BuiltinFunctionType, np.ufunc)
        ):
            return True
        if isinstance(called, type) and issubclass(called, np.generic):
            return True
        if not isinstance(called, types.FunctionType) or called in self.callers:
            return False
        if called.__module__ == "batchsim.math":
            return True
        tree = _parse(called)
        if tree is None:
            return False
        # The parameters may be passed on, under any name.
        params = None
        for name, argument in zip(_parameters(tree), arguments, strict=False):
            if isinstance(argument, ast.Name) and argument.id == self.params:
                params = name
        check = _Check(called, {}, None, None, params, set(), self.callers, self.constants)
        return check.body(tree.body)


def _reset_writes_all(reset: Any, columns: set[str]) -> bool:
    tree = _parse(reset)
    if tree is None or len(tree.args.args) != 4:
        return False
    state, row = _parameters(tree)[:2]
    check = _Check(reset, {state: columns}, row, None, None, set(), set(), {})
    written: set[str] = set()
    for statement in tree.body:
        if not _reads_only(statement, check, state, row, written):
            return False
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                for node in target.elts if isinstance(target, ast.Tuple) else [target]:
                    if isinstance(node, ast.Subscript) and check.is_column(node):
                        written.add(node.value.attr)  # type: ignore[attr-defined]
    return written == columns


def _reads_only(
    statement: ast.stmt, check: _Check, state: str, row: str, written: set[str]
) -> bool:
    """Tell whether a statement of `reset` goes on, and reads no column that is not yet written."""
    known: set[ast.AST] = set()
    for node in ast.walk(statement):
        if isinstance(node, (ast.Return, ast.Raise, ast.Assert, ast.Lambda, ast.FunctionDef)):
            return False
        if isinstance(node, ast.Name) and node.id == row and not isinstance(node.ctx, ast.Load):
            return False
        if isinstance(node, ast.Subscript) and check.is_column(node):
            column: Any = node.value
            if isinstance(node.ctx, ast.Load) and column.attr not in written:
                return False
            known.add(column.value)
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Subscript):
            target: Any = node.target.value
            if getattr(target, "attr", None) not in written:
                return False
    # The state may be used in no other way, such as being passed on.
    return all(
        node in known
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and node.id == state
    )
