"""Kinds of values: what a class's attributes and expressions were seen to hold.

A kind is found by looking at values (`kind_of`), and several are joined into the one that has them
all (`join`). It decides how a value lies in columns; `flatten` takes a value apart accordingly, so
that a proof can compare columns with what the original holds.
"""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

__all__ = [
    "NOTHING",
    "UNKNOWN",
    "Array",
    "Kind",
    "Map",
    "Maybe",
    "Member",
    "Nothing",
    "Number",
    "Object",
    "Other",
    "Record",
    "Sequence",
    "Stream",
    "Text",
    "Tuple",
    "Unknown",
    "join",
    "kind_of",
]

SPREAD = "array"
"""The form of a tuple that stands for an array whose elements are columns of their own."""
DEEPEST = 8  # levels of containers within each other
MOST = 4096  # elements of a container that are looked at


@dataclass(frozen=True)
class Kind:
    """What a value is, as far as columns are concerned."""


@dataclass(frozen=True)
class Unknown(Kind):
    """Of nothing seen yet: the elements of an empty list."""

    def __str__(self) -> str:
        return "nothing seen"


@dataclass(frozen=True)
class Nothing(Kind):
    """None."""

    def __str__(self) -> str:
        return "None"


@dataclass(frozen=True)
class Number(Kind):
    """A number or bool: of Python (`int`, `float`, `bool`), or a scalar of NumPy."""

    dtype: np.dtype[Any]
    python: bool

    def __str__(self) -> str:
        if self.python:
            return {"b": "bool", "i": "int", "f": "float"}[self.dtype.kind]
        return f"np.{self.dtype.name}"


@dataclass(frozen=True)
class Array(Kind):
    """An array of NumPy of at least one axis; an axis of several lengths has the length -1."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def __str__(self) -> str:
        lengths = "×".join("?" if n < 0 else str(n) for n in self.shape)
        return f"{self.dtype.name} array of {lengths}"


@dataclass(frozen=True)
class Text(Kind):
    """A string, one of those seen."""

    values: frozenset[str]

    def __str__(self) -> str:
        return "str"


@dataclass(frozen=True)
class Member(Kind):
    """A member of an `Enum`."""

    enumeration: type[enum.Enum]

    def __str__(self) -> str:
        return self.enumeration.__name__


@dataclass(frozen=True)
class Tuple(Kind):
    """A tuple or a list that has always had as many elements, each of a kind of its own.

    Attributes:
        names: of the members, if it is a named tuple.
    """

    members: tuple[Kind, ...]
    form: str = "tuple"
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.form} of {len(self.members)}"


@dataclass(frozen=True)
class Sequence(Kind):
    """A list, deque, set or tuple of elements of one kind, from `least` to `greatest` of them."""

    element: Kind
    least: int
    greatest: int
    form: str

    def __str__(self) -> str:
        return f"{self.form} of {self.element}, at most {self.greatest}"


@dataclass(frozen=True)
class Record(Kind):
    """A dict that has always had the same strings as keys."""

    fields: tuple[tuple[str, Kind], ...]

    def __str__(self) -> str:
        return "dict with " + ", ".join(name for name, _ in self.fields)


@dataclass(frozen=True)
class Map(Kind):
    """A dict of other keys, or of keys that come and go."""

    key: Kind
    value: Kind
    greatest: int

    def __str__(self) -> str:
        return f"dict from {self.key} to {self.value}, at most {self.greatest}"


@dataclass(frozen=True)
class Object(Kind):
    """An object of a class of the author's, by its attributes."""

    cls: type = field(hash=False)
    fields: tuple[tuple[str, Kind], ...] = ()

    def __str__(self) -> str:
        return self.cls.__name__


@dataclass(frozen=True)
class Stream(Kind):
    """A random generator."""

    def __str__(self) -> str:
        return "random generator"


@dataclass(frozen=True)
class Maybe(Kind):
    """A value that is sometimes None."""

    value: Kind

    def __str__(self) -> str:
        return f"{self.value} or None"


@dataclass(frozen=True)
class Other(Kind):
    """Anything that columns cannot hold, in words."""

    words: str

    def __str__(self) -> str:
        return self.words


