"""The checked mode: what went wrong in a kernel with checks of indices, and where.

Machine code can tell that an index is out of bounds, not of what. So the rows are copied before
each call; when the kernel fails they are put back, and the row that failed is run once more by the
reference backend, whose exception has the author's file and line.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from batchsim import kernels
from batchsim.columns import SHARED
from batchsim.compile import flatten
from batchsim.kernels import Tile

__all__ = ["Guard", "wanted"]

Array = npt.NDArray[Any]

CHANGED = ("state", "rng", "elapsed", "pending", "episode")
"""The fields of a `Tile` that a task changes and that outlive it."""


def wanted(checked: bool | None) -> bool:
    """Return whether to check: as asked for, or as `BATCHSIM_CHECKED` says."""
    if checked is not None:
        return bool(checked)
    return os.environ.get("BATCHSIM_CHECKED", "0") not in ("", "0")


class Guard:
    """Keeps the rows as they were, and finds the reason of a failure.

    Args:
        name: the environment's id.
        tile: the columns.
        interpreted: the same kernel of the reference backend.
    """

    def __init__(self, name: str, tile: Tile, interpreted: Callable[..., int]) -> None:
        self.name = name
        self.interpreted = interpreted
        self.columns = [a for field in CHANGED for a in flatten(getattr(tile, field))]
        self.saved = [column.copy() for column in self.columns]

    def save(self) -> None:
        """Copy the rows before a task begins."""
        for column, copy in zip(self.columns, self.saved, strict=True):
            np.copyto(copy, column)

    def explain(self, tile: Tile, task: int) -> Exception:
        """Put the rows back; return the error to raise, with the row, the step and the place."""
        for column, copy in zip(self.columns, self.saved, strict=True):
            np.copyto(column, copy)
        row = int(tile.settings.row[0])
        what = "its reset" if task == kernels.RESET else f"step {int(tile.elapsed[row]) + 1}"
        where, cause = self._find(tile, task, row)
        error = RuntimeError(
            f"{self.name} failed in row {row}, {what} of its episode{where}; no row was changed."
        )
        error.__cause__ = cause
        return error

    def _find(self, tile: Tile, task: int, row: int) -> tuple[str, Exception | None]:
        try:
            self.interpreted(_only(tile, row), task, 0, 1)
        except Exception as cause:
            # The last place outside of NumPy and of what is below the environment's functions.
            frames = traceback.extract_tb(cause.__traceback__)
            own = [frame for frame in frames if frame.filename not in _LOOPS]
            if own:
                place = f"{own[-1].filename}:{own[-1].lineno}: `{own[-1].line}`"
                return f", at {place}: {cause}", cause
            return f": {cause}", cause
        return ", for a reason that plain Python does not see", None


_LOOPS = {kernels.__file__, __file__}


def _only(tile: Tile, row: int) -> Tile:
    """Return a tile of copies of one row."""

    def cut(nested: Any) -> Any:
        if isinstance(nested, np.ndarray):
            return nested[row : row + 1].copy()
        members = [cut(member) for member in nested]
        return type(nested)(*members) if hasattr(nested, "_fields") else tuple(members)

    return Tile(
        **{
            name: nested if name in SHARED else cut(nested)
            for name, nested in tile._asdict().items()
        }
    )
