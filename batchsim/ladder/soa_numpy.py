"""Rung `soa-numpy`: a structure of arrays, one column a variable, stepped by whole-array NumPy.

Written by hand for two environments. Each column operation is the original's scalar one, in the
same order, so that every bit agrees. Each row has a NumPy generator of its own for its resets.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from batchsim.ladder.check import same_bits
from batchsim.ladder.kind import Kind
from batchsim.ladder.memory import traced
from batchsim.ladder.rung import Array, Batch, Rung, hand_written

__all__ = ["RUNG", "make"]


class Columns(ABC):
    """What the environments have in common: streams, time limit and autoreset."""

    draws: int
    """Random numbers in [0, 1) that the start of an episode takes."""

    def __init__(self, kind: Kind, num_envs: int) -> None:
        assert kind.time_limit is not None
        self.time_limit = kind.time_limit
        self.num_envs = num_envs
        self.generators: list[np.random.Generator] = []
        self.elapsed = np.zeros(num_envs, np.int32)
        self.over = np.zeros(num_envs, np.bool_)

    @abstractmethod
    def start(self, rows: Array, random: Array) -> None:
        """Start an episode in `rows` from random numbers (len(rows), draws)."""

    @abstractmethod
    def advance(self, actions: Array) -> tuple[Array, Array]:
        """Step all rows; return new arrays of rewards and terminated."""

    @abstractmethod
    def observe(self) -> Array:
        """Return a new array of observations."""

    def reset(self, *, seed: int) -> tuple[Array, dict[str, Any]]:
        """Seed every row and start an episode in it."""
        self.generators = [np.random.default_rng(seed + row) for row in range(self.num_envs)]
        self.restart(np.arange(self.num_envs))
        self.over[:] = False
        return self.observe(), {}

    def restart(self, rows: Array) -> None:
        """Start an episode in `rows`, with the next numbers of their streams."""
        random = np.empty((len(rows), self.draws))
        for k, row in enumerate(rows):
            self.generators[row].random(out=random[k])
        self.start(rows, random)
        self.elapsed[rows] = 0

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Step all rows, then start an episode in those that were over before."""
        reward, terminated = self.advance(actions)
        self.elapsed += 1
        truncated = self.elapsed >= self.time_limit
        rows = np.flatnonzero(self.over)
        if rows.size:
            self.restart(rows)
            reward[rows] = 0.0
            terminated[rows] = False
            truncated[rows] = False
        self.over = terminated | truncated
        return self.observe(), reward, terminated, truncated, {}

    def close(self) -> None:  # noqa: B027
        """Nothing to let go."""


class CartPole(Columns):
    """CartPole-v1."""

    draws = 4
    gravity = 9.8
    masscart = 1.0
    masspole = 0.1
    total_mass = masspole + masscart
    length = 0.5
    polemass_length = masspole * length
    force_mag = 10.0
    tau = 0.02
    theta_threshold_radians = 12 * 2 * math.pi / 360
    x_threshold = 2.4

    def __init__(self, kind: Kind, num_envs: int) -> None:
        super().__init__(kind, num_envs)
        self.x = np.empty(num_envs)
        self.x_dot = np.empty(num_envs)
        self.theta = np.empty(num_envs)
        self.theta_dot = np.empty(num_envs)

    def start(self, rows: Array, random: Array) -> None:
        """Draw the four variables from [-0.05, 0.05)."""
        low, high = -0.05, 0.05
        values = low + (high - low) * random
        self.x[rows] = values[:, 0]
        self.x_dot[rows] = values[:, 1]
        self.theta[rows] = values[:, 2]
        self.theta_dot[rows] = values[:, 3]

    def advance(self, actions: Array) -> tuple[Array, Array]:
        """Push the carts to the left (0) or to the right (1)."""
        if ((actions < 0) | (actions > 1)).any():
            raise ValueError("an action is neither 0 nor 1")
        force = np.where(actions == 1, self.force_mag, -self.force_mag)
        costheta = np.cos(self.theta)
        sintheta = np.sin(self.theta)

        temp = (
            force + self.polemass_length * np.square(self.theta_dot) * sintheta
        ) / self.total_mass
        thetaacc = (self.gravity * sintheta - costheta * temp) / (
            self.length * (4.0 / 3.0 - self.masspole * np.square(costheta) / self.total_mass)
        )
        xacc = temp - self.polemass_length * thetaacc * costheta / self.total_mass

        self.x += self.tau * self.x_dot
        self.x_dot += self.tau * xacc
        self.theta += self.tau * self.theta_dot
        self.theta_dot += self.tau * thetaacc

        terminated = (np.abs(self.x) > self.x_threshold) | (
            np.abs(self.theta) > self.theta_threshold_radians
        )
        return np.ones(self.num_envs), terminated

    def observe(self) -> Array:
        """Return the four columns side by side."""
        columns = (self.x, self.x_dot, self.theta, self.theta_dot)
        return np.stack(columns, axis=1, dtype=np.float32, casting="same_kind")


