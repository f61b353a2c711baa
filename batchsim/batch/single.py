"""SingleEnv: one environment as a `gymnasium.Env`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode

from batchsim import registry
from batchsim.batch.checks import NO_TIME_LIMIT, ChecksOfOne
from batchsim.batch.originals import converted
from batchsim.batch.spaces import member
from batchsim.batch.vector import BatchEnv
from batchsim.streams import GENERATOR

__all__ = ["SingleEnv", "make"]

Array = npt.NDArray[Any]
PYTHONS = (np.int64, np.float64, np.bool_)
"""What columns of Python's numbers and truth values are made of."""
LEFT_TO_GYMNASIUM: Any = object()
"""In place of a time limit: `gymnasium.make` adds the one that the id was registered with."""


class _OneRow(BatchEnv):
    _checks = ChecksOfOne

    def _read_limit(self, value: Any) -> tuple[int | None, frozenset[str]]:
        if value is not LEFT_TO_GYMNASIUM:
            return super()._read_limit(value)
        return super()._read_limit(None if self._limit_of_id is None else NO_TIME_LIMIT)


class SingleEnv(gymnasium.Env[Any, Any]):
    """A batch of one row with Gymnasium's single-environment contract, bit-equal to the original.

    Args:
        definition: an id, or the class or module that defines an environment.
        max_episode_steps: as for `BatchEnv`. By default the limit that an id was registered with is
            left to `gymnasium.make`, which adds its own wrapper.
        precision, backend, render_mode, frame_stack, text_mode, clip_actions, checked: as for
            `BatchEnv`.
        **params: as for `BatchEnv`.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 30}  # noqa: RUF012 - Gymnasium's own shape

    def __init__(
        self,
        definition: Any,
        *,
        max_episode_steps: int | None = LEFT_TO_GYMNASIUM,
        precision: str = "exact",
        backend: str = "native",
        render_mode: str | None = None,
        frame_stack: int = 1,
        text_mode: str = "str",
        clip_actions: bool = False,
        checked: bool | None = None,
        **params: Any,
    ) -> None:
        self.batch = _OneRow(
            definition,
            1,
            autoreset_mode=AutoresetMode.DISABLED,
            precision=precision,
            num_threads=1,
            backend=backend,
            render_mode=render_mode,
            max_episode_steps=max_episode_steps,
            frame_stack=frame_stack,
            text_mode=text_mode,
            clip_actions=clip_actions,
            checked=checked,
            **params,
        )
        self.metadata = {key: self.batch.metadata[key] for key in ("render_modes", "render_fps")}
        self.render_mode = render_mode
        self.observation_space = self.batch.single_observation_space
        self.action_space = self.batch.single_action_space

    def __getattr__(self, name: str) -> Any:
        # A parameter, a column of state or what else the original has; see `BatchEnv.get_attr`.
        batch = vars(self).get("batch")
        if batch is None or name not in batch.attribute_names():
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return batch.get_attr(name)[0]

    def __setattr__(self, name: str, value: Any) -> None:
        batch = vars(self).get("batch")
        if batch is not None and name in batch.attribute_names(written=True):
            batch.set_attr(name, [value])
        else:
            super().__setattr__(name, value)

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start a new episode; returns the observation and infos."""
        observations, infos = self.batch.reset(seed=seed, options=options)
        return member(self.observation_space, observations, 0), _one_info(infos)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step once; returns observation, reward, terminated, truncated and infos.

        They are of the types that the original returns: a whole number of a Discrete space is an
        int, a reward a float unless the definition's `REWARD_TYPE` says another type, and so on.

        Raises:
            ValueError, TypeError: if the action is not in the action space.
            gymnasium.error.ResetNeeded: before the first reset and after the end of an episode.
        """
        # A list is read as the batch reads one: as numbers of the action space's dtype.
        actions: Any = action[np.newaxis] if isinstance(action, np.ndarray) else [action]
        observations, rewards, terminated, truncated, infos = self.batch.step(actions)
        return (
            member(self.observation_space, observations, 0),
            self.batch.definition.reward_type(float(rewards[0])),
            bool(terminated[0]),
            bool(truncated[0]),
            _one_info(infos),
        )

    def render(self) -> Array | None:
        """Return an RGB frame (height, width, 3), uint8; None, with a warning, without a mode."""
        (frame,) = self.batch.render()
        return frame  # type: ignore[no-any-return]

    def close(self) -> None:
        """Release the driver; safe to call twice."""
        self.batch.close()

    @property
    def np_random_seed(self) -> int:
        """The seed of the random stream; -1 if a generator was set from outside."""
        return self.batch.np_random_seed[0]

    @property
    def np_random(self) -> Any:
        """The random generator, live: what is drawn from it, the environment's stream has drawn.

        A reset with a seed makes a new one. An assigned one is copied.
        """
        (generator,) = self.batch.np_random
        return generator

    @np_random.setter
    def np_random(self, value: Any) -> None:
        self.batch.set_np_random(0, value)

    @property
    def _np_random(self) -> Any:  # type: ignore[override]
        # Where Gymnasium's checker looks whether reset(seed=…) has seeded.
        seed = self.batch._seeds[0]
        if seed is None or self.batch.definition.random == GENERATOR:
            return None if seed is None else self.batch.np_random[0]
        # It knows Generators alone. Originals with another kind have one too, and never draw of it.
        return np.random.default_rng(None if seed < 0 else seed)


def _one_info(infos: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value[0].item() if value.ndim == 1 and value.dtype in PYTHONS else value[0]
        for name, value in infos.items()
        if not name.startswith("_")
    }


def make(id: Any, *, max_episode_steps: int | None = None, **arguments: Any) -> SingleEnv:
    """Return one environment with its own time limit; see `make_vec` for the arguments.

    Example:
        >>> import batchsim
        >>> env = batchsim.make("CartPole-v1")
        >>> observation, info = env.reset(seed=42)
        >>> observation.shape
        (4,)
        >>> env.close()
    """
    id, arguments = converted(id, arguments, SingleEnv)
    env = SingleEnv(id, max_episode_steps=max_episode_steps, **arguments)
    if max_episode_steps is not None:
        arguments["max_episode_steps"] = max_episode_steps
    env.spec = registry.spec(env.batch.definition, env.batch.max_episode_steps, arguments)
    return env
