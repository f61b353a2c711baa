"""Bad input is refused in one clear sentence, and nothing has changed then.

That nothing has changed is proved by a twin that never saw the bad input: both are stepped on, side
by side, and must return the same bits.
"""

import gymnasium
import numpy as np
import oracle
import pytest
from gymnasium import error
from gymnasium.vector import AutoresetMode

import batchsim

N = 5
LIMIT = 13
NAN, INF = float("nan"), float("inf")


def assert_one_clear_sentence(message):
    """Assert that a user can act on it: one line, a sentence, what to do or what was expected."""
    message = str(message)
    assert message, "no message"
    assert "\n" not in message
    assert message.endswith("."), message
    assert len(message) < 400, message
    helps = ("expected", "call ", "make ", "use ", " first", "lists them", "its ")
    assert any(word in message for word in helps), message


class Twins:
    """An environment that is abused, and its twin that is not."""

    def __init__(self, name, num_envs=N, **kwargs):
        kwargs.setdefault("max_episode_steps", LIMIT)
        self.abused, self.twin = (batchsim.make_vec(name, num_envs, **kwargs) for _ in range(2))
        self.mode = self.abused.metadata["autoreset_mode"]

    def begin(self, steps):
        self.actions = oracle.Actions(self.twin, seed=5)
        for env in (self.abused, self.twin):
            env.reset(seed=21)
        self.over = np.zeros(self.twin.num_envs, np.bool_)
        self.advance(steps)
        return self

    def advance(self, steps):
        for t in range(steps):
            if self.mode is AutoresetMode.DISABLED and self.over.any():
                options = {"reset_mask": self.over}
                expected = self.twin.reset(options=options)
                oracle.assert_same_reset(expected, self.abused.reset(options=options))
            batch = self.actions()
            expected = self.twin.step(batch)
            oracle.assert_same_step(expected, self.abused.step(batch), f"step {t} after the abuse")
            self.over = expected[2] | expected[3]

    def refuses(self, kind, pattern, call):
        """Assert that `call(abused)` raises so, and that no state has changed."""
        with pytest.raises(kind, match=pattern) as caught:
            call(self.abused)
        assert_one_clear_sentence(caught.value)
        oracle.assert_same_streams(self.twin, self.abused)
        assert self.twin.np_random_seed == self.abused.np_random_seed
        self.advance(LIMIT + 5)
        expected, found = self.twin.reset(), self.abused.reset()
        oracle.assert_same_reset(expected, found)
        self.over[:] = False
        self.advance(3)

    def close(self):
        self.abused.close()
        self.twin.close()


@pytest.fixture(scope="module")
def made():
    """The twins of this module: making them costs more than a test."""
    pairs = {}
    yield pairs
    for pair in pairs.values():
        pair.close()


@pytest.fixture
def twins(made, request):
    """Twins of these settings, after so many steps."""
    used = []

    def begin(name, num_envs=N, steps=9, **kwargs):
        key = (name, num_envs, *sorted(kwargs.items()))
        if key not in made:
            made[key] = Twins(name, num_envs, **kwargs)
        used.append(key)
        return made[key].begin(steps)

    failed = request.session.testsfailed
    yield begin
    if request.session.testsfailed > failed:  # They may be of no use to others.
        for key in used:
            if key in made:
                made.pop(key).close()


@pytest.fixture(params=oracle.MODELS)
def name(request):
    return request.param


@pytest.fixture(params=["native", "reference"])
def backend(request):
    return request.param


def put(array, row, value):
    """A copy of the array with another value in a row."""
    array = array.copy()
    array[row] = value
    return array


def cases(table):
    """The rows of a table as pytest parameters, named by what is bad in them."""
    names = (" ".join(repr(row[-3]).split())[:50] for row in table)
    return [pytest.param(*row, id=name) for row, name in zip(table, names, strict=True)]


# -- Actions ---------------------------------------------------------------------------------------

DISCRETE = np.array([0, 1, 1, 0, 1])
BOX = np.linspace(-1, 1, N, dtype=np.float32)[:, None]

