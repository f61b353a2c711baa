"""Measures the machine and then kernel by kernel, and says what keeps each from its limit."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass

from batchsim.batch.vector import BatchEnv
from batchsim.ladder.machine import describe_machine, find_versions
from benchmarks.roofline.code import Code, read_code
from benchmarks.roofline.count import Counts, count_step
from benchmarks.roofline.limit import Limit, find_limit
from benchmarks.roofline.machine import Machine, measure_machine, time_calls
from benchmarks.roofline.measure import Times, measure_kernel, measure_step

__all__ = ["Kernel", "Point", "Result", "Settings", "losses", "measure"]

MACHINE_PART = 0.06
"""Of the time for one measurement of a kernel, what each figure of the machine gets."""


@dataclass(frozen=True)
class Settings:
    """What is measured."""

    env_ids: tuple[str, ...]
    precisions: tuple[str, ...]
    num_envs: tuple[int, ...]
    seconds: float
    """For each measurement; a kernel has three for each number of environments."""


@dataclass(frozen=True)
class Point:
    """One kernel with one number of environments; times are nanoseconds an environment's step."""

    num_envs: int
    working_set: int
    """Bytes."""
    limit: Limit
    """On one core."""
    limit_all: Limit
    """On all cores."""
    times: Times
    """Of the bare kernel on one core."""
    step: float
    """Of `BatchEnv.step` with one thread."""
    step_all: float
    """Of `BatchEnv.step` with as many threads as cores."""

    @property
    def share(self) -> float:
        """The limit as a part of what the bare kernel takes, on one core."""
        return self.limit.ns / self.times.kernel

    @property
    def share_all(self) -> float:
        """The limit as a part of what `BatchEnv.step` takes, on all cores."""
        return self.limit_all.ns / self.step_all


@dataclass(frozen=True)
class Kernel:
    """One environment in one precision."""

    env_id: str
    precision: str
    counts: Counts
    call_ns: dict[str, float]
    """Nanoseconds of each call of the C library that a step makes, by name."""
    code: Code | None
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Result:
    """Everything that was measured."""

    settings: Settings
    date: str
    description: dict[str, str | int]
    versions: dict[str, str]
    machine: Machine
    kernels: tuple[Kernel, ...]


def measure(settings: Settings, show: Callable[[str, float], None] | None = None) -> Result:
    """Measure the machine and all kernels.

    Args:
        settings: what to measure.
        show: called before each part with its name and how much of the whole is done.
    """
    tell = show or (lambda doing, done: None)
    machine = measure_machine(
        settings.seconds * MACHINE_PART, lambda part: tell(f"the machine: {part}", 0.0)
    )
    pairs = [(name, kind) for name in settings.env_ids for kind in settings.precisions]
    kernels = []
    for k, (env_id, precision) in enumerate(pairs):
        doing = f"{env_id} {precision}"

        def progress(part: float, k: int = k, doing: str = doing) -> None:
            tell(doing, (k + part) / len(pairs))

        kernels.append(_measure_one(env_id, precision, machine, settings, progress))
    return Result(
        settings,
        datetime.datetime.now(datetime.UTC).date().isoformat(),
        describe_machine(),
        find_versions(),
        machine,
        tuple(kernels),
    )


def _measure_one(
    env_id: str,
    precision: str,
    machine: Machine,
    settings: Settings,
    progress: Callable[[float], None],
) -> Kernel:
    progress(0.0)
    counts = count_step(env_id, precision)
    call_ns = {
        name: time_calls(name, arguments, settings.seconds * MACHINE_PART)
        for name, arguments in counts.arguments.items()
    }
    points, code = [], None
    for k, n in enumerate(settings.num_envs):
        progress(k / len(settings.num_envs))
        one = BatchEnv(env_id, n, precision=precision, num_threads=1)
        code = code or read_code(one.kernel)
        times, step = measure_kernel(one, settings.seconds)
        one.close()
        step_all = step
        if machine.cores > 1:
            every = BatchEnv(env_id, n, precision=precision, num_threads=machine.cores)
            step_all = measure_step(every, settings.seconds)
            every.close()
        limits = (find_limit(counts, machine, n, cores, call_ns) for cores in (1, machine.cores))
        working_set = round(counts.footprint_bytes * n)
        points.append(Point(n, working_set, *limits, times, step, step_all))
    return Kernel(env_id, precision, counts, call_ns, code, tuple(points))


def losses(kernel: Kernel, point: Point) -> dict[str, float]:
    """Return what lies between the limit of one core and `BatchEnv.step`, by name.

    Returns nanoseconds an environment's step, the largest first. What is left beside host overhead,
    the check of the actions and resets goes by what the counts and the machine code show.
    """
    times = point.times
    resets = times.resets or 0.0
    found = {
        "host overhead": point.step - times.kernel,
        "action check": times.check,
        "resets": resets,
        _other(kernel, times): times.kernel - times.check - resets - point.limit.ns,
    }
    return {name: ns for name, ns in sorted(found.items(), key=lambda item: -item[1]) if ns > 0.0}


def _other(kernel: Kernel, times: Times) -> str:
    if kernel.counts.draws:
        return "random draws" + (" and resets" if times.resets is None else "")
    if kernel.counts.calls:
        return "code around libm"
    if kernel.code is not None and not kernel.code.is_vector_code(kernel.counts):
        return "scalar code"
    wide = kernel.code.packed64 / max(1, kernel.code.packed32) if kernel.code else 0.0
    if kernel.precision == "fast" and wide > 0.1:
        return "float64 code"
    return "other instructions"
