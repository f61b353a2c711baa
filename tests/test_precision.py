# ruff: noqa: N805 - the author's contract: plain functions, whose first argument is the state
"""Exact precision computes with the C library's bits; fast stays within 1e-5 of it for one step."""

import functools
import math
import types
from typing import NamedTuple

import gymnasium
import numba
import numpy as np
import oracle
import pytest

import batchsim
import batchsim.math

TOLERANCE = 1e-5

STATES = {
    "Acrobot-v1": {"theta1": math.pi, "theta2": math.pi, "dtheta1": 6.5, "dtheta2": 14.0},
    "CartPole-v1": {"x": 2.4, "x_dot": 6.0, "theta": 0.21, "theta_dot": 6.0},
    "MountainCar-v0": {"position": 1.2, "velocity": 0.07},
    "MountainCarContinuous-v0": {"position": 1.2, "velocity": 0.07},
    "Pendulum-v1": {"theta": 80.0, "theta_dot": 8.0, "last_torque": 2.0},
}
"""How far from zero an episode can take each column, by id."""


@pytest.fixture(params=list(STATES))
def name(request):
    return request.param


def put_state(env, state):
    """Write these columns of state."""
    for column, values in zip(env._tile.state, state, strict=True):
        column[:] = values


def assert_close(exact, fast, where):
    """Assert that two steps from the same state are within the tolerance."""
    for key, one, other in zip(oracle.STEP_NAMES[:2], exact, fast, strict=False):
        error = np.abs(one.astype(np.float64) - other.astype(np.float64))
        worst = np.unravel_index(error.argmax(), error.shape)
        assert error[worst] <= TOLERANCE, f"{where}: {key}{worst} is off by {error[worst]:.2e}"
    for key, one, other in zip(oracle.STEP_NAMES[2:], exact[2:4], fast[2:4], strict=True):
        # A state within the tolerance of a threshold may fall on either side of it.
        assert (one != other).sum() <= 2, f"{where}: {key} differs in {(one != other).sum()} rows"


@pytest.fixture
def both(opened, name):
    def make(num_envs, **kwargs):
        pair = tuple(
            opened(batchsim.make_vec(name, num_envs, precision=precision, **kwargs))
            for precision in ("exact", "fast")
        )
        for env in pair:
            env.reset(seed=0)
        return pair

    return make


def test_fast_is_within_1e_5_of_exact_for_random_states(both, name):
    n = 100_000
    exact, fast = both(n)
    rng = np.random.default_rng(1)
    actions = oracle.Actions(exact)
    for turn in range(4):
        # Spread out to the edges in some turns, dense around zero in others.
        state = [
            (rng.uniform(-1, 1, n) ** (2 * turn + 1) * STATES[name].get(field, 1.0)).astype(
                np.float32
            )
            for field in exact._tile.state._fields
        ]
        for env in (exact, fast):
            put_state(env, state)
            env._tile.elapsed[:] = 0
            env._tile.pending[:] = False
        batch = actions()
        assert_close(exact.step(batch), fast.step(batch), f"turn {turn}")


def test_fast_is_within_1e_5_of_exact_along_whole_episodes(both, name):
    n = 500
    exact, fast = both(n)
    actions = oracle.Actions(exact)
    space = exact.single_action_space
    for t in range(220):
        batch = actions()
        if name == "Pendulum-v1":  # Half of them are spun up as fast as it goes.
            batch[::2, 0] = np.copysign(space.high, exact._tile.state.theta_dot[::2])
        # The same state in both: what float32 can hold.
        state = [np.asarray(column, np.float32) for column in exact._tile.state]
        put_state(exact, state)
        put_state(fast, state)
        if t == 0:
            fast._tile.rng.state[:] = exact._tile.rng.state
        assert_close(exact.step(batch), fast.step(batch), f"step {t}")
        fast._tile.pending[:] = exact._tile.pending
        fast._tile.elapsed[:] = exact._tile.elapsed
    if name == "Pendulum-v1":
        assert np.abs(exact._tile.state.theta).max() < STATES[name]["theta"]