BAD_ACTIONS = [
    ("CartPole-v1", DISCRETE[:4], ValueError, r"shape \(4,\); expected \(5,\)"),
    ("CartPole-v1", np.zeros(6, int), ValueError, r"shape \(6,\); expected \(5,\)"),
    ("CartPole-v1", DISCRETE[:, None], ValueError, r"shape \(5, 1\); expected \(5,\)"),
    ("CartPole-v1", np.zeros(0, int), ValueError, r"shape \(0,\); expected \(5,\)"),
    ("CartPole-v1", 1, ValueError, r"shape \(\); expected \(5,\)"),
    ("CartPole-v1", None, ValueError, r"shape \(\); expected \(5,\)"),
    ("CartPole-v1", [[0, 1], [1]], TypeError, "cannot be read as an array"),
    ("CartPole-v1", DISCRETE.astype(float), TypeError, "dtype float64; expected int64"),
    ("CartPole-v1", DISCRETE.astype(np.float32), TypeError, "dtype float32; expected int64"),
    ("CartPole-v1", DISCRETE.astype(bool), TypeError, "dtype bool; expected int64"),
    ("CartPole-v1", DISCRETE.astype(complex), TypeError, "dtype complex128; expected int64"),
    ("CartPole-v1", DISCRETE.astype(object), TypeError, "dtype object; expected int64"),
    ("CartPole-v1", DISCRETE.astype(str), TypeError, "dtype .*; expected int64"),
    ("CartPole-v1", [0.0, 1.0, 1.0, 0.0, 1.0], TypeError, "dtype float64; expected int64"),
    ("CartPole-v1", put(DISCRETE, 0, 2), ValueError, r"row 0 is 2; expected .*Discrete\(2\)"),
    ("CartPole-v1", put(DISCRETE, 3, -1), ValueError, r"row 3 is -1; expected .*Discrete\(2\)"),
    ("CartPole-v1", put(DISCRETE, 4, 2), ValueError, "row 4 is 2; expected"),
    ("CartPole-v1", np.array([0, 7, 1, 9, -3]), ValueError, "row 1 is 7; expected"),
    ("CartPole-v1", put(DISCRETE, 2, 2**63 - 1), ValueError, f"row 2 is {2**63 - 1}; expected"),
    ("CartPole-v1", put(DISCRETE, 2, -(2**63)), ValueError, f"row 2 is -{2**63}; expected"),
    ("CartPole-v1", put(DISCRETE, 2, -(2**63) + 1), ValueError, "row 2 is -9223372036854775807"),
    ("CartPole-v1", put(DISCRETE, 2, 2**32), ValueError, "row 2 is 4294967296; expected"),
    ("CartPole-v1", put(DISCRETE, 1, -1).tolist(), ValueError, "row 1 is -1; expected"),
    ("CartPole-v1", put(DISCRETE, 1, -128).astype(np.int8), ValueError, "row 1 is -128; expected"),
    ("CartPole-v1", put(DISCRETE, 1, 255).astype(np.uint8), ValueError, "row 1 is 255; expected"),
    ("Pendulum-v1", BOX[:4], ValueError, r"shape \(4, 1\); expected \(5, 1\)"),
    ("Pendulum-v1", BOX[:, 0], ValueError, r"shape \(5,\); expected \(5, 1\)"),
    ("Pendulum-v1", np.repeat(BOX, 2, 1), ValueError, r"shape \(5, 2\); expected \(5, 1\)"),
    ("Pendulum-v1", BOX.astype(bool), TypeError, "dtype bool; expected float32"),
    ("Pendulum-v1", BOX.astype(np.float16), TypeError, "dtype float16; expected float32"),
    ("Pendulum-v1", put(BOX, 2, NAN), ValueError, r"row 2 is \[nan\]; expected .*Box"),
]


@pytest.mark.parametrize(("name", "actions", "kind", "pattern"), cases(BAD_ACTIONS))
@pytest.mark.parametrize("method", ["step", "send"])
def test_bad_actions_are_refused(twins, backend, name, actions, kind, pattern, method):
    pair = twins(name, backend=backend)
    pair.refuses(kind, pattern, lambda env: getattr(env, method)(actions))


BAD_ROWS = [
    (0, TypeError, "env_ids is 0; expected a sequence of rows from 0 to 4"),
    (np.int64(1), TypeError, "env_ids is .*1.*; expected a sequence of rows"),
    (np.array(1), TypeError, r"env_ids is array\(1\); expected a sequence of rows"),
    (np.ones(N, bool), TypeError, r"as a mask does; expected rows.*flatnonzero\(mask\)"),
    ([True, False], TypeError, r"as a mask does; expected rows.*flatnonzero\(mask\)"),
    ([0, 5], ValueError, "env_ids holds 5; expected rows from 0 to 4"),
    ([-1], ValueError, "env_ids holds -1; expected rows from 0 to 4"),
    ([1.0], ValueError, r"env_ids holds 1\.0; expected rows"),
    ("01", ValueError, "env_ids holds '0'; expected rows"),
]


@pytest.mark.parametrize(("rows", "kind", "pattern"), cases(BAD_ROWS))
def test_bad_rows_of_a_snapshot_are_refused(twins, name, rows, kind, pattern):
    pair = twins(name)
    snapshot = pair.abused.get_state()
    pair.refuses(kind, pattern, lambda env: env.get_state(rows))
    pair.refuses(kind, pattern, lambda env: env.set_state(snapshot, rows))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [2**63 - 1, -(2**63)])
