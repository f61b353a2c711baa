"""Checkpoints of training: one file, whole at any moment, whatever happens to the process."""

from __future__ import annotations

import contextlib
import io
import os
import reprlib
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
from batchsim.batch.arguments import OF_EACH
from batchsim.batch.checks import MOST_THREADS
from batchsim.batch.vector import PRECISIONS, BatchEnv
from batchsim.definition import OF_BATCHES
from batchsim.torch import restore
from batchsim.torch.evaluate import most_likely
from batchsim.torch.policy import ActorCritic
from batchsim.torch.ppo import Hyperparameters
from batchsim.torch.threads import pick_threads

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
    ranks: int = 1
    """How many processes trained: with others the last bits may differ."""


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
    if not isinstance(content, dict) or type(content.get("format")) is not int:
        raise ValueError(f"{file} is no checkpoint of batchsim.")
    if content["format"] != FORMAT:
        raise ValueError(
            f"{file} has format {content['format']}, of batchsim "
            f"{content.get('batchsim')!s:.20}; expected {FORMAT}."
        )
    try:
        # Files from before there were several lack their number.
        content.setdefault("ranks", 1)
        fields = {name: content[name] for name in Checkpoint.__dataclass_fields__}
        fields["hyperparameters"] = Hyperparameters(**fields["hyperparameters"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{file} lacks a part of a checkpoint of batchsim.") from error
    try:
        _check_fields(fields)
    except ValueError as error:
        raise ValueError(f"{file} is no checkpoint of batchsim: {error}") from error
    return Checkpoint(**fields)


def _check_fields(fields: dict[str, Any]) -> None:
    """Raise ValueError for a part of a checkpoint, but for its training, that cannot be."""
    kinds = {"name": str, "device": str, "precision": str, "arguments": dict, "training": dict}
    for name, kind in kinds.items():
        if type(fields[name]) is not kind:
            raise ValueError(f"its {name} is no {kind.__name__}.")
    for name in fields["arguments"]:
        if not isinstance(name, str) or name in OF_BATCHES - OF_EACH:
            raise ValueError(f"its arguments hold {name!r}, which is none of an environment.")
    if fields["precision"] not in PRECISIONS:
        raise ValueError(f"its precision is none of {', '.join(PRECISIONS)}.")
    restore.read_number("its seed", fields["seed"], int)
    restore.read_number("its number of seconds", fields["seconds"], float)
    for name in ("threads", "ranks"):
        restore.read_number(f"its number of {name}", fields[name], int, MOST_THREADS)
        if fields[name] == 0:
            raise ValueError(f"its number of {name} is 0; expected at least 1.")


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
    weights = checkpoint.training.get("policy")
    _check_layers(path, checkpoint.hyperparameters.hidden, weights)
    with contextlib.closing(BatchEnv(env, 1, backend="reference", **checkpoint.arguments)) as envs:
        policy = ActorCritic(
            envs.single_observation_space,
            envs.single_action_space,
            hidden=checkpoint.hyperparameters.hidden,
            normalize=checkpoint.hyperparameters.normalize,
            correlation=checkpoint.hyperparameters.correlation,
        )
    try:
        policy.load_state_dict(restore.read_tensors("The policy", weights, policy.state_dict()))
    except ValueError as error:
        reason = str(error).rstrip(".")
        raise ValueError(
            f"The policy {path} does not fit {name}: the environment had other spaces when it was "
            f"trained, or the file has changed ({reason})."
        ) from error
    return policy, envs.single_action_space, checkpoint


def _check_layers(path: Path, hidden: tuple[int, ...], weights: Any) -> None:
    """Raise ValueError if layers are larger than any weights, before there is memory for them."""
    tensors = weights.values() if isinstance(weights, dict) else ()
    sizes = {
        size
        for tensor in tensors
        if isinstance(tensor, torch.Tensor) and tensor.is_contiguous()
        for size in tensor.shape
    }
    if not sizes.issuperset(hidden) or len(hidden) > len(tensors):
        raise ValueError(
            f"The policy {path} is damaged: its hidden layers are {reprlib.repr(hidden)}, but its "
            "weights have other sizes."
        )
