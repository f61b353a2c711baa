"""MiniGrid-LockedRoom: six rooms along a hall, one of them locked, the key in another."""

from typing import NamedTuple

import numpy as np

import batchsim
from batchsim.envs.minigrid.cells import AT_GOAL, BY_NAME, CLOSED, KEY, LOCKED, WALLED, cell
from batchsim.envs.minigrid.common import MiniGrid
from batchsim.envs.minigrid.grid import HEIGHT, WIDTH, clear, put, put_column, put_row
from batchsim.envs.minigrid.missions import COLOURS, Worded, Words
from batchsim.envs.minigrid.view import Scratch
from batchsim.envs.minigrid.world import State, place_agent
from batchsim.family import merge
from batchsim.random import integers

ROOMS = 6


class Colours(NamedTuple):
    colours: batchsim.column(np.int32, ROOMS)  # of the rooms
    left: batchsim.column(np.int32, ROOMS)  # those that no room has yet, sorted by name


class LockedRoom(Worded, MiniGrid):
    """# MiniGrid-LockedRoom

    Six rooms lie along a hall. The goal is in the locked one, whose key is in another one.

    ## Starting State

    The agent is anywhere in the hall; which room is locked, and all colours, are drawn.
    """

    State, Scratch = merge(State, Words), merge(Scratch, Colours)
    WORDS = (len(COLOURS),) * 3
    LEAST = 19

    class Arguments(NamedTuple):
        size: int = 19
        max_steps: int | None = None

    def steps_of(p):
        return 10 * p.size

    def text(tokens):
        room, of_key, door = (COLOURS[token] for token in tokens)
        return (
            f"get the {room} key from the {of_key} room, unlock the {door} door and go to the goal"
        )

    def reset(s, i, p, rng):
        clear(s, i, p)
        width, height = p.grid[WIDTH], p.grid[HEIGHT]
        left, right, side = width // 2 - 2, width // 2 + 2, height // 3
        put_column(s, i, p, left, 0, height, WALLED)
        put_column(s, i, p, right, 0, height, WALLED)
        for row in range(3):
            put_row(s, i, p, 0, row * side, left, WALLED)
            put_row(s, i, p, right, row * side, width - right, WALLED)
        locked = integers(rng, i, 0, ROOMS)
        put_in_room(s, i, p, rng, locked, AT_GOAL)
        for k in range(ROOMS):
            s.left[i, k] = BY_NAME[k]
        for room in range(ROOMS):
            chosen = integers(rng, i, 0, ROOMS - room)
            colour = s.left[i, chosen]
            for k in range(chosen, ROOMS - 1):
                s.left[i, k] = s.left[i, k + 1]
            s.colours[i, room] = colour
            x, y = left if room % 2 == 0 else right, room // 2 * side + 3
            put(s, i, p, x, y, cell(LOCKED if room == locked else CLOSED, colour))
        of_key = integers(rng, i, 0, ROOMS)
        while of_key == locked:
            of_key = integers(rng, i, 0, ROOMS)
        put_in_room(s, i, p, rng, of_key, cell(KEY, s.colours[i, locked]))
        place_agent(s, i, p, rng, left, 0, right - left, height)
        s.words[i, 0] = s.words[i, 2] = s.colours[i, locked]
        s.words[i, 1] = s.colours[i, of_key]


def put_in_room(s, i, p, rng, room, code):
    """Put a thing anywhere within the walls of a room."""
    left, side = p.grid[WIDTH] // 2 - 2, p.grid[HEIGHT] // 3
    x, y = 0 if room % 2 == 0 else left + 4, room // 2 * side
    column = integers(rng, i, x + 1, x + left)
    put(s, i, p, column, integers(rng, i, y + 1, y + side), code)
