"""The joints and contacts of several rows at once: the iterations of islands, as vectors.

An iteration is one long chain of operations, each of which waits for the one before. Here every
operation is done for `LANES` rows in a loop, which the compiler makes vector instructions of. The
operations and their order are those of `joints.py`.
"""

from batchsim.envs.box2d import constraints
from batchsim.envs.box2d.columns import FIELDS, LANES
from batchsim.envs.box2d.contact_lanes import (
    enter_contact,
    keep_impulses,
    leave_contact_empty,
    solve_contact_lanes,
)
from batchsim.envs.box2d.contact_velocities import warm_start
from batchsim.envs.box2d.island import connect, solve_velocities
from batchsim.envs.box2d.joints import AT_LOWER, AT_UPPER, FREE, prepare_joint
from batchsim.envs.box2d.loading import load_body
from batchsim.envs.box2d.settings import TIME_STEP, VELOCITY_ITERATIONS, ZERO
from batchsim.family import env

WORTHWHILE = 3  # rows; fewer are as fast one by one
# What the lanes know of a joint.
AX, AY, BX, BY, XX, XY, XZ, YY, YZ, ZZ, CX, CY, CZ, SOLVED, HALF_SOLVED = range(15)
SPEED, MOST, LIMIT, IMPULSE_X, IMPULSE_Y, IMPULSE_Z, MOTOR = range(15, 22)


def solve_together(s, first, last):
    """Solve the islands of those rows from `first` to `last`, without it, that wait for it.

    Rows with as many contacts are solved beside each other: all lanes go through as many as one.
    """
    filled = 0
    for count in range(env.LANE_CONTACTS + 1):
        for i in range(first, last):
            if s.waits[i] == count + 1:
                s.lane_row[first, filled] = i
                filled += 1
                if filled == LANES:
                    solve_set(s, first, filled, count)
                    filled = 0
    if filled > 0:
        solve_set(s, first, filled, env.LANE_CONTACTS)


def solve_set(s, first, filled, most):
    """Solve the islands of the rows that lanes are listed for, with at most so many contacts."""
    contacts = 0
    if filled >= WORTHWHILE:
        for lane in range(LANES):
            count = 0
            if lane < filled:
                i = int(s.lane_row[first, lane])
                count = int(s.waits[i]) - 1
                enter(s, i, first, lane)
            else:
                leave_empty(s, first, lane)
            for n in range(count, most):
                leave_contact_empty(s, first, n, lane)
            contacts = max(contacts, count)
        for _ in range(VELOCITY_ITERATIONS):
            env.solve_joints(s, first)
            for n in range(contacts):
                solve_contact_lanes(s, first, n)
    for lane in range(filled):
        i = int(s.lane_row[first, lane])
        if filled >= WORTHWHILE:
            depart(s, i, first, lane)
        else:
            solve_velocities(s, i, connect(s, i, env.BODIES - 1))
        s.waits[i] = 0


def solve_two_joints(s, i):
    """Solve two joints once: each is compiled by itself, as only then it becomes vectors."""
    solve_lanes(s, i, 0)
    solve_lanes(s, i, 1)


def solve_four_joints(s, i):
    """Solve four joints once."""
    solve_two_joints(s, i)
    solve_lanes(s, i, 2)
    solve_lanes(s, i, 3)


def leave_empty(s, i, lane):
    """Let a lane compute with zeros."""
    for body in range(env.BODIES):
        for k in range(3):
            s.lane_velocity[i, 3 * body + k, lane] = ZERO
    for j in range(env.JOINT_COUNT):
        for k in range(FIELDS):
            s.lane_joint[i, j, k, lane] = ZERO


def enter(s, i, first, lane):
    """Prepare the island of a row, and put all that an iteration needs into a lane."""
    count = connect(s, i, env.BODIES - 1)
    for body in range(env.BODIES):
        load_body(s, i, body)
    constraints.take_impulses(s, i, count)
    constraints.prepare_contacts(s, i, count)
    warm_start(s, i, count)
    for n in range(count):
        enter_contact(s, i, n, first, lane)
    for k in range(env.JOINT_COUNT):
        prepare_joint(s, i, env.JOINT_ORDER[k])
    for body in range(env.BODIES):
        for k in range(3):
            s.lane_velocity[first, 3 * body + k, lane] = s.body_velocity[i, body, k]
    for k in range(env.JOINT_COUNT):
        j = env.JOINT_ORDER[k]
        for axis in range(2):
            s.lane_joint[first, k, AX + axis, lane] = s.arm_a[i, j, axis]
            s.lane_joint[first, k, BX + axis, lane] = s.arm_b[i, j, axis]
        for part in range(6):
            s.lane_joint[first, k, XX + part, lane] = s.joint_mass[i, j, part]
        for part in range(5):
            s.lane_joint[first, k, CX + part, lane] = s.joint_inverse[i, j, part]
        for axis in range(3):
            s.lane_joint[first, k, IMPULSE_X + axis, lane] = s.joint_impulse[i, j, axis]
        s.lane_joint[first, k, MOTOR, lane] = s.motor_impulse[i, j]
        s.lane_joint[first, k, SPEED, lane] = s.motor_speed[i, j]
        s.lane_joint[first, k, MOST, lane] = TIME_STEP * s.max_torque[i, j]
        s.lane_joint[first, k, LIMIT, lane] = s.limit[i, j]


