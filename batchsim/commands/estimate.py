"""The command `estimate`: how much sooner an agent learns on faster environments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from batchsim import registry
from batchsim.commands import options
from batchsim.commands.options import FAILURE, UsageError
from batchsim.commands.training import (
    Assignments,
    Threads,
    TrainedEnvs,
    pytorch,
    read_hyperparameters,
)

__all__ = ["estimate"]


def estimate(
    env: Annotated[str, typer.Argument(metavar="ID", help="Environment id.")],
    num_envs: TrainedEnvs = None,
    iterations: Annotated[
        int, typer.Option(help="Of PPO, in each run: a rollout, and learning from it.")
    ] = 20,
    repeats: Annotated[int, typer.Option(help="Runs of each whole process; medians count.")] = 5,
    seconds: Annotated[float, typer.Option(help="Time to measure each rung for.")] = 0.5,
    rungs: Annotated[
        str | None, typer.Option(help="Only these rungs of the ladder, separated by commas.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of PPO.")] = 0,
    threads: Threads = None,
    set_: Assignments = None,
    json: Annotated[Path | None, typer.Option(help="Write the figures to this file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw them into this .png or .svg.")] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(help="Write the table to this file, or between its estimate markers."),
    ] = None,
) -> None:
    """Say how much sooner an agent learns on faster environments: predicted, then measured.

    PPO on one Python object an environment shows which share of its time environments take;
    Amdahl's law says what each rung of the ladder makes of that; PPO on batchsim shows if it is so.
    """
    from batchsim.ladder.rungs import RUNGS

    with pytorch():
        from batchsim.torch import estimate_report as report
        from batchsim.torch.estimate import EstimateSettings, to_json
        from batchsim.torch.estimate import estimate as measure
        from batchsim.torch.presets import hyperparameters_for

    try:
        name = registry.find(env)[0]
        names = [rung.name for rung in RUNGS]
        settings = EstimateSettings(
            name,
            hyperparameters_for(name, **read_hyperparameters(set_, num_envs=num_envs)),
            iterations,
            repeats,
            options.read_seconds("--seconds", seconds),
            tuple(names) if rungs is None else options.read_names("rungs", rungs, names),
            seed,
            threads,
        )
        options.check_outputs(json, plot, markdown)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error

    with options.shown_progress() as show:
        found = measure(settings, show)
    report.print_estimate(found)
    if json is not None:
        json.write_text(to_json(found), encoding="utf-8")
    if markdown is not None:
        report.write_markdown(found, markdown)
    if plot is not None:
        report.draw(found, plot)
    if not found.same_agent:
        raise typer.Exit(FAILURE)
