"""RLlib: a BatchEnv sampled by an `EnvRunner` that makes episodes of arrays."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from batchsim.batch.texts import refuse_texts
from batchsim.batch.vector import BatchEnv

try:
    import tree
    from ray.rllib.callbacks.callbacks import RLlibCallback
    from ray.rllib.callbacks.utils import make_callback
    from ray.rllib.connectors.module_to_env import GetActions
    from ray.rllib.core.columns import Columns
    from ray.rllib.env.env_context import EnvContext
    from ray.rllib.env.single_agent_env_runner import SingleAgentEnvRunner
    from ray.rllib.env.single_agent_episode import SingleAgentEpisode
    from ray.rllib.utils import force_list
    from ray.rllib.utils.metrics import RLMODULE_INFERENCE_TIMER, WEIGHTS_SEQ_NO
    from ray.rllib.utils.numpy import convert_to_numpy
    from ray.rllib.utils.spaces.space_utils import clip_action, unsquash_action
    from ray.rllib.utils.torch_utils import convert_to_torch_tensor
except ModuleNotFoundError as cause:
    raise ModuleNotFoundError(
        f"batchsim.adapters.rllib needs RLlib: {cause}; install what requirements/rllib.txt names.",
        name=cause.name,
    ) from cause

__all__ = ["BatchEnvRunner"]

Array = npt.NDArray[Any]

BY_ROW = ("on_episode_created", "on_episode_start", "on_episode_step", "on_episode_end")
"""Callbacks that RLlib makes for each row while it steps."""
CONNECTORS = {
    "_env_to_module_connector": None,
    "_module_to_env_connector": None,
    "add_default_connectors_to_env_to_module_pipeline": True,
    "add_default_connectors_to_module_to_env_pipeline": True,
}
"""Settings of connectors, where RLlib keeps them, and the only values that they may have."""


@dataclass
class _Steps:
    """What was sampled, an entry a step; the first ones may be of the call before."""

    observations: list[Any] = field(default_factory=list)
    """One more than there are steps: each is what the step of the same number was taken on."""
    actions: list[Any] = field(default_factory=list)
    rewards: list[Array] = field(default_factory=list)
    terminated: list[Array] = field(default_factory=list)
    truncated: list[Array] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    """What else the module said."""
    times: list[float] = field(default_factory=list)
    """When each observation was there."""

    def keep_last(self, count: int) -> None:
        """Forget all but the last steps, and what they led to."""
        steps = len(self.actions)
        count = min(count, steps)
        self.observations = self.observations[steps - count :]
        self.times = self.times[steps - count :]
        for name in ("actions", "rewards", "terminated", "truncated", "outputs"):
            setattr(self, name, getattr(self, name)[steps - count :])


class BatchEnvRunner(SingleAgentEnvRunner):  # type: ignore[misc]
    """Samples a BatchEnv for RLlib, and makes the episodes of arrays once a call.

    RLlib's own `SingleAgentEnvRunner` appends every row of every step to lists in Python. This
    one keeps the arrays that environments and module return, and cuts episodes out of them when
    `sample` ends. They are the very episodes that RLlib's runner makes of the same BatchEnv, but
    for their ids and infos, which are left out. `config.environment` names an id of batchsim, or
    the class that defines an environment, and `env_config` has the arguments of `BatchEnv`, but
    for `autoreset_mode`.

    With several runners, row k of the one with index w has the seed `seed + w * N + k`, so that no
    two rows of all have the same.

    Raises:
        TypeError, ValueError: for bad arguments of the environment; for what would have to be done
            row by row: connectors between environment and module, callbacks of single episodes
            and modules with a state. RLlib's own runner does that, with the id
            `batchsim/<id>` and `gym_env_vectorize_mode="vector_entry_point"`.

    Example:
        >>> from ray.rllib.algorithms.ppo import PPOConfig
        >>> from batchsim.adapters.rllib import BatchEnvRunner
        >>> config = PPOConfig().environment("CartPole-v1", env_config={"num_threads": 1})
        >>> config = config.env_runners(env_runner_cls=BatchEnvRunner, num_envs_per_env_runner=64)
    """

    env: Any

    def __init__(self, *, config: Any, **kwargs: Any) -> None:
        _refuse(config)
        super().__init__(config=config, **kwargs)
        if self.module is not None and self.module.is_stateful():
            raise ValueError(
                f"The module is a {type(self.module).__name__} with a state (use_lstm, say); "
                "expected one without, or RLlib's own EnvRunner."
            )
        self._steps = _Steps()
        self._get_actions = GetActions()
        self._random = False

    def make_env(self) -> None:
        """Make the BatchEnv that the config asks for; one that there was is closed."""
        if self.env is not None:
            self.env.close()
        config = self.config
        arguments = config.env_config
        for name in ("num_envs", "autoreset_mode"):
            if name in arguments:
                raise ValueError(
                    f"env_config has {name} = {arguments[name]!r}; leave it out, since RLlib "
                    "settles it."
                )
        self.env = BatchEnv(config.env, config.num_envs_per_env_runner, **arguments)
        # RLlib's networks read numbers.
        refuse_texts(self.env.single_observation_space, f"The observation space of {self.env}")
        self.num_envs = self.env.num_envs
        self._needs_initial_reset = True
        make_callback(
            "on_environment_created",
            callbacks_objects=self._callbacks,
            callbacks_functions=config.callbacks_on_environment_created,
            kwargs={
                "env_runner": self,
                "metrics_logger": self.metrics,
                "env": self.env,
                "env_context": EnvContext(
                    arguments,
                    worker_index=self.worker_index,
                    num_workers=self.num_workers,
                    remote=config.remote_worker_envs,
                ),
            },
        )

    def _sample(
        self,
        *,
        num_timesteps: int | None = None,
        num_episodes: int | None = None,
        explore: bool,
        random_actions: bool = False,
        force_reset: bool = False,
    ) -> list[SingleAgentEpisode]:
        if force_reset or num_episodes is not None or self._needs_initial_reset:
            self._reset()
        if random_actions != self._random:
            # Of random actions a module has said nothing, and a chunk has one kind of step.
            self._steps.keep_last(0)
            self._random = random_actions
        # Until all is well: what a call leaves behind that an exception ends fits nothing.
        self._needs_initial_reset = True
        taken = ended = 0
        before = len(self._steps.actions)
        by_steps = num_timesteps is not None
        wanted = num_timesteps if by_steps else num_episodes
        while (taken if by_steps else ended) < wanted:  # type: ignore[operator]
            over = self._over
            self._step(explore, random_actions, taken)
            # A step that only resets a row does not count.
            taken += self.num_envs - int(np.count_nonzero(over))
            ended += int(np.count_nonzero(self._over))
        found = self._cut(before, num_episodes)
        self._needs_initial_reset = num_episodes is not None
        self._log_env_steps(metric=self._metrics_num_env_steps_sampled, num_steps=taken)
        self._increase_sampled_metrics(taken, sum(episode.is_done for episode in found))
        return found

    # -- stepping ------------------------------------------------------------------------------

    def _reset(self) -> None:
        """Start new episodes in all rows; those under way are forgotten."""
        seed = None
        if self._needs_initial_reset and self._seed is not None:
            seed = self._seed + (self.worker_index or 0) * (self.num_envs - 1)
        observations, _ = self.env.reset(seed=seed)
        self._steps = _Steps([observations], times=[time.perf_counter()])
        # Where each row's episode began, in steps from the first one that a call makes: 0 or less,
        # or 1 if that step resets the row.
        self._first = np.zeros(self.num_envs, np.int64)
        self._over = np.zeros(self.num_envs, np.bool_)
        self._ids: list[str | None] = [None] * self.num_envs
        self._ongoing_episodes_for_metrics.clear()

    def _step(self, explore: bool, random_actions: bool, taken: int) -> None:
        """Step all rows, and keep what came of it."""
        steps = self._steps
        if random_actions:
            outputs = {Columns.ACTIONS: self.env.action_space.sample()}
        else:
            outputs = self._ask(steps.observations[-1], explore, taken)
        actions = outputs.pop(Columns.ACTIONS)
        for_env = actions
        if not random_actions and self.config.normalize_actions:
            for_env = unsquash_action(actions, self.env.single_action_space)
        elif not random_actions and self.config.clip_actions:
            for_env = clip_action(actions, self.env.single_action_space)
        observations, rewards, terminated, truncated, _ = self.env.step(for_env)
        outputs[WEIGHTS_SEQ_NO] = np.full(self.num_envs, self._weights_seq_no)
        steps.actions.append(actions)
        steps.outputs.append(outputs)
        steps.observations.append(observations)
        steps.rewards.append(rewards)
        steps.terminated.append(terminated)
        steps.truncated.append(truncated)
        steps.times.append(time.perf_counter())
        self._over = terminated | truncated

    def _ask(self, observations: Any, explore: bool, taken: int) -> dict[str, Any]:
        """Return the actions in all rows, and what else the module says of them."""
        batch = {Columns.OBS: convert_to_torch_tensor(observations, device=self._device)}
        runners = self.config.num_env_runners or 1
        with self.metrics.log_time(RLMODULE_INFERENCE_TIMER):
            if explore:
                so_far = (self.num_env_steps_sampled_lifetime // runners + taken) * runners
                outputs = self.module.forward_exploration(batch, t=so_far)
            else:
                outputs = self.module.forward_inference(batch)
        chosen = self._get_actions(
            rl_module=self.module, batch=outputs, episodes=[None], explore=explore
        )
        found: dict[str, Any] = convert_to_numpy(chosen)
        return found

    # -- episodes ------------------------------------------------------------------------------

    def _cut(self, before: int, num_episodes: int | None) -> list[SingleAgentEpisode]:
        """Return the episodes that ended, and those under way unless whole ones are asked for.

        Args:
            before: how many of the steps are of the call before.
            num_episodes: how many that ended; None for all.
        """
        steps = self._steps
        count = len(steps.actions) - before
        if count == 0:
            return []
        terminated, truncated = np.array(steps.terminated), np.array(steps.truncated)
        over = (terminated | truncated)[before:]
        columns = _Columns(steps, before)
        found = []
        # By time, and of the same step by row, as RLlib's own runner has them.
        for last, row in np.argwhere(over)[:num_episodes].tolist():
            done = bool(terminated[before + last, row]), bool(truncated[before + last, row])
            found.append(self._episode(columns, row, last + 1, done))
            self._first[row] = last + 2  # The next step resets the row.
            self._ids[row] = None
        self._done_episodes_for_metrics.extend(found)
        if num_episodes is None:
            for row in np.flatnonzero(self._first < count).tolist():
                episode = self._episode(columns, row, count, (False, False))
                self._ids[row] = episode.id_
                self._ongoing_episodes_for_metrics[episode.id_].append(episode)
                found.append(episode)
        self._first -= count
        steps.keep_last(self.config.episode_lookback_horizon)
        return found

    def _episode(
        self, columns: _Columns, row: int, end: int, done: tuple[bool, bool]
    ) -> SingleAgentEpisode:
        """Return an episode, or the part of it that this call has made."""
        first = int(self._first[row])
        begin = max(first, 0)
        lookback = min(columns.before, begin - first)
        start, stop = columns.before + begin - lookback, columns.before + end
        env = self.env
        episode = SingleAgentEpisode(
            self._ids[row],
            observations=_part(columns.observations, row, start, stop + 1),
            observation_space=env.single_observation_space,
            infos=[{} for _ in range(stop + 1 - start)],
            actions=_part(columns.actions, row, start, stop),
            action_space=env.single_action_space,
            rewards=columns.rewards[row, start:stop],
            terminated=done[0],
            truncated=done[1],
            extra_model_outputs={
                name: _part(values, row, start, stop) for name, values in columns.outputs.items()
            },
            t_started=begin - first,
            len_lookback_buffer=lookback,
        )
        episode._start_time = columns.times[columns.before + begin]
        episode._last_step_time = columns.times[stop]
        return episode


class _Columns:
    """Steps as arrays (N, steps, …), so that a row's are beside each other."""

    def __init__(self, steps: _Steps, before: int) -> None:
        self.before = before
        self.times = steps.times
        self.observations = _stacked(steps.observations)
        self.actions = _stacked(steps.actions)
        self.rewards: Array = np.stack(steps.rewards, 1)
        self.outputs = _stacked(steps.outputs)


def _stacked(steps: list[Any]) -> Any:
    return tree.map_structure(lambda *leaves: np.stack(leaves, 1), *steps)


def _part(values: Any, row: int, start: int, stop: int) -> Any:
    """Return some steps of a row."""
    if isinstance(values, np.ndarray):
        return values[row, start:stop]
    return tree.map_structure(lambda leaf: leaf[row, start:stop], values)


def _refuse(config: Any) -> None:
    """Raise ValueError if a config asks for what is done row by row."""
    for name, expected in CONNECTORS.items():
        value = getattr(config, name)
        if value is not expected:
            raise ValueError(
                f"{name.removeprefix('_')} is {value!r}, which works on single episodes; expected "
                f"{expected}, or RLlib's own EnvRunner."
            )
    classes = force_list(config.callbacks_class)
    for name in BY_ROW:
        overridden = any(getattr(c, name) is not getattr(RLlibCallback, name) for c in classes)
        if overridden or getattr(config, f"callbacks_{name}"):
            raise ValueError(
                f"There is a callback {name}, made row by row; expected only such as "
                "on_sample_end, or RLlib's own EnvRunner."
            )
