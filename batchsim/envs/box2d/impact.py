"""When two moving convex shapes come to touch: conservative advancement by separating axes.

As in Box2D 2.3 by Erin Catto (zlib licence). The motions of outlines 0 and 1 are in the scratch:
the centres of mass and angles at the beginning and the end, and where the centre is in the shape.
"""

import numpy as np

from batchsim.envs.box2d.distance import distance, farthest, put, put_corner, towards, turned
from batchsim.envs.box2d.settings import (
    HALF,
    MAX_CORNERS,
    MAX_ITERATIONS,
    MAX_ROOT_ITERATIONS,
    ONE,
    TOI_TARGET,
    TOI_TOLERANCE,
    TURN,
    ZERO,
)
from batchsim.envs.box2d.vectors import absolute, dot, normalize, rotate
from batchsim.math import cosf, sinf

# The columns of a motion.
X0, Y0, X1, Y1, ANGLE0, ANGLE1, CENTER_X, CENTER_Y = range(8)
POINTS = 2  # an axis between two points; otherwise the side whose face it is normal to


def move_to(s, i, time):
    """Put both shapes where they are at a time from 0 to 1."""
    for side in range(2):
        if not s.moves[i, side]:
            s.pose[i, side, 0], s.pose[i, side, 1] = ZERO, ZERO
            s.pose[i, side, 2], s.pose[i, side, 3] = ZERO, ONE
            continue
        rest = ONE - time
        x = rest * s.motion[i, side, X0] + time * s.motion[i, side, X1]
        y = rest * s.motion[i, side, Y0] + time * s.motion[i, side, Y1]
        angle = rest * s.motion[i, side, ANGLE0] + time * s.motion[i, side, ANGLE1]
        qs, qc = sinf(angle), cosf(angle)
        dx, dy = rotate(qs, qc, s.motion[i, side, CENTER_X], s.motion[i, side, CENTER_Y])
        s.pose[i, side, 0], s.pose[i, side, 1] = x - dx, y - dy
        s.pose[i, side, 2], s.pose[i, side, 3] = qs, qc


def corner(s, i, side, k):
    """Return a corner of an outline."""
    return s.outline[i, side, k, 0], s.outline[i, side, k, 1]


def axis_of(s, i, count):
    """Return the kind of the axis that separates the shapes, the axis, and a point on its face."""
    a0, b0 = int(s.simplex_corner[i, 0, 0]), int(s.simplex_corner[i, 0, 1])
    if count == 1:
        ax, ay = put_corner(s, i, 0, a0)
        bx, by = put_corner(s, i, 1, b0)
        x, y = normalize(bx - ax, by - ay)
        return POINTS, x, y, ZERO, ZERO
    face = 1 if a0 == s.simplex_corner[i, 1, 0] else 0
    x1, y1 = corner(s, i, face, int(s.simplex_corner[i, 0, face]))
    x2, y2 = corner(s, i, face, int(s.simplex_corner[i, 1, face]))
    ax, ay = normalize(y2 - y1, -(x2 - x1))
    nx, ny = turned(s, i, face, ax, ay)
    mx, my = HALF * (x1 + x2), HALF * (y1 + y2)
    px, py = put(s, i, face, mx, my)
    x, y = put_corner(s, i, 1 - face, int(s.simplex_corner[i, 0, 1 - face]))
    if dot(x - px, y - py, nx, ny) < ZERO:
        ax, ay = -ax, -ay
    return face, ax, ay, mx, my


def nearest(s, i, kind, ax, ay, time):
    """Return the corners that are nearest along an axis at a time."""
    move_to(s, i, time)
    if kind == POINTS:
        return farthest(s, i, ax, ay)
    nx, ny = turned(s, i, kind, ax, ay)
    k = towards(s, i, 1 - kind, -nx, -ny)
    return k, k


def separation(s, i, kind, ax, ay, mx, my, corner_a, corner_b, time):
    """Return how far corners are apart along an axis at a time."""
    move_to(s, i, time)
    if kind == POINTS:
        px, py = put_corner(s, i, 0, corner_a)
        x, y = put_corner(s, i, 1, corner_b)
        return dot(x - px, y - py, ax, ay)
    nx, ny = turned(s, i, kind, ax, ay)
    px, py = put(s, i, kind, mx, my)
    x, y = put_corner(s, i, 1 - kind, corner_b)
    return dot(x - px, y - py, nx, ny)


def time_of_impact(s, i):
    """Return when the shapes touch, between 0 and 1, and 1 if they do not or it is not found."""
    for side in range(2):
        if s.moves[i, side]:
            turns = TURN * np.floor(s.motion[i, side, ANGLE0] / TURN)
            s.motion[i, side, ANGLE0] -= turns
            s.motion[i, side, ANGLE1] -= turns
    t1 = ZERO
    count, size = 0, ZERO
    for _ in range(MAX_ITERATIONS):
        move_to(s, i, t1)
        gap, count, size = distance(s, i, count, size)
        if gap <= ZERO:
            return ONE  # They overlap.
        if gap < TOI_TARGET + TOI_TOLERANCE:
            return t1
        kind, ax, ay, mx, my = axis_of(s, i, count)
        t2 = ONE
        for _ in range(MAX_CORNERS):
            a, b = nearest(s, i, kind, ax, ay, t2)
            s2 = separation(s, i, kind, ax, ay, mx, my, a, b, t2)
            if s2 > TOI_TARGET + TOI_TOLERANCE:
                return ONE  # They stay apart.
            if s2 > TOI_TARGET - TOI_TOLERANCE:
                t1 = t2
                break
            s1 = separation(s, i, kind, ax, ay, mx, my, a, b, t1)
            if s1 < TOI_TARGET - TOI_TOLERANCE:
                return ONE  # They were too near before: not found.
            if s1 <= TOI_TARGET + TOI_TOLERANCE:
                return t1
            t2 = root(s, i, kind, ax, ay, mx, my, a, b, t1, s1, t2, s2)
    return ONE


def root(s, i, kind, ax, ay, mx, my, a, b, t1, s1, t2, s2):
    """Return when two corners are at the target distance along an axis."""
    end = t2
    for k in range(MAX_ROOT_ITERATIONS):
        if k % 2 == 1:
            time = t1 + (TOI_TARGET - s1) * (t2 - t1) / (s2 - s1)
        else:
            time = HALF * (t1 + t2)
        between = separation(s, i, kind, ax, ay, mx, my, a, b, time)
        if absolute(between - TOI_TARGET) < TOI_TOLERANCE:
            return time
        if between > TOI_TARGET:
            t1, s1 = time, between
        else:
            t2, s2 = time, between
    return end
