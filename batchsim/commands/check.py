"""The command `check`: what is wrong with an environment."""

from __future__ import annotations

from typing import Annotated

import typer

from batchsim import registry
from batchsim.commands import options
from batchsim.commands.options import FAILURE, UsageError

__all__ = ["check"]


def check(
    env: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="module:Definition, module or path/to/file.py:Definition of an environment of "
            "yours; or an environment id.",
        ),
    ],
    num_envs: Annotated[int, typer.Option(help="Rows of the compiled runs.")] = 64,
    steps: Annotated[int, typer.Option(help="Steps of each run.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the first row.")] = 0,
    param: options.Parameters = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND", help="Pass over a kind of problem; repeatable."),
    ] = None,
) -> None:
    """Examine an environment and say what is wrong with it, with file and line.

    The exit status is 1 if anything is wrong.
    """
    from rich.progress import TextColumn

    from batchsim import checking

    try:
        params = options.read_parameters(param)
        target = registry.resolve(env)
        with options.shown_progress(TextColumn("{task.description} …")) as show:
            report = checking.check(
                target,
                num_envs=num_envs,
                steps=steps,
                seed=seed,
                ignore=ignore or (),
                progress=show,
                **params,
            )
    except checking.CheckError as error:
        typer.echo(str(error))
        raise typer.Exit(FAILURE) from error
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error
    typer.echo(str(report))
