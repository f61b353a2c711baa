"""The yardstick of the pictures: a raycaster in C that shows the same scene as batchsim."""

import numpy as np

import batchsim
from benchmarks import sides

NUM_ENVS = 16
NEAR = 64
"""Rows so far from the horizon of 640 x 360 pixels show what is at most 2.5 cells away.

A texel covers a pixel or more there, and nobody looks at a smaller version of a texture.
"""


def draw_both(**params):
    """Pictures of the same walls, floors and ceilings by batchsim and by `raycaster.c`."""
    envs = batchsim.make_vec("EgoBattle-v0", NUM_ENVS, **params)
    envs.reset(seed=1)
    envs.action_space.seed(1)
    for _ in range(30):
        envs.step(envs.action_space.sample())
    state = envs.get_state()
    state["state.monster"][:], state["state.item"][:] = 0, 0
    ours = envs.set_state(state)
    theirs = np.zeros_like(ours)
    sides.raycast(state, envs.tables["atlas"], theirs)()
    envs.close()
    return ours.astype(int), theirs.astype(int)


def test_the_yardstick_draws_the_same_pixels_near_the_player():
    ours, theirs = draw_both(width=640, height=360)
    near = np.abs(np.arange(360) + 0.5 - 180) >= NEAR
    differs = np.abs(ours - theirs)[:, near].max(-1) > 1
    assert differs.mean() < 1e-3


def test_the_yardstick_draws_the_same_scene():
    ours, theirs = draw_both()
    # A texture in the distance is looked at texel by texel, or by the means of some.
    assert np.abs(ours - theirs).mean() < 4
    assert (np.abs(ours - theirs).max(-1) > 40).mean() < 0.01
