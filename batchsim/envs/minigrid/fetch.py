"""MiniGrid-Fetch: several things lie about; pick up the one that is asked for."""

from typing import NamedTuple

from batchsim.envs.minigrid.cells import KEY, cell, colour_of, kind_of, random_colour
from batchsim.envs.minigrid.common import MiniGrid, Open
from batchsim.envs.minigrid.grid import EXTRA, HEIGHT, WIDTH, clear
from batchsim.envs.minigrid.missions import COLOURS, THINGS, Worded, Words, require_room
from batchsim.envs.minigrid.things import Things
from batchsim.envs.minigrid.view import Scratch
from batchsim.envs.minigrid.world import State, act, place_agent, place_thing, success
from batchsim.family import merge
from batchsim.random import integers

SYNTAX = ("get a", "go get a", "fetch a", "go fetch a", "you must fetch a")


class Fetch(Worded, MiniGrid):
    """# MiniGrid-Fetch

    Keys and balls lie about: pick up the one that the mission names.

    ## Starting State

    Everything is at random places, the agent too.

    ## Episode End

    Terminated when something is picked up, with a reward if its kind and colour are right;
    truncated after `max_steps`.
    """

    State, Scratch = merge(State, Words), merge(Scratch, Things)
    Params = Open
    WORDS = (len(SYNTAX), len(COLOURS), len(THINGS))

    class Arguments(NamedTuple):
        size: int = 8
        numObjs: int = 3
        max_steps: int | None = None

    def steps_of(p):
        return 5 * p.size**2

    def extras_of(p):
        require_room(p, 1)
        return (p.numObjs,)

    def text(tokens):
        syntax, colour, kind = tokens
        return f"{SYNTAX[syntax]} {COLOURS[colour]} {THINGS[kind]}"

    def reset(s, i, p, rng):
        clear(s, i, p)
        width, height, count = p.grid[WIDTH], p.grid[HEIGHT], p.grid[EXTRA]
        for k in range(count):
            kind = KEY + integers(rng, i, 0, 2)
            s.things[i, k] = cell(kind, random_colour(rng, i))
            place_thing(s, i, p, rng, 0, 0, width, height, s.things[i, k])
        place_agent(s, i, p, rng, 0, 0, width, height)
        code = s.things[i, integers(rng, i, 0, count)]
        s.words[i, 0] = integers(rng, i, 0, len(SYNTAX))
        s.words[i, 1], s.words[i, 2] = colour_of(code), kind_of(code) - KEY

    def play(s, i, action, p, rng):
        reward, terminated = act(s, i, action, p)
        carried = int(s.carried[i])
        if carried == 0:
            return reward, terminated
        if colour_of(carried) == s.words[i, 1] and kind_of(carried) - KEY == s.words[i, 2]:
            return success(s, i, p), True
        return 0.0, True
