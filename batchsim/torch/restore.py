"""What training goes on from, looked at before PyTorch or compiled code sees it.

Compiled code takes sizes from one array and reads others as if they had them: an optimizer's state
of another shape than its parameter's is written beyond its end. So what comes from a file has the
types, shapes, dtypes and strides of what it replaces, or is refused in a sentence.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from batchsim.batch._snapshots import first_no_flag

if TYPE_CHECKING:
    from batchsim.torch.ppo import PPO

__all__ = ["State", "read_dict", "read_number", "read_tensors", "read_training"]

Array = npt.NDArray[Any]

ENTRIES = (
    "policy",
    "optimizer",
    "seed",
    "generators",
    "environments",
    "restarting",
    "iteration",
    "episodes",
    "recent",
    "totals",
    "lengths",
    "seconds",
)
"""Of a state of training."""

MOMENTS = ("exp_avg", "exp_avg_sq")
"""What Adam keeps of a parameter, beside its count of steps."""


@dataclass(frozen=True)
class State:
    """A `PPO.state_dict()` that a PPO can go on from."""

    policy: dict[str, torch.Tensor]
    optimizer: dict[str, Any]
    seed: int | None
    generators: list[torch.Tensor]
    snapshot: dict[str, Array] | None
    """Of the environments, which look at its rows themselves; None if they are to be reset."""
    restarting: Array
    iteration: int
    episodes: int
    recent: list[tuple[float, int]]
    totals: Array
    lengths: Array
    seconds: list[float]


def read_training(value: Any, ppo: PPO) -> State:
    """Return the parts of a state that this PPO can go on from.

    Raises:
        ValueError: if it is no such state.
    """
    given = read_dict("The state of training", value, ENTRIES)
    rows, h = (ppo.hyperparameters.num_envs,), ppo.hyperparameters
    generators = _read_list("The generators", given["generators"], 2)
    for generator, own in zip(generators, (ppo.generator, ppo.collector.generator), strict=True):
        _require_generator("A generator", generator, own)
    snapshot, restarting = given["environments"], np.zeros(rows, np.bool_)
    if (snapshot is None) != (given["restarting"] is None):
        raise ValueError("The state has only one of environments and restarting; expected both.")
    if snapshot is not None:
        snapshot = _read_snapshot("The environments", snapshot, h.num_envs)
        restarting = read_array("restarting", given["restarting"], rows, torch.bool)
    lengths = read_array("lengths", given["lengths"], rows, torch.int64)
    if (lengths < 0).any():
        raise ValueError(f"lengths holds {lengths.min()}; expected counts of steps.")
    seed = given["seed"]
    return State(
        read_tensors("The policy", given["policy"], ppo.policy.state_dict()),
        _read_optimizer(given["optimizer"], ppo.optimizer),
        None if seed is None else read_number("The seed", seed, int),
        generators,
        snapshot,
        restarting,
        read_number("The iteration", given["iteration"], int, h.iterations),
        read_number("The number of episodes", given["episodes"], int),
        [_read_episode(pair) for pair in _read_list("recent", given["recent"])],
        read_array("totals", given["totals"], rows, torch.float64),
        lengths,
        [
            read_number("Of the seconds, one", k, float)
            for k in _read_list("seconds", given["seconds"], 4)
        ],
    )


def _read_list(what: str, value: Any, length: int | None = None) -> list[Any]:
    if not isinstance(value, list) or (length is not None and len(value) != length):
        many = "" if length is None else f" of {length}"
        raise ValueError(f"{what} is {_short(value)}; expected a list{many}.")
    return value


def _read_episode(pair: Any) -> tuple[float, int]:
    if not isinstance(pair, tuple) or [type(member) for member in pair] != [float, int]:
        raise ValueError(f"recent holds {_short(pair)}; expected pairs of a return and a length.")
    return pair


def read_dict(what: str, value: Any, keys: Sequence[Any]) -> dict[Any, Any]:
    """Return a dict with exactly these keys."""
    if not isinstance(value, dict):
        raise ValueError(f"{what} is {_short(value)}; expected a dict.")
    for key in (*keys, *value):
        if key not in value or key not in keys:
            where = "no" if key not in value else "an unexpected"
            raise ValueError(f"{what} has {where} entry {_short(key)}.")
    return value


def read_number(what: str, value: Any, kind: type, most: float = math.inf) -> Any:
    """Return a number of Python's, whole if it is to be an int, not negative and at most `most`."""
    kinds = (int,) if kind is int else (int, float)
    if type(value) not in kinds or not 0 <= value <= most or value == math.inf:
        bound = "" if math.isinf(most) else f" and at most {most}"
        named = "a whole number" if kind is int else "a number"
        raise ValueError(f"{what} is {_short(value)}; expected {named}, not negative{bound}.")
    return value


