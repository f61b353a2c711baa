"""The per-object environments that batchsim brings along are what its batches are, bit for bit."""

import inspect

import gymnasium
import numpy as np
import oracle
import pytest
from gymnasium.utils.env_checker import check_env

import batchsim
from batchsim import registry
from batchsim.baselines.egocentric.environment import Egocentric, OnMaps
from batchsim.envs.egocentric import view
from batchsim.registry import ENVIRONMENTS

IDS = [name for name, entry in ENVIRONMENTS.items() if entry.baseline is not None]
SMALL = {"width": 32, "height": 18}  # as in the other tests of these ids: each size is a kernel
ALL_AT_ONCE = {
    "width": 33,
    "height": 19,
    "fov": 75.0,
    "frame_skip": 3,
    "sticky": 0.25,
    "channels_first": True,
}
VARIANTS = [
    {"sticky": 0.4},
    {"frame_skip": 1},
    {"frame_skip": 7},
    {"grayscale": True},
    {"channels_first": True},
    {"grayscale": True, "channels_first": True},
    {"width": 21, "height": 15},
    {"width": 9, "height": 24},
    {"width": 1, "height": 1},
    {"fov": 40.0},
    {"fov": 150.0},
]

WITH_LAYOUT = [
    "EgoMyWayHome-v0",
    "EgoHealthGathering-v0",
    "EgoHealthGatheringSupreme-v0",
    "EgoBattle-v0",
]
LAYOUT = [
    "##########",
    "#P...M..P#",
    "#....M...#",
    "#V.......#",
    "#SSS.WWW.#",
    "#.......V#",
    "##########",
]

each = pytest.mark.parametrize("id", IDS)


@pytest.fixture
def beside():
    """The per-object environments beside one BatchEnv, closed at the end."""
    made = []

    def make(id, num_envs, mode=oracle.MODES[0], backend="native", **kwargs):
        batch = batchsim.make_vec(id, num_envs, autoreset_mode=mode, backend=backend, **kwargs)
        reference = oracle.upstream(id, num_envs, mode, **kwargs)
        made.append(oracle.SideBySide(reference, {backend: (batch, oracle.step)}))
        return made[-1]

    yield make
    for pair in made:
        pair.close()


@each
def test_a_batch_has_the_baselines_bits(beside, id):
    pair = beside(id, 5, max_episode_steps=90, **SMALL)
    pair.reset(seed=3)
    pair.run(300, oracle.Actions(pair.reference, seed=1))
    pair.compare_streams()
    assert pair.episodes >= 15


@pytest.mark.parametrize("mode", oracle.MODES, ids=lambda mode: mode.value)
def test_every_autoreset_mode_has_the_baselines_bits(beside, mode):
    pair = beside("EgoDefendTheCenter-v0", 5, mode, max_episode_steps=30, **SMALL)
    pair.reset(seed=8)
    pair.run(150, oracle.Actions(pair.reference, seed=2))
    pair.compare_streams()
    assert pair.episodes >= 20


def test_pictures_of_full_size_and_the_ids_own_time_limit_have_the_baselines_bits(beside):
    pair = beside("EgoBattle-v0", 2)
    pair.reset(seed=11)
    pair.run(560, oracle.Actions(pair.reference, seed=3))
    assert pair.episodes >= 2


def test_all_arguments_at_once_have_the_baselines_bits(beside):
    pair = beside("EgoBattle-v0", 5, max_episode_steps=60, **ALL_AT_ONCE)
    pair.reset(seed=2)
    pair.run(200, oracle.Actions(pair.reference, seed=4))
    pair.compare_streams()


@pytest.mark.parametrize("kwargs", VARIANTS, ids=str)
@pytest.mark.parametrize("id", ["EgoBattle-v0", "EgoDeadlyCorridor-v0"])
def test_each_argument_has_the_baselines_bits(beside, id, kwargs):
    # In plain Python: a kernel for each of these would take seconds to compile.
    small = {"width": 16, "height": 10, **kwargs}
    pair = beside(id, 2, backend="reference", max_episode_steps=20, **small)
    pair.reset(seed=6)
    pair.run(30, oracle.Actions(pair.reference, seed=5))
    pair.compare_streams()