@pytest.mark.parametrize("name", sorted(set(oracle.IDS) - set(STATES)))
def test_fast_is_exact_where_the_state_is_whole_numbers(opened, name):
    exact, fast = (opened(batchsim.make_vec(name, 64, precision=p)) for p in ("exact", "fast"))
    actions = oracle.Actions(exact)
    one, other = exact.reset(seed=4), fast.reset(seed=4)
    for _ in range(200):
        # All is of the same type but the rewards.
        oracle.assert_same_array(one[0], other[0], name)
        batch = actions()
        one, other = exact.step(batch), fast.step(batch)
        np.testing.assert_allclose(one[1], other[1], rtol=1e-6)
        np.testing.assert_array_equal(one[2:4], other[2:4])


def test_fast_acrobot_at_any_speed_is_as_near_to_exact_as_the_last_bits_of_its_state(opened):
    """Half way to the greatest speeds a step of 0.2 s magnifies them a thousandfold."""
    n = 20_000
    rng = np.random.default_rng(1)
    scales = {"theta1": math.pi, "theta2": math.pi, "dtheta1": 4 * math.pi, "dtheta2": 9 * math.pi}
    exact, fast = (
        opened(batchsim.make_vec("Acrobot-v1", n, precision=precision))
        for precision in ("exact", "fast")
    )
    state = [
        (rng.uniform(-1, 1, n) * scales.get(field, 1.0)).astype(np.float32)
        for field in exact._tile.state._fields
    ]
    batch = oracle.Actions(exact)()

    def after(env, state):
        env.reset(seed=0)
        put_state(env, state)
        return env.step(batch)[0].astype(np.float64)

    right = after(exact, state)
    nudged = 0.0
    for k in range(4):
        for direction in (-np.inf, np.inf):
            neighbour = [*state[:k], np.nextafter(state[k], direction), *state[k + 1 :]]
            nudged = np.maximum(nudged, np.abs(after(exact, neighbour) - right))
    error = np.abs(after(fast, state) - right)
    assert (error <= TOLERANCE + 4 * nudged.max(axis=1, keepdims=True)).all()


def test_fast_draws_the_same_random_numbers_as_exact(both):
    exact, fast = both(200)
    assert np.allclose(exact.reset(seed=5)[0], fast.reset(seed=5)[0], atol=1e-6)
    oracle.assert_same_streams(exact, fast)


def test_dtypes_are_those_of_the_docstring(both):
    exact, fast = both(3)
    actions = oracle.Actions(exact)()
    assert exact.step(actions)[1].dtype == np.float64
    assert fast.step(actions)[1].dtype == np.float32
    assert exact.reset()[0].dtype == fast.reset()[0].dtype == exact.observation_space.dtype


@pytest.mark.parametrize("autoreset_mode", ["NextStep", "SameStep"])
def test_fast_observations_stay_in_the_observation_space(opened, name, autoreset_mode):
    env = opened(batchsim.make_vec(name, 256, precision="fast", autoreset_mode=autoreset_mode))
    observations, _ = env.reset(seed=0)
    actions = oracle.Actions(env)
    for _ in range(600):
        assert np.isfinite(observations).all()
        # Rounding takes a cosine past 1 by no more than its last bit.
        assert (observations <= np.nextafter(env.observation_space.high, np.inf)).all()
        assert (observations >= np.nextafter(env.observation_space.low, -np.inf)).all()
        observations, *_ = env.step(actions())


# -- The scalar functions --------------------------------------------------------------------------


@functools.lru_cache
def compiled(function):
    """Return a function of an array that calls a scalar function, compiled, for every element."""
    if isinstance(function, types.BuiltinFunctionType):
        scalar = numba.njit(lambda x: function(x))
    else:
        scalar = numba.njit(function)

    @numba.njit
    def loop(x, out):
        for i in range(x.shape[0]):
            out[i] = scalar(x[i])

    def call(x):
        out = np.empty_like(x)
        loop(x, out)
        return out

    return call


def square_float64(x):
    return batchsim.math.power(x, 2.0)


def square_float32(x):
    return batchsim.math.power(x, np.float32(2.0))


def arguments(scale, dtype, n=300_000):
    """Random numbers up to `scale`, with zeros of both signs and exact multiples of pi/2."""
    rng = np.random.default_rng(3)
    x = rng.uniform(-scale, scale, n)
    quarters = np.arange(-scale, scale, max(math.pi / 2, scale / 1e4))
    return np.concatenate([x, [0.0, -0.0], quarters]).astype(dtype)


