"""The command `ladder`: how much faster each improvement makes an environment."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from batchsim.commands import options
from batchsim.commands.options import FAILURE, UsageError

__all__ = ["ladder"]


def ladder(
    env: Annotated[str, typer.Option(help="Environment id.")] = "CartPole-v1",
    num_envs: Annotated[
        str | None,
        typer.Option(
            help="Numbers of environments, separated by commas; by default 64, 1024 and 16384, or "
            "less where observations are large."
        ),
    ] = None,
    seconds: Annotated[
        float, typer.Option(help="Time to measure each rung for at each number of environments.")
    ] = 1.0,
    json: Annotated[Path | None, typer.Option(help="Write the measurements to this file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw them into this .png or .svg.")] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(help="Write the table to this file, or between its ladder markers."),
    ] = None,
    rungs: Annotated[
        str | None, typer.Option(help="Only these rungs and peers, separated by commas.")
    ] = None,
    compile_seconds: Annotated[
        float,
        typer.Option(
            help="Time to wait for numba, and for numba-parallel, to compile; what takes longer is "
            "left out."
        ),
    ] = 45.0,
    param: options.Parameters = None,
) -> None:
    """Measure how much faster each improvement makes an environment, from the Python loop up.

    Every rung is checked against per-object environments before it is timed, all of them with the
    parameters that are given. The exit status is 1 if one failed or was wrong.
    """
    from batchsim.ladder import plot as plots
    from batchsim.ladder import report
    from batchsim.ladder.kind import Kind
    from batchsim.ladder.live import LiveReport
    from batchsim.ladder.measure import Settings, default_sizes
    from batchsim.ladder.runner import climb

    try:
        kind = Kind(env, options.read_parameters(param))
        sizes = default_sizes(kind) if num_envs is None else options.read_sizes(num_envs)
        settings = Settings(
            kind,
            sizes,
            options.read_seconds("--seconds", seconds),
            compile_seconds=options.read_seconds("--compile-seconds", compile_seconds),
        )
        if rungs is not None:
            chosen = options.read_names("rungs", rungs, settings.rungs)
            settings = dataclasses.replace(settings, rungs=chosen)
        options.check_outputs(json, plot, markdown)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error

    with LiveReport() as live:
        result = climb(settings, live.update)
    live.print(result)
    if json is not None:
        json.write_text(report.to_json(result), encoding="utf-8")
    if markdown is not None:
        report.write_markdown(result, markdown)
    if plot is not None:
        if any(row.measurements for row in result.rows):
            plots.draw(result, plot)
        else:
            typer.echo("batchsim: nothing could be timed, so that there is no plot.", err=True)
    if not result.sound:
        raise typer.Exit(FAILURE)
