"""The arrays of a batch: the columns of its tile, the pools of its outputs, and where the driver's
table of pointers has both.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Discrete, Space

from batchsim.batch._buffers import BufferPool, aligned_zeros
from batchsim.batch.infos import Infos
from batchsim.batch.spaces import Layout, action_bounds, named
from batchsim.columns import Column
from batchsim.compiler import kernels
from batchsim.compiler.layouts import LIMIT, flatten, places_of
from batchsim.compiler.tables import used_as_arrays
from batchsim.definition import Definition
from batchsim.streams import module_of

__all__ = ["Allocator", "counter_of", "number_of", "slots", "table_of"]

Array = npt.NDArray[Any]


def number_of(precision: str) -> Any:
    """Return the type of floating-point numbers in `precision`."""
    return np.float32 if precision == "fast" else np.float64


def counter_of(limit: int | None) -> Any:
    """Return the narrowest type of whole numbers that reach the time limit."""
    return next(
        dtype
        for dtype in (np.int16, np.int32, np.int64)
        if dtype is np.int64 or (limit is not None and limit <= np.iinfo(dtype).max)
    )


@dataclass(frozen=True)
class Allocator:
    """Makes the arrays of `num_envs` environments; the fields are all that decides them."""

    definition: Definition
    num_envs: int
    layout: Layout
    """Of the observations."""
    infos: Infos
    action_space: Space[Any]
    """Of one environment."""
    parameters: Mapping[str, Any]
    """Scalars and arrays (num_envs, …)."""
    compiled_in: Collection[str]
    """The names of those that need no array."""
    tables: Mapping[str, Array]
    precision: str
    backend: str
    time_limit: int | None
    elapsed: Any
    """The dtype of what counts steps up to it."""
    same_step: bool
    """Final observations and infos are reported."""
    statistics: bool
    """Episode statistics are reported."""

    def tile(self) -> kernels.Tile:
        """Return the columns, their defaults or zeros where nothing is known yet."""
        n = self.num_envs
        number = number_of(self.precision)
        limit, elapsed = self.time_limit, self.elapsed
        # An environment that writes into the caller's actions does not compile.
        batch = aligned_zeros((n, *(self.action_space.shape or ())), self.action_space.dtype)
        batch.flags.writeable = False
        discrete = isinstance(self.action_space, Discrete)
        columns = {**self.definition.columns, **self.definition.scratch}
        return kernels.Tile(
            state=self.definition.Columns(*map(self._column, columns.values())),
            parameters=named(
                {
                    name: _read_only(value, number)
                    for name, value in self.parameters.items()
                    if isinstance(value, np.ndarray)
                }
            ),
            common=named(
                {
                    name: _read_only(np.array([value]), number)
                    for name, value in self.parameters.items()
                    if not isinstance(value, np.ndarray) and name not in self.compiled_in
                }
            ),
            options=named(
                {
                    # Row by row, which np.array of a broadcast would not be.
                    name: np.broadcast_to(value, (n, *np.shape(value))).copy(order="C")
                    for name, value in self.definition.options.items()
                }
            ),
            tables=named(
                {name: _read_only(table, number) for name, table in self.tables.items()},
                used_as_arrays(
                    self.definition,
                    tuple(name for name, table in self.tables.items() if table.size <= LIMIT),
                ),
            ),
            rng=module_of(self.definition.random).allocate(n),
            pending=aligned_zeros((n,), np.bool_),
            finished=aligned_zeros((n,), np.int32),
            selected=aligned_zeros((n,), np.bool_),
            episode=self._episode(),
            settings=kernels.Settings(
                np.array([np.iinfo(elapsed).max if limit is None else limit], np.int64),
                np.zeros(1),
                np.zeros(1, np.int64),
                np.array([len(table) for table in self.tables.values()], np.int64),
            ),
            action=batch if discrete else batch.reshape(n, -1),
            choice=self._choice() if discrete else batch,
            elapsed=aligned_zeros((n,), elapsed),
            frames=self._observation() if self.layout.frames > 1 else (),
            observation=self._observation(),
            reward=aligned_zeros((n,), number),
            terminated=aligned_zeros((n,), np.bool_),
            truncated=aligned_zeros((n,), np.bool_),
            final_observation=self._observation() if self.same_step else (),
            info=self._info(),
            final_info=self._info() if self.same_step else (),
        )

    def _column(self, column: Column) -> Array:
        made: Array = aligned_zeros(
            (self.num_envs, *column.shape), column.with_precision(self.precision).dtype
        )
        if column.default is not None:
            made[...] = column.default
        return made

    def _episode(self) -> Any:
        if not self.statistics:
            return ()
        n = self.num_envs
        columns = {name: aligned_zeros((n,), np.float64) for name in kernels.Episode._fields}
        return kernels.Episode(**{**columns, "lengths": aligned_zeros((n,), np.int64)})

    def _choice(self) -> Array:
        start, last = action_bounds(self.action_space)
        # Plain Python computes in the width that it is given; compiled code widens what it reads.
        narrow = self.backend == "native" and max(abs(start), abs(last)) < 2**31
        column: Array = aligned_zeros((self.num_envs,), np.int32 if narrow else np.int64)
        return column

    def _observation(self) -> Any:
        return self.layout.inner(_each(aligned_zeros, self.layout, self.num_envs))

    def _info(self) -> Any:
        if not self.definition.info:
            return ()
        return self.infos.inner(_each(aligned_zeros, self.infos, self.num_envs))

    def pools(self) -> dict[str, Any]:
        """Return the pools of the arrays that callers get, by the driver's names."""
        n = self.num_envs
        found: dict[str, Any] = {
            "observation": tuple(_each(BufferPool, self.layout, n)),
            "info": tuple(_each(BufferPool, self.infos, n)),
            "reward": BufferPool((n,), number_of(self.precision)),
            "flag": BufferPool((n,), np.bool_),
        }
        if self.statistics:
            found["total"] = BufferPool((n,), np.float64)
            found["count"] = BufferPool((n,), np.int64)
        return found


def slots(tile: kernels.Tile, choice_is_action: bool) -> dict[str, Any]:
    """Return where the table of pointers has the actions and the outputs."""
    places = places_of(tile)
    found: dict[str, Any] = {
        name: tuple(places[id(array)] for array in flatten(getattr(tile, name)))
        for name in ("observation", "final_observation", "info", "final_info")
    }
    for name in ("action", "reward", "terminated", "truncated"):
        found[name] = places[id(getattr(tile, name))]
    if choice_is_action:
        found["choice"] = places[id(tile.choice)]
    if tile.episode:
        for name in ("returns", "lengths", "durations"):
            found[name] = places[id(getattr(tile.episode, name))]
    return found


def table_of(tile: kernels.Tile, loops: int = 0) -> Array:
    """Return the driver's table of pointers, behind what it has before its first array.

    Args:
        tile: the arrays.
        loops: the address of what describes them (`batchsim.compiler.loops.Loops`).
    """
    return np.array([loops, *(array.ctypes.data for array in flatten(tile))], np.int64)


def _each(make: Any, leaves: Layout | Infos, num_envs: int) -> list[Any]:
    """Return `make(shape, dtype)` of each of the leaves, or fields, of so many environments."""
    return [make(*both) for both in zip(leaves.shapes(num_envs), leaves.dtypes(), strict=True)]


def _read_only(values: Array, number: Any) -> Array:
    """Return a copy that no environment can write to, float64 numbers as `number`."""
    dtype = number if values.dtype == np.float64 else values.dtype
    copy = np.array(values, dtype, order="C")  # Whatever the caller's lies in.
    copy.flags.writeable = False
    return copy
