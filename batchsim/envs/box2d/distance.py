"""How far two convex shapes are apart: the algorithm of Gilbert, Johnson and Keerthi.

As in Box2D 2.3 by Erin Catto (zlib licence). The shapes are outlines 0 and 1 of the scratch, each
in its pose; the simplex is what the last call left there, for the next to begin with.
"""

from batchsim.envs.box2d.settings import EPSILON, HALF, MAX_ITERATIONS, ONE, ZERO
from batchsim.envs.box2d.simplex import (
    AX,
    AY,
    BX,
    BY,
    WEIGHT,
    X,
    Y,
    gap,
    measure,
    solve_segment,
    solve_triangle,
)
from batchsim.envs.box2d.vectors import cross, dot, rotate, transform, unrotate


def turned(s, i, side, x, y):
    """Return a direction of an outline in the world."""
    return rotate(s.pose[i, side, 2], s.pose[i, side, 3], x, y)


def turned_back(s, i, side, x, y):
    """Return a direction of the world as an outline has it."""
    return unrotate(s.pose[i, side, 2], s.pose[i, side, 3], x, y)


def support(s, i, side, x, y):
    """Return the number of the corner of an outline that is farthest in a direction of its own."""
    best, best_value = 0, dot(s.outline[i, side, 0, 0], s.outline[i, side, 0, 1], x, y)
    for k in range(1, s.outline_length[i, side]):
        value = dot(s.outline[i, side, k, 0], s.outline[i, side, k, 1], x, y)
        if value > best_value:
            best, best_value = k, value
    return best


def towards(s, i, side, x, y):
    """Return the number of the corner that is farthest in a direction of the world."""
    x, y = turned_back(s, i, side, x, y)
    return support(s, i, side, x, y)


def put(s, i, side, x, y):
    """Return where a point of a shape is in the world."""
    return transform(
        s.pose[i, side, 0], s.pose[i, side, 1], s.pose[i, side, 2], s.pose[i, side, 3], x, y
    )


def put_corner(s, i, side, k):
    """Return where a corner of an outline is in the world."""
    return put(s, i, side, s.outline[i, side, k, 0], s.outline[i, side, k, 1])


def farthest(s, i, x, y):
    """Return the corners that are farthest: of the first shape in a direction, of the second
    against it.
    """
    for side in range(2):
        s.found[i, side] = towards(s, i, side, x, y)
        x, y = -x, -y
    return int(s.found[i, 0]), int(s.found[i, 1])


def locate(s, i, k):
    """Compute where vertex k of the simplex is from the corners that it is of."""
    corner_a, corner_b = int(s.simplex_corner[i, k, 0]), int(s.simplex_corner[i, k, 1])
    ax, ay = put_corner(s, i, 0, corner_a)
    bx, by = put_corner(s, i, 1, corner_b)
    s.simplex[i, k, AX], s.simplex[i, k, AY] = ax, ay
    s.simplex[i, k, BX], s.simplex[i, k, BY] = bx, by
    s.simplex[i, k, X], s.simplex[i, k, Y] = bx - ax, by - ay


def resume(s, i, count, size):
    """Begin with the simplex of the last call, unless it has changed its size too much."""
    for k in range(count):
        locate(s, i, k)
        s.simplex[i, k, WEIGHT] = ZERO
    if count > 1:
        now = measure(s, i, count)
        if now < HALF * size or 2.0 * size < now or now < EPSILON:
            count = 0
    if count == 0:
        for k in range(3):
            s.simplex_corner[i, k, 0], s.simplex_corner[i, k, 1] = 0, 0
            s.simplex[i, k, WEIGHT] = ZERO
        locate(s, i, count)
        s.simplex[i, 0, WEIGHT] = ONE
        count = 1
    return count


def is_repeated(s, i, corner_a, corner_b, saved, a0, b0, a1, b1, a2, b2):
    """Tell whether a vertex is one of those that an iteration began with."""
    return (
        (saved > 0 and corner_a == a0 and corner_b == b0)
        or (saved > 1 and corner_a == a1 and corner_b == b1)
        or (saved > 2 and corner_a == a2 and corner_b == b2)
    )


def distance(s, i, count, size):
    """Return the distance of the two outlines, and the simplex' number of vertices and size.

    Args:
        count, size: what the last call returned; a count of 0 begins anew.
    """
    count = resume(s, i, count, size)
    for _ in range(MAX_ITERATIONS):
        saved = count
        a0, b0 = s.simplex_corner[i, 0, 0], s.simplex_corner[i, 0, 1]
        a1, b1 = s.simplex_corner[i, 1, 0], s.simplex_corner[i, 1, 1]
        a2, b2 = s.simplex_corner[i, 2, 0], s.simplex_corner[i, 2, 1]
        if count == 2:
            count = solve_segment(s, i)
        elif count == 3:
            count = solve_triangle(s, i)
        if count == 3:
            break  # The origin is inside.
        x1, y1 = s.simplex[i, 0, X], s.simplex[i, 0, Y]
        if count == 1:
            dx, dy = -x1, -y1
        else:
            ex, ey = s.simplex[i, 1, X] - x1, s.simplex[i, 1, Y] - y1
            if cross(ex, ey, -x1, -y1) > ZERO:
                dx, dy = -ey, ex
            else:
                dx, dy = ey, -ex
        if dot(dx, dy, dx, dy) < EPSILON * EPSILON:
            break
        corner_a, corner_b = farthest(s, i, -dx, -dy)
        s.simplex_corner[i, count, 0], s.simplex_corner[i, count, 1] = corner_a, corner_b
        locate(s, i, count)
        if is_repeated(s, i, corner_a, corner_b, saved, a0, b0, a1, b1, a2, b2):
            break
        count += 1
    return gap(s, i, count), count, measure(s, i, count)
