"""The command `train`: teaches an agent, and evaluates it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from batchsim import registry
from batchsim.commands import options
from batchsim.commands.options import BAD_INPUT, FAILURE, UsageError, check_writable
from batchsim.commands.training import (
    Assignments,
    Threads,
    TrainedEnvs,
    pytorch,
    read_hyperparameters,
)

__all__ = ["train"]


def train(
    env: Annotated[str, typer.Argument(metavar="ID", help=options.NAMES_ENV)],
    num_envs: TrainedEnvs = None,
    total_steps: Annotated[
        int | None, typer.Option(help="Steps of all environments together, likewise.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:1, ….")] = "auto",
    seed: Annotated[
        int | None, typer.Option(help="Of everything that is random; 0 by default.")
    ] = None,
    precision: Annotated[str | None, typer.Option(help="exact or fast; exact by default.")] = None,
    baseline: Annotated[
        bool, typer.Option("--baseline", help="Train on Gymnasium's SyncVectorEnv instead.")
    ] = False,
    threads: Threads = None,
    param: options.Parameters = None,
    set_: Assignments = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Directory to save checkpoints to.")
    ] = None,
    checkpoint_seconds: Annotated[float, typer.Option(help="Between checkpoints.")] = 10.0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in that directory.")
    ] = False,
    tensorboard: Annotated[
        Path | None, typer.Option(help="Directory for TensorBoard's event files.")
    ] = None,
    episodes: Annotated[int, typer.Option(help="Of the evaluation at the end.")] = 100,
    draw: Annotated[
        bool,
        typer.Option("--draw", help="Evaluate actions drawn as in training, not the most likely."),
    ] = False,
    json: Annotated[Path | None, typer.Option(help="Write the figures to this file.")] = None,
) -> None:
    """Teach an agent by PPO, and evaluate it in fresh episodes.

    With a checkpoint directory, training that was killed goes on exactly as it would have. Under
    torchrun, several processes train together.
    """
    with pytorch():
        from batchsim.torch import checkpoint as checkpoints
        from batchsim.torch import progress
        from batchsim.torch.presets import hyperparameters_for
        from batchsim.torch.train import Settings, Training, to_json

    with _joined() as ranks:
        if ranks.restarts and checkpoint is not None:
            # Started again by torchrun, with the same options, since a rank had ended.
            resume = resume or (checkpoint / checkpoints.FILE).is_file()
        try:
            if json is not None:
                check_writable(json)
            given = read_hyperparameters(set_, num_envs=num_envs, total_steps=total_steps)
            arguments = options.read_parameters(param)
            target = registry.resolve(env)
            if resume and checkpoint is not None:
                saved = checkpoints.load(checkpoint)
                hyperparameters = saved.hyperparameters.replace(**given)
                seed = saved.seed if seed is None else seed
                precision = saved.precision if precision is None else precision
                arguments = {**saved.arguments, **arguments}
            else:
                hyperparameters = hyperparameters_for(target, **given)
            settings = Settings(
                env=target,
                hyperparameters=hyperparameters,
                seed=0 if seed is None else seed,
                device=device,
                precision="exact" if precision is None else precision,
                arguments=arguments,
                baseline=baseline,
                threads=threads,
                checkpoint=checkpoint,
                checkpoint_seconds=checkpoint_seconds,
                resume=resume,
                tensorboard=tensorboard,
                episodes=episodes,
                draw=draw,
            )
            training = Training(settings, ranks)
        except (TypeError, ValueError) as error:
            raise UsageError(str(error)) from error
        except MemoryError as error:
            raise UsageError(
                f"{hyperparameters.num_envs} environments do not fit into memory."
            ) from error

        try:
            if training.changed is not None and ranks.first:
                typer.echo(f"batchsim: {training.changed}", err=True)
            with progress.TrainingBar(training) as bar:
                training.run(bar.update)
            if not ranks.first:
                return
            typer.echo(progress.describe_training(training))
            evaluation = training.evaluate()
        finally:
            training.close()
    threshold = registry.read(target)[1].reward_threshold
    typer.echo(progress.describe_evaluation(evaluation, threshold))
    if json is not None:
        json.write_text(to_json(training, evaluation), encoding="utf-8")


@contextlib.contextmanager
def _joined() -> Iterator[Any]:
    """Yield the ranks of this training; of those that fail together, one says why."""
    from batchsim.torch.distributed import TrainingError, join_ranks

    try:
        ranks = join_ranks()
    except ValueError as error:
        raise UsageError(str(error)) from error
    with contextlib.closing(ranks):
        try:
            yield ranks
        except TrainingError as error:
            if ranks.first_to_fail():
                typer.echo(f"batchsim: {error}", err=True)
            raise typer.Exit(FAILURE) from error
        except UsageError as error:
            if ranks.first_to_fail():
                raise
            raise typer.Exit(BAD_INPUT) from error
