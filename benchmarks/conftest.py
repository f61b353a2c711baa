"""Set-up of the benchmarks: their options, and kernels compiled before anything is timed."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

import batchsim
from batchsim.batch.processors import available_cpus
from batchsim.ladder.machine import describe_machine, find_versions
from benchmarks import floors
from benchmarks.bench_floors import KERNELS


def pytest_addoption(parser: Any) -> None:
    group = parser.getgroup("batchsim")
    group.addoption("--full", action="store_true", help="every size, precision and environment")
    group.addoption(
        "--record",
        action="store_true",
        help="write the measured ratios into floors.toml as the typical ones; judge nothing",
    )


def pytest_configure(config: Any) -> None:
    config.addinivalue_line("markers", "full: runs with --full only")


def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    if config.getoption("--full"):
        return
    left_out = [item for item in items if item.get_closest_marker("full")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def compile_kernel(kernel: tuple[str, str]) -> None:
    """Put a kernel into the cache."""
    id, precision = kernel
    batchsim.make_vec(id, 16, precision=precision).close()


def pytest_collection_finish(session: Any) -> None:
    # On all processors, where one after the other would take most of a short run.
    if len(session.items) < len(KERNELS) or session.config.option.collectonly:
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(available_cpus(), mp_context=context) as executor:
        list(executor.map(compile_kernel, KERNELS))


def pytest_benchmark_update_machine_info(config: Any, machine_info: dict[str, Any]) -> None:
    machine_info["batchsim"] = {**describe_machine(), "versions": find_versions()}


@pytest.fixture(scope="session")
def recorded(request: Any) -> Any:
    """Ratios to be written into `floors.toml` at the end, or None if they are to be judged."""
    if not request.config.getoption("--record"):
        yield None
        return
    ratios: dict[str, Any] = {}
    yield ratios
    floors.record(ratios)
