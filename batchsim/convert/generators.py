"""Generators as functions that return lists, where all that is yielded is asked for at once.

The definition is written of such a function, and it is what is watched. What the definition is
compared with is the author's, as it is.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

__all__ = ["listed"]

TAKE_ALL = frozenset(
    {"list", "tuple", "sorted", "set", "sum", "any", "all", "min", "max", "enumerate", "zip"}
    | {"deque", "extend", "array", "map", "filter"}
)
ENDLESS = frozenset({"count", "cycle", "repeat"})


def listed(tree: ast.Module) -> None:
    """Rewrite the generators of a module that can be written as lists."""
    whole = taken_whole(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in whole and _may_be_list(node):
            _rewrite(node)


def taken_whole(tree: ast.Module) -> set[str]:
    """Return the names of functions whose calls are gone through where they are called."""
    inside: set[int] = set()
    for node in ast.walk(tree):
        match node:
            case ast.For() | ast.comprehension():
                inside.add(id(node.iter))
            case ast.Starred() | ast.YieldFrom():
                inside.add(id(node.value))
            case ast.Call():
                name = _name(node)
                if name in TAKE_ALL:
                    inside |= set(map(id, node.args))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {_name(call) for call in calls} - {_name(c) for c in calls if id(c) not in inside}


def _name(call: ast.Call) -> str:
    func = call.func
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


def _own(nodes: Iterable[ast.AST]) -> Iterable[ast.AST]:
    """Yield the nodes of a function that are in no function within it."""
    for node in nodes:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            yield from _own(ast.iter_child_nodes(node))


def _may_be_list(function: ast.FunctionDef) -> bool:
    """Return whether a function yields, in statements of their own and in loops that end."""
    yields = [n for n in _own(function.body) if isinstance(n, ast.Yield | ast.YieldFrom)]
    said = [n.value for n in _own(function.body) if isinstance(n, ast.Expr)]
    endless = any(
        isinstance(node, ast.While) or (isinstance(node, ast.Call) and _name(node) in ENDLESS)
        for node in _own(function.body)
    )
    alone = all(any(node is other for other in said) for node in yields)
    return bool(yields) and alone and not endless and not function.decorator_list


def _rewrite(function: ast.FunctionDef) -> None:
    name = "yielded"
    while any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(function)):
        name += "_"

    class Listed(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
            return node

        def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
            return node

        def visit_Expr(self, node: ast.Expr) -> ast.AST:
            given = node.value
            if not isinstance(given, ast.Yield | ast.YieldFrom):
                return node
            how = "append" if isinstance(given, ast.Yield) else "extend"
            value = given.value or ast.Constant(None)
            made = ast.parse(f"{name}.{how}(0)").body[0]
            assert isinstance(made, ast.Expr)
            assert isinstance(made.value, ast.Call)
            made.value.args = [value]
            return _placed(made, node)

        def visit_Return(self, node: ast.Return) -> ast.AST:
            return _placed(ast.parse(f"return {name}").body[0], node)

    body = [Listed().visit(node) for node in function.body]
    begins = _placed(ast.parse(f"{name} = []").body[0], function.body[0])
    ends = _placed(ast.parse(f"return {name}").body[0], function.body[-1])
    function.body = [begins, *body, ends]


def _placed(made: ast.stmt, node: ast.stmt) -> ast.stmt:
    """Return a statement where another stood."""
    for part in ast.walk(made):
        if not hasattr(part, "k"):
            ast.copy_location(part, node)
    return made
