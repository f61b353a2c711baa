"""The processors that this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

__all__ = ["available_cpus", "cpu_quota"]

QUOTA = Path("/sys/fs/cgroup/cpu.max")


def available_cpus() -> int:
    """Return how many CPUs this process may use: its affinity mask, and its control group's
    quota.
    """
    count = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    quota = cpu_quota()
    return count if quota is None else min(count, max(1, math.ceil(quota)))


def cpu_quota() -> float | None:
    """Return how many CPUs' time the control group may use, or None where there is no limit."""
    try:
        quota, period = QUOTA.read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return None  # No control groups of the second version here.
