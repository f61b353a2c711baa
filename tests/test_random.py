"""The streams are numpy's: every claim here is checked against numpy's own Generator."""

import copy
import doctest
import inspect
import math
import pickle
from typing import NamedTuple

import numba
import numpy as np
import pytest

import batchsim.random
from batchsim.batch.generators import Generators
from batchsim.compiler import target
from batchsim.compiler.compile import CALLEE, OPTIONS
from batchsim.compiler.interrupts import PlainCompiler
from batchsim.random import (
    Streams,
    allocate,
    choice,
    choice_weighted,
    choice_without_replacement,
    fresh_seeds,
    integers,
    normal,
    permutation,
    random,
    seed_rows,
    shuffle,
    standard_normal,
    uniform,
)
from batchsim.streams import ziggurat

pytestmark = pytest.mark.filterwarnings("error")

EDGE_SEEDS = [0, 1, 2**32 - 1, 2**32, 2**64 - 1, 2**64, 2**100, 2**128 - 1, 2**128, 2**200]
PCG_MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645


class Backend(NamedTuple):
    """Where a loop over rows runs, and how many rows it can afford."""

    name: str
    rows: int

    def run(self, loop, *arguments):
        return (loop if self.name == "numba" else loop.py_func)(*arguments)


@pytest.fixture(params=[Backend("python", 12), Backend("numba", 3000)], ids=lambda b: b.name)
def backend(request):
    return request.param


def generator(streams, row):
    """NumPy's own, at the point where a row is."""
    return copy.deepcopy(Generators(streams, np.full(len(streams.spare), None))[row])


def set_generator(streams, row, numpy_one):
    Generators(streams, np.full(len(streams.spare), None)).put(row, numpy_one)


def numpy_generator(seed):
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))


def seeded(seeds):
    """Streams seeded so, and numpy's generators seeded so."""
    streams = allocate(len(seeds))
    seed_rows(streams, np.arange(len(seeds)), seeds)
    return streams, [numpy_generator(seed) for seed in seeds]


def numpy_streams(generators):
    streams = allocate(len(generators))
    for row, numpy_one in enumerate(generators):
        set_generator(streams, row, numpy_one)
    return streams


def assert_same_streams(streams, generators):
    expected = numpy_streams(generators)
    np.testing.assert_array_equal(streams.state, expected.state)
    np.testing.assert_array_equal(streams.spare, expected.spare)


def aimed(words_of_rows):
    """Streams whose next one or two words are given, found by stepping PCG64 back from them."""
    streams = allocate(len(words_of_rows))
    inverse = pow(PCG_MULTIPLIER, -1, 2**128)
    entropy = np.random.default_rng(6)
    for row, words in enumerate(words_of_rows):
        increment = 0
        while increment % 2 == 0:
            # A state below 2**122 is not rotated: its two halves give the word by exclusive or.
            high = entropy.integers(0, 2**58, size=2).tolist()
            states = [h << 64 | h ^ word for h, word in zip(high, words, strict=False)]
            increment = (states[1] - states[0] * PCG_MULTIPLIER) % 2**128 if words[1:] else 1
        state = (states[0] - increment) * inverse % 2**128
        streams.state[row] = [
            half for word in (state, increment) for half in (word >> 64, word % 2**64)
        ]
    return streams


class compiled:  # noqa: N801 - a decorator
    """A loop, compiled as the kernels are: without a runtime that could allocate, and with what it
    calls as parts of it, of which Numba's own would make machine code one by one.
    """

    def __init__(self, loop):
        self.py_func = loop
        names = ", ".join(inspect.signature(loop).parameters)
        inner = target.callee(loop, pipeline_class=PlainCompiler, **CALLEE)
        self.call = numba.njit(eval(f"lambda {names}: inner({names})", {"inner": inner}), **OPTIONS)

    def __call__(self, *arguments):
        with target.overloads_as_callees():
            return self.call(*arguments)


@compiled
def draw_random(rng, out):
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[i, k] = random(rng, i)


@compiled
def draw_uniform(rng, low, high, out):
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[i, k] = uniform(rng, i, low, high)


@compiled
def draw_integers(rng, low, high, out):
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[i, k] = integers(rng, i, low, high)


@compiled
def draw_choice(rng, n, out):
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[i, k] = choice(rng, i, n)


@compiled
def draw_choice_weighted(rng, p, out):
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[i, k] = choice_weighted(rng, i, p)


@compiled
def draw_choice_without_replacement(rng, n, out):
    for i in range(out.shape[0]):
        choice_without_replacement(rng, i, n, out[i])


