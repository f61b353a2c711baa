"""# Pendulum-v1

A pendulum hangs from a fixed point and starts anywhere. Swing it up and hold it upright with a
torque that is too weak to lift it at once.

Original: `gymnasium/envs/classic_control/pendulum.py`.

## Action Space

`Box`, float32, shape `(1,)`: the torque in newton metres, between -`max_torque` and `max_torque`,
counter-clockwise positive.

## Observation Space

`Box`, float32, shape `(3,)`:

| index | observation | bounds |
|---|---|---|
| 0 | `cos(theta)`, theta the angle from upright | ±1 |
| 1 | `sin(theta)` | ±1 |
| 2 | angular velocity in rad/s | ±8 |

## Rewards

-(theta² + 0.1 theta_dot² + 0.001 torque²), with the angle and the velocity before the step and the
angle wrapped into [-pi, pi): between -16.27 and 0.

## Starting State

The angle uniform in [-`x_init`, `x_init`), by default the whole circle; the velocity uniform in
[-`y_init`, `y_init`), by default [-1, 1).

## Episode End

Truncated after 200 steps; never terminated.

## Version History

- v1: simpler equations, the same behaviour.
"""

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box

from batchsim.accessors import vector
from batchsim.math import cos, pi, power, sin, wrap_angle
from batchsim.random import uniform

RENDER_FPS = 30


class State(NamedTuple):
    theta: float
    theta_dot: float
    cos_theta: float  # observed, and the sine needed again by the next step
    sin_theta: float
    last_torque: float  # for rendering; NaN before the first step


class Params(NamedTuple):
    max_speed: float = 8.0  # rad/s
    max_torque: float = 2.0  # N m
    dt: float = 0.05  # s between two states
    g: float = 10.0  # m/s²
    m: float = 1.0  # kg
    l: float = 1.0  # noqa: E741 - m, the original's name


class Options(NamedTuple):
    x_init: float = pi
    y_init: float = 1.0


def _derive(s, i):
    s.cos_theta[i], s.sin_theta[i] = cos(s.theta[i]), sin(s.theta[i])


def _get_torque(s, i, p):
    """Return the last torque, a float32 where it may have been one; None before the first step."""
    torque = np.float64(s.last_torque[i])
    narrow = np.float32(torque)
    return None if np.isnan(torque) else narrow if narrow == torque else torque


ATTRIBUTES = {
    "state": vector("theta", "theta_dot", derive=_derive),
    "last_u": _get_torque,
}
CLIPS_ACTIONS = True
REWARD_TYPE = np.float64


def ACTION(p):
    return Box(-p.max_torque, p.max_torque, (1,), np.float32)


def OBSERVATION(p):
    high = np.array([1.0, 1.0, p.max_speed], np.float32)
    return Box(-high, high, dtype=np.float32)


def check_options(options):
    for name, value in options._asdict().items():
        if value < 0.0:
            raise ValueError(f"{name} is {value}; expected a number that is not negative.")


def reset(s, i, p, rng):
    theta = uniform(rng, i, -p.x_init, p.x_init)
    s.theta[i] = theta
    s.theta_dot[i] = uniform(rng, i, -p.y_init, p.y_init)
    s.cos_theta[i] = cos(theta)
    s.sin_theta[i] = sin(theta)
    s.last_torque[i] = np.nan


def step(s, i, action, p, rng):
    theta = s.theta[i]
    theta_dot = s.theta_dot[i]
    # NumPy keeps products of the torque with Python numbers in the torque's type, float32 unless it
    # was given as float64. `**` on NumPy scalars is the C library's pow.
    low, high = action.dtype.type(-p.max_torque), action.dtype.type(p.max_torque)
    torque = min(max(action[0], low), high)
    torque_cost = action.dtype.type(0.001) * power(torque, action.dtype.type(2.0))
    cost = power(wrap_angle(theta), 2.0) + 0.1 * power(theta_dot, 2.0) + torque_cost
    gravity = 3.0 * p.g / (2.0 * p.l) * s.sin_theta[i]
    drive = action.dtype.type(3.0 / (p.m * power(p.l, 2.0))) * torque
    theta_dot = theta_dot + (gravity + drive) * p.dt
    theta_dot = min(max(theta_dot, -p.max_speed), p.max_speed)
    theta = theta + theta_dot * p.dt

    s.theta[i] = theta
    s.theta_dot[i] = theta_dot
    s.cos_theta[i] = cos(theta)
    s.sin_theta[i] = sin(theta)
    s.last_torque[i] = torque
    return -cost, False


def observe(s, i, p, out):
    out[0] = s.cos_theta[i]
    out[1] = s.sin_theta[i]
    out[2] = s.theta_dot[i]


def renderer(p):
    """Return a function (s, i) -> frame (500, 500, 3) that draws with Gymnasium's renderer."""
    from gymnasium.envs.classic_control.pendulum import PendulumEnv

    original = PendulumEnv(render_mode="rgb_array")

    def draw(s, i):
        original.state = np.array([s.theta[i], s.theta_dot[i]], np.float64)
        original.last_u = _get_torque(s, i, p)
        return original.render()

    return draw
