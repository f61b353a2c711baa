"""Which environments there are: one line an id. Importing this module is cheap; it loads no
environment.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchsim.definition import Definition

__all__ = ["ENVIRONMENTS", "Entry", "environments", "find", "load", "register_with_gymnasium"]

NAMESPACE = "batchsim"
"""Ids are registered with Gymnasium as `batchsim/<id>`."""


@dataclass(frozen=True)
class Entry:
    """An id's definition and defaults.

    An id that Gymnasium has too behaves as Gymnasium's, bit for bit; the tests compare every one of
    them.
    """

    module: str
    max_episode_steps: int | None
    reward_threshold: float | None = None


_CLASSIC = "batchsim.envs.classic_control"

ENVIRONMENTS: Mapping[str, Entry] = MappingProxyType(
    {
        "CartPole-v1": Entry(f"{_CLASSIC}.cartpole", max_episode_steps=500, reward_threshold=475.0),
        "Pendulum-v1": Entry(f"{_CLASSIC}.pendulum", max_episode_steps=200),
    }
)


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
    return Definition(importlib.import_module(entry.module), short)


def register_with_gymnasium() -> None:
    """Make every id known to `gymnasium.make` and `gymnasium.make_vec` as `batchsim/<id>`."""
    from gymnasium.envs.registration import register, registry

    for name, entry in ENVIRONMENTS.items():
        if f"{NAMESPACE}/{name}" not in registry:
            register(
                f"{NAMESPACE}/{name}",
                entry_point="batchsim.single:SingleEnv",
                vector_entry_point="batchsim.vector:BatchEnv",
                max_episode_steps=entry.max_episode_steps,
                reward_threshold=entry.reward_threshold,
                kwargs={"definition": name},
            )