def depart(s, i, first, lane):
    """Take the velocities and impulses of a row out of its lane."""
    for body in range(env.BODIES):
        s.velocity[i, body, 0] = s.lane_velocity[first, 3 * body, lane]
        s.velocity[i, body, 1] = s.lane_velocity[first, 3 * body + 1, lane]
        s.spin[i, body] = s.lane_velocity[first, 3 * body + 2, lane]
    for k in range(env.JOINT_COUNT):
        j = env.JOINT_ORDER[k]
        for axis in range(3):
            s.joint_impulse[i, j, axis] = s.lane_joint[first, k, IMPULSE_X + axis, lane]
        s.motor_impulse[i, j] = s.lane_joint[first, k, MOTOR, lane]
    for n in range(s.waits[i] - 1):
        keep_impulses(s, i, n, first, lane)


def solve_lanes(s, i, k):
    """Solve joint k of the order once, in all lanes, as `solve_joint_velocity` without branches."""
    a, b = env.FIRST[env.JOINT_ORDER[k]], env.SECOND[env.JOINT_ORDER[k]]
    mass_a, mass_b = env.INVERSE_MASS[a], env.INVERSE_MASS[b]
    inertia_a, inertia_b = env.INVERSE_INERTIA[a], env.INVERSE_INERTIA[b]
    motor_mass = env.MOTOR_MASS[env.JOINT_ORDER[k]]
    a, b = 3 * a, 3 * b
    for lane in range(LANES):
        ax, ay = s.lane_joint[i, k, AX, lane], s.lane_joint[i, k, AY, lane]
        bx, by = s.lane_joint[i, k, BX, lane], s.lane_joint[i, k, BY, lane]
        vx_a, vy_a = s.lane_velocity[i, a, lane], s.lane_velocity[i, a + 1, lane]
        vx_b, vy_b = s.lane_velocity[i, b, lane], s.lane_velocity[i, b + 1, lane]
        spin_a, spin_b = s.lane_velocity[i, a + 2, lane], s.lane_velocity[i, b + 2, lane]

        most = s.lane_joint[i, k, MOST, lane]
        before = s.lane_joint[i, k, MOTOR, lane]
        wanted = before + -motor_mass * (spin_b - spin_a - s.lane_joint[i, k, SPEED, lane])
        after = wanted if wanted < most else most
        after = -most if -most > after else after
        s.lane_joint[i, k, MOTOR, lane] = after
        spin_a -= inertia_a * (after - before)
        spin_b += inertia_b * (after - before)

        x = vx_b + -spin_b * by - vx_a - -spin_a * ay
        y = vy_b + spin_b * bx - vy_a - spin_a * ax
        z = spin_b - spin_a
        xx, xy = s.lane_joint[i, k, XX, lane], s.lane_joint[i, k, XY, lane]
        xz, yy = s.lane_joint[i, k, XZ, lane], s.lane_joint[i, k, YY, lane]
        yz, zz = s.lane_joint[i, k, YZ, lane], s.lane_joint[i, k, ZZ, lane]
        cx, cy = s.lane_joint[i, k, CX, lane], s.lane_joint[i, k, CY, lane]
        solved, half_solved = (
            s.lane_joint[i, k, SOLVED, lane],
            s.lane_joint[i, k, HALF_SOLVED, lane],
        )
        held, limit = s.lane_joint[i, k, IMPULSE_Z, lane], s.lane_joint[i, k, LIMIT, lane]
        is_free = limit == FREE

        # With the limit, and with the joint alone: the limit would pull, or is not reached.
        impulse_x = -(solved * (x * cx + y * cy + z * s.lane_joint[i, k, CZ, lane]))
        turned = xx * (y * zz - z * yz) + xy * (z * xz - x * zz) + xz * (x * yz - y * xz)
        impulse_y = -(solved * turned)
        turned = xx * (yy * z - yz * y) + xy * (yz * x - xy * z) + xz * (xy * y - yy * x)
        impulse_z = -(solved * turned)
        total = held + impulse_z
        pulls = ((limit == AT_LOWER) & (total < ZERO)) | ((limit == AT_UPPER) & (total > ZERO))
        x, y = -x, -y
        x = x if is_free else x + held * xz
        y = y if is_free else y + held * yz
        alone = is_free | pulls
        impulse_x = half_solved * (yy * x - xy * y) if alone else impulse_x
        impulse_y = half_solved * (xx * y - xy * x) if alone else impulse_y
        impulse_z = -held if pulls else impulse_z
        total = ZERO if pulls else total
        s.lane_joint[i, k, IMPULSE_X, lane] += impulse_x
        s.lane_joint[i, k, IMPULSE_Y, lane] += impulse_y
        s.lane_joint[i, k, IMPULSE_Z, lane] = held if is_free else total

        turn_a = ax * impulse_y - ay * impulse_x
        turn_b = bx * impulse_y - by * impulse_x
        turn_a = turn_a if is_free else turn_a + impulse_z
        turn_b = turn_b if is_free else turn_b + impulse_z
        s.lane_velocity[i, a, lane] = vx_a - mass_a * impulse_x
        s.lane_velocity[i, a + 1, lane] = vy_a - mass_a * impulse_y
        s.lane_velocity[i, a + 2, lane] = spin_a - inertia_a * turn_a
        s.lane_velocity[i, b, lane] = vx_b + mass_b * impulse_x
        s.lane_velocity[i, b + 1, lane] = vy_b + mass_b * impulse_y
        s.lane_velocity[i, b + 2, lane] = spin_b + inertia_b * turn_b