@each
def test_a_baseline_is_a_gymnasium_environment_with_the_ids_spaces_and_limits(opened, id):
    env = opened(gymnasium.make(registry.original(id), **SMALL))
    batch = opened(batchsim.make_vec(id, 1, backend="reference", **SMALL))
    assert env.observation_space == batch.single_observation_space
    assert env.action_space == batch.single_action_space
    assert env.spec.max_episode_steps == ENVIRONMENTS[id].max_episode_steps
    assert env.spec.reward_threshold == ENVIRONMENTS[id].reward_threshold
    check_env(env.unwrapped, skip_render_check=True)


@each
def test_a_baseline_takes_the_same_arguments_with_the_same_defaults(id):
    env = gymnasium.make(registry.original(id)).unwrapped
    arguments = inspect.signature(Egocentric.__init__).parameters
    given = {name: one.default for name, one in arguments.items() if name != "self"}
    # Depth, labels and the status bar are what batches offer besides.
    assert given.items() <= view.Params()._asdict().items()
    assert isinstance(env, OnMaps) == bool(registry.load(id).arguments)


@pytest.mark.parametrize(
    "kwargs", [{"width": 0}, {"height": 641}, {"fov": 5.0}, {"sticky": 1.0}, {"frame_skip": 0}]
)
def test_a_baseline_refuses_what_a_batch_refuses_in_the_same_words(kwargs):
    with pytest.raises(ValueError, match=next(iter(kwargs))) as theirs:
        gymnasium.make("batchsim-baseline/EgoBasic-v0", **kwargs)
    with pytest.raises(ValueError, match="expected") as ours:
        batchsim.make_vec("EgoBasic-v0", 1, **kwargs)
    assert str(ours.value).endswith(str(theirs.value))


@pytest.mark.parametrize("id", WITH_LAYOUT)
def test_on_a_callers_map_a_batch_has_the_baselines_bits(beside, id):
    layout = LAYOUT if id == "EgoMyWayHome-v0" else [row.replace("V", ".") for row in LAYOUT]
    pair = beside(id, 5, layout=layout, max_episode_steps=40, **SMALL)
    pair.reset(seed=11)
    pair.run(150, oracle.Actions(pair.reference, seed=4))
    pair.compare_streams()
    assert pair.episodes >= 15


def test_a_baseline_refuses_a_map_that_a_batch_refuses_in_the_same_words():
    layout = ["#####", "#P#V#", "#####"]
    with pytest.raises(ValueError, match="no way") as theirs:
        gymnasium.make("batchsim-baseline/EgoMyWayHome-v0", layout=layout)
    with pytest.raises(ValueError, match="no way") as ours:
        batchsim.make_vec("EgoMyWayHome-v0", 1, layout=layout)
    assert str(ours.value) == str(theirs.value)


def test_held_buttons_are_not_those_that_the_caller_writes_later():
    """With sticky actions a step may repeat an action whose array has been used again."""
    kwargs = {**SMALL, "sticky": 0.7}
    one, other = (gymnasium.make("batchsim-baseline/EgoBattle-v0", **kwargs) for _ in range(2))
    one.reset(seed=0)
    other.reset(seed=0)
    one.action_space.seed(0)
    action = one.action_space.sample()
    for _ in range(40):
        action[:] = one.action_space.sample()
        expected = other.step(action.copy())
        found = one.step(action)
        action[:] = 0
        assert np.array_equal(found[0], expected[0])
        if expected[2]:
            break


def test_the_original_of_an_id_is_gymnasiums_own_or_the_one_brought_along():
    assert [registry.original(name) for name in oracle.IDS] == oracle.IDS
    assert [registry.original(name) for name in IDS] == [f"batchsim-baseline/{id}" for id in IDS]
    assert registry.original("batchsim/CartPole-v1") == "CartPole-v1"
    assert sorted(IDS) == oracle.OWN
    for name in oracle.IDS + IDS:
        assert registry.original(name) in gymnasium.registry


def test_an_id_without_a_per_object_environment_is_named(monkeypatch):
    from batchsim.envs.classic_control import cartpole

    entry = registry.Entry(cartpole, max_episode_steps=5)
    monkeypatch.setitem(registry._entries, "Mine-v0", entry)
    message = "Mine-v0 has no per-object environment to be compared with; expected one that is"
    with pytest.raises(ValueError, match=message):
        registry.original("Mine-v0")
    # As soon as Gymnasium has one of this id, that is it.
    monkeypatch.setitem(gymnasium.registry, "Mine-v0", gymnasium.spec("CartPole-v1"))
    assert registry.original("Mine-v0") == "Mine-v0"
