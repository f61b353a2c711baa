"""What each of some environments is made with, for those who make them again and again."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from batchsim import registry
from batchsim.definition import OF_BATCHES

__all__ = ["OF_EACH", "refuse_of_batches", "settle"]

OF_EACH = {"frame_stack", "max_episode_steps", "text_mode"}
"""Arguments of `BatchEnv` that say what each of its environments is, as parameters do."""


def settle(environment: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments with which the same environments can be made at any time.

    What an environment reads from a file or draws at random is settled: it is among them in place
    of the file's name.

    Args:
        environment: an id, or the class or module that defines an environment.
        arguments: parameters and other arguments by name, one value for all environments; also
            those `OF_EACH`.

    Raises:
        TypeError, ValueError: if one is unknown, is for a batch as a whole, or has a value out of
            place.
    """
    refuse_of_batches(arguments)
    own = {name: arguments[name] for name in arguments if name not in OF_EACH}
    definition, entry = registry.read(environment)
    given = {**entry.kwargs, **own}
    for name, default in definition.params.items():
        if name in own and _depth(own[name]) > np.ndim(default):
            raise ValueError(
                f"The parameter {name!r} is {reprlib.repr(own[name])}; expected one value for all "
                "environments."
            )
    definition.read_params(given, 1)
    settled = definition.read_arguments(given)
    changed = {
        name: value
        for name, value in (settled._asdict() if settled else {}).items()
        if name in own or value is not given.get(name, definition.arguments[name])
    }
    return {**arguments, **changed}


def refuse_of_batches(arguments: Iterable[str]) -> None:
    """Raise ValueError if one of these names is that of an argument for a batch as a whole."""
    for name in arguments:
        if name in OF_BATCHES - OF_EACH:
            raise ValueError(
                f"{name} is no parameter of an environment; expected one of those, "
                f"{', '.join(sorted(OF_EACH)[:-1])} or {max(OF_EACH)}."
            )


def _depth(value: Any) -> int:
    """Return the number of axes of an array or of nested lists; 0 for what is no array."""
    try:
        return np.ndim(value)
    except ValueError:
        return 0  # Ragged, which is refused as what it is.
