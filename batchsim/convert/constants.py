"""Containers that never change, as constants of the module or as tables."""

from __future__ import annotations

import ast
import enum
from typing import TYPE_CHECKING, Any

import numpy as np

from batchsim.convert import kinds, layout
from batchsim.convert.layout import Room
from batchsim.convert.refusal import at
from batchsim.convert.values import Place, constant, expression
from batchsim.convert.watch import same

if TYPE_CHECKING:
    from batchsim.convert.conversion import Conversion

__all__ = ["placed"]

WRITTEN_OUT = 400  # numbers of a constant that is written into the definition
LONGEST = 64  # of its lines


def placed(
    whole: Conversion, value: Any, wanted: str, node: ast.AST, has_keys: bool = False
) -> Place:
    """Return the place of a container among the constants.

    Args:
        whole: what is known of the class.
        value: the container.
        wanted: the name that it would have.
        node: where it is used, for a message.
        has_keys: whether the keys of a dict are looked for, though they are 0, 1, 2 ….
    """
    held = {k: normal(v) for k, v in value.items()} if has_keys else normal(value)
    kind = kinds.kind_of(held, whole.seen.own)
    if isinstance(kind, kinds.Record):
        kind = kinds.as_map(kind)  # for a key that is computed
    reason = layout.trouble(kind)
    if reason:
        raise at(node, f"the constant {wanted}", reason)
    name = _name(whole, wanted, held)
    known = whole.placed.get(name)
    if known is not None:
        return known[1]
    room = Room({}, frozenset(), tight=True)
    arrays = {
        column.name: np.zeros(column.shape, column.dtype)
        for column in layout.columns(kind, name, room)
    }
    for column, index, part in layout.flatten(held, kind, name, room, whole.codes):
        arrays[column][index] = part
    written_out = (
        sum(array.size for array in arrays.values()) <= WRITTEN_OUT
        and max((len(array) for array in arrays.values() if array.shape), default=0) <= LONGEST
    )
    for column, array in arrays.items():
        if written_out:
            whole.constants[column.upper()] = literal(array)
        else:
            whole.tables[column] = array
    place = Place(kind, name, base="" if written_out else "p")
    whole.placed[name] = (held, place)
    return place


def _name(whole: Conversion, wanted: str, held: Any) -> str:
    """Return a name that is free, or that the very same value has already."""
    name, k = wanted.lower().strip("_") or "constant", 1
    base = name
    while True:
        known = whole.placed.get(name)
        if known is not None and _same(known[0], held):
            return name
        taken = (
            known is not None
            or name.upper() in whole.constants
            or (name in whole.attributes and whole.attributes[name].role == "state")
        )
        if not taken:
            return name
        k += 1
        name = f"{base}_{k}"


def _same(a: Any, b: Any) -> bool:
    return same(a, b, {})


def normal(value: Any) -> Any:
    """Return a container in which dicts from 0, 1, 2 … are lists."""
    if isinstance(value, dict):
        keys = [
            int(key.value) if isinstance(key, enum.Enum) and isinstance(key.value, int) else key
            for key in value
        ]
        numbers = all(isinstance(key, int | np.integer) for key in keys)
        if numbers and keys and sorted(keys) == list(range(len(keys))):
            members = dict(zip(keys, value.values(), strict=True))
            return [normal(members[key]) for key in range(len(keys))]
        return {key: normal(member) for key, member in value.items()}
    if isinstance(value, np.ndarray) and value.dtype.kind in "OU":
        value = value.tolist()
    if isinstance(value, list):
        return [normal(member) for member in value]
    if type(value) is tuple:
        return tuple(normal(member) for member in value)
    if isinstance(value, set | frozenset):
        return sorted(normal(member) for member in value)
    return value


def literal(array: np.ndarray[Any, Any]) -> ast.expr:
    """Return the expression that makes an array, or a number if it has no axes."""
    if not array.shape:
        return constant(array.item())
    text = np.array2string(
        array,
        separator=", ",
        threshold=array.size + 1,
        floatmode="unique",
        max_line_width=10**9,
        formatter=_FORMATS.get(array.dtype.kind),
    )
    short = {"int64": "", "float64": "", "bool": ""}.get(
        array.dtype.name, f", np.{array.dtype.name}"
    )
    return expression(f"np.array({text.replace(chr(10), '')}{short})")


_FORMATS: dict[str, Any] = {
    "f": {"float_kind": lambda x: repr(float(x)) if np.isfinite(x) else f"float('{x}')"},
    "b": {"bool": str},
}
