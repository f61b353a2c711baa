"""The command `play`: a game in a window, by keyboard."""

from __future__ import annotations

from typing import Annotated

import typer

from batchsim import registry
from batchsim.commands import options
from batchsim.commands.options import UsageError

__all__ = ["play"]


def play(
    env: Annotated[str, typer.Argument(metavar="ID", help=options.NAMES_ENV)],
    scale: Annotated[
        int | None,
        typer.Option(help="Pixels of the window for each of the picture; by default what fits."),
    ] = None,
    fps: Annotated[
        int | None, typer.Option(help="Steps a second; by default the environment's own.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of the first episode; by default another each time.")
    ] = None,
    param: options.Parameters = None,
) -> None:
    """Play an environment by keyboard, in a window.

    The keys are told at the start. P pauses, R begins a new episode, Escape leaves.
    """
    from rich.console import Console
    from rich.progress import TextColumn

    from batchsim.commands import game as playing

    try:
        settings = playing.Settings(scale, fps, seed)
        params = options.read_parameters(param)
        target = registry.resolve(env)
        playing.check_playable(target)
        pygame = playing.open_display()
        with options.shown_progress(TextColumn("{task.description} …")) as show:
            show(f"preparing {env}, which may take a minute for the first time")
            game = playing.open_game(target, settings, params)
        name, (height, width, _) = game.env.batch.definition.name, game.frame.shape
        window = playing.Window(pygame, name, (height, width), settings.scale)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error

    console = Console()
    for part in playing.instructions(game):
        console.print(part)
    try:
        playing.play(game, window)
    finally:
        window.close()
        game.env.close()
