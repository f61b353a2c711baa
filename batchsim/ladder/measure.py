"""Measures one rung: it is made, checked against per-object environments, and only then timed."""

from __future__ import annotations

import gc
import itertools
import statistics
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field

import numpy as np

from batchsim.ladder.check import SEED, draw_actions, observation_bytes
from batchsim.ladder.kind import Kind
from batchsim.ladder.peers import PEERS
from batchsim.ladder.rung import Array, Batch, Make, Rung, Verdict
from batchsim.ladder.rungs import RUNGS
from batchsim.ladder.timing import time_block, time_calls, warm_up

__all__ = [
    "FIRST_USE",
    "SIZES",
    "Measurement",
    "Row",
    "Settings",
    "default_sizes",
    "measure_row",
]

SIZES = (64, 1024, 16384)
"""Numbers of environments, by default."""
MOST_BYTES = 2**27
"""That the observations of all environments take, by default: more is a test of memory alone."""

FIRST_USE = "first use"
"""The part of a rung's measurement in which it compiles."""
LONGEST = 20.0
"""Seconds that a batch may take to be made and to be stepped as often as it takes to time it."""
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
    compile_seconds: float = 45.0
    """Time that a rung whose compilation may take minutes has for its first use."""


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
    overdue: bool = False
    """Whether it was given up, as it had not compiled in time."""


def measure_row(row: Row, settings: Settings) -> Generator[str, None, None]:
    """Fill in `row` at the sizes that are not in `row.absent`; yields what comes next before each
    part.
    """
    sizes = [num_envs for num_envs in settings.num_envs if num_envs not in row.absent]
    rung, kind = row.rung, settings.kind
    try:
        yield FIRST_USE
        with redirect_stdout(None):  # Some originals print while they make a level.
            first, second = (_first_step_seconds(rung.make, kind) for _ in range(2))
        row.compile_seconds = max(0.0, first - second)
        yield "checking"
        with redirect_stdout(None):
            if rung.check is not None:
                row.verdict = rung.check(rung.make, kind, settings.check_rows, settings.check_steps)
            row.bytes_per_env = rung.bytes_per_env(rung.make, kind)
        if row.verdict is not None and not row.verdict.correct:
            return
        seconds_each = 0.0
        for num_envs in sizes:
            if num_envs * seconds_each > LONGEST:
                row.absent[num_envs] = (
                    f"so many would take {num_envs * seconds_each:.0f} s and more"
                )
                continue
            yield f"{num_envs:,} environments"
            with redirect_stdout(None):
                row.measurements[num_envs], least = _fastest(rung, settings, num_envs)
            seconds_each = least / num_envs
    except Exception as error:
        # Whatever goes wrong in one rung, an import or a compilation too, is its result.
        first_line = str(error).strip().partition("\n")[0]
        row.failed = f"{type(error).__name__}: {first_line}"


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


def _fastest(rung: Rung, settings: Settings, num_envs: int) -> tuple[Measurement, float]:
    """Return the timing of the fastest of a rung's settings, and the seconds that all of them
    together take at least.
    """
    makes = (rung.make, *rung.also)
    seconds = settings.seconds / len(makes)
    actions = draw_actions(settings.kind, num_envs, ACTIONS)
    measurements = []
    least = 0.0
    for make in makes:
        start = time.perf_counter()
        batch = make(settings.kind, num_envs)
        try:
            batch.reset(seed=SEED)
            least += time.perf_counter() - start
            found = _measure(batch, actions, num_envs, seconds)
            least += (1 + MIN_BLOCKS) * num_envs / found.steps_per_second
            measurements.append(found)
        finally:
            batch.close()
    return max(measurements, key=lambda found: found.steps_per_second), least


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
