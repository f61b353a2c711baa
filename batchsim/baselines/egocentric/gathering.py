"""Scenarios in which things are found and gathered; `batchsim.envs.egocentric` has the rules."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from gymnasium import spaces

from batchsim.baselines.egocentric import maps
from batchsim.baselines.egocentric.environment import OnMaps, axis
from batchsim.baselines.egocentric.world import Item, Player, World
from batchsim.envs.egocentric import health_gathering, health_gathering_supreme, my_way_home
from batchsim.envs.egocentric.textures import ACID, BRICKS
from batchsim.envs.egocentric.world import ITEMS, MEDIKIT, VEST, VIAL

__all__ = ["HealthGathering", "HealthGatheringSupreme", "MyWayHome"]


class MyWayHome(OnMaps):
    """EgoMyWayHome-v0: a vest in one of many rooms."""

    actions = spaces.Discrete(6)
    has_goals = True

    def found(self, rng: np.random.Generator) -> tuple[maps.Map, maps.Place]:
        """Draw the doors, and the room the player is in."""
        side = my_way_home.SIDE
        plan = maps.maze(rng, side, my_way_home.WIDTH, my_way_home.DOOR, my_way_home.LOOPS)
        row, column = divmod(int(rng.integers(side * side - 1)), side)
        return plan, (self.middle(column), self.middle(row))

    def start(self, rng: np.random.Generator) -> World:
        """Put the player into the map, and the vest."""
        plan, place = self.enter(rng)
        middle = self.middle(my_way_home.SIDE - 1)
        goal = (middle, middle) if self.drawn is None else self.drawn.goal(rng)
        player = Player(*place, rng.uniform(-math.pi, math.pi), ammo=0)
        return World(plan, player, rng, items=[Item(VEST, *goal)])

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


class HealthGathering(OnMaps):
    """EgoHealthGathering-v0: medikits on a floor of acid."""

    actions = spaces.Discrete(4)
    floor = ACID
    vials = 0.0
    """How likely what falls is a vial of poison."""

    at_first = health_gathering.HealthGathering.AT_FIRST
    """Things."""

    def found(self, rng: np.random.Generator) -> tuple[maps.Map, maps.Place]:
        """Return a room, and its middle."""
        side = health_gathering.SIDE
        return maps.room(side, side, BRICKS), (1.0 + side / 2, 1.0 + side / 2)

    def start(self, rng: np.random.Generator) -> World:
        """Put the player into the map, and let things fall."""
        plan, place = self.enter(rng)
        world = World(plan, Player(*place, rng.uniform(-math.pi, math.pi), ammo=0), rng)
        world.items = [None] * ITEMS
        for slot in range(self.at_first):
            world.items[slot] = self.fall(world)
        return world

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

    vials = health_gathering_supreme.HealthGatheringSupreme.VIALS
    at_first = health_gathering_supreme.HealthGatheringSupreme.AT_FIRST

    def found(self, rng: np.random.Generator) -> tuple[maps.Map, maps.Place]:
        """Draw a maze, and where the player is."""
        rules = health_gathering_supreme
        plan = maps.maze(rng, rules.SIDE, rules.WIDTH, rules.DOOR, rules.LOOPS)
        return plan, plan.free_place(rng)