UNKNOWN = Unknown()
NOTHING = Nothing()
BOOL = Number(np.dtype(bool), True)
INT = Number(np.dtype(np.int64), True)
FLOAT = Number(np.dtype(float), True)


def kind_of(value: Any, own: Mapping[type, Any] | None = None, depth: int = 0) -> Kind:
    """Return the kind of a value.

    Args:
        value: any object.
        own: classes whose objects are taken apart by their attributes; others are `Other`.
    """
    own = {} if own is None else own
    if value is None:
        return NOTHING
    if isinstance(value, enum.Enum):
        return Member(type(value))
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int):
        return INT
    if isinstance(value, np.generic):
        if value.dtype.kind in "biuf":
            return Number(value.dtype, False)
        if isinstance(value, str):
            return Text(frozenset([str(value)]))
        return Other(f"a NumPy scalar of {value.dtype.name}")
    if isinstance(value, float):
        return FLOAT
    if isinstance(value, str):
        return Text(frozenset([value]))
    if isinstance(value, np.random.Generator):
        return Stream()
    if getattr(value, "is_stream", False) is True:
        return Stream()
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biuf":
            return Other(f"an array of {value.dtype.name}")
        if value.ndim == 0:
            return Number(value.dtype, False)
        return Array(value.dtype, value.shape)
    if depth > DEEPEST:
        return Other("containers deeper within each other than is looked at")
    return _kind_of_container(value, own, depth)


def _kind_of_container(value: Any, own: Mapping[type, Any], depth: int) -> Kind:
    if isinstance(value, list | tuple | deque | set | frozenset):
        return _kind_of_elements(value, own, depth)
    if isinstance(value, dict):
        kinds = {key: kind_of(member, own, depth + 1) for key, member in list(value.items())[:MOST]}
        if all(isinstance(key, str) for key in kinds):
            return Record(tuple(kinds.items()))
        return Map(
            joined(kind_of(key, own, depth + 1) for key in kinds),
            joined(kinds.values()),
            len(value),
        )
    if type(value) in own:
        fields = {
            name: kind_of(member, own, depth + 1) for name, member in attributes_of(value).items()
        }
        return Object(type(value), tuple(sorted(fields.items())))
    kind = type(value)
    return Other(f"a {kind.__module__}.{kind.__qualname__}")


def _kind_of_elements(value: Any, own: Mapping[type, Any], depth: int) -> Kind:
    form = type(value).__name__ if type(value) in (list, tuple, deque, set) else "list"
    if isinstance(value, tuple) and type(value) is not tuple:
        form = "tuple"
    kinds = [kind_of(member, own, depth + 1) for member in list(value)[:MOST]]
    one = joined(kinds)
    if form == "tuple" or (isinstance(one, Other) and form == "list"):
        return Tuple(tuple(kinds), form, getattr(value, "_fields", ()))
    return Sequence(one, len(value), len(value), form)


def attributes_of(value: Any) -> dict[str, Any]:
    """Return an object's attributes, those in `__slots__` too."""
    found = dict(getattr(value, "__dict__", {}))
    for cls in type(value).__mro__:
        slots = getattr(cls, "__slots__", ())
        for name in [slots] if isinstance(slots, str) else slots:
            if hasattr(value, name):
                found[name] = getattr(value, name)
    return found


def joined(kinds: Any) -> Kind:
    """Return the kind that all of some have."""
    found: Kind = UNKNOWN
    for kind in kinds:
        found = join(found, kind)
    return found


