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

from batchsim.batch.checks import Checks
from batchsim.compiler import kernels
from batchsim.compiler.kernels import Tile
from batchsim.compiler.layouts import cut_rows, flatten

__all__ = ["Guard", "wanted"]

Array = npt.NDArray[Any]

CHANGED = ("state", "rng", "elapsed", "pending", "frames", "episode")
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
        seeds: the rows' seeds, (N,).
        checks: phrase which row it was.
    """

    def __init__(
        self,
        name: str,
        tile: Tile,
        seeds: Array,
        checks: type[Checks],
    ) -> None:
        self.name = name
        self.checks = checks
        self.columns = [seeds, *(a for field in CHANGED for a in flatten(getattr(tile, field)))]
        self.kept: list[Array] = []
        self.begun: list[Array] = []

    def begin(self, kept: list[Array] | None = None) -> None:
        """Copy the rows before a task begins.

        Args:
            kept: `copies` of the rows from before they were prepared for the task: what to put back
                should it fail, if not what they are now.
        """
        self.begun = self.copies()
        self.kept = self.begun if kept is None else kept

    def copies(self) -> list[Array]:
        """Return copies of all that a task changes."""
        return [column.copy() for column in self.columns]

    def _put_back(self, copies: list[Array]) -> None:
        for column, copy in zip(self.columns, copies, strict=True):
            np.copyto(column, copy)

    def explain(self, tile: Tile, task: int, interpreted: Callable[..., int]) -> Exception:
        """Put the rows back; return the error to raise, with the row, the step and the place.

        Args:
            tile: the columns, with the arrays of this call.
            task: what failed.
            interpreted: the same kernel of the reference backend.
        """
        self._put_back(self.begun)
        row = int(tile.settings.row[0])
        what = "the reset" if task == kernels.RESET else f"step {int(tile.elapsed[row]) + 1}"
        where, cause = self._find(tile, task, row, interpreted)
        self._put_back(self.kept)
        in_row = self.checks.in_row(row)
        error = RuntimeError(
            f"{self.name} failed in {in_row}{what} of its episode{where}; no row was changed."
        )
        error.__cause__ = cause
        return error

    def _find(
        self, tile: Tile, task: int, row: int, interpreted: Callable[..., int]
    ) -> tuple[str, Exception | None]:
        try:
            # Copies: it must leave no trace.
            one = cut_rows(tile, lambda column: column[row : row + 1].copy())
            interpreted(one, task, 0, 1)
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
