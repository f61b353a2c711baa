"""From strings back to the tokens that a definition's `text` made them of.

Kernels never need that. It is for environments that have strings alone, the per-object originals,
so that the same policy learns from them.
"""

from __future__ import annotations

import itertools
import math
import reprlib
from typing import Any

import numpy as np
import numpy.typing as npt

from batchsim.batch.texts import MOST_KEPT, Text
from batchsim.symbols import token_values

__all__ = ["Tokenizer"]

Tokens = tuple[int, ...]

MOST_TRIED = 2**16
"""Rows of tokens that are made strings of, to find those of a string among them."""


class Tokenizer:
    """Finds the tokens of strings: by the definition's `tokenize`, or else by trying all there are.

    Args:
        text: whose strings.

    Raises:
        ValueError: if there is no `tokenize`, and there are too many tokens to be tried.
    """

    def __init__(self, text: Text) -> None:
        self.text = text
        self.known: dict[str, Tokens | None] = {} if text.encode is not None else self._tried()
        self.places: dict[str, int] = {}
        self.rows = np.zeros((0, *text.tokens.shape), text.tokens.dtype)  # type: ignore[misc]

    def __call__(self, strings: tuple[str, ...]) -> npt.NDArray[Any]:
        """Return the tokens of strings, (strings, tokens).

        Raises:
            ValueError: for a string that `text` makes of no tokens, or of several.
            RuntimeError: if `tokenize` raises an exception.
        """
        new = {string for string in strings if string not in self.places}
        if new:
            if len(self.places) >= MOST_KEPT:  # They are as many as there are episodes.
                new = set(strings)
                self.places, self.rows = {}, self.rows[:0]
            rows = np.array([self._tokens(string) for string in new], self.rows.dtype)
            first = len(self.rows)
            self.places.update(zip(new, itertools.count(first), strict=False))
            self.rows = np.concatenate([self.rows, rows])
        return self.rows[[self.places[string] for string in strings]]

    def _tokens(self, string: str) -> Tokens:
        text = self.text
        if text.encode is None:
            found = self.known.get(string)
        else:
            tokens = text.tokens_of(string)
            found = tokens if text.string(tokens) == string else None
        if found is None:
            raise ValueError(
                f"No tokens of {text.of}{text.of_which()} make {reprlib.repr(string)}, or several "
                "do; expected a string that text makes of tokens which observe writes."
            )
        return found

    def _tried(self) -> dict[str, Tokens | None]:
        """Return the tokens of each string, None where those of several rows are alike."""
        text = self.text
        counts, starts = token_values(text.tokens)
        if math.prod(counts.tolist()) > MOST_TRIED:
            raise ValueError(
                f"The definition of {text.of} has too many tokens{text.of_which()} to try them "
                "all; expected a function tokenize(text) in it, which undoes text(tokens)."
            )
        found: dict[str, Tokens | None] = {}
        spans = zip(starts.tolist(), counts.tolist(), strict=True)
        for tokens in itertools.product(*(range(start, start + n) for start, n in spans)):
            try:
                string = text.string(tokens)
            except RuntimeError:
                continue  # Tokens that observe never writes.
            found[string] = None if string in found else tokens
        return found
