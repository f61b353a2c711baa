"""A definition's columns as their author declares them: dtypes, shapes, what they hold at first.

A shape may depend on what the caller of an environment gives: then `column` declares it, and a
batch's parameters and arguments decide it.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

__all__ = ["Column", "Sized", "can_be_compiled", "column", "read_column", "require_memory"]

FAST_DTYPES = {np.dtype(np.float64): np.dtype(np.float32)}
"""What `fast` precision stores in place of each dtype; others stay as they are."""


@dataclass(frozen=True)
class Sized:
    """An annotation that `column` made."""

    element: np.dtype[Any]
    extents: tuple[int | str, ...] | Callable[[Any], Any]
    """Whole numbers and names of parameters or arguments; or a function of `p`."""

    def __repr__(self) -> str:
        shape = getattr(self.extents, "__name__", repr(self.extents))
        return f"column({self.element}, {shape})"

    @property
    def names(self) -> list[str]:
        """The parameters and arguments that are named."""
        return [] if callable(self.extents) else [k for k in self.extents if isinstance(k, str)]


def column(dtype: Any, shape: Any = ()) -> Any:
    """Return the annotation of a column that holds several values a row.

    Args:
        dtype: of one value: float, int, bool, np.int8 and the like.
        shape: of what a row holds: a whole number or a tuple of them, from 1, each of which may be
            the name of a whole-number parameter or argument; or a function of `p`, which has
            parameters, arguments and tables, that returns such numbers.

    Raises:
        TypeError: for another dtype or shape.
        ValueError: for an extent below 1.

    Example:
        >>> from typing import NamedTuple
        >>> import batchsim, numpy as np
        >>> class State(NamedTuple):
        ...     board: batchsim.column(np.int8, ("size", "size"))
        ...     queue: batchsim.column(int, lambda p: p.size * p.size)
    """
    element = None if dtype is None else _dtype(dtype)
    if element is None or element.shape or not can_be_compiled(element):
        raise TypeError(
            f"The dtype of the column is {dtype!r}; expected that of one value, such as float, "
            "int, bool or np.int8."
        )
    if callable(shape):
        return Sized(element, shape)
    extents = (shape,) if isinstance(shape, (str, int, np.integer)) else shape
    if not isinstance(extents, (tuple, list)) or not all(
        isinstance(extent, str) or _is_whole(extent) for extent in extents
    ):
        raise TypeError(
            f"The shape of the column is {shape!r}; expected whole numbers and names of parameters "
            'or arguments, such as ("size", 2), or a function of p.'
        )
    for extent in extents:
        if not isinstance(extent, str) and extent < 1:
            raise ValueError(
                f"The shape of the column is {shape!r}; expected numbers of at least 1."
            )
    return Sized(element, tuple(k if isinstance(k, str) else int(k) for k in extents))


def _dtype(annotation: Any) -> np.dtype[Any] | None:
    try:
        found: np.dtype[Any] = np.dtype(annotation)
    except TypeError:
        return None
    return found


def _is_whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def can_be_compiled(dtype: np.dtype[Any]) -> bool:
    """Whether compiled code can compute with numbers of a dtype."""
    return dtype.isnative and (dtype.kind in "iub" or dtype in (np.float32, np.float64))


@dataclass(frozen=True)
class Column:
    """One field of `State`, `Scratch` or `Info`: an array (N, *shape)."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    """One element, where it is declared, until parameters and arguments decide it."""
    default: bool | int | float | None = None
    """What every element holds before the first reset; None, which is zero, if nobody says."""
    declared: Sized | None = None

    def with_precision(self, precision: str) -> Column:
        """Return the column as stored in `precision`."""
        if precision == "fast":
            return replace(self, dtype=FAST_DTYPES.get(self.dtype, self.dtype))
        return self

    def sized(self, p: Any, where: str) -> Column:
        """Return the column with the shape that `p` decides.

        Args:
            p: parameters, arguments and tables as attributes.
            where: whose shape it is, for messages.

        Raises:
            TypeError: if the shape is no whole numbers, or cannot be computed.
            ValueError: if one is below 1, or the function refuses what it is given.
        """
        if self.declared is None:
            return self
        extents = self.declared.extents
        if callable(extents):
            try:
                found = extents(p)
            except ValueError as error:
                raise ValueError(f"{where} has no shape: {_sentence(error)}") from error
            except Exception as error:
                raise TypeError(
                    f"The function for the shape of {where} raises {type(error).__name__}: "
                    f"{_sentence(error)}"
                ) from error
            found = (found,) if isinstance(found, (int, np.integer)) else found
        else:
            found = tuple(getattr(p, k) if isinstance(k, str) else k for k in extents)
        if not isinstance(found, (tuple, list)) or not all(map(_is_whole, found)):
            raise TypeError(f"{where} gets the shape {found!r}; expected whole numbers.")
        shape = tuple(map(int, found))
        if any(extent < 1 for extent in shape):
            raise ValueError(f"{where} gets the shape {shape}; expected numbers of at least 1.")
        return replace(self, shape=shape)


def _sentence(error: Exception) -> str:
    return f"{str(error).rstrip('.')}."


def read_column(annotation: Any, where: str, defaults: Sequence[Any] = ()) -> Column:
    """Return the column that a field declares.

    Args:
        annotation: the field's.
        where: the field, for messages.
        defaults: its default value, if it has one.

    Raises:
        TypeError, ValueError: if one of the two is not what the contract asks for.
    """
    if isinstance(annotation, Sized):
        extents = annotation.extents
        shape = (1,) if callable(extents) or annotation.names else extents
        found = Column(annotation.element, shape, declared=annotation)  # type: ignore[arg-type]
    else:
        found = _plain_column(annotation, where)
    for default in defaults:
        found = replace(found, default=_read(default, found.dtype, where))
    return found


def _plain_column(annotation: Any, where: str) -> Column:
    try:
        dtype = np.dtype(annotation)
    except TypeError as error:
        raise TypeError(
            f"{where} is annotated {annotation!r}; expected a dtype such as float, int, bool or "
            "np.int8, or (dtype, shape)."
        ) from error
    if not can_be_compiled(dtype.base):
        raise TypeError(
            f"{where} has dtype {dtype.base}; expected bool, float32, float64 or an integer, a "
            "number in this machine's order of bytes."
        )
    return Column(dtype.base, dtype.shape)


def _read(default: Any, dtype: np.dtype[Any], where: str) -> bool | int | float:
    """Return a column's default as Python's number or truth value."""
    is_bool = isinstance(default, (bool, np.bool_))
    number = isinstance(default, (int, float, np.integer, np.floating)) and not is_bool
    if dtype.kind == "b":
        fits, expected = is_bool, "True or False"
    elif dtype.kind == "f":
        fits, expected = number, "a number"
    else:
        fits, expected = number and _is_whole(default), "a whole number"
    if not fits:
        raise TypeError(f"The default of {where} is {default!r}; expected {expected}.")
    if dtype.kind == "b":
        return bool(default)
    limits: Any = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    kind: Any = float if dtype.kind == "f" else int
    # As Python's numbers: NumPy would round what they are compared with.
    low, high = kind(limits.min), kind(limits.max)
    is_finite = default == default and default not in (np.inf, -np.inf)
    if low <= default <= high or not is_finite:
        return kind(default)  # type: ignore[no-any-return]
    raise ValueError(
        f"The default of {where} is {default!r}; expected {expected} of {dtype}, from {low} to "
        f"{high}."
    )


def require_memory(columns: Mapping[str, Column], num_envs: int) -> None:
    """Raise ValueError if the columns of so many environments are beyond this machine's memory.

    Args:
        columns: by the names that messages give them.
        num_envs: N.
    """
    total, most = 0, _memory()
    for where, one in columns.items():
        size = math.prod(one.shape) * one.dtype.itemsize * num_envs
        total += size
        if total > most:
            raise ValueError(
                f"{where} gets the shape {one.shape}, {_gigabytes(size)} for {num_envs:,} "
                f"environments; expected what fits into this machine's memory, {_gigabytes(most)}."
            )


def _gigabytes(size: int) -> str:
    number = size / 10**9
    return f"{number:,.1f} GB" if number < 10**6 else f"{number:.1e} GB"


def _memory() -> int:
    """Return how many bytes of memory the machine has, where that can be known."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return sys.maxsize
