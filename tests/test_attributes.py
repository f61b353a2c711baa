"""Attributes of rows are read and written as those of Gymnasium's environments are."""
# ruff: noqa: N805 - the author's contract: plain functions, whose first argument is the state

import copy
import pickle
from typing import NamedTuple

import gymnasium
import numpy as np
import oracle
import pytest
from gymnasium import spaces

import batchsim
from batchsim.compiler import compile

N = 4
STATE = np.array([0.1, 0.2, 0.03, 0.04])
WRITTEN = [
    ("CartPole-v1", "gravity", 20.0),
    ("CartPole-v1", "gravity", [1.0, 2.0, 3.0, 4.0]),
    ("CartPole-v1", "force_mag", 5.0),
    ("CartPole-v1", "state", STATE),
    ("CartPole-v1", "state", [STATE, -STATE, STATE / 2, STATE * 2]),
    ("MountainCar-v0", "force", 0.002),
    ("MountainCar-v0", "state", np.array([-0.5, 0.01])),
    ("MountainCarContinuous-v0", "power", 0.002),
    ("MountainCarContinuous-v0", "state", np.array([-0.5, 0.01])),
    ("MountainCarContinuous-v0", "state", np.array([-0.5, 0.01], np.float32)),
    ("Pendulum-v1", "g", 9.0),
    ("Pendulum-v1", "max_torque", 1.0),
    ("Pendulum-v1", "state", np.array([0.1, 0.2])),
    ("Acrobot-v1", "state", STATE),
    ("FrozenLake-v1", "s", 4),
    ("CliffWalking-v1", "s", 12),
    ("Taxi-v4", "s", [214, 13, 77, 400]),
]


def of_both(name, **settings):
    return (
        gymnasium.make_vec(name, N, vectorization_mode="sync", **settings),
        batchsim.make_vec(name, N, **settings),
    )


def assert_same_steps(theirs, ours, count):
    for _ in range(count):
        actions = theirs.action_space.sample()
        for one, other in zip(theirs.step(actions)[:4], ours.step(actions)[:4], strict=True):
            assert oracle.bits(one) == oracle.bits(other)


@pytest.mark.parametrize(("name", "attribute", "values"), WRITTEN)
def test_what_is_set_takes_effect_as_upstream(name, attribute, values, opened):
    theirs, ours = map(opened, of_both(name))
    theirs.action_space.seed(0)
    for envs in (theirs, ours):
        envs.reset(seed=0)
    assert_same_steps(theirs, ours, 5)
    for _ in range(2):
        for envs in (theirs, ours):
            envs.set_attr(attribute, values)
        for one, other in zip(theirs.get_attr(attribute), ours.get_attr(attribute), strict=True):
            np.testing.assert_array_equal(one, other)
        assert_same_steps(theirs, ours, 25)


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("CartPole-v1", ["gravity", "total_mass", "polemass_length", "state", "x_threshold"]),
        ("Pendulum-v1", ["g", "l", "m", "state", "last_u"]),
        ("FrozenLake-v1", ["P", "desc", "s", "nrow", "ncol", "reward_range"]),
        ("FrozenLake8x8-v1", ["P", "desc", "s", "initial_state_distrib"]),
        ("CliffWalking-v1", ["P", "s", "nS", "nA", "shape", "start_state_index"]),
        ("CliffWalkingSlippery-v1", ["P", "is_slippery"]),
        ("Taxi-v4", ["P", "s", "desc", "locs", "initial_state_distrib"]),
    ],
)
def test_what_scripts_read_is_there(name, attributes, opened):
    theirs, ours = opened(gymnasium.make(name)), opened(batchsim.make(name))
    for env in (theirs, ours):
        env.reset(seed=3)
    for step in range(2):
        for attribute in attributes:
            one, other = (env.get_wrapper_attr(attribute) for env in (theirs, ours))
            if isinstance(one, dict):
                assert repr(one) == repr(other)
            else:
                np.testing.assert_array_equal(one, other)
            assert hasattr(ours, attribute)
        action = theirs.action_space.sample()
        for env in (theirs, ours):
            env.step(action)
        assert step < 2


