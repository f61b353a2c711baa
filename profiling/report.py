"""What the sessions share: measuring lines and calls, the report, and the command line."""

from __future__ import annotations

import dataclasses
import datetime
import inspect
import linecache
import re
import statistics
import sysconfig
import timeit
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from line_profiler import LineProfiler

from batchsim import registry
from batchsim.commands import options
from batchsim.commands.options import UsageError
from batchsim.ladder.machine import describe, describe_machine, find_version, find_versions

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "profiling" / "reports"
WIDTH = 100
"""Columns of a report's listings."""

EnvArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="Environment id; or module:Definition, module or path/to/file.py:Definition of an "
        "environment of yours.",
    ),
]
"""What the sessions on an environment's own code are told."""

HEADS = f"{'line':>5} {'hits':>7} {'ns/hit':>7} {'net ns':>8} {'share':>6}  source"


# -- lines -----------------------------------------------------------------------------------------


@dataclasses.dataclass
class Line:
    """One line of a profiled function."""

    number: int
    hits: int
    nanoseconds: float
    """All hits together, what the tracing costs included."""


@dataclasses.dataclass
class Profile:
    """One function, line by line."""

    name: str
    file: str
    first_line: int
    lines: list[Line]

    @property
    def hits(self) -> int:
        """How often the function was called: the hits of its first line."""
        return self.lines[0].hits

    @property
    def nanoseconds(self) -> float:
        """All calls together, what the tracing costs included."""
        return sum(line.nanoseconds for line in self.lines)

    def net(self, line: Line, floor: float) -> float:
        """Return a line's time without what the tracing costs."""
        return max(0.0, line.nanoseconds - line.hits * floor)

    def source(self) -> list[tuple[int, str]]:
        """Return the numbers and texts of the function's lines."""
        text = [linecache.getline(self.file, self.first_line + k) for k in range(1000)]
        block = inspect.getblock(text) if self.file.endswith(".py") else _cython_block(text)
        return [(self.first_line + k, line.rstrip()) for k, line in enumerate(block)]


def _cython_block(text: list[str]) -> list[str]:
    """Return the lines of a function whose first line comes first; `inspect` reads no `cdef`."""
    indent = len(text[0]) - len(text[0].lstrip())
    end = 1
    while end < len(text) and (
        not text[end].strip()
        or len(text[end]) - len(text[end].lstrip()) > indent
        or text[end].strip().startswith(")")
    ):
        end += 1
    while not text[end - 1].strip():
        end -= 1
    return text[:end]


def profile(
    functions: Iterable[Any], run: Callable[[LineProfiler], Iterator[None]]
) -> list[Profile]:
    """Return how long each line of `functions` took while `run(profiler)` was at work.

    Functions stand for their code: line_profiler marks the code object that a function has now, so
    that copies made before are not seen, and copies made afterwards are.

    Args:
        functions: what to profile.
        run: yields now and then; a line's time is its hits times the median of what a hit took in
            the pieces between, so that an interruption of one counts for nothing.
    """
    functions = list(functions)
    codes = [function.__code__ for function in functions]
    profiler = LineProfiler()
    for function in functions:
        # LineProfiler's own method would refuse what only stands for a function.
        super(LineProfiler, profiler).add_function(function)
    try:
        return _profile_pieces(profiler, run)
    finally:
        # The marked code would be another function to whoever reads it: a kernel's, for instance.
        for function, code in zip(functions, codes, strict=True):
            function.__code__ = code


def _profile_pieces(
    profiler: LineProfiler, run: Callable[[LineProfiler], Iterator[None]]
) -> list[Profile]:
    before: dict[Any, tuple[int, float]] = {}
    pieces: dict[Any, list[float]] = {}
    for _ in run(profiler):
        stats = profiler.get_stats()
        for function, rows in stats.timings.items():
            for number, hits, time in rows:
                key = function, number
                hits_before, time_before = before.get(key, (0, 0))
                if hits > hits_before:
                    each = (time - time_before) / (hits - hits_before)
                    pieces.setdefault(key, []).append(each * stats.unit * 1e9)
                before[key] = hits, time
    found = []
    for function in stats.timings:
        lines = [
            Line(number, hits, hits * statistics.median(pieces[key]))
            for key, (hits, _) in before.items()
            for name, number in [key]
            if name == function
        ]
        if lines:
            file, first, name = function
            found.append(Profile(name, file, first, sorted(lines, key=lambda line: line.number)))
    return found


