"""EgoBattle-v0: a maze full of monsters, medikits and ammunition."""

from gymnasium.spaces import MultiDiscrete

from batchsim.envs.egocentric.health_gathering import HEALING
from batchsim.envs.egocentric.items import heal, put_item, take
from batchsim.envs.egocentric.maps import far_place, free_place, maze
from batchsim.envs.egocentric.monsters import act, hurt, is_buried, put_monster
from batchsim.envs.egocentric.scenario import OnMaps
from batchsim.envs.egocentric.world import (
    CLIP,
    MEDIKIT,
    MELEE,
    NOTHING,
    SHOOTER,
    axis,
    move,
    shoot,
    turn,
)

SIDE, WIDTH, DOOR, LOOPS = 7, 2, 2, 24  # rooms a side, cells a room and a door, doors more
ROUNDS = 10  # of a clip
COUNT, HEALTH, PACE = 10, 20, 0.05  # monsters, and cells that they walk in a tic
THINGS = 16
AWAY = 4.0  # cells from the player, of a monster that appears
OF_HEALTH, OF_AMMO = 0.5 / 30.0, 0.5 / 7.5  # what a point and a round are worth


class Battle(OnMaps):
    """# EgoBattle-v0

    A maze full of monsters, medikits and ammunition: kill, and stay fit for more.

    After the scenario D3 of Dosovitskiy and Koltun, "Learning to Act by Predicting the Future"
    (2017), with its objective; they made it with ViZDoom. There, the maze is always the same.

    ## Action Space

    `MultiDiscrete([3, 3, 3, 2])`, all at once:

    | index | 0 | 1 | 2 |
    |---|---|---|---|
    | 0 | – | turn left | turn right |
    | 1 | – | forward | backward |
    | 2 | – | a step to the left | to the right |
    | 3 | – | shoot | |

    ## Rewards

    1 for each kill, 1/60 for each point of health and 1/15 for each round of ammunition that is
    won, and as much less for what is lost.

    ## Starting State

    A maze of 7 by 7 rooms, each of 2 by 2 cells, is drawn, in which each room is reached from each
    other. The player is somewhere in it, in full health, with 20 rounds, and looks anywhere. Ten
    monsters, of which half bite and half shoot, are at least four cells away; eight medikits and
    eight clips lie around.

    ## Episode End

    Terminated at the player's death. Each monster endures 20 points of damage, of which a hit does
    5, 10 or 15; two seconds after its death another comes elsewhere. A medikit gives 25 points of
    health, up to 100, a clip 10 rounds; another appears elsewhere. The time limit is 525 steps of 4
    tics.
    """

    ACTION = MultiDiscrete([3, 3, 3, 2])
    KEYS = {
        None: (0, 0, 0, 0),
        "left": (0, 1),
        "right": (0, 2),
        "up": (1, 1),
        "w": (1, 1),
        "down": (1, 2),
        "s": (1, 2),
        "a": (2, 1),
        "d": (2, 2),
        "space": (3, 1),
        "left ctrl": (3, 1),
    }
    AMMO = 20

    def build(s, i, rng):
        maze(s, i, rng, SIDE, WIDTH, DOOR, LOOPS)
        return free_place(s, i, rng)

    def furnish(s, i, rng):
        for k in range(COUNT):
            come(s, i, k, rng)
        for k in range(THINGS):
            x, y = free_place(s, i, rng)
            put_item(s, i, k, MEDIKIT if k % 2 == 0 else CLIP, x, y)

    def step(s, i, action, p, rng):
        pressed = ((int(action[0]) * 3 + int(action[1])) * 3 + int(action[2])) * 2 + int(action[3])
        kills, health, ammo = int(s.kills[i]), s.health[i], int(s.ammo[i])
        _, is_dead = OnMaps.step(s, i, pressed, p, rng)
        reward = float(int(s.kills[i]) - kills) + OF_AMMO * float(int(s.ammo[i]) - ammo)
        return reward + OF_HEALTH * (s.health[i] - health), is_dead

    def play(s, i, pressed, reward, rng):
        turn(s, i, axis(pressed // 18, 1, 2))
        move(s, i, axis(pressed // 6 % 3, 2, 1), axis(pressed // 2 % 3, 1, 2))
        if pressed % 2 == 1:
            shoot(s, i, rng)
        if hurt(s, i, act(s, i, COUNT, PACE, rng)):
            return reward, True
        collect(s, i, rng)
        for k in range(COUNT):
            if is_buried(s, i, k):
                come(s, i, k, rng)
        return reward, False


def come(s, i, k, rng):
    """Put a monster into slot k."""
    x, y = far_place(s, i, rng, AWAY)
    put_monster(s, i, k, MELEE if k % 2 == 0 else SHOOTER, x, y, HEALTH)


def collect(s, i, rng):
    """Take what is within reach, and put another elsewhere."""
    kind, k = take(s, i, THINGS)
    if kind == NOTHING:
        return
    if kind == MEDIKIT:
        heal(s, i, HEALING)
    else:
        s.ammo[i] += ROUNDS
    x, y = free_place(s, i, rng)
    put_item(s, i, k, kind, x, y)
