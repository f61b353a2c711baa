"""A thing that a mission is about."""

from typing import NamedTuple

import numpy as np

from batchsim.envs.minigrid.cells import EMPTY
from batchsim.envs.minigrid.grid import NOWHERE
from batchsim.envs.minigrid.world import PICKUP, act, front, success


class Target(NamedTuple):
    target: np.int32  # its place


def fetch(s, i, action, p):
    """Do a step of a mission that ends when the target is picked up."""
    place, held = front(s, i, p), s.carried[i]
    reward, terminated = act(s, i, action, p)
    if place == s.target[i] and s.cells[i, place] == EMPTY:
        if action == PICKUP and held == 0:
            return success(s, i, p), True
        s.target[i] = NOWHERE  # A box that was opened is gone.
    return reward, terminated
