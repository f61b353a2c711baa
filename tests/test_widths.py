"""Numbers that operators make of narrow numbers are as wide as NumPy's, or are refused."""
# ruff: noqa: N805, SIM108 - branches are what is tested; a definition is no object

from typing import NamedTuple

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from rows import Cases, Refusals, differences, reason

import batchsim

CASES = Cases()
over = CASES.over
REFUSALS = Refusals()
saying = REFUSALS.saying

RNG = np.random.default_rng(0)
FLOATS = RNG.normal(size=6).astype(np.float32)
DOUBLES = RNG.normal(size=6)
BYTES = np.array([100, -128, 3, 7, -1, 127], np.int8)
UNSIGNED = np.array([3, 250, 5, 0, 1, 255], np.uint8)
WORDS = np.array([2**64 - 1, 5, 2**63, 0, 1, 2], np.uint64)
FLAGS = np.array([1, 0, 1, 1, 0, 0], bool)
LIMIT = 0.1


@over(FLOATS, DOUBLES)
def floats_beside_pythons_numbers(f, v):
    x = 0.1
    y = x * 3
    total = np.float32(0.0)
    for k in range(6):
        total += f[k] * 0.3
        total = total * k + len(f)
    if v[0] > 0.0:
        z = 0.3
    else:
        z = 0.7
    return (
        f[0] * x, f[1] * y, f[2] * LIMIT, f[0] * f[1] * 0.3, f[3] + 1, 2 - f[4], f[0] / 3,
        f[0] > 0.1, f[1] <= x, -f[0] * 0.1, f[1] * z, total, f[5] // 0.3, f[5] % 0.3,
        f[0] * (1 + 2), f[0] * float(v[0]), min(f[0], f[1]) * 0.1, abs(f[0]) * 0.1,
        f[0] * float(f[1]) * 0.1,
    )  # fmt: skip


@over(FLOATS, DOUBLES)
def floats_beside_numpys_numbers(f, v):
    x = v[0] * 0.1
    return f[0] * x, f[1] + v[1], f[2] * np.sqrt(2.0), f[3] / np.float64(3.0), f[0] > v[2] * 1.0


@over(FLOATS, DOUBLES)
def floats_of_which_the_width_does_not_matter(f, v):
    total = 0.0
    for k in range(6):
        total += f[k]
    v[0] = total
    v[1] = float(total) * 0.1
    v[2] = 1.0 if total > 0.0 else 2.0
    f[0] += 0.1
    f[1] *= 3
    f[2] -= f[0] * 0.7


@over(BYTES, UNSIGNED, FLAGS, WORDS)
def narrow_whole_numbers(b, u, t, w):
    count = len(b)
    return (
        b[0] + b[0], b[0] + 100, b[0] << 3, ~u[0], u[0] - u[1], -u[0], b[0] * b[0], u[5] + 1,
        b[0] / u[0], b[0] // 3, b[0] % 3, b[0] + np.float32(0.1), b[0] * 0.1, b[0] + u[0],
        b[2] - count, u[1] + u[1] * 2, b[5] + b[5] + 1, u[2] & 3, u[1] ^ 255, b[1] >> 2, u[1] >> 1,
        w[0] + 1, w[2] * 3, w[1] - 6, b[0] > u[0], b[0] == 300, abs(b[1]), u[3] - 1 > 5,
        b[1] - 1 < 0, -b[1], ~b[0], 7 - u[5], b[3] | b[2],
    )  # fmt: skip


@over(BYTES, UNSIGNED, FLAGS, FLOATS)
def truth_values(b, u, t, f):
    count = 0
    for k in range(6):
        count += t[k]
    return (
        t[0] + t[2], ~t[0], (u[0] > 2) + (u[1] > 2), t[0] * t[2], t[0] * 1, t[0] + 1, t[0] + b[0],
        t[0] * 0.5, t[0] & t[1], t[0] + (u[2] > 1), t[0] == t[1], t[0] / 2, count, t[0] * f[0],
        (b[0] > 0) * u[5] + u[5],
    )  # fmt: skip


def twice(x):
    return x + x


def half_of_python():
    return 0.5


