"""Shows a ladder: as a table for the terminal, as Markdown and as JSON.

The JSON document has these keys, all in plain SI units:

- `schema`: 1;
- `env_id`, `date` (ISO 8601);
- `params`: an object, the parameters by name that were given to the environments;
- `machine`: `cpu`, `threads` (that this process may use), `system`, `omp_wait_policy`;
- `versions`: of `python` and of each package;
- `settings`: `num_envs` (list), `seconds` (a rung and number of environments), `check_rows`,
  `check_steps`, `compile_seconds` (that rungs measured apart have for their first use);
- `rows`: a list in the order of the ladder, peers last, each with
    - `name`, `description`, `peer` (bool);
    - `correct`: true, false, or null if its trajectory cannot be compared; `check`: what was found;
      `digest`: SHA-256 of the trajectory, or null;
    - `failed`: the first line of the error that ended it, or null;
    - `absent`: an object, why it is not measured by number of environments;
    - `compile_seconds`: what its first use takes longer than the second, in no other figure;
    - `bytes_per_env`: memory that one more environment takes, or null;
    - `speedup_previous`, `speedup_first`: over the rung before and over the first, at the largest
      number of environments that both were measured at, or null;
    - `measurements`: a list of `num_envs`, `steps_per_second`, `p50_us` and `p99_us` of one call,
      and the number of `calls` they are quantiles of.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from batchsim.ladder.check import observation_bytes, within_tolerance
from batchsim.ladder.machine import describe
from batchsim.ladder.measure import SIZES, Row, default_sizes
from batchsim.ladder.runner import Result

__all__ = [
    "DASH",
    "Remarks",
    "Report",
    "fit",
    "format_count",
    "format_ratio",
    "format_time",
    "markdown_table",
    "speedups",
    "to_json",
    "to_markdown",
    "write_between",
    "write_markdown",
]

SCHEMA = 1
MARKERS = ("<!-- ladder -->", "<!-- /ladder -->")
DASH = "–"
UNBOUNDED = 10_000
"""Wider than any table."""
# Rows whose first use takes less than this longer than the second have nothing to compile.
COMPILED_FROM = 0.1


def speedups(result: Result) -> list[tuple[float | None, float | None]]:
    """Return for each row the speed-up over the rung before it and over the first rung.

    Each is taken at the largest number of environments that both rows were measured at. A peer has
    no rung before it.
    """
    found: list[tuple[float | None, float | None]] = []
    first: Row | None = None
    previous: Row | None = None
    for row in result.rows:
        found.append(
            (None if row.peer else _ratio(row, previous), _ratio(row, first) if first else None)
        )
        if row.measurements and not row.peer:
            first = first or row
            previous = row
    return found


def _ratio(row: Row, other: Row | None) -> float | None:
    common = row.measurements.keys() & other.measurements.keys() if other else set()
    if not common or other is None:
        return None
    size = max(common)
    return row.measurements[size].steps_per_second / other.measurements[size].steps_per_second


class Remarks:
    """Reasons and remarks, kept below a table under numbers."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def mark(self, remark: str) -> str:
        """Return the number of a remark, raised."""
        if remark not in self.texts:
            self.texts.append(remark)
        return "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)] for digit in str(self.texts.index(remark) + 1))

    def lines(self) -> list[str]:
        """Return the remarks with their numbers."""
        return [f"{self.mark(text)} {text}" for text in self.texts]


