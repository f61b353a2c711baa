"""The command line: `python -m benchmarks.roofline`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from batchsim import registry
from batchsim.commands import options
from batchsim.commands.options import UsageError, shown_progress
from benchmarks.roofline import plot as plots
from benchmarks.roofline import report
from benchmarks.roofline.run import Settings, measure

__all__ = ["app", "main"]

app = typer.Typer(add_completion=False, rich_markup_mode=None)

ALL = "all"
PRECISIONS = ("fast", "exact")
BOTH = "both"


@app.command()
def roofline(
    env: Annotated[
        str, typer.Option(help="Environment ids, separated by commas, or all.")
    ] = "CartPole-v1",
    precision: Annotated[str, typer.Option(help="fast, exact or both.")] = "both",
    num_envs: Annotated[
        str, typer.Option(help="Numbers of environments, separated by commas.")
    ] = "256,1024,4096,16384,65536,1048576",
    seconds: Annotated[
        float, typer.Option(help="Time for each measurement of a kernel, of which there are three.")
    ] = 0.3,
    json: Annotated[Path | None, typer.Option(help="Write the measurements to this file.")] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Draw the roofline into this .png or .svg, and the time of a step against the "
            "number of environments into one beside it whose name ends in -steps."
        ),
    ] = None,
) -> None:
    """Measure how close each environment's kernel is to what this machine can do.

    The machine's bandwidths and arithmetic are measured, what a step must move and compute is
    counted by running the environment's own functions, and both give the least time of a step.
    """
    try:
        settings = Settings(
            _read_env_ids(env),
            _read_precisions(precision),
            options.read_sizes(num_envs),
            options.read_seconds("--seconds", seconds),
        )
        options.check_outputs(json, plot, plot and plots.steps_path(plot))
    except ValueError as error:
        raise UsageError(str(error)) from error

    try:
        with shown_progress() as show:
            result = measure(settings, show)
    except RuntimeError as error:  # no compiler
        typer.echo(f"batchsim: {error}", err=True)
        raise typer.Exit(options.FAILURE) from error
    report.print_report(result)
    if json is not None:
        json.write_text(report.to_json(result), encoding="utf-8")
    if plot is not None:
        plots.draw_roofline(result, plot)
        plots.draw_steps(result, plots.steps_path(plot))


def _read_env_ids(text: str) -> tuple[str, ...]:
    known = registry.environments()
    names = options.read_names("env", text, (*known, ALL), "environments")
    return tuple(known) if ALL in names else names


def _read_precisions(text: str) -> tuple[str, ...]:
    names = options.read_names("precision", text, (*PRECISIONS, BOTH), "precisions")
    return PRECISIONS if BOTH in names else names


def main() -> None:
    """Run the command line; bad input ends with one sentence on standard error and status 2."""
    options.run(app)


if __name__ == "__main__":
    main()
