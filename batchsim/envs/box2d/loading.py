"""What the solver works on: velocities and positions of bodies, taken out of the row and put back.

As in Box2D 2.3 by Erin Catto (zlib licence).
"""

from batchsim.envs.box2d.bodies import place_body
from batchsim.envs.box2d.settings import (
    MAX_ROTATION,
    MAX_ROTATION_SQUARED,
    MAX_TRANSLATION,
    MAX_TRANSLATION_SQUARED,
)
from batchsim.envs.box2d.vectors import absolute, dot, length


def load_body(s, i, body):
    """Give the solver a body."""
    s.body_position[i, body, 0] = s.center[i, body, 0]
    s.body_position[i, body, 1] = s.center[i, body, 1]
    s.body_position[i, body, 2] = s.angle[i, body]
    s.body_velocity[i, body, 0] = s.velocity[i, body, 0]
    s.body_velocity[i, body, 1] = s.velocity[i, body, 1]
    s.body_velocity[i, body, 2] = s.spin[i, body]


def store_body(s, i, body):
    """Take a body back from the solver."""
    s.center[i, body, 0] = s.body_position[i, body, 0]
    s.center[i, body, 1] = s.body_position[i, body, 1]
    s.angle[i, body] = s.body_position[i, body, 2]
    store_velocity(s, i, body)
    place_body(s, i, body)


def store_velocity(s, i, body):
    """Take the velocity of a body back from the solver."""
    s.velocity[i, body, 0] = s.body_velocity[i, body, 0]
    s.velocity[i, body, 1] = s.body_velocity[i, body, 1]
    s.spin[i, body] = s.body_velocity[i, body, 2]


def move_body(s, i, body, time):
    """Move a body by its velocity, which is limited."""
    vx, vy = s.body_velocity[i, body, 0], s.body_velocity[i, body, 1]
    x, y = time * vx, time * vy
    if dot(x, y, x, y) > MAX_TRANSLATION_SQUARED:
        ratio = MAX_TRANSLATION / length(x, y)
        vx, vy = vx * ratio, vy * ratio
    spin = s.body_velocity[i, body, 2]
    turn = time * spin
    if turn * turn > MAX_ROTATION_SQUARED:
        spin *= MAX_ROTATION / absolute(turn)
    s.body_position[i, body, 0] += time * vx
    s.body_position[i, body, 1] += time * vy
    s.body_position[i, body, 2] += time * spin
    s.body_velocity[i, body, 0], s.body_velocity[i, body, 1] = vx, vy
    s.body_velocity[i, body, 2] = spin
