"""The impacts within a step: bodies that would pass through the ground meet it in time.

As Box2D 2.3 by Erin Catto (zlib licence) does it, sub-step by sub-step.
"""

from batchsim.envs.box2d import constraints
from batchsim.envs.box2d.bodies import follow, place_body, wake
from batchsim.envs.box2d.contacts import find_contacts, update_contact
from batchsim.envs.box2d.impact import time_of_impact
from batchsim.envs.box2d.island import solve_impact
from batchsim.envs.box2d.settings import (
    MAX_SUB_STEPS,
    MAX_TOI_CONTACTS,
    ONE,
    TIME_STEP,
    TOI_END,
    ZERO,
)
from batchsim.envs.box2d.vectors import lesser
from batchsim.family import env


def solve_impacts(s, i):
    """Let bodies that would pass through the ground meet it within the step, earliest first."""
    for place in range(s.contacts[i]):
        slot = int(s.slot[i, place])
        s.impact_is_known[i, slot] = False
        s.sub_steps[i, slot] = 0
    for body in range(env.ALL_BODIES):
        s.alpha[i, body] = ZERO
    while True:
        first, alpha = -1, ONE
        place = s.contacts[i] - 1
        while place >= 0:
            slot = int(s.slot[i, place])
            place -= 1
            if not s.is_enabled[i, slot] or s.sub_steps[i, slot] > MAX_SUB_STEPS:
                continue
            if not s.impact_is_known[i, slot]:
                if s.asleep[i, s.side[i, slot, 1]]:
                    continue
                s.impact[i, slot] = impact_of(s, i, slot)
                s.impact_is_known[i, slot] = True
            if s.impact[i, slot] < alpha:
                first, alpha = slot, s.impact[i, slot]
        if first < 0 or alpha > TOI_END:
            return
        meet(s, i, first, alpha)


def body_number(fixture):
    """Return the number of a fixture's body among all bodies."""
    return env.BODIES if env.ONE_GROUND and fixture >= env.BODIES else fixture


def advance_body(s, i, body, alpha):
    """Move the beginning of a body's motion to a later time within the step."""
    part = (alpha - s.alpha[i, body]) / (ONE - s.alpha[i, body])
    rest = ONE - part
    for axis in range(2):
        s.center_before[i, body, axis] = (
            rest * s.center_before[i, body, axis] + part * s.center[i, body, axis]
        )
    s.angle_before[i, body] = rest * s.angle_before[i, body] + part * s.angle[i, body]
    s.alpha[i, body] = alpha


def stop_body(s, i, body, alpha):
    """Leave a body where it is at a time within the step."""
    advance_body(s, i, body, alpha)
    s.center[i, body, 0] = s.center_before[i, body, 0]
    s.center[i, body, 1] = s.center_before[i, body, 1]
    s.angle[i, body] = s.angle_before[i, body]
    place_body(s, i, body)


def impact_of(s, i, slot):
    """Return the part of the step after which the shapes of a contact touch, 1 if they do not."""
    body, ground = int(s.side[i, slot, 1]), body_number(int(s.side[i, slot, 0]))
    begin = s.alpha[i, ground]
    if (
        begin == ZERO
        and s.alpha[i, body] == ZERO
        and env.stays_clear(s, i, int(s.side[i, slot, 0]) - env.BODIES, body)
    ):
        return ONE
    if begin < s.alpha[i, body]:
        begin = s.alpha[i, body]
        s.alpha[i, ground] = begin
    elif s.alpha[i, body] < begin:
        advance_body(s, i, body, begin)
    side = 0 if s.is_flipped[i, slot] else 1
    env.outline_ground(s, i, 1 - side, int(s.side[i, slot, 0]) - env.BODIES)
    outline_body(s, i, side, body)
    time = time_of_impact(s, i)
    if time < ONE:
        return lesser(begin + (ONE - begin) * time, ONE)
    return ONE


def outline_edge(s, i, side, k):
    """Make an edge of the ground an outline."""
    s.moves[i, side] = False
    s.outline_length[i, side] = 2
    for end in range(2):
        s.outline[i, side, end, 0] = s.ground[i, k, 2 * end]
        s.outline[i, side, end, 1] = s.ground[i, k, 2 * end + 1]


def outline_body(s, i, side, body):
    """Make a body's polygon an outline, with its motion and all that collisions ask of it."""
    s.moves[i, side] = True
    s.outline_length[i, side] = env.COUNTS[body]
    for k in range(env.COUNTS[body]):
        s.outline[i, side, k, 0] = env.CORNERS[body, k, 0]
        s.outline[i, side, k, 1] = env.CORNERS[body, k, 1]
        s.outline_normal[i, side, k, 0] = env.NORMALS[body, k, 0]
        s.outline_normal[i, side, k, 1] = env.NORMALS[body, k, 1]
    for axis in range(2):
        s.outline_center[i, side, axis] = env.CENTROID[body, axis]
        s.pose[i, side, axis] = s.place[i, body, axis]
        s.pose[i, side, 2 + axis] = s.turn[i, body, axis]
        s.motion[i, side, axis] = s.center_before[i, body, axis]
        s.motion[i, side, 2 + axis] = s.center[i, body, axis]
        s.motion[i, side, 6 + axis] = env.CENTER[body, axis]
    s.motion[i, side, 4] = s.angle_before[i, body]
    s.motion[i, side, 5] = s.angle[i, body]


def meet(s, i, slot, alpha):
    """Stop a body where it touches the ground, and go on from there by the rest of the step."""
    body, ground = int(s.side[i, slot, 1]), body_number(int(s.side[i, slot, 0]))
    x0, y0, angle0 = (
        s.center_before[i, body, 0],
        s.center_before[i, body, 1],
        s.angle_before[i, body],
    )
    x, y, angle = s.center[i, body, 0], s.center[i, body, 1], s.angle[i, body]
    body_alpha, ground_alpha = s.alpha[i, body], s.alpha[i, ground]
    s.alpha[i, ground] = alpha
    stop_body(s, i, body, alpha)
    update_contact(s, i, slot)
    s.impact_is_known[i, slot] = False
    s.sub_steps[i, slot] += 1
    if not s.is_touching[i, slot]:
        s.is_enabled[i, slot] = False
        s.center_before[i, body, 0], s.center_before[i, body, 1] = x0, y0
        s.angle_before[i, body] = angle0
        s.center[i, body, 0], s.center[i, body, 1], s.angle[i, body] = x, y, angle
        s.alpha[i, body], s.alpha[i, ground] = body_alpha, ground_alpha
        place_body(s, i, body)
        return
    wake(s, i, body)
    count = gather(s, i, slot, body, alpha)
    solve_impact(s, i, body, count, (ONE - alpha) * TIME_STEP)
    follow(s, i, body)
    for place in range(s.contacts[i]):
        if s.side[i, s.slot[i, place], 1] == body:
            s.impact_is_known[i, s.slot[i, place]] = False
    find_contacts(s, i)


def gather(s, i, slot, body, alpha):
    """List the contacts of a body that touch at a time within the step; return how many."""
    constraints.add_contact(s, i, 0, slot)
    count = 1
    place = s.contacts[i]
    while place > 0 and count < MAX_TOI_CONTACTS:
        place -= 1
        other = int(s.slot[i, place])
        if s.side[i, other, 1] != body or other == slot:
            continue
        update_contact(s, i, other)
        if s.is_touching[i, other]:
            constraints.add_contact(s, i, count, other)
            s.alpha[i, body_number(int(s.side[i, other, 0]))] = alpha
            count += 1
    return count
