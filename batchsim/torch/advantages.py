"""Generalised advantage estimation (Schulman and others, 2016) over a rollout."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from batchsim.torch._rollout import estimate_advantages

__all__ = ["Advantages", "generalised_advantages"]

Array = npt.NDArray[Any]


class Advantages(NamedTuple):
    """What a rollout's rewards say of its actions, each (T, N)."""

    advantages: torch.Tensor
    """Float32; 0 where not valid."""
    returns: torch.Tensor
    """Advantages plus values: what the values should have been (float32)."""
    valid: torch.Tensor
    """Where a step was one of an episode (bool). Not so with NEXT_STEP where it reset the row."""


def generalised_advantages(
    rewards: torch.Tensor,
    values: torch.Tensor,
    terminated: torch.Tensor,
    truncated: torch.Tensor,
    *,
    restarting: torch.Tensor | None = None,
    final_values: torch.Tensor | None = None,
    gamma: float = 0.99,
    gae_lambda: float = 0.95,
    out: Advantages | None = None,
) -> Advantages:
    """Return the advantages of a rollout, computed in float64 by native code on the CPU.

    An episode that terminated is worth nothing more; one that was truncated is worth the value of
    its last observation. Where both are true it has terminated.

    Args:
        rewards: (T, N), float32 or float64.
        values: (T + 1, N), float32: of what each step saw, and of what the last one led to.
        terminated: (T, N), bool.
        truncated: (T, N), bool.
        restarting: (N,), bool, with NEXT_STEP autoreset: the rows that the first step resets, since
            their episodes ended before it.
        final_values: (T, N), float32, with SAME_STEP autoreset: where an episode was truncated, the
            value of its last observation, which `infos["final_obs"]` holds. Others are not read.
        gamma: the discount.
        gae_lambda: between 0 (one step) and 1 (whole episodes).
        out: where to write, instead of new tensors.

    Raises:
        ValueError: unless exactly one of `restarting` and `final_values` is given, or for shapes,
            dtypes or devices other than these.
        TypeError: for what is no tensor.

    Example:
        >>> none = torch.zeros(2, 1, dtype=torch.bool)
        >>> found = generalised_advantages(
        ...     torch.ones(2, 1), torch.zeros(3, 1), none, none, restarting=none[0], gamma=0.5,
        ...     gae_lambda=1.0,
        ... )
        >>> found.advantages.flatten().tolist()
        [1.5, 1.0]
    """
    if (restarting is None) == (final_values is None):
        raise ValueError(
            "Expected restarting, with NEXT_STEP autoreset, or final_values, with SAME_STEP, and "
            "not both."
        )
    for name, factor in (("gamma", gamma), ("gae_lambda", gae_lambda)):
        if not 0.0 <= factor <= 1.0:
            raise ValueError(f"{name} is {factor}; expected a number from 0 to 1.")
    shape = tuple(np.shape(rewards))
    if len(shape) != 2:
        raise ValueError(f"The rewards have shape {shape}; expected (T, N).")
    steps, rows = shape
    flag, number = (torch.bool,), (torch.float32,)
    if out is None:
        out = Advantages(
            torch.empty(steps, rows),
            torch.empty(steps, rows),
            torch.empty(steps, rows, dtype=torch.bool),
        )
    arrays = [
        _array(tensor, f"The {name}", shape, dtypes)
        for name, tensor, shape, dtypes in (
            ("rewards", rewards, (steps, rows), (torch.float32, torch.float64)),
            ("values", values, (steps + 1, rows), number),
            ("terminated flags", terminated, (steps, rows), flag),
            ("truncated flags", truncated, (steps, rows), flag),
            ("restarting flags", restarting, (rows,), flag),
            ("final values", final_values, (steps, rows), number),
            ("advantages in out", out.advantages, (steps, rows), number),
            ("returns in out", out.returns, (steps, rows), number),
            ("valid flags in out", out.valid, (steps, rows), flag),
        )
    ]
    estimate_advantages(*arrays[:6], gamma, gae_lambda, *arrays[6:], np.empty(rows))
    return out


def _array(
    tensor: Any,
    name: str,
    shape: tuple[int, ...],
    dtypes: tuple[torch.dtype, ...],
) -> Array | None:
    """Return the tensor's memory as an array, flags as bytes."""
    if tensor is None:
        return None
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"{name} are {type(tensor).__name__}; expected a tensor.")
    if tensor.shape != shape or tensor.dtype not in dtypes or tensor.device.type != "cpu":
        wanted = " or ".join(map(str, dtypes))
        raise ValueError(
            f"{name} have shape {tuple(tensor.shape)} and {tensor.dtype} on {tensor.device}; "
            f"expected {shape} and {wanted} on the CPU."
        )
    if not tensor.is_contiguous():
        raise ValueError(f"{name} are not contiguous; expected a tensor in the order of its rows.")
    array: Array = tensor.detach().numpy()
    return array.view(np.uint8) if tensor.dtype == torch.bool else array
