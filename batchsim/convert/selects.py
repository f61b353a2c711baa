"""Branches of plain assignments as choices, so that loops over rows vectorise.

    if done:                     reward = 1.0 if done else 0.0
        reward = 1.0       →     s.count[i] = s.count[i] + 1 if done else s.count[i]
        s.count[i] += 1
    else:
        reward = 0.0

Only in a `step` that is nothing but arithmetic of numbers: where there are loops or draws, a row's
branch costs nothing.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

__all__ = ["choose"]

MOST_BRANCHES = 4
MOST_TARGETS = 8
CALLS = frozenset({"sin", "cos", "power", "min", "max", "abs", "float", "int", "bool"})
STATEMENTS = ast.Assign | ast.AugAssign | ast.If | ast.Return | ast.Expr


def choose(function: ast.FunctionDef, derived: frozenset[str]) -> None:
    """Write choices in place of a function's branches, if it is nothing but arithmetic.

    Args:
        function: `step`; it is changed.
        derived: names of functions that compute with parameters alone.
    """
    if not all(_is_arithmetic(node, derived) for node in function.body):
        return
    function.body = [part for node in function.body for part in _chosen(node, function)]


def _is_arithmetic(node: ast.stmt, derived: frozenset[str]) -> bool:
    for part in ast.walk(node):
        if isinstance(part, ast.stmt) and not isinstance(part, STATEMENTS):
            return False
        if isinstance(part, ast.Call):
            name = part.func.id if isinstance(part.func, ast.Name) else ""
            if name not in CALLS and name not in derived:
                return False
    return True


def _chosen(node: ast.stmt, function: ast.FunctionDef) -> list[ast.stmt]:
    """Return a branch as choices, if it is one that may be written so."""
    if not isinstance(node, ast.If):
        return [node]
    branches = list(_branches(node))
    if len(branches) > MOST_BRANCHES or not any(
        isinstance(part, ast.Assign | ast.AugAssign) and isinstance(_target(part), ast.Subscript)
        for _, body in branches
        for part in body
    ):
        return [node]
    values: list[tuple[ast.expr | None, dict[str, ast.expr]]] = []
    for test, body in branches:
        assigned = _assigned(body)
        if assigned is None or (test is not None and not _is_cheap(test)):
            return [node]
        values.append((test, assigned))
    targets = {key: None for _, assigned in values for key in assigned}
    names = {key for key in targets if key.isidentifier()}
    complete = values[-1][0] is None and all(names <= set(assigned) for _, assigned in values)
    if len(targets) > MOST_TARGETS or (
        names and not complete and not _bound_before(names, node, function)
    ):
        return [node]
    return _choices(values, list(targets))


def _branches(node: ast.If) -> Iterator[tuple[ast.expr | None, list[ast.stmt]]]:
    """Yield conditions and bodies of a chain, the last without a condition."""
    yield node.test, node.body
    if len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
        yield from _branches(node.orelse[0])
    else:
        yield None, node.orelse


def _target(node: ast.Assign | ast.AugAssign) -> ast.expr:
    return node.targets[0] if isinstance(node, ast.Assign) else node.target


def _assigned(body: list[ast.stmt]) -> dict[str, ast.expr] | None:
    """Return what a branch assigns, by target; None if it does more than that."""
    found: dict[str, ast.expr] = {}
    for node in body:
        if isinstance(node, ast.Pass):
            continue
        if not isinstance(node, ast.Assign | ast.AugAssign):
            return None
        target = _target(node)
        is_column = isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Name)
        if not isinstance(target, ast.Name) and not is_column:
            return None
        value = node.value
        if isinstance(node, ast.AugAssign):
            value = ast.BinOp(_loaded(target), node.op, value)
        reads = {ast.unparse(part) for part in ast.walk(value)}
        key = ast.unparse(target)
        if key in found or reads & set(found) or not _is_cheap(value):
            return None
        found[key] = value
    return found


def _is_cheap(node: ast.expr) -> bool:
    """Return whether an expression may be evaluated though its branch is not taken."""
    return not any(
        isinstance(part, ast.Call)
        or (
            isinstance(part, ast.BinOp)
            and isinstance(part.op, ast.Div | ast.FloorDiv | ast.Mod | ast.Pow)
        )
        for part in ast.walk(node)
    )


def _bound_before(names: set[str], node: ast.If, function: ast.FunctionDef) -> bool:
    """Return whether variables have values before a branch that need not give them any."""
    found: set[str] = {argument.arg for argument in function.args.args}
    for before in function.body:
        if before is node:
            break
        if isinstance(before, ast.Assign):
            found |= {
                part.id
                for target in before.targets
                for part in ast.walk(target)
                if isinstance(part, ast.Name)
            }
    return names <= found


def _loaded(node: ast.expr) -> ast.expr:
    found = copy.deepcopy(node)
    found.ctx = ast.Load()  # type: ignore[attr-defined]
    return found


def _choices(
    values: list[tuple[ast.expr | None, dict[str, ast.expr]]], targets: list[str]
) -> list[ast.stmt]:
    """Return the assignments of choices; what they read of each other is read before."""
    written: list[ast.stmt] = []
    tests: list[ast.expr | None] = []
    for test, _ in values:
        reads = {ast.unparse(part) for part in ast.walk(test)} if test is not None else set()
        if test is not None and reads & set(targets):
            name = f"case_{len(written) + 1}"
            written.append(ast.Assign([ast.Name(name, ast.Store())], test, lineno=1))
            test = ast.Name(name, ast.Load())
        tests.append(test)
    chosen: dict[str, ast.expr] = {}
    for key in targets:
        old = _loaded(_parsed(key))
        value: ast.expr | None = None
        for test, (_, assigned) in reversed(list(zip(tests, values, strict=True))):
            mine = assigned.get(key, old)
            if test is None or value is None or ast.dump(mine) == ast.dump(value):
                value = mine
            else:
                value = ast.IfExp(copy.deepcopy(test), mine, value)
        assert value is not None
        chosen[key] = value
    left = dict(chosen)
    while left:
        # A target that no other choice still reads comes first.
        for key in left:
            others = [v for k, v in left.items() if k != key]
            if not any(key in {ast.unparse(p) for p in ast.walk(v)} for v in others):
                break
        target = _parsed(key)
        target.ctx = ast.Store()  # type: ignore[attr-defined]
        others = [v for k, v in left.items() if k != key]
        if any(key in {ast.unparse(p) for p in ast.walk(v)} for v in others):
            # In a circle: kept under a name until all are computed.
            return written + _all_at_once(left)
        written.append(ast.Assign([target], left.pop(key), lineno=1))
    return written


def _all_at_once(chosen: dict[str, ast.expr]) -> list[ast.stmt]:
    names = [f"next_{k}" for k in range(1, len(chosen) + 1)]
    before: list[ast.stmt] = [
        ast.Assign([ast.Name(name, ast.Store())], value, lineno=1)
        for name, value in zip(names, chosen.values(), strict=True)
    ]
    for name, key in zip(names, chosen, strict=True):
        target = _parsed(key)
        target.ctx = ast.Store()  # type: ignore[attr-defined]
        before.append(ast.Assign([target], ast.Name(name, ast.Load()), lineno=1))
    return before


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body
