"""Copies and pickles of a BatchEnv: what they carry, and how they go on from it."""

from __future__ import annotations

import secrets
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from batchsim import checks, snapshots

if TYPE_CHECKING:
    from batchsim.vector import BatchEnv

__all__ = ["copied", "reduced"]

Array = npt.NDArray[Any]

_pickled: weakref.WeakValueDictionary[bytes, BatchEnv] = weakref.WeakValueDictionary()
"""Those that were pickled by this process, or by one that it was forked from, by token."""


def copied(batch: BatchEnv) -> BatchEnv:
    """Return a BatchEnv that goes on as `batch` does, and has its kernel.

    Raises:
        gymnasium.error.AlreadyPendingCallError: while a step is under way.
        gymnasium.error.ClosedEnvironmentError: after close.
    """
    return batch._driver.exclusively(  # type: ignore[no-any-return]
        "copy", _twin_that_goes_on, batch, unreset=True
    )


def _twin_that_goes_on(batch: BatchEnv) -> BatchEnv:
    twin = batch._twin()
    _go_on_from(twin, _carried(batch), batch._driver.was_reset)
    return twin


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
        "record_episode_statistics": batch.record_episode_statistics,
        "checked": batch.checked,
        **batch.params,
        **(batch.arguments._asdict() if batch.arguments else {}),
    }
    definition = batch.definition.__reduce__()
    return _unpickle, (batch._token, definition, batch.num_envs, arguments, carried, was_reset)


def _unpickle(
    token: bytes,
    definition: tuple[Any, ...],
    num_envs: int,
    arguments: dict[str, Any],
    carried: dict[str, Array],
    was_reset: bool,
) -> BatchEnv:
    original = _pickled.get(token)
    if original is not None:
        batch = original._twin()
    else:
        from batchsim.vector import BatchEnv

        make, of = definition
        batch = BatchEnv(make(*of), num_envs, **arguments)
        if was_reset:
            carried = batch._read_snapshot(carried, batch._snapshot_columns(), slice(None))
        else:
            carried = snapshots.read_snapshot(carried, batch._stream_columns(), num_envs)
    _go_on_from(batch, carried, was_reset)
    return batch


def _to_carry(batch: BatchEnv) -> tuple[dict[str, Array], bool]:
    carried = {name: np.array(column) for name, column in _carried(batch).items()}
    return carried, batch._driver.was_reset


def _carried(batch: BatchEnv) -> dict[str, Array]:
    """Return the columns that a copy goes on from, while every other call is kept out."""
    return batch._snapshot_columns() if batch._driver.was_reset else batch._stream_columns()


def _go_on_from(batch: BatchEnv, carried: Mapping[str, Array], was_reset: bool) -> None:
    batch._driver.exclusively("copy", _take, batch, carried, unreset=True, resets=was_reset)


def _take(batch: BatchEnv, carried: Mapping[str, Array]) -> None:
    columns = batch._snapshot_columns()
    for name, values in carried.items():
        if name != snapshots.FINGERPRINT:  # Computed, and the same.
            np.copyto(columns[name], values)
    batch._driver.notice_pending()
