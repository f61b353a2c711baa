"""Checkpoints of training: one file, whole at any moment, whatever happens to the process."""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import batchsim
from batchsim import registry
from batchsim.torch.policy import ActorCritic
from batchsim.torch.ppo import Hyperparameters
from batchsim.vector import make_vec

__all__ = ["FILE", "Checkpoint", "load", "load_policy", "save"]

FILE = "checkpoint.pt"
"""The name of the file in the directory that holds a checkpoint."""

FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """Training, as far as it has come."""

    name: str
    """The environment's id, or the name of its definition."""
    hyperparameters: Hyperparameters
    seed: int
    precision: str
    device: str
    threads: int
    """Of PyTorch: with others the last bits may differ."""
    seconds: float
    """That training has taken so far."""
    training: dict[str, Any]
    """`PPO.state_dict()`."""


def save(checkpoint: Checkpoint, directory: Path) -> Path:
    """Write a checkpoint into a directory, in the place of the one before; return its path.

    The file is replaced in one act, once the new one is on the disk.
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
    try:
        with partial.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


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
        content = torch.load(file, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise ValueError(f"{file} cannot be read as a checkpoint of batchsim.") from error
    if not isinstance(content, dict) or "format" not in content or "training" not in content:
        raise ValueError(f"{file} is no checkpoint of batchsim.")
    if content["format"] != FORMAT:
        raise ValueError(
            f"{file} has format {content['format']!r}, of batchsim {content['batchsim']}; "
            f"expected {FORMAT}."
        )
    hyperparameters = Hyperparameters(**content["hyperparameters"])
    fields = {name: content[name] for name in Checkpoint.__dataclass_fields__}
    return Checkpoint(**{**fields, "hyperparameters": hyperparameters})


def load_policy(path: Path, env: str) -> ActorCritic:
    """Return the policy of a checkpoint that was trained on an environment.

    Args:
        path: the file, or its directory.
        env: the environment, as the command line names it.

    Raises:
        ValueError: if there is none, or it was trained on another environment.
    """
    checkpoint = load(path)
    target = registry.resolve(env)
    name = registry.read(target)[0].name
    if checkpoint.name != name:
        raise ValueError(f"The policy {path} was trained on {checkpoint.name}; expected {name}.")
    envs = make_vec(target, 1, backend="reference")
    policy = ActorCritic(
        envs.single_observation_space,
        envs.single_action_space,
        hidden=checkpoint.hyperparameters.hidden,
        normalize=checkpoint.hyperparameters.normalize,
    )
    envs.close()
    policy.load_state_dict(checkpoint.training["policy"])
    return policy
