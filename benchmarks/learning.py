"""How soon an agent learns, seed by seed, on batchsim and on Gymnasium's environments.

    python -m benchmarks.learning --env CartPole-v1,Pendulum-v1 --seeds 5
    python -m benchmarks.learning --env EgoBasic-v0 --no-baseline --plot learning.png
    python -m benchmarks.learning --env MiniGrid-DoorKey-8x8-v0 --iterations 2 --json doorkey.json
    python -m benchmarks.learning --runs doorkey.json,other.json --plot learning.png

trains with the hyperparameters of `python -m batchsim train`, one run after the other, on one
thread of PyTorch. Both simulators are given the same seeds, and so make the same agents. Without
the baseline, what an agent reaches stands beside what random actions reach, and the best possible.
Where the baseline would take hours, a few iterations over it say what all of them would take: the
first ones, after which the agents are compared, and as many with what was learned in the end, since
episodes are then shorter and resets more frequent. Times are of the processor, so that what else
runs on the machine does not count.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
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
from batchsim.torch.evaluate import Evaluation
from batchsim.torch.ppo import RECENT, Iteration
from batchsim.torch.train import to_json
from benchmarks.references import Reference, reference

MARKERS = ("<!-- learning -->", "<!-- /learning -->")
COLUMNS = ("environment", "seed", "steps", "batchsim, s", "gymnasium, s", "faster", "mean return")
COLUMNS += ("environment's share", "same agent")
ALONE = ("environment", "seed", "steps", "minutes", "random actions", "mean return")
ALONE += ("best possible", "share of it", "steps an episode", "at random")
SAMPLED = ("environment", "seed", "steps", "minutes", "random actions", "mean return", "successes")
SAMPLED += ("mean return, drawn", "successes, drawn", "gymnasium, minutes", "faster", "same agent")
UNKNOWN = "–"


def main(
    env: Annotated[str, typer.Option(help="Ids, separated by commas.")] = "CartPole-v1",
    seeds: Annotated[int, typer.Option(min=1, help="How many, from 0 on.")] = 5,
    baseline: Annotated[bool, typer.Option(help="Train on Gymnasium's environments, too.")] = True,
    iterations: Annotated[
        int | None,
        typer.Option(
            min=1, help="Measure so many on Gymnasium's environments, twice; by default all."
        ),
    ] = None,
    runs: Annotated[
        str | None, typer.Option(help="Show those of these --json files; train nothing.")
    ] = None,
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
        found = [] if runs is None else read_runs(runs)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if runs is None:
        with shown_progress() as show:
            pairs = [(id, seed) for id in ids for seed in range(seeds)]
            for number, (id, seed) in enumerate(pairs):
                show(f"{id}, seed {seed}", number / len(pairs))
                found.append(make(id, seed, baseline, iterations))
    columns, rows = tabulate(found)
    header = describe(found[0].machine, found[0].versions, found[0].ours["date"])
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
        json_file.write_text(json.dumps([asdict(run) for run in found], indent=2), encoding="utf-8")
    if markdown is not None:
        rule = ["---"] + ["---:"] * (len(columns) - 1)
        lines = [" | ".join(row) for row in (columns, rule, *rows)]
        text = f"{header}\n\n" + "".join(f"| {line} |\n" for line in lines)
        write_between(MARKERS, text, markdown)
    if plot is not None:
        words = (
            f"Mean return of the last {RECENT} episodes while learning; minutes of one processor."
        )
        draw(found, f"{words}\n{header}", plot)


@dataclass(frozen=True)
class Run:
    """One seed: what `train --json` tells of batchsim, and of Gymnasium's environments."""

    ours: dict[str, Any]
    curve: list[Point]
    theirs: dict[str, Any] | None = None
    same_agent: bool | None = None
    reference: Reference | None = None
    """What random actions reach, and the best possible, in the episodes of the evaluation."""
    sample: Sample | None = None
    """What stands for `theirs` where only some iterations were made."""
    machine: dict[str, Any] = field(default_factory=describe_machine)
    versions: dict[str, str] = field(default_factory=lambda: find_versions("torch"))

    def telling(self) -> list[Point]:
        """Return the points of the curve from 100 episodes on: the first to end are short ones,
        which are all bad ones here and all good ones there.
        """
        return [point for point in self.curve if point.episodes >= RECENT] or self.curve


@dataclass(frozen=True)
class Point:
    """How far a training had come."""

    steps: int
    seconds: float
    """Of the processor."""
    mean_return: float
    mean_length: float
    episodes: int
    """That had ended."""


