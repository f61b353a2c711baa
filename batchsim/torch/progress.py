"""Shows a training: a bar while it runs, and what came of it."""

from __future__ import annotations

import math
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from batchsim.ladder.report import format_count
from batchsim.torch.evaluate import Evaluation
from batchsim.torch.ppo import Iteration
from batchsim.torch.train import TimeSplit, Training, count_ranks

__all__ = ["TrainingBar", "describe_evaluation", "describe_split", "describe_training"]

LINES = 10
"""Lines that tell how far training has come where there is no terminal for a bar."""


class TrainingBar:
    """Shows on standard error how far a training has come, while the block runs.

    In a terminal a bar with steps a second, mean return and time split; else a line now and then.
    Of several ranks the first one shows it.
    """

    def __init__(self, training: Training) -> None:
        self.training = training
        self.console = Console(stderr=True, quiet=not training.ranks.first)
        self.bar = Progress(
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=self.console,
            transient=True,
            disable=not (self.console.is_terminal and training.ranks.first),
        )
        self.task = self.bar.add_task(
            "",
            total=training.ppo.hyperparameters.iterations,
            completed=training.ppo.iteration,  # of one that goes on
        )

    def __enter__(self) -> TrainingBar:
        """Begin to show."""
        self.bar.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the bar away."""
        self.bar.__exit__(kind, error, trace)

    def update(self, iteration: Iteration) -> None:
        """Show what an iteration did."""
        text = f"{self._speed()}, {_mean_return(iteration)}, {describe_split(self.training.times)}"
        self.bar.update(self.task, completed=iteration.number, description=text)
        every = math.ceil(self.training.ppo.hyperparameters.iterations / LINES)
        if self.bar.disable and iteration.number % every == 0:
            self.console.print(
                f"{iteration.steps:,} steps: {text}", highlight=False, soft_wrap=True
            )

    def _speed(self) -> str:
        done = self.training.steps
        return f"{format_count(done / max(self.training.seconds, 1e-9))} steps/s"


def _mean_return(iteration: Iteration) -> str:
    if math.isnan(iteration.mean_return):
        return "no episode has ended yet"
    digits = 1 if abs(iteration.mean_return) >= 10.0 else 2
    return f"mean return {iteration.mean_return:,.{digits}f}"


def describe_split(times: TimeSplit) -> str:
    """Return where the time went in one line."""
    return ", ".join(f"{name} {share:.1%}" for name, share in times.shares().items())


def describe_training(training: Training) -> str:
    """Return what a training took in some lines."""
    threads = f"{training.threads} thread{'s' if training.threads > 1 else ''}"
    if training.ranks.several:
        threads = f"{count_ranks(training.ranks.size)} of {threads} each"
    simulator = "Gymnasium's SyncVectorEnv" if training.settings.baseline else "batchsim"
    return (
        f"{training.name} on {simulator}, seed {training.settings.seed}: {training.steps:,} steps "
        f"in {training.seconds:.1f} s ({format_count(training.steps / training.seconds)} steps/s) "
        f"on {training.device}, {threads}; {training.setup_seconds:.1f} s to set up\n"
        f"time: {describe_split(training.times)}"
    )


def describe_evaluation(evaluation: Evaluation, threshold: float | None) -> str:
    """Return how good a policy is in one line; `threshold` is where the task counts as solved."""
    rate = evaluation.success_rate
    mean, std, lowest, highest = (
        f"{amount:,.1f}" if rate is None else f"{amount:,.2f}"
        for amount in (evaluation.mean, evaluation.std, evaluation.lowest, evaluation.highest)
    )
    text = (
        f"evaluation: {evaluation.episodes} episodes, mean return {mean} ± {std} (from {lowest} to "
        f"{highest})"
    )
    if rate is not None:
        text += f", {rate:.0%} successes"
    if threshold is None:
        return text
    solved = "solved" if evaluation.mean >= threshold else "not solved"
    return f"{text}; {solved}, which takes {threshold:,g}"
