"""Arrays of draws: `size=`, as NumPy's generators have it.

NumPy draws the elements one after the other, and so do these. In Python a function that is given a
size draws as often; in compiled code an environment's compiler makes a loop of the call.
"""

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import overload

__all__ = ["one_draw", "shape_of", "sized", "sized_inline"]


def shape_of(size: Any) -> tuple[int, ...]:
    """Return the shape that a size is: a number, or a tuple of numbers."""
    return tuple(size) if isinstance(size, (tuple, list)) else (size,)


def one_draw(function: Any) -> Any:
    """Return the function that draws one number, of one that takes a size, None of any other."""
    return getattr(function, "_one_draw", None)


def _sized(options: dict[str, Any], draw: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(draw)
    def call(rng: Any, i: int, *arguments: Any, size: Any = None, **named: Any) -> Any:
        if size is None:
            return draw(rng, i, *arguments, **named)
        shape = shape_of(size)
        found = [draw(rng, i, *arguments, **named) for _ in range(math.prod(shape))]
        return np.array(found).reshape(shape)

    parameters = list(inspect.signature(draw).parameters.values())
    more = inspect.Parameter("size", inspect.Parameter.KEYWORD_ONLY, default=None)
    call.__signature__ = inspect.Signature([*parameters, more])  # type: ignore[attr-defined]
    call._one_draw = draw  # type: ignore[attr-defined]

    @overload(call, jit_options=options, strict=False)  # type: ignore[arg-type]
    def compiled(*arguments, **named):  # type: ignore[no-untyped-def]
        return draw

    return call


def sized(draw: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function that draws a number also draw an array; compiled code calls it."""
    return _sized({}, draw)


def sized_inline(draw: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function that draws a number also draw an array; it is inlined in compiled code."""
    return _sized({"forceinline": True}, draw)
