"""What an environment's functions are given while they are examined: arrays that watch their use.

A guard stands for a column, an observation, an action or a table of one row. It checks every index,
every read and every write, and notes what is wrong with the line of the author's that did it.
"""

from __future__ import annotations

import functools
import linecache
import re
import sys
import types
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from batchsim.checking.problems import Findings, Place
from batchsim.compiler.expressions import METHODS, VIEWS
from batchsim.definition import suggest

__all__ = [
    "Column",
    "Guard",
    "GuardedParameter",
    "Stop",
    "Watch",
    "guarded_streams",
    "guarded_tuple",
    "misfit",
]

Array = npt.NDArray[Any]

VIEW_METHODS = ("reshape", "ravel", "transpose", "swapaxes", "squeeze", "diagonal")
"""Methods of arrays that return the same memory, if that can be."""
DESCRIPTIONS = ("shape", "ndim", "size", "dtype", "itemsize")
BEYOND_THE_END = "Compiled code does not notice: it reads or writes other memory."
DATA_END = (
    " An episode that ends with its data says so in the step that comes there: `return reward, "
    "terminated, truncated`."
)
WRITABLE = {
    "s": ("reset", "step"),
    "scratch": ("reset", "step", "observe", "inform"),
    "rng": ("reset", "step"),
    "out": ("observe", "inform"),
}
"""In which functions of the contract each argument may be written."""


class Stop(Exception):  # noqa: N818 - it says that a run ends, not that something failed here
    """Ends a run; what is wrong has been noted."""


