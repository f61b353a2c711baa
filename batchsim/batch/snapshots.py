"""Snapshots: what one is of, and whether a batch can go on from it.

Compiled code trusts the columns: it takes an index from them and reads there. So a snapshot is
looked at before a row is overwritten. Its fields have a column's shape and dtype; its fingerprint
says that it is of the same environment, with tables and whole numbers alike; the rows hold what a
batch could have written, and what the environment's `check_state` allows.
"""

from __future__ import annotations

import reprlib
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Discrete, MultiDiscrete, Space

from batchsim.batch._snapshots import (
    first_bad_count,
    first_bad_seed,
    first_bad_stream,
    first_difference,
    first_no_flag,
)
from batchsim.batch.spaces import Layout
from batchsim.definition import Definition
from batchsim.streams import GENERATOR

__all__ = ["FINGERPRINT", "check_rows", "fingerprints", "read_snapshot", "refuse_other"]

Array = npt.NDArray[Any]

FINGERPRINT = "fingerprint"
"""The field of a snapshot that says what it is of."""

PARTS = ("environment", "spaces", "tables", "numbers")
"""What a fingerprint is made of, 16 bits each, the highest first. It is a guard against mistakes:
who wants to deceive can copy one, and finds that the rows' values are checked all the same."""
BITS = 16


# --- What a snapshot is of ------------------------------------------------------------------------


def fingerprints(
    definition: Definition,
    layout: Layout,
    action_space: Space[Any],
    tables: Mapping[str, Array],
    params: Mapping[str, Any],
) -> Array:
    """Return the fingerprints of a batch's rows, uint64, (N,), or (1,) if they are all the same.

    Those of two rows are alike if the environments have the same name and the same `State`,
    observations and actions of the same form, the same tables, and the same whole numbers and truth
    values among their parameters, which are what sizes and indices are made of. Floating-point
    parameters, precision, backend, autoreset mode and time limit may differ.
    """
    columns: list[Any] = [(name, c.dtype.str, c.shape) for name, c in definition.columns.items()]
    if definition.random != GENERATOR:
        columns.append(definition.random)
    spaces = [*zip(layout.paths, map(_form, layout.leaves), strict=True), _form(action_space)]
    digest = 0
    for name, table in tables.items():
        digest = zlib.crc32(f"{name} {table.dtype.str} {table.shape}".encode(), digest)
        digest = zlib.crc32(table.reshape(-1).view(np.uint8).data, digest)
    found = 0
    for part in (_digest((definition.name, columns)), _digest(spaces), digest):
        found = found << BITS | part % 2**BITS
    numbers = _digest_of_numbers(params) >> (64 - BITS)
    return np.atleast_1d(np.asarray(found << BITS | numbers, np.uint64))


def _digest(value: Any) -> int:
    return zlib.crc32(repr(value).encode())


def _form(space: Space[Any]) -> tuple[Any, ...]:
    """Return how many values a space has and how they lie in memory, not which those are."""
    if isinstance(space, Discrete):
        return "Discrete", int(space.n), int(space.start)
    if isinstance(space, MultiDiscrete):
        return "MultiDiscrete", space.nvec.tolist(), space.start.tolist()
    return type(space).__name__, space.shape, np.dtype(space.dtype).str


def _digest_of_numbers(params: Mapping[str, Any]) -> Any:
    """Return 64 bits of whole numbers and truth values: an int, or uint64 (N,) if any is by row."""
    found: Any = 0
    for value in params.values():
        if isinstance(value, int):
            numbers: Any = value & _WORD
        elif isinstance(value, np.ndarray) and value.dtype.kind in "ib":
            numbers = value.astype(np.int64).view(np.uint64)
        else:
            continue
        found = (found ^ numbers) * _ODD & _WORD
        found ^= found >> 32
    return found * _ODD & _WORD


_WORD = 2**64 - 1
_ODD = 0x9E3779B97F4A7C15  # 2**64 over the golden ratio: its multiples spread over all bits.


def refuse_other(
    given: Array, own: Array, definition: Definition, arguments: Any, params: Mapping[str, Any]
) -> None:
    """Raise ValueError, saying what differs, unless fingerprints are those of the rows.

    Args:
        given: of the snapshot's rows, (rows,).
        own: of the rows that it is to be put into, (rows,).
        definition: the batch's environment.
        arguments: its `Arguments`, or an empty tuple.
        params: its parameters.
    """
    row = first_difference(given, own)
    if row < 0:
        return
    pairs = zip(_parts_of(given[row]), _parts_of(own[row]), strict=True)
    part = next(name for name, (one, other) in zip(PARTS, pairs, strict=True) if one != other)
    numbers = [name for name, value in params.items() if np.asarray(value).dtype.kind in "ib"]
    what = {
        "environment": f"of another environment; expected one of {definition.name}, with the same "
        "State",
        "spaces": "of observations or actions of another form; expected the same shapes, dtypes "
        "and numbers of values",
        "tables": "of other tables, such as those of another map; expected one made with the same "
        f"{' and '.join(getattr(arguments, '_fields', ())) or 'tables'}",
        "numbers": f"of other whole numbers or truth values; expected the same {', '.join(numbers)}"
        ", as in the row that it is put into",
    }[part]
    raise ValueError(f"The snapshot's row {row} is {what}.")


