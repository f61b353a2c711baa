"""An environment's definition: the names of the author's contract, read once and checked.

A definition is any namespace (a module here, a module or a class in a user's project) with `State`,
`ACTION`, `OBSERVATION`, `reset`, `step` and `observe`, and optionally `Params`, `Options`,
`Arguments`, `settle` and `tables`, `Info` and `inform`, and `Scratch`; see `docs/contract.md`.
"""

from __future__ import annotations

import collections
import copy
import difflib
import functools
import importlib
import inspect
import math
import numbers
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Space

__all__ = [
    "OF_BATCHES",
    "OF_COMPILER",
    "Column",
    "CompileError",
    "Definition",
    "batch_parameter",
    "is_same",
    "is_whole",
    "record",
    "suggest",
]

Array = npt.NDArray[Any]

FAST_DTYPES = {np.dtype(np.float64): np.dtype(np.float32)}
"""What `fast` precision stores in place of each dtype; others stay as they are."""

OF_BATCHES = {
    "autoreset_mode",
    "backend",
    "checked",
    "clip_actions",
    "definition",
    "frame_stack",
    "id",
    "max_episode_steps",
    "num_envs",
    "num_threads",
    "precision",
    "record_episode_statistics",
    "render_mode",
    "text_mode",
}
"""Arguments of `BatchEnv` and `make_vec`, which no parameter can be called."""

OF_RESETS = {"reset_mask"}
"""Gymnasium's own reset options."""

OF_INFOS = {"episode", "final_info", "final_obs"}
"""Gymnasium's own infos."""

OF_COMPILER = {"view"}
"""What Numba takes for a method of arrays, whatever has an attribute of the name."""


class CompileError(TypeError):
    """An environment's functions cannot be compiled; the message says where and what to write."""

    compiler_error: Exception | None = None
    """What the compiler raised."""


@functools.cache
def record(name: str, fields: tuple[str, ...], scratch: tuple[str, ...] = ()) -> Any:
    """Return the namedtuple class of these fields, of which `scratch` are those of `Scratch`.

    There is one class a field set: Numba has a type for each class, and a process many batches.
    """
    made = cast(Any, collections.namedtuple)(name, fields)
    made._scratch = scratch  # No field can have this name.
    return made


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number of Python's or NumPy's, and no truth value."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def suggest(name: str, known: Iterable[str]) -> str:
    """Return " (did you mean …?)" with the known name nearest to `name`, or the empty string."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean {near[0]!r}?)" if near else ""


@dataclass(frozen=True)
class Column:
    """One field of `State`, `Scratch` or `Info`: an array (N, *shape)."""

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
    if not _can_be_compiled(dtype.base):
        raise TypeError(
            f"{where} has dtype {dtype.base}; expected bool, float32, float64 or an integer, a "
            "number in this machine's order of bytes."
        )
    return Column(dtype.base, dtype.shape)


def _can_be_compiled(dtype: np.dtype[Any]) -> bool:
    return dtype.isnative and (dtype.kind in "iub" or dtype in (np.float32, np.float64))


def _fields(cls: Any, where: str) -> tuple[str, ...]:
    fields: tuple[str, ...] | None = getattr(cls, "_fields", None)
    if fields is None:
        raise TypeError(f"{where} is {cls!r}; expected a class with NamedTuple as its base.")
    return fields


def _annotations(cls: Any, where: str) -> dict[str, Any]:
    """Return the annotations of a NamedTuple's fields, those given as text evaluated."""
    if set(_fields(cls, where)) - set(getattr(cls, "__annotations__", {})):
        raise TypeError(f"{where} is {cls!r}; expected an annotation for every field.")
    names = vars(sys.modules[cls.__module__])
    found = {}
    for field in cls._fields:
        annotation = cls.__annotations__[field]
        text = getattr(annotation, "__forward_arg__", annotation)
        try:
            found[field] = eval(text, names) if isinstance(text, str) else annotation
        except (AttributeError, NameError, SyntaxError, TypeError) as error:
            raise TypeError(
                f"The field {field} of {where} is annotated {text!r}; expected names of its "
                f"module ({error})."
            ) from error
    return found


