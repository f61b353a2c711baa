"""The sides of the pairs that train: rollouts and iterations of PPO, on one thread of PyTorch."""

from __future__ import annotations

from typing import Any

import torch

import batchsim
from batchsim.torch import PPO, ActorCritic, Collector, hyperparameters_for
from batchsim.torch.baseline import make_baseline
from batchsim.torch.policy import converter
from benchmarks.pairs import Side

__all__ = ["bare_rollout", "iteration", "iteration_without_environment", "rollout"]

STEPS = 32


def _policy(envs: Any) -> ActorCritic:
    torch.set_num_threads(1)
    return ActorCritic(envs.single_observation_space, envs.single_action_space)


def rollout(id: str, num_envs: int, **settings: Any) -> Side:
    """Rollouts of a `Collector`."""
    envs = batchsim.make_vec(id, num_envs)
    collector = Collector(envs, _policy(envs), STEPS, seed=0, **settings)
    return Side("Collector", collector.collect, STEPS * num_envs, envs.close)


def bare_rollout(id: str, num_envs: int) -> Side:
    """The calls of policy and environments that a rollout cannot do without, and nothing kept."""
    envs = batchsim.make_vec(id, num_envs)
    policy = _policy(envs)
    convert = converter(envs.single_action_space)
    generator = torch.Generator().manual_seed(0)
    seen = torch.from_numpy(envs.reset(seed=0)[0])

    @torch.no_grad()
    def collect() -> None:
        nonlocal seen
        noise = policy.draw(STEPS, num_envs, generator)
        for t in range(STEPS):
            actions = policy.act(seen, noise[t])[0]
            seen = torch.from_numpy(envs.step(convert(actions.numpy()))[0])
        policy.value(seen)

    return Side("policy and environments", collect, STEPS * num_envs, envs.close)


def iteration(id: str, simulator: str = "batchsim") -> Side:
    """Iterations of PPO as `train` makes them, on batchsim or on Gymnasium's `SyncVectorEnv`."""
    torch.set_num_threads(1)
    how = hyperparameters_for(id).replace(anneal=False)
    if simulator == "batchsim":
        envs: Any = batchsim.make_vec(id, how.num_envs)
    else:
        envs = make_baseline(id, how.num_envs)
    return _iterating(f"PPO on {simulator}", envs, how)


def iteration_without_environment(id: str) -> Side:
    """The same iterations, whose environments do nothing and take no time."""
    torch.set_num_threads(1)
    how = hyperparameters_for(id).replace(anneal=False)
    envs: Any = batchsim.make_vec(id, how.num_envs)
    result = (None, None, None, None, {})
    side = _iterating("PPO without environments", envs, how)
    # Only now: PPO would take it for a step of the user's own, which writes into no rollout.
    envs.step = lambda actions, out: result
    return side


def _iterating(name: str, envs: Any, how: Any) -> Side:
    ppo = PPO(envs, how)
    return Side(name, ppo.iterate, how.num_envs * how.steps, envs.close)
