"""What only shows in whole episodes: time limits and restarts, which are not step's business."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import numpy as np

from batchsim.checking.functions import Function
from batchsim.checking.problems import Findings, Place
from batchsim.checking.trials import Course, Step

__all__ = ["examine_episodes"]

ENOUGH = 4
"""So many episodes must agree before their agreement says something."""

TIME_LIMIT_HINT = (
    "Name it MAX_EPISODE_STEPS, leave it to the caller, or return it as the third value, "
    "truncated: learning treats that differently from termination."
)


def examine_episodes(
    courses: list[Course], functions: list[Function], place: Place, findings: Findings
) -> None:
    """Note time limits and restarts in step.

    Args:
        courses: what rows did, each from another seed.
        functions: the author's functions.
        place: where `step` returns.
        findings: where problems go.
    """
    episodes = [episode for course in courses for episode in course.episodes if episode]
    over = [episode for episode in episodes if episode[-1].terminated or episode[-1].truncated]
    _examine_restarts(over, place, findings)
    ended = [episode for episode in over if episode[-1].terminated]
    counters = _counters(episodes)
    # An episode that goes through its data, or through a deck of cards, ends with it.
    indices = [column for column in counters if _is_index(functions, column)]
    limit = _comparison_with_limit(functions, [name for name in counters if name not in indices])
    if limit is not None:
        column, text, where = limit
        findings.add(
            "time-limit",
            f"step counts steps in s.{column} and terminates by `{text}`: a time limit.",
            TIME_LIMIT_HINT,
            where,
        )
    lengths = {len(episode) for episode in ended}
    told = indices or limit is not None
    if not told and len(ended) >= ENOUGH and len(lengths) == 1 and lengths != {1}:
        counted = f" (s.{counters[0]} counts them)" if counters else ""
        findings.add(
            "same-length",
            f"step terminates every episode after {lengths.pop()} steps, whatever the seed and "
            f"the actions{counted}.",
            f"If that is a time limit: {TIME_LIMIT_HINT[0].lower()}{TIME_LIMIT_HINT[1:]}",
            place,
        )


def _examine_restarts(over: list[list[Step]], place: Place, findings: Findings) -> None:
    if len(over) >= ENOUGH and all(episode[-1].restarted for episode in over):
        findings.add(
            "restart",
            "step leaves a row that is over as a reset would: it starts the next episode itself.",
            "Only return that it is over: batchsim resets the row, in the autoreset mode that the "
            "caller chose.",
            place,
        )


def _counters(episodes: list[list[Step]]) -> list[str]:
    """Return the scalar columns that grow by one in every step, from the same start."""
    steps = [step for episode in episodes for step in episode]
    if not steps:
        return []
    found = []
    for name, first in steps[0].before.items():
        if first.ndim == 0 and first.dtype.kind in "iuf":
            starts = {float(episode[0].before[name]) for episode in episodes}
            grows = (float(step.after[name]) - float(step.before[name]) == 1.0 for step in steps)
            if len(starts) == 1 and len(steps) > ENOUGH and all(grows):
                found.append(name)
    return found


def _comparison_with_limit(
    functions: list[Function], counters: list[str]
) -> tuple[str, str, Place] | None:
    """Return the comparison of a counter with a constant by which `step` terminates.

    That is the column, the text and the place.
    """
    for function in functions:
        if function.name != "step" or "action" not in function.roles.values():
            continue
        decisive = set(_terminating(function.tree))
        for column in counters:
            names = _names_of_column(function, column)
            for node in ast.walk(function.tree):
                if not isinstance(node, ast.Compare) or node not in decisive:
                    continue
                sides = [node.left, *node.comparators]
                counts = [_is_count(side, function, column, names) for side in sides]
                if any(counts) and all(
                    count or _is_constant(side, function)
                    for side, count in zip(sides, counts, strict=True)
                ):
                    return column, ast.unparse(node), function.place(node)
    return None


def _is_constant(node: ast.expr, function: Function) -> bool:
    """Tell whether an expression is made of numbers and parameters alone."""
    if isinstance(node, (ast.BinOp, ast.UnaryOp)):
        parts = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]
        return all(_is_constant(part, function) for part in parts)
    if isinstance(node, ast.Attribute) and function.role(node.value) == "p":
        return True  # An array is compared by its elements, or by its length.
    value = node.value if isinstance(node, ast.Constant) else function.resolve(node)
    return isinstance(value, (int, float))


def _is_index(functions: list[Function], column: str) -> bool:
    """Tell whether a column's value says which element of an array is used."""
    for function in functions:
        names = _names_of_column(function, column)
        for node in ast.walk(function.tree):
            if isinstance(node, ast.Subscript) and any(
                isinstance(part, ast.expr) and _is_count(part, function, column, names)
                for part in ast.walk(node.slice)
            ):
                return True
    return False


def _names_of_column(function: Function, column: str) -> set[str]:
    """Return the variables that hold a column's value, or that plus a number."""
    names: set[str] = set()
    for node in ast.walk(function.tree):
        if isinstance(node, ast.Assign) and _is_count(node.value, function, column, names):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return names


def _is_count(node: ast.expr, function: Function, column: str, names: set[str]) -> bool:
    """Tell whether an expression is `s.column[i]`, a variable of that value, or that plus one."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        sides = [node.left, node.right]
        return any(isinstance(side, ast.Constant) for side in sides) and any(
            _is_count(side, function, column, names) for side in sides
        )
    if isinstance(node, ast.Call) and len(node.args) == 1 and isinstance(node.func, ast.Name):
        return _is_count(node.args[0], function, column, names)  # int(…)
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute):
        return node.value.attr == column and function.role(node.value.value) == "s"
    return isinstance(node, ast.Name) and node.id in names


def _terminating(tree: ast.FunctionDef) -> Iterator[ast.AST]:
    """Yield the nodes of expressions that decide what `step` returns as terminated."""
    names: set[str] = set()
    ends: list[ast.AST] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            ends += node.value.elts[1:2]
    # An assignment may use variables assigned before it: twice is as deep as people write.
    for _ in range(2):
        for end in ends:
            names.update(node.id for node in ast.walk(end) if isinstance(node, ast.Name))
        ends += [node.value for node in ast.walk(tree) if _assigns(node, names)]  # type: ignore[attr-defined]
    for end in ends:
        yield from ast.walk(end)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and any(_ends_episode(part, names) for part in node.body):
            yield from ast.walk(node.test)


def _assigns(node: ast.AST, names: set[str]) -> bool:
    if isinstance(node, ast.Assign):
        return any(isinstance(target, ast.Name) and target.id in names for target in node.targets)
    return isinstance(node, ast.AugAssign) and getattr(node.target, "id", None) in names


def _ends_episode(statement: ast.stmt, names: set[str]) -> bool:
    """Tell whether a statement sets terminated to True."""
    value: ast.expr | None = None
    if isinstance(statement, ast.Assign) and _assigns(statement, names):
        value = statement.value
    elif isinstance(statement, ast.Return) and isinstance(statement.value, ast.Tuple):
        value = next(iter(statement.value.elts[1:2]), None)
    return isinstance(value, ast.Constant) and value.value is True


def ignores_actions(one: Course, other: Course) -> bool:
    """Tell whether two courses with other actions are the same in all that a caller sees."""
    return (
        len(one.seen) == len(other.seen) > 0
        and one.difference(other) == ""
        and bool(np.size(one.seen[0][1]))
    )
