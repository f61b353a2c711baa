"""Joints that two bodies turn about, with a motor and limits of the angle.

The revolute joint of Box2D 2.3 by Erin Catto (zlib licence). What the joints are between is the
same in all rows.
"""

from batchsim.envs.box2d.settings import (
    ANGULAR_SLOP,
    LINEAR_SLOP,
    MAX_ANGULAR_CORRECTION,
    ONE,
    TIME_STEP,
    ZERO,
)
from batchsim.envs.box2d.vectors import clamp, cross, length, rotate
from batchsim.family import env
from batchsim.math import cosf, sinf

FREE, AT_LOWER, AT_UPPER = 0, 1, 2


def relax(s, i, j, speed, torque):
    """Let a joint begin without impulses, its motor at some speed, with at most some torque."""
    s.motor_speed[i, j], s.max_torque[i, j] = speed, torque
    for k in range(3):
        s.joint_impulse[i, j, k] = ZERO
    s.motor_impulse[i, j] = ZERO
    s.limit[i, j] = FREE


def prepare_joint(s, i, j):
    """Compute arms and effective masses where the bodies are, and apply the last impulses."""
    a, b = env.FIRST[j], env.SECOND[j]
    mass_a, mass_b = env.INVERSE_MASS[a], env.INVERSE_MASS[b]
    inertia_a, inertia_b = env.INVERSE_INERTIA[a], env.INVERSE_INERTIA[b]
    angle_a, angle_b = s.body_position[i, a, 2], s.body_position[i, b, 2]
    ax, ay = rotate(sinf(angle_a), cosf(angle_a), env.ARM_A[j, 0], env.ARM_A[j, 1])
    bx, by = rotate(sinf(angle_b), cosf(angle_b), env.ARM_B[j, 0], env.ARM_B[j, 1])
    s.arm_a[i, j, 0], s.arm_a[i, j, 1] = ax, ay
    s.arm_b[i, j, 0], s.arm_b[i, j, 1] = bx, by

    # The symmetric matrix of effective masses, by columns: xx, xy, xz, yy, yz, zz.
    xx = mass_a + mass_b + ay * ay * inertia_a + by * by * inertia_b
    xy = -ay * ax * inertia_a - by * bx * inertia_b
    xz = -ay * inertia_a - by * inertia_b
    yy = mass_a + mass_b + ax * ax * inertia_a + bx * bx * inertia_b
    yz = ax * inertia_a + bx * inertia_b
    zz = inertia_a + inertia_b
    s.joint_mass[i, j, 0], s.joint_mass[i, j, 1], s.joint_mass[i, j, 2] = xx, xy, xz
    s.joint_mass[i, j, 3], s.joint_mass[i, j, 4], s.joint_mass[i, j, 5] = yy, yz, zz

    # What solving takes of it alone: the cross product of its last columns and the determinants.
    x, y, z = yy * zz - yz * yz, yz * xz - xy * zz, xy * yz - yy * xz
    determinant = xx * x + xy * y + xz * z
    s.joint_inverse[i, j, 0], s.joint_inverse[i, j, 1], s.joint_inverse[i, j, 2] = x, y, z
    s.joint_inverse[i, j, 3] = ONE / determinant if determinant != ZERO else determinant
    determinant = xx * yy - xy * xy
    s.joint_inverse[i, j, 4] = ONE / determinant if determinant != ZERO else determinant

    angle = angle_b - angle_a - env.REFERENCE[j]
    limit = FREE
    if angle <= env.LOWER[j]:
        limit = AT_LOWER
    elif angle >= env.UPPER[j]:
        limit = AT_UPPER
    if limit == FREE or limit != s.limit[i, j]:
        s.joint_impulse[i, j, 2] = ZERO
    s.limit[i, j] = limit

    x, y, z = s.joint_impulse[i, j, 0], s.joint_impulse[i, j, 1], s.joint_impulse[i, j, 2]
    motor = s.motor_impulse[i, j]
    s.body_velocity[i, a, 0] -= mass_a * x
    s.body_velocity[i, a, 1] -= mass_a * y
    s.body_velocity[i, a, 2] -= inertia_a * (cross(ax, ay, x, y) + motor + z)
    s.body_velocity[i, b, 0] += mass_b * x
    s.body_velocity[i, b, 1] += mass_b * y
    s.body_velocity[i, b, 2] += inertia_b * (cross(bx, by, x, y) + motor + z)


