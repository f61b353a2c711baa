"""What `train` and `estimate` are told alike, and need alike."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from batchsim.commands.options import UsageError, read_assignment

__all__ = ["Assignments", "Threads", "TrainedEnvs", "pytorch", "read_hyperparameters"]

TrainedEnvs = Annotated[
    int | None, typer.Option(help="How many environments; by default what suits this one.")
]
Threads = Annotated[
    int | None, typer.Option(help="Of PyTorch; by default measured.", show_default=False)
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A hyperparameter; repeatable."),
]


def read_hyperparameters(texts: list[str] | None, **others: int | None) -> dict[str, Any]:
    """Return the hyperparameters of `--set` and those with options of their own that were given."""
    given = dict(read_assignment("set", text, "learning_rate=1e-3") for text in texts or ())
    return given | {name: value for name, value in others.items() if value is not None}


@contextlib.contextmanager
def pytorch() -> Iterator[None]:
    """Say what is missing if PyTorch cannot be imported in this block."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise UsageError(
            'This needs PyTorch; install it with pip install "batchsim[torch]".'
        ) from error
