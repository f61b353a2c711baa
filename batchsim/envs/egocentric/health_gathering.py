"""EgoHealthGathering-v0: medikits on a floor of acid."""

from gymnasium.spaces import Discrete

from batchsim.envs.egocentric.items import heal, put_item, take
from batchsim.envs.egocentric.maps import free_place, room
from batchsim.envs.egocentric.scenario import OnMaps
from batchsim.envs.egocentric.textures import ACID, BRICKS
from batchsim.envs.egocentric.world import ITEMS, MEDIKIT, NOTHING, VIAL, axis, move, turn
from batchsim.family import env
from batchsim.random import random

SIDE = 16  # cells
EVERY = 32  # tics
BURN, HEALING, POISON = 8.0, 25.0, 20.0  # points of health
LEFT, RIGHT, FORWARD = 1, 2, 3


class HealthGathering(OnMaps):
    """# EgoHealthGathering-v0

    The floor is acid, and medikits fall from the sky: take them, to live as long as possible.

    After the scenario "health gathering" of ViZDoom (Kempka and others, 2016). How much the acid
    hurts, how large the room is, and how often medikits fall, are not taken from there.

    ## Action Space

    `Discrete(4)`: 0 nothing, 1 turn left, 2 turn right, 3 forward.

    ## Rewards

    1 for a tic that the player survives, -100 at its death. The task counts as solved at 1000.

    ## Starting State

    A room of 16 by 16 cells, with 10 medikits at random places; the player in the middle, in full
    health, looking anywhere.

    ## Episode End

    Terminated at the death. Every 32 tics the acid takes 8 of 100 points of health. Every 32 tics,
    a medikit falls to a random place, unless 24 things lie there; a medikit gives 25 points. The
    time limit is 525 steps of 4 tics.
    """

    ACTION = Discrete(4)
    KEYS = {
        None: 0,
        "left": LEFT,
        "a": LEFT,
        "right": RIGHT,
        "d": RIGHT,
        "up": FORWARD,
        "w": FORWARD,
    }
    FLOOR = ACID
    AT_FIRST = 10  # things
    VIALS = 0.0  # how likely what falls is a vial of poison

    def build(s, i, rng):
        room(s, i, SIDE, SIDE, BRICKS)
        return 1.0 + SIDE / 2, 1.0 + SIDE / 2

    def furnish(s, i, rng):
        for k in range(env.AT_FIRST):
            fall(s, i, k, rng)

    def play(s, i, button, reward, rng):
        turn(s, i, axis(button, LEFT, RIGHT))
        move(s, i, 1 if button == FORWARD else 0, 0)
        kind, _ = take(s, i, ITEMS)
        if kind == MEDIKIT:
            heal(s, i, HEALING)
        elif kind == VIAL:
            heal(s, i, -POISON)
        if s.tic[i] % EVERY == 0:
            heal(s, i, -BURN)
            for k in range(ITEMS):
                if s.item[i, k] == NOTHING:
                    fall(s, i, k, rng)
                    break
        if s.health[i] <= 0.0:
            return reward - 100.0, True
        return reward + 1.0, False


def fall(s, i, k, rng):
    """Let something fall into slot k: a medikit, or a vial of poison."""
    kind = VIAL if env.VIALS > 0.0 and random(rng, i) < env.VIALS else MEDIKIT
    x, y = free_place(s, i, rng)
    put_item(s, i, k, kind, x, y)
