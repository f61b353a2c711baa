"""Ranges of values, for an environment's `check_state`."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["require_between"]


def require_between(name: str, values: Any, low: Any, high: Any) -> None:
    """Raise ValueError, naming the first one, unless all values are in a range.

    Args:
        name: of the column.
        values: a number, or an array of any shape; NaN is in no range.
        low, high: the bounds, both allowed; numbers, or arrays that go with the values.

    Example:
        >>> require_between("cell", np.array([3, 48]), 0, 47)
        Traceback (most recent call last):
        ...
        ValueError: cell is 48; expected from 0 to 47.
    """
    values = np.asarray(values)
    fits = (values >= low) & (values <= high)
    if np.count_nonzero(fits) < fits.size:  # Of few values, `all` would take the most time.
        place = np.unravel_index(int(np.argmin(fits)), fits.shape)
        shown = (np.broadcast_to(numbers, fits.shape)[place] for numbers in (values, low, high))
        raise ValueError("{} is {}; expected from {} to {}.".format(name, *shown))
