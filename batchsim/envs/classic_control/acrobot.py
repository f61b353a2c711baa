"""# Acrobot-v1

Two links hang from a fixed point, one below the other; only the joint between them is driven. Swing
the free end up above a given height.

Original: `gymnasium/envs/classic_control/acrobot.py`, after Sutton, "Generalization in
Reinforcement Learning" (1996), with the equations of Sutton and Barto's textbook (1998).

## Action Space

`Discrete(3)`: which of `AVAIL_TORQUE`, by default -1, 0 and 1 newton metres, to apply to the joint
between the links; to it is added noise uniform in ±`torque_noise_max`, by default none.

## Observation Space

`Box`, float32, shape `(6,)`:

| index | observation | unit | bounds |
|---|---|---|---|
| 0 | `cos(theta1)`, theta1 the angle of the first link, 0 straight down | – | ±1 |
| 1 | `sin(theta1)` | – | ±1 |
| 2 | `cos(theta2)`, theta2 the angle of the second link to the first, 0 straight on | – | ±1 |
| 3 | `sin(theta2)` | – | ±1 |
| 4 | angular velocity of theta1 | rad/s | ±4 pi |
| 5 | angular velocity of theta2 | rad/s | ±9 pi |

## Rewards

-1 for every step; 0 for the one that reaches the height.

## Starting State

Each of the four values uniform in [`low`, `high`), by default [-0.1, 0.1), rounded to float32.

## Episode End

Terminated when the free end is more than 1 m above the fixed point,
`-cos(theta1) - cos(theta1 + theta2) > 1`, with links of 1 m; truncated after 500 steps.

## Version History

- v1: time limit of 500 steps; observes cosines and sines in place of angles.
"""

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

from batchsim.accessors import vector
from batchsim.math import cos, cos32, pi, power, sin, sin32, wrap_turns
from batchsim.random import uniform

RENDER_FPS = 15


class State(NamedTuple):
    theta1: float
    theta2: float
    dtheta1: float
    dtheta2: float
    cos_theta1: np.float32  # observed; a reset's come from other functions than a step's
    sin_theta1: np.float32
    cos_theta2: np.float32
    sin_theta2: np.float32


class Params(NamedTuple):
    dt: float = 0.2  # s between two states
    LINK_LENGTH_1: float = 1.0  # m
    LINK_LENGTH_2: float = 1.0  # m, for rendering only
    LINK_MASS_1: float = 1.0  # kg
    LINK_MASS_2: float = 1.0  # kg
    LINK_COM_POS_1: float = 0.5  # m from its joint to the link's centre of mass
    LINK_COM_POS_2: float = 0.5  # m
    LINK_MOI: float = 1.0  # kg m², moment of inertia of either link
    MAX_VEL_1: float = 4 * pi  # rad/s
    MAX_VEL_2: float = 9 * pi  # rad/s
    AVAIL_TORQUE: tuple[float, float, float] = (-1.0, 0.0, 1.0)  # N m
    torque_noise_max: float = 0.0  # N m
    nips: bool = False  # the paper's equations, which lack a term (upstream's `book_or_nips`)


class Options(NamedTuple):
    low: float = -0.1
    high: float = 0.1


def _derive(s, i):
    s.cos_theta1[i], s.sin_theta1[i] = cos(s.theta1[i]), sin(s.theta1[i])
    s.cos_theta2[i], s.sin_theta2[i] = cos(s.theta2[i]), sin(s.theta2[i])


ATTRIBUTES = {"state": vector("theta1", "theta2", "dtheta1", "dtheta2", derive=_derive)}
ACTION = Discrete(3)
KEYS = {None: 1, "left": 0, "right": 2}


def OBSERVATION(p):
    high = np.array([1.0, 1.0, 1.0, 1.0, p.MAX_VEL_1, p.MAX_VEL_2], np.float32)
    return Box(-high, high, dtype=np.float32)


def check_options(options):
    if options.low > options.high:
        raise ValueError(f"low is {options.low} and high is {options.high}; expected low <= high.")


def reset(s, i, p, rng):
    theta1 = np.float32(uniform(rng, i, p.low, p.high))
    theta2 = np.float32(uniform(rng, i, p.low, p.high))
    s.dtheta1[i] = np.float32(uniform(rng, i, p.low, p.high))
    s.dtheta2[i] = np.float32(uniform(rng, i, p.low, p.high))
    s.theta1[i], s.theta2[i] = theta1, theta2
    s.cos_theta1[i], s.sin_theta1[i] = cos32(theta1), sin32(theta1)
    s.cos_theta2[i], s.sin_theta2[i] = cos32(theta2), sin32(theta2)


