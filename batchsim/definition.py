"""An environment's definition: the names of the author's contract, read once and checked.

A definition is any namespace (a module here, a module or a class in a user's project) with `State`,
`ACTION`, `OBSERVATION`, `reset`, `step` and `observe`, and optionally `Params`, `Options`,
`Arguments`, `settle`, `choose` and `tables`, `Info` and `inform`, `Scratch`, `RANDOM` and
`MAX_EPISODE_STEPS`; see `docs/contract.md`.
"""

from __future__ import annotations

import collections
import copy
import difflib
import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any, cast

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Space

from batchsim.columns import Column, can_be_compiled, read_column, require_memory
from batchsim.family import page_of, part_of
from batchsim.streams import GENERATOR, MODULES
from batchsim.values import (
    batch_parameter,
    is_time_limit,
    is_whole,
    read_scalar,
    read_value,
    require_kinds,
)

__all__ = [
    "OF_BATCHES",
    "OF_COMPILER",
    "CompileError",
    "Definition",
    "Noted",
    "names_read",
    "record",
    "suggest",
]

Array = npt.NDArray[Any]

TOGETHER = ("begin", "together", "finish", "LANES")
"""Names of a definition whose rows do a part of a step together, so many at a time."""

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
def record(name: str, fields: tuple[str, ...], marked: tuple[str, ...] = ()) -> Any:
    """Return the namedtuple class of these fields, of which some are marked for the compiler: of
    columns those of `Scratch`, of tables those that are used as whole arrays.

    There is one class a field set: Numba has a type for each class, and a process many batches.
    """
    made = cast(Any, collections.namedtuple)(name, fields)
    made._marked = marked  # No field can have this name.
    return made