def test_extreme_actions_are_refused_without_a_warning(backend, value):
    env = batchsim.make_vec("CartPole-v1", N, backend=backend)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="row 2"):
        env.step(put(DISCRETE, 2, value))
    env.close()


@pytest.mark.parametrize(
    ("mode", "precision"),
    [(mode, "exact") for mode in oracle.MODES] + [(mode, "fast") for mode in oracle.MODES[:2]],
)
def test_a_bad_action_in_any_row_of_a_large_batch_is_refused(twins, mode, precision):
    kwargs = {"autoreset_mode": mode, "precision": precision, "num_threads": 2}
    pair = twins("CartPole-v1", 1000, steps=3, **kwargs)
    good = np.zeros(1000, np.int64)
    for row in (0, 63, 64, 500, 998, 999):
        with pytest.raises(ValueError, match=f"row {row} is -1; expected"):
            pair.abused.step(put(good, row, -1))
    pair.refuses(ValueError, "row 997 is 2", lambda env: env.step(put(good, [997, 999], 2)))


def test_bad_actions_at_an_episodes_end_are_refused_too(twins, name):
    """Although the row only waits for its reset, whatever the action."""
    pair = twins(name, steps=LIMIT)
    assert pair.over.all()
    bad = put(DISCRETE, 3, 5) if name == "CartPole-v1" else put(BOX, 3, NAN)
    pair.refuses(ValueError, "row 3", lambda env: env.step(bad))


# -- Seeds, masks and options of reset -------------------------------------------------------------

BAD_SEEDS = [
    ([1, 2, 3, 4], ValueError, "length 4; expected 5"),
    ([1, 2, 3, 4, 5, 6], ValueError, "length 6; expected 5"),
    ([], ValueError, "length 0; expected 5"),
    ([1, 2, 3, 4, -5], ValueError, "row 4 is -5; expected"),
    ([1, 2, 3.0, 4, 5], TypeError, r"row 2 is 3\.0; expected"),
    ([1, "2", 3, 4, 5], TypeError, "row 1 is '2'; expected"),
    ([True, 2, 3, 4, 5], TypeError, "row 0 is True; expected"),
    ([[1], 2, 3, 4, 5], TypeError, r"row 0 is \[1\]; expected"),
    (np.arange(5.0), TypeError, "row 0 is .*0.0.*; expected"),
    (np.arange(-1, 4), ValueError, "row 0 is -1; expected"),
    (np.arange(10).reshape(5, 2), TypeError, "row 0 is .*; expected"),
    (np.array(3), (TypeError, ValueError), "expected"),
    (-1, ValueError, "seed is -1; expected"),
    (1.5, TypeError, r"seed is 1\.5; expected"),
    (NAN, TypeError, "seed is nan; expected"),
    (True, TypeError, "seed is True; expected"),
    ("12345", TypeError, "seed is '12345'; expected"),
    (b"12345", TypeError, "seed is b'12345'; expected"),
    ({1, 2, 3, 4, 5}, TypeError, "seed is .*; expected"),
]


@pytest.mark.parametrize(("seed", "kind", "pattern"), cases(BAD_SEEDS))
def test_bad_seeds_are_refused(twins, name, seed, kind, pattern):
    twins(name).refuses(kind, pattern, lambda env: env.reset(seed=seed))


BAD_MASKS = [
    ([True] * 5, TypeError, "expected a numpy array of bool"),
    (np.ones(5, int), TypeError, "array of int64; expected a numpy array of bool"),
    (True, TypeError, "True; expected a numpy array of bool"),
    (np.ones(4, bool), ValueError, r"shape \(4,\); expected \(5,\)"),
    (np.ones((5, 1), bool), ValueError, r"shape \(5, 1\); expected \(5,\)"),
    (np.zeros(5, bool), ValueError, "selects no row; expected at least one"),
]


@pytest.mark.parametrize(("mask", "kind", "pattern"), cases(BAD_MASKS))
@pytest.mark.parametrize("seed", [None, 3])
def test_bad_masks_are_refused(twins, name, mask, kind, pattern, seed):
    options = {"reset_mask": mask}
    twins(name).refuses(kind, pattern, lambda env: env.reset(seed=seed, options=options))


MASK = np.array([True, False, True, False, False])

