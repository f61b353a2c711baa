"""What does not move: edges, with the boxes around them."""

from batchsim.envs.box2d.settings import AABB_EXTENSION, POLYGON_RADIUS
from batchsim.envs.box2d.vectors import greater, lesser, normalize


def put_edge(s, i, k, x1, y1, x2, y2):
    """Make shape k of the ground an edge."""
    s.ground[i, k, 0], s.ground[i, k, 1] = x1, y1
    s.ground[i, k, 2], s.ground[i, k, 3] = x2, y2
    x, y = normalize(x2 - x1, y2 - y1)
    s.ground_normal[i, k, 0], s.ground_normal[i, k, 1] = y, -x
    put_box(s, i, k, lesser(x1, x2), lesser(y1, y2), greater(x1, x2), greater(y1, y2))


def put_box(s, i, k, left, bottom, right, top):
    """Give shape k of the ground its fat box, around what it covers."""
    s.ground_box[i, k, 0] = left - POLYGON_RADIUS - AABB_EXTENSION
    s.ground_box[i, k, 1] = bottom - POLYGON_RADIUS - AABB_EXTENSION
    s.ground_box[i, k, 2] = right + POLYGON_RADIUS + AABB_EXTENSION
    s.ground_box[i, k, 3] = top + POLYGON_RADIUS + AABB_EXTENSION


def is_body_second(s, i, k, body):
    """Tell that a body is not the first of the shapes in contact with an edge: edges are."""
    return False
