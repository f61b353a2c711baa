"""Checkpoints of training: one file, whole at any moment, whatever happens to the process."""

from __future__ import annotations

import contextlib
import io
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium.spaces import Space

import batchsim
from batchsim import registry
from batchsim.torch.evaluate import most_likely
from batchsim.torch.policy import ActorCritic
from batchsim.torch.ppo import Hyperparameters
from batchsim.torch.threads import pick_threads
from batchsim.vector import BatchEnv

__all__ = ["FILE", "Checkpoint", "load", "load_actions", "load_policy", "save"]

Array = npt.NDArray[np.generic]

FILE = "checkpoint.pt"
"""The name of the file in the directory that holds a checkpoint."""

FORMAT = 2

STALE = 600.0
"""Seconds without a write after which a partial file is what a killed process left behind."""


@dataclass(frozen=True)
class Checkpoint:
    """Training, as far as it has come."""

    name: str
    """The environment's id, or the name of its definition."""
    hyperparameters: Hyperparameters
    seed: int
    precision: str
    arguments: dict[str, Any]
    """Parameters of the environment, and others of `BatchEnv`, that were given."""
    device: str
    threads: int
    """Of PyTorch: with others the last bits may differ."""
    seconds: float
    """That training has taken so far."""
    training: dict[str, Any]
    """`PPO.state_dict()`."""


def save(checkpoint: Checkpoint, directory: Path) -> Path:
    """Write a checkpoint into a directory, in the place of the one before; return its path.

    The file is replaced in one act, once the new one is on the disk. A process that is killed
    meanwhile leaves a partial file beside it, which a later call takes away.

    Raises:
        OSError: if it cannot be written; the one before is then still there.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / FILE
    partial = directory / f".{FILE}.{os.getpid()}"
    content = {
        **{name: getattr(checkpoint, name) for name in checkpoint.__dataclass_fields__},
        "hyperparameters": vars(checkpoint.hyperparameters),
        "format": FORMAT,
        "batchsim": batchsim.__version__,
    }
    whole = io.BytesIO()  # so that all errors in writing are OSErrors
    torch.save(content, whole)
    try:
        with partial.open("wb") as file:
            file.write(whole.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        _remove_stale(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _remove_stale(mine: Path) -> None:
    """Remove the partial files that other processes left beside this one.

    Whether they still live cannot be asked where several machines share the directory: their files'
    times can be compared, all of which come from one clock.
    """
    now = mine.stat().st_mtime
    for other in mine.parent.glob(f".{FILE}.*"):
        with contextlib.suppress(OSError):  # It may be gone by now, or belong to somebody else.
            if other != mine and now - other.stat().st_mtime > STALE:
                other.unlink()


def load(path: Path) -> Checkpoint:
    """Return the checkpoint in a file, or in the directory that it was saved to.

    Nothing in the file is executed.

    Raises:
        ValueError: if there is none, or the file holds something else.
    """
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise ValueError(f"There is no checkpoint {file}.")
    try:
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()  # PyTorch does not compare the checksums.
        if damaged is not None:
            raise zipfile.BadZipFile(damaged)
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # Whatever a damaged file leads to.
        raise ValueError(
            f"{file} cannot be read as a checkpoint of batchsim: it is damaged, or something else."
        ) from error
    if not isinstance(content, dict) or "format" not in content:
        raise ValueError(f"{file} is no checkpoint of batchsim.")
    if content["format"] != FORMAT:
        raise ValueError(
            f"{file} has format {content['format']!r}, of batchsim {content.get('batchsim')}; "
            f"expected {FORMAT}."
        )
    try:
        fields = {name: content[name] for name in Checkpoint.__dataclass_fields__}
        fields["hyperparameters"] = Hyperparameters(**fields["hyperparameters"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{file} lacks a part of a checkpoint of batchsim.") from error
    return Checkpoint(**fields)


def load_policy(path: Path | str, env: Any) -> ActorCritic:
    """Return the policy of a checkpoint, on the CPU.

    Args:
        path: the file, or the directory that it was saved to.
        env: what it was trained on: an id, or the class or module that defines an environment.

    Raises:
        ValueError: if there is none, or it was trained on another environment.
    """
    return _load_policy(Path(path), env)[0]


def load_actions(path: Path, env: Any) -> tuple[Callable[[Any], Array], dict[str, Any]]:
    """Return a function from observations to the most likely actions of a checkpoint's policy, and
    the arguments of `BatchEnv` that it was trained with.

    From now on PyTorch computes with as many threads as in training.

    Args, and what is raised: as of `load_policy`.
    """
    policy, action_space, checkpoint = _load_policy(path, env)
    pick_threads(lambda: None, candidates=[checkpoint.threads])
    return most_likely(policy, action_space), checkpoint.arguments


def _load_policy(path: Path, env: Any) -> tuple[ActorCritic, Space[Any], Checkpoint]:
    checkpoint = load(path)
    name = registry.read(env)[0].name
    if checkpoint.name != name:
        raise ValueError(f"The policy {path} was trained on {checkpoint.name}, not on {name}.")
    with contextlib.closing(BatchEnv(env, 1, backend="reference", **checkpoint.arguments)) as envs:
        policy = ActorCritic(
            envs.single_observation_space,
            envs.single_action_space,
            hidden=checkpoint.hyperparameters.hidden,
            normalize=checkpoint.hyperparameters.normalize,
            correlation=checkpoint.hyperparameters.correlation,
        )
    try:
        policy.load_state_dict(checkpoint.training["policy"])
    except (KeyError, RuntimeError, TypeError) as error:
        raise ValueError(
            f"The policy {path} does not fit {name}: the environment had other spaces when it was "
            "trained."
        ) from error
    return policy, envs.single_action_space, checkpoint
