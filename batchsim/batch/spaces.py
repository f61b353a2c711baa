"""How a Gymnasium space lies in memory: one array a leaf, its first axis the environments.

A `Dict` or `Tuple` space, nested ones too, has a leaf for each of its other spaces. Kernels see the
leaves in the space's own shape: a namedtuple with one field a key of a `Dict`, a tuple for a
`Tuple`; a row of a leaf is always an array, of one element where the space is a scalar. The array
of a text holds its tokens.
"""

from __future__ import annotations

import copy
import itertools
import keyword
import operator
import reprlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space, Tuple

from batchsim.batch.texts import Text, batched, named_leaves, refuse_texts, with_tokens
from batchsim.compiler import kernels
from batchsim.definition import OF_COMPILER, record

__all__ = [
    "Layout",
    "accepted_actions",
    "action_bounds",
    "form_of",
    "generator_at",
    "generators",
    "member",
    "named",
    "require_alike",
    "row_of",
    "separate",
    "set_generators",
    "stacked",
]

Array = npt.NDArray[Any]
LEAVES = (Box, Discrete, MultiDiscrete, MultiBinary)
MOST_AXES = 64
"""Of an array of NumPy."""


class Layout:
    """The leaves of one environment's space, and how a batch of them is put together.

    Args:
        space: the space of one environment's frame.
        what: who has it, for messages.
        frames: how many frames are stacked; with more than one, arrays have an axis for them
            behind that of the environments.
        texts: what there is to know of the texts in it, by name.

    Raises:
        TypeError: if it is or holds a space that has no fixed size, or a key that is no name.
        ValueError: if a batch of it would have more axes than an array can have.
    """

    def __init__(
        self,
        space: Space[Any],
        what: str,
        frames: int = 1,
        texts: Mapping[str, Text] | None = None,
    ) -> None:
        if not texts:
            refuse_texts(space, what)
        self.frames = frames
        self.space = stacked(space, frames)
        """What one environment observes: `space`, of all frames."""
        # From here on as it lies in memory.
        space = with_tokens(space, texts or {})
        leaves = tuple(_leaves(space, what))
        for leaf in leaves:
            _check_axes(leaf, what, 1 if frames == 1 else 2)
        self._in_memory = space = stacked(space, frames)
        self.texts: dict[int, Text] = {
            place: texts[name]
            for place, (name, _) in enumerate(named_leaves(space))
            if texts and name in texts
        }
        """The texts, by their places among the leaves."""
        self.leaves: tuple[Space[Any], ...] = leaves if frames == 1 else tuple(_leaves(space, what))
        self.flat = not isinstance(space, (Dict, Tuple)) and not self.texts
        """Whether callers see the array of its only leaf."""
        self.paths: tuple[str, ...] = tuple(_paths(space))
        """How each leaf is reached in a batch, such as `['pair'][0]`."""
        self.inner_builder = _builder(space, itertools.count(), named)
        self.outer_builder = _builder(space, itertools.count(), dict)

    def shapes(self, num_envs: int) -> list[tuple[int, ...]]:
        """Return the shape of each leaf's batch, as callers see it."""
        return [(num_envs, *_shape(leaf)) for leaf in self.leaves]

    def dtypes(self) -> list[np.dtype[Any]]:
        """Return the dtype of each leaf."""
        return [np.dtype(leaf.dtype) for leaf in self.leaves]

    def inner(self, arrays: Sequence[Array]) -> Any:
        """Return the leaves' arrays as kernels see them."""
        axes = 1 if self.frames == 1 else 2
        return self.inner_builder([a if a.ndim > axes else a.reshape(*a.shape, 1) for a in arrays])

    def outer(self, arrays: Sequence[Array]) -> Any:
        """Return the leaves' arrays as callers see them: an array, a dict or a tuple."""
        return self.outer_builder(arrays)

    def split(self, batch: Any, what: str) -> list[Any]:
        """Return the leaves of a batch in `out`; None in place of a part stands for its leaves.

        Raises ValueError if a dict or tuple does not have the space's parts; `what` is its name.
        """
        return [batch] if self.flat else list(_split(self._in_memory, batch, what))


def require_alike(rows: Sequence[tuple[Space[Any], Space[Any], Mapping[str, Text]]]) -> None:
    """Raise ValueError unless all rows act alike, and observe arrays of the same shapes, dtypes and
    places.

    Args:
        rows: of each the observation and the action space, and the texts of the former by name.
    """
    first, first_actions, texts = rows[0]
    form = form_of(first, texts)
    for row, (space, action_space, its_texts) in enumerate(rows):
        if action_space != first_actions:
            raise ValueError(
                f"The parameters give row {row} the action space {action_space} and row 0 "
                f"{first_actions}; expected the same for all rows."
            )
        if form_of(space, its_texts) != form:
            raise ValueError(
                f"The parameters give row {row} the observation space {space} and row 0 "
                f"{first}; expected the same keys, shapes and dtypes for all rows."
            )


