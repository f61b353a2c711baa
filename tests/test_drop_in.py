"""Scripts for Gymnasium's environments do the same with batchsim's, whatever their habits."""
# ruff: noqa: N805 - the author's contract: plain functions, whose first argument is the state

import copy
import json
import pickle
import warnings
from typing import NamedTuple

import gymnasium
import numpy as np
import oracle
import pytest
from gymnasium import spaces
from gymnasium.utils.env_match import check_environments_match
from gymnasium.vector import AutoresetMode

import batchsim
from batchsim import registry
from batchsim.batch.infos import StepInfos, final_arrays
from batchsim.batch.spaces import member
from batchsim.batch.vector import BatchEnv

UPSTREAM = [name for name in oracle.ALL_BUT_SLOW if not name.startswith("Ego")]


def same(one, other):
    """Whether two things are alike, types and bits included."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (tuple, list)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray) and one.dtype == object:
        return all(map(same, one, other))
    return oracle.bits(one) == oracle.bits(other)


def alike(one, other):
    """The same, but that a number may be NumPy's."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    return oracle.bits(one) == oracle.bits(other)


# --- Types ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", oracle.ALL_BUT_SLOW)
def test_gymnasiums_own_check_finds_that_environments_match(name):
    one, other = (gymnasium.make(id) for id in (registry.original(name), f"batchsim/{name}"))
    check_environments_match(one, other, 60 if name.startswith("Ego") else 400)
    one.close()
    other.close()


@pytest.mark.parametrize("name", oracle.ALL_BUT_SLOW)
def test_what_one_environment_returns_has_the_originals_types(name, opened):
    theirs = opened(gymnasium.make(registry.original(name)))
    ours = opened(batchsim.make(name))
    theirs.action_space.seed(0)
    assert same(theirs.reset(seed=0), ours.reset(seed=0))
    for _ in range(60):
        action = theirs.action_space.sample()
        expected, found = theirs.step(action), ours.step(action)
        assert same(expected, found)
        json.dumps([value for value in found[4].values() if not isinstance(value, np.ndarray)])
        if found[2] or found[3]:
            assert same(theirs.reset(), ours.reset())


@pytest.mark.parametrize("schedule", [(1, 0, 0), (10, -3.5, -0.1)])
def test_rewards_of_a_lake_are_of_the_schedules_types(schedule, opened):
    settings = {"reward_schedule": schedule, "is_slippery": False}
    theirs = opened(gymnasium.make("FrozenLake-v1", **settings))
    ours = opened(batchsim.make("FrozenLake-v1", **settings))
    for env in (theirs, ours):
        env.reset(seed=0)
    for action in (2, 2, 1, 1, 1, 2):
        assert same(theirs.step(action), ours.step(action))


# --- Infos ----------------------------------------------------------------------------------------


class Pair:
    """Observes a tuple of a number and a dict of an array and a choice."""

    class State(NamedTuple):
        count: np.int32

    ACTION = spaces.Discrete(2)
    OBSERVATION = spaces.Tuple(
        (
            spaces.Discrete(100),
            spaces.Dict({"at": spaces.Box(0, 9, (2,), np.int64), "kind": spaces.Discrete(3)}),
        )
    )

    def reset(s, i, p, rng):
        s.count[i] = 0

    def step(s, i, action, p, rng):
        s.count[i] += 1 + action
        return float(s.count[i]), s.count[i] > 3

    def observe(s, i, p, out):
        out[0][0] = s.count[i]
        out[1].at[0] = s.count[i]
        out[1].at[1] = i % 2
        out[1].kind[0] = s.count[i] % 3


class Original(gymnasium.Env):
    """The same as an object."""

    observation_space = Pair.OBSERVATION
    action_space = Pair.ACTION

    def __init__(self, number):
        self.number = number

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count = 0
        return self.see(), {}

    def step(self, action):
        self.count += 1 + int(action)
        return self.see(), float(self.count), self.count > 3, False, {}

    def see(self):
        at = np.array([self.count, self.number % 2])
        return self.count, {"at": at, "kind": self.count % 3}


