"""MiniGrid-Dynamic-Obstacles: an empty room in which balls move about."""

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Discrete

import batchsim
from batchsim.envs.minigrid.allowed import grid_of, require_places
from batchsim.envs.minigrid.cells import AT_GOAL, BALL, BLUE, EMPTY, GOAL, cell, kind_of
from batchsim.envs.minigrid.common import MiniGrid, Open, started
from batchsim.envs.minigrid.grid import (
    EXTRA,
    HEIGHT,
    NOWHERE,
    WIDTH,
    at,
    clear,
    column_of,
    put,
    row_of,
)
from batchsim.envs.minigrid.world import FORWARD, State, act, front, start
from batchsim.family import merge
from batchsim.random import integers

OBSTACLES = EXTRA + 3  # how many
TRIES = 101  # of placing one


def count_obstacles(p):
    """Return how many balls there are."""
    return int(p.n_obstacles) if p.n_obstacles <= p.size / 2 + 1 else int(p.size / 2)


class Obstacles(NamedTuple):
    obstacles: batchsim.column(np.int32, lambda p: max(8, count_obstacles(p)))  # their places


class DynamicObstacles(MiniGrid):
    """# MiniGrid-Dynamic-Obstacles

    Get to the goal in a room where balls move about. A ball moves to a random free place around
    it, before the agent does; what was ahead of the agent is looked at before that.

    ## Starting State

    The agent is in the upper left corner and looks right; in the ids called Random it may be
    anywhere and look anywhere. The balls are anywhere.

    ## Action Space

    `Discrete(3)`: 0 turns left, 1 turns right, 2 moves forward.

    ## Rewards

    At the goal `1 - 0.9 * steps / max_steps`; -1 for moving forward where a ball or a wall was.

    ## Episode End

    Terminated at the goal, and by running into something; truncated after `max_steps`.
    """

    State = merge(State, Obstacles)
    Params = Open
    ACTION = Discrete(3)
    KEYS = {"left": 0, "right": 1, "up": 2}
    MISSION = "get to the green goal square"

    class Arguments(NamedTuple):
        size: int = 8
        agent_start_pos: tuple[int, int] | None = (1, 1)
        agent_start_dir: int = 0
        n_obstacles: int = 4
        max_steps: int | None = None

    def steps_of(p):
        return 4 * p.size**2

    def extras_of(p):
        count = count_obstacles(p)
        if not 0 <= count <= (p.size - 2) ** 2 - 2:
            raise ValueError(
                f"n_obstacles is {p.n_obstacles}; expected at most {(p.size - 2) ** 2 - 2}, for "
                f"which a grid of size {p.size} has room."
            )
        return *started(p, p.size, p.size), count

    @classmethod
    def check_state(cls, s, p):
        super().check_state(s, p)
        require_places("obstacles", s.obstacles[:, : p.grid[OBSTACLES]], grid_of(p))

    def reset(s, i, p, rng):
        clear(s, i, p)
        put(s, i, p, p.grid[WIDTH] - 2, p.grid[HEIGHT] - 2, AT_GOAL)
        start(s, i, p, rng)
        for k in range(p.grid[OBSTACLES]):
            place = find(s, i, p, rng, 0, 0, p.grid[WIDTH])
            s.cells[i, place] = cell(BALL, BLUE)
            s.obstacles[i, k] = place

    def play(s, i, action, p, rng):
        kind = kind_of(s.cells[i, front(s, i, p)])
        for k in range(p.grid[OBSTACLES]):
            old = s.obstacles[i, k]
            x, y = column_of(p, old) - 1, row_of(p, old) - 1
            place = find(s, i, p, rng, max(x, 0), max(y, 0), 3)
            if place != NOWHERE:
                s.cells[i, place] = cell(BALL, BLUE)
                s.cells[i, old] = EMPTY
                s.obstacles[i, k] = place
        reward, terminated = act(s, i, action, p)
        if action == FORWARD and kind != EMPTY and kind != GOAL:
            return -1.0, True
        return reward, terminated


def find(s, i, p, rng, x, y, side):
    """Return an empty place of a square, not the agent's, or NOWHERE if it takes too long."""
    right, bottom = min(x + side, p.grid[WIDTH]), min(y + side, p.grid[HEIGHT])
    for _ in range(TRIES):
        column = integers(rng, i, x, right)
        place = at(p, column, integers(rng, i, y, bottom))
        if s.cells[i, place] == EMPTY and place != s.place[i]:
            return place
    return NOWHERE