SCALES = [1e-6, 0.8, math.pi, 10.0, 100.0, 1e3, 1e4]


@pytest.mark.parametrize("function", ["sin", "cos"])
@pytest.mark.parametrize("scale", [*SCALES, 1e8, 1e300])
def test_exact_functions_have_numpys_bits(function, scale):
    x = arguments(scale, np.float64, n=50_000)
    ours = compiled(getattr(batchsim.math, function))(x)
    numpys = np.array([getattr(np, function)(value) for value in x])
    assert ours.tobytes() == numpys.tobytes()


@pytest.mark.parametrize(
    ("square", "dtype"), [(square_float64, np.float64), (square_float32, np.float32)]
)
def test_exact_power_has_the_bits_of_numpys_scalars(square, dtype):
    x = arguments(20.0, dtype, n=50_000)
    numpys = np.array([value**2 for value in x])
    assert compiled(square)(x).tobytes() == numpys.tobytes()
    assert np.array([square(value) for value in x], dtype).tobytes() == numpys.tobytes()


def test_exact_wrap_angle_has_upstreams_bits():
    from gymnasium.envs.classic_control.pendulum import angle_normalize

    x = arguments(100.0, np.float64, n=50_000)
    ours = compiled(batchsim.math.wrap_angle)(x)
    numpys = np.array([angle_normalize(value) for value in x])
    assert ours.tobytes() == numpys.tobytes()
    assert ours[:1000].tolist() == [batchsim.math.wrap_angle(float(v)) for v in x[:1000]]


@pytest.mark.parametrize("function", ["sin", "cos"])
@pytest.mark.parametrize("scale", [0.2, *SCALES, 1.2e5, 1e8, 1e30])
def test_exact_float32_functions_have_numpys_bits(function, scale):
    x = arguments(scale, np.float32)
    exact = getattr(batchsim.math, f"{function}32")
    numpys = getattr(np, function)(x)
    assert compiled(exact)(x).tobytes() == numpys.tobytes()
    plain = np.array([exact(value) for value in x[-5000:]])
    assert plain.tobytes() == numpys[-5000:].tobytes()


def test_exact_wrap_turns_has_upstreams_bits():
    from gymnasium.envs.classic_control.acrobot import wrap

    x = arguments(100.0, np.float64, n=50_000)
    upstreams = np.array([wrap(value, -math.pi, math.pi) for value in x])
    assert compiled(batchsim.math.wrap_turns)(x).tobytes() == upstreams.tobytes()
    assert [batchsim.math.wrap_turns(float(v)) for v in x[:1000]] == upstreams[:1000].tolist()


@pytest.mark.parametrize("angle", [1e10, -1e300, math.inf, math.nan])
def test_wrap_turns_gives_up_where_turns_would_not_end(angle):
    assert math.isnan(batchsim.math.wrap_turns(angle))
    assert np.isnan(compiled(batchsim.math.wrap_turns)(np.array([angle]))).all()


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("function", ["sin", "cos"])
def test_fast_sine_and_cosine_are_accurate_to_float32(function, scale):
    x = arguments(scale, np.float32)
    ours = compiled(batchsim.math.FAST[getattr(batchsim.math, function)])(x)
    right = getattr(np, function)(x.astype(np.float64))
    assert ours.dtype == np.float32
    assert np.abs(ours - right).max() <= 1.5e-7
    assert np.abs(ours).max() <= 1.0


@pytest.mark.parametrize("scale", SCALES)
def test_fast_wrap_angle_is_accurate_to_float32(scale):
    x = arguments(scale, np.float32)
    ours = compiled(batchsim.math.FAST[batchsim.math.wrap_angle])(x)
    assert ours.dtype == np.float32
    turns = (x.astype(np.float64) - ours) / (2 * math.pi)
    assert np.abs(turns - np.round(turns)).max() * 2 * math.pi <= 5e-7
    # The quadrant of a large angle is found in float32 and may be off at its edge.
    assert np.abs(ours).max() <= math.pi + max(1e-6, 1e-7 * scale)


