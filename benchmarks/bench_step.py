"""What a step, a reset and a seeding cost; `make bench` runs these."""

from typing import Any

import pytest

import batchsim
from batchsim.registry import ENVIRONMENTS
from batchsim.vector import available_cpus

IDS = sorted(ENVIRONMENTS)
THREADS = sorted({1, available_cpus()})


def ready(id: str, num_envs: int, **settings: Any) -> tuple[batchsim.BatchEnv, list[Any]]:
    """Return a batch past its first steps, and actions to cycle through."""
    envs = batchsim.make_vec(id, num_envs, **settings)
    envs.action_space.seed(0)
    actions = [envs.action_space.sample() for _ in range(8)]
    envs.reset(seed=0)
    for k in range(64):
        envs.step(actions[k % 8])
    return envs, actions


def measure(benchmark: Any, envs: batchsim.BatchEnv, actions: list[Any]) -> None:
    calls = max(1, 100_000 // envs.num_envs)

    def steps() -> None:
        for k in range(calls):
            envs.step(actions[k % 8])

    benchmark.pedantic(steps, rounds=20, warmup_rounds=2)
    benchmark.extra_info["env_steps_per_second"] = (
        calls * envs.num_envs / benchmark.stats.stats.median
    )
    envs.close()


@pytest.mark.parametrize("num_envs", [1, 64, 1024, 16384, 65536])
@pytest.mark.parametrize("precision", ["exact", "fast"])
@pytest.mark.parametrize("id", IDS)
def bench_step(benchmark: Any, id: str, precision: str, num_envs: int) -> None:
    benchmark.group = f"step {id}"
    measure(benchmark, *ready(id, num_envs, precision=precision))


@pytest.mark.parametrize("num_threads", THREADS)
@pytest.mark.parametrize("precision", ["exact", "fast"])
def bench_threads(benchmark: Any, precision: str, num_threads: int) -> None:
    benchmark.group = "threads CartPole-v1 N=16384"
    measure(benchmark, *ready("CartPole-v1", 16384, precision=precision, num_threads=num_threads))


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def bench_autoreset_mode(benchmark: Any, mode: str) -> None:
    benchmark.group = "autoreset mode CartPole-v1 fast N=1024"
    measure(benchmark, *ready("CartPole-v1", 1024, precision="fast", autoreset_mode=mode))


@pytest.mark.parametrize("num_envs", [64, 16384])
def bench_seeded_reset(benchmark: Any, num_envs: int) -> None:
    benchmark.group = "reset(seed=0) CartPole-v1"
    envs, _ = ready("CartPole-v1", num_envs)
    benchmark(lambda: envs.reset(seed=0))


def bench_send_and_recv(benchmark: Any) -> None:
    benchmark.group = "send and recv CartPole-v1 N=1024"
    envs, actions = ready("CartPole-v1", 1024)

    def both() -> None:
        envs.send(actions[0])
        envs.recv()

    benchmark(both)


def bench_refused_actions(benchmark: Any) -> None:
    benchmark.group = "refused actions CartPole-v1 N=16384"
    envs, actions = ready("CartPole-v1", 16384)
    actions[0][-1] = 2

    def refused() -> None:
        with pytest.raises(ValueError, match="row 16383 is 2"):
            envs.step(actions[0])

    benchmark(refused)
