"""The simplex between two convex shapes: what of it is nearest to the origin.

As in Box2D 2.3 by Erin Catto (zlib licence).
"""

from batchsim.envs.box2d.settings import ONE, ZERO
from batchsim.envs.box2d.vectors import cross, dot, length

# The columns of a vertex of the simplex: a point of either shape, their difference, its weight.
AX, AY, BX, BY, X, Y, WEIGHT = range(7)


def copy_vertex(s, i, source, target):
    """Put one vertex in the place of another."""
    for column in range(7):
        s.simplex[i, target, column] = s.simplex[i, source, column]
    for side in range(2):
        s.simplex_corner[i, target, side] = s.simplex_corner[i, source, side]


def measure(s, i, count):
    """Return how large a simplex is."""
    if count == 1:
        return ZERO
    x0, y0 = s.simplex[i, 0, X], s.simplex[i, 0, Y]
    x1, y1 = s.simplex[i, 1, X], s.simplex[i, 1, Y]
    if count == 2:
        return length(x0 - x1, y0 - y1)
    return cross(x1 - x0, y1 - y0, s.simplex[i, 2, X] - x0, s.simplex[i, 2, Y] - y0)


def weigh(s, i, first, second, weight_first, weight_second):
    """Let two vertices be the simplex, with weights in proportion to what is given."""
    inverse = ONE / (weight_first + weight_second)
    s.simplex[i, first, WEIGHT] = weight_first * inverse
    s.simplex[i, second, WEIGHT] = weight_second * inverse


def solve_segment(s, i):
    """Find what is nearest to the origin on a segment; return how many vertices that takes."""
    x1, y1 = s.simplex[i, 0, X], s.simplex[i, 0, Y]
    x2, y2 = s.simplex[i, 1, X], s.simplex[i, 1, Y]
    ex, ey = x2 - x1, y2 - y1
    weight2 = -dot(x1, y1, ex, ey)
    if weight2 <= ZERO:
        s.simplex[i, 0, WEIGHT] = ONE
        return 1
    weight1 = dot(x2, y2, ex, ey)
    if weight1 <= ZERO:
        copy_vertex(s, i, 1, 0)
        s.simplex[i, 0, WEIGHT] = ONE
        return 1
    weigh(s, i, 0, 1, weight1, weight2)
    return 2


def solve_triangle(s, i):
    """Find what is nearest to the origin in a triangle; return how many vertices that takes."""
    x1, y1 = s.simplex[i, 0, X], s.simplex[i, 0, Y]
    x2, y2 = s.simplex[i, 1, X], s.simplex[i, 1, Y]
    x3, y3 = s.simplex[i, 2, X], s.simplex[i, 2, Y]
    ex, ey = x2 - x1, y2 - y1
    of12_1, of12_2 = dot(x2, y2, ex, ey), -dot(x1, y1, ex, ey)
    fx, fy = x3 - x1, y3 - y1
    of13_1, of13_2 = dot(x3, y3, fx, fy), -dot(x1, y1, fx, fy)
    gx, gy = x3 - x2, y3 - y2
    of23_1, of23_2 = dot(x3, y3, gx, gy), -dot(x2, y2, gx, gy)
    area = cross(ex, ey, fx, fy)
    of1 = area * cross(x2, y2, x3, y3)
    of2 = area * cross(x3, y3, x1, y1)
    of3 = area * cross(x1, y1, x2, y2)
    if of12_2 <= ZERO and of13_2 <= ZERO:
        s.simplex[i, 0, WEIGHT] = ONE
        return 1
    if of12_1 > ZERO and of12_2 > ZERO and of3 <= ZERO:
        weigh(s, i, 0, 1, of12_1, of12_2)
        return 2
    if of13_1 > ZERO and of13_2 > ZERO and of2 <= ZERO:
        weigh(s, i, 0, 2, of13_1, of13_2)
        copy_vertex(s, i, 2, 1)
        return 2
    if of12_1 <= ZERO and of23_2 <= ZERO:
        s.simplex[i, 1, WEIGHT] = ONE
        copy_vertex(s, i, 1, 0)
        return 1
    if of13_1 <= ZERO and of23_1 <= ZERO:
        s.simplex[i, 2, WEIGHT] = ONE
        copy_vertex(s, i, 2, 0)
        return 1
    if of23_1 > ZERO and of23_2 > ZERO and of1 <= ZERO:
        weigh(s, i, 1, 2, of23_1, of23_2)
        copy_vertex(s, i, 2, 0)
        return 2
    inverse = ONE / (of1 + of2 + of3)
    s.simplex[i, 0, WEIGHT] = of1 * inverse
    s.simplex[i, 1, WEIGHT] = of2 * inverse
    s.simplex[i, 2, WEIGHT] = of3 * inverse
    return 3


def gap(s, i, count):
    """Return how far the nearest points of the shapes are apart."""
    if count == 3:
        return ZERO
    if count == 1:
        return length(
            s.simplex[i, 0, AX] - s.simplex[i, 0, BX], s.simplex[i, 0, AY] - s.simplex[i, 0, BY]
        )
    weight1, weight2 = s.simplex[i, 0, WEIGHT], s.simplex[i, 1, WEIGHT]
    ax = weight1 * s.simplex[i, 0, AX] + weight2 * s.simplex[i, 1, AX]
    ay = weight1 * s.simplex[i, 0, AY] + weight2 * s.simplex[i, 1, AY]
    bx = weight1 * s.simplex[i, 0, BX] + weight2 * s.simplex[i, 1, BX]
    by = weight1 * s.simplex[i, 0, BY] + weight2 * s.simplex[i, 1, BY]
    return length(ax - bx, ay - by)