BAD_OPTIONS = [
    ("CartPole-v1", {"low": NAN}, ValueError, "'low' is NaN; expected"),
    ("CartPole-v1", {"low": "wide"}, TypeError, "'low' is 'wide'; expected"),
    ("CartPole-v1", {"low": None}, TypeError, "'low' is None; expected"),
    ("CartPole-v1", {"high": True}, TypeError, "'high' is True; expected"),
    ("CartPole-v1", {"low": np.zeros(4)}, ValueError, r"'low' has shape \(4,\).*\(5,\)"),
    ("CartPole-v1", {"low": put(np.zeros(5), 3, NAN)}, ValueError, "'low' is NaN in row 3"),
    ("CartPole-v1", {"low": np.array(["a"] * 5)}, TypeError, "'low' has dtype .*; expected"),
    ("CartPole-v1", {"low": 0.2, "high": 0.1}, ValueError, "(?s)0.2.*0.1"),
    ("CartPole-v1", {"low": 0.06}, ValueError, "(?s)0.06.*0.05"),
    ("CartPole-v1", {"low": put(np.zeros(5), 3, 0.5)}, ValueError, "row 3.*0.5"),
    ("CartPole-v1", {"low": -INF}, ValueError, "inf"),
    ("CartPole-v1", {"high": INF}, ValueError, "inf"),
    ("Pendulum-v1", {"x_init": NAN}, ValueError, "'x_init' is NaN; expected"),
    ("Pendulum-v1", {"y_init": "1"}, TypeError, "'y_init' is '1'; expected"),
    ("Pendulum-v1", {"x_init": -1.0}, ValueError, "-1"),
    ("Pendulum-v1", {"y_init": put(np.ones(5), 2, -2.0)}, ValueError, "row 2.*-2"),
    ("Pendulum-v1", {"x_init": INF}, ValueError, "inf"),
    ("Pendulum-v1", [("x_init", 1.0)], TypeError, "expected a dict"),
    ("Pendulum-v1", 5, TypeError, "options are 5; expected a dict"),
    ("Pendulum-v1", "x_init", TypeError, "options are 'x_init'; expected a dict"),
]


@pytest.mark.parametrize(("name", "options", "kind", "pattern"), cases(BAD_OPTIONS))
@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("masked", [False, True], ids=["all rows", "some rows"])
def test_bad_options_are_refused(twins, name, options, kind, pattern, seed, masked):
    if masked and isinstance(options, dict):
        options = {**options, "reset_mask": MASK}
    twins(name).refuses(kind, pattern, lambda env: env.reset(seed=seed, options=options))


UNKNOWN_OPTIONS = [
    ("CartPole-v1", {"lo": 0.1}, "'lo'.*did you mean 'low'.*ignored.*low, high"),
    ("CartPole-v1", {"x_init": 0.1}, "'x_init', which is ignored.*low, high"),
    ("CartPole-v1", {"mask": MASK}, "'mask'.*did you mean 'reset_mask'"),
    ("Pendulum-v1", {"x": 0.1}, "'x'.*x_init, y_init"),
]


@pytest.mark.parametrize(("name", "options", "pattern"), UNKNOWN_OPTIONS)
def test_unknown_options_are_ignored_as_upstream_with_a_warning(opened, name, options, pattern):
    envs = [opened(oracle.upstream(name, N)), opened(batchsim.make_vec(name, N))]
    with pytest.warns(UserWarning, match=pattern):
        observations = [env.reset(seed=0, options=dict(options))[0] for env in envs]
    assert oracle.bits(observations[0]) == oracle.bits(observations[1])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("CartPole-v1", {"low": 0.2, "high": 0.1}),
        ("CartPole-v1", {"low": 0.06}),
        ("CartPole-v1", {"low": NAN}),
        ("CartPole-v1", {"low": -INF}),
        ("Pendulum-v1", {"x_init": -1.0}),
        ("Pendulum-v1", {"y_init": INF}),
        ("Pendulum-v1", {"y_init": NAN}),
    ],
)
def test_upstream_refuses_the_same_options(opened, name, options):
    """So that the table above asks for no more than the original does."""
    env = opened(oracle.upstream(name, 2))
    with pytest.raises((ValueError, OverflowError)):
        env.reset(seed=0, options=options)


# -- Calls out of order ----------------------------------------------------------------------------


def good_actions(env):
    return oracle.Actions(env)()


def test_calls_before_the_first_reset_are_refused(opened, name, backend):
    env = opened(batchsim.make_vec(name, N, backend=backend))
    for call in (
        lambda: env.step(good_actions(env)),
        lambda: env.send(good_actions(env)),
        lambda: env.get_state(),
    ):
        with pytest.raises(error.ResetNeeded, match=r"before reset\(\); call reset\(\)") as caught:
            call()
        assert_one_clear_sentence(caught.value)
    with pytest.raises(error.NoAsyncCallError) as caught:
        env.recv()
    assert_one_clear_sentence(caught.value)
    theirs = opened(oracle.upstream(name, N))
    oracle.assert_same_reset(theirs.reset(seed=1), env.reset(seed=1))


