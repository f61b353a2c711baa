"""Random streams: numpy's SeedSequence and PCG64, one independent stream an environment.

A row is bit-equal to `numpy.random.Generator(numpy.random.PCG64(numpy.random.SeedSequence(seed)))`.
The drawing functions take the streams and a row, as in `uniform(rng, i, low, high)`. Called from
Python they run as plain Python, called from Numba-compiled code they are compiled, and both give
the same bits.

    >>> streams = allocate(num_envs=2)
    >>> seed_rows(streams, rows=[0, 1], seeds=[7, 8])
    >>> uniform(streams, 1, -1.0, 1.0) == np.random.default_rng(8).uniform(-1.0, 1.0)
    True

Sources:
    - O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms for
      Random Number Generation", 2014: PCG-XSL-RR-128/64.
    - O'Neill, "Developing a seed_seq Alternative", 2015, and numpy's documentation of SeedSequence.
    - Lemire, "Fast Random Integer Generation in an Interval", ACM TOMACS 29, 2019.
    - Bentley and Floyd, "Programming Pearls: A Sample of Brilliance", CACM 30, 1987; the shuffle is
      algorithm P in Knuth, The Art of Computer Programming 2, 3.4.2.
    - Marsaglia and Tsang, "The Ziggurat Method for Generating Random Variables", JSS 5, 2000.
"""

import decimal
import math
import operator
import secrets
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload, register_jitable


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

_MASK32 = 0xFFFFFFFF
_MASK64 = 0xFFFFFFFFFFFFFFFF


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
    entropy[0] = wide & _MASK32
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
        constants.append(constants[-1] * multiplier & _MASK32)
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
    a_high, a_low = a >> 32, a & _MASK32
    b_high, b_low = b >> 32, b & _MASK32
    middle = a_high * b_low + (a_low * b_low >> 32)
    carry = (middle & _MASK32) + a_low * b_high
    high: npt.NDArray[np.uint64] = a_high * b_high + (middle >> 32) + (carry >> 32)
    return high


# --- Words: the arithmetic that differs between Python and Numba ----------------------------------
#
# Python's integers do not wrap, numpy's scalars warn when they do, and Numba makes float64 of
# uint64 with int64. So all draws compute with words, which are Python ints in [0, 2**64) in Python
# and uint64 in Numba; every constant, argument or result that may be anything else passes
# `_uint64`.


def _uint64(x: int | np.integer | bool) -> int:
    return int(x) & _MASK64


@overload(_uint64)
def _uint64_compiled(x):  # type: ignore[no-untyped-def]
    return lambda x: np.uint64(x)


def _int64(word: int) -> int:
    return word - (word >> 63 << 64)


@overload(_int64)
def _int64_compiled(word):  # type: ignore[no-untyped-def]
    return lambda word: np.int64(word)


def _float64(x: float) -> float:
    return float(x)


@overload(_float64)
def _float64_compiled(x):  # type: ignore[no-untyped-def]
    return lambda x: np.float64(x)


def _multiply_high(a: int, b: int) -> int:
    """Return the high word of the 128-bit product of two words."""
    return a * b >> 64


