"""What is observed beside the image, and as what.

Source: Chevalier-Boisvert and others, "Minigrid & Miniworld" (2023), `minigrid/wrappers.py`.
"""

import itertools
import math

import numpy as np
from gymnasium.spaces import Box

from batchsim.envs.minigrid.view import beside
from batchsim.family import env

MOST_LETTERS, SIGNS = 96, "abcdefghijklmnopqrstuvwxyz ,"  # of a flat observation's mission
MOST_MISSIONS = 2**16


class Image:
    """`ImgObsWrapper`: the image alone."""

    @classmethod
    def OBSERVATION(cls, p):
        return cls.image_of(p)

    def observe(s, i, p, out):
        env.show(s, i, p, out)


class Flat:
    """`FlatObsWrapper`: the image, and of each letter of the mission a 1 for which it is, in one
    array.
    """

    @classmethod
    def OBSERVATION(cls, p):
        size = math.prod(cls.shape_of(p)) + MOST_LETTERS * len(SIGNS)
        return Box(0, 255, (size,), np.uint8)

    @classmethod
    def tables(cls, p):
        return beside(super().tables(p), letters=letters_of(cls))

    def observe(s, i, p, out):
        env.show(s, i, p, s.image[i])
        size = s.image[i].size
        out[:size] = s.image[i].reshape(size)
        out[size:] = 0
        env.say(s, i, p, s.tokens[i])
        mission = 0
        for k in range(len(env.WORDS)):
            mission = mission * env.WORDS[k] + int(s.tokens[i, k])
        for k in range(MOST_LETTERS):
            place = p.letters[mission, k]
            if place < 0:
                break
            out[size + place] = 1


def letters_of(definition):
    """Return where a flat observation has a 1 for each letter of each mission, -1 behind the last:
    (missions, MOST_LETTERS), the missions in the order of their tokens.
    """
    count = math.prod(definition.WORDS)
    if count > MOST_MISSIONS:
        raise ValueError(
            f"form is 'flat', for {count:,} missions; expected another form, since it is made for "
            f"at most {MOST_MISSIONS:,}."
        )
    found = np.full((count, MOST_LETTERS), -1, np.int32)
    for row, tokens in zip(found, itertools.product(*map(range, definition.WORDS)), strict=True):
        mission = definition.text(tokens).lower()
        if len(mission) > MOST_LETTERS or not set(mission) <= set(SIGNS):
            raise ValueError(
                f"form is 'flat', but the mission {mission!r} has {len(mission)} letters; expected "
                f"at most {MOST_LETTERS}, a to z, spaces and commas: choose another form."
            )
        row[: len(mission)] = [len(SIGNS) * k + SIGNS.index(sign) for k, sign in enumerate(mission)]
    return found
