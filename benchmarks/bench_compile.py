"""What a new process spends up to its first step: kernels compiled, another autoreset mode of the
same id, and kernels found in the cache.

Processor time, which other processes disturb less than the clock's; nothing is asserted.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest


class Seconds(NamedTuple):
    """Processor time of a start, in seconds."""

    cold: float
    """From the import to the first step, the cache empty."""
    another_mode: float
    """From there to the first step in another autoreset mode, in the same process."""
    warm: float
    """From the import to the first step in a new process, the kernel found in the cache."""


WARM = 0.5
TARGETS = {
    "CartPole-v1": Seconds(1.8, 1.0, WARM),
    "Acrobot-v1": Seconds(3.0, 1.0, WARM),
    "Taxi-v4": Seconds(2.0, 1.0, WARM),
    "EgoBattle-v0": Seconds(8.0, 1.0, WARM),
}
"""What each is to take at most."""

START = """
import json, sys, time
begin = time.process_time()
import batchsim
id, *modes = sys.argv[1:]
spent = []
for mode in modes:
    envs = batchsim.make_vec(id, 64, autoreset_mode=mode)
    envs.reset(seed=0)
    envs.step(envs.action_space.sample())
    spent.append(time.process_time() - begin - sum(spent))
print(json.dumps(spent))
"""
"""Prints the processor time up to the first step in each mode, from the one before on."""


def spend(cache: str, id: str, *modes: str) -> list[float]:
    """Return what a new process spends on its first step in each autoreset mode."""
    printed = subprocess.run(
        [sys.executable, "-c", START, id, *modes],
        env={**os.environ, "BATCHSIM_CACHE_DIR": cache},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return list(json.loads(printed))


def spend_on_starts(id: str) -> Seconds:
    """Return what the starts of one environment take."""
    with tempfile.TemporaryDirectory(prefix="batchsim-benchmarks-") as cache:
        cold, another_mode = spend(cache, id, "NextStep", "SameStep")
        (warm,) = spend(cache, id, "NextStep")
    return Seconds(cold, another_mode, warm)


@pytest.fixture(scope="module")
def starts(request: Any) -> Iterator[dict[str, Seconds]]:
    """What is measured, by id: printed at the end, side by side, beside the targets."""
    found: dict[str, Seconds] = {}
    yield found
    plugins = request.config.pluginmanager
    with plugins.getplugin("capturemanager").global_and_fixture_disabled():
        print("\n\nSeconds of processor time up to the first step (target):")
        print("\n".join(side_by_side(found)))


def side_by_side(found: dict[str, Seconds]) -> list[str]:
    """Return the lines of a table."""
    heads = ["environment", *(field.replace("_", " ") for field in Seconds._fields)]
    lines = ["".join([heads[0].ljust(16), *(head.rjust(18) for head in heads[1:])])]
    for id, seconds in found.items():
        figures = zip(seconds, TARGETS[id], strict=True)
        cells = [f"{spent:.2f} ({most:.1f})".rjust(18) for spent, most in figures]
        lines.append("".join([id.ljust(16), *cells]))
    return lines


@pytest.mark.parametrize("id", TARGETS)
def bench_compile(benchmark: Any, request: Any, starts: dict[str, Seconds], id: str) -> None:
    benchmark.group = "compile"
    rounds: list[Seconds] = []
    benchmark.pedantic(
        lambda: rounds.append(spend_on_starts(id)), rounds=3 if request.config.option.full else 1
    )
    starts[id] = Seconds(*map(statistics.median, zip(*rounds, strict=True)))
    benchmark.extra_info.update(starts[id]._asdict(), targets=TARGETS[id]._asdict())
