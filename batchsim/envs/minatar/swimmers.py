"""What comes in Seaquest, and what meets or hits the submarine: others, fish and bullets."""

from batchsim.envs.minatar.shoals import (
    DEEPEST,
    DRIFT,
    RELOAD,
    SHOT,
    TIMER,
    WAY,
    X,
    Y,
    come,
    find,
    heads_otherwise,
    is_met,
    is_outside,
    remove,
)
from batchsim.random_state import rand, randint


def spawn_enemy(s, i, rng):
    """Have a fish or a submarine come, unless one goes the other way in its row."""
    way = 1 if rand(rng, i) < 0.5 else -1
    is_submarine = rand(rng, i) < 1.0 / 3.0
    y = randint(rng, i, 1, DEEPEST + 1)
    fish, submarines = s.num_fish[i], s.num_submarines[i]
    if heads_otherwise(s.fish[i], fish, y, way):
        return
    if heads_otherwise(s.submarines[i], submarines, y, way):
        return
    if is_submarine:
        if submarines < len(s.submarines[i]):
            come(s.submarines[i], submarines, y, way, s.move_interval[i])
            s.submarines[i, submarines, SHOT] = RELOAD
            s.num_submarines[i] += 1
    elif fish < len(s.fish[i]):
        come(s.fish[i], fish, y, way, s.move_interval[i])
        s.num_fish[i] += 1


def spawn_diver(s, i, rng):
    """Have a diver come."""
    way = 1 if rand(rng, i) < 0.5 else -1
    y = randint(rng, i, 1, DEEPEST + 1)
    if s.num_divers[i] < len(s.divers[i]):
        come(s.divers[i], s.num_divers[i], y, way, DRIFT)
        s.num_divers[i] += 1


def swim(s, i, things, k):
    """Move an enemy when it is time; return whether it is gone, is hit, and meets the submarine."""
    met = is_met(s, i, things, k)
    if things[k, TIMER] > 0:
        things[k, TIMER] -= 1
        return False, False, met
    things[k, TIMER] = s.move_interval[i]
    things[k, X] += things[k, WAY]
    if is_outside(things[k, X]):
        return True, False, met
    if is_met(s, i, things, k):
        return False, False, True
    bullet = find(s.bullets[i], s.num_bullets[i], things[k, X], things[k, Y])
    if bullet < 0:
        return False, False, met
    s.num_bullets[i] = remove(s.bullets[i], bullet, s.num_bullets[i])
    return True, True, met


def move_fish(s, i):
    """Move the fish; return how many were hit, and whether one meets the submarine."""
    hits, met = 0, False
    for k in range(s.num_fish[i] - 1, -1, -1):
        is_gone, is_hit, meets = swim(s, i, s.fish[i], k)
        met = met or meets
        if is_hit:
            hits += 1
        if is_gone:
            s.num_fish[i] = remove(s.fish[i], k, s.num_fish[i])
    return hits, met


def move_submarines(s, i):
    """Move the enemies' submarines, which shoot; return the same of them."""
    hits, met = 0, False
    for k in range(s.num_submarines[i] - 1, -1, -1):
        is_gone, is_hit, meets = swim(s, i, s.submarines[i], k)
        met = met or meets
        if is_hit:
            hits += 1
        if s.submarines[i, k, SHOT] > 0:
            s.submarines[i, k, SHOT] -= 1
        else:
            s.submarines[i, k, SHOT] = RELOAD
            fire(s, i, k)
        if is_gone:
            s.num_submarines[i] = remove(s.submarines[i], k, s.num_submarines[i])
    return hits, met


def fire(s, i, k):
    """Have an enemy's submarine shoot."""
    new = s.num_enemy_bullets[i]
    if new < len(s.enemy_bullets[i]):
        for field in range(TIMER):
            s.enemy_bullets[i, new, field] = s.submarines[i, k, field]
        s.num_enemy_bullets[i] += 1


def move_enemy_bullets(s, i):
    """Move the enemies' bullets, and tell whether one meets the submarine."""
    met = False
    for k in range(s.num_enemy_bullets[i] - 1, -1, -1):
        met = met or is_met(s, i, s.enemy_bullets[i], k)
        s.enemy_bullets[i, k, X] += s.enemy_bullets[i, k, WAY]
        met = met or is_met(s, i, s.enemy_bullets[i], k)
        if is_outside(s.enemy_bullets[i, k, X]):
            s.num_enemy_bullets[i] = remove(s.enemy_bullets[i], k, s.num_enemy_bullets[i])
    return met
