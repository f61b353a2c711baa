"""The command line: `python -m batchsim` and the console script `batchsim`."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from batchsim import options, registry
from batchsim.options import FAILURE, UsageError, check_writable

__all__ = ["app", "main"]

app = typer.Typer(
    name="batchsim",
    help="Reinforcement-learning environments stepped in batch, with the same bits as Gymnasium's.",
    add_completion=False,
    rich_markup_mode=None,
)


NAMES_ENV = (
    "Environment id; or module:Definition, module or path/to/file.py:Definition of an environment "
    "of yours."
)

Parameters = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="A parameter of the environment; repeatable. An array comes from a file, as in "
        "closes=@prices.npy (or .csv, or .json).",
    ),
]


@app.callback(invoke_without_command=True)
def no_command(context: typer.Context) -> None:
    """Show the help if no command is given."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("list")
def list_environments() -> None:
    """List the environments: id, time limit and what each is."""
    names = registry.environments()
    width = max(map(len, names))
    for name in names:
        limit = registry.find(name)[1].max_episode_steps
        steps = f"{limit:,} steps" if limit is not None else "no limit"
        typer.echo(f"{name:<{width}}  {steps:>12}  {_first_sentence(registry.load(name).doc)}")


def _first_sentence(doc: str) -> str:
    """Return the first sentence below the heading of an environment's docstring."""
    paragraphs = [part for part in doc.split("\n\n") if not part.startswith("#")]
    sentence, stop, _ = " ".join(paragraphs[0].split()).partition(". ")
    return sentence + stop.strip()


@app.command()
def ladder(
    env: Annotated[str, typer.Option(help="Environment id.")] = "CartPole-v1",
    num_envs: Annotated[
        str | None,
        typer.Option(
            help="Numbers of environments, separated by commas; by default 64, 1024 and 16384, or "
            "less where observations are large."
        ),
    ] = None,
    seconds: Annotated[
        float, typer.Option(help="Time to measure each rung for at each number of environments.")
    ] = 1.0,
    json: Annotated[Path | None, typer.Option(help="Write the measurements to this file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw them into this .png or .svg.")] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(help="Write the table to this file, or between its ladder markers."),
    ] = None,
    rungs: Annotated[
        str | None, typer.Option(help="Only these rungs and peers, separated by commas.")
    ] = None,
    param: Parameters = None,
) -> None:
    """Measure how much faster each improvement makes an environment, from the Python loop up.

    Every rung is checked against per-object environments before it is timed, all of them with the
    parameters that are given. The exit status is 1 if one failed or was wrong.
    """
    from batchsim.ladder import plot as plots
    from batchsim.ladder import report
    from batchsim.ladder.kind import Kind
    from batchsim.ladder.live import LiveReport
    from batchsim.ladder.runner import Settings, climb, default_sizes

    try:
        kind = Kind(env, _read_parameters(param))
        sizes = default_sizes(kind) if num_envs is None else options.read_sizes(num_envs)
        settings = Settings(kind, sizes, options.read_seconds(seconds))
        if rungs is not None:
            chosen = options.read_names("rungs", rungs, settings.rungs)
            settings = dataclasses.replace(settings, rungs=chosen)
        if plot is not None:
            plots.check_plot_file(plot)
        for path in (json, plot, markdown):
            if path is not None:
                check_writable(path)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error

    with LiveReport() as live:
        result = climb(settings, live.update)
    live.print(result)
    if json is not None:
        json.write_text(report.to_json(result), encoding="utf-8")
    if markdown is not None:
        report.write_markdown(result, markdown)
    if plot is not None:
        if any(row.measurements for row in result.rows):
            plots.draw(result, plot)
        else:
            typer.echo("batchsim: nothing could be timed, so that there is no plot.", err=True)
    if not result.sound:
        raise typer.Exit(FAILURE)


@app.command()
def watch(
    env: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help=NAMES_ENV,
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
    param: Parameters = None,
) -> None:
    """Draw several environments side by side into one animation or picture.

    The border of a tile is orange when its episode has terminated, blue when it was truncated.
    """
    from rich import filesize
    from rich.console import Console
    from rich.progress import Progress

    from batchsim import make_vec
    from batchsim import watch as watching

    try:
        # What draws needs no display, and should not complain that there is none.
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
        settings = watching.Settings(out, num_envs, steps, seed, fps)
        check_writable(out)
        target = registry.resolve(env)
        act, arguments = watching.read_policy(policy, target)
        arguments |= _read_parameters(param)
        envs = make_vec(target, num_envs, render_mode="rgb_array", **arguments)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error

    bar = Progress(console=Console(stderr=True), transient=True)
    bar.disable = not bar.console.is_terminal
    try:
        with bar:
            task = bar.add_task("drawing", total=steps)
            width, height = watching.record(
                envs, act, settings, lambda step: bar.update(task, completed=step)
            )
    except watching.WatchError as error:
        raise UsageError(str(error)) from error
    finally:
        envs.close()
    size = filesize.decimal(out.stat().st_size)
    typer.echo(
        f"{out}: {num_envs} environment{'s' * (num_envs > 1)}, {steps} step{'s' * (steps != 1)}, "
        f"{width} × {height} pixels, {size}"
    )


@app.command()
def play(
    env: Annotated[str, typer.Argument(metavar="ID", help=NAMES_ENV)],
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
    param: Parameters = None,
) -> None:
    """Play an environment by keyboard, in a window.

    The keys are told at the start. P pauses, R begins a new episode, Escape leaves.
    """
    from rich.console import Console
    from rich.progress import TextColumn

    from batchsim import play as playing

    try:
        settings = playing.Settings(scale, fps, seed)
        params = _read_parameters(param)
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


