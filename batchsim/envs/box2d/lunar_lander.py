"""LunarLander: land a rocket between two flags, with engines that are on or off, or throttled."""

import math
from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

from batchsim.columns import column
from batchsim.envs.box2d import rocket
from batchsim.envs.box2d.allowed import check_state
from batchsim.envs.box2d.bodies import put_body
from batchsim.envs.box2d.clearance import stays_above_edge
from batchsim.envs.box2d.collide import edge_and_polygon
from batchsim.envs.box2d.columns import ROWS
from batchsim.envs.box2d.contacts import find_among_all, find_contacts, forget_all
from batchsim.envs.box2d.ground import is_body_second
from batchsim.envs.box2d.impacts import outline_edge
from batchsim.envs.box2d.joint_lanes import solve_two_joints
from batchsim.envs.box2d.joints import relax
from batchsim.envs.box2d.lanes import solve_together, step_alone
from batchsim.envs.box2d.pictures import draw_lander
from batchsim.envs.box2d.quick_lanes import FAST, FAST_TOLERANCE
from batchsim.envs.box2d.rocket import HEIGHT, LANDER, SCALE, WIDTH, fly, instruments, worth
from batchsim.envs.box2d.settings import FRAMES_PER_SECOND, ZERO
from batchsim.envs.box2d.world import finish_step
from batchsim.family import env, merge
from batchsim.random import integers, uniform

INITIAL_RANDOM = 1000.0  # newtons
SPREAD = [2.5, 2.5, 10.0, 10.0, 2 * math.pi, 10.0]


class Flight(NamedTuple):
    height: column(float, (rocket.CHUNKS + 1,))  # of the moon, before it is smoothed
    worth: float  # of where the lander was before
    wind: int  # places in the patterns of wind and turbulence
    turbulence: int