def test_calls_after_close_are_refused(name, backend):
    env = batchsim.make_vec(name, N, backend=backend, render_mode="rgb_array")
    env.reset(seed=0)
    actions = good_actions(env)
    env.close()
    for method, arguments in (
        ("step", [actions]),
        ("send", [actions]),
        ("recv", []),
        ("reset", []),
        ("render", []),
        ("get_state", []),
        ("set_np_random", [0, np.random.default_rng(1)]),
        ("np_random", []),
        ("split", []),
    ):
        with pytest.raises(error.ClosedEnvironmentError, match="is closed; make a new") as caught:
            getattr(env, method)(*arguments)
        assert_one_clear_sentence(caught.value)


def test_closing_before_the_first_reset_is_allowed(name):
    env = batchsim.make_vec(name, N)
    env.close()
    with pytest.raises(error.ClosedEnvironmentError):
        env.reset(seed=0)


def test_a_first_reset_of_some_rows_is_refused(opened, name):
    env = opened(batchsim.make_vec(name, N))
    theirs = opened(oracle.upstream(name, N))
    with pytest.raises(error.ResetNeeded, match=r"Row 1 .*reset all rows first") as caught:
        env.reset(seed=1, options={"reset_mask": MASK})
    assert_one_clear_sentence(caught.value)
    # The refused seeds were not taken: the rows get others when they are first asked for theirs.
    assert not set(env.np_random_seed) & set(range(1, 1 + N))
    with pytest.raises(error.ResetNeeded):
        env.step(good_actions(env))
    oracle.assert_same_reset(theirs.reset(seed=2), env.reset(seed=2))


def test_a_first_reset_with_a_mask_of_all_rows_is_allowed(opened, name):
    env, theirs = opened(batchsim.make_vec(name, N)), opened(oracle.upstream(name, N))
    options = {"reset_mask": np.ones(N, np.bool_)}
    oracle.assert_same_reset(theirs.reset(seed=2), env.reset(seed=2, options=options))


def test_disabled_autoreset_refuses_to_step_rows_that_are_over(twins, name, backend):
    pair = twins(name, autoreset_mode="Disabled", backend=backend, steps=LIMIT)
    assert pair.over[3]
    rest = {"reset_mask": np.array([True, True, True, False, False]) & pair.over}
    if rest["reset_mask"].any():
        for env in (pair.abused, pair.twin):
            env.reset(options=rest)
        pair.over &= ~rest["reset_mask"]
    batch = good_actions(pair.abused)
    for method in ("step", "send"):
        pattern = r"row 3 is over \(.* in all\).*reset_mask"
        with pytest.raises(error.ResetNeeded, match=pattern) as caught:
            getattr(pair.abused, method)(batch)
        assert_one_clear_sentence(caught.value)
    pair.advance(20)


def test_calls_while_a_step_is_under_way_are_refused(twins, name):
    pair = twins(name, 300)
    batch = pair.actions()
    snapshot = pair.abused.get_state()
    pair.abused.send(batch)
    for method, arguments in (
        ("step", [batch]),
        ("send", [batch]),
        ("reset", []),
        ("get_state", []),
        ("set_state", [snapshot]),
        ("set_np_random", [0, np.random.default_rng(1)]),
        ("np_random", []),
        ("split", []),
    ):
        pattern = r"while a step is under way; call recv\(\) first"
        with pytest.raises(error.AlreadyPendingCallError, match=pattern) as caught:
            getattr(pair.abused, method)(*arguments)
        assert_one_clear_sentence(caught.value)
    oracle.assert_same_step(pair.twin.step(batch), pair.abused.recv())
    pair.advance(20)


def test_seeds_can_be_read_while_a_step_is_under_way_and_after_close(name):
    env = batchsim.make_vec(name, 300)
    env.reset(seed=1)
    env.send(good_actions(env))
    assert env.np_random_seed == tuple(range(1, 301))
    env.recv()
    env.close()
    assert env.np_random_seed == tuple(range(1, 301))


def test_a_closed_batch_starts_no_streams(name):
    env = batchsim.make_vec(name, N)
    env.close()
    with pytest.raises(error.ClosedEnvironmentError, match="np_random_seed was read") as caught:
        env.np_random_seed  # noqa: B018
    assert_one_clear_sentence(caught.value)


