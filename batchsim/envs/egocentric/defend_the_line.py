"""EgoDefendTheLine-v0: monsters from the other side, ever tougher."""

import math

from batchsim.envs.egocentric.maps import room
from batchsim.envs.egocentric.monsters import put_monster
from batchsim.envs.egocentric.shooting import Defend
from batchsim.envs.egocentric.textures import METAL
from batchsim.envs.egocentric.world import MELEE, SHOOTER, begin
from batchsim.family import env
from batchsim.random import uniform

ROWS, COLUMNS = 10, 20  # of the room
AMMO = 200
TOUGHER = 10  # points of health from a monster to its successor


class DefendTheLine(Defend):
    """# EgoDefendTheLine-v0

    Monsters come from the other side of a room, some bite and some shoot, and each that dies is
    followed by a tougher one.

    After the scenario "defend the line" of ViZDoom (Kempka and others, 2016). It has no time limit
    of its own; the one here is that of "defend the center". How fast the monsters walk and attack,
    and by how much they grow tougher, is not taken from there.

    ## Rewards

    1 for each kill, -1 at the player's death. The task counts as solved at 15.

    ## Starting State

    The player stands at the middle of the longer wall, in full health, with more rounds than can be
    shot within the time limit. Three monsters that bite and three that shoot stand by turns along
    the opposite wall.

    ## Episode End

    Terminated at the player's death. A hit kills each of the first monsters; two seconds later
    another of its kind stands at a random place along that wall, and endures 10 points of damage
    more, of which a hit does 5, 10 or 15. The time limit is 525 steps of 4 tics.
    """

    COUNT = 6  # monsters
    PACE = 0.04  # cells a tic

    def reset(s, i, p, rng):
        room(s, i, ROWS, COLUMNS, METAL)
        begin(s, i, 1.0 + COLUMNS / 2, ROWS + 0.5, -math.pi / 2, AMMO)
        for k in range(env.COUNT):
            come(s, i, k, (k + 0.5) / env.COUNT, 1)

    def follow(s, i, k, rng):
        come(s, i, k, uniform(rng, i, 0.0, 1.0), int(s.monster_full[i, k]) + TOUGHER)


def come(s, i, k, along, health):
    """Put a monster into slot k, so much of the way along the wall."""
    x = 1.5 + along * (COLUMNS - 1.0)
    put_monster(s, i, k, MELEE if k % 2 == 0 else SHOOTER, x, 1.5, health)