class Watch:
    """What the guards of a run share.

    Args:
        findings: where problems go.
        codes: the code objects of the author's functions.
    """

    def __init__(self, findings: Findings, codes: Iterable[types.CodeType]) -> None:
        self.findings = findings
        self.codes = frozenset(codes)
        self.function = ""
        """The function of the contract that runs."""
        self.stale: dict[str, Place] = {}
        """Columns of State read in an episode before that episode wrote them, and where."""
        self.overflows: list[Place] = []
        """Lines in which NumPy's arithmetic overflowed."""
        self.draws = 0
        """How many words the streams have given."""
        self.returned = 0
        """How many values `step` returned, 0 before it was called."""
        self.tracing = False
        """Whether outputs remember who wrote each element, which takes time."""

    def place(self) -> Place:
        """Return the line of the author's that runs."""
        frame: Any = sys._getframe(1)
        while frame is not None:
            if frame.f_code in self.codes:
                return frame.f_code.co_filename, frame.f_lineno
            frame = frame.f_back
        return None

    def place_of(self, error: BaseException) -> Place:
        """Return the last line of the author's that an exception passed."""
        place = None
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code in self.codes:
                place = (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
            trace = trace.tb_next
        return place

    def note(self, kind: str, message: str, hint: str = "") -> None:
        """Note a problem at the line that runs, and go on."""
        self.findings.add(kind, f"{self.function} {message}", hint, self.place())

    def stop(self, kind: str, message: str, hint: str = "") -> Stop:
        """Note a problem at the line that runs; returns what ends the run."""
        self.note(kind, message, hint)
        return Stop()

    def overflow(self, kind: str, flag: int) -> None:
        """Take note that NumPy's arithmetic overflowed; for `numpy.errstate(call=…)`."""
        self.overflows.append(self.place())


@functools.cache
def _range(dtype: np.dtype[Any]) -> tuple[Any, Any]:
    """Return the least and the largest finite number of a dtype."""
    if dtype.kind == "b":
        return 0, 1
    bounds: Any = np.iinfo(dtype) if dtype.kind in "iu" else np.finfo(dtype)
    return (int(bounds.min), int(bounds.max)) if dtype.kind in "iu" else (bounds.min, bounds.max)


def misfit(value: Any, dtype: np.dtype[Any]) -> str:
    """Return what is wrong with storing a number in a dtype, or the empty string."""
    if not isinstance(value, (int, float, np.bool_, np.number)):
        return f"{value!r} is no number"
    low, high = _range(dtype)
    if dtype.kind == "f":
        too_large = high < abs(float(value)) < np.inf
        return f"{value} is beyond the range of {dtype}" if too_large else ""
    if not low <= value <= high:
        return f"{value} is outside the range of {dtype}, {low} to {high}"
    return "" if value == int(value) else f"{value} loses its fraction in {dtype}"


class Guard(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of one row's values.

    Args:
        watch: where problems go.
        role: "s", "scratch", "rng", "out", "action" or "p".
        name: as the author writes it, such as "s.cells[i]" or "out".
        values: the array.
        written: which elements have been written, an array of bool of the same shape; None for
            all.
        field: the column's name.
    """

    def __init__(
        self,
        watch: Watch,
        role: str,
        name: str,
        values: Array,
        written: Array | None = None,
        field: str = "",
    ) -> None:
        self.watch = watch
        self.role = role
        self.name = name
        self.values = values
        self.written = written
        self.field = field
        self.writers: dict[int, Place] = {}
        """Of each element's address, who wrote it last; kept while the watch traces."""

    # -- reading -------------------------------------------------------------------------------

    def __getitem__(self, index: Any) -> Any:
        places = self.locate(index)
        found = self.values[places]
        if isinstance(found, np.ndarray):
            written = None if self.written is None else self.written[places]
            part = Guard(self.watch, self.role, self.label(index), found, written, self.field)
            part.writers = self.writers
            # What arrays of places find is a copy.
            return part.read_all() if any(map(_are_places, places)) else part
        if self.written is not None and not self.written[places]:
            self.unwritten(self.label(index))
        return found

    def unwritten(self, name: str) -> None:
        """Take note of a value that was read before it was written."""
        if self.role == "s":
            self.watch.stale.setdefault(self.field, self.watch.place())
        elif self.role in ("scratch", "out"):
            what = "Scratch" if self.role == "scratch" else "out"
            self.watch.note(
                "uninitialised",
                f"reads {name} before it has written it; {what} holds anything at first.",
                "Write it before reading it, in each call.",
            )

    def locate(self, index: Any) -> tuple[Any, ...]:
        """Return the index as a tuple that is known to be within bounds."""
        parts = index if isinstance(index, tuple) else (index,)
        shape = self.values.shape
        if len(parts) > len(shape):
            raise self.watch.stop(
                "out-of-bounds",
                f"uses {self.label(index)} with {len(parts)} indices, but {self.name} has "
                f"{len(shape)}.",
            )
        plain = True
        for axis, part in enumerate(parts):
            if _is_whole(part):
                if not 0 <= part < shape[axis]:
                    self.check_bounds(index, part, axis)
            else:
                plain = False
                if _are_places(part):
                    for place in np.ravel(np.asarray(part)).tolist():
                        if not 0 <= place < shape[axis]:
                            self.check_bounds(index, place, axis)
                elif not isinstance(part, slice) and part is not Ellipsis:
                    self.refuse_index(index, part)
        return parts if plain else tuple(map(_plain, parts))

    def check_bounds(self, index: Any, part: Any, axis: int) -> None:
        """Refuse an index beyond the end; note one that counts from the end."""
        size = self.values.shape[axis]
        if not -size <= part < size:
            raise self.watch.stop(
                "out-of-bounds",
                f"uses {self.label(index)}, but {self.name} has {_elements(size, axis)}: "
                f"the index must be from 0 to {size - 1}.",
                BEYOND_THE_END + (DATA_END if self.role == "p" and part == size else ""),
            )
        if part < 0 and not _is_written(part, self.watch.place()):
            self.watch.note(
                "negative-index",
                f"uses {self.label(index)}; a negative index silently counts from the end.",
                f"Write {size + part} if that is meant, else keep the index from being negative.",
            )

    def refuse_index(self, index: Any, part: Any) -> None:
        """Stop at an index that is no whole number."""
        if isinstance(part, (Guard, np.ndarray)) and part.dtype == np.bool_:
            return
        if isinstance(part, (Guard, np.ndarray, list)):
            raise self.watch.stop(
                "allocation",
                f"indexes {self.name} by an array that is not of whole numbers.",
                "Write .astype(int) behind it.",
            )
        raise self.watch.stop(
            "out-of-bounds",
            f"uses the index {part!r} in {self.name}; expected a whole number.",
            "Write int(…) around it.",
        )

    def label(self, index: Any) -> str:
        """Return an element as the author writes it."""
        parts = index if isinstance(index, tuple) else (index,)
        text = ", ".join(_index_text(part) for part in parts)
        if not parts:
            return self.name
        if self.role in ("s", "scratch") and self.name.endswith("[i]"):
            return f"{self.name[:-1]}, {text}]"
        return f"{self.name}[{text}]"

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Any]:
        return (self[k] for k in range(len(self.values)))

    def read_all(self) -> Array:
        """Return a copy of the array, all of which counts as read."""
        if self.written is not None and not self.written.all():
            self.unwritten(self.name)
        return self.values.copy()

    def __array__(self, *args: Any, **kwargs: Any) -> Array:
        return self.read_all()

    def __getattr__(self, name: str) -> Any:
        if name in DESCRIPTIONS:
            return getattr(self.values, name)
        if name in VIEW_METHODS:
            return lambda *args, **kwargs: self.view(
                lambda array: getattr(array, name)(*args, **kwargs)
            )
        if name in METHODS:
            return getattr(self.read_all(), name)
        if name.startswith("__"):
            raise AttributeError(name)
        if not hasattr(self.values, name):
            near = suggest(name, (*METHODS, *DESCRIPTIONS))
            raise self.watch.stop("raises", f"uses {self.name}.{name}, which is not there{near}.")
        if name == "fill":
            return lambda value: self.__setitem__(Ellipsis, value)
        if name == "sort":
            return lambda *args, **kwargs: self.__setitem__(
                Ellipsis, np.sort(self.read_all(), *args, **kwargs)
            )
        raise self.watch.stop(
            "allocation",
            f"uses {self.name}.{name}, which compiled code does not have.",
            "Write a loop over the elements.",
        )

    # -- writing -------------------------------------------------------------------------------

    def __setitem__(self, index: Any, value: Any) -> None:
        places = self.locate(index)
        if self.watch.function not in WRITABLE.get(self.role, ()):
            self.refuse_write(self.label(index))
        if isinstance(value, Guard):
            value = value.read_all()
        dtype = self.values.dtype
        if isinstance(value, (tuple, list)):
            value = np.array([_plain(one) for one in value])
        if isinstance(value, np.ndarray) and value.ndim > 0:
            value = value.copy()  # It may be the same memory.
            wrong = next((w for one in value.flat if (w := misfit(one, dtype))), "")
        else:
            wrong = misfit(value, dtype)
        if wrong:
            self.watch.note(
                "does-not-fit",
                f"writes {self.label(index)}, where {wrong}.",
                "Choose a wider dtype, or bring the value into its range.",
            )
            value = np.zeros((), dtype)
        elif isinstance(value, np.ndarray):
            value = value.astype(dtype)
        self.values[places] = value
        if self.written is not None:
            self.written[places] = True
        if self.watch.tracing and not isinstance(self.values[places], np.ndarray):
            self.writers[self.address(places)] = self.watch.place()

    def address(self, places: tuple[Any, ...]) -> int:
        """Return where an element lies, which is the same for all parts of an array."""
        axes = zip(places, self.values.shape, self.values.strides, strict=True)
        return int(self.values.ctypes.data + sum(k % size * stride for k, size, stride in axes))

    def refuse_write(self, name: str) -> None:
        """Note a write where there should be none."""
        if self.role in ("s", "rng"):
            self.watch.note(
                "read-only",
                f"writes {name}, but it may only look: {self.watch.function} is called at any "
                "time and any number of times.",
                "Change the state in reset and step.",
            )
            return
        raise self.watch.stop(
            "read-only",
            f"writes {name}, which it may only read.",
            "Copy it into a variable, or keep what changes in a column of State.",
        )

    # -- NumPy's functions ---------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Compute with the whole array, which counts as read; `out` as written."""
        target = kwargs.pop("out", (None,))[0]
        found = getattr(ufunc, method)(*map(_plain, inputs), **kwargs)
        if target is None:
            return found
        if isinstance(target, Guard) and np.can_cast(found.dtype, target.values.dtype, "same_kind"):
            target[...] = found
            return target
        return getattr(ufunc, method)(*map(_plain, inputs), out=_plain(target), **kwargs)

    def __array_function__(self, function: Any, kinds: Any, args: Any, kwargs: Any) -> Any:
        """Call a function of NumPy's with the whole array, or make a view of it."""
        if args and args[0] is self and function in VIEWS:
            return self.view(lambda array: function(array, *args[1:], **kwargs))
        named = {name: _plain(value) for name, value in kwargs.items()}
        return function(*map(_plain, args), **named)

    def view(self, make: Callable[[Array], Array]) -> Any:
        """Return what a function makes of the array: another guard, if it is the same memory."""
        found = make(self.values)
        if not np.shares_memory(found, self.values):
            return make(self.read_all())
        written = None if self.written is None else make(self.written)
        part = Guard(self.watch, self.role, self.name, found, written, self.field)
        part.writers = self.writers
        return part

    @property
    def T(self) -> Any:  # noqa: N802 - NumPy's name
        """The array with its axes in the other order."""
        return self.view(np.transpose)

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise self.watch.stop(
            "raises", f"uses all of {self.name} as a condition; expected one number."
        )

    def __index__(self) -> int:
        raise self.watch.stop(
            "out-of-bounds",
            f"uses {self.name}, an array, as an index; expected a whole number.",
            f"Write {self.name}[0].",
        )


def _plain(value: Any) -> Any:
    """Return the arrays of guards, which count as read, in their places."""
    if isinstance(value, Guard):
        return value.read_all()
    if type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    return value


def _is_whole(index: Any) -> bool:
    """Tell whether an index is a whole number."""
    return type(index) is int or (
        isinstance(index, (int, np.integer)) and not isinstance(index, bool)
    )


def _are_places(part: Any) -> bool:
    """Tell whether a part of an index is an array, or a list, of whole numbers."""
    return isinstance(part, (Guard, np.ndarray, list)) and np.asarray(part).dtype.kind in "iu"


def _is_written(index: Any, place: Place) -> bool:
    """Tell whether a negative index stands as a number in the line that uses it."""
    line = "" if place is None else linecache.getline(*place)
    return re.search(rf"[\[,]\s*-{-int(index)}\s*[\],]", line) is not None


def _elements(size: int, axis: int) -> str:
    where = f" along axis {axis}" if axis else ""
    return f"{size} element{'' if size == 1 else 's'}{where}"


def _index_text(part: Any) -> str:
    if isinstance(part, slice):
        ends = ["" if end is None else str(end) for end in (part.start, part.stop)]
        return ":".join(ends)
    return "..." if part is Ellipsis else str(part)


class Column:
    """A column of State, Scratch or the streams, of which only one row may be used.

    Args:
        watch: where problems go.
        role: "s", "scratch" or "rng".
        name: as the author writes it, such as "s.x".
        values: the whole column (N, *shape).
        row: the row that may be used.
        field: the column's name.
    """

    def __init__(
        self, watch: Watch, role: str, name: str, values: Array, row: int, field: str
    ) -> None:
        self.watch = watch
        self.role = role
        self.name = name
        self.row = row
        self.size = len(values)
        self.scalar = values.ndim == 1
        # An array of no dimensions for a scalar column.
        written = None if role == "rng" else np.zeros(values.shape[1:], np.bool_)
        own = values[row : row + 1].reshape(values.shape[1:])
        self.own = Guard(watch, role, f"{name}[i]", own, written, field)

    def forget(self) -> None:
        """Count all elements of the row as not written."""
        if self.own.written is not None:
            self.own.written[...] = False

    def inner(self, index: Any) -> tuple[Any, ...]:
        """Return the index behind the row's, which must be this row's."""
        parts = index if isinstance(index, tuple) else (index,)
        first = parts[0]
        if _is_whole(first):
            if first == self.row:
                return parts[1:]
            if self.role == "rng":
                raise self.watch.stop(
                    "another-row",
                    f"draws random numbers as row {first} in the place of row {self.row}.",
                    "Pass the row's own number: `random(rng, i)`.",
                )
            raise self.watch.stop(
                "another-row",
                f"uses {self.name}[{first}] while it runs for row {self.row}.",
                f"A row may only use its own values: `{self.name}[i]`.",
            )
        raise self.whole(f"uses {self.name}[{_index_text(first)}], which is not a single row")

    def whole(self, what: str) -> Stop:
        """Note a use of the whole column."""
        return self.watch.stop(
            "whole-column",
            f"{what}; the column holds all environments.",
            f"A function works on one row: `{self.name}[i]`.",
        )

    def __getitem__(self, index: Any) -> Any:
        inner = self.inner(index)
        if inner or self.scalar:
            return self.own[inner]
        return self.own

    def __setitem__(self, index: Any, value: Any) -> None:
        if self.role == "rng":
            self.watch.draws += 1
        if value is not self.own:
            self.own[self.inner(index)] = value

    def __getattr__(self, name: str) -> Any:
        if name in ("dtype", "ndim"):
            return getattr(self.own.values, name)
        if name.startswith("__"):
            raise AttributeError(name)
        raise self.whole(f"uses {self.name}.{name}")

    def __len__(self) -> int:
        raise self.whole(f"uses len({self.name})")

    def __iter__(self) -> Iterator[Any]:
        raise self.whole(f"goes through all of {self.name}")

    def __array__(self, *args: Any, **kwargs: Any) -> Array:
        raise self.whole(f"uses {self.name} as a whole")

    def no_arithmetic(self, *args: Any) -> Any:
        """Stop at arithmetic with the whole column."""
        raise self.whole(f"computes with {self.name}")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = no_arithmetic
    __truediv__ = __rtruediv__ = __floordiv__ = __mod__ = __pow__ = __neg__ = no_arithmetic
    __lt__ = __le__ = __gt__ = __ge__ = __bool__ = no_arithmetic
    __eq__ = __ne__ = no_arithmetic
    __hash__ = None  # type: ignore[assignment]


def guarded_tuple(watch: Watch, what: str, fields: dict[str, Any]) -> Any:
    """Return a namedtuple whose use is watched: `s`, `p` or the `out` of a Dict space.

    Args:
        watch: where problems go.
        what: "s", "p" or the name of the output.
        fields: its fields and their values.
    """
    plain = namedtuple(f"Guarded{len(fields)}", fields)  # type: ignore[misc]
    kind = "unknown-parameter" if what == "p" else "unknown-field"

    class Fields(plain):
        __slots__ = ()

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            raise watch.stop(
                kind,
                f"uses {what}.{name}, which is not there{suggest(name, fields)}.",
                f"{what} has: {', '.join(fields) or 'nothing'}.",
            )

        def __setattr__(self, name: str, value: Any) -> None:
            if what == "s" and name in fields:
                raise watch.stop(
                    "whole-column",
                    f"assigns s.{name}; the column holds all environments.",
                    f"A function works on one row: `s.{name}[i] = …`.",
                )
            raise watch.stop(
                "read-only" if name in fields else kind,
                f"assigns {what}.{name}, which it cannot.",
                "What changes during an episode is a column of State: `s.column[i] = …`.",
            )

    return Fields(*fields.values())


class GuardedParameter(tuple):  # type: ignore[type-arg]
    """A parameter of several numbers, whose indices are checked; it stays a tuple of Python's."""

    guard: Guard

    def __getitem__(self, index: Any) -> Any:
        self.guard.locate(index)
        return super().__getitem__(index)


def guarded_streams(watch: Watch, streams: Any, row: int) -> Any:
    """Return streams, of their kind, of which only one row may be drawn from."""
    columns = {
        name: Column(watch, "rng", f"rng.{name}", values, row, name)
        for name, values in streams._asdict().items()
    }
    return type(streams)(**columns)
