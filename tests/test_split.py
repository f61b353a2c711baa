"""Parts of a batch: they share its rows, and together they do what the whole would have done."""

import numpy as np
import oracle
import pytest
from gymnasium.error import ResetNeeded

import batchsim

MODES = ["NextStep", "SameStep"]


def joined(parts):
    """The arrays of several parts, one below the other, nested as each is."""
    if isinstance(parts[0], tuple):
        return tuple(joined(leaf) for leaf in zip(*parts, strict=True))
    if isinstance(parts[0], dict):
        return {key: joined([part[key] for part in parts]) for key in parts[0]}
    return np.concatenate(parts)


def cut(actions, sizes):
    return np.split(actions, np.cumsum(sizes)[:-1])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", oracle.ALL_BUT_SLOW)
def test_parts_do_what_the_whole_does(name, mode):
    whole, other = (batchsim.make_vec(name, 7, autoreset_mode=mode) for _ in range(2))
    whole.reset(seed=1)
    other.reset(seed=1)
    parts = other.split(3)
    assert [part.num_envs for part in parts] == [3, 2, 2]
    actions = oracle.Actions(whole)
    for _ in range(300):
        batch = actions()
        expected = whole.step(batch)
        for part, some in zip(parts, cut(batch, [3, 2, 2]), strict=True):
            part.send(some)
        found = joined([part.recv()[:4] for part in parts])
        for left, right in zip(oracle_arrays(found), oracle_arrays(expected[:4]), strict=True):
            assert left.tobytes() == right.tobytes()
    state, expected = other.get_state(), whole.get_state()
    for field in expected:
        assert (state[field] == expected[field]).all()


def oracle_arrays(nested):
    if isinstance(nested, (tuple, dict)):
        members = nested.values() if isinstance(nested, dict) else nested
        return [array for member in members for array in oracle_arrays(member)]
    return [nested]


def test_what_a_part_does_the_whole_goes_on_from():
    whole, other = (batchsim.make_vec("CartPole-v1", 6) for _ in range(2))
    whole.reset(seed=3)
    other.reset(seed=3)
    batch = np.ones(6, np.int64)
    for part in other.split(2):
        part.step(batch[:3])
    whole.step(batch)
    np.testing.assert_array_equal(other.step(batch)[0], whole.step(batch)[0])


def test_parts_have_their_rows_parameters():
    length = np.linspace(0.3, 1.5, 5)
    whole, other = (batchsim.make_vec("CartPole-v1", 5, length=length) for _ in range(2))
    whole.reset(seed=3)
    other.reset(seed=3)
    batch = np.zeros(5, np.int64)
    found = joined([part.step(batch[: part.num_envs])[0] for part in other.split(2)])
    np.testing.assert_array_equal(found, whole.step(batch)[0])
    np.testing.assert_array_equal(other.split(2)[1].params["length"], length[3:])


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_a_part_has_the_spaces_and_settings_of_its_size(backend):
    envs = batchsim.make_vec("Pendulum-v1", 5, backend=backend, checked=True)
    envs.reset(seed=0)
    part = envs.split(2)[1]
    assert part.observation_space.shape == (2, 3)
    assert part.action_space.shape == (2, 1)
    assert (part.backend, part.checked, part.num_envs) == (backend, True, 2)
    assert part.np_random_seed == envs.np_random_seed[3:]
    part.step(np.zeros((2, 1), np.float32))
    with pytest.raises(ValueError, match=r"^The actions have shape \(5, 1\); expected \(2, 1\)"):
        part.step(np.zeros((5, 1), np.float32))


def test_a_part_takes_outputs_of_its_size():
    envs = batchsim.make_vec("CartPole-v1", 4)
    envs.reset(seed=0)
    storage = np.zeros((4, 4), np.float32)
    rewards, terminated, truncated = np.zeros(4), np.zeros(4, bool), np.zeros(4, bool)
    for part, rows in zip(envs.split(2), (slice(0, 2), slice(2, 4)), strict=True):
        out = storage[rows], rewards[rows], terminated[rows], truncated[rows]
        assert part.step(np.zeros(2, np.int64), out=out)[0] is out[0]
    assert (storage != 0).all()
    assert (rewards == 1).all()


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        (0, ValueError, "parts is 0; expected a whole number of at least 1."),
        (2.0, TypeError, "parts is 2.0; expected a whole number of at least 1."),
        (4, ValueError, "parts is 4; expected at most num_envs, 3."),
    ],
)
def test_a_wrong_number_of_parts_is_refused(parts, error, message):
    envs = batchsim.make_vec("CartPole-v1", 3)
    envs.reset(seed=0)
    with pytest.raises(error) as caught:
        envs.split(parts)
    assert str(caught.value) == message


def test_a_batch_without_episodes_has_no_parts():
    envs = batchsim.make_vec("CartPole-v1", 3)
    with pytest.raises(ResetNeeded, match=r"^split\(\) was called before reset\(\)"):
        envs.split(2)
    envs = batchsim.make_vec("CartPole-v1", 3, autoreset_mode="Disabled")
    envs.reset(seed=0)
    with pytest.raises(ValueError, match=r"^split\(\) was called with autoreset_mode DISABLED;"):
        envs.split(2)
