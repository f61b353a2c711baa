"""What both Numba rungs share: columns, and an environment's own functions compiled into a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np

from batchsim.batch.spaces import Layout, action_bounds
from batchsim.compiler import columns, kernels
from batchsim.compiler.binder import Binder
from batchsim.ladder.kind import Kind
from batchsim.ladder.rung import Array
from batchsim.streams import module_of

__all__ = ["OPTIONS", "NumbaBatch", "RowFunctions", "absent", "row_functions"]

OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
# For what the loops call. Without reference counts on the arrays, each of which is an atomic
# operation, and without calls, in which tuples of arrays are copied, CartPole takes a third.
# No wrapper for Python either, in which all would be compiled once more.
INNER: dict[str, Any] = {
    **OPTIONS,
    "_nrt": False,
    "forceinline": True,
    "no_cpython_wrapper": True,
}


class RowFunctions(NamedTuple):
    """An environment's functions, compiled for loops over rows to call."""

    step: Any
    """`step(state, rng, elapsed, over, action, observation, reward, terminated, truncated, i)`
    steps row i, or starts an episode in it if it was over."""
    is_bad: Any
    """`is_bad(action, i)` tells whether an action is outside the space."""
    restart_all: Any
    """`restart_all(state, rng, elapsed, over, observation)` starts an episode in every row."""


def absent(kind: Kind, num_envs: int) -> str | None:
    """Say so if frames are to be stacked, or strings to be observed."""
    if kind.has_texts:
        return "it makes no texts"
    return "it stacks no frames" if kind.frame_stack > 1 else None


def row_functions(kind: Kind) -> RowFunctions:
    """Return the functions of one kind of environment; they are compiled on their first call.

    Its parameters and tables are all compiled in.
    """
    definition, parameters = kind.definition, kind.functions_see()
    time_limit = kind.time_limit or np.iinfo(np.int32).max
    bounds = action_bounds(kind.frame_spaces()[1])
    row_views: Any = columns.NATIVE["row_views"]
    outcome: Any = columns.NATIVE["outcome"]
    binder = Binder(
        "exact",
        {},
        numba.njit(**INNER),
        namespace=definition.namespace,
        random=definition.random,
    )
    reset, step, observe = map(binder.bind, (definition.reset, definition.step, definition.observe))

    @numba.njit(**INNER)
    def restart_row(state, rng, elapsed, over, i):  # type: ignore[no-untyped-def]
        reset(state, i, parameters, rng)
        elapsed[i] = 0
        over[i] = False

    @numba.njit(**INNER)
    def step_row(  # type: ignore[no-untyped-def]
        state, rng, elapsed, over, action, observation, reward, terminated, truncated, i
    ):
        if over[i]:
            restart_row(state, rng, elapsed, over, i)
            reward[i] = 0.0
            terminated[i] = False
            truncated[i] = False
        else:
            reward[i], terminated[i], truncated[i] = outcome(
                step(state, i, action[i], parameters, rng)
            )
            elapsed[i] += 1
            truncated[i] |= elapsed[i] >= time_limit
            over[i] = terminated[i] or truncated[i]
        observe(state, i, parameters, row_views(observation, i))

    @numba.njit(**OPTIONS)
    def restart_all(state, rng, elapsed, over, observation):  # type: ignore[no-untyped-def]
        for i in range(over.shape[0]):
            restart_row(state, rng, elapsed, over, i)
            observe(state, i, parameters, row_views(observation, i))

    return RowFunctions(step_row, _is_bad(bounds), restart_all)


def _is_bad(bounds: kernels.DiscreteBounds | kernels.BoxBounds) -> Any:
    if isinstance(bounds, kernels.DiscreteBounds):
        start, last = bounds

        @numba.njit(**INNER)
        def is_bad_discrete(action, i):  # type: ignore[no-untyped-def]
            return action[i] < start or action[i] > last

        return is_bad_discrete
    low, high = bounds

    @numba.njit(**INNER)
    def is_bad_box(action, i):  # type: ignore[no-untyped-def]
        for k in range(action.shape[1]):
            if not (action[i, k] >= low[k] and action[i, k] <= high[k]):
                return True
        return False

    return is_bad_box


class NumbaBatch:
    """A structure of arrays, passed to compiled loops as arguments.

    Args:
        kind: the environment.
        num_envs: how many.
        step_rows: steps all rows and returns how many actions are bad; if any is, nothing changes.
        restart_all: starts an episode in every row.
    """

    def __init__(
        self,
        kind: Kind,
        num_envs: int,
        step_rows: Callable[..., int],
        restart_all: Callable[..., None],
    ) -> None:
        definition = kind.definition
        self.step_rows = step_rows
        self.restart_all = restart_all
        self.num_envs = num_envs
        space, self.action_space = kind.frame_spaces()
        self.layout = Layout(space, "The observation space")
        self.state = definition.Columns(
            *(
                np.full((num_envs, *column.shape), column.default or 0, column.dtype)
                for column in (*definition.columns.values(), *definition.scratch.values())
            )
        )
        self.streams = module_of(definition.random)
        self.rng = self.streams.allocate(num_envs)
        self.elapsed = np.zeros(num_envs, np.int32)
        self.over = np.zeros(num_envs, np.bool_)

    def reset(self, *, seed: int) -> tuple[Array, dict[str, Any]]:
        """Seed every row and start an episode in it."""
        rows = np.arange(self.num_envs)
        self.streams.seed_rows(self.rng, rows, seed + rows)
        leaves = self._new_leaves()
        self.restart_all(self.state, self.rng, self.elapsed, self.over, self.layout.inner(leaves))
        return self.layout.outer(leaves), {}

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Step all rows; raises ValueError, before any is stepped, if an action is bad."""
        leaves = self._new_leaves()
        reward = np.empty(self.num_envs)
        terminated, truncated = np.empty((2, self.num_envs), np.bool_)
        columns = self.state, self.rng, self.elapsed, self.over, actions, self.layout.inner(leaves)
        bad = self.step_rows(*columns, reward, terminated, truncated)
        if bad:
            raise ValueError(f"{bad} of {self.num_envs} actions are not in {self.action_space}")
        return self.layout.outer(leaves), reward, terminated, truncated, {}

    def _new_leaves(self) -> list[Array]:
        shapes = self.layout.shapes(self.num_envs)
        return [np.empty(*both) for both in zip(shapes, self.layout.dtypes(), strict=True)]

    def close(self) -> None:
        """Nothing to let go."""
