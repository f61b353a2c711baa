"""MT19937, seeded as `numpy.random.RandomState` and as Python's `random.Random` seed it.

A row is the generator's block of 624 words. A block is made in place from the one before when all
its words are drawn, so that a row stands at the same place of the same block as upstream's object.

Sources:
    - Matsumoto and Nishimura, "Mersenne Twister: A 623-Dimensionally Equidistributed Uniform
      Pseudo-Random Number Generator", ACM TOMACS 8, 1998, and their revised seeding of 2002.
    - Marsaglia and Bray, "A Convenient Method for Generating Normal Variables", SIAM Review 6,
      1964.
"""

import functools
import math
import operator
import secrets
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from batchsim.streams.words import MASK32, float64, inlined, uint64

__all__ = [
    "PythonStreams",
    "RandomStateStreams",
    "WordStreams",
    "allocate",
    "fraction",
    "fresh_seeds",
    "next32",
    "next64",
    "seed_rows",
    "standard_exponential",
    "standard_normal",
]

WORDS = 624
"""Of a block."""
_SHIFT = 397
_TWIST = 0x9908B0DF
_UPPER, _LOWER = 0x80000000, 0x7FFFFFFF


class RandomStateStreams(NamedTuple):
    """The streams of N environments that draw as `numpy.random.RandomState` does."""

    key: npt.NDArray[np.uint32]
    """(N, 624) uint32: the block, as it is before tempering."""
    position: npt.NDArray[np.int32]
    """(N,) int32: how many of its words are drawn, from 0 to 624."""
    has_gauss: npt.NDArray[np.bool_]
    """(N,) bool: whether the second value of a pair of normal draws is kept."""
    gauss: npt.NDArray[np.float64]
    """(N,) float64: that value; 0 if none is kept."""


class PythonStreams(NamedTuple):
    """The streams of N environments that draw as Python's `random.Random` does."""

    key: npt.NDArray[np.uint32]
    """(N, 624) uint32: the block, as it is before tempering."""
    position: npt.NDArray[np.int32]
    """(N,) int32: how many of its words are drawn, from 0 to 624."""
    has_gauss: npt.NDArray[np.bool_]
    """(N,) bool: whether the second value of a pair of normal draws is kept."""
    gauss: npt.NDArray[np.float64]
    """(N,) float64: that value; 0 if none is kept."""


WordStreams = RandomStateStreams | PythonStreams


def allocate(kind: type[WordStreams], num_envs: int) -> Any:
    """Return zeroed streams for `num_envs` environments; a row can draw once it is seeded."""
    line = 16  # Words of a cache line, of which a row takes 39.
    words = np.zeros(WORDS * num_envs + line, np.uint32)
    start = -words.ctypes.data // 4 % line
    return kind(
        words[start : start + WORDS * num_envs].reshape(num_envs, WORDS),
        np.zeros(num_envs, np.int32),
        np.zeros(num_envs, np.bool_),
        np.zeros(num_envs),
    )


# --- Seeding --------------------------------------------------------------------------------------

_FEW = 48
"""So many rows are seeded faster one by one, with Python's integers."""
_MANY = 4096
"""So many at once, which takes 10 MB of memory."""


def seed_rows(
    streams: WordStreams,
    rows: npt.NDArray[np.integer] | Sequence[int],
    seeds: npt.NDArray[Any] | Sequence[int],
) -> None:
    """Start the streams of `rows` at `seeds`, as `RandomState(seed)` or `Random(seed)` does.

    Parameters
    ----------
    streams : RandomStateStreams or PythonStreams
        Changed in `rows` only.
    rows : (K,) integers
        Row numbers.
    seeds : (K,) integers
        Non-negative; for RandomState below 2**32.

    Raises
    ------
    TypeError, ValueError, IndexError
        If a seed is not such an integer, if there is not one seed a row, or if there is no such
        row; nothing has changed then.
    """
    if len(rows) != len(seeds):
        raise ValueError(f"got {len(seeds)} seeds for {len(rows)} rows, expected one seed a row")
    values = [_read_seed(streams, row, seed) for row, seed in zip(rows, seeds, strict=True)]
    if isinstance(streams, RandomStateStreams):
        block = _by_rows(_of_number, np.array(values, np.uint32)[None, :])
    else:
        block = _blocks_of_keys(values)
    streams.key[rows] = block
    streams.position[rows] = WORDS
    streams.has_gauss[rows] = False
    streams.gauss[rows] = 0.0


def fresh_seeds(kind: type[WordStreams], n: int) -> list[int]:
    """Return `n` different seeds from the operating system's entropy, as wide as the kind takes."""
    bits = 32 if kind is RandomStateStreams else 128
    found: dict[int, None] = {}
    while len(found) < n:
        found[secrets.randbits(bits)] = None
    return list(found)


def _read_seed(streams: WordStreams, row: int, seed: Any) -> int:
    of_numpy = isinstance(streams, RandomStateStreams)
    expected = "an integer from 0 to 2**32 - 1" if of_numpy else "a non-negative integer"
    try:
        value = operator.index(seed)
    except TypeError:
        raise TypeError(f"the seed of row {row} is {seed}, expected {expected}") from None
    if value < 0 or (of_numpy and value > MASK32):
        raise ValueError(f"the seed of row {row} is {value}, expected {expected}")
    return value


