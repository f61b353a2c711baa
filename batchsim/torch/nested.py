"""Observations of Dict and Tuple spaces: dicts and tuples of tensors, as deep as the space is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["leaves", "mapped"]


def mapped(function: Callable[..., Any], *nested: Any) -> Any:
    """Return `function` of each leaf, or of the leaves in the same place, nested as these are."""
    first = nested[0]
    if isinstance(first, dict):
        return {key: mapped(function, *(one[key] for one in nested)) for key in first}
    if isinstance(first, tuple):
        return tuple(mapped(function, *members) for members in zip(*nested, strict=True))
    return function(*nested)


def leaves(nested: Any) -> list[Any]:
    """Return the leaves, in the order of the space."""
    if isinstance(nested, (dict, tuple)):
        members = nested.values() if isinstance(nested, dict) else nested
        return [leaf for member in members for leaf in leaves(member)]
    return [nested]
