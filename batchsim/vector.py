"""BatchEnv: N environments of one kind as a `gymnasium.vector.VectorEnv`."""

from __future__ import annotations

import os
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import error
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_differing_spaces, batch_space

from batchsim import checks, compile, kernels, random, registry
from batchsim._buffers import BufferPool, aligned_zeros
from batchsim._driver import Driver
from batchsim.definition import Definition, batch_parameter

__all__ = ["BatchEnv", "Step", "available_cpus", "make_vec"]

Array = npt.NDArray[Any]
Step = tuple[Array, Array, Array, Array, dict[str, Any]]
"""Observations, rewards, terminated, truncated and infos of one step."""

PRECISIONS = ("exact", "fast")
BACKENDS = ("native", "reference")


class BatchEnv(VectorEnv[Array, Array, Array]):
    """N environments stepped together by one compiled kernel.

    It keeps Gymnasium's `VectorEnv` contract; in `exact` precision it returns the bits that
    `gymnasium.make_vec(id, num_envs, vectorization_mode="sync")` returns for the same seeds and
    actions.

    Args:
        definition: an id, or a `Definition`.
        num_envs: N, the number of environments, at least 1.
        autoreset_mode: when a finished episode is followed by a new one
            (`gymnasium.vector.AutoresetMode` or its value: "NextStep", "SameStep", "Disabled").
        precision: "exact" (float64 inside, the C library's functions; rewards float64) or "fast"
            (float32, polynomials, vector instructions; rewards float32; one step from the same
            state stays within 1e-5 of exact).
        num_threads: how many threads may work on a step, the caller's included; by default the CPUs
            that this process may use. Small batches run on the caller's thread alone.
        backend: "native" (machine code) or "reference" (the same functions as plain Python, for
            debuggers).
        render_mode: None or "rgb_array".
        max_episode_steps: truncate episodes after so many steps; None for the id's own limit, -1
            for none.
        record_episode_statistics: report finished episodes in `infos["episode"]`, as
            `gymnasium.wrappers.vector.RecordEpisodeStatistics` does: "r" the return, "l" the
            length, "t" the duration in seconds, arrays (N,) that are zero outside the mask
            `infos["_episode"]`.
        **params: the environment's parameters, each a scalar or an array (N,) with one value an
            environment.

    Raises:
        TypeError, ValueError: for an unknown id or parameter or a value out of place, in one
            sentence.
    """

    def __init__(
        self,
        definition: str | Definition,
        num_envs: int = 1,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        precision: str = "exact",
        num_threads: int | None = None,
        backend: str = "native",
        render_mode: str | None = None,
        max_episode_steps: int | None = None,
        record_episode_statistics: bool = False,
        **params: Any,
    ) -> None:
        # Before anything can fail: close() runs on a half-made object too.
        self.closed = True
        default_limit = None
        if not isinstance(definition, Definition):
            default_limit = registry.find(definition)[1].max_episode_steps
            definition = registry.load(definition)
        self.definition = definition
        self.num_envs = checks.whole_number("num_envs", num_envs, at_least=1)
        self.precision = checks.one_of("precision", precision, PRECISIONS)
        self.backend = checks.one_of("backend", backend, BACKENDS)
        self.autoreset_mode = checks.read_autoreset_mode(autoreset_mode)
        self.render_mode = checks.one_of("render_mode", render_mode, (None, *self._render_modes()))
        if num_threads is None:
            num_threads = available_cpus()
        self.num_threads = checks.whole_number("num_threads", num_threads, at_least=1)
        self.max_episode_steps = checks.read_time_limit(max_episode_steps, default_limit)
        self.record_episode_statistics = bool(record_episode_statistics)
        self.params = definition.read_params(params, self.num_envs)
        self.metadata = {
            "autoreset_mode": self.autoreset_mode,
            "render_modes": self._render_modes(),
            "render_fps": getattr(definition.namespace, "RENDER_FPS", 30),
        }
        self._set_spaces()
        self._build()
        self._seeds = np.full(self.num_envs, None, dtype=object)
        self._renderers: dict[int, Callable[..., Array]] = {}
        self.closed = False

    # -- construction --------------------------------------------------------------------------

    def _render_modes(self) -> list[str]:
        return ["rgb_array"] if hasattr(self.definition.namespace, "renderer") else []

    def row_params(self, row: int) -> dict[str, Any]:
        """Return the parameters of one environment as scalars."""
        return {name: batch_parameter(value, row) for name, value in self.params.items()}

    def _set_spaces(self) -> None:
        spaces = self.definition.spaces(self.row_params(0))
        self.single_observation_space, self.single_action_space = spaces
        if any(isinstance(value, np.ndarray) for value in self.params.values()):
            rows = [self.definition.spaces(self.row_params(k)) for k in range(self.num_envs)]
            for row, (_, action_space) in enumerate(rows):
                if action_space != self.single_action_space:
                    raise ValueError(
                        f"The parameters give row {row} the action space {action_space} and row 0 "
                        f"{self.single_action_space}; expected the same for all rows."
                    )
            self.observation_space = batch_differing_spaces([space for space, _ in rows])
        else:
            self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        if not isinstance(self.single_observation_space, Box):
            raise TypeError(
                f"{self.definition.name} observes {self.single_observation_space}; expected a Box."
            )

    def _build(self) -> None:
        n = self.num_envs
        definition = self.definition
        number = np.float32 if self.precision == "fast" else np.float64
        observation = (n, *self.single_observation_space.shape)  # type: ignore[misc]
        action_shape, bounds = checks.read_action_space(self.single_action_space)
        limit = self.max_episode_steps
        elapsed = next(
            dtype
            for dtype in (np.int16, np.int32, np.int64)
            if dtype is np.int64 or (limit is not None and limit <= np.iinfo(dtype).max)
        )
        same_step = self.autoreset_mode is AutoresetMode.SAME_STEP
        pools = {
            "observation": BufferPool(observation, self.single_observation_space.dtype),
            "reward": BufferPool((n,), number),
            "flag": BufferPool((n,), np.bool_),
        }
        episode: Any = ()
        if self.record_episode_statistics:
            pools["total"] = BufferPool((n,), np.float64)
            pools["count"] = BufferPool((n,), np.int64)
            columns = {name: aligned_zeros((n,), np.float64) for name in kernels.Episode._fields}
            episode = kernels.Episode(**{**columns, "lengths": aligned_zeros((n,), np.int64)})
        action = aligned_zeros((n, *action_shape), self.single_action_space.dtype)
        # An environment that writes into the caller's actions does not compile.
        action.flags.writeable = False
        self._tile = kernels.Tile(
            state=definition.State(
                *(
                    aligned_zeros((n, *column.shape), column.with_precision(self.precision).dtype)
                    for column in definition.columns.values()
                )
            ),
            parameters=_columns(
                {
                    name: value.astype(number) if value.dtype == np.float64 else value
                    for name, value in self.params.items()
                    if isinstance(value, np.ndarray)
                }
            ),
            options=_columns(
                {name: np.full(n, value) for name, value in definition.options.items()}
            ),
            rng=random.allocate(n),
            elapsed=aligned_zeros((n,), elapsed),
            pending=aligned_zeros((n,), np.bool_),
            finished=aligned_zeros((n,), np.int32),
            selected=aligned_zeros((n,), np.bool_),
            episode=episode,
            settings=kernels.Settings(
                np.array([np.iinfo(elapsed).max if limit is None else limit], elapsed),
                np.zeros(1),
            ),
            action=action,
            choice=self._choice_column(action, bounds),
            observation=aligned_zeros(observation, self.single_observation_space.dtype),
            reward=aligned_zeros((n,), number),
            terminated=aligned_zeros((n,), np.bool_),
            truncated=aligned_zeros((n,), np.bool_),
            final_observation=aligned_zeros(observation, self.single_observation_space.dtype)
            if same_step
            else (),
        )
        # Where a column holds a value for each row, the constant is never read.
        scalars = {
            name: definition.params[name] if isinstance(value, np.ndarray) else value
            for name, value in self.params.items()
        }
        constants = {
            name: number(value) if isinstance(value, float) else value
            for name, value in scalars.items()
        }
        spec = compile.KernelSpec(
            definition,
            self.precision,
            self.autoreset_mode,
            definition.Parameters(**constants, **definition.options),
            bounds,
            self.record_episode_statistics,
            self._tile,
        )
        if self.backend == "reference":
            kernel: Any = compile.interpret(spec)
        else:
            self.kernel = compile.compile_native(spec)
            kernel = self.kernel.address
        arrays = compile.flatten(self._tile)
        outputs = {
            name: getattr(self._tile, name)
            for name in ("action", "observation", "reward", "terminated", "truncated")
        }
        if same_step:
            outputs["final_observation"] = self._tile.final_observation
        if self.record_episode_statistics:
            outputs.update(
                (name, getattr(episode, name)) for name in ("returns", "lengths", "durations")
            )
        places = {id(array): k for k, array in reversed(list(enumerate(arrays)))}
        slots = {name: places[id(array)] for name, array in outputs.items()}
        if self._tile.choice is action:
            slots["choice"] = slots["action"] + 1
        self._driver = Driver(
            kernel,
            self._tile,
            arrays,
            slots,
            pools,
            self._tile.action,
            checks.Checks(definition.name, n, self.single_action_space, self._tile.action),
            self.num_threads,
            same_step,
            self.autoreset_mode is AutoresetMode.DISABLED,
            self.record_episode_statistics,
        )

    def _choice_column(
        self, action: Array, bounds: kernels.DiscreteBounds | kernels.BoxBounds
    ) -> Array:
        if isinstance(bounds, kernels.BoxBounds):
            return action
        # Plain Python computes in the width it is given, compiled code in 64 bits.
        narrow = self.backend == "native" and max(abs(bounds.start), abs(bounds.last)) < 2**31
        column: Array = aligned_zeros((self.num_envs,), np.int32 if narrow else np.int64)
        return column

    # -- Gymnasium's contract ------------------------------------------------------------------

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | Array | None = None,
        options: Mapping[str, Any] | None = None,
        out: Array | None = None,
    ) -> tuple[Array, dict[str, Any]]:
        """Start new episodes in all rows, or in those of `options["reset_mask"]`.

        Args:
            seed: an int gives row k the seed `seed + k`; a sequence gives one seed a row, None in
                it going on with the row's stream of random numbers; None goes on in every row. A
                row without a stream gets one from the operating system.
            options: "reset_mask", a bool array (N,) of the rows to reset, and the environment's own
                options, each a scalar or an array (N,).
            out: where to write the observations, instead of a new array.

        Returns:
            Observations (N, …) of all rows, and an empty dict.
        """
        self._driver.begin("reset", unreset=True)
        reset = False
        try:
            observation = self._reset(seed, options, out)
            reset = True
        finally:
            self._driver.end(reset)
        return observation, {}

    def _reset(self, seed: Any, options: Any, out: Any) -> Array:
        n = self.num_envs
        if options is not None and not isinstance(options, Mapping):
            raise TypeError(f"The reset options are {options!r}; expected a dict.")
        given = dict(options) if options is not None else {}
        mask = checks.read_mask(given.pop("reset_mask", None), n)
        values = self.definition.read_options(given, n)
        if given:
            self.definition.check_options(values, n)
        seeds = checks.read_seeds(seed, n)
        observation: Array = self._driver.output(out)
        tile = self._tile
        if mask is not None and not mask.all() and not self._driver.was_reset:
            row = int(np.flatnonzero(~mask)[0])
            raise error.ResetNeeded(
                f"Row {row} is outside the reset_mask and was never reset; reset all rows first."
            )
        selected = np.ones(n, np.bool_) if mask is None else mask
        self._seed(selected, seeds)
        tile.selected[:] = selected
        if given:
            self._set_options(values)
        try:
            self._driver.reset(observation)
        finally:
            if given:
                self._set_options(self.definition.options)
        return observation

    def step(self, actions: Array, *, out: Sequence[Array | None] | None = None) -> Step:
        """Step every row.

        Args:
            actions: an array (N, …) of the action space's dtype (integers of any width for
                Discrete).
            out: four arrays (or None) that the observations, rewards, terminations and truncations
                are written into, instead of new ones: C-contiguous, with the shapes and dtypes that
                are returned otherwise, such as the rows of rollout storage [T, N, …].

        Returns:
            Observations (N, …), rewards (N,), terminated (N,), truncated (N,) and infos. Both flags
            may be true at once. With SAME_STEP, when an episode ended, `infos["final_obs"]` (N, …)
            holds what every row observed before any reset, and `infos["_final_obs"]` (N,) where one
            was.

        Raises:
            ValueError, TypeError: for bad actions; no row has then been stepped.
            gymnasium.error.ResetNeeded: before the first reset, or with DISABLED while a finished
            row
                has not been reset.
            gymnasium.error.ClosedEnvironmentError: after close.
        """
        return self._driver.step(actions, out)  # type: ignore[no-any-return]

    def send(self, actions: Array, *, out: Sequence[Array | None] | None = None) -> None:
        """Begin a step in the worker threads and return at once; `recv` gives its results.

        Actions are checked and copied before this returns. Raises what `step` raises.
        """
        self._driver.send(actions, out)

    def recv(self) -> Step:
        """Wait for the step that `send` began, working on it too; returns what `step` returns.

        Raises:
            gymnasium.error.NoAsyncCallError: if no step is under way.
        """
        return self._driver.recv()  # type: ignore[no-any-return]

    def render(self, *, env_ids: Iterable[int] | None = None) -> tuple[Array, ...] | None:
        """Return one RGB frame (height, width, 3), uint8, for each row, or for those of
        `env_ids`.
        """
        if self.render_mode is None:
            raise error.Error(
                "This BatchEnv has render_mode=None; make it with render_mode='rgb_array'."
            )
        rows = self._rows(env_ids)
        self._driver.begin("render")
        try:
            return tuple(self._render_row(row) for row in rows)
        finally:
            self._driver.end()

    def _render_row(self, row: int) -> Array:
        if row not in self._renderers:
            values = self.definition.Parameters(**self.row_params(row), **self.definition.options)
            self._renderers[row] = self.definition.namespace.renderer(values)
        return self._renderers[row](self._tile.state, row)

    def close_extras(self, **kwargs: Any) -> None:
        """Finish a step that is under way and let the driver's threads go."""
        self._driver.close()

    @property
    def np_random_seed(self) -> tuple[int | None, ...]:  # type: ignore[override]
        """The seed that each row's random stream was started with; None before it was."""
        return tuple(self._seeds)

    @property  # type: ignore[misc]
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """Copies of the rows' random generators, at the point where each row's stream stands."""
        return tuple(random.generator(self._tile.rng, k) for k in range(self.num_envs))

    def set_np_random(self, row: int, generator: np.random.Generator, seed: int = -1) -> None:
        """Make a row's stream go on from where a PCG64 generator stands (it is copied).

        Args:
            row: the environment.
            generator: a `numpy.random.Generator` over PCG64; others are refused with ValueError.
            seed: what `np_random_seed` says of the row from now on; -1 for unknown.
        """
        random.set_generator(self._tile.rng, row, generator)
        self._seeds[row] = seed

    def __repr__(self) -> str:
        return (
            f"BatchEnv({self.definition.name}, num_envs={self.num_envs}, "
            f"precision={self.precision!r}, autoreset_mode={self.autoreset_mode.name})"
        )

    # -- snapshots -----------------------------------------------------------------------------

    def get_state(self, env_ids: Iterable[int] | None = None) -> dict[str, Array]:
        """Return a copy of everything that decides how rows go on, random streams included.

        Args:
            env_ids: the rows, in the order wanted; all by default.

        Returns:
            One array a field, its first axis the rows asked for.
        """
        rows = self._rows(env_ids)
        self._driver.begin("get_state")
        try:
            return {name: column[rows] for name, column in self._snapshot_columns().items()}
        finally:
            self._driver.end()

    def set_state(self, state: Mapping[str, Array], env_ids: Iterable[int] | None = None) -> Array:
        """Make rows go on from a snapshot of `get_state`, of this or another BatchEnv of the kind.

        Args:
            state: what `get_state` returned, as many rows as `env_ids` names.
            env_ids: the rows to overwrite; all by default. A row may be given several times in
                `get_state` and so be branched.

        Returns:
            The observations (N, …) of all rows.

        Raises:
            ValueError, TypeError: if fields, shapes or dtypes do not fit; no row has then changed.
        """
        rows = self._rows(env_ids)
        columns = self._snapshot_columns()
        checks.check_snapshot(state, columns, len(rows))
        self._driver.begin("set_state", unreset=True)
        reset = False
        try:
            if not self._driver.was_reset and len(set(rows)) < self.num_envs:
                raise error.ResetNeeded(
                    f"set_state() for {len(set(rows))} of {self.num_envs} rows was called before "
                    "reset(); call reset() first, or set all rows."
                )
            for name, column in columns.items():
                column[rows] = state[name]
            self._tile.selected[:] = False
            observation: Array = self._driver.output(None)
            self._driver.reset(observation)
            reset = True
        finally:
            self._driver.end(reset)
        return observation

    def _rows(self, env_ids: Iterable[int] | None) -> list[int]:
        if env_ids is None:
            return list(range(self.num_envs))
        return checks.read_rows(env_ids, self.num_envs)

    def _snapshot_columns(self) -> dict[str, Array]:
        tile = self._tile
        columns = {
            f"state.{name}": column
            for name, column in zip(tile.state._fields, tile.state, strict=True)
        }
        columns["rng.state"] = tile.rng.state
        columns["rng.spare"] = tile.rng.spare
        columns["seed"] = self._seeds
        columns["elapsed"] = tile.elapsed
        columns["pending"] = tile.pending
        if self.record_episode_statistics:
            columns["episode.total"] = tile.episode.total
            columns["episode.started"] = tile.episode.started
        return columns

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy by what the BatchEnv was made from and its rows' state."""
        arguments = {
            "autoreset_mode": self.autoreset_mode,
            "precision": self.precision,
            "num_threads": self.num_threads,
            "backend": self.backend,
            "render_mode": self.render_mode,
            "max_episode_steps": self.max_episode_steps or checks.NO_TIME_LIMIT,
            "record_episode_statistics": self.record_episode_statistics,
            **self.params,
        }
        state = None if self._driver.unreset else self.get_state()
        return _rebuild, (self.definition, self.num_envs, arguments, state)

    # -- seeding and options -------------------------------------------------------------------

    def _seed(self, selected: Array, seeds: list[int | None] | None) -> None:
        if seeds is None:
            unseeded = [k for k in np.flatnonzero(selected) if self._seeds[k] is None]
            rows, values = unseeded, random.fresh_seeds(len(unseeded))
        else:
            rows, values = [], []
            for k in np.flatnonzero(selected):
                seed = seeds[k]
                if seed is None and self._seeds[k] is None:
                    seed = random.fresh_seeds(1)[0]
                if seed is not None:
                    rows.append(k)
                    values.append(seed)
        if rows:
            random.seed_rows(self._tile.rng, np.array(rows), values)
            self._seeds[rows] = values

    def _set_options(self, values: Mapping[str, Any]) -> None:
        for name, column in zip(self._tile.options._fields, self._tile.options, strict=True):
            column[:] = values[name]


