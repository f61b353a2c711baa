"""Impulses that keep an island's bodies from moving into the ground, or along it.

The solver of Box2D 2.3 by Erin Catto (zlib licence): friction first, then one point by itself or
two together.
"""

from batchsim.envs.box2d.settings import ZERO
from batchsim.envs.box2d.vectors import clamp, cross, dot, greater
from batchsim.family import env


def warm_start(s, i, count):
    """Apply the impulses that solved the last step."""
    for n in range(count):
        nx, ny = s.normal[i, n, 0], s.normal[i, n, 1]
        for k in range(s.island_points[i, n]):
            x = s.pushed[i, n, k] * nx + s.rubbed[i, n, k] * ny
            y = s.pushed[i, n, k] * ny + s.rubbed[i, n, k] * -nx
            push(s, i, n, k, x, y)


def push(s, i, n, k, x, y):
    """Apply an impulse at a point of a contact."""
    body = int(s.island_body[i, n])
    s.body_velocity[i, body, 0] += env.INVERSE_MASS[body] * x
    s.body_velocity[i, body, 1] += env.INVERSE_MASS[body] * y
    s.body_velocity[i, body, 2] += env.INVERSE_INERTIA[body] * cross(
        s.lever[i, n, k, 0], s.lever[i, n, k, 1], x, y
    )


def push_both(s, i, n, x0, y0, x1, y1):
    """Apply an impulse at each of the two points of a contact."""
    body = int(s.island_body[i, n])
    s.body_velocity[i, body, 0] += env.INVERSE_MASS[body] * (x0 + x1)
    s.body_velocity[i, body, 1] += env.INVERSE_MASS[body] * (y0 + y1)
    s.body_velocity[i, body, 2] += env.INVERSE_INERTIA[body] * (
        cross(s.lever[i, n, 0, 0], s.lever[i, n, 0, 1], x0, y0)
        + cross(s.lever[i, n, 1, 0], s.lever[i, n, 1, 1], x1, y1)
    )


def approach(s, i, n, k):
    """Return how fast the body moves past the ground at a point of a contact."""
    body = int(s.island_body[i, n])
    spin = s.body_velocity[i, body, 2]
    return (
        s.body_velocity[i, body, 0] + -spin * s.lever[i, n, k, 1],
        s.body_velocity[i, body, 1] + spin * s.lever[i, n, k, 0],
    )


def solve_contact_velocities(s, i, count):
    """Solve friction and normals of all contacts once, one after the other."""
    for n in range(count):
        nx, ny = s.normal[i, n, 0], s.normal[i, n, 1]
        tx, ty = ny, -nx
        friction = s.friction[i, n]
        for k in range(s.island_points[i, n]):
            x, y = approach(s, i, n, k)
            change = s.tangent_mass[i, n, k] * -dot(x, y, tx, ty)
            most = friction * s.pushed[i, n, k]
            impulse = clamp(s.rubbed[i, n, k] + change, -most, most)
            change = impulse - s.rubbed[i, n, k]
            s.rubbed[i, n, k] = impulse
            push(s, i, n, k, change * tx, change * ty)
        if s.island_points[i, n] == 1:
            x, y = approach(s, i, n, 0)
            change = -s.normal_mass[i, n, 0] * dot(x, y, nx, ny)
            impulse = greater(s.pushed[i, n, 0] + change, ZERO)
            change = impulse - s.pushed[i, n, 0]
            s.pushed[i, n, 0] = impulse
            push(s, i, n, 0, change * nx, change * ny)
        else:
            solve_block(s, i, n, nx, ny)


def solve_block(s, i, n, nx, ny):
    """Solve the two points of a contact together: the first case that is consistent."""
    before0, before1 = s.pushed[i, n, 0], s.pushed[i, n, 1]
    x, y = approach(s, i, n, 0)
    b0 = dot(x, y, nx, ny)
    x, y = approach(s, i, n, 1)
    b1 = dot(x, y, nx, ny)
    k11, k12, k22 = s.block[i, n, 0], s.block[i, n, 1], s.block[i, n, 2]
    b0 -= k11 * before0 + k12 * before1
    b1 -= k12 * before0 + k22 * before1
    # Both points push.
    push0 = -(s.block_inverse[i, n, 0] * b0 + s.block_inverse[i, n, 1] * b1)
    push1 = -(s.block_inverse[i, n, 1] * b0 + s.block_inverse[i, n, 2] * b1)
    if not (push0 >= ZERO and push1 >= ZERO):
        # The first alone, the second alone, none; if nothing is consistent, all stays as it was.
        push0, push1 = -s.normal_mass[i, n, 0] * b0, ZERO
        if not (push0 >= ZERO and k12 * push0 + b1 >= ZERO):
            push0, push1 = ZERO, -s.normal_mass[i, n, 1] * b1
            if not (push1 >= ZERO and k12 * push1 + b0 >= ZERO):
                if not (b0 >= ZERO and b1 >= ZERO):
                    return
                push1 = ZERO
    change0, change1 = push0 - before0, push1 - before1
    push_both(s, i, n, change0 * nx, change0 * ny, change1 * nx, change1 * ny)
    s.pushed[i, n, 0], s.pushed[i, n, 1] = push0, push1
