"""The command `watch`: several environments drawn into one animation or picture."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from batchsim import registry
from batchsim.commands import mosaic, options
from batchsim.commands.options import UsageError, check_writable

__all__ = ["watch"]


def watch(
    env: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help=options.NAMES_ENV,
        ),
    ],
    num_envs: Annotated[int, typer.Option(help="How many environments to show.")] = 16,
    steps: Annotated[int, typer.Option(help="How many steps to show.")] = 200,
    policy: Annotated[
        str,
        typer.Option(
            metavar="random|FILE|DIRECTORY",
            help="Random actions, those of act(observations) in a Python file, or the most likely "
            "ones of an agent: the file or directory of train --checkpoint.",
        ),
    ] = "random",
    seed: Annotated[int, typer.Option(help="The same seed gives the same file.")] = 0,
    fps: Annotated[
        int | None, typer.Option(help="Frames a second; by default the environment's own.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="A .gif or .mp4, or a .png with the last frame alone.")
    ] = Path("watch.gif"),
    param: options.Parameters = None,
) -> None:
    """Draw several environments side by side into one animation or picture.

    The border of a tile is orange when its episode has terminated, blue when it was truncated.
    """
    from rich import filesize
    from rich.console import Console
    from rich.progress import Progress

    from batchsim import make_vec
    from batchsim.batch.arguments import refuse_of_batches

    try:
        # What draws needs no display, and should not complain that there is none.
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
        settings = mosaic.Settings(out, num_envs, steps, seed, fps)
        check_writable(out)
        target = registry.resolve(env)
        act, arguments = mosaic.read_policy(policy, target)
        params = options.read_parameters(param)
        refuse_of_batches(params)
        arguments |= params
        envs = make_vec(target, num_envs, render_mode="rgb_array", **arguments)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error

    bar = Progress(console=Console(stderr=True), transient=True)
    bar.disable = not bar.console.is_terminal
    try:
        with bar:
            task = bar.add_task("drawing", total=steps)
            width, height = mosaic.record(
                envs, act, settings, lambda step: bar.update(task, completed=step)
            )
    except mosaic.WatchError as error:
        raise UsageError(str(error)) from error
    finally:
        envs.close()
    size = filesize.decimal(out.stat().st_size)
    typer.echo(
        f"{out}: {num_envs} environment{'s' * (num_envs > 1)}, {steps} step{'s' * (steps != 1)}, "
        f"{width} × {height} pixels, {size}"
    )
