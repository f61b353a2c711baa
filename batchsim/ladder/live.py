"""Shows a ladder while it is measured, and as a whole at the end."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from batchsim.ladder.report import Report
from batchsim.ladder.runner import Result

__all__ = ["LiveReport"]

WIDTH = 118
"""Of the table where standard output is not a terminal."""


class LiveReport:
    """A table that grows rung by rung above a progress bar, as a context.

    Where standard output is not a terminal, only the bar is shown, on standard error.
    """

    def __init__(self) -> None:
        self.console = Console()
        if not self.console.is_terminal:
            self.console = Console(width=WIDTH)
        self.progress = Progress(
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            auto_refresh=False,
        )
        self.task = self.progress.add_task("", total=1.0)
        # Drawn between measurements only: a thread that draws would be measured too.
        self.live = Live(
            console=self.console if self.console.is_terminal else Console(stderr=True),
            auto_refresh=False,
            transient=True,
            vertical_overflow="visible",
        )

    def __enter__(self) -> LiveReport:
        self.live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.live.stop()

    def update(self, result: Result, doing: str, done: float) -> None:
        """Show how far the ladder is."""
        self.progress.update(self.task, completed=done, description=doing)
        if self.console.is_terminal:
            report = Report(result)
            tables = report.tables(self.console)
            self.live.update(Group(Text(report.header), *tables, self.progress), refresh=True)
        elif self.live.console.is_terminal:
            self.live.update(self.progress, refresh=True)

    def print(self, result: Result) -> None:
        """Print the whole table with its remarks; call it after the context has ended."""
        report = Report(result)
        self.console.print(Text(report.header))
        self.console.print(*report.tables(self.console))
        for note in report.notes:
            self.console.print(Text(note))
