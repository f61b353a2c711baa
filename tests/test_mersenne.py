"""Streams of MT19937 are upstream's: checked against NumPy's RandomState and Python's Random."""

import doctest
import random as python

import numpy as np
import pytest
from test_random import Backend, compiled

from batchsim import python_random as pr
from batchsim import random_state as rs

pytestmark = pytest.mark.filterwarnings("error")

P = np.array([0.1, 0.0, 0.3, 0.6])
WEIGHTS = np.array([1.0, 0.0, 3.5, 0.25])
SAMPLES = [
    (1, 1),
    (5, 5),
    (30, 5),
    (21, 5),
    (22, 5),
    (85, 6),
    (86, 6),
    (500, 30),
    (277, 64),
    (9, 9),
]
"""Population and size: Python changes its method at 21 for up to five, and at 85 for six."""


# Each draw writes into the row of an array of floats or of integers.


@compiled
def draw_random_state(rng, kinds, floats, integers, work):
    for i in range(kinds.shape[0]):
        for k in range(kinds.shape[1]):
            kind = kinds[i, k]
            if kind == 0:
                floats[i, k] = rs.rand(rng, i)
            elif kind == 1:
                integers[i, k] = rs.randint(rng, i, 6)
            elif kind == 2:
                integers[i, k] = rs.randint(rng, i, -3, 2**32 - 3)
            elif kind == 3:
                integers[i, k] = rs.randint(rng, i, 0, 2**32 + 5)
            elif kind == 4:
                integers[i, k] = rs.randint(rng, i, -(2**63), 2**63 - 1)
            elif kind == 5:
                integers[i, k] = rs.randint(rng, i, 7, 8)
            elif kind == 6:
                floats[i, k] = rs.normal(rng, i, 1.0, 2.0)
            elif kind == 7:
                floats[i, k] = rs.randn(rng, i)
            elif kind == 8:
                floats[i, k] = rs.exponential(rng, i, 2.0)
            elif kind == 9:
                floats[i, k] = rs.uniform(rng, i, -1.0, 2.0)
            elif kind == 10:
                integers[i, k] = rs.choice(rng, i, 9)
            elif kind == 11:
                integers[i, k] = rs.choice_weighted(rng, i, P)
            elif kind == 12:
                rs.permutation(rng, i, work[i])
                integers[i, k] = work[i, 2]
            elif kind == 13:
                rs.shuffle(rng, i, work[i])
                integers[i, k] = work[i, 0]
            elif kind == 14:
                integers[i, k] = rs.poisson(rng, i, 3.0) + rs.poisson(rng, i, 30.0)
            elif kind == 15:
                integers[i, k] = rs.binomial(rng, i, 9, 0.3) + rs.binomial(rng, i, 100, 0.6)
            elif kind == 16:
                rs.multinomial(rng, i, 20, P, work[i, :4])
                integers[i, k] = work[i, 3]
            elif kind == 17:
                rs.choice_without_replacement(rng, i, 3 + k % 90, work[i, :3])
                integers[i, k] = work[i, 2]
            elif kind == 18:
                floats[i, k] = rs.gamma(rng, i, SHAPES[k % 9], 2.0)
            elif kind == 19:
                floats[i, k] = rs.beta(rng, i, SHAPES[k % 9], SHAPES[k % 7])
            elif kind == 20:
                floats[i, k] = rs.lognormal(rng, i, 1.0, 0.5) + rs.chisquare(rng, i, 3.0)
            elif kind == 21:
                floats[i, k] = rs.standard_gamma(rng, i, 1.0)


SHAPES = np.array([0.5, 1.0, 3.0, 1e-3, 0.99, 1.5, 1e3, 1e-5, 7.0])


def shuffled(rng, work):
    rng.shuffle(work)
    return work[0]


def counted(rng, work):
    work[:4] = rng.multinomial(20, P)
    return work[3]


class Place:
    """Which draw of its row it is, counted as in `draw_random_state`."""

    k = 0


def chosen(rng, work):
    work[:3] = rng.choice(3 + Place.k % 90, 3, replace=False)
    return work[2]


def permuted(rng, work):
    work[:] = rng.permutation(len(work))
    return work[2]


