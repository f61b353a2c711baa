"""An environment's definition: the names of the author's contract, read once and checked.

A definition is any namespace (a module here, a module or a class in a user's project) with `State`,
`ACTION`, `OBSERVATION`, `reset`, `step` and `observe`, and optionally `Params` and `Options`; see
`docs/architecture.md`.
"""

from __future__ import annotations

import collections
import difflib
import importlib
import inspect
import math
import numbers
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Space

__all__ = ["Column", "Definition", "suggest"]

FAST_DTYPES = {np.dtype(np.float64): np.dtype(np.float32)}
"""What `fast` precision stores in place of each dtype; others stay as they are."""


def suggest(name: str, known: Iterable[str]) -> str:
    """Return " (did you mean …?)" with the known name nearest to `name`, or the empty string."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean {near[0]!r}?)" if near else ""


@dataclass(frozen=True)
class Column:
    """One field of `State`: an array (N, *shape)."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def with_precision(self, precision: str) -> Column:
        """Return the column as stored in `precision`."""
        if precision == "fast":
            return Column(FAST_DTYPES.get(self.dtype, self.dtype), self.shape)
        return self


def _column(annotation: Any, where: str) -> Column:
    try:
        dtype = np.dtype(annotation)
    except TypeError as error:
        raise TypeError(
            f"{where} is annotated {annotation!r}; expected a dtype such as float, int, bool or "
            "np.int8, or (dtype, shape)."
        ) from error
    if dtype.base.kind not in "fiub":
        raise TypeError(f"{where} has dtype {dtype.base}; expected a number or bool.")
    return Column(dtype.base, dtype.shape)


def _annotations(cls: Any) -> dict[str, Any]:
    """Return the annotations of a NamedTuple's fields, those given as text evaluated."""
    names = vars(sys.modules[cls.__module__])
    found = {}
    for field in cls._fields:
        annotation = cls.__annotations__[field]
        text = getattr(annotation, "__forward_arg__", annotation)
        found[field] = eval(text, names) if isinstance(text, str) else annotation
    return found


def _defaults(cls: Any, where: str) -> dict[str, Any]:
    """Return the fields' default values, with the types of the annotations."""
    defaults = {}
    for name, annotation in _annotations(cls).items():
        if name not in cls._field_defaults:
            raise TypeError(f"{where}.{name} has no default value; every field needs one.")
        value = cls._field_defaults[name]
        if annotation in (float, int, bool):
            value = _read_scalar(f"default of {where}.{name}", value, annotation())
        defaults[name] = value
    return defaults


