"""2048: slide the tiles of a square board; two alike become one of twice the number.

The board holds exponents: 1 for a 2, 11 for a 2048, and 0 for a free cell. Actions: 0 left, 1 up,
2 right, 3 down. A move that changes nothing costs `idle`. The game ends when no move changes
anything.
"""

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

import batchsim
from batchsim.random import integers, random

ACTION = Discrete(4)
KEYS = {"left": 0, "up": 1, "right": 2, "down": 3}
SMALLEST, LARGEST = 2, 8


def OBSERVATION(p):
    return Box(0, 64, (p.size, p.size), np.int8)


class State(NamedTuple):
    board: batchsim.column(np.int8, ("size", "size"))


class Params(NamedTuple):
    size: int = 4
    fours: float = 0.1  # how often a new tile is a 4
    idle: float = -1.0


def check_params(params):
    if not SMALLEST <= params.size <= LARGEST:
        raise ValueError(f"size is {params.size}; expected from {SMALLEST} to {LARGEST}.")


def reset(s, i, p, rng):
    s.board[i] = 0
    place_tile(s, i, p, rng)
    place_tile(s, i, p, rng)


def step(s, i, action, p, rng):
    moved, points = slide(turned(s.board[i].copy(), action))
    moved = turned(moved, 4 - action)
    if np.array_equal(moved, s.board[i]):
        return p.idle, False
    s.board[i] = moved
    place_tile(s, i, p, rng)
    return float(points), is_over(s.board[i])


def turned(board, times):
    for _ in range(times):
        board = np.rot90(board).copy()
    return board


def slide(board):
    moved, points = np.zeros_like(board), 0
    for r in range(len(board)):
        column = 0
        for tile in board[r]:
            if tile == 0:
                continue
            if tile == moved[r, column]:
                moved[r, column] += 1
                points += 2 ** int(moved[r, column])
                column += 1
            else:
                if moved[r, column] > 0:
                    column += 1
                moved[r, column] = tile
    return moved, points


def place_tile(s, i, p, rng):
    free = s.board[i] == 0
    cell = np.argmax(np.cumsum(free) > integers(rng, i, 0, np.count_nonzero(free)))
    s.board[i, cell // p.size, cell % p.size] = 1 + (random(rng, i) < p.fours)


def is_over(board):
    pairs = (board[:, 1:] == board[:, :-1]).any() or (board[1:] == board[:-1]).any()
    return not ((board == 0).any() or pairs)


def observe(s, i, p, out):
    out[:] = s.board[i]
