"""Things that lie around: which a player takes by coming near, and what they do to it."""

from batchsim.envs.egocentric.world import FULL, NOTHING, REACH


def put_item(s, i, k, kind, x, y):
    """Put an item into slot k."""
    s.item[i, k] = kind
    s.item_x[i, k], s.item_y[i, k] = x, y


def take(s, i, slots):
    """Take an item within reach, of so many slots; return the kind and the slot, or NOTHING."""
    for k in range(slots):
        if s.item[i, k] != NOTHING:
            dx, dy = s.item_x[i, k] - s.x[i], s.item_y[i, k] - s.y[i]
            if dx * dx + dy * dy < REACH * REACH:
                kind = int(s.item[i, k])
                s.item[i, k] = NOTHING
                return kind, k
    return NOTHING, -1


def heal(s, i, by):
    """Change the player's health, which stays between 0 and `FULL`."""
    s.health[i] = max(0.0, min(FULL, s.health[i] + by))
