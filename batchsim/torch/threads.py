"""How many threads PyTorch should compute with: measured, since more can be a great deal slower.

The threads of its OpenMP library spin while they wait for each other. As long as each has a core
of its own that costs nothing; where two share one, each waits until the system takes the core from
the other: with two threads, the forward of a small policy then takes 30 ms in place of 0.05 ms.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from batchsim.batch.checks import MOST_THREADS, whole_number
from batchsim.batch.processors import available_cpus

__all__ = ["ThreadChoice", "Timing", "one_thread", "pick_threads", "time_threads"]

BUDGET = 0.3
"""Seconds that a measurement takes, if each number of threads does not need longer for one call."""
TURNS = 5
"""How often each number of threads has its turn: what else the machine does meets them alike."""
WORTHWHILE = 1.2
"""How many times faster more threads must be. Less is noise, and another number of threads may
change the last bits of a result."""
HOPELESS = 5.0
"""A number of threads whose every call took so many times another's median gets no more turns."""


@dataclass(frozen=True)
class Timing:
    """How long the calls took with one number of threads, in seconds."""

    median: float
    mean: float
    slowest: float
    calls: int


@dataclass(frozen=True)
class ThreadChoice:
    """How many threads PyTorch computes with from now on, and why.

    Attributes:
        threads: as `torch.get_num_threads()` returns it now.
        seconds: the median seconds of a call by number of threads; empty if nothing was measured.
        reason: in one sentence.
    """

    threads: int
    seconds: Mapping[int, float]
    reason: str


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread in this block: with others last bits may differ."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def pick_threads(
    work: Callable[[], object], *, candidates: Sequence[int] | None = None
) -> ThreadChoice:
    """Measure `work` with several numbers of threads, and set the best for this process.

    The fewest win unless more are at least 1.2 times faster, by the median and by the mean of the
    calls: rare slow calls count too. It takes about 0.3 s, or one or two calls with each number of
    threads if they take longer. With one candidate nothing is measured. Call it in the thread that
    will compute.

    Args:
        work: does some of what is to be done, such as a policy's forward and backward; on a GPU it
            must wait for the end. It is called some dozens of times, or hundreds.
        candidates: numbers of threads; by default 1, as many as are set now, and as many as this
            process may use CPUs.

    Raises:
        TypeError, ValueError: if `work` cannot be called or `candidates` are not whole numbers of
            at least 1. After these and all that `work` raises the number of threads is the old one.

    Example:
        >>> import torch
        >>> policy, observations = torch.nn.Linear(4, 2), torch.zeros(64, 4)
        >>> choice = pick_threads(lambda: policy(observations).sum().backward(), candidates=[1])
        >>> choice.threads
        1
    """
    if candidates is None:
        candidates = (1, torch.get_num_threads(), available_cpus())
    chosen = _read_candidates(candidates)
    if not callable(work):
        raise TypeError(f"work is {work!r}; expected a function without arguments.")
    timings = time_threads(work, chosen) if len(chosen) > 1 else {}
    threads = _best(timings) if timings else chosen[0]
    torch.set_num_threads(threads)
    seconds = {number: timing.median for number, timing in timings.items()}
    return ThreadChoice(threads, seconds, _explain(threads, timings))


def time_threads(
    work: Callable[[], object], candidates: Sequence[int], seconds: float = BUDGET
) -> dict[int, Timing]:
    """Return how long `work` takes with each number of threads; the setting stays the old one.

    They take turns. One that is far slower than another gets no more of them.

    Args:
        work: a function without arguments.
        candidates: numbers of threads, each at least 1.
        seconds: that all take together, if each does not need longer for one call.
    """
    old = torch.get_num_threads()
    calls: dict[int, list[float]] = {number: [] for number in candidates}
    turn = seconds / (TURNS * len(calls))
    waiting = list(calls)
    end = time.perf_counter() + seconds
    try:
        for number in [number for _ in range(TURNS) for number in calls]:
            if number not in waiting or (calls[number] and time.perf_counter() >= end):
                continue
            torch.set_num_threads(number)
            calls[number] += _time_turn(work, turn, seconds / 2)
            best = min(statistics.median(found) for found in calls.values() if found)
            waiting = [
                other
                for other in waiting
                if not calls[other] or min(calls[other]) <= HOPELESS * best
            ]
    finally:
        torch.set_num_threads(old)
    return {
        number: Timing(statistics.median(found), statistics.fmean(found), max(found), len(found))
        for number, found in calls.items()
    }


def _time_turn(work: Callable[[], object], turn: float, long: float) -> list[float]:
    """Return the seconds that each call of one turn took."""
    found: list[float] = []
    start = time.perf_counter()
    work()
    now = time.perf_counter()
    # The first call starts threads and fills caches. Only one that is long is not worth another.
    if now - start >= long:
        return [now - start]
    end = start + turn
    while not found or now < end:
        start = now
        work()
        now = time.perf_counter()
        found.append(now - start)
    return found


def _read_candidates(candidates: object) -> list[int]:
    expected = "expected numbers of threads, such as [1, 2]"
    if isinstance(candidates, str) or not isinstance(candidates, Sequence):
        raise TypeError(f"candidates is {candidates!r}; {expected}.")
    if not candidates:
        raise ValueError(f"candidates is empty; {expected}.")
    return sorted(
        {
            whole_number(f"candidates[{place}]", number, at_least=1, at_most=MOST_THREADS)
            for place, number in enumerate(candidates)
        }
    )


def _best(timings: Mapping[int, Timing]) -> int:
    """Return the fewest threads than which no more are worth it."""
    numbers = sorted(timings)
    best = numbers[0]
    for number in numbers[1:]:
        fewer, more = timings[best], timings[number]
        if fewer.median >= WORTHWHILE * more.median and fewer.mean >= WORTHWHILE * more.mean:
            best = number
    return best


def _explain(threads: int, timings: Mapping[int, Timing]) -> str:
    # Loads what draws tables; only who asks for a choice needs it.
    from batchsim.ladder.report import format_time

    if not timings:
        return f"{_count(threads)}: the only candidate, so that nothing was measured."

    def describe(number: int) -> str:
        timing = timings[number]
        text = format_time(1e6 * timing.median)
        if timing.mean >= 2 * timing.median:
            text += f" (mean {format_time(1e6 * timing.mean)})"
        return text

    others = " and ".join(
        f"{describe(number)} with {_count(number)}" for number in timings if number != threads
    )
    return (
        f"{_count(threads)}: a call takes {describe(threads)}, and {others}; more threads must be "
        f"{WORTHWHILE} times faster than fewer."
    )


def _count(threads: int) -> str:
    return f"{threads} thread{'s' if threads != 1 else ''}"
