"""BipedalWalker: walk on two legs to the end of the way, over even ground or obstacles."""

import math
from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box

from batchsim.columns import column
from batchsim.envs.box2d import walker
from batchsim.envs.box2d.allowed import check_tree_state
from batchsim.envs.box2d.clearance import stays_above_edge
from batchsim.envs.box2d.collide import edge_and_polygon
from batchsim.envs.box2d.columns import ROWS
from batchsim.envs.box2d.contacts import forget_all
from batchsim.envs.box2d.ground import is_body_second
from batchsim.envs.box2d.impacts import outline_edge
from batchsim.envs.box2d.joint_lanes import solve_four_joints
from batchsim.envs.box2d.lanes import solve_together, step_alone
from batchsim.envs.box2d.obstacles import (
    Obstacles,
    full_of_obstacles,
    is_body_first,
    look_at_polygons,
    outline_obstacle,
    polygons_of,
    stays_clear_of,
    touch_obstacle,
)
from batchsim.envs.box2d.pairs import find_in_tree, make_pairs
from batchsim.envs.box2d.pictures import draw_walker
from batchsim.envs.box2d.quick_lanes import FAST, FAST_TOLERANCE
from batchsim.envs.box2d.settings import FRAMES_PER_SECOND, ZERO
from batchsim.envs.box2d.terrain import (
    GRASS,
    LENGTH,
    SCALE,
    STEP,
    Terrain,
    clear,
    draw_clouds,
    grow,
    uneven,
)
from batchsim.envs.box2d.walker import HULL, JOINTS, RAYS, drive, joint_angle, joint_speed
from batchsim.envs.box2d.world import begin_step
from batchsim.family import merge
from batchsim.random import uniform

INITIAL_RANDOM = 5.0  # newtons
GRAVITY = np.float32(-10.0)
COST = 0.00035 * walker.MOTORS_TORQUE
LOW = [-math.pi, -5.0, -5.0, -5.0, *[-math.pi, -5.0, -math.pi, -5.0, -0.0] * 2]
HIGH = [math.pi, 5.0, 5.0, 5.0, *[math.pi, 5.0, math.pi, 5.0, 5.0] * 2]


class Walk(NamedTuple):
    worth: float  # of where the walker was before
    lidar: column(np.float32, (RAYS,))


