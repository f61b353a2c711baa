"""What an environment of MiniGrid observes, as its caller chooses: the arguments `view` and `form`.

Each is what one of MiniGrid's wrappers makes, bit for bit. A view is what the image shows, and a
form what is observed beside the image. Both are classes whose functions a definition goes on with.

Source: Chevalier-Boisvert and others, "Minigrid & Miniworld" (2023), `minigrid/wrappers.py`.
"""

import functools
import itertools
import math
from collections import namedtuple
from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box

import batchsim
from batchsim.envs.minigrid import tiles
from batchsim.envs.minigrid.cells import AGENT, COLOURS, EMPTY, KINDS, RED, code_of
from batchsim.envs.minigrid.view import encode, look, place_of, plain_kind
from batchsim.envs.minigrid.world import HEIGHT, UP, WIDTH, at, column_of, row_of
from batchsim.family import env, merge

MOST_LETTERS, SIGNS = 96, "abcdefghijklmnopqrstuvwxyz ,"  # of a flat observation's mission
MOST_MISSIONS = 2**16
LARGEST_TILE = 128
COLOUR_BIT, STATE_BIT = AGENT + 1, AGENT + 1 + len(COLOURS)
BITS = STATE_BIT + 3  # of a cell: its kind, its colour, and whether a door is open, closed, locked


class Views(NamedTuple):
    """The arguments that say what is observed."""

    view: str = "partial"
    form: str = "dict"
    tile_size: int = 8  # pixels of a tile's side in a view of colours


class Shade(NamedTuple):
    shade: batchsim.column(np.int16, lambda p: p.blank.shape)  # where in the table, by place


class Full:
    """`FullyObsWrapper`: all cells of the grid."""

    def shape_of(p):
        return int(p.grid[WIDTH]), int(p.grid[HEIGHT]), 3

    def show(s, i, p, image):
        width, height = image.shape[0], image.shape[1]
        numbers = image.reshape(3 * width * height)
        for x in range(width):
            for y in range(height):
                encode(numbers, x * height + y, s.cells[i, at(p, x, y)])
        x, y = column_of(p, s.place[i]), row_of(p, s.place[i])
        image[x, y, 0], image[x, y, 1], image[x, y, 2] = AGENT, RED, s.heading[i]


class Symbolic(Full):
    """`SymbolicObsWrapper`: all cells of the grid, each as its column, its row and its kind."""

    @classmethod
    def image_of(cls, p):
        low, high = np.zeros(cls.shape_of(p), np.int64), np.zeros(cls.shape_of(p), np.int64)
        low[:, :, 2] = -1
        high[:] = high.shape[0] - 1, high.shape[1] - 1, AGENT
        return Box(low, high, dtype=np.int64)

    def show(s, i, p, image):
        for x in range(image.shape[0]):
            for y in range(image.shape[1]):
                kind = plain_kind(s.cells[i, at(p, x, y)])
                image[x, y, 0], image[x, y, 1] = x, y
                image[x, y, 2] = -1 if kind == EMPTY else kind
        image[column_of(p, s.place[i]), row_of(p, s.place[i]), 2] = AGENT


class OneHot:
    """`OneHotPartialObsWrapper`: of each cell that the agent sees a 1 for its kind, colour and
    state.
    """

    def shape_of(p):
        return p.agent_view_size, p.agent_view_size, BITS

    @classmethod
    def tables(cls, p):
        bits = np.zeros((tiles.CODES, BITS), np.uint8)
        numbers = np.zeros(3, np.uint8)
        for kind, colour in itertools.product(range(len(KINDS)), range(len(COLOURS))):
            encode(numbers, 0, kind + 16 * colour)
            bits[kind + 16 * colour, [0, COLOUR_BIT, STATE_BIT] + numbers] = 1
        return beside(super().tables(p), bits=bits)

    def show(s, i, p, image):
        look(s, i, p)
        size = p.agent_view_size
        for x in range(size):
            for y in range(size):
                image[x, y] = p.bits[code_of(s.seen[i, x * size + y])]


class Coloured:
    """Tiles as pictures: a table of them, which `show` copies from."""

    @classmethod
    def tables(cls, p):
        return beside(super().tables(p), tiles=tiles.table(p.tile_size))


