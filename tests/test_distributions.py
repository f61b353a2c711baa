# ruff: noqa: N805 - the author's contract: plain functions, whose first argument is the state
"""Draws of all distributions are NumPy's: every claim is checked against numpy's own Generator.

The parameters reach every branch of every algorithm; what a branch decides, and the words that lie
next to where tables change, are met in hundreds of draws of each.
"""

import math
from typing import NamedTuple

import numba
import numpy as np
import pytest
from gymnasium import spaces
from numba.extending import register_jitable
from test_random import Backend, aimed, assert_same_streams, compiled, generator, seeded

import batchsim
import batchsim.random as ours
from batchsim.streams import ziggurat

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(params=[Backend("python", 4), Backend("numba", 40)], ids=lambda b: b.name)
def backend(request):
    return request.param


LAMBDAS = [0.0, 1e-9, 0.1, 1.0, 5.0, 9.9999, 10.0, 10.1, 12.0, 30.0, 1e3, 1e6, 1e9, 1e15, 9e18]
TRIALS = [0, 1, 2, 10, 59, 60, 61, 100, 1000, 10**6, 10**9, 10**15, 2**62]
PROBABILITIES = [0.0, 1e-16, 1e-3, 0.1, 0.29, 0.3, 0.31, 0.49, 0.5, 0.51, 0.7, 0.9, 0.999, 1.0]
DISTRIBUTIONS = {
    "standard_exponential": [()],
    "exponential": [(), (2.5,), (0.0,), (3,)],
    "lognormal": [(0.0, 1.0), (3.0, 0.5), (800.0, 1.0), (0, 0)],
    "rayleigh": [(), (1.5,)],
    "weibull": [(0.0,), (0.5,), (1.0,), (2.0,), (7.3,)],
    "standard_gamma": [
        (shape,)
        for shape in (0.0, 1e-300, 1e-3, 0.1, 0.5, 0.99, 1.0, 1 + 1e-15, 1.5, 2.0, 10.0, 1e3, 1e8)
    ],
    "gamma": [(0.3,), (0.3, 2.0), (3.0, 0.1)],
    "chisquare": [(0.5,), (1.0,), (2.0,), (7.0,)],
    "beta": [
        *[(0.5, 0.5), (1.0, 1.0), (1e-3, 1e-3), (1e-5, 1e-3), (2.0, 0.3), (3.0, 4.0)],
        *[(1e-104, 1e-104), (1e-104, 1e-110), (1e-103, 3e-103), (1.0, 2.0), (500.0, 1e-3)],
    ],
    "laplace": [(), (3.0, 2.0)],
    "logistic": [(), (3.0, 2.0)],
    "gumbel": [(), (3.0, 2.0)],
    "poisson": [(lam,) for lam in LAMBDAS],
    "geometric": [
        (p,)
        for p in (1.0, 0.9, 0.5, 0.34, 1 / 3, 0.33333333333333337, 0.333, 0.1, 1e-10, 1e-19, 5e-324)
    ],
    "binomial": [(n, p) for n in TRIALS for p in PROBABILITIES],
}


def drawn(name, arguments):
    """A loop over rows that draws with so many arguments."""
    draw = getattr(ours, name)

    # One for each number, as compiled code cannot spread a tuple of several types.
    @register_jitable
    def draw0(rng, i, a, b):
        return draw(rng, i)

    @register_jitable
    def draw1(rng, i, a, b):
        return draw(rng, i, a)

    @register_jitable
    def draw2(rng, i, a, b):
        return draw(rng, i, a, b)

    one = (draw0, draw1, draw2)[arguments]

    @compiled
    def draws(rng, a, b, out):
        for i in range(out.shape[0]):
            for k in range(out.shape[1]):
                out[i, k] = one(rng, i, a, b)

    return draws


