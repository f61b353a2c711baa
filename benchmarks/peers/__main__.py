"""The command line: `python -m benchmarks.peers`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from batchsim import registry
from batchsim.commands import options
from batchsim.commands.options import FAILURE, UsageError, shown_progress
from benchmarks.peers import install as installing
from benchmarks.peers import report
from benchmarks.peers.measure import PEERS, Result, Settings, measure
from benchmarks.peers.suite import IDS, Suite, measure_all
from benchmarks.peers.suite import PEERS as SUITE_PEERS

__all__ = ["app", "main"]

app = typer.Typer(add_completion=False, rich_markup_mode=None)

WIDTH = 180
"""Of the table where standard output is not a terminal."""
NAMES = tuple(peer.name for peer in PEERS)
INSTALLABLE = tuple(dict.fromkeys(peer.requirements for peer in PEERS if peer.requirements))


@app.command()
def peers(
    env: Annotated[
        str,
        typer.Option(
            help="Environment id; several, separated by commas, are a table of a line each, and "
            "'suite' is those of the documentation."
        ),
    ] = "CartPole-v1",
    num_envs: Annotated[
        str | None,
        typer.Option(
            help="Numbers of environments, separated by commas; by default 64,1024,16384, of "
            "several ids 1024."
        ),
    ] = None,
    seconds: Annotated[
        float, typer.Option(help="Time to measure each peer for at each number of environments.")
    ] = 1.0,
    peers: Annotated[
        str | None, typer.Option(help=f"Only these, separated by commas: {', '.join(NAMES)}.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the measurements to this file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw them into this .png or .svg.")] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(
            help="Write the table to this file, or between its markers: peers, of several ids "
            "peers-by-id."
        ),
    ] = None,
    install: Annotated[
        str | None,
        typer.Option(
            help="Measure nothing; install these into virtual environments of their own in "
            f".venv-peers/, separated by commas: {', '.join(INSTALLABLE)}."
        ),
    ] = None,
) -> None:
    """Measure batchsim side by side with other libraries that step the same environments.

    Each peer is first checked to end and reset its episodes in time. One that is not installed or
    fails is shown with the reason; the exit status is 1 if batchsim itself failed. Of several ids
    batchsim, the originals' own vector environments, EnvPool and gymnax are measured.
    """
    try:
        if install is not None:
            installed = options.read_names("install", install, INSTALLABLE, "peers to install")
        ids = IDS if env == "suite" else [registry.find(name.strip())[0] for name in env.split(",")]
        several = len(ids) > 1
        sizes = options.read_sizes(num_envs or ("1024" if several else "64,1024,16384"))
        if several and len(sizes) > 1:
            raise ValueError(f"--num-envs is {num_envs!r}; expected one number for several ids.")
        if several and plot is not None:
            raise ValueError("--plot draws one id; expected --json or --markdown for several.")
        known = SUITE_PEERS if several else NAMES
        chosen = known if peers is None else options.read_names("peers", peers, known)
        measured = options.read_seconds("--seconds", seconds)
        settings = [Settings(name, sizes, measured, chosen) for name in ids]
        options.check_outputs(json, plot, markdown)
    except ValueError as error:
        raise UsageError(str(error)) from error

    if install is not None:
        _install(installed)
        return
    if several:
        _measure_several(settings, json, markdown)
        return
    result = _measure(settings[0])
    if json is not None:
        json.write_text(report.to_json(result), encoding="utf-8")
    if markdown is not None:
        report.write_markdown(result, markdown)
    if plot is not None:
        if any(row.measurements for row in result.rows):
            report.draw(result, plot)
        else:
            typer.echo("batchsim: nothing could be timed, so that there is no plot.", err=True)
    if not result.sound:
        raise typer.Exit(FAILURE)


def _install(names: tuple[str, ...]) -> None:
    for name in names:
        try:
            directory = installing.install(name)
        except RuntimeError as error:
            typer.echo(f"batchsim: {error}", err=True)
            raise typer.Exit(FAILURE) from error
        typer.echo(f"{name} is installed in {directory}")


def _measure(settings: Settings) -> Result:
    """Measure behind a progress bar, and print the table."""
    with shown_progress() as show:
        result = measure(settings, show)

    console = _console()
    shown = report.Report(result)
    console.print(Text(shown.header))
    console.print(*shown.tables(console))
    for note in shown.notes:
        console.print(Text(note))
    return result


def _measure_several(settings: list[Settings], json: Path | None, markdown: Path | None) -> None:
    """Measure behind a progress bar, print one table of all ids and write it."""
    with shown_progress() as show:
        suite = Suite(measure_all(settings, show))
    console = _console()
    console.print(Text(suite.header))
    console.print(suite.table())
    for note in suite.notes:
        console.print(Text(note))
    if json is not None:
        json.write_text(suite.to_json(), encoding="utf-8")
    if markdown is not None:
        suite.write_markdown(markdown)
    if not all(result.sound for result in suite.results):
        raise typer.Exit(FAILURE)


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def main() -> None:
    """Run the command line; bad input ends with one sentence on standard error and status 2."""
    options.run(app)


if __name__ == "__main__":
    main()
