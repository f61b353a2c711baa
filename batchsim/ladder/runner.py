"""Climbs the ladder: each rung is made, checked against per-object environments, and only then
timed.
"""

from __future__ import annotations

import dataclasses
import datetime
import gc
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field

import numpy as np

from batchsim.ladder.check import SEED, draw_actions, observation_bytes
from batchsim.ladder.kind import Kind
from batchsim.ladder.machine import describe_machine, find_versions
from batchsim.ladder.peers import PEERS
from batchsim.ladder.rung import Array, Batch, Make, Rung, Verdict
from batchsim.ladder.rungs import RUNGS
from batchsim.ladder.timing import time_block, time_calls, warm_up

__all__ = ["SIZES", "Measurement", "Result", "Row", "Settings", "climb", "default_sizes"]

SIZES = (64, 1024, 16384)
"""Numbers of environments, by default."""
MOST_BYTES = 2**27
"""That the observations of all environments take, by default: more is a test of memory alone."""
MOST_CHECKED = 2**27
"""Bytes of the observations in a checked trajectory, which is kept."""

ACTIONS = 16
"""Batches of random actions, drawn before and passed in turn to every rung."""
BLOCKS = 9
MIN_BLOCKS = 3
MAX_LATENCIES = 50_000


def default_sizes(kind: Kind) -> tuple[int, ...]:
    """Return the numbers of environments to measure: `SIZES`, and less where observations are
    large.
    """
    most = max(1, MOST_BYTES // observation_bytes(kind))
    largest = 1 << most.bit_length() - 1
    return tuple(sorted({min(size, largest) for size in SIZES}))


@dataclass(frozen=True)
class Settings:
    """What to measure."""

    kind: Kind
    num_envs: tuple[int, ...] = SIZES
    seconds: float = 1.0
    """Time to measure each rung for at each number of environments."""
    rungs: tuple[str, ...] = tuple(rung.name for rung in (*RUNGS, *PEERS))
    check_rows: int = 24
    """At most; fewer where observations are large."""
    check_steps: int = 1000


@dataclass(frozen=True)
class Measurement:
    """The timing of one rung at one number of environments."""

    num_envs: int
    steps_per_second: float
    """Transitions of single environments: a call counts `num_envs`, rows that reset included."""
    p50_us: float
    p99_us: float
    """Of single calls, in microseconds."""
    calls: int
    """How many single calls those are quantiles of."""


@dataclass
class Row:
    """What is known of one rung."""

    rung: Rung
    peer: bool
    absent: dict[int, str] = field(default_factory=dict)
    """Why it is not measured, by number of environments."""
    failed: str | None = None
    """The first line of the error that it ended with."""
    verdict: Verdict | None = None
    compile_seconds: float = 0.0
    """By how much its first use takes longer than the second."""
    bytes_per_env: float | None = None
    measurements: dict[int, Measurement] = field(default_factory=dict)


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
        parts = _measure_row(row, settings)
        for part, doing in enumerate(parts):
            done = number + part / (1 + len(settings.num_envs))
            on_progress(result, f"{rung.name}: {doing}", done / len(chosen))
    on_progress(result, "", 1.0)
    return result


def _measure_row(row: Row, settings: Settings) -> Iterator[str]:
    """Fill in `row`; yields what comes next before each part."""
    for num_envs in settings.num_envs:
        reason = row.rung.absent(settings.kind, num_envs)
        if reason is not None:
            row.absent[num_envs] = reason
    sizes = [num_envs for num_envs in settings.num_envs if num_envs not in row.absent]
    if not sizes:
        return
    try:
        yield "checking"
        with redirect_stdout(None):  # Some originals print while they make a level.
            _prepare(row, settings)
        if row.verdict is not None and not row.verdict.correct:
            return
        for num_envs in sizes:
            yield f"{num_envs:,} environments"
            with redirect_stdout(None):
                row.measurements[num_envs] = _fastest(row.rung, settings, num_envs)
    except Exception as error:
        # Whatever goes wrong in one rung, an import or a compilation too, is its result.
        first_line = str(error).strip().partition("\n")[0]
        row.failed = f"{type(error).__name__}: {first_line}"


def _prepare(row: Row, settings: Settings) -> None:
    rung, kind = row.rung, settings.kind
    first, second = (_first_step_seconds(rung.make, kind) for _ in range(2))
    row.compile_seconds = max(0.0, first - second)
    if rung.check is not None:
        row.verdict = rung.check(rung.make, kind, settings.check_rows, settings.check_steps)
    row.bytes_per_env = rung.bytes_per_env(rung.make, kind)


def _first_step_seconds(make: Make, kind: Kind) -> float:
    (actions,) = draw_actions(kind, 2, 1)
    start = time.perf_counter()
    batch = make(kind, 2)
    try:
        batch.reset(seed=SEED)
        batch.step(actions)
        return time.perf_counter() - start
    finally:
        batch.close()


def _fastest(rung: Rung, settings: Settings, num_envs: int) -> Measurement:
    makes = (rung.make, *rung.also)
    seconds = settings.seconds / len(makes)
    actions = draw_actions(settings.kind, num_envs, ACTIONS)
    measurements = []
    for make in makes:
        batch = make(settings.kind, num_envs)
        try:
            batch.reset(seed=SEED)
            measurements.append(_measure(batch, actions, num_envs, seconds))
        finally:
            batch.close()
    return max(measurements, key=lambda found: found.steps_per_second)


def _measure(batch: Batch, actions: Sequence[Array], num_envs: int, seconds: float) -> Measurement:
    """Warm up for a tenth of the time, time blocks of calls for most of it, then single calls."""
    turn = itertools.cycle(actions)
    gc.collect()
    per_call = warm_up(batch, turn, 0.1 * seconds)
    calls = max(1, int(0.65 * seconds / BLOCKS / per_call))
    blocks = _time_blocks(batch, turn, calls, 0.65 * seconds)
    # A block of one call is a single call.
    latencies = blocks if calls == 1 else _time_calls(batch, turn, calls, 0.25 * seconds)
    p50, p99 = np.quantile(latencies, [0.5, 0.99])
    return Measurement(
        num_envs,
        steps_per_second=num_envs * calls / statistics.median(blocks),
        p50_us=1e6 * float(p50),
        p99_us=1e6 * float(p99),
        calls=len(latencies),
    )


def _time_blocks(batch: Batch, turn: Iterator[Array], calls: int, seconds: float) -> list[float]:
    """Return the seconds that each of several blocks of `calls` calls took."""
    blocks: list[float] = []
    while len(blocks) < MIN_BLOCKS or sum(blocks) < seconds:
        blocks.append(time_block(batch, turn, calls))
    return blocks


def _time_calls(batch: Batch, turn: Iterator[Array], calls: int, seconds: float) -> list[float]:
    """Return the seconds that each of many single calls took."""
    latencies: list[float] = []
    end = time.perf_counter() + seconds
    while len(latencies) < MAX_LATENCIES and time.perf_counter() < end:
        latencies += time_calls(batch, turn, calls)
    return latencies[:MAX_LATENCIES]
