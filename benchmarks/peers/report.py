"""Shows what was measured: as a table for the terminal, as Markdown, as JSON and as a plot.

The JSON document has these keys, all in plain SI units:

- `schema`: 1;
- `env_id`, `date` (ISO 8601);
- `machine`, `versions`: as in the ladder's document (`batchsim.ladder.report`);
- `settings`: `num_envs` (list), `seconds` (a setting of a peer and number of environments);
- `rows`: a list in the order of the table, each with
    - `name`, `description`, `package` and its `version`, or null if it is not installed;
    - `autoreset`: "next step" if a reset is a step of its own, "same step" if it comes with the
      step that ends the episode;
    - `check`: what was seen of its episodes before it was timed, or null;
    - `absent`, `failed`: objects, why it is not measured by number of environments;
    - `measurements`: a list of `num_envs`, `threads` (text) of the fastest setting,
      `steps_per_second`, and `low` and `high`, the bounds of its 95 % bootstrap interval;
      `blocks`, a list, turn by turn, of the steps per second that it is the median of; `p50_us`
      and `p99_us` of one call, and the number of `calls` they are quantiles of; `exact_ratio`,
      how many times as fast batchsim-exact is (the median over the turns of both), or null.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from batchsim.ladder.machine import describe
from batchsim.ladder.plot import Line, draw_lines
from batchsim.ladder.report import (
    DASH,
    Remarks,
    fit,
    format_count,
    format_ratio,
    format_time,
    markdown_table,
    write_between,
)
from benchmarks.peers.measure import EXACT, Result, Row

__all__ = ["Report", "draw", "to_document", "to_json", "to_markdown", "write_markdown"]

SCHEMA = 1
MARKERS = ("<!-- peers -->", "<!-- /peers -->")


class Report:
    """The words and cells of a result, for every kind of table.

    Reasons and remarks are kept below the table, under numbers.
    """

    def __init__(self, result: Result) -> None:
        self.result = result
        self.remarks = Remarks()
        self.sizes = result.settings.num_envs
        self.header = describe(result.machine, result.versions, result.date)
        at = f"N={self.sizes[0]:,}"
        self.columns = [
            "peer",
            *(f"steps/s\nN={size:,}" for size in self.sizes),
            *(f"exact is\nN={size:,}" for size in self.sizes),
            f"p50 call\n{at}",
            f"p99 call\n{at}",
            "threads",
            "version",
        ]
        self.rows = [self._cells(row) for row in result.rows]
        self.notes = self._notes()

    def _cells(self, row: Row) -> list[tuple[str, str]]:
        """Return the cells of a row, each with what stands below it in smaller print."""
        smallest = row.measurements.get(self.sizes[0])
        threads = dict.fromkeys(found.threads for found in row.measurements.values())
        return [
            (row.peer.name, ""),
            *(self._speed(row, size) for size in self.sizes),
            *((format_ratio(self.result.ratio(row, size)), "") for size in self.sizes),
            (format_time(smallest.p50_us) if smallest else DASH, ""),
            (format_time(smallest.p99_us) if smallest else DASH, ""),
            (", ".join(threads) or DASH, ""),
            (row.version or DASH, ""),
        ]

    def _speed(self, row: Row, size: int) -> tuple[str, str]:
        text, interval = DASH, ""
        found = row.measurements.get(size)
        if found is not None:
            text, interval = format_count(found.steps_per_second), _interval(found.low, found.high)
            remark = row.peer.remark(self.result.settings.env_id)
            if remark is not None:
                text += self.remarks.mark(f"{row.peer.name} – {remark}.")
        if size in row.absent:
            text += self.remarks.mark(f"{row.peer.name} – {row.absent[size]}.")
        if size in row.failed:
            text = text if found is not None else "failed"
            text += self.remarks.mark(f"{row.peer.name} failed: {row.failed[size]}")
        return text, interval

    def _notes(self) -> list[str]:
        notes = [
            "A step is one environment's transition; a call counts N of them. Episodes have their "
            "time limit and are reset as they end.",
            "Every call gets new random actions, and its observations are copied into an array of "
            "the caller's.",
            "Steps/s are medians of blocks that all peers take in turn, with the 95 % bootstrap "
            f"interval; exact is: how many times as fast {EXACT} is, turn by turn.",
        ]
        at_once = [
            row.peer.name
            for row in self.result.rows
            if row.measurements and row.peer.autoreset == "same step"
        ]
        if at_once:
            notes.append(
                f"Reset within the step that ends an episode: {', '.join(at_once)}; "
                "to the others a reset is a step of its own."
            )
        return notes + self.remarks.lines()

    def tables(self, console: Console) -> list[Table]:
        """Return the table for a terminal, in two parts where it is too narrow for the whole."""
        return fit(console, self._table, len(self.columns), 1 + 2 * len(self.sizes))

    def _table(self, columns: Sequence[int]) -> Table:
        table = Table(title=f"Peers: {self.result.settings.env_id}", title_justify="left")
        for column in columns:
            justify: Literal["left", "right"] = "left" if column == 0 else "right"
            table.add_column(self.columns[column], justify=justify, no_wrap=True)
        for number, (row, cells) in enumerate(zip(self.result.rows, self.rows, strict=True)):
            following = self.result.rows[number + 1 : number + 2]
            section = row.ours and not all(other.ours for other in following)
            shown = [cells[column] for column in columns]
            table.add_row(
                *(f"{text}\n[dim]{small}[/dim]" if small else text for text, small in shown),
                style="bold" if row.ours else None,
                end_section=section,
            )
        return table


def _interval(low: float, high: float) -> str:
    """Return `53.1–55.0 M`, or `998 k–1.02 M` where the units differ."""
    first, last = format_count(low), format_count(high)
    number, _, unit = first.partition(" ")
    return f"{number if unit == last.partition(' ')[2] else first}–{last}"


def to_markdown(result: Result) -> str:
    """Return a Markdown table with the machine above and the remarks below."""
    report = Report(result)
    rows = (
        (
            f"**{name}**" if row.ours else name,
            *(f"{text} ({small})" if small else text for text, small in cells),
        )
        for row, ((name, _), *cells) in zip(result.rows, report.rows, strict=True)
    )
    heading = f"{result.settings.env_id} on {report.header}."
    return markdown_table(heading, report.columns, rows, report.notes)


def write_markdown(result: Result, path: Path) -> None:
    """Write the Markdown table to `path`; in a file with the `MARKERS`, only between them."""
    write_between(MARKERS, to_markdown(result), path)


def to_json(result: Result) -> str:
    """Return the result as a JSON document; see the module for its keys."""
    return json.dumps(to_document(result), indent=2, ensure_ascii=False) + "\n"


def to_document(result: Result) -> dict[str, Any]:
    """Return the result as a JSON document, not yet as text."""
    settings = result.settings
    return {
        "schema": SCHEMA,
        "env_id": settings.env_id,
        "date": result.date,
        "machine": result.machine,
        "versions": result.versions,
        "settings": {"num_envs": list(settings.num_envs), "seconds": settings.seconds},
        "rows": [_row_document(result, row) for row in result.rows],
    }


def _row_document(result: Result, row: Row) -> dict[str, Any]:
    return {
        "name": row.peer.name,
        "description": row.peer.description,
        "package": row.peer.package,
        "version": row.version,
        "autoreset": row.peer.autoreset,
        "check": row.check,
        "absent": {str(size): reason for size, reason in row.absent.items()},
        "failed": {str(size): reason for size, reason in row.failed.items()},
        "measurements": [
            {**dataclasses.asdict(found), "exact_ratio": result.ratio(row, size)}
            for size, found in sorted(row.measurements.items())
        ],
    }


def draw(result: Result, path: Path) -> None:
    """Write the plot to `path`, in the format that its suffix names."""
    lines = [
        Line(
            row.peer.name,
            {size: found.steps_per_second for size, found in row.measurements.items()},
            None if row.ours else result.ratio(row, max(row.measurements)),
            peer=not row.ours,
        )
        for row in result.rows
        if row.measurements
    ]
    caption = (
        "Written out: the speed with the most environments, and in brackets how many times as "
        f"fast {EXACT} is with as many.\n{describe(result.machine, result.versions, result.date)}"
    )
    # Those of other environments are not among the versions of this one.
    others = {row.peer.package: row.version for row in result.rows if row.measurements}
    also = sorted(others.keys() - result.versions.keys())
    if also:
        caption += "\n" + ", ".join(f"{package} {others[package]}" for package in also)
    draw_lines(
        lines,
        result.settings.num_envs,
        f"{result.settings.env_id}: environment steps per second, side by side",
        caption,
        path,
    )