def make_vec(
    id: str,
    num_envs: int = 1,
    *,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    precision: str = "exact",
    num_threads: int | None = None,
    backend: str = "native",
    render_mode: str | None = None,
    max_episode_steps: int | None = None,
    record_episode_statistics: bool = False,
    **params: Any,
) -> BatchEnv:
    """Return `num_envs` environments of one id, stepped as a batch; see `BatchEnv` for the
    arguments.

    Example:
        >>> import batchsim
        >>> envs = batchsim.make_vec("CartPole-v1", num_envs=3)
        >>> observations, infos = envs.reset(seed=42)
        >>> observations.shape
        (3, 4)
        >>> envs.close()
    """
    return BatchEnv(
        id,
        num_envs,
        autoreset_mode=autoreset_mode,
        precision=precision,
        num_threads=num_threads,
        backend=backend,
        render_mode=render_mode,
        max_episode_steps=max_episode_steps,
        record_episode_statistics=record_episode_statistics,
        **params,
    )


def available_cpus() -> int:
    """Return how many CPUs this process may use: its affinity mask, and its control group's
    quota.
    """
    count = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            count = min(count, max(1, -(-int(quota) // int(period))))
    except (OSError, ValueError):
        pass  # No control groups of the second version here.
    return count


def _rebuild(
    definition: Definition, num_envs: int, arguments: dict[str, Any], state: Any
) -> BatchEnv:
    batch = BatchEnv(definition, num_envs, **arguments)
    if state is not None:
        batch.set_state(state)
    return batch


def _columns(values: Mapping[str, Array]) -> Any:
    """Return a namedtuple of arrays, or the empty tuple."""
    if not values:
        return ()
    return namedtuple("Columns", values)(**values)
