"""Climbs the ladder: rungs are measured one by one, some in processes of their own."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Callable
from dataclasses import dataclass, field

from batchsim.ladder.apart import measure_apart
from batchsim.ladder.check import observation_bytes
from batchsim.ladder.machine import describe_machine, find_versions
from batchsim.ladder.measure import Row, Settings, measure_row
from batchsim.ladder.peers import PEERS
from batchsim.ladder.rungs import RUNGS

__all__ = ["Result", "climb"]

MOST_CHECKED = 2**27
"""Bytes of the observations in a checked trajectory, which is kept."""


@dataclass
class Result:
    """A ladder, as far as it has been measured."""

    settings: Settings
    date: str = field(default_factory=lambda: datetime.date.today().isoformat())
    machine: dict[str, str | int] = field(default_factory=describe_machine)
    versions: dict[str, str] = field(default_factory=find_versions)
    rows: list[Row] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether no rung failed and none is wrong; peers do not count."""
        return all(
            row.peer or (row.failed is None and (row.verdict is None or row.verdict.correct))
            for row in self.rows
        )


def climb(
    settings: Settings,
    on_progress: Callable[[Result, str, float], None] = lambda result, doing, done: None,
) -> Result:
    """Measure the ladder.

    Args:
        settings: what to measure.
        on_progress: called as `on_progress(result, doing, done)` before each part: the ladder so
            far, what comes now, and which share of the whole is done.
    """
    affordable = MOST_CHECKED // (observation_bytes(settings.kind) * settings.check_steps)
    check_rows = max(1, min(settings.check_rows, affordable))
    settings = dataclasses.replace(settings, check_rows=check_rows)
    result = Result(settings)
    chosen = [(rung, rung in PEERS) for rung in (*RUNGS, *PEERS) if rung.name in settings.rungs]
    for number, (rung, peer) in enumerate(chosen):
        row = Row(rung, peer)
        result.rows.append(row)
        _find_absent(row, result)
        if len(row.absent) == len(settings.num_envs):
            continue
        measure = measure_apart if rung.apart else measure_row
        with contextlib.closing(measure(row, settings)) as parts:
            for part, doing in enumerate(parts):
                done = number + part / (2 + len(settings.num_envs))
                on_progress(result, f"{rung.name}: {doing}", done / len(chosen))
    on_progress(result, "", 1.0)
    return result


def _find_absent(row: Row, result: Result) -> None:
    """Write down which sizes of a rung there are no batches of."""
    settings = result.settings
    for num_envs in settings.num_envs:
        reason = row.rung.absent(settings.kind, num_envs)
        if reason is not None:
            row.absent[num_envs] = reason
    for other in result.rows:
        if other.overdue and other.rung.name == row.rung.includes:
            reason = f"given up with {other.rung.name}, which compiles a part of it"
            row.absent = dict.fromkeys(settings.num_envs, reason) | row.absent