def pairs(opened, n=6):
    theirs = gymnasium.vector.SyncVectorEnv(
        [lambda k=k: Original(k) for k in range(n)], autoreset_mode=AutoresetMode.SAME_STEP
    )
    return opened(theirs), opened(batchsim.make_vec(Pair, n, autoreset_mode="SameStep"))


def last_observations(opened, take):
    """`take` the infos of the first step of each in which an episode ends."""
    for envs in pairs(opened):
        envs.reset(seed=0)
        infos = {}
        while "final_obs" not in infos:
            infos = envs.step(np.arange(6) % 2)[4]
        yield take(infos)


@pytest.mark.parametrize(
    "take",
    [
        lambda infos: infos["final_obs"],
        lambda infos: infos.get("final_obs"),
        lambda infos: next(iter(infos.values())),
        lambda infos: dict(infos)["final_obs"],
        lambda infos: {**infos}["final_obs"],
        lambda infos: (infos | {})["final_obs"],
        lambda infos: ({} | infos)["final_obs"],
        lambda infos: infos.copy()["final_obs"],
        lambda infos: copy.copy(infos)["final_obs"],
        lambda infos: copy.deepcopy(infos)["final_obs"],
        lambda infos: pickle.loads(pickle.dumps(infos))["final_obs"],
        lambda infos: infos.pop("final_obs"),
        lambda infos: infos.setdefault("final_obs", 7),
        lambda infos: next(value for key, value in infos.items() if key == "final_obs"),
    ],
)
def test_final_observations_are_by_row_whoever_looks(take, opened):
    expected, found = last_observations(opened, take)
    assert type(found) is np.ndarray
    assert same(expected, found)
    assert found[0] is None
    assert found[1][1]["kind"] == found[1][0] % 3


def test_final_observations_are_arrays_too_and_cost_nothing_if_nobody_looks(opened):
    _, found = last_observations(opened, lambda infos: infos)
    assert isinstance(found, StepInfos)
    numbers, rest = final_arrays(found)
    assert found._space is not None
    assert numbers.shape == (6,)
    assert rest["at"].shape == (6, 2)
    assert [int(n) for n in numbers[found["_final_obs"]]] == [
        row[0] for row in found["final_obs"] if row is not None
    ]
    assert "final_obs" in repr(found)
    assert found == dict(found)


@pytest.mark.parametrize("definition", ["CartPole-v1", Pair])
def test_final_observations_are_arrays_of_infos_put_together_anew_too(definition, opened):
    envs = opened(batchsim.make_vec(definition, 6, autoreset_mode="SameStep"))
    envs.reset(seed=0)
    infos = {}
    while "final_obs" not in infos:
        infos = envs.step(np.arange(6) % 2)[4]
    over = infos["_final_obs"]
    assert not over.all()
    assert [row is not None for row in infos["final_obs"]] == over.tolist()
    space = envs.single_observation_space
    for anew in (dict(infos), type(infos)(infos), type(infos)(**infos)):
        assert anew == dict(infos)
        for row in np.flatnonzero(over):
            one, other = (member(space, final_arrays(of), row) for of in (infos, anew))
            assert same(one, other)


@pytest.mark.parametrize("name", [*UPSTREAM, "EgoBattle-v0"])
@pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.name)
def test_infos_can_be_made_a_list_of_dicts(name, mode, opened):
    lists = []
    original = registry.original(name)
    settings = {"vector_kwargs": {"autoreset_mode": mode}, "vectorization_mode": "sync"}
    for envs in (
        gymnasium.make_vec(original, 3, **settings),
        batchsim.make_vec(name, 3, autoreset_mode=mode),
    ):
        envs = opened(gymnasium.wrappers.vector.DictInfoToList(envs))
        envs.action_space.seed(1)
        found = [envs.reset(seed=1)[1]]
        for _ in range(20 if name.startswith("Ego") else 150):
            _, _, terminated, truncated, infos = envs.step(envs.action_space.sample())
            found.append(infos)
            if mode is AutoresetMode.DISABLED and (terminated | truncated).any():
                envs.reset(options={"reset_mask": terminated | truncated})
        lists.append(found)
    for expected, found in zip(*lists, strict=True):
        for one, other in zip(expected, found, strict=True):
            assert alike(one, other)


