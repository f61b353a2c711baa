"""EgoDefendTheCenter-v0: monsters from all around."""

from batchsim.envs.egocentric.maps import ARENA, MIDDLE, arena
from batchsim.envs.egocentric.monsters import put_monster
from batchsim.envs.egocentric.shooting import Defend
from batchsim.envs.egocentric.textures import STONE
from batchsim.envs.egocentric.world import MELEE, begin
from batchsim.family import env
from batchsim.math import cos, pi, sin
from batchsim.random import uniform

AMMO = 26


class DefendTheCenter(Defend):
    """# EgoDefendTheCenter-v0

    Monsters come from all around, and there are 26 rounds: none should be wasted.

    After the scenario "defend the center" of ViZDoom (Kempka and others, 2016). How fast the
    monsters walk and bite is not taken from there.

    ## Rewards

    1 for each kill, -1 at the player's death. The task counts as solved at 10.

    ## Starting State

    The player stands in the middle of a round room, in full health and with 26 rounds, and looks
    anywhere. Five monsters that bite stand along the wall, one in each fifth of it.

    ## Episode End

    Terminated at the player's death. A hit kills a monster; two seconds later another comes from
    anywhere along the wall. The time limit is 525 steps of 4 tics.
    """

    COUNT = 5  # monsters
    PACE = 0.06  # cells a tic

    def reset(s, i, p, rng):
        arena(s, i, STONE)
        begin(s, i, MIDDLE, MIDDLE, uniform(rng, i, -pi, pi), AMMO)
        for k in range(env.COUNT):
            come(s, i, k, (k + uniform(rng, i, 0.0, 1.0)) / env.COUNT)

    def follow(s, i, k, rng):
        come(s, i, k, uniform(rng, i, 0.0, 1.0))


def come(s, i, k, around):
    """Put a monster near the wall, so much of a turn around the room."""
    angle, radius = 2.0 * pi * around, ARENA - 1.2
    x, y = MIDDLE + radius * cos(angle), MIDDLE + radius * sin(angle)
    put_monster(s, i, k, MELEE, x, y, 1)