def test_fast_sine_of_a_small_angle_keeps_its_relative_accuracy():
    x = np.geomspace(1e-30, 0.1, 10_000).astype(np.float32)
    ours = compiled(batchsim.math.FAST[batchsim.math.sin])(x)
    assert np.abs(ours / np.sin(x.astype(np.float64)) - 1).max() <= 2e-7


@pytest.mark.parametrize("function", ["sin", "cos"])
def test_fast_functions_return_the_same_as_plain_python(function):
    fast = batchsim.math.FAST[getattr(batchsim.math, function)]
    x = arguments(100.0, np.float32, n=2_000)
    plain = np.array([fast(value) for value in x], np.float32)
    assert plain.tobytes() == compiled(fast)(x).tobytes()


def test_float_is_float32_in_fast_precision(opened):
    """Else one `float()` would make wide, and slow, all that follows from it."""

    class Converts:
        """Keeps a third of what it is given, as `float` sees it."""

        class State(NamedTuple):
            x: float

        class Params(NamedTuple):
            pass

        OBSERVATION = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float64)
        ACTION = gymnasium.spaces.Discrete(2)

        @staticmethod
        def reset(s, i, p, rng):
            s.x[i] = 1.0

        @staticmethod
        def step(s, i, action, p, rng):
            return float(s.x[i]) / 3.0, False

        @staticmethod
        def observe(s, i, p, out):
            out[0] = float(s.x[i]) / 3.0

    for backend in ("native", "reference"):
        env = opened(batchsim.make_vec(Converts, 3, precision="fast", backend=backend))
        env.reset(seed=0)
        assert (
            env.step(np.zeros(3, np.int64))[0] == np.float64(np.float32(1.0) / np.float32(3.0))
        ).all()


class Counter:
    """Counts in unsigned numbers, which meet signed ones."""

    class State(NamedTuple):
        count: np.uint64
        cells: batchsim.column(np.int16, (3,))

    OBSERVATION = gymnasium.spaces.Box(-9, 9, (1,), np.int64)
    ACTION = gymnasium.spaces.Discrete(3)

    def reset(s, i, p, rng):
        s.count[i] = 2
        for k in range(3):
            s.cells[i, k] = k - 3

    def step(s, i, action, p, rng):
        s.count[i] = (int(s.count[i]) + int(action)) % 3
        return int(s.cells[i, min(int(action) - 2, int(s.count[i]) - 1) % 3]), False

    def observe(s, i, p, out):
        out[0] = s.cells[i, max(int(s.count[i]), -1)]


class Widths:
    """Calls functions with numbers of two widths."""

    class State(NamedTuple):
        x: float
        y: np.float64

    OBSERVATION = gymnasium.spaces.Box(-9, 9, (3,), np.float64)
    ACTION = gymnasium.spaces.Discrete(3)

    def reset(s, i, p, rng):
        s.x[i] = 1.5

    def step(s, i, action, p, rng):
        return 0.0, False

    def observe(s, i, p, out):
        out[0] = np.log2(np.float64(s.x[i])) + np.float64(np.log2(s.x[i]))
        out[1] = np.exp2(np.float64(s.x[i])) + np.float64(np.exp2(s.x[i]))
        out[2] = np.copysign(np.float64(1), np.float64(-s.x[i])) + np.copysign(s.x[i], -s.x[i])


def test_whole_numbers_are_pythons_in_fast_precision_too(opened):
    envs = [opened(batchsim.make_vec(Counter, 6, precision=p)) for p in ("fast", "exact")]
    plain = opened(batchsim.make_vec(Counter, 6, precision="fast", backend="reference"))
    starts = [env.reset(seed=0)[0] for env in (*envs, plain)]
    assert all((start == starts[0]).all() for start in starts)
    actions = np.arange(6) % 3
    for _ in range(4):
        steps = [env.step(actions) for env in (*envs, plain)]
        for step in steps:
            np.testing.assert_array_equal(step[0], steps[0][0])
            np.testing.assert_array_equal(step[1], steps[0][1])


def test_a_function_may_be_called_with_numbers_of_both_widths(opened):
    for precision in ("exact", "fast"):
        env = opened(batchsim.make_vec(Widths, 2, precision=precision))
        observations = env.reset(seed=0)[0]
        expected = [2 * np.log2(1.5), 2 * np.exp2(1.5), -2.5]
        np.testing.assert_allclose(observations[0], expected, rtol=1e-6)
