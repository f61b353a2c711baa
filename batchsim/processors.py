"""The processors that this process may use."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["available_cpus"]


def available_cpus() -> int:
    """Return how many CPUs this process may use: its affinity mask, and its control group's
    quota.
    """
    count = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            count = min(count, max(1, -(-int(quota) // int(period))))
    except (OSError, ValueError):
        pass  # No control groups of the second version here.
    return count
