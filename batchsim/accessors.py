"""The common kinds of attributes that a definition names in `ATTRIBUTES`.

Those are what scripts read and write on an object of the original class, besides parameters and
columns: of each how it is read from a row, (s, i, p) -> value, or a pair of that and of how it is
written, (s, i, p, value) -> None. They run in plain Python.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from batchsim.values import is_whole

__all__ = ["number", "of_original", "vector"]

Get = Callable[..., Any]
Set = Callable[..., None]


def vector(*columns: str, derive: Callable[[Any, int], None] | None = None) -> tuple[Get, Set]:
    """Return an attribute that is an array of one element a column, float64.

    Args:
        columns: their names.
        derive: (s, i), called once they were written: computes the columns that follow from them.
    """

    def get(s: Any, i: int, p: Any) -> npt.NDArray[np.float64]:
        return np.array([getattr(s, name)[i] for name in columns], np.float64)

    def write(s: Any, i: int, p: Any, value: Any) -> None:
        given = np.asarray(value, np.float64)
        if given.shape != (len(columns),):
            raise ValueError(f"It has shape {given.shape}; expected ({len(columns)},).")
        for name, element in zip(columns, given.tolist(), strict=True):
            getattr(s, name)[i] = element
        if derive is not None:
            derive(s, i)

    return get, write


def number(column: str) -> tuple[Get, Set]:
    """Return an attribute that is a column of whole numbers under another name, an int."""

    def get(s: Any, i: int, p: Any) -> int:
        return int(getattr(s, column)[i])

    def write(s: Any, i: int, p: Any, value: Any) -> None:
        if not is_whole(value):
            raise TypeError(f"It is {value!r}; expected a whole number.")
        getattr(s, column)[i] = value

    return get, write


def of_original(
    entry_point: str, settings: Callable[[Any], Mapping[str, Any]], names: str
) -> dict[str, Get]:
    """Return attributes that are those of an object of the original class.

    Args:
        entry_point: the class, `module:Class`, imported when one of them is first read.
        settings: what the object is made with, from `p`; objects are kept by it.
        names: of the attributes, separated by spaces.
    """

    @functools.lru_cache(maxsize=64)
    def make(items: tuple[tuple[str, Any], ...]) -> Any:
        module, _, name = entry_point.partition(":")
        return getattr(importlib.import_module(module), name)(**dict(items))

    def reader(name: str) -> Get:
        def read(s: Any, i: int, p: Any) -> Any:
            plain = {
                key: value.item() if isinstance(value, np.generic) else value
                for key, value in settings(p).items()
            }
            return getattr(make(tuple(plain.items())), name)

        return read

    return {name: reader(name) for name in names.split()}
