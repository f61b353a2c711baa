"""How soon an agent learns, seed by seed, on batchsim and on Gymnasium's environments.

    python -m benchmarks.learning --env CartPole-v1,Pendulum-v1 --seeds 5
    python -m benchmarks.learning --env EgoBasic-v0 --no-baseline --plot learning.png

trains with the hyperparameters of `python -m batchsim train`, one run after the other, on one
thread of PyTorch. Both simulators are given the same seeds, and so make the same agents. Without
the baseline, what an agent reaches stands beside what random actions reach, and the best possible.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from batchsim import registry
from batchsim.commands import options
from batchsim.commands.options import UsageError, shown_progress
from batchsim.ladder import plot as plots
from batchsim.ladder.machine import describe, describe_machine, find_versions
from batchsim.ladder.report import write_between
from batchsim.torch import Settings, Training, hyperparameters_for
from batchsim.torch.ppo import Iteration
from batchsim.torch.train import to_json
from benchmarks.references import Reference, reference

MARKERS = ("<!-- learning -->", "<!-- /learning -->")
COLUMNS = ("environment", "seed", "steps", "batchsim, s", "gymnasium, s", "faster", "mean return")
COLUMNS += ("environment's share", "same agent")
ALONE = ("environment", "seed", "steps", "minutes", "random actions", "mean return")
ALONE += ("best possible", "share of it", "steps an episode", "at random")


def main(
    env: Annotated[str, typer.Option(help="Ids, separated by commas.")] = "CartPole-v1",
    seeds: Annotated[int, typer.Option(min=1, help="How many, from 0 on.")] = 5,
    baseline: Annotated[bool, typer.Option(help="Train on Gymnasium's environments, too.")] = True,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all runs to this file.")
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(help="Write the table to this file, or between its learning markers."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the learning curves into this .png or .svg.")
    ] = None,
) -> None:
    """Train agents seed by seed, and show how long it took and how good they became."""
    try:
        ids = options.read_names("env", env, registry.environments(), "environments")
        options.check_outputs(json_file, plot, markdown)
    except ValueError as error:
        raise UsageError(str(error)) from error
    runs: list[Run] = []
    with shown_progress() as show:
        for number, (id, seed) in enumerate([(id, seed) for id in ids for seed in range(seeds)]):
            show(f"{id}, seed {seed}", number / (len(ids) * seeds))
            runs.append(train_both(id, seed) if baseline else train_alone(id, seed))
    columns = COLUMNS if baseline else ALONE
    rows = [cells(run) if baseline else scores(run) for run in runs]
    if baseline:
        rows += [median_row(id, [run for run in runs if run.ours["env_id"] == id]) for id in ids]
    header = describe(describe_machine(), find_versions("torch"), runs[0].ours["date"])
    table = Table(title="How soon an agent learns", title_justify="left")
    for column in columns:
        table.add_column(column, justify="left" if column == columns[0] else "right")
    for row in rows:
        table.add_row(*row)
    console = Console()
    if not console.is_terminal:
        console = Console(width=118)
    console.print(header)
    console.print(table)
    if json_file is not None:
        json_file.write_text(json.dumps([asdict(run) for run in runs], indent=2), encoding="utf-8")
    if markdown is not None:
        rule = ["---"] + ["---:"] * (len(columns) - 1)
        lines = [" | ".join(row) for row in (columns, rule, *rows)]
        text = f"{header}\n\n" + "".join(f"| {line} |\n" for line in lines)
        write_between(MARKERS, text, markdown)
    if plot is not None:
        draw(runs, f"Mean return of the last 100 episodes while learning.\n{header}", plot)


@dataclass(frozen=True)
class Run:
    """One seed: what `train --json` tells of batchsim, and of Gymnasium's environments."""

    ours: dict[str, Any]
    curve: list[Point]
    theirs: dict[str, Any] | None = None
    same_agent: bool | None = None
    reference: Reference | None = None
    """What random actions reach, and the best possible, in the episodes of the evaluation."""


@dataclass(frozen=True)
class Point:
    """How far a training had come."""

    steps: int
    seconds: float
    mean_return: float
    mean_length: float


def train_both(id: str, seed: int) -> Run:
    """Train on batchsim, and on Gymnasium's environments."""
    ours, curve, agent = train(id, seed, baseline=False)
    theirs, _, other = train(id, seed, baseline=True)
    return Run(ours, curve, theirs, agent == other)


def train_alone(id: str, seed: int) -> Run:
    """Train on batchsim, and play the evaluation's episodes at random."""
    ours, curve, _ = train(id, seed, baseline=False)
    return Run(ours, curve, reference=reference(id, ours["evaluation"]["episodes"], seed))


def train(id: str, seed: int, baseline: bool) -> tuple[dict[str, Any], list[Point], list[bytes]]:
    """Return what `train --json` tells, the learning curve, and the parameters."""
    settings = Settings(
        id, hyperparameters_for(id), seed=seed, device="cpu", threads=1, baseline=baseline
    )
    training = Training(settings)
    curve: list[Point] = []

    def note(iteration: Iteration) -> None:
        if iteration.episodes:
            at = iteration.steps, training.seconds
            curve.append(Point(*at, iteration.mean_return, iteration.mean_length))

    training.run(note)
    found: dict[str, Any] = json.loads(to_json(training, training.evaluate()))
    training.close()
    agent = [one.detach().numpy().tobytes() for one in training.policy.parameters()]
    return found, curve, agent