class LunarLander(rocket.World):
    """# LunarLander

    A rocket falls towards the moon, with an engine below and one at either side. Land it between
    the flags, at (0, 0), on its legs; anywhere else will do as well. Fuel is not limited.

    Original: `gymnasium/envs/box2d/lunar_lander.py` by Oleg Klimov, on Box2D 2.3 by Erin Catto,
    whose bits the lander moves by. Ids: `LunarLander-v3`, and `LunarLanderContinuous-v3` with
    `continuous`.

    ## Action Space

    `Discrete(4)`: 0 nothing, 1 the left engine, 2 the main engine, 3 the right engine.

    With `continuous`, `Box(-1, 1, (2,), float32)`: the throttle of the main engine, which is off
    up to 0 and goes from half to full power; and that of the engines at the sides, of which the
    left one is on below -0.5 and the right one above 0.5, with as much power.

    ## Observation Space

    `Box`, float32, shape `(8,)`: x, y, their velocities, the angle, its velocity, and 1 for either
    leg that touches the ground.

    ## Rewards

    How much better the lander's place is than it was: nearer to the pad, slower, more upright, and
    10 for either leg on the ground. 0.3 less for a step of the main engine and 0.03 for one of the
    others, each times its power. Instead of all that, -100 for a crash, or for leaving the picture
    at a side, and 100 for coming to rest.

    ## Starting State

    At the top in the middle, pushed by a random force, over a moon whose surface is random but for
    the pad.

    ## Episode End

    Terminated when the body of the lander touches the moon, x is beyond ±1, or the lander has come
    to rest; truncated after 1,000 steps.

    ## Arguments

    - `continuous`, bool, by default False: throttles in place of switches.
    - `gravity`, float, by default -10: more than -12 and less than 0.
    - `enable_wind`, bool, by default False; `wind_power` and `turbulence_power`, floats, by default
      15 and 1.5: the most that the wind pushes and turns the lander while no leg is on the ground.

    Pictures are drawn by the original's renderer; the sparks of its engines, which are there for
    the eye alone, are left out.

    ## Version History

    - v3: as Gymnasium's.
    """

    class Arguments(NamedTuple):
        continuous: bool = False

    class Params(NamedTuple):
        gravity: float = -10.0
        enable_wind: bool = False
        wind_power: float = 15.0
        turbulence_power: float = 1.5

    State = merge(rocket.World.State, Flight)
    LANES, FAST, FAST_TOLERANCE = ROWS, FAST, FAST_TOLERANCE
    RENDER_FPS = FRAMES_PER_SECOND
    KEYS = {None: 0, "left": 1, "up": 2, "right": 3}
    ACTION = Discrete(4)
    OBSERVATION = Box(
        np.array([-bound for bound in SPREAD] + [-0.0, -0.0], np.float32),
        np.array([*SPREAD, 1.0, 1.0], np.float32),
    )
    check_state, find_pairs, solve_joints = check_state, find_among_all, solve_two_joints
    together, step, stays_clear = solve_together, step_alone, stays_above_edge
    outline_ground, touch, is_body_first = outline_edge, edge_and_polygon, is_body_second

    @classmethod
    def choose(cls, arguments):
        return Throttled if arguments.continuous else cls

    def check_params(params):
        if not -12.0 < params.gravity < 0.0:
            raise ValueError(
                f"gravity is {params.gravity}; expected more than -12.0 and less than 0.0."
            )

    def reset(s, i, p, rng):
        forget_all(s, i)
        rocket.make_moon(s, i, rng)
        put_body(s, i, LANDER, np.float32(WIDTH / 2), np.float32(HEIGHT), ZERO)
        force_x = np.float32(uniform(rng, i, -INITIAL_RANDOM, INITIAL_RANDOM))
        force_y = np.float32(uniform(rng, i, -INITIAL_RANDOM, INITIAL_RANDOM))
        if p.enable_wind:
            s.wind[i] = integers(rng, i, -9999, 9999)
            s.turbulence[i] = integers(rng, i, -9999, 9999)
        for joint in range(2):
            side = 2 * joint - 1
            x = np.float32(WIDTH / 2 - side * rocket.LEG_AWAY / SCALE)
            put_body(s, i, 1 + joint, x, np.float32(HEIGHT), np.float32(side * rocket.LEG_ANGLE))
            relax(s, i, joint, np.float32(rocket.LEG_SPEED * side), np.float32(rocket.LEG_TORQUE))
        find_contacts(s, i)
        fly(s, i, p, rng, 0.0, 0.0, 0.0, force_x, force_y)
        solve_together(s, i, i + 1)
        finish_step(s, i)
        s.worth[i] = worth(s, i)

    def throttles(action):
        """Return the powers of the main and of a side engine, and the direction of that."""
        power = 1.0 if action == 1 or action == 3 else 0.0
        return 1.0 if action == 2 else 0.0, power, float(action - 2)

    def begin(s, i, action, p, rng):
        main, power, direction = env.throttles(action)
        fly(s, i, p, rng, main, power, direction, ZERO, ZERO)

    def finish(s, i, action, p, rng):
        finish_step(s, i)
        main, power, _ = env.throttles(action)
        before = s.worth[i]
        s.worth[i] = worth(s, i)
        if s.asleep[i, LANDER]:
            return 100.0, True
        if s.is_over[i] or abs(instruments(s, i)[0]) >= 1.0:
            return -100.0, True
        return s.worth[i] - before - main * 0.30 - power * 0.03, False

    def observe(s, i, p, out):
        out[0], out[1], out[2], out[3], out[4], out[5] = instruments(s, i)
        out[6], out[7] = s.touched[i, 1], s.touched[i, 2]

    @classmethod
    def renderer(cls, p):
        """Return a function (s, i) -> frame (400, 600, 3) that draws with Gymnasium's renderer."""
        return draw_lander(rocket.CHUNKS, WIDTH, HEIGHT)


class Throttled(LunarLander):
    ACTION = Box(-1, +1, (2,), np.float32)
    KEYS = None
    CLIPS_ACTIONS = True

    def throttles(action):
        main = min(max(float(action[0]), -1.0), 1.0)
        side = min(max(float(action[1]), -1.0), 1.0)
        power = abs(side) if abs(side) > 0.5 else 0.0
        return (main + 1.0) * 0.5 if main > 0.0 else 0.0, power, 1.0 if side > 0.0 else -1.0