@dataclass(frozen=True)
class Sample:
    """Iterations over Gymnasium's environments that say what all would take."""

    iterations: int
    first: float
    """Seconds of each of the first ones."""
    last: float
    """Seconds of each with what was learned in the end."""
    of: int
    """How many iterations a whole training has."""

    @property
    def seconds(self) -> float:
        """What a whole training takes, whose iterations go from the one to the other."""
        return 0.5 * (self.first + self.last) * self.of


def read_runs(names: str) -> list[Run]:
    """Return the runs in files that `--json` wrote, named one after the other with commas."""
    found = []
    for name in names.split(","):
        try:
            for run in json.loads(Path(name).read_text(encoding="utf-8")):
                run["curve"] = [Point(**point) for point in run["curve"]]
                if run["sample"] is not None:
                    run["sample"] = Sample(**run["sample"])
                if run["reference"] is not None:
                    random = Evaluation(**run["reference"]["random"])
                    run["reference"] = Reference(random, run["reference"]["best"])
                found.append(Run(**run))
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"--runs names {name!r}, which cannot be read ({error}); expected files that "
                "--json wrote."
            ) from error
    return found


def make(id: str, seed: int, baseline: bool, iterations: int | None) -> Run:
    """Train on batchsim, and on Gymnasium's environments, on them only for some iterations, or not
    at all.
    """
    ours = Learned(id, seed)
    if iterations is None and not baseline:
        return Run(ours.figures, ours.curve, reference=ours.reference())
    if iterations is None:
        theirs = Learned(id, seed, baseline=True)
        same = ours.agents[-1] == theirs.agents[-1]
        return Run(ours.figures, ours.curve, theirs.figures, same)
    settings = Settings(id, ours.how, seed=seed, device="cpu", threads=1, baseline=True)
    training = Training(settings)
    first = seconds_each(training, iterations)
    same = agent_of(training) == ours.agents[iterations - 1]
    training.policy.load_state_dict(ours.policy)
    last = seconds_each(training, iterations)
    training.close()
    sample = Sample(iterations, first, last, ours.how.iterations)
    return Run(ours.figures, ours.curve, None, same, ours.reference(), sample)


def seconds_each(training: Training, iterations: int) -> float:
    """Return how much of the processor's time each of some iterations takes."""
    begin = time.process_time()
    for _ in range(iterations):
        training.ppo.iterate()
    return (time.process_time() - begin) / iterations


def agent_of(training: Training) -> bytes:
    """Return the bits of what was learned so far, hashed."""
    found = hashlib.sha256()
    for parameter in training.policy.parameters():
        found.update(parameter.detach().numpy().tobytes())
    return found.digest()


class Learned:
    """A whole training: what `train --json` tells, the learning curve, and what was learned.

    Args:
        id, seed: of what.
        baseline: on Gymnasium's environments.
    """

    def __init__(self, id: str, seed: int, baseline: bool = False) -> None:
        self.how = hyperparameters_for(id)
        settings = Settings(id, self.how, seed=seed, device="cpu", threads=1, baseline=baseline)
        training = Training(settings)
        self.curve: list[Point] = []
        self.agents: list[bytes] = []
        """After each iteration."""
        begin = time.process_time()

        def note(iteration: Iteration) -> None:
            self.agents.append(agent_of(training))
            if iteration.episodes:
                at = iteration.steps, time.process_time() - begin
                found = iteration.mean_return, iteration.mean_length, iteration.episodes
                self.curve.append(Point(*at, *found))

        training.run(note)
        seconds = time.process_time() - begin
        self.figures: dict[str, Any] = json.loads(to_json(training, training.evaluate()))
        self.figures["processor_seconds"] = seconds
        self.figures["drawn"] = asdict(training.evaluate(draw=True))
        self.policy = training.policy.state_dict()
        training.close()

    def reference(self) -> Reference:
        """Return what the episodes of the evaluation are held against."""
        figures = self.figures
        return reference(figures["env_id"], figures["evaluation"]["episodes"], figures["seed"])


def tabulate(runs: list[Run]) -> tuple[Sequence[str], list[list[str]]]:
    """Return the columns and rows of the table of runs that were made alike."""
    if runs[0].sample is not None:
        return without_unknown(SAMPLED, [sampled(run) for run in runs])
    if runs[0].theirs is None:
        return ALONE, [scores(run) for run in runs]
    rows = [cells(run) for run in runs]
    ids = dict.fromkeys(run.ours["env_id"] for run in runs)
    rows += [median_row(id, [run for run in runs if run.ours["env_id"] == id]) for id in ids]
    return COLUMNS, rows


