"""Which line of the author's each line of a definition was written for."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from batchsim.convert.compose import Composed

__all__ = ["lines_of"]


def lines_of(composed: Composed, text: str) -> dict[int, tuple[str, int]]:
    """Return file and line of the author's by the line of a definition's text.

    The text has been formatted, which moves lines but keeps each statement: the functions that were
    written and those of the text are walked side by side.
    """
    whole = composed.whole
    written = [*composed.functions, *(f.node for f in whole.functions.values() if f.node)]
    by_name = {node.name: node for node in written}
    found: dict[int, tuple[str, int]] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name in by_name:
            for ours, formatted in _pairs(by_name[node.name].body, node.body):
                origin = getattr(ours, "origin", None)
                if origin is not None:
                    for line in range(formatted.lineno, (formatted.end_lineno or 0) + 1):
                        found[line] = origin
    return found


def _pairs(ours: list[ast.stmt], formatted: list[ast.stmt]) -> Iterator[tuple[ast.stmt, ast.stmt]]:
    """Yield statements that are the same, outer ones first."""
    for one, other in zip(ours, formatted, strict=False):
        yield one, other
        for name in ("body", "orelse"):
            yield from _pairs(getattr(one, name, []), getattr(other, name, []))
