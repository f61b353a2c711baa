"""Finds the functions of an environment and those that they call, with their source."""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
import textwrap
import types
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchsim.checking.contract import FUNCTIONS
from batchsim.checking.problems import Findings, Place
from batchsim.compiler.compile import LIBRARIES
from batchsim.definition import Definition
from batchsim.family import env

__all__ = ["UNKNOWN", "Function", "reached_functions", "return_place"]

INSTALLED = frozenset(("site-packages", "dist-packages"))
LISTS = "batchsim.containers"
"""Its functions raise where a list is full, and that ends the call: all that can be done there."""
UNKNOWN = object()
"""What a name stands for that only a run can tell."""


@dataclass
class Function:
    """A function of the author's, with its source."""

    function: Any
    tree: ast.FunctionDef
    file: str
    roles: dict[str, str]
    """What its arguments are: name → "s", "i", "p", …, where known."""
    name: str
    """The function of the contract by which it is reached."""
    namespace: Any
    """The definition's, which `env` stands for."""

    def place(self, node: ast.AST) -> Place:
        """Return where a node of the tree stands."""
        return self.file, getattr(node, "lineno", self.tree.lineno)

    def resolve(self, node: ast.AST) -> Any:
        """Return what a name, or a member of a module, stands for."""
        if isinstance(node, ast.Name):
            if node.id in self.function.__code__.co_varnames:
                return UNKNOWN
            missing = getattr(builtins, node.id, UNKNOWN)
            return self.function.__globals__.get(node.id, missing)
        if isinstance(node, ast.Attribute):
            base = self.owner(node)
            if isinstance(base, (types.ModuleType, type)):
                return getattr(base, node.attr, UNKNOWN)
        return UNKNOWN

    def owner(self, node: ast.Attribute) -> Any:
        """Return what an attribute is looked up in: of `env` that is the definition."""
        base = self.resolve(node.value)
        return self.namespace if base is env else base

    def role(self, node: ast.AST) -> str | None:
        """Return what an expression is of the contract's arguments, if it is one of them."""
        return self.roles.get(node.id) if isinstance(node, ast.Name) else None


def reached_functions(definition: Definition, findings: Findings) -> list[Function]:
    """Return the functions of the contract and those that they call, in order of discovery.

    Recursion is noted as a problem.
    """
    found: dict[Any, Function] = {}
    for name, roles in FUNCTIONS.items():
        function = getattr(definition.namespace, name, None)
        if function is not None:
            _visit(function, roles, name, (), found, findings, definition.namespace)
    return list(found.values())


def _visit(
    function: Any,
    roles: Sequence[str | None],
    name: str,
    callers: tuple[Any, ...],
    found: dict[Any, Function],
    findings: Findings,
    namespace: Any,
) -> None:
    if not isinstance(function, types.FunctionType) or not _is_authors(function):
        return
    if function in found and function not in callers:
        return
    if function in callers:
        one = found[function]
        findings.add(
            "recursion",
            f"{function.__name__} calls itself; recursion cannot be compiled.",
            "Write a loop; a stack may be a column of Scratch.",
            one.place(one.tree),
        )
        return
    tree = _parse(function)
    if tree is None:
        return
    arguments = [argument.arg for argument in tree.args.args]
    known = {a: role for a, role in zip(arguments, roles, strict=False) if role is not None}
    file = inspect.getsourcefile(function) or function.__code__.co_filename
    found[function] = this = Function(function, tree, file, known, name, namespace)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = this.resolve(node.func)
            passed = [this.role(argument) for argument in node.args]
            _visit(called, passed, name, (*callers, function), found, findings, namespace)


def _is_authors(function: types.FunctionType) -> bool:
    """Tell whether a function is neither of Python, of an installed package nor of a library."""
    module = function.__module__ or ""
    file = Path(function.__code__.co_filename)
    installed = module.startswith("batchsim.") or not INSTALLED & set(file.parts)
    return (
        module not in (*LIBRARIES, LISTS)
        and module.partition(".")[0] not in sys.stdlib_module_names
        and installed
    )


def _parse(function: Any) -> ast.FunctionDef | None:
    """Return a function's tree with the line numbers of its file, or None if there is none."""
    try:
        lines, start = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return None
    ast.increment_lineno(tree, start - 1)
    body = tree.body[0]
    return body if isinstance(body, ast.FunctionDef) else None


def return_place(functions: list[Function], name: str) -> Place:
    """Return where a function of the contract returns, or where it begins if at several places."""
    for function in functions:
        if function.name == name and function.function.__name__ == function.tree.name:
            returns = [node for node in ast.walk(function.tree) if isinstance(node, ast.Return)]
            return function.place(returns[0] if len(returns) == 1 else function.tree)
    return None