# --- Rendering, options, messages -----------------------------------------------------------------


def test_rendering_without_a_mode_warns_and_shows_nothing(opened):
    for make, nothing in ((gymnasium.make, None), (batchsim.make, None)):
        env = opened(make("CartPole-v1"))
        env.reset(seed=0)
        with pytest.warns(UserWarning, match="render"):
            assert env.unwrapped.render() is nothing
    for envs in (
        gymnasium.make_vec("CartPole-v1", 2, vectorization_mode="sync"),
        batchsim.make_vec("CartPole-v1", 2),
    ):
        opened(envs).reset(seed=0)
        with pytest.warns(UserWarning, match="render"):
            assert envs.render() == (None, None)


def test_reset_options_that_mean_nothing_here_change_nothing(opened):
    for make in (gymnasium.make, batchsim.make):
        env = opened(make("FrozenLake-v1"))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert env.reset(seed=0, options={"lov": 1.0})[0] == 0
        if make is batchsim.make:
            assert "no reset option 'lov', which is ignored" in str(caught[-1].message)
    envs = opened(batchsim.make_vec("CartPole-v1", 2))
    with pytest.warns(UserWarning, match=r"'lov' \(did you mean 'low'\?\), which is ignored"):
        found = envs.reset(seed=0, options={"lov": 1.0})[0]
    assert oracle.bits(found) == oracle.bits(envs.reset(seed=0)[0])


def mistakes(env):
    yield lambda: env.step(0)
    env.reset(seed=0)
    yield lambda: env.step(7)
    yield lambda: env.step(np.zeros(3, np.int64))
    yield lambda: env.step("left")
    yield lambda: [env.step(0) for _ in range(501)]
    env.close()
    yield lambda: env.step(0)


def test_one_environment_is_not_spoken_of_as_rows():
    env = batchsim.make("CartPole-v1")
    for mistake in mistakes(env):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - all kinds
            mistake()
        said = str(caught.value)
        assert not {"row", "rows", "mask", "batch", "BatchEnv"} & set(
            said.replace(".", " ").split()
        )
        assert "reset_mask" not in said


def test_unknown_arguments_are_refused_in_pythons_words():
    for make in (batchsim.make, batchsim.make_vec):
        with pytest.raises(TypeError, match="got an unexpected keyword argument 'frameskip'"):
            make("CartPole-v1", frameskip=1)


def test_the_specification_makes_another_one(opened):
    settings = {"gravity": 5.0}
    env = opened(batchsim.make("CartPole-v1", **settings))
    assert env.spec.id == "batchsim/CartPole-v1"
    assert (env.spec.max_episode_steps, env.spec.reward_threshold) == (500, 475.0)
    again = opened(gymnasium.make(env.spec))
    assert again.unwrapped.batch.params["gravity"] == 5.0
    envs = opened(batchsim.make_vec("CartPole-v1", 3, max_episode_steps=20, **settings))
    assert envs.spec.max_episode_steps == 20
    others = opened(gymnasium.make_vec(envs.spec))
    assert (others.num_envs, others.params["gravity"], others.max_episode_steps) == (3, 5.0, 20)
    own = opened(batchsim.make_vec(Pair, 2))
    assert own.spec.id == "batchsim/Pair"
    assert opened(gymnasium.make_vec(own.spec)).num_envs == 2


# --- Subclasses and copies ------------------------------------------------------------------------