LOOPS = {}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_draws_are_numpys(backend, name):
    integer = name in ("poisson", "geometric", "binomial")
    for arguments in DISTRIBUTIONS[name]:
        key = name, len(arguments)
        if key not in LOOPS:
            LOOPS[key] = drawn(name, len(arguments))
        streams, generators = seeded(range(backend.rows))
        size = (backend.rows, 50 if backend.name == "python" else 200)
        out = np.zeros(size, np.int64 if integer else np.float64)
        types = (int, float) if name == "binomial" else (float, float)
        padded = (*arguments, *(0.0,) * (2 - len(arguments)))
        given = [kind(value) for kind, value in zip(types, padded, strict=True)]
        backend.run(LOOPS[key], streams, *given, out)
        expected = [[getattr(one, name)(*arguments) for _ in range(size[1])] for one in generators]
        np.testing.assert_array_equal(out, expected, str(arguments))
        assert_same_streams(streams, generators)


@compiled
def draw_multinomial(rng, n, p, out):
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            ours.multinomial(rng, i, n, p, out[i, k])


@pytest.mark.parametrize("n", [0, 1, 7, 100, 10**6])
@pytest.mark.parametrize(
    "p", [[1.0], [0.5, 0.5], [0.1, 0.2, 0.7], [0.0, 1.0], [1.0, 0.0, 0.0], [0.01] * 100], ids=len
)
def test_multinomial_counts_are_numpys(backend, n, p):
    streams, generators = seeded(range(backend.rows))
    out = np.full((backend.rows, 20, len(p)), -1, np.int32)
    backend.run(draw_multinomial, streams, n, np.array(p), out)
    expected = [[one.multinomial(n, p) for _ in range(20)] for one in generators]
    np.testing.assert_array_equal(out, expected)
    assert_same_streams(streams, generators)


@compiled
def draw_vectors(rng, mean, factor, out):
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            ours.multivariate_normal(rng, i, mean, factor, out[i, k])


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 16, 33, 64])
def test_normal_vectors_are_numpys(backend, size):
    numbers = np.random.default_rng(size)
    root, mean = numbers.normal(size=(size, size)), numbers.normal(size=size)
    covariance = root @ root.T
    streams, generators = seeded(range(backend.rows))
    out = np.zeros((backend.rows, 9, size))
    backend.run(draw_vectors, streams, mean, ours.covariance_factor(covariance), out)
    expected = [[one.multivariate_normal(mean, covariance) for _ in range(9)] for one in generators]
    np.testing.assert_array_equal(out, expected)
    assert_same_streams(streams, generators)


COVARIANCE = np.array([[1.0, 0.3, 0.0], [0.3, 2.0, 0.1], [0.0, 0.1, 0.5]])


class Windy:
    """Draws a vector in each step, with a factor from its tables and a mean of its parameters."""

    ACTION = spaces.Discrete(2)
    OBSERVATION = spaces.Box(-np.inf, np.inf, (3,), np.float64)

    class State(NamedTuple):
        wind: np.dtype((np.float64, (3,)))

    class Params(NamedTuple):
        mean: tuple[float, float, float] = (1.0, 2.0, 3.0)

    class Tables(NamedTuple):
        factor: np.ndarray

    def tables(p):
        return Windy.Tables(ours.covariance_factor(COVARIANCE))

    def reset(s, i, p, rng):
        ours.multivariate_normal(rng, i, p.mean, p.factor, s.wind[i])

    def step(s, i, action, p, rng):
        ours.multivariate_normal(rng, i, p.mean, p.factor, s.wind[i])
        return 0.0, False

    def observe(s, i, p, out):
        for k in range(3):
            out[k] = s.wind[i, k]


@pytest.mark.parametrize("backend_name", ["native", "reference"])
def test_normal_vectors_of_an_environment_are_numpys(backend_name, opened):
    envs = opened(batchsim.make_vec(Windy, 2, backend=backend_name))
    found = [envs.reset(seed=0)[0][1].copy()]
    found += [envs.step(np.zeros(2, int))[0][1].copy() for _ in range(5)]
    numpys = np.random.default_rng(1)
    expected = [numpys.multivariate_normal((1.0, 2.0, 3.0), COVARIANCE) for _ in range(6)]
    np.testing.assert_array_equal(found, expected)


