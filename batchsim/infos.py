"""The `Info` fields of an environment as Gymnasium returns them: an array and a mask a field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from batchsim.definition import Column, record

__all__ = ["Infos"]

Array = npt.NDArray[Any]


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
