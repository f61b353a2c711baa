"""Vectors, rotations and transforms of the plane, two float32 a vector.

A rotation is its sine and cosine, `qs, qc`; a transform is a position `px, py` and a rotation. The
operations are those of Box2D 2.3 by Erin Catto (zlib licence), in its order.
"""

import numpy as np

from batchsim.envs.box2d.settings import EPSILON, ONE, ZERO


def dot(ax, ay, bx, by):
    """Return the scalar product of two vectors."""
    return ax * bx + ay * by


def cross(ax, ay, bx, by):
    """Return the product that is the area between two vectors, with its sign."""
    return ax * by - ay * bx


def rotate(qs, qc, x, y):
    """Return a vector, turned."""
    return qc * x - qs * y, qs * x + qc * y


def unrotate(qs, qc, x, y):
    """Return a vector, turned back."""
    return qc * x + qs * y, -qs * x + qc * y


def transform(px, py, qs, qc, x, y):
    """Return a point, turned and moved."""
    return (qc * x - qs * y) + px, (qs * x + qc * y) + py


def untransform(px, py, qs, qc, x, y):
    """Return a point, moved and turned back."""
    return unrotate(qs, qc, x - px, y - py)


def length(x, y):
    """Return how long a vector is."""
    return np.sqrt(x * x + y * y)


def normalize(x, y):
    """Return the vector of length 1 in a vector's direction; the vector if it is hardly one."""
    size = length(x, y)
    if size < EPSILON:
        return x, y
    inverse = ONE / size
    return x * inverse, y * inverse


def lesser(a, b):
    """Return the lesser of two numbers, the second of equal ones."""
    return a if a < b else b


def greater(a, b):
    """Return the greater of two numbers, the second of equal ones."""
    return a if a > b else b


def clamp(a, low, high):
    """Return what is nearest to a number between two bounds."""
    return greater(low, lesser(a, high))


def absolute(a):
    """Return a number without its sign."""
    return a if a > ZERO else -a