RANDOM_STATES = [
    lambda rng, work: rng.rand(),
    lambda rng, work: rng.randint(6),
    lambda rng, work: rng.randint(-3, 2**32 - 3),
    lambda rng, work: rng.randint(0, 2**32 + 5),
    lambda rng, work: rng.randint(-(2**63), 2**63 - 1),
    lambda rng, work: rng.randint(7, 8),
    lambda rng, work: rng.normal(1.0, 2.0),
    lambda rng, work: rng.randn(),
    lambda rng, work: rng.exponential(2.0),
    lambda rng, work: rng.uniform(-1.0, 2.0),
    lambda rng, work: rng.choice(9),
    lambda rng, work: rng.choice(4, p=P),
    permuted,
    shuffled,
    lambda rng, work: rng.poisson(3.0) + rng.poisson(30.0),
    lambda rng, work: rng.binomial(9, 0.3) + rng.binomial(100, 0.6),
    counted,
    chosen,
    lambda rng, work: rng.gamma(SHAPES[Place.k % 9], 2.0),
    lambda rng, work: rng.beta(SHAPES[Place.k % 9], SHAPES[Place.k % 7]),
    lambda rng, work: rng.lognormal(1.0, 0.5) + rng.chisquare(3.0),
    lambda rng, work: rng.standard_gamma(1.0),
]


@compiled
def draw_python(rng, kinds, floats, integers, work):
    for i in range(kinds.shape[0]):
        for k in range(kinds.shape[1]):
            kind = kinds[i, k]
            if kind == 0:
                floats[i, k] = pr.random(rng, i)
            elif kind == 1:
                integers[i, k] = pr.randint(rng, i, 1, 6)
            elif kind == 2:
                integers[i, k] = pr.randrange(rng, i, 10)
            elif kind == 3:
                integers[i, k] = pr.randrange(rng, i, -4, 2**40)
            elif kind == 4:
                integers[i, k] = pr.randrange(rng, i, -4, 10, 3)
            elif kind == 5:
                integers[i, k] = pr.randrange(rng, i, 10, -40, -7)
            elif kind == 6:
                integers[i, k] = pr.randint(rng, i, -(2**63), 2**63 - 1)
            elif kind == 7:
                integers[i, k] = pr.getrandbits(rng, i, k % 64)
            elif kind == 8:
                floats[i, k] = pr.gauss(rng, i, 1.0, 2.0)
            elif kind == 9:
                floats[i, k] = pr.normalvariate(rng, i, 1.0, 2.0)
            elif kind == 10:
                floats[i, k] = pr.expovariate(rng, i, 2.0)
            elif kind == 11:
                floats[i, k] = pr.uniform(rng, i, -1.0, 2.0)
            elif kind == 12:
                integers[i, k] = pr.choice(rng, i, 9)
            elif kind == 13:
                integers[i, k] = pr.choice_weighted(rng, i, WEIGHTS)
            elif kind == 14:
                pr.shuffle(rng, i, work[i])
                integers[i, k] = work[i, 0]
            elif kind == 15:
                pr.sample(rng, i, 30, work[i, :5])
                integers[i, k] = work[i, 4]


def sampled(rng, work):
    work[:5] = rng.sample(range(30), 5)
    return work[4]


PYTHONS = [
    lambda rng, work: rng.random(),
    lambda rng, work: rng.randint(1, 6),
    lambda rng, work: rng.randrange(10),
    lambda rng, work: rng.randrange(-4, 2**40),
    lambda rng, work: rng.randrange(-4, 10, 3),
    lambda rng, work: rng.randrange(10, -40, -7),
    lambda rng, work: rng.randint(-(2**63), 2**63 - 1),
    None,
    lambda rng, work: rng.gauss(1.0, 2.0),
    lambda rng, work: rng.normalvariate(1.0, 2.0),
    lambda rng, work: rng.expovariate(2.0),
    lambda rng, work: rng.uniform(-1.0, 2.0),
    lambda rng, work: rng.choice(range(9)),
    lambda rng, work: rng.choices(range(4), WEIGHTS.tolist())[0],
    shuffled,
    sampled,
]


