"""Displacements that move an island's bodies out of the ground.

The solver of Box2D 2.3 by Erin Catto (zlib licence).
"""

from batchsim.envs.box2d.constraints import face_and_point, is_face_of_ground, pose
from batchsim.envs.box2d.settings import (
    BAUMGARTE,
    LINEAR_SLOP,
    MAX_LINEAR_CORRECTION,
    POLYGON_RADIUS,
    TOI_BAUMGARTE,
    ZERO,
)
from batchsim.envs.box2d.vectors import clamp, cross, dot, lesser
from batchsim.family import env


def solve_contact_positions(s, i, count, baumgarte):
    """Move bodies out of the ground; return how deep the deepest point was."""
    deepest = ZERO
    for n in range(count):
        slot, body = int(s.island_slot[i, n]), int(s.island_body[i, n])
        mass, inertia = env.INVERSE_MASS[body], env.INVERSE_INERTIA[body]
        for k in range(s.points[i, slot]):
            px, py, qs, qc = pose(s, i, body)
            x, y, fx, fy, nx, ny = face_and_point(s, i, slot, k, px, py, qs, qc)
            separation = dot(x - fx, y - fy, nx, ny) - POLYGON_RADIUS - POLYGON_RADIUS
            if not is_face_of_ground(s, i, slot):
                nx, ny = -nx, -ny
            deepest = lesser(deepest, separation)
            error = clamp(baumgarte * (separation + LINEAR_SLOP), -MAX_LINEAR_CORRECTION, ZERO)
            x, y = x - s.body_position[i, body, 0], y - s.body_position[i, body, 1]
            along = cross(x, y, nx, ny)
            resistance = mass + inertia * along * along
            impulse = -error / resistance if resistance > ZERO else ZERO
            ix, iy = impulse * nx, impulse * ny
            s.body_position[i, body, 0] += mass * ix
            s.body_position[i, body, 1] += mass * iy
            s.body_position[i, body, 2] += inertia * cross(x, y, ix, iy)
    return deepest


def are_apart(s, i, count):
    """Solve positions once within a step; tell whether no point is too deep."""
    return solve_contact_positions(s, i, count, BAUMGARTE) >= -3.0 * LINEAR_SLOP


def are_apart_at_impact(s, i, count):
    """Solve positions once at a time of impact; tell whether no point is too deep."""
    return solve_contact_positions(s, i, count, TOI_BAUMGARTE) >= -1.5 * LINEAR_SLOP
