"""The joints of several rows at once, in fast precision: with matrices that are inverted before.

What is computed is what `joint_lanes.py` computes, but for roundings: of the matrix of effective
masses there is the inverse, and a limit that would pull is known by the bounds of its impulse. From
the impulses with the limit follow those without it, by what they change for each unit of its own.
"""

from batchsim.envs.box2d import joint_lanes
from batchsim.envs.box2d.columns import LANES
from batchsim.envs.box2d.joint_lanes import (
    AX,
    AY,
    BX,
    BY,
    IMPULSE_X,
    IMPULSE_Y,
    IMPULSE_Z,
    XX,
    drive,
)
from batchsim.envs.box2d.joints import AT_LOWER, AT_UPPER, FREE
from batchsim.envs.box2d.settings import LARGEST, ZERO
from batchsim.family import env

# The inverse with its sign changed, what x and y change with the limit's impulse, and its bounds.
I_XX, I_XY, I_XZ, I_YY, I_YZ, I_ZZ, WITH_X, WITH_Y, LOW, HIGH = range(XX, XX + 10)


def enter_joint(s, i, j, first, k, lane):
    """Put into a lane the inverse of the masses of joint k of the order, number j."""
    xx, xy, xz = s.joint_mass[i, j, 0], s.joint_mass[i, j, 1], s.joint_mass[i, j, 2]
    yy, yz, zz = s.joint_mass[i, j, 3], s.joint_mass[i, j, 4], s.joint_mass[i, j, 5]
    half = s.joint_inverse[i, j, 4]
    limit = s.limit[i, j]
    if limit == FREE:
        whole = ZERO
        ixx, ixy, iyy = -half * yy, half * xy, -half * xx
        with_x, with_y = ZERO, ZERO
    else:
        whole = -s.joint_inverse[i, j, 3]
        ixx = whole * (yy * zz - yz * yz)
        ixy = whole * (yz * xz - xy * zz)
        iyy = whole * (xx * zz - xz * xz)
        with_x, with_y = half * (yy * xz - xy * yz), half * (xx * yz - xy * xz)
    s.lane_joint[first, k, I_XX, lane] = ixx
    s.lane_joint[first, k, I_XY, lane] = ixy
    s.lane_joint[first, k, I_XZ, lane] = whole * (xy * yz - yy * xz)
    s.lane_joint[first, k, I_YY, lane] = iyy
    s.lane_joint[first, k, I_YZ, lane] = whole * (xy * xz - xx * yz)
    s.lane_joint[first, k, I_ZZ, lane] = whole * (xx * yy - xy * xy)
    s.lane_joint[first, k, WITH_X, lane] = with_x
    s.lane_joint[first, k, WITH_Y, lane] = with_y
    s.lane_joint[first, k, LOW, lane] = -LARGEST if limit == AT_UPPER else ZERO
    s.lane_joint[first, k, HIGH, lane] = LARGEST if limit == AT_LOWER else ZERO


def solve_lanes(s, i, k):
    """Solve joint k of the order once, in all lanes."""
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

        x = (vx_b - vx_a) + (spin_a * ay - spin_b * by)
        y = (vy_b - vy_a) + (spin_b * bx - spin_a * ax)
        z = spin_b - spin_a
        xy, xz = s.lane_joint[i, k, I_XY, lane], s.lane_joint[i, k, I_XZ, lane]
        yz = s.lane_joint[i, k, I_YZ, lane]
        impulse_x = s.lane_joint[i, k, I_XX, lane] * x + xy * y + xz * z
        impulse_y = xy * x + s.lane_joint[i, k, I_YY, lane] * y + yz * z
        held = s.lane_joint[i, k, IMPULSE_Z, lane]
        wanted = held + (xz * x + yz * y + s.lane_joint[i, k, I_ZZ, lane] * z)
        low, high = s.lane_joint[i, k, LOW, lane], s.lane_joint[i, k, HIGH, lane]
        total = wanted if wanted > low else low
        total = total if total < high else high
        impulse_x += s.lane_joint[i, k, WITH_X, lane] * (wanted - total)
        impulse_y += s.lane_joint[i, k, WITH_Y, lane] * (wanted - total)
        impulse_z = total - held
        s.lane_joint[i, k, IMPULSE_X, lane] += impulse_x
        s.lane_joint[i, k, IMPULSE_Y, lane] += impulse_y
        s.lane_joint[i, k, IMPULSE_Z, lane] = total

        turn_a = ax * impulse_y - ay * impulse_x + impulse_z
        turn_b = bx * impulse_y - by * impulse_x + impulse_z
        s.lane_velocity[i, a, lane] = vx_a - mass_a * impulse_x
        s.lane_velocity[i, a + 1, lane] = vy_a - mass_a * impulse_y
        s.lane_velocity[i, a + 2, lane] = spin_a - inertia_a * turn_a
        s.lane_velocity[i, b, lane] = vx_b + mass_b * impulse_x
        s.lane_velocity[i, b + 1, lane] = vy_b + mass_b * impulse_y
        s.lane_velocity[i, b + 2, lane] = spin_b + inertia_b * turn_b


FAST = {joint_lanes.enter_joint: enter_joint, joint_lanes.solve_lanes: solve_lanes}
"""What fast precision does in place of what."""
FAST_TOLERANCE = 1e-4, 0.002  # A contact may begin a step earlier, a ray pass a corner.