@intrinsic
def _multiply_high_instruction(typing_context, a, b):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        wide = ir.IntType(128)
        a, b = (builder.zext(argument, wide) for argument in arguments)
        return builder.trunc(builder.lshr(builder.mul(a, b), ir.Constant(wide, 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), generate


@overload(_multiply_high)
def _multiply_high_compiled(a, b):  # type: ignore[no-untyped-def]
    return lambda a, b: _multiply_high_instruction(a, b)  # type: ignore[call-arg]


def _require_range(i: int, low: int, high: int) -> None:
    """Refuse an empty range; in Python only, as compiled code cannot raise."""
    if low >= high:
        raise ValueError(f"row {i}: the range [{low}, {high}) is empty, expected low < high")


@overload(_require_range)
def _require_range_compiled(i, low, high):  # type: ignore[no-untyped-def]
    return lambda i, low, high: None


# --- The generator --------------------------------------------------------------------------------

# Passing the streams' arrays to a function costs more than a draw: `integers` takes 2 ns when it is
# inlined and 14 ns when it is not.
_inlined = register_jitable(forceinline=True)


@_inlined
def _next64(rng: Streams, i: int) -> int:
    """Advance the stream and return its next word: PCG-XSL-RR-128/64."""
    multiplier_high = _uint64(_PCG_MULTIPLIER_HIGH)
    multiplier_low = _uint64(_PCG_MULTIPLIER_LOW)
    state_high = _uint64(rng.state[i, 0])
    state_low = _uint64(rng.state[i, 1])
    increment_high = _uint64(rng.state[i, 2])
    increment_low = _uint64(rng.state[i, 3])

    low = _uint64(state_low * multiplier_low + increment_low)
    high = _uint64(
        _multiply_high(state_low, multiplier_low)
        + state_low * multiplier_high
        + state_high * multiplier_low
        + increment_high
        + _uint64(low < increment_low)
    )
    rng.state[i, 0] = high
    rng.state[i, 1] = low

    folded = high ^ low
    rotation = high >> _uint64(58)
    # The mask keeps the left shift below 64: compiled code does not define a shift by all bits.
    return _uint64(folded >> rotation | folded << (_uint64(64) - rotation & _uint64(63)))


@_inlined
def _low32(word: int) -> int:
    return word & _uint64(_MASK32)


@_inlined
def _high32(word: int) -> int:
    return word >> _uint64(32)


@_inlined
def _next32(rng: Streams, i: int) -> int:
    """Return the next half word: numpy draws a word, returns its low half and keeps the other."""
    spare = _uint64(rng.spare[i])
    if spare != 0:
        rng.spare[i] = 0
        return _low32(spare)
    word = _next64(rng, i)
    rng.spare[i] = _high32(word) | _uint64(1 << 32)
    return _low32(word)


@_inlined
def _bounded(rng: Streams, i: int, span: int) -> int:
    """Return an integer from [0, span], both words; numpy draws half words where these suffice."""
    if span == 0:
        return _uint64(0)
    if span < _MASK32:
        return _bounded32(rng, i, span + _uint64(1))
    if span == _MASK32:
        return _next32(rng, i)
    if span < _MASK64:
        return _bounded64(rng, i, span + _uint64(1))
    return _next64(rng, i)


# Lemire's method rejects a draw if the low part of its product is below 2**bits mod size. That
# remainder takes a division; it is less than `size`, so that the first comparison mostly decides.


@_inlined
def _bounded32(rng: Streams, i: int, size: int) -> int:
    while True:
        product = _next32(rng, i) * size
        low = _low32(product)
        if low >= size or low >= (_uint64(1 << 32) - size) % size:
            return _high32(product)


@_inlined
def _bounded64(rng: Streams, i: int, size: int) -> int:
    while True:
        word = _next64(rng, i)
        low = _uint64(word * size)
        if low >= size or low >= (_uint64(_MASK64) - size + _uint64(1)) % size:
            return _multiply_high(word, size)


@_inlined
def _interval(rng: Streams, i: int, last: int) -> int:
    """Return an integer from [0, last], last < 2**32, by masked rejection, as numpy's shuffle."""
    limit = _uint64(last)
    mask = limit | limit >> _uint64(1)
    mask |= mask >> _uint64(2)
    mask |= mask >> _uint64(4)
    mask |= mask >> _uint64(8)
    mask |= mask >> _uint64(16)
    while True:
        draw = _next32(rng, i) & mask
        if draw <= limit:
            return _int64(draw)


# --- Draws ----------------------------------------------------------------------------------------


@_inlined
def random(rng: Streams, i: int) -> float:
    """Return a float64 from [0, 1), drawn from row i's stream as `Generator.random()` does."""
    return _float64(_next64(rng, i) >> _uint64(11)) * 2.0**-53


@_inlined
def uniform(rng: Streams, i: int, low: float, high: float) -> float:
    """Return a float64 from [low, high), drawn as `Generator.uniform(low, high)` does."""
    return _float64(low) + (_float64(high) - _float64(low)) * random(rng, i)


@_inlined
def integers(rng: Streams, i: int, low: int, high: int) -> int:
    """Return an int64 from [low, high), drawn as `Generator.integers(low, high)` does.

    `low` and `high` are integers, `high` up to 2**63 (in compiled code as uint64). If the range is
    empty, Python raises ValueError; compiled code, which cannot raise, returns any integer.
    """
    _require_range(i, low, high)
    span = _uint64(_uint64(high) - _uint64(1) - _uint64(low))
    return _int64(_uint64(_uint64(low) + _bounded(rng, i, span)))


@_inlined
def choice(rng: Streams, i: int, n: int) -> int:
    """Return an int64 from [0, n), drawn as `Generator.choice(n)` does."""
    return integers(rng, i, 0, n)


@_inlined
def choice_weighted(rng: Streams, i: int, p: npt.NDArray[np.floating]) -> int:
    """Return k with probability p[k], drawn as `Generator.choice(len(p), p=p)` does.

    `p` is (n,) float64 or float32, n > 0, not negative, with a positive sum, which need not be 1.
    """
    total = 0.0
    for k in range(len(p)):
        total += _float64(p[k])
    draw = random(rng, i)
    # numpy divides each partial sum by the last and takes the first that exceeds the draw.
    partial = 0.0
    for k in range(len(p) - 1):
        partial += _float64(p[k])
        if draw < partial / total:
            return k
    return len(p) - 1


@register_jitable
def choice_without_replacement(rng: Streams, i: int, n: int, out: npt.NDArray[np.integer]) -> None:
    """Write len(out) different integers from [0, n) into `out`, in random order.

    They are drawn as `Generator.choice(n, size=len(out), replace=False)` does, but in place: the
    time grows with the square of len(out). `out` is (size,), size <= n, of integers that can hold
    n - 1. If size > n, Python raises ValueError; compiled code writes any integers.
    """
    size = len(out)
    # This is where numpy changes from one method to the other, and so to other draws.
    if n > 10_000 and size > n // 50:
        _choose_by_shuffle(rng, i, n, out)
    else:
        _choose_by_floyd(rng, i, n, out)


@register_jitable
def _choose_by_floyd(rng: Streams, i: int, n: int, out: npt.NDArray[np.integer]) -> None:
    """Draw from ever larger ranges; a draw that is there already stands for the range's last."""
    size = len(out)
    for k in range(size):
        last = n - size + k
        draw = integers(rng, i, 0, last + 1)
        out[k] = draw
        for earlier in range(k):
            if out[earlier] == draw:
                out[k] = last
                break
    for k in range(size - 1, 0, -1):
        other = integers(rng, i, 0, k + 1)
        out[k], out[other] = out[other], out[k]


@register_jitable
def _choose_by_shuffle(rng: Streams, i: int, n: int, out: npt.NDArray[np.integer]) -> None:
    """Write what a shuffle of 0 ... n - 1, begun at the end, has put into its last places.

    The n integers are never stored. `out` takes the place that each of the last places was swapped
    with, and then the integer that stood there, which only the swaps before can have moved there.
    """
    size = len(out)
    first = n - size
    for k in range(size - 1, -1, -1):
        out[k] = integers(rng, i, 0, first + k + 1)
    for k in range(size):
        place = out[k]
        for before in range(k + 1, size):
            if out[before] == place:
                place = first + before
        out[k] = place


@register_jitable
def shuffle(rng: Streams, i: int, x: npt.NDArray[Any]) -> None:
    """Shuffle `x`, an (n,) array with n <= 2**32, in place as `Generator.shuffle(x)` does."""
    for last in range(len(x) - 1, 0, -1):
        other = _interval(rng, i, last)
        x[last], x[other] = x[other], x[last]


@register_jitable
def permutation(rng: Streams, i: int, out: npt.NDArray[np.integer]) -> None:
    """Write the integers 0 ... n - 1 into `out`, (n,), ordered as by `Generator.permutation(n)`."""
    for k in range(len(out)):
        out[k] = k
    shuffle(rng, i, out)


# --- Normal draws ---------------------------------------------------------------------------------

# The ziggurat: strips of equal area that cover exp(-x**2 / 2) for x >= 0, of which strip 1 is the
# narrowest, at the top, and strip 0 the base with the tail beyond `_TAIL_START`.
_STRIPS = 256
_TAIL_START = 3.6541528853610088
# Typed in, as numpy's tables follow from this one: the correctly rounded area is 4 doubles above.
_STRIP_AREA = 0.0049286732339746519


def _ziggurat() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint64], npt.NDArray[np.float64]]:
    """Return the strips' widths / 2**52, their parts within the strip above * 2**52, their heights.

    A height is the curve's at the strip's width, and 1 for strip 0. Each width follows from the
    next one in double precision: to have numpy's bits, every rounding must be numpy's.
    """
    width = np.zeros(_STRIPS)
    height = np.ones(_STRIPS)
    width[-1] = _TAIL_START
    # Decimal rounds exp and ln correctly, where those of the C library depend on the platform.
    with decimal.localcontext() as context:
        context.prec = 25
        for k in range(_STRIPS - 1, 0, -1):
            height[k] = decimal.Decimal(-0.5 * width[k] * width[k]).exp()
            if k == 38:
                # The one value that numpy's tables have rounded up, from 0.498 of the last place.
                height[k] = np.nextafter(height[k], 1.0)
            if k > 1:
                above = decimal.Decimal(height[k] + _STRIP_AREA / width[k])
                width[k - 1] = math.sqrt(-2.0 * float(above.ln()))
    base = _STRIP_AREA / height[-1]
    inside = np.append(_TAIL_START / base, width[:-1] / width[1:]) * 2.0**52
    return np.append(base, width[1:]) / 2.0**52, np.rint(inside).astype(np.uint64), height


