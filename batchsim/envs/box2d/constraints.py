"""What the contacts of an island ask of its bodies: normals, levers, effective masses, impulses.

As in Box2D 2.3 by Erin Catto (zlib licence). Nothing here bounces, and one of the two sides of a
contact is always the ground, which nothing moves: what Box2D adds for it is zero, and left out.
Normals point from the ground to the body.
"""

import numpy as np

from batchsim.envs.box2d.collide import EDGE
from batchsim.envs.box2d.settings import HALF, MAX_CONDITION_NUMBER, ONE, POLYGON_RADIUS, ZERO
from batchsim.envs.box2d.vectors import cross, dot, rotate, transform
from batchsim.family import env
from batchsim.math import cosf, sinf


def pose(s, i, body):
    """Return where the solver has moved a body's origin to, and how it is turned."""
    angle = s.body_position[i, body, 2]
    qs, qc = sinf(angle), cosf(angle)
    x, y = rotate(qs, qc, env.CENTER[body, 0], env.CENTER[body, 1])
    return s.body_position[i, body, 0] - x, s.body_position[i, body, 1] - y, qs, qc


def add_contact(s, i, n, slot):
    """Let contact n of the island be the one in a slot."""
    s.island_slot[i, n] = slot
    s.island_body[i, n] = s.side[i, slot, 1]
    s.island_points[i, n] = s.points[i, slot]
    s.friction[i, n] = np.sqrt(env.FRICTION[s.side[i, slot, 0]] * env.FRICTION[s.side[i, slot, 1]])


def is_face_of_ground(s, i, slot):
    """Tell whether the face that the manifold refers to is one of the ground."""
    return (s.kind[i, slot] == EDGE) != s.is_flipped[i, slot]


def face_and_point(s, i, slot, k, px, py, qs, qc):
    """Return a point of a contact, a point of the face that it meets, and the normal of that.

    The body has the pose that is given; the ground is at the origin and not turned.
    """
    nx, ny = s.local_normal[i, slot, 0], s.local_normal[i, slot, 1]
    fx, fy = s.local_point[i, slot, 0], s.local_point[i, slot, 1]
    x, y = s.point[i, slot, k, 0], s.point[i, slot, k, 1]
    if is_face_of_ground(s, i, slot):
        x, y = transform(px, py, qs, qc, x, y)
    else:
        nx, ny = rotate(qs, qc, nx, ny)
        fx, fy = transform(px, py, qs, qc, fx, fy)
    return x, y, fx, fy, nx, ny


def take_impulses(s, i, count):
    """Begin with the impulses of the last step."""
    for n in range(count):
        slot = int(s.island_slot[i, n])
        for k in range(s.island_points[i, n]):
            s.pushed[i, n, k] = s.normal_impulse[i, slot, k]
            s.rubbed[i, n, k] = s.tangent_impulse[i, slot, k]


def take_no_impulses(s, i, count):
    """Begin without impulses."""
    for n in range(count):
        for k in range(s.island_points[i, n]):
            s.pushed[i, n, k] = ZERO
            s.rubbed[i, n, k] = ZERO


def store_impulses(s, i, count):
    """Keep the impulses for the next step to begin with."""
    for n in range(count):
        slot = int(s.island_slot[i, n])
        for k in range(s.island_points[i, n]):
            s.normal_impulse[i, slot, k] = s.pushed[i, n, k]
            s.tangent_impulse[i, slot, k] = s.rubbed[i, n, k]


def _meeting_point(x, y, face_x, face_y, nx, ny):
    """Return the middle between a point's skin and that of the face that it meets."""
    depth = POLYGON_RADIUS - dot(x - face_x, y - face_y, nx, ny)
    ax, ay = x + depth * nx, y + depth * ny
    bx, by = x - POLYGON_RADIUS * nx, y - POLYGON_RADIUS * ny
    return HALF * (ax + bx), HALF * (ay + by)


def prepare_contacts(s, i, count):
    """Compute normals, levers and effective masses where the bodies are now."""
    for n in range(count):
        slot, body = int(s.island_slot[i, n]), int(s.island_body[i, n])
        mass, inertia = env.INVERSE_MASS[body], env.INVERSE_INERTIA[body]
        px, py, qs, qc = pose(s, i, body)
        nx, ny = ZERO, ZERO
        points = s.island_points[i, n]
        for k in range(points):
            x, y, fx, fy, nx, ny = face_and_point(s, i, slot, k, px, py, qs, qc)
            x, y = _meeting_point(x, y, fx, fy, nx, ny)
            s.lever[i, n, k, 0] = x - s.body_position[i, body, 0]
            s.lever[i, n, k, 1] = y - s.body_position[i, body, 1]
        if not is_face_of_ground(s, i, slot):
            nx, ny = -nx, -ny
        s.normal[i, n, 0], s.normal[i, n, 1] = nx, ny
        for k in range(points):
            x, y = s.lever[i, n, k, 0], s.lever[i, n, k, 1]
            s.along[i, k] = cross(x, y, nx, ny)
            s.normal_mass[i, n, k] = mass_of(mass, inertia, s.along[i, k])
            s.tangent_mass[i, n, k] = mass_of(mass, inertia, cross(x, y, ny, -nx))
        if points == 2:
            k11 = mass + inertia * s.along[i, 0] * s.along[i, 0]
            k22 = mass + inertia * s.along[i, 1] * s.along[i, 1]
            k12 = mass + inertia * s.along[i, 0] * s.along[i, 1]
            determinant = k11 * k22 - k12 * k12
            if k11 * k11 < MAX_CONDITION_NUMBER * determinant:
                s.block[i, n, 0], s.block[i, n, 1], s.block[i, n, 2] = k11, k12, k22
                if determinant != ZERO:
                    determinant = ONE / determinant
                s.block_inverse[i, n, 0] = determinant * k22
                s.block_inverse[i, n, 1] = -determinant * k12
                s.block_inverse[i, n, 2] = determinant * k11
            else:
                s.island_points[i, n] = 1


def mass_of(mass, inertia, along):
    """Return the effective mass of a body against an impulse with this torque."""
    resistance = mass + inertia * along * along
    return ONE / resistance if resistance > ZERO else ZERO