def test_normal_vectors_can_be_of_float32():
    streams, _ = seeded([1, 2])
    factor, mean = ours.covariance_factor(np.diag([1.0, 4.0])), np.array([1.0, 2.0])
    exact, fast = np.zeros((2, 3, 2)), np.zeros((2, 3, 2), np.float32)
    draw_vectors(streams, mean, factor, exact)
    streams, _ = seeded([1, 2])
    draw_vectors(streams, mean.astype(np.float32), factor.astype(np.float32), fast)
    np.testing.assert_allclose(fast, exact, rtol=1e-5)


@compiled
def draw_closed(rng, low, high, out):
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[i, k] = ours.integers(rng, i, low, high, endpoint=True)


@pytest.mark.parametrize(
    ("low", "high"),
    [
        *[(0, 0), (3, 3), (-3, 7), (0, 2**32 - 1), (0, 2**32), (-1, 2**63 - 1)],
        *[(-(2**63), 2**63 - 1), (-(2**63), -(2**63)), (2**63 - 1, 2**63 - 1)],
    ],
)
def test_integers_with_their_endpoint_are_numpys(backend, low, high):
    streams, generators = seeded(range(backend.rows))
    out = np.zeros((backend.rows, 30), np.int64)
    backend.run(draw_closed, streams, np.int64(low), np.int64(high), out)
    expected = [[one.integers(low, high, endpoint=True) for _ in range(30)] for one in generators]
    np.testing.assert_array_equal(out, expected)
    assert_same_streams(streams, generators)


class Sized:
    """Draws arrays, and rearranges what it has."""

    ACTION = spaces.Discrete(2)
    OBSERVATION = spaces.Box(-np.inf, np.inf, (10,), np.float64)

    class State(NamedTuple):
        x: np.dtype((np.float64, (10,)))
        weights: np.dtype((np.float64, (4,)))

    def reset(s, i, p, rng):
        s.weights[i] = ours.uniform(rng, i, 0.1, 1.0, size=4)
        s.x[i].fill(0)

    def step(s, i, action, p, rng):
        s.x[i][:3] = ours.normal(rng, i, 0.0, scale=0.5, size=3)
        s.x[i][3:5] += ours.integers(rng, i, 0, 9, endpoint=True, size=2)
        a = ours.random(rng, i, size=(2, 2))
        s.x[i][5:9] = (a @ a).ravel()
        s.x[i][9] = ours.exponential(rng, i, size=2).sum() + ours.integers(rng, i, 0, 5)
        s.x[i][9] += ours.choice_weighted(rng, i, s.weights[i], size=3).sum()
        return 0.0, False

    def observe(s, i, p, out):
        out[:] = s.x[i]


def sized_step(numpys, weights, x):
    x = x.copy()
    x[:3] = numpys.normal(0.0, 0.5, size=3)
    x[3:5] += numpys.integers(0, 9, endpoint=True, size=2)
    a = numpys.random(size=(2, 2))
    x[5:9] = (a @ a).ravel()
    x[9] = numpys.exponential(size=2).sum() + numpys.integers(0, 5)
    x[9] += numpys.choice(4, p=weights / weights.sum(), size=3).sum()
    return x


@pytest.mark.parametrize("backend_name", ["native", "reference"])
def test_arrays_of_draws_are_numpys(backend_name, opened):
    envs = opened(batchsim.make_vec(Sized, 2, backend=backend_name))
    envs.reset(seed=0)
    numpys = np.random.default_rng(1)
    weights, x = numpys.uniform(0.1, 1.0, size=4), np.zeros(10)
    for _ in range(20):
        x = sized_step(numpys, weights, x)
        assert envs.step(np.zeros(2, int))[0][1].tobytes() == x.tobytes()


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("exponential", (-1.0,), "row 1: scale is -1.0, expected at least 0"),
        ("normal", (0.0, -1.0), "scale is -1.0"),
        ("lognormal", (0.0, -0.5), "sigma is -0.5"),
        ("gamma", (-0.5,), "shape is -0.5"),
        ("beta", (0.0, 1.0), "a is 0.0, expected more than 0"),
        ("poisson", (-1.0,), "lam is -1.0"),
        ("poisson", (1e19,), "lam is 1e"),
        ("binomial", (-1, 0.5), "n is -1"),
        ("binomial", (5, 1.5), "p is 1.5, expected from 0 to 1"),
        ("binomial", (5, math.nan), "p is nan"),
        ("geometric", (0.0,), "p is 0.0, expected more than 0"),
        ("weibull", (-1.0,), "a is -1.0"),
    ],
)
def test_what_numpy_refuses_is_refused_in_python(name, arguments, message):
    streams, (_, numpys) = seeded([1, 2])
    with pytest.raises(ValueError, match=message):
        getattr(ours, name)(streams, 1, *arguments)
    with pytest.raises(ValueError, match=r"<|>|large|range"):
        getattr(numpys, name)(*arguments)
    assert_same_streams(streams, seeded([1, 2])[1])