@compiled
def draw_shuffle(rng, out):
    for i in range(out.shape[0]):
        shuffle(rng, i, out[i])


@compiled
def draw_permutation(rng, out):
    for i in range(out.shape[0]):
        permutation(rng, i, out[i])


@compiled
def draw_standard_normal(rng, out):
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[i, k] = standard_normal(rng, i)


@compiled
def draw_normal(rng, loc, scale, out):
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[i, k] = normal(rng, i, loc, scale)


@compiled
def draw_mixed(rng, kinds, out, scratch):
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            if kinds[k] == 0:
                out[i, k] = random(rng, i)
            elif kinds[k] == 1:
                out[i, k] = integers(rng, i, 0, 6)
            elif kinds[k] == 2:
                out[i, k] = integers(rng, i, 0, 2**32)
            elif kinds[k] == 3:
                out[i, k] = integers(rng, i, 0, 2**40)
            elif kinds[k] == 4:
                permutation(rng, i, scratch)
                out[i, k] = scratch[0]
            else:
                out[i, k] = normal(rng, i, 1.0, 2.0)


MIXED_IN_NUMPY = (
    lambda rng: rng.random(),
    lambda rng: rng.integers(0, 6),
    lambda rng: rng.integers(0, 2**32),
    lambda rng: rng.integers(0, 2**40),
    lambda rng: rng.permutation(4)[0],
    lambda rng: rng.normal(1.0, 2.0),
)


# --- Seeding and exchange -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "seeds",
    [
        EDGE_SEEDS,
        range(4000),
        [0],
        [],
        np.arange(-1, 3000)[1:],
        np.arange(200, dtype=np.uint8),
        np.arange(100, dtype=np.int8),
        np.arange(3000, dtype=np.uint64) + np.uint64(2**64 - 3000),
        np.array([1, 2**63], np.uint64),
        [1, 2**63],
        [np.int64(3), np.uint64(2**63), 2**70],
        np.array([5, 2**90, 2**190], dtype=object),
        fresh_seeds(2000),
    ],
    ids=lambda seeds: f"{type(seeds).__name__}-{len(seeds)}",
)
def test_seeded_rows_stand_where_numpy_does(seeds):
    streams = allocate(len(seeds))
    streams.spare[:] = 2**32 + 5
    seed_rows(streams, np.arange(len(seeds)), seeds)
    assert_same_streams(streams, [numpy_generator(int(seed)) for seed in seeds])


def test_seeding_rows_leaves_the_others_untouched():
    streams, _ = seeded(range(10))
    draw_integers(streams, 0, 100, np.zeros((10, 3), np.int64))
    before = pickle.loads(pickle.dumps(streams))
    seed_rows(streams, np.array([7, 2]), [2**130, 77])
    untouched = [row for row in range(10) if row not in (2, 7)]
    np.testing.assert_array_equal(streams.state[untouched], before.state[untouched])
    np.testing.assert_array_equal(streams.spare[untouched], before.spare[untouched])
    changed = Streams(streams.state[[7, 2]], streams.spare[[7, 2]])
    assert_same_streams(changed, [numpy_generator(2**130), numpy_generator(77)])


@pytest.mark.parametrize(
    ("rows", "seeds", "error", "message"),
    [
        ([4, 6], [1, -3], ValueError, "the seed of row 6 is -3, expected a non-negative integer"),
        ([4, 6], np.array([1, -3]), ValueError, "row 6 is -3"),
        ([4, 6], [2**70, -(2**70)], ValueError, f"row 6 is -{2**70}"),
        ([4, 6], [2**63, np.int64(-1)], ValueError, "row 6 is -1"),
        ([4, 6], [1, 2.0], TypeError, "row 4 is 1.0|row 6 is 2.0"),
        ([4, 6], np.array([1.0, 2.0]), TypeError, "row 4 is 1.0"),
        ([4, 6], [None, 1], TypeError, "row 4 is None"),
        ([4, 6], [1, 2, 3], ValueError, "got 3 seeds for 2 rows"),
        ([4, 60], [1, 2], IndexError, "60"),
    ],
)
def test_bad_seeds_are_refused_and_change_nothing(rows, seeds, error, message):
    streams, generators = seeded(range(10))
    with pytest.raises(error, match=message):
        seed_rows(streams, rows, seeds)
    assert_same_streams(streams, generators)


def test_fresh_seeds_are_new_each_time_and_128_bits_wide():
    seeds = fresh_seeds(1000) + fresh_seeds(1000)
    assert len(set(seeds)) == 2000
    assert 2**120 < max(seeds) < 2**128
    assert fresh_seeds(0) == []


