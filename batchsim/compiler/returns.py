"""Tells from the source of `step` how many values it returns: two or three, always as many."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from batchsim.compiler.safety import parse

__all__ = ["EXPECTED", "HOW_TO_RETURN", "wrong_returns"]

EXPECTED = "expected reward, terminated, or reward, terminated, truncated"
HOW_TO_RETURN = (
    "step(s, i, action, p, rng) returns two values, `return 1.0, False`, or three by every "
    "`return`, `return 1.0, False, False`."
)


@dataclass(frozen=True)
class Returned:
    """A place where values are put together that `step` returns."""

    function: types.FunctionType
    node: ast.expr
    count: int

    @property
    def place(self) -> tuple[str, int]:
        """File and line."""
        return self.function.__code__.co_filename, self.node.lineno

    def __str__(self) -> str:
        return f"`{ast.unparse(self.node)}`" if self.count else "nothing"


def wrong_returns(step: Any) -> list[tuple[str, str, tuple[str, int]]]:
    """Return where a `step` returns neither two nor three values, or not as many everywhere.

    Of each place: what is wrong, what to write, file and line. What only a run can tell, such as
    the result of a function without source, is not among them.
    """
    places = list(_of_function(step, ()))
    found = [
        (f"step returns {place}; {EXPECTED}.", HOW_TO_RETURN, place.place)
        for place in places
        if place.count not in (2, 3)
    ]
    two, three = (next((p for p in places if p.count == count), None) for count in (2, 3))
    if two is not None and three is not None:
        file, line = three.place
        where = f"line {line}" if file == two.place[0] else f"{file}:{line}"
        message = (
            f"step returns two values, {two}, and three in {where}, {three}; expected as many by "
            "every return."
        )
        hint = "Add whether the episode is truncated: `return reward, terminated, False`."
        found.append((message, hint, two.place))
    return found


def _of_function(function: Any, callers: tuple[Any, ...]) -> Iterator[Returned]:
    """Yield where a function says what it returns, or a helper whose result it returns."""
    tree = parse(function)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Return):
            value = node.value or ast.Constant(None, lineno=node.lineno)
            yield from _of_expression(value, function, (*callers, function))


def _of_expression(node: ast.expr, function: Any, callers: tuple[Any, ...]) -> Iterator[Returned]:
    match node:
        case ast.Tuple(elts=parts):
            if not any(isinstance(part, ast.Starred) for part in parts):
                yield Returned(function, node, len(parts))
        case ast.Constant(value=value):
            yield Returned(function, node, 0 if value is None else 1)
        case ast.IfExp(body=one, orelse=other):
            yield from _of_expression(one, function, callers)
            yield from _of_expression(other, function, callers)
        case ast.Name(id=name) if (function, name) not in callers:
            for assigned in _assigned(name, function):
                yield from _of_expression(assigned, function, (*callers, (function, name)))
        case ast.Call(func=name):
            called = _resolve(name, function)
            if called not in callers:
                yield from _of_function(called, callers)


def _assigned(name: str, function: Any) -> Iterator[ast.expr]:
    """Yield the expressions whose values a function's variable is given."""
    tree = parse(function)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name) and target.id == name:
                    yield node.value


def _resolve(node: ast.expr, function: Any) -> Any:
    """Return what a function calls by its name, or by that of a module; None if it is unknown."""
    if isinstance(node, ast.Name) and node.id not in function.__code__.co_varnames:
        return function.__globals__.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _resolve(node.value, function)
        return getattr(owner, node.attr, None) if isinstance(owner, types.ModuleType) else None
    return None