@over(FLOATS, BYTES, DOUBLES)
def numbers_of_functions(f, b, v):
    return (
        twice(f[0]) * 0.1,
        twice(b[0]),
        f[1] * half_of_python(),
        b[1] + int(v[0]),
        twice(b[5]) + 1,
    )


@over(FLOATS, DOUBLES)
def chosen_of_narrow_and_wide(f, v):
    for k in range(6):
        f[k] = min(max(abs(v[k]), f[k]), np.float32(1.0)) if v[k] > 0.0 else abs(max(v[k], f[k]))


@over(BYTES, UNSIGNED, PLACES := np.arange(6))
def stored_as_they_were(b, u, places):
    by = places[2]
    for k in range(6):
        u[k] //= 2
        u[k] += by
        b[k] //= 2
        b[k] -= by if k % 3 else 3
        by = by + 1
    if places[1] > 0:
        step = 1
    else:
        step = places[0]
    b[0] += step
    u[1] = u[1] * step


@pytest.mark.parametrize(("function", "arrays", "how"), CASES)
def test_narrow_numbers_have_numpys_width(function, arrays, how):
    assert differences(function, *arrays, **how) == []


def scaled(x, by):
    return x * by


@saying("computes in one width if a number is Python's", FLOATS)
def an_argument(f):
    return scaled(f[0], 0.1)


@saying("computes in one width if a number is Python's", FLOATS, DOUBLES)
def a_number_of_two_kinds(f, v):
    if v[0] > 0:
        x = 0.1
    else:
        x = v[0]
    return f[0] * x


@saying("`*` of float64 and float64 computes in one width if", DOUBLES)
def a_choice_of_narrow_and_wide(v):
    return min(max(v[0], np.float32(-0.1)), np.float32(0.1)) * 3.0


@saying("total has NumPy's narrower numbers on one path", FLOATS)
def a_sum_that_begins_wide(f):
    total = 0.0
    for k in range(6):
        total += f[k]
    return np.sin(total)


@saying("x has NumPy's narrower numbers on one path", FLOATS, DOUBLES)
def narrow_or_wide(f, v):
    if v[0] > 5:
        x = 0.25
    else:
        x = f[0]
    return np.sin(x)


@saying("300 is beyond int8", BYTES)
def a_number_beyond_a_type(b):
    return b[0] + 300


@saying("`-` does not exist for bool and bool", FLAGS)
def a_difference_of_truth_values(t):
    return t[0] - t[1]


@pytest.mark.parametrize(("function", "sentence", "arrays"), REFUSALS)
def test_what_is_not_certain_is_refused_with_a_sentence(function, sentence, arrays):
    assert sentence in (reason(function, *arrays) or "")


def in_fast_precision(b, u, f):
    x = f[0] * 0.1
    return b[0] + b[0], u[0] - u[1], x, np.sin(x)


def test_whole_numbers_have_numpys_width_in_fast_precision_too():
    from rows import run

    results, _ = run(in_fast_precision, BYTES, UNSIGNED, FLOATS, precision="fast")
    assert [int(one) for one in results[:2]] == [-56, 9]


class Loans:
    """An action of a `Discrete` space is as wide as callers pass it."""

    class State(NamedTuple):
        owed: int

    class Params(NamedTuple):
        pass

    OBSERVATION = Box(0, 2**62, (1,), np.int64)
    ACTION = Discrete(5)

    def reset(s, i, p, rng):
        s.owed[i] = 0

    def step(s, i, action, p, rng):
        s.owed[i] += (action + 1) * 3_000_000_000 + (action if s.owed[i] else 1) % 4294967296
        return float(action * 2_000_000_000), False

    def observe(s, i, p, out):
        out[0] = s.owed[i]


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_what_is_made_of_an_action_is_as_wide_as_numpys(backend):
    envs = batchsim.make_vec(Loans, 5, backend=backend)
    envs.reset(seed=0)
    actions = np.arange(5)
    for _ in range(2):
        observations, rewards, *_ = envs.step(actions)
    assert observations[:, 0].tolist() == (6_000_000_000 * (actions + 1) + 1 + actions).tolist()
    assert rewards.tolist() == (actions * 2e9).tolist()
    envs.close()
