"""PCG64 seeded by SeedSequence, as numpy's `Generator` has it.

Sources:
    - O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms for
      Random Number Generation", 2014: PCG-XSL-RR-128/64.
    - O'Neill, "Developing a seed_seq Alternative", 2015, and numpy's documentation of SeedSequence.
    - Lemire, "Fast Random Integer Generation in an Interval", ACM TOMACS 29, 2019.
"""

import operator
import secrets
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils

from batchsim.streams.words import (
    MASK32,
    MASK64,
    compiled,
    float64,
    high32,
    inlined,
    low32,
    multiply_high,
    uint64,
)

__all__ = [
    "Streams",
    "allocate",
    "bounded",
    "fraction",
    "fresh_seeds",
    "next32",
    "next64",
    "seed_rows",
]


class Streams(NamedTuple):
    """The streams of N environments.

    A row of `state` holds its four words side by side, and not in four columns, because only a few
    rows draw in a step: one cache line a row.
    """

    state: npt.NDArray[np.uint64]
    """(N, 4) uint64: state high, state low, increment high, increment low."""
    spare: npt.NDArray[np.uint64]
    """(N,) uint64: the half word kept for the next 32-bit draw, with bit 32 set; 0 if none is."""


def allocate(num_envs: int) -> Streams:
    """Return zeroed streams for `num_envs` environments; a row can draw once it is seeded."""
    # numpy aligns to 16 bytes. Rows that straddle cache lines cost 15 ns a draw in place of 10 when
    # the streams outgrow the caches.
    words = np.zeros(4 * num_envs + 3, np.uint64)
    start = -words.ctypes.data // 8 % 4
    state = words[start : start + 4 * num_envs].reshape(num_envs, 4)
    return Streams(state, np.zeros(num_envs, np.uint64))


# --- Seeding --------------------------------------------------------------------------------------

_SEED_BITS = 128
_POOL_WORDS = 4

# The constants of O'Neill's seed_seq_fe128, by her names.
_INIT_A = 0x43B0D7E5
_MULT_A = 0x931E8875
_INIT_B = 0x8B51F9DD
_MULT_B = 0x58F38DED
_MIX_MULT_L = 0xCA01F9DD
_MIX_MULT_R = 0x4973F715
_XSHIFT = 16

_PCG_MULTIPLIER_HIGH = 0x2360ED051FC65DA4
_PCG_MULTIPLIER_LOW = 0x4385DF649FCCF645
_PCG_MULTIPLIER = _PCG_MULTIPLIER_HIGH << 64 | _PCG_MULTIPLIER_LOW


def seed_rows(
    streams: Streams,
    rows: npt.NDArray[np.integer] | Sequence[int],
    seeds: npt.NDArray[Any] | Sequence[int],
) -> None:
    """Start the streams of `rows` at `seeds`, as `PCG64(SeedSequence(seed))` does.

    Parameters
    ----------
    streams : Streams
        Changed in `rows` only.
    rows : (K,) integers
        Row numbers.
    seeds : (K,) integers
        Non-negative, of any size; beyond 128 bits each is slow.

    Raises
    ------
    TypeError, ValueError, IndexError
        If a seed is not an integer or is negative, if there is not one seed a row, or if there is
        no such row; nothing has changed then.
    """
    if len(rows) != len(seeds):
        raise ValueError(f"got {len(seeds)} seeds for {len(rows)} rows, expected one seed a row")
    entropy, large = _entropy(rows, seeds)
    words = _seed_words(entropy)
    for k, seed in large.items():
        words[:, k] = np.random.SeedSequence(seed).generate_state(4, np.uint64)
    streams.state[rows] = _initial_state(words).T
    streams.spare[rows] = 0


def fresh_seeds(n: int) -> list[int]:
    """Return `n` new 128-bit seeds from the operating system's entropy, which is asked once."""
    size = _SEED_BITS // 8
    entropy = secrets.token_bytes(n * size)
    return [int.from_bytes(entropy[k : k + size], "little") for k in range(0, n * size, size)]


