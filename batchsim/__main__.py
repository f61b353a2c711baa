"""The command line: `python -m batchsim` and the console script `batchsim`."""

from __future__ import annotations

import os

import typer

from batchsim.commands import options
from batchsim.commands.check import check
from batchsim.commands.convert import convert
from batchsim.commands.doctor import doctor
from batchsim.commands.environments import list_environments
from batchsim.commands.estimate import estimate
from batchsim.commands.ladder import ladder
from batchsim.commands.play import play
from batchsim.commands.train import train
from batchsim.commands.watch import watch

__all__ = ["app", "main"]

app = typer.Typer(
    name="batchsim",
    help="Reinforcement-learning environments stepped in batch, with the same bits as Gymnasium's.",
    add_completion=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def no_command(context: typer.Context) -> None:
    """Show the help if no command is given."""
    command = context.invoked_subcommand
    if command is None:
        typer.echo(context.get_help())
    ranks = os.environ.get("WORLD_SIZE", "1")
    if command not in (None, "train") and "LOCAL_RANK" in os.environ and ranks != "1":
        raise options.UsageError(
            f"torchrun has started {ranks} processes of {command}, which is for one; expected the "
            "command train, which they share, or no torchrun."
        )


app.command("list")(list_environments)
for command in (ladder, watch, play, train, estimate, check, convert, doctor):
    app.command()(command)


def main() -> None:
    """Run the command line; bad input ends with one sentence on standard error and status 2."""
    options.run(app)


if __name__ == "__main__":
    main()