class Shaped(BatchEnv):
    """Rewards by a rule of its own, and counts its steps."""

    def __init__(self, *arguments, bonus, **settings):
        super().__init__(*arguments, **settings)
        self.bonus = bonus
        self.steps = [0]
        self.me = self

    def step(self, actions, *, out=None):
        observations, rewards, *rest = super().step(actions, out=out)
        self.steps[0] += 1
        return observations, rewards + self.bonus, *rest


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda envs: pickle.loads(pickle.dumps(envs)),
}


@pytest.mark.parametrize("kind", COPIES)
@pytest.mark.parametrize("reset", [True, False])
def test_copies_are_of_the_class_and_have_what_was_set(kind, reset, opened):
    envs = opened(Shaped("CartPole-v1", 4, bonus=2.5))
    envs.spec = gymnasium.spec("CartPole-v1")
    envs.action_space.seed(3)
    envs.action_space.sample()
    if reset:
        envs.reset(seed=0)
        envs.step(np.ones(4, np.int64))
    twin = opened(COPIES[kind](envs))
    assert type(twin) is Shaped
    assert twin.bonus == 2.5
    assert twin.spec == envs.spec
    assert twin.steps == envs.steps
    assert (twin.steps is envs.steps) is (kind == "copy")
    assert twin.me is (envs if kind == "copy" else twin)
    for _ in range(5):
        assert (twin.action_space.sample() == envs.action_space.sample()).all()
    one, other = envs.reset(seed=5), twin.reset(seed=5)
    assert oracle.bits(one[0]) == oracle.bits(other[0])
    assert twin.step(np.ones(4, np.int64))[1][0] == 3.5


def test_pickles_hold_what_was_set_in_another_process_too(opened, monkeypatch):
    from batchsim.batch import copies

    envs = opened(Shaped("CartPole-v1", 4, bonus=2.5))
    envs.reset(seed=0)
    envs.single_observation_space = spaces.Box(-1.0, 1.0, (4,), np.float32)
    text = pickle.dumps(envs)
    monkeypatch.setattr(copies, "_pickled", {})
    twin = opened(pickle.loads(text))
    assert type(twin) is Shaped
    assert (twin.bonus, twin.me, twin.single_observation_space) == (
        2.5,
        twin,
        envs.single_observation_space,
    )
    actions = np.ones(4, np.int64)
    assert oracle.bits(envs.step(actions)[0]) == oracle.bits(twin.step(actions)[0])


def test_parts_are_of_the_class(opened):
    envs = opened(Shaped("CartPole-v1", 5, bonus=2.5))
    envs.reset(seed=0)
    first, last = envs.split(2)
    assert type(first) is type(last) is Shaped
    assert first.step(np.ones(3, np.int64))[1].tolist() == [3.5] * 3
    assert (first.num_envs, last.num_envs) == (3, 2)


@pytest.mark.parametrize("num_splits", [1, 2])
@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_rollouts_have_the_rewards_of_the_subclass(num_splits, mode, opened):
    torch = pytest.importorskip("torch")
    from batchsim.torch import ActorCritic, Collector

    envs = opened(Shaped("CartPole-v1", 6, bonus=2.5, autoreset_mode=mode))
    policy = ActorCritic(envs.single_observation_space, envs.single_action_space)
    rollout = Collector(envs, policy, steps=30, num_splits=num_splits, seed=0).collect()
    assert set(torch.unique(rollout.rewards).tolist()) <= {2.5, 3.5}
    assert envs.steps == [30]


# --- Actions --------------------------------------------------------------------------------------

CONTINUOUS = ["Pendulum-v1", "MountainCarContinuous-v0"]


