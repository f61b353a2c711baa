"""The `Info` fields of an environment as Gymnasium returns them: an array and a mask a field."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Space

from batchsim.batch.spaces import member
from batchsim.columns import Column
from batchsim.definition import record

__all__ = ["Infos", "StepInfos", "final_arrays"]

Array = npt.NDArray[Any]
FINAL = "final_obs"


class StepInfos(dict[str, Any]):
    """The infos of a step whose `final_obs` are put together when somebody looks.

    They are what `SyncVectorEnv` has: an array (N,) of objects, row k's last observation where an
    episode has ended and None elsewhere. That takes Python time for each of them, which a loop
    that does not look need not spend. Made as a dict is, they are nothing but a dict: so code does
    that makes of infos another of the same type.
    """

    arrays: Any = None
    """The observations as a batch: an array (N, …), or a tuple or dict of them."""
    _space: Space[Any] | None = None

    @classmethod
    def of(cls, infos: Mapping[str, Any], space: Space[Any]) -> StepInfos:
        """Return the infos of a step.

        Args:
            infos: the others, and the arrays in which the rows lie as "final_obs".
            space: of one row's observation.
        """
        found = cls(infos)
        found.arrays = infos[FINAL]
        found._space = space
        return found

    def _settle(self) -> None:
        space, self._space = self._space, None
        if space is not None:
            over = super().__getitem__(f"_{FINAL}")
            rows = np.full(len(over), None, object)
            for row in np.flatnonzero(over).tolist():
                rows[row] = member(space, self.arrays, row)
            super().__setitem__(FINAL, rows)

    def __setitem__(self, key: str, value: Any) -> None:
        self._settle()
        super().__setitem__(key, value)

    def __getitem__(self, key: str) -> Any:
        if key == FINAL:
            self._settle()
        return super().__getitem__(key)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def _settling(name: str) -> Any:
    inherited = getattr(dict, name)

    def settled(self: StepInfos, *arguments: Any, **keywords: Any) -> Any:
        self._settle()
        return inherited(self, *arguments, **keywords)

    return functools.wraps(inherited)(settled)


# All that shows a value. With `__iter__` among them `dict(infos)` asks, too.
OPERATORS = ("__eq__", "__iter__", "__ne__", "__or__", "__repr__", "__ror__")
READING = ("copy", "get", "items", "keys", "values")
CHANGING = ("__delitem__", "__ior__", "pop", "popitem", "setdefault", "update")
for _name in (*OPERATORS, *READING, *CHANGING):
    setattr(StepInfos, _name, _settling(_name))


def final_arrays(infos: Mapping[str, Any]) -> Any:
    """Return a step's `final_obs` as a batch of arrays (N, …), which nothing is copied for.

    Infos that somebody has put together anew hold rows alone: they are stacked, and those that are
    None hold any other's values.
    """
    arrays = infos.arrays if isinstance(infos, StepInfos) else None
    if arrays is not None:
        return arrays
    last = next(row for row in infos[FINAL] if row is not None)
    return _stacked([last if row is None else row for row in infos[FINAL]])


def _stacked(rows: Sequence[Any]) -> Any:
    first = rows[0]
    if isinstance(first, dict):
        return {key: _stacked([row[key] for row in rows]) for key in first}
    if isinstance(first, tuple):
        return tuple(map(_stacked, zip(*rows, strict=True)))
    return np.stack(rows)


class Infos:
    """Puts infos together.

    Args:
        columns: the fields of `Info`.
        at_reset: the dtype that a field has in a reset's infos, where it differs.
    """

    def __init__(
        self, columns: Mapping[str, Column], at_reset: Mapping[str, np.dtype[Any]]
    ) -> None:
        self.columns = columns
        # Made once: a step of a small batch takes less time than phrasing a name.
        self.fields = [
            (name, f"_{name}", column.dtype, at_reset.get(name, column.dtype))
            for name, column in columns.items()
        ]
        self.every_row: Array = np.ones(0, np.bool_)
        self.type = record("Info", tuple(columns))

    def shapes(self, num_envs: int) -> list[tuple[int, ...]]:
        """Return the shape of each field's array."""
        return [(num_envs, *column.shape) for column in self.columns.values()]

    def dtypes(self) -> list[np.dtype[Any]]:
        """Return the dtype of each field's array."""
        return [column.dtype for column in self.columns.values()]

    def inner(self, arrays: Sequence[Array]) -> Any:
        """Return the arrays as kernels see them, of which every row is an array."""
        return self.type(*(a if a.ndim > 1 else a.reshape(-1, 1) for a in arrays))

    def add(
        self, infos: dict[str, Any], arrays: Sequence[Array], mask: Array | None, reset: bool
    ) -> None:
        """Add the fields, and the masks of rows that have them (all, if None), to `infos`.

        Gymnasium gives a field the type of the first row's value, to which it converts the others:
        `reset` says that the first row with infos was reset.
        """
        if mask is None:
            if len(self.every_row) != len(arrays[0]):
                self.every_row = np.ones(len(arrays[0]), np.bool_)
            mask = self.every_row
        for (name, mask_name, dtype, at_reset), array in zip(self.fields, arrays, strict=True):
            if reset and at_reset != dtype:
                array = array.astype(at_reset)
            infos[name] = array
            infos[mask_name] = mask.copy()
