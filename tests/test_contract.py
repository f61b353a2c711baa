"""A BatchEnv is a `gymnasium.vector.VectorEnv`, a SingleEnv a `gymnasium.Env`; Gymnasium judges."""

import inspect
import warnings

import gymnasium
import numpy as np
import oracle
import pytest
from gymnasium import wrappers
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper

import batchsim

LIMIT = 13


@pytest.fixture(params=oracle.MODELS)
def name(request):
    return request.param


@pytest.fixture(params=oracle.MODES, ids=lambda mode: mode.value)
def mode(request):
    return request.param


# -- What a VectorEnv has --------------------------------------------------------------------------


@pytest.mark.parametrize("num_envs", [1, 5])
def test_spaces_are_upstreams(opened, name, num_envs):
    ours, theirs = (
        opened(batchsim.make_vec(name, num_envs)),
        opened(oracle.upstream(name, num_envs)),
    )
    for key in (
        "single_observation_space",
        "single_action_space",
        "observation_space",
        "action_space",
    ):
        assert getattr(ours, key) == getattr(theirs, key), key


def test_attributes_are_those_of_a_vector_env(opened, name, mode):
    env = opened(batchsim.make_vec(name, 4, autoreset_mode=mode))
    assert isinstance(env, VectorEnv)
    assert env.unwrapped is env
    assert env.num_envs == 4
    assert env.metadata["autoreset_mode"] is mode
    assert env.render_mode is None
    assert not env.closed
    assert name in repr(env)
    assert "4" in repr(env)


def test_an_autoreset_mode_may_be_given_by_its_value(opened, mode):
    env = opened(batchsim.make_vec("CartPole-v1", 1, autoreset_mode=mode.value))
    assert env.metadata["autoreset_mode"] is mode


def test_signatures_are_those_of_a_vector_env():
    for method in ("reset", "step", "close", "render"):
        ours = inspect.signature(getattr(batchsim.BatchEnv, method)).parameters
        theirs = inspect.signature(getattr(VectorEnv, method)).parameters
        for parameter in theirs:
            assert parameter in ours, f"{method}({parameter})"
        for parameter in ours.keys() - theirs.keys():
            assert ours[parameter].default is not inspect.Parameter.empty


def test_outputs_are_members_of_the_spaces(opened, name):
    env = opened(batchsim.make_vec(name, 6))
    observations, infos = env.reset(seed=3)
    assert observations in env.observation_space
    assert infos == {}
    env.action_space.seed(3)
    for _ in range(30):
        observations, rewards, terminated, truncated, infos = env.step(env.action_space.sample())
        assert observations in env.observation_space
        assert rewards.shape == terminated.shape == truncated.shape == (6,)
        assert rewards.dtype == np.float64
        assert terminated.dtype == truncated.dtype == np.bool_
        assert isinstance(infos, dict)


def test_closing_twice_is_allowed(name):
    env = batchsim.make_vec(name, 2)
    env.reset(seed=0)
    env.close()
    env.close()
    assert env.closed


def test_resetting_without_a_seed_draws_a_new_one_for_each_row(opened, name):
    one, other = (opened(batchsim.make_vec(name, 8)) for _ in range(2))
    first, second = one.reset()[0], other.reset()[0]
    rows = {row.tobytes() for row in np.concatenate([first, second])}
    assert len(rows) == 16
    assert len(set(one.np_random_seed + other.np_random_seed)) == 16


def test_the_seed_of_a_row_that_drew_its_own_repeats_it(opened, name):
    one, other = (opened(batchsim.make_vec(name, 3)) for _ in range(2))
    first = one.reset()[0]
    oracle.assert_same_array(first, other.reset(seed=list(one.np_random_seed))[0], "observations")