RNG = np.random.default_rng(1)
BAD_STREAMS = [
    ((-1, RNG), ValueError, "row is -1; expected .* at least 0 and at most 4"),
    ((N, RNG), ValueError, "row is 5; expected .* at most 4"),
    ((slice(None), RNG), TypeError, r"row is slice\(None, None, None\); expected a whole number"),
    ((True, RNG), TypeError, "row is True; expected a whole number"),
    ((1.0, RNG), TypeError, "row is 1.0; expected a whole number"),
    (([0, 1], RNG), TypeError, r"row is \[0, 1\]; expected a whole number"),
    ((0, RNG, "7"), TypeError, "seed is '7'; expected a whole number of at least -1"),
    ((0, RNG, None), TypeError, "seed is None; expected a whole number of at least -1"),
    ((0, RNG, -2), ValueError, "seed is -2; expected a whole number of at least -1"),
    ((0, 7), TypeError, "generator is 7; expected a numpy.random.Generator"),
    ((0, np.random.RandomState(1)), TypeError, "expected a numpy.random.Generator"),
    ((0, np.random.Generator(np.random.MT19937(1))), ValueError, "MT19937; expected .* PCG64"),
    ((0, np.random.Generator(np.random.PCG64DXSM(1))), ValueError, "PCG64DXSM; expected .* PCG64"),
]


@pytest.mark.parametrize(
    ("arguments", "kind", "pattern"), BAD_STREAMS, ids=[pattern for *_, pattern in BAD_STREAMS]
)
def test_bad_streams_are_refused(twins, arguments, kind, pattern):
    pair = twins("CartPole-v1")
    pair.refuses(kind, pattern, lambda env: env.set_np_random(*arguments))


def test_receiving_what_was_not_sent_is_refused(twins, name, backend):
    pair = twins(name, backend=backend)
    pair.refuses(error.NoAsyncCallError, r"call send\(\) first", lambda env: env.recv())


# -- Arrays to write into --------------------------------------------------------------------------


def outputs(env):
    """Four good arrays for `out`."""
    n = env.num_envs
    return [
        np.zeros(env.observation_space.shape, env.observation_space.dtype),
        np.zeros(n, np.float64),
        np.zeros(n, np.bool_),
        np.zeros(n, np.bool_),
    ]


def read_only(array):
    array.flags.writeable = False
    return array


def misaligned(array):
    memory = np.zeros(array.nbytes + 1, np.uint8)[1:]
    return memory.view(array.dtype).reshape(array.shape)


SPOIL = {
    "too long": lambda a: np.zeros((len(a) + 1, *a.shape[1:]), a.dtype),
    "too short": lambda a: a[:-1],
    "another dimension": lambda a: a[..., None],
    "another dtype": lambda a: a.astype(np.int16),
    "the other byte order": lambda a: a.astype(a.dtype.newbyteorder()) if a.itemsize > 1 else a[:0],
    "read-only": read_only,
    "strided": lambda a: np.repeat(a, 2, axis=0)[::2],
    "reversed": lambda a: a[::-1],
    "a list": lambda a: a.tolist(),
    "a number": lambda a: 3,
}
NAMES = ["observation", "reward", "terminated", "truncated"]


@pytest.mark.parametrize("place", range(4), ids=NAMES)
@pytest.mark.parametrize("spoil", SPOIL)
def test_bad_output_arrays_are_refused(twins, name, place, spoil):
    pair = twins(name)
    out = outputs(pair.abused)
    out[place] = SPOIL[spoil](out[place])
    batch = pair.actions()
    pattern = f"{NAMES[place]} in out is .*; expected a writeable"
    pair.refuses(ValueError, pattern, lambda env: env.step(batch, out=out))
    assert not any(array.any() for array in out if isinstance(array, np.ndarray))


@pytest.mark.parametrize("method", ["step", "send"])
@pytest.mark.parametrize("place", [0, 1])
def test_misaligned_output_arrays_are_refused(twins, name, place, method):
    pair = twins(name)
    out = outputs(pair.abused)
    out[place] = misaligned(out[place])
    batch = pair.actions()
    pair.refuses(ValueError, "in out is", lambda env: getattr(env, method)(batch, out=out))


@pytest.mark.parametrize("count", [0, 1, 3, 5])
def test_a_wrong_number_of_output_arrays_is_refused(twins, name, count):
    pair = twins(name)
    out = (outputs(pair.abused) * 2)[:count]
    batch = pair.actions()
    pattern = "out .*expected"
    pair.refuses((TypeError, ValueError), pattern, lambda env: env.step(batch, out=out))


@pytest.mark.parametrize("out", [7, "four", {"observation": None}], ids=repr)
def test_outputs_that_are_no_sequence_are_refused(twins, name, out):
    pair = twins(name)
    batch = pair.actions()
    pattern = "out .*expected"
    pair.refuses((TypeError, ValueError), pattern, lambda env: env.step(batch, out=out))


@pytest.mark.parametrize("seed", [None, 8])
@pytest.mark.parametrize("spoil", SPOIL)
def test_bad_output_arrays_of_reset_are_refused(twins, name, spoil, seed):
    pair = twins(name)
    out = SPOIL[spoil](outputs(pair.abused)[0])
    pattern = "observation in out is .*; expected a writeable"
    pair.refuses(ValueError, pattern, lambda env: env.reset(seed=seed, out=out))


# -- Making one ------------------------------------------------------------------------------------

