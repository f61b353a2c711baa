"""Missions: what is asked of the agent, as numbers and as text."""

from typing import NamedTuple

import numpy as np

import batchsim
from batchsim.envs.minigrid.cells import BOX, COLOURS, KEY, KINDS
from batchsim.family import env

THINGS = KINDS[KEY : BOX + 1]


class Words(NamedTuple):
    words: batchsim.column(np.uint8, 4)  # the tokens of the mission


class Worded:
    """What definitions inherit whose mission differs by episode, and is in `words`."""

    def say(s, i, p, out):
        for k in range(len(env.WORDS)):
            out[k] = s.words[i, k]


def kind_number(name, value):
    """Return the kind of a thing that an argument names."""
    if value not in THINGS:
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(THINGS)}.")
    return KEY + THINGS.index(value)


def require_room(p, others):
    """Refuse more things than the cells of a grid within its walls have room for."""
    room = (p.size - 2) ** 2 - others
    if not 1 <= p.numObjs <= room:
        raise ValueError(
            f"numObjs is {p.numObjs}; expected 1 to {room}, for which a grid of size {p.size} has "
            "room."
        )


def require_kinds(p, least):
    """Refuse more different things than there are, and fewer than the mission needs."""
    most = len(COLOURS) * len(THINGS)
    if not least <= p.numObjs <= most:
        raise ValueError(
            f"numObjs is {p.numObjs}; expected {least} to {most}: all of them are different."
        )
