"""Texts among observations: kernels write whole numbers, tokens, and callers see strings.

A text is a leaf of the observation space whose dtype is `str`: a `gymnasium.spaces.Text`, or any
other space that says so. The definition's `TOKENS` say how a row of it lies in memory, and its
`text` makes a string of it, in ordinary Python and only where the tokens have changed.
"""

from __future__ import annotations

import copy
import itertools
import operator
import reprlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box, Dict, MultiDiscrete, Space, Tuple
from gymnasium.vector.utils import batch_differing_spaces, batch_space

from batchsim.definition import Definition, Noted, suggest
from batchsim.symbols import are_tokens, mark_tokens

__all__ = [
    "TEXT_MODES",
    "Text",
    "Texts",
    "batched",
    "batched_alike",
    "is_text",
    "named_leaves",
    "read_texts",
    "refuse_texts",
    "strings_in",
    "text_names",
    "with_tokens",
]

Array = npt.NDArray[Any]
Decode = Callable[[tuple[int, ...]], str]
Encode = Callable[[str], Sequence[int]]

TEXT_MODES = ("str", "tokens")
"""What callers can have a text as."""
CALLED = {
    "text": "text(tokens) that returns a str",
    "tokenize": "tokenize(text) that returns the tokens",
}
"""What a definition says of its texts by functions."""
MOST_KEPT = 2**15
"""Strings that are kept of one text. An environment has fewer, or so many that few come again."""


def is_text(space: Space[Any]) -> bool:
    """Whether the members of a space are strings, as it says itself."""
    return space.dtype is not None and space.dtype.kind == "U"


def named_leaves(space: Space[Any], path: str = "") -> Iterator[tuple[str, Space[Any]]]:
    """Yield the leaves of a space and their names: keys and places joined by dots, `task.mission`.

    A space that is a leaf itself has the empty name.
    """
    if not isinstance(space, (Dict, Tuple)):
        yield path, space
    for key, part in _parts(space):
        yield from named_leaves(part, f"{path}.{key}" if path else str(key))


def text_names(space: Space[Any]) -> list[str]:
    """Return the names of the texts of a space."""
    return [name for name, leaf in named_leaves(space) if is_text(leaf)]


def strings_in(space: Any, observation: Any) -> list[str]:
    """Return the texts in an observation of one environment."""
    if is_text(space):
        return [observation]
    parts = (strings_in(part, observation[key]) for key, part in _parts(space))
    return list(itertools.chain.from_iterable(parts))


def with_tokens(space: Any, texts: Mapping[str, Text], path: str = "") -> Space[Any]:
    """Return a space with the tokens' spaces in place of its texts, which are given by name."""
    if is_text(space):
        return texts[path].tokens

    def replaced(key: str | int, part: Space[Any]) -> Space[Any]:
        return with_tokens(part, texts, f"{path}.{key}" if path else str(key))

    return _with_parts(space, replaced)


def batched(spaces: Sequence[Any]) -> Space[Any]:
    """Return the space of a batch, given that of each environment, as Gymnasium's functions do.

    Of a text it has one for each environment. Gymnasium copies them deeply and seeds them, for
    which it takes a second of thousands; here each seeds itself once it is sampled.
    """
    first = spaces[0]
    if is_text(first):
        return Tuple(list(map(_separate, spaces)))
    if text_names(first):
        parts = {key: batched([space[key] for space in spaces]) for key, _ in _parts(first)}
        if isinstance(first, Tuple):
            return Tuple(list(parts.values()))
        how = {"sort_keys": first.sort_keys} if hasattr(first, "sort_keys") else {}
        return Dict(parts, **how)
    if all(space is first for space in spaces):
        space = batch_space(first, len(spaces))
        return mark_tokens(space) if are_tokens(first) else space
    return batch_differing_spaces(spaces)


def batched_alike(space: Space[Any], num_envs: int) -> Space[Any]:
    """Return the space of a batch of environments that all have the same."""
    if text_names(space):
        return batched([space] * num_envs)
    return batch_space(space, num_envs)


def _separate(space: Any) -> Any:
    other = copy.copy(space)
    other._np_random = None
    return other


def _parts(space: Any) -> list[tuple[Any, Space[Any]]]:
    if isinstance(space, Dict):
        return list(space.spaces.items())
    return list(enumerate(space.spaces)) if isinstance(space, Tuple) else []


def _with_parts(space: Any, made: Callable[[Any, Space[Any]], Space[Any]]) -> Space[Any]:
    """Return a space with `made(key, part)` as its parts, if there is a text among them."""
    if not text_names(space):
        return space  # type: ignore[no-any-return]
    parts = [(key, made(key, part)) for key, part in _parts(space)]
    other = copy.copy(space)
    other._np_random = copy.deepcopy(space._np_random)
    other.spaces = dict(parts) if isinstance(space, Dict) else tuple(part for _, part in parts)
    return other  # type: ignore[no-any-return]