class Rgb(Coloured):
    """`RGBImgObsWrapper`: a picture of the grid, in which what the agent sees is lighter."""

    SCRATCH = (Shade,)

    def shape_of(p):
        return int(p.grid[HEIGHT]) * p.tile_size, int(p.grid[WIDTH]) * p.tile_size, 3

    def show(s, i, p, image):
        look(s, i, p)
        s.shade[i] = tiles.PLAIN
        for k in range(p.agent_view_size * p.agent_view_size):
            if s.seen[i, k] != 0:
                s.shade[i, place_of(s, i, p, k)] = tiles.LIT
        s.shade[i, s.place[i]] = tiles.WITH_AGENT + tiles.CODES * s.heading[i]
        size = p.tiles.shape[1]
        for y in range(image.shape[0] // size):
            for x in range(image.shape[1] // size):
                place = at(p, x, y)
                top, left = y * size, x * size
                number = code_of(s.cells[i, place]) + s.shade[i, place]
                image[top : top + size, left : left + size] = p.tiles[number]


class RgbPartial(Coloured):
    """`RGBImgPartialObsWrapper`: a picture of what the agent sees."""

    def shape_of(p):
        return p.agent_view_size * p.tile_size, p.agent_view_size * p.tile_size, 3

    def show(s, i, p, image):
        look(s, i, p)
        size, cells = p.tiles.shape[1], p.agent_view_size
        for y in range(cells):
            for x in range(cells):
                code = code_of(s.seen[i, x * cells + y])
                top, left = y * size, x * size
                number = code + tiles.LIT if code != 0 else 0
                image[top : top + size, left : left + size] = p.tiles[number]
        top, left = (cells - 1) * size, cells // 2 * size
        number = tiles.WITH_AGENT + tiles.CODES * UP + code_of(s.seen[i, cells // 2 * cells + cells - 1])
        image[top : top + size, left : left + size] = p.tiles[number]


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
            mission = mission * env.WORDS[k] + s.tokens[i, k]
        for k in range(MOST_LETTERS):
            place = p.letters[mission, k]
            if place < 0:
                break
            out[size + place] = 1


# What each adds to a definition.
VIEWS = {
    "partial": (), "full": (Full,), "onehot": (OneHot,), "symbolic": (Symbolic,), "rgb": (Rgb,),
    "rgb_partial": (RgbPartial,),
}  # fmt: skip
FORMS = {"dict": (), "image": (Image,), "flat": (Flat,)}


def choose(definition, arguments):
    """Return the class that a definition goes on with for what its caller wants to observe."""
    for name, known in ("view", VIEWS), ("form", FORMS):
        given = getattr(arguments, name)
        if not isinstance(given, str) or given not in known:
            expected = ", ".join(map(repr, known))
            raise ValueError(f"{name} is {given!r}; expected one of {expected}.")
    size = arguments.tile_size
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= LARGEST_TILE:
        raise ValueError(f"tile_size is {size!r}; expected a number from 1 to {LARGEST_TILE}.")
    if (arguments.view, arguments.form) == ("symbolic", "flat"):
        raise ValueError("form is 'flat', which has no numbers below 0; expected another view.")
    return made(definition, arguments.view, arguments.form)


@functools.cache
def made(definition, view, form):
    """Return the class of a definition with a view and a form."""
    if (view, form) == ("partial", "dict"):
        return definition
    bases = (*FORMS[form], *VIEWS[view], definition)
    parts = [definition.Scratch, *(part for base in bases for part in vars(base).get("SCRATCH", ()))]
    if form == "flat":
        image = batchsim.column(np.uint8, bases[1].shape_of)
        tokens = batchsim.column(np.uint8, len(definition.WORDS))
        parts.append(NamedTuple("Flattened", [("image", image), ("tokens", tokens)]))
    names = {
        "__doc__": definition.__doc__,
        "__module__": definition.__module__,
        "Scratch": merge(*parts),
    }
    return type(definition.__name__, bases, names)


def beside(tables, **more):
    """Return tables with some more."""
    return namedtuple("Tables", (*tables._fields, *more))(*tables, *more.values())


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
    found = np.full((count, MOST_LETTERS), -1, np.int16)
    for row, tokens in zip(found, itertools.product(*map(range, definition.WORDS)), strict=True):
        mission = definition.text(tokens).lower()
        if len(mission) > MOST_LETTERS or not set(mission) <= set(SIGNS):
            raise ValueError(
                f"form is 'flat', but the mission {mission!r} has {len(mission)} letters; expected "
                f"at most {MOST_LETTERS}, a to z, spaces and commas: choose another form."
            )
        row[: len(mission)] = [len(SIGNS) * k + SIGNS.index(sign) for k, sign in enumerate(mission)]
    return found
