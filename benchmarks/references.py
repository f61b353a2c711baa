"""What random actions reach, and the best possible, in the episodes of `train`'s evaluation.

    python -m benchmarks.references --env EgoBasic-v0,EgoHealthGathering-v0

A mean return says little by itself. A policy begins with random actions; the best possible is found
by search where that is cheap, and follows from the time limit where all that counts is to live on.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.table import Table

from batchsim import registry
from batchsim.batch.vector import BatchEnv
from batchsim.commands import options
from batchsim.commands.options import UsageError, check_within
from batchsim.envs.egocentric import shooting
from batchsim.torch.evaluate import Evaluation, evaluation_seeds, play

IDS = "EgoBasic-v0,EgoHealthGathering-v0"


def main(
    env: Annotated[str, typer.Option(help="Ids, separated by commas.")] = IDS,
    episodes: Annotated[int, typer.Option(help="How many.")] = 100,
    seed: Annotated[int, typer.Option(help="Of the evaluation, as of train.")] = 0,
) -> None:
    """Say what random actions reach, and the best possible."""
    try:
        ids = options.read_names("env", env, registry.environments(), "environments")
        check_within("--episodes", episodes, 1)
        check_within("--seed", seed, 0)
    except ValueError as error:
        raise UsageError(str(error)) from error
    table = Table(title=f"Mean returns of {episodes} episodes, seed {seed}", title_justify="left")
    for column in ("environment", "random", "steps an episode", "best possible"):
        table.add_column(column, justify="left" if column == "environment" else "right")
    for id in ids:
        found = reference(id, episodes, seed)
        table.add_row(
            id,
            f"{found.random.mean:,.1f} ± {found.random.std:,.1f}",
            f"{found.random.mean_length:,.1f}",
            "unknown" if found.best is None else f"{found.best:,.1f}",
        )
    Console().print(table)


@dataclass(frozen=True)
class Reference:
    """What returns are held against."""

    random: Evaluation
    best: float | None
    """The mean of the best possible returns, if it is known."""


def reference(id: str, episodes: int, seed: int) -> Reference:
    """Return what the episodes of an evaluation with this seed are held against."""
    find_best = BEST.get(id)
    return Reference(
        play(random_player(seed), id, episodes, seed=seed),
        None if find_best is None else find_best(episodes, seed),
    )


def random_player(seed: int) -> Callable[[BatchEnv], Callable[[Any], Any]]:
    """Return what makes a player of random actions."""

    def player(envs: BatchEnv) -> Callable[[Any], Any]:
        envs.action_space.seed(seed)
        return lambda observations: envs.action_space.sample()

    return player


def best_of_basic(episodes: int, seed: int) -> float:
    """Return the mean of the best possible returns of an evaluation's episodes."""
    return float(best_returns_of_basic(evaluation_seeds(episodes, seed)).mean())


def best_returns_of_basic(seeds: list[int]) -> npt.NDArray[np.float64]:
    """Return the best possible return of EgoBasic-v0 from each start.

    After each tic, who has always stepped towards the monster is further that way than by any other
    plan, and no step passes the whole monster by: so the earliest hit comes after such steps alone.
    A tic costs 1 and a shot that misses 5, so that nothing is better than the earliest hit. Before
    each step the shot is tried, and taken back.
    """
    best = np.full(len(seeds), -np.inf)
    with closing(BatchEnv("EgoBasic-v0", len(seeds))) as envs:
        for direction in (shooting.LEFT, shooting.RIGHT):
            envs.reset(seed=seeds)
            paid = np.zeros(len(seeds))
            for _ in range(envs.max_episode_steps):
                before = envs.get_state()
                _, rewards, killed, _, _ = envs.step(np.full(len(seeds), shooting.ATTACK))
                best = np.where(killed, np.maximum(best, paid + rewards), best)
                envs.set_state(before)
                _, rewards, _, _, _ = envs.step(np.full(len(seeds), direction))
                paid += rewards
    return best


def whole_life(id: str) -> Callable[[int, int], float]:
    """Return a function that says what living to the time limit brings, a point a tic."""

    def limit(episodes: int, seed: int) -> float:
        definition, entry = registry.read(id)
        assert entry.max_episode_steps is not None
        return float(entry.max_episode_steps * definition.params["frame_skip"])

    return limit


BEST: dict[str, Callable[[int, int], float]] = {
    "EgoBasic-v0": best_of_basic,
    "EgoHealthGathering-v0": whole_life("EgoHealthGathering-v0"),
}


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(main)
    options.run(app)
