"""A snapshot holds everything that decides how a row goes on."""

import copy
import os
import pickle
import subprocess
import sys

import numpy as np
import oracle
import pytest
from gymnasium import error

import batchsim
from batchsim.batch import copies
from batchsim.compiler.layouts import flatten

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


def unpickled_elsewhere(envs: batchsim.BatchEnv) -> batchsim.BatchEnv:
    """Return what another process would make of its pickle."""
    data = pickle.dumps(envs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copies, "_pickled", {})
        return pickle.loads(data)


COPIERS = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda envs: pickle.loads(pickle.dumps(envs)),
    "pickle elsewhere": unpickled_elsewhere,
}
every_copier = pytest.mark.parametrize("copier", COPIERS.values(), ids=COPIERS)


@every_copier
@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_a_copy_goes_on_like_the_original(copier, mode: str) -> None:  # type: ignore[no-untyped-def]
    settings = {"record_episode_statistics": True, "autoreset_mode": mode, "frame_stack": 2}
    envs = batchsim.make_vec("Pendulum-v1", 5, g=np.linspace(9.0, 11.0, 5), **settings)
    envs.reset(seed=3)
    actions = actions_for(envs, 250)
    trajectory(envs, actions[:50])
    twin = copier(envs)
    assert twin.np_random_seed == envs.np_random_seed
    oracle.assert_same_streams(envs, twin)
    expected = trajectory(envs, actions[50:])
    assert trajectory(twin, actions[50:]) == expected


@every_copier
def test_a_copy_refuses_to_step_rows_that_are_over_as_the_original_does(copier) -> None:  # type: ignore[no-untyped-def]
    envs = batchsim.make_vec("Pendulum-v1", 3, autoreset_mode="Disabled", max_episode_steps=2)
    envs.reset(seed=3)
    for _ in range(2):
        envs.step(np.zeros((3, 1), np.float32))
    with pytest.raises(error.ResetNeeded, match="row 0 is over"):
        copier(envs).step(np.zeros((3, 1), np.float32))


@every_copier
def test_a_copy_shares_nothing_that_changes(copier) -> None:  # type: ignore[no-untyped-def]
    envs = batchsim.make_vec("Pendulum-v1", 3, g=np.linspace(9.0, 11.0, 3))
    envs.reset(seed=3)
    twin = copier(envs)
    arrays = zip(flatten(envs._tile), flatten(twin._tile), strict=True)
    assert not any(np.shares_memory(one, other) for one, other in arrays)
    assert not envs.params["g"].flags.writeable
    for name in ("observation", "action", "single_observation", "single_action"):
        one, other = (getattr(batch, f"{name}_space") for batch in (envs, twin))
        assert one == other
        one.seed(0)
        other.seed(1)
        assert (one.sample() != other.sample()).any()
    before = oracle.bits(envs.get_state()["state.theta"])
    twin.step(np.zeros((3, 1), np.float32))
    twin.close()
    assert oracle.bits(envs.get_state()["state.theta"]) == before
    envs.step(np.zeros((3, 1), np.float32))


@every_copier
def test_a_batch_that_is_closed_or_at_work_cannot_be_copied(copier) -> None:  # type: ignore[no-untyped-def]
    envs = batchsim.make_vec("Pendulum-v1", 3)
    envs.reset(seed=3)
    envs.send(np.zeros((3, 1), np.float32))
    with pytest.raises(error.AlreadyPendingCallError, match=r"call recv\(\) first"):
        copier(envs)
    envs.recv()
    envs.close()
    with pytest.raises(error.ClosedEnvironmentError, match="is closed; make a new"):
        copier(envs)


def test_a_pickle_outlives_its_batch_and_its_process() -> None:
    envs = batchsim.make_vec("Pendulum-v1", 3, backend="reference")
    envs.reset(seed=3)
    data = pickle.dumps(envs)
    expected = oracle.bits(envs.step(np.zeros((3, 1), np.float32))[0])
    del envs
    code = "import pickle, sys, numpy as np; envs = pickle.load(sys.stdin.buffer);"
    code += "sys.stdout.buffer.write(envs.step(np.zeros((3, 1), np.float32))[0].tobytes())"
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    found = subprocess.run(
        [sys.executable, "-c", code],
        input=data,
        env={**os.environ, **paths},
        stdout=subprocess.PIPE,
        check=True,
        timeout=240,
    ).stdout
    here = pickle.loads(data).step(np.zeros((3, 1), np.float32))[0]
    assert oracle.bits(here) == expected
    assert found == here.tobytes()


@every_copier
def test_a_copy_has_the_map_that_was_drawn_for_the_original(copier) -> None:  # type: ignore[no-untyped-def]
    envs = batchsim.make_vec("FrozenLake-v1", 3, map_name=None, backend="reference")
    twin = copier(envs)
    assert (twin.tables["board"] == envs.tables["board"]).all()
    other = batchsim.make_vec("FrozenLake-v1", 3, map_name=None, backend="reference")
    assert (other.tables["board"] != envs.tables["board"]).any()


@every_copier
def test_a_batch_that_was_never_reset_can_be_copied(copier) -> None:  # type: ignore[no-untyped-def]
    envs = batchsim.make_vec("CartPole-v1", 2)
    twin = copier(envs)
    with pytest.raises(error.ResetNeeded, match="before reset"):
        twin.step(np.array([0, 0]))
    # No stream has been started yet: each of the two draws seeds of its own.
    assert not set(envs.np_random_seed) & set(twin.np_random_seed)


@every_copier
def test_a_copy_has_the_streams_that_were_read_or_set_before_the_first_reset(copier) -> None:  # type: ignore[no-untyped-def]
    envs = batchsim.make_vec("CartPole-v1", 3)
    envs.set_np_random(1, np.random.default_rng(7), 7)
    assert envs.np_random_seed[1] == 7
    twin = copier(envs)
    assert twin.np_random_seed == envs.np_random_seed
    oracle.assert_same_streams(envs, twin)
    oracle.assert_same_reset(envs.reset(), twin.reset())


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
