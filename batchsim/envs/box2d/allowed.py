"""Which states of a world a snapshot may bring: those whose indices lie within their columns."""

import numpy as np

from batchsim.envs.box2d.terrain import POLYGONS
from batchsim.ranges import require_between


def check_state(s, p):
    bodies, grounds, capacity = s.place.shape[1], s.ground.shape[1], s.slot.shape[1]
    require_between("contacts", s.contacts, 0, capacity)
    listed = np.arange(capacity) < s.contacts[:, None]
    # Slots behind those that count may hold anything.
    slots = np.where(listed, s.slot, 0)
    require_between("slot", slots, 0, capacity - 1)
    require_between("the number of slots in use", s.is_used.sum(axis=1), s.contacts, s.contacts)
    used = np.take_along_axis(s.is_used, slots.astype(np.intp), axis=1) | ~listed
    require_between("whether a listed slot is in use", used, True, True)
    distinct = [
        len(set(row[:count].tolist())) for row, count in zip(slots, s.contacts, strict=True)
    ]
    require_between("the number of listed slots", distinct, s.contacts, s.contacts)
    ground, body = s.side[..., 0], s.side[..., 1]
    require_between(
        "the ground of a contact", np.where(s.is_used, ground, bodies), bodies, bodies + grounds - 1
    )
    require_between("the body of a contact", np.where(s.is_used, body, 0), 0, bodies - 1)
    pairs = [
        len(set(zip(g[u].tolist(), b[u].tolist(), strict=True)))
        for g, b, u in zip(ground, body, s.is_used, strict=True)
    ]
    require_between("the number of pairs in contact", pairs, s.contacts, s.contacts)
    require_between("waits", s.waits, 0, 0)
    require_between("points", s.points, 0, 2)
    require_between("kind", s.kind, 0, 1)
    require_between("limit", s.limit, 0, 2)


def check_tree_state(s, p):
    """Accept worlds whose trees of boxes are trees, and whose lists lie within their columns."""
    check_state(s, p)
    shapes = s.shape_node.shape[1]
    require_between("polygons", s.polygons, 0, POLYGONS)
    there = np.arange(shapes) < (shapes - POLYGONS + s.polygons)[:, None]
    hangs = np.where(s.is_planted[:, None], s.shape_node >= 0, there)
    require_between("whether a shape is in the tree", hangs, there, there)
    for row in range(len(s.contacts)):
        if s.is_planted[row]:
            require_tree(
                int(s.root[row]), s.parent[row], s.child[row], s.height[row], s.node_shape[row],
                s.shape_node[row], s.free_node[row][: int(s.free_nodes[row])],
            )  # fmt: skip


def require_tree(root, parent, child, height, node_shape, shape_node, free):
    """Raise ValueError unless nodes are free or in a tree, whose leaves are the shapes' nodes."""
    nodes = len(parent)
    used = np.ones(nodes, bool)
    require_between("free_node", free, 0, nodes - 1)
    used[free] = False
    require_between("the number of free nodes", nodes - used.sum(), len(free), len(free))
    require_between("height of a node in use", height[used], 0, nodes)
    inner = np.flatnonzero(used & (height > 0))
    require_between("child", child[inner], 0, nodes - 1)
    below = child[inner].astype(np.intp)
    require_between("whether a child is in use", used[below], True, True)
    require_between("parent of a child", parent[below], inner[:, None], inner[:, None])
    right = 1 + height[below].max(axis=1, initial=0)
    require_between("height of a node", height[inner], right, right)
    leaves = np.flatnonzero(used & (height == 0))
    require_between("node_shape", node_shape[leaves], 0, len(shape_node) - 1)
    require_between("shape_node", shape_node[node_shape[leaves]], leaves, leaves)
    hung = np.count_nonzero(shape_node >= 0)
    require_between("the number of shapes in the tree", hung, len(leaves), len(leaves))
    require_between("the root of the tree", np.flatnonzero(used & (parent < 0)), root, root)
