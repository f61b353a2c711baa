"""The per-object environments of a kind: Gymnasium's own, or the baseline batchsim brings along.

Of the parameters that there are here, their classes take some as arguments; others are attributes
of their objects, as scripts set them there.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gymnasium
from gymnasium.envs.registration import load_env_creator
from gymnasium.wrappers import FrameStackObservation

from batchsim.values import is_same

if TYPE_CHECKING:
    from batchsim.ladder.kind import Kind

__all__ = ["Original", "names_taken"]

RENAMED: Mapping[str, Mapping[str, tuple[str, Mapping[Any, Any]]]] = {
    "Acrobot-v1": {"nips": ("book_or_nips", {False: "book", True: "nips"})}
}
"""Parameters that upstream has under another name, and its values, by id."""
DERIVED = {"CartPole-v1": ("total_mass", "polemass_length")}
"""Attributes that upstream computes from parameters once, when an object is made, by id."""


@dataclass(frozen=True)
class Original:
    """What makes the per-object environments of a kind."""

    name: str
    """Gymnasium's id."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Of `gymnasium.make`."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """What is set on each object then."""
    frame_stack: int = 1

    @classmethod
    def of(cls, kind: Kind, name: str) -> Original:
        """Return the original of a kind.

        Args:
            kind: the id and its parameters.
            name: Gymnasium's id.

        Raises:
            TypeError, ValueError: if an argument is out of place, or the original has not all the
                parameters, or refuses one.
        """
        frame_stack = kind.one.frame_stack  # Raises for an argument out of place.
        if kind.one.text_mode != "str":
            raise ValueError(
                f"text_mode is {kind.one.text_mode!r}, but {name}, the per-object environment that "
                "every rung is compared with, returns texts as strings; expected 'str'."
            )
        taken = names_taken(gymnasium.spec(name).entry_point)
        values = _values(kind)
        arguments = {key: value for key, value in values.items() if key in taken}
        if "max_episode_steps" in kind.arguments:
            arguments["max_episode_steps"] = -1 if kind.time_limit is None else kind.time_limit
        others = {key: value for key, value in values.items() if key not in taken}
        found = cls(name, arguments, _attributes(kind, others), frame_stack)
        found._check(kind, others)
        return found

    def make(self) -> gymnasium.Env[Any, Any]:
        """Return an environment."""
        env: gymnasium.Env[Any, Any] = gymnasium.make(self.name, **self.arguments)
        for name, value in self.attributes.items():
            # A copy: each object has its own, as the memory of one is measured.
            setattr(env.unwrapped, name, copy.deepcopy(value))
        if self.frame_stack > 1:
            return FrameStackObservation(env, self.frame_stack)
        return env

    def _check(self, kind: Kind, others: Mapping[str, Any]) -> None:
        """Raise ValueError unless an environment can be made, and has the attributes."""
        try:
            env = gymnasium.make(self.name, **self.arguments)
        except Exception as error:
            reason = str(error).strip().partition("\n")[0].rstrip(".")
            raise ValueError(f"{kind} is refused by {self.name}: {reason}.") from error
        renamed = RENAMED.get(kind.env_id, {})
        for name in others:
            if not hasattr(env.unwrapped, renamed[name][0] if name in renamed else name):
                raise ValueError(
                    f"{self.name}, the per-object environment that every rung is compared with, "
                    f"has no parameter {name!r}; expected others of {kind.env_id}, which it has."
                )
        env.close()


def names_taken(entry_point: Any) -> set[str]:
    """Return the names of the arguments that a class takes, those that it hands to its bases too.

    Args:
        entry_point: a function or class, or `module:name` of one; None for one that takes none.
    """
    if entry_point is None:
        return set()
    creator: Any = load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point
    functions: list[Callable[..., Any]] = [creator]
    if isinstance(creator, type):
        functions = [vars(cls)["__init__"] for cls in creator.__mro__ if "__init__" in vars(cls)]
    found: set[str] = set()
    for function in functions:
        parameters = inspect.signature(function).parameters.values()
        found |= {
            parameter.name
            for parameter in parameters
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        }
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    return found


def _values(kind: Kind) -> dict[str, Any]:
    """Return what the original has to be told: what is not as the id has it anyway."""
    one, arguments = kind.one, kind.arguments
    others = [name for name in one.definition.arguments if name in arguments]
    defaults = one._defaults
    changed = {name: v for name, v in one.params.items() if not is_same(v, defaults[name])}
    return changed | {name: arguments[name] for name in others}


def _attributes(kind: Kind, others: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes of an object by the original's names, with what follows from them."""
    if not others:
        return {}
    renamed = RENAMED.get(kind.env_id, {})
    found = {}
    for name, value in others.items():
        if name in renamed:
            attribute, values = renamed[name]
            found[attribute] = values[value]
        else:
            found[name] = value
    p = kind.functions_see()
    for name in DERIVED.get(kind.env_id, ()):
        found[name] = kind.definition.attributes[name][0](None, 0, p)
    space, found["action_space"] = kind.frame_spaces()
    return found | {"observation_space": space}