class BipedalWalker(walker.World):
    """# BipedalWalker

    A hull on two legs, with motors in hips and knees, at the beginning of a long way. Walk to its
    end and do not fall. Ten rays tell how far the ground ahead is.

    Original: `gymnasium/envs/box2d/bipedal_walker.py` by Oleg Klimov, on Box2D 2.3 by Erin Catto,
    whose bits the walker moves by. Upstream keeps one world for all episodes, and the order of its
    contacts depends on those before: so do snapshots here.

    ## Action Space

    `Box(-1, 1, (4,), float32)`: which way the motors of hip and knee of either leg turn, and by
    how much of their torque.

    ## Observation Space

    `Box`, float32, shape `(24,)`:

    | index | observation |
    |---|---|
    | 0 to 3 | the hull's angle, its velocity, the velocities in x and y |
    | 4 to 8 | of the first leg: angle and velocity of hip and knee, 1 for on the ground |
    | 9 to 13 | the same of the second leg |
    | 14 to 23 | how far the ground is along the rays, 1 for out of sight |

    ## Rewards

    How much farther the walker is than it was, 130 / 30 a metre, less 5 times the hull's angle;
    less 0.028 times the torque that each motor was given. Instead of that, -100 for a fall.

    ## Starting State

    Upright at the left end, pushed by a small random force.

    ## Episode End

    Terminated when the hull touches the ground, or the walker has left the way at either end;
    truncated after 1,600 steps.

    ## Arguments

    - `hardcore`, bool, by default False: with stumps, stairs and pits.

    Pictures are drawn by the original's renderer.

    ## Version History

    - v3: as Gymnasium's.
    """

    State = merge(walker.World.State, Terrain, Walk)
    LANES, FAST, FAST_TOLERANCE = ROWS, FAST, FAST_TOLERANCE
    RENDER_FPS = FRAMES_PER_SECOND
    CLIPS_ACTIONS = True
    ACTION = Box(-1.0, 1.0, (4,), np.float32)
    OBSERVATION = Box(
        np.array(LOW + [-1.0] * RAYS, np.float32), np.array(HIGH + [1.0] * RAYS, np.float32)
    )
    check_state, find_pairs, shape = check_tree_state, find_in_tree, uneven
    stays_clear = stays_above_edge
    solve_joints, together, step = solve_four_joints, solve_together, step_alone
    outline_ground, touch, is_body_first = outline_edge, edge_and_polygon, is_body_second

    class Arguments(NamedTuple):
        hardcore: bool = False

    @classmethod
    def choose(cls, arguments):
        return Hardcore if arguments.hardcore else cls

    def look_at_obstacles(s, i, px, py, x, y, nearest):
        """Return at which part of a ray it meets an obstacle, if that is nearer: there is none."""
        return nearest

    @classmethod
    def renderer(cls, p):
        """Return a function (s, i) -> frame (400, 600, 3) that draws with Gymnasium's renderer."""
        return draw_walker(walker.VIEW_WIDTH, SCALE, STEP, cls.polygons_of)

    def polygons_of(s, i):
        """Return the corners of the polygons of the ground."""
        return []

    def reset(s, i, p, rng):
        clear(s, i)
        forget_all(s, i)
        grow(s, i, rng)
        draw_clouds(s, i, rng)
        walker.stand(s, i)
        force = np.float32(uniform(rng, i, -INITIAL_RANDOM, INITIAL_RANDOM))
        make_pairs(s, i)
        for joint in range(JOINTS):
            drive(s, i, joint, 0.0)
        begin_step(s, i, GRAVITY, force, ZERO, ZERO)
        solve_together(s, i, i + 1)
        walker.arrive(s, i)

    def begin(s, i, action, p, rng):
        for joint in range(JOINTS):
            drive(s, i, joint, float(action[joint]))
        begin_step(s, i, GRAVITY, ZERO, ZERO, ZERO)

    def finish(s, i, action, p, rng):
        before = s.worth[i]
        walker.arrive(s, i)
        # The cost has the type of the action, and so has what it is taken from.
        reward = action.dtype.type(s.worth[i] - before)
        for joint in range(JOINTS):
            strength = min(abs(action[joint]), action.dtype.type(1.0))
            reward -= action.dtype.type(COST) * strength
        x = float(s.place[i, HULL, 0])
        if s.is_over[i] or x < 0:
            return -100.0, True
        return float(reward), x > (LENGTH - GRASS) * STEP

    def observe(s, i, p, out):
        out[0] = s.angle[i, HULL]
        out[1] = 2.0 * float(s.spin[i, HULL]) / FRAMES_PER_SECOND
        out[2] = 0.3 * float(s.velocity[i, HULL, 0]) * walker.VIEW_WIDTH / FRAMES_PER_SECOND
        out[3] = 0.3 * float(s.velocity[i, HULL, 1]) * walker.VIEW_HEIGHT / FRAMES_PER_SECOND
        for leg in range(2):
            hip, knee, k = 2 * leg, 2 * leg + 1, 4 + 5 * leg
            out[k] = joint_angle(s, i, hip)
            out[k + 1] = joint_speed(s, i, hip) / walker.SPEED_HIP
            out[k + 2] = joint_angle(s, i, knee) + 1.0
            out[k + 3] = joint_speed(s, i, knee) / walker.SPEED_KNEE
            out[k + 4] = s.touched[i, 2 * leg + 2]
        for ray in range(RAYS):
            out[14 + ray] = s.lidar[i, ray]


class Hardcore(BipedalWalker):
    stays_clear = stays_clear_of
    State = merge(BipedalWalker.State, Obstacles)
    shape, look_at_obstacles, polygons_of = full_of_obstacles, look_at_polygons, polygons_of
    outline_ground, touch, is_body_first = outline_obstacle, touch_obstacle, is_body_first
