"""Frames are the original's, drawn from the columns."""

import gymnasium
import numpy as np
import oracle
import pytest

import batchsim

pytest.importorskip("pygame")


@pytest.mark.parametrize("id", oracle.IDS)
def test_frames_equal_the_originals(id: str) -> None:
    upstream = gymnasium.make_vec(id, 3, vectorization_mode="sync", render_mode="rgb_array")
    envs = batchsim.make_vec(id, 3, render_mode="rgb_array")
    upstream.reset(seed=1)
    envs.reset(seed=1)
    upstream.action_space.seed(1)
    for _ in range(3):
        frames = envs.render()
        assert frames is not None
        for ours, theirs in zip(frames, upstream.render(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        actions = upstream.action_space.sample()
        upstream.step(actions)
        envs.step(actions)


def test_some_rows_may_be_rendered() -> None:
    envs = batchsim.make_vec("CartPole-v1", 4, render_mode="rgb_array")
    envs.reset(seed=1)
    all_frames, some = envs.render(), envs.render(env_ids=[2])
    assert all_frames is not None
    assert some is not None
    np.testing.assert_array_equal(some[0], all_frames[2])
    with pytest.raises(ValueError, match="env_ids holds 4; expected rows from 0 to 3"):
        envs.render(env_ids=[4])


def test_rendering_without_a_mode_warns() -> None:
    envs = batchsim.make_vec("CartPole-v1", 2)
    envs.reset(seed=1)
    with pytest.warns(UserWarning, match="without a render mode"):
        assert envs.render(env_ids=[1]) == (None,)
    envs.close()
    with pytest.raises(ValueError, match="render_mode is 'human'"):
        batchsim.make_vec("CartPole-v1", 1, render_mode="human")


def test_a_single_environment_renders() -> None:
    env = gymnasium.make("batchsim/Pendulum-v1", render_mode="rgb_array")
    env.reset(seed=1)
    frame = env.render()
    assert isinstance(frame, np.ndarray)
    assert frame.shape == (500, 500, 3)
