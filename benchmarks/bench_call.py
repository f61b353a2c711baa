"""What a call costs besides its steps: ways of passing actions and outputs, send, bad actions."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import batchsim
from benchmarks.bench_step import measure
from benchmarks.pairs import Side
from benchmarks.sides import batchsim_step, gymnasium_step, send_and_recv


def plain(envs: Any, actions: Any) -> Callable[[], Any]:
    return lambda: envs.step(actions)


def as_list(envs: Any, actions: Any) -> Callable[[], Any]:
    return plain(envs, actions.tolist())


def as_int32(envs: Any, actions: Any) -> Callable[[], Any]:
    return plain(envs, actions.astype(np.int32))


def into_storage(envs: Any, actions: Any) -> Callable[[], Any]:
    """Outputs go into slices of a rollout's storage, the next one each time."""
    length, n = 16, envs.num_envs
    storage = (
        np.zeros((length, *envs.observation_space.shape), np.float32),
        np.zeros((length, n)),
        np.zeros((length, n), np.bool_),
        np.zeros((length, n), np.bool_),
    )
    outs = itertools.cycle([tuple(array[k] for array in storage) for k in range(length)])
    return lambda: envs.step(actions, out=next(outs))


@pytest.mark.parametrize("way", [plain, as_list, as_int32, into_storage])
def bench_ways_to_call(benchmark: Any, way: Callable[..., Any]) -> None:
    benchmark.group = "ways to call step, CartPole-v1 N=64"
    envs = batchsim.make_vec("CartPole-v1", 64)
    envs.reset(seed=0)
    measure(benchmark, Side("step", way(envs, envs.action_space.sample()), 64, envs.close))


@pytest.mark.parametrize("id", ["CartPole-v1", "FrozenLake-v1", "Blackjack-v1"])
def bench_one_environment(benchmark: Any, id: str) -> None:
    benchmark.group = "one environment: an array, with infos, a tuple"
    measure(benchmark, batchsim_step(id, 1))


def bench_one_environment_of_gymnasium(benchmark: Any) -> None:
    benchmark.group = "one environment: an array, with infos, a tuple"
    measure(benchmark, gymnasium_step("CartPole-v1", 1, "sync"))


@pytest.mark.parametrize("num_envs", [64, 16384])
def bench_send_and_recv(benchmark: Any, num_envs: int) -> None:
    benchmark.group = f"send and recv CartPole-v1 N={num_envs}"
    measure(benchmark, send_and_recv("CartPole-v1", num_envs))


@pytest.mark.parametrize("num_envs", [64, 16384])
def bench_refused_actions(benchmark: Any, num_envs: int) -> None:
    benchmark.group = f"refused actions CartPole-v1 N={num_envs}"
    envs = batchsim.make_vec("CartPole-v1", num_envs)
    envs.reset(seed=0)
    actions = envs.action_space.sample()
    actions[-1] = 2

    def refused() -> None:
        with pytest.raises(ValueError, match=f"row {num_envs - 1} is 2"):
            envs.step(actions)

    measure(benchmark, Side("refused", refused, num_envs, envs.close))
