"""# FrozenLake-v1

Cross a frozen lake from the start to the goal without falling into a hole. The ice is slippery: the
player often goes another way than it wants to. `FrozenLake8x8-v1` is the same on the larger map.

Original: `gymnasium/envs/toy_text/frozen_lake.py`.

## Action Space

`Discrete(4)`: 0 moves left, 1 down, 2 right, 3 up. A move beyond the border leaves the player where
it is. On slippery ice the player goes in the direction of the action with probability
`success_rate`, and otherwise in one of the two directions beside it, both equally likely.

## Observation Space

`Discrete(rows * columns)`: the player's cell, row * columns + column.

## Rewards

`reward_schedule`: its first number for reaching the goal, its second for falling into a hole, its
third for any other step; by default 1, 0 and 0.

## Starting State

The player is on a start tile, each of them equally likely. The known maps have one, cell 0.

## Episode End

Terminated when the player reaches the goal or falls into a hole; truncated after 100 steps, or 200
in `FrozenLake8x8-v1`.

## Information

`prob`, float64: the probability of the move that was made, 1 after a reset.

## Arguments

- `desc`: the map, a list of strings of the same length, one a row, such as `["SFF", "FHG"]`: S is a
  start, G a goal, H a hole, F frozen.
- `map_name`: the known map to use if `desc` is None: "4x4" (the default; "8x8" in
  `FrozenLake8x8-v1`) or "8x8". If this is None too, Gymnasium's `generate_random_map` makes one,
  8 by 8 and without a seed, for all environments of the batch; the original makes one for each.
- `is_slippery`, bool, by default True.
- `success_rate`, from 0 to 1, by default 1/3.
- `reward_schedule`: three numbers, see above.

## Version History

- v1: rewards as documented.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from gymnasium.envs.toy_text.frozen_lake import FrozenLakeEnv, generate_random_map
from gymnasium.spaces import Discrete

from batchsim.accessors import number, of_original
from batchsim.envs.toy_text.boards import TILES, letters_of, read_board
from batchsim.envs.toy_text.categorical import one_of_equals, one_of_three
from batchsim.random import random
from batchsim.ranges import require_between

RENDER_FPS = 4
GOAL, HOLE = 0, 1  # places in TILES of those that end an episode
MOVES = ((0, -1), (1, 0), (0, 1), (-1, 0))  # rows and columns, by direction


class Arguments(NamedTuple):
    desc: Sequence[str] | None = None
    map_name: str | None = "4x4"


class Tables(NamedTuple):
    board: np.ndarray  # (rows, columns), each tile's place in TILES
    next_cell: np.ndarray  # (cells, 4), where each direction leads
    next_tile: np.ndarray  # (cells, 4), the tile there
    starts: np.ndarray  # (n + 1,), the start cells and what stands for none of them
    start_sums: np.ndarray  # (n,), their cumulative probabilities


class State(NamedTuple):
    cell: np.int32
    prob: float


class Params(NamedTuple):
    is_slippery: bool = True
    success_rate: float = 1.0 / 3.0
    reward_schedule: tuple[float, float, float] = (1.0, 0.0, 0.0)  # goal, hole, frozen


class Info(NamedTuple):
    prob: float


INFO_AT_RESET = {"prob": int}
ACTION = Discrete(4)
KEYS = {"left": 0, "down": 1, "right": 2, "up": 3}


def REWARD_TYPE(reward):
    """Return a whole number where the reward is one, as in the default schedule."""
    return int(reward) if reward.is_integer() else reward


def _settings(p):
    rewards = tuple(REWARD_TYPE(float(reward)) for reward in p.reward_schedule)
    ice = {"is_slippery": p.is_slippery, "success_rate": p.success_rate}
    return {"desc": letters_of(p.board), "reward_schedule": rewards, **ice}


ATTRIBUTES = {
    "s": number("cell"),
    **of_original(
        "gymnasium.envs.toy_text.frozen_lake:FrozenLakeEnv",
        _settings,
        "P desc ncol nrow reward_range initial_state_distrib",
    ),
}


def check_params(params):
    require_between("success_rate", params.success_rate, 0.0, 1.0)


def check_state(s, p):
    require_between("cell", s.cell, 0, p.board.size - 1)


def settle(arguments):
    is_random = arguments.desc is None and arguments.map_name is None
    return arguments._replace(desc=generate_random_map()) if is_random else arguments


def tables(p):
    board = read_board(p.desc, p.map_name)
    rows, columns = board.shape
    row, column = np.divmod(np.arange(board.size), columns)
    targets = [
        np.clip(row + down, 0, rows - 1) * columns + np.clip(column + right, 0, columns - 1)
        for down, right in MOVES
    ]
    next_cell = np.stack(targets, axis=1).astype(np.int32)
    starts = np.flatnonzero(board == TILES.index("S"))
    return Tables(
        board=board,
        next_cell=next_cell,
        next_tile=board.ravel()[next_cell],
        starts=np.append(starts, 0).astype(np.int32),
        start_sums=np.cumsum(np.full(len(starts), 1.0 / len(starts))),
    )


def OBSERVATION(p):
    return Discrete(p.board.size)


def reset(s, i, p, rng):
    s.cell[i], s.prob[i] = p.starts[one_of_equals(rng, i, p.start_sums)], 1.0


def step(s, i, action, p, rng):
    if p.is_slippery:
        fail_rate = (1.0 - p.success_rate) / 2.0
        turn = one_of_three(rng, i, fail_rate, p.success_rate, fail_rate) - 1
        direction = (action + turn) & 3
        s.prob[i] = p.success_rate if turn == 0 else fail_rate
    else:
        random(rng, i)  # The original draws the outcome, of which there is one.
        direction = action
        s.prob[i] = 1.0

    cell = s.cell[i]
    s.cell[i], tile = p.next_cell[cell, direction], p.next_tile[cell, direction]
    reward = p.reward_schedule[2]
    if tile <= HOLE:
        reward = p.reward_schedule[0] if tile == GOAL else p.reward_schedule[1]
    return reward, tile <= HOLE


def observe(s, i, p, out):
    out[0] = s.cell[i]


def inform(s, i, p, out):
    out.prob[0] = s.prob[i]


def renderer(p):
    """Return a function (s, i) -> frame that draws with Gymnasium's renderer."""
    original = FrozenLakeEnv(render_mode="rgb_array", desc=list(letters_of(p.board)))

    def draw(s, i):
        original.s = int(s.cell[i])
        return original.render()

    return draw
