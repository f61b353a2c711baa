"""BabyAI-GoTo…: go to a thing."""

from typing import NamedTuple

from batchsim.envs.babyai.descriptions import ask_for
from batchsim.envs.babyai.furnishing import add, can_reach_all, random_last, scatter
from batchsim.envs.babyai.level import OWN
from batchsim.envs.babyai.rooms import OneRoom
from batchsim.envs.babyai.things import MOST, code_of
from batchsim.envs.babyai.words import GO_TO
from batchsim.envs.minigrid.cells import (
    BALL,
    BLUE,
    GREY,
    RED,
    cell,
    kind_of,
)
from batchsim.envs.minigrid.rooms import ANY, place_agent_anywhere
from batchsim.random import integers
from batchsim.ranges import require_between


class GoToLocal(OneRoom):
    """# BabyAI-GoToLocal

    Go to one of the things in a room.

    ## Starting State

    `num_dists` random things are anywhere in a room, none of them so that another must be moved
    to get to it.
    """

    class Arguments(NamedTuple):
        room_size: int = 8
        num_dists: int = 8
        max_steps: int | None = None

    def things_of(p):
        return p.num_dists

    def numbers_of(p):
        require_between("num_dists", p.num_dists, 1, MOST)
        return (p.num_dists,)

    def generate(s, i, p, rng):
        count = p.grid[OWN]
        return (
            place_agent_anywhere(s, i, p, rng)
            and scatter(s, i, p, rng, ANY, count, False)
            and can_reach_all(s, i, p)
            and ask_for(s, i, 0, GO_TO, random_last(s, i, rng, count))
        )


class GoToRedBall(GoToLocal):
    """# BabyAI-GoToRedBall

    Go to the red ball; other things lie about in the room.

    ## Starting State

    The red ball and `num_dists` random things are anywhere in a room, none of them so that
    another must be moved to get to it.
    """

    class Arguments(NamedTuple):
        room_size: int = 8
        num_dists: int = 7
        max_steps: int | None = None

    def things_of(p):
        return 1 + p.num_dists

    def numbers_of(p):
        require_between("num_dists", p.num_dists, 0, MOST)
        return (p.num_dists,)

    def generate(s, i, p, rng):
        return (
            place_agent_anywhere(s, i, p, rng)
            and add(s, i, p, rng, 0, BALL, RED)
            and scatter(s, i, p, rng, ANY, p.grid[OWN], False)
            and can_reach_all(s, i, p)
            and ask_for(s, i, 0, GO_TO, 1)
        )


class GoToRedBallGrey(GoToRedBall):
    """# BabyAI-GoToRedBallGrey

    Go to the red ball; other things, all of them grey, lie about in the room.

    ## Starting State

    The red ball and `num_dists` random things, which are grey, are anywhere in a room, none of
    them so that another must be moved to get to it.
    """

    def generate(s, i, p, rng):
        if not GoToRedBall.generate(s, i, p, rng):
            return False
        for number in range(2, s.last[i] + 1):
            s.cells[i, s.places[i, number]] = cell(kind_of(code_of(s, i, number)), GREY)
        return True


class GoToRedBallNoDists(GoToRedBall):
    """# BabyAI-GoToRedBallNoDists

    Go to the red ball, the only thing in the room.

    ## Starting State

    The red ball is anywhere in a room.
    """

    class Arguments(NamedTuple):
        max_steps: int | None = None

    def rooms_of(p):
        return 8, 1, 1

    def things_of(p):
        return 1

    def numbers_of(p):
        return (0,)


class GoToObj(OneRoom):
    """# BabyAI-GoToObj

    Go to the only thing in the room.

    ## Starting State

    A random thing is anywhere in a room.
    """

    def generate(s, i, p, rng):
        return (
            place_agent_anywhere(s, i, p, rng)
            and scatter(s, i, p, rng, ANY, 1, False)
            and ask_for(s, i, 0, GO_TO, 1)
        )


class GoToRedBlueBall(GoToRedBall):
    """# BabyAI-GoToRedBlueBall

    Go to the red ball or to the blue one: the room has one of them, and other things.

    ## Starting State

    A ball that is red or blue and `num_dists` random things are anywhere in a room, none of
    them so that another must be moved to get to it.
    """

    def generate(s, i, p, rng):
        if not place_agent_anywhere(s, i, p, rng):
            return False
        if not scatter(s, i, p, rng, ANY, p.grid[OWN], False):
            return False
        for number in range(1, s.last[i] + 1):
            code = code_of(s, i, number)
            if code == cell(BALL, RED) or code == cell(BALL, BLUE):
                return False
        colour = RED if integers(rng, i, 0, 2) == 0 else BLUE
        return (
            add(s, i, p, rng, 0, BALL, colour)
            and can_reach_all(s, i, p)
            and ask_for(s, i, 0, GO_TO, s.last[i])
        )
