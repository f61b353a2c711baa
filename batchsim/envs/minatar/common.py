"""What all games of MinAtar have in common, as a family of definitions."""

import functools
from typing import Any, NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

import batchsim
from batchsim.envs.minatar.painter import painter
from batchsim.family import env
from batchsim.random_state import rand
from batchsim.ranges import require_between

SIDE = 10  # of the board
NOTHING, LEFT, UP, RIGHT, DOWN, FIRE = DEEDS = range(6)
HELD = {None: NOTHING, "left": LEFT, "up": UP, "right": RIGHT, "down": DOWN, "space": FIRE}


class Params(NamedTuple):
    sticky_action_prob: float = 0.1
    difficulty_ramping: bool = True


class Arguments(NamedTuple):
    use_minimal_action_set: bool = True


class Last(NamedTuple):
    last_action: np.int8 = np.int8(0)  # of the step before, whichever episode that was in


class Tables(NamedTuple):
    deeds: batchsim.column(np.int8, (6,))  # what each action of the space is


class MinAtar:
    """A definition has `CHANNELS`, names of what its board shows; `MINIMAL`, the actions that the
    game knows; `reset`, `play`, the rules of a step, `show`, which draws the board, and
    `check_board`, which does for its columns what `check_state` does.

    ## Action Space

    `Discrete(6)` with `use_minimal_action_set=False`: 0 does nothing, 1 goes left, 2 up, 3 right,
    4 down, 5 fires. The minimal set has those of them that the game knows, in this order.

    With probability `sticky_action_prob`, what was done in the step before is done again instead,
    across episodes too. Before the very first step nothing was done.

    ## Observation Space

    `Box(False, True, (10, 10, channels), bool)`: row, column and channel. Rows go downwards.

    ## Version History

    - v0: all six actions.
    - v1: the actions that the game knows.
    """

    Params, Arguments = Params, Arguments
    RANDOM = "numpy.random.RandomState"
    RENDER_FPS = 10
    REWARD_TYPE: Any = int
    CHANNELS: tuple[str, ...] = ()
    MINIMAL: tuple[int, ...] = ()

    def __init_subclass__(cls):
        """Make the space and the keys of the actions."""
        cls.ACTION = Discrete(len(cls.MINIMAL))
        cls.KEYS = {
            key: cls.MINIMAL.index(deed) for key, deed in HELD.items() if deed in cls.MINIMAL
        }
        cls.OBSERVATION = Box(0, 1, (SIDE, SIDE, len(cls.CHANNELS)), bool)

    @classmethod
    def choose(cls, arguments):
        return cls if arguments.use_minimal_action_set else full(cls)

    @classmethod
    def tables(cls, p):
        return Tables(np.array(cls.MINIMAL, np.int8))

    def check_params(params):
        require_between("sticky_action_prob", params.sticky_action_prob, 0.0, 1.0)

    @classmethod
    def check_state(cls, s, p):
        require_between("last_action", s.last_action, NOTHING, FIRE)
        cls.check_board(s)

    @classmethod
    def renderer(cls, p):
        """Return a function (s, i) -> frame that draws the board."""
        return painter(cls, p)

    def step(s, i, action, p, rng):
        if rand(rng, i) >= p.sticky_action_prob:
            s.last_action[i] = p.deeds[action]
        return env.play(s, i, s.last_action[i], p, rng)

    def observe(s, i, p, out):
        out[:] = False
        env.show(s, i, p, out)


@functools.cache
def full(definition):
    """Return the definition with all six actions."""
    return type(definition.__name__, (definition,), {"MINIMAL": tuple(DEEDS)})


def moved(place, action, back, forth, low, high):
    """Return a coordinate after an action, kept between two bounds."""
    # Without branches: which action comes next no processor can foresee.
    return min(max(place + int(action == forth) - int(action == back), low), high)
