"""The joints and contacts of several rows at once: the iterations of islands, as vectors.

An iteration is one long chain of operations, each of which waits for the one before. Here every
operation is done for `LANES` rows in a loop, which the compiler makes vector instructions of. The
operations and their order are those of `joints.py` and `contact_velocities.py`.
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
from batchsim.envs.box2d.joint_lanes import (
    AX,
    BX,
    IMPULSE_X,
    MOST,
    MOTOR,
    SPEED,
    enter_joint,
)
from batchsim.envs.box2d.joints import prepare_joint
from batchsim.envs.box2d.loading import load_body
from batchsim.envs.box2d.settings import TIME_STEP, VELOCITY_ITERATIONS, ZERO
from batchsim.family import env

WORTHWHILE = 3  # rows; fewer are as fast one by one


def step_alone(s, i, action, p, rng):
    """Step a row by itself."""
    env.begin(s, i, action, p, rng)
    env.together(s, i, i + 1)
    return env.finish(s, i, action, p, rng)


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
        for axis in range(3):
            s.lane_joint[first, k, IMPULSE_X + axis, lane] = s.joint_impulse[i, j, axis]
        s.lane_joint[first, k, MOTOR, lane] = s.motor_impulse[i, j]
        s.lane_joint[first, k, SPEED, lane] = s.motor_speed[i, j]
        s.lane_joint[first, k, MOST, lane] = TIME_STEP * s.max_torque[i, j]
        enter_joint(s, i, j, first, k, lane)


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
