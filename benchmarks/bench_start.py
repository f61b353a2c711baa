"""How long a new process takes to its first step: kernels compiled, and found in the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from batchsim.registry import ENVIRONMENTS
from benchmarks import sides
from benchmarks.pairs import Side


def time_process(benchmark: Any, side: Side, rounds: int) -> None:
    benchmark.pedantic(side.call, rounds=rounds)
    side.close()


DEFINITIONS = list({entry.module: name for name, entry in ENVIRONMENTS.items()}.values())
"""One id of each definition: others have the same kernels, or take as long."""


def bench_import(benchmark: Any) -> None:
    benchmark.group = "first step of a process"
    time_process(benchmark, sides.import_libraries(), 3)


@pytest.mark.full
@pytest.mark.parametrize("start", [sides.start, sides.compile_once])
@pytest.mark.parametrize("id", DEFINITIONS)
def bench_start(benchmark: Any, id: str, start: Callable[[str], Side]) -> None:
    benchmark.group = "first step of a process"
    time_process(benchmark, start(id), 3)