def test_rows_of_allocated_streams_do_not_straddle_cache_lines():
    assert all(allocate(n).state.ctypes.data % 32 == 0 for n in (1, 2, 3, 100, 16_384))


# --- Draws ----------------------------------------------------------------------------------------


def test_random_draws_as_numpy(backend):
    streams, generators = seeded(range(backend.rows))
    out = np.zeros((backend.rows, 20))
    backend.run(draw_random, streams, out)
    np.testing.assert_array_equal(out, [one.random(20) for one in generators])
    assert_same_streams(streams, generators)


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (-0.05, 0.05),
        (0.0, 1.0),
        (-math.pi, math.pi),
        (3.0, 3.0),
        (1e-300, 1e300),
        (np.float32(-0.6), np.float32(0.4)),
        (-1, 2),
    ],
)
def test_uniform_draws_as_numpy(backend, low, high):
    streams, generators = seeded(range(100, 100 + backend.rows))
    out = np.zeros((backend.rows, 4))
    backend.run(draw_uniform, streams, low, high, out)
    np.testing.assert_array_equal(
        out, [[one.uniform(low, high) for _ in range(4)] for one in generators]
    )
    assert_same_streams(streams, generators)


# Beyond 2**31 and 2**63 about every second draw is rejected.
@pytest.mark.parametrize(
    ("low", "high"),
    [
        (0, 1),
        (-7, -6),
        (0, 2),
        (-3, 7),
        (0, 1000),
        (0, 2**31 + 1),
        (0, 2**32 - 1),
        (-5, 2**32 - 5),
        (-5, 2**32 - 4),
        (0, 2**40 + 1),
        (0, 2**63 - 1),
        (-1, 2**63 - 1),
        (-2, 2**63 - 1),
        (-(2**63), -(2**63) + 3),
        (-(2**63), 2**63 - 1),
        (0, 2**63),
        (2**63 - 1, 2**63),
        (-(2**63), 2**63),
    ],
)
def test_integers_draw_as_numpy(backend, low, high):
    streams, generators = seeded(range(backend.rows))
    out = np.zeros((backend.rows, 7), np.int64)
    as_integer = np.uint64 if high == 2**63 else np.int64
    backend.run(draw_integers, streams, np.int64(low), as_integer(high), out)
    np.testing.assert_array_equal(
        out, [[one.integers(low, high) for _ in range(7)] for one in generators]
    )
    assert_same_streams(streams, generators)


def test_integers_draw_as_numpy_for_thousands_of_bounds():
    bounds = np.random.default_rng(1).integers(-(2**63), 2**63, size=(4000, 2))
    bounds >>= np.random.default_rng(2).integers(0, 63, size=(4000, 2))
    bounds = np.sort(bounds[bounds[:, 0] != bounds[:, 1]], axis=1)
    streams, (numpy_one,) = seeded([12])
    out = np.zeros((1, 1), np.int64)
    for low, high in bounds.tolist():
        draw_integers(streams, low, high, out)
        assert out[0, 0] == numpy_one.integers(low, high)
    assert_same_streams(streams, [numpy_one])


@pytest.mark.parametrize(
    ("bits", "size"), [(32, 3), (32, 1001), (32, 2**31 + 1), (64, 2**40 + 1), (64, 2**63 + 1)]
)
def test_integers_reject_up_to_numpys_threshold(bits, size):
    threshold = 2**bits % size
    # The words whose product with the size ends in these; the one after it is the next draw.
    lows = [0, threshold - 1, threshold, threshold + 1, size - 1, size, size + 1]
    words = [low * pow(size, -1, 2**bits) % 2**bits for low in lows]
    streams = aimed([[word, 2**63 + 5 * 2**30] for word in words])
    generators = [generator(streams, row) for row in range(len(words))]
    out = np.zeros((len(words), 1), np.int64)
    low = -(2**62)
    draw_integers(streams, low, low + size, out)
    np.testing.assert_array_equal(out[:, 0], [one.integers(low, low + size) for one in generators])
    assert_same_streams(streams, generators)


def test_integers_of_an_array_are_scalar_draws_in_order():
    streams, (numpy_one,) = seeded([5])
    out = np.zeros((1, 101), np.int64)
    draw_integers(streams, 0, 10, out)
    np.testing.assert_array_equal(out[0], numpy_one.integers(0, 10, size=101))


@pytest.mark.parametrize(("low", "high"), [(3, 3), (4, 3)])
def test_an_empty_range_is_refused_in_python(low, high):
    streams, generators = seeded([1, 2])
    with pytest.raises(ValueError, match=rf"row 1: the range \[{low}, 3\) is empty"):
        integers(streams, 1, low, high)
    assert_same_streams(streams, generators)


