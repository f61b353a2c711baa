"""A snapshot holds everything that decides how a row goes on."""

import copy
import pickle

import numpy as np
import oracle
import pytest
from gymnasium import error

import batchsim

IDS = oracle.ALL_BUT_SLOW


def actions_for(envs: batchsim.BatchEnv, steps: int, seed: int = 0) -> list[np.ndarray]:
    envs.action_space.seed(seed)
    return [envs.action_space.sample() for _ in range(steps)]


def trajectory(envs: batchsim.BatchEnv, actions: list[np.ndarray]) -> list[tuple]:
    return [oracle.bits(envs.step(action)[:4]) for action in actions]


def same_rows(batch) -> bool:
    """Tell whether all rows are the same bit for bit."""
    if isinstance(batch, tuple):
        return all(map(same_rows, batch))
    return all(oracle.bits(row) == oracle.bits(batch[0]) for row in batch)


@pytest.mark.parametrize("id", IDS)
@pytest.mark.parametrize("precision", ["exact", "fast"])
def test_replaying_from_a_snapshot_gives_the_same_bits(id: str, precision: str) -> None:
    envs = batchsim.make_vec(id, 16, precision=precision, max_episode_steps=30)
    envs.reset(seed=5)
    actions = actions_for(envs, 200)
    trajectory(envs, actions[:70])
    state = envs.get_state()
    first = trajectory(envs, actions[70:])
    envs.set_state(state)
    assert trajectory(envs, actions[70:]) == first


@pytest.mark.parametrize("id", IDS)
def test_one_row_branches_into_many(id: str) -> None:
    envs = batchsim.make_vec(id, 8)
    envs.reset(seed=5)
    for action in actions_for(envs, 25):
        envs.step(action)
    observations = envs.set_state(envs.get_state([3] * 8))
    assert same_rows(observations)
    for action in actions_for(envs, 60, seed=1):
        action[:] = action[0]
        assert same_rows(envs.step(action)[:4])


def test_set_state_returns_the_observations_at_the_snapshot() -> None:
    envs = batchsim.make_vec("CartPole-v1", 4)
    envs.reset(seed=1)
    observations = envs.step(np.array([0, 1, 0, 1]))[0]
    state = envs.get_state()
    envs.step(np.array([1, 1, 1, 1]))
    np.testing.assert_array_equal(envs.set_state(state), observations)


def test_a_snapshot_goes_to_another_backend_and_thread_count() -> None:
    source = batchsim.make_vec("CartPole-v1", 6, num_threads=1)
    source.reset(seed=3)
    actions = actions_for(source, 80)
    trajectory(source, actions[:20])
    target = batchsim.make_vec("CartPole-v1", 6, num_threads=2, backend="reference")
    target.set_state(source.get_state())
    assert trajectory(target, actions[20:]) == trajectory(source, actions[20:])


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda envs: pickle.loads(pickle.dumps(envs))])
def test_a_copy_goes_on_like_the_original(copier) -> None:  # type: ignore[no-untyped-def]
    envs = batchsim.make_vec("Pendulum-v1", 5, g=9.81, record_episode_statistics=True)
    envs.reset(seed=3)
    actions = actions_for(envs, 250)
    trajectory(envs, actions[:50])
    twin = copier(envs)
    assert trajectory(twin, actions[50:]) == trajectory(envs, actions[50:])
    assert twin.np_random_seed == envs.np_random_seed


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda envs: pickle.loads(pickle.dumps(envs))])
def test_a_copy_has_the_map_that_was_drawn_for_the_original(copier) -> None:  # type: ignore[no-untyped-def]
    envs = batchsim.make_vec("FrozenLake-v1", 3, map_name=None, backend="reference")
    twin = copier(envs)
    assert (twin.tables["board"] == envs.tables["board"]).all()
    other = batchsim.make_vec("FrozenLake-v1", 3, map_name=None, backend="reference")
    assert (other.tables["board"] != envs.tables["board"]).any()


def test_a_batch_that_was_never_reset_can_be_copied() -> None:
    twin = copy.deepcopy(batchsim.make_vec("CartPole-v1", 2))
    with pytest.raises(error.ResetNeeded, match="before reset"):
        twin.step(np.array([0, 0]))


def test_a_snapshot_that_does_not_fit_changes_nothing() -> None:
    envs = batchsim.make_vec("CartPole-v1", 4)
    envs.reset(seed=1)
    good = envs.get_state()
    bad = {
        "no field 'elapsed'": {k: v for k, v in good.items() if k != "elapsed"},
        "unexpected field 'y'": {**good, "y": np.zeros(4)},
        r"state.x has shape \(3,\)": {**good, "state.x": np.zeros(3)},
        "dtype float32": {**good, "state.x": np.zeros(4, np.float32)},
    }
    for message, state in bad.items():
        with pytest.raises(ValueError, match=message):
            envs.set_state(state)
    with pytest.raises(ValueError, match="env_ids holds 4"):
        envs.get_state([4])
    after = envs.get_state()
    assert all((after[name] == good[name]).all() for name in good)


def test_some_rows_cannot_be_set_before_all_were_reset() -> None:
    source = batchsim.make_vec("CartPole-v1", 4)
    source.reset(seed=1)
    target = batchsim.make_vec("CartPole-v1", 4)
    with pytest.raises(error.ResetNeeded, match="2 of 4 rows"):
        target.set_state(source.get_state([0, 1]), [0, 1])