class Report:
    """The words and cells of a ladder, for every kind of table.

    Reasons and remarks are kept below the table, under numbers.
    """

    def __init__(self, result: Result) -> None:
        self.result = result
        self.remarks = Remarks()
        self.sizes = sorted(result.settings.num_envs)
        self.header = describe(result.machine, result.versions, result.date)
        self.columns = self._columns()
        self.rows = [
            self._cells(row, *ratios)
            for row, ratios in zip(result.rows, speedups(result), strict=True)
        ]
        self.notes = self._notes()

    def _columns(self) -> list[str]:
        speeds = [f"steps/s\nN={size:,}" for size in self.sizes]
        at = f"N={self.sizes[0]:,}"
        return [
            "rung",
            *speeds,
            "over\nprevious",
            "over\nfirst",
            f"p50 call\n{at}",
            f"p99 call\n{at}",
            "bytes\nper env",
            "correct",
        ]

    def _cells(self, row: Row, previous: float | None, first: float | None) -> list[str]:
        smallest = row.measurements.get(self.sizes[0])
        return [
            row.rung.name,
            *(self._speed(row, size) for size in self.sizes),
            format_ratio(previous),
            format_ratio(first),
            format_time(smallest.p50_us) if smallest else DASH,
            format_time(smallest.p99_us) if smallest else DASH,
            self._memory(row),
            self._correct(row),
        ]

    def _speed(self, row: Row, size: int) -> str:
        if size in row.measurements:
            return format_count(row.measurements[size].steps_per_second)
        if size in row.absent:
            return DASH + self.remarks.mark(f"{row.rung.name} – {row.absent[size]}.")
        if row.failed is not None:
            return "failed" + self.remarks.mark(f"{row.rung.name} failed: {row.failed}")
        if row.verdict is not None and not row.verdict.correct:
            return DASH + self.remarks.mark(f"{row.rung.name} is wrong, and so not timed.")
        return ""

    def _memory(self, row: Row) -> str:
        if row.bytes_per_env is not None:
            return format_bytes(row.bytes_per_env)
        if row.measurements:
            return DASH + self.remarks.mark(
                f"{row.rung.name} – its memory is outside Python's count."
            )
        return DASH

    def _correct(self, row: Row) -> str:
        verdict = row.verdict
        if verdict is None:
            if row.measurements and row.rung.check is None:
                return DASH + self.remarks.mark(
                    "Peers draw from random streams of their own: nothing to compare bit by bit."
                )
            return DASH if row.failed is not None or row.absent else ""
        if not verdict.correct:
            return "no" + self.remarks.mark(f"{row.rung.name} – {verdict.detail}.")
        if row.rung.check is within_tolerance:
            return "yes" + self.remarks.mark(f"{row.rung.name} – {verdict.detail}.")
        return "yes"

    def _notes(self) -> list[str]:
        settings = self.result.settings
        notes = [
            "A step is one environment's transition; a call counts N of them, resets included. "
            "Medians of repeated blocks.",
            "Correct: the same bits as per-object environments in Gymnasium's SyncVectorEnv over "
            f"{settings.check_steps:,} steps of {settings.check_rows} environments, with episodes "
            "ending and autoresets.",
            "Speed-ups are at the largest N that both rungs were measured at.",
        ]
        kind = settings.kind
        if kind.original.name != kind.env_id:
            notes.append(
                f"The per-object environment is {kind.original.name}, in plain Python and NumPy."
            )
        if settings.num_envs == default_sizes(kind) != SIZES:
            size = SIZES[-1]
            memory = format_bytes(size * observation_bytes(kind))
            notes.append(f"No N above {max(self.sizes):,}: {size:,} observations take {memory}.")
        compiled = ", ".join(
            f"{row.rung.name} {row.compile_seconds:.1f} s"
            for row in self.result.rows
            if row.compile_seconds >= COMPILED_FROM
        )
        if compiled:
            notes.append(f"Compiling or loading at the first use is in no figure: {compiled}.")
        return notes + self.remarks.lines()

    def tables(self, console: Console) -> list[Table]:
        """Return the table for a terminal, in two parts where it is too narrow for the whole."""
        return fit(console, self._table, len(self.columns), len(self.sizes) + 3)

    def _table(self, columns: Sequence[int]) -> Table:
        title = escape(f"The ladder: {self.result.settings.kind}")
        table = Table(title=title, title_justify="left")
        for column in columns:
            justify: Literal["left", "right"] = "left" if column == 0 else "right"
            table.add_column(self.columns[column], justify=justify, no_wrap=True)
        best = _best(self.result.rows)
        for number, (row, cells) in enumerate(zip(self.result.rows, self.rows, strict=True)):
            following = self.result.rows[number + 1 : number + 2]
            section = not row.peer and any(other.peer for other in following)
            style = "dim" if row.peer else "bold" if row is best else None
            shown = [cells[column] for column in columns]
            table.add_row(*shown, style=style, end_section=section)
        return table


def fit(
    console: Console, table: Callable[[Sequence[int]], Table], columns: int, split: int
) -> list[Table]:
    """Return a table of all columns, or where it is too wide two parts with column 0 in both.

    Args:
        console: where it is to be printed.
        table: makes one of the columns with these numbers.
        columns: how many there are.
        split: the first column of the second part.
    """
    everything = list(range(columns))
    whole = table(everything)
    unbounded = console.options.update(max_width=UNBOUNDED)
    if console.measure(whole, options=unbounded).maximum <= console.width:
        return [whole]
    return [table(everything[:split]), table([0, *everything[split:]])]


def _best(rows: Sequence[Row]) -> Row | None:
    """Return the fastest rung."""
    timed = [row for row in rows if row.measurements and not row.peer]
    return max(
        timed,
        key=lambda row: max(found.steps_per_second for found in row.measurements.values()),
        default=None,
    )


