"""Batches of a `gymnasium.Env` class: it is converted first."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import gymnasium

__all__ = ["converted"]


def converted(
    environment: Any, arguments: dict[str, Any], maker: type
) -> tuple[Any, dict[str, Any]]:
    """Return what a batch is made of, and the batch's arguments.

    Anything but a subclass of `gymnasium.Env` is returned as it is. Such a class is converted with
    the arguments that are none of the batch's own, which is said on standard error.

    Args:
        environment: an id, a definition, or a class.
        arguments: all that were given.
        maker: the class whose arguments are not the environment's.

    Raises:
        batchsim.ConversionError: if the class is not converted.
    """
    if not (isinstance(environment, type) and issubclass(environment, gymnasium.Env)):
        return environment, arguments
    from batchsim.convert import convert, report_of

    known = inspect.signature(maker).parameters
    own = {
        name: value
        for name, value in arguments.items()
        if name in known and known[name].kind is inspect.Parameter.KEYWORD_ONLY
    }
    name = environment.__qualname__
    rest = {key: value for key, value in arguments.items() if key not in own}
    begun: list[str] = []

    def tell(stage: str, share: float) -> None:
        if not begun:
            print(f"batchsim: {name} is being converted, ", end="", file=sys.stderr, flush=True)
        begun.append(stage)

    try:
        definition = convert(environment, progress=tell, **rest)
    except BaseException:
        if begun:
            print("in vain.", file=sys.stderr)
        raise
    report = report_of(definition)
    subject = "and" if begun else f"batchsim: {name}"
    print(
        f"{subject} runs as {report.file}, which {report.proof.steps:,} steps have proved equal.",
        file=sys.stderr,
    )
    return definition, own
