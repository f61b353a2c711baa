"""# Acrobot-v1

Two links hang from a fixed point, one below the other, like a gymnast from a bar. Only the joint
between them is driven. Swing the free end up above a given height.

Original: `gymnasium/envs/classic_control/acrobot.py`, after Sutton, "Generalization in
Reinforcement Learning: Successful Examples Using Sparse Coarse Coding" (1996), with the equations
of motion of Sutton and Barto, "Reinforcement Learning: An Introduction".

## Action Space

`Discrete(3)`: 0, 1 and 2 apply a torque of -1, 0 and 1 newton metres to the joint between the
links; to each is added noise uniform in ±`torque_noise_max`, by default none.

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

Each of the angles and velocities uniform in [`low`, `high`), by default [-0.1, 0.1), and rounded to
float32.

## Episode End

Terminated when the free end is more than 1 m above the fixed point,
`-cos(theta1) - cos(theta1 + theta2) > 1`, with links of 1 m; truncated after 500 steps.

## Version History

- v1: time limit of 500 steps; observes cosines and sines in place of angles.

With `nips=True` the equations of motion are those of the paper, which lack a term (upstream's
`book_or_nips = "nips"`).
"""

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

from batchsim.math import cos, cos32, pi, power, sin, sin32, wrap_turns
from batchsim.random import uniform

RENDER_FPS = 15


class State(NamedTuple):
    theta1: float
    theta2: float
    dtheta1: float
    dtheta2: float
    cos_theta2: float  # needed again by the next step
    sin_theta2: float
    seen_cos1: np.float32  # observed; a reset's come from other functions than a step's
    seen_sin1: np.float32
    seen_cos2: np.float32
    seen_sin2: np.float32


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
    torque_noise_max: float = 0.0  # N m
    nips: bool = False  # the equations of the paper in place of the book's


class Options(NamedTuple):
    low: float = -0.1
    high: float = 0.1


ACTION = Discrete(3)


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
    s.theta1[i] = theta1
    s.theta2[i] = theta2
    s.seen_cos1[i] = cos32(theta1)
    s.seen_sin1[i] = sin32(theta1)
    s.seen_cos2[i] = cos32(theta2)
    s.seen_sin2[i] = sin32(theta2)
    s.cos_theta2[i] = cos(s.theta2[i])
    s.sin_theta2[i] = sin(s.theta2[i])


def accelerations(theta1, theta2, dtheta1, dtheta2, cos_theta2, sin_theta2, torque, p):
    """Return the angular accelerations of both joints; the grouping is the original's."""
    m2 = p.LINK_MASS_2
    l1 = p.LINK_LENGTH_1
    lc1 = p.LINK_COM_POS_1
    lc2 = p.LINK_COM_POS_2
    moi = p.LINK_MOI
    lc2_squared = power(lc2, 2.0)
    lever = m2 * l1 * lc2
    d1 = p.LINK_MASS_1 * power(lc1, 2.0)
    d1 = d1 + m2 * (power(l1, 2.0) + lc2_squared + 2.0 * l1 * lc2 * cos_theta2) + moi + moi
    d2 = m2 * (lc2_squared + l1 * lc2 * cos_theta2) + moi
    phi2 = m2 * lc2 * 9.8 * cos(theta1 + theta2 - pi / 2.0)
    phi1 = (
        -lever * power(dtheta2, 2.0) * sin_theta2
        - 2.0 * lever * dtheta2 * dtheta1 * sin_theta2
        + (p.LINK_MASS_1 * lc1 + m2 * l1) * 9.8 * cos(theta1 - pi / 2.0)
        + phi2
    )
    force = torque + d2 / d1 * phi1
    if not p.nips:
        force = force - lever * power(dtheta1, 2.0) * sin_theta2
    ddtheta2 = (force - phi2) / (m2 * lc2_squared + moi - power(d2, 2.0) / d1)
    return -(d2 * ddtheta2 + phi1) / d1, ddtheta2


