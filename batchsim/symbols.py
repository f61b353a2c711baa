"""Observations whose numbers stand for kinds of things or for words, and are no amounts."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box, MultiDiscrete, Space
from gymnasium.vector.utils import batch_space

__all__ = ["Symbols", "are_tokens", "mark_tokens", "token_values"]

Array = npt.NDArray[Any]
S = TypeVar("S", bound=Space[Any])


class Symbols(Box):
    """A Box of bytes, of which each says what kind of thing there is: to Gymnasium any Box from 0
    to 255, and to a policy what it has no reason to compute with.

    Args:
        shape: of one environment's observation; the last axis has several bytes of each place.
        counts: how many kinds each of these tells apart; bytes are below.
        seed: as of any space.

    Example:
        >>> Symbols((7, 7, 3), (11, 6, 3)).counts
        (11, 6, 3)
        >>> Symbols((7, 7, 3), (11, 6, 3)) == Box(0, 255, (7, 7, 3), np.uint8)
        True
    """

    def __init__(self, shape: Sequence[int], counts: Sequence[int], seed: Any = None) -> None:
        if len(counts) != shape[-1]:
            raise ValueError(
                f"counts is {counts!r}; expected {shape[-1]} numbers, as the shape is {shape!r}."
            )
        super().__init__(0, 255, tuple(shape), np.uint8, seed)
        self.counts = tuple(counts)

    def sample(self, mask: None = None, probability: None = None) -> np.ndarray:
        """Return random bytes that stand for something, (…) of uint8."""
        found: np.ndarray = self.np_random.integers(0, self.counts, self.shape, np.uint8)
        return found


@batch_space.register(Symbols)
def _batch_symbols(space: Symbols, n: int = 1) -> Symbols:
    """Return the space of n of them, for Gymnasium: of a batch, or of frames."""
    return Symbols((n, *space.shape), space.counts, copy.deepcopy(space.np_random))


def mark_tokens(space: S) -> S:
    """Return a copy of a space of whole numbers that says that they are the tokens of a text."""
    marked: Any = copy.copy(space)
    marked.of_text = True
    return marked  # type: ignore[no-any-return]


def are_tokens(space: Space[Any]) -> bool:
    """Whether the numbers of a space are the tokens of a text, as it says itself."""
    return getattr(space, "of_text", False)


def token_values(space: Any) -> tuple[Array, Array]:
    """Return how many values each number of a space has, and the least, both of Python's integers,
    which have no bounds.

    Args:
        space: a MultiDiscrete or a Box of whole numbers.
    """
    if isinstance(space, MultiDiscrete):
        return space.nvec.astype(object).flatten(), space.start.astype(object).flatten()
    low, high = (bound.astype(object).flatten() for bound in (space.low, space.high))
    return high - low + 1, low
