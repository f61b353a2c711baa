"""Which environments there are: one line an id, and those that users register.

Importing this module is cheap; it loads no environment.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batchsim.definition import Definition

__all__ = [
    "ENVIRONMENTS",
    "Entry",
    "environments",
    "find",
    "load",
    "read",
    "register",
    "register_with_gymnasium",
]

NAMESPACE = "batchsim"
"""Ids are registered with Gymnasium as `batchsim/<id>`."""


@dataclass(frozen=True)
class Entry:
    """An id's definition and defaults.

    An id that Gymnasium has too behaves as Gymnasium's, bit for bit; the tests compare every one of
    them.
    """

    module: Any
    """The module's name; for an environment that a user registered, the class or module itself."""
    max_episode_steps: int | None = None
    reward_threshold: float | None = None
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Arguments that the id sets, where the environment's own defaults are others."""


_CLASSIC = "batchsim.envs.classic_control"

_entries: dict[str, Entry] = {
    "CartPole-v1": Entry(f"{_CLASSIC}.cartpole", max_episode_steps=500, reward_threshold=475.0),
    "Pendulum-v1": Entry(f"{_CLASSIC}.pendulum", max_episode_steps=200),
}

ENVIRONMENTS: Mapping[str, Entry] = MappingProxyType(_entries)


def find(name: str) -> tuple[str, Entry]:
    """Return the id without namespace and its entry.

    Raises:
        TypeError: if `name` is not a string.
        ValueError: if there is no such id; the message suggests the nearest.
    """
    if not isinstance(name, str):
        raise TypeError(f"The environment id is {name!r}; expected a string such as 'CartPole-v1'.")
    short = name.removeprefix(f"{NAMESPACE}/")
    if short not in ENVIRONMENTS:
        from batchsim.definition import suggest

        raise ValueError(
            f"batchsim has no environment {name!r}{suggest(short, ENVIRONMENTS)}; "
            "batchsim.environments() lists them all."
        )
    return short, ENVIRONMENTS[short]


def environments() -> list[str]:
    """Return all ids."""
    return sorted(ENVIRONMENTS)


def load(name: str) -> Definition:
    """Return the definition of an id."""
    from batchsim.definition import Definition

    short, entry = find(name)
    namespace = entry.module
    if isinstance(namespace, str):
        namespace = importlib.import_module(namespace)
    return Definition(namespace, short)


def read(environment: Any) -> tuple[Definition, Entry]:
    """Return the definition and the entry of an id, a class or module, or a `Definition`."""
    from batchsim.definition import Definition

    if isinstance(environment, str):
        return load(environment), find(environment)[1]
    if isinstance(environment, Definition):
        entry = ENVIRONMENTS.get(environment.name)
        known = entry is not None and entry.module in (
            environment.namespace,
            getattr(environment.namespace, "__name__", None),
        )
        return environment, Entry(environment.namespace) if not known else entry  # type: ignore[return-value]
    if not isinstance(environment, (type, ModuleType)):
        raise TypeError(
            f"The environment id is {environment!r}; expected a string such as 'CartPole-v1', or "
            "the class or module that defines an environment."
        )
    return Definition(environment, _own_name(environment)), Entry(environment)


def _own_name(namespace: Any) -> str:
    name: str = getattr(namespace, "ID", namespace.__name__.rpartition(".")[2])
    return name


def register(
    definition: Any,
    id: str | None = None,
    *,
    max_episode_steps: int | None = None,
    reward_threshold: float | None = None,
) -> str:
    """Make an environment known by an id: to `make_vec`, the command line and Gymnasium.

    Args:
        definition: the class or module that defines it; see `docs/contract.md`.
        id: the id; by default the definition's `ID`, or else its name.
        max_episode_steps: truncate episodes after so many steps; None for never.
        reward_threshold: the mean return at which the task counts as solved, for Gymnasium.

    Returns:
        The id. Gymnasium knows the environment as `batchsim/<id>`.

    Raises:
        TypeError: if the definition lacks a part, or one is not what the contract asks for.
        ValueError: if the id is one of batchsim's own, or the time limit is not positive.
    """
    from batchsim.definition import Definition

    name = _own_name(definition) if id is None else id
    if not isinstance(name, str) or not name or "/" in name:
        raise ValueError(f"The id is {name!r}; expected text without a slash, such as 'Snake-v0'.")
    if name in _entries and isinstance(_entries[name].module, str):
        raise ValueError(f"The id {name!r} is taken by an environment of batchsim; choose another.")
    if max_episode_steps is not None and (
        isinstance(max_episode_steps, bool)
        or not isinstance(max_episode_steps, int)
        or max_episode_steps < 1
    ):
        raise ValueError(
            f"max_episode_steps is {max_episode_steps!r}; expected a positive whole number or None."
        )
    Definition(definition, name)
    _entries[name] = Entry(definition, max_episode_steps, reward_threshold)
    gymnasium_registration = sys.modules.get("gymnasium.envs.registration")
    if gymnasium_registration is not None:
        # What was registered under this id before is replaced.
        gymnasium_registration.registry.pop(f"{NAMESPACE}/{name}", None)
        register_with_gymnasium()
    return name


def register_with_gymnasium() -> None:
    """Make every id known to `gymnasium.make` and `gymnasium.make_vec` as `batchsim/<id>`."""
    from gymnasium.envs import registration

    for name, entry in ENVIRONMENTS.items():
        if f"{NAMESPACE}/{name}" not in registration.registry:
            registration.register(
                f"{NAMESPACE}/{name}",
                entry_point="batchsim.single:SingleEnv",
                vector_entry_point="batchsim.vector:BatchEnv",
                max_episode_steps=entry.max_episode_steps,
                reward_threshold=entry.reward_threshold,
                kwargs={"definition": name},
            )
