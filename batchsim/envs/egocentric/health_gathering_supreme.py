"""EgoHealthGatheringSupreme-v0: the same in a maze, and some of it poison."""

from batchsim.envs.egocentric.health_gathering import HealthGathering
from batchsim.envs.egocentric.maps import free_place, maze

SIDE, WIDTH, DOOR, LOOPS = 7, 2, 2, 24  # rooms a side, cells a room and a door, doors more


class HealthGatheringSupreme(HealthGathering):
    """# EgoHealthGatheringSupreme-v0

    Health gathering in a maze, where some of what falls from the sky is poison.

    After the scenario "health gathering supreme" of ViZDoom (Kempka and others, 2016), whose map is
    always the same.

    ## Rewards

    1 for a tic that the player survives, -100 at its death.

    ## Starting State

    A maze of 7 by 7 rooms, each of 2 by 2 cells, is drawn, in which each room is reached from each
    other. 16 things lie in it, and the player is somewhere in it, in full health, looking anywhere.

    ## Episode End

    Terminated at the death. Acid and medikits are those of `EgoHealthGathering-v0`; three of ten
    things are vials, which take 20 points of health. The time limit is 525 steps of 4 tics.
    """

    AT_FIRST = 16
    VIALS = 0.3

    def build(s, i, rng):
        maze(s, i, rng, SIDE, WIDTH, DOOR, LOOPS)
        return free_place(s, i, rng)
