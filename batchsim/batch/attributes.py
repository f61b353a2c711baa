"""Attributes of the rows of a batch, as scripts read and write them on Gymnasium's environments."""

from __future__ import annotations

import copy
import reprlib
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from functools import cached_property
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from batchsim.batch import checks
from batchsim.batch.allocation import counter_of
from batchsim.batch.spaces import Layout, form_of
from batchsim.batch.texts import Text, read_texts, with_tokens
from batchsim.definition import OF_BATCHES, Definition, Noted, names_read, suggest
from batchsim.values import batch_parameter, is_same

__all__ = ["FIXED", "OF_PARAMETERS", "Parameter", "Parameters", "RowAttributes"]

Array = npt.NDArray[Any]
Get = Callable[..., Any]

FIXED = OF_BATCHES - {"id", "max_episode_steps", "render_mode"} | {"arguments", "params", "tables"}
"""What a batch was made from: another value there would change nothing but what is read."""
OF_PARAMETERS = ("_fingerprints", "_values_of_any_row")
"""What follows from the parameters, and is kept once it was asked for."""
OF_BATCH = ("metadata", "render_mode", "spec")
"""What every row has from its batch."""
SPACES = ("action_space", "observation_space")
STREAMS = ("np_random", "np_random_seed")


class Parameters(MutableMapping[str, Any]):
    """The parameters of a batch: scalars, and arrays (N,) where rows differ, which are read-only.

    A value that is put in takes effect, as by `BatchEnv.set_attr`.
    """

    def __init__(self, batch: RowAttributes) -> None:
        self._batch = batch

    def __getitem__(self, name: str) -> Any:
        return self._batch._params[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._batch._set_parameter(name, value)

    def __delitem__(self, name: str) -> None:
        raise TypeError(f"{name!r} cannot be deleted; a parameter always has a value.")

    def __iter__(self) -> Iterator[str]:
        return iter(self._batch._params)

    def __len__(self) -> int:
        return len(self._batch._params)

    def __repr__(self) -> str:
        return repr(self._batch._params)


class Parameter:
    """The attribute of batches that have a parameter of a name, in the class of all.

    With `__getattr__` Python 3.11 looks up every attribute of a batch slowly, those that a step
    needs too: that took a fifth of a step of one row.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, batch: RowAttributes | None, owner: type) -> Any:
        if batch is None:
            return self
        params = vars(batch).get("_params", {})
        if self.name in params:
            return params[self.name]
        raise AttributeError(f"{owner.__name__!r} object has no attribute {self.name!r}")


class RowAttributes:
    """What `BatchEnv` does about attributes: nothing is taken that has no effect."""

    definition: Definition
    num_envs: int
    frame_stack: int
    text_mode: str
    tables: dict[str, Array]
    _layout: Layout
    _spaces: dict[str, Any]
    _read_by_spaces: frozenset[str]
    _params: dict[str, Any]
    _arguments: Any
    _defaults: dict[str, Any]
    _compiled_in: frozenset[str]
    _limit: int | None
    _limit_depends_on: frozenset[str]
    _limit_of_id: int | None
    _elapsed: Any
    _is_split: bool
    _tile: Any
    _driver: Any

    @property
    def params(self) -> Parameters:
        """The parameters by name; a value that is put in takes effect, as by `set_attr`."""
        return Parameters(self)

    @property
    def arguments(self) -> Any:
        """`Arguments` of the definition, a copy."""
        return copy.deepcopy(self._arguments)

    @property
    def max_episode_steps(self) -> int | None:
        """The steps after which episodes are truncated, None for never; a new value takes effect.

        As for the constructor, None is the environment's own limit and -1 none.
        """
        return self._limit

    @max_episode_steps.setter
    def max_episode_steps(self, value: int | None) -> None:
        limit, depends_on = self._read_limit(value)
        self._refuse_if_split("max_episode_steps")
        self._driver.exclusively("set_attr", self._take_limit, limit, unreset=True)
        self._limit_depends_on = depends_on

    def _read_limit(self, value: Any) -> tuple[int | None, frozenset[str]]:
        """Return the time limit, and the parameters that it was computed from.

        What the caller gives comes first, then the id's own, then the definition's.
        """
        if value is not None:
            return checks.read_time_limit(value), frozenset()
        if self._limit_of_id is not None:
            return self._limit_of_id, frozenset()
        return self.definition.settle_time_limit(self._asked_of(0, self._params), self._params)

    def row_params(self, row: int) -> dict[str, Any]:
        """Return the parameters of one environment as scalars."""
        return _of_row(self._params, row)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Return an attribute of each row, as `SyncVectorEnv.get_attr` does.

        That is a parameter or an argument, a column of state, what the definition's `ATTRIBUTES`
        add (such as `state` of the classic control problems and `P` of toy text), the spaces of one
        environment, "np_random", "np_random_seed", "spec", "metadata", "render_mode" or
        "max_episode_steps".

        Raises:
            AttributeError: for any other.
        """
        count = range(self.num_envs)
        if name in self._params:
            return tuple(batch_parameter(self._params[name], row) for row in count)
        if name in self.definition.attributes:
            get = self.definition.attributes[name][0]
            return tuple(self._driver.exclusively("get_attr", self._read, get, unreset=True))
        if name in self.definition.columns:
            column = self._driver.exclusively("get_attr", self._column, name, unreset=True)
            return tuple(column.tolist() if column.ndim == 1 else column)
        if name in self.definition.arguments:
            return (getattr(self.arguments, name),) * self.num_envs
        if name in STREAMS:
            return getattr(self, name)  # type: ignore[no-any-return]
        if name in SPACES:
            return (getattr(self, f"single_{name}"),) * self.num_envs
        if name in (*OF_BATCH, "max_episode_steps"):
            return (getattr(self, name),) * self.num_envs
        raise AttributeError(self._unknown(name))

    def attribute_names(self, *, written: bool = False) -> list[str]:
        """Return what `get_attr` knows, or what is `written` by `set_attr` or refused there."""
        of = self.definition
        names = [*self._params, *of.attributes, *of.columns, "max_episode_steps"]
        if not written:
            names += [*of.arguments, *OF_BATCH, *SPACES, *STREAMS]
        return list(dict.fromkeys(names))

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Call a method of each row, or read an attribute, as `SyncVectorEnv.call` does.

        Raises:
            AttributeError: if the rows have none of this name.
        """
        if name == "render":
            return self.render()  # type: ignore[attr-defined, no-any-return]
        return tuple(
            value(*args, **kwargs) if callable(value) else value for value in self.get_attr(name)
        )

    def set_attr(self, name: str, values: Any) -> None:
        """Set an attribute of the rows, as `SyncVectorEnv.set_attr` does, and make it take effect.

        Args:
            name: a parameter, a column of state, what the definition's `ATTRIBUTES` say can be
                written, "np_random" or "max_episode_steps". A parameter that was at its default is
                read at run time from then on, for which a kernel may have to be compiled.
            values: a list or tuple of N values, one a row; or one for all.

        Raises:
            AttributeError: for any other, and for a parameter that decides a column's shape or that
                tables are made of.
            ValueError, TypeError: for a value that does not fit; nothing has then changed.
        """
        by_row = isinstance(values, (list, tuple))
        if by_row and len(values) != self.num_envs:
            raise ValueError(
                f"{name} is given {len(values)} values; expected {self.num_envs}, one for each "
                "row, or one value that is no list or tuple for all of them."
            )
        rows = list(values) if by_row else [values] * self.num_envs
        if name in self._params:
            self._set_parameter(name, rows if by_row else values)
        elif name in self.definition.attributes:
            write = self.definition.attributes[name][1]
            if write is None:
                raise AttributeError(f"{name} of {self.definition.name} cannot be written.")
            self._write_state(name, lambda s, i, p: write(s, i, p, rows[i]))
        elif name in self.definition.columns:
            column = self.definition.columns[name]
            given = [_element(name, value, column) for value in rows]
            self._write_state(name, lambda s, i, p: _put(getattr(s, name), i, given[i]))
        elif name == "np_random":
            self.np_random = rows
        elif name == "max_episode_steps" and not by_row:
            self.max_episode_steps = values
        else:
            raise AttributeError(self._unknown(name))

    # -- reading -------------------------------------------------------------------------------

    def _read(self, get: Get) -> list[Any]:
        state = self._tile.state
        return [get(state, row, p) for row, p in enumerate(self._values_of_rows())]

    def _values_of_rows(self) -> Iterator[Any]:
        """Return what the functions of each row see as `p`, made once where rows do not differ."""
        batch: Any = self
        differ = any(isinstance(value, np.ndarray) for value in self._params.values())
        for row in range(self.num_envs):
            yield batch._row_values(row) if differ else self._values_of_any_row

    def _column(self, name: str) -> Array:
        return np.array(getattr(self._tile.state, name))

    def _unknown(self, name: str) -> str:
        known = self.attribute_names()
        return (
            f"The environments of {self.definition.name} have no attribute {name!r}"
            f"{suggest(name, known)}; there are {', '.join(known)}."
        )

    # -- writing -------------------------------------------------------------------------------

    def _write_state(self, name: str, write: Callable[[Any, int, Any], None]) -> None:
        self._driver.exclusively("set_attr", self._write_rows, name, write, unreset=True)

    def _write_rows(self, name: str, write: Callable[[Any, int, Any], None]) -> None:
        columns = [getattr(self._tile.state, column) for column in self.definition.columns]
        kept = [column.copy() for column in columns]
        try:
            for row, p in enumerate(self._values_of_rows()):
                self._write_row(name, write, row, p)
            if self.definition.state_check is not None:
                self._check_columns(columns, slice(None))
        except BaseException:
            for column, before in zip(columns, kept, strict=True):
                column[:] = before
            raise

    def _write_row(
        self, name: str, write: Callable[[Any, int, Any], None], row: int, p: Any
    ) -> None:
        try:
            write(self._tile.state, row, p)
        except (TypeError, ValueError, OverflowError) as error:
            raise type(error)(f"{name} of row {row} does not fit: {error}") from error

    def _check_columns(self, columns: list[Array], rows: Any) -> None:
        """Raise ValueError if the environment's `check_state` refuses what these rows hold."""
        by_row = {
            name: value[rows]
            for name, value in self._params.items()
            if isinstance(value, np.ndarray)
        }
        self.definition.check_state(columns, self._values_of_any_row, by_row)

    @cached_property
    def _values_of_any_row(self) -> Any:
        return self._row_values(0)  # type: ignore[attr-defined]

    def _asked_of(self, row: int, params: Mapping[str, Any]) -> Noted:
        """Return what the definition's functions see as `p` that are asked once: of parameters
        those of a row, and arguments and tables.
        """
        arguments = self._arguments._asdict() if self._arguments else {}
        return Noted({**_of_row(params, row), **arguments, **self.tables})

    @property
    def texts(self) -> dict[str, Text]:
        """The texts among the observations, by name; none where they are returned as tokens."""
        return {text.name: text for text in self._layout.texts.values()}

    def _spaces_of(
        self, row: int, params: Mapping[str, Any]
    ) -> tuple[gymnasium.Space[Any], gymnasium.Space[Any], dict[str, Text]]:
        """Return what one environment observes in a frame, its actions, and the texts among what it
        observes.
        """
        p = self._asked_of(row, params)
        space, action_space = (self.definition.space(name, p) for name in ("OBSERVATION", "ACTION"))
        texts = read_texts(self.definition, space, p)
        self._read_by_spaces |= names_read(p)
        if self.text_mode == "tokens":
            return with_tokens(space, texts), action_space, {}
        return space, action_space, texts

    def _refuse_other_form(self, name: str, params: Mapping[str, Any]) -> None:
        """Raise ValueError if observations or actions would no longer lie in arrays as they do."""
        if name not in self._read_by_spaces:
            return
        by_row = any(isinstance(value, np.ndarray) for value in params.values())
        first, first_action, first_texts = self._spaces_of(0, self._params)
        forms = form_of(first, first_texts), form_of(first_action, {})
        for row in range(self.num_envs if by_row else 1):
            frame, action, texts = self._spaces_of(row, params)
            for which, space, own, its_texts, form in (
                ("observation", frame, first, texts, forms[0]),
                ("action", action, first_action, {}, forms[1]),
            ):
                if form_of(space, its_texts) != form:
                    raise ValueError(
                        f"With {name} {_of_row(params, row)[name]!r} the {which} space is {space}; "
                        f"expected the keys, shapes and dtypes of {own}: make another batch with "
                        f"the {name} wanted."
                    )

    def _refuse_if_split(self, name: str) -> None:
        if self._is_split:
            raise ValueError(
                f"{name} cannot be changed where rows are split; change it before split()."
            )

    def _set_parameter(self, name: str, value: Any) -> None:
        if name not in self._params:
            raise KeyError(self._unknown(name))
        if name in self.definition.fixed:
            raise AttributeError(
                f"{name} of {self.definition.name} cannot be changed, since "
                f"{self.definition.fixed[name]}; make another batch with the {name} wanted."
            )
        self._refuse_if_split(name)
        if name in self._limit_depends_on:
            raise ValueError(
                f"{name} decides the time limit of {self.definition.name}, which is settled when a "
                "BatchEnv is made; set max_episode_steps first, or make another one."
            )
        read = self.definition.read_params({name: value}, self.num_envs)[name]
        if isinstance(read, np.ndarray) and (read == read[:1]).all():
            read = batch_parameter(read, 0)
        params = {**self._params, name: read}
        self.definition.check_params(params, self.num_envs)
        self._refuse_other_form(name, params)
        self._driver.exclusively("set_attr", self._take_parameter, name, read, unreset=True)

    def _take_parameter(self, name: str, value: Any) -> None:
        tile = self._tile
        place = getattr(tile.parameters, name, None)
        if place is not None and not isinstance(value, np.ndarray):
            value = np.broadcast_to(np.array(value, self._params[name].dtype), place.shape).copy()
            value.flags.writeable = False
        if place is None and not isinstance(value, np.ndarray):
            place = getattr(tile.common, name, None)
        params = {**self._params, name: value}
        if place is not None:
            place.flags.writeable = True
            place[:] = value
            place.flags.writeable = False
            self._params = params
        elif not is_same(value, self._defaults[name]):
            fields = ("parameters", "common")
            without = self._compiled_in - {name}
            self._rebuild(fields, {"_params": params, "_compiled_in": without})
        for of_parameters in OF_PARAMETERS:
            vars(self).pop(of_parameters, None)
        self._renderers: dict[int, Any] = {}

    def _take_limit(self, limit: int | None) -> None:
        place = self._tile.settings.time_limit
        most = np.iinfo(self._elapsed).max
        if (self._elapsed is np.int64) if limit is None else limit <= most:
            place[0] = most if limit is None else limit
            self._limit = limit
        else:
            changes = {"_limit": limit, "_elapsed": counter_of(limit)}
            self._rebuild(("elapsed", "settings"), changes)

    def _rebuild(self, fields: Sequence[str], changes: Mapping[str, Any]) -> None:
        """Go on with the same rows and another kernel.

        Args:
            fields: of the tile, those that are made anew; a column keeps its numbers.
            changes: attributes of this object that decide them.
        """
        kept = dict(vars(self))
        vars(self).update(changes)
        try:
            batch: Any = self
            infos = batch._infos()
            old, new = self._tile, batch._allocator(infos).tile()
            new.elapsed[:] = old.elapsed
            self._tile = old._replace(**{field: getattr(new, field) for field in fields})
            batch._compile()
            batch._make_driver(infos)
        except BaseException:
            vars(self).update(kept)
            raise
        self._driver.exclusively(
            "set_attr",
            self._driver.notice_pending,
            unreset=True,
            resets=kept["_driver"].was_reset,
        )


def _of_row(params: Mapping[str, Any], row: int) -> dict[str, Any]:
    return {name: batch_parameter(value, row) for name, value in params.items()}


def _element(name: str, value: Any, column: Any) -> Array:
    """Return what is to be written into a row of a column."""
    found = np.asarray(value)
    if found.shape not in ((), column.shape) or not np.can_cast(
        found.dtype, column.dtype, "same_kind"
    ):
        raise ValueError(
            f"{name} is {reprlib.repr(value)}; expected "
            f"{f'an array of shape {column.shape} and ' if column.shape else 'a number of '}"
            f"{column.dtype}."
        )
    if found.dtype != column.dtype and column.dtype.kind in "iu":
        limits = np.iinfo(column.dtype)
        if (found < limits.min).any() or (found > limits.max).any():
            raise ValueError(
                f"{name} is {reprlib.repr(value)}; expected numbers of {column.dtype}."
            )
    return found


def _put(column: Array, row: int, value: Array) -> None:
    column[row] = value
