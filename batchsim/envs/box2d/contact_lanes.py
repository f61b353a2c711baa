"""The contacts of several rows at once, as `lanes.py` has their joints.

The operations and their order are those of `contact_velocities.py`; where that has branches, all of
them are computed here, and what holds is chosen. Contact n of a lane is contact n of the row's
island. Which body it is of differs from lane to lane.
"""

from batchsim.envs.box2d.columns import LANES
from batchsim.envs.box2d.settings import LARGEST, ZERO
from batchsim.family import env

# What the lanes know of a contact.
BODY, POINTS, NX, NY, FRICTION, MASS, INERTIA, K11, K12, K22, I11, I12, I22 = range(13)
# Of each of its points.
POINT = 13
X, Y, TANGENT, NORMAL, PUSHED, RUBBED = range(6)
PARTS = 6
NOBODY = -1


def leave_contact_empty(s, i, n, lane):
    """Let a lane compute to no effect."""
    for k in range(POINT + 2 * PARTS):
        s.lane_contact[i, n, k, lane] = ZERO
    s.lane_contact[i, n, BODY, lane] = NOBODY


def enter_contact(s, i, n, first, lane):
    """Put all that an iteration needs of a contact of the island into a lane."""
    body = int(s.island_body[i, n])
    s.lane_slot[first, n, lane] = s.island_slot[i, n]
    s.lane_contact[first, n, BODY, lane] = body
    s.lane_contact[first, n, POINTS, lane] = s.island_points[i, n]
    s.lane_contact[first, n, NX, lane] = s.normal[i, n, 0]
    s.lane_contact[first, n, NY, lane] = s.normal[i, n, 1]
    s.lane_contact[first, n, FRICTION, lane] = s.friction[i, n]
    s.lane_contact[first, n, MASS, lane] = env.INVERSE_MASS[body]
    s.lane_contact[first, n, INERTIA, lane] = env.INVERSE_INERTIA[body]
    is_pair = s.island_points[i, n] == 2
    for k in range(3):
        s.lane_contact[first, n, K11 + k, lane] = s.block[i, n, k] if is_pair else ZERO
        s.lane_contact[first, n, I11 + k, lane] = s.block_inverse[i, n, k] if is_pair else ZERO
    for k in range(2):
        # What another contact has left in place of a second point is nothing to compute with.
        is_there = k < s.island_points[i, n]
        place = POINT + PARTS * k
        s.lane_contact[first, n, place + X, lane] = s.lever[i, n, k, 0] if is_there else ZERO
        s.lane_contact[first, n, place + Y, lane] = s.lever[i, n, k, 1] if is_there else ZERO
        s.lane_contact[first, n, place + TANGENT, lane] = (
            s.tangent_mass[i, n, k] if is_there else ZERO
        )
        s.lane_contact[first, n, place + NORMAL, lane] = (
            s.normal_mass[i, n, k] if is_there else ZERO
        )
        s.lane_contact[first, n, place + PUSHED, lane] = s.pushed[i, n, k] if is_there else ZERO
        s.lane_contact[first, n, place + RUBBED, lane] = s.rubbed[i, n, k] if is_there else ZERO


def keep_impulses(s, i, n, first, lane):
    """Keep the impulses of a contact, out of its lane, for the next step to begin with."""
    slot = int(s.lane_slot[first, n, lane])
    for k in range(2):
        if k < s.lane_contact[first, n, POINTS, lane]:
            place = POINT + PARTS * k
            s.normal_impulse[i, slot, k] = s.lane_contact[first, n, place + PUSHED, lane]
            s.tangent_impulse[i, slot, k] = s.lane_contact[first, n, place + RUBBED, lane]


def rub(s, i, n, place, lane, most, mass, inertia, vx, vy, spin):
    """Solve friction at a point once, in a lane; return how the body moves then."""
    tx, ty = s.lane_contact[i, n, NY, lane], -s.lane_contact[i, n, NX, lane]
    lever_x, lever_y = s.lane_contact[i, n, place + X, lane], s.lane_contact[i, n, place + Y, lane]
    x, y = vx + -spin * lever_y, vy + spin * lever_x
    change = s.lane_contact[i, n, place + TANGENT, lane] * -(x * tx + y * ty)
    rubbed = s.lane_contact[i, n, place + RUBBED, lane]
    impulse = rubbed + change
    impulse = impulse if impulse < most else most
    impulse = -most if -most > impulse else impulse
    change = impulse - rubbed
    s.lane_contact[i, n, place + RUBBED, lane] = impulse
    x, y = change * tx, change * ty
    return vx + mass * x, vy + mass * y, spin + inertia * (lever_x * y - lever_y * x)