class Pendulum(Columns):
    """Pendulum-v1."""

    draws = 2
    max_speed = 8.0
    max_torque = 2.0
    dt = 0.05
    g = 10.0
    m = 1.0
    l = 1.0  # noqa: E741

    def __init__(self, kind: Kind, num_envs: int) -> None:
        super().__init__(kind, num_envs)
        self.theta = np.empty(num_envs)
        self.theta_dot = np.empty(num_envs)

    def start(self, rows: Array, random: Array) -> None:
        """Draw the angle from [-pi, pi) and the angular velocity from [-1, 1)."""
        high = np.array([np.pi, 1.0])
        low = -high
        values = low + (high - low) * random
        self.theta[rows] = values[:, 0]
        self.theta_dot[rows] = values[:, 1]

    def advance(self, actions: Array) -> tuple[Array, Array]:
        """Turn the pendulums with torques (N, 1)."""
        torque = np.clip(actions[:, 0], -self.max_torque, self.max_torque)
        wrapped = ((self.theta + np.pi) % (2 * np.pi)) - np.pi
        # The original's `x**2` of a scalar is the C library's pow, which differs from x * x in the
        # last bit once in a thousand. Over arrays only float_power calls it, and nothing calls
        # powf: the float32 term goes through NumPy's scalars one by one, which takes as long as
        # half of the step.
        torque_squared = np.array([value**2 for value in torque])
        cost = np.float_power(wrapped, 2.0) + 0.1 * np.float_power(self.theta_dot, 2.0)
        cost += np.float32(0.001) * torque_squared

        gravity = 3 * self.g / (2 * self.l) * np.sin(self.theta)
        drive = np.float32(3.0 / (self.m * self.l**2)) * torque
        self.theta_dot += (gravity + drive) * self.dt
        np.clip(self.theta_dot, -self.max_speed, self.max_speed, out=self.theta_dot)
        self.theta += self.theta_dot * self.dt
        return -cost, np.zeros(self.num_envs, np.bool_)

    def observe(self) -> Array:
        """Return the cosine and sine of the angle, and the angular velocity, side by side."""
        columns = (np.cos(self.theta), np.sin(self.theta), self.theta_dot)
        return np.stack(columns, axis=1, dtype=np.float32, casting="same_kind")


CLASSES: dict[str, type[Columns]] = {"CartPole-v1": CartPole, "Pendulum-v1": Pendulum}


def make(kind: Kind, num_envs: int) -> Batch:
    """Return a batch of one of the `CLASSES`."""
    return CLASSES[kind.env_id](kind, num_envs)


RUNG = Rung(
    name="soa-numpy",
    description="a structure of arrays, stepped column by column with NumPy",
    make=make,
    check=same_bits,
    bytes_per_env=traced,
    absent=hand_written(CLASSES),
)