def form_of(space: Space[Any], texts: Mapping[str, Text]) -> list[tuple[Any, ...]]:
    """Return the places, kinds, shapes and dtypes of the arrays in which values of a space lie.

    Args:
        space: the space.
        texts: the texts in it, by name.
    """
    space = with_tokens(space, texts)
    leaves = _leaves(space, "The space")
    return [
        (path, type(leaf), _shape(leaf), leaf.dtype)
        for path, leaf in zip(_paths(space), leaves, strict=True)
    ]


def _leaves(space: Space[Any], what: str) -> Iterator[Space[Any]]:
    if isinstance(space, Dict):
        for key, part in space.spaces.items():
            if not isinstance(key, str) or not _is_field(key):
                raise TypeError(
                    f"{what} is a Dict with the key {key!r}; expected keys that can be names of "
                    "fields, such as 'position', and are not 'view'."
                )
            yield from _leaves(part, what)
    elif isinstance(space, Tuple):
        for part in space.spaces:
            yield from _leaves(part, what)
    elif isinstance(space, LEAVES):
        yield space
    else:
        raise TypeError(
            f"{what} is {space}; expected Box, Discrete, MultiDiscrete, MultiBinary, Text, another "
            "space whose dtype is str, or a Dict or Tuple of them."
        )


def _paths(space: Space[Any], path: str = "") -> Iterator[str]:
    if isinstance(space, Dict):
        for key, part in space.spaces.items():
            yield from _paths(part, f"{path}[{key!r}]")
    elif isinstance(space, Tuple):
        for k, part in enumerate(space.spaces):
            yield from _paths(part, f"{path}[{k}]")
    else:
        yield path


def _is_field(key: str) -> bool:
    can_be_one = key.isidentifier() and not key.startswith("_") and not keyword.iskeyword(key)
    return can_be_one and key not in OF_COMPILER


def _shape(leaf: Space[Any]) -> tuple[int, ...]:
    shape = leaf.shape
    assert shape is not None  # Only spaces without a fixed size have none.
    return shape


def _check_axes(leaf: Space[Any], what: str, more: int) -> None:
    axes = len(_shape(leaf)) + more
    if axes > MOST_AXES:
        raise ValueError(
            f"{what} is or holds {leaf}, of which a batch has {axes} axes; expected at most "
            f"{MOST_AXES}, the most that an array of NumPy has."
        )


def stacked(space: Space[Any], frames: int) -> Space[Any]:
    """Return the space of so many members of `space`, of one the space itself."""
    return space if frames == 1 else batched([space] * frames)


def separate(space: Space[Any]) -> Space[Any]:
    """Return a space equal to `space` that goes on with draws of its own; they share bounds."""
    other: Any = copy.copy(space)
    other._np_random = _separate_generator(other._np_random)
    if isinstance(other, Dict):
        other.spaces = {key: separate(part) for key, part in other.spaces.items()}
    elif isinstance(other, Tuple):
        other.spaces = tuple(separate(part) for part in other.spaces)
    return other  # type: ignore[no-any-return]


def _separate_generator(generator: np.random.Generator | None) -> np.random.Generator | None:
    # As copy.deepcopy does in twenty times the time; Gymnasium's are all of this kind.
    if generator is None or type(generator.bit_generator) is not np.random.PCG64:
        return copy.deepcopy(generator)
    return generator_at(generator.bit_generator.state)


class _NoSeed(np.random.bit_generator.ISeedSequence):
    """For a bit generator that is put into another state at once: a seed would be hashed."""

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Array:
        return np.zeros(n_words, dtype)


def generator_at(state: Any) -> np.random.Generator:
    """Return a generator over PCG64 in a state of its bit generator."""
    seed: Any = _NoSeed()
    bit_generator = np.random.PCG64(seed)
    bit_generator.state = state
    return np.random.Generator(bit_generator)


def generators(space: Any) -> list[np.random.Generator | None]:
    """Return what a space and its parts draw their samples with, None where nothing was drawn."""
    return [one._np_random for one in _with_parts(space)]


def set_generators(space: Any, given: Iterator[np.random.Generator | None]) -> None:
    """Make a space and its parts draw with these, in the order of `generators`."""
    for one, generator in zip(_with_parts(space), given, strict=True):
        one._np_random = generator


