"""What a batch tells the loops in _loops.hpp of itself: its parts, and where its arrays are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from batchsim.compiler._loops import ADDRESS, COUNT, REPEATS
from batchsim.compiler.kernels import PARTS, DiscreteBounds, Tile
from batchsim.compiler.layouts import flatten, frames_of, places_of

__all__ = ["Loops", "kind_of"]

MODES = (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED)
NUMBERS = (
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float32", "float64"),
)
"""What an action may consist of. _loops.hpp knows both by their places here."""
LARGEST = 2**63 - 1


def kind_of(dtype: np.dtype[Any]) -> int:
    """Return what _loops.hpp knows the type of an action's numbers by.

    Raises:
        TypeError: if there is no check of such actions.
    """
    name = "uint8" if dtype == np.bool_ else dtype.name  # Both are bytes.
    if name not in NUMBERS:
        raise TypeError(f"Actions are {name}; expected bool, {', '.join(NUMBERS)}.")
    return NUMBERS.index(name)


class Loops:
    """The words that describe a batch, in the order of `Loops` in _loops.hpp.

    Args:
        tile: the arrays; only their dtypes and trailing shapes matter.
        mode: what becomes of rows whose episode is over.
        bounds: of an action.
        parts: the addresses of the parts, by name.
    """

    def __init__(
        self, tile: Tile, mode: AutoresetMode, bounds: Any, parts: Mapping[str, int]
    ) -> None:
        places = places_of(tile)

        def place(nested: Any) -> int:
            found = flatten(nested)
            return places[id(found[0])] if found else -1

        number, elements = kind_of(tile.action.dtype), tile.action[:1].size
        is_discrete = isinstance(bounds, DiscreteBounds)
        # No action is beyond 64 bits, though a space may be.
        interval = (bounds.start, min(bounds.last, LARGEST)) if is_discrete else (0, 0)
        self._bounds = []
        if not is_discrete:
            for bound in bounds:
                assert (bound.dtype, bound.size) == (tile.action.dtype, elements)
                # Each row's bounds follow those of the row before.
                self._bounds.append(np.tile(bound, REPEATS))
        frames = frames_of(tile)
        self._row_bytes = np.array([array[:1].nbytes for array in flatten(tile)], np.int64)
        words = [
            *(parts.get(name, 0) for name in PARTS),
            MODES.index(mode),
            frames,
            len(flatten(tile.observation)),
            len(flatten(tile.rng)),
            *map(place, (tile.rng, tile.pending, tile.finished, tile.selected)),
            *map(place, (tile.settings.time_limit, tile.settings.now)),
            *map(place, (tile.reward, tile.terminated, tile.truncated)),
            *map(place, (tile.action, tile.choice, tile.elapsed, tile.episode)),
            place(tile.frames if frames > 1 else tile.observation),
            *map(place, (tile.info, tile.final_info)),
            *map(place, (tile.observation, tile.final_observation)),
            number,
            *interval,
            elements,
            *([0, 0] if is_discrete else (bound.ctypes.data for bound in self._bounds)),
            self._row_bytes.ctypes.data,
        ]
        assert len(words) == COUNT, f"{len(words)} words; _loops.hpp has {COUNT}"
        self._words = np.array(words, np.int64)

    kernel = ADDRESS
    """Where the machine code begins that runs the tasks of every batch."""

    @property
    def address(self) -> int:
        """Where the words begin, which the driver's table has before its first array."""
        return self._words.ctypes.data
