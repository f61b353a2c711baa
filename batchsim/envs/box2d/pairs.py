"""Which shapes of the ground moving ones may meet, found in the tree of boxes."""

from batchsim.envs.box2d.columns import NONE
from batchsim.envs.box2d.contacts import add_contact, has_contact
from batchsim.envs.box2d.settings import ZERO
from batchsim.envs.box2d.tree import put_leaf, remove_leaf
from batchsim.family import env


def find_in_tree(s, i):
    """Move the leaves of bodies whose fat boxes are new, and make contacts."""
    for back in range(env.BODIES):
        body = env.BODIES - 1 - back
        if s.moved[i, body]:
            leaf = int(s.shape_node[i, body])
            remove_leaf(s, i, leaf)
            box = s.box[i, body]
            put_leaf(s, i, leaf, box[0], box[1], box[2], box[3])
    make_pairs(s, i)


def make_pairs(s, i):
    """Make contacts of all bodies whose fat boxes are new, in the order of the leaves' numbers."""
    count = 0
    for body in range(env.BODIES):
        if s.moved[i, body]:
            for k in range(search(s, i, body)):
                shape = int(s.shapes_found[i, k])
                if (
                    shape >= env.BODIES
                    and count < len(s.pair_body[i])
                    and not has_contact(s, i, body, shape - env.BODIES)
                ):
                    sort_in(s, i, count, body, shape)
                    count += 1
    for k in range(count):
        add_contact(s, i, int(s.pair_body[i, k]), int(s.pair_shape[i, k]) - env.BODIES)


def sort_in(s, i, count, body, shape):
    """Put a pair among those found so far, by the lesser number of both leaves, then the other."""
    a, b = int(s.shape_node[i, body]), int(s.shape_node[i, shape])
    rank = min(a, b) * len(s.node_box[i]) + max(a, b)
    place = count
    while place > 0 and s.pair_rank[i, place - 1] > rank:
        s.pair_rank[i, place] = s.pair_rank[i, place - 1]
        s.pair_body[i, place] = s.pair_body[i, place - 1]
        s.pair_shape[i, place] = s.pair_shape[i, place - 1]
        place -= 1
    s.pair_rank[i, place], s.pair_body[i, place], s.pair_shape[i, place] = rank, body, shape


def search(s, i, body):
    """List the shapes whose fat boxes overlap that of a body; return how many."""
    count, height = 0, 0
    if s.root[i] != NONE:
        s.waiting[i, 0] = s.root[i]
        height = 1
    while height > 0:
        height -= 1
        node = int(s.waiting[i, height])
        if (
            s.node_box[i, node, 0] - s.box[i, body, 2] > ZERO
            or s.node_box[i, node, 1] - s.box[i, body, 3] > ZERO
            or s.box[i, body, 0] - s.node_box[i, node, 2] > ZERO
            or s.box[i, body, 1] - s.node_box[i, node, 3] > ZERO
        ):
            continue
        if s.height[i, node] == 0:
            s.shapes_found[i, count] = s.node_shape[i, node]
            count += 1
        else:
            s.waiting[i, height] = s.child[i, node, 0]
            s.waiting[i, height + 1] = s.child[i, node, 1]
            height += 2
    return count