PIECES = 25
"""How many pieces a run is cut into."""


def pieces_of(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yield the items in pieces of about equal size."""
    size = max(1, len(items) // PIECES)
    for start in range(0, len(items), size):
        yield items[start : start + size]


def floor_of(profiles: Sequence[Profile]) -> float:
    """Return the time of the cheapest line: about what the tracing adds to each, in ns."""
    return min(
        (line.nanoseconds / line.hits for one in profiles for line in one.lines if line.hits),
        default=0.0,
    )


def list_lines(one: Profile, calls: int, floor: float, brief: bool = False) -> str:
    """Return a function's source with hits and nanoseconds beside it.

    Args:
        one: the function.
        calls: what the figures are divided by, such as the number of steps.
        floor: what the tracing adds to each line (ns).
        brief: lines that did not run are left out, and the heads of the columns.
    """
    total = sum(one.net(line, floor) for line in one.lines) or 1.0
    measured = {line.number: line for line in one.lines}
    rows = [] if brief else [HEADS]
    source = one.source()
    indent = len(source[0][1]) - len(source[0][1].lstrip())
    for number, text in _without_docstring(source, measured):
        if brief and number not in measured and number != one.first_line:
            continue
        figures = " " * 31
        if number in measured:
            line = measured[number]
            net = one.net(line, floor)
            figures = (
                f"{line.hits / calls:>7.2f} {line.nanoseconds / line.hits:>7.0f} "
                f"{net / calls:>8.0f} {net / total:>6.1%}"
            )
        row = f"{number:>5} {figures}  {text[indent:]}".rstrip()
        rows.append(row if len(row) <= WIDTH else row[: WIDTH - 1] + "…")
    return "\n".join(rows)


def _without_docstring(
    source: list[tuple[int, str]], measured: dict[int, Line]
) -> Iterable[tuple[int, str]]:
    """Yield the lines of code: no blank lines, comments or docstring."""
    quoted = ""
    for number, text in source:
        stripped = text.strip()
        if quoted:
            if quoted in stripped:
                quoted = ""
            continue
        opening = stripped[:3] if stripped[:3] in ('"""', "'''") else ""
        if opening and number not in measured:
            if opening not in stripped[3:]:
                quoted = opening
            continue
        if stripped and not stripped.startswith("#"):
            yield number, text


# -- calls -----------------------------------------------------------------------------------------

BLOCK = 0.0005
"""Seconds that calls are timed for in one piece: short beside the slices of a busy scheduler."""


def nanoseconds(call: Callable[[], Any], seconds: float = 0.2) -> float:
    """Return how long a call takes in ns: the fastest block of calls, nothing traced."""
    return race({"": call}, seconds)[""]


def race(calls: Mapping[str, Callable[[], Any]], seconds: float = 0.2) -> dict[str, float]:
    """Return how long each of several calls takes in ns, timed for `seconds` each.

    They take turns, block by block, so that a busy moment of the machine falls on all of them; the
    fastest block of each counts.
    """
    timers = {name: timeit.Timer(call) for name, call in calls.items()}
    numbers = {}
    block = BLOCK
    for name, timer in timers.items():
        number = 1
        while (spent := timer.timeit(number)) < BLOCK / 4:
            number *= 2
        numbers[name] = max(1, int(number * BLOCK / spent))
        block = max(block, spent / number)
    fastest = dict.fromkeys(calls, float("inf"))
    for _ in range(max(3, int(seconds / block))):
        for name, timer in timers.items():
            fastest[name] = min(fastest[name], timer.timeit(numbers[name]) / numbers[name])
    return {name: spent * 1e9 for name, spent in fastest.items()}


# -- the report ------------------------------------------------------------------------------------


class Report:
    """A Markdown file: the head, what it says in a few sentences, and the sections.

    Args:
        title: the heading.
        command: what makes this report.
        traced: whether it does so with line_profiler.
    """

    def __init__(self, title: str, command: str, traced: bool = True) -> None:
        versions = find_versions()
        versions.pop("envpool", None)
        profiler = f" with line_profiler {find_version('line_profiler')}" if traced else ""
        machine = describe(describe_machine(), versions, datetime.date.today().isoformat())
        self.head = f"# {title}\n\nMade by `{command}`{profiler} on {machine}."
        self.sentences: list[str] = []
        self.sections: list[str] = []

    def say(self, sentence: str) -> None:
        """Add a sentence to what the report says."""
        self.sentences.append(sentence)

    def add(self, heading: str, *parts: str) -> None:
        """Add a section; the parts are paragraphs, tables or listings."""
        self.sections.append("\n\n".join([f"## {heading}", *parts]))

    def add_lines(self, one: Profile, calls: int, floor: float) -> None:
        """Add a function's listing below the section before; the arguments are `list_lines`'s."""
        heading = f"### `{one.name}`, {relative(one.file)}, line {one.first_line}"
        self.sections.append(f"{heading}\n\n{listing(list_lines(one, calls, floor))}")

    def add_brief_lines(self, functions: Iterable[tuple[Profile, int, float, str]]) -> None:
        """Add several functions in one listing, each `list_lines`'s arguments and a note."""
        parts = [HEADS]
        for one, calls, floor, note in functions:
            parts.append(f"\n{one.name}, {relative(one.file)}{note}")
            parts.append(list_lines(one, calls, floor, brief=True))
        self.sections.append(listing("\n".join(parts)))

    def write(self, path: Path) -> None:
        """Write the report and say where it lies."""
        says = "\n".join(f"- {sentence}" for sentence in self.sentences)
        text = "\n\n".join([self.head, f"## What this says\n\n{says}", *self.sections]) + "\n"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
        typer.echo(f"{relative(path)}:")
        for sentence in self.sentences:
            typer.echo(f"- {sentence}")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, aligned; the first column is text, the others figures."""
    cells = [list(map(str, heads)), *(list(map(str, row)) for row in rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(heads))]

    def line(row: Sequence[str]) -> str:
        texts = [
            row[0].ljust(widths[0]),
            *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
        ]
        return "| " + " | ".join(texts) + " |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(cells[0]), "| " + " | ".join(rule) + " |", *map(line, cells[1:])])


def listing(text: str) -> str:
    """Return a listing between fences."""
    return f"```text\n{text}\n```"


def explain_lines(floor: float, per: str) -> str:
    """Return what the columns of `list_lines` mean."""
    return (
        f"Tracing adds to every line: the cheapest one shows {floor:.0f} ns a hit, which `net ns` "
        f"leaves out. Hits and net are {per}. A line that calls Python functions is overstated: "
        "their lines are traced too, listed here or not."
    )


def relative(path: str | Path) -> str:
    """Return a path without what is this machine's own."""
    full = Path(path).resolve()
    purelib, stdlib = (Path(sysconfig.get_path(name)) for name in ("purelib", "stdlib"))
    # An environment's site-packages may lie in the checkout.
    for base in (purelib.resolve(), ROOT / "build" / "profiling", ROOT, stdlib.resolve()):
        if full.is_relative_to(base):
            return full.relative_to(base).as_posix()
    return full.name


def shown(target: str) -> str:
    """Return an environment as a command line may name it, without this machine's paths."""
    path, _, name = target.partition(".py")
    return f"{relative(path + '.py')}{name}" if name != target and ".py" in target else target


def file_name(session: str, environment: str, ending: str = ".md") -> Path:
    """Return where a session's report on an environment goes."""
    return REPORTS / f"{session}-{re.sub(r'[^A-Za-z0-9_.-]+', '-', environment)}{ending}"


# -- the command line ------------------------------------------------------------------------------


def resolve(text: str) -> Any:
    """Return the environment that a command line names: an id, or a user's class or module."""
    try:
        return registry.resolve(text)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error


def environment_name(text: str, target: Any) -> str:
    """Return the name of an environment, given what named it and what `resolve` returned."""
    try:
        name = registry.read(target)[0].name
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error
    # A file's module has a name that holds the whole path.
    return Path(text).stem if text.endswith(".py") else name


def main(session: Callable[..., None]) -> None:
    """Run a session as a command; bad input ends with one sentence and status 2."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(session)
    options.run(app)
