"""The columns of a world: its bodies, shapes, contacts, and the working space of its solver.

Bodies that move have the numbers from 0 on. Shapes of the ground follow: number `BODIES + k` is
shape k of the ground, as a fixture. What is static is at the origin and does not turn.

The algorithms are those of Box2D 2.3 by Erin Catto (zlib licence).
"""

from typing import Any, NamedTuple

import numpy as np

from batchsim.columns import column

NONE = -1  # in place of a node or a shape
ROWS = 64  # that are stepped together, so that there are some with as many contacts
LANES = 16  # rows whose islands are solved beside each other
FIELDS = 22  # what is known of a joint in a lane
CONTACT_FIELDS = 25  # what is known of one in a lane


class Sizes(NamedTuple):
    """How many there are at most in a world."""

    bodies: int
    joints: int
    grounds: int  # shapes that do not move
    contacts: int  # shapes whose boxes overlap
    corners: int  # of a shape
    lane_contacts: int  # that touch, of a row that is solved together with others


def _fields(name: str, **fields: Any) -> Any:
    return NamedTuple(name, list(fields.items()))


def _floats(*shape: int) -> Any:
    return column(np.float32, shape)


def _integers(*shape: int) -> Any:
    return column(np.int32, shape)


def state_of(sizes: Sizes) -> Any:
    """Return the columns of a world of these sizes that last from step to step."""
    bodies, joints, grounds, contacts, *_ = sizes

    return _fields(
        "State",
        place=_floats(bodies, 2),  # of the body's origin
        turn=_floats(bodies, 2),  # sine and cosine of its angle
        center=_floats(bodies, 2),  # of mass
        angle=_floats(bodies),
        center_before=_floats(bodies, 2),  # where the motion of this step began
        angle_before=_floats(bodies),
        velocity=_floats(bodies, 2),
        spin=_floats(bodies),
        asleep=column(bool, (bodies,)),
        rest_time=_floats(bodies),  # how long it has been slow enough to fall asleep
        box=_floats(bodies, 4),  # fat: left, bottom, right, top
        touched=column(bool, (bodies,)),  # as upstream's listener of contacts sees it
        seed=np.int8,  # the body that this step's island begins with, -1 if all sleep
        waits=np.int8,  # to be solved with other rows: 1 and how many contacts it has; 0 if not
        is_over=bool,  # body 0 has touched the ground
        ground=_floats(grounds, 4),  # corners of edges
        ground_normal=_floats(grounds, 2),
        ground_box=_floats(grounds, 4),
        motor_speed=_floats(joints),
        max_torque=_floats(joints),  # of the motors
        joint_impulse=_floats(joints, 3),
        motor_impulse=_floats(joints),
        limit=column(np.int8, (joints,)),
        contacts=np.int32,  # how many there are
        slot=column(np.int16, (contacts,)),  # of each contact, the oldest first
        is_used=column(bool, (contacts,)),
        side=column(np.int16, (contacts, 2)),  # the fixtures of ground and body
        is_flipped=column(bool, (contacts,)),  # Box2D has the body first
        is_touching=column(bool, (contacts,)),
        is_enabled=column(bool, (contacts,)),
        kind=column(np.int8, (contacts,)),  # the side whose face the manifold refers to
        points=column(np.int8, (contacts,)),
        local_normal=_floats(contacts, 2),
        local_point=_floats(contacts, 2),
        point=_floats(contacts, 2, 2),
        feature=column(np.int32, (contacts, 2)),
        normal_impulse=_floats(contacts, 2),
        tangent_impulse=_floats(contacts, 2),
    )


def scratch_of(sizes: Sizes) -> Any:
    """Return the working space of a world of these sizes."""
    bodies, joints, grounds, contacts, corners, together = sizes

    return _fields(
        "Scratch",
        moved=column(bool, (bodies,)),  # whose fat box is new
        stack=_integers(bodies),
        in_island=column(bool, (bodies,)),
        joint_in_island=column(bool, (joints,)),
        # The solver: bodies, joints and contacts of the island.
        body_velocity=_floats(bodies, 3),
        body_position=_floats(bodies, 3),
        joint_order=_integers(joints),
        arm_a=_floats(joints, 2),
        arm_b=_floats(joints, 2),
        joint_mass=_floats(joints, 6),
        joint_inverse=_floats(joints, 6),
        lane_velocity=_floats(3 * bodies, LANES),
        lane_joint=_floats(joints, FIELDS, LANES),
        lane_contact=_floats(together, CONTACT_FIELDS, LANES),
        lane_slot=_integers(together, LANES),
        lane_row=_integers(LANES),
        island_slot=_integers(contacts),
        island_body=_integers(contacts),
        island_points=_integers(contacts),
        friction=_floats(contacts),
        along=_floats(2),  # torques of the normals of both points
        normal=_floats(contacts, 2),
        lever=_floats(contacts, 2, 2),  # from the body's centre of mass
        normal_mass=_floats(contacts, 2),
        tangent_mass=_floats(contacts, 2),
        pushed=_floats(contacts, 2),  # impulses along the normals
        rubbed=_floats(contacts, 2),  # and along the tangents
        block=_floats(contacts, 3),
        block_inverse=_floats(contacts, 3),
        seen_velocity=_floats(bodies, 3),
        seen_joint=_floats(joints, 4),
        seen_contact=_floats(contacts, 4),
        # Collision of an edge and a polygon.
        corner=_floats(corners, 2),
        face=_floats(corners, 2),
        old_feature=_integers(2),
        old_impulse=_floats(2, 2),
        # Time of impact: the corners of both shapes, how they move, and the simplex between them.
        outline=_floats(2, corners, 2),
        outline_length=_integers(2),
        outline_normal=_floats(2, corners, 2),
        outline_center=_floats(2, 2),
        motion=_floats(2, 8),
        moves=column(bool, (2,)),
        pose=_floats(2, 4),
        found=_integers(2),
        simplex=_floats(3, 7),
        simplex_corner=_integers(3, 2),
        alpha=_floats(bodies + grounds),  # up to when bodies have been moved within the step
        impact=_floats(contacts),
        impact_is_known=column(bool, (contacts,)),
        sub_steps=_integers(contacts),
    )


def tree_of(shapes: int, contacts: int) -> tuple[type, type]:
    """Return the columns of a tree of so many shapes, for `State`, and of searches, for `Scratch`.

    Args:
        shapes: how many there are at most.
        contacts: how many pairs a search finds at most.
    """
    nodes = 2 * shapes - 1

    class Tree(NamedTuple):
        is_planted: bool = False
        root: np.int16 = NONE
        free_nodes: np.int16 = 0
        free_node: column(np.int16, (nodes,)) = 0
        parent: column(np.int16, (nodes,)) = NONE
        child: column(np.int16, (nodes, 2)) = NONE
        height: column(np.int16, (nodes,)) = NONE
        node_box: column(np.float32, (nodes, 4)) = 0.0
        node_shape: column(np.int16, (nodes,)) = NONE
        shape_node: column(np.int16, (shapes,)) = NONE

    class Search(NamedTuple):
        waiting: column(np.int32, (nodes,))
        shapes_found: column(np.int32, (shapes,))
        pair_rank: column(np.int32, (contacts,))
        pair_body: column(np.int32, (contacts,))
        pair_shape: column(np.int32, (contacts,))

    return Tree, Search
