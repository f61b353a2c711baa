"""The boxes of all shapes in a tree that is kept in balance: which shapes a moving one may meet.

The dynamic tree of Box2D 2.3 by Erin Catto (zlib licence). In which order contacts are made follows
from the numbers of the shapes' nodes, and these from all that the tree has been through: so it
lasts from episode to episode where upstream keeps its world. Nodes that are free are on a stack.
"""

from batchsim.envs.box2d.columns import NONE
from batchsim.envs.box2d.vectors import greater, lesser


def plant(s, i):
    """Begin with an empty tree, whose first nodes are taken first."""
    s.is_planted[i] = True
    s.root[i] = NONE
    count = len(s.free_node[i])
    s.free_nodes[i] = count
    for k in range(count):
        s.free_node[i, k] = count - 1 - k
    for shape in range(len(s.shape_node[i])):
        s.shape_node[i, shape] = NONE


def take_node(s, i):
    """Return a free node, as a leaf."""
    s.free_nodes[i] -= 1
    node = int(s.free_node[i, s.free_nodes[i]])
    s.parent[i, node] = NONE
    s.child[i, node, 0], s.child[i, node, 1] = NONE, NONE
    s.height[i, node] = 0
    return node


def free(s, i, node):
    """Give a node back."""
    s.height[i, node] = NONE
    s.free_node[i, s.free_nodes[i]] = node
    s.free_nodes[i] += 1


def hang(s, i, shape, left, bottom, right, top):
    """Give a shape a leaf, with its fat box."""
    node = take_node(s, i)
    s.shape_node[i, shape], s.node_shape[i, node] = node, shape
    put_leaf(s, i, node, left, bottom, right, top)


def unhang(s, i, shape):
    """Take a shape's leaf away."""
    node = int(s.shape_node[i, shape])
    remove_leaf(s, i, node)
    free(s, i, node)
    s.shape_node[i, shape] = NONE


def put_leaf(s, i, leaf, left, bottom, right, top):
    """Put a leaf with a box where the tree grows least."""
    s.node_box[i, leaf, 0], s.node_box[i, leaf, 1] = left, bottom
    s.node_box[i, leaf, 2], s.node_box[i, leaf, 3] = right, top
    if s.root[i] == NONE:
        s.root[i] = leaf
        s.parent[i, leaf] = NONE
        return
    sibling = best_sibling(s, i, leaf)
    old = int(s.parent[i, sibling])
    new = take_node(s, i)
    s.parent[i, new] = old
    s.height[i, new] = s.height[i, sibling] + 1
    if old == NONE:
        s.root[i] = new
    else:
        replace_child(s, i, old, sibling, new)
    s.child[i, new, 0], s.child[i, new, 1] = sibling, leaf
    s.parent[i, sibling], s.parent[i, leaf] = new, new
    repair(s, i, new)


def best_sibling(s, i, leaf):
    """Return the node beside which a leaf costs least."""
    node = int(s.root[i])
    while s.height[i, node] > 0:
        first, second = int(s.child[i, node, 0]), int(s.child[i, node, 1])
        area = perimeter(s, i, node, node)
        together = perimeter(s, i, node, leaf)
        cost = 2.0 * together
        inherited = 2.0 * (together - area)
        cost_first = growth(s, i, first, leaf) + inherited
        cost_second = growth(s, i, second, leaf) + inherited
        if cost < cost_first and cost < cost_second:
            break
        node = first if cost_first < cost_second else second
    return node


def perimeter(s, i, a, b):
    """Return the perimeter of the box around two nodes."""
    width = greater(s.node_box[i, a, 2], s.node_box[i, b, 2]) - lesser(
        s.node_box[i, a, 0], s.node_box[i, b, 0]
    )
    height = greater(s.node_box[i, a, 3], s.node_box[i, b, 3]) - lesser(
        s.node_box[i, a, 1], s.node_box[i, b, 1]
    )
    return 2.0 * (width + height)


def growth(s, i, node, leaf):
    """Return how much perimeter a leaf below a node adds; below a leaf, that of the new node."""
    new = perimeter(s, i, leaf, node)
    return new if s.height[i, node] == 0 else new - perimeter(s, i, node, node)


def replace_child(s, i, node, old, new):
    """Put one child in the place of another."""
    s.child[i, node, 0 if s.child[i, node, 0] == old else 1] = new


def enclose(s, i, node, a, b):
    """Let a node be around two others."""
    s.node_box[i, node, 0] = lesser(s.node_box[i, a, 0], s.node_box[i, b, 0])
    s.node_box[i, node, 1] = lesser(s.node_box[i, a, 1], s.node_box[i, b, 1])
    s.node_box[i, node, 2] = greater(s.node_box[i, a, 2], s.node_box[i, b, 2])
    s.node_box[i, node, 3] = greater(s.node_box[i, a, 3], s.node_box[i, b, 3])
    s.height[i, node] = 1 + max(int(s.height[i, a]), int(s.height[i, b]))


def repair(s, i, node):
    """Balance a node and all above it, and compute their boxes."""
    while node != NONE:
        node = balance(s, i, node)
        enclose(s, i, node, int(s.child[i, node, 0]), int(s.child[i, node, 1]))
        node = int(s.parent[i, node])


def remove_leaf(s, i, leaf):
    """Take a leaf out, and the node that it was a child of."""
    if leaf == s.root[i]:
        s.root[i] = NONE
        return
    parent = int(s.parent[i, leaf])
    above = int(s.parent[i, parent])
    sibling = int(s.child[i, parent, 1 if s.child[i, parent, 0] == leaf else 0])
    s.parent[i, sibling] = above
    free(s, i, parent)
    if above == NONE:
        s.root[i] = sibling
    else:
        replace_child(s, i, above, parent, sibling)
        repair(s, i, above)


def balance(s, i, node):
    """Let the higher child of a node take its place if it is too high; return who has the place."""
    if s.height[i, node] < 2:
        return node
    lean = int(s.height[i, s.child[i, node, 1]]) - int(s.height[i, s.child[i, node, 0]])
    if -1 <= lean <= 1:
        return node
    side = 1 if lean > 1 else 0
    riser, other = int(s.child[i, node, side]), int(s.child[i, node, 1 - side])
    keep, give = int(s.child[i, riser, 0]), int(s.child[i, riser, 1])
    if s.height[i, keep] <= s.height[i, give]:
        keep, give = give, keep
    above = int(s.parent[i, node])
    s.parent[i, riser] = above
    s.parent[i, node] = riser
    if above == NONE:
        s.root[i] = riser
    else:
        replace_child(s, i, above, node, riser)
    s.child[i, riser, 0], s.child[i, riser, 1] = node, keep
    s.child[i, node, side] = give
    s.parent[i, give] = node
    enclose(s, i, node, other, give)
    enclose(s, i, riser, node, keep)
    return riser
