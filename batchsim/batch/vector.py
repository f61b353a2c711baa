"""BatchEnv: N environments of one kind as a `gymnasium.vector.VectorEnv`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import error
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from batchsim import registry
from batchsim.actions import OWN
from batchsim.batch import checked as checked_mode
from batchsim.batch import checks, copies, snapshots
from batchsim.batch._driver import Driver
from batchsim.batch.allocation import Allocator, counter_of, number_of, slots, table_of
from batchsim.batch.attributes import FIXED, Parameter, RowAttributes
from batchsim.batch.backends import Kernels
from batchsim.batch.generators import Generators
from batchsim.batch.infos import Infos
from batchsim.batch.originals import converted
from batchsim.batch.processors import available_cpus
from batchsim.batch.spaces import Layout, accepted_actions, require_alike, stacked
from batchsim.batch.texts import TEXT_MODES, Texts, batched, batched_alike
from batchsim.compiler import compile
from batchsim.compiler.layouts import flatten
from batchsim.definition import Definition
from batchsim.values import is_same

__all__ = ["BatchEnv", "Step", "make_vec"]

Array = npt.NDArray[Any]
Step = tuple[Array, Array, Array, Array, dict[str, Any]]
"""Observations, rewards, terminated, truncated and infos of one step."""

PRECISIONS = ("exact", "fast")
BACKENDS = ("native", "reference")


class BatchEnv(RowAttributes, VectorEnv[Array, Array, Array]):
    """N environments stepped together by one compiled kernel.

    It keeps Gymnasium's `VectorEnv` contract; in `exact` precision it returns the bits that
    `gymnasium.make_vec(id, num_envs, vectorization_mode="sync")` returns for the same seeds and
    actions.

    Args:
        definition: an id, or the class or module that defines an environment.
        num_envs: N, the number of environments, at least 1 and below 2**31.
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
        max_episode_steps: truncate episodes after so many steps, -1 for never; None for the limit
            that the id was registered with, or else its definition's `MAX_EPISODE_STEPS`.
        frame_stack: k, from 1 to 1024: observe the last k frames, the oldest first, as
            `gymnasium.wrappers.FrameStackObservation` does. Each array of an observation gets an
            axis more, (k, …); an episode begins with k times its first frame. 1 is none, without
            the axis.
        text_mode: "str" or "tokens": what a text among the observations is returned as: a tuple of
            N strings, or the whole numbers that they are made of, an array (N, tokens) with the
            space that the definition's `TOKENS` say. Other observations are the same either way.
        record_episode_statistics: report finished episodes in `infos["episode"]`, as
            `gymnasium.wrappers.vector.RecordEpisodeStatistics` does: "r" the return, "l" the
            length, "t" the duration in seconds, arrays (N,) that are zero outside the mask
            `infos["_episode"]`.
        clip_actions: clip actions that lie beyond the bounds of a Box to it, as
            `gymnasium.wrappers.vector.ClipAction` does, where they would be refused. The built-in
            environments with such a space need it not: like the originals they take any number.
        checked: check every index, and report the row, the step and the source line of one that is
            out of bounds, or of another error; the rows then stay as they were. Some times slower.
            None for what the environment variable `BATCHSIM_CHECKED` says (1 for yes).
        **params: the environment's parameters, each a scalar or an array (N,) with one value an
            environment, and its other arguments. Those that decide a column's shape, or that tables
            are made of, are scalars.

    Raises:
        TypeError, ValueError: for an unknown id or parameter or a value out of place, in one
            sentence.
    """

    _checks: type[checks.Checks] = checks.Checks

    def __init__(
        self,
        definition: Any,
        num_envs: int = 1,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        precision: str = "exact",
        num_threads: int | None = None,
        backend: str = "native",
        render_mode: str | None = None,
        max_episode_steps: int | None = None,
        frame_stack: int = 1,
        text_mode: str = "str",
        record_episode_statistics: bool = False,
        clip_actions: bool = False,
        checked: bool | None = None,
        **params: Any,
    ) -> None:
        before = set(vars(self))
        # Before anything can fail: close() runs on a half-made object too.
        self.closed = True
        definition, entry = registry.read(definition)
        self.definition: Definition = definition
        self.num_envs = checks.whole_number(
            "num_envs", num_envs, at_least=1, at_most=checks.MOST_ENVS
        )
        self.precision = checks.one_of("precision", precision, PRECISIONS)
        self.backend = checks.one_of("backend", backend, BACKENDS)
        self.autoreset_mode = checks.read_autoreset_mode(autoreset_mode)
        self.render_mode = checks.read_render_mode(
            render_mode, self._render_modes(), definition.name
        )
        if num_threads is None:
            num_threads = min(available_cpus(), checks.MOST_THREADS)
        self.num_threads = checks.whole_number(
            "num_threads", num_threads, at_least=1, at_most=checks.MOST_THREADS
        )
        self.checked = checked_mode.wanted(checked)
        self.frame_stack = checks.whole_number(
            *("frame_stack", frame_stack),
            at_least=1,
            at_most=checks.most_frames(self.num_envs, self.checked),
        )
        self.text_mode = checks.one_of("text_mode", text_mode, TEXT_MODES)
        self.record_episode_statistics = bool(record_episode_statistics)
        self.clip_actions = bool(clip_actions)
        given = {**entry.kwargs, **params}
        self._params = definition.read_params(given, self.num_envs)
        for name in self._params:
            if not hasattr(BatchEnv, name):
                setattr(BatchEnv, name, Parameter(name))
        self._arguments = definition.read_arguments(given)
        definition = definition.chosen(self._arguments)
        definition.check_params(self._params, self.num_envs)
        definition, self.tables = definition.sized(self._params, self._arguments, self.num_envs)
        self.definition = definition
        self._defaults = definition.read_params(entry.kwargs, self.num_envs)
        # Others are read when a kernel runs: one is compiled for all their values.
        self._compiled_in = frozenset(
            name
            for name, value in self._params.items()
            if name in definition.sizes or is_same(value, self._defaults[name])
        )
        self._limit_of_id = entry.max_episode_steps
        self._limit, self._limit_depends_on = self._read_limit(max_episode_steps)
        self._elapsed = counter_of(self._limit)
        self.metadata = {
            "autoreset_mode": self.autoreset_mode,
            "render_modes": self._render_modes(),
            "render_fps": getattr(definition.namespace, "RENDER_FPS", 30),
        }
        self._set_spaces()
        self._build()
        self._renderers: dict[int, Callable[..., Array]] = {}
        self._token: bytes | None = None
        self._is_split = False
        self.closed = False
        # What else is set on this object is somebody's own, and goes with copies and parts.
        self._own = frozenset({*vars(self), "_own"} - before)

    # -- construction --------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        if name in FIXED and "_own" in vars(self):
            raise AttributeError(
                f"{name} of a BatchEnv cannot be changed; make another one with the {name} wanted."
            )
        if name in vars(self).get("_params", ()):
            self._set_parameter(name, value)
        else:
            super().__setattr__(name, value)

    def _render_modes(self) -> list[str]:
        return ["rgb_array"] if hasattr(self.definition.namespace, "renderer") else []

    def _row_values(self, row: int) -> Any:
        """Return what the functions of one environment see as `p`."""
        return self.definition.parameters({**self.row_params(row), **self.tables})

    def _set_spaces(self) -> None:
        self._read_by_spaces: frozenset[str] = frozenset()
        first, self.single_action_space, texts = self._spaces_of(0, self._params)
        self._layout = Layout(
            first, f"The observation space of {self.definition.name}", self.frame_stack, texts
        )
        self.single_observation_space = self._layout.space
        # Raises for a space that cannot be used.
        self._bounds = accepted_actions(
            self.single_action_space, self.definition.clips_actions and not self.clip_actions
        )
        if self.clip_actions and not isinstance(self.single_action_space, Box):
            raise ValueError(
                f"clip_actions is True, but the actions of {self.definition.name} are "
                f"{self.single_action_space}; expected a Box."
            )
        if any(isinstance(value, np.ndarray) for value in self._params.values()):
            rows = [self._spaces_of(row, self._params) for row in range(self.num_envs)]
            require_alike(rows)
            each = [stacked(space, self.frame_stack) for space, _, _ in rows]
            self.observation_space = batched(each)
        else:
            self.observation_space = batched_alike(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._spaces = {name: getattr(self, name) for name in copies.SPACES}

    def _build(self) -> None:
        """Allocate the columns, compile the kernel and make the driver."""
        infos = self._infos()
        self._tile = self._allocator(infos).tile()
        # After the arrays: the system hands those out unwritten, or refuses, at once.
        self._seeds = np.full(self.num_envs, None, dtype=object)
        self._compile()
        self._make_driver(infos)
        self._generators = Generators(self._tile.rng, self._seeds)

    def _infos(self) -> Infos:
        return Infos(self.definition.info, self.definition.info_at_reset)

    def _allocator(self, infos: Infos) -> Allocator:
        return Allocator(
            self.definition,
            self.num_envs,
            self._layout,
            infos,
            self.single_action_space,
            self._params,
            self._compiled_in,
            self.tables,
            self.precision,
            self.backend,
            self._limit,
            self._elapsed,
            self._same_step(),
            self.record_episode_statistics,
        )

    def _compile(self) -> None:
        """Compile the kernel, unless it is there; parts and copies have it from this BatchEnv."""
        spec = compile.KernelSpec(
            self.definition,
            self.precision,
            self.autoreset_mode,
            self._constants(),
            self._bounds,
            self._tile,
            self.checked,
        )
        self._kernels = Kernels(spec, self.backend)

    @property
    def kernel(self) -> compile.NativeKernel | None:
        """The machine code for actions of the action space's dtype; None for the reference."""
        return self._kernels.of(OWN).native

    def _make_driver(self, infos: Infos) -> None:
        self._guard = None
        if self.checked:
            self._guard = checked_mode.Guard(
                self.definition.name, self._tile, self._seeds, self._checks
            )
        batch = self._tile.choice if self._choice_is_action() else self._tile.action
        self._driver = Driver(
            self._kernels,
            self._tile,
            table_of(self._tile),
            slots(self._tile, self._choice_is_action()),
            self._allocator(infos).pools(),
            batch,
            self._checks(
                self.definition.name,
                self.num_envs,
                self.single_action_space,
                self._bounds,
                self.clip_actions,
                self.precision,
                batch,
                self._layout,
            ),
            self._layout,
            Texts(self._layout).outer if self._layout.texts else self._layout.outer,
            infos if self.definition.info else None,
            self._guard,
            self.num_threads,
            self._same_step(),
            self.autoreset_mode is AutoresetMode.DISABLED,
            self.record_episode_statistics,
        )

    def _same_step(self) -> bool:
        return self.autoreset_mode is AutoresetMode.SAME_STEP

    def _choice_is_action(self) -> bool:
        return not isinstance(self.single_action_space, Discrete)

    def _constants(self) -> Any:
        """Return the parameters that are compiled in, any values where arrays take their place."""
        number = number_of(self.precision)
        values: dict[str, Any] = {}
        for name, default in self._defaults.items():
            constant = self._params[name] if name in self.definition.sizes else default
            if isinstance(constant, tuple):
                constant = tuple(map(number, constant))
            values[name] = number(constant) if isinstance(constant, float) else constant
        return self.definition.parameters({**values, **dict.fromkeys(self.tables, 0)})

    # -- parts ---------------------------------------------------------------------------------

    def split(self, parts: int = 2) -> tuple[BatchEnv, ...]:
        """Return BatchEnvs of consecutive rows that share their state with this one.

        Each part can be stepped while another one is under way: `send` to one half, compute on the
        other. What the parts do, this BatchEnv's rows have done; step either the parts or the
        whole, not both at a time. Rows keep their numbers in no part: each counts from 0.

        Args:
            parts: how many; the first ones have one row more where N cannot be divided evenly.

        Raises:
            ValueError: if there are fewer rows than parts, or with DISABLED autoreset.
            gymnasium.error.ResetNeeded: before the first reset.
        """
        checks.whole_number("parts", parts, at_least=1)
        if parts > self.num_envs:
            raise ValueError(f"parts is {parts}; expected at most num_envs, {self.num_envs}.")
        if self.autoreset_mode is AutoresetMode.DISABLED:
            raise ValueError(
                "split() was called with autoreset_mode DISABLED; expected NEXT_STEP or SAME_STEP."
            )
        sizes = [self.num_envs // parts + (k < self.num_envs % parts) for k in range(parts)]
        ends = np.cumsum(sizes).tolist()
        rows = [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]
        return self._driver.exclusively("split", self._parts, rows)  # type: ignore[no-any-return]

    def _parts(self, rows: list[slice]) -> tuple[BatchEnv, ...]:
        found = tuple(copies.part(self, selected) for selected in rows)
        self._is_split = True
        return found

    # -- Gymnasium's contract ------------------------------------------------------------------

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | Array | None = None,
        options: Mapping[str, Any] | None = None,
        out: Any = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Start new episodes in all rows, or in those of `options["reset_mask"]`.

        Args:
            seed: an int gives row k the seed `seed + k`; a sequence gives one seed a row, None in
                it going on with the row's stream of random numbers; None goes on in every row. A
                row without a stream gets one from the operating system.
            options: "reset_mask", a bool array (N,) of the rows to reset, and the environment's own
                options, each a scalar or an array (N,).
            out: where to write the observations, instead of a new array.

        Returns:
            Observations (N, …) of all rows, and the infos of the rows that were reset.
        """
        return self._driver.exclusively(  # type: ignore[no-any-return]
            "reset", self._reset, seed, options, out, unreset=True, resets=True
        )

    def _reset(self, seed: Any, options: Any, out: Any) -> tuple[Any, dict[str, Any]]:
        n = self.num_envs
        if options is not None and not isinstance(options, Mapping):
            raise TypeError(f"The reset options are {options!r}; expected a dict.")
        given = dict(options) if options is not None else {}
        mask = checks.read_mask(given.pop("reset_mask", None), n)
        values = self.definition.read_options(given, n)
        if given:
            self.definition.check_options(values, n)
        seeds = checks.read_seeds(seed, n, self.definition.random)
        observation = self._driver.output(out)
        tile = self._tile
        if mask is not None and not mask.all() and not self._driver.was_reset:
            row = int(np.flatnonzero(~mask)[0])
            raise error.ResetNeeded(
                f"Row {row} is outside the reset_mask and has no episode; reset all rows first."
            )
        selected = np.ones(n, np.bool_) if mask is None else mask
        kept = self._copies()
        self._driver.tear()
        self._generators.seed(selected, seeds)
        tile.selected[:] = selected
        for name in self.definition.options:
            getattr(tile.options, name)[:] = values[name]
        return self._driver.reset(observation, kept)  # type: ignore[no-any-return]

    def _copies(self) -> list[Array] | None:
        """In the checked mode, return the rows as they are, to be put back should they fail."""
        return None if self._guard is None else self._guard.copies()

    def step(self, actions: Array, *, out: Sequence[Array | None] | None = None) -> Step:
        """Step every row.

        Args:
            actions: an array or list (N, …) of the action space's dtype, integers of any width for
                Discrete, zeros and ones of any dtype for MultiBinary; for a Box of float32 also
                float64 and integers, which exact precision computes with as Gymnasium's do.
            out: four arrays (or None) that the observations, rewards, terminations and truncations
                are written into, instead of new ones: C-contiguous, with the shapes and dtypes that
                are returned otherwise, such as the rows of rollout storage [T, N, …].

        Returns:
            Observations (N, …), rewards (N,), terminated (N,), truncated (N,) and infos. Both flags
            may be true at once. With SAME_STEP, when an episode ended, `infos["final_obs"]` (N,)
            holds what the rows whose episode ended observed before their reset, and None elsewhere;
            `infos["_final_obs"]` (N,) says where, and `infos.arrays` is a batch of them, which
            costs less.

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

    def render(self, *, env_ids: Iterable[int] | None = None) -> tuple[Any, ...]:
        """Return one RGB frame (height, width, 3), uint8, for each row, or for those of
        `env_ids`. Without a render mode each is None, and there is a warning, as with Gymnasium's
        environments.
        """
        rows = self._rows(env_ids)
        if self.render_mode is None:
            gymnasium.logger.warn(
                "render() was called without a render mode; make the environment with "
                "render_mode='rgb_array'."
            )
            return (None,) * len(np.arange(self.num_envs)[rows])
        return self._driver.exclusively("render", self._render, rows)  # type: ignore[no-any-return]

    def _render(self, rows: slice | list[int]) -> tuple[Array, ...]:
        return tuple(self._render_row(row) for row in np.arange(self.num_envs)[rows].tolist())

    def _render_row(self, row: int) -> Array:
        if row not in self._renderers:
            self._renderers[row] = self.definition.namespace.renderer(self._row_values(row))
        return self._renderers[row](self._tile.state, row)

    def close_extras(self, **kwargs: Any) -> None:
        """Finish a step that is under way and let the driver's threads go."""
        self._driver.close()

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """The seed that each row's random stream was started with; -1 if it is not known.

        A row without a stream gets one from the operating system.
        """
        if any(seed is None for seed in self._seeds):
            self._driver.exclusively("np_random_seed", self._generators.seed_new, unreset=True)
        return tuple(map(int, self._seeds))

    @property
    def np_random(self) -> Any:
        """A tuple of the rows' random generators, live: their draws are draws of the rows' streams.

        A reset with a seed makes new ones and leaves the old ones to who holds them. A row without
        a stream gets one from the operating system. Assigned generators are copied: the rows go on
        from where they stand. Draw from none while a step is under way. They are of the kind that
        the definition's `RANDOM` names.
        """
        return self._driver.exclusively("np_random", self._lend_generators, unreset=True)

    @np_random.setter
    def np_random(self, generators: Any) -> None:
        checks.require_streams(generators, self.num_envs, self.definition.random)
        self._driver.exclusively("set_np_random", self._take_generators, generators, unreset=True)

    def _take_generators(self, generators: Sequence[Any]) -> None:
        for row, generator in enumerate(generators):
            self._generators.put(row, generator)

    def _lend_generators(self) -> tuple[Any, ...]:
        self._generators.seed_new()
        return tuple(map(self._generators.__getitem__, range(self.num_envs)))

    def set_np_random(self, row: int, generator: Any, seed: int = -1) -> None:
        """Make a row's stream go on from where a generator stands (it is copied).

        Args:
            row: the environment, from 0 to N - 1.
            generator: of the definition's `RANDOM`, by default a `numpy.random.Generator` over
                PCG64.
            seed: what `np_random_seed` says of the row from now on; -1 for unknown.

        Raises:
            ValueError, TypeError: if there is no such row, or the generator or the seed is another
                thing; nothing has then changed.
        """
        row = checks.whole_number("row", row, at_least=0, at_most=self.num_envs - 1)
        seed = checks.whole_number("seed", seed, at_least=-1)
        checks.require_stream(generator, "generator", self.definition.random)
        self._driver.exclusively(
            "set_np_random", self._generators.put, row, generator, seed, unreset=True
        )

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
            One array a field, its first axis the rows asked for. The field "fingerprint" (rows,)
            says what the rows are of; the others are what `set_state` puts back.
        """
        rows = self._rows(env_ids)
        return self._driver.exclusively("get_state", self._copy, rows)  # type: ignore[no-any-return]

    def _copy(self, rows: slice | list[int]) -> dict[str, Array]:
        columns = self._snapshot_columns()
        return {name: np.array(column[rows]) for name, column in columns.items()}

    def set_state(self, state: Mapping[str, Array], env_ids: Iterable[int] | None = None) -> Any:
        """Make rows go on from a snapshot of `get_state`, of this or another BatchEnv of the kind.

        The other one has the same environment, observations and actions of the same form, the same
        tables (which arguments such as a map make), and in each row the same whole-number and bool
        parameters. Floating-point parameters may be others, as may backend, autoreset mode, time
        limit, threads and the number of rows.

        Args:
            state: what `get_state` returned, as many rows as `env_ids` names.
            env_ids: the rows to overwrite; all by default. A row may be given several times in
                `get_state` and so be branched.

        Returns:
            The observations (N, …) of all rows.

        Raises:
            ValueError, TypeError: if fields, shapes or dtypes do not fit, if the snapshot is of
                something else, or if rows hold what cannot be or what the environment's
                `check_state` refuses; no row has then changed.
        """
        rows = self._rows(env_ids)
        columns = self._snapshot_columns()
        given = self._read_snapshot(state, columns, rows)
        return self._driver.exclusively(
            "set_state", self._write, given, rows, unreset=True, resets=True
        )

    def _write(self, given: Mapping[str, Array], rows: slice | list[int]) -> Any:
        if not self._driver.was_reset:
            self._require_all(rows)
        observation = self._driver.output(None)
        columns = self._snapshot_columns()
        kept = self._copies()
        self._driver.tear()
        for name, array in given.items():
            if name != snapshots.FINGERPRINT:
                columns[name][rows] = array
        self._tile.selected[:] = False
        observations, _ = self._driver.reset(observation, kept)
        return observations

    def _read_snapshot(
        self, state: Any, columns: Mapping[str, Array], rows: slice | list[int]
    ) -> dict[str, Array]:
        """Return the arrays of a snapshot from which these rows can go on."""
        count = self.num_envs if isinstance(rows, slice) else len(rows)
        given = snapshots.read_snapshot(state, columns, count)
        own = columns[snapshots.FINGERPRINT][rows]
        snapshots.refuse_other(
            given[snapshots.FINGERPRINT], own, self.definition, self._arguments, self._params
        )
        snapshots.check_rows(given, self._seeds, self._same_step())
        if self.definition.state_check is not None:
            self._check_columns([given[f"state.{name}"] for name in self.definition.columns], rows)
        return given

    @cached_property
    def _fingerprints(self) -> Array:
        """Of each row, (N,)."""
        found = snapshots.fingerprints(
            self.definition,
            self._layout,
            self.single_action_space,
            self.tables,
            self._params,
        )
        return np.broadcast_to(found, (self.num_envs,))

    def _rows(self, env_ids: Iterable[int] | None) -> slice | list[int]:
        """Return what picks these rows of a column; a slice of all is copied fastest."""
        return slice(None) if env_ids is None else checks.read_rows(env_ids, self.num_envs)

    def _require_all(self, rows: slice | list[int]) -> None:
        count = len(set(np.arange(self.num_envs)[rows].tolist()))
        if count < self.num_envs:
            raise error.ResetNeeded(
                f"set_state() for {count} of {self.num_envs} rows was called before reset(); call "
                "reset() first, or set all rows."
            )

    def _snapshot_columns(self) -> dict[str, Array]:
        tile = self._tile
        columns = self._first_columns()
        columns["elapsed"] = tile.elapsed
        columns["pending"] = tile.pending
        if self.frame_stack > 1:
            names = (f"frames{path}" for path in self._layout.paths)
            columns.update(zip(names, flatten(tile.frames), strict=True))
        if self.record_episode_statistics:
            columns["episode.total"] = tile.episode.total
            columns["episode.started"] = tile.episode.started
        columns[snapshots.FINGERPRINT] = self._fingerprints
        return columns

    def _first_columns(self) -> dict[str, Array]:
        """Return what may be other than in a new BatchEnv before the first reset."""
        state, rng = self._tile.state, self._tile.rng
        columns = {f"state.{name}": getattr(state, name) for name in self.definition.columns}
        columns |= {f"rng.{name}": getattr(rng, name) for name in rng._fields}
        return {**columns, "seed": self._seeds}

    # -- copies --------------------------------------------------------------------------------

    def __copy__(self) -> BatchEnv:
        return copies.copied(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> BatchEnv:
        return copies.copied(self, memo)

    def __reduce__(self) -> tuple[Any, ...]:
        return copies.reduced(self)


def make_vec(id: Any, num_envs: int = 1, **arguments: Any) -> BatchEnv:
    """Return `num_envs` environments of one kind, stepped as a batch.

    Args:
        id: an id of `batchsim.environments()`, or the class or module that defines an environment;
            or a class of `gymnasium.Env`, which `batchsim.convert` converts.
        num_envs: N, how many.
        **arguments: those of `BatchEnv`, the environment's parameters included; with a class of
            `gymnasium.Env`, the arguments of its constructor.

    Example:
        >>> import batchsim
        >>> envs = batchsim.make_vec("CartPole-v1", num_envs=3)
        >>> observations, infos = envs.reset(seed=42)
        >>> observations.shape
        (3, 4)
        >>> envs.close()
    """
    id, arguments = converted(id, arguments, BatchEnv)
    envs = BatchEnv(id, num_envs, **arguments)
    of_batch = {"num_envs": num_envs, "vectorization_mode": "vector_entry_point"}
    envs.spec = registry.spec(envs.definition, envs.max_episode_steps, {**arguments, **of_batch})
    return envs
