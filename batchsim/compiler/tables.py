"""Tells from an environment's source which tables are used as whole arrays: `p.prices * stock`.

The length of such a table is compiled in, if it is small, as NumPy's functions want shapes that are
known. Where a table is only indexed, gone through by numbers, or asked for its length, one kernel
serves all lengths. What is not understood counts as a use of the whole.
"""

from __future__ import annotations

import ast
import types
import weakref
from collections.abc import Collection, Iterator
from typing import Any

from batchsim.compiler.safety import parse
from batchsim.definition import Definition
from batchsim.family import is_namespace

__all__ = ["used_as_arrays"]

DESCRIPTIONS = ("dtype", "ndim", "shape", "size")
NUMPY = ("np", "numpy")


_known: weakref.WeakKeyDictionary[types.FunctionType, dict[frozenset[str], frozenset[str]]]
_known = weakref.WeakKeyDictionary()
"""Of functions, which of the tables that they mention are used as whole arrays."""


def used_as_arrays(definition: Definition, tables: Collection[str]) -> tuple[str, ...]:
    """Return which tables are used as whole arrays.

    Args:
        definition: the environment.
        tables: the names of those that matter.
    """
    found: set[str] = set()
    for function in _functions(definition) if tables else ():
        mentioned = frozenset(tables).intersection(function.__code__.co_names)
        if mentioned - found:
            found |= _used_in(function, mentioned)
    return tuple(name for name in tables if name in found)


def _used_in(function: types.FunctionType, mentioned: frozenset[str]) -> frozenset[str]:
    known = _known.setdefault(function, {})
    if mentioned not in known:
        tree = parse(function)
        known[mentioned] = mentioned if tree is None else frozenset(_whole(tree, mentioned))
    return known[mentioned]


def _functions(definition: Definition) -> Iterator[types.FunctionType]:
    """Return the functions of an environment, and those that they may call."""
    waiting: list[Any] = [
        definition.reset, definition.step, definition.observe, definition.inform,
    ]  # fmt: skip
    seen: set[Any] = set()
    while waiting:
        function = waiting.pop()
        if not isinstance(function, types.FunctionType) or function in seen:
            continue
        seen.add(function)
        yield function
        names = function.__code__.co_names
        values = [function.__globals__.get(name) for name in names]
        owners = [definition.namespace, *filter(_has_functions, values)]
        waiting += values
        waiting += [getattr(owner, name, None) for owner in owners for name in names]


def _has_functions(value: Any) -> bool:
    return isinstance(value, types.ModuleType) or is_namespace(value)


def _whole(tree: ast.AST, tables: Collection[str]) -> Iterator[str]:
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    attributes = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    for node in attributes:
        if node.attr in tables and not _is_indexed(node, parents):
            yield node.attr


def _is_indexed(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Tell whether only elements, rows or the length of a table are used."""
    parent = parents.get(node)
    if isinstance(parent, ast.Subscript) and parent.value is node:
        index = parent.slice
        first = index.elts[0] if isinstance(index, ast.Tuple) and index.elts else index
        return not isinstance(first, (ast.Slice, ast.Constant, ast.Tuple)) or (
            isinstance(first, ast.Constant) and isinstance(first.value, int)
        )
    is_length = isinstance(parent, ast.Call) and getattr(parent.func, "id", "") == "len"
    if not is_length and getattr(parent, "attr", "") not in DESCRIPTIONS:
        return False
    # A length that decides a shape, `np.zeros(len(p.prices))`, must be known.
    above: Any = parent
    while above is not None:
        function = getattr(above, "func", None)
        if getattr(getattr(function, "value", None), "id", "") in NUMPY:
            return False
        above = parents.get(above)
    return True
