"""What the check finds: problems with a place in the author's file, none of them twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from batchsim.definition import suggest

__all__ = ["KINDS", "CheckError", "Findings", "Place", "Problem", "Report"]

Place = tuple[str, int] | None
"""File and line."""

KINDS: Mapping[str, str] = {
    # The contract.
    "missing": "a name of the contract is missing",
    "arguments": "a function takes other arguments than the contract's",
    "field": "a field of State, Scratch, Info or Params has no usable type or default value",
    "clash": "two groups of fields share a name",
    "size": "the shape of a column names something else than a parameter, or is none",
    "tables": "tables fails, or returns something else than arrays",
    "space": "OBSERVATION or ACTION is not a supported space",
    "string": "text fails, or returns something else than a string of its space",
    "keys": "KEYS names a key that there is not, or gives an action that is not in the space",
    "definition": "the definition is refused for another reason",
    # What the compiler cannot do, found in the source.
    "allocation": "a function makes what needs memory, such as a sorted array or a list",
    "object": "a function uses lists, dicts, sets, classes or other Python objects",
    "text": "a function uses strings or prints",
    "exception": "a function raises, catches or asserts",
    "recursion": "a function calls itself",
    "endless": "a function does not return",
    "closure": "a function uses a variable of an enclosing function, or defines a function",
    "global": "a function changes a module-level variable, or uses one that compiled code cannot",
    "module-call": "a method, or a function of Python's own modules through its module, is called",
    "random": "randomness or time that no seed decides, or a stream of another kind than `RANDOM`",
    "name": "a name is not defined",
    "compile": "the compiler refuses the functions for another reason",
    # How the functions use what they are given.
    "unknown-field": "a function uses a field that State does not have",
    "unknown-parameter": "a function uses a parameter that there is not",
    "another-row": "a function uses another row than its own",
    "whole-column": "a function uses a column without a row",
    "out-of-bounds": "an index is beyond the end",
    "negative-index": "an index is negative and counts from the end",
    "read-only": "a function writes what it may only read",
    "uninitialised": "a value is read that was not written before",
    "unwritten": "an element of an observation or an info is not written",
    "does-not-fit": "a value does not fit the dtype of where it is written",
    "raises": "a function raises an exception as plain Python",
    # What the functions return and write.
    "return": "a function does not return what it should",
    "reward": "a reward is not finite",
    "outside": "an observation is NaN or outside the observation space",
    "restart": "step starts the next episode itself",
    # How runs compare.
    "not-reproducible": "the same seed and actions give different episodes",
    "check-state": "check_state refuses a state that stepping reaches, or fails",
    "row-number": "an episode depends on the number of its row, of all rows or of the threads",
    "backends": "compiled code and plain Python differ",
    # Hints: they may be meant.
    "precision": "fast precision does not compile or is far from exact",
    "time-limit": "step terminates episodes after a constant number of steps",
    "same-length": "all episodes end after the same number of steps",
    "ignores-actions": "nothing depends on the actions",
}
"""The kinds of problems, and what each says."""

HINTS = ("precision", "time-limit", "same-length", "ignores-actions")
"""Kinds that may be meant: they are reported, and the check passes all the same."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, in one sentence."""

    kind: str
    """One of `KINDS`."""
    message: str
    hint: str = ""
    """What to write instead."""
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        where = f"{_short(self.file)}:{self.line}: " if self.file is not None else ""
        return where + self.message


def _short(file: str) -> str:
    """Return the path as seen from the working directory, if the file lies there."""
    path, here = Path(file), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else file


@dataclass(frozen=True)
class Report:
    """What a check that passed has tried, and hints at what may be wrong."""

    name: str
    tried: tuple[str, ...]
    hints: tuple[Problem, ...]

    def __str__(self) -> str:
        lines = [f"{self.name} passes:", *(f"  {sentence}" for sentence in self.tried)]
        return "\n".join(lines + _lines(self.hints))


class CheckError(Exception):
    """An environment is wrong.

    Attributes:
        problems: what is wrong, a tuple of `Problem`.
        hints: what may be wrong.
    """

    def __init__(self, name: str, problems: Iterable[Problem], hints: Iterable[Problem]) -> None:
        self.name = name
        self.problems = tuple(problems)
        self.hints = tuple(hints)
        super().__init__(name, self.problems, self.hints)

    def __str__(self) -> str:
        count = len(self.problems)
        first = f"{self.name} has {count} problem{'s' if count > 1 else ''}:"
        return "\n".join([first, *_lines(self.problems), *_lines(self.hints)])


def _lines(problems: Iterable[Problem]) -> list[str]:
    lines = []
    for problem in problems:
        lines.append(str(problem))
        if problem.hint:
            lines.append(f"    {problem.hint}")
    return lines


class Findings:
    """Collects problems; of one kind, one a line of the source.

    Args:
        ignored: kinds that are not collected.

    Raises:
        ValueError: if there is no such kind.
    """

    def __init__(self, ignored: Iterable[str]) -> None:
        self.ignored = frozenset(ignored)
        for kind in sorted(self.ignored):
            if kind not in KINDS:
                raise ValueError(
                    f"There is no kind of problem {kind!r}{suggest(kind, KINDS)}; "
                    f"the kinds are {', '.join(KINDS)}."
                )
        self.problems: list[Problem] = []
        self.hints: list[Problem] = []
        self._seen: set[tuple[str, Place | str]] = set()

    def add(self, kind: str, message: str, hint: str = "", place: Place = None) -> None:
        """Note a problem, unless the same kind was noted at the same place."""
        # Of what is missing, there may be several in one place.
        key = (kind, message if place is None or kind == "missing" else place)
        if kind in self.ignored or key in self._seen:
            return
        # An exception follows from what is known to be wrong with its line.
        if kind == "raises" and place in (where for _, where in self._seen):
            return
        self._seen.add(key)
        file, line = place or (None, None)
        problem = Problem(kind, message, hint, file, line)
        (self.hints if kind in HINTS else self.problems).append(problem)

    def has(self, *kinds: str) -> bool:
        """Tell whether a problem of one of these kinds was found."""
        return any(problem.kind in kinds for problem in self.problems)