def _defaults(cls: Any, where: str) -> dict[str, Any]:
    """Return the fields' default values, with the types of the annotations."""
    defaults = {}
    for name, annotation in _annotations(cls, where).items():
        if name not in cls._field_defaults:
            raise TypeError(f"{where}.{name} has no default value; every field needs one.")
        value = cls._field_defaults[name]
        if isinstance(value, tuple):
            value = tuple(_read_scalar(f"default of {where}.{name}", k, 0.0) for k in value)
        elif annotation in (float, int, bool):
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
        self.columns = self._read_columns("State")
        self.scratch = self._read_columns("Scratch")
        self._refuse_shared(self.columns, "State", self.scratch, "Scratch")
        self.Columns: Any = self.State
        if self.scratch:
            scratch = tuple(self.scratch)
            self.Columns = record("Columns", (*self.columns, *scratch), scratch)
        self.info = self._read_columns("Info")
        self.inform: Callable[..., Any] | None = getattr(namespace, "inform", None)
        if bool(self.info) != bool(self.inform):
            raise TypeError(
                f"The definition of {name} has only one of Info and inform; it needs both, the "
                "fields and the function that writes them, or neither."
            )
        self.info_at_reset = self._read_info_at_reset()
        self.attributes = self._read_attributes()
        self.reward_type: Callable[..., Any] = getattr(namespace, "REWARD_TYPE", float)
        self.clips_actions: bool = getattr(namespace, "CLIPS_ACTIONS", False)
        # Asked for once: a module takes its time to say that it has no such name.
        self.state_check: Callable[..., Any] | None = getattr(namespace, "check_state", None)
        self.params = self._read_defaults("Params")
        self.options = self._read_defaults("Options")
        self._refuse_shared(self.params, "Params", self.options, "Options")
        self.arguments = self._read_arguments()
        self._refuse_shared(self.params, "Params", self.arguments, "Arguments")
        self._refuse_shared(self.options, "Options", self.arguments, "Arguments")
        self._refuse_reserved()

    def _read_columns(self, part: str) -> dict[str, Column]:
        cls = getattr(self.namespace, part, None)
        if cls is None:
            return {}
        return {
            field: _column(annotation, f"{part}.{field} of {self.name}")
            for field, annotation in _annotations(cls, f"{part} of {self.name}").items()
        }

    def _read_defaults(self, part: str) -> dict[str, Any]:
        cls = getattr(self.namespace, part, None)
        return {} if cls is None else _defaults(cls, part)

    def _read_arguments(self) -> dict[str, Any]:
        cls = getattr(self.namespace, "Arguments", None)
        if cls is None:
            return {}
        # Their annotations are the author's own affair.
        for field in _fields(cls, f"Arguments of {self.name}"):
            if field not in cls._field_defaults:
                raise TypeError(
                    f"Arguments.{field} of {self.name} has no default value; every field needs one."
                )
        return dict(cls._field_defaults)

    def _read_info_at_reset(self) -> dict[str, np.dtype[Any]]:
        given = getattr(self.namespace, "INFO_AT_RESET", {})
        for field in given:
            if field not in self.info:
                raise TypeError(
                    f"INFO_AT_RESET of {self.name} names {field!r}{suggest(field, self.info)}; "
                    f"expected a field of Info: {', '.join(self.info) or 'none'}."
                )
        return {field: np.dtype(dtype) for field, dtype in given.items()}

    def _read_attributes(self) -> dict[str, tuple[Callable[..., Any], Callable[..., None] | None]]:
        found = {}
        for name, functions in getattr(self.namespace, "ATTRIBUTES", {}).items():
            pair = functions if isinstance(functions, tuple) else (functions, None)
            if (
                len(pair) != 2
                or not callable(pair[0])
                or not (pair[1] is None or callable(pair[1]))
            ):
                raise TypeError(
                    f"ATTRIBUTES of {self.name} has {functions!r} for {name!r}; expected a "
                    "function (s, i, p) -> value, or a pair of it and a function (s, i, p, value)."
                )
            found[name] = pair
        return found

    def _refuse_shared(
        self, one: Mapping[str, Any], part: str, other: Mapping[str, Any], part_of_other: str
    ) -> None:
        for field in one:
            if field in other:
                raise TypeError(
                    f"{field!r} is a field of both {part} and {part_of_other} of {self.name}."
                )

    def _refuse_reserved(self) -> None:
        for part, fields, names in (
            ("State", self.columns, OF_COMPILER),
            ("Scratch", self.scratch, OF_COMPILER),
            ("Params", self.params, OF_BATCHES | OF_COMPILER),
            ("Arguments", self.arguments, OF_BATCHES),
            ("Options", self.options, OF_RESETS | OF_COMPILER),
            ("Info", self.info, OF_INFOS | OF_COMPILER),
        ):
            for field in fields:
                if field in names:
                    raise TypeError(
                        f"{part}.{field} of {self.name} has a name with a meaning of its own in "
                        "batchsim, Gymnasium or the compiler; choose another."
                    )

    def __reduce__(self) -> tuple[Any, ...]:
        # A module cannot be pickled, but its name can.
        if inspect.ismodule(self.namespace):
            return _from_module, (self.namespace.__name__, self.name)
        return Definition, (self.namespace, self.name)

    def read_params(self, given: Mapping[str, Any], num_envs: int) -> dict[str, Any]:
        """Return all parameters: defaults and `given`, each a scalar or an array (num_envs,).

        A field whose default is a tuple of k numbers is a tuple or an array (num_envs, k).
        """
        known = {**self.params, **self.arguments}
        for name in given:
            if name not in known:
                # The beginning is Python's own, by which others know that they may do without.
                raise TypeError(
                    f"{self.name} got an unexpected keyword argument {name!r}"
                    f"{suggest(name, (*known, *OF_BATCHES))}; its parameters are: "
                    f"{', '.join(known) or 'none'}."
                )
        values = self._read("parameter", known, given, num_envs)
        return {name: values[name] for name in self.params}

    def read_arguments(self, given: Mapping[str, Any]) -> Any:
        """Return `Arguments` with the defaults and `given`, or an empty tuple if there is none.

        What the environment draws at random is settled here (its `settle`), so that a batch and its
        copies, which are made from the same arguments, have the same tables.
        """
        if not self.arguments:
            return ()
        # Copied: copies of a batch are made from them, whatever the caller does to its own.
        chosen = {name: copy.deepcopy(given[name]) for name in self.arguments if name in given}
        arguments = self.namespace.Arguments(**chosen)
        settle = getattr(self.namespace, "settle", None)
        return arguments if settle is None else settle(arguments)

    def make_tables(self, arguments: Any) -> dict[str, Array]:
        """Return the read-only arrays that the functions see beside the parameters.

        Raises:
            TypeError: if `tables` returns anything but a NamedTuple of arrays of numbers or bool.
            ValueError: if `tables` refuses the arguments.
        """
        function = getattr(self.namespace, "tables", None)
        if function is None:
            return {}
        made = function(arguments)
        if not hasattr(made, "_asdict"):
            raise TypeError(
                f"tables of {self.name} returned {made!r}; expected a NamedTuple of NumPy arrays."
            )
        found = {}
        for name, value in made._asdict().items():
            if not isinstance(value, np.ndarray) or not value.size:
                raise TypeError(
                    f"The table {name!r} of {self.name} is {value!r}; expected a NumPy array of "
                    "numbers or bool with at least one element."
                )
            if not _can_be_compiled(value.dtype):
                raise TypeError(
                    f"The table {name!r} of {self.name} has dtype {value.dtype}; expected bool, "
                    "float32, float64 or an integer, in this machine's order of bytes."
                )
            table = np.array(value, order="C", ndmin=1)
            table.flags.writeable = False
            found[name] = table
        others = {**self.params, **self.options, **self.arguments}
        self._refuse_shared(found, "tables", others, "Params, Options or Arguments")
        return found

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """Return what the functions see as `p`: these values, and options at their defaults."""
        every = {**values, **self.options}
        return record("Parameters", tuple(every))(**every)

    def read_options(self, given: Mapping[str, Any], num_envs: int) -> dict[str, Any]:
        """Return all reset options: defaults and `given`, each a scalar or an array (num_envs,)."""
        known = {}
        for name, value in given.items():
            if name in self.options:
                known[name] = value
            else:
                # As Gymnasium's do. Mostly it is meant for a wrapper, or for another environment.
                gymnasium.logger.warn(
                    f"{self.name} has no reset option {name!r}"
                    f"{suggest(name, (*self.options, *OF_RESETS))}, which "
                    f"is ignored; its reset options are: {', '.join(self.options) or 'none'}."
                )
        return self._read("reset option", self.options, known, num_envs)

    def _read(
        self, kind: str, defaults: Mapping[str, Any], given: Mapping[str, Any], num_envs: int
    ) -> dict[str, Any]:
        """Return `defaults` and `given`, all of which are among them."""
        values = dict(defaults)
        for name, value in given.items():
            if name not in self.arguments:
                values[name] = _read_value(f"{kind} {name!r}", value, defaults[name], num_envs)
        return values

    def check_params(self, values: Mapping[str, Any], num_envs: int) -> None:
        """Raise ValueError if the environment refuses these parameters (its `check_params`)."""
        check = getattr(self.namespace, "check_params", None)
        if check is None:
            return
        by_row = any(isinstance(value, np.ndarray) for value in values.values())
        for row in range(num_envs if by_row else 1):
            row_values = {name: batch_parameter(value, row) for name, value in values.items()}
            try:
                check(self.namespace.Params(**row_values))
            except ValueError as error:
                where = f" of row {row}" if by_row else ""
                raise ValueError(f"The parameters{where} do not fit: {error}") from error

    def check_options(self, values: Mapping[str, Any], num_envs: int) -> None:
        """Raise ValueError if the environment refuses these reset options (its `check_options`)."""
        by_row = any(isinstance(value, np.ndarray) for value in values.values())
        for row in range(num_envs if by_row else 1):
            where = f" of row {row}" if by_row else ""
            scalars = {name: batch_parameter(value, row) for name, value in values.items()}
            for name, value in scalars.items():
                if np.isinf(value).any():
                    raise ValueError(
                        f"The reset option {name!r}{where} is {value}; expected a finite number."
                    )
            check = getattr(self.namespace, "check_options", None)
            if check is not None:
                try:
                    check(self.namespace.Options(**scalars))
                except ValueError as error:
                    raise ValueError(f"The reset options{where} do not fit: {error}") from error

    def check_state(
        self, columns: Iterable[Array], values: Any, by_row: Mapping[str, Array]
    ) -> None:
        """Raise ValueError if the environment, which has a `check_state`, refuses what rows hold.

        Args:
            columns: those of `State`, (rows, …).
            values: what its functions see as `p`, any row's.
            by_row: the parameters that differ by row, (rows, …).
        """
        check = self.state_check
        assert check is not None
        state = self.State(*[column.view() for column in columns])
        for column in state:
            column.flags.writeable = False  # It may be the caller's.
        try:
            check(state, values._replace(**by_row) if by_row else values)
        except ValueError as error:
            for row in range(len(state[0])):
                one = slice(row, row + 1)
                p = values._replace(**{name: value[one] for name, value in by_row.items()})
                try:
                    check(self.State(*(column[one] for column in state)), p)
                except ValueError as its_own:
                    raise ValueError(f"The state of row {row} does not fit: {its_own}") from its_own
            raise ValueError(f"The state does not fit: {error}") from error

    def spaces(self, values: Any) -> tuple[Space[Any], Space[Any]]:
        """Return the observation and the action space of an environment with these `parameters`."""
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
        if array.dtype.kind == "u" and (array > _LARGEST).any():
            row = int(np.argwhere(array > _LARGEST)[0, 0])
            raise ValueError(f"The {what} is {array[row]} in row {row}; expected below 2**63.")
        values = np.array(array, dtype)
        values.flags.writeable = False  # Whoever wrote to it would change nothing.
        return values
    if extent:
        if depth != 1 or len(value) != extent[0]:
            raise ValueError(
                f"The {what} is {value!r}; expected {extent[0]} numbers or an array of shape "
                f"{(num_envs, *extent)}, one row an environment."
            )
        return tuple(_read_scalar(what, member, 0.0) for member in value)
    return _read_scalar(what, value, default)


def is_same(value: Any, default: Any) -> bool:
    """Whether a parameter is its default, bit for bit; one that differs by row is not."""
    if isinstance(value, tuple):
        return all(map(is_same, value, default))
    if isinstance(value, np.ndarray) or value != default:
        return False
    return not isinstance(value, float) or math.copysign(1.0, value) == math.copysign(1.0, default)


_LARGEST = np.iinfo(np.int64).max
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
            whole = int(value)
            if not -_LARGEST - 1 <= whole <= _LARGEST:
                raise ValueError(f"The {what} is {whole}; expected a number of 64 bits.")
            return whole
        raise TypeError(f"The {what} is {value!r}; expected a whole number.")
    if isinstance(value, numbers.Real) and not is_bool:
        number = float(value)
        if math.isnan(number):
            raise ValueError(f"The {what} is NaN; expected a number.")
        return number
    raise TypeError(f"The {what} is {value!r}; expected a number.")


def batch_parameter(value: Any, row: int) -> Any:
    """Return what row `row` has of a parameter given for all rows or as an array."""
    if not isinstance(value, np.ndarray):
        return value
    return value[row].item() if value.ndim == 1 else tuple(value[row].tolist())
