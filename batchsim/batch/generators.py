"""The random generators of a batch's rows: NumPy's, and live.

What is drawn from one advances the row's stream, which the environment draws from too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from batchsim.batch._streams import RowStream
from batchsim.random import Streams, fresh_seeds, seed_rows

__all__ = ["Generators"]

Array = npt.NDArray[Any]


class Generators:
    """Makes each row's generator when it is first asked for, and gives the same one again.

    Args:
        streams: of N rows.
        seeds: (N,) objects: what each row was seeded with, -1 or None where that is not known.
    """

    def __init__(self, streams: Streams, seeds: Array) -> None:
        self.streams = streams
        self.seeds = seeds
        self.start: int = streams.state.ctypes.data
        self.stride: int = streams.state.strides[0]
        # By where the row's words lie: parts of a batch share them, and the generators too.
        self.made: dict[int, np.random.Generator] = {}

    def part(self, streams: Streams, seeds: Array) -> Generators:
        """Return those of some of the rows."""
        part = Generators(streams, seeds)
        part.made = self.made
        return part

    def __getitem__(self, row: int) -> np.random.Generator:
        place = self.start + row * self.stride
        if place not in self.made:
            self.made[place] = np.random.Generator(self._stream(row))
        return self.made[place]

    def seed_new(self) -> None:
        """Start the streams of the rows that have none."""
        self.seed(np.ones(len(self.seeds), np.bool_), None)

    def seed(self, selected: Array, seeds: list[int | None] | None) -> None:
        """Start streams anew, as a reset does.

        Args:
            selected: (N,), the rows that are reset.
            seeds: one a row, None in it or for all to go on with the stream; a row that has none
                gets one from the operating system.
        """
        rows, values = [], []
        for row in np.flatnonzero(selected).tolist():
            seed = None if seeds is None else seeds[row]
            if seed is not None or self.seeds[row] is None:
                rows.append(row)
                values.append(seed)
        if rows:
            fresh = iter(fresh_seeds(values.count(None)))
            known = [next(fresh) if seed is None else seed for seed in values]
            self.let_go(rows)
            seed_rows(self.streams, np.array(rows), known)
            self.seeds[rows] = known

    def put(self, row: int, generator: np.random.Generator, seed: int = -1) -> None:
        """Make a row go on from where a generator over PCG64 stands, which goes on by itself.

        `seed` is what is known of it, -1 for nothing.
        """
        state = generator.bit_generator.state
        self.let_go([row])
        self._stream(row).state = state
        self.seeds[row] = seed

    def let_go(self, rows: Iterable[Any]) -> None:
        """Leave the generators of rows that get another stream to those who hold them.

        `Env.reset(seed=…)` makes a new generator, too.
        """
        if not self.made:
            return
        for row in rows:
            generator = self.made.pop(self.start + row * self.stride, None)
            if generator is not None:
                generator.bit_generator.let_go()  # type: ignore[attr-defined]

    def _stream(self, row: int) -> RowStream:
        seed = self.seeds[row]
        known = seed is not None and seed >= 0
        return RowStream(self.streams.state, self.streams.spare, row, seed if known else None)
