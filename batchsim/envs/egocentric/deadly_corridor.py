"""EgoDeadlyCorridor-v0: a vest behind six monsters."""

import math

from gymnasium.spaces import Discrete

from batchsim.envs.egocentric.items import put_item, take
from batchsim.envs.egocentric.maps import block, room
from batchsim.envs.egocentric.monsters import act, hurt, put_monster
from batchsim.envs.egocentric.scenario import Scenario
from batchsim.envs.egocentric.textures import METAL
from batchsim.envs.egocentric.world import SHOOTER, UNITS, VEST, axis, begin, move, shoot, turn

START, END, AXIS = 1.5, 22.0, 12.5  # x of the player and of the vest, and y of both
NICHES = (5, 11, 17)  # columns, of which a niche has this, one before and one after
COUNT = 6  # monsters
HEALTH = 20
STRENGTH = 3.0
LEFT, RIGHT, ATTACK, FORWARD, BACKWARD, TURN_LEFT, TURN_RIGHT = 1, 2, 3, 4, 5, 6, 7


class DeadlyCorridor(Scenario):
    """# EgoDeadlyCorridor-v0

    A vest lies at the end of a corridor, and six monsters that shoot stand in niches along it: who
    only runs does not arrive.

    After the scenario "deadly corridor" of ViZDoom (Kempka and others, 2016), with its 1312 units
    of Doom from the start to the vest. There, the monsters are of several kinds and walk.

    ## Action Space

    `Discrete(8)`: 0 nothing, 1 a step to the left, 2 to the right, 3 shoot, 4 forward, 5 backward,
    6 turn left, 7 turn right.

    ## Rewards

    How much nearer to the vest the player has come, in units of Doom, 64 of which are a cell; -100
    at its death. The task counts as solved at 1000.

    ## Starting State

    The player stands at one end and looks along the corridor, in full health, with 50 rounds. The
    monsters face each other in three pairs; each endures 20 points of damage, of which a hit does
    5, 10 or 15.

    ## Episode End

    Terminated when the player takes the vest or dies. A monster's shot is three times as strong as
    in the other scenarios. The time limit is 525 steps of 4 tics.
    """

    ACTION = Discrete(8)
    KEYS = {
        None: 0,
        "left": TURN_LEFT,
        "right": TURN_RIGHT,
        "up": FORWARD,
        "w": FORWARD,
        "down": BACKWARD,
        "s": BACKWARD,
        "a": LEFT,
        "d": RIGHT,
        "space": ATTACK,
        "left ctrl": ATTACK,
    }

    def reset(s, i, p, rng):
        room(s, i, 0, 0, METAL)
        block(s, i, 11, 1, 3, 22, 0)
        begin(s, i, START, AXIS, 0.0, 50)
        put_item(s, i, 0, VEST, END, AXIS)
        s.best[i] = END - START
        for k in range(3):
            for row in (10, 14):
                block(s, i, row, NICHES[k] - 1, 1, 3, 0)
            put_monster(s, i, 2 * k, SHOOTER, NICHES[k] + 0.5, 10.7, HEALTH)
            put_monster(s, i, 2 * k + 1, SHOOTER, NICHES[k] + 0.5, 14.3, HEALTH)

    def play(s, i, button, reward, rng):
        turn(s, i, axis(button, TURN_LEFT, TURN_RIGHT))
        move(s, i, axis(button, BACKWARD, FORWARD), axis(button, LEFT, RIGHT))
        if button == ATTACK:
            shoot(s, i, rng)
        is_dead = hurt(s, i, STRENGTH * act(s, i, COUNT, 0.0, rng))
        kind, _ = take(s, i, 1)
        return reward, is_dead or kind == VEST

    def step(s, i, action, p, rng):
        _, is_over = Scenario.step(s, i, action, p, rng)
        dx, dy = END - s.x[i], AXIS - s.y[i]
        distance = math.sqrt(dx * dx + dy * dy)
        reward = UNITS * (s.best[i] - distance)
        s.best[i] = distance
        return reward - (100.0 if s.health[i] <= 0.0 else 0.0), is_over
