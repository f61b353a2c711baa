"""Minesweeper: the mines are laid after the first click, and open ground spreads by recursion."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

HIDDEN = -1
NEIGHBOURS = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]


class Minefield(gymnasium.Env):
    def __init__(self, rows=6, columns=6, mines=5, reveal_reward=0.1, win_reward=5.0):
        if mines >= rows * columns:
            raise ValueError(f"{mines} mines do not fit into {rows} by {columns} cells")
        self.rows, self.columns, self.mines = rows, columns, mines
        self.reveal_reward = reveal_reward
        self.win_reward = win_reward
        self.observation_space = Box(HIDDEN, 8, (rows, columns), np.int8)
        self.action_space = Discrete(rows * columns)
        self.total_clicks = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.is_mine = np.zeros((self.rows, self.columns), dtype=bool)
        self.counts = np.zeros((self.rows, self.columns), dtype=np.int8)
        self.board = np.full((self.rows, self.columns), HIDDEN, dtype=np.int8)
        self.first_click = True
        return self.board.copy(), {}

    def _on_board(self, r, c):
        return 0 <= r < self.rows and 0 <= c < self.columns

    def _lay_mines(self, safe):
        """All cells but the one that was clicked are equally likely."""
        cells = [k for k in range(self.rows * self.columns) if k != safe]
        for k in self.np_random.choice(cells, size=self.mines, replace=False):
            r, c = divmod(int(k), self.columns)
            self.is_mine[r, c] = True
            for dr, dc in NEIGHBOURS:
                if self._on_board(r + dr, c + dc):
                    self.counts[r + dr, c + dc] += 1

    def _open(self, r, c):
        """Opens a cell, and all around it if it touches no mine; how many were opened."""
        if not self._on_board(r, c) or self.board[r, c] != HIDDEN:
            return 0
        self.board[r, c] = self.counts[r, c]
        opened = 1
        if self.counts[r, c] == 0:
            for dr, dc in NEIGHBOURS:
                opened += self._open(r + dr, c + dc)
        return opened

    def step(self, action):
        self.total_clicks += 1
        r, c = action // self.columns, action % self.columns
        if self.first_click:
            self._lay_mines(int(action))
            self.first_click = False

        if self.board[r, c] != HIDDEN:
            return self.board.copy(), -0.2, False, False, {"won": False}
        if self.is_mine[r, c]:
            return self.board.copy(), -1.0, True, False, {"won": False}

        opened = self._open(r, c)
        won = np.count_nonzero(self.board == HIDDEN) == self.mines
        reward = self.reveal_reward * opened + (self.win_reward if won else 0.0)
        return self.board.copy(), float(reward), bool(won), False, {"won": bool(won)}


class RefusedFrontier(Minefield):
    """Refused: `for` over a set, whose order decides how the bonuses are summed and drawn."""

    def _open(self, r, c):
        frontier = {(int(r), int(c))}
        bonus = 0.0
        opened = 0
        while frontier:
            beyond = set()
            for y, x in frontier:
                if self._on_board(y, x) and self.board[y, x] == HIDDEN:
                    self.board[y, x] = self.counts[y, x]
                    opened += 1
                    bonus += self.np_random.random() / (1 + y + x)
                    if self.counts[y, x] == 0:
                        beyond |= {(y + dy, x + dx) for dy, dx in NEIGHBOURS}
            frontier = beyond
        return opened + bonus
