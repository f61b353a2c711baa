"""What is said of a class that is not converted."""

from __future__ import annotations

import ast
from dataclasses import dataclass

__all__ = ["ConversionError", "Refusal"]


@dataclass(frozen=True)
class Refusal:
    """One construct that is not converted.

    Attributes:
        file: the file's path, or "" if the refusal is about no line.
        line: the line's number, from 1.
        source: the line itself.
        construct: what the construct is called.
        reason: why it is not converted, in a clause.
        instead: what to write instead, in a sentence; may be empty.
    """

    file: str
    line: int
    source: str
    construct: str
    reason: str
    instead: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.file and self.line else ""
        shown = f"\n    {self.source}" if self.source else ""
        instead = f"\n  {self.instead}" if self.instead else ""
        return f"{where}{self.construct}: {self.reason}.{shown}{instead}"


class ConversionError(Exception):
    """A class is not converted; `refusals` say why, each with its place."""

    def __init__(self, *refusals: Refusal) -> None:
        super().__init__("\n".join(map(str, refusals)))
        self.refusals = refusals


def at(node: ast.AST | None, construct: str, reason: str, instead: str = "") -> ConversionError:
    """Return the error about a node of a module's tree, whose module is written on it."""
    module = getattr(node, "source", None)
    if node is None or module is None:
        return ConversionError(Refusal("", 0, "", construct, reason, instead))
    line = getattr(node, "lineno", 0)
    return ConversionError(
        Refusal(module.path, line, module.line(line), construct, reason, instead)
    )
