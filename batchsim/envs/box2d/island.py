"""Bodies that joints and contacts connect, solved together.

The island of Box2D 2.3 by Erin Catto (zlib licence). All bodies of these environments are connected
by their joints, so that there is one island, or none while all sleep.
"""

from batchsim.envs.box2d import constraints
from batchsim.envs.box2d.bodies import wake
from batchsim.envs.box2d.contact_positions import are_apart, are_apart_at_impact
from batchsim.envs.box2d.contact_velocities import warm_start
from batchsim.envs.box2d.iterations import iterate
from batchsim.envs.box2d.joints import prepare_joint, solve_joint_position
from batchsim.envs.box2d.loading import (
    load_body,
    move_body,
    store_body,
    store_velocity,
)
from batchsim.envs.box2d.settings import (
    ANGULAR_SLEEP_SQUARED,
    LARGEST,
    LINEAR_SLEEP_SQUARED,
    POSITION_ITERATIONS,
    TIME_STEP,
    TIME_TO_SLEEP,
    TOI_POSITION_ITERATIONS,
    ZERO,
)
from batchsim.envs.box2d.vectors import dot, lesser
from batchsim.family import env


def connect(s, i, seed):
    """List the contacts and joints of the island of a body; return how many contacts."""
    for body in range(env.BODIES):
        s.in_island[i, body] = False
    for j in range(env.JOINT_COUNT):
        s.joint_in_island[i, j] = False
    count, joint_count, height = 0, 0, 1
    s.stack[i, 0] = seed
    s.in_island[i, seed] = True
    while height > 0:
        height -= 1
        body = int(s.stack[i, height])
        wake(s, i, body)
        place = s.contacts[i] - 1
        while place >= 0:
            slot = int(s.slot[i, place])
            if s.side[i, slot, 1] == body and s.is_enabled[i, slot] and s.is_touching[i, slot]:
                constraints.add_contact(s, i, count, slot)
                count += 1
            place -= 1
        for back in range(env.JOINT_COUNT):
            j = env.JOINT_COUNT - 1 - back
            a, b = env.FIRST[j], env.SECOND[j]
            if s.joint_in_island[i, j] or (a != body and b != body):
                continue
            s.joint_in_island[i, j] = True
            s.joint_order[i, joint_count] = j
            joint_count += 1
            other = b if a == body else a
            if not s.in_island[i, other]:
                s.in_island[i, other] = True
                s.stack[i, height] = other
                height += 1
    return count


def begin(s, i, gravity, force_x, force_y, torque):
    """Begin a time step of the island: what the velocities are after it.

    It is left to be solved together with those of other rows, if it has not too many contacts; the
    row waits then. The force acts on the centre of body 0.
    """
    seed = env.BODIES - 1
    while seed >= 0 and s.asleep[i, seed]:
        seed -= 1
    s.seed[i] = seed
    if seed < 0:
        return
    count = connect(s, i, seed)
    for body in range(env.BODIES):
        s.center_before[i, body, 0] = s.center[i, body, 0]
        s.center_before[i, body, 1] = s.center[i, body, 1]
        s.angle_before[i, body] = s.angle[i, body]
        pull_x, pull_y, twist = ZERO, gravity, ZERO
        if body == 0:
            mass = env.INVERSE_MASS[0]
            pull_x, pull_y = mass * force_x, gravity + mass * force_y
            twist = torque
        s.velocity[i, body, 0] += TIME_STEP * pull_x
        s.velocity[i, body, 1] += TIME_STEP * pull_y
        s.spin[i, body] += TIME_STEP * env.INVERSE_INERTIA[body] * twist
    if count <= env.LANE_CONTACTS and seed == env.BODIES - 1:
        s.waits[i] = 1 + count
    else:
        solve_velocities(s, i, count)


def solve_velocities(s, i, count):
    """Solve the velocities of an island, with so many contacts, by itself."""
    for body in range(env.BODIES):
        load_body(s, i, body)
    constraints.take_impulses(s, i, count)
    constraints.prepare_contacts(s, i, count)
    warm_start(s, i, count)
    for k in range(env.JOINT_COUNT):
        prepare_joint(s, i, int(s.joint_order[i, k]))
    iterate(s, i, env.JOINT_COUNT, count)
    constraints.store_impulses(s, i, count)
    for body in range(env.BODIES):
        store_velocity(s, i, body)


def finish(s, i):
    """Finish a time step of the island: positions, and who falls asleep."""
    count = connect(s, i, int(s.seed[i]))
    for body in range(env.BODIES):
        load_body(s, i, body)
        move_body(s, i, body, TIME_STEP)
    solved = False
    for _ in range(POSITION_ITERATIONS):
        solved = are_apart(s, i, count)
        for k in range(env.JOINT_COUNT):
            solved &= solve_joint_position(s, i, int(s.joint_order[i, k]))
        if solved:
            break
    for body in range(env.BODIES):
        store_body(s, i, body)
    rest(s, i, solved)


def rest(s, i, solved):
    """Let all bodies fall asleep once all have been slow for long enough."""
    least = LARGEST
    for body in range(env.BODIES):
        vx, vy, spin = s.velocity[i, body, 0], s.velocity[i, body, 1], s.spin[i, body]
        if spin * spin > ANGULAR_SLEEP_SQUARED or dot(vx, vy, vx, vy) > LINEAR_SLEEP_SQUARED:
            s.rest_time[i, body] = ZERO
            least = ZERO
        else:
            s.rest_time[i, body] += TIME_STEP
            least = lesser(least, s.rest_time[i, body])
    if least >= TIME_TO_SLEEP and solved:
        for body in range(env.BODIES):
            s.asleep[i, body] = True
            s.rest_time[i, body] = ZERO
            s.velocity[i, body, 0], s.velocity[i, body, 1] = ZERO, ZERO
            s.spin[i, body] = ZERO


def solve_impact(s, i, body, count, time):
    """Advance one body and its contacts from the time of an impact to the end of the step."""
    load_body(s, i, body)
    for _ in range(TOI_POSITION_ITERATIONS):
        if are_apart_at_impact(s, i, count):
            break
    s.center_before[i, body, 0] = s.body_position[i, body, 0]
    s.center_before[i, body, 1] = s.body_position[i, body, 1]
    s.angle_before[i, body] = s.body_position[i, body, 2]
    constraints.take_no_impulses(s, i, count)
    constraints.prepare_contacts(s, i, count)
    iterate(s, i, 0, count)
    move_body(s, i, body, time)
    store_body(s, i, body)
