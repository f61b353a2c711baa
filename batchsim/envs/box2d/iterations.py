"""The iterations that solve the velocities of an island, but for those that would repeat."""

import numpy as np

from batchsim.envs.box2d.contact_velocities import solve_contact_velocities
from batchsim.envs.box2d.joints import solve_joint_velocity
from batchsim.envs.box2d.settings import VELOCITY_ITERATIONS, ZERO
from batchsim.family import env


def iterate(s, i, joint_count, count):
    """Solve the velocities of joints and contacts in turn, so many times.

    Contacts without joints soon leave all as it was, or come back to it after some iterations.
    What an iteration does follows from what it finds, so that the rest is known then: whole
    periods are left out (Brent's search for a cycle).
    """
    done, noted, patience = 0, 0, 1
    remember(s, i, joint_count, count)
    while done < VELOCITY_ITERATIONS:
        for k in range(joint_count):
            solve_joint_velocity(s, i, int(s.joint_order[i, k]))
        solve_contact_velocities(s, i, count)
        done += 1
        if is_as_noted(s, i, joint_count, count):
            period = done - noted
            done += (VELOCITY_ITERATIONS - done) // period * period
            noted = done
        elif done - noted == patience:
            remember(s, i, joint_count, count)
            noted = done
            patience *= 2


def remember(s, i, joint_count, count):
    """Note all that an iteration of the velocities changes."""
    for body in range(env.BODIES):
        for k in range(3):
            s.seen_velocity[i, body, k] = s.body_velocity[i, body, k]
    for j in range(joint_count):
        for k in range(3):
            s.seen_joint[i, j, k] = s.joint_impulse[i, j, k]
        s.seen_joint[i, j, 3] = s.motor_impulse[i, j]
    for n in range(count):
        for k in range(s.island_points[i, n]):
            s.seen_contact[i, n, k] = s.pushed[i, n, k]
            s.seen_contact[i, n, 2 + k] = s.rubbed[i, n, k]


def differ(a, b):
    """Tell whether two numbers have other bits; zeros have a sign."""
    return a != b or (a == ZERO and np.signbit(a) != np.signbit(b))


def is_as_noted(s, i, joint_count, count):
    """Tell whether all is as it was noted."""
    for body in range(env.BODIES):
        for k in range(3):
            if differ(s.body_velocity[i, body, k], s.seen_velocity[i, body, k]):
                return False
    for j in range(joint_count):
        for k in range(3):
            if differ(s.joint_impulse[i, j, k], s.seen_joint[i, j, k]):
                return False
        if differ(s.motor_impulse[i, j], s.seen_joint[i, j, 3]):
            return False
    for n in range(count):
        for k in range(s.island_points[i, n]):
            if differ(s.pushed[i, n, k], s.seen_contact[i, n, k]):
                return False
            if differ(s.rubbed[i, n, k], s.seen_contact[i, n, 2 + k]):
                return False
    return True
