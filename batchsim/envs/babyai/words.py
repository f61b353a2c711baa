"""Missions of BabyAI: what is asked, as numbers, and as text.

A mission asks for up to four things, one or two in each of two parts. Each is eight words: how it
is joined to what stands before it, what is to be done, to which things, and beside which. Of
things are told the kind with its article, the colour, and the place as seen at the start.

Source: Chevalier-Boisvert and others, "BabyAI: A Platform to Study the Sample Efficiency of
Grounded Language Learning" (2019), section 3.2.
"""

import re
from typing import NamedTuple

import numpy as np

import batchsim
from batchsim.envs.minigrid.cells import COLOURS, DOOR

CLAUSES = 4  # that a mission has at most; the second part begins with the third one
CLAUSE = 8  # words
JOINT, ACTION, MOVED, FIXED = 0, 1, 2, 5  # places in a clause; a description is three words
THING, COLOUR, LOCATION = range(3)  # places in a description
DESCRIPTION = 3  # words

JOINTS = ("", " and ", ", then ", " after you ")
AND, THEN, AFTER = 1, 2, 3
ACTIONS = ("", "go to", "open", "pick up", "put")
GO_TO, OPEN, PICK_UP, PUT_NEXT = 1, 2, 3, 4
THINGS = ("object", "door", "key", "ball", "box")
COLOUR_WORDS = ("", *(f"{colour} " for colour in COLOURS))
LOCATIONS = ("", " on your left", " on your right", " in front of you", " behind you")
ANYWHERE, ON_LEFT, ON_RIGHT, IN_FRONT, BEHIND = range(5)
ANYTHING = DOOR - 1  # a kind that all kinds are of
ANY_COLOUR = -1

ARTICLES = ("the", "a")

# Patterns of texts. The empty words come last, since the first that fits is taken.
DESCRIBED = f"({'|'.join(ARTICLES)}) " + "".join(
    f"({'|'.join(reversed(words))})" for words in (COLOUR_WORDS, THINGS, LOCATIONS)
)
CLAUSES_IN = re.compile(
    f"({'|'.join(reversed(JOINTS))})({'|'.join(ACTIONS[GO_TO:])}) {DESCRIBED}"
    f"(?: next to {DESCRIBED})?"
)

VALUES = CLAUSES * (
    len(JOINTS),
    len(ACTIONS),
    *(2 * (1 + 2 * len(THINGS), len(COLOUR_WORDS), len(LOCATIONS))),
)
LONGEST = 400  # letters, more than any mission has


class Mission(NamedTuple):
    words: batchsim.column(np.int8, CLAUSES * CLAUSE)


def describe(s, i, place, kind, colour, location):
    """Write a description; `settle` in `instructions.py` finds its article."""
    s.words[i, place + THING] = 1 + kind - ANYTHING
    s.words[i, place + COLOUR] = 1 + colour
    s.words[i, place + LOCATION] = location


def ask(s, i, clause, action, kind, colour):
    """Ask that something be done to a thing."""
    s.words[i, clause * CLAUSE + ACTION] = action
    describe(s, i, clause * CLAUSE + MOVED, kind, colour, ANYWHERE)


def ask_beside(s, i, clause, kind, colour):
    """Say beside which thing that thing is to be put."""
    describe(s, i, clause * CLAUSE + FIXED, kind, colour, ANYWHERE)


def ask_where(s, i, clause, location):
    """Say where that thing is."""
    s.words[i, clause * CLAUSE + MOVED + LOCATION] = location


def join(s, i, clause, joint):
    """Say how a clause is joined to what stands before it."""
    s.words[i, clause * CLAUSE + JOINT] = joint


def description(words):
    """Return the text of a description."""
    thing, colour, location = words
    article, noun = divmod(thing - 1, len(THINGS))
    return f"{ARTICLES[article]} {COLOUR_WORDS[colour]}{THINGS[noun]}{LOCATIONS[location]}"


def clause_text(words):
    """Return the text of a clause, which is empty if nothing is asked."""
    joint, action = words[:MOVED]
    if action == 0:
        return ""
    text = f"{JOINTS[joint]}{ACTIONS[action]} {description(words[MOVED:FIXED])}"
    return f"{text} next to {description(words[FIXED:])}" if action == PUT_NEXT else text


def mission_text(words):
    """Return the text of a mission."""
    starts = range(0, CLAUSES * CLAUSE, CLAUSE)
    return "".join(clause_text(words[start : start + CLAUSE]) for start in starts)


def description_words(article, colour, noun, location):
    """Return the words of a description, given the parts of its text, all empty if it has none."""
    if not noun:
        return 0, 0, 0
    thing = 1 + ARTICLES.index(article) * len(THINGS) + THINGS.index(noun)
    return thing, COLOUR_WORDS.index(colour), LOCATIONS.index(location)


def mission_words(text):
    """Return the words of a mission, given its text."""
    words = [0] * (CLAUSES * CLAUSE)
    clause = 0
    for joint_text, action, *parts in CLAUSES_IN.findall(text):
        joint = JOINTS.index(joint_text)
        if joint == AND:
            clause += 1
        elif joint in (THEN, AFTER):
            clause = CLAUSES // 2
        start = clause * CLAUSE
        words[start : start + MOVED] = joint, ACTIONS.index(action)
        words[start + MOVED : start + FIXED] = description_words(*parts[:4])
        words[start + FIXED : start + CLAUSE] = description_words(*parts[4:])
    return words
