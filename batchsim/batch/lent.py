"""The generators that a batch lends, one a row: upstream's objects, which draw from the row."""

from __future__ import annotations

import functools
import operator
from random import Random
from typing import Any, NamedTuple

import numpy as np

from batchsim.batch._streams import RowStream
from batchsim.random import Streams
from batchsim.streams import GENERATOR, PYTHON, RANDOM_STATE, mt19937
from batchsim.streams.mt19937 import PythonStreams, RandomStateStreams

__all__ = ["KINDS", "Kind", "RowRandom", "RowRandomState"]


class Kind(NamedTuple):
    """How rows of a kind of stream become objects, and go on from them."""

    name: str
    """As definitions name it in `RANDOM`."""
    lend: Any
    """Makes the object of a row, `lend(streams, row, seed)`, with the seed or None."""
    put: Any
    """Makes a row go on from where an object stands, `put(streams, row, object)`."""
    let_go: Any
    """Makes an object that was lent go on without the row, `let_go(object)`."""


# --- numpy.random.Generator -----------------------------------------------------------------------


def _lend_generator(streams: Streams, row: int, seed: Any) -> np.random.Generator:
    return np.random.Generator(RowStream(streams.state, streams.spare, row, seed))


def _put_generator(streams: Streams, row: int, generator: np.random.Generator) -> None:
    state = generator.bit_generator.state
    RowStream(streams.state, streams.spare, row, None).state = state


# --- MT19937 --------------------------------------------------------------------------------------


def _write(streams: Any, row: int, key: Any, position: int, gauss: float | None) -> None:
    streams.key[row] = key
    streams.position[row] = position
    streams.has_gauss[row] = gauss is not None
    streams.gauss[row] = 0.0 if gauss is None else gauss


def _gauss(streams: Any, row: int) -> float | None:
    return float(streams.gauss[row]) if streams.has_gauss[row] else None


def _copied(streams: Any, row: int) -> Any:
    """Return streams of one row, which stands where a row does."""
    own = mt19937.allocate(type(streams), 1)
    _write(own, 0, streams.key[row], streams.position[row], _gauss(streams, row))
    return own


# --- numpy.random.RandomState ---------------------------------------------------------------------


class RowRandomState(np.random.RandomState):
    """A RandomState that is at the point of the stream where a row is, and moves with it.

    A copy and a pickle are a RandomState, at that point once and for all.

    Args:
        streams: of N rows.
        row: of them.
    """

    def __new__(cls, streams: RandomStateStreams, row: int) -> RowRandomState:
        """Return one over a bit generator of its own, which each call makes stand as the row."""
        return super().__new__(cls)

    def __init__(self, streams: RandomStateStreams, row: int) -> None:
        super().__init__(np.random.MT19937(0))
        self._streams = streams
        self._row = row
        self._inside = False

    def let_go(self) -> None:
        """Go on from this point without the row, as what a reset with a seed leaves behind."""
        self._streams, self._row = _copied(self._streams, self._row), 0

    def _call(self, method: Any, *arguments: Any, **named: Any) -> Any:
        """Call a method of NumPy's, which may call others, where the row stands."""
        if self._inside:
            return method(self, *arguments, **named)
        streams, row = self._streams, self._row
        gauss = _gauss(streams, row)
        state = streams.key[row], int(streams.position[row]), int(gauss is not None), gauss or 0.0
        np.random.RandomState.set_state(self, ("MT19937", *state))
        self._inside = True
        try:
            return method(self, *arguments, **named)
        finally:
            self._inside = False
            _put_random_state(streams, row, super())

    def __reduce__(self) -> tuple[Any, ...]:
        return _random_state, (self.get_state(legacy=False),)


def _live(name: str) -> Any:
    method = getattr(np.random.RandomState, name)

    @functools.wraps(method)
    def live(self: RowRandomState, *arguments: Any, **named: Any) -> Any:
        return self._call(method, *arguments, **named)

    return live


