"""A progress bar that does not disturb what is measured."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

__all__ = ["shown_progress"]


@contextlib.contextmanager
def shown_progress() -> Iterator[Callable[[str, float], None]]:
    """Yield `show(doing, done)`: on a terminal, what comes now and which share is done."""
    # Drawn between measurements only: a thread that draws would be measured too.
    bar = Progress(
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=Console(stderr=True),
        auto_refresh=False,
        transient=True,
    )
    bar.disable = not bar.console.is_terminal
    with bar:
        task = bar.add_task("", total=1.0)

        def show(doing: str, done: float) -> None:
            bar.update(task, completed=done, description=doing, refresh=True)

        yield show