@pytest.mark.parametrize("first", ["np_random", "np_random_seed"])
def test_streams_that_are_read_before_the_first_reset_are_seeded_as_upstreams(opened, name, first):
    ours, theirs = opened(batchsim.make_vec(name, 3)), opened(oracle.upstream(name, 3))
    for env in (ours, theirs):
        getattr(env, first)
        seeds = env.np_random_seed
        assert len(set(seeds)) == 3
        for seed, rng in zip(seeds, env.np_random, strict=True):
            expected = np.random.default_rng(seed)
            assert rng.bit_generator.state == expected.bit_generator.state
            assert 0 <= rng.integers(0, 100) < 100
            assert rng.random() != rng.random()
        assert env.np_random_seed == seeds
    # A reset without seeds goes on with these streams.
    ours = opened(batchsim.make_vec(name, 3))
    seeds = list(ours.np_random_seed)
    oracle.assert_same_array(ours.reset()[0], theirs.reset(seed=seeds)[0], "observations")
    oracle.assert_same_streams(theirs, ours)
    assert ours.np_random_seed == theirs.np_random_seed


def test_a_single_environments_stream_is_seeded_when_it_is_first_read(opened, name):
    ours, theirs = opened(batchsim.make(name)), opened(gymnasium.make(name)).unwrapped
    for env in (ours, theirs):
        assert env._np_random is None  # where Gymnasium's checker looks
        state = env.np_random.bit_generator.state
        assert state == np.random.default_rng(env.np_random_seed).bit_generator.state
        assert env._np_random is not None
    first = ours.reset()[0]
    assert oracle.bits(first) == oracle.bits(theirs.reset(seed=ours.np_random_seed)[0])


def test_parameters_differing_by_row_widen_the_batched_observation_space(opened):
    thresholds = np.array([1.0, 3.0])
    env = opened(batchsim.make_vec("CartPole-v1", 2, backend="reference", x_threshold=thresholds))
    assert env.observation_space.high[:, 0].tolist() == [2.0, 6.0]


# -- Made by Gymnasium -----------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["batchsim:batchsim/", "batchsim/"])
def test_gymnasium_makes_a_batch_env(opened, name, prefix):
    env = opened(gymnasium.make_vec(f"{prefix}{name}", num_envs=8))
    theirs = opened(oracle.upstream(name, 8))
    assert isinstance(env, batchsim.BatchEnv)
    assert env.num_envs == 8
    assert env.spec.id == f"batchsim/{name}"
    assert env.max_episode_steps == theirs.envs[0].spec.max_episode_steps
    oracle.assert_same_reset(theirs.reset(seed=1), env.reset(seed=1))
    actions = oracle.Actions(env)
    for _ in range(30):
        batch = actions()
        oracle.assert_same_step(theirs.step(batch), env.step(batch))


def test_gymnasium_passes_keyword_arguments_on(opened):
    env = opened(
        gymnasium.make_vec(
            "batchsim/CartPole-v1",
            num_envs=2,
            autoreset_mode="SameStep",
            precision="fast",
            max_episode_steps=9,
            num_threads=1,
        )
    )
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert (env.precision, env.max_episode_steps, env.num_threads) == ("fast", 9, 1)
    single = opened(gymnasium.make("batchsim/Pendulum-v1", g=9.81, backend="reference"))
    theirs = opened(gymnasium.make("Pendulum-v1", g=9.81))
    action = np.array([0.5], np.float32)
    for made in (single, theirs):
        made.reset(seed=1)
    assert oracle.bits(theirs.step(action)[0]) == oracle.bits(single.step(action)[0])


@pytest.mark.parametrize("vectorization_mode", ["sync", "async"])
def test_gymnasium_vectorises_single_envs_too(opened, vectorization_mode):
    ours = opened(
        gymnasium.make_vec(
            "batchsim/CartPole-v1", num_envs=3, vectorization_mode=vectorization_mode
        )
    )
    pair = oracle.SideBySide(oracle.upstream("CartPole-v1", 3), {"single": (ours, oracle.step)})
    opened(pair.reference)
    pair.reset(seed=4)
    pair.run(60, oracle.Actions(ours))


def test_the_thresholds_of_a_spec_are_upstreams(name):
    ours, theirs = gymnasium.spec(f"batchsim/{name}"), gymnasium.spec(name)
    assert ours.max_episode_steps == theirs.max_episode_steps
    assert ours.reward_threshold == theirs.reward_threshold
    assert batchsim.environments() == sorted(
        [*oracle.IDS, *oracle.OWN, *oracle.GRIDS, *oracle.GAMES, *oracle.BOXES]
    )


# -- A single environment --------------------------------------------------------------------------