def solve_contact_lanes(s, i, n):
    """Solve friction and normals of contact n once, in all lanes."""
    q = POINT + PARTS
    for lane in range(LANES):
        body = s.lane_contact[i, n, BODY, lane]
        vx, vy, spin = ZERO, ZERO, ZERO
        for k in range(env.BODIES):
            is_it = body == k
            x, y = s.lane_velocity[i, 3 * k, lane], s.lane_velocity[i, 3 * k + 1, lane]
            z = s.lane_velocity[i, 3 * k + 2, lane]
            vx, vy, spin = x if is_it else vx, y if is_it else vy, z if is_it else spin

        nx, ny = s.lane_contact[i, n, NX, lane], s.lane_contact[i, n, NY, lane]
        mass, inertia = s.lane_contact[i, n, MASS, lane], s.lane_contact[i, n, INERTIA, lane]
        friction = s.lane_contact[i, n, FRICTION, lane]
        is_pair = s.lane_contact[i, n, POINTS, lane] == 2
        x0, y0 = s.lane_contact[i, n, POINT + X, lane], s.lane_contact[i, n, POINT + Y, lane]
        x1, y1 = s.lane_contact[i, n, q + X, lane], s.lane_contact[i, n, q + Y, lane]
        pushed0 = s.lane_contact[i, n, POINT + PUSHED, lane]
        pushed1 = s.lane_contact[i, n, q + PUSHED, lane]

        # Where there is no second point, nothing comes of it.
        vx, vy, spin = rub(s, i, n, POINT, lane, friction * pushed0, mass, inertia, vx, vy, spin)
        vx, vy, spin = rub(s, i, n, q, lane, friction * pushed1, mass, inertia, vx, vy, spin)

        # The normals: of one point,
        x, y = vx + -spin * y0, vy + spin * x0
        along0 = x * nx + y * ny
        mass0 = s.lane_contact[i, n, POINT + NORMAL, lane]
        alone = pushed0 + -mass0 * along0
        alone = alone if alone > ZERO else ZERO
        # and of two together: both push, the first alone, the second alone, none.
        x, y = vx + -spin * y1, vy + spin * x1
        along1 = x * nx + y * ny
        k11, k12 = s.lane_contact[i, n, K11, lane], s.lane_contact[i, n, K12, lane]
        i11, i12 = s.lane_contact[i, n, I11, lane], s.lane_contact[i, n, I12, lane]
        k22, i22 = s.lane_contact[i, n, K22, lane], s.lane_contact[i, n, I22, lane]
        b0 = along0 - (k11 * pushed0 + k12 * pushed1)
        b1 = along1 - (k12 * pushed0 + k22 * pushed1)
        both0, both1 = -(i11 * b0 + i12 * b1), -(i12 * b0 + i22 * b1)
        first, second = -mass0 * b0, -s.lane_contact[i, n, q + NORMAL, lane] * b1
        both_push = (both0 >= ZERO) & (both1 >= ZERO)
        first_pushes = (first >= ZERO) & (k12 * first + b1 >= ZERO)
        second_pushes = (second >= ZERO) & (k12 * second + b0 >= ZERO)
        none_pushes = (b0 >= ZERO) & (b1 >= ZERO)
        push0 = ZERO if second_pushes | none_pushes else pushed0
        push0 = first if first_pushes else push0
        push0 = both0 if both_push else push0
        push0 = push0 if is_pair else alone
        push1 = ZERO if none_pushes else pushed1
        push1 = second if second_pushes else push1
        push1 = ZERO if first_pushes else push1
        push1 = both1 if both_push else push1
        push1 = push1 if is_pair else ZERO
        s.lane_contact[i, n, POINT + PUSHED, lane] = push0
        s.lane_contact[i, n, q + PUSHED, lane] = push1

        change0, change1 = push0 - pushed0, push1 - pushed1
        x, y, x2, y2 = change0 * nx, change0 * ny, change1 * nx, change1 * ny
        vx, vy = vx + mass * (x + x2), vy + mass * (y + y2)
        spin += inertia * ((x0 * y - y0 * x) + (x1 * y2 - y1 * x2))
        for k in range(env.BODIES):
            is_it = body == k
            x, y = s.lane_velocity[i, 3 * k, lane], s.lane_velocity[i, 3 * k + 1, lane]
            z = s.lane_velocity[i, 3 * k + 2, lane]
            x, y, z = vx if is_it else x, vy if is_it else y, spin if is_it else z
            # The bound changes nothing. Without it compilers store under a mask, which takes some
            # processors forty times as long.
            s.lane_velocity[i, 3 * k, lane] = x if x > -LARGEST else -LARGEST
            s.lane_velocity[i, 3 * k + 1, lane] = y if y > -LARGEST else -LARGEST
            s.lane_velocity[i, 3 * k + 2, lane] = z if z > -LARGEST else -LARGEST
