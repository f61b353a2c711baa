"""Which lines of the author's never ran while episodes were watched."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any

from batchsim.convert.report import Place

__all__ = ["RAN", "Coverage"]

RAN = "__batchsim_ran__"
COMPOUND = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.Match)
BODIES = ("body", "orelse", "finalbody")


class Coverage:
    """Notes which runs of statements are begun: those that nothing branches off in between.

    Attributes:
        ran: their numbers; functions call its `add`.
        lines: the number of the run that a line is in, by file and line.
    """

    def __init__(self) -> None:
        self.ran: set[int] = set()
        self.lines: dict[tuple[str, int], int] = {}
        self.count = 0

    def marked(self, tree: ast.Module) -> ast.Module:
        """Return a module's tree whose functions note what they begin."""
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                self._mark_bodies(node)
        return tree

    def _mark_bodies(self, node: ast.AST) -> None:
        for name in BODIES:
            body = getattr(node, name, None)
            if isinstance(body, list) and body and isinstance(body[0], ast.stmt):
                setattr(node, name, list(self._mark(body)))
        for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
            self._mark_bodies(part)

    def _mark(self, body: list[ast.stmt]) -> Iterator[ast.stmt]:
        begun = False
        for node in body:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                yield node  # a docstring stays in front
                continue
            if not begun:
                self.count += 1
                call = ast.Call(ast.Name(RAN, ast.Load()), [ast.Constant(self.count)], [])
                yield ast.copy_location(ast.Expr(call), node)
            source: Any = node.source  # type: ignore[attr-defined]
            self.lines[source.path, node.lineno] = self.count
            begun = not isinstance(node, COMPOUND)
            if isinstance(node, COMPOUND):
                self._mark_bodies(node)
            yield node

    def unrun(self, functions: Iterable[ast.AST]) -> list[Place]:
        """Return the lines of functions that did not run."""
        found = {}
        for function in functions:
            module = function.source  # type: ignore[attr-defined]
            for node in ast.walk(function):
                key = (module.path, getattr(node, "lineno", 0))
                if isinstance(node, ast.stmt) and self.lines.get(key, 0) not in {0, *self.ran}:
                    found[key] = Place(*key, module.line(node.lineno))
        return [found[key] for key in sorted(found)]