def single_step(env, action):
    """A step's results with types that must agree, too."""
    observation, reward, terminated, truncated, info = env.step(action)
    assert type(terminated) is bool
    assert type(truncated) is bool
    return oracle.bits(observation), float(reward), terminated, truncated, info


@pytest.mark.parametrize("maker", ["batchsim.make", "gymnasium.make"])
def test_a_single_environment_has_upstreams_bits(opened, name, maker):
    theirs = opened(gymnasium.make(name))
    if maker == "batchsim.make":
        ours = opened(batchsim.make(name))
    else:
        ours = opened(gymnasium.make(f"batchsim/{name}"))
    assert (ours.observation_space, ours.action_space) == (
        theirs.observation_space,
        theirs.action_space,
    )
    ours.action_space.seed(0)
    seed = 11
    for _ in range(6):
        expected, found = theirs.reset(seed=seed), ours.reset(seed=seed)
        assert (oracle.bits(expected[0]), expected[1]) == (oracle.bits(found[0]), found[1])
        assert theirs.unwrapped.np_random_seed == ours.unwrapped.np_random_seed
        seed = None
        over = False
        while not over:
            action = ours.action_space.sample()
            expected, found = single_step(theirs, action), single_step(ours, action)
            assert expected == found
            over = expected[2] or expected[3]
    assert (
        theirs.unwrapped.np_random.bit_generator.state["state"]
        == ours.unwrapped.np_random.bit_generator.state["state"]
    )


def test_a_single_environment_takes_upstreams_options(opened, name):
    for options in oracle.OPTIONS.get(name, []):
        theirs, ours = opened(gymnasium.make(name)), opened(batchsim.make(name))
        expected, found = (env.reset(seed=2, options=options)[0] for env in (theirs, ours))
        assert oracle.bits(expected) == oracle.bits(found)


@pytest.mark.parametrize("when", ["before the first reset", "after a reset"])
def test_a_generator_set_from_outside_is_used_as_upstream_uses_it(opened, name, when):
    theirs, ours = opened(gymnasium.make(name)).unwrapped, opened(batchsim.make(name)).unwrapped
    observations = []
    for env in (theirs, ours):
        if when == "after a reset":
            env.reset(seed=1)
        env.np_random = np.random.default_rng(99)
        observations.append(oracle.bits(env.reset()[0]))
    assert observations[0] == observations[1]


@pytest.mark.filterwarnings("ignore:.*WARN")  # what is said of upstream's own spaces
def test_gymnasiums_checker_accepts_a_single_environment(opened, name):
    check_env(opened(batchsim.make(name)), skip_render_check=True)


