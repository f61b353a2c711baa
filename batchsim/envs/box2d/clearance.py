"""Which bodies certainly meet no impact within a step, so that no time of one is searched for."""

import numpy as np

from batchsim.envs.box2d.settings import LARGEST, TOI_TARGET, TOI_TOLERANCE
from batchsim.envs.box2d.vectors import dot, lesser, rotate, transform
from batchsim.family import env
from batchsim.math import cosf, sinf

CLEARANCE = np.float32(0.001)  # metres; what roundings may amount to, many times


def stays_above_edge(s, i, k, body):
    """Tell whether a body stays too far above an edge's line to touch it, wherever it is between.

    The search for a time of impact is spared then, which would find none. A corner that turns
    leaves the straight way between two places by no more than an eighth of its distance from the
    centre times the square of the angle.
    """
    angle = s.angle_before[i, body]
    turn = s.angle[i, body] - angle
    bulge = env.REACH[body] * turn * turn / np.float32(8.0)
    enough = TOI_TARGET + TOI_TOLERANCE + bulge + CLEARANCE
    px, py = s.place[i, body, 0], s.place[i, body, 1]
    qs, qc = s.turn[i, body, 0], s.turn[i, body, 1]
    if lowest_above(s, i, k, body, px, py, qs, qc) <= enough:
        return False
    qs, qc = sinf(angle), cosf(angle)
    x, y = rotate(qs, qc, env.CENTER[body, 0], env.CENTER[body, 1])
    px, py = s.center_before[i, body, 0] - x, s.center_before[i, body, 1] - y
    return lowest_above(s, i, k, body, px, py, qs, qc) > enough


def lowest_above(s, i, k, body, px, py, qs, qc):
    """Return how far above the line of edge k the lowest corner of a body in some pose is."""
    lowest = LARGEST
    for corner in range(env.COUNTS[body]):
        x, y = transform(px, py, qs, qc, env.CORNERS[body, corner, 0], env.CORNERS[body, corner, 1])
        # The normal of an edge from left to right points down.
        height = -dot(
            s.ground_normal[i, k, 0],
            s.ground_normal[i, k, 1],
            x - s.ground[i, k, 0],
            y - s.ground[i, k, 1],
        )
        lowest = lesser(lowest, height)
    return lowest