def suggest(name: str, known: Iterable[str]) -> str:
    """Return " (did you mean …?)" with the known name nearest to `name`, or the empty string."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean {near[0]!r}?)" if near else ""


class Noted:
    """Values by name as attributes, which notes those that are read.

    What a definition's functions see as `p` where they are asked when a batch is made.
    """

    __slots__ = ("_read", "_values")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self._read: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # None is called so, and Python asks for some of its own.
            raise AttributeError(name)
        if name not in self._values:
            raise AttributeError(
                f"p has no {name!r}{suggest(name, self._values)}; it has "
                f"{', '.join(self._values) or 'nothing'}."
            )
        self._read.add(name)
        return self._values[name]


def names_read(p: Noted) -> frozenset[str]:
    """Return the names of what was read of `p` so far."""
    return frozenset(p._read)


def _fields(cls: Any, where: str) -> tuple[str, ...]:
    fields: tuple[str, ...] | None = getattr(cls, "_fields", None)
    if fields is None:
        raise TypeError(f"{where} is {cls!r}; expected a class with NamedTuple as its base.")
    return fields


def _annotations(cls: Any, where: str) -> dict[str, Any]:
    """Return the annotations of a NamedTuple's fields, those given as text evaluated."""
    if set(_fields(cls, where)) - set(getattr(cls, "__annotations__", {})):
        raise TypeError(f"{where} is {cls!r}; expected an annotation for every field.")
    found = {}
    for field in cls._fields:
        names = vars(sys.modules[part_of(cls, field).__module__])
        annotation = cls.__annotations__[field]
        text = getattr(annotation, "__forward_arg__", annotation)
        try:
            found[field] = eval(text, names) if isinstance(text, str) else annotation
        except (AttributeError, NameError, SyntaxError, TypeError, ValueError) as error:
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
            value = tuple(read_scalar(f"default of {where}.{name}", k, 0.0) for k in value)
        elif annotation in (float, int, bool):
            value = read_scalar(f"default of {where}.{name}", value, annotation())
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
        self.author: Any = namespace
        """What has the id, where its `choose` has chosen this namespace."""
        self.name = name
        for required in ("State", "ACTION", "OBSERVATION", "reset", "step", "observe"):
            if not hasattr(namespace, required):
                if isinstance(namespace, type) and issubclass(namespace, gymnasium.Env):
                    raise TypeError(
                        f"{name} is a class of gymnasium.Env; expected a definition, which "
                        "batchsim.convert makes of it (python -m batchsim convert)."
                    )
                raise TypeError(
                    f"The definition of {name} has no {required}; it needs State, ACTION, "
                    "OBSERVATION, reset, step and observe."
                )
        self.doc = page_of(namespace)
        for function in ("reset", "step", "observe", "inform"):
            if inspect.ismethod(getattr(namespace, function, None)):
                raise TypeError(
                    f"{function} of {name} is a classmethod; expected a plain function, in which "
                    "`env` of batchsim.family stands for the class."
                )
        self.reset: Callable[..., Any] = namespace.reset
        self.step: Callable[..., Any] = namespace.step
        self.observe: Callable[..., Any] = namespace.observe
        parts = [getattr(namespace, part, None) for part in TOGETHER]
        if any(parts) and not all(parts):
            missing = next(part for part, found in zip(TOGETHER, parts, strict=True) if not found)
            raise TypeError(
                f"The definition of {name} has no {missing}; it needs all of begin, together, "
                "finish and LANES, or none."
            )
        self.begin, self.together, self.finish, self.lanes = parts
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
        self.fast_tolerance: tuple[float, float] = getattr(namespace, "FAST_TOLERANCE", (1e-5, 0.0))
        self.random = self._read_random()
        self.time_limit = self._read_time_limit()
        self.sizes: frozenset[str] = frozenset()
        """The parameters that decide a column's shape, once it is `sized`."""
        self.fixed: Mapping[str, str] = {}
        """The parameters that have one value for good, once it is `sized`, and why."""
        # Asked for once: a module takes its time to say that it has no such name.
        self.state_check: Callable[..., Any] | None = getattr(namespace, "check_state", None)
        self.params = self._read_defaults("Params")
        self.options = self._read_defaults("Options")
        self._refuse_shared(self.params, "Params", self.options, "Options")
        self.arguments = self._read_arguments()
        self._refuse_shared(self.params, "Params", self.arguments, "Arguments")
        self._refuse_shared(self.options, "Options", self.arguments, "Arguments")
        if hasattr(namespace, "choose") and not self.arguments:
            raise TypeError(
                f"The definition of {name} has choose but no Arguments, of which it is to choose."
            )
        self._refuse_reserved()
        for part, columns in self._parts():
            for field, column in columns.items():
                where = f"{part}.{field} of {self.name}"
                self._refuse_unknown_extents(where, column)
                if column.default is not None and part != "State":
                    raise TypeError(
                        f"{where} has the default {column.default!r}; expected none: only a field "
                        "of State holds something before it is written."
                    )

    def _read_columns(self, part: str) -> dict[str, Column]:
        cls = getattr(self.namespace, part, None)
        if cls is None:
            return {}
        found = {}
        for field, annotation in _annotations(cls, f"{part} of {self.name}").items():
            where = f"{part}.{field} of {self.name}"
            defaults = [cls._field_defaults[field]] if field in cls._field_defaults else []
            found[field] = read_column(annotation, where, defaults)
        return found

    def _parts(self) -> tuple[tuple[str, dict[str, Column]], ...]:
        return ("State", self.columns), ("Scratch", self.scratch), ("Info", self.info)

    def _refuse_unknown_extents(self, where: str, column: Column) -> None:
        for name in column.declared.names if column.declared is not None else ():
            known = {**self.params, **self.arguments}
            if name not in known:
                raise TypeError(
                    f"The shape of {where} names {name!r}{suggest(name, known)}; expected a "
                    f"parameter or argument: {', '.join(known) or 'there is none'}."
                )
            if name in self.params and not is_whole(self.params[name]):
                raise TypeError(
                    f"The shape of {where} names the parameter {name!r}, which is "
                    f"{self.params[name]!r} by default; expected a whole number."
                )

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

    def _read_random(self) -> str:
        """Return `RANDOM`, the kind of the random streams."""
        kind = getattr(self.namespace, "RANDOM", GENERATOR)
        if not isinstance(kind, str) or kind not in MODULES:
            near = suggest(kind, MODULES) if isinstance(kind, str) else ""
            raise TypeError(
                f"RANDOM of {self.name} is {kind!r}{near}; expected one of "
                f"{', '.join(map(repr, MODULES))}."
            )
        return kind

    def _read_time_limit(self) -> int | Callable[[Any], Any] | None:
        """Return `MAX_EPISODE_STEPS`: a number, a function of the parameters, or None."""
        limit = getattr(self.namespace, "MAX_EPISODE_STEPS", None)
        if limit is None or callable(limit):
            return limit
        if not is_time_limit(limit):
            raise TypeError(
                f"MAX_EPISODE_STEPS of {self.name} is {limit!r}; expected {_A_TIME_LIMIT}, or a "
                "function of the parameters that returns one."
            )
        return int(limit)

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
        if inspect.ismodule(self.author):
            return _from_module, (self.author.__name__, self.name)
        return Definition, (self.author, self.name)

    def read_params(self, given: Mapping[str, Any], num_envs: int) -> dict[str, Any]:
        """Return all parameters: defaults and `given`, each a scalar or an array (num_envs,).

        A field whose default is a tuple of k numbers is a tuple or an array (num_envs, k).
        """
        known = {**self.params, **self.arguments}
        for name in given:
            if name not in known:
                near = "" if name in OF_BATCHES else suggest(name, (*known, *OF_BATCHES))
                # The beginning is Python's own, by which others know that they may do without.
                raise TypeError(
                    f"{self.name} got an unexpected keyword argument {name!r}{near}; "
                    "its parameters are: "
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
        require_kinds(chosen, self.namespace.Arguments.__annotations__)
        settle = getattr(self.namespace, "settle", lambda arguments: arguments)
        return settle(self.namespace.Arguments(**chosen))

    def chosen(self, arguments: Any) -> Definition:
        """Return the definition to go on with: of what its `choose` returns, by default itself.

        Args:
            arguments: what `read_arguments` returned.

        Raises:
            TypeError: if what it returns is no definition, or does not take what this one takes.
            ValueError: if `choose` refuses what it is given.
        """
        if not hasattr(self.author, "choose"):
            return self
        namespace = self.author.choose(arguments)
        if namespace is self.namespace:
            return self
        if not isinstance(namespace, (type, ModuleType)):
            raise TypeError(
                f"choose of {self.name} returned {namespace!r}; expected a class or module that "
                "defines an environment."
            )
        for part in ("Params", "Options", "Arguments", "Info", "INFO_AT_RESET"):
            own, other = (getattr(one, part, None) for one in (self.author, namespace))
            if own is not other:
                raise TypeError(
                    f"choose of {self.name} returned {namespace.__name__}, which has other {part}; "
                    "expected those that a caller knows."
                )
        found = Definition(namespace, self.name)
        found.author = self.author
        found.info_at_reset = self.info_at_reset  # Which others may have changed.
        return found

    def make_tables(self, p: Any) -> dict[str, Array]:
        """Return the read-only arrays that the functions see beside the parameters.

        Args:
            p: parameters and arguments.

        Raises:
            TypeError: if `tables` returns anything but a NamedTuple of arrays of numbers or bool.
            ValueError: if `tables` refuses what it is given.
        """
        if not hasattr(self.namespace, "tables"):
            return {}
        made = self.ask("tables", p)
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
            if not can_be_compiled(value.dtype):
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

    def sized(
        self, params: Mapping[str, Any], arguments: Any, num_envs: int
    ) -> tuple[Definition, dict[str, Array]]:
        """Return the definition with the shapes that its columns have in a batch, and its tables.

        Args:
            params: what `read_params` returned.
            arguments: what `read_arguments` returned.
            num_envs: N.

        Raises:
            TypeError: if a shape is no whole numbers, or tables are no arrays.
            ValueError: if a size is not positive or beyond the machine's memory, if a parameter
                that decides a size, or that tables are made of, is an array, or if `tables` or the
                function of a shape refuses what it is given.
        """
        values = {name: batch_parameter(value, 0) for name, value in params.items()}
        values |= arguments._asdict() if arguments else {}
        p = Noted(values)
        tables = self.make_tables(p)
        fixed = dict.fromkeys(names_read(p), "tables are made of it")
        # Not by `copy`, which finds a module by its name: not all modules are found by one.
        found = object.__new__(Definition)
        vars(found).update(vars(self))
        sizes: dict[str, str] = {}
        of_memory = {}
        for part, columns in self._parts():
            sized = {}
            for field, column in columns.items():
                where, p = f"{part}.{field} of {self.name}", Noted({**values, **tables})
                sized[field] = column.sized(p, where)
                if column.declared is not None:
                    of_memory[where] = sized[field]
                    why = f"it decides the shape of {part}.{field}"
                    sizes = dict.fromkeys(names_read(p), why) | sizes
            setattr(found, {"State": "columns", "Scratch": "scratch", "Info": "info"}[part], sized)
        found.sizes = frozenset(sizes) & params.keys()
        found.fixed = {name: why for name, why in (fixed | sizes).items() if name in params}
        for name, why in found.fixed.items():
            if isinstance(params[name], np.ndarray):
                raise ValueError(
                    f"The parameter {name!r} is an array with one value an environment; expected "
                    f"one value for all, since {why}."
                )
        require_memory(of_memory, num_envs)
        return found, tables

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
                values[name] = read_value(f"{kind} {name!r}", value, defaults[name], num_envs)
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

    def settle_time_limit(
        self, p: Noted, params: Mapping[str, Any]
    ) -> tuple[int | None, frozenset[str]]:
        """Return the definition's own time limit, and the parameters that it was computed from.

        Args:
            p: parameters, arguments and tables of any row.
            params: what `read_params` returned.

        Raises:
            ValueError: if it depends on a parameter that differs by row, or is no time limit.
            AttributeError: if it asks `p` for what is not there.
        """
        if not callable(self.time_limit):
            return self.time_limit, frozenset()
        limit = self.ask("MAX_EPISODE_STEPS", p)
        depends_on = names_read(p) & params.keys()
        for name in sorted(depends_on):
            if isinstance(params[name], np.ndarray):
                raise ValueError(
                    f"MAX_EPISODE_STEPS of {self.name} depends on the parameter {name!r}, which "
                    "differs by row; expected one value for all rows, or max_episode_steps."
                )
        if limit is not None and not is_time_limit(limit):
            raise ValueError(
                f"MAX_EPISODE_STEPS of {self.name} returned {limit!r}; expected {_A_TIME_LIMIT}."
            )
        return None if limit is None else int(limit), depends_on

    def space(self, name: str, p: Noted) -> Space[Any]:
        """Return a space of one environment.

        Args:
            name: "OBSERVATION" or "ACTION".
            p: parameters, arguments and tables.

        Raises:
            TypeError: if it is no space.
            AttributeError: if it asks `p` for what is not there.
        """
        space = self.ask(name, p)
        if not isinstance(space, Space):
            raise TypeError(
                f"{name} of {self.name} is {space!r}; expected a gymnasium space or a function "
                "of p, of its parameters, arguments and tables, that returns one."
            )
        return space

    def ask(self, name: str, p: Noted) -> Any:
        """Return what a name of the definition stands for: itself, or what it returns for `p`.

        Raises:
            AttributeError: if it is a function that asks `p` for what is not there.
        """
        said = getattr(self.namespace, name)
        if isinstance(said, (Space, Mapping, type)) or not callable(said):
            return said
        try:
            return said(p)
        except AttributeError as error:
            raise AttributeError(f"{name} of {self.name} raises AttributeError: {error}") from error


_A_TIME_LIMIT = "a positive whole number below 2**63, or None for no limit"


def _from_module(module: str, name: str) -> Definition:
    return Definition(importlib.import_module(module), name)
