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
import functools
import inspect
import math
import os
import threading
import types
from collections.abc import Mapping
from typing import Any

import numpy as np

import batchsim.math
from batchsim.definition import Definition
from batchsim.family import env, is_namespace

__all__ = ["may_step_finished_rows", "parse"]

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
# fmt: off
OPERATORS = (
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.LShift, ast.RShift,
    ast.BitAnd, ast.BitOr, ast.BitXor,
)
COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
IN_RESET = (
    ast.Assign, ast.AugAssign, ast.AnnAssign, ast.If, ast.For, ast.While, ast.Break, ast.Continue,
    ast.Expr, ast.Pass,
)
OF_MATH = (
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "copysign", "cos", "cosh",
    "degrees", "erf", "erfc", "exp", "exp2", "expm1", "fabs", "floor", "gamma", "hypot",
    "isfinite", "isinf", "isnan", "ldexp", "lgamma", "log", "log10", "log1p", "log2", "pow",
    "radians", "sin", "sinh", "sqrt", "tan", "tanh", "trunc",
)
# fmt: on
NOT_OF_NUMPY = ("left_shift", "right_shift", "bitwise_left_shift", "bitwise_right_shift")
"""Functions of NumPy whose result may be undefined in compiled code."""
NUMBERS = (bool, int, float, np.bool_, np.number)
BITS = 64
"""A shift by as many, the width of whole numbers in compiled code, is undefined."""
LARGEST_WHOLE = 2**53
"""Up to this Python and compiled code compare whole and floating-point numbers alike."""
UNKNOWN = object()
"""What a name stands for that the source does not tell."""


def _harmless_functions() -> tuple[Any, ...]:
    """Return the functions that, compiled, only compute a result, of whatever numbers."""
    of_numpy = [
        value
        for name, value in vars(np).items()
        if (isinstance(value, np.ufunc) and name not in NOT_OF_NUMPY)
        or (isinstance(value, type) and issubclass(value, (np.number, np.bool_)))
    ]
    of_math = [getattr(math, name) for name in OF_MATH]
    own = filter(callable, (getattr(batchsim.math, name) for name in batchsim.math.__all__))
    of_python = (abs, min, max, float, int, bool, round, len)
    return (*of_python, *of_math, *of_numpy, np.round, np.around, *own)


HARMLESS = _harmless_functions()

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
    try:
        return _step_is_harmless(definition, columns, constants) and _reset_writes_all(
            definition, columns
        )
    except RecursionError:  # An expression is nested too deeply to be read.
        return False


def parse(function: Any) -> ast.FunctionDef | None:
    """Return the definition of the code that runs, or None if it is not plain or not known."""
    if not isinstance(function, types.FunctionType) or function.__closure__:
        return None
    try:
        # Not `inspect.getsource`, which gives the source of what a function wraps. The file may
        # have changed since it was loaded.
        lines, _ = inspect.findsource(function)
        with _parsing:
            tree = _definitions("".join(lines)).get(function.__code__)
    except (OSError, TypeError, ValueError, SyntaxError):
        return None
    if tree is None or tree.decorator_list:
        return None
    arguments = tree.args
    plain = not (
        arguments.posonlyargs
        or arguments.kwonlyargs
        or arguments.vararg
        or arguments.kwarg
        or function.__defaults__
    )
    return tree if plain else None


@functools.lru_cache(maxsize=16)
def _definitions(source: str) -> Mapping[types.CodeType, ast.FunctionDef]:
    """Return the functions that a file defines, by their code."""
    tree = ast.parse(source)
    places = {
        (node.name, node.lineno): node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }
    found = {}
    codes = [compile(source, "<source>", "exec", dont_inherit=True)]
    for code in codes:
        node = places.get((code.co_name, code.co_firstlineno))
        if node is not None:
            found[code] = node
        codes += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return found


def _parameters(tree: ast.FunctionDef) -> list[str]:
    return [argument.arg for argument in tree.args.args]


def _step_is_harmless(
    definition: Definition, columns: set[str], constants: Mapping[str, Any]
) -> bool:
    step: Any = definition.step
    tree = parse(step)
    if tree is None or len(tree.args.args) != 5:
        return False
    state, row, action, params, rng = _parameters(tree)
    check = _Check(
        step, definition.namespace, {state: columns}, row, action, params, {rng}, set(), constants
    )
    return check.body(tree.body)


