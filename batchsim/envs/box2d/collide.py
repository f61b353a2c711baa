"""Where an edge of the ground and a polygon touch: the manifold of up to two points.

The algorithm is that of Box2D 2.3 by Erin Catto (zlib licence), for edges that have no neighbours.
"""

from batchsim.envs.box2d.settings import ANGULAR_SLOP, LARGEST, TOTAL_RADIUS, ZERO
from batchsim.envs.box2d.vectors import dot, lesser, rotate, transform, untransform
from batchsim.family import env

EDGE, POLYGON = 0, 1  # whose face the manifold refers to, as its number among the two sides
NONE = -1

# A feature is two numbers of corners or sides, of the first and the second shape, and what they
# number. Manifolds whose points have the same feature have the same point at another time.
SECOND = 2**8
FIRST_IS_FACE = 2**16
SECOND_IS_FACE = 2**24
ABSOLUTE_TOLERANCE = 0.001
RELATIVE_TOLERANCE = 0.98


def clip(x0, y0, feature0, x1, y1, feature1, nx, ny, offset, corner):
    """Cut a segment off behind a line; of the end that is cut, the feature is a corner's."""
    distance0 = dot(nx, ny, x0, y0) - offset
    distance1 = dot(nx, ny, x1, y1) - offset
    if distance0 <= ZERO and distance1 <= ZERO:
        return 2, x0, y0, feature0, x1, y1, feature1
    if distance0 * distance1 < ZERO:
        part = distance0 / (distance0 - distance1)
        x, y = x0 + part * (x1 - x0), y0 + part * (y1 - y0)
        feature = corner + feature0 // SECOND % SECOND * SECOND + SECOND_IS_FACE
        if distance0 <= ZERO:
            return 2, x0, y0, feature0, x, y, feature
        return 2, x1, y1, feature1, x, y, feature
    return 0, x0, y0, feature0, x1, y1, feature1


def swapped(feature):
    """Return a feature with the roles of first and second exchanged."""
    first, second = feature % SECOND, feature // SECOND % SECOND
    of_first, of_second = feature // FIRST_IS_FACE % SECOND, feature // SECOND_IS_FACE
    return second + first * SECOND + of_second * FIRST_IS_FACE + of_first * SECOND_IS_FACE


def edge_and_polygon(s, i, slot, k, body):
    """Write the manifold of edge k of the ground and a body's polygon."""
    s.points[i, slot] = 0
    x1, y1, x2, y2 = s.ground[i, k, 0], s.ground[i, k, 1], s.ground[i, k, 2], s.ground[i, k, 3]
    edge_nx, edge_ny = s.ground_normal[i, k, 0], s.ground_normal[i, k, 1]
    px, py, qs, qc = (
        s.place[i, body, 0],
        s.place[i, body, 1],
        s.turn[i, body, 0],
        s.turn[i, body, 1],
    )
    cx, cy = transform(px, py, qs, qc, env.CENTROID[body, 0], env.CENTROID[body, 1])
    is_front = dot(edge_nx, edge_ny, cx - x1, cy - y1) >= ZERO
    nx, ny = edge_nx, edge_ny
    if not is_front:
        nx, ny = -nx, -ny

    count = env.COUNTS[body]
    separation = LARGEST
    for c in range(count):
        s.corner[i, c, 0], s.corner[i, c, 1] = transform(
            px, py, qs, qc, env.CORNERS[body, c, 0], env.CORNERS[body, c, 1]
        )
        separation = lesser(dot(nx, ny, s.corner[i, c, 0] - x1, s.corner[i, c, 1] - y1), separation)
    if separation > TOTAL_RADIUS:
        return

    side, side_separation = NONE, -LARGEST
    for c in range(count):
        s.face[i, c, 0], s.face[i, c, 1] = rotate(
            qs, qc, env.NORMALS[body, c, 0], env.NORMALS[body, c, 1]
        )
        fx, fy = -s.face[i, c, 0], -s.face[i, c, 1]
        x, y = s.corner[i, c, 0], s.corner[i, c, 1]
        apart = lesser(dot(fx, fy, x - x1, y - y1), dot(fx, fy, x - x2, y - y2))
        if apart > TOTAL_RADIUS:
            return
        # Both limits of the directions that an edge without neighbours pushes in lie behind it.
        if dot(fx + nx, fy + ny, nx, ny) < -ANGULAR_SLOP:
            continue
        if apart > side_separation:
            side, side_separation = c, apart

    if side != NONE and side_separation > RELATIVE_TOLERANCE * separation + ABSOLUTE_TOLERANCE:
        kind = POLYGON
        feature0 = feature1 = side * SECOND + SECOND_IS_FACE
        ax, ay, bx, by = x1, y1, x2, y2
        first, second = side, side + 1 if side + 1 < count else 0
        rx, ry = s.corner[i, first, 0], s.corner[i, first, 1]
        ox, oy = s.corner[i, second, 0], s.corner[i, second, 1]
        fx, fy = s.face[i, first, 0], s.face[i, first, 1]
    else:
        kind = EDGE
        best, best_value = 0, dot(nx, ny, s.face[i, 0, 0], s.face[i, 0, 1])
        for c in range(1, count):
            value = dot(nx, ny, s.face[i, c, 0], s.face[i, c, 1])
            if value < best_value:
                best, best_value = c, value
        other = best + 1 if best + 1 < count else 0
        feature0 = best * SECOND + FIRST_IS_FACE
        feature1 = other * SECOND + FIRST_IS_FACE
        ax, ay, bx, by = (
            s.corner[i, best, 0], s.corner[i, best, 1], s.corner[i, other, 0], s.corner[i, other, 1]
        )  # fmt: skip
        fx, fy = nx, ny
        first, second = 0, 1
        rx, ry, ox, oy = x1, y1, x2, y2
        if not is_front:
            first, second = 1, 0
            rx, ry, ox, oy = x2, y2, x1, y1

    # Cut what meets the face off at both its ends.
    n, ax, ay, feature0, bx, by, feature1 = clip(
        ax, ay, feature0, bx, by, feature1, fy, -fx, dot(fy, -fx, rx, ry), first
    )
    if n < 2:
        return
    n, ax, ay, feature0, bx, by, feature1 = clip(
        ax, ay, feature0, bx, by, feature1, -fy, fx, dot(-fy, fx, ox, oy), second
    )
    if n < 2:
        return

    s.kind[i, slot] = kind
    if kind == EDGE:
        s.local_normal[i, slot, 0], s.local_normal[i, slot, 1] = fx, fy
        s.local_point[i, slot, 0], s.local_point[i, slot, 1] = rx, ry
    else:
        for axis in range(2):
            s.local_normal[i, slot, axis] = env.NORMALS[body, first, axis]
            s.local_point[i, slot, axis] = env.CORNERS[body, first, axis]
    n = 0
    for end in range(2):
        x, y, feature = (ax, ay, feature0) if end == 0 else (bx, by, feature1)
        if dot(fx, fy, x - rx, y - ry) <= TOTAL_RADIUS:
            if kind == EDGE:
                x, y = untransform(px, py, qs, qc, x, y)
            s.point[i, slot, n, 0], s.point[i, slot, n, 1] = x, y
            s.feature[i, slot, n] = feature if kind == EDGE else swapped(feature)
            n += 1
    s.points[i, slot] = n
