"""TorchRL: a BatchEnv as its `EnvBase`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from batchsim.batch.checks import read_seeds
from batchsim.batch.texts import refuse_texts
from batchsim.batch.vector import BatchEnv

try:
    import torch
    from tensordict import TensorDict, TensorDictBase
    from torchrl.data import (
        Binary,
        Bounded,
        Categorical,
        Composite,
        MultiCategorical,
        MultiOneHot,
        OneHot,
        Unbounded,
    )
    from torchrl.envs import EnvBase
except ModuleNotFoundError as cause:
    raise ModuleNotFoundError(
        f"batchsim.adapters.torchrl needs TorchRL: {cause}; install the extra batchsim[torchrl].",
        name=cause.name,
    ) from cause

__all__ = ["TorchRLEnv", "make_torchrl_env"]

Array = npt.NDArray[Any]

FLAGS = ("done", "terminated", "truncated")


class TorchRLEnv(EnvBase):  # type: ignore[misc]
    """A BatchEnv as a `torchrl.envs.EnvBase` of batch size [N].

    `step` writes what the step observed into "next", the last observation of an episode included;
    `reset` starts new episodes in all rows or in those that "_reset" marks, so that
    `step_and_maybe_reset`, `rollout` and TorchRL's collectors get both observations of a row that
    is over. Rows that "_step" leaves out stay as they are. Tensors share the memory of the arrays
    that the batch returned, except one-hot encodings and rewards, which are float32, as TorchRL's
    `GymEnv` gives them. Box actions are clipped to the bounds of their space. Infos are left out.

    The observation is named "observation"; a Dict has its own keys, and the parts of a Tuple are
    "0", "1", … in "observation". Observations with a text need `text_mode="tokens"`.

    Args:
        batch: a BatchEnv with `autoreset_mode` DISABLED; it is closed with this object.
        categorical_action_encoding: whether Discrete actions and observations are whole numbers
            (N,) int64, instead of one-hot vectors (N, n) int64.
        device: of the tensors; None for the CPU's, without naming it in each TensorDict.

    Raises:
        TypeError, ValueError: for another batch, or a space that TorchRL has no counterpart for.
    """

    def __init__(
        self,
        batch: BatchEnv,
        *,
        categorical_action_encoding: bool = False,
        device: torch.device | str | None = None,
    ) -> None:
        if not isinstance(batch, BatchEnv):
            raise TypeError(f"The batch is {batch!r}; expected a BatchEnv.")
        if batch.autoreset_mode is not AutoresetMode.DISABLED:
            raise ValueError(
                f"{batch} has autoreset_mode {batch.autoreset_mode.name}; expected DISABLED, as "
                "make_torchrl_env makes it: TorchRL resets rows itself."
            )
        # Tensors hold numbers.
        refuse_texts(batch.single_observation_space, f"The observation space of {batch}")
        super().__init__(device=device, batch_size=[batch.num_envs])
        self.batch = batch
        self.categorical = bool(categorical_action_encoding)
        self._seeds: list[int | None] | None = None
        n = batch.num_envs
        observation = self._spec(batch.single_observation_space, batch.observation_space)
        if not isinstance(batch.single_observation_space, spaces.Dict):
            observation = Composite({"observation": observation}, shape=(n,))
        flag = Categorical(2, shape=(n, 1), dtype=torch.bool)
        action = self._spec(batch.single_action_space, batch.action_space)
        self.observation_spec = observation.to(self.device) if device else observation
        self.action_spec = action.to(self.device) if device else action
        self.reward_spec = Unbounded(shape=(n, 1), device=self.device)
        self.full_done_spec = Composite(
            {name: flag.clone() for name in FLAGS}, shape=(n,), device=self.device
        )
        self.is_closed = False

    # -- TorchRL's contract --------------------------------------------------------------------

    def _reset(
        self,
        tensordict: TensorDictBase | None = None,
        *,
        seed: Any = None,
        options: Mapping[str, Any] | None = None,
    ) -> TensorDictBase:
        given = dict(options or {})
        marked = None if tensordict is None else tensordict.get("_reset", None)
        mask = np.ones(self.batch.num_envs, np.bool_)
        if marked is not None:
            mask = marked.reshape(-1).cpu().numpy()
            if tensordict is not None and not mask.any():
                return tensordict.exclude("_reset")
            given["reset_mask"] = mask
        seeds = self._seeds if seed is None else seed
        observations, _ = self.batch.reset(seed=seeds, options=given)
        if self._seeds is not None:
            rest = [None if done else s for done, s in zip(mask, self._seeds, strict=True)]
            self._seeds = None if mask.all() else rest
        return self._tensors(self._observed(observations))

    def _step(self, tensordict: TensorDictBase) -> TensorDictBase:
        actions = self._decode(self.batch.single_action_space, tensordict.get("action"))
        going = tensordict.get("_step", None)
        if going is None or going.all():
            observations, rewards, terminated, truncated, _ = self.batch.step(actions)
        else:
            left_out = np.flatnonzero(~going.reshape(-1).cpu().numpy())
            observations, rewards, terminated, truncated = self._step_others(actions, left_out)
            for name, flags in (("terminated", terminated), ("truncated", truncated)):
                flags[left_out] = tensordict.get(name).reshape(-1).cpu().numpy()[left_out]
        parts = self._observed(observations)
        columns = (terminated | truncated, terminated, truncated)
        for name, flags in zip(FLAGS, columns, strict=True):
            parts[name] = torch.from_numpy(flags).unsqueeze(-1)
        parts["reward"] = torch.from_numpy(rewards.astype(np.float32, copy=False)).unsqueeze(-1)
        return self._tensors(parts)

    def _step_others(self, actions: Array, left_out: Array) -> tuple[Any, Array, Array, Array]:
        """Step all rows but some, which keep their state and get no reward."""
        state = self.batch.get_state(left_out)
        over = np.zeros(self.batch.num_envs, np.bool_)
        over[left_out] = state["pending"]
        if over.any():
            self.batch.reset(options={"reset_mask": over})
        _, rewards, terminated, truncated, _ = self.batch.step(actions)
        observations = self.batch.set_state(state, left_out)
        rewards[left_out] = 0.0
        return observations, rewards, terminated, truncated

    def _set_seed(self, seed: int | None) -> None:
        # Rows take their seeds at their next reset, with which a rollout begins.
        self._seeds = read_seeds(seed, self.batch.num_envs)

    def close(self, **kwargs: Any) -> None:
        """Close the batch."""
        self.batch.close()
        super().close(**kwargs)

    # -- between arrays and tensors ------------------------------------------------------------

    def _tensors(self, parts: dict[str, Any]) -> TensorDictBase:
        found = TensorDict(parts, batch_size=self.batch_size)
        return found if self.device is None else found.to(self.device)

    def _observed(self, observations: Any) -> dict[str, Any]:
        encoded = self._encode(self.batch.single_observation_space, observations)
        whole = isinstance(self.batch.single_observation_space, spaces.Dict)
        return encoded if whole else {"observation": encoded}

    def _spec(self, space: spaces.Space[Any], many: Any) -> Any:
        """Return TorchRL's counterpart of a space; `many` is the batch's."""
        n = self.batch.num_envs
        if isinstance(space, (spaces.Dict, spaces.Tuple)):
            parts = {str(key): self._spec(part, many[key]) for key, part in _parts(space)}
            return Composite(parts, shape=(n,))
        if isinstance(space, spaces.Discrete):
            if self.categorical:
                return Categorical(int(space.n), shape=(n,), dtype=torch.int64)
            return OneHot(int(space.n), shape=(n, int(space.n)), dtype=torch.int64)
        if isinstance(space, spaces.MultiBinary):
            return Binary(space.shape[-1], shape=(n, *space.shape), dtype=torch.int8)
        if isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1:
            sizes = space.nvec.tolist()
            if self.categorical:
                return MultiCategorical(sizes, shape=(n, len(sizes)), dtype=torch.int64)
            return MultiOneHot(sizes, shape=(n, sum(sizes)), dtype=torch.int64)
        if isinstance(space, spaces.Box):
            low, high = (
                torch.tensor(bound.reshape(n, *(space.shape or (1,))))
                for bound in (many.low, many.high)
            )
            if low.is_floating_point() and low.isinf().all() and high.isinf().all():
                return Unbounded(shape=low.shape, dtype=low.dtype)
            return Bounded(low, high, shape=low.shape, dtype=low.dtype)
        raise TypeError(
            f"TorchRL has no counterpart of {space}; expected Box, Discrete, MultiBinary, "
            "MultiDiscrete with one axis, or a Dict or Tuple of them."
        )

    def _encode(self, space: spaces.Space[Any], values: Any) -> Any:
        """Return a batch of members of a space as a tensor, or a dict of them."""
        if isinstance(space, (spaces.Dict, spaces.Tuple)):
            return {str(key): self._encode(part, values[key]) for key, part in _parts(space)}
        tensor = torch.from_numpy(values)
        if isinstance(space, (spaces.Discrete, spaces.MultiDiscrete)):
            if np.any(space.start):
                tensor = tensor - torch.as_tensor(space.start)
            tensor = tensor.long()
            if self.categorical:
                return tensor
            if isinstance(space, spaces.Discrete):
                return torch.nn.functional.one_hot(tensor, int(space.n))
            columns = zip(tensor.unbind(-1), space.nvec.tolist(), strict=True)
            return torch.cat([torch.nn.functional.one_hot(*both) for both in columns], -1)
        return tensor.unsqueeze(-1) if tensor.ndim == 1 else tensor

    def _decode(self, space: spaces.Space[Any], actions: torch.Tensor) -> Array:
        """Return actions as the batch takes them."""
        actions = actions.detach().cpu()
        if isinstance(space, spaces.Box):
            # Policies that squash their actions may miss a bound by the last bit.
            values: Array = actions.numpy().reshape(self.batch.action_space.shape)
            return np.clip(values, space.low, space.high).astype(space.dtype, copy=False)
        if isinstance(space, spaces.Discrete):
            values = (actions if self.categorical else actions.long().argmax(-1)).numpy()
            return values + space.start if space.start else values
        if isinstance(space, spaces.MultiDiscrete):
            if not self.categorical:
                parts = torch.split(actions.long(), space.nvec.tolist(), -1)
                actions = torch.stack([part.argmax(-1) for part in parts], -1)
            return actions.numpy() + space.start
        return actions.numpy()


def make_torchrl_env(
    id: Any,
    num_envs: int = 1,
    *,
    seed: int | None = None,
    categorical_action_encoding: bool = False,
    device: torch.device | str | None = None,
    **arguments: Any,
) -> TorchRLEnv:
    """Return `num_envs` environments of one kind for TorchRL.

    Args:
        id: an id of `batchsim.environments()`, or the class or module that defines an environment.
        num_envs: N, how many; the batch size is [N], for one environment too.
        seed: as `set_seed` takes it: row k has `seed + k` at its next reset.
        categorical_action_encoding: whether Discrete actions and observations are whole numbers
            (N,) int64, instead of one-hot vectors (N, n) int64.
        device: of the tensors; None for the CPU's, without naming it in each TensorDict.
        **arguments: those of `BatchEnv`, the environment's parameters included; not
            `autoreset_mode`: TorchRL resets rows itself.

    Raises:
        TypeError, ValueError: for a bad argument, in one sentence.

    Example:
        >>> from batchsim.adapters.torchrl import make_torchrl_env
        >>> env = make_torchrl_env("CartPole-v1", num_envs=4, seed=0)
        >>> rollout = env.rollout(100, break_when_any_done=False)
        >>> rollout["next", "observation"].shape
        torch.Size([4, 100, 4])
        >>> env.close()
    """
    if "autoreset_mode" in arguments:
        raise ValueError(
            f"autoreset_mode is {arguments['autoreset_mode']!r}; leave it out, since TorchRL needs "
            f"{AutoresetMode.DISABLED}."
        )
    env = TorchRLEnv(
        BatchEnv(id, num_envs, autoreset_mode=AutoresetMode.DISABLED, **arguments),
        categorical_action_encoding=categorical_action_encoding,
        device=device,
    )
    if seed is not None:
        env.set_seed(seed)
    return env


def _parts(space: Any) -> list[tuple[Any, spaces.Space[Any]]]:
    return list(space.items() if isinstance(space, spaces.Dict) else enumerate(space))