def _parts_of(fingerprint: Any) -> list[int]:
    return [int(fingerprint) >> BITS * k & (2**BITS - 1) for k in reversed(range(len(PARTS)))]


# --- What its rows hold ---------------------------------------------------------------------------


def read_snapshot(state: Any, columns: Mapping[str, Array], rows: int) -> dict[str, Array]:
    """Return the arrays of a snapshot.

    Args:
        state: what a caller says is a snapshot.
        columns: the fields that one has, as arrays of any number of rows.
        rows: how many rows it must have.

    Raises:
        TypeError, ValueError: if a field is missing, unknown, or of another shape or dtype.
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"The snapshot is {state!r}; expected what get_state() returned.")
    if state.keys() != columns.keys():
        _refuse_fields(state, columns)
    found = {}
    for name, column in columns.items():
        # Looked at once: what is asked again may answer something else.
        found[name] = array = np.asarray(state[name])
        shape = column.shape
        if rows != shape[0]:
            shape = (rows, *shape[1:])
        if array.shape != shape or array.dtype != column.dtype:
            raise ValueError(
                f"The snapshot's {name} has shape {array.shape} and dtype {array.dtype}; expected "
                f"{shape} and {column.dtype}."
            )
    return found


def _refuse_fields(state: Mapping[Any, Any], columns: Mapping[str, Array]) -> None:
    for name in (*columns, *state):
        if name == FINGERPRINT and name not in state:
            raise ValueError(
                f"The snapshot has no field {name!r}, which says what it is of; expected what "
                "get_state() returned, or the columns of an older snapshot put into such a one."
            )
        if name not in state or name not in columns:
            where = "no" if name not in state else "an unexpected"
            raise ValueError(
                f"The snapshot has {where} field {name!r}; expected {', '.join(columns)}, as in "
                "one of the same environment and settings."
            )


def check_rows(snapshot: Mapping[str, Array], seeds: Array, same_step: bool) -> None:
    """Raise ValueError unless a batch could have written these rows, whatever its environment.

    Args:
        snapshot: the fields, shapes and dtypes of which are right.
        seeds: of the batch's own rows.
        same_step: the rows are to go on with `AutoresetMode.SAME_STEP`, where none is ever over.
    """
    for name, array in snapshot.items():
        if array.dtype.kind == "b" and (place := first_no_flag(array)) >= 0:
            row = place // (array.size // len(array))
            byte = int(array.reshape(-1).view(np.uint8)[place])
            raise ValueError(
                f"The snapshot's {name} has the byte {byte} in row {row}; expected 0 or 1, False "
                "or True."
            )
    elapsed, pending = snapshot["elapsed"], snapshot["pending"]
    if (row := first_bad_count(elapsed, pending)) >= 0:
        raise ValueError(
            f"The snapshot's elapsed is {elapsed[row]} in row {row}; expected from 0 to "
            f"{np.iinfo(elapsed.dtype).max - 1} steps."
        )
    if same_step and pending.any():
        raise ValueError(
            f"The episode of the snapshot's row {int(pending.argmax())} is over; with "
            "AutoresetMode.SAME_STEP expected one that goes on, as in a snapshot of that mode."
        )
    if "rng.key" in snapshot:
        _check_words(snapshot)
    elif (row := first_bad_stream(snapshot["rng.state"], snapshot["rng.spare"])) >= 0:
        words = [*snapshot["rng.state"][row].tolist(), int(snapshot["rng.spare"][row])]
        raise ValueError(
            f"The snapshot's rng.state and rng.spare are {words} in row {row}; expected those of a "
            "PCG64 generator: the fourth word odd, the last 0 or from 2**32 to below 2**33."
        )
    if (row := first_bad_seed(snapshot["seed"], seeds)) >= 0:
        raise ValueError(
            f"The snapshot's seed is {reprlib.repr(snapshot['seed'][row])} in row {row}; "
            "expected a whole number that is not negative, -1 for an unknown one, or None."
        )
    started = snapshot.get("episode.started")
    if started is not None and not np.isfinite(started).all():
        row = int((~np.isfinite(started)).argmax())
        raise ValueError(
            f"The snapshot's episode.started is {started[row]} in row {row}; expected seconds."
        )


def _check_words(snapshot: Mapping[str, Array]) -> None:
    """Raise ValueError unless the rows' streams are those of an MT19937 generator."""
    key, position, gauss = (snapshot[f"rng.{name}"] for name in ("key", "position", "gauss"))
    for name, bad, expected in (
        ("position", (position < 0) | (position > key.shape[1]), f"from 0 to {key.shape[1]}"),
        ("gauss", ~np.isfinite(gauss), "a finite number"),
    ):
        if bad.any():
            row = int(bad.argmax())
            found = snapshot[f"rng.{name}"][row]
            raise ValueError(
                f"The snapshot's rng.{name} is {found} in row {row}; expected {expected}."
            )
    if not (some := key.any(axis=1)).all():
        raise ValueError(
            f"The snapshot's rng.key is 0 in row {int(some.argmin())}; expected the words of an "
            "MT19937 generator, of which one at least is not 0."
        )