def accelerations(theta1, theta2, dtheta1, dtheta2, torque, p):
    """Return the angular accelerations of both joints; the grouping is the original's."""
    m1, m2, moi = p.LINK_MASS_1, p.LINK_MASS_2, p.LINK_MOI
    l1, lc1, lc2 = p.LINK_LENGTH_1, p.LINK_COM_POS_1, p.LINK_COM_POS_2
    lc2_squared = power(lc2, 2.0)
    cos_theta2, sin_theta2 = cos(theta2), sin(theta2)
    lever = m2 * l1 * lc2
    reach = power(l1, 2.0) + lc2_squared + 2.0 * l1 * lc2 * cos_theta2
    d1 = m1 * power(lc1, 2.0) + m2 * reach + moi + moi
    d2 = m2 * (lc2_squared + l1 * lc2 * cos_theta2) + moi
    phi2 = m2 * lc2 * 9.8 * cos(theta1 + theta2 - pi / 2.0)
    phi1 = (
        -lever * power(dtheta2, 2.0) * sin_theta2
        - 2.0 * lever * dtheta2 * dtheta1 * sin_theta2
        + (m1 * lc1 + m2 * l1) * 9.8 * cos(theta1 - pi / 2.0)
        + phi2
    )
    force = torque + d2 / d1 * phi1
    if not p.nips:
        force = force - lever * power(dtheta1, 2.0) * sin_theta2
    ddtheta2 = (force - phi2) / (m2 * lc2_squared + moi - power(d2, 2.0) / d1)
    return -(d2 * ddtheta2 + phi1) / d1, ddtheta2


def advance(value, dt, k1, k2, k3, k4):
    """Return `value` after `dt` seconds by Runge and Kutta's four slopes."""
    return value + dt / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)


def step(s, i, action, p, rng):
    torque = p.AVAIL_TORQUE[1]
    if action != 1:
        torque = p.AVAIL_TORQUE[0] if action == 0 else p.AVAIL_TORQUE[2]
    if p.torque_noise_max > 0.0:
        torque = torque + uniform(rng, i, -p.torque_noise_max, p.torque_noise_max)

    # u, v: velocities, a, b: accelerations; float64, as a draw is, for fast precision's tolerance.
    x, y, u1, v1 = s.theta1[i], s.theta2[i], s.dtheta1[i], s.dtheta2[i]
    dt, half = p.dt, p.dt / 2.0
    a1, b1 = accelerations(x, y, u1, v1, torque, p)
    u2 = u1 + half * a1
    v2 = v1 + half * b1
    a2, b2 = accelerations(x + half * u1, y + half * v1, u2, v2, torque, p)
    u3 = u1 + half * a2
    v3 = v1 + half * b2
    a3, b3 = accelerations(x + half * u2, y + half * v2, u3, v3, torque, p)
    u4 = u1 + dt * a3
    v4 = v1 + dt * b3
    a4, b4 = accelerations(x + dt * u3, y + dt * v3, u4, v4, torque, p)

    theta1 = wrap_turns(advance(x, dt, u1, u2, u3, u4))
    theta2 = wrap_turns(advance(y, dt, v1, v2, v3, v4))
    cos_theta1 = cos(theta1)
    s.theta1[i], s.theta2[i] = theta1, theta2
    s.dtheta1[i] = min(max(advance(u1, dt, a1, a2, a3, a4), -p.MAX_VEL_1), p.MAX_VEL_1)
    s.dtheta2[i] = min(max(advance(v1, dt, b1, b2, b3, b4), -p.MAX_VEL_2), p.MAX_VEL_2)
    s.cos_theta1[i], s.sin_theta1[i] = cos_theta1, sin(theta1)
    s.cos_theta2[i], s.sin_theta2[i] = cos(theta2), sin(theta2)
    terminated = -cos_theta1 - cos(theta2 + theta1) > 1.0
    return 0.0 if terminated else -1.0, terminated


def observe(s, i, p, out):
    out[0], out[1] = s.cos_theta1[i], s.sin_theta1[i]
    out[2], out[3] = s.cos_theta2[i], s.sin_theta2[i]
    out[4], out[5] = s.dtheta1[i], s.dtheta2[i]


def renderer(p):
    """Return a function (s, i) -> frame (500, 500, 3) that draws with Gymnasium's renderer."""
    from gymnasium.envs.classic_control.acrobot import AcrobotEnv

    original = AcrobotEnv(render_mode="rgb_array")
    original.LINK_LENGTH_1, original.LINK_LENGTH_2 = p.LINK_LENGTH_1, p.LINK_LENGTH_2

    def draw(s, i):
        state = np.array([s.theta1[i], s.theta2[i], s.dtheta1[i], s.dtheta2[i]], np.float64)
        original.state = state if (state != np.float32(state)).any() else np.float32(state)
        return original.render()

    return draw