def weigh(k1, k2, k3, k4):
    """Return six times the mean of Runge and Kutta's slopes."""
    return k1 + 2.0 * k2 + 2.0 * k3 + k4


def step(s, i, action, p, rng):
    torque = -1.0 if action == 0 else 1.0 if action == 2 else 0.0
    if p.torque_noise_max > 0.0:
        torque = torque + uniform(rng, i, -p.torque_noise_max, p.torque_noise_max)

    # The slopes: u and v the velocities of the joints, a and b their accelerations.
    x = s.theta1[i]
    y = s.theta2[i]
    u1 = s.dtheta1[i]
    v1 = s.dtheta2[i]
    a1, b1 = accelerations(x, y, u1, v1, s.cos_theta2[i], s.sin_theta2[i], torque, p)
    half = p.dt / 2.0
    y2 = y + half * v1
    u2 = u1 + half * a1
    v2 = v1 + half * b1
    a2, b2 = accelerations(x + half * u1, y2, u2, v2, cos(y2), sin(y2), torque, p)
    y3 = y + half * v2
    u3 = u1 + half * a2
    v3 = v1 + half * b2
    a3, b3 = accelerations(x + half * u2, y3, u3, v3, cos(y3), sin(y3), torque, p)
    y4 = y + p.dt * v3
    u4 = u1 + p.dt * a3
    v4 = v1 + p.dt * b3
    a4, b4 = accelerations(x + p.dt * u3, y4, u4, v4, cos(y4), sin(y4), torque, p)

    sixth = p.dt / 6.0
    theta1 = wrap_turns(x + sixth * weigh(u1, u2, u3, u4))
    theta2 = wrap_turns(y + sixth * weigh(v1, v2, v3, v4))
    dtheta1 = u1 + sixth * weigh(a1, a2, a3, a4)
    dtheta2 = v1 + sixth * weigh(b1, b2, b3, b4)
    cos_theta1 = cos(theta1)
    cos_theta2 = cos(theta2)
    sin_theta2 = sin(theta2)
    s.theta1[i] = theta1
    s.theta2[i] = theta2
    s.dtheta1[i] = min(max(dtheta1, -p.MAX_VEL_1), p.MAX_VEL_1)
    s.dtheta2[i] = min(max(dtheta2, -p.MAX_VEL_2), p.MAX_VEL_2)
    s.cos_theta2[i] = cos_theta2
    s.sin_theta2[i] = sin_theta2
    s.seen_cos1[i] = cos_theta1
    s.seen_sin1[i] = sin(theta1)
    s.seen_cos2[i] = cos_theta2
    s.seen_sin2[i] = sin_theta2
    terminated = -cos_theta1 - cos(theta2 + theta1) > 1.0
    return 0.0 if terminated else -1.0, terminated


def observe(s, i, p, out):
    out[0] = s.seen_cos1[i]
    out[1] = s.seen_sin1[i]
    out[2] = s.seen_cos2[i]
    out[3] = s.seen_sin2[i]
    out[4] = s.dtheta1[i]
    out[5] = s.dtheta2[i]


def renderer(p):
    """Return a function (s, i) -> frame (500, 500, 3) that draws with Gymnasium's renderer."""
    from gymnasium.envs.classic_control.acrobot import AcrobotEnv

    original = AcrobotEnv(render_mode="rgb_array")
    original.LINK_LENGTH_1 = p.LINK_LENGTH_1
    original.LINK_LENGTH_2 = p.LINK_LENGTH_2

    def draw(s, i):
        state = np.array([s.theta1[i], s.theta2[i], s.dtheta1[i], s.dtheta2[i]], np.float64)
        # Upstream draws a reset's state in float32.
        rounded = state.astype(np.float32)
        original.state = rounded if (rounded == state).all() else state
        return original.render()

    return draw
