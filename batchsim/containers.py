"""Lists whose elements lie in rows of columns: an array with room for some, and how many there are.

Converted definitions use them, and any environment may that keeps a list, queue or set: the
elements are `s.items[i]`, of which the first `s.items_length[i]` count.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["append", "delete", "find", "find_row", "insert", "mean", "room", "total"]

PART = 128  # numbers that NumPy adds up in eight sums; of more it adds up halves


def room(items: Any, length: int) -> int:
    """Return the index of the next element, `length`.

    Raises:
        IndexError: if there is no room; a compiled kernel ends the call with an error.
    """
    if length >= len(items):
        raise IndexError("a list is full: its column has no room for another element")
    return length


def append(items: Any, length: int, value: Any) -> int:
    """Put a number behind the first `length`, and return how many there are then.

    Raises:
        IndexError: if there is no room; a compiled kernel ends the call with an error.
    """
    items[room(items, length)] = value
    return length + 1


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


def total(items: Any, length: int) -> float:
    """Return the sum of the first `length` numbers of float64, added as `np.sum` adds them."""
    sums, depths = np.zeros(16), np.zeros(16, np.int64)  # of parts that wait for their other half
    ahead, below = np.zeros(16, np.int64), np.zeros(16, np.int64)  # halves that are not begun
    start, count, depth, held, waiting = 0, length, 0, 0, 0
    while True:
        while count > PART:
            half = count // 2
            half -= half % 8
            depth += 1
            ahead[waiting] = count - half
            below[waiting] = depth
            waiting += 1
            count = half
        value = _part(items, start, count)
        start += count
        while held > 0 and depths[held - 1] == depth:
            held -= 1
            value = sums[held] + value
            depth -= 1
        sums[held] = value
        depths[held] = depth
        held += 1
        if waiting == 0:
            return sums[0] + 0.0  # type: ignore[no-any-return]
        waiting -= 1
        count = ahead[waiting]
        depth = below[waiting]


def _part(items: Any, start: int, count: int) -> float:
    """Return the sum of so many numbers, in eight sums that take turns."""
    value = -0.0
    k = start
    if count >= 8:
        a, b, c, d = items[k], items[k + 1], items[k + 2], items[k + 3]
        e, f, g, h = items[k + 4], items[k + 5], items[k + 6], items[k + 7]
        k += 8
        while k + 8 <= start + count:
            a += items[k]
            b += items[k + 1]
            c += items[k + 2]
            d += items[k + 3]
            e += items[k + 4]
            f += items[k + 5]
            g += items[k + 6]
            h += items[k + 7]
            k += 8
        value = ((a + b) + (c + d)) + ((e + f) + (g + h))
    while k < start + count:
        value += items[k]
        k += 1
    return value


def mean(items: Any, length: int) -> float:
    """Return the mean of the first `length` numbers of float64, as `np.mean`; NaN of none."""
    return total(items, length) / length if length > 0 else np.nan
