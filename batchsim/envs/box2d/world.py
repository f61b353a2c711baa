"""A step of the world: contacts, the island, and the impacts within the step.

As Box2D 2.3 by Erin Catto (zlib licence) does with its default settings. A step has two parts,
between which the joints of several rows may be solved together.
"""

from batchsim.envs.box2d import island
from batchsim.envs.box2d.bodies import follow
from batchsim.envs.box2d.contacts import collide, find_contacts
from batchsim.envs.box2d.impacts import solve_impacts
from batchsim.family import env


def begin_step(s, i, gravity, force_x, force_y, torque):
    """Begin a step of the world of row i; the force acts on the centre of body 0."""
    collide(s, i)
    island.begin(s, i, gravity, force_x, force_y, torque)


def finish_step(s, i):
    """Finish a step of the world of row i."""
    for body in range(env.BODIES):
        s.moved[i, body] = False
    if s.seed[i] >= 0:
        island.finish(s, i)
        for back in range(env.BODIES):
            follow(s, i, env.BODIES - 1 - back)
    find_contacts(s, i)
    if s.contacts[i] > 0:
        solve_impacts(s, i)