@pytest.mark.parametrize("n", [1, 2, 5, 2**33])
def test_choice_draws_as_numpy(backend, n):
    streams, generators = seeded(range(backend.rows))
    out = np.zeros((backend.rows, 5), np.int64)
    backend.run(draw_choice, streams, n, out)
    np.testing.assert_array_equal(out, [[one.choice(n) for _ in range(5)] for one in generators])
    assert_same_streams(streams, generators)


@pytest.mark.parametrize(
    "p",
    [
        np.array([1.0]),
        np.array([0.5, 0.5]),
        np.array([0.0, 0.3, 0.0, 0.7, 0.0]),
        np.full(3, 1 / 3),
        np.full(10, 0.1),
        np.full(10, 0.1, np.float32),
        np.random.default_rng(0).dirichlet(np.ones(1000)),
    ],
    ids=lambda p: f"{len(p)}-{p.dtype}",
)
def test_choice_weighted_draws_as_numpy(backend, p):
    rows = min(backend.rows, 1000)
    streams, generators = seeded(range(rows))
    out = np.zeros((rows, 5), np.int64)
    backend.run(draw_choice_weighted, streams, p, out)
    expected = [[one.choice(len(p), p=p) for _ in range(5)] for one in generators]
    np.testing.assert_array_equal(out, expected)
    assert_same_streams(streams, generators)


def test_choice_weighted_rounds_as_numpy_at_every_step_of_the_sum():
    # As far from a sum of 1 as numpy accepts, for the division to round.
    p = np.random.default_rng(3).dirichlet(np.ones(300)) * (1 + 1e-8)
    sums = p.cumsum()
    sums /= sums[-1]
    # The draws on both sides of each step of numpy's own sum.
    steps = [math.ceil(step * 2.0**53) for step in sums[:-1]]
    words = [(step + offset) << 11 for step in steps for offset in (-1, 0, 1) if step + offset >= 0]
    streams = aimed([[word] for word in words])
    generators = [generator(streams, row) for row in range(len(words))]
    out = np.zeros((len(words), 1), np.int64)
    draw_choice_weighted(streams, p, out)
    np.testing.assert_array_equal(out[:, 0], [one.choice(300, p=p) for one in generators])


# (10_000, ...) and (10_001, 200 | 201) lie on both sides of where numpy changes its method.
@pytest.mark.parametrize(
    ("n", "size", "rows"),
    [
        (1, 1, 100),
        (1, 0, 100),
        (5, 5, 3000),
        (10, 3, 3000),
        (100, 2, 3000),
        (1000, 300, 20),
        (10_000, 201, 20),
        (10_000, 10_000, 1),
        (10_001, 200, 20),
        (10_001, 201, 20),
        (10_001, 10_001, 2),
        (50_049, 1000, 5),
        (50_050, 1001, 5),
        (10**6, 30, 100),
        (2**33, 4, 100),
    ],
)
def test_choice_without_replacement_draws_as_numpy(backend, n, size, rows):
    if backend.name == "python":
        rows = min(rows, 1)
        if size > 1001:
            pytest.skip("quadratic: minutes in Python")
    streams, generators = seeded(range(rows))
    out = np.full((rows, size), -1, np.int64)
    backend.run(draw_choice_without_replacement, streams, n, out)
    expected = [one.choice(n, size=size, replace=False) for one in generators]
    np.testing.assert_array_equal(out, expected)
    assert_same_streams(streams, generators)


def test_choice_without_replacement_fills_narrow_integers(backend):
    streams, generators = seeded(range(8))
    out = np.zeros((8, 5), np.int8)
    backend.run(draw_choice_without_replacement, streams, 100, out)
    expected = [one.choice(100, size=5, replace=False) for one in generators]
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("n", [4, 20_000])
def test_a_sample_larger_than_its_population_is_refused_in_python(n):
    streams, _ = seeded([1])
    with pytest.raises(ValueError, match="is empty"):
        choice_without_replacement(streams, 0, n, np.zeros(n + 1, np.int64))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 8, 9, 100])
@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.float64])
def test_shuffle_draws_as_numpy(backend, n, dtype):
    rows = min(backend.rows, 1000)
    streams, generators = seeded(range(rows))
    out = np.tile(np.arange(n, dtype=dtype), (rows, 1))
    expected = out.copy()
    backend.run(draw_shuffle, streams, out)
    for one, row in zip(generators, expected, strict=True):
        one.shuffle(row)
    np.testing.assert_array_equal(out, expected)
    assert_same_streams(streams, generators)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 8, 9, 100, 70_000])
