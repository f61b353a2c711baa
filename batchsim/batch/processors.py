"""The processors that this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

__all__ = ["allowed_cpus", "available_cpus", "cpu_quota"]

QUOTA = Path("/sys/fs/cgroup/cpu.max")


def available_cpus() -> int:
    """Return how many CPUs this process may use: its affinity mask, and its control group's
    quota.
    """
    count = len(allowed_cpus())
    quota = cpu_quota()
    return count if quota is None else min(count, max(1, math.ceil(quota)))


def allowed_cpus() -> set[int]:
    """Return the numbers of the CPUs in this process's affinity mask."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def cpu_quota() -> float | None:
    """Return how many CPUs' time the control group may use, or None where there is no limit."""
    try:
        quota, period = QUOTA.read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return None  # No control groups of the second version here.
