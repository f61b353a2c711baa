"""What monsters do: they wander, come closer, aim, and bite or shoot; who is hit flinches."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from batchsim.baselines.egocentric.maps import Map
from batchsim.envs.egocentric.monsters import (
    AIMING,
    BITE,
    LOOKING,
    NEAR,
    RESTING,
    SHOT,
    SPREAD,
)
from batchsim.envs.egocentric.world import (
    AIM,
    BURIAL,
    DEAD,
    FLINCH,
    FLINCHING,
    MELEE,
    RADIUS,
    WALK,
)

__all__ = ["Monster"]


class Place(Protocol):
    """Where somebody stands."""

    x: float
    y: float


class Surroundings(Protocol):
    """What a monster asks of the world that it is in."""

    plan: Map
    rng: np.random.Generator

    @property
    def player(self) -> Place:
        """Whom it is after."""

    def sees(self, x: float, y: float) -> bool:
        """Return whether no wall stands between the player and a place."""


@dataclass
class Monster:
    """One monster, dead ones too.

    Args:
        kind: `MELEE` or `SHOOTER`.
        x, y: where it is.
        health: at first.
        number: of the monster, so that not all look around in the same tic.
    """

    kind: int
    x: float
    y: float
    health: int
    number: int
    dx: float = 0.0
    dy: float = 0.0
    """What it walks in a tic."""
    state: int = WALK
    timer: int = field(init=False)
    """Tics left in this state, or to the next look."""
    full: int = field(init=False)
    """Its health at first."""

    def __post_init__(self) -> None:
        self.timer = 1 + self.number % LOOKING
        self.full = self.health

    @property
    def is_buried(self) -> bool:
        """Whether it has been dead for so long that another may take its place."""
        return self.state == DEAD and self.timer <= 0

    def endure(self, damage: int) -> None:
        """Suffer a hit: flinch, or die."""
        self.health -= damage
        self.state, self.timer = (DEAD, BURIAL) if self.health <= 0 else (FLINCH, FLINCHING)

    def act(self, world: Surroundings, pace: float) -> float:
        """Do what there is to do in a tic, walking so far; return the damage to the player."""
        self.timer -= 1
        if self.state == DEAD:
            return 0.0
        if self.timer > 0:
            if self.state == WALK and pace > 0.0:
                self.walk(world)
            return 0.0
        if self.state == WALK:
            self.look(world, pace)
            return 0.0
        aimed = self.state == AIM
        self.state = WALK
        self.dx = self.dy = 0.0
        self.timer = RESTING if aimed else 1
        return self.attack(world, pace) if aimed else 0.0

    def to_player(self, world: Surroundings) -> tuple[float, float, float]:
        """Return the way to the player along x and y, and its length."""
        dx, dy = world.player.x - self.x, world.player.y - self.y
        return dx, dy, math.sqrt(dx * dx + dy * dy)

    def look(self, world: Surroundings, pace: float) -> None:
        """Decide what to do next."""
        dx, dy, distance = self.to_player(world)
        reach = BITE if self.kind == MELEE else SHOT
        self.timer = LOOKING
        if world.sees(self.x, self.y):
            if distance < reach:
                self.state, self.timer = AIM, AIMING
            elif pace > 0.0:
                self.dx, self.dy = pace * dx / distance, pace * dy / distance
                # Not through the player.
                self.timer = max(1, min(LOOKING, int((distance - 0.8 * reach) / pace)))
        elif pace > 0.0 and (self.dx == 0.0 or self.dy == 0.0):
            angle = world.rng.uniform(-math.pi, math.pi)
            self.dx, self.dy = pace * math.cos(angle), pace * math.sin(angle)

    def walk(self, world: Surroundings) -> None:
        """Walk, along walls if need be, giving up the direction in which one stands."""
        if self.dx != 0.0:
            if world.plan.is_free(self.x + self.dx, self.y, RADIUS):
                self.x += self.dx
            else:
                self.dx = 0.0
        if self.dy != 0.0:
            if world.plan.is_free(self.x, self.y + self.dy, RADIUS):
                self.y += self.dy
            else:
                self.dy = 0.0

    def attack(self, world: Surroundings, pace: float) -> float:
        """Bite, or shoot and come nearer, though not straight; return the damage."""
        dx, dy, distance = self.to_player(world)
        if not world.sees(self.x, self.y):
            return 0.0
        rng = world.rng
        if self.kind == MELEE:
            return 4.0 * int(rng.integers(1, 11)) if distance < 1.5 * BITE else 0.0
        hits = rng.random() * (1.0 + SPREAD * distance) < 1.0
        if pace > 0.0 and distance > NEAR:
            angle = rng.uniform(-math.pi / 3.0, math.pi / 3.0)
            cos, sin = math.cos(angle) * pace / distance, math.sin(angle) * pace / distance
            self.dx, self.dy = dx * cos - dy * sin, dx * sin + dy * cos
        return 3.0 * int(rng.integers(1, 6)) if hits else 0.0
