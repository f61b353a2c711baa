"""Many ids side by side with the peers that matter most: one table, a line an id.

Its JSON document has the keys `schema` (1) and `results`: a list of documents as of one id
(`benchmarks.peers.report`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from batchsim.ladder.machine import describe
from batchsim.ladder.report import (
    DASH,
    Remarks,
    format_count,
    format_ratio,
    markdown_table,
    write_between,
)
from benchmarks.peers.measure import EXACT, Result, Row, Settings, measure
from benchmarks.peers.report import to_document

__all__ = ["IDS", "PEERS", "Suite", "measure_all"]

IDS = (
    "CartPole-v1",
    "Acrobot-v1",
    "MountainCar-v0",
    "MountainCarContinuous-v0",
    "Pendulum-v1",
    "LunarLander-v3",
    "LunarLanderContinuous-v3",
    "BipedalWalker-v3",
    "MiniGrid-Empty-8x8-v0",
    "MiniGrid-DoorKey-8x8-v0",
    "MiniGrid-Dynamic-Obstacles-8x8-v0",
    "MiniGrid-KeyCorridorS3R3-v0",
    "BabyAI-GoToLocal-v0",
    "BabyAI-PickupLoc-v0",
    "BabyAI-BossLevel-v0",
    "MinAtar/Asterix-v1",
    "MinAtar/Breakout-v1",
    "MinAtar/Freeway-v1",
    "MinAtar/Seaquest-v1",
    "MinAtar/SpaceInvaders-v1",
)
"""Of the documentation's table."""
ORIGINALS = ("gymnasium-sync", "minatar", "minigrid")
"""Peers that step the very objects that an id is compared with; each has other ids."""
COLUMNS = {
    EXACT: (EXACT,),
    "batchsim-fast": ("batchsim-fast",),
    "the original's SyncVectorEnv": ORIGINALS,
    "envpool": ("envpool",),
    "gymnax": ("gymnax",),
}
"""Which peers are in a column, by its heading."""
PEERS = tuple(name for names in COLUMNS.values() for name in names)
MARKERS = ("<!-- peers-by-id -->", "<!-- /peers-by-id -->")
SCHEMA = 1


def measure_all(
    settings: Sequence[Settings],
    on_progress: Callable[[str, float], Any] = lambda doing, done: None,
) -> list[Result]:
    """Measure one id after the other; arguments as of `measure`."""
    results = []
    for number, one in enumerate(settings):

        def show(doing: str, done: float, number: int = number, one: Settings = one) -> None:
            on_progress(f"{one.env_id}, {doing}", (number + done) / len(settings))

        results.append(measure(one, show))
    return results


class Suite:
    """The words and cells of several results, each at the same one number of environments."""

    def __init__(self, results: Sequence[Result]) -> None:
        self.results = results
        (self.size,) = results[0].settings.num_envs
        self.remarks = Remarks()
        self.header = f"N = {self.size:,} on " + describe(
            results[0].machine, results[0].versions, results[0].date
        )
        chosen = results[0].settings.peers
        self.columns = {
            heading: names for heading, names in COLUMNS.items() if set(names) & set(chosen)
        }
        self.rows = [list(self._cells(result)) for result in results]
        self.notes = [
            "Steps/s, and in brackets how many times as fast batchsim-exact is, turn by turn. A "
            "step is one environment's transition; episodes have their time limit and are reset as "
            "they end.",
            "Every call gets new random actions, and the numbers that it returns are copied into "
            "arrays of the caller's.",
            *self.remarks.lines(),
        ]

    def _cells(self, result: Result) -> Iterator[str]:
        yield result.settings.env_id
        for names in self.columns.values():
            rows = [row for row in result.rows if row.peer.name in names]
            # Of the originals, all but one do not know the id.
            rows.sort(key=lambda row: self.size in row.absent)
            yield self._cell(result, rows[0]) if rows else DASH

    def _cell(self, result: Result, row: Row) -> str:
        found = row.measurements.get(self.size)
        if self.size in row.failed:
            reason = f"{row.peer.name} failed: {row.failed[self.size]}"
            return "failed" + self.remarks.mark(reason)
        if found is None:
            known = row.absent.get(self.size, "")
            # That a peer does not have an id, an empty place says well enough.
            missing = known.endswith(f"has no {result.settings.env_id}")
            return DASH if missing else DASH + self.remarks.mark(f"{row.peer.name} – {known}.")
        text = format_count(found.steps_per_second)
        remark = row.peer.remark(result.settings.env_id)
        if remark is not None:
            text += self.remarks.mark(f"{row.peer.name} – {remark}.")
        if row.peer.name != EXACT:
            text += f" ({format_ratio(result.ratio(row, self.size))})"
        return text

    def table(self) -> Table:
        """Return the table for a terminal."""
        table = Table(title=f"Peers by id, N = {self.size:,}", title_justify="left")
        for number, column in enumerate(("id", *self.columns)):
            table.add_column(column, justify="right" if number else "left")
        for cells in self.rows:
            table.add_row(*cells)
        return table

    def to_markdown(self) -> str:
        """Return a Markdown table with the machine above and the remarks below."""
        rows = ((f"`{name}`", *cells) for name, *cells in self.rows)
        return markdown_table(f"{self.header}.", ("id", *self.columns), rows, self.notes)

    def write_markdown(self, path: Path) -> None:
        """Write the Markdown table to `path`; in a file with the `MARKERS`, only between them."""
        write_between(MARKERS, self.to_markdown(), path)

    def to_json(self) -> str:
        """Return all figures as a JSON document."""
        document = {"schema": SCHEMA, "results": [to_document(result) for result in self.results]}
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
