"""What the definitions of a family share: fields by `merge`, and `env`, by which shared functions
reach what each definition has of its own.

A family is a class whose definitions inherit from it. Python looks a name that a function uses up
in the function's module, never in the class; `env.name` is looked up in the definition whose
functions run, and so finds what that overrides.
"""

from __future__ import annotations

import contextlib
import contextvars
import inspect
import re
from collections import namedtuple
from collections.abc import Iterator
from typing import Any, cast

__all__ = ["at_work", "env", "is_namespace", "merge", "page_of", "part_of"]

_AT_WORK: contextvars.ContextVar[Any] = contextvars.ContextVar("definition at work")


class Environment:
    """The type of `env`, which stands for the definition whose functions run."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        namespace = _AT_WORK.get(None)
        if namespace is None:
            raise AttributeError(
                f"env.{name} is known where a batch runs reset, step, observe and inform, and none "
                "does here; expected `with batchsim.family.at_work(Definition):` around the call, "
                f"or in ordinary Python such as renderer a classmethod and cls.{name}."
            )
        return getattr(namespace, name)

    def __reduce__(self) -> str:
        return "env"

    def __repr__(self) -> str:
        return "batchsim.family.env"


env: Any = Environment()
"""The definition whose functions run: `env.come(s, i, k, rng)` calls its `come`, `env.PACE` is its
constant. For `reset`, `step`, `observe` and `inform`, and what these call."""


@contextlib.contextmanager
def at_work(definition: Any) -> Iterator[None]:
    """Let `env` stand for a definition in this block, where its functions are called by hand.

    Args:
        definition: a class or module with the names of the author's contract.

    Example:
        >>> from batchsim.family import at_work, env
        >>> class Slow:
        ...     PACE = 0.5
        >>> with at_work(Slow):
        ...     env.PACE
        0.5
    """
    token = _AT_WORK.set(definition)
    try:
        yield
    finally:
        _AT_WORK.reset(token)


def is_namespace(value: Any) -> bool:
    """Tell whether a value is a class that only holds names, as a definition does."""
    return type(value) is type and not any(
        name in vars(owner) for owner in value.__mro__[:-1] for name in ("__new__", "__init__")
    )


def merge(*parts: Any) -> Any:
    """Return the NamedTuple class of all fields of some, for `State`, `Params` and the like.

    Args:
        parts: NamedTuple classes, in the order of their fields; annotations and defaults stay.

    Raises:
        TypeError: if a part is none, is given twice, or two have a field of the same name.

    Example:
        >>> from typing import NamedTuple
        >>> from batchsim.family import merge
        >>> class Body(NamedTuple):
        ...     x: float
        >>> class Purse(NamedTuple):
        ...     coins: int
        >>> merge(Body, Purse)._fields
        ('x', 'coins')
    """
    if not parts:
        raise TypeError("merge got no part; expected classes with NamedTuple as their base.")
    origins: dict[str, Any] = {}
    for part in parts:
        if not isinstance(part, type) or not hasattr(part, "_fields"):
            raise TypeError(f"merge got {part!r}; expected classes with NamedTuple as their base.")
        for field in part._fields:
            origin = part_of(part, field)
            if origins.setdefault(field, origin) is not origin:
                raise TypeError(
                    f"merge got the field {field!r} of both {_name(origins[field])} and "
                    f"{_name(origin)}; expected different names: rename one of the two."
                )
    fields = [field for part in parts for field in part._fields]
    for field in fields:
        if fields.count(field) > 1:
            raise TypeError(
                f"merge got {_name(origins[field])} twice, by itself or in another part; expected "
                "each part once."
            )
    names = {part.__name__ for part in parts}
    name = names.pop() if len(names) == 1 else "Fields"
    made = cast(Any, namedtuple)(name, fields)
    given = {name: value for part in parts for name, value in part._field_defaults.items()}
    # Those at the end are for calls, as Python has it; all of them are what a definition reads.
    last = [field for field in fields if field in given]
    if last == fields[len(fields) - len(last) :]:
        made.__new__.__defaults__ = tuple(given[field] for field in last)
    made._field_defaults = given
    made.__annotations__ = {
        field: origin.__annotations__[field]
        for field, origin in origins.items()
        if field in getattr(origin, "__annotations__", {})
    }
    made._merges = parts
    made._parts = origins
    made.__module__ = parts[0].__module__
    made.__reduce__ = _reduce
    return made


def _reduce(values: Any) -> tuple[Any, ...]:
    return _merged, (values._merges, tuple(values))


def _merged(parts: tuple[Any, ...], values: tuple[Any, ...]) -> Any:
    return merge(*parts)(*values)


def part_of(fields: Any, field: str) -> Any:
    """Return the NamedTuple class that an author wrote a field in: a part, where it is merged."""
    return getattr(fields, "_parts", {}).get(field, fields)


def _name(part: Any) -> str:
    try:
        place = f" (line {inspect.getsourcelines(part)[1]} of {inspect.getsourcefile(part)})"
    except (OSError, TypeError):
        place = ""
    return f"{part.__qualname__}{place}"


def page_of(namespace: Any) -> str:
    """Return a definition's docstring, with the sections that it inherits and does not have.

    A section begins with a line `## Heading`. What a family's docstring says before the first one
    is about the family.
    """
    owners = getattr(namespace, "__mro__", (namespace, object))[:-1]
    texts = [inspect.cleandoc(owner.__doc__) for owner in owners if owner.__doc__]
    page, *sections = _sections(texts[0]) if texts else [""]
    for text in texts[1:]:
        known = {section.partition("\n")[0] for section in sections}
        sections += [
            section for section in _sections(text)[1:] if section.partition("\n")[0] not in known
        ]
    return "\n\n".join([page, *sections])


def _sections(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"^(?=## )", text, flags=re.MULTILINE)]
