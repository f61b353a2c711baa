"""Measures kernels: called from C as the driver calls them, and through `BatchEnv.step`.

Times are means over many steps of random episodes whose time limits are spread evenly, resets
included; of several such means the best is taken, as whatever else runs only adds to them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from batchsim.batch._buffers import aligned_zeros

from batchsim.actions import OWN
from batchsim.batch.allocation import table_of
from batchsim.batch.vector import BatchEnv
from batchsim.compiler.kernels import BEFORE_TABLE
from batchsim.compiler.layouts import flatten, places_of
from benchmarks.roofline.machine import load_loops

__all__ = ["Times", "measure_kernel", "measure_step"]

SHIFT, SHIFTS = 16, 32
"""Each step takes its actions from another place of one array: random, and in little memory."""
CYCLE = 64
BLOCKS = 5
FEW, WARM_UP = 4096, 100
"""Rows and steps after which these are at different points of their episodes."""
CALIBRATION = 16
"""Steps in which the driver learns how many rows a tile should have."""
PAIRS, DETAILED_STEPS, LEAST_FRESH = 5, 9, 4
"""How often steps with and without resets are compared, how many at a time, and how many of them
must be without."""


@dataclass(frozen=True)
class Times:
    """Nanoseconds of one environment's step in a kernel on one core."""

    kernel: float
    """The whole: actions checked, rows stepped, finished ones reset, observed."""
    check: float
    """Of it, checking the actions."""
    resets: float | None
    """Of it, what resets add; None if there is no step without any to compare with."""


class Subject:
    """A batch in the midst of its episodes, and actions for it."""

    def __init__(self, envs: BatchEnv, seed: int = 0) -> None:
        self.envs = envs
        n = envs.num_envs
        rng = np.random.default_rng(seed)
        envs.action_space.seed(seed)
        sample = envs.action_space.sample()
        self.bank = aligned_zeros((n + SHIFT * SHIFTS, *sample.shape[1:]), sample.dtype)
        self.bank[:n] = sample
        self.bank[n:] = np.resize(sample, self.bank[n:].shape)
        self.starts = SHIFT * rng.integers(0, SHIFTS, CYCLE)
        self.actions = [self.bank[start : start + n] for start in self.starts]
        self.turn = 0
        self._begin(rng)

    def _begin(self, rng: np.random.Generator) -> None:
        """Bring the rows to different points of their episodes.

        A smaller batch gets there in less time, and its rows are copied.
        """
        envs = self.envs
        few = min(envs.num_envs, FEW)
        small = BatchEnv(envs.definition, few, precision=envs.precision, num_threads=1)
        small.reset(seed=int(rng.integers(1 << 30)))
        limit = small.max_episode_steps
        if limit is not None:
            small._tile.elapsed[:] = rng.integers(0, limit, few)
        small.action_space.seed(int(rng.integers(1 << 30)))
        for _ in range(WARM_UP):
            small.step(small.action_space.sample())
        rows = np.arange(envs.num_envs) % few
        envs.set_state({name: column[rows] for name, column in small.get_state().items()})
        small.close()
        self.step(CALIBRATION)

    def step(self, steps: int) -> float:
        """Step so many times through the driver; return the nanoseconds."""
        step = self.envs.step
        following = [self.actions[k % CYCLE] for k in range(self.turn, self.turn + steps)]
        self.turn += steps
        start = time.perf_counter_ns()
        for actions in following:
            step(actions)
        return time.perf_counter_ns() - start


