"""A world: its map, the player, what lies around, and the monsters.

Units, speeds and damages are those of `batchsim.envs.egocentric.world`: cells, tics and radians.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from batchsim.baselines.egocentric.maps import Map
from batchsim.baselines.egocentric.monsters import Monster
from batchsim.envs.egocentric.world import (
    ASIDE,
    DEAD,
    FORWARD,
    FRICTION,
    FULL,
    HALF_WIDTH,
    RADIUS,
    REACH,
    RELOAD,
    STANDING,
    TURN,
)

__all__ = ["Item", "Player", "World"]


class Item(NamedTuple):
    """Something that lies around."""

    kind: int
    x: float
    y: float


@dataclass
class Player:
    """Who looks and acts."""

    x: float
    y: float
    angle: float
    ammo: int
    health: float = FULL
    speed_x: float = 0.0
    speed_y: float = 0.0
    kills: int = 0
    reload: int = 0
    """Tics until the next shot."""

    @property
    def is_dead(self) -> bool:
        """Whether there is no health left."""
        return self.health <= 0.0

    def heal(self, by: float) -> None:
        """Change the health, which stays between 0 and `FULL`."""
        self.health = max(0.0, min(FULL, self.health + by))

    def turn(self, direction: int) -> None:
        """Turn for a tic: to the left if -1, to the right if 1."""
        if direction != 0:
            self.angle += TURN * direction

    def move(self, plan: Map, forward: int, aside: int) -> None:
        """Push the player for a tic, and let it slide along walls.

        Each of `forward` and `aside` (to the right) is -1, 0 or 1.
        """
        speed_x, speed_y = self.speed_x * FRICTION, self.speed_y * FRICTION
        if forward != 0 or aside != 0:
            cos, sin = math.cos(self.angle), math.sin(self.angle)
            speed_x += FORWARD * forward * cos - ASIDE * aside * sin
            speed_y += FORWARD * forward * sin + ASIDE * aside * cos
        elif abs(speed_x) < STANDING and abs(speed_y) < STANDING:
            speed_x = speed_y = 0.0
        if speed_x != 0.0:
            if plan.is_free(self.x + speed_x, self.y, RADIUS):
                self.x += speed_x
            else:
                speed_x = 0.0
        if speed_y != 0.0:
            if plan.is_free(self.x, self.y + speed_y, RADIUS):
                self.y += speed_y
            else:
                speed_y = 0.0
        self.speed_x, self.speed_y = speed_x, speed_y


@dataclass
class World:
    """Everything that there is in an episode."""

    plan: Map
    player: Player
    rng: np.random.Generator
    monsters: list[Monster] = field(default_factory=list)
    items: list[Item | None] = field(default_factory=list)
    """None where one was taken and no other put."""
    tic: int = 0

    def tick(self) -> None:
        """Let a tic pass."""
        self.tic += 1
        self.player.reload = max(0, self.player.reload - 1)

    def sees(self, x: float, y: float) -> bool:
        """Return whether no wall stands between the player and a place."""
        player = self.player
        return self.plan.free_way(player.x, player.y, x - player.x, y - player.y) >= 1.0

    def far_place(self, distance: float) -> tuple[float, float]:
        """Draw a place where a body fits, so far from the player if one is found soon."""
        x, y = self.plan.free_place(self.rng)
        for _ in range(20):
            dx, dy = x - self.player.x, y - self.player.y
            if dx * dx + dy * dy >= distance * distance:
                break
            x, y = self.plan.free_place(self.rng)
        return x, y

    def take(self) -> tuple[int, Item] | None:
        """Take an item within the player's reach; return its place in `items`, and the item."""
        for place, item in enumerate(self.items):
            if item is not None:
                dx, dy = item.x - self.player.x, item.y - self.player.y
                if dx * dx + dy * dy < REACH * REACH:
                    self.items[place] = None
                    return place, item
        return None

    def shoot(self) -> Monster | bool:
        """Let the player shoot straight ahead, if loaded.

        Returns:
            The monster that was hit; else whether there was a shot.
        """
        player = self.player
        if player.reload > 0 or player.ammo <= 0:
            return False
        player.reload = RELOAD
        player.ammo -= 1
        cos, sin = math.cos(player.angle), math.sin(player.angle)
        nearest, hit = 1e30, None
        for monster in self.monsters:
            if monster.state == DEAD:
                continue
            dx, dy = monster.x - player.x, monster.y - player.y
            ahead, beside = dx * cos + dy * sin, abs(dy * cos - dx * sin)
            if 0.0 < ahead < nearest and beside < HALF_WIDTH:
                nearest, hit = ahead, monster
        way = cos * nearest, sin * nearest
        if hit is None or self.plan.free_way(player.x, player.y, *way) < 1.0:
            return True
        hit.endure(5 * int(self.rng.integers(1, 4)))
        player.kills += hit.state == DEAD
        return hit

    def act(self, pace: float, strength: float = 1.0) -> None:
        """Let all monsters act for a tic, each walking so far, and hurt the player."""
        damage = 0.0
        for monster in self.monsters:
            damage += monster.act(self, pace)
        if damage > 0.0:
            self.player.heal(-(strength * damage))
