"""Views of numbers: all cells of the grid, or what the agent sees as bits.

Source: Chevalier-Boisvert and others, "Minigrid & Miniworld" (2023), `minigrid/wrappers.py`.
"""

import itertools

import numpy as np
from gymnasium.spaces import Box

from batchsim.envs.minigrid.cells import AGENT, CODES, COLOURS, EMPTY, KINDS, RED, code_of
from batchsim.envs.minigrid.grid import HEIGHT, WIDTH, at, column_of, row_of
from batchsim.envs.minigrid.view import beside, encode, look, plain_kind

FIRST_BITS = np.cumsum([0, AGENT + 1, len(COLOURS)])  # of a cell's kind, colour and state
BITS = FIRST_BITS[-1] + 3  # a door is open, closed or locked


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

    NUMBERS = (2,) * int(BITS)

    def shape_of(p):
        return p.agent_view_size, p.agent_view_size, int(BITS)

    @classmethod
    def tables(cls, p):
        bits = np.zeros((CODES, BITS), np.uint8)
        numbers = np.zeros(3, np.uint8)
        for kind, colour in itertools.product(range(len(KINDS)), range(len(COLOURS))):
            encode(numbers, 0, kind + 16 * colour)
            bits[kind + 16 * colour, FIRST_BITS + numbers] = 1
        return beside(super().tables(p), bits=bits)

    def show(s, i, p, image):
        look(s, i, p)
        size = p.agent_view_size
        for x in range(size):
            for y in range(size):
                image[x, y] = p.bits[code_of(s.seen[i, x * size + y])]
