"""Which share of an iteration of PPO is the environment, and where the rest goes, line by line.

The loop is batchsim's own (`batchsim.torch`), with PyTorch on one thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import gymnasium as gym
import torch
import typer
from line_profiler import LineProfiler

from batchsim import make_vec
from batchsim.torch import PPO, ActorCritic, Collector, hyperparameters_for
from profiling.report import (
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

ITERATIONS = 5
"""Traced; more than one, since an interruption of one is to count for nothing."""

FUNCTIONS = (
    Collector.collect,
    Collector._act,
    Collector._step,
    ActorCritic.act,
    PPO.iterate,
    PPO._learn,
    PPO._go_back,
)


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
        how = replace(hyperparameters_for(target), num_envs=num_envs, steps=steps, anneal=False)
        ppo = PPO(make_vec(target, num_envs), how)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        report = examine(ppo, env, name)
    finally:
        torch.set_num_threads(threads)
        ppo.envs.close()
    report.write(out or file_name("ppo", name))


def examine(ppo: PPO, env: str, name: str) -> Report:
    """Return the report of a PPO that has not begun."""
    how = ppo.hyperparameters

    def run(profiler: LineProfiler) -> Iterator[None]:
        for _ in range(ITERATIONS):
            with profiler:
                ppo.iterate()
            yield

    ppo.iterate()
    # Under their decorators.
    profiles = profile([getattr(one, "__wrapped__", one) for one in FUNCTIONS], run)
    spent = parts(ppo)
    whole = sum(spent.values())
    upstream = time_gymnasium(name, how.num_envs)

    rows = how.num_envs * how.steps
    largest = sorted(spent, key=spent.__getitem__, reverse=True)
    report = Report(
        f"PPO: where an iteration on {name} goes",
        f"python -m profiling.ppo {shown(env)} --num-envs {how.num_envs} --steps {how.steps}",
    )
    report.say(
        f"An iteration of {how.steps} steps of {how.num_envs} rows, {how.epochs} epochs of "
        f"{how.minibatches} minibatches, takes {whole / 1e6:,.0f} ms untraced, "
        f"{rows / whole * 1e3:,.2f} M env-steps/s: "
        + ", ".join(f"{part} {spent[part] / whole:.1%}" for part in largest)
        + "."
    )
    environment = spent["environment"]
    sentence = (
        "With an environment that took no time at all, an iteration would be "
        f"{whole / (whole - environment):.3f} times as fast"
    )
    if upstream is not None:
        slower = (whole - environment + upstream * how.steps) / whole
        sentence += (
            f"; with Gymnasium's SyncVectorEnv ({upstream / how.num_envs:,.0f} ns an env-step) it "
            f"takes {slower:.2f} times as long"
        )
    report.say(f"{sentence}.")
    report.add(
        "Parts",
        "By the clocks of `Collector` and `PPO`, untraced: `storage` is what collecting takes "
        "beside environment and policy, `learning` the advantages and the updates.",
        table(
            ["part", "ms an iteration", "share"],
            [(part, f"{spent[part] / 1e6:,.2f}", f"{spent[part] / whole:.1%}") for part in largest],
        ),
    )
    floor = floor_of(profiles)
    report.add("Lines", explain_lines(floor, "an iteration"))
    for one in profiles:
        report.add_lines(one, ITERATIONS, floor)
    return report


def parts(ppo: PPO) -> dict[str, float]:
    """Return what an iteration spends in each part, in ns."""
    times = ppo.collector.times

    def clocks() -> list[float]:
        collecting = times.whole - times.environment - times.policy
        return [times.environment, times.policy, collecting, ppo.learning_seconds]

    before, iteration = clocks(), ppo.iteration
    whole = nanoseconds(ppo.iterate, seconds=0.5)
    spent = [
        1e9 * (now - then) / (ppo.iteration - iteration)
        for now, then in zip(clocks(), before, strict=True)
    ]
    # The median iteration; the shares are those of all.
    scale = whole / sum(spent)
    names = ("environment", "policy", "storage", "learning")
    return {part: scale * one for part, one in zip(names, spent, strict=True)}


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


if __name__ == "__main__":
    main(session)
