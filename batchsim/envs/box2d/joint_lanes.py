"""The joints of several rows at once, as `lanes.py` has them.

The operations and their order are those of `joints.py`; where that has branches, all of them are
computed here, and what holds is chosen.
"""

from batchsim.envs.box2d.columns import LANES
from batchsim.envs.box2d.joints import AT_LOWER, AT_UPPER, FREE
from batchsim.envs.box2d.settings import ZERO
from batchsim.family import env

# What the lanes know of a joint.
AX, AY, BX, BY, XX, XY, XZ, YY, YZ, ZZ, CX, CY, CZ, SOLVED, HALF_SOLVED = range(15)
SPEED, MOST, LIMIT, IMPULSE_X, IMPULSE_Y, IMPULSE_Z, MOTOR = range(15, 22)


def enter_joint(s, i, j, first, k, lane):
    """Put into a lane what solving joint k of the order, number j, takes of its masses."""
    for part in range(6):
        s.lane_joint[first, k, XX + part, lane] = s.joint_mass[i, j, part]
    for part in range(5):
        s.lane_joint[first, k, CX + part, lane] = s.joint_inverse[i, j, part]
    s.lane_joint[first, k, LIMIT, lane] = s.limit[i, j]


def solve_two_joints(s, i):
    """Solve two joints once: each is compiled by itself, as only then it becomes vectors."""
    solve_lanes(s, i, 0)
    solve_lanes(s, i, 1)


def solve_four_joints(s, i):
    """Solve four joints once."""
    solve_two_joints(s, i)
    solve_lanes(s, i, 2)
    solve_lanes(s, i, 3)


def drive(s, i, k, lane, motor_mass, spin):
    """Solve the motor of a joint once, in a lane; return what its impulse grew by."""
    most = s.lane_joint[i, k, MOST, lane]
    before = s.lane_joint[i, k, MOTOR, lane]
    after = before - motor_mass * (spin - s.lane_joint[i, k, SPEED, lane])
    after = after if after < most else most
    after = -most if -most > after else after
    s.lane_joint[i, k, MOTOR, lane] = after
    return after - before


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

        push = drive(s, i, k, lane, motor_mass, spin_b - spin_a)
        spin_a, spin_b = spin_a - inertia_a * push, spin_b + inertia_b * push

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
