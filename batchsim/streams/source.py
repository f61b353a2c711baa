"""What every kind of stream gives: words and fractions, by the kind of the streams that are passed.

The samplers that are the same for all kinds are written over these.
"""

from typing import Any

from numba.extending import overload

from batchsim.streams import mt19937, pcg64, ziggurat

__all__ = ["fraction", "next32", "standard_exponential", "standard_normal"]


def _module(kind: type) -> Any:
    return pcg64 if issubclass(kind, pcg64.Streams) else mt19937


def _curves(kind: type) -> Any:
    return ziggurat if issubclass(kind, pcg64.Streams) else mt19937


def fraction(rng: Any, i: int) -> float:
    """Return a float64 from [0, 1), of 53 bits."""
    return _module(type(rng)).fraction(rng, i)  # type: ignore[no-any-return]


@overload(fraction, jit_options={"forceinline": True})
def _fraction_compiled(rng, i):  # type: ignore[no-untyped-def]
    draw = _module(rng.instance_class).fraction
    return lambda rng, i: draw(rng, i)


def next32(rng: Any, i: int) -> int:
    """Return a word of 32 bits."""
    return _module(type(rng)).next32(rng, i)  # type: ignore[no-any-return]


@overload(next32, jit_options={"forceinline": True})
def _next32_compiled(rng, i):  # type: ignore[no-untyped-def]
    draw = _module(rng.instance_class).next32
    return lambda rng, i: draw(rng, i)


def standard_normal(rng: Any, i: int) -> float:
    """Return a float64 with mean 0 and deviation 1, as NumPy draws it from streams of the kind."""
    return _curves(type(rng)).standard_normal(rng, i)  # type: ignore[no-any-return]


@overload(standard_normal, jit_options={"forceinline": True})
def _standard_normal_compiled(rng, i):  # type: ignore[no-untyped-def]
    draw = _curves(rng.instance_class).standard_normal
    return lambda rng, i: draw(rng, i)


def standard_exponential(rng: Any, i: int) -> float:
    """Return a float64 with mean 1, as NumPy draws it from streams of the kind."""
    return _curves(type(rng)).standard_exponential(rng, i)  # type: ignore[no-any-return]


@overload(standard_exponential, jit_options={"forceinline": True})
def _standard_exponential_compiled(rng, i):  # type: ignore[no-untyped-def]
    draw = _curves(rng.instance_class).standard_exponential
    return lambda rng, i: draw(rng, i)
