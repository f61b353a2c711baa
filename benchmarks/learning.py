"""How soon an agent learns, seed by seed, on batchsim and on Gymnasium's environments.

    python -m benchmarks.learning --env CartPole-v1,Pendulum-v1 --seeds 5

trains with the hyperparameters of `python -m batchsim train`, one run after the other, on one
thread of PyTorch. Both simulators are given the same seeds, and so make the same agents.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from batchsim import options, registry
from batchsim.ladder.machine import describe, describe_machine, find_versions
from batchsim.ladder.report import write_between
from batchsim.options import UsageError, check_writable, shown_progress
from batchsim.torch import Settings, Training, hyperparameters_for
from batchsim.torch.train import to_json

MARKERS = ("<!-- learning -->", "<!-- /learning -->")
COLUMNS = ("environment", "seed", "steps", "batchsim, s", "gymnasium, s", "faster", "mean return")
COLUMNS += ("environment's share", "same agent")


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
) -> None:
    """Train agents seed by seed, and show how long it took and how good they became."""
    try:
        ids = options.read_names("env", env, registry.environments(), "environments")
        for path in (json_file, markdown):
            if path is not None:
                check_writable(path)
    except ValueError as error:
        raise UsageError(str(error)) from error
    runs: list[Run] = []
    with shown_progress() as show:
        for number, (id, seed) in enumerate([(id, seed) for id in ids for seed in range(seeds)]):
            show(f"{id}, seed {seed}", number / (len(ids) * seeds))
            runs.append(train_both(id, seed, baseline))
    rows = [cells(run) for run in runs]
    rows += [median_row(id, [run for run in runs if run.ours["env_id"] == id]) for id in ids]
    header = describe(describe_machine(), find_versions("torch"), runs[0].ours["date"])
    table = Table(title="How soon an agent learns", title_justify="left")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == COLUMNS[0] else "right")
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
        lines = [" | ".join(row) for row in (COLUMNS, ["---"] + ["---:"] * 8, *rows)]
        text = f"{header}\n\n" + "".join(f"| {line} |\n" for line in lines)
        write_between(MARKERS, text, markdown)


@dataclass(frozen=True)
class Run:
    """One seed: what `train --json` tells of batchsim, and of Gymnasium's environments."""

    ours: dict[str, Any]
    theirs: dict[str, Any] | None
    same_agent: bool | None


def train_both(id: str, seed: int, baseline: bool) -> Run:
    """Train on batchsim, and on Gymnasium's environments if that is asked for."""
    ours, agent = train(id, seed, baseline=False)
    if not baseline:
        return Run(ours, None, None)
    theirs, other = train(id, seed, baseline=True)
    return Run(ours, theirs, agent == other)


def train(id: str, seed: int, baseline: bool) -> tuple[dict[str, Any], list[bytes]]:
    """Return what `train --json` tells, and the parameters."""
    settings = Settings(
        id, hyperparameters_for(id), seed=seed, device="cpu", threads=1, baseline=baseline
    )
    training = Training(settings)
    training.run()
    found: dict[str, Any] = json.loads(to_json(training, training.evaluate()))
    training.close()
    return found, [one.detach().numpy().tobytes() for one in training.policy.parameters()]


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
        "–" if run.same_agent is None else "yes" if run.same_agent else "no",
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
    if not pairs:
        return [ours, "–", "–"]
    ratio = statistics.median(theirs / ours for ours, theirs in pairs)
    return [ours, f"{statistics.median(theirs for _, theirs in pairs):.1f}", f"×{ratio:.2f}"]


def share(run: Run) -> float:
    """Return which part of the time environments take."""
    return float(run.ours["times"]["environment"] / run.ours["seconds"])


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(main)
    options.run(app)