def point_of_random_state(rng):
    _, key, position, has_gauss, gauss = rng.get_state()
    return key.tolist(), position, has_gauss, gauss if has_gauss else 0.0


def point_of_python(rng):
    _, (*key, position), gauss = rng.getstate()
    return key, position, gauss is not None, gauss or 0.0


KINDS = {
    "RandomState": (
        rs, draw_random_state, RANDOM_STATES, np.random.RandomState, point_of_random_state,
    ),
    "Random": (pr, draw_python, PYTHONS, python.Random, point_of_python),
}  # fmt: skip


def points(streams):
    return [
        (key.tolist(), int(position), bool(has), float(gauss))
        for key, position, has, gauss in zip(*streams, strict=True)
    ]


@pytest.fixture(params=[Backend("python", 3), Backend("numba", 40)], ids=lambda b: b.name)
def backend(request):
    return request.param


def assert_same_draws(backend, name, kinds):
    module, draw, draws, make, point = KINDS[name]
    rows = len(kinds)
    streams = module.allocate(rows)
    module.seed_rows(streams, range(rows), range(rows))
    floats, integers = np.zeros(kinds.shape), np.zeros(kinds.shape, np.int64)
    work = np.tile(np.arange(7), (rows, 1))
    backend.run(draw, streams, kinds, floats, integers, work)
    generators = [make(seed) for seed in range(rows)]
    expected_work = np.tile(np.arange(7), (rows, 1))
    for row, rng in enumerate(generators):
        for k, kind in enumerate(kinds[row]):
            one, Place.k = draws[kind], k
            value = one(rng, expected_work[row]) if one else rng.getrandbits(k % 64)
            found = floats[row, k] if isinstance(value, float) else integers[row, k]
            assert found == value, (row, k, kind)
    np.testing.assert_array_equal(work, expected_work)
    assert points(streams) == [point(rng) for rng in generators]


@pytest.mark.parametrize(
    ("name", "kind"), [(name, kind) for name in KINDS for kind in range(len(KINDS[name][2]))]
)
def test_draws_of_one_kind_are_upstreams(backend, name, kind):
    # A block has 624 words, so that every row comes to its next ones.
    draws = 700 if backend.name == "numba" else 330
    assert_same_draws(backend, name, np.full((backend.rows, draws), kind))


@pytest.mark.parametrize("name", KINDS)
def test_mixed_draws_share_one_stream_as_upstream(backend, name):
    kinds = np.random.default_rng(4).integers(0, len(KINDS[name][2]), (backend.rows, 1500))
    assert_same_draws(backend, name, kinds)


SIZED = {
    "random_sample": (), "uniform": (-1.0, 2.0), "randint": (0, 9), "choice": (7,),
    "standard_normal": (), "normal": (1.0, 2.0), "exponential": (2.0,), "poisson": (3.0,),
    "binomial": (9, 0.3), "gamma": (2.0, 3.0), "beta": (0.5, 0.5), "chisquare": (3.0,),
    "lognormal": (0.0, 1.0),
}  # fmt: skip


def test_arrays_of_draws_are_random_states():
    streams = rs.allocate(1)
    rs.seed_rows(streams, [0], [5])
    numpys = np.random.RandomState(5)
    for name, arguments in SIZED.items():
        found = getattr(rs, name)(streams, 0, *arguments, size=(2, 3))
        np.testing.assert_array_equal(found, getattr(numpys, name)(*arguments, size=(2, 3)))
    found = rs.choice_weighted(streams, 0, P, size=5)
    np.testing.assert_array_equal(found, numpys.choice(4, p=P, size=5))
    assert points(streams) == [point_of_random_state(numpys)]


@compiled
def draw_sample(rng, n, out):
    for i in range(out.shape[0]):
        pr.sample(rng, i, n, out[i])


@pytest.mark.parametrize(("n", "size"), SAMPLES)
def test_samples_are_pythons(backend, n, size):
    rows = backend.rows
    streams = pr.allocate(rows)
    pr.seed_rows(streams, range(rows), range(rows))
    out = np.zeros((rows, size), np.int32)
    backend.run(draw_sample, streams, n, out)
    generators = [python.Random(seed) for seed in range(rows)]
    np.testing.assert_array_equal(out, [rng.sample(range(n), size) for rng in generators])
    assert points(streams) == [point_of_python(rng) for rng in generators]


