"""Copies, pickles and parts of a BatchEnv: what they carry, and how they go on from it.

They are of its class and have what was set on it by others, such as `spec`.
"""

from __future__ import annotations

import copy
import secrets
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from batchsim.batch import checks, snapshots
from batchsim.batch.attributes import OF_PARAMETERS
from batchsim.batch.generators import Generators
from batchsim.batch.spaces import generator_at, generators, separate, set_generators
from batchsim.batch.texts import batched
from batchsim.compiler import kernels
from batchsim.compiler.layouts import cut_rows

if TYPE_CHECKING:
    from batchsim.batch.vector import BatchEnv

__all__ = ["copied", "part", "reduced"]

Array = npt.NDArray[Any]

_pickled: weakref.WeakValueDictionary[bytes, BatchEnv] = weakref.WeakValueDictionary()
"""Those that were pickled by this process, or by one that it was forked from, by token."""


SPACES = ("single_observation_space", "single_action_space", "observation_space", "action_space")


def copied(batch: BatchEnv, memo: dict[int, Any] | None = None) -> BatchEnv:
    """Return a BatchEnv that goes on as `batch` does, and has its kernel.

    Args:
        batch: what to copy.
        memo: of `copy.deepcopy`; None for a copy that shares what was set on it by others.

    Raises:
        gymnasium.error.AlreadyPendingCallError: while a step is under way.
        gymnasium.error.ClosedEnvironmentError: after close.
    """
    twin: BatchEnv = batch._driver.exclusively("copy", _twin_that_goes_on, batch, unreset=True)
    attributes = _attributes(batch)
    if attributes and memo is not None:
        memo[id(batch)] = twin  # Some may refer to it.
        attributes = copy.deepcopy(attributes, memo)
    vars(twin).update(attributes)
    return twin


def _twin_that_goes_on(batch: BatchEnv) -> BatchEnv:
    twin = _twin(batch)
    _go_on_from(twin, _carried(batch), batch._driver.was_reset)
    return twin


def _twin(batch: BatchEnv) -> BatchEnv:
    """Return a BatchEnv like this one, with its kernel and rows that were never reset."""
    twin = _raw(batch)
    vars(twin).update({name: vars(batch)[name] for name in OF_PARAMETERS if name in vars(batch)})
    twin.metadata = dict(batch.metadata)
    for name in SPACES:
        setattr(twin, name, separate(getattr(batch, name)))
        if getattr(batch, name) is batch._spaces[name]:
            twin._spaces = {**twin._spaces, name: getattr(twin, name)}
    twin._seeds = np.full(batch.num_envs, None, dtype=object)
    twin._is_split = False
    twin.closed = False
    infos = twin._infos()
    twin._tile = twin._allocator(infos).tile()
    twin._generators = Generators(twin._tile.rng, twin._seeds)
    twin._make_driver(infos)
    return twin


def part(batch: BatchEnv, rows: slice) -> BatchEnv:
    """Return a BatchEnv of some rows of this one, which they share."""
    found = _raw(batch)
    vars(found).update(_attributes(batch))
    vars(found)["num_envs"] = rows.stop - rows.start
    found._params = {
        name: value[rows] if isinstance(value, np.ndarray) else value
        for name, value in batch.params.items()
    }
    found._set_spaces()
    for one, many in (SPACES[0], SPACES[2]), (SPACES[1], SPACES[3]):
        if getattr(batch, one) is not batch._spaces[one]:
            setattr(found, one, getattr(batch, one))
            setattr(found, many, batched([getattr(batch, one)] * found.num_envs))
    found._seeds = batch._seeds[rows]
    found._tile = cut_rows(batch._tile, lambda column: column[rows])._replace(
        settings=kernels.Settings(*(array.copy() for array in batch._tile.settings))
    )
    found._generators = batch._generators.part(found._tile.rng, found._seeds)
    found._make_driver(batch._infos())
    found._driver.exclusively("split", lambda: None, unreset=True, resets=True)
    found._is_split = True
    return found


def _raw(batch: BatchEnv) -> BatchEnv:
    """Return one of the same class, with what of this one is the same for all rows."""
    found = object.__new__(type(batch))
    vars(found).update({name: vars(batch)[name] for name in batch._own})
    found._renderers = {}
    found._token = None
    return found


