"""Where two polygons touch: the manifold of up to two points.

The algorithm is that of Box2D 2.3 by Erin Catto (zlib licence). The polygons are outlines 0 and 1
of the scratch, each in its pose.
"""

from batchsim.envs.box2d.collide import (
    ABSOLUTE_TOLERANCE,
    FIRST_IS_FACE,
    RELATIVE_TOLERANCE,
    SECOND,
    clip,
    swapped,
)
from batchsim.envs.box2d.distance import put, put_corner, towards, turned, turned_back
from batchsim.envs.box2d.settings import HALF, LARGEST, TOTAL_RADIUS
from batchsim.envs.box2d.vectors import dot, normalize, untransform


def separation(s, i, side, edge):
    """Return how far the other polygon is beyond an edge of this one."""
    nx, ny = turned(
        s, i, side, s.outline_normal[i, side, edge, 0], s.outline_normal[i, side, edge, 1]
    )
    ax, ay = put_corner(s, i, side, edge)
    bx, by = put_corner(s, i, 1 - side, towards(s, i, 1 - side, -nx, -ny))
    return dot(bx - ax, by - ay, nx, ny)


def best_edge(s, i, side):
    """Return the edge beyond which the other polygon is farthest, and how far: by climbing."""
    count = int(s.outline_length[i, side])
    bx, by = put(s, i, 1 - side, s.outline_center[i, 1 - side, 0], s.outline_center[i, 1 - side, 1])
    ax, ay = put(s, i, side, s.outline_center[i, side, 0], s.outline_center[i, side, 1])
    x, y = turned_back(s, i, side, bx - ax, by - ay)
    edge, most = 0, -LARGEST
    for k in range(count):
        value = dot(s.outline_normal[i, side, k, 0], s.outline_normal[i, side, k, 1], x, y)
        if value > most:
            edge, most = k, value
    here = separation(s, i, side, edge)
    before = edge - 1 if edge > 0 else count - 1
    after = edge + 1 if edge + 1 < count else 0
    apart_before, apart_after = separation(s, i, side, before), separation(s, i, side, after)
    if apart_before > here and apart_before > apart_after:
        best, apart, stride = before, apart_before, count - 1
    elif apart_after > here:
        best, apart, stride = after, apart_after, 1
    else:
        return edge, here
    for _ in range(count):
        edge = (best + stride) % count
        here = separation(s, i, side, edge)
        if not here > apart:
            break
        best, apart = edge, here
    return best, apart


def incident_edge(s, i, side, edge):
    """Return the edge of the other polygon that faces an edge of this one."""
    x, y = turned(
        s, i, side, s.outline_normal[i, side, edge, 0], s.outline_normal[i, side, edge, 1]
    )
    x, y = turned_back(s, i, 1 - side, x, y)
    facing, least = 0, LARGEST
    for k in range(s.outline_length[i, 1 - side]):
        value = dot(x, y, s.outline_normal[i, 1 - side, k, 0], s.outline_normal[i, 1 - side, k, 1])
        if value < least:
            facing, least = k, value
    return facing


def two_polygons(s, i, slot):
    """Write the manifold of the two outlines."""
    s.points[i, slot] = 0
    edge, apart = best_edge(s, i, 0)
    if apart > TOTAL_RADIUS:
        return
    edge_b, apart_b = best_edge(s, i, 1)
    if apart_b > TOTAL_RADIUS:
        return
    side = 0
    if apart_b > RELATIVE_TOLERANCE * apart + ABSOLUTE_TOLERANCE:
        side, edge = 1, edge_b
    other = 1 - side

    first = incident_edge(s, i, side, edge)
    second = first + 1 if first + 1 < s.outline_length[i, other] else 0
    feature0 = edge + first * SECOND + FIRST_IS_FACE
    feature1 = edge + second * SECOND + FIRST_IS_FACE
    ax, ay = put_corner(s, i, other, first)
    bx, by = put_corner(s, i, other, second)

    end = edge + 1 if edge + 1 < s.outline_length[i, side] else 0
    x1, y1 = s.outline[i, side, edge, 0], s.outline[i, side, edge, 1]
    x2, y2 = s.outline[i, side, end, 0], s.outline[i, side, end, 1]
    local_x, local_y = normalize(x2 - x1, y2 - y1)
    tx, ty = turned(s, i, side, local_x, local_y)
    nx, ny = ty, -tx
    rx, ry = put_corner(s, i, side, edge)
    ox, oy = put_corner(s, i, side, end)
    front = dot(nx, ny, rx, ry)
    offset1, offset2 = -dot(tx, ty, rx, ry) + TOTAL_RADIUS, dot(tx, ty, ox, oy) + TOTAL_RADIUS
    n, ax, ay, feature0, bx, by, feature1 = clip(
        ax, ay, feature0, bx, by, feature1, -tx, -ty, offset1, edge
    )
    if n < 2:
        return
    n, ax, ay, feature0, bx, by, feature1 = clip(
        ax, ay, feature0, bx, by, feature1, tx, ty, offset2, end
    )
    if n < 2:
        return
    s.kind[i, slot] = side
    s.local_normal[i, slot, 0], s.local_normal[i, slot, 1] = local_y, -local_x
    s.local_point[i, slot, 0], s.local_point[i, slot, 1] = HALF * (x1 + x2), HALF * (y1 + y2)
    px, py, qs, qc = (
        s.pose[i, other, 0],
        s.pose[i, other, 1],
        s.pose[i, other, 2],
        s.pose[i, other, 3],
    )
    n = 0
    for k in range(2):
        x, y, feature = (ax, ay, feature0) if k == 0 else (bx, by, feature1)
        if dot(nx, ny, x, y) - front <= TOTAL_RADIUS:
            x, y = untransform(px, py, qs, qc, x, y)
            s.point[i, slot, n, 0], s.point[i, slot, n, 1] = x, y
            s.feature[i, slot, n] = feature if side == 0 else swapped(feature)
            n += 1
    s.points[i, slot] = n
