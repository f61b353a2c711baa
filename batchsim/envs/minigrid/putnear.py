"""MiniGrid-PutNear: take one thing to another."""

from typing import NamedTuple

from batchsim.envs.minigrid.cells import EMPTY, KEY, colour_of, kind_of
from batchsim.envs.minigrid.common import MiniGrid, Open
from batchsim.envs.minigrid.grid import EXTRA, HEIGHT, WIDTH, at, clear, column_of, row_of
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
from batchsim.envs.minigrid.world import DROP, PICKUP, State, act, front, place_agent, success
from batchsim.family import merge
from batchsim.random import integers


class PutNear(Worded, MiniGrid):
    """# MiniGrid-PutNear

    Pick up the thing that the mission names, and drop it beside the other one that it names:
    corners may touch.

    ## Starting State

    Everything is at random places, no two things beside each other.

    ## Episode End

    Terminated when another thing is picked up, and at any drop, with a reward if it is at the
    right place; truncated after `max_steps`.
    """

    State, Scratch = merge(State, Words, Target), merge(Scratch, Things)
    Params = Open
    WORDS = (len(COLOURS), len(THINGS), len(COLOURS), len(THINGS))

    class Arguments(NamedTuple):
        size: int = 6
        numObjs: int = 2
        max_steps: int | None = None

    def steps_of(p):
        return 5 * p.size

    def extras_of(p):
        require_room(p, 1)
        require_kinds(p, 2)
        return (p.numObjs,)

    def text(tokens):
        colour, kind, near_colour, near_kind = tokens
        return (
            f"put the {COLOURS[colour]} {THINGS[kind]} near the "
            f"{COLOURS[near_colour]} {THINGS[near_kind]}"
        )

    def reset(s, i, p, rng):
        clear(s, i, p)
        width, height, count = p.grid[WIDTH], p.grid[HEIGHT], p.grid[EXTRA]
        for k in range(count):
            code = draw_new(s, i, rng, k)
            place = find_apart(s, i, p, rng, k)
            s.cells[i, place] = code
            s.things[i, k], s.places[i, k] = code, place
        place_agent(s, i, p, rng, 0, 0, width, height)
        moved = integers(rng, i, 0, count)
        near = integers(rng, i, 0, count)
        while near == moved:
            near = integers(rng, i, 0, count)
        s.target[i] = s.places[i, near]
        name(s, i, 0, s.things[i, moved])
        name(s, i, 2, s.things[i, near])

    def play(s, i, action, p, rng):
        held, place = s.carried[i], front(s, i, p)
        was_empty = s.cells[i, place] == EMPTY
        reward, terminated = act(s, i, action, p)
        carried = int(s.carried[i])
        if action == PICKUP and carried != 0:
            is_other = (
                colour_of(carried) != s.words[i, 0] or kind_of(carried) - KEY != s.words[i, 1]
            )
            return reward, is_other
        if action == DROP and held != 0:
            is_near = are_near(p, place, s.target[i])
            return success(s, i, p) if was_empty and is_near else 0.0, True
        return reward, terminated


def name(s, i, word, code):
    """Say in a mission which thing is meant, from a word on."""
    s.words[i, word], s.words[i, word + 1] = colour_of(code), kind_of(code) - KEY


def are_near(p, one, other):
    """Tell whether two places touch, or are the same."""
    across = abs(column_of(p, one) - column_of(p, other))
    return across <= 1 and abs(row_of(p, one) - row_of(p, other)) <= 1


def find_apart(s, i, p, rng, count):
    """Return a random empty place near none of the first so many things."""
    while True:
        x = integers(rng, i, 0, p.grid[WIDTH])
        place = at(p, x, integers(rng, i, 0, p.grid[HEIGHT]))
        if s.cells[i, place] != EMPTY:
            continue
        is_apart = True
        for k in range(count):
            if are_near(p, place, s.places[i, k]):
                is_apart = False
        if is_apart:
            return place