def _attributes(batch: BatchEnv) -> dict[str, Any]:
    """Return what was set on a BatchEnv by others than its own constructor."""
    return {
        name: value
        for name, value in vars(batch).items()
        if name not in batch._own and name not in OF_PARAMETERS
    }


def reduced(batch: BatchEnv) -> tuple[Any, ...]:
    """Return what `BatchEnv.__reduce__` does: what it was made from, and its rows' state.

    In this process, a pickle of a BatchEnv that still exists is read as a copy of it is made.
    Raises what `copied` raises.
    """
    carried, was_reset = batch._driver.exclusively("pickle", _to_carry, batch, unreset=True)
    if batch._token is None:
        batch._token = secrets.token_bytes(16)
        _pickled[batch._token] = batch
    arguments = {
        "autoreset_mode": batch.autoreset_mode,
        "precision": batch.precision,
        "num_threads": batch.num_threads,
        "backend": batch.backend,
        "render_mode": batch.render_mode,
        "max_episode_steps": batch.max_episode_steps or checks.NO_TIME_LIMIT,
        "frame_stack": batch.frame_stack,
        "text_mode": batch.text_mode,
        "record_episode_statistics": batch.record_episode_statistics,
        "clip_actions": batch.clip_actions,
        "checked": batch.checked,
        **batch.params,
        **(batch.arguments._asdict() if batch.arguments else {}),
    }
    of = type(batch), batch.definition.__reduce__(), batch.num_envs
    attributes = _attributes(batch)
    for name in SPACES:
        if getattr(batch, name) is not batch._spaces[name]:
            attributes[name] = getattr(batch, name)
    if batch._limit_depends_on:
        attributes["_limit_depends_on"] = batch._limit_depends_on
    samples = {name: list(map(_state, generators(batch._spaces[name]))) for name in SPACES}
    made_of = batch._token, of, arguments, carried, was_reset, samples
    return _unpickle, made_of, attributes or None


def _state(generator: np.random.Generator | None) -> Any:
    return None if generator is None else generator.bit_generator.state


def _unpickle(
    token: bytes,
    of: tuple[type[BatchEnv], tuple[Any, ...], int],
    arguments: dict[str, Any],
    carried: dict[str, Array],
    was_reset: bool,
    samples: dict[str, list[Any]],
) -> BatchEnv:
    original = _pickled.get(token)
    if original is not None and _is_as_pickled(original, arguments):
        batch = _twin(original)
    else:
        from batchsim.batch.vector import BatchEnv

        of_class, (make, what), num_envs = of
        batch = object.__new__(of_class)
        BatchEnv.__init__(batch, make(*what), num_envs, **arguments)
        if "elapsed" in carried:
            # A time limit that was changed may have left them wider than a new batch has them.
            carried["elapsed"] = carried["elapsed"].astype(batch._tile.elapsed.dtype)
        if was_reset:
            carried = batch._read_snapshot(carried, batch._snapshot_columns(), slice(None))
        else:
            carried = snapshots.read_snapshot(carried, batch._first_columns(), num_envs)
    for name, states in samples.items():
        given = (None if state is None else generator_at(state) for state in states)
        set_generators(batch._spaces[name], given)
    _go_on_from(batch, carried, was_reset)
    return batch


def _is_as_pickled(batch: BatchEnv, arguments: dict[str, Any]) -> bool:
    limit = batch.max_episode_steps or checks.NO_TIME_LIMIT
    return limit == arguments["max_episode_steps"] and all(
        np.array_equal(value, arguments[name]) for name, value in batch.params.items()
    )


def _to_carry(batch: BatchEnv) -> tuple[dict[str, Array], bool]:
    carried = {name: np.array(column) for name, column in _carried(batch).items()}
    return carried, batch._driver.was_reset


def _carried(batch: BatchEnv) -> dict[str, Array]:
    """Return the columns that a copy goes on from, while every other call is kept out."""
    return batch._snapshot_columns() if batch._driver.was_reset else batch._first_columns()


def _go_on_from(batch: BatchEnv, carried: Mapping[str, Array], was_reset: bool) -> None:
    batch._driver.exclusively("copy", _take, batch, carried, unreset=True, resets=was_reset)


def _take(batch: BatchEnv, carried: Mapping[str, Array]) -> None:
    columns = batch._snapshot_columns()
    for name, values in carried.items():
        if name != snapshots.FINGERPRINT:  # Computed, and the same.
            np.copyto(columns[name], values)
    batch._driver.notice_pending()
