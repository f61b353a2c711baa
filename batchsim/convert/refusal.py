"""What is said of a class that is not converted."""

from __future__ import annotations

import ast
import traceback
from dataclasses import dataclass
from pathlib import Path

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


def line_of(path: str, number: int) -> str:
    """Return a line of a file, without the space around it; an empty one if there is none."""
    if not path:
        return ""
    lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[number - 1].strip() if 0 < number <= len(lines) else ""


def raised(error: BaseException, construct: str, reason: str) -> Refusal:
    """Return the refusal of what raised an exception, at the innermost line of the author's."""
    here = Path(__file__).parent
    frames = traceback.extract_tb(error.__traceback__)
    others = [frame for frame in frames if not Path(frame.filename).is_relative_to(here)]
    own = [frame for frame in others if "site-packages" not in frame.filename] or others
    if not own:
        return Refusal("", 0, "", construct, reason)
    place = own[-1]
    return Refusal(place.filename, place.lineno or 0, place.line or "", construct, reason)


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
