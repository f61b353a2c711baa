"""Contacts: pairs of shapes whose fat boxes overlap, found, updated and forgotten.

As Box2D 2.3 by Erin Catto (zlib licence) does, whose lists have the newest contact first.
"""

from batchsim.envs.box2d.bodies import wake
from batchsim.envs.box2d.settings import ZERO
from batchsim.family import env


def overlap(s, i, body, k):
    """Tell whether the fat boxes of a body and of shape k of the ground overlap."""
    return not (
        s.ground_box[i, k, 0] - s.box[i, body, 2] > ZERO
        or s.ground_box[i, k, 1] - s.box[i, body, 3] > ZERO
        or s.box[i, body, 0] - s.ground_box[i, k, 2] > ZERO
        or s.box[i, body, 1] - s.ground_box[i, k, 3] > ZERO
    )


def has_contact(s, i, body, k):
    """Tell whether a body and shape k of the ground are in contact already."""
    for place in range(s.contacts[i]):
        slot = int(s.slot[i, place])
        if s.side[i, slot, 1] == body and s.side[i, slot, 0] == env.BODIES + k:
            return True
    return False


def find_contacts(s, i):
    """Make contacts of the bodies whose fat boxes are new."""
    moved = False
    for body in range(env.BODIES):
        moved |= s.moved[i, body]
    if moved:
        env.find_pairs(s, i)
        for body in range(env.BODIES):
            s.moved[i, body] = False


def find_among_all(s, i):
    """Make contacts with every shape of the ground that is there, in the order of their numbers."""
    for k in range(env.GROUNDS):
        for body in range(env.BODIES):
            if s.moved[i, body] and overlap(s, i, body, k) and not has_contact(s, i, body, k):
                add_contact(s, i, body, k)


def forget_all(s, i):
    """Begin without contacts."""
    s.contacts[i] = 0
    for slot in range(len(s.is_used[i])):
        s.is_used[i, slot] = False
    for body in range(env.BODIES):
        s.touched[i, body] = False
    s.is_over[i] = False


def add_contact(s, i, body, k):
    """Make the newest contact; there is room, unless boxes of a snapshot are beyond measure."""
    if s.contacts[i] == len(s.slot[i]):
        return
    slot = 0
    while s.is_used[i, slot]:
        slot += 1
    s.is_used[i, slot] = True
    s.slot[i, s.contacts[i]] = slot
    s.contacts[i] += 1
    s.side[i, slot, 0], s.side[i, slot, 1] = env.BODIES + k, body
    s.is_flipped[i, slot] = env.is_body_first(s, i, k, body)
    s.is_touching[i, slot] = False
    s.is_enabled[i, slot] = True
    s.points[i, slot] = 0
    s.impact_is_known[i, slot] = False
    s.sub_steps[i, slot] = 0
    wake(s, i, body)


def forget_contact(s, i, place):
    """Destroy a contact, by its place in the list."""
    slot = int(s.slot[i, place])
    if s.is_touching[i, slot]:
        s.touched[i, s.side[i, slot, 1]] = False
    s.is_used[i, slot] = False
    s.contacts[i] -= 1
    for later in range(place, s.contacts[i]):
        s.slot[i, later] = s.slot[i, later + 1]


def collide(s, i):
    """Update the contacts of bodies that are awake; forget those whose boxes have parted."""
    place = s.contacts[i] - 1
    while place >= 0:
        slot = int(s.slot[i, place])
        body, k = int(s.side[i, slot, 1]), int(s.side[i, slot, 0]) - env.BODIES
        if not s.asleep[i, body]:
            if overlap(s, i, body, k):
                update_contact(s, i, slot)
            else:
                forget_contact(s, i, place)
        place -= 1


def update_contact(s, i, slot):
    """Find where the shapes of a contact touch; points that were there keep their impulses."""
    body = int(s.side[i, slot, 1])
    was_touching = s.is_touching[i, slot]
    count = s.points[i, slot]
    for n in range(count):
        s.old_feature[i, n] = s.feature[i, slot, n]
        s.old_impulse[i, n, 0] = s.normal_impulse[i, slot, n]
        s.old_impulse[i, n, 1] = s.tangent_impulse[i, slot, n]
    s.is_enabled[i, slot] = True
    env.touch(s, i, slot, int(s.side[i, slot, 0]) - env.BODIES, body)
    touching = s.points[i, slot] > 0
    for n in range(s.points[i, slot]):
        s.normal_impulse[i, slot, n] = ZERO
        s.tangent_impulse[i, slot, n] = ZERO
        for old in range(count):
            if s.old_feature[i, old] == s.feature[i, slot, n]:
                s.normal_impulse[i, slot, n] = s.old_impulse[i, old, 0]
                s.tangent_impulse[i, slot, n] = s.old_impulse[i, old, 1]
                break
    if touching != was_touching:
        wake(s, i, body)
    s.is_touching[i, slot] = touching
    if touching and not was_touching:
        s.touched[i, body] = True
        if body == 0:
            s.is_over[i] = True
    if was_touching and not touching:
        s.touched[i, body] = False
