"""The obstacles of BipedalWalkerHardcore: stumps, stairs and pits, of polygons and deep edges.

Numbers and their order are those of `gymnasium/envs/box2d/bipedal_walker.py`.
"""

from typing import NamedTuple

import numpy as np

from batchsim.columns import column
from batchsim.envs.box2d.clearance import stays_above_edge
from batchsim.envs.box2d.collide import edge_and_polygon
from batchsim.envs.box2d.ground import put_box
from batchsim.envs.box2d.impacts import outline_body, outline_edge
from batchsim.envs.box2d.polygons import two_polygons
from batchsim.envs.box2d.settings import HALF, ONE, THIRD, ZERO
from batchsim.envs.box2d.terrain import (
    EDGES,
    GRASS,
    HEIGHT,
    LENGTH,
    POLYGONS,
    STARTPAD,
    STEP,
    hang_ground,
    roll,
)
from batchsim.envs.box2d.vectors import cross, dot, normalize
from batchsim.family import env
from batchsim.random import integers, random

ON_GRASS, STUMP, STAIRS, PIT, STATES = range(5)


class Obstacles(NamedTuple):
    polygon_corner: column(np.float32, (POLYGONS, 4, 2))
    polygon_normal: column(np.float32, (POLYGONS, 4, 2))
    polygon_center: column(np.float32, (POLYGONS, 2))


def put_rectangle(s, i, left, bottom, right, top):
    """Add a rectangle to the ground."""
    k = int(s.polygons[i])
    s.polygons[i] += 1
    left, bottom = np.float32(left), np.float32(bottom)
    right, top = np.float32(right), np.float32(top)
    for corner in range(4):
        s.polygon_corner[i, k, corner, 0] = right if corner < 2 else left
        s.polygon_corner[i, k, corner, 1] = top if corner == 1 or corner == 2 else bottom
    area, cx, cy = ZERO, ZERO, ZERO
    for corner in range(4):
        x, y = s.polygon_corner[i, k, corner, 0], s.polygon_corner[i, k, corner, 1]
        after = (corner + 1) % 4
        next_x, next_y = s.polygon_corner[i, k, after, 0], s.polygon_corner[i, k, after, 1]
        nx, ny = normalize(next_y - y, -(next_x - x))
        s.polygon_normal[i, k, corner, 0], s.polygon_normal[i, k, corner, 1] = nx, ny
        triangle = HALF * cross(x, y, next_x, next_y)
        area += triangle
        cx += triangle * THIRD * (x + next_x)
        cy += triangle * THIRD * (y + next_y)
    s.polygon_center[i, k, 0], s.polygon_center[i, k, 1] = cx * (ONE / area), cy * (ONE / area)
    put_box(s, i, EDGES + k, left, bottom, right, top)
    hang_ground(s, i, EDGES + k)


