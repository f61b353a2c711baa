"""Lists whose elements lie in rows of columns: an array with room for some, and how many there are.

Converted definitions use them, and any environment may that keeps a list, queue or set: the
elements are `s.items[i]`, of which the first `s.items_length[i]` count.
"""

from __future__ import annotations

from typing import Any

__all__ = ["delete", "find", "find_row", "insert", "room"]


def room(items: Any, length: int) -> int:
    """Return the index of the next element, `length`.

    Raises:
        IndexError: if there is no room; a compiled kernel ends the call with an error.
    """
    if length >= len(items):
        raise IndexError("a list is full: its column has no room for another element")
    return length


def find(items: Any, length: int, value: Any) -> int:
    """Return the index of the first of `length` numbers that equals one; -1 if none does."""
    for k in range(length):
        if items[k] == value:
            return k
    return -1


def find_row(items: Any, length: int, row: Any) -> int:
    """Return the index of the first of `length` rows, `(room, n)`, that equals n numbers; or -1."""
    for k in range(length):
        alike = True
        for m in range(len(row)):
            if items[k, m] != row[m]:
                alike = False
        if alike:
            return k
    return -1


def delete(items: Any, length: int, k: int) -> None:
    """Take element k out: those behind it move up. The caller counts the length down."""
    for m in range(k, length - 1):
        items[m] = items[m + 1]


def insert(items: Any, length: int, k: int) -> None:
    """Make way for an element at k: it and those behind it move down. The caller counts up.

    Raises:
        IndexError: if there is no room; a compiled kernel ends the call with an error.
    """
    for m in range(room(items, length), k, -1):
        items[m] = items[m - 1]