def test_methods_of_the_original_are_called(opened):
    theirs, ours = map(opened, of_both("Taxi-v4"))
    for envs in (theirs, ours):
        envs.reset(seed=1)
    assert ours.call("decode", 214) == theirs.call("decode", 214)
    assert ours.call("encode", 1, 2, 3, 0) == theirs.call("encode", 1, 2, 3, 0)
    masks = (envs.call("action_mask", 214) for envs in (theirs, ours))
    np.testing.assert_array_equal(*masks)


def test_one_environments_attributes_are_written_too(opened):
    theirs, ours = (
        opened(gymnasium.make("CartPole-v1")),
        opened(gymnasium.make("batchsim/CartPole-v1")),
    )
    for env in (theirs, ours):
        env.reset(seed=0)
        env.unwrapped.state = STATE
        env.unwrapped.gravity = 3.0
        env.set_wrapper_attr("force_mag", 7.0)
    for action in (0, 1, 1, 0, 1):
        assert oracle.bits(theirs.step(action)[0]) == oracle.bits(ours.step(action)[0])
    assert ours.unwrapped.gravity == ours.get_wrapper_attr("gravity") == 3.0
    assert ours.unwrapped.batch.params["force_mag"] == 7.0
    assert ours.unwrapped.x == ours.unwrapped.state[0]
    twin = copy.deepcopy(ours.unwrapped)
    assert (twin.gravity, twin.x) == (3.0, ours.unwrapped.x)
    twin.close()


def test_parameters_are_set_in_every_way_that_reads_them(opened):
    envs = opened(batchsim.make_vec("CartPole-v1", N))
    envs.reset(seed=0)
    envs.gravity = 3.0
    assert envs.gravity == envs.params["gravity"] == envs.get_attr("gravity")[1] == 3.0
    envs.params["gravity"] = [1, 2, 3, 4]
    assert envs.gravity.tolist() == [1.0, 2.0, 3.0, 4.0]
    envs.set_attr("gravity", 9.8)
    assert set(envs.get_attr("gravity")) == {9.8}
    twin = opened(batchsim.make_vec("CartPole-v1", N))
    twin.reset(seed=0)
    actions = np.array([0, 1, 1, 0])
    for _ in range(20):
        assert oracle.bits(envs.step(actions)[0]) == oracle.bits(twin.step(actions)[0])


def test_what_cannot_take_effect_is_refused_and_changes_nothing(opened):
    envs = opened(batchsim.make_vec("CartPole-v1", N))
    envs.reset(seed=0)
    before = envs.get_state()
    wrong = [
        (lambda: setattr(envs, "num_threads", 2), "num_threads of a BatchEnv cannot be changed"),
        (lambda: setattr(envs, "params", {}), "params of a BatchEnv cannot be changed"),
        (lambda: envs.set_attr("gravty", 1), r"no attribute 'gravty' \(did you mean 'gravity'\?\)"),
        (lambda: envs.get_attr("gravty"), r"did you mean 'gravity'"),
        (lambda: envs.call("gravty"), r"did you mean 'gravity'"),
        (lambda: envs.params.__setitem__("gravty", 1), "no attribute 'gravty'"),
        (lambda: envs.params.__delitem__("gravity"), "cannot be deleted"),
        (lambda: envs.set_attr("gravity", "x"), "'gravity' is 'x'; expected a number"),
        (lambda: envs.set_attr("gravity", [1.0, 2.0]), "given 2 values; expected 4"),
        (lambda: envs.set_attr("gravity", float("nan")), "'gravity' is NaN"),
        (lambda: envs.set_attr("x", "a"), "x is 'a'; expected a number of float64"),
        (lambda: envs.set_attr("state", np.zeros(3)), r"state of row 0 .* shape \(3,\)"),
        (
            lambda: envs.set_attr("state", [STATE, STATE, STATE[:2], STATE]),
            r"state of row 2 does not fit: It has shape \(2,\)",
        ),
        (lambda: envs.set_attr("total_mass", 3.0), "total_mass of CartPole-v1 cannot be written"),
        (lambda: setattr(envs, "max_episode_steps", 0), "max_episode_steps is 0"),
    ]
    for mistake, message in wrong:
        with pytest.raises((AttributeError, KeyError, TypeError, ValueError), match=message):
            mistake()
    after = envs.get_state()
    assert all((after[name] == before[name]).all() for name in before)
    assert envs.gravity == 9.8
    assert envs.max_episode_steps == 500
    assert not hasattr(envs, "gravty")


