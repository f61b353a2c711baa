"""2048 as an ordinary Gymnasium environment: one object a game."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete


def slide(board):
    """Return a board whose tiles have slid to the left and merged, and the points of that."""
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


class Game2048Env(gymnasium.Env):
    """Slide the tiles of a square board; two alike become one of twice the number.

    The board holds exponents: 1 for a 2, 11 for a 2048, and 0 for a free cell. Actions: 0 left,
    1 up, 2 right, 3 down. A move that changes nothing costs `idle`. The game ends when no move
    changes anything.
    """

    def __init__(self, size=4, fours=0.1, idle=-1.0):
        self.size = size
        self.fours = fours  # how often a new tile is a 4
        self.idle = idle
        self.action_space = Discrete(4)
        self.observation_space = Box(0, 64, (size, size), np.int8)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.board = np.zeros((self.size, self.size), np.int8)
        self.place_tile()
        self.place_tile()
        return self.board.copy(), {}

    def step(self, action):
        moved, points = slide(np.rot90(self.board, action))
        moved = np.rot90(moved, 4 - action)
        if np.array_equal(moved, self.board):
            return self.board.copy(), self.idle, False, False, {}
        self.board = moved
        self.place_tile()
        return self.board.copy(), float(points), self.is_over(), False, {}

    def place_tile(self):
        free = np.flatnonzero(self.board == 0)
        cell = free[self.np_random.integers(len(free))]
        self.board[cell // self.size, cell % self.size] = 1 + (self.np_random.random() < self.fours)

    def is_over(self):
        board = self.board
        pairs = (board[:, 1:] == board[:, :-1]).any() or (board[1:] == board[:-1]).any()
        return not ((board == 0).any() or pairs)
