"""Scenarios in which things are found and gathered; `batchsim.envs.egocentric` has the rules."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from gymnasium import spaces

from batchsim.baselines.egocentric import maps
from batchsim.baselines.egocentric.environment import Egocentric, axis
from batchsim.baselines.egocentric.world import Item, Player, World
from batchsim.envs.egocentric import health_gathering, health_gathering_supreme, my_way_home
from batchsim.envs.egocentric.textures import ACID, BRICKS
from batchsim.envs.egocentric.world import ITEMS, MEDIKIT, VEST, VIAL

__all__ = ["HealthGathering", "HealthGatheringSupreme", "MyWayHome"]


class MyWayHome(Egocentric):
    """EgoMyWayHome-v0: a vest in one of many rooms."""

    actions = spaces.Discrete(6)

    def start(self, rng: np.random.Generator) -> World:
        """Draw the doors, and where the player is."""
        side = my_way_home.SIDE
        plan = maps.maze(rng, side, my_way_home.WIDTH, my_way_home.DOOR, my_way_home.LOOPS)
        row, column = divmod(int(rng.integers(side * side - 1)), side)
        x, y = self.middle(column), self.middle(row)
        player = Player(x, y, rng.uniform(-math.pi, math.pi), ammo=0)
        vest = Item(VEST, self.middle(side - 1), self.middle(side - 1))
        return World(plan, player, rng, items=[vest])

    @staticmethod
    def middle(room: int) -> float:
        """Return where the middle of a room of this row or column is."""
        return room * (my_way_home.WIDTH + 1) + 1 + my_way_home.WIDTH / 2

    def play(self, action: Any) -> tuple[float, bool]:
        """Walk, and take the vest."""
        rules, world, player, reward = my_way_home, self.world, self.world.player, 0.0
        for _ in range(self.frame_skip):
            world.tick()
            player.turn(axis(action, rules.TURN_LEFT, rules.TURN_RIGHT))
            aside = axis(action, rules.LEFT, rules.RIGHT)
            player.move(world.plan, int(action == rules.FORWARD), aside)
            reward -= 0.0001
            if world.take() is not None:
                return reward + 1.0, True
        return reward, False


class HealthGathering(Egocentric):
    """EgoHealthGathering-v0: medikits on a floor of acid."""

    actions = spaces.Discrete(4)
    floor = ACID
    vials = 0.0
    """How likely what falls is a vial of poison."""

    def start(self, rng: np.random.Generator) -> World:
        """Put the player into the middle of a room, and medikits around."""
        side = health_gathering.SIDE
        plan = maps.room(side, side, BRICKS)
        angle = rng.uniform(-math.pi, math.pi)
        world = World(plan, Player(1.0 + side / 2, 1.0 + side / 2, angle, ammo=0), rng)
        self.scatter(world, health_gathering.AT_FIRST)
        return world

    def scatter(self, world: World, count: int) -> None:
        """Let so many things fall into a new world."""
        world.items = [None] * ITEMS
        for place in range(count):
            world.items[place] = self.fall(world)

    def fall(self, world: World) -> Item:
        """Return something that falls from the sky."""
        kind = VIAL if self.vials > 0.0 and world.rng.random() < self.vials else MEDIKIT
        return Item(kind, *world.plan.free_place(world.rng))

    def play(self, action: Any) -> tuple[float, bool]:
        """Walk, and take what lies there, for better or worse."""
        rules, world, player, reward = health_gathering, self.world, self.world.player, 0.0
        for _ in range(self.frame_skip):
            world.tick()
            player.turn(axis(action, rules.LEFT, rules.RIGHT))
            player.move(world.plan, int(action == rules.FORWARD), 0)
            taken = world.take()
            if taken is not None:
                player.heal(rules.HEALING if taken[1].kind == MEDIKIT else -rules.POISON)
            if world.tic % rules.EVERY == 0:
                player.heal(-rules.BURN)
                if None in world.items:
                    world.items[world.items.index(None)] = self.fall(world)
            if player.is_dead:
                return reward - 100.0, True
            reward += 1.0
        return reward, False


class HealthGatheringSupreme(HealthGathering):
    """EgoHealthGatheringSupreme-v0: the same in a maze, and some of it poison."""

    vials = health_gathering_supreme.VIALS

    def start(self, rng: np.random.Generator) -> World:
        """Draw a maze, and where the player and the things are."""
        rules = health_gathering_supreme
        plan = maps.maze(rng, rules.SIDE, rules.WIDTH, rules.DOOR, rules.LOOPS)
        player = Player(*plan.free_place(rng), rng.uniform(-math.pi, math.pi), ammo=0)
        world = World(plan, player, rng)
        self.scatter(world, rules.AT_FIRST)
        return world