class _Check:
    """Walks a function's statements; every method tells whether what it saw is harmless."""

    def __init__(
        self,
        function: types.FunctionType,
        namespace: Any,
        states: dict[str, set[str]],
        row: str | None,
        action: str | None,
        params: str | None,
        forbidden: set[str],
        callers: set[Any],
        constants: Mapping[str, Any],
    ) -> None:
        code = function.__code__
        self.globals = function.__globals__
        self.namespace = namespace
        self.locals = {*code.co_varnames, *code.co_cellvars, *code.co_freevars}
        # A class changes names that begin with two underscores: they are not here as written.
        self.used = {*code.co_names, *self.locals}
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
        if isinstance(node, ast.AugAssign):
            return (
                self.target(node.target)
                and self.operation(node.op, node.value)
                and self.expression(node.value)
            )
        if isinstance(node, ast.AnnAssign):
            return self.target(node.target) and (node.value is None or self.expression(node.value))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return True  # a comment
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
            ) if isinstance(self.constants.get(name), NUMBERS):
                value = self.constants[name]
                # Where the answer is the same in every width that may be compared in.
                if max(abs(value), abs(number)) <= LARGEST_WHOLE and np.float32(number) == number:
                    return bool(value > number)
        return None

    def target(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Tuple):
            return all(map(self.target, node.elts))
        if isinstance(node, ast.Name):
            # Names with a meaning keep it.
            kept = {*self.states, *self.forbidden, self.row, self.action, self.params}
            return node.id in self.locals and node.id not in kept
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
            return (
                self.is_parameter(node)
                or self.is_of_action(node, "itemsize")
                or isinstance(self.resolve(node), NUMBERS)
            )
        if isinstance(node, ast.Name):
            if node.id in self.locals:
                return node.id not in self.forbidden and node.id not in self.states
            return isinstance(self.resolve(node), NUMBERS)
        if isinstance(node, ast.Constant):
            return isinstance(node.value, NUMBERS)
        if isinstance(node, ast.Call):
            return (
                not node.keywords
                and all(map(self.expression, node.args))
                and self.is_harmless_call(node.func, node.args)
            )
        if isinstance(node, ast.BinOp) and not self.operation(node.op, node.right):
            return False
        if isinstance(node, ast.Compare) and not all(
            isinstance(comparison, COMPARISONS) for comparison in node.ops
        ):
            return False
        return all(
            self.expression(child)
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.expr)
        )

    def operation(self, operator: ast.operator, right: ast.expr) -> bool:
        # Compiled code divides by zero, and negative numbers have a root, without an exception.
        if isinstance(operator, (ast.LShift, ast.RShift)):
            return (
                isinstance(right, ast.Constant)
                and type(right.value) is int
                and 0 <= right.value < BITS
            )
        return isinstance(operator, OPERATORS)

    def is_parameter(self, node: ast.Attribute) -> bool:
        return isinstance(node.value, ast.Name) and node.value.id == self.params

    def is_of_action(self, node: ast.expr, *names: str) -> bool:
        """Tell whether this is an attribute of the action, or of what that is."""
        for name in reversed(names):
            if not isinstance(node, ast.Attribute) or node.attr != name:
                return False
            node = node.value
        return isinstance(node, ast.Name) and node.id == self.action

    def resolve(self, node: ast.expr) -> Any:
        """Return what a name of the module, or a member of a module, stands for."""
        if isinstance(node, ast.Name):
            if node.id in self.locals or node.id not in self.used:
                return UNKNOWN
            return self.globals.get(node.id, getattr(builtins, node.id, UNKNOWN))
        if isinstance(node, ast.Attribute) and node.attr in self.used:
            owner = self.resolve(node.value)
            owner = self.namespace if owner is env else owner
            if isinstance(owner, types.ModuleType) or is_namespace(owner):
                return getattr(owner, node.attr, UNKNOWN)
        return UNKNOWN

    def is_own(self, node: ast.expr) -> bool:
        """Tell whether this is a member of the definition, or of a class."""
        owner = self.resolve(node.value) if isinstance(node, ast.Attribute) else None
        return owner is env or is_namespace(owner)

    def is_harmless_call(self, node: ast.expr, arguments: list[ast.expr]) -> bool:
        if self.is_of_action(node, "dtype", "type"):
            return len(arguments) == 1
        called = self.resolve(node)
        if isinstance(called, np.ufunc) and len(arguments) != called.nin:
            return False  # It would write into the others.
        if any(called is known for known in HARMLESS):
            return True
        # A helper is called by its name, or as a member of a family.
        if not isinstance(node, ast.Name) and not self.is_own(node):
            return False
        if not isinstance(called, types.FunctionType):
            return False
        if called in self.callers:
            return False
        tree = parse(called)
        if tree is None or len(tree.args.args) != len(arguments):
            return False
        # The parameters may be passed on, under any name.
        params = None
        for name, argument in zip(_parameters(tree), arguments, strict=True):
            if isinstance(argument, ast.Name) and argument.id == self.params:
                params = name
        check = _Check(
            called, self.namespace, {}, None, None, params, set(), self.callers, self.constants
        )
        return check.body(tree.body)


def _reset_writes_all(definition: Definition, columns: set[str]) -> bool:
    reset: Any = definition.reset
    tree = parse(reset)
    if tree is None or len(tree.args.args) != 4:
        return False
    state, row = _parameters(tree)[:2]
    check = _Check(reset, definition.namespace, {state: columns}, row, None, None, set(), set(), {})
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
        if isinstance(node, ast.stmt) and not isinstance(node, IN_RESET):
            return False
        if isinstance(
            node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
        ):
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
