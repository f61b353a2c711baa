"""How much memory an environment takes, measured where a rung keeps its state."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path
from typing import Any

from batchsim.ladder.check import SEED, draw_actions
from batchsim.ladder.kind import Kind
from batchsim.ladder.rung import Make

__all__ = ["private_to_processes", "traced", "unknown"]

ROWS = 256
STEPS = 2


def traced(make: Make, kind: Kind, rows: int = ROWS) -> float:
    """Return by how much Python's and NumPy's allocations grow with one more environment.

    Everything that a batch holds between two steps is counted, its spaces too. Two batches are
    measured, of `rows` and twice as many, so that what does not grow cancels out.
    """
    # What is made once a process and kept, such as a compiled kernel, goes to the first batch.
    _traced_total(make, kind, rows)
    # What other threads allocate meanwhile is counted as well; it only adds.
    small, large = (
        min(_traced_total(make, kind, size) for _ in range(2)) for size in (rows, 2 * rows)
    )
    return (large - small) / rows


def _traced_total(make: Make, kind: Kind, rows: int) -> int:
    actions = draw_actions(kind, rows, STEPS)
    tracemalloc.start()
    try:
        batch = make(kind, rows)
        batch.reset(seed=SEED)
        for action in actions:
            batch.step(action)
        gc.collect()
        size, _ = tracemalloc.get_traced_memory()
        batch.close()
    finally:
        tracemalloc.stop()
    return size


def private_to_processes(make: Make, kind: Kind) -> float | None:
    """Return the memory that a worker process shares with no other; None where the system does not
    tell, which is all but Linux."""
    rows = 4
    batch = make(kind, rows)
    try:
        batch.reset(seed=SEED)
        for action in draw_actions(kind, rows, STEPS):
            batch.step(action)
        processes: list[Any] = batch.processes  # type: ignore[attr-defined]
        return sum(_private_bytes(process.pid) for process in processes) / rows
    except FileNotFoundError:
        return None
    finally:
        batch.close()


def _private_bytes(process: int) -> int:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Private_"))


def unknown(make: Make, kind: Kind) -> None:
    """The memory lies outside of what Python can count."""
