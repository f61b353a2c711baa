"""What the numbers of an action are, which decides what NumPy computes from them.

Of a `Box` of float32, upstream's environments compute with what they are given: a float32 stays one
when it meets a Python number, a float64 makes a float64 of all that it meets, and a Python number
out of a list is rounded to what it meets (NEP 50). Here each kind has a kernel of its own, made
when such actions first come; in it `action` has that dtype.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["LISTED", "OWN", "WIDE", "are_listed", "dtypes_of"]

OWN = 0
"""Of the action space's dtype; in fast precision all are."""
WIDE = 1
"""Of float64, where the space is of other floating-point numbers."""
LISTED = 2
"""Python's numbers, in float64."""


def are_listed() -> bool:
    """Return whether the actions of this step are Python's numbers, out of a list.

    For the environment's `step`, in exact precision: `action` is of float64 then. Only where NumPy
    would round the action to another number's float32 does it make a difference.
    """
    return False


def listed() -> bool:
    """Return what `are_listed` does in a kernel for listed actions."""
    return True


def dtypes_of(actions: Any) -> set[Any]:
    """Return the dtypes of what nested lists hold, None for Python's numbers."""
    if isinstance(actions, (list, tuple)):
        return set().union(*map(dtypes_of, actions))
    # NumPy's float64 is one of Python's floats.
    if isinstance(actions, (bool, int, float)) and not isinstance(actions, np.generic):
        return {None}
    return {np.asarray(actions).dtype}
