"""What resets, seeds and snapshots cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import batchsim
from benchmarks.bench_step import measure
from benchmarks.pairs import Side
from benchmarks.sides import copy_columns, seeded_reset, snapshot

SIZES = [64, pytest.param(16384, marks=pytest.mark.full)]


@pytest.mark.parametrize("num_envs", SIZES)
def bench_seeded_reset(benchmark: Any, num_envs: int) -> None:
    benchmark.group = f"reset CartPole-v1 N={num_envs}"
    measure(benchmark, seeded_reset(batchsim.make_vec("CartPole-v1", num_envs)))


@pytest.mark.parametrize("num_envs", SIZES)
@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def bench_reset_of_some_rows(benchmark: Any, share: float, num_envs: int) -> None:
    benchmark.group = f"reset CartPole-v1 N={num_envs}"
    envs = batchsim.make_vec("CartPole-v1", num_envs, autoreset_mode="Disabled")
    envs.reset(seed=0)
    options = {"reset_mask": np.arange(num_envs) < share * num_envs}
    options["reset_mask"][0] = True
    measure(benchmark, Side("reset", lambda: envs.reset(options=options), num_envs, envs.close))


@pytest.mark.parametrize("num_envs", SIZES)
def bench_snapshot(benchmark: Any, num_envs: int) -> None:
    benchmark.group = f"snapshot CartPole-v1 N={num_envs}"
    measure(benchmark, snapshot("CartPole-v1", num_envs))


@pytest.mark.parametrize("num_envs", SIZES)
def bench_copies_of_columns(benchmark: Any, num_envs: int) -> None:
    benchmark.group = f"snapshot CartPole-v1 N={num_envs}"
    measure(benchmark, copy_columns("CartPole-v1", num_envs))
