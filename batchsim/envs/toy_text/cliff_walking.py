"""# CliffWalking-v1

Walk from one end of a cliff to the other without falling off it. The shortest way runs along the
edge. `CliffWalkingSlippery-v1` is the same with `is_slippery=True`.

```text
row 0   o o o o o o o o o o o o
row 1   o o o o o o o o o o o o
row 2   o o o o o o o o o o o o
row 3   S C C C C C C C C C C G       S start, C cliff, G goal
```

Original: `gymnasium/envs/toy_text/cliffwalking.py`, after example 6.6 of Sutton and Barto,
"Reinforcement Learning: An Introduction" (2020).

## Action Space

`Discrete(4)`: 0 moves up, 1 right, 2 down, 3 left. A move beyond the border leaves the player where
it is. If the ground is slippery, the player goes in the direction of the action or in one of the
two directions beside it, each with probability 1/3.

## Observation Space

`Discrete(48)`: the player's cell, row * 12 + column. The start is 36, the goal 47; cliff cells are
never observed.

## Rewards

-1 for each step, -100 for one off the cliff, which puts the player back to the start.

## Starting State

The player is at the start.

## Episode End

Terminated when the player reaches the goal. There is no time limit.

## Information

`prob`, float64: the probability of what happened in this step, 1 after a reset.

## Arguments

`is_slippery`, bool, by default False (True in `CliffWalkingSlippery-v1`).

## Version History

- v1: the slippery cliff.
"""

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Discrete

from batchsim.accessors import number, of_original
from batchsim.envs.toy_text.categorical import one_of_three
from batchsim.random import random
from batchsim.ranges import require_between

RENDER_FPS = 4

ROWS, COLUMNS = 4, 12
START, GOAL = 36, 47  # the cliff is all that lies between them
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))  # rows and columns, by direction


def _targets():
    """Return the cell, cliff cells included, that each direction leads to, (48, 4)."""
    row, column = np.divmod(np.arange(ROWS * COLUMNS), COLUMNS)
    targets = [
        np.clip(row + down, 0, ROWS - 1) * COLUMNS + np.clip(column + right, 0, COLUMNS - 1)
        for down, right in MOVES
    ]
    return np.stack(targets, axis=1).astype(np.int8)


TARGETS = _targets()


class State(NamedTuple):
    cell: np.int8
    prob: float


class Params(NamedTuple):
    is_slippery: bool = False


class Info(NamedTuple):
    prob: float


ATTRIBUTES = {
    "s": number("cell"),
    **of_original(
        "gymnasium.envs.toy_text.cliffwalking:CliffWalkingEnv",
        lambda p: {"is_slippery": p.is_slippery},
        "P nA nS shape start_state_index initial_state_distrib",
    ),
}
INFO_AT_RESET = {"prob": int}
REWARD_TYPE = int
ACTION = Discrete(4)
KEYS = {"up": 0, "right": 1, "down": 2, "left": 3}
OBSERVATION = Discrete(ROWS * COLUMNS)


def check_state(s, p):
    require_between("cell", s.cell, 0, ROWS * COLUMNS - 1)


def reset(s, i, p, rng):
    random(rng, i)  # The original draws the start, of which there is one.
    s.cell[i] = START
    s.prob[i] = 1.0


def step(s, i, action, p, rng):
    if p.is_slippery:
        third = 1.0 / 3.0
        direction = (action + one_of_three(rng, i, third, third, third) - 1) & 3
        s.prob[i] = third
    else:
        random(rng, i)  # The original draws the outcome, of which there is one.
        direction = action
        s.prob[i] = 1.0

    target = TARGETS[s.cell[i], direction]
    falls = START < target < GOAL
    s.cell[i] = START if falls else target
    reward = -100.0 if falls else -1.0
    return reward, target == GOAL


def observe(s, i, p, out):
    out[0] = s.cell[i]


def inform(s, i, p, out):
    out.prob[0] = s.prob[i]


def renderer(p):
    """Return a function (s, i) -> frame (256, 768, 3) that draws with Gymnasium's renderer."""
    from gymnasium.envs.toy_text.cliffwalking import CliffWalkingEnv

    original = CliffWalkingEnv(render_mode="rgb_array")

    def draw(s, i):
        original.s = int(s.cell[i])
        return original.render()

    return draw
