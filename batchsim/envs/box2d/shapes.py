"""Polygons as Box2D 2.3 by Erin Catto (zlib licence) makes them of corners; their masses.

This is ordinary Python that runs when an environment is imported: the shapes of what moves are the
same in all rows.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from batchsim.envs.box2d.settings import HALF, ONE, THIRD, ZERO
from batchsim.envs.box2d.vectors import cross, dot, normalize

Point = tuple[Any, Any]


class Polygon(NamedTuple):
    """Corners against the clock, the normals of the sides that start there, and the centroid."""

    corners: list[Point]
    normals: list[Point]
    centroid: Point


class Mass(NamedTuple):
    """The inverses of mass and moment of inertia about the centre of mass, and that centre."""

    inverse_mass: Any
    inverse_inertia: Any
    center: Point


def box(half_width: float, half_height: float) -> Polygon:
    """Return a rectangle around the origin."""
    x, y = np.float32(half_width), np.float32(half_height)
    corners = [(-x, -y), (x, -y), (x, y), (-x, y)]
    normals = [(ZERO, -ONE), (ONE, ZERO), (ZERO, ONE), (-ONE, ZERO)]
    return Polygon(corners, normals, (ZERO, ZERO))


def polygon(points: Sequence[tuple[float, float]]) -> Polygon:
    """Return the convex hull of some points."""
    given = [(np.float32(x), np.float32(y)) for x, y in points]
    corners = _wrap(given)
    following = corners[1:] + corners[:1]
    normals = []
    for (x, y), (next_x, next_y) in zip(corners, following, strict=True):
        normals.append(normalize(next_y - y, -ONE * (next_x - x)))
    area, cx, cy = ZERO, ZERO, ZERO
    for (x, y), (next_x, next_y) in zip(corners, following, strict=True):
        triangle = HALF * cross(x, y, next_x, next_y)
        area += triangle
        cx += triangle * THIRD * (x + next_x)
        cy += triangle * THIRD * (y + next_y)
    return Polygon(corners, normals, (cx * (ONE / area), cy * (ONE / area)))


def _wrap(points: list[Point]) -> list[Point]:
    """Return the hull by gift wrapping, from the point farthest to the right on."""
    first = 0
    for k, (x, y) in enumerate(points):
        first_x, first_y = points[first]
        if x > first_x or (x == first_x and y < first_y):
            first = k
    hull = [first]
    while True:
        end = 0
        origin_x, origin_y = points[hull[-1]]
        for k in range(1, len(points)):
            if end == hull[-1]:
                end = k
                continue
            rx, ry = points[end][0] - origin_x, points[end][1] - origin_y
            vx, vy = points[k][0] - origin_x, points[k][1] - origin_y
            side = cross(rx, ry, vx, vy)
            if side < ZERO or (side == ZERO and dot(vx, vy, vx, vy) > dot(rx, ry, rx, ry)):
                end = k
        if end == first:
            return [points[k] for k in hull]
        hull.append(end)


def mass(shape: Polygon, density: float) -> Mass:
    """Return what a body of one polygon resists motion with."""
    corners = shape.corners
    sx, sy = ZERO, ZERO
    for x, y in corners:
        sx, sy = sx + x, sy + y
    share = ONE / np.float32(len(corners))
    sx, sy = sx * share, sy * share
    area, inertia, cx, cy = ZERO, ZERO, ZERO, ZERO
    for (x, y), (next_x, next_y) in zip(corners, corners[1:] + corners[:1], strict=True):
        ax, ay, bx, by = x - sx, y - sy, next_x - sx, next_y - sy
        twice = cross(ax, ay, bx, by)
        triangle = HALF * twice
        area += triangle
        cx += triangle * THIRD * (ax + bx)
        cy += triangle * THIRD * (ay + by)
        square_x = ax * ax + bx * ax + bx * bx
        square_y = ay * ay + by * ay + by * by
        inertia += (np.float32(0.25) * THIRD * twice) * (square_x + square_y)
    total = np.float32(density) * area
    cx, cy = cx * (ONE / area), cy * (ONE / area)
    x, y = cx + sx, cy + sy
    about_origin = np.float32(density) * inertia
    about_origin += total * (dot(x, y, x, y) - dot(cx, cy, cx, cy))
    # The centre is weighed by the mass and divided by it again, as that of several shapes is.
    inverse = ONE / total
    x, y = (total * x) * inverse, (total * y) * inverse
    return Mass(inverse, ONE / (about_origin - total * dot(x, y, x, y)), (x, y))