BAD_ARGUMENTS = [
    ({"id": "CartPole-v0"}, ValueError, "'CartPole-v0' .*did you mean 'CartPole-v1'"),
    ({"id": "batchsim/CartPole-v2"}, ValueError, "did you mean 'CartPole-v1'"),
    ({"id": "Pendulum"}, ValueError, "did you mean 'Pendulum-v1'"),
    ({"id": "pendulum-v1"}, ValueError, "did you mean 'Pendulum-v1'"),
    ({"id": ""}, ValueError, "no environment ''.*lists them"),
    ({"id": "Chess-v5"}, ValueError, "no environment 'Chess-v5'; .*lists them"),
    ({"id": None}, TypeError, "id is None; expected a string"),
    ({"id": 5}, TypeError, "id is 5; expected a string"),
    ({"num_envs": 0}, ValueError, "num_envs is 0; expected .*at least 1"),
    ({"num_envs": -3}, ValueError, "num_envs is -3; expected .*at least 1"),
    ({"num_envs": 2**31}, ValueError, "num_envs is 2147483648; expected .*at most 2147483647"),
    ({"num_envs": 2**64}, ValueError, "num_envs is 18446744073709551616; expected .*at most"),
    ({"num_envs": 2.0}, TypeError, r"num_envs is 2\.0; expected a whole number"),
    ({"num_envs": True}, TypeError, "num_envs is True; expected a whole number"),
    ({"num_envs": "3"}, TypeError, "num_envs is '3'; expected a whole number"),
    ({"num_envs": None}, TypeError, "num_envs is None; expected a whole number"),
    ({"precision": "exat"}, ValueError, "precision is 'exat'.*did you mean 'exact'.*'fast'"),
    ({"precision": None}, ValueError, "precision is None; expected one of 'exact', 'fast'"),
    ({"precision": 64}, ValueError, "precision is 64; expected one of"),
    ({"backend": "nativ"}, ValueError, "backend is 'nativ'.*did you mean 'native'"),
    ({"backend": "cuda"}, ValueError, "backend is 'cuda'.*expected one of 'native', 'reference'"),
    ({"num_threads": 0}, ValueError, "num_threads is 0; expected .*at least 1"),
    ({"num_threads": -1}, ValueError, "num_threads is -1; expected .*at least 1"),
    ({"num_threads": 4097}, ValueError, "num_threads is 4097; expected .* and at most 4096"),
    ({"num_threads": 2**40}, ValueError, f"num_threads is {2**40}; expected .* at most 4096"),
    ({"num_threads": 1.5}, TypeError, r"num_threads is 1\.5; expected a whole number"),
    ({"autoreset_mode": "NextStp"}, ValueError, "'NextStp'.*did you mean 'NextStep'"),
    ({"autoreset_mode": None}, ValueError, "autoreset_mode is None; expected one of"),
    ({"autoreset_mode": 1}, ValueError, "autoreset_mode is 1; expected one of"),
    ({"render_mode": "humn"}, ValueError, "render_mode is 'humn'"),
    ({"max_episode_steps": 0}, ValueError, "max_episode_steps is 0; expected a positive"),
    ({"max_episode_steps": -2}, ValueError, "max_episode_steps is -2; expected a positive"),
    ({"max_episode_steps": 1.5}, ValueError, r"max_episode_steps is 1\.5; expected a positive"),
    ({"max_episode_steps": True}, ValueError, "max_episode_steps is True; expected a positive"),
    ({"max_episode_steps": "9"}, ValueError, "max_episode_steps is '9'; expected a positive"),
    ({"max_episode_steps": 2**63}, ValueError, f"max_episode_steps is {2**63}; expected"),
    ({"gravty": 9.8}, TypeError, "'gravty'.*did you mean 'gravity'.*gravity, masscart"),
    ({"seed": 3}, TypeError, "unexpected keyword argument 'seed'"),
    ({"low": 0.1}, TypeError, "unexpected keyword argument 'low'"),
    ({"gravity": "9.8"}, TypeError, "'gravity' is '9.8'; expected a number"),
    ({"gravity": None}, TypeError, "'gravity' is None; expected a number"),
    ({"gravity": True}, TypeError, "'gravity' is True; expected a number"),
    ({"gravity": NAN}, ValueError, "'gravity' is NaN; expected a number"),
    ({"gravity": np.ones(4)}, ValueError, r"'gravity' has shape \(4,\).*\(5,\)"),
    ({"gravity": np.ones((5, 1))}, ValueError, r"'gravity' has shape \(5, 1\).*\(5,\)"),
    ({"gravity": put(np.ones(5), 2, NAN)}, ValueError, "'gravity' is NaN in row 2"),
    ({"gravity": np.ones(5, bool)}, TypeError, "'gravity' has dtype bool; expected float64"),
    ({"gravity": ["1"] * 5}, TypeError, "'gravity' has dtype .*; expected float64"),
    ({"sutton_barto_reward": 1}, TypeError, "'sutton_barto_reward' is 1; expected True or False"),
    ({"sutton_barto_reward": np.ones(5)}, TypeError, "'sutton_barto_reward' has dtype float64"),
    ({"id": "Pendulum-v1", "gravity": 1.0}, TypeError, "Pendulum-v1 got an unexpected .*'gravity'"),
]


