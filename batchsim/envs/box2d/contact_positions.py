"""Displacements that move an island's bodies out of the ground.

The solver of Box2D 2.3 by Erin Catto (zlib licence).
"""

from batchsim.envs.box2d.collide import EDGE
from batchsim.envs.box2d.constraints import pose
from batchsim.envs.box2d.settings import (
    BAUMGARTE,
    LINEAR_SLOP,
    MAX_LINEAR_CORRECTION,
    POLYGON_RADIUS,
    TOI_BAUMGARTE,
    ZERO,
)
from batchsim.envs.box2d.vectors import clamp, cross, dot, lesser, rotate, transform
from batchsim.family import env


def solve_contact_positions(s, i, count, baumgarte):
    """Move bodies out of the ground; return how deep the deepest point was."""
    deepest = ZERO
    for n in range(count):
        slot = int(s.island_slot[i, n])
        a, b = int(s.island_body[i, n, 0]), int(s.island_body[i, n, 1])
        mass_a, mass_b = env.INVERSE_MASS[a], env.INVERSE_MASS[b]
        inertia_a, inertia_b = env.INVERSE_INERTIA[a], env.INVERSE_INERTIA[b]
        face, other = (a, b) if s.kind[i, slot] == EDGE else (b, a)
        for k in range(s.points[i, slot]):
            px, py, qs, qc = pose(s, i, face)
            ox, oy, os, oc = pose(s, i, other)
            nx, ny = rotate(qs, qc, s.local_normal[i, slot, 0], s.local_normal[i, slot, 1])
            face_x, face_y = transform(
                px, py, qs, qc, s.local_point[i, slot, 0], s.local_point[i, slot, 1]
            )
            x, y = transform(ox, oy, os, oc, s.point[i, slot, k, 0], s.point[i, slot, k, 1])
            separation = dot(x - face_x, y - face_y, nx, ny) - POLYGON_RADIUS - POLYGON_RADIUS
            if s.kind[i, slot] != EDGE:
                nx, ny = -nx, -ny
            ax, ay = x - s.body_position[i, a, 0], y - s.body_position[i, a, 1]
            bx, by = x - s.body_position[i, b, 0], y - s.body_position[i, b, 1]
            deepest = lesser(deepest, separation)
            error = clamp(baumgarte * (separation + LINEAR_SLOP), -MAX_LINEAR_CORRECTION, ZERO)
            levers_a, levers_b = cross(ax, ay, nx, ny), cross(bx, by, nx, ny)
            resistance = (
                mass_a + mass_b + inertia_a * levers_a * levers_a + inertia_b * levers_b * levers_b
            )
            impulse = -error / resistance if resistance > ZERO else ZERO
            x, y = impulse * nx, impulse * ny
            s.body_position[i, a, 0] -= mass_a * x
            s.body_position[i, a, 1] -= mass_a * y
            s.body_position[i, a, 2] -= inertia_a * cross(ax, ay, x, y)
            s.body_position[i, b, 0] += mass_b * x
            s.body_position[i, b, 1] += mass_b * y
            s.body_position[i, b, 2] += inertia_b * cross(bx, by, x, y)
    return deepest


def are_apart(s, i, count):
    """Solve positions once within a step; tell whether no point is too deep."""
    return solve_contact_positions(s, i, count, BAUMGARTE) >= -3.0 * LINEAR_SLOP


def are_apart_at_impact(s, i, count):
    """Solve positions once at a time of impact; tell whether no point is too deep."""
    return solve_contact_positions(s, i, count, TOI_BAUMGARTE) >= -1.5 * LINEAR_SLOP