def _blocks_of_keys(seeds: list[int]) -> npt.NDArray[np.uint32]:
    """Return the blocks (K, 624) that Python begins with: the seeds' 32-bit words are keys."""
    found = np.zeros((len(seeds), WORDS), np.uint32)
    by_length: dict[int, list[int]] = {}
    for k, seed in enumerate(seeds):
        by_length.setdefault(max(1, (seed.bit_length() + 31) // 32), []).append(k)
    for length, places in by_length.items():
        packed = b"".join(seeds[k].to_bytes(4 * length, "little") for k in places)
        keys = np.frombuffer(packed, "<u4").reshape(-1, length).T
        found[places] = _by_rows(_of_key, keys.astype(np.uint32))
    return found


def _by_rows(begin: Any, words: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Return the blocks (K, 624) that begin from K columns of words."""
    rows = words.shape[1]
    blocks = np.empty((rows, WORDS), np.uint32)
    if rows <= _FEW:
        for row in range(rows):
            blocks[row] = begin(words[:, row].tolist())
        return blocks
    for first in range(0, rows, _MANY):
        blocks[first : first + _MANY] = np.stack(begin(list(words[:, first : first + _MANY])), 1)
    return blocks


# These compute with Python's integers for one row, or with arrays for many rows at once.


def _of_number(words: list[Any]) -> list[Any]:
    """Return the block of a number of 32 bits."""
    block = [words[0]]
    for k in range(1, WORDS):
        last = block[-1]
        block.append((last ^ last >> 30) * 1812433253 + k & MASK32)
    return block


@functools.cache
def _start_of_keys() -> list[int]:
    return _of_number([19650218])


def _of_key(words: list[Any]) -> list[Any]:
    """Return the block of a key of several words."""
    block: list[Any] = _start_of_keys().copy()
    none = words[0] * 0
    k, last = 1, none + block[0]
    for turn in range(max(WORDS, len(words))):
        part = turn % len(words)
        last = ((block[k] ^ (last ^ last >> 30) * 1664525) + words[part] + part) & MASK32
        block[k] = last
        k = k % (WORDS - 1) + 1
    for _ in range(WORDS - 1):
        last = (block[k] ^ (last ^ last >> 30) * 1566083941) - k & MASK32
        block[k] = last
        k = k % (WORDS - 1) + 1
    block[0] = none + _UPPER
    return block


# --- The generator --------------------------------------------------------------------------------


@inlined
def _twisted(word: int, following: int, shifted: int) -> int:
    """Return what follows on a word of the block, from the next one and one further on."""
    mixed = uint64(word) & uint64(_UPPER) | uint64(following) & uint64(_LOWER)
    # No branch: it would be taken at random, and keep the loops from being vectorised.
    odd = uint64(mixed & uint64(1)) * uint64(_TWIST)
    return uint64(shifted) ^ mixed >> uint64(1) ^ odd


@register_jitable
def _refill(rng: WordStreams, i: int) -> None:
    """Make the next block in place."""
    key = rng.key[i]
    for k in range(WORDS - _SHIFT):
        key[k] = _twisted(key[k], key[k + 1], key[k + _SHIFT])
    for k in range(WORDS - _SHIFT, WORDS - 1):
        key[k] = _twisted(key[k], key[k + 1], key[k + _SHIFT - WORDS])
    key[WORDS - 1] = _twisted(key[WORDS - 1], key[0], key[_SHIFT - 1])


@inlined
def next32(rng: WordStreams, i: int) -> int:
    """Advance the stream and return its next word of 32 bits, tempered."""
    place = uint64(rng.position[i])
    if place >= uint64(WORDS):
        _refill(rng, i)
        place = uint64(0)
    rng.position[i] = place + uint64(1)
    word = uint64(rng.key[i, place])
    word ^= word >> uint64(11)
    word ^= word << uint64(7) & uint64(0x9D2C5680)
    word ^= word << uint64(15) & uint64(0xEFC60000)
    return word ^ word >> uint64(18)


@inlined
def next64(rng: WordStreams, i: int) -> int:
    """Return the next word of 64 bits as numpy draws it, the high half first."""
    high = next32(rng, i)
    return high << uint64(32) | next32(rng, i)


@inlined
def fraction(rng: WordStreams, i: int) -> float:
    """Return a float64 from [0, 1), of 53 bits from two words."""
    high = next32(rng, i) >> uint64(5)
    low = next32(rng, i) >> uint64(6)
    return float64(high << uint64(26) | low) * 2.0**-53


# --- Normal draws in pairs ------------------------------------------------------------------------


@inlined
def keep(rng: WordStreams, i: int, value: float) -> None:
    """Keep the second value of a pair."""
    rng.gauss[i] = value
    rng.has_gauss[i] = True


@inlined
def kept(rng: WordStreams, i: int) -> float:
    """Return the second value of a pair, which is kept no longer, or NaN if there is none."""
    if not rng.has_gauss[i]:
        return math.nan
    value = float64(rng.gauss[i])
    rng.has_gauss[i] = False
    rng.gauss[i] = 0.0
    return value


@register_jitable
def standard_normal(rng: WordStreams, i: int) -> float:
    """Return a float64 with mean 0 and deviation 1, as NumPy draws it."""
    value = kept(rng, i)
    if not math.isnan(value):
        return value
    while True:
        x = 2.0 * fraction(rng, i) - 1.0
        y = 2.0 * fraction(rng, i) - 1.0
        square = x * x + y * y
        if 0.0 < square < 1.0:
            factor = math.sqrt(-2.0 * math.log(square) / square)
            keep(rng, i, factor * x)
            return factor * y


@register_jitable
def standard_exponential(rng: WordStreams, i: int) -> float:
    """Return a float64 with mean 1, as NumPy draws it."""
    return -math.log(1.0 - fraction(rng, i))
