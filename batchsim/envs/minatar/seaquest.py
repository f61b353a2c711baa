"""MinAtar's Seaquest: a submarine that brings divers up, and what swims and shoots around it."""

from batchsim.envs.minatar.boat import FULL, Boat, move_bullets, move_divers, steer
from batchsim.envs.minatar.common import DEEDS, SIDE, Last, MinAtar
from batchsim.envs.minatar.shoals import (
    COOLDOWN,
    DEEPEST,
    SLOW,
    Shoals,
    draw,
    draw_trails,
    require_shoals,
)
from batchsim.envs.minatar.swimmers import (
    move_enemy_bullets,
    move_fish,
    move_submarines,
    spawn_diver,
    spawn_enemy,
)
from batchsim.family import merge
from batchsim.ranges import require_between

# Channels
FRONT, BACK, BULLET, TRAIL, ENEMY_BULLET, FISH, SUBMARINE, OXYGEN, CREW, DIVER = range(10)
AIR = 200  # steps
RARE, FASTEST = 20, 2  # steps between two enemies at first, and between two of their moves at last
DIVE = 30  # steps between two divers


class Seaquest(MinAtar):
    """# MinAtar/Seaquest

    Bring divers up with a submarine, and shoot fish and other submarines.

    A step is what comes new, the submarine's move or shot, and then the moves of its bullets, of
    divers, submarines, their bullets, and fish. Of a kind the last that came moves first. What gets
    beyond the border is gone.

    - A bullet of the submarine, one in five steps, goes a cell a step, and hits one fish or
      submarine in its cell, a fish if there are both, and of several the first that came; enemies
      that move into a bullet are hit too. If two bullets are alike when the later one is to go, the
      earlier one goes in its place, and the later one moves once more.
    - Divers come every 30 steps: from the left with probability 1/2, then in a row that is drawn.
      They move every sixth step and are taken on board, before or after their move, if they are not
      six there.
    - Enemies come every 20 steps at first: from the left with probability 1/2, a submarine with
      probability 1/3, in a row that is drawn, but not where an enemy goes the other way. They move
      every sixth step at first; submarines shoot every eleventh, even in that in which they are
      hit.

    Oxygen lasts 200 steps under water. At the surface all six divers leave, one more than there
    are, or else one of them; there is oxygen again, and the game becomes more difficult: the next
    enemies come a step sooner, down to 1, and every second time enemies move a step sooner, down to
    every third. So after six divers there are -1 on board, with which the submarine may surface.

    Source: Young and Tian, "MinAtar: An Atari-Inspired Testbed for Thorough and Reproducible
    Reinforcement Learning Experiments" (2019); what it leaves open was seen at the package's games.

    ## Observation Space

    `Box(False, True, (10, 10, 10), bool)`: row, column and channel. The channels are the
    submarine's front and back, its bullets, trails of enemies and divers, the enemies' bullets,
    fish, submarines, and in the lowest row the oxygen, a cell for 20 steps, from the left, and the
    divers on board, from the second cell on the right; and divers.

    ## Rewards

    1 for each enemy that is hit. For bringing up six divers as many as there are cells of oxygen.

    ## Starting State

    The submarine is at the surface, in column 5, heads for the left, and has no divers.

    ## Episode End

    Terminated when an enemy or its bullet is where the submarine is, before or after its move; when
    there is no oxygen left; and when the submarine surfaces with no divers. There is no time limit.
    """

    State = merge(Boat, Shoals, Last)
    CHANNELS = (
        "sub_front", "sub_back", "friendly_bullet", "trail", "enemy_bullet", "enemy_fish",
        "enemy_sub", "oxygen_guage", "diver_guage", "diver",
    )  # fmt: skip
    MINIMAL = tuple(DEEDS)

    def check_board(s):
        require_between("x", s.x, 0, SIDE - 1)
        require_between("y", s.y, 0, DEEPEST)
        require_between("way, squared,", s.way**2, 1, 1)
        require_between("the column of the submarine's back", s.x - s.way, 0, SIDE - 1)
        require_between("oxygen", s.oxygen, -1, AIR)
        require_between("crew", s.crew, -(2**62), FULL)
        require_between("cooldown", s.cooldown, 0, COOLDOWN)
        require_between("enemy_interval", s.enemy_interval, 1, RARE)
        require_between("enemy_timer", s.enemy_timer, 0, RARE)
        require_between("diver_timer", s.diver_timer, 0, DIVE)
        require_between("move_interval", s.move_interval, FASTEST, SLOW)
        require_between("changes", s.changes, 0, RARE)
        require_shoals(s)

    def reset(s, i, p, rng):
        s.x[i], s.y[i], s.way[i] = 5, 0, -1
        s.oxygen[i] = AIR
        s.crew[i] = s.cooldown[i] = s.changes[i] = 0
        s.is_up[i] = True
        s.enemy_interval[i] = s.enemy_timer[i] = RARE
        s.diver_timer[i] = DIVE
        s.move_interval[i] = SLOW
        s.num_bullets[i] = s.num_enemy_bullets[i] = 0
        s.num_fish[i] = s.num_submarines[i] = s.num_divers[i] = 0

    def play(s, i, action, p, rng):
        if s.enemy_timer[i] == 0:
            spawn_enemy(s, i, rng)
            s.enemy_timer[i] = s.enemy_interval[i]
        if s.diver_timer[i] == 0:
            spawn_diver(s, i, rng)
            s.diver_timer[i] = DIVE
        steer(s, i, action)
        reward = move_bullets(s, i)
        move_divers(s, i)
        hits, met = move_submarines(s, i)
        shot = move_enemy_bullets(s, i)
        more, bitten = move_fish(s, i)
        reward += hits + more
        over = met or shot or bitten or s.oxygen[i] <= 0
        s.enemy_timer[i] -= 1
        s.diver_timer[i] -= 1
        s.cooldown[i] = max(s.cooldown[i] - 1, 0)
        if s.y[i] > 0:
            s.oxygen[i] -= 1
            s.is_up[i] = False
        elif not s.is_up[i]:
            if s.crew[i] == 0:
                over = True
            else:
                reward += surface(s, i, p)
        return float(reward), over

    def show(s, i, p, out):
        out[s.y[i], s.x[i], FRONT] = True
        out[s.y[i], s.x[i] - s.way[i], BACK] = True
        for k in range(cells_of_air(s, i)):
            out[SIDE - 1, k, OXYGEN] = True
        for k in range(s.crew[i]):
            out[SIDE - 1, SIDE - 2 - k, CREW] = True
        draw(out, s.bullets[i], s.num_bullets[i], BULLET)
        draw(out, s.enemy_bullets[i], s.num_enemy_bullets[i], ENEMY_BULLET)
        draw(out, s.fish[i], s.num_fish[i], FISH)
        draw_trails(out, s.fish[i], s.num_fish[i], TRAIL)
        draw(out, s.submarines[i], s.num_submarines[i], SUBMARINE)
        draw_trails(out, s.submarines[i], s.num_submarines[i], TRAIL)
        draw(out, s.divers[i], s.num_divers[i], DIVER)
        draw_trails(out, s.divers[i], s.num_divers[i], TRAIL)


def surface(s, i, p):
    """Let divers go and breathe; return the reward."""
    reward = 0
    if s.crew[i] == FULL:
        s.crew[i] = 0
        reward = cells_of_air(s, i)
    s.crew[i] -= 1
    s.oxygen[i] = AIR
    s.is_up[i] = True
    if p.difficulty_ramping and (s.enemy_interval[i] > 1 or s.move_interval[i] > FASTEST):
        if s.move_interval[i] > FASTEST and s.changes[i] % 2 == 1:
            s.move_interval[i] -= 1
        if s.enemy_interval[i] > 1:
            s.enemy_interval[i] -= 1
        s.changes[i] += 1
    return reward


def cells_of_air(s, i):
    """Return how many cells of the gauge the oxygen is."""
    return max(int(s.oxygen[i]), 0) * SIDE // AIR