for _name in dir(np.random.RandomState):
    if not _name.startswith("_") and callable(getattr(np.random.RandomState, _name)):
        setattr(RowRandomState, _name, _live(_name))


def _random_state(state: Any) -> np.random.RandomState:
    """Return the RandomState that a copy of a row's is."""
    found = np.random.RandomState(np.random.MT19937(0))
    found.set_state(state)
    return found


def _put_random_state(streams: RandomStateStreams, row: int, generator: Any) -> None:
    state = generator.get_state(legacy=False)
    words, gauss = state["state"], state["gauss"] if state["has_gauss"] else None
    _write(streams, row, words["key"], words["pos"], gauss)


# --- random.Random --------------------------------------------------------------------------------


class RowRandom(Random):
    """A Random that is at the point of the stream where a row is, and moves with it.

    A copy and a pickle are a Random, at that point once and for all.

    Args:
        streams: of N rows.
        row: of them.
    """

    def __new__(cls, streams: PythonStreams, row: int) -> RowRandom:
        """Return one whose own stream, Python's, is never drawn from."""
        return super().__new__(cls)

    def __init__(self, streams: PythonStreams, row: int) -> None:
        self._streams = streams
        self._row = row

    def let_go(self) -> None:
        """Go on from this point without the row, as what a reset with a seed leaves behind."""
        self._streams, self._row = _copied(self._streams, self._row), 0

    @property
    def gauss_next(self) -> float | None:
        """The second value of a pair of normal draws, or None."""
        return _gauss(self._streams, self._row)

    @gauss_next.setter
    def gauss_next(self, value: float | None) -> None:
        self._streams.has_gauss[self._row] = value is not None
        self._streams.gauss[self._row] = 0.0 if value is None else value

    def random(self) -> float:
        """Return the next random number in the interval [0.0, 1.0)."""
        return mt19937.fraction(self._streams, self._row)

    def getrandbits(self, k: int, /) -> int:
        """Return a whole number of k random bits."""
        bits = operator.index(k)
        if bits < 0:
            raise ValueError("number of bits must be non-negative")
        found = 0
        for low in range(0, bits, 32):
            word = mt19937.next32(self._streams, self._row)
            found |= word >> max(0, 32 - (bits - low)) << low
        return found

    def seed(self, a: Any = None, version: int = 2) -> None:
        """Start the row's stream anew, as `Random.seed` does."""
        other = Random()
        other.seed(a, version)
        self.setstate(other.getstate())

    def getstate(self) -> tuple[Any, ...]:
        """Return the point of the stream, as `Random.getstate` does."""
        streams, row = self._streams, self._row
        words = (*streams.key[row].tolist(), int(streams.position[row]))
        return self.VERSION, words, self.gauss_next

    def setstate(self, state: Any) -> None:
        """Go on from the point of a stream that `getstate` has returned."""
        other = Random()
        other.setstate(state)
        _put_random(self._streams, self._row, other)

    def __reduce__(self) -> tuple[Any, ...]:
        return _random, (self.getstate(),)


def _random(state: Any) -> Random:
    """Return the Random that a copy of a row's is."""
    found = Random()
    found.setstate(state)
    return found


def _put_random(streams: PythonStreams, row: int, generator: Random) -> None:
    _, (*key, position), gauss = generator.getstate()
    _write(streams, row, key, position, gauss)


def _let_go(generator: np.random.Generator) -> None:
    generator.bit_generator.let_go()  # type: ignore[attr-defined]


KINDS: dict[type, Kind] = {
    Streams: Kind(GENERATOR, _lend_generator, _put_generator, _let_go),
    RandomStateStreams: Kind(
        RANDOM_STATE,
        lambda streams, row, seed: RowRandomState(streams, row),
        _put_random_state,
        RowRandomState.let_go,
    ),
    PythonStreams: Kind(
        PYTHON, lambda streams, row, seed: RowRandom(streams, row), _put_random, RowRandom.let_go
    ),
}
