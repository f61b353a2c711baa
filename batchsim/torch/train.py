"""A whole training: environments, PPO, checkpoints, an evaluation at the end."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import importlib.util
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from batchsim import registry
from batchsim.batch import checks
from batchsim.batch.arguments import settle
from batchsim.batch.vector import PRECISIONS, BatchEnv
from batchsim.ladder.machine import describe_machine, find_versions
from batchsim.torch import checkpoint as checkpoints
from batchsim.torch.baseline import make_baseline
from batchsim.torch.checkpoint import Checkpoint
from batchsim.torch.distributed import ALONE, Ranks, TrainingError
from batchsim.torch.evaluate import Evaluation, evaluate
from batchsim.torch.nested import mapped
from batchsim.torch.policy import ActorCritic
from batchsim.torch.ppo import PPO, Hyperparameters, Iteration
from batchsim.torch.threads import pick_threads

__all__ = ["Settings", "TimeSplit", "Training", "count_ranks", "read_device", "to_json"]

SCHEMA = 1

LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class Settings:
    """What to train, and how.

    Args:
        env: an id, or the class or module that defines an environment.
        hyperparameters: how to learn.
        seed: of everything that is random, the evaluation too.
        device: where policy and learning are: "cpu", "cuda", …; "auto" for a GPU if there is one.
        precision: of the environments.
        arguments: parameters of the environment by name, one value for all environments; also
            `frame_stack` and `max_episode_steps` of `BatchEnv`. Texts are trained on as tokens.
        baseline: train on Gymnasium's `SyncVectorEnv` instead, one object an environment: in exact
            precision the agent becomes the same, bit for bit, but later.
        threads: of PyTorch, on each rank; None to measure which number is best.
        checkpoint: directory to save checkpoints to, which all ranks see; None for none.
        checkpoint_seconds: between checkpoints.
        resume: go on from the checkpoint there.
        tensorboard: directory for TensorBoard's event files, of this training alone; None for none.
        episodes: of the evaluation at the end.
        draw: evaluate actions drawn as in training, not the most likely ones.

    Raises:
        TypeError, ValueError: for a value out of place.
    """

    env: Any
    hyperparameters: Hyperparameters
    seed: int = 0
    device: str = "auto"
    precision: str = "exact"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    baseline: bool = False
    threads: int | None = None
    checkpoint: Path | None = None
    checkpoint_seconds: float = 10.0
    resume: bool = False
    tensorboard: Path | None = None
    episodes: int = 100
    draw: bool = False

    def __post_init__(self) -> None:
        checks.whole_number("seed", self.seed, at_least=0, at_most=LARGEST_SEED)
        checks.whole_number("episodes", self.episodes, at_least=1)
        checks.one_of("precision", self.precision, PRECISIONS)
        if self.threads is not None:
            checks.whole_number("threads", self.threads, at_least=1, at_most=checks.MOST_THREADS)
        if not self.checkpoint_seconds >= 0.0:
            raise ValueError(
                f"checkpoint_seconds is {self.checkpoint_seconds}; expected a number of at least 0."
            )
        read_device(self.device)
        # What a checkpoint says must hold when a file that was named is another or gone.
        given = settle(self.env, self.arguments)
        of_texts = hasattr(registry.read(self.env)[0].namespace, "TOKENS")
        arguments = {"text_mode": "tokens"} if of_texts else {}  # Policies read numbers.
        object.__setattr__(self, "arguments", {**arguments, **given})
        if self.baseline:
            if not isinstance(self.env, str):
                name = registry.read(self.env)[0].name
                raise ValueError(f"Gymnasium has no environment {name}; expected an id.")
            if self.checkpoint is not None:
                raise ValueError(
                    "Gymnasium's environments have no snapshot to save; expected either baseline "
                    "or checkpoint."
                )
            if self.precision != "exact":
                raise ValueError(
                    f"precision is {self.precision!r}, but Gymnasium's environments know only "
                    "'exact'."
                )
            if given:
                raise ValueError(
                    "Gymnasium's environments have parameters of their own; expected either "
                    "baseline or parameters."
                )
        if self.resume and self.checkpoint is None:
            raise ValueError("resume asks for a checkpoint's directory; expected checkpoint too.")
        if self.tensorboard is not None:
            _check_directory("tensorboard", self.tensorboard)
            if importlib.util.find_spec("tensorboard") is None:
                raise ValueError(
                    "Writing event files needs the library tensorboard; install it with "
                    'pip install "batchsim[tensorboard]".'
                )
        if self.checkpoint is not None:
            _check_directory("checkpoint", self.checkpoint)
            self._check_checkpoint(self.checkpoint)

    def _check_checkpoint(self, directory: Path) -> None:
        file = directory / checkpoints.FILE
        if self.resume and not file.is_file():
            raise ValueError(f"There is no checkpoint {file} to resume from.")
        if not self.resume and file.exists():
            raise ValueError(
                f"{directory} holds a checkpoint already; resume from it, or choose another "
                "directory."
            )


def _check_directory(name: str, directory: Path) -> None:
    """Raise unless a directory can be written to, or be made."""
    if not isinstance(directory, Path):
        raise TypeError(f"{name} is {directory!r}; expected a pathlib.Path.")
    nearest = next(place for place in (directory, *directory.parents) if os.path.exists(place))
    if not nearest.is_dir():
        raise ValueError(f"{name} is {directory}, but {nearest} is a file; expected a directory.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ValueError(f"{name} is {directory}, but {nearest} cannot be written to.")


def read_device(device: str) -> torch.device:
    """Return the device that a name stands for; "auto" is a GPU if there is one.

    Raises:
        ValueError: if there is no such device here.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"device is {device!r}; expected 'auto', 'cpu' or 'cuda', with a number if need be."
        ) from error
    if found.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device is {device!r}, but PyTorch finds no CUDA device; try 'cpu'.")
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device is {device!r}, but there are only {torch.cuda.device_count()} CUDA devices."
        )
    if found.type not in ("cpu", "cuda"):
        raise ValueError(f"device is {device!r}; expected 'auto', 'cpu' or 'cuda'.")
    return found


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    """Raise TrainingError for what environments or PyTorch raise in the block."""
    try:
        yield
    except TrainingError:
        raise
    except (RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise TrainingError(f"{what} could not be made: {reason}") from error


@dataclass(frozen=True)
class TimeSplit:
    """Seconds of training, by what they went into."""

    environment: float
    policy: float
    """Choosing actions, and the noise for it."""
    learning: float
    """Advantages and updates."""
    rest: float

    @property
    def whole(self) -> float:
        """All of it."""
        return self.environment + self.policy + self.learning + self.rest

    def shares(self) -> dict[str, float]:
        """Return which part of the whole each is."""
        return {name: seconds / self.whole for name, seconds in vars(self).items()}


class Training:
    """A training under way; `Training(settings).run()` makes it whole.

    Args:
        settings: what to train, and how.
        ranks: the processes that train together, each with its share of the environments. All of
            them make the same calls but for `evaluate`; the first one saves.

    Attributes:
        changed: what a training that goes on from other ranks has to know, a sentence, or None.

    Raises:
        ValueError: if the checkpoint to resume from is of another training, or ranks cannot share
            the environments.

    Example:
        >>> from batchsim.torch.presets import hyperparameters_for
        >>> how = Hyperparameters(num_envs=8, steps=16, total_steps=256)
        >>> training = Training(Settings("CartPole-v1", how, episodes=10, threads=1))
        >>> training.run()
        >>> training.evaluate().episodes
        10
    """

    def __init__(self, settings: Settings, ranks: Ranks = ALONE) -> None:
        start = time.perf_counter()
        self.settings = settings
        self.ranks = ranks
        rows = ranks.rows_of(settings.hyperparameters.num_envs)
        self.device = ranks.own_device(read_device(settings.device))
        found = checkpoints.load(settings.checkpoint) if settings.resume else None  # type: ignore[arg-type]
        self.name = registry.read(settings.env)[0].name
        if found is not None:
            self._check_same(found)
        self.changed = self._explain_change(found)
        self.most_threads = ranks.count_threads()
        envs = self._make_envs(rows.stop - rows.start)
        try:
            self.ppo = PPO(
                envs,
                settings.hyperparameters,
                seed=settings.seed,
                device=self.device,
                ranks=ranks,
            )
            if found is not None:
                self._go_on_from(found)
            self.threads, self.why = self._pick_threads(found)
        except BaseException:
            envs.close()
            raise
        self.setup_seconds = time.perf_counter() - start
        self.seconds = 0.0 if found is None else found.seconds
        self.resumed_at = self.ppo.iteration

    def _make_envs(self, num_envs: int) -> Any:
        settings = self.settings
        if settings.baseline:
            return make_baseline(self.name, num_envs)
        with self.ranks.one_first():
            return BatchEnv(
                settings.env,
                num_envs,
                precision=settings.precision,
                num_threads=self.most_threads,
                **settings.arguments,
            )

    def _explain_change(self, found: Checkpoint | None) -> str | None:
        if found is None or found.ranks == self.ranks.size:
            return None
        before, now = count_ranks(found.ranks), count_ranks(self.ranks.size)
        return (
            f"The checkpoint in {self.settings.checkpoint} was saved by {before}; with {now} "
            "environments, noise and minibatches are the same, but gradients are added up in "
            "another order: last bits, and in time actions, will differ from those of before."
        )

    def _check_same(self, found: Checkpoint) -> None:
        """Raise ValueError if a checkpoint is of another training than the settings'."""
        mine, its = self.settings.hyperparameters, found.hyperparameters
        pairs = [
            ("environment", self.name, found.name),
            ("seed", self.settings.seed, found.seed),
            ("precision", self.settings.precision, found.precision),
            ("arguments", dict(self.settings.arguments), found.arguments),
            ("device", self.device.type, found.device),
        ]
        pairs += [
            (field.name, getattr(mine, field.name), getattr(its, field.name))
            for field in dataclasses.fields(mine)
        ]
        for name, asked, saved in pairs:
            if asked != saved:
                raise ValueError(
                    f"The checkpoint in {self.settings.checkpoint} was made with {name} {saved!r}, "
                    f"not {asked!r}; expected the same training."
                )

    def _go_on_from(self, found: Checkpoint) -> None:
        try:
            self.ppo.load_state_dict(found.training)
        except ValueError as error:
            reason = str(error).rstrip(".")
            raise ValueError(
                f"The checkpoint in {self.settings.checkpoint} does not fit {self.name}: the "
                f"environment has changed since it was saved, or the file has ({reason})."
            ) from error

    def _pick_threads(self, found: Checkpoint | None) -> tuple[int, str]:
        """Set the number of PyTorch's threads; return it, and why that."""
        wanted = self.settings.threads
        if found is not None and wanted is None and found.ranks == self.ranks.size:
            wanted = found.threads
        if wanted is not None or self.device.type != "cpu":
            choice = pick_threads(lambda: None, candidates=[wanted if wanted is not None else 1])
            return choice.threads, "as asked for" if self.settings.threads else choice.reason
        candidates = None if self.most_threads is None else [1, self.most_threads]
        choice = pick_threads(self._minibatch(), candidates=candidates)
        self.ppo.optimizer.zero_grad()
        least: int = min(self.ranks.gather_all(choice.threads))
        if least < choice.threads:
            torch.set_num_threads(least)
            return least, f"{least}: that is best on another rank, and all have the same number."
        return choice.threads, choice.reason

    def _minibatch(self) -> Callable[[], None]:
        """Return what goes forward and backward through the networks as learning does."""
        h, rollout, policy = self.settings.hyperparameters, self.ppo.collector.rollout, self.policy
        size = math.ceil(self.ppo.envs.num_envs * h.steps / h.minibatches)
        # Of one environment's space: that of a batch does not know what symbols there are.
        observations = mapped(
            lambda leaf: torch.from_numpy(np.asarray(leaf)).expand(size, *np.shape(leaf)).clone(),
            self.ppo.envs.single_observation_space.sample(),
        )
        actions = torch.zeros_like(rollout.actions.flatten(0, 1)[:size])

        def work() -> None:
            log_probs, entropy, values = policy.evaluate(observations, actions)
            (log_probs.mean() + entropy.mean() + values.mean()).backward()

        return work

    @property
    def times(self) -> TimeSplit:
        """Where the time has gone so far, after setting up."""
        times = self.ppo.collector.times
        rest = self.seconds - times.environment - times.policy - self.ppo.learning_seconds
        return TimeSplit(times.environment, times.policy, self.ppo.learning_seconds, rest)

    def run(self, on_iteration: Callable[[Iteration], None] = lambda iteration: None) -> None:
        """Train to the end.

        Args:
            on_iteration: called after each iteration.

        Raises:
            TrainingError: if losses are not finite, an iteration fails or a checkpoint cannot be
                saved. The last checkpoint is then from before.
        """
        settings, ppo = self.settings, self.ppo
        writer = None
        if settings.tensorboard is not None and self.ranks.first:
            from torch.utils.tensorboard import SummaryWriter

            writer = SummaryWriter(str(settings.tensorboard), purge_step=self.steps + 1)
        before = self.seconds
        start = saved = time.perf_counter()
        try:
            while not ppo.finished:
                iteration = self._iterate()
                now = time.perf_counter()
                self.seconds = before + now - start
                if writer is not None:
                    self._write_scalars(writer, iteration)
                due = ppo.finished or now - saved >= settings.checkpoint_seconds
                # By one clock.
                if settings.checkpoint is not None and self.ranks.of_first(due):
                    if writer is not None:
                        writer.flush()  # What the checkpoint has behind it would be lost else.
                    self._save(settings.checkpoint)
                    saved = time.perf_counter()
                on_iteration(iteration)
            self.seconds = before + time.perf_counter() - start
        finally:
            if writer is not None:
                writer.close()

    def _iterate(self) -> Iteration:
        with _explained(f"Iteration {self.ppo.iteration + 1}"):
            return self.ppo.iterate()

    def _save(self, directory: Path) -> None:
        try:
            self.save(directory)
        except OSError as error:
            raise TrainingError(
                f"No checkpoint could be saved to {directory}: {error.strerror}."
            ) from error

    def _write_scalars(self, writer: Any, iteration: Iteration) -> None:
        found = dataclasses.asdict(iteration)
        step = found.pop("steps")
        del found["number"]
        for name, value in found.items():
            group = "episodes" if name in ("mean_return", "mean_length", "episodes") else "learning"
            if value == value:  # no mean before the first episode has ended
                writer.add_scalar(f"{group}/{name}", value, step)
        writer.add_scalar("time/steps_per_second", step / self.seconds, step)
        for name, share in self.times.shares().items():
            writer.add_scalar(f"time/{name}", share, step)

    def save(self, directory: Path) -> Path:
        """Save a checkpoint into a directory, on the first rank; return the file's path."""
        settings = self.settings
        state = self.ppo.state_dict()
        if not self.ranks.first:
            return directory / checkpoints.FILE
        return checkpoints.save(
            Checkpoint(
                self.name,
                settings.hyperparameters,
                settings.seed,
                settings.precision,
                dict(settings.arguments),
                self.device.type,
                self.threads,
                self.seconds,
                state,
                self.ranks.size,
            ),
            directory,
        )

    @property
    def steps(self) -> int:
        """Of all environments, so far."""
        h = self.settings.hyperparameters
        return self.ppo.iteration * h.num_envs * h.steps

    @property
    def policy(self) -> ActorCritic:
        """What was learned."""
        return self.ppo.policy

    def evaluate(self, draw: bool | None = None) -> Evaluation:
        """Return how good the policy is in fresh episodes.

        Args:
            draw: whether to draw actions as in training; None for what the settings say.

        Raises:
            TrainingError: if an environment fails.
        """
        with _explained("The evaluation"):
            return evaluate(
                self.policy,
                self.settings.env,
                self.settings.episodes,
                seed=self.settings.seed,
                draw=self.settings.draw if draw is None else draw,
                precision=self.settings.precision,
                **self.settings.arguments,
            )

    def close(self) -> None:
        """Let the environments go."""
        self.ppo.envs.close()


def count_ranks(ranks: int) -> str:
    """Return how many processes train, in words."""
    return f"{ranks} rank{'s' if ranks > 1 else ''}"


def to_json(training: Training, evaluation: Evaluation) -> str:
    """Return what a training did as a JSON document, in plain SI units.

    Its keys: `schema` (1), `env_id`, `date`, `machine`, `versions`, `seed`, `device`, `threads`
    (of PyTorch, on each rank), `ranks` (processes), `precision`, `arguments` (of the environments,
    if any), `baseline` (bool), `hyperparameters`, `steps`, `seconds` (wall time of training),
    `setup_seconds` (before it: kernels, threads), `steps_per_second`, `times` (seconds in
    `environment`, `policy`, `learning` and `rest`), `draw` (bool, of the evaluation), and
    `evaluation` with `episodes`, `mean`, `std`, `lowest`, `highest`, `mean_length` and
    `success_rate`, null where episodes pay before they end.
    """
    settings = training.settings
    return json.dumps(
        {
            "schema": SCHEMA,
            "env_id": training.name,
            "date": datetime.date.today().isoformat(),
            "machine": describe_machine(),
            "versions": find_versions("torch"),
            "seed": settings.seed,
            "device": str(training.device),
            "threads": training.threads,
            "ranks": training.ranks.size,
            "precision": settings.precision,
            "arguments": dict(settings.arguments),
            "baseline": settings.baseline,
            "hyperparameters": dataclasses.asdict(settings.hyperparameters),
            "steps": training.steps,
            "seconds": training.seconds,
            "setup_seconds": training.setup_seconds,
            "steps_per_second": training.steps / training.seconds,
            "times": dataclasses.asdict(training.times),
            "draw": settings.draw,
            "evaluation": dataclasses.asdict(evaluation),
        },
        indent=2,
    )
