"""MiniGrid-GoToDoor and MiniGrid-GoToObject: go there, and say that it is done."""

from typing import NamedTuple

from batchsim.envs.minigrid.cells import BY_NAME, CLOSED, KEY, cell, colour_of, kind_of
from batchsim.envs.minigrid.common import MiniGrid, Open
from batchsim.envs.minigrid.grid import EXTRA, HEIGHT, STRIDE, WIDTH, at, clear, put_room
from batchsim.envs.minigrid.missions import (
    COLOURS,
    THINGS,
    Worded,
    Words,
    require_kinds,
    require_room,
)
from batchsim.envs.minigrid.target import Target
from batchsim.envs.minigrid.things import Things, draw_new
from batchsim.envs.minigrid.view import Scratch
from batchsim.envs.minigrid.world import DONE, TOGGLE, State, act, place_agent, place_thing, success
from batchsim.family import merge
from batchsim.random import integers


class GoTo(Worded, MiniGrid):
    """A definition has a `target`, beside which the agent must say that it is done."""

    State = merge(State, Words, Target)
    Params = Open

    def play(s, i, action, p, rng):
        reward, terminated = act(s, i, action, p)
        if action == TOGGLE:
            return reward, True
        if action == DONE:
            away = abs(s.place[i] - s.target[i])
            is_beside = away == 1 or away == p.grid[STRIDE]
            return success(s, i, p) if is_beside else 0.0, True
        return reward, terminated


class GoToDoor(GoTo):
    """# MiniGrid-GoToDoor

    A room has four doors of different colours: go to the one that the mission names, and say
    "done" beside it.

    ## Starting State

    The room's size is drawn, up to that of the grid; so are its doors' places and colours, and
    where the agent is.

    ## Episode End

    Terminated by "done", with a reward beside the right door, and by toggling; truncated after
    `max_steps`.
    """

    WORDS = (len(COLOURS),)
    LEAST = 5
    HAS_WALLS = False  # but those of the room

    class Arguments(NamedTuple):
        size: int = 5
        max_steps: int | None = None

    def steps_of(p):
        return 4 * p.size**2

    def text(tokens):
        return f"go to the {COLOURS[tokens[0]]} door"

    def reset(s, i, p, rng):
        clear(s, i, p)
        width = integers(rng, i, 5, p.grid[WIDTH] + 1)
        height = integers(rng, i, 5, p.grid[HEIGHT] + 1)
        put_room(s, i, p, 0, 0, width, height)
        upper = at(p, integers(rng, i, 2, width - 2), 0)
        lower = at(p, integers(rng, i, 2, width - 2), height - 1)
        left = at(p, 0, integers(rng, i, 2, height - 2))
        right = at(p, width - 1, integers(rng, i, 2, height - 2))
        doors = (upper, lower, left, right)
        drawn, count = 0, 0  # colours, as bits
        while count < 4:
            colour = BY_NAME[integers(rng, i, 0, 6)]
            if drawn >> colour & 1 == 0:
                drawn |= 1 << colour
                s.cells[i, doors[count]] = cell(CLOSED, colour)
                count += 1
        place_agent(s, i, p, rng, 0, 0, width, height)
        s.target[i] = doors[integers(rng, i, 0, 4)]
        s.words[i, 0] = colour_of(s.cells[i, s.target[i]])


class GoToObject(GoTo):
    """# MiniGrid-GoToObject

    Things of different kinds and colours lie about: go to the one that the mission names, and
    say "done" beside it.

    ## Starting State

    Everything is at random places, the agent too.

    ## Episode End

    Terminated by "done", with a reward beside the right place, and by toggling; truncated after
    `max_steps`.
    """

    Scratch = merge(Scratch, Things)
    WORDS = (len(COLOURS), len(THINGS))

    class Arguments(NamedTuple):
        size: int = 6
        numObjs: int = 2
        max_steps: int | None = None

    def steps_of(p):
        return 5 * p.size**2

    def extras_of(p):
        require_room(p, 1)
        require_kinds(p, 1)
        return (p.numObjs,)

    def text(tokens):
        colour, kind = tokens
        return f"go to the {COLOURS[colour]} {THINGS[kind]}"

    def reset(s, i, p, rng):
        clear(s, i, p)
        width, height, count = p.grid[WIDTH], p.grid[HEIGHT], p.grid[EXTRA]
        for k in range(count):
            code = draw_new(s, i, rng, k)
            s.things[i, k] = code
            s.places[i, k] = place_thing(s, i, p, rng, 0, 0, width, height, code)
        place_agent(s, i, p, rng, 0, 0, width, height)
        chosen = integers(rng, i, 0, count)
        s.target[i] = s.places[i, chosen]
        code = s.things[i, chosen]
        s.words[i, 0], s.words[i, 1] = colour_of(code), kind_of(code) - KEY
