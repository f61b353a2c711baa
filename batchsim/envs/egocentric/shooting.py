"""What scenarios have in common in which a player stands in its place, or nearly so, and shoots."""

from gymnasium.spaces import Discrete

from batchsim.envs.egocentric.monsters import act, hurt, is_buried
from batchsim.envs.egocentric.scenario import Scenario
from batchsim.envs.egocentric.world import axis, shoot, turn
from batchsim.family import env

LEFT, RIGHT, ATTACK = 1, 2, 3


class Shooting(Scenario):
    """A scenario with three buttons: to the left, to the right, and shoot."""

    ACTION = Discrete(4)
    KEYS = {
        None: 0,
        "left": LEFT,
        "a": LEFT,
        "right": RIGHT,
        "d": RIGHT,
        "space": ATTACK,
        "left ctrl": ATTACK,
    }


class Defend(Shooting):
    """Monsters come, and the player turns and shoots.

    A scenario has `COUNT` of them, which walk `PACE` cells a tic, and `follow(s, i, k, rng)`, which
    puts another into the slot of one that has died.

    ## Action Space

    `Discrete(4)`: 0 nothing, 1 turn left, 2 turn right, 3 shoot.
    """

    def play(s, i, button, reward, rng):
        turn(s, i, axis(button, LEFT, RIGHT))
        if button == ATTACK:
            before = int(s.kills[i])
            shoot(s, i, rng)
            reward += float(int(s.kills[i]) - before)
        if hurt(s, i, act(s, i, env.COUNT, env.PACE, rng)):
            return reward - 1.0, True
        for k in range(env.COUNT):
            if is_buried(s, i, k):
                env.follow(s, i, k, rng)
        return reward, False