def solve_joint_velocity(s, i, j):
    """Solve motor, limit and place of a joint once."""
    a, b = env.FIRST[j], env.SECOND[j]
    mass_a, mass_b = env.INVERSE_MASS[a], env.INVERSE_MASS[b]
    inertia_a, inertia_b = env.INVERSE_INERTIA[a], env.INVERSE_INERTIA[b]
    ax, ay = s.arm_a[i, j, 0], s.arm_a[i, j, 1]
    bx, by = s.arm_b[i, j, 0], s.arm_b[i, j, 1]
    vx_a, vy_a, spin_a = (
        s.body_velocity[i, a, 0],
        s.body_velocity[i, a, 1],
        s.body_velocity[i, a, 2],
    )
    vx_b, vy_b, spin_b = (
        s.body_velocity[i, b, 0],
        s.body_velocity[i, b, 1],
        s.body_velocity[i, b, 2],
    )

    most = TIME_STEP * s.max_torque[i, j]
    before = s.motor_impulse[i, j]
    impulse = -env.MOTOR_MASS[j] * (spin_b - spin_a - s.motor_speed[i, j])
    after = clamp(before + impulse, -most, most)
    s.motor_impulse[i, j] = after
    impulse = after - before
    spin_a -= inertia_a * impulse
    spin_b += inertia_b * impulse

    # How fast the two ends of the joint part.
    x = vx_b + -spin_b * by - vx_a - -spin_a * ay
    y = vy_b + spin_b * bx - vy_a - spin_a * ax
    xx, xy, xz = s.joint_mass[i, j, 0], s.joint_mass[i, j, 1], s.joint_mass[i, j, 2]
    yy, yz, zz = s.joint_mass[i, j, 3], s.joint_mass[i, j, 4], s.joint_mass[i, j, 5]
    half_solved = s.joint_inverse[i, j, 4]
    limit = s.limit[i, j]
    if limit == FREE:
        impulse_x = half_solved * (yy * -x - xy * -y)
        impulse_y = half_solved * (xx * -y - xy * -x)
        s.joint_impulse[i, j, 0] += impulse_x
        s.joint_impulse[i, j, 1] += impulse_y
        turn_a = cross(ax, ay, impulse_x, impulse_y)
        turn_b = cross(bx, by, impulse_x, impulse_y)
    else:
        z = spin_b - spin_a
        cx, cy, cz = s.joint_inverse[i, j, 0], s.joint_inverse[i, j, 1], s.joint_inverse[i, j, 2]
        solved = s.joint_inverse[i, j, 3]
        impulse_x = -(solved * (x * cx + y * cy + z * cz))
        turned = xx * (y * zz - z * yz) + xy * (z * xz - x * zz) + xz * (x * yz - y * xz)
        impulse_y = -(solved * turned)
        turned = xx * (yy * z - yz * y) + xy * (yz * x - xy * z) + xz * (xy * y - yy * x)
        impulse_z = -(solved * turned)
        held = s.joint_impulse[i, j, 2]
        total = held + impulse_z
        if (limit == AT_LOWER and total < ZERO) or (limit == AT_UPPER and total > ZERO):
            # The limit would pull: it does nothing instead.
            x, y = -x + held * xz, -y + held * yz
            impulse_x = half_solved * (yy * x - xy * y)
            impulse_y = half_solved * (xx * y - xy * x)
            impulse_z = -held
            total = ZERO
        s.joint_impulse[i, j, 0] += impulse_x
        s.joint_impulse[i, j, 1] += impulse_y
        s.joint_impulse[i, j, 2] = total
        turn_a = cross(ax, ay, impulse_x, impulse_y) + impulse_z
        turn_b = cross(bx, by, impulse_x, impulse_y) + impulse_z
    s.body_velocity[i, a, 0] = vx_a - mass_a * impulse_x
    s.body_velocity[i, a, 1] = vy_a - mass_a * impulse_y
    s.body_velocity[i, a, 2] = spin_a - inertia_a * turn_a
    s.body_velocity[i, b, 0] = vx_b + mass_b * impulse_x
    s.body_velocity[i, b, 1] = vy_b + mass_b * impulse_y
    s.body_velocity[i, b, 2] = spin_b + inertia_b * turn_b


def solve_joint_position(s, i, j):
    """Move two bodies so that the joint holds; tell whether it held well enough before."""
    a, b = env.FIRST[j], env.SECOND[j]
    mass_a, mass_b = env.INVERSE_MASS[a], env.INVERSE_MASS[b]
    inertia_a, inertia_b = env.INVERSE_INERTIA[a], env.INVERSE_INERTIA[b]
    angle_a, angle_b = s.body_position[i, a, 2], s.body_position[i, b, 2]
    angular_error = ZERO
    if s.limit[i, j] != FREE:
        angle = angle_b - angle_a - env.REFERENCE[j]
        if s.limit[i, j] == AT_LOWER:
            beyond = angle - env.LOWER[j]
            angular_error = -beyond
            beyond = clamp(beyond + ANGULAR_SLOP, -MAX_ANGULAR_CORRECTION, ZERO)
        else:
            beyond = angle - env.UPPER[j]
            angular_error = beyond
            beyond = clamp(beyond - ANGULAR_SLOP, ZERO, MAX_ANGULAR_CORRECTION)
        impulse = -env.MOTOR_MASS[j] * beyond
        angle_a -= inertia_a * impulse
        angle_b += inertia_b * impulse
    ax, ay = rotate(sinf(angle_a), cosf(angle_a), env.ARM_A[j, 0], env.ARM_A[j, 1])
    bx, by = rotate(sinf(angle_b), cosf(angle_b), env.ARM_B[j, 0], env.ARM_B[j, 1])
    x = s.body_position[i, b, 0] + bx - s.body_position[i, a, 0] - ax
    y = s.body_position[i, b, 1] + by - s.body_position[i, a, 1] - ay
    xx = mass_a + mass_b + inertia_a * ay * ay + inertia_b * by * by
    xy = -inertia_a * ax * ay - inertia_b * bx * by
    yy = mass_a + mass_b + inertia_a * ax * ax + inertia_b * bx * bx
    determinant = xx * yy - xy * xy
    if determinant != ZERO:
        determinant = ONE / determinant
    impulse_x = -(determinant * (yy * x - xy * y))
    impulse_y = -(determinant * (xx * y - xy * x))
    s.body_position[i, a, 0] -= mass_a * impulse_x
    s.body_position[i, a, 1] -= mass_a * impulse_y
    s.body_position[i, a, 2] = angle_a - inertia_a * cross(ax, ay, impulse_x, impulse_y)
    s.body_position[i, b, 0] += mass_b * impulse_x
    s.body_position[i, b, 1] += mass_b * impulse_y
    s.body_position[i, b, 2] = angle_b + inertia_b * cross(bx, by, impulse_x, impulse_y)
    return length(x, y) <= LINEAR_SLOP and angular_error <= ANGULAR_SLOP
