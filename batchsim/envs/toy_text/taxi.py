"""# Taxi-v4

Drive a taxi to the place where a passenger waits, and the passenger to where that one wants to go.

```text
+---------+
|R: | : :G|      R, G, Y, B   the four places: red, green, yellow, blue
| : | : : |      |            a wall
| : : : : |      :            no wall
| | : | : |
|Y| : |B: |
+---------+
```

Original: `gymnasium/envs/toy_text/taxi.py`, after Dietterich, "Hierarchical Reinforcement Learning
with the MAXQ Value Function Decomposition" (2000).

## Action Space

`Discrete(6)`: 0 drives south (down), 1 north, 2 east (right), 3 west, 4 picks the passenger up, 5
lets the passenger out. A move into a wall leaves the taxi where it is.

## Observation Space

`Discrete(500)`: ((row * 5 + column) * 5 + passenger) * 4 + destination. The destination is one of
the places, 0 red, 1 green, 2 yellow, 3 blue; the passenger is at one of them, or, 4, in the taxi.

## Rewards

-1 for each step; instead, 20 for letting the passenger out at the destination, and -10 for picking
up or letting out where that cannot be done. The passenger can be let out at any of the four places.

## Starting State

Any of the 300 states where the passenger neither rides nor is at the destination, equally likely.

## Episode End

Terminated when the passenger is let out at the destination; truncated after 200 steps.

## Information

- `prob`, float64: the probability of what the rain made of the action, 1 in dry weather.
- `action_mask`, int8 (6,): 1 for each action that changes the state in dry weather.

## Arguments

- `is_rainy`, bool, by default False: where the road ahead is free, the taxi takes it with
  `rainy_probability`, by default 0.8, and else drifts left or right, if it can, equally likely.
- `fickle_passenger`, bool, by default False: with `fickle_probability`, by default 0.3, the
  passenger of an episode chooses another destination when first driven to another cell.

## Version History

- v4: rain and fickle passengers as in the article, their probabilities as arguments.
"""

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Discrete

from batchsim.accessors import number, of_original
from batchsim.envs.toy_text.categorical import one_of_equals, one_of_three
from batchsim.envs.toy_text.roads import (
    ACTION_MASK,
    AHEAD_LEFT_RIGHT,
    DELIVERED,
    DROPOFF,
    IN_TAXI,
    NEXT_STATE,
    PICKUP,
    REWARD,
    SOUTH,
    START_SUMS,
    STARTS,
    WEST,
)
from batchsim.random import choice, random
from batchsim.ranges import require_between

RENDER_FPS = 4


class State(NamedTuple):
    state: np.int16
    may_change_mind: bool
    prob: float
    heading: np.int8  # of the taxi in the last frame
    last_action: np.int8  # for the next one


class Params(NamedTuple):
    is_rainy: bool = False
    fickle_passenger: bool = False
    rainy_probability: float = 0.8
    fickle_probability: float = 0.3


class Info(NamedTuple):
    prob: float
    action_mask: np.dtype((np.int8, (6,)))


PARAMETERS = ("is_rainy", "fickle_passenger", "rainy_probability", "fickle_probability")
ATTRIBUTES = {
    "s": number("state"),
    **of_original(
        "gymnasium.envs.toy_text.taxi:TaxiEnv",
        lambda p: {name: getattr(p, name) for name in PARAMETERS},
        "P desc decode encode action_mask initial_state_distrib locs max_col max_row",
    ),
}
REWARD_TYPE = int
ACTION = Discrete(6)
KEYS = {"down": 0, "up": 1, "right": 2, "left": 3, "space": PICKUP, "return": DROPOFF}
OBSERVATION = Discrete(500)


def check_params(params):
    for name in ("rainy_probability", "fickle_probability"):
        require_between(name, getattr(params, name), 0.0, 1.0)


def check_state(s, p):
    require_between("state", s.state, 0, len(NEXT_STATE) - 1)
    require_between("heading", s.heading, SOUTH, WEST)
    require_between("last_action", s.last_action, SOUTH, DROPOFF)


def reset(s, i, p, rng):
    s.state[i] = STARTS[one_of_equals(rng, i, START_SUMS)]
    s.may_change_mind[i] = p.fickle_passenger and random(rng, i) < p.fickle_probability
    s.prob[i], s.heading[i], s.last_action[i] = 1.0, SOUTH, SOUTH


def step(s, i, action, p, rng):
    state = int(s.state[i])
    next_state = int(NEXT_STATE[state, action])
    reward, prob = REWARD[state, action], 1.0
    if p.is_rainy:
        lateral = (1.0 - p.rainy_probability) / 2.0
        turn = one_of_three(rng, i, p.rainy_probability, lateral, lateral)
        drifted_state = int(NEXT_STATE[state, AHEAD_LEFT_RIGHT[action, turn]])
        next_state = drifted_state if next_state != state else state
        if action < PICKUP:
            prob = p.rainy_probability if turn == 0 else lateral
    else:
        random(rng, i)  # The original draws the outcome, of which there is one.

    moves_passenger = state // 4 % 5 == IN_TAXI and next_state // 20 != state // 20
    if p.fickle_passenger and s.may_change_mind[i] and moves_passenger:
        s.may_change_mind[i] = False
        destination = choice(rng, i, 3)  # one of the three others, numbered in their order
        if destination >= state % 4:
            destination += 1
        next_state += destination - state % 4

    s.state[i], s.prob[i], s.last_action[i] = next_state, prob, action
    return reward, reward == DELIVERED


def observe(s, i, p, out):
    out[0] = s.state[i]


def inform(s, i, p, out):
    out.prob[0] = s.prob[i]
    for action in range(6):
        out.action_mask[action] = ACTION_MASK[s.state[i], action]


def renderer(p):
    """Return a function (s, i) -> frame (456, 536, 3) that draws with Gymnasium's renderer."""
    from gymnasium.envs.toy_text.taxi import TaxiEnv

    original = TaxiEnv(render_mode="rgb_array")

    def draw(s, i):
        # The original turns the taxi when it draws it, and so misses the moves between its frames.
        original.s = int(s.state[i])
        original.lastaction = int(s.last_action[i])
        original.taxi_orientation = int(s.heading[i])
        frame = original.render()
        s.heading[i] = original.taxi_orientation
        return frame

    return draw
