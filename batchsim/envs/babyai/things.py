"""The things of a level, which are numbered from 1 on in the order in which they were added.

Things are looked at when an episode begins, and whenever the agent drops something or tries to:
until then, what is picked up, or is a box that is opened, is still seen where it was.
"""

from typing import NamedTuple

import numpy as np

import batchsim
from batchsim.envs.minigrid.cells import CLOSED, DOOR, EMPTY, UNSEEN
from batchsim.envs.minigrid.grid import CAPACITY, HEIGHT, NOWHERE, ORIGIN, STRIDE

MOST = 62  # things, whose sets are the bits 1 to 62 of a number


def spots(p):
    """Return for how many places `numbers` has room; one kernel serves all grids of as many."""
    capacity = CAPACITY
    while capacity < p.grid[HEIGHT] * p.grid[STRIDE]:
        capacity *= 2
    return capacity


class Things(NamedTuple):
    last: np.int32  # thing, its number; they begin with 1
    places: batchsim.column(np.int32, MOST + 2)  # where they are seen, by number
    numbers: batchsim.column(np.int8, spots)  # by place, from the grid's first one on; or 0
    held: np.int8  # the number of what is carried, or 0
    lifted: np.int32  # the place of what the agent carries from the first step on, or NOWHERE
    boxed: np.uint8  # what the only box of a level holds; UNSEEN where boxes are empty
    has_changed: bool  # whether something was taken away since things were looked at


def begin_things(s, i):
    """Begin a level with nothing in it."""
    s.numbers[i] = 0
    s.last[i], s.held[i], s.lifted[i] = 0, 0, NOWHERE
    s.boxed[i], s.has_changed[i] = UNSEEN, False


def number_at(s, i, p, place):
    """Return the number of the thing that is seen at a place, or 0."""
    return int(s.numbers[i, place - p.grid[ORIGIN]])


def code_of(s, i, number):
    """Return the cell of a thing, while a level is made."""
    return int(s.cells[i, s.places[i, number]])


def note(s, i, p, place):
    """Number the thing at a place; return whether there is one: the place may be NOWHERE."""
    if place == NOWHERE:
        return False
    s.last[i] += 1
    s.places[i, s.last[i]] = place
    s.numbers[i, place - p.grid[ORIGIN]] = s.last[i]
    return True


def is_door(kind):
    """Return whether a kind is that of a door, open or not."""
    return kind == DOOR or kind >= CLOSED


def lift(s, i, p):
    """Let the agent carry what it is to carry from the first step on."""
    place = s.lifted[i]
    s.lifted[i] = NOWHERE
    take(s, i, p, place)
    s.carried[i] = s.cells[i, place]
    s.cells[i, place] = EMPTY


def take(s, i, p, place):
    """Remember which thing was picked up."""
    s.held[i] = number_at(s, i, p, place)
    s.has_changed[i] = True


def unpack(s, i, place):
    """See to what was in a box that is open now; a thing is known by the box's number."""
    if s.boxed[i] == UNSEEN:
        s.has_changed[i] = True
    else:
        s.cells[i, place] = s.boxed[i]


def look_round(s, i, p):
    """See where all things are now."""
    if s.has_changed[i]:
        for number in range(1, s.last[i] + 1):
            place = s.places[i, number]
            if s.cells[i, place] == EMPTY:
                s.numbers[i, place - p.grid[ORIGIN]] = 0
                s.places[i, number] = NOWHERE
        s.has_changed[i] = False


def put_down(s, i, p, place):
    """Remember where a thing was dropped."""
    number = s.held[i]
    s.held[i] = 0
    s.places[i, number] = place
    s.numbers[i, place - p.grid[ORIGIN]] = number
