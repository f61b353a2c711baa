"""Stable-Baselines3: a BatchEnv as its `VecEnv`."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import error, spaces
from gymnasium.vector import AutoresetMode

from batchsim import registry
from batchsim.batch.checks import read_rows
from batchsim.batch.infos import final_arrays
from batchsim.batch.spaces import Layout, member
from batchsim.batch.texts import refuse_texts
from batchsim.batch.vector import BatchEnv

try:
    from stable_baselines3.common.monitor import Monitor
    from stable_baselines3.common.vec_env import VecEnv
except ModuleNotFoundError as cause:
    raise ModuleNotFoundError(
        f"batchsim.adapters.sb3 needs Stable-Baselines3: {cause}; install the extra batchsim[sb3].",
        name=cause.name,
    ) from cause

__all__ = ["Sb3VecEnv", "make_sb3_vec_env"]

Array = npt.NDArray[Any]
Indices = int | Iterable[int] | None

SET_HERE: dict[str, Any] = {
    "autoreset_mode": AutoresetMode.SAME_STEP,
    "record_episode_statistics": True,
}
"""What a `VecEnv` is: finished rows start anew at once, and report their episodes."""

PLAIN_INFO = {"TimeLimit.truncated": False}
"""What there is to say of a row whose episode goes on."""


class Sb3VecEnv(VecEnv):
    """A BatchEnv as a `stable_baselines3.common.vec_env.VecEnv`.

    It does what SB3's `DummyVecEnv` of Gymnasium's environments in its `Monitor` does, bit for bit:
    `reset` returns observations alone, rewards are float32, a row that is over is reset within the
    step, and its info has "terminal_observation", "TimeLimit.truncated" (truncated, and not
    terminated) and "episode" ("r" and "l" of the episode, "t" the seconds since this object was
    made), beside the environment's own fields. `seed` and `set_options` take effect in the next
    `reset`. Box actions are clipped to the bounds of their space.

    Attributes of the environments (`get_attr`) are their parameters, arguments and columns of
    state; `set_attr` sets columns of state. Methods (`env_method`) are `render`, `reset`,
    `get_wrapper_attr` and `has_wrapper_attr`. Observations with a text need `text_mode="tokens"`.

    Args:
        batch: a BatchEnv as `make_sb3_vec_env` makes it; it is closed with this object.

    Raises:
        TypeError, ValueError: for anything else.
    """

    def __init__(self, batch: BatchEnv) -> None:
        if not isinstance(batch, BatchEnv):
            raise TypeError(f"The batch is {batch!r}; expected a BatchEnv.")
        settled = all(getattr(batch, name) == value for name, value in SET_HERE.items())
        if not settled or batch.definition.info_at_reset:
            raise ValueError(
                f"{batch} lacks what a VecEnv needs: autoreset_mode SAME_STEP, "
                "record_episode_statistics, and infos of one type; make it with make_sb3_vec_env."
            )
        # SB3's networks read numbers.
        refuse_texts(batch.single_observation_space, f"The observation space of {batch}")
        self.batch = batch
        self._fields = list(batch.definition.info)
        self._actions: Array | None = None
        self._start = time.time()
        super().__init__(batch.num_envs, _observation_space(batch), batch.single_action_space)
        self.metadata = dict(batch.metadata)

    # -- reset and step ------------------------------------------------------------------------

    def reset(self) -> Any:
        """Start new episodes in all rows; returns their observations (N, …)."""
        self._actions = None
        seeds = None if all(seed is None for seed in self._seeds) else self._seeds
        observations, infos = self.batch.reset(seed=seeds, options=self._merged_options())
        # Both are used only once.
        self._reset_seeds()
        self._reset_options()
        self.reset_infos = self._infos(infos, {})
        return observations

    def step_async(self, actions: Array) -> None:
        """Take the actions (N, …) of the step that `step_wait` makes."""
        # SB3 waits at once: a hand-over to another thread would cost more than it brings.
        if self._actions is not None:
            raise error.AlreadyPendingCallError(
                "step_async() was called twice; call step_wait() first.", "step_async"
            )
        self._actions = actions

    def step_wait(self) -> tuple[Any, Array, Array, list[dict[str, Any]]]:
        """Step every row with the actions of `step_async`.

        Returns:
            Observations (N, …), rewards (N,) float32, dones (N,) bool, and a dict for each row.

        Raises:
            ValueError, TypeError: for bad actions; no row has then been stepped.
            gymnasium.error.NoAsyncCallError: if `step_async` was not called.
        """
        if self._actions is None:
            raise error.NoAsyncCallError(
                "step_wait() was called without step_async().", "step_wait"
            )
        actions, self._actions = self._actions, None
        observations, rewards, dones, truncated, found = self.batch.step(self._clipped(actions))
        # SB3 reads every row's dict in every step and may write to it: each row has one of its own.
        infos = self._infos(found, PLAIN_INFO)
        if "_final_obs" in found:
            # Without, no episode is over, and `dones` holds the terminations: all of them False.
            terminated, dones = dones, found["_final_obs"]
            self._finish(infos, found, truncated & ~terminated)
        return observations, rewards.astype(np.float32, copy=False), dones, infos

    def _clipped(self, actions: Any) -> Any:
        space = self.action_space
        if not isinstance(space, spaces.Box):
            return actions
        # Policies that squash their actions may miss a bound by the last bit.
        return np.clip(actions, space.low, space.high).astype(space.dtype, copy=False)

    def _infos(
        self, found: dict[str, Any], plain: dict[str, Any], rows: Array | slice = slice(None)
    ) -> list[dict[str, Any]]:
        """Return a dict for each row: the entries of `plain` and the environment's own fields."""
        count = self.num_envs if isinstance(rows, slice) else len(rows)
        if not self._fields:
            return list(map(dict.copy, repeat(plain, count)))
        names = (*self._fields, *plain)
        columns: list[Iterable[Any]] = [_values(found[name][rows]) for name in self._fields]
        columns += [repeat(value, count) for value in plain.values()]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def _finish(self, infos: list[dict[str, Any]], found: dict[str, Any], cut_short: Array) -> None:
        """Replace the infos of the rows that are over by those of their last step."""
        rows = np.flatnonzero(found["_final_obs"])
        episode = found["episode"]
        seconds = round(time.time() - self._start, 6)
        columns = (
            rows.tolist(),
            self._infos(found, {}, rows),
            self._infos(found["final_info"], PLAIN_INFO, rows),
            cut_short[rows].tolist(),
            _observations(self.batch._layout, final_arrays(found), rows),
            episode["r"][rows].tolist(),
            episode["l"][rows].tolist(),
        )
        for row, at_reset, info, cut, last, total, length in zip(*columns, strict=True):
            info["TimeLimit.truncated"] = cut
            info["terminal_observation"] = last
            info["episode"] = {"r": round(total, 6), "l": length, "t": seconds}
            infos[row] = info
            self.reset_infos[row] = at_reset

    # -- seeds and options ---------------------------------------------------------------------

    def set_options(self, options: list[dict[str, Any]] | dict[str, Any] | None = None) -> None:
        """Set the options of the next `reset`: a dict for all rows, or a list of one for each."""
        if isinstance(options, (list, tuple)) and len(options) != self.num_envs:
            raise ValueError(
                f"The list of options has length {len(options)}; expected {self.num_envs}, one for "
                "each row."
            )
        super().set_options(options)

    def _merged_options(self) -> dict[str, Any] | None:
        """Return the rows' options as arrays; a row without an option has its default."""
        names = dict.fromkeys(name for options in self._options for name in options)
        defaults = self.batch.definition.options
        first = self._options[0]
        if all(options == first for options in self._options):
            return first or None
        # What is unknown is refused by the batch.
        return {
            name: np.array([options.get(name, defaults.get(name)) for options in self._options])
            for name in names
        }

    # -- the rows as environments --------------------------------------------------------------

    def has_attr(self, attr_name: str) -> bool:
        """Return whether `get_attr` knows this attribute."""
        return attr_name in self.batch.attribute_names()

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """Return an attribute of each row asked for; see `BatchEnv.get_attr`.

        Raises:
            AttributeError: if there is no such attribute.
        """
        if attr_name in ("action_space", "observation_space"):
            values: Any = [getattr(self, attr_name)] * self.num_envs
        else:
            values = self.batch.get_attr(attr_name)
        return [values[row] for row in self._rows(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Set an attribute of each row asked for, and make it take effect.

        Raises:
            AttributeError: if there is no such attribute, or it cannot be written.
            TypeError, ValueError: for a value that does not fit.
        """
        chosen = self._rows(indices)
        if len(set(chosen)) == self.num_envs:
            values: Any = [value] * self.num_envs
        else:
            values = list(self.batch.get_attr(attr_name))
            for row in chosen:
                values[row] = value
        self.batch.set_attr(attr_name, values)

    def env_method(
        self, method_name: str, *method_args: Any, indices: Indices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method of each row asked for: render, reset, get_wrapper_attr, has_wrapper_attr,
        set_wrapper_attr or what the original has besides, such as Taxi's `decode`.

        Raises:
            AttributeError: for any other method.
        """
        rows = self._rows(indices)
        methods: dict[str, Callable[..., list[Any]]] = {
            "render": self._render_rows,
            "reset": self._reset_rows,
            "get_wrapper_attr": lambda rows, name: self.get_attr(name, rows),
            "has_wrapper_attr": lambda rows, name: [self.has_attr(name) for _ in rows],
            "set_wrapper_attr": self._set_of_rows,
        }
        if method_name not in methods:
            found: list[Any] = []
            if self.has_attr(method_name):
                found = self.get_attr(method_name, rows)
            if not found or not all(map(callable, found)):
                raise AttributeError(
                    f"The environments have no method {method_name!r}; there are "
                    f"{', '.join(methods)}."
                )
            return [method(*method_args, **method_kwargs) for method in found]
        return methods[method_name](rows, *method_args, **method_kwargs)

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Indices = None) -> list[bool]:
        """Return, for each row asked for, whether it does what a wrapper does: Monitor alone."""
        return [issubclass(Monitor, wrapper_class) for _ in self._rows(indices)]

    def _set_of_rows(self, rows: list[int], name: str, value: Any) -> list[None]:
        self.set_attr(name, value, rows)
        return [None] * len(rows)

    def _rows(self, indices: Indices) -> list[int]:
        if indices is None:
            return list(range(self.num_envs))
        rows = [indices] if isinstance(indices, (int, np.integer)) else indices
        return read_rows(rows, self.num_envs)

    def _reset_rows(
        self, rows: list[int], seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> list[tuple[Any, dict[str, Any]]]:
        mask = np.zeros(self.num_envs, np.bool_)
        mask[rows] = True
        observations, found = self.batch.reset(
            seed=[seed] * self.num_envs, options={**(options or {}), "reset_mask": mask}
        )
        infos = self._infos(found, {}, np.array(rows))
        return list(zip(_observations(self.batch._layout, observations, rows), infos, strict=True))

    # -- drawing -------------------------------------------------------------------------------

    def get_images(self) -> Sequence[Array | None]:
        """Return a frame (height, width, 3), uint8, of each row; None without a render mode."""
        if self.render_mode != "rgb_array":
            warnings.warn(
                f"The render mode is {self.render_mode}; frames need render_mode='rgb_array'.",
                stacklevel=2,
            )
            return [None] * self.num_envs
        return self._render_rows(list(range(self.num_envs)))

    def _render_rows(self, rows: list[int]) -> list[Any]:
        return list(self.batch.render(env_ids=rows) or ())

    def close(self) -> None:
        """Close the batch."""
        self.batch.close()


def make_sb3_vec_env(
    id: Any, num_envs: int = 1, *, seed: int | None = None, **arguments: Any
) -> Sb3VecEnv:
    """Return `num_envs` environments of one kind for Stable-Baselines3.

    Args:
        id: an id of `batchsim.environments()`, or the class or module that defines an environment.
        num_envs: N, how many.
        seed: of the first `reset`: row k has `seed + k`, as SB3's own environments have.
        **arguments: those of `BatchEnv`, the environment's parameters included; not
            `autoreset_mode` and `record_episode_statistics`, which a VecEnv settles.

    Raises:
        TypeError, ValueError: for a bad argument, in one sentence.

    Example:
        >>> from stable_baselines3 import PPO
        >>> from batchsim.adapters.sb3 import make_sb3_vec_env
        >>> envs = make_sb3_vec_env("CartPole-v1", num_envs=4, seed=0)
        >>> model = PPO("MlpPolicy", envs, n_steps=32, device="cpu").learn(128)
        >>> model.num_timesteps
        128
    """
    for name in SET_HERE:
        if name in arguments:
            raise ValueError(
                f"{name} is {arguments[name]!r}; leave it out, since Stable-Baselines3 needs "
                f"{SET_HERE[name]}."
            )
    definition = copy(registry.read(id)[0])
    # In Gymnasium's batches all rows take the type of the first; here each row has its own dict.
    definition.info_at_reset = {}
    envs = Sb3VecEnv(BatchEnv(definition, num_envs, **SET_HERE, **arguments))
    if seed is not None:
        envs.action_space.seed(seed)
        envs.seed(seed)
    return envs


def _observation_space(batch: BatchEnv) -> spaces.Space[Any]:
    """Return the space of one environment, of any of them where their bounds differ."""
    space, all_rows = batch.single_observation_space, batch.observation_space
    if isinstance(space, spaces.Box) and isinstance(all_rows, spaces.Box):
        return spaces.Box(all_rows.low.min(axis=0), all_rows.high.max(axis=0), dtype=space.dtype)
    return space


def _values(column: Array) -> list[Any]:
    """Return the rows of a column: numbers, or arrays."""
    return column.tolist() if column.ndim == 1 else list(column)


def _observations(layout: Layout, batch: Any, rows: Array | list[int]) -> list[Any]:
    """Return the observations of some rows as environments return them.

    They are copied: they do not keep the others' in memory.
    """
    leaves = [leaf[rows] for leaf in layout.split(batch, "observations")]
    chosen = layout.outer(leaves)
    return [member(layout.space, chosen, row) for row in range(len(leaves[0]))]
