"""EgoMyWayHome-v0: a vest in one of many rooms."""

from gymnasium.spaces import Discrete

from batchsim.envs.egocentric.items import put_item, take
from batchsim.envs.egocentric.layout import lay, place_of
from batchsim.envs.egocentric.maps import maze
from batchsim.envs.egocentric.scenario import OnMaps
from batchsim.envs.egocentric.world import VEST, axis, begin, move, turn
from batchsim.math import pi
from batchsim.random import integers, uniform

SIDE, WIDTH, DOOR, LOOPS = 4, 4, 2, 4  # rooms a side, cells a room and a door, doors more
TURN_LEFT, TURN_RIGHT, FORWARD, LEFT, RIGHT = 1, 2, 3, 4, 5


class MyWayHome(OnMaps):
    """# EgoMyWayHome-v0

    Sixteen rooms, and a green vest in one of them: find it. The doors are others in each episode,
    and the walls of a room tell where it lies.

    After the scenario "my way home" of ViZDoom (Kempka and others, 2016). There, the map is always
    the same, with nine rooms and a dead end.

    ## Action Space

    `Discrete(6)`: 0 nothing, 1 turn left, 2 turn right, 3 forward, 4 a step to the left, 5 to the
    right.

    ## Rewards

    1 for the vest, -0.0001 a tic. The task counts as solved at 0.5.

    ## Starting State

    The doors are drawn: a maze in which each room is reached from each other, and up to four doors
    more. The player stands in the middle of any room but the vest's, and looks anywhere. The vest
    lies in the middle of the room at the lower right; on a map of your own it lies at a `V`.

    ## Episode End

    Terminated when the vest is reached. The time limit is 525 steps of 4 tics.
    """

    ACTION = Discrete(6)
    KEYS = {
        None: 0,
        "left": TURN_LEFT,
        "right": TURN_RIGHT,
        "up": FORWARD,
        "w": FORWARD,
        "a": LEFT,
        "d": RIGHT,
    }
    HAS_GOALS = True

    def reset(s, i, p, rng):
        if p.has_layout[0]:
            x, y = lay(s, i, p, rng)
            vest_x, vest_y = place_of(i, p.goals, rng)
        else:
            maze(s, i, rng, SIDE, WIDTH, DOOR, LOOPS)
            start = integers(rng, i, 0, SIDE * SIDE - 1)
            x, y = middle(start % SIDE), middle(start // SIDE)
            vest_x, vest_y = middle(SIDE - 1), middle(SIDE - 1)
        begin(s, i, x, y, uniform(rng, i, -pi, pi), 0)
        put_item(s, i, 0, VEST, vest_x, vest_y)

    def play(s, i, button, reward, rng):
        turn(s, i, axis(button, TURN_LEFT, TURN_RIGHT))
        move(s, i, 1 if button == FORWARD else 0, axis(button, LEFT, RIGHT))
        reward -= 0.0001
        kind, _ = take(s, i, 1)
        if kind == VEST:
            return reward + 1.0, True
        return reward, False


def middle(room):
    """Where the middle of a room of this row or column is."""
    return room * (WIDTH + 1) + 1 + WIDTH / 2
