"""EgoBasic-v0: step aside, and shoot."""

import math

from batchsim.envs.egocentric.maps import room
from batchsim.envs.egocentric.monsters import put_monster
from batchsim.envs.egocentric.shooting import ATTACK, LEFT, RIGHT, Shooting
from batchsim.envs.egocentric.textures import BRICKS
from batchsim.envs.egocentric.world import SHOOTER, axis, begin, move, shoot
from batchsim.random import uniform

ROWS, COLUMNS = 6, 9  # of the room


class Basic(Shooting):
    """# EgoBasic-v0

    One room, one monster that only stands there: step aside until it is straight ahead, and shoot.

    After the scenario "basic" of ViZDoom (Kempka and others, 2016). There, a shot costs 5 and the
    monster brings 106, which is the same; and a shot leaves some tics after its button.

    ## Action Space

    `Discrete(4)`: 0 nothing, 1 a step to the left, 2 to the right, 3 shoot.

    ## Rewards

    -1 a tic, -5 for a shot that misses, 101 for the monster. The task counts as solved at 10.

    ## Starting State

    The player stands at the middle of one wall, with 50 rounds; the monster somewhere along the
    opposite one. One hit kills it.

    ## Episode End

    Terminated when the monster is dead. The time limit is 75 steps of 4 tics.
    """

    def reset(s, i, p, rng):
        room(s, i, ROWS, COLUMNS, BRICKS)
        begin(s, i, 1.0 + COLUMNS / 2, ROWS + 0.5, -math.pi / 2, 50)
        put_monster(s, i, 0, SHOOTER, uniform(rng, i, 1.5, COLUMNS + 0.5), 1.5, 1)

    def play(s, i, button, reward, rng):
        move(s, i, 0, axis(button, LEFT, RIGHT))
        reward -= 1.0
        if button == ATTACK:
            shot, hit = shoot(s, i, rng)
            if shot and hit < 0:
                reward -= 5.0
        if s.kills[i] > 0:
            return reward + 101.0, True
        return reward, False
