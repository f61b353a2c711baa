"""The command `doctor`: what this machine and installation are, and what to change."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from batchsim.commands import options
from batchsim.commands.options import FAILURE, UsageError, check_writable

__all__ = ["doctor"]


def doctor(
    json: Annotated[Path | None, typer.Option(help="Write everything to this file.")] = None,
) -> None:
    """Explain this machine and installation, measure a few steps, and give advice.

    The exit status is 1 if there is a problem; advice is none.
    """
    from rich.progress import TextColumn

    from batchsim.doctor.diagnosis import examine, to_json
    from batchsim.doctor.report import print_diagnosis

    if json is not None:
        try:
            check_writable(json)
        except ValueError as error:
            raise UsageError(str(error)) from error

    with options.shown_progress(TextColumn("{task.description} …")) as show:
        diagnosis = examine(show)
    print_diagnosis(diagnosis)
    if json is not None:
        json.write_text(to_json(diagnosis), encoding="utf-8")
    if not diagnosis.sound:
        raise typer.Exit(FAILURE)