@pytest.mark.parametrize(("arguments", "kind", "pattern"), cases(BAD_ARGUMENTS))
def test_bad_arguments_are_refused(arguments, kind, pattern):
    arguments = {"id": "CartPole-v1", "num_envs": N, "backend": "reference", **arguments}
    with pytest.raises(kind, match=pattern) as caught:
        batchsim.make_vec(**arguments)
    assert_one_clear_sentence(caught.value)


SHARED = {"id", "precision", "backend", "render_mode", "max_episode_steps"}


@pytest.mark.parametrize(
    ("arguments", "kind", "pattern"),
    cases([row for row in BAD_ARGUMENTS if row[0].keys() <= SHARED]),
)
def test_bad_arguments_for_a_single_environment_are_refused(arguments, kind, pattern):
    with pytest.raises(kind, match=pattern) as caught:
        batchsim.make(**{"id": "CartPole-v1", "backend": "reference", **arguments})
    assert_one_clear_sentence(caught.value)


def test_gymnasium_passes_the_sentence_on():
    with pytest.raises(TypeError, match="did you mean 'gravity'"):
        gymnasium.make_vec("batchsim/CartPole-v1", num_envs=2, gravty=9.8)


# -- A single environment --------------------------------------------------------------------------

BAD_SINGLE_ACTIONS = [
    ("CartPole-v1", 2, ValueError),
    ("CartPole-v1", -1, ValueError),
    ("CartPole-v1", 1.0, TypeError),
    ("CartPole-v1", None, (TypeError, ValueError)),
    ("CartPole-v1", [1], ValueError),
    ("Pendulum-v1", np.array([NAN], np.float32), ValueError),
    ("Pendulum-v1", np.float32(0.5), ValueError),
    ("Pendulum-v1", np.array([0.5, 0.5], np.float32), ValueError),
]


@pytest.mark.parametrize(("name", "action", "kind"), BAD_SINGLE_ACTIONS)
def test_bad_actions_of_a_single_environment_are_refused(opened, name, action, kind):
    abused, twin = (opened(batchsim.make(name)) for _ in range(2))
    good = 1 if name == "CartPole-v1" else np.array([0.5], np.float32)
    for env in (abused, twin):
        env.reset(seed=0)
        env.step(good)
    with pytest.raises(kind, match="expected") as caught:
        abused.step(action)
    assert_one_clear_sentence(caught.value)
    for _ in range(5):
        expected, found = twin.step(good), abused.step(good)
        assert oracle.bits(expected[0]) == oracle.bits(found[0])
        assert expected[1:] == found[1:]


def test_a_single_environment_refuses_calls_out_of_order(name):
    env = batchsim.make(name, max_episode_steps=2)
    action = env.action_space.sample()
    with pytest.raises(error.ResetNeeded):
        env.step(action)
    env.reset(seed=0)
    env.step(action)
    env.step(action)
    with pytest.raises(error.ResetNeeded) as caught:
        env.step(action)
    assert_one_clear_sentence(caught.value)
    env.reset()
    env.step(action)
    env.close()
    with pytest.raises(error.ClosedEnvironmentError):
        env.step(action)
    with pytest.raises(error.ClosedEnvironmentError):
        env.reset()


@pytest.mark.parametrize(
    ("name", "arguments", "pattern"),
    [
        (
            "BipedalWalker-v3",
            {"hardcore": "maybe"},
            "'hardcore' is 'maybe'; expected True",
        ),
        ("MiniGrid-DoorKey-8x8-v0", {"size": "five"}, "'size' is 'five'; expected a whole number"),
        ("BabyAI-GoToLocal-v0", {"num_dists": None}, "'num_dists' is None; expected a whole"),
    ],
)
def test_arguments_are_of_the_kind_that_they_are_annotated_as(name, arguments, pattern):
    with pytest.raises(TypeError, match=pattern):
        batchsim.make_vec(name, 2, backend="reference", **arguments)


def test_an_argument_that_may_be_of_several_kinds_is_taken():
    name = "MiniGrid-ObstructedMaze-Full-v0"
    batchsim.make_vec(name, 2, backend="reference", agent_room=(0, 1)).close()
    batchsim.make_vec("FrozenLake-v1", 2, backend="reference", desc=None).close()