def test_an_empty_closed_range_is_refused_in_python():
    streams, _ = seeded([1, 2])
    with pytest.raises(ValueError, match=r"row 1: the range \[4, 3\] is empty, expected low <= hi"):
        ours.integers(streams, 1, 4, 3, endpoint=True)


def test_compiled_code_returns_for_all_that_numpy_refuses():
    @compiled
    def draw(rng, x, out):
        for i in range(out.shape[0]):
            out[i] = (
                ours.gamma(rng, i, x)
                + ours.beta(rng, i, x, x)
                + ours.poisson(rng, i, x)
                + ours.binomial(rng, i, 5, x)
                + ours.geometric(rng, i, x)
                + ours.exponential(rng, i, x)
                + ours.laplace(rng, i, x, x)
            )

    streams, _ = seeded(range(5))
    for x in (-1.0, -1e-300, math.nan, math.inf, -math.inf, 1e300):
        draw(streams, x, np.zeros(5))


def test_draws_have_the_same_types_in_both_backends():
    @compiled
    def draw(rng):
        return (
            ours.exponential(rng, 0),
            ours.gamma(rng, 0, 2),
            ours.weibull(rng, 0, 2),
            ours.poisson(rng, 0, 3),
            ours.binomial(rng, 0, 3, 1),
            ours.geometric(rng, 0, 1),
        )

    streams, _ = seeded([1])
    assert [type(x) for x in draw.py_func(streams)] == [float, float, float, int, int, int]
    draw(streams)
    expected = (*[numba.float64] * 3, *[numba.int64] * 3)
    assert tuple(draw.call.nopython_signatures[0].return_type) == expected


# --- The exponential ziggurat ---------------------------------------------------------------------


@compiled
def draw_standard_exponential(rng, out):
    for i in range(out.shape[0]):
        out[i] = ours.standard_exponential(rng, i)


def assert_exponential_as_numpy(words_of_rows):
    streams = aimed(words_of_rows)
    generators = [generator(streams, row) for row in range(len(words_of_rows))]
    out = np.zeros(len(words_of_rows))
    draw_standard_exponential(streams, out)
    np.testing.assert_array_equal(out, [one.standard_exponential() for one in generators])
    assert_same_streams(streams, generators)


def test_exponential_changes_at_numpys_widths_in_every_strip():
    words = []
    for strip, inside in enumerate(ziggurat.exponential_ziggurat().inside.tolist()):
        for magnitude in {0, 1, inside // 2, max(inside - 1, 0), inside, inside + 1, 2**53 - 1}:
            words.append([magnitude << 11 | strip << 3])
    assert_exponential_as_numpy(words)


def test_exponential_changes_at_numpys_heights_in_every_strip():
    scale, inside, height = (table.tolist() for table in ziggurat.exponential_ziggurat())
    words = []
    for strip in range(1, 256):
        for part in (0.01, 0.2, 0.5, 0.8, 0.99):
            magnitude = inside[strip] + int(part * (2**53 - inside[strip]))
            curve = math.exp(-magnitude * scale[strip])
            # The first second word that is not below the curve, by bisection.
            low, high = 0, 2**53
            while low < high:
                middle = (low + high) // 2
                y = (height[strip - 1] - height[strip]) * (middle * 2.0**-53) + height[strip]
                low, high = (middle + 1, high) if y < curve else (low, middle)
            words += [
                [magnitude << 11 | strip << 3, second << 11]
                for second in (low - 1, low)
                if 0 <= second < 2**53
            ]
    assert_exponential_as_numpy(words)
