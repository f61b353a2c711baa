"""Bodies that move: where they are, and the fat boxes around them.

As in Box2D 2.3 by Erin Catto (zlib licence).
"""

import numpy as np

from batchsim.envs.box2d.settings import AABB_EXTENSION, AABB_MULTIPLIER, POLYGON_RADIUS, ZERO
from batchsim.envs.box2d.vectors import cross, greater, lesser, rotate, transform
from batchsim.family import env
from batchsim.math import cosf, sinf


def wake(s, i, body):
    """Let a body that sleeps be awake."""
    if s.asleep[i, body]:
        s.asleep[i, body] = False
        s.rest_time[i, body] = ZERO


def put_body(s, i, body, x, y, angle):
    """Make a body that moves, with its shape, at a place."""
    qs, qc = sinf(angle), cosf(angle)
    s.place[i, body, 0], s.place[i, body, 1] = x, y
    s.turn[i, body, 0], s.turn[i, body, 1] = qs, qc
    cx, cy = transform(x, y, qs, qc, env.CENTER[body, 0], env.CENTER[body, 1])
    s.center[i, body, 0], s.center[i, body, 1] = cx, cy
    s.center_before[i, body, 0], s.center_before[i, body, 1] = cx, cy
    s.angle[i, body] = angle
    s.angle_before[i, body] = angle
    s.velocity[i, body, 0], s.velocity[i, body, 1], s.spin[i, body] = ZERO, ZERO, ZERO
    s.asleep[i, body] = False
    s.rest_time[i, body] = ZERO
    left, bottom, right, top = bounds(s, i, body, x, y, qs, qc)
    s.box[i, body, 0], s.box[i, body, 1] = left - AABB_EXTENSION, bottom - AABB_EXTENSION
    s.box[i, body, 2], s.box[i, body, 3] = right + AABB_EXTENSION, top + AABB_EXTENSION
    s.moved[i, body] = True


def place_body(s, i, body):
    """Put a body where its centre of mass and its angle are."""
    qs, qc = sinf(s.angle[i, body]), cosf(s.angle[i, body])
    x, y = rotate(qs, qc, env.CENTER[body, 0], env.CENTER[body, 1])
    s.turn[i, body, 0], s.turn[i, body, 1] = qs, qc
    s.place[i, body, 0] = s.center[i, body, 0] - x
    s.place[i, body, 1] = s.center[i, body, 1] - y


def bounds(s, i, body, px, py, qs, qc):
    """Return the box around a body's shape in some pose: left, bottom, right, top."""
    left, bottom = transform(px, py, qs, qc, env.CORNERS[body, 0, 0], env.CORNERS[body, 0, 1])
    right, top = left, bottom
    for k in range(1, env.COUNTS[body]):
        x, y = transform(px, py, qs, qc, env.CORNERS[body, k, 0], env.CORNERS[body, k, 1])
        left, bottom = lesser(left, x), lesser(bottom, y)
        right, top = greater(right, x), greater(top, y)
    return (
        left - POLYGON_RADIUS,
        bottom - POLYGON_RADIUS,
        right + POLYGON_RADIUS,
        top + POLYGON_RADIUS,
    )


def follow(s, i, body):
    """Make a new fat box for a body whose motion has left the last one."""
    angle = s.angle_before[i, body]
    qs, qc = sinf(angle), cosf(angle)
    x, y = rotate(qs, qc, env.CENTER[body, 0], env.CENTER[body, 1])
    px, py = s.center_before[i, body, 0] - x, s.center_before[i, body, 1] - y
    left, bottom, right, top = bounds(s, i, body, px, py, qs, qc)
    x, y = s.place[i, body, 0], s.place[i, body, 1]
    other = bounds(s, i, body, x, y, s.turn[i, body, 0], s.turn[i, body, 1])
    left, bottom = lesser(left, other[0]), lesser(bottom, other[1])
    right, top = greater(right, other[2]), greater(top, other[3])
    if (
        s.box[i, body, 0] <= left
        and s.box[i, body, 1] <= bottom
        and right <= s.box[i, body, 2]
        and top <= s.box[i, body, 3]
    ):
        return
    left, bottom = left - AABB_EXTENSION, bottom - AABB_EXTENSION
    right, top = right + AABB_EXTENSION, top + AABB_EXTENSION
    dx, dy = AABB_MULTIPLIER * (x - px), AABB_MULTIPLIER * (y - py)
    if dx < ZERO:
        left += dx
    else:
        right += dx
    if dy < ZERO:
        bottom += dy
    else:
        top += dy
    s.box[i, body, 0], s.box[i, body, 1] = left, bottom
    s.box[i, body, 2], s.box[i, body, 3] = right, top
    s.moved[i, body] = True


def push(s, i, body, impulse_x, impulse_y, x, y):
    """Change a body's velocity by an impulse at a point; all are numbers of 64 bits."""
    wake(s, i, body)
    jx, jy = np.float32(impulse_x), np.float32(impulse_y)
    s.velocity[i, body, 0] += env.INVERSE_MASS[body] * jx
    s.velocity[i, body, 1] += env.INVERSE_MASS[body] * jy
    arm_x = np.float32(x) - s.center[i, body, 0]
    arm_y = np.float32(y) - s.center[i, body, 1]
    s.spin[i, body] += env.INVERSE_INERTIA[body] * cross(arm_x, arm_y, jx, jy)
