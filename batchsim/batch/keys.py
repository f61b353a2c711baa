"""Which key means what: the name `KEYS` of a definition, read and checked."""

from __future__ import annotations

import string
from collections.abc import Iterable
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete, MultiBinary, MultiDiscrete, Space

from batchsim.batch.spaces import action_bounds
from batchsim.definition import Definition, suggest
from batchsim.values import is_whole

__all__ = ["KEY_NAMES", "OF_PLAY", "Keys"]

KEY_NAMES = frozenset(
    [
        *string.ascii_lowercase,
        *string.digits,
        *"',-./;=[]\\`",
        *("left", "right", "up", "down"),
        *("space", "return", "tab", "backspace", "insert", "delete"),
        *("home", "end", "page up", "page down"),
        *("left shift", "right shift", "left ctrl", "right ctrl", "left alt", "right alt"),
    ]
)
"""The keys that `KEYS` may name, as pygame calls them."""

OF_PLAY = {"p": "pause", "r": "a new episode", "escape": "leave"}
"""What the keys do that `play` keeps for itself."""


class Keys:
    """What the keys of an environment do.

    Args:
        definition: of the environment, with a name `KEYS`.
        space: its action space.

    Raises:
        TypeError, ValueError: if `KEYS` is missing, names a key that there is not, or gives an
            action that is not in the space.

    Example:
        >>> from gymnasium.spaces import MultiDiscrete
        >>> from batchsim import registry
        >>> keys = Keys(registry.load("EgoBattle-v0"), MultiDiscrete([3, 3, 3, 2]))
        >>> keys.action(["up", "space"])
        array([0, 1, 0, 1])
    """

    def __init__(self, definition: Definition, space: Space[Any]) -> None:
        self._what = f"KEYS of {definition.name}"
        given = getattr(definition.namespace, "KEYS", None)
        if not isinstance(given, dict) or not set(given) - {None}:
            raise TypeError(
                f"{self._what} is {given!r}; expected a dict from names of keys to actions, such "
                "as {'left': 0, 'right': 1}."
            )
        self._discrete = isinstance(space, Discrete)
        if not self._discrete and not (
            isinstance(space, (MultiDiscrete, MultiBinary)) and len(space.shape) == 1
        ):
            raise TypeError(
                f"{self._what} cannot give actions of {space}; expected Discrete, or MultiDiscrete "
                "or MultiBinary with one axis."
            )
        self._low, self._high = map(np.atleast_1d, action_bounds(space))
        self._dtype = space.dtype
        for key in given:
            self._check_key(key)
        self.waits = None not in given
        """Whether there is no action for no key: the game waits then until one is pressed."""
        self.idle: Any = None if self.waits else self._read_idle(given[None])
        """The action while no key is held; None if the game waits."""
        self.actions = {
            key: self._read(key, value) for key, value in given.items() if key is not None
        }
        """What each key does: an action, or (index, value) of an element of it."""

    def _check_key(self, key: Any) -> None:
        if key in OF_PLAY:
            raise ValueError(
                f"{self._what} names {key!r}, which play keeps for itself ({OF_PLAY[key]}); "
                "choose another key."
            )
        if key is not None and key not in KEY_NAMES:
            near = suggest(key, KEY_NAMES) if isinstance(key, str) else ""
            raise ValueError(
                f"{self._what} names {key!r}{near}; expected a key such as 'a', 'left', 'space' or "
                "'left ctrl', or None for no key."
            )

    def _read_idle(self, value: Any) -> Any:
        if self._discrete:
            return self._within(None, value, 0)
        count = len(self._low)
        if not isinstance(value, tuple) or len(value) != count:
            raise ValueError(
                f"{self._what} gives None the action {value!r}; expected a tuple of {count} whole "
                "numbers."
            )
        return tuple(self._within(None, member, index) for index, member in enumerate(value))

    def _read(self, key: str, value: Any) -> Any:
        if self._discrete:
            return self._within(key, value, 0)
        last = len(self._low) - 1
        if (
            not isinstance(value, tuple)
            or len(value) != 2
            or not is_whole(value[0])
            or not 0 <= value[0] <= last
        ):
            raise ValueError(
                f"{self._what} gives {key!r} the action {value!r}; expected (index, value), the "
                f"index from 0 to {last}."
            )
        return int(value[0]), self._within(key, value[1], value[0])

    def _within(self, key: str | None, value: Any, index: int) -> int:
        """Return the value of the action's element `index`, which is in the space."""
        low, high = int(self._low[index]), int(self._high[index])
        if not is_whole(value) or not low <= value <= high:
            where = "the action" if self._discrete else f"at index {index} the value"
            raise ValueError(
                f"{self._what} gives {key!r} {where} {value!r}; expected a whole number from "
                f"{low} to {high}."
            )
        return int(value)

    def action(self, held: Iterable[str]) -> Any:
        """Return the action while some keys are held, or None if the game waits for one.

        Args:
            held: names of keys of `actions`, in the order in which they were pressed. Of those
                that give one element of the action different values, the last one counts.
        """
        held = list(held)
        if not held and self.waits:
            return None
        if self._discrete:
            return self.actions[held[-1]] if held else self.idle
        action = np.array(self._low if self.waits else self.idle, self._dtype)
        for key in held:
            index, value = self.actions[key]
            action[index] = value
        return action