def read_tensor(
    what: str, value: Any, shape: Sequence[int], dtype: torch.dtype, stride: Any = None
) -> torch.Tensor:
    """Return a dense tensor of this shape and dtype and, if given, these strides."""
    if not isinstance(value, torch.Tensor):
        raise ValueError(f"{what} is {_short(value)}; expected a tensor.")
    if (
        value.layout is not torch.strided
        or value.is_quantized
        or value.is_meta
        or value.is_neg()
        or value.is_conj()
        or value.requires_grad
    ):
        raise ValueError(f"{what} is no plain tensor of numbers; expected a dense one with values.")
    if tuple(value.shape) != tuple(shape) or value.dtype != dtype:
        raise ValueError(
            f"{what} has shape {tuple(value.shape)} and dtype {value.dtype}; expected "
            f"{tuple(shape)} and {dtype}."
        )
    if stride is not None and value.stride() != stride:
        raise ValueError(f"{what} has strides {value.stride()}; expected {stride}.")
    return value


def read_array(what: str, value: Any, shape: tuple[int, ...], dtype: torch.dtype) -> Array:
    """Return a copy of a tensor as an array."""
    array = read_tensor(what, value, shape, dtype).numpy(force=True).copy()
    if dtype == torch.bool and first_no_flag(array) >= 0:
        raise ValueError(f"{what} has bytes other than 0 and 1; expected False and True.")
    return array


def read_tensors(what: str, value: Any, own: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return tensors by name, of the names, shapes and dtypes of `own`."""
    given = read_dict(what, value, list(own))
    for name, tensor in own.items():
        read_tensor(f"{what}'s {name}", given[name], tensor.shape, tensor.dtype)
    return given


def _read_optimizer(value: Any, optimizer: torch.optim.Adam) -> dict[str, Any]:
    """Return the state of an optimizer like this one, of one group of parameters."""
    given = read_dict("The optimizer", value, ["state", "param_groups"])
    own = optimizer.state_dict()["param_groups"]
    groups = given["param_groups"]
    if not isinstance(groups, list) or len(groups) != len(own):
        raise ValueError(f"The optimizer has {_short(groups)}; expected {len(own)} param_groups.")
    for group, mine in zip(groups, own, strict=True):
        if not isinstance(group, dict) or "lr" not in group or "params" not in group:
            raise ValueError(f"The optimizer has {_short(group)}; expected a group with its lr.")
        read_number("The optimizer's lr", group["lr"], float)
        for key in group:
            # What is to be equal is compared as text: tensors compare element by element.
            if key not in mine or (key != "lr" and repr(group[key]) != repr(mine[key])):
                raise ValueError(
                    f"The optimizer's {_short(key)} is {_short(group[key])}; expected "
                    f"{_short(mine.get(key, 'no such entry'))}."
                )
    parameters = [tensor for group in optimizer.param_groups for tensor in group["params"]]
    state = given["state"]
    if state != {}:
        read_dict("The optimizer's state", state, range(len(parameters)))
        for k, parameter in enumerate(parameters):
            _check_moments(f"parameter {k}", state[k], parameter)
    return {
        "state": state,
        "param_groups": [
            {**mine, "lr": group["lr"]} for group, mine in zip(groups, own, strict=True)
        ],
    }


def _check_moments(where: str, value: Any, parameter: torch.Tensor) -> None:
    entry = read_dict(f"The optimizer's state of {where}", value, ["step", *MOMENTS])
    step = read_tensor(f"The optimizer's step of {where}", entry["step"], (), torch.float32)
    steps = float(step)
    if not steps >= 1.0 or not steps.is_integer():
        raise ValueError(
            f"The optimizer's step of {where} is {steps}; expected a positive whole number."
        )
    for name in MOMENTS:
        read_tensor(
            f"The optimizer's {name} of {where}",
            entry[name],
            parameter.shape,
            parameter.dtype,
            parameter.stride(),
        )


def _require_generator(what: str, value: Any, own: torch.Generator) -> None:
    """Raise ValueError unless a state can be set in a generator like this one."""
    like = own.get_state()
    read_tensor(what, value, like.shape, like.dtype, like.stride())
    try:
        torch.Generator(own.device).set_state(value)
    except RuntimeError as error:
        raise ValueError(f"{what} is no state of a generator of PyTorch's.") from error


def _read_snapshot(what: str, value: Any, rows: int) -> dict[str, Array]:
    """Return the arrays of a snapshot, which `BatchEnv.set_state` looks at.

    Args:
        what: its name, for messages.
        value: a dict of tensors, and of lists in place of arrays of objects.
        rows: how many each has.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{what} is {_short(value)}; expected a dict of tensors.")
    found = {}
    for name, column in value.items():
        if isinstance(column, list):
            found[name] = np.array(column, object)
            continue
        form = getattr(column, "shape", ()), getattr(column, "dtype", torch.float32)
        tensor = read_tensor(f"{what}' {_short(name)}", column, *form)
        try:
            found[name] = tensor.numpy(force=True)
        except TypeError as error:
            raise ValueError(
                f"{what}' {_short(name)} has dtype {tensor.dtype}; expected one that NumPy has."
            ) from error
    for name, array in found.items():
        if array.shape[:1] != (rows,):
            raise ValueError(
                f"{what}' {_short(name)} has shape {array.shape}; expected one of {rows} rows."
            )
    return found


def _short(value: Any) -> str:
    """Return a value as text of one line."""
    return " ".join(reprlib.repr(value).split())
