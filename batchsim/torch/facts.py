"""What `python -m batchsim doctor` tells about PyTorch."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch

from batchsim.torch.threads import time_threads

__all__ = ["describe_cuda", "describe_forward", "describe_torch"]

ROWS = 64


def describe_torch() -> dict[str, Any]:
    """Return the version, and the threads within an operation and between operations."""
    return {
        "version": torch.__version__,
        "threads": torch.get_num_threads(),
        "interop_threads": torch.get_num_interop_threads(),
    }


def describe_cuda() -> dict[str, Any]:
    """Return whether PyTorch can use a CUDA device: its name and memory in bytes, or why not."""
    built_for = torch.version.cuda
    found: dict[str, Any] = {"available": False, "built_for": built_for}
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        found |= {"available": True, "devices": torch.cuda.device_count()}
        return found | {"name": properties.name, "memory": properties.total_memory}
    if built_for is None:
        return found | {"why_not": "this PyTorch is built without CUDA"}
    init: Any = torch.cuda.init
    try:
        init()
    except (RuntimeError, AssertionError) as error:
        lines = str(error).strip().splitlines()
        return found | {"why_not": lines[0] if lines else type(error).__name__}
    return found | {"why_not": "PyTorch finds no device"}


def describe_forward(threads: int) -> dict[str, Any]:
    """Return how long a small policy takes for 64 rows, with one thread and with `threads`.

    Returns:
        `rows`, and `timings`: a list with the number of threads and the fields of a `Timing`.
    """
    policy = torch.nn.Sequential(
        torch.nn.Linear(4, 64),
        torch.nn.Tanh(),
        torch.nn.Linear(64, 64),
        torch.nn.Tanh(),
        torch.nn.Linear(64, 2),
    )
    observations = torch.zeros(ROWS, 4)

    def forward() -> None:
        with torch.no_grad():
            policy(observations)

    timings = time_threads(forward, sorted({1, threads}))
    return {
        "rows": ROWS,
        "timings": [{"threads": number, **asdict(found)} for number, found in timings.items()],
    }
