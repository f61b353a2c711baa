"""Parts of an observation that may or may not be there, as parameters decide.

Where a parameter turns an observation from a Box into a Dict with more in it, `observe` gets an
array or a namedtuple of arrays. These functions let it be written once.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import lower_builtin, overload, type_callable

__all__ = ["part", "put"]


def part(out, name):  # type: ignore[no-untyped-def]
    """Return a part of an observation, or all of it if it has no parts.

    Args:
        out: what `observe` writes into: an array, or a namedtuple of a Dict's parts.
        name: the key, a constant.
    """
    return getattr(out, name) if isinstance(out, tuple) else out


def put(out, name, row, column, value):  # type: ignore[no-untyped-def]
    """Write an element of a part with two axes, if the observation has that part.

    Args:
        out, name: as in `part`.
        row, column: the element.
        value: what it becomes.
    """
    if isinstance(out, tuple) and name in out._fields:
        getattr(out, name)[row, column] = value


def _place(out: Any, name: Any) -> int | None:
    """Return which part has this name; None if there is none."""
    fields = getattr(out, "fields", ())
    wanted = getattr(name, "literal_value", None)
    return fields.index(wanted) if wanted in fields else None


# Not an overload: without reference counts those return no arrays.
@type_callable(part)
def _type_part(context: Any) -> Any:
    def type_of(out: Any, name: Any) -> Any:
        if isinstance(out, types.Array):
            return out
        place = _place(out, name)
        return None if place is None else out.types[place]

    return type_of


@lower_builtin(part, types.Any, types.Any)
def _lower_part(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    out, name = signature.args
    if isinstance(out, types.Array):
        return arguments[0]
    return builder.extract_value(arguments[0], _place(out, name))


@overload(put, prefer_literal=True)
def _overload_put(out, name, row, column, value):  # type: ignore[no-untyped-def]
    if not isinstance(name, types.StringLiteral):
        return None
    if _place(out, name) is None:
        return lambda out, name, row, column, value: None
    key = name.literal_value

    def put(out, name, row, column, value):  # type: ignore[no-untyped-def]
        part(out, key)[row, column] = value

    return put
