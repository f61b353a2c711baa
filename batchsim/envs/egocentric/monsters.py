"""What monsters do: they come closer, aim, and bite or shoot; who is hit flinches."""

import math

from batchsim.envs.egocentric.world import (
    AIM,
    DEAD,
    MELEE,
    RADIUS,
    WALK,
    is_free,
    sees,
)
from batchsim.random import integers, random

BITE, SHOT = 1.0, 12.0  # from how far they attack
AIMING, RESTING = 8, 20  # tics before an attack, and after it


def put_monster(s, i, k, kind, x, y, health):
    """Put a monster into slot k."""
    s.monster[i, k] = kind
    s.monster_x[i, k], s.monster_y[i, k] = x, y
    s.monster_angle[i, k] = 0.0
    s.monster_health[i, k] = health
    s.monster_state[i, k] = WALK
    s.monster_timer[i, k] = 0


def act(s, i, k, pace, rng):
    """Let the monster in slot k do what it does in a tic; return the damage to the player."""
    if s.monster[i, k] == 0 or s.monster_state[i, k] == DEAD:
        return 0.0
    s.monster_timer[i, k] -= 1
    dx, dy = s.x[i] - s.monster_x[i, k], s.y[i] - s.monster_y[i, k]
    distance = math.sqrt(dx * dx + dy * dy)
    if s.monster_state[i, k] != WALK:
        if s.monster_timer[i, k] > 0:
            return 0.0
        aimed = s.monster_state[i, k] == AIM
        s.monster_state[i, k] = WALK
        s.monster_timer[i, k] = RESTING
        if not aimed or not sees(s, i, s.monster_x[i, k], s.monster_y[i, k]):
            return 0.0
        if s.monster[i, k] == MELEE:
            return 4.0 * integers(rng, i, 1, 11) if distance < 1.5 * BITE else 0.0
        hits = random(rng, i) < 1.0 / (1.0 + 0.15 * distance)
        return 3.0 * integers(rng, i, 1, 6) if hits else 0.0
    near = distance < (BITE if s.monster[i, k] == MELEE else SHOT)
    if s.monster_timer[i, k] <= 0 and near and sees(s, i, s.monster_x[i, k], s.monster_y[i, k]):
        s.monster_state[i, k] = AIM
        s.monster_timer[i, k] = AIMING
        return 0.0
    if distance > 0.8 * BITE and pace > 0.0:
        walk(s, i, k, pace * dx / distance, pace * dy / distance)
    return 0.0


def walk(s, i, k, dx, dy):
    """Move a monster, along walls if it must."""
    if is_free(s, i, s.monster_x[i, k] + dx, s.monster_y[i, k], RADIUS):
        s.monster_x[i, k] += dx
    if is_free(s, i, s.monster_x[i, k], s.monster_y[i, k] + dy, RADIUS):
        s.monster_y[i, k] += dy