def full_of_obstacles(s, i, rng):
    """Draw the heights of a ground, and its polygons."""
    state, counter, begins = ON_GRASS, STARTPAD, False
    y, velocity, before = HEIGHT, 0.0, 0.0
    steps, width, height = 0, 0, 0
    for k in range(LENGTH):
        x = k * STEP
        if state == ON_GRASS and not begins:
            velocity = roll(s, i, rng, k, y, velocity)
            y += velocity
        elif state == PIT and begins:
            counter = integers(rng, i, 3, 5)
            put_rectangle(s, i, x, y - 4 * STEP, x + STEP, y)
            far = STEP * counter
            put_rectangle(s, i, x + far, y - 4 * STEP, x + STEP + far, y)
            counter += 2
            before = y
        elif state == PIT:
            y = before
            if counter > 1:
                y -= 4 * STEP
        elif state == STUMP and begins:
            counter = integers(rng, i, 1, 3)
            put_rectangle(s, i, x, y, x + counter * STEP, y + counter * STEP)
        elif state == STAIRS and begins:
            height = 1 if random(rng, i) > 0.5 else -1
            width = integers(rng, i, 4, 5)
            steps = integers(rng, i, 3, 5)
            before = y
            for stair in range(steps):
                left, right = x + stair * width * STEP, x + (1 + stair) * width * STEP
                top, bottom = y + stair * height * STEP, y + (-1 + stair * height) * STEP
                put_rectangle(s, i, left, bottom, right, top)
            counter = steps * width
        elif state == STAIRS:
            climbed = (steps * width - counter - height) / width
            y = before + climbed * height * STEP
        begins = False
        s.terrain_y[i, k] = y
        counter -= 1
        if counter == 0:
            counter = integers(rng, i, GRASS // 2, GRASS)
            state = integers(rng, i, 1, STATES) if state == ON_GRASS else ON_GRASS
            begins = True


def outline_obstacle(s, i, side, k):
    """Make a shape of the ground an outline, with what collisions ask of it."""
    if k < EDGES:
        outline_edge(s, i, side, k)
        return
    s.moves[i, side] = False
    s.outline_length[i, side] = 4
    for corner in range(4):
        for axis in range(2):
            s.outline[i, side, corner, axis] = s.polygon_corner[i, k - EDGES, corner, axis]
            s.outline_normal[i, side, corner, axis] = s.polygon_normal[i, k - EDGES, corner, axis]
    for axis in range(2):
        s.outline_center[i, side, axis] = s.polygon_center[i, k - EDGES, axis]
    s.pose[i, side, 0], s.pose[i, side, 1], s.pose[i, side, 2] = ZERO, ZERO, ZERO
    s.pose[i, side, 3] = ONE


def stays_clear_of(s, i, k, body):
    """Tell whether a body certainly does not touch a shape of the ground within the step."""
    return k < EDGES and stays_above_edge(s, i, k, body)


def touch_obstacle(s, i, slot, k, body):
    """Write the manifold of a shape of the ground and a body."""
    if k < EDGES:
        edge_and_polygon(s, i, slot, k, body)
        return
    side = 0 if s.is_flipped[i, slot] else 1
    outline_obstacle(s, i, 1 - side, k)
    outline_body(s, i, side, body)
    two_polygons(s, i, slot)


def is_body_first(s, i, k, body):
    """Tell whether a body is the first of the shapes in contact with one of the ground."""
    return k >= EDGES and s.shape_node[i, body] < s.shape_node[i, env.BODIES + k]


def polygons_of(s, i):
    """Return the corners of the polygons of the ground."""
    return s.polygon_corner[i, : int(s.polygons[i])].tolist()


def look_at_polygons(s, i, px, py, x, y, nearest):
    """Return at which part of a ray it meets a polygon, if that is nearer than what it met."""
    for k in range(s.polygons[i]):
        if (
            s.ground_box[i, EDGES + k, 0] <= x
            and px <= s.ground_box[i, EDGES + k, 2]
            and y <= s.ground_box[i, EDGES + k, 3]
        ):
            nearest = look_at_polygon(s, i, k, px, py, x - px, y - py, nearest)
    return nearest


def look_at_polygon(s, i, k, px, py, dx, dy, nearest):
    """Return at which part of a ray it enters a polygon, if that is nearer than what it met."""
    enters, leaves, is_met = ZERO, nearest, False
    for corner in range(4):
        nx, ny = s.polygon_normal[i, k, corner, 0], s.polygon_normal[i, k, corner, 1]
        away = dot(
            nx, ny, s.polygon_corner[i, k, corner, 0] - px, s.polygon_corner[i, k, corner, 1] - py
        )
        along = dot(nx, ny, dx, dy)
        if along == ZERO:
            if away < ZERO:
                return nearest
        elif along < ZERO and away < enters * along:
            enters, is_met = away / along, True
        elif along > ZERO and away < leaves * along:
            leaves = away / along
        if leaves < enters:
            return nearest
    return enters if is_met else nearest