def scores(run: Run) -> list[str]:
    """Return a row of the table without a baseline."""
    assert run.reference is not None
    evaluation, random, best = run.ours["evaluation"], run.reference.random, run.reference.best
    return [
        run.ours["env_id"],
        str(run.ours["seed"]),
        f"{run.ours['steps']:,}",
        f"{run.ours['seconds'] / 60:.1f}",
        f"{random.mean:,.1f}",
        f"{evaluation['mean']:,.1f} ± {evaluation['std']:,.1f}",
        "–" if best is None else f"{best:,.1f}",
        "–" if best is None else f"{evaluation['mean'] / best:.0%}",
        f"{evaluation['mean_length']:,.1f}",
        f"{random.mean_length:,.1f}",
    ]


def cells(run: Run) -> list[str]:
    """Return a row of the table."""
    evaluation = run.ours["evaluation"]
    return [
        run.ours["env_id"],
        str(run.ours["seed"]),
        f"{run.ours['steps']:,}",
        *timing([run]),
        f"{evaluation['mean']:,.1f} ± {evaluation['std']:,.1f}",
        f"{share(run):.1%}",
        "yes" if run.same_agent else "no",
    ]


def median_row(id: str, runs: list[Run]) -> list[str]:
    """Return the row of an environment's medians, and of its lowest mean return."""
    return [
        f"**{id}**",
        "median",
        f"{runs[0].ours['steps']:,}",
        *timing(runs),
        f"lowest {min(run.ours['evaluation']['mean'] for run in runs):,.1f}",
        f"{statistics.median(map(share, runs)):.1%}",
        "",
    ]


def timing(runs: list[Run]) -> list[str]:
    """Return the median seconds of both simulators, and how many times as fast ours is."""
    ours = f"{statistics.median(run.ours['seconds'] for run in runs):.1f}"
    pairs = [(run.ours["seconds"], run.theirs["seconds"]) for run in runs if run.theirs]
    ratio = statistics.median(theirs / ours for ours, theirs in pairs)
    return [ours, f"{statistics.median(theirs for _, theirs in pairs):.1f}", f"×{ratio:.2f}"]


def draw(runs: list[Run], caption: str, path: Path) -> None:
    """Draw mean returns against steps and against minutes, a row of two plots an environment.

    Args:
        runs: of the same environment one after the other.
        caption: written below, one line or more.
        path: the file, in the format that its suffix names.
    """
    from matplotlib.figure import Figure

    groups = [list(group) for _, group in groupby(runs, lambda run: run.ours["env_id"])]
    figure = Figure(figsize=(9.6, 0.6 + 3.0 * len(groups)), dpi=160, layout="constrained")
    grid: Any = figure.subplots(len(groups), 2, sharey="row", squeeze=False)
    for group, (by_steps, by_minutes) in zip(groups, grid, strict=True):
        draw_curves(by_steps, group, lambda point: point.steps / 1000)
        draw_curves(by_minutes, group, lambda point: point.seconds / 60)
        by_steps.set_title(
            group[0].ours["env_id"], loc="left", fontsize=13, fontweight="bold", color=plots.INK
        )
        by_steps.set_xlabel("thousand steps", loc="left", color=plots.QUIET)
        by_minutes.set_xlabel("minutes", loc="left", color=plots.QUIET)
    figure.supxlabel(caption, x=0.01, ha="left", fontsize=7.5, linespacing=1.6, color=plots.QUIET)
    figure.savefig(path)


def draw_curves(axes: Any, runs: list[Run], place: Callable[[Point], float]) -> None:
    """Draw a line a seed, and dashed ones for random actions and the best possible."""
    for run in runs:
        places = [place(point) for point in run.curve]
        axes.plot(
            places,
            [point.mean_return for point in run.curve],
            linewidth=1.6,
            label=f"seed {run.ours['seed']}",
        )
    found = runs[0].reference
    lines = {} if found is None else {"random actions": found.random.mean, "best": found.best}
    for name, level in lines.items():
        if level is not None:
            axes.axhline(level, color=plots.QUIET, linestyle="--", linewidth=1.0)
            axes.annotate(
                f"{name}: {level:,.0f}",
                (1.0, level),
                xycoords=("axes fraction", "data"),
                xytext=(-4, 3),
                textcoords="offset points",
                ha="right",
                fontsize=8.5,
                color=plots.QUIET,
            )
    axes.set_xlim(left=0)
    axes.grid(color=plots.GRID)
    axes.set_axisbelow(True)
    axes.tick_params(colors=plots.QUIET, labelsize=9, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if len(runs) > 1:
        axes.legend(loc="center right", frameon=False, fontsize=8.5, labelcolor=plots.QUIET)


def share(run: Run) -> float:
    """Return which part of the time environments take."""
    return float(run.ours["times"]["environment"] / run.ours["seconds"])


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(main)
    options.run(app)
