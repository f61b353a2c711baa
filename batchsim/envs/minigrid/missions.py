"""Missions: what is asked of the agent, as numbers and as text."""

from typing import NamedTuple

import numpy as np

import batchsim

COLOURS = ("red", "green", "blue", "purple", "yellow", "grey")
THINGS = ("key", "ball", "box")


class Words(NamedTuple):
    words: batchsim.column(np.uint8, 4)  # the tokens of the mission


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