def format_count(number: float) -> str:
    """Return a number with three digits and a unit: `49.2 k`, `155 M`."""
    for unit in ("", " k", " M", " G"):
        if number < 999.5 or unit == " G":
            return f"{_three_digits(number)}{unit}"
        number /= 1000
    raise AssertionError


def format_time(microseconds: float) -> str:
    """Return a time with three digits and a unit."""
    if microseconds < 999.5:
        return f"{_three_digits(microseconds)} µs"
    if microseconds < 999.5e3:
        return f"{_three_digits(microseconds / 1e3)} ms"
    return f"{_three_digits(microseconds / 1e6)} s"


def format_bytes(number: float) -> str:
    """Return a number of bytes with a unit."""
    if number < 999.5:
        return f"{number:.0f} B"
    if number < 999.5e3:
        return f"{_three_digits(number / 1e3)} kB"
    if number < 999.5e6:
        return f"{_three_digits(number / 1e6)} MB"
    return f"{_three_digits(number / 1e9)} GB"


def format_ratio(ratio: float | None) -> str:
    """Return a speed-up, `×3,120` or `×0.07`."""
    if ratio is None:
        return DASH
    return f"×{ratio:,.0f}" if ratio >= 99.5 else f"×{_three_digits(ratio)}"


def _three_digits(number: float) -> str:
    if number >= 99.5:
        return f"{number:.0f}"
    return f"{number:.1f}" if number >= 9.95 else f"{number:.2f}"


def to_markdown(result: Result) -> str:
    """Return the ladder as a Markdown table with the machine above and the remarks below."""
    report = Report(result)
    rows = (
        (f"*{name}*" if row.peer else f"`{name}`", *cells)
        for row, (name, *cells) in zip(result.rows, report.rows, strict=True)
    )
    heading = f"{result.settings.kind} on {report.header}."
    return markdown_table(heading, report.columns, rows, report.notes)


def markdown_table(
    heading: str, columns: Iterable[str], rows: Iterable[Iterable[str]], notes: Iterable[str]
) -> str:
    """Return a Markdown table whose first column is words, with what stands above and below it."""
    columns = [column.replace("\n", " ") for column in columns]
    lines = [
        heading,
        "",
        "| " + " | ".join(columns) + " |",
        "|---|" + "---:|" * (len(columns) - 1),
        *("| " + " | ".join(cells) + " |" for cells in rows),
        "",
        *(f"{note}  " for note in notes),
    ]
    return "\n".join(lines).rstrip() + "\n"


def write_markdown(result: Result, path: Path) -> None:
    """Write the Markdown table to `path`; in a file with the `MARKERS`, only between them."""
    write_between(MARKERS, to_markdown(result), path)


def write_between(markers: tuple[str, str], text: str, path: Path) -> None:
    """Write `text` to `path`; in a file with both markers, each a line, only between them."""
    if path.exists():
        # A line of its own: prose may speak of the markers.
        start, end = (f"{marker}\n" for marker in markers)
        document = "\n" + path.read_text(encoding="utf-8").rstrip("\n") + "\n"
        before, found, rest = document.partition(f"\n{start}")
        _, ended, after = f"\n{rest}".partition(f"\n{end}")
        if found and ended:
            text = f"{before}\n{start}{text}{end}{after}"[1:]
    path.write_text(text, encoding="utf-8")


def to_json(result: Result) -> str:
    """Return the ladder as a JSON document; see the module for its keys."""
    settings = result.settings
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "env_id": settings.kind.env_id,
        "params": settings.kind.document(),
        "date": result.date,
        "machine": result.machine,
        "versions": result.versions,
        "settings": {
            "num_envs": list(settings.num_envs),
            "seconds": settings.seconds,
            "check_rows": settings.check_rows,
            "check_steps": settings.check_steps,
            "compile_seconds": settings.compile_seconds,
        },
        "rows": [
            _row_document(row, *ratios)
            for row, ratios in zip(result.rows, speedups(result), strict=True)
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _row_document(row: Row, previous: float | None, first: float | None) -> dict[str, Any]:
    verdict = row.verdict
    return {
        "name": row.rung.name,
        "description": row.rung.description,
        "peer": row.peer,
        "correct": verdict.correct if verdict else None,
        "check": verdict.detail if verdict else None,
        "digest": verdict.digest if verdict else None,
        "failed": row.failed,
        "absent": {str(size): reason for size, reason in row.absent.items()},
        "compile_seconds": row.compile_seconds,
        "bytes_per_env": row.bytes_per_env,
        "speedup_previous": previous,
        "speedup_first": first,
        "measurements": [dataclasses.asdict(found) for found in row.measurements.values()],
    }