def test_permutation_draws_as_numpy(backend, n):
    rows = min(backend.rows, 1000) if n <= 100 else 1
    streams, generators = seeded(range(rows))
    out = np.zeros((rows, n), np.int64)
    backend.run(draw_permutation, streams, out)
    np.testing.assert_array_equal(out, [one.permutation(n) for one in generators])
    assert_same_streams(streams, generators)


def test_mixed_draws_share_one_stream_as_in_numpy(backend):
    streams, generators = seeded([*EDGE_SEEDS, *range(backend.rows)])
    kinds = np.random.default_rng(4).integers(0, len(MIXED_IN_NUMPY), size=60)
    out = np.zeros((len(generators), len(kinds)))
    backend.run(draw_mixed, streams, kinds, out, np.zeros(4, np.int64))
    np.testing.assert_array_equal(
        out, [[MIXED_IN_NUMPY[kind](one) for kind in kinds] for one in generators]
    )
    assert_same_streams(streams, generators)


def test_draws_of_the_two_backends_have_the_same_types():
    streams, _ = seeded([1])
    assert type(random(streams, 0)) is type(uniform(streams, 0, 0, 1)) is float
    assert type(integers(streams, 0, -5, 5)) is type(choice(streams, 0, 5)) is int
    assert type(normal(streams, 0, 0, 1)) is type(standard_normal(streams, 0)) is float

    @compiled
    def draw(rng):
        return random(rng, 0), uniform(rng, 0, 0, 1), integers(rng, 0, 0, 5), normal(rng, 0, 0, 1)

    draw(streams)
    floating, integer = numba.float64, numba.int64
    expected = floating, floating, integer, floating
    assert tuple(draw.call.nopython_signatures[0].return_type) == expected


# --- Normal draws ---------------------------------------------------------------------------------


def test_standard_normal_draws_as_numpy(backend):
    streams, generators = seeded(range(backend.rows))
    # One draw in 3,700 lies in the tail.
    out = np.zeros((backend.rows, 300))
    backend.run(draw_standard_normal, streams, out)
    np.testing.assert_array_equal(out, [one.standard_normal(300) for one in generators])
    assert_same_streams(streams, generators)


@pytest.mark.parametrize(("loc", "scale"), [(0.0, 1.0), (-3.5, 0.01), (2, 3), (1.0, 0.0)])
def test_normal_draws_as_numpy(backend, loc, scale):
    streams, generators = seeded(range(backend.rows))
    out = np.zeros((backend.rows, 10))
    backend.run(draw_normal, streams, loc, scale, out)
    np.testing.assert_array_equal(
        out, [[one.normal(loc, scale) for _ in range(10)] for one in generators]
    )
    assert_same_streams(streams, generators)


def assert_normal_as_numpy(words_of_rows):
    streams = aimed(words_of_rows)
    generators = [generator(streams, row) for row in range(len(words_of_rows))]
    out = np.zeros((len(words_of_rows), 1))
    draw_standard_normal(streams, out)
    np.testing.assert_array_equal(out[:, 0], [one.standard_normal() for one in generators])
    assert_same_streams(streams, generators)


def test_normal_changes_at_numpys_widths_in_every_strip():
    words = []
    for strip, inside in enumerate(ziggurat.normal_ziggurat().inside.tolist()):
        for magnitude in {0, 1, inside // 2, max(inside - 1, 0), inside, 2**52 - 1}:
            words += [[magnitude << 9 | sign << 8 | strip] for sign in (0, 1)]
    assert_normal_as_numpy(words)


def test_normal_changes_at_numpys_heights_in_every_strip():
    scale, inside, height = (table.tolist() for table in ziggurat.normal_ziggurat())
    words = []
    for strip in range(1, 256):
        for part in (0.01, 0.2, 0.5, 0.8, 0.99):
            magnitude = inside[strip] + int(part * (2**52 - inside[strip]))
            curve = math.exp(-0.5 * (magnitude * scale[strip]) ** 2)
            # The first second word that is not below the curve, by bisection.
            low, high = 0, 2**53
            while low < high:
                middle = (low + high) // 2
                y = (height[strip - 1] - height[strip]) * (middle * 2.0**-53) + height[strip]
                low, high = (middle + 1, high) if y < curve else (low, middle)
            words += [
                [magnitude << 9 | strip, second << 11]
                for second in (low - 1, low)
                if 0 <= second < 2**53
            ]
    assert_normal_as_numpy(words)


# --- Documentation --------------------------------------------------------------------------------


def test_examples_in_the_docstrings_run():
    results = doctest.testmod(batchsim.random)
    assert results.attempted > 0
    assert results.failed == 0
