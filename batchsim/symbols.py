"""Observations whose numbers stand for kinds of things, and are no amounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Box

__all__ = ["Symbols"]


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