def refuse_texts(space: Space[Any], what: str) -> None:
    """Raise TypeError if `space`, which is that of `what`, is or holds a text."""
    for _, leaf in named_leaves(space):
        if is_text(leaf):
            raise TypeError(
                f"{what} is or holds {leaf}, of strings; make the environments with "
                "text_mode='tokens', which gives whole numbers in their place."
            )


# --- What a definition says of them ---------------------------------------------------------------


class Text:
    """One text of an environment's observations.

    Args:
        of: the environment's name, for messages.
        name: the text's; empty if it is the whole observation.
        space: which its strings are to be members of.
        tokens: the space of its tokens, with one axis.
        decode: makes a string of a tuple of tokens.
        encode: makes the tokens of a string, if the definition has that.
    """

    def __init__(
        self,
        of: str,
        name: str,
        space: Space[Any],
        tokens: Space[Any],
        decode: Decode,
        encode: Encode | None = None,
    ) -> None:
        self.of = of
        self.name = name
        self.space = space
        self.tokens = mark_tokens(tokens)
        self.decode = decode
        self.encode = encode
        self.kept: dict[bytes, str] = {}
        """Strings by the bytes of their tokens."""

    def of_which(self) -> str:
        """Return words for messages that say which text this is, if it has a name."""
        return f" of {self.name!r}" if self.name else ""

    def strings(self, keys: Sequence[bytes]) -> list[str]:
        """Return the strings of rows of tokens, given as bytes."""
        found = list(map(self.kept.get, keys))
        if None in found:
            pairs = zip(keys, found, strict=True)
            return [self._decoded(key) if text is None else text for key, text in pairs]
        return found  # type: ignore[return-value]

    def _decoded(self, key: bytes) -> str:
        if key in self.kept:
            return self.kept[key]  # Of another row, since it was looked for.
        if len(self.kept) >= MOST_KEPT:
            self.kept.clear()
        self.kept[key] = text = self.string(np.frombuffer(key, self.tokens.dtype).tolist())
        return text

    def string(self, tokens: Sequence[int]) -> str:
        """Return what the definition makes of some tokens.

        Raises:
            RuntimeError: if it raises an exception.
            TypeError: if it returns something else than a string.
        """
        given = tuple(tokens)
        of = self.of_which()
        try:
            text = self.decode(given)
        except Exception as error:
            raise RuntimeError(
                f"text of {self.of} raised {type(error).__name__} for the tokens "
                f"{reprlib.repr(given)}{of}: {error}"
            ) from error
        if not isinstance(text, str):
            raise TypeError(
                f"text of {self.of} returned {reprlib.repr(text)} for the tokens "
                f"{reprlib.repr(given)}{of}; expected a str."
            )
        return text

    def tokens_of(self, string: str) -> tuple[int, ...]:
        """Return the tokens that the definition's `tokenize` finds in a string.

        Raises:
            RuntimeError: if it raises an exception, or what it returns are no whole numbers.
        """
        assert self.encode is not None
        try:
            return tuple(operator.index(token) for token in self.encode(string))
        except Exception as error:
            raise RuntimeError(
                f"tokenize of {self.of} raised {type(error).__name__} for "
                f"{reprlib.repr(string)}{self.of_which()}: {error}"
            ) from error


def read_texts(definition: Definition, space: Space[Any], p: Noted) -> dict[str, Text]:
    """Return the texts of an observation space by name, as the definition's names describe them.

    Args:
        definition: which has `TOKENS` and `text` if there are texts.
        space: of one environment's observations.
        p: parameters, arguments and tables.

    Raises:
        TypeError: if `TOKENS` or `text` is missing, or is not what the contract asks for.
    """
    namespace, of = definition.namespace, definition.name
    leaves = {name: leaf for name, leaf in named_leaves(space) if is_text(leaf)}
    names = list(leaves)
    if not names:
        # Observations that depend on parameters may have a text now and none then.
        if hasattr(namespace, "TOKENS") and isinstance(namespace.OBSERVATION, Space):
            raise TypeError(
                f"The definition of {of} has TOKENS, but OBSERVATION is {space}; expected a Text "
                "in it, or another space whose dtype is str."
            )
        return {}
    for part in ("TOKENS", "text"):
        if not hasattr(namespace, part):
            raise TypeError(
                f"The definition of {of} has a text in OBSERVATION but no {part}; it needs both, "
                "TOKENS, the space of the numbers that observe writes, and text(tokens), which "
                "makes a string of them."
            )
    given = {"TOKENS": definition.ask("TOKENS", p), "text": namespace.text}
    if hasattr(namespace, "tokenize"):
        given["tokenize"] = namespace.tokenize
    found = {part: _by_name(definition, part, value, names) for part, value in given.items()}
    encode = found.get("tokenize", {})
    for name in names:
        _check_tokens(of, name, found["TOKENS"][name])
        for part, call in CALLED.items():
            if part in found and not callable(found[part][name]):
                raise TypeError(
                    f"{part} of {of} is {found[part][name]!r}{_for(name)}; expected a function "
                    f"{call}."
                )
    return {
        name: Text(of, name, leaf, found["TOKENS"][name], found["text"][name], encode.get(name))
        for name, leaf in leaves.items()
    }