def join(a: Kind, b: Kind) -> Kind:
    """Return the kind of values that are of the one or the other; `Other` if there is none."""
    if a == b or isinstance(b, Unknown):
        return a
    if isinstance(a, Unknown):
        return b
    if isinstance(a, Maybe) or isinstance(b, Maybe):
        return _maybe(
            join(
                a.value if isinstance(a, Maybe) else UNKNOWN if a == NOTHING else a,
                b.value if isinstance(b, Maybe) else UNKNOWN if b == NOTHING else b,
            )
        )
    if a == NOTHING or b == NOTHING:
        return _maybe(b if a == NOTHING else a)
    if isinstance(a, Other):
        return a
    if isinstance(b, Other):
        return b
    if type(a) is type(b):
        return _join_alike(a, b)
    rows = [kind for kind in (a, b) if isinstance(kind, Array) and len(kind.shape) == 1]
    others = [kind for kind in (a, b) if isinstance(kind, Tuple | Sequence)]
    if len(rows) == len(others) == 1:
        return _as_array(rows[0], others[0])
    sequences = isinstance(a, Tuple | Sequence) and isinstance(b, Tuple | Sequence)
    if sequences:
        return _as_sequence(a, b)
    arrays = isinstance(a, Array) or isinstance(b, Array)
    lists = [kind for kind in (a, b) if isinstance(kind, Sequence) and kind.form == "array"]
    if arrays and lists:
        array = a if isinstance(a, Array) else b
        assert isinstance(array, Array)
        return _join_alike(_as_list(array), lists[0])
    if isinstance(a, Record | Map) and isinstance(b, Record | Map):
        return as_map(a, b)
    return Other(f"{a} here and {b} there")


def _maybe(kind: Kind) -> Kind:
    return kind if isinstance(kind, Other) else Maybe(kind)


def _join_alike(a: Kind, b: Kind) -> Kind:
    match a, b:
        case Number(), Number():
            python = a.python and b.python
            if python or a.python == b.python:
                return Number(np.promote_types(a.dtype, b.dtype), python)
            # NumPy's scalar and Python's number: as wide as both need.
            return Number(np.promote_types(a.dtype, b.dtype), False)
        case Array(), Array():
            if len(a.shape) != len(b.shape):
                return Other(f"{a} here and {b} there")
            dtype = np.promote_types(a.dtype, b.dtype)
            if a.shape == b.shape:
                return Array(dtype, a.shape)
            if a.shape[1:] == b.shape[1:]:
                return _join_alike(_as_list(a), _as_list(b))
            shape = tuple(m if m == n else -1 for m, n in zip(a.shape, b.shape, strict=True))
            return Array(dtype, shape)
        case Text(), Text():
            return Text(a.values | b.values)
        case Tuple(), Tuple():
            if len(a.members) == len(b.members):
                members = tuple(map(join, a.members, b.members))
                form = a.form if a.form == b.form else "list"
                return Tuple(members, form, a.names or b.names)
            return _as_sequence(a, b)
        case Sequence(), Sequence():
            return replace(
                a,
                element=join(a.element, b.element),
                least=min(a.least, b.least),
                greatest=max(a.greatest, b.greatest),
                form=a.form if a.form == b.form else "list",
            )
        case Record(), Record():
            return _join_records(a, b)
        case Map(), Map():
            return Map(join(a.key, b.key), join(a.value, b.value), max(a.greatest, b.greatest))
        case Object(), Object():
            if a.cls is not b.cls:
                return Other(f"{a} here and {b} there")
            mine, theirs = dict(a.fields), dict(b.fields)
            names = sorted({**mine, **theirs})
            return Object(
                a.cls,
                tuple(
                    (name, join(mine.get(name, NOTHING), theirs.get(name, NOTHING)))
                    for name in names
                ),
            )
    return Other(f"{a} here and {b} there")


def _as_array(row: Array, other: Kind) -> Kind:
    """Return the kind of an array in place of which a tuple or list stands elsewhere."""
    members = other.members if isinstance(other, Tuple) else ()
    if isinstance(other, Sequence) and other.least == other.greatest:
        members = (other.element,) * other.greatest
    if len(members) == row.shape[0] and all(isinstance(member, Number) for member in members):
        dtypes = [member.dtype for member in members if isinstance(member, Number)]
        return Array(np.result_type(row.dtype, *dtypes), row.shape)
    if isinstance(other, Sequence) and isinstance(other.element, Number):
        return join(_as_list(row), other)
    return Other(f"{row} here and {other} there")


def _as_list(kind: Array) -> Sequence:
    """Return the kind of a list that an array is whose first axis changes its length."""
    return Sequence(element_of(kind), kind.shape[0], kind.shape[0], "array")


