"""What the contacts of an island ask of its bodies: normals, levers, effective masses, impulses.

As in Box2D 2.3 by Erin Catto (zlib licence). Nothing here bounces.
"""

import numpy as np

from batchsim.envs.box2d.collide import EDGE
from batchsim.envs.box2d.settings import HALF, MAX_CONDITION_NUMBER, ONE, POLYGON_RADIUS, ZERO
from batchsim.envs.box2d.vectors import cross, dot, rotate, transform
from batchsim.family import env
from batchsim.math import cosf, sinf


def body_of(fixture):
    """Return the solver's number of a fixture's body: all of the ground is one."""
    return fixture if fixture < env.BODIES else env.BODIES


def pose(s, i, body):
    """Return where the solver has moved a body's origin to, and how it is turned."""
    if body == env.BODIES:
        return ZERO, ZERO, ZERO, ONE
    angle = s.body_position[i, body, 2]
    qs, qc = sinf(angle), cosf(angle)
    x, y = rotate(qs, qc, env.CENTER[body, 0], env.CENTER[body, 1])
    return s.body_position[i, body, 0] - x, s.body_position[i, body, 1] - y, qs, qc


def add_contact(s, i, n, slot):
    """Let contact n of the island be the one in a slot."""
    s.island_slot[i, n] = slot
    first = 1 if s.is_flipped[i, slot] else 0
    s.island_body[i, n, 0] = body_of(int(s.side[i, slot, first]))
    s.island_body[i, n, 1] = body_of(int(s.side[i, slot, 1 - first]))
    s.island_points[i, n] = s.points[i, slot]
    s.friction[i, n] = np.sqrt(env.FRICTION[s.side[i, slot, 0]] * env.FRICTION[s.side[i, slot, 1]])


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
        slot = int(s.island_slot[i, n])
        a, b = int(s.island_body[i, n, 0]), int(s.island_body[i, n, 1])
        masses = env.INVERSE_MASS[a] + env.INVERSE_MASS[b]
        face, other = (a, b) if s.kind[i, slot] == EDGE else (b, a)
        px, py, qs, qc = pose(s, i, face)
        ox, oy, os, oc = pose(s, i, other)
        nx, ny = rotate(qs, qc, s.local_normal[i, slot, 0], s.local_normal[i, slot, 1])
        face_x, face_y = transform(
            px, py, qs, qc, s.local_point[i, slot, 0], s.local_point[i, slot, 1]
        )
        points = s.island_points[i, n]
        for k in range(points):
            x, y = transform(ox, oy, os, oc, s.point[i, slot, k, 0], s.point[i, slot, k, 1])
            x, y = _meeting_point(x, y, face_x, face_y, nx, ny)
            s.lever_a[i, n, k, 0] = x - s.body_position[i, a, 0]
            s.lever_a[i, n, k, 1] = y - s.body_position[i, a, 1]
            s.lever_b[i, n, k, 0] = x - s.body_position[i, b, 0]
            s.lever_b[i, n, k, 1] = y - s.body_position[i, b, 1]
        if s.kind[i, slot] != EDGE:
            nx, ny = -nx, -ny
        s.normal[i, n, 0], s.normal[i, n, 1] = nx, ny
        for k in range(points):
            ax, ay, bx, by = levers(s, i, n, k)
            along_a, along_b = cross(ax, ay, nx, ny), cross(bx, by, nx, ny)
            s.normal_mass[i, n, k] = mass_of(masses, a, b, along_a, along_b)
            s.tangent_mass[i, n, k] = mass_of(
                masses, a, b, cross(ax, ay, ny, -nx), cross(bx, by, ny, -nx)
            )
            s.along[i, k, 0], s.along[i, k, 1] = along_a, along_b
        if points == 2:
            a1, b1, a2, b2 = s.along[i, 0, 0], s.along[i, 0, 1], s.along[i, 1, 0], s.along[i, 1, 1]
            inertia_a, inertia_b = env.INVERSE_INERTIA[a], env.INVERSE_INERTIA[b]
            k11 = masses + inertia_a * a1 * a1 + inertia_b * b1 * b1
            k22 = masses + inertia_a * a2 * a2 + inertia_b * b2 * b2
            k12 = masses + inertia_a * a1 * a2 + inertia_b * b1 * b2
            determinant = k11 * k22 - k12 * k12
            if k11 * k11 < MAX_CONDITION_NUMBER * determinant:
                s.block[i, n, 0], s.block[i, n, 1], s.block[i, n, 2] = k11, k12, k22
                if determinant != ZERO:
                    determinant = ONE / determinant
                s.block_inverse[i, n, 0] = determinant * k22
                s.block_inverse[i, n, 1] = -determinant * k12
                s.block_inverse[i, n, 2] = -determinant * k12
                s.block_inverse[i, n, 3] = determinant * k11
            else:
                s.island_points[i, n] = 1


def levers(s, i, n, k):
    """Return where a point of a contact is from both bodies' centres of mass."""
    return (
        s.lever_a[i, n, k, 0],
        s.lever_a[i, n, k, 1],
        s.lever_b[i, n, k, 0],
        s.lever_b[i, n, k, 1],
    )


def mass_of(masses, a, b, along_a, along_b):
    """Return the effective mass of two bodies against an impulse with these torques."""
    resistance = (
        masses
        + env.INVERSE_INERTIA[a] * along_a * along_a
        + env.INVERSE_INERTIA[b] * along_b * along_b
    )
    return ONE / resistance if resistance > ZERO else ZERO