def without_unknown(
    columns: Sequence[str], rows: list[list[str]]
) -> tuple[Sequence[str], list[list[str]]]:
    """Return the columns that say something of any run, as successes do not of most games."""
    kept = [k for k in range(len(columns)) if any(row[k] != UNKNOWN for row in rows)]
    return [columns[k] for k in kept], [[row[k] for k in kept] for row in rows]


def sampled(run: Run) -> list[str]:
    """Return a row of the table where the baseline's time is extrapolated."""
    assert run.reference is not None
    assert run.sample is not None
    return [
        *named(run),
        minutes(run),
        f"{run.reference.random.mean:,.2f}",
        *outcome(run.ours["evaluation"]),
        *outcome(run.ours["drawn"]),
        f"{run.sample.seconds / 60:,.0f}",
        f"×{run.sample.seconds / run.ours['processor_seconds']:.1f}",
        "yes" if run.same_agent else "no",
    ]


def named(run: Run) -> list[str]:
    """Return the first cells of a run's row: its id, its seed, and how many steps it took."""
    return [run.ours["env_id"], str(run.ours["seed"]), f"{run.ours['steps']:,}"]


def minutes(run: Run) -> str:
    """Return how many minutes of the processor's time a run took."""
    return f"{run.ours['processor_seconds'] / 60:.1f}"


def outcome(evaluation: dict[str, Any]) -> list[str]:
    """Return the mean return and the share of successes."""
    rate = evaluation["success_rate"]
    returns = f"{evaluation['mean']:,.2f} ± {evaluation['std']:,.2f}"
    return [returns, UNKNOWN if rate is None else f"{rate:.0%}"]


def scores(run: Run) -> list[str]:
    """Return a row of the table without a baseline."""
    assert run.reference is not None
    evaluation, random, best = run.ours["evaluation"], run.reference.random, run.reference.best
    return [
        *named(run),
        minutes(run),
        f"{random.mean:,.1f}",
        f"{evaluation['mean']:,.1f} ± {evaluation['std']:,.1f}",
        UNKNOWN if best is None else f"{best:,.1f}",
        UNKNOWN if best is None else f"{evaluation['mean'] / best:.0%}",
        f"{evaluation['mean_length']:,.1f}",
        f"{random.mean_length:,.1f}",
    ]


def cells(run: Run) -> list[str]:
    """Return a row of the table."""
    evaluation = run.ours["evaluation"]
    return [
        *named(run),
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
    ours = f"{statistics.median(run.ours['processor_seconds'] for run in runs):.1f}"
    pairs = [
        (run.ours["processor_seconds"], run.theirs["processor_seconds"])
        for run in runs
        if run.theirs
    ]
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
        draw_sampled(by_minutes, group)
        if len(group) > 1:  # The colours of the other plot are the same, and it has a note there.
            look = {"frameon": False, "fontsize": 8.5, "labelcolor": plots.QUIET}
            by_steps.legend(loc="center right", **look)
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
        axes.plot(
            [place(point) for point in run.telling()],
            [point.mean_return for point in run.telling()],
            linewidth=1.6,
            label=f"seed {run.ours['seed']}",
        )
    found = runs[0].reference
    lines = {} if found is None else {"random actions": found.random.mean, "best": found.best}
    for name, level in lines.items():
        if level is not None:
            axes.axhline(level, color=plots.QUIET, linestyle="--", linewidth=1.0)
            axes.annotate(
                f"{name}: {level:,.0f}" if abs(level) >= 10.0 else f"{name}: {level:.2f}",
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


def draw_sampled(axes: Any, runs: list[Run]) -> None:
    """Draw when Gymnasium's environments would have led to the same agents."""
    most = 0.0
    for run in runs:
        if run.sample is not None:
            factor = run.sample.seconds / run.ours["processor_seconds"]
            places = [factor * point.seconds / 60 for point in run.telling()]
            returns = [point.mean_return for point in run.telling()]
            axes.plot(places, returns, linewidth=1.6, linestyle=":", color=plots.QUIET)
            most = max(most, places[-1])
    if most:
        axes.set_xlim(0, 1.03 * most)
        axes.annotate(
            "dotted: on Gymnasium's\nenvironments, extrapolated",
            (0.985, 0.4),
            xycoords="axes fraction",
            ha="right",
            fontsize=8.5,
            color=plots.QUIET,
        )


def share(run: Run) -> float:
    """Return which part of the time environments take."""
    return float(run.ours["times"]["environment"] / run.ours["seconds"])


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(main)
    options.run(app)
