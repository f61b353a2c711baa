"""Scenarios in which the player fights monsters; `batchsim.envs.egocentric` has the rules."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import numpy as np
from gymnasium import spaces

from batchsim.baselines.egocentric import maps
from batchsim.baselines.egocentric.environment import Egocentric, OnMaps, axis
from batchsim.baselines.egocentric.monsters import Monster
from batchsim.baselines.egocentric.world import Item, Player, World
from batchsim.envs.egocentric import (
    basic,
    battle,
    deadly_corridor,
    defend_the_center,
    defend_the_line,
    health_gathering,
    shooting,
)
from batchsim.envs.egocentric.maps import ARENA, MIDDLE
from batchsim.envs.egocentric.textures import BRICKS, METAL, STONE
from batchsim.envs.egocentric.world import CLIP, MEDIKIT, MELEE, SHOOTER, UNITS, VEST

__all__ = ["Basic", "Battle", "DeadlyCorridor", "DefendTheCenter", "DefendTheLine"]


class Basic(Egocentric):
    """EgoBasic-v0: a monster that only stands there."""

    actions = spaces.Discrete(4)

    def start(self, rng: np.random.Generator) -> World:
        """Put the player before one wall, and the monster before the opposite one."""
        plan = maps.room(basic.ROWS, basic.COLUMNS, BRICKS)
        player = Player(1.0 + basic.COLUMNS / 2, basic.ROWS + 0.5, -math.pi / 2, ammo=50)
        x = rng.uniform(1.5, basic.COLUMNS + 0.5)
        return World(plan, player, rng, [Monster(SHOOTER, x, 1.5, health=1, number=0)])

    def play(self, action: Any) -> tuple[float, bool]:
        """Step aside, and shoot."""
        world, player, reward = self.world, self.world.player, 0.0
        for _ in range(self.frame_skip):
            world.tick()
            player.move(world.plan, 0, axis(action, shooting.LEFT, shooting.RIGHT))
            reward -= 1.0
            if action == shooting.ATTACK and world.shoot() is True:
                reward -= 5.0
            if player.kills > 0:
                return reward + 101.0, True
        return reward, False


class Defend(Egocentric):
    """What both scenarios have in common in which the player turns and shoots in one place."""

    actions = spaces.Discrete(4)
    pace: float
    """How far monsters walk in a tic."""

    def play(self, action: Any) -> tuple[float, bool]:
        """Turn and shoot; monsters that died are followed by others."""
        world, player = self.world, self.world.player
        before = player.kills
        for _ in range(self.frame_skip):
            world.tick()
            player.turn(axis(action, shooting.LEFT, shooting.RIGHT))
            if action == shooting.ATTACK:
                world.shoot()
            world.act(self.pace)
            if player.is_dead:
                return float(player.kills - before) - 1.0, True
            for place, monster in enumerate(world.monsters):
                if monster.is_buried:
                    world.monsters[place] = self.follow(monster)
        return float(player.kills - before), False

    @abstractmethod
    def follow(self, monster: Monster) -> Monster:
        """Return the monster that comes after a dead one."""


class DefendTheCenter(Defend):
    """EgoDefendTheCenter-v0: monsters from all around."""

    pace = defend_the_center.DefendTheCenter.PACE

    def start(self, rng: np.random.Generator) -> World:
        """Put the player into the middle, and the monsters along the round wall."""
        plan = maps.arena(STONE)
        angle = rng.uniform(-math.pi, math.pi)
        player = Player(MIDDLE, MIDDLE, angle, ammo=defend_the_center.AMMO)
        count = defend_the_center.DefendTheCenter.COUNT
        monsters = [self.come(k, (k + rng.uniform(0.0, 1.0)) / count) for k in range(count)]
        return World(plan, player, rng, monsters)

    def come(self, number: int, around: float) -> Monster:
        """Return a monster near the wall, so much of a turn around the room."""
        angle, radius = 2.0 * math.pi * around, ARENA - 1.2
        x, y = MIDDLE + radius * math.cos(angle), MIDDLE + radius * math.sin(angle)
        return Monster(MELEE, x, y, health=1, number=number)

    def follow(self, monster: Monster) -> Monster:
        """Return another that comes from anywhere."""
        return self.come(monster.number, self.np_random.uniform(0.0, 1.0))


class DefendTheLine(Defend):
    """EgoDefendTheLine-v0: monsters from the other side of a room, ever tougher."""

    pace = defend_the_line.DefendTheLine.PACE

    def start(self, rng: np.random.Generator) -> World:
        """Put the player before one wall, and the monsters along the opposite one."""
        rules = defend_the_line
        plan = maps.room(rules.ROWS, rules.COLUMNS, METAL)
        player = Player(1.0 + rules.COLUMNS / 2, rules.ROWS + 0.5, -math.pi / 2, ammo=rules.AMMO)
        count = rules.DefendTheLine.COUNT
        monsters = [self.come(k, (k + 0.5) / count, 1) for k in range(count)]
        return World(plan, player, rng, monsters)

    def come(self, number: int, along: float, health: int) -> Monster:
        """Return a monster, so much of the way along the wall."""
        x = 1.5 + along * (defend_the_line.COLUMNS - 1.0)
        return Monster(MELEE if number % 2 == 0 else SHOOTER, x, 1.5, health, number)

    def follow(self, monster: Monster) -> Monster:
        """Return another of its kind that endures more."""
        along = self.np_random.uniform(0.0, 1.0)
        return self.come(monster.number, along, monster.full + defend_the_line.TOUGHER)


class DeadlyCorridor(Egocentric):
    """EgoDeadlyCorridor-v0: a vest behind six monsters."""

    actions = spaces.Discrete(8)
    nearest: float
    """How far from the vest the player was after the step before."""

    def start(self, rng: np.random.Generator) -> World:
        """Put the player at one end, the vest at the other, and monsters into the niches."""
        rules = deadly_corridor
        plan = maps.corridor(11, 3, 22, rules.NICHES, METAL)
        self.nearest = rules.END - rules.START
        monsters = [
            Monster(SHOOTER, niche + 0.5, y, rules.HEALTH, 2 * k + side)
            for k, niche in enumerate(rules.NICHES)
            for side, y in enumerate((10.7, 14.3))
        ]
        player = Player(rules.START, rules.AXIS, 0.0, ammo=50)
        return World(plan, player, rng, monsters, [Item(VEST, rules.END, rules.AXIS)])

    def play(self, action: Any) -> tuple[float, bool]:
        """Run for the vest, and shoot."""
        rules, world, player = deadly_corridor, self.world, self.world.player
        is_over = False
        for _ in range(self.frame_skip):
            world.tick()
            player.turn(axis(action, rules.TURN_LEFT, rules.TURN_RIGHT))
            forward = axis(action, rules.BACKWARD, rules.FORWARD)
            player.move(world.plan, forward, axis(action, rules.LEFT, rules.RIGHT))
            if action == rules.ATTACK:
                world.shoot()
            world.act(0.0, rules.STRENGTH)
            has_vest = world.take() is not None
            is_over = has_vest or player.is_dead
            if is_over:
                break
        dx, dy = rules.END - player.x, rules.AXIS - player.y
        distance = math.sqrt(dx * dx + dy * dy)
        reward = UNITS * (self.nearest - distance)
        self.nearest = distance
        return reward - (100.0 if player.is_dead else 0.0), is_over


class Battle(OnMaps):
    """EgoBattle-v0: a maze full of monsters, medikits and ammunition."""

    actions = spaces.MultiDiscrete([3, 3, 3, 2])

    def nothing(self) -> Any:
        """Return the action that presses no button."""
        return (0, 0, 0, 0)

    def found(self, rng: np.random.Generator) -> tuple[maps.Map, maps.Place]:
        """Draw a maze."""
        plan = maps.maze(rng, battle.SIDE, battle.WIDTH, battle.DOOR, battle.LOOPS)
        return plan, plan.free_place(rng)

    def start(self, rng: np.random.Generator) -> World:
        """Draw where everything is."""
        plan, place = self.enter(rng)
        player = Player(*place, rng.uniform(-math.pi, math.pi), ammo=battle.Battle.AMMO)
        world = World(plan, player, rng)
        world.monsters = [self.come(world, k) for k in range(battle.COUNT)]
        world.items = [
            Item(MEDIKIT if k % 2 == 0 else CLIP, *plan.free_place(rng))
            for k in range(battle.THINGS)
        ]
        return world

    def come(self, world: World, number: int) -> Monster:
        """Return a monster that appears."""
        x, y = world.far_place(battle.AWAY)
        return Monster(MELEE if number % 2 == 0 else SHOOTER, x, y, battle.HEALTH, number)

    def play(self, action: Any) -> tuple[float, bool]:
        """Do all at once, and take what is within reach."""
        turning, walking, stepping, shooting = (int(part) for part in action)
        world, player = self.world, self.world.player
        kills, health, ammo = player.kills, player.health, player.ammo
        for _ in range(self.frame_skip):
            world.tick()
            player.turn(axis(turning, 1, 2))
            player.move(world.plan, axis(walking, 2, 1), axis(stepping, 1, 2))
            if shooting:
                world.shoot()
            world.act(battle.PACE)
            if player.is_dead:
                break
            self.collect(world)
            for place, monster in enumerate(world.monsters):
                if monster.is_buried:
                    world.monsters[place] = self.come(world, monster.number)
        reward = float(player.kills - kills) + battle.OF_AMMO * float(player.ammo - ammo)
        return reward + battle.OF_HEALTH * (player.health - health), player.is_dead

    def collect(self, world: World) -> None:
        """Take what is within reach, and put another elsewhere."""
        taken = world.take()
        if taken is None:
            return
        place, item = taken
        if item.kind == MEDIKIT:
            world.player.heal(health_gathering.HEALING)
        else:
            world.player.ammo += battle.ROUNDS
        world.items[place] = Item(item.kind, *world.plan.free_place(world.rng))