def _with_parts(space: Any) -> Iterator[Any]:
    yield space
    if isinstance(space, (Dict, Tuple)):
        for part in space.spaces.values() if isinstance(space, Dict) else space.spaces:
            yield from _with_parts(part)


def named(parts: Mapping[str, Any], marked: tuple[str, ...] = ()) -> Any:
    """Return a namedtuple of these fields, or the empty tuple if there are none; for `marked` see
    `record`.
    """
    return record("Parts", tuple(parts), marked)(**parts) if parts else ()


def _builder(
    space: Space[Any], places: Iterator[int], mapping: Callable[..., Any]
) -> Callable[[Sequence[Array]], Any]:
    """Return what nests a list of leaves as the space is, and asks no more what that is."""
    if isinstance(space, Dict):
        fields = [(key, _builder(part, places, mapping)) for key, part in space.spaces.items()]
        return lambda arrays: mapping({key: build(arrays) for key, build in fields})
    if isinstance(space, Tuple):
        parts = [_builder(part, places, mapping) for part in space.spaces]
        return lambda arrays: tuple([build(arrays) for build in parts])
    return operator.itemgetter(next(places))


def _split(space: Space[Any], batch: Any, what: str) -> Iterator[Any]:
    if isinstance(space, Dict):
        keys = list(space.spaces)
        if isinstance(batch, Mapping) and set(batch) != set(keys):
            raise ValueError(f"The {what} in out has the keys {list(batch)}; expected {keys}.")
        if batch is not None and not isinstance(batch, Mapping):
            raise ValueError(
                f"The {what} in out is {reprlib.repr(batch)}; expected a dict with the keys {keys}."
            )
        for key, part in space.spaces.items():
            yield from _split(part, None if batch is None else batch[key], f"{what}[{key!r}]")
    elif isinstance(space, Tuple):
        count = len(space.spaces)
        if batch is not None and (not isinstance(batch, (tuple, list)) or len(batch) != count):
            raise ValueError(
                f"The {what} in out is {reprlib.repr(batch)}; expected a tuple of {count}."
            )
        for k, part in enumerate(space.spaces):
            yield from _split(part, None if batch is None else batch[k], f"{what}[{k}]")
    else:
        yield batch


def row_of(batch: Any, row: int) -> Any:
    """Return one environment's part of a batch of observations or infos."""
    if isinstance(batch, Mapping):
        return {key: row_of(value, row) for key, value in batch.items()}
    if isinstance(batch, tuple):
        return tuple(row_of(value, row) for value in batch)
    return batch[row]


def member(space: Space[Any], batch: Any, row: int) -> Any:
    """Return one environment's part of a batch of observations, as environments return it.

    Numbers of a Discrete space are Python's.
    """
    if isinstance(space, Dict):
        return {key: member(part, batch[key], row) for key, part in space.spaces.items()}
    if isinstance(space, Tuple):
        return tuple(member(part, of, row) for part, of in zip(space.spaces, batch, strict=True))
    return int(batch[row]) if isinstance(space, Discrete) else batch[row]


def accepted_actions(
    space: Space[Any], clipped_by_step: bool
) -> kernels.DiscreteBounds | kernels.BoxBounds:
    """Return the bounds of the actions that are passed on to `step`, which may see to others."""
    if clipped_by_step and isinstance(space, Box) and space.dtype.kind == "f":
        low = space.low.reshape(-1)
        return kernels.BoxBounds(*(np.full_like(low, end) for end in (-np.inf, np.inf)))
    return action_bounds(space)


def action_bounds(space: Space[Any]) -> kernels.DiscreteBounds | kernels.BoxBounds:
    """Return the bounds of an action space, as a kernel checks them."""
    if isinstance(space, LEAVES):
        _check_axes(space, "The action space", 1)
    if isinstance(space, Discrete):
        start = int(space.start)
        return kernels.DiscreteBounds(start, start + int(space.n) - 1)
    if isinstance(space, Box):
        return kernels.BoxBounds(space.low.reshape(-1), space.high.reshape(-1))
    if isinstance(space, MultiDiscrete):
        return kernels.BoxBounds(
            space.start.reshape(-1), (space.start + space.nvec - 1).reshape(-1)
        )
    if isinstance(space, MultiBinary):
        count = int(np.prod(_shape(space)))
        return kernels.BoxBounds(np.zeros(count, space.dtype), np.ones(count, space.dtype))
    raise TypeError(
        f"The action space is {space}; expected Discrete, MultiDiscrete, MultiBinary or Box."
    )