_SCALE, _INSIDE, _HEIGHT = _ziggurat()


@_inlined
def standard_normal(rng: Streams, i: int) -> float:
    """Return a float64 with mean 0 and deviation 1, drawn as `Generator.standard_normal()` does."""
    while True:
        word = _next64(rng, i)
        strip = word & _uint64(_STRIPS - 1)
        magnitude = word >> _uint64(9) & _uint64(2**52 - 1)
        x = _float64(magnitude) * _float64(_SCALE[strip])
        if word & _uint64(1 << 8):
            x = -x
        if magnitude < _INSIDE[strip]:
            return x
        if strip == 0:
            return _normal_tail(rng, i, magnitude)
        bottom = _float64(_HEIGHT[strip])
        top = _float64(_HEIGHT[strip - _uint64(1)])
        if (top - bottom) * random(rng, i) + bottom < math.exp(-0.5 * x * x):
            return x


@register_jitable
def _normal_tail(rng: Streams, i: int, magnitude: int) -> float:
    """Draw from beyond the base strip, by Marsaglia's method."""
    while True:
        beyond = -(1.0 / _TAIL_START) * math.log1p(-random(rng, i))
        y = -math.log1p(-random(rng, i))
        if y + y > beyond * beyond:
            # numpy reads the sign from a bit of the magnitude here.
            negative = magnitude & _uint64(1 << 8)
            return -(_TAIL_START + beyond) if negative else _TAIL_START + beyond


@_inlined
def normal(rng: Streams, i: int, loc: float, scale: float) -> float:
    """Return a float64 with mean `loc` and deviation `scale`, drawn as `Generator.normal` does."""
    return _float64(loc) + _float64(scale) * standard_normal(rng, i)