# --- Seeds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 5, 48, 49, 5000])
def test_rows_are_seeded_as_random_state_is(rows):
    seeds = np.random.default_rng(rows).integers(0, 2**32, rows)
    streams = rs.allocate(rows)
    rs.seed_rows(streams, np.arange(rows), seeds)
    found = points(streams)
    for row in range(0, rows, max(1, rows // 50)):
        assert found[row] == point_of_random_state(np.random.RandomState(seeds[row])), row


@pytest.mark.parametrize("times", [1, 20])
def test_rows_are_seeded_as_pythons_random_is(times):
    seeds = [0, 1, 2**32 - 1, 2**32, 2**64 - 1, 2**64, 2**128, 2**200, 2**20_000 + 7] * times
    streams = pr.allocate(len(seeds))
    pr.seed_rows(streams, range(len(seeds)), seeds)
    assert points(streams) == [point_of_python(python.Random(seed)) for seed in seeds]


@pytest.mark.parametrize("module", [rs, pr])
@pytest.mark.parametrize("seed", [-1, 1.0, None, "1"])
def test_bad_seeds_are_refused_and_change_nothing(module, seed):
    streams = module.allocate(3)
    module.seed_rows(streams, range(3), range(3))
    before = points(streams)
    with pytest.raises((TypeError, ValueError), match=f"the seed of row 2 is {seed}, expected a"):
        module.seed_rows(streams, [1, 2], [5, seed])
    assert points(streams) == before


def test_a_seed_of_33_bits_is_none_of_random_states():
    streams = rs.allocate(1)
    with pytest.raises(ValueError, match=r"row 0 is 4294967296, expected .* from 0 to 2\*\*32 - 1"):
        rs.seed_rows(streams, [0], [2**32])


@pytest.mark.parametrize(("module", "bits"), [(rs, 32), (pr, 128)])
def test_fresh_seeds_are_new_and_fill_their_width(module, bits):
    seeds = module.fresh_seeds(3000)
    assert len(set(seeds)) == 3000
    assert 2 ** (bits - 4) < max(seeds) < 2**bits


# --- Bad arguments --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda rng, i: rs.randint(rng, i, 0), r"row 1: the range \[0, 0\) is empty"),
        (lambda rng, i: rs.randint(rng, i, 5, 5), r"the range \[5, 5\) is empty"),
        (lambda rng, i: rs.normal(rng, i, 0.0, -1.0), "scale is -1.0"),
        (lambda rng, i: rs.binomial(rng, i, 3, 2.0), "p is 2.0"),
        (lambda rng, i: pr.randint(rng, i, 3, 2), r"the range \[3, 2\] is empty"),
        (lambda rng, i: pr.randrange(rng, i, 0), r"the range \[0, 0\) is empty"),
        (lambda rng, i: pr.randrange(rng, i, 0, 5, 0), "the step is 0"),
        (lambda rng, i: pr.randrange(rng, i, 0, 5, -1), "the range with the step -1 is empty"),
        (lambda rng, i: pr.getrandbits(rng, i, 64), "k is 64, expected from 0 to 63 bits"),
        (lambda rng, i: pr.sample(rng, i, 3, np.zeros(4, int)), "a sample of 4 is larger"),
        (lambda rng, i: pr.expovariate(rng, i, 0.0), "lambd is 0.0"),
    ],
)
def test_bad_arguments_are_refused_in_python(draw, message):
    for module in (rs, pr):
        streams = module.allocate(2)
        module.seed_rows(streams, [0, 1], [0, 1])
        before = points(streams)
        with pytest.raises(ValueError, match=message):
            draw(streams, 1)
        assert points(streams) == before


@pytest.mark.parametrize("module", [rs, pr])
def test_examples_in_the_docstrings_run(module):
    results = doctest.testmod(module)
    assert results.attempted > 0
    assert results.failed == 0


@pytest.mark.parametrize("module", [rs, pr])
def test_all_names_are_public_and_there(module):
    assert all(hasattr(module, name) for name in module.__all__)
    assert not [name for name in module.__all__ if name.startswith("_")]
