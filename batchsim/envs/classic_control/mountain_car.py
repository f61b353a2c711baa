"""# MountainCar-v0

A car stands at the bottom of a valley, and its engine is too weak to climb the hill to the right,
where the goal is. Swing back and forth until there is enough speed.

Original: `gymnasium/envs/classic_control/mountain_car.py`, after Moore, "Efficient Memory-based
Learning for Robot Control" (1990).

## Action Space

`Discrete(3)`: 0 accelerates to the left, 1 not at all, 2 to the right, by `force` a step.

## Observation Space

`Box`, float32, shape `(2,)`:

| index | observation | bounds |
|---|---|---|
| 0 | position of the car | -1.2 to 0.6 |
| 1 | velocity, in position a step | ±0.07 |

The height of the ground is `0.45 sin(3 position) + 0.55`. The car stops dead at the left end.

## Rewards

-1 for every step, the last one included.

## Starting State

The position uniform in [`low`, `high`), by default [-0.6, -0.4); the velocity 0.

## Episode End

Terminated when the position is at least 0.5 and the velocity at least `goal_velocity`, by default
0; truncated after 200 steps.

## Version History

- v0: initial version.
"""

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

from batchsim.accessors import vector
from batchsim.math import cos
from batchsim.random import uniform

RENDER_FPS = 30


class State(NamedTuple):
    position: float
    velocity: float


class Params(NamedTuple):
    min_position: float = -1.2
    max_position: float = 0.6
    max_speed: float = 0.07  # position a step
    goal_position: float = 0.5
    goal_velocity: float = 0.0
    force: float = 0.001  # velocity a step, as is gravity
    gravity: float = 0.0025


class Options(NamedTuple):
    low: float = -0.6
    high: float = -0.4


ATTRIBUTES = {"state": vector("position", "velocity")}
ACTION = Discrete(3)
KEYS = {None: 1, "left": 0, "right": 2}


def check_options(options):
    if options.low > options.high:
        raise ValueError(f"low is {options.low} and high is {options.high}; expected low <= high.")


def OBSERVATION(p):
    low = np.array([p.min_position, -p.max_speed], np.float32)
    high = np.array([p.max_position, p.max_speed], np.float32)
    return Box(low, high, dtype=np.float32)


def reset(s, i, p, rng):
    s.position[i] = uniform(rng, i, p.low, p.high)
    s.velocity[i] = 0.0


def step(s, i, action, p, rng):
    position = s.position[i]
    velocity = s.velocity[i]
    push = float(np.float32(action - 1)) * p.force  # A whole number is exact in either width.
    velocity = velocity + (push + cos(3.0 * position) * -p.gravity)
    velocity = min(max(velocity, -p.max_speed), p.max_speed)
    position = min(max(position + velocity, p.min_position), p.max_position)
    if position == p.min_position and velocity < 0.0:
        velocity = 0.0
    s.position[i] = position
    s.velocity[i] = velocity
    return -1.0, position >= p.goal_position and velocity >= p.goal_velocity


def observe(s, i, p, out):
    out[0] = s.position[i]
    out[1] = s.velocity[i]


def renderer(p):
    """Return a function (s, i) -> frame (400, 600, 3) that draws with Gymnasium's renderer."""
    from gymnasium.envs.classic_control.mountain_car import MountainCarEnv

    original = MountainCarEnv(render_mode="rgb_array")
    original.min_position = p.min_position
    original.max_position = p.max_position
    original.goal_position = p.goal_position

    def draw(s, i):
        original.state = np.array([s.position[i], s.velocity[i]], np.float64)
        return original.render()

    return draw
