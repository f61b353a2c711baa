"""Cells of a grid as bytes: what stands there, its colour, and whether it hides what is behind it.

Bits 0 to 3 are the kind, 4 to 6 the colour, and bit 7 is set where one cannot see through. Kinds
and colours have MiniGrid's numbers; a closed and a locked door are kinds of their own here, where
MiniGrid has one kind and a state.

Source: Chevalier-Boisvert and others, "Minigrid & Miniworld" (2023), `minigrid/core/constants.py`.
"""

from batchsim.random import integers

UNSEEN, EMPTY, WALL, FLOOR, DOOR, KEY, BALL, BOX, GOAL, LAVA, AGENT = range(11)
CLOSED, LOCKED = 11, 12  # doors; DOOR is an open one
RED, GREEN, BLUE, PURPLE, YELLOW, GREY = range(6)
KINDS = (
    *("unseen", "empty", "wall", "floor", "door", "key", "ball", "box", "goal", "lava", "agent"),
    *("door", "door"),  # closed, locked
)
COLOURS = ("red", "green", "blue", "purple", "yellow", "grey")
BY_NAME = (BLUE, GREEN, GREY, PURPLE, RED, YELLOW)  # as MiniGrid draws them
OPAQUE = 128
CODES = 128  # of things, without that bit


def cell(kind, colour):
    """Return the byte of a thing; a wall is grey, a goal green, lava red."""
    hides = kind == WALL or kind >= CLOSED
    return kind + 16 * colour + (OPAQUE if hides else 0)


def code_of(code):
    """Return a thing's byte without the bit that says whether it hides what is behind it."""
    return int(code) & CODES - 1


def kind_of(code):
    """Return what kind of thing a cell holds."""
    return int(code) & 15


def colour_of(code):
    """Return the colour of what a cell holds."""
    return int(code) >> 4 & 7


WALLED, AT_GOAL, IN_LAVA = cell(WALL, GREY), cell(GOAL, GREEN), cell(LAVA, RED)


def random_colour(rng, i):
    """Return one of the six colours."""
    return BY_NAME[integers(rng, i, 0, 6)]


def other_colour(rng, i, avoided):
    """Return one of the six colours, but not this one."""
    chosen = integers(rng, i, 0, len(BY_NAME) - 1)
    for k in range(len(BY_NAME) - 1):
        if BY_NAME[k] == avoided and chosen >= k:
            return BY_NAME[chosen + 1]
    return BY_NAME[chosen]


def random_kind(rng, i):
    """Return a key, a ball or a box."""
    return KEY + integers(rng, i, 0, 3)
