"""Counts what one step of an environment must move and compute, from the environment itself.

`kernels.advance` and `kernels.observe_row`, bound to the environment's own functions as for a
kernel, run over recording columns and numbers (`benchmarks.roofline.record`) in states of random
episodes; the counts are means over these.

Bytes: each element of a column that a step reads before it writes it counts as read once, each
that it writes as written once: state, elapsed, pending, observation, reward, flags, infos, and the
random stream where a step draws. The action is read once in the caller's type. Not counted: that a
cache may fetch a line before it is overwritten (write-allocate), tables and constants that all rows
share, and what is an affair of this implementation (the narrower copy of the actions, the list of
finished rows).

Operations: additions (with subtractions), multiplications, divisions and square roots of
floating-point numbers by width, on the path that the row takes, each expression once; and, in exact
precision, calls of the C library's functions, whether a kernel calls them or computes the same in
place. `x ** 2` is a product; a remainder is a quotient, a rounding, a product and a sum; a division
by a power of two is a product. Comparisons (`min` and `max` too), roundings, conversions and
integer operations are counted and shown, but limit nothing: compilers merge them. Signs, choices
between two values and a random draw's own arithmetic are not counted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from batchsim.batch.vector import BatchEnv
from batchsim.compiler import columns, compile, kernels, layouts
from batchsim.compiler.binder import Binder
from benchmarks.roofline.record import Column, Memory, Recorder

__all__ = ["Counts", "count_step"]

ROWS = 8
STEPS = 160
EVERY = 8
"""Of so many rows and steps, the rows of every eighth step are recorded."""
MOST_ARGUMENTS = 1000
"""Arguments that are kept of the calls of one function."""
FLOPS = ("add", "multiply", "divide", "square_root")


@dataclass(frozen=True)
class Counts:
    """What one step of one row moves and computes, as means."""

    read_bytes: float
    written_bytes: float
    footprint_bytes: float
    """Distinct bytes, read or written or both: N times this is the working set."""
    operations: dict[str, float]
    """By kind and width: "add32", "compare64", …, "integer"."""
    calls: dict[str, float]
    """Of functions of the C library, by name."""
    arguments: dict[str, list[tuple[float, ...]]]
    """Arguments of some of these calls."""
    draws: float
    """Calls of the drawing functions."""

    @property
    def bytes(self) -> float:
        """Bytes read and written."""
        return self.read_bytes + self.written_bytes

    @property
    def flops(self) -> float:
        """Floating-point operations: additions, multiplications, divisions and square roots."""
        return sum(number for name, number in self.operations.items() if name[:-2] in FLOPS)

    def of(self, kind: str, bits: int) -> float:
        """Return how many operations of a kind and width there are."""
        return self.operations.get(f"{kind}{bits}", 0.0)


def count_step(
    definition: Any, precision: str, *, rows: int = ROWS, steps: int = STEPS, seed: int = 0
) -> Counts:
    """Count what a step of an environment moves and computes.

    Args:
        definition: an id, or the class or module that defines an environment.
        precision: "exact" or "fast".
        rows: how many episodes run side by side, with random actions.
        steps: for how many steps.
        seed: of the episodes and the actions.

    Raises:
        TypeError, ValueError: if there is no such environment, or it does something that the
            recording numbers cannot follow.
    """
    envs = BatchEnv(definition, rows, precision=precision, backend="reference")
    try:
        envs.reset(seed=seed)
        envs.action_space.seed(seed)
        total = _Total()
        for k in range(steps):
            actions = envs.action_space.sample()
            if k % EVERY == EVERY - 1:
                for row in np.flatnonzero(~envs._tile.pending):
                    total.add(*_record(envs, int(row), actions))
            envs.step(actions)
        return total.mean()
    finally:
        envs.close()


class _Total:
    def __init__(self) -> None:
        self.samples = 0
        self.bytes: Counter[str] = Counter()
        self.operations: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.arguments: dict[str, list[tuple[float, ...]]] = {}
        self.draws = 0

    def add(self, recorder: Recorder, action_bytes: int) -> None:
        self.samples += 1
        self.bytes.update(read=action_bytes, footprint=action_bytes)
        for memory in recorder.memories:
            if not memory.is_shared:
                size = memory.dtype.itemsize
                self.bytes.update(
                    read=len(memory.read) * size,
                    written=len(memory.written) * size,
                    footprint=len(memory.read | memory.written) * size,
                )
        self.operations.update(recorder.operations)
        self.draws += recorder.draws
        for name, arguments in recorder.library_calls():
            self.calls[name] += 1
            kept = self.arguments.setdefault(name, [])
            if len(kept) < MOST_ARGUMENTS:
                kept.append(arguments)

    def mean(self) -> Counts:
        def means(counter: Counter[str]) -> dict[str, float]:
            return {name: counter[name] / self.samples for name in sorted(counter)}

        return Counts(
            *(self.bytes[name] / self.samples for name in ("read", "written", "footprint")),
            means(self.operations),
            means(self.calls),
            self.arguments,
            self.draws / self.samples,
        )


def _record(envs: BatchEnv, row: int, actions: Any) -> tuple[Recorder, int]:
    """Record one step of one row, on a copy; return the record and the bytes of the action."""
    recorder = Recorder()
    action = np.array(actions[row : row + 1])
    fields = {
        name: _recording(recorder, nested, None if name in layouts.SHARED else row)
        for name, nested in envs._tile._asdict().items()
    }
    # The action's bytes are counted apart: it is read whole, to be checked.
    fields["choice"] = Column(recorder, action, Memory(action, is_shared=True))
    tile = kernels.Tile(**fields)
    binder = Binder(
        envs.precision,
        _placeholders(envs),
        recorder.rebind,
        given={
            **columns.reference_accessors(envs._constants(), stacks=False),
            "row_views": _row_views,
        },
        namespace=envs.definition.namespace,
    )
    advance, observe, inform = (
        recorder.rebind(binder.copy(function))
        for function in (kernels.advance, kernels.observe_row, kernels.inform_row)
    )
    _ = tile.pending[0]  # A step has to know which rows it is to reset instead.
    advance(tile, 0)
    recorder.rebind(_count_step)(tile)
    observe(tile, 0, _row_views(tile.observation, 0))
    inform(tile, 0, _row_views(tile.info, 0))
    return recorder, action.nbytes


def _count_step(tile: Any) -> None:
    """Do what `count_steps` of _loops.hpp does, with the one row of a tile."""
    elapsed = tile.elapsed.dtype.type(tile.elapsed[0] + 1)
    truncated = tile.truncated[0] | (elapsed >= tile.settings.time_limit[0])
    tile.elapsed[0] = elapsed
    tile.truncated[0] = truncated
    tile.pending[0] = tile.terminated[0] | truncated


def _recording(recorder: Recorder, nested: Any, row: int | None) -> Any:
    """Return nested arrays as recording columns: of a copy of one row, or, for None, whole."""
    if isinstance(nested, np.ndarray):
        is_shared = row is None
        values = nested if is_shared else nested[row : row + 1].copy()
        memory = Memory(values, is_shared)
        recorder.memories.append(memory)
        return Column(recorder, values, memory)
    members = [_recording(recorder, member, row) for member in nested]
    return type(nested)(*members) if hasattr(nested, "_fields") else tuple(members)


def _row_views(nested: Any, i: int) -> Any:
    """As `columns.row_views`, for recording columns."""
    if isinstance(nested, Column):
        return nested[i]
    members = [_row_views(member, i) for member in nested]
    return type(nested)(*members) if hasattr(nested, "_fields") else tuple(members)


def _placeholders(envs: BatchEnv) -> dict[str, Any]:
    definition = envs.definition
    return {
        "step": definition.step,
        "observe": definition.observe,
        "inform": definition.inform or kernels.no_info,
        "MARKS": False,
        "chosen": compile.chosen_of(envs._bounds),
    }