@pytest.mark.filterwarnings("ignore:.*WARN")
def test_the_checker_says_no_more_than_of_upstream(opened, name):
    said = []
    for env in (gymnasium.make(name).unwrapped, batchsim.make(name)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            check_env(opened(env), skip_render_check=True)
        # Upstream warns of a missing spec or not; ours is made without one.
        said.append({str(w.message) for w in caught if "spec" not in str(w.message)})
    assert said[1] <= said[0]


# -- Gymnasium's wrappers --------------------------------------------------------------------------


class Copying(VectorWrapper):
    """Passes a copy of the reset options on.

    SyncVectorEnv takes the mask out of the caller's dict, and RecordEpisodeStatistics around it
    then believes that all rows were reset.
    """

    def reset(self, *, seed=None, options=None):
        return self.env.reset(seed=seed, options=dict(options) if options else options)


def assert_same(expected, found, where):
    """Compare nested results: arrays and tensors bit for bit, final observations where masked."""
    assert type(expected) is type(found), f"{where}: {type(found)}, not {type(expected)}"
    if isinstance(expected, dict):
        assert expected.keys() == found.keys(), where
        for key in expected:
            assert_same(expected[key], found[key], f"{where}, {key}")
    elif isinstance(expected, (tuple, list)):
        assert len(expected) == len(found), where
        for k, (one, other) in enumerate(zip(expected, found, strict=True)):
            assert_same(one, other, f"{where}, {k}")
    elif isinstance(expected, np.ndarray):
        oracle.assert_same_array(expected, found, where)
    elif hasattr(expected, "numpy"):
        oracle.assert_same_array(expected.numpy(), found.numpy(), where)
    else:
        assert expected == found, where


def doubled(x):
    return x * 2


VECTOR = wrappers.vector
WRAPPERS = {
    "RecordEpisodeStatistics": lambda env: VECTOR.RecordEpisodeStatistics(env),
    "NormalizeObservation": lambda env: VECTOR.NormalizeObservation(env),
    "NormalizeReward": lambda env: VECTOR.NormalizeReward(env),
    "ClipReward": lambda env: VECTOR.ClipReward(env, -0.5, 0.75),
    "TransformReward": lambda env: VECTOR.TransformReward(env, doubled),
    "DictInfoToList": lambda env: VECTOR.DictInfoToList(env),
    "FlattenObservation": lambda env: VECTOR.FlattenObservation(env),
    "ReshapeObservation": lambda env: VECTOR.ReshapeObservation(
        env, (1, *env.single_observation_space.shape)
    ),
    "DtypeObservation": lambda env: VECTOR.DtypeObservation(env, np.float64),
    "TransformObservation": lambda env: VECTOR.TransformObservation(
        env, doubled, env.observation_space, env.single_observation_space
    ),
    "VectorizeTransformObservation": lambda env: VECTOR.VectorizeTransformObservation(
        env, wrappers.TransformObservation, func=doubled, observation_space=None
    ),
    "ClipAction": lambda env: VECTOR.ClipAction(env),
    "RescaleAction": lambda env: VECTOR.RescaleAction(env, -1.0, 1.0),
    "RescaleObservation": lambda env: VECTOR.RescaleObservation(env, -1.0, 1.0),
    "NumpyToTorch": lambda env: VECTOR.NumpyToTorch(env),
    "several": lambda env: VECTOR.NormalizeReward(
        VECTOR.NormalizeObservation(
            VECTOR.ClipReward(VECTOR.RecordEpisodeStatistics(env), -1.0, 0.5)
        )
    ),
}
NEED_A_BOX = {"ClipAction", "RescaleAction"}
NEED_BOUNDS = {"RescaleObservation"}  # of the observations


def without_times(results):
    """Leave the durations of episodes out: the only values that differ between two runs."""
    for info in results[-1] if isinstance(results[-1], list) else [results[-1]]:
        for statistics in (info.get("episode"), info.get("_episode")):
            if isinstance(statistics, dict):
                statistics.pop("t", None)
                statistics.pop("_t", None)
    return results


@pytest.mark.filterwarnings("ignore:overflow encountered in cast", "ignore:.*precision lowered")
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_gymnasiums_vector_wrappers_do_the_same_over_a_batch_env(opened, name, wrapper):
    if wrapper == "NumpyToTorch":
        pytest.importorskip("torch")
        pytest.importorskip("array_api_compat")
    n = 5
    theirs, ours = (
        Copying(opened(oracle.upstream(name, n, max_episode_steps=LIMIT))),
        opened(batchsim.make_vec(name, n, max_episode_steps=LIMIT)),
    )
    if wrapper in NEED_A_BOX and not isinstance(ours.single_action_space, gymnasium.spaces.Box):
        pytest.skip("not for a Discrete action space")
    if wrapper in NEED_BOUNDS and not np.isfinite(ours.single_observation_space.high).all():
        pytest.skip("not for an unbounded observation space")
    theirs, ours = WRAPPERS[wrapper](theirs), WRAPPERS[wrapper](ours)
    assert theirs.observation_space == ours.observation_space
    assert theirs.action_space == ours.action_space
    actions = oracle.Actions(opened(batchsim.make_vec(name, n)))
    scale = {"ClipAction": 2, "RescaleAction": 0.5}.get(wrapper, 1)
    held = []
    for t in range(70):
        if t % 50 == 0:
            assert_same(theirs.reset(seed=t), ours.reset(seed=t), f"reset {t}")
        batch = actions()
        if scale != 1:
            batch *= np.float32(scale)
        if wrapper == "NumpyToTorch":
            import torch

            batch = torch.from_numpy(batch)
        expected, found = without_times(theirs.step(batch)), without_times(ours.step(batch))
        assert_same(expected, found, f"step {t}")
        held.append((expected, found))
    for t, (expected, found) in enumerate(held):
        assert_same(expected, found, f"step {t}, held until the end")


def test_infos_become_upstreams_list_with_same_step_autoreset(opened, name):
    settings = {"max_episode_steps": LIMIT}
    theirs = opened(oracle.upstream(name, 4, AutoresetMode.SAME_STEP, **settings))
    ours = opened(batchsim.make_vec(name, 4, autoreset_mode="SameStep", **settings))
    theirs, ours = VECTOR.DictInfoToList(theirs), VECTOR.DictInfoToList(ours)
    actions = oracle.Actions(ours)
    theirs.reset(seed=0)
    ours.reset(seed=0)
    for t in range(40):
        batch = actions()
        assert_same(theirs.step(batch)[4], ours.step(batch)[4], f"step {t}")


# -- Episode statistics ----------------------------------------------------------------------------


def assert_same_statistics(expected, found, where):
    """Assert equal returns and lengths, durations not negative, nothing outside the mask."""
    assert ("episode" in expected) == ("episode" in found), where
    assert set(expected) == set(found), where
    if "episode" not in expected:
        return 0
    mask = expected["_episode"]
    oracle.assert_same_array(mask, found["_episode"], where)
    assert set(found["episode"]) == {"r", "l", "t"}
    for key in ("r", "l"):
        oracle.assert_same_array(expected["episode"][key], found["episode"][key], where)
    durations = found["episode"]["t"]
    assert durations.dtype == np.float64
    assert (durations[~mask] == 0).all(), where
    assert (durations >= 0).all(), where
    assert (durations < 60).all(), where
    return int(mask.sum())


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_recorded_statistics_equal_those_of_upstreams_wrapper(opened, name, mode, backend):
    if backend == "native" and mode is AutoresetMode.DISABLED and name != oracle.MODELS[0]:
        backend = "reference"  # spares the seconds that another kernel takes
    n = 9
    upstream = oracle.upstream(name, n, mode, max_episode_steps=LIMIT)
    theirs = opened(VECTOR.RecordEpisodeStatistics(Copying(upstream)))
    ours = opened(
        batchsim.make_vec(
            name,
            n,
            autoreset_mode=mode,
            backend=backend,
            max_episode_steps=LIMIT,
            record_episode_statistics=True,
        )
    )
    actions = oracle.Actions(ours)
    rng = np.random.default_rng(0)
    over = np.zeros(n, np.bool_)
    episodes = 0
    for t in range(90):
        mask = over.copy() if mode is AutoresetMode.DISABLED else np.zeros(n, np.bool_)
        if t in (20, 21, 47):
            mask |= rng.random(n) < 0.4  # in mid-episode
        if t in (0, 60):
            theirs.reset(seed=t)
            ours.reset(seed=t)
        elif mask.any():
            for env in (theirs, ours):
                env.reset(options={"reset_mask": mask.copy()})
        batch = actions()
        expected, found = theirs.step(batch), ours.step(batch)
        oracle.assert_same_array(expected[0], found[0], f"step {t}: observations")
        episodes += assert_same_statistics(expected[4], found[4], f"step {t}")
        over = expected[2] | expected[3]
    assert episodes > 4 * n


def test_recorded_statistics_are_the_same_on_several_threads(opened, name):
    kwargs = {"record_episode_statistics": True, "max_episode_steps": LIMIT}
    one, two = (opened(batchsim.make_vec(name, 700, num_threads=k, **kwargs)) for k in (1, 2))
    actions = oracle.Actions(one)
    one.reset(seed=0)
    two.reset(seed=0)
    for t in range(40):
        batch = actions()
        expected, found = one.step(batch), oracle.send_and_receive(two, batch)
        assert_same_statistics(expected[4], found[4], f"step {t}")


def test_a_duration_is_the_time_since_the_episode_began(opened):
    import time

    env = opened(
        batchsim.make_vec("CartPole-v1", 2, max_episode_steps=2, record_episode_statistics=True)
    )
    actions = np.zeros(2, np.int64)
    start = time.perf_counter()
    env.reset(seed=0)
    for wait in (0.05, 0.1):
        env.step(actions)
        time.sleep(wait)
        durations = env.step(actions)[4]["episode"]["t"]
        assert (durations >= wait).all()
        assert (durations <= time.perf_counter() - start).all()
        start = time.perf_counter()
        env.step(actions)  # the reset: a new episode begins
