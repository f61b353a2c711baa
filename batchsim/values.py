"""Values of parameters and reset options: one for all rows of a batch, or an array of one a row."""

from __future__ import annotations

import math
import numbers
import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin

import numpy as np

__all__ = [
    "LARGEST",
    "batch_parameter",
    "is_same",
    "is_time_limit",
    "is_whole",
    "read_scalar",
    "read_value",
    "require_kinds",
]


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number of Python's or NumPy's, and no truth value."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def is_time_limit(value: Any) -> bool:
    """Whether a value is a positive whole number of 64 bits."""
    return is_whole(value) and 0 < value <= LARGEST


def read_value(what: str, value: Any, default: Any, num_envs: int) -> Any:
    """Return `value` with the type of `default`: one for all rows, or an array of one a row."""
    extent = (len(default),) if isinstance(default, tuple) else ()
    try:
        depth = np.ndim(value)
    except ValueError:
        depth = -1  # Ragged.
    if isinstance(value, (np.ndarray, list, tuple)) and depth > len(extent):
        dtype = np.dtype(float if extent else type(default))
        array = np.asarray(value)
        if array.shape != (num_envs, *extent):
            one = f"{extent[0]} numbers" if extent else "a scalar"
            raise ValueError(
                f"The {what} has shape {array.shape}; expected {one} or an array of shape "
                f"{(num_envs, *extent)}, one value an environment."
            )
        if array.dtype.kind not in _KINDS[dtype.kind]:
            raise TypeError(f"The {what} has dtype {array.dtype}; expected {dtype}.")
        if array.dtype.kind == "f" and np.isnan(array).any():
            row = int(np.argwhere(np.isnan(array))[0, 0])
            raise ValueError(f"The {what} is NaN in row {row}; expected a number.")
        if array.dtype.kind == "u" and (array > LARGEST).any():
            row = int(np.argwhere(array > LARGEST)[0, 0])
            raise ValueError(f"The {what} is {array[row]} in row {row}; expected below 2**63.")
        values = np.array(array, dtype, order="C")
        values.flags.writeable = False  # Whoever wrote to it would change nothing.
        return values
    if extent:
        if depth != 1 or len(value) != extent[0]:
            raise ValueError(
                f"The {what} is {value!r}; expected {extent[0]} numbers or an array of shape "
                f"{(num_envs, *extent)}, one row an environment."
            )
        return tuple(read_scalar(what, member, 0.0) for member in value)
    return read_scalar(what, value, default)


def is_same(value: Any, default: Any) -> bool:
    """Whether a parameter is its default, bit for bit; one that differs by row is not."""
    if isinstance(value, tuple):
        return all(map(is_same, value, default))
    if isinstance(value, np.ndarray) or value != default:
        return False
    return not isinstance(value, float) or math.copysign(1.0, value) == math.copysign(1.0, default)


LARGEST = np.iinfo(np.int64).max
_KINDS = {"f": "fiu", "i": "iu", "b": "b"}


def read_scalar(what: str, value: Any, default: Any) -> bool | int | float:
    """Return a value of the kind of its default: True or False, a whole number, or a number.

    Args:
        what: how an error names it.
        value: what was given.
        default: of that kind.

    Raises:
        TypeError: if it is of another kind.
    """
    if isinstance(value, np.ndarray):
        value = value[()]
    if isinstance(default, bool):
        if isinstance(value, (bool, np.bool_)):
            return bool(value)
        raise TypeError(f"The {what} is {value!r}; expected True or False.")
    is_bool = isinstance(value, (bool, np.bool_))
    if isinstance(default, int):
        if isinstance(value, numbers.Integral) and not is_bool:
            whole = int(value)
            if not -LARGEST - 1 <= whole <= LARGEST:
                raise ValueError(f"The {what} is {whole}; expected a number of 64 bits.")
            return whole
        raise TypeError(f"The {what} is {value!r}; expected a whole number.")
    if isinstance(value, numbers.Real) and not is_bool:
        number = float(value)
        if math.isnan(number):
            raise ValueError(f"The {what} is NaN; expected a number.")
        return number
    raise TypeError(f"The {what} is {value!r}; expected a number.")


def require_kinds(given: Mapping[str, Any], annotations: Mapping[str, Any]) -> None:
    """Require arguments that are annotated as a number or a truth value, or None, to be one.

    Raises:
        TypeError: if one is of another kind.
    """
    for name, value in given.items():
        annotation = annotations.get(name)
        is_union = get_origin(annotation) in (types.UnionType, Union)
        kinds = list(get_args(annotation)) if is_union else [annotation]
        if types.NoneType in kinds:
            if value is None:
                continue
            kinds.remove(types.NoneType)
        if len(kinds) == 1 and kinds[0] in (bool, int, float):
            read_scalar(f"argument {name!r}", value, kinds[0]())


def batch_parameter(value: Any, row: int) -> Any:
    """Return what row `row` has of a parameter given for all rows or as an array."""
    if not isinstance(value, np.ndarray):
        return value
    return value[row].item() if value.ndim == 1 else tuple(value[row].tolist())