def _entropy(rows: Any, seeds: Any) -> tuple[npt.NDArray[np.uint32], dict[int, int]]:
    """Split K seeds into (4, K) words, lowest first; return those that do not fit by position."""
    array = np.asarray(seeds)
    if array.dtype.kind not in "iu":
        return _entropy_of_objects(rows, seeds)
    if (array < 0).any():
        k = int(array.argmin())
        raise _bad_seed(ValueError, rows[k], array[k])
    wide = array.astype(np.uint64)
    entropy = np.zeros((_POOL_WORDS, len(wide)), np.uint32)
    entropy[0] = wide & MASK32
    entropy[1] = wide >> 32
    return entropy, {}


def _entropy_of_objects(rows: Any, seeds: Any) -> tuple[npt.NDArray[np.uint32], dict[int, int]]:
    packed = bytearray()
    large = {}
    for k, seed in enumerate(seeds):
        try:
            value = operator.index(seed)
        except TypeError:
            raise _bad_seed(TypeError, rows[k], seed) from None
        if value < 0:
            raise _bad_seed(ValueError, rows[k], value)
        if value >> _SEED_BITS:
            large[k] = value
            value = 0
        packed += value.to_bytes(_SEED_BITS // 8, "little")
    words = np.frombuffer(packed, "<u4").reshape(-1, _POOL_WORDS)
    return words.T.astype(np.uint32, order="C"), large


def _bad_seed(error: type[Exception], row: int, seed: object) -> Exception:
    return error(f"the seed of row {row} is {seed}, expected a non-negative integer")


def _seed_words(entropy: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint64]:
    """Return `SeedSequence.generate_state(4, uint64)` as (4, K), for seeds as (4, K) words.

    Seeds of fewer words need no care: the entropy is padded with zeros to the size of the pool.
    """
    constants = _hash_constants(_INIT_A, _MULT_A, _POOL_WORDS * _POOL_WORDS)
    pool = _hash(entropy, constants[: _POOL_WORDS + 1])
    used = _POOL_WORDS
    for source in range(_POOL_WORDS):
        others = [k for k in range(_POOL_WORDS) if k != source]
        hashed = _hash(pool[source], constants[used : used + len(others) + 1])
        used += len(others)
        mixed = pool[others] * _MIX_MULT_L
        mixed -= hashed * _MIX_MULT_R
        mixed ^= mixed >> _XSHIFT
        pool[others] = mixed
    constants = _hash_constants(_INIT_B, _MULT_B, 2 * _POOL_WORDS)
    words = _hash(np.concatenate((pool, pool)), constants)
    halves = words.astype(np.uint64)
    return halves[0::2] | halves[1::2] << np.uint64(32)


def _hash_constants(first: int, multiplier: int, hashes: int) -> npt.NDArray[np.uint32]:
    """Return as a column the constants of so many hashes: each takes one and the next."""
    constants = [first]
    for _ in range(hashes):
        constants.append(constants[-1] * multiplier & MASK32)
    return np.array(constants, np.uint32)[:, None]


def _hash(
    values: npt.NDArray[np.uint32], constants: npt.NDArray[np.uint32]
) -> npt.NDArray[np.uint32]:
    hashed = values ^ constants[:-1]
    hashed *= constants[1:]
    hashed ^= hashed >> _XSHIFT
    return hashed


def _initial_state(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return the columns of `Streams.state` for (4, K) words, as PCG's `srandom` does."""
    seed_high, seed_low, stream_high, stream_low = words
    increment_high = stream_high << 1 | stream_low >> 63
    increment_low = stream_low << 1 | 1
    start_low = seed_low + increment_low
    start_high = seed_high + increment_high + (start_low < seed_low)
    state_low = start_low * _PCG_MULTIPLIER_LOW + increment_low
    state_high = (
        _multiply_high_array(start_low, _PCG_MULTIPLIER_LOW)
        + start_low * _PCG_MULTIPLIER_HIGH
        + start_high * _PCG_MULTIPLIER_LOW
        + increment_high
        + (state_low < increment_low)
    )
    return np.stack((state_high, state_low, increment_high, increment_low))


def _multiply_high_array(a: npt.NDArray[np.uint64], b: int) -> npt.NDArray[np.uint64]:
    """Return the high words of the 128-bit products, from 32-bit halves."""
    a_high, a_low = a >> 32, a & MASK32
    b_high, b_low = b >> 32, b & MASK32
    middle = a_high * b_low + (a_low * b_low >> 32)
    carry = (middle & MASK32) + a_low * b_high
    high: npt.NDArray[np.uint64] = a_high * b_high + (middle >> 32) + (carry >> 32)
    return high


# --- The generator --------------------------------------------------------------------------------


@inlined
def next64(rng: Streams, i: int) -> int:
    """Advance the stream and return its next word: PCG-XSL-RR-128/64."""
    high, low = _advanced(rng.state[i, 0], rng.state[i, 1], rng.state[i, 2], rng.state[i, 3])
    rng.state[i, 0] = high
    rng.state[i, 1] = low
    return _folded(high, low)


def _advanced(
    state_high: int, state_low: int, increment_high: int, increment_low: int
) -> tuple[int, int]:
    """Return the words of the state that follows one, high and low."""
    state = int(state_high) << 64 | int(state_low)
    increment = int(increment_high) << 64 | int(increment_low)
    state = state * _PCG_MULTIPLIER + increment
    return state >> 64 & MASK64, state & MASK64


def _generate_advanced(builder: ir.IRBuilder, *words: ir.Value) -> ir.Value:
    wide = ir.IntType(128)
    half = ir.Constant(wide, 64)
    state_high, state_low, increment_high, increment_low = (
        builder.zext(word, wide) for word in words
    )
    state = builder.or_(builder.shl(state_high, half), state_low)
    increment = builder.or_(builder.shl(increment_high, half), increment_low)
    state = builder.add(builder.mul(state, ir.Constant(wide, _PCG_MULTIPLIER)), increment)
    parts = builder.lshr(state, half), state
    return cgutils.pack_array(builder, [builder.trunc(part, ir.IntType(64)) for part in parts])


compiled(_advanced, types.UniTuple(types.uint64, 2), [types.uint64] * 4, _generate_advanced)


def _folded(high: int, low: int) -> int:
    """Return what a state is drawn as: both its words in one, turned by its highest bits."""
    folded, rotation = high ^ low, high >> 58
    return (folded >> rotation | folded << (64 - rotation)) & MASK64


def _generate_folded(builder: ir.IRBuilder, high: ir.Value, low: ir.Value) -> ir.Value:
    word = ir.IntType(64)
    rotate = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(word, [word] * 3), "llvm.fshr.i64"
    )
    folded = builder.xor(high, low)
    return builder.call(rotate, [folded, folded, builder.lshr(high, word(58))])


compiled(_folded, types.uint64, [types.uint64] * 2, _generate_folded)


@inlined
def next32(rng: Streams, i: int) -> int:
    """Return the next half word: numpy draws a word, returns its low half and keeps the other."""
    spare = uint64(rng.spare[i])
    if spare != 0:
        rng.spare[i] = 0
        return low32(spare)
    word = next64(rng, i)
    rng.spare[i] = high32(word) | uint64(1 << 32)
    return low32(word)


@inlined
def bounded(rng: Streams, i: int, span: int) -> int:
    """Return an integer from [0, span], both words; numpy draws half words where these suffice."""
    if span == 0:
        return uint64(0)
    if span < MASK32:
        return _bounded32(rng, i, span + uint64(1))
    if span == MASK32:
        return next32(rng, i)
    if span < MASK64:
        return _bounded64(rng, i, span + uint64(1))
    return next64(rng, i)


# Lemire's method rejects a draw if the low part of its product is below 2**bits mod size. That
# remainder takes a division; it is less than `size`, so that the first comparison mostly decides.


@inlined
def _bounded32(rng: Streams, i: int, size: int) -> int:
    while True:
        product = next32(rng, i) * size
        low = low32(product)
        if low >= size or low >= (uint64(1 << 32) - size) % size:
            return high32(product)


@inlined
def _bounded64(rng: Streams, i: int, size: int) -> int:
    while True:
        word = next64(rng, i)
        low = uint64(word * size)
        if low >= size or low >= (uint64(MASK64) - size + uint64(1)) % size:
            return multiply_high(word, size)


@inlined
def fraction(rng: Streams, i: int) -> float:
    """Return a float64 from [0, 1), of 53 bits."""
    return float64(next64(rng, i) >> uint64(11)) * 2.0**-53
