"""What monsters do: they wander, come closer, aim, and bite or shoot; who is hit flinches.

Now and then a monster looks around. If no wall is between it and the player, and it is near enough
for its kind, it aims, and a little later bites or shoots; else it walks towards the player. Who has
shot comes nearer, though not straight. What sees no player walks somewhere.
"""

import math

from batchsim.envs.egocentric.items import heal
from batchsim.envs.egocentric.world import AIM, DEAD, MELEE, RADIUS, WALK, is_free, sees
from batchsim.math import cos, pi, sin
from batchsim.random import integers, random, uniform

BITE, SHOT = 1.0, 12.0  # from how far they attack
NEAR = 3.0  # where who shoots stands still
AIMING, RESTING, LOOKING = 10, 25, 8  # tics before an attack, after it, and from look to look
SPREAD = 0.3  # a shot from d cells hits with probability 1 / (1 + SPREAD * d)


def put_monster(s, i, k, kind, x, y, health):
    """Put a monster into slot k."""
    s.monster[i, k] = kind
    s.monster_x[i, k], s.monster_y[i, k] = x, y
    s.monster_dx[i, k], s.monster_dy[i, k] = 0.0, 0.0
    s.monster_health[i, k] = health
    s.monster_full[i, k] = health
    s.monster_state[i, k] = WALK
    s.monster_timer[i, k] = 1 + k % LOOKING  # so that not all look in the same tic


def is_buried(s, i, k):
    """Whether the monster of slot k has been dead for so long that another may take its place."""
    return s.monster_state[i, k] == DEAD and s.monster_timer[i, k] <= 0


def act(s, i, slots, pace, rng):
    """Let the monsters of the first slots do what they do in a tic.

    Return the damage to the player; `pace` is how far a monster walks.
    """
    damage = 0.0
    for k in range(slots):
        if s.monster[i, k] == 0:
            continue
        s.monster_timer[i, k] -= 1
        if s.monster_state[i, k] == DEAD:
            continue
        if s.monster_timer[i, k] > 0:
            if s.monster_state[i, k] == WALK and pace > 0.0:
                walk(s, i, k)
        elif s.monster_state[i, k] == WALK:
            look(s, i, k, pace, rng)
        else:
            aimed = s.monster_state[i, k] == AIM
            s.monster_state[i, k] = WALK
            s.monster_dx[i, k], s.monster_dy[i, k] = 0.0, 0.0
            s.monster_timer[i, k] = RESTING if aimed else 1
            if aimed:
                damage += attack(s, i, k, pace, rng)
    return damage


def hurt(s, i, damage):
    """Do damage to the player; return whether it is dead."""
    if damage > 0.0:
        heal(s, i, -damage)
    return s.health[i] <= 0.0


def look(s, i, k, pace, rng):
    """Decide what the monster of slot k does next."""
    dx, dy = s.x[i] - s.monster_x[i, k], s.y[i] - s.monster_y[i, k]
    distance = math.sqrt(dx * dx + dy * dy)
    reach = BITE if s.monster[i, k] == MELEE else SHOT
    s.monster_timer[i, k] = LOOKING
    if sees(s, i, s.monster_x[i, k], s.monster_y[i, k]):
        if distance < reach:
            s.monster_state[i, k] = AIM
            s.monster_timer[i, k] = AIMING
        elif pace > 0.0:
            s.monster_dx[i, k], s.monster_dy[i, k] = pace * dx / distance, pace * dy / distance
            # Not through the player.
            s.monster_timer[i, k] = max(1, min(LOOKING, int((distance - 0.8 * reach) / pace)))
    elif pace > 0.0 and (s.monster_dx[i, k] == 0.0 or s.monster_dy[i, k] == 0.0):
        angle = uniform(rng, i, -pi, pi)
        s.monster_dx[i, k], s.monster_dy[i, k] = pace * cos(angle), pace * sin(angle)


def walk(s, i, k):
    """Move a monster, along walls if it must; it gives up the direction in which one stands."""
    x, y = s.monster_x[i, k], s.monster_y[i, k]
    if s.monster_dx[i, k] != 0.0:
        s.monster_x[i, k] += s.monster_dx[i, k]
        if not is_free(s, i, s.monster_x[i, k], s.monster_y[i, k], RADIUS):
            s.monster_x[i, k] = x
            s.monster_dx[i, k] = 0.0
    if s.monster_dy[i, k] != 0.0:
        s.monster_y[i, k] += s.monster_dy[i, k]
        if not is_free(s, i, s.monster_x[i, k], s.monster_y[i, k], RADIUS):
            s.monster_y[i, k] = y
            s.monster_dy[i, k] = 0.0


def attack(s, i, k, pace, rng):
    """Bite, or shoot and come nearer; return the damage."""
    dx, dy = s.x[i] - s.monster_x[i, k], s.y[i] - s.monster_y[i, k]
    distance = math.sqrt(dx * dx + dy * dy)
    if not sees(s, i, s.monster_x[i, k], s.monster_y[i, k]):
        return 0.0
    if s.monster[i, k] == MELEE:
        return 4.0 * integers(rng, i, 1, 11) if distance < 1.5 * BITE else 0.0
    hits = random(rng, i) * (1.0 + SPREAD * distance) < 1.0
    if pace > 0.0 and distance > NEAR:
        angle = uniform(rng, i, -pi / 3.0, pi / 3.0)
        c, n = cos(angle) * pace / distance, sin(angle) * pace / distance
        s.monster_dx[i, k], s.monster_dy[i, k] = dx * c - dy * n, dx * n + dy * c
    return 3.0 * integers(rng, i, 1, 6) if hits else 0.0