@pytest.mark.parametrize("name", CONTINUOUS)
@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("scale", [1.0, 5.0, np.inf])
def test_actions_beyond_the_bounds_do_what_they_do_upstream(name, backend, scale, opened):
    theirs = opened(gymnasium.make_vec(name, 16, vectorization_mode="sync"))
    ours = opened(batchsim.make_vec(name, 16, backend=backend))
    rng = np.random.default_rng(4)
    assert oracle.bits(theirs.reset(seed=1)[0]) == oracle.bits(ours.reset(seed=1)[0])
    for _ in range(250 if backend == "native" else 60):
        actions = rng.choice([-1.0, 0.3, 1.0], (16, 1)).astype(np.float32)
        actions[rng.random(16) < 0.5] *= np.float32(scale)
        if scale == 1.0:
            actions = rng.uniform(-4.0, 4.0, (16, 1)).astype(np.float32)
        for one, other in zip(theirs.step(actions)[:4], ours.step(actions)[:4], strict=True):
            assert oracle.bits(one) == oracle.bits(other)


@pytest.mark.parametrize("settings", [{}, {"clip_actions": True}])
def test_what_is_no_number_is_refused_all_the_same(settings, opened):
    envs = opened(batchsim.make_vec("Pendulum-v1", 3, **settings))
    before = envs.reset(seed=0)[0]
    with pytest.raises(ValueError, match=r"The action of row 1 is .*nan"):
        envs.step(np.array([[0.0], [np.nan], [9.0]], np.float32))
    assert oracle.bits(envs.set_state(envs.get_state())) == oracle.bits(before)


class Push:
    """Does not see to actions beyond its bounds."""

    class State(NamedTuple):
        x: float

    ACTION = spaces.Box(-1.0, 1.0, (1,), np.float32)
    OBSERVATION = spaces.Box(-np.inf, np.inf, (1,), np.float64)

    def reset(s, i, p, rng):
        s.x[i] = 0.0

    def step(s, i, action, p, rng):
        s.x[i] = action[0]
        return 0.0, False

    def observe(s, i, p, out):
        out[0] = s.x[i]


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("value", [1.5, -np.inf, np.nextafter(np.float32(1), 2)])
def test_others_are_refused_or_clipped(backend, value, opened):
    actions = np.array([[0.5], [value], [-0.5]], np.float32)
    envs = opened(batchsim.make_vec(Push, 3, backend=backend))
    envs.reset(seed=0)
    with pytest.raises(ValueError, match=r"row 1 is .*; expected .*clip_actions=True"):
        envs.step(actions)
    clipping = opened(batchsim.make_vec(Push, 3, backend=backend, clip_actions=True))
    clipping.reset(seed=0)
    assert clipping.step(actions)[0].ravel().tolist() == [0.5, np.clip(value, -1.0, 1.0), -0.5]


class Lights:
    """Counts those that are on."""

    class State(NamedTuple):
        on: int

    ACTION = spaces.MultiBinary(3)
    OBSERVATION = spaces.Discrete(4)

    def reset(s, i, p, rng):
        s.on[i] = 0

    def step(s, i, action, p, rng):
        s.on[i] = action[0] + action[1] + action[2]
        return 0.0, False

    def observe(s, i, p, out):
        out[0] = s.on[i]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, bool, np.uint8, np.int64])
def test_zeros_and_ones_of_any_dtype_are_members_of_a_multi_binary(dtype, opened):
    actions = np.array([[0, 1, 1], [1, 0, 0]], dtype)
    assert all(action in Lights.ACTION for action in actions)
    envs = opened(batchsim.make_vec(Lights, 2, backend="reference"))
    envs.reset(seed=0)
    assert envs.step(actions)[0].tolist() == [2, 1]
    env = opened(batchsim.make(Lights, backend="reference"))
    env.reset(seed=0)
    assert env.step(actions[0])[0] == 2
    if dtype is not bool:
        with pytest.raises((TypeError, ValueError), match="expected"):
            envs.step(actions + actions)


def test_only_boxes_are_clipped():
    with pytest.raises(ValueError, match=r"clip_actions is True, but .* are Discrete\(2\)"):
        batchsim.make_vec("CartPole-v1", 2, clip_actions=True)
