"""What a row costs RLlib, and what it costs the environments: run it in RLlib's own environment.

    .venv-rllib/bin/python -m benchmarks.rllib --env CartPole-v1 --num-envs 64,1024

One EnvRunner in this process, one thread of PyTorch and of the driver, PPO's own network of two
layers of 64. Seconds are of the processor; rounds of all three ways take turns, and the fastest
counts.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from typing import Any

import ray
import torch
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.rllib.env.single_agent_env_runner import SingleAgentEnvRunner

from batchsim.adapters.rllib import BatchEnvRunner
from batchsim.commands.options import read_sizes

STEPS = 32
WAYS = {
    "Gymnasium's environments, RLlib's EnvRunner": (SingleAgentEnvRunner, "sync", ""),
    "batchsim, RLlib's EnvRunner": (SingleAgentEnvRunner, "vector_entry_point", "batchsim/"),
    "batchsim, BatchEnvRunner": (BatchEnvRunner, "vector_entry_point", "batchsim/"),
}


class Way:
    """One way to sample and to learn, and the least that each has taken so far."""

    def __init__(self, env: str, num_envs: int, runner: type, mode: str, prefix: str) -> None:
        batch = STEPS * num_envs
        config = (
            PPOConfig()
            .environment(prefix + env, env_config={"num_threads": 1} if prefix else {})
            .debugging(seed=0)
            .rl_module(model_config=DefaultModelConfig(fcnet_hiddens=[64, 64]))
            .env_runners(
                env_runner_cls=runner,
                gym_env_vectorize_mode=mode,
                num_env_runners=0,
                num_envs_per_env_runner=num_envs,
                rollout_fragment_length=STEPS,
            )
            .training(train_batch_size=batch, minibatch_size=min(1024, batch), num_epochs=1)
        )
        self.rows = batch
        self.algorithm: Any = config.build_algo()
        self.stepping = 0.0
        self.least = dict.fromkeys(("environments", "sampling", "whole iteration"), math.inf)
        envs = self.algorithm.env_runner.env
        # RLlib's own EnvRunner has a wrapper around the environments.
        envs = getattr(envs, "env", envs)
        envs.step = self._timed(envs.step)

    def _timed(self, step: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def timed(actions: Any) -> Any:
            start = time.process_time()
            found = step(actions)
            self.stepping += time.process_time() - start
            return found

        return timed

    def measure(self) -> None:
        """Sample once, and make an iteration."""
        self.stepping = 0.0
        start = time.process_time()
        self.algorithm.env_runner.sample()
        sampled = time.process_time()
        stepping = self.stepping
        self.algorithm.train()
        took = (stepping, sampled - start, time.process_time() - sampled)
        for name, seconds in zip(self.least, took, strict=True):
            self.least[name] = min(self.least[name], 1e6 * seconds / self.rows)


def main() -> None:
    """Read the command line, measure and show."""
    parser = argparse.ArgumentParser(description="What a row costs RLlib, in microseconds")
    parser.add_argument("--env", default="CartPole-v1")
    parser.add_argument("--num-envs", type=read_sizes, default="64,1024")
    parser.add_argument("--rounds", type=int, default=4)
    given = parser.parse_args()
    torch.set_num_threads(1)
    ray.init(include_dashboard=False, num_cpus=1)
    for num_envs in given.num_envs:
        ways = {name: Way(given.env, num_envs, *way) for name, way in WAYS.items()}
        for _ in range(given.rounds + 1):  # The first sets everything up.
            for way in ways.values():
                way.measure()
        print(f"{given.env}, N={num_envs}: microseconds a row")
        for name, way in ways.items():
            figures = ", ".join(f"{value:.2f} {what}" for what, value in way.least.items())
            print(f"  {name}: {figures}", flush=True)
            way.algorithm.stop()
    ray.shutdown()


if __name__ == "__main__":
    main()