# What `train` and `estimate` are told alike.
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


@app.command()
def train(
    env: Annotated[str, typer.Argument(metavar="ID", help=NAMES_ENV)],
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
    param: Parameters = None,
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
    json: Annotated[Path | None, typer.Option(help="Write the figures to this file.")] = None,
) -> None:
    """Teach an agent by PPO, and evaluate it in fresh episodes.

    With a checkpoint directory, training that was killed goes on exactly as it would have.
    """
    with _pytorch():
        from batchsim.torch import checkpoint as checkpoints
        from batchsim.torch import progress
        from batchsim.torch.ppo import TrainingError
        from batchsim.torch.presets import hyperparameters_for
        from batchsim.torch.train import Settings, Training, to_json

    try:
        if json is not None:
            check_writable(json)
        given = _read_hyperparameters(set_, num_envs=num_envs, total_steps=total_steps)
        arguments = _read_parameters(param)
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
        )
        training = Training(settings)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error
    except MemoryError as error:
        raise UsageError(
            f"{hyperparameters.num_envs} environments do not fit into memory."
        ) from error

    try:
        with progress.TrainingBar(training) as bar:
            training.run(bar.update)
        typer.echo(progress.describe_training(training))
        evaluation = training.evaluate()
    except TrainingError as error:
        typer.echo(f"batchsim: {error}", err=True)
        raise typer.Exit(FAILURE) from error
    finally:
        training.close()
    threshold = registry.read(target)[1].reward_threshold
    typer.echo(progress.describe_evaluation(evaluation, threshold))
    if json is not None:
        json.write_text(to_json(training, evaluation), encoding="utf-8")


@app.command()
def estimate(
    env: Annotated[str, typer.Argument(metavar="ID", help="Environment id.")],
    num_envs: TrainedEnvs = None,
    iterations: Annotated[
        int, typer.Option(help="Of PPO, in each run: a rollout, and learning from it.")
    ] = 20,
    repeats: Annotated[int, typer.Option(help="Runs of each whole process; medians count.")] = 5,
    seconds: Annotated[float, typer.Option(help="Time to measure each rung for.")] = 0.5,
    rungs: Annotated[
        str | None, typer.Option(help="Only these rungs of the ladder, separated by commas.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of PPO.")] = 0,
    threads: Threads = None,
    set_: Assignments = None,
    json: Annotated[Path | None, typer.Option(help="Write the figures to this file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw them into this .png or .svg.")] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(help="Write the table to this file, or between its estimate markers."),
    ] = None,
) -> None:
    """Say how much sooner an agent learns on faster environments: predicted, then measured.

    PPO on one Python object an environment shows which share of its time environments take;
    Amdahl's law says what each rung of the ladder makes of that; PPO on batchsim shows if it is so.
    """
    from batchsim.ladder import plot as plots
    from batchsim.ladder.rungs import RUNGS

    with _pytorch():
        from batchsim.torch import estimate_report as report
        from batchsim.torch.estimate import EstimateSettings, to_json
        from batchsim.torch.estimate import estimate as measure
        from batchsim.torch.presets import hyperparameters_for

    try:
        name = registry.find(env)[0]
        names = [rung.name for rung in RUNGS]
        settings = EstimateSettings(
            name,
            hyperparameters_for(name, **_read_hyperparameters(set_, num_envs=num_envs)),
            iterations,
            repeats,
            options.read_seconds(seconds),
            tuple(names) if rungs is None else options.read_names("rungs", rungs, names),
            seed,
            threads,
        )
        if plot is not None:
            plots.check_plot_file(plot)
        for path in (json, plot, markdown):
            if path is not None:
                check_writable(path)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error

    with options.shown_progress() as show:
        found = measure(settings, show)
    report.print_estimate(found)
    if json is not None:
        json.write_text(to_json(found), encoding="utf-8")
    if markdown is not None:
        report.write_markdown(found, markdown)
    if plot is not None:
        report.draw(found, plot)
    if not found.same_agent:
        raise typer.Exit(FAILURE)


def _read_hyperparameters(texts: list[str] | None, **others: int | None) -> dict[str, Any]:
    """Return the hyperparameters of `--set` and those with options of their own that were given."""
    given = dict(options.read_assignment("set", text, "learning_rate=1e-3") for text in texts or ())
    return given | {name: value for name, value in others.items() if value is not None}


@contextlib.contextmanager
def _pytorch() -> Iterator[None]:
    """Say what is missing if PyTorch cannot be imported in this block."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise UsageError(
            'This needs PyTorch; install it with pip install "batchsim[torch]".'
        ) from error


@app.command()
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
    param: Parameters = None,
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
        params = _read_parameters(param)
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


@app.command()
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


def _read_parameters(texts: list[str] | None) -> dict[str, Any]:
    """Return the environment's parameters of `--param`, those of files as lists of numbers."""
    given = dict(options.read_assignment("param", text, "gravity=9.8") for text in texts or ())
    return {
        name: options.read_values(f"--param {name}", Path(value[1:]))
        if isinstance(value, str) and value.startswith("@")
        else value
        for name, value in given.items()
    }


def main() -> None:
    """Run the command line; bad input ends with one sentence on standard error and status 2."""
    options.run(app)


if __name__ == "__main__":
    main()