class Bare:
    """The kernel of a subject, called past Python and the driver."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        envs = subject.envs
        self.loops = envs._kernels.of(OWN).loops
        self.table = table_of(envs._tile, self.loops.address)[len(BEFORE_TABLE) :]
        places = places_of(envs._tile)
        slots = {places[id(envs._tile.action)]}
        if envs._choice_is_action():
            slots.add(places[id(envs._tile.choice)])
        self.slots = np.array(sorted(slots), np.int64)
        row_bytes = subject.bank[:1].nbytes
        self.offsets = np.array(subject.starts * row_bytes, np.int64)

    def step(self, steps: int, *details: Any) -> float:
        """Step so many times; return the nanoseconds.

        Args:
            steps: how many.
            *details: arrays (steps,) int64 for the nanoseconds of each step's check, those of the
                rest, and the number of episodes that ended in it.
        """
        envs = self.subject.envs
        pointers = [array.ctypes.data for array in details] or [None] * 3
        ns: int = load_loops().run_kernel(
            self.loops.kernel,
            self.table.ctypes.data,
            self.slots.ctypes.data,
            len(self.slots),
            self.subject.bank.ctypes.data,
            self.offsets.ctypes.data,
            self.subject.turn,
            CYCLE,
            steps,
            envs.num_envs,
            envs._driver.tile_rows,
            *pointers,
        )
        self.subject.turn += steps
        if ns < 0:
            raise RuntimeError(f"The kernel of {envs.definition.name} refused a sampled action.")
        return ns


def measure_kernel(envs: BatchEnv, seconds: float) -> tuple[Times, float]:
    """Measure the bare kernel of a batch on one core, and `BatchEnv.step`, for about so many
    seconds each.

    Returns nanoseconds an environment's step.
    """
    subject = Subject(envs)
    through_driver = _best(subject.step, seconds) / envs.num_envs
    bare = Bare(subject)
    whole = _best(bare.step, seconds) / envs.num_envs
    check, resets = _parts(bare)
    return Times(whole, whole * check, None if resets is None else whole * resets), through_driver


def _parts(bare: Bare) -> tuple[float, float | None]:
    """Return the parts of a step's time that checks and resets take; None if all steps reset rows.

    Steps from amid the episodes and from their beginnings take turns, so that what else the machine
    does meanwhile touches both.
    """
    envs = bare.subject.envs
    amid = _Snapshot(envs)
    envs.reset()
    beginning = _Snapshot(envs)
    checks, resets = [], []
    for _ in range(PAIRS):
        amid.restore()
        check, steps, _ = _details(bare)
        beginning.restore()
        first_check, first_steps, ended_before = _details(bare)
        whole = np.median(check) + np.median(steps)
        checks.append(np.median(check) / whole)
        if (ended_before == 0).sum() >= LEAST_FRESH:
            fresh = np.median(first_check) + np.median(first_steps[ended_before == 0])
            resets.append(1 - fresh / whole)
    part = max(0.0, float(np.median(resets))) if resets else None
    return float(np.median(checks)), part


def _details(bare: Bare) -> tuple[Any, Any, Any]:
    """Return the nanoseconds of a few steps' checks and of the rest, and how many rows they reset.

    The first step, which finds the caches as something else left them, is left out.
    """
    checks, steps, ended = (np.zeros(DETAILED_STEPS, np.int64) for _ in range(3))
    bare.step(DETAILED_STEPS, checks, steps, ended)
    return checks[1:], steps[1:], ended[:-1]


class _Snapshot:
    """Everything that a batch's kernel can write."""

    def __init__(self, envs: BatchEnv) -> None:
        self.arrays = [array for array in flatten(envs._tile) if array.flags.writeable]
        self.copies = [array.copy() for array in self.arrays]

    def restore(self) -> None:
        for array, copy in zip(self.arrays, self.copies, strict=True):
            np.copyto(array, copy)


def measure_step(envs: BatchEnv, seconds: float) -> float:
    """Measure `BatchEnv.step` for about so many seconds; return nanoseconds an environment's
    step.
    """
    return _best(Subject(envs).step, seconds) / envs.num_envs


def _best(step: Callable[[int], float], seconds: float) -> float:
    """Return the nanoseconds of a step: the least of the means of several blocks."""
    budget = seconds * 1e9
    steps, took = 1, step(1)
    while took < budget / 8 and steps < 1 << 20:  # The first blocks also warm up.
        steps *= 2
        took = step(steps)
    blocks = min(BLOCKS, max(1, int(budget / took)))
    return min(took / steps, *(step(steps) / steps for _ in range(blocks)))
