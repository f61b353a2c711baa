"""# MountainCarContinuous-v0

A car stands at the bottom of a valley, and its engine is too weak to climb the hill to the right,
where the goal is. Swing back and forth until there is enough speed, and spend little on it.

Original: `gymnasium/envs/classic_control/continuous_mountain_car.py`, after Moore, "Efficient
Memory-based Learning for Robot Control" (1990).

## Action Space

`Box`, float32, shape `(1,)`: the force of the engine, between `min_action` and `max_action`, by
default ±1, to the right positive; `power` times it is added to the velocity.

## Observation Space

`Box`, float32, shape `(2,)`:

| index | observation | bounds |
|---|---|---|
| 0 | position of the car | -1.2 to 0.6 |
| 1 | velocity, in position a step | ±0.07 |

The height of the ground is `0.45 sin(3 position) + 0.55`. The car stops dead at the left end.

## Rewards

-0.1 force² for every step, and 100 more for reaching the goal.

## Starting State

The position uniform in [`low`, `high`), by default [-0.6, -0.4); the velocity 0.

## Episode End

Terminated when the position is at least 0.45 and the velocity at least `goal_velocity`, by default
0; truncated after 999 steps.

## Version History

- v0: initial version.
"""

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box

from batchsim.actions import are_listed
from batchsim.math import cos, power
from batchsim.random import uniform

RENDER_FPS = 30


class State(NamedTuple):
    position: float
    velocity: float
    fresh: bool  # no step since the reset


class Params(NamedTuple):
    min_action: float = -1.0
    max_action: float = 1.0
    min_position: float = -1.2
    max_position: float = 0.6
    max_speed: float = 0.07  # position a step
    goal_position: float = 0.45
    goal_velocity: float = 0.0
    power: float = 0.0015  # velocity a step and unit of force


class Options(NamedTuple):
    low: float = -0.6
    high: float = -0.4


def _get_state(s, i, p):
    dtype = np.float64 if s.fresh[i] else np.float32
    return np.array([s.position[i], s.velocity[i]], dtype)


def _set_state(s, i, p, value):
    # Upstream computes the next step in the precision of what it finds here.
    given = np.asarray(value)
    if given.shape != (2,) or given.dtype.kind not in "fiu":
        raise ValueError(f"It is {value!r}; expected two numbers.")
    s.position[i], s.velocity[i] = given.tolist()
    s.fresh[i] = given.dtype != np.float32


ATTRIBUTES = {"state": (_get_state, _set_state)}
CLIPS_ACTIONS = True


def ACTION(p):
    return Box(p.min_action, p.max_action, (1,), np.float32)


def OBSERVATION(p):
    low = np.array([p.min_position, -p.max_speed], np.float32)
    high = np.array([p.max_position, p.max_speed], np.float32)
    return Box(low, high, dtype=np.float32)


def check_options(options):
    if options.low > options.high:
        raise ValueError(f"low is {options.low} and high is {options.high}; expected low <= high.")


def reset(s, i, p, rng):
    s.position[i] = uniform(rng, i, p.low, p.high)
    s.velocity[i] = 0.0
    s.fresh[i] = True


def narrow(x, wide):
    """Round `x` to float32, as NumPy rounds a number beside one, unless that one is `wide`."""
    return x if wide else float(np.float32(x))


def step(s, i, action, p, rng):
    # NumPy keeps a float32 when it meets a Python number, and makes a float64 of it when it meets
    # one. The state is float32 upstream, but for the first step after a reset and where a bound, a
    # Python number, replaces it; the action is what was given, float32 or float64, or a Python
    # number out of a list.
    fresh = s.fresh[i]
    force = action[0]
    low, high = action.dtype.type(p.min_action), action.dtype.type(p.max_action)
    slope = cos(narrow(3.0 * s.position[i], fresh))
    # Products and sums of two float32 numbers have so few bits that rounding them first to float64
    # changes nothing.
    change = float(force * action.dtype.type(p.power) - action.dtype.type(0.0025 * slope))
    # Beyond a bound the force is that, a Python number.
    is_python = are_listed() or force < low or force > high
    wide = fresh or (action.itemsize == 8 and not is_python)
    if are_listed():
        change = narrow(change, wide)
    if force < low:
        change = narrow(p.min_action * p.power - 0.0025 * slope, wide)
    if force > high:
        change = narrow(p.max_action * p.power - 0.0025 * slope, wide)
    velocity = narrow(s.velocity[i] + change, wide)
    wide_velocity = wide
    if velocity > narrow(p.max_speed, wide):
        velocity = p.max_speed
        wide_velocity = True
        wide = fresh
    if velocity < narrow(-p.max_speed, wide_velocity):
        velocity = -p.max_speed
        wide_velocity = True
        wide = fresh
    wide_position = wide
    position = narrow(s.position[i] + narrow(velocity, wide), wide)
    if position > narrow(p.max_position, wide):
        position = p.max_position
        wide_position = True
    if position < narrow(p.min_position, wide_position):
        position = p.min_position
        wide_position = True
    if position == narrow(p.min_position, wide_position) and velocity < 0.0:
        velocity = 0.0
        wide_velocity = True
    terminated = position >= narrow(p.goal_position, wide_position) and velocity >= narrow(
        p.goal_velocity, wide_velocity
    )
    s.position[i] = np.float32(position)
    s.velocity[i] = np.float32(velocity)
    s.fresh[i] = False
    # The square of a float32 number is exact in float64, and so equals upstream's `math.pow`.
    raw = np.float64(force)
    square = raw * raw if action.itemsize == 4 else power(raw, 2.0)
    return (100.0 if terminated else 0.0) - square * 0.1, terminated


def observe(s, i, p, out):
    out[0] = s.position[i]
    out[1] = s.velocity[i]


def renderer(p):
    """Return a function (s, i) -> frame (400, 600, 3) that draws with Gymnasium's renderer."""
    from gymnasium.envs.classic_control.continuous_mountain_car import Continuous_MountainCarEnv

    original = Continuous_MountainCarEnv(render_mode="rgb_array")
    original.min_position = p.min_position
    original.max_position = p.max_position
    original.goal_position = p.goal_position

    def draw(s, i):
        original.state = np.array(
            [s.position[i], s.velocity[i]], np.float64 if s.fresh[i] else np.float32
        )
        return original.render()

    return draw
