"""# CartPole-v1

A pole stands on a cart that runs on a track without friction. Push the cart left or right, with the
same force each time, so that the pole does not fall and the cart does not leave the track.

Original: `gymnasium/envs/classic_control/cartpole.py`, after Barto, Sutton and Anderson,
"Neuronlike Adaptive Elements That Can Solve Difficult Learning Control Problems" (1983); the
equations of motion are those of Florian, "Correct equations for the dynamics of the cart-pole
system" (2007).

## Action Space

`Discrete(2)`: 0 pushes the cart to the left, 1 to the right, with `force_mag` newtons.

## Observation Space

`Box`, float32, shape `(4,)`:

| index | observation | unit | an episode ends beyond |
|---|---|---|---|
| 0 | position of the cart `x` | m | ±2.4 |
| 1 | velocity of the cart `x_dot` | m/s | – |
| 2 | angle of the pole `theta`, 0 upright | rad | ±12° |
| 3 | angular velocity of the pole `theta_dot` | rad/s | – |

## Rewards

1 for every step, the last one included. With `sutton_barto_reward=True`: -1 for the step that ends
the episode by falling or leaving the track, 0 for every other.

## Starting State

Each of the four values uniform in [`low`, `high`), by default [-0.05, 0.05).

## Episode End

Terminated when the pole leans more than 12° or the cart is more than 2.4 m from the middle;
truncated after 500 steps. Both can happen in the same step.

## Version History

- v1: time limit of 500 steps.
"""

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

from batchsim.accessors import vector
from batchsim.math import cos, pi, sin
from batchsim.random import uniform

RENDER_FPS = 50


class State(NamedTuple):
    x: float
    x_dot: float
    theta: float
    theta_dot: float


class Params(NamedTuple):
    gravity: float = 9.8  # m/s²
    masscart: float = 1.0  # kg
    masspole: float = 0.1  # kg
    length: float = 0.5  # m, half the pole's length
    force_mag: float = 10.0  # N
    tau: float = 0.02  # s between two states
    theta_threshold_radians: float = 12 * 2 * pi / 360
    x_threshold: float = 2.4
    sutton_barto_reward: bool = False


class Options(NamedTuple):
    low: float = -0.05
    high: float = 0.05


ATTRIBUTES = {
    "state": vector("x", "x_dot", "theta", "theta_dot"),
    "total_mass": lambda s, i, p: p.masspole + p.masscart,
    "polemass_length": lambda s, i, p: p.masspole * p.length,
}
ACTION = Discrete(2)
KEYS = {"left": 0, "right": 1}  # time stands still while neither is held


def check_options(options):
    if options.low > options.high:
        raise ValueError(f"low is {options.low} and high is {options.high}; expected low <= high.")


def OBSERVATION(p):
    # Twice the thresholds, so that the observation that ends an episode is in the space too.
    high = np.array([p.x_threshold * 2, np.inf, p.theta_threshold_radians * 2, np.inf], np.float32)
    return Box(-high, high, dtype=np.float32)


def reset(s, i, p, rng):
    # Drawn first and stored then: the stream's words stay in registers between the draws.
    x = uniform(rng, i, p.low, p.high)
    x_dot = uniform(rng, i, p.low, p.high)
    theta = uniform(rng, i, p.low, p.high)
    theta_dot = uniform(rng, i, p.low, p.high)
    s.x[i] = x
    s.x_dot[i] = x_dot
    s.theta[i] = theta
    s.theta_dot[i] = theta_dot


def step(s, i, action, p, rng):
    x = s.x[i]
    x_dot = s.x_dot[i]
    theta = s.theta[i]
    theta_dot = s.theta_dot[i]
    total_mass = p.masspole + p.masscart
    polemass_length = p.masspole * p.length
    force = p.force_mag if action == 1 else -p.force_mag
    costheta = cos(theta)
    sintheta = sin(theta)

    # np.square is x * x; the grouping is the original's, or the last bit would differ.
    temp = (force + polemass_length * (theta_dot * theta_dot) * sintheta) / total_mass
    thetaacc = (p.gravity * sintheta - costheta * temp) / (
        p.length * (4.0 / 3.0 - p.masspole * (costheta * costheta) / total_mass)
    )
    xacc = temp - polemass_length * thetaacc * costheta / total_mass

    x = x + p.tau * x_dot
    x_dot = x_dot + p.tau * xacc
    theta = theta + p.tau * theta_dot
    theta_dot = theta_dot + p.tau * thetaacc
    s.x[i] = x
    s.x_dot[i] = x_dot
    s.theta[i] = theta
    s.theta_dot[i] = theta_dot

    terminated = (
        x < -p.x_threshold
        or x > p.x_threshold
        or theta < -p.theta_threshold_radians
        or theta > p.theta_threshold_radians
    )
    if p.sutton_barto_reward:
        reward = -1.0 if terminated else 0.0
    else:
        reward = 1.0
    return reward, terminated


def observe(s, i, p, out):
    out[0] = s.x[i]
    out[1] = s.x_dot[i]
    out[2] = s.theta[i]
    out[3] = s.theta_dot[i]


def renderer(p):
    """Return a function (s, i) -> frame (400, 600, 3) that draws with Gymnasium's renderer."""
    from gymnasium.envs.classic_control.cartpole import CartPoleEnv

    original = CartPoleEnv(render_mode="rgb_array")
    original.length = p.length
    original.x_threshold = p.x_threshold

    def draw(s, i):
        original.state = np.array([s.x[i], s.x_dot[i], s.theta[i], s.theta_dot[i]], np.float64)
        return original.render()

    return draw
