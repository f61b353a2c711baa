"""How values of a kind lie in columns; and values taken apart accordingly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from batchsim.convert import kinds
from batchsim.convert.kinds import (
    Array,
    Kind,
    Map,
    Maybe,
    Member,
    Number,
    Object,
    Record,
    Sequence,
    Text,
    Tuple,
)
from batchsim.convert.values import count_suffix, key_of

__all__ = ["Codes", "Column", "columns", "flatten", "trouble"]

LEAST = 4  # elements for which a list has room


@dataclass(frozen=True)
class Column:
    """A column: its name, dtype and the shape of a row."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...] = ()


class Codes:
    """Whole numbers that stand for strings and for members of enumerations."""

    def __init__(self) -> None:
        self.texts: dict[str, int] = {}

    def of(self, value: Any) -> int:
        """Return the number that stands for a string or member."""
        if isinstance(value, str):
            return self.texts.setdefault(value, len(self.texts))
        members = list(type(value).__members__)
        if all(isinstance(member.value, int) for member in type(value)):
            return int(value.value)
        return members.index(value.name)


@dataclass(frozen=True)
class Room:
    """What decides the room in columns.

    Attributes:
        given: capacities by name.
        resized: lists whose length changes, by their keys, though all lengths seen were the same.
        tight: whether there is room for what was seen and no more, as in constants.
    """

    given: Mapping[str, int]
    resized: Set[str]
    tight: bool = False

    def is_fixed(self, kind: Sequence, name: str, depth: int) -> bool:
        """Return whether a list never changes its length."""
        return kind.least == kind.greatest > 0 and key_of(name, depth) not in self.resized

    def capacity(self, kind: Sequence | Map, name: str, depth: int) -> int:
        """Return for how many elements there is room."""
        if name in self.given:
            return self.given[name]
        if self.tight or (isinstance(kind, Sequence) and self.is_fixed(kind, name, depth)):
            return max(kind.greatest, 1)
        return max(2 * kind.greatest, LEAST)


def columns(kind: Kind, name: str, room: Room, outer: tuple[int, ...] = ()) -> Iterator[Column]:
    """Yield the columns in which values of a kind lie."""
    match kind:
        case Number():
            yield Column(name, kind.dtype, outer)
        case Text() | Member():
            yield Column(name, np.dtype(np.int64), outer)
        case Array():
            yield Column(name, kind.dtype, outer + kind.shape)
        case Tuple():
            dtype = kinds.common_dtype(kind)
            if dtype is not None:
                yield Column(name, dtype, (*outer, len(kind.members)))
                return
            for k, member in enumerate(kind.members):
                yield from columns(member, f"{name}_{k}", room, outer)
        case Maybe():
            yield Column(f"{name}_missing", np.dtype(bool), outer)
            yield from columns(kind.value, name, room, outer)
        case Sequence():
            most = room.capacity(kind, name, len(outer))
            if not room.is_fixed(kind, name, len(outer)):
                yield Column(f"{name}_{count_suffix(len(outer))}", np.dtype(np.int64), outer)
            yield from columns(kind.element, name, room, (*outer, most))
        case Record() | Object():
            dtype = kinds.row_dtype(kind) if outer else None
            if dtype is not None:
                yield Column(name, dtype, (*outer, len(kind.fields)))
                return
            for key, member in kind.fields:
                yield from columns(member, f"{name}_{key}", room, outer)
        case Map():
            most = room.capacity(kind, name, len(outer))
            yield Column(f"{name}_{count_suffix(len(outer))}", np.dtype(np.int64), outer)
            yield from columns(kind.key, f"{name}_keys", room, (*outer, most))
            yield from columns(kind.value, f"{name}_values", room, (*outer, most))


def trouble(kind: Kind) -> str:
    """Return why values of a kind cannot lie in columns, or an empty string."""
    for part in kinds.walk(kind):
        if isinstance(part, kinds.Other):
            return f"it is {part}"
        if isinstance(part, Array) and -1 in part.shape:
            return "the array has not always the same shape"
    return ""


def flatten(
    value: Any, kind: Kind, name: str, room: Room, codes: Codes, index: tuple[int, ...] = ()
) -> Iterator[tuple[str, tuple[int, ...], Any]]:
    """Yield what lies in columns for a value: a column's name, a place in it, and what is there."""
    match kind:
        case Number():
            yield name, index, value
        case Text() | Member():
            yield name, index, codes.of(value)
        case Array():
            yield name, index, value
        case Tuple():
            if kinds.common_dtype(kind) is not None:
                for k, member in enumerate(value):
                    yield name, (*index, k), member
                return
            for k, (member, part) in enumerate(zip(value, kind.members, strict=True)):
                yield from flatten(member, part, f"{name}_{k}", room, codes, index)
        case Maybe():
            yield f"{name}_missing", index, value is None
            if value is not None:
                yield from flatten(value, kind.value, name, room, codes, index)
        case Sequence():
            if not room.is_fixed(kind, name, len(index)):
                yield f"{name}_{count_suffix(len(index))}", index, len(value)
            if isinstance(value, set | frozenset):
                return  # in which order its elements lie is nobody's to say
            for k, member in enumerate(value):
                yield from flatten(member, kind.element, name, room, codes, (*index, k))
        case Record() | Object():
            held = value if isinstance(kind, Record) else kinds.attributes_of(value)
            row = bool(index) and kinds.row_dtype(kind) is not None
            for k, (key, part) in enumerate(kind.fields):
                where, at_ = (name, (*index, k)) if row else (f"{name}_{key}", index)
                yield from flatten(held.get(key), part, where, room, codes, at_)
        case Map():
            yield f"{name}_{count_suffix(len(index))}", index, len(value)
            for k, (key, member) in enumerate(value.items()):
                yield from flatten(key, kind.key, f"{name}_keys", room, codes, (*index, k))
                yield from flatten(member, kind.value, f"{name}_values", room, codes, (*index, k))
