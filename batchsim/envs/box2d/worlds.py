"""What is the same in all rows of a world: the bodies that move, and the joints between them."""

import math
from typing import Any, NamedTuple

import numpy as np

from batchsim.envs.box2d.columns import Sizes, scratch_of, state_of
from batchsim.envs.box2d.settings import ONE
from batchsim.envs.box2d.shapes import Mass, Polygon


class Joint(NamedTuple):
    """What two bodies turn about, and how far."""

    first: int  # the bodies
    second: int
    anchor_a: tuple[float, float]  # the joint, as seen from the first body
    anchor_b: tuple[float, float]
    reference: float  # the angle between the bodies that counts as 0
    lower: float  # angles
    upper: float


def _floats(values: Any) -> Any:
    return np.array(values, np.float32)


def _motor_mass(masses: list[Mass], joint: Joint) -> Any:
    first, second = masses[joint.first], masses[joint.second]
    return ONE / (first.inverse_inertia + second.inverse_inertia)


def _order(bodies: int, joints: list[Joint]) -> list[int]:
    """Return the joints in the order in which an island of all bodies takes them in."""
    found: list[int] = []
    waiting, seen = [bodies - 1], {bodies - 1}
    while waiting:
        body = waiting.pop()
        for j, joint in reversed(list(enumerate(joints))):
            if j not in found and body in (joint.first, joint.second):
                found.append(j)
                other = joint.second if joint.first == body else joint.first
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
    return found


def world_of(
    sizes: Sizes,
    polygons: list[Polygon],
    masses: list[Mass],
    joints: list[Joint],
    friction: list[float],
    one_ground: bool,
) -> Any:
    """Return a class with the columns of a world, and what `env` is asked for about its bodies.

    Args:
        sizes: how many there are.
        polygons, masses: of the bodies.
        joints: between them.
        friction: of all shapes, those of the bodies first.
        one_ground: whether all of the ground is one body, or each of its shapes one.
    """
    most = max(len(polygon.corners) for polygon in polygons)

    def padded(points: list[Any]) -> list[Any]:
        return points + points[:1] * (most - len(points))

    # The ground, which nothing moves, comes last.
    centers = _floats([*(mass.center for mass in masses), (0.0, 0.0)])
    return type(
        "World",
        (),
        {
            "State": state_of(sizes),
            "Scratch": scratch_of(sizes),
            "BODIES": sizes.bodies,
            "JOINT_COUNT": sizes.joints,
            "GROUNDS": sizes.grounds,
            "ONE_GROUND": one_ground,
            "ALL_BODIES": sizes.bodies + (1 if one_ground else sizes.grounds),
            "CORNERS": _floats([padded(polygon.corners) for polygon in polygons]),
            "NORMALS": _floats([padded(polygon.normals) for polygon in polygons]),
            "CENTROID": _floats([polygon.centroid for polygon in polygons]),
            "REACH": _floats(
                [
                    max(math.dist(corner, mass.center) for corner in polygon.corners)
                    for polygon, mass in zip(polygons, masses, strict=True)
                ]
            ),  # of the corners from the centre of mass
            "COUNTS": np.array([len(polygon.corners) for polygon in polygons]),
            "CENTER": centers,
            "INVERSE_MASS": _floats([*(mass.inverse_mass for mass in masses), 0.0]),
            "INVERSE_INERTIA": _floats([*(mass.inverse_inertia for mass in masses), 0.0]),
            "FIRST": np.array([joint.first for joint in joints]),
            "SECOND": np.array([joint.second for joint in joints]),
            # From the centres of mass to the joint.
            "ARM_A": _floats([j.anchor_a for j in joints]) - centers[[j.first for j in joints]],
            "ARM_B": _floats([j.anchor_b for j in joints]) - centers[[j.second for j in joints]],
            "MOTOR_MASS": _floats([_motor_mass(masses, joint) for joint in joints]),
            "LANE_CONTACTS": sizes.lane_contacts,
            "JOINT_ORDER": np.array(_order(sizes.bodies, joints)),
            "REFERENCE": _floats([joint.reference for joint in joints]),
            "LOWER": _floats([joint.lower for joint in joints]),
            "FRICTION": _floats(friction),  # of all shapes
            "UPPER": _floats([joint.upper for joint in joints]),
        },
    )