def _by_name(
    definition: Definition, part: str, given: Any, names: Sequence[str]
) -> Mapping[str, Any]:
    """Return what `TOKENS` or `text` says of each text: a dict, or one value for the only text."""
    if isinstance(given, Dict) or not isinstance(given, Mapping):
        if len(names) == 1:
            return {names[0]: given}
        raise TypeError(
            f"{part} of {definition.name} is {given!r}; expected a dict with one for each of its "
            f"texts: {', '.join(names)}."
        )
    known = ", ".join(map(repr, names))
    for name in given:
        if name not in names and isinstance(definition.namespace.OBSERVATION, Space):
            raise TypeError(
                f"{part} of {definition.name} names {name!r}{suggest(str(name), names)}; expected "
                f"a text of OBSERVATION: {known}."
            )
    for name in names:
        if name not in given:
            raise TypeError(
                f"{part} of {definition.name} has nothing for the text {name!r}"
                f"{suggest(name, map(str, given))}; expected one for each of {known}."
            )
    return given


def _check_tokens(of: str, name: str, space: Any) -> None:
    whole = isinstance(space, (Box, MultiDiscrete)) and space.dtype.kind in "iu"
    if not whole or len(space.shape) != 1 or not space.shape[0]:
        raise TypeError(
            f"TOKENS of {of} is {space!r}{_for(name)}; expected a Box of whole numbers or a "
            "MultiDiscrete, with one axis: Box(0, 9, (4,), np.int16) is four tokens from 0 to 9."
        )


def _for(name: str) -> str:
    return f" for {name!r}" if name else ""


# --- What callers see -----------------------------------------------------------------------------


class Texts:
    """Puts the observations of a batch together, with strings in place of tokens.

    Args:
        layout: `Layout` of the observations, which has texts.
    """

    def __init__(self, layout: Any) -> None:
        self._outer = layout.outer
        self._columns = [
            (place, _Column(text, layout.frames)) for place, text in layout.texts.items()
        ]

    def outer(self, arrays: Sequence[Array]) -> Any:
        """Return the leaves' arrays as callers see them: nested, each text a tuple of N strings."""
        leaves: list[Any] = list(arrays)
        for place, column in self._columns:
            leaves[place] = column.told(leaves[place])
        return self._outer(leaves)


class _Column:
    """The strings of one text, of which only those whose tokens have changed are made anew.

    With stacking each frame counts as a row.
    """

    def __init__(self, text: Text, frames: int) -> None:
        self.text = text
        self.frames = frames
        width = text.tokens.dtype.itemsize * text.tokens.shape[0]  # type: ignore[union-attr, index]
        # Rows are compared in the widest pieces that they can be cut into.
        piece = next(size for size in (8, 4, 2, 1) if width % size == 0)
        self.piece = np.dtype(f"u{piece}")
        self.pieces = width // piece
        self.row = np.dtype(f"V{width}")
        self.last: Array | None = None
        """The pieces of the tokens that the strings are of."""
        self.strings: list[str] = []
        self.returned: Any = ()

    def told(self, tokens: Array) -> Any:
        """Return the strings of tokens (N, …): a tuple, of N or of one such tuple a frame."""
        pieces = tokens.view(self.piece).reshape(-1)
        last, self.last = self.last, None  # If anything fails, all is made anew next time.
        if last is None:
            self.strings = self.text.strings(self._keys(tokens).tolist())
        else:
            differ = pieces != last
            if not differ.any():
                self.last = pieces
                return self.returned
            rows = np.flatnonzero(differ)
            if self.pieces > 1:
                rows //= self.pieces
                rows = rows[np.flatnonzero(np.diff(rows, prepend=-1))]
            strings = self.text.strings(self._keys(tokens)[rows].tolist())
            if len(rows) == len(self.strings):
                self.strings = strings
            else:
                for row, string in zip(rows.tolist(), strings, strict=True):
                    self.strings[row] = string
        self.last = pieces
        self.returned = tuple(self.strings)
        if self.frames > 1:
            self.returned = tuple(
                tuple(self.strings[frame :: self.frames]) for frame in range(self.frames)
            )
        return self.returned

    def _keys(self, tokens: Array) -> Array:
        """Return each row of tokens as so many bytes."""
        return tokens.view(self.row).reshape(-1)