def test_states_that_cannot_be_are_refused(opened):
    envs = opened(batchsim.make_vec("FrozenLake-v1", N))
    envs.reset(seed=0)
    for wrong, message in ((99, "cell"), ("a", "s of row 0 .* 'a'; expected a whole number")):
        with pytest.raises((TypeError, ValueError), match=message):
            envs.set_attr("s", wrong)
    assert envs.get_attr("s") == (0,) * N


def test_arrays_are_not_edited_behind_the_batch(opened):
    given = np.array([1.0, 2.0, 3.0, 4.0])
    envs = opened(batchsim.make_vec("CartPole-v1", N, gravity=given))
    given[0] = 100.0
    assert envs.gravity[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        envs.params["gravity"][0] = 100.0
    lake = opened(batchsim.make_vec("FrozenLake-v1", N, desc=["SFHG"]))
    lake.arguments.desc[0] = "SFFG"
    assert lake.arguments.desc == ["SFHG"]


@pytest.mark.parametrize("limits", [(7, 20), (7, -1), (7, 100_000), (100_000, 7), (-1, 7)])
def test_the_time_limit_can_be_changed(limits, opened):
    envs = opened(batchsim.make_vec("Pendulum-v1", N, max_episode_steps=limits[0]))
    envs.reset(seed=0)
    actions = np.zeros((N, 1), np.float32)
    for _ in range(5):
        assert not envs.step(actions)[3].any()
    envs.max_episode_steps = limits[1]
    assert envs.max_episode_steps == (None if limits[1] == -1 else limits[1])
    twin = opened(pickle.loads(pickle.dumps(envs)))
    for env in (envs, twin):
        over = [bool(env.step(actions)[3].any()) for _ in range(20)]
        assert over.index(True) + 6 == limits[1] if 0 < limits[1] < 30 else not any(over)


def test_copies_and_pickles_have_the_parameters_of_their_moment(opened):
    envs = opened(batchsim.make_vec("CartPole-v1", N))
    envs.reset(seed=0)
    envs.gravity = 3.0
    text, twin = pickle.dumps(envs), opened(copy.copy(envs))
    envs.gravity = 4.0
    assert (opened(pickle.loads(text)).gravity, twin.gravity, envs.gravity) == (3.0, 3.0, 4.0)
    twin.gravity = [1.0, 2.0, 3.0, 4.0]
    assert envs.gravity == 4.0


def test_parts_and_what_was_split_keep_their_parameters(opened):
    envs = opened(batchsim.make_vec("CartPole-v1", N))
    envs.reset(seed=0)
    first, _ = envs.split(2)
    for env in (envs, first):
        with pytest.raises(ValueError, match="gravity cannot be changed where rows are split"):
            env.gravity = 3.0
        with pytest.raises(ValueError, match="max_episode_steps cannot be changed where"):
            env.max_episode_steps = 3
    envs.close()
    with pytest.raises(gymnasium.error.ClosedEnvironmentError):
        opened(copy.copy(envs))


# --- What is compiled -----------------------------------------------------------------------------


@pytest.fixture
def compilations(monkeypatch, tmp_path):
    """The kernels compiled, from an empty cache."""
    found = []
    compiled = compile._compile

    def count(spec, plan):
        found.append(spec.definition.name)
        return compiled(spec, plan)

    monkeypatch.setattr(compile, "_compile", count)
    monkeypatch.setattr(compile, "_loaded", {})
    monkeypatch.setattr(compile, "_loaded_code", {})
    monkeypatch.setenv("BATCHSIM_CACHE_DIR", str(tmp_path))
    return found


class Prices:
    """Follows a table of prices whose length is an argument's."""

    class Arguments(NamedTuple):
        prices: tuple = (1.0, 2.0)

    class Tables(NamedTuple):
        closes: np.ndarray

    class Params(NamedTuple):
        fee: float = 0.5
        window: int = 1
        is_long: bool = True

    class State(NamedTuple):
        day: np.int32

    ACTION = spaces.Discrete(2)
    OBSERVATION = spaces.Box(-np.inf, np.inf, (1,), np.float64)

    def tables(arguments):
        return Prices.Tables(np.asarray(arguments.prices, np.float64))

    def reset(s, i, p, rng):
        s.day[i] = 0

    def step(s, i, action, p, rng):
        s.day[i] += p.window
        over = s.day[i] >= p.closes.shape[0]
        gain = p.closes[-1] if over else p.closes[s.day[i]]
        return gain - p.fee if p.is_long else p.fee - gain, over

    def observe(s, i, p, out):
        out[0] = p.closes[min(int(s.day[i]), p.closes.shape[0] - 1)]


def run(envs):
    found = [envs.reset(seed=0)[0]]
    for _ in range(6):
        found += envs.step(np.zeros(N, np.int64))[:4]
    envs.close()
    return found


def assert_backends_agree(**settings):
    reference = run(batchsim.make_vec(Prices, N, backend="reference", **settings))
    found = run(batchsim.make_vec(Prices, N, **settings))
    for one, other in zip(reference, found, strict=True):
        assert oracle.bits(one) == oracle.bits(other)


def test_a_sweep_over_values_compiles_once(compilations):
    for k in range(100):
        prices = (1.0, 2.0, 5.0, 3.0, 9.0)
        assert_backends_agree(fee=0.1 * k + 0.05, window=2 + k % 3, prices=prices)
    assert len(compilations) == 1


def test_a_sweep_over_lengths_of_tables_compiles_once(compilations):
    rng = np.random.default_rng(0)
    for length in range(1, 101):
        assert_backends_agree(prices=tuple(rng.uniform(1.0, 2.0, length)), window=3)
    assert len(compilations) == 1


def test_defaults_are_compiled_in_also_those_of_an_id(compilations):
    batchsim.make_vec(Prices, N, is_long=True).close()
    batchsim.make_vec(Prices, N, fee=0.5).close()
    assert len(compilations) == 1
    envs = batchsim.make_vec("CliffWalkingSlippery-v1", N)
    assert envs._tile.common == ()
    envs.close()


def test_a_batch_has_the_parameters_of_no_other_environment(opened):
    cart, lake = (
        opened(batchsim.make_vec("CartPole-v1", 2)),
        opened(batchsim.make_vec("FrozenLake-v1", 2)),
    )
    assert cart.gravity == 9.8
    assert not hasattr(lake, "gravity")
    with pytest.raises(AttributeError, match="'BatchEnv' object has no attribute 'gravity'"):
        lake.gravity  # noqa: B018
    lake.gravity = "somebody's own"
    assert (lake.gravity, cart.gravity) == ("somebody's own", 9.8)


def test_no_attribute_of_a_batch_is_looked_up_slowly():
    for name in ("__getattr__", "__getattribute__"):
        assert not any(name in vars(kind) for kind in batchsim.BatchEnv.__mro__[:-1])
