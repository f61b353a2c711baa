"""Compares two ways of doing the same work, by turns, so that both meet the same noise.

Absolute times of one machine say little about another, and on a shared machine little about the
next minute. The ratio of two times taken one after the other, again and again, does.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Pair", "Ratio", "Side", "median_interval"]

BLOCK_SECONDS = 0.01
"""Calls are timed in blocks of about this long, or of one call."""
WARM_UP_SECONDS = 0.1
MIN_WARM_UP_CALLS = 20
"""batchsim's driver learns the size of its tiles in its first calls."""
PAIR_SECONDS = 1.0
MIN_ROUNDS, MAX_ROUNDS = 5, 41
RESAMPLES = 2000


@dataclass
class Side:
    """One of the two: `call()` does the work of `units` steps, or whatever the pair counts."""

    name: str
    call: Callable[[], Any]
    units: int
    close: Callable[[], Any] = lambda: None


@dataclass(frozen=True)
class Ratio:
    """How many times as fast one side is as the other: a median and its 95 % interval."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.low:.3g} to {self.high:.3g})"


def median_interval(samples: npt.ArrayLike) -> tuple[float, float, float]:
    """Return the median of `samples` and its 95 % bootstrap interval (percentiles)."""
    values = np.asarray(samples, float)
    # Seeded: the same samples have the same interval.
    chosen = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.quantile(np.median(values[chosen], axis=1), [0.025, 0.975])
    return float(np.median(values)), float(low), float(high)


@dataclass
class Pair:
    """Two sides, and the seconds a unit of each round.

    Example:
        >>> pair = Pair(Side("sum", lambda: sum(range(99)), 99), Side("max", lambda: max(1, 2), 1))
        >>> pair.measure()
        >>> pair.ratio().median > 0
        True
    """

    ours: Side
    theirs: Side
    samples: dict[str, list[float]] = field(default_factory=lambda: {"ours": [], "theirs": []})

    def __post_init__(self) -> None:
        self.calls = {"ours": _calls_a_block(self.ours), "theirs": _calls_a_block(self.theirs)}
        start = time.perf_counter()
        self.time_theirs()
        self.time_ours()
        rounds = int(PAIR_SECONDS / (time.perf_counter() - start))
        self.rounds = min(max(rounds, MIN_ROUNDS), MAX_ROUNDS)
        self.forget()

    def time_ours(self) -> None:
        """Time a block of our side."""
        self._time("ours", self.ours)

    def time_theirs(self) -> None:
        """Time a block of the other side."""
        self._time("theirs", self.theirs)

    def _time(self, which: str, side: Side) -> None:
        call, calls = side.call, self.calls[which]
        collecting = gc.isenabled()
        gc.disable()
        start = time.perf_counter()
        for _ in range(calls):
            call()
        seconds = time.perf_counter() - start
        if collecting:
            gc.enable()
        self.samples[which].append(seconds / (calls * side.units))

    def measure(self, longer: int = 1) -> None:
        """Time both by turns, `longer` times as many rounds as usual."""
        for _ in range(self.rounds * longer):
            self.time_theirs()
            self.time_ours()

    def forget(self) -> None:
        """Drop what was measured."""
        for samples in self.samples.values():
            samples.clear()

    def ratio(self) -> Ratio:
        """Return how many times as fast we are: the median over the rounds."""
        theirs, ours = np.array(self.samples["theirs"]), np.array(self.samples["ours"])
        return Ratio(*median_interval(theirs / ours))

    def nanoseconds(self) -> dict[str, float]:
        """Return the median time of a unit of each side, in ns."""
        return {name: 1e9 * float(np.median(taken)) for name, taken in self.samples.items()}

    def close(self) -> None:
        """Close both sides."""
        self.ours.close()
        self.theirs.close()


def _calls_a_block(side: Side) -> int:
    best, calls = float("inf"), 0
    end = time.perf_counter() + WARM_UP_SECONDS
    while True:
        start = time.perf_counter()
        side.call()
        now = time.perf_counter()
        best = min(best, now - start)
        calls += 1
        if now >= end and (calls >= MIN_WARM_UP_CALLS or best >= BLOCK_SECONDS):
            return max(1, round(BLOCK_SECONDS / best))
