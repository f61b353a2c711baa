"""The random generators of a batch's rows: upstream's, and live.

What is drawn from one advances the row's stream, which the environment draws from too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from batchsim.batch.lent import KINDS
from batchsim.streams import module_of

__all__ = ["Generators"]

Array = npt.NDArray[Any]


class Generators:
    """Makes each row's generator when it is first asked for, and gives the same one again.

    Args:
        streams: of N rows.
        seeds: (N,) objects: what each row was seeded with, -1 or None where that is not known.
    """

    def __init__(self, streams: Any, seeds: Array) -> None:
        self.streams = streams
        self.seeds = seeds
        self.kind = KINDS[type(streams)]
        words = streams[0]
        self.start: int = words.ctypes.data
        self.stride: int = words.strides[0]
        # By where the row's words lie: parts of a batch share them, and the generators too.
        self.made: dict[int, Any] = {}

    def part(self, streams: Any, seeds: Array) -> Generators:
        """Return those of some of the rows."""
        part = Generators(streams, seeds)
        part.made = self.made
        return part

    def __getitem__(self, row: int) -> Any:
        place = self.start + row * self.stride
        if place not in self.made:
            seed = self.seeds[row]
            known = seed is not None and seed >= 0
            self.made[place] = self.kind.lend(self.streams, row, seed if known else None)
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
            module = module_of(self.kind.name)
            fresh = iter(module.fresh_seeds(values.count(None)))
            known = [next(fresh) if seed is None else seed for seed in values]
            self.let_go(rows)
            module.seed_rows(self.streams, np.array(rows), known)
            self.seeds[rows] = known

    def put(self, row: int, generator: Any, seed: int = -1) -> None:
        """Make a row go on from where a generator of its kind stands, which goes on by itself.

        `seed` is what is known of it, -1 for nothing.
        """
        self.let_go([row])
        self.kind.put(self.streams, row, generator)
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
                self.kind.let_go(generator)