def element_of(kind: Array, axes: int = 1) -> Array | Number:
    """Return the kind of what whole numbers find in an array, one for each of its first axes."""
    rest = kind.shape[axes:]
    return Array(kind.dtype, rest) if rest else Number(kind.dtype, False)


def _join_records(a: Record, b: Record) -> Kind:
    mine, theirs = dict(a.fields), dict(b.fields)
    if mine.keys() == theirs.keys():
        return Record(tuple((name, join(kind, theirs[name])) for name, kind in mine.items()))
    return as_map(a, b)


def as_map(*records: Record | Map) -> Map:
    """Return the kind of dicts of which each key is to be looked for."""
    keys: list[Kind] = []
    values: list[Kind] = []
    greatest = 0
    for kind in records:
        if isinstance(kind, Record):
            keys += [Text(frozenset([name])) for name, _ in kind.fields]
            values += [value for _, value in kind.fields]
            greatest = max(greatest, len(kind.fields))
        else:
            keys.append(kind.key)
            values.append(kind.value)
            greatest = max(greatest, kind.greatest)
    return Map(joined(keys), joined(values), greatest)


def _as_sequence(a: Kind, b: Kind) -> Kind:
    found: list[Sequence] = []
    for kind in (a, b):
        if isinstance(kind, Tuple):
            n = len(kind.members)
            found.append(Sequence(joined(kind.members), n, n, kind.form))
        elif isinstance(kind, Sequence):
            found.append(kind)
    if isinstance(found[0].element, Other) or isinstance(found[1].element, Other):
        return Other(f"{a} here and {b} there")
    return _join_alike(found[0], found[1])


def replaced(kind: Kind, of: Callable[[Kind], Kind]) -> Kind:
    """Return a kind with each kind within it replaced by what a function makes of it."""
    match kind:
        case Maybe():
            kind = Maybe(replaced(kind.value, of))
        case Sequence():
            kind = replace(kind, element=replaced(kind.element, of))
        case Tuple():
            kind = replace(kind, members=tuple(replaced(member, of) for member in kind.members))
        case Record() | Object():
            fields = tuple((name, replaced(member, of)) for name, member in kind.fields)
            kind = replace(kind, fields=fields)
        case Map():
            kind = replace(kind, key=replaced(kind.key, of), value=replaced(kind.value, of))
    return of(kind)


def is_numeric(kind: Kind) -> bool:
    """Return whether a value of this kind is a number, an array, or a tuple of numbers."""
    if isinstance(kind, Tuple):
        return all(isinstance(member, Number) for member in kind.members)
    return isinstance(kind, Number | Array)


def common_dtype(kind: Tuple) -> np.dtype[Any] | None:
    """Return the dtype in which a tuple's members are one row of a column, or None."""
    if kind.form == SPREAD:
        return None
    dtypes = {member.dtype for member in kind.members if isinstance(member, Number)}
    if len(dtypes) != 1 or not all(isinstance(member, Number) for member in kind.members):
        return None
    return dtypes.pop()


def row_dtype(kind: Record | Object) -> np.dtype[Any] | None:
    """Return the dtype in which the fields of an element of a list are one row, or None."""
    whole = np.dtype(np.int64)
    dtypes = {
        part.dtype
        if isinstance(part, Number)
        else whole
        if isinstance(part, Text | Member)
        else None
        for _, part in kind.fields
    }
    return dtypes.pop() if len(dtypes) == 1 and len(kind.fields) > 1 else None


def walk(kind: Kind) -> Iterator[Kind]:
    """Yield a kind and all kinds within it."""
    yield kind
    match kind:
        case Maybe():
            yield from walk(kind.value)
        case Sequence():
            yield from walk(kind.element)
        case Tuple():
            for member in kind.members:
                yield from walk(member)
        case Record() | Object():
            for _, member in kind.fields:
                yield from walk(member)
        case Map():
            yield from walk(kind.key)
            yield from walk(kind.value)


def size_of(kind: Array) -> int:
    """Return the number of elements of an array whose shape is known."""
    return math.prod(kind.shape)
