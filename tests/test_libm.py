"""Functions computed in place of the C library's: their bits, in loops and alone."""

import math
import os
import platform
import subprocess
import sys

import numba
import numpy as np
import pytest

from batchsim import math as batchsim_math
from batchsim.compiler import lanes, libm

TURN = 2 * math.pi
# Where one way of computing gives way to another, and their neighbours.
EDGES = [0.126, 0.85546875, 2.4262638092041016, 105414336.0, 2.0**-26, math.pi / 2, math.pi, TURN]
EDGES = [np.nextafter(edge, away) for edge in EDGES for away in (0.0, edge, math.inf)]
SPECIAL = np.array([0.0, math.inf, math.nan, 5e-324, 1e-310, 1.7e308, 1e22, *EDGES])
SPECIAL = np.concatenate([SPECIAL, -SPECIAL])


def bits(values):
    # One NaN is as good as another.
    return np.where(np.isnan(values), np.float64(np.nan), values).view(np.int64)


def in_a_loop(function):
    """Return `function` applied to arrays: LLVM makes vector instructions of the loop."""

    @numba.njit(error_model="numpy")
    def run(values, results):
        for i in range(values.shape[0]):
            results[i] = function(values[i])

    return run


def apply(function, values):
    results = np.empty_like(values)
    in_a_loop(function)(values, results)
    return results


def angles():
    generator = np.random.default_rng(1)
    for scale in (1e-9, 1e-3, 0.2, 1.0, 3.0, 30.0, 1e4, 1e8, 1e12):
        yield generator.uniform(-scale, scale, 200_000)
    # Each number in each lane, so that the version for single numbers serves some lanes alone.
    for shift in range(8):
        yield np.roll(np.resize(SPECIAL, 8 * len(SPECIAL) + 3), shift)


@numba.njit
def libm_sin(x):
    return math.sin(x)


@numba.njit
def libm_cos(x):
    return math.cos(x)


@pytest.mark.parametrize(
    ("ours", "library"), [(libm.sin, libm_sin), (libm.cos, libm_cos)], ids=["sin", "cos"]
)
def test_sine_and_cosine_have_the_c_librarys_bits(ours, library):
    if not libm.is_known():
        pytest.skip("this C library computes otherwise, and is called")
    for values in angles():
        np.testing.assert_array_equal(bits(apply(ours, values)), bits(apply(library, values)))


def test_the_loops_use_vectors():
    if not libm.is_known():
        pytest.skip("this C library computes otherwise, and is called")
    loop = in_a_loop(libm.sin)
    loop(np.zeros(3), np.zeros(3))
    (assembly,) = loop.inspect_asm().values()
    widest = max(lanes.WIDTHS)
    assert f"batchsim_sin_{widest}" in assembly


def test_squares_have_the_bits_of_pow():
    power = batchsim_math.power
    square = numba.njit(lambda x: power(x, 2.0))
    for values in angles():
        for scale in (1.0, 1e-150, 1e150):
            with np.errstate(all="ignore"):
                scaled = values[:5_000] * scale
            with np.errstate(all="ignore"):
                expected = np.array([np.float64(x) ** 2.0 for x in scaled])
            np.testing.assert_array_equal(bits(apply(square, scaled)), bits(expected))


def test_squares_of_float32_have_the_bits_of_powf():
    power = batchsim_math.power
    two = np.float32(2.0)
    square = numba.njit(lambda x: np.float64(power(np.float32(x), two)))
    generator = np.random.default_rng(2)
    for exponent in (-140, -70, -20, -1, 0, 5, 40, 70):
        significands = generator.uniform(1.0, 2.0, 5_000)
        values = np.float64(np.float32(np.ldexp(significands, exponent)))
        with np.errstate(all="ignore"):
            expected = np.array([np.float64(np.float32(x) ** two) for x in values])
        np.testing.assert_array_equal(bits(apply(square, values)), bits(expected))


def test_wrapped_angles_have_pythons_bits():
    wrap = numba.njit(lambda x: batchsim_math.wrap_angle(x))
    for values in angles():
        finite = values[np.isfinite(values)][:10_000]
        expected = np.array([(x + math.pi) % (2 * math.pi) - math.pi for x in finite.tolist()])
        np.testing.assert_array_equal(bits(apply(wrap, finite)), bits(expected))


def test_turned_angles_have_the_bits_of_the_loop():
    def turn(x):
        while x > math.pi:
            x = x - 2 * math.pi
        while x < -math.pi:
            x = x + 2 * math.pi
        return x

    wrap = numba.njit(lambda x: batchsim_math.wrap_turns(x))
    for scale in (1.0, 4.0, 12.0, 200.0):
        values = np.random.default_rng(3).uniform(-scale, scale, 10_000)
        expected = np.array([turn(x) for x in values.tolist()])
        np.testing.assert_array_equal(bits(apply(wrap, values)), bits(expected))
    assert np.isnan(apply(wrap, np.array([2e9, math.inf, math.nan]))).all()


COMPARE = """
import numpy as np, gymnasium, batchsim
from batchsim.math import EXACT
assert EXACT == {}
for name in ("CartPole-v1", "Pendulum-v1"):
    ours = batchsim.make_vec(name, 5)
    theirs = gymnasium.make_vec(name, 5, vectorization_mode="sync")
    ours.action_space.seed(0)
    assert (ours.reset(seed=3)[0] == theirs.reset(seed=3)[0]).all()
    for k in range(60):
        actions = ours.action_space.sample()
        for a, b in zip(ours.step(actions)[:4], theirs.step(actions)[:4]):
            assert (a == b).all()
"""


def test_another_c_library_is_called():
    # As seen from a process whose library answers otherwise.
    code = f"from batchsim.compiler import libm\nlibm._FINGERPRINT = 'another'\n{COMPARE}"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="other CPUs all fuse")
def test_the_c_library_is_called_where_the_cpu_does_not_fuse():
    environment = {**os.environ, "NUMBA_CPU_NAME": "generic"}
    subprocess.run([sys.executable, "-c", COMPARE], env=environment, check=True)
