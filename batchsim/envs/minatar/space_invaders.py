"""MinAtar's Space Invaders: aliens that march and shoot, and a cannon below them."""

from typing import NamedTuple

import numpy as np

import batchsim
from batchsim.envs.minatar.aliens import (
    COLUMNS,
    GONE,
    ROWS,
    Aliens,
    arrive,
    is_alien,
    march,
    require_aliens,
    shoot,
)
from batchsim.envs.minatar.common import FIRE, LEFT, NOTHING, RIGHT, SIDE, Last, MinAtar, moved
from batchsim.family import merge
from batchsim.ranges import require_between

CANNON, ALIEN, ALIEN_LEFT, ALIEN_RIGHT, FRIENDLY_BULLET, ENEMY_BULLET = range(6)  # channels
GROUND = SIDE - 1  # the cannon's row
SLOWEST, FASTEST = 12, 6  # steps between two moves of many aliens
COOLDOWN = 5  # steps between two shots of the cannon
SHOTS = 2  # that can be in flight, at this rate
RELOAD = 10  # steps between two shots of the aliens, of which one can be in flight


class Cannon(NamedTuple):
    cannon: np.int8  # its column
    cooldown: np.int8
    interval: np.int8
    march_timer: np.int8
    shot_timer: np.int8
    bullet_x: batchsim.column(np.int8, (SHOTS,))
    bullet_y: batchsim.column(np.int8, (SHOTS,))


class SpaceInvaders(MinAtar):
    """# MinAtar/SpaceInvaders

    Shoot aliens before they get down.

    A step is the cannon's move or shot, then that of its bullets, a row upwards, that of the
    aliens' bullet, a row downwards, that of the aliens, their shot, and the hits. Five steps lie
    between two shots of the cannon, ten between two of the aliens. The lowest alien of the column
    that is nearest to the cannon shoots, the left one of two; its bullet begins where it is.

    The aliens march a column at a time, or, if one of them is at the border they march to, down a
    row and the other way from then on. A move waits for as many steps as aliens were left at the
    one before, and for 12 at most. When none is left there are new ones above, and if the game
    becomes more difficult, that limit is one less, but not less than 6.

    Source: Young and Tian, "MinAtar: An Atari-Inspired Testbed for Thorough and Reproducible
    Reinforcement Learning Experiments" (2019); what it leaves open was seen at the package's games.

    ## Observation Space

    `Box(False, True, (10, 10, 6), bool)`: row, column and channel. The channels are the cannon,
    aliens, aliens that march to the left, to the right, the cannon's bullets and the aliens'.

    ## Rewards

    1 for each alien that is hit.

    ## Starting State

    Four rows of six aliens, which march to the left. The cannon is in column 5 of the lowest row.

    ## Episode End

    Terminated when the cannon is hit by a bullet, when an alien is where the cannon is, before or
    after its move, and when aliens would move below the lowest row, from where they come out above.
    There is no time limit.
    """

    State = merge(Cannon, Aliens, Last)
    CHANNELS = ("cannon", "alien", "alien_left", "alien_right", "friendly_bullet", "enemy_bullet")
    MINIMAL = (NOTHING, LEFT, RIGHT, FIRE)
    REWARD_TYPE = np.int64

    def check_board(s):
        require_between("cannon", s.cannon, 0, GROUND)
        require_between("way, squared,", s.way**2, 1, 1)
        require_between("interval", s.interval, FASTEST, SLOWEST)
        require_aliens(s)
        for name, end in (("cooldown", COOLDOWN), ("shot_timer", RELOAD), ("march_timer", SLOWEST)):
            require_between(name, getattr(s, name), 0, end)
        for name in ("bullet", "enemy"):
            require_between(f"{name}_x", getattr(s, f"{name}_x"), 0, SIDE - 1)
            require_between(f"{name}_y", getattr(s, f"{name}_y"), GONE, GROUND)

    def reset(s, i, p, rng):
        s.cannon[i] = 5
        s.cooldown[i] = 0
        arrive(s, i)
        s.way[i] = -1
        s.interval[i] = s.march_timer[i] = SLOWEST
        s.shot_timer[i] = RELOAD
        s.bullet_x[i] = s.enemy_x[i] = 0
        s.bullet_y[i] = s.enemy_y[i] = GONE

    def play(s, i, action, p, rng):
        if action == FIRE:
            if s.cooldown[i] == 0:
                fire(s, i)
        else:
            s.cannon[i] = moved(int(s.cannon[i]), action, LEFT, RIGHT, 0, GROUND)
        for k in range(SHOTS):
            if s.bullet_y[i, k] != GONE:
                s.bullet_y[i, k] -= 1
        if s.enemy_y[i] != GONE:
            s.enemy_y[i] = s.enemy_y[i] + 1 if s.enemy_y[i] < GROUND else GONE
        over = s.enemy_y[i] == GROUND and s.enemy_x[i] == s.cannon[i]
        over = over or is_alien(s, i, s.cannon[i], GROUND)
        if s.march_timer[i] == 0:
            s.march_timer[i] = min(s.remaining[i], s.interval[i])
            over = march(s, i) or over
            over = over or is_alien(s, i, s.cannon[i], GROUND)
        if s.shot_timer[i] == 0:
            s.shot_timer[i] = RELOAD
            shoot(s, i)

        hits = 0
        for k in range(SHOTS):
            x, y = s.bullet_x[i, k], s.bullet_y[i, k]
            if y != GONE and is_alien(s, i, x, y):
                s.aliens[i, (y - s.top[i]) % SIDE, x - s.left[i]] = False
                s.bullet_y[i, k] = GONE
                hits += 1
        s.remaining[i] -= hits
        s.cooldown[i] = max(s.cooldown[i] - 1, 0)
        s.march_timer[i] -= 1
        s.shot_timer[i] -= 1
        if s.remaining[i] == 0:
            arrive(s, i)
            if p.difficulty_ramping and s.interval[i] > FASTEST:
                s.interval[i] -= 1
        return float(hits), over

    def show(s, i, p, out):
        out[GROUND, s.cannon[i], CANNON] = True
        marching = ALIEN_LEFT if s.way[i] < 0 else ALIEN_RIGHT
        for k in range(ROWS):
            y = (s.top[i] + k) % SIDE
            for j in range(COLUMNS):
                if s.aliens[i, k, j]:
                    out[y, s.left[i] + j, ALIEN] = True
                    out[y, s.left[i] + j, marching] = True
        for k in range(SHOTS):
            if s.bullet_y[i, k] != GONE:
                out[s.bullet_y[i, k], s.bullet_x[i, k], FRIENDLY_BULLET] = True
        if s.enemy_y[i] != GONE:
            out[s.enemy_y[i], s.enemy_x[i], ENEMY_BULLET] = True


def fire(s, i):
    """Shoot with the cannon."""
    k = 0 if s.bullet_y[i, 0] == GONE else 1
    s.bullet_x[i, k], s.bullet_y[i, k] = s.cannon[i], GROUND
    s.cooldown[i] = COOLDOWN
