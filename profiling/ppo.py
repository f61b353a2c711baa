"""Which share of an iteration of PPO is the environment: collect, advantages and update, line by
line.

A self-contained loop after CleanRL's `ppo.py` (Huang and others, 2022), for flat observations and
discrete actions, with PyTorch on one thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
import typer
from line_profiler import LineProfiler
from torch import nn

from batchsim import make_vec
from profiling.report import (
    Profile,
    Report,
    UsageError,
    environment_name,
    explain_lines,
    file_name,
    floor_of,
    main,
    nanoseconds,
    profile,
    resolve,
    shown,
    table,
)

GAMMA = 0.99
GAE_LAMBDA = 0.95
CLIP = 0.2
ENTROPY = 0.01
VALUE = 0.5
MAX_GRADIENT = 0.5
LEARNING_RATE = 2.5e-4
EPOCHS = 4
MINIBATCHES = 4

ITERATIONS = 5
"""Traced; more than one, since an interruption of one is to count for nothing."""


class Rollout(NamedTuple):
    """What `collect` stores, each (steps, num_envs, …)."""

    observations: torch.Tensor
    actions: torch.Tensor
    log_probs: torch.Tensor
    values: torch.Tensor
    rewards: torch.Tensor
    over: torch.Tensor


class Agent(nn.Module):
    """Policy and value function: two perceptrons of two layers with 64 units."""

    def __init__(self, inputs: int, choices: int) -> None:
        super().__init__()
        self.actor, self.critic = (
            nn.Sequential(
                nn.Linear(inputs, 64),
                nn.Tanh(),
                nn.Linear(64, 64),
                nn.Tanh(),
                nn.Linear(64, outputs),
            )
            for outputs in (choices, 1)
        )

    def forward(self, observations: torch.Tensor) -> tuple[Any, torch.Tensor]:
        """Return the distribution of actions and the value."""
        logits = self.actor(observations)
        return torch.distributions.Categorical(logits=logits), self.critic(observations).squeeze(-1)


@torch.no_grad()
def collect(envs: Any, agent: Agent, observation: torch.Tensor, rollout: Rollout) -> torch.Tensor:
    """Fill the rollout; return the observation after it."""
    start = envs.single_action_space.start
    for t in range(len(rollout.rewards)):
        policy, value = agent(observation)
        action = policy.sample()
        rollout.observations[t] = observation
        rollout.actions[t] = action
        rollout.log_probs[t] = policy.log_prob(action)
        rollout.values[t] = value
        array = action.numpy() + start
        result = envs.step(array)
        observation = torch.from_numpy(result[0]).float().flatten(1)
        rollout.rewards[t] = torch.from_numpy(result[1])
        rollout.over[t] = torch.from_numpy(result[2] | result[3])
    return observation


@torch.no_grad()
def advantages(agent: Agent, observation: torch.Tensor, rollout: Rollout) -> torch.Tensor:
    """Return the generalised advantage estimates."""
    following = agent(observation)[1]
    estimates = torch.zeros_like(rollout.rewards)
    last = torch.zeros_like(following)
    for t in reversed(range(len(estimates))):
        goes_on = 1.0 - rollout.over[t]
        delta = rollout.rewards[t] + GAMMA * following * goes_on - rollout.values[t]
        last = delta + GAMMA * GAE_LAMBDA * goes_on * last
        estimates[t] = last
        following = rollout.values[t]
    return estimates


def update(agent: Agent, optimizer: Any, rollout: Rollout, estimates: torch.Tensor) -> None:
    """Improve the policy and the value function by minibatches."""
    flat = [array.flatten(0, 1) for array in (*rollout[:4], estimates)]
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(flat[1])).chunk(MINIBATCHES):
            observations, actions, old_log_probs, old_values, advantage = (a[rows] for a in flat)
            returns = advantage + old_values
            policy, values = agent(observations)
            ratio = (policy.log_prob(actions) - old_log_probs).exp()
            advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
            clipped = ratio.clamp(1 - CLIP, 1 + CLIP)
            gain = torch.min(advantage * ratio, advantage * clipped).mean()
            loss = VALUE * ((values - returns) ** 2).mean() / 2 - gain
            loss = loss - ENTROPY * policy.entropy().mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), MAX_GRADIENT)
            optimizer.step()


def session(
    env: Annotated[str, typer.Argument(metavar="[ID]", help="Environment.")] = "CartPole-v1",
    num_envs: Annotated[int, typer.Option(min=1, help="Rows.")] = 64,
    steps: Annotated[int, typer.Option(min=1, help="Steps of an iteration.")] = 128,
    out: Annotated[Path | None, typer.Option(help="The report.")] = None,
) -> None:
    """Profile an iteration of PPO, after a first one, on one thread of PyTorch."""
    target = resolve(env)
    name = environment_name(env, target)
    try:
        envs = make_vec(target, 1, backend="reference")
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error
    space, choices = envs.single_observation_space, envs.single_action_space
    envs.close()
    if not isinstance(space, gym.spaces.Box) or not isinstance(choices, gym.spaces.Discrete):
        raise UsageError(
            f"{name} has the observation space {space} and the action space {choices}; expected a "
            "Box and a Discrete."
        )
    if num_envs * steps < 2 * MINIBATCHES:
        raise UsageError(
            f"--num-envs times --steps is {num_envs * steps}; expected at least {2 * MINIBATCHES}."
        )
    envs = make_vec(target, num_envs)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    inputs = int(np.prod(space.shape))
    agent = Agent(inputs, int(choices.n))
    optimizer = torch.optim.Adam(agent.parameters(), lr=LEARNING_RATE, eps=1e-5)
    rollout = Rollout(
        torch.zeros(steps, num_envs, inputs),
        torch.zeros(steps, num_envs, dtype=torch.int64),
        *(torch.zeros(steps, num_envs) for _ in range(4)),
    )
    observation = torch.from_numpy(envs.reset(seed=0)[0]).float().flatten(1)

    def iterate() -> None:
        nonlocal observation
        observation = collect(envs, agent, observation, rollout)
        update(agent, optimizer, rollout, advantages(agent, observation, rollout))

    def run(profiler: LineProfiler) -> Iterator[None]:
        iterate()
        for _ in range(ITERATIONS):
            with profiler:
                iterate()
            yield

    # Under their decorators.
    inner = [
        getattr(function, "__wrapped__", function) for function in (collect, advantages, update)
    ]
    profiles = profile(inner, run)
    action = np.full(num_envs, int(choices.start))
    alone = nanoseconds(lambda: envs.step(action))
    whole = nanoseconds(iterate, seconds=0.5)
    envs.close()
    upstream = time_gymnasium(name, num_envs)
    torch.set_num_threads(threads)

    by_part = parts(profiles)
    spent = sum(by_part.values())
    rows = num_envs * steps
    report = Report(
        f"PPO: where an iteration on {name} goes",
        f"python -m profiling.ppo {shown(env)} --num-envs {num_envs} --steps {steps}",
    )
    largest = sorted(by_part, key=by_part.__getitem__, reverse=True)
    report.say(
        f"An iteration of {steps} steps of {num_envs} rows takes {whole / 1e6:,.0f} ms untraced, "
        f"{rows / whole * 1e3:,.2f} M env-steps/s; `envs.step` alone "
        f"{alone * steps / 1e6:,.2f} ms of it ({alone * steps / whole:.1%}), "
        f"{alone / num_envs:,.0f} ns an env-step."
    )
    report.say(
        "By lines: " + ", ".join(f"{part} {by_part[part] / spent:.1%}" for part in largest) + "."
    )
    sentence = (
        "With an environment that took no time at all, an iteration would be "
        f"{1 / (1 - min(0.99, alone * steps / whole)):.3f} times as fast"
    )
    if upstream is not None:
        slower = 1 + (upstream - alone) * steps / whole
        sentence += (
            f"; with Gymnasium's SyncVectorEnv ({upstream / num_envs:,.0f} ns an env-step) it "
            f"takes {slower:.2f} times as long"
        )
    report.say(f"{sentence}.")
    report.add(
        "Parts",
        "The lines of `collect` that name `envs` are the environment, those that name `policy` or "
        "`agent` the policy, the others storage; learning is `advantages` and `update`. Traced.",
        table(
            ["part", "ms an iteration", "share"],
            [
                (part, f"{by_part[part] / 1e6:,.2f}", f"{by_part[part] / spent:.1%}")
                for part in largest
            ],
        ),
    )
    floor = floor_of(profiles)
    report.add("Lines", explain_lines(floor, "an iteration"))
    for one in profiles:
        report.add_lines(one, ITERATIONS, floor)
    report.write(out or file_name("ppo", name))


def time_gymnasium(name: str, num_envs: int) -> float | None:
    """Return how long a step of `SyncVectorEnv` takes in ns; None for an id that is not there."""
    try:
        envs = gym.make_vec(name, num_envs, vectorization_mode="sync")
    except gym.error.Error:
        return None
    envs.action_space.seed(0)
    action = envs.action_space.sample()
    envs.reset(seed=0)
    spent = nanoseconds(lambda: envs.step(action))
    envs.close()
    return spent


def parts(profiles: list[Profile]) -> dict[str, float]:
    """Return the time of each part of an iteration in ns."""
    found = dict.fromkeys(("environment", "policy", "storage", "advantages", "update"), 0.0)
    for one in profiles:
        text = dict(one.source())
        for line in one.lines:
            part = one.name
            if part == "collect":
                words = text[line.number]
                inference = "policy" in words or "agent" in words
                part = "environment" if "envs." in words else "policy" if inference else "storage"
            found[part] += line.nanoseconds / ITERATIONS
    return found


if __name__ == "__main__":
    main(session)
