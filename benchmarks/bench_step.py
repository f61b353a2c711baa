"""What a step costs, by environment, precision, number of environments and of threads.

A short run has CartPole alone; `--full` has every environment. The time shown is that of a call.
"""

from __future__ import annotations

from typing import Any

import pytest

from batchsim.batch.processors import available_cpus
from batchsim.registry import ENVIRONMENTS
from benchmarks.pairs import Side
from benchmarks.sides import batchsim_step

SHORT = "CartPole-v1"
IDS = [
    SHORT,
    *(
        pytest.param(name, marks=pytest.mark.full)
        for name, entry in ENVIRONMENTS.items()
        # A million pictures are 29 GB, and grid worlds are many.
        if name != SHORT and entry.package is None and "egocentric" not in entry.module
    ),
]
FEW, MANY = [1, 64, 1024, 16384], [4096, 65536, 262144, 1048576]
SIZES = [*FEW, *(pytest.param(size, marks=pytest.mark.full) for size in MANY)]
THREADS = sorted({1, available_cpus()})
PRECISIONS = ["exact", "fast"]


def measure(benchmark: Any, side: Side) -> None:
    """Time calls of `side`, and note the nanoseconds a unit of its work."""
    for _ in range(20):
        side.call()  # The driver learns the size of its tiles.
    calls = max(1, 20_000 // side.units)
    benchmark.pedantic(side.call, iterations=calls, rounds=15, warmup_rounds=2)
    benchmark.extra_info["ns_a_unit"] = 1e9 * benchmark.stats.stats.median / side.units
    side.close()


@pytest.mark.parametrize("num_envs", SIZES)
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("id", IDS)
def bench_step(benchmark: Any, id: str, precision: str, num_envs: int) -> None:
    benchmark.group = f"step {id}"
    measure(benchmark, batchsim_step(id, num_envs, precision=precision))


@pytest.mark.parametrize("num_threads", THREADS)
@pytest.mark.parametrize("num_envs", SIZES[-len(MANY) - 1 :])
@pytest.mark.parametrize("precision", PRECISIONS)
def bench_threads(benchmark: Any, precision: str, num_envs: int, num_threads: int) -> None:
    benchmark.group = f"threads CartPole-v1 N={num_envs}"
    measure(
        benchmark,
        batchsim_step(SHORT, num_envs, precision=precision, num_threads=num_threads),
    )


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
@pytest.mark.parametrize("precision", PRECISIONS)
def bench_autoreset_mode(benchmark: Any, precision: str, mode: str) -> None:
    benchmark.group = f"autoreset mode CartPole-v1 {precision} N=1024"
    measure(benchmark, batchsim_step(SHORT, 1024, precision=precision, autoreset_mode=mode))


@pytest.mark.parametrize("record_episode_statistics", [False, True])
def bench_episode_statistics(benchmark: Any, record_episode_statistics: bool) -> None:
    benchmark.group = "episode statistics CartPole-v1 fast N=1024"
    settings = {"precision": "fast", "record_episode_statistics": record_episode_statistics}
    measure(benchmark, batchsim_step(SHORT, 1024, **settings))