class Definition:
    """The parts of one environment, as its author wrote them.

    Args:
        namespace: module or class with the names of the author's contract.
        name: the environment's id, for messages.

    Raises:
        TypeError: if a name is missing or is not what the contract asks for.
    """

    def __init__(self, namespace: Any, name: str) -> None:
        self.namespace = namespace
        self.name = name
        for required in ("State", "ACTION", "OBSERVATION", "reset", "step", "observe"):
            if not hasattr(namespace, required):
                raise TypeError(
                    f"The definition of {name} has no {required}; it needs State, ACTION, "
                    "OBSERVATION, reset, step and observe."
                )
        self.doc: str = inspect.getdoc(namespace) or ""
        self.reset: Callable[..., Any] = namespace.reset
        self.step: Callable[..., Any] = namespace.step
        self.observe: Callable[..., Any] = namespace.observe
        self.State: Any = namespace.State
        self.columns: dict[str, Column] = {
            field: _column(annotation, f"State.{field} of {name}")
            for field, annotation in _annotations(self.State).items()
        }
        self.params: dict[str, Any] = (
            _defaults(namespace.Params, "Params") if hasattr(namespace, "Params") else {}
        )
        self.options: dict[str, Any] = (
            _defaults(namespace.Options, "Options") if hasattr(namespace, "Options") else {}
        )
        both = self.params.keys() & self.options.keys()
        if both:
            raise TypeError(f"{sorted(both)[0]!r} is a field of both Params and Options of {name}.")
        self.Parameters: Any = collections.namedtuple(  # type: ignore[misc]
            "Parameters", (*self.params, *self.options)
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # A module cannot be pickled, but its name can.
        if inspect.ismodule(self.namespace):
            return _from_module, (self.namespace.__name__, self.name)
        return Definition, (self.namespace, self.name)

    def read_params(self, given: Mapping[str, Any], num_envs: int) -> dict[str, Any]:
        """Return all parameters: defaults and `given`, each a scalar or an array (num_envs,)."""
        return self._read("parameter", "parameters", self.params, given, num_envs)

    def read_options(self, given: Mapping[str, Any], num_envs: int) -> dict[str, Any]:
        """Return all reset options: defaults and `given`, each a scalar or an array (num_envs,)."""
        return self._read("reset option", "reset options", self.options, given, num_envs)

    def _read(
        self,
        kind: str,
        kinds: str,
        defaults: dict[str, Any],
        given: Mapping[str, Any],
        num_envs: int,
    ) -> dict[str, Any]:
        values = dict(defaults)
        for name, value in given.items():
            if name not in defaults:
                takes = ", ".join(defaults) or "none"
                raise TypeError(
                    f"{self.name} has no {kind} {name!r}{suggest(name, defaults)}; "
                    f"its {kinds} are: {takes}."
                )
            values[name] = _read_value(f"{kind} {name!r}", value, defaults[name], num_envs)
        return values

    def check_options(self, values: Mapping[str, Any], num_envs: int) -> None:
        """Raise ValueError if the environment refuses these reset options (its `check_options`)."""
        by_row = any(isinstance(value, np.ndarray) for value in values.values())
        for row in range(num_envs if by_row else 1):
            where = f" of row {row}" if by_row else ""
            scalars = {name: batch_parameter(value, row) for name, value in values.items()}
            for name, value in scalars.items():
                if math.isinf(value):
                    raise ValueError(
                        f"The reset option {name!r}{where} is {value}; expected a finite number."
                    )
            check = getattr(self.namespace, "check_options", None)
            if check is not None:
                try:
                    check(self.namespace.Options(**scalars))
                except ValueError as error:
                    raise ValueError(f"The reset options{where} do not fit: {error}") from error

    def spaces(self, params: Mapping[str, Any]) -> tuple[Space[Any], Space[Any]]:
        """Return the observation and the action space of one environment with these scalars."""
        values = self.Parameters(**params, **self.options)
        found = []
        for name in ("OBSERVATION", "ACTION"):
            space = getattr(self.namespace, name)
            if not isinstance(space, Space) and callable(space):
                space = space(values)
            if not isinstance(space, Space):
                raise TypeError(
                    f"{name} of {self.name} is {space!r}; expected a gymnasium space or a function "
                    "of the parameters that returns one."
                )
            found.append(space)
        return found[0], found[1]


def _from_module(module: str, name: str) -> Definition:
    return Definition(importlib.import_module(module), name)


def _read_value(what: str, value: Any, default: Any, num_envs: int) -> Any:
    """Return `value` with the type of `default`: a scalar, or an array (num_envs,) of them."""
    if isinstance(value, (np.ndarray, list, tuple)) and np.ndim(value) > 0:
        dtype = np.dtype(type(default))
        array = np.asarray(value)
        if array.shape != (num_envs,):
            raise ValueError(
                f"The {what} has shape {array.shape}; expected a scalar or an array of shape "
                f"({num_envs},), one value an environment."
            )
        if array.dtype.kind not in _KINDS[dtype.kind]:
            raise TypeError(f"The {what} has dtype {array.dtype}; expected {dtype}.")
        if array.dtype.kind == "f" and np.isnan(array).any():
            row = int(np.flatnonzero(np.isnan(array))[0])
            raise ValueError(f"The {what} is NaN in row {row}; expected a number.")
        return np.array(array, dtype)
    return _read_scalar(what, value, default)


_KINDS = {"f": "fiu", "i": "iu", "b": "b"}


def _read_scalar(what: str, value: Any, default: Any) -> bool | int | float:
    if isinstance(value, np.ndarray):
        value = value[()]
    if isinstance(default, bool):
        if isinstance(value, (bool, np.bool_)):
            return bool(value)
        raise TypeError(f"The {what} is {value!r}; expected True or False.")
    is_bool = isinstance(value, (bool, np.bool_))
    if isinstance(default, int):
        if isinstance(value, numbers.Integral) and not is_bool:
            return int(value)
        raise TypeError(f"The {what} is {value!r}; expected a whole number.")
    if isinstance(value, numbers.Real) and not is_bool:
        number = float(value)
        if math.isnan(number):
            raise ValueError(f"The {what} is NaN; expected a number.")
        return number
    raise TypeError(f"The {what} is {value!r}; expected a number.")


def batch_parameter(value: Any, row: int) -> Any:
    """Return the scalar that row `row` has of a parameter given as a scalar or an array."""
    return value[row].item() if isinstance(value, np.ndarray) else value


Array = npt.NDArray[Any]
