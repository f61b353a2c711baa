"""The author's comments, put where the lines have come to that they were written at."""

from __future__ import annotations

import io
import tokenize

from batchsim.convert.compose import Composed
from batchsim.convert.lines import lines_of
from batchsim.convert.program import Module

__all__ = ["with_comments"]

WIDTH = 100
LAYOUT = (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
NO_COMMENTS = ("noqa", "type:", "pragma", "pylint", "fmt:", "ruff:", "mypy:", "todo", "fixme", "!")


def with_comments(composed: Composed, text: str) -> str:
    """Return the text of a definition with comments above what was written for their lines."""
    comments = {
        module.path: _comments(module) for module in composed.whole.program.modules.values()
    }
    left = {path: dict(found) for path, found in comments.items()}
    lines = text.splitlines()
    origins = lines_of(composed, text)
    written: list[str] = []
    seen: set[tuple[str, int]] = set()
    for number, line in enumerate(lines, start=1):
        origin = origins.get(number)
        if origin is not None and origin not in seen:
            seen.add(origin)
            path, source = origin
            indent = line[: len(line) - len(line.lstrip())]
            for comment in left.get(path, {}).pop(source, []):
                if len(indent) + len(comment) <= WIDTH:
                    written.append(indent + comment)
        written.append(line)
    return "\n".join(written) + "\n"


def _comments(module: Module) -> dict[int, list[str]]:
    """Return the comments of a module by the line that they stand above, or at the end of."""
    found: dict[int, list[str]] = {}
    above: list[str] = []
    source = "\n".join(module.lines) + "\n"
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    for token in tokens:
        line = token.start[0]
        if token.type == tokenize.COMMENT:
            body = token.string.lstrip("#").strip()
            if (
                not body
                or body.lower().startswith(NO_COMMENTS)
                or not any(c.isalnum() for c in body)
            ):
                continue
            comment = f"# {body}"
            if module.lines[line - 1].strip().startswith("#"):
                above.append(comment)
            else:
                found.setdefault(line, []).append(comment)
        elif above and token.type not in LAYOUT:
            found[line] = above + found.get(line, [])
            above = []
    return found
