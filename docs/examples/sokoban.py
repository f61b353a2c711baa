"""Sokoban: push every box onto a goal, one at a time. Actions: 0 up, 1 right, 2 down, 3 left.

Each episode is on one of the levels of a text, drawn at random, and ends when all boxes are on
goals. What is observed is the board, and a message: which level it is, and how many boxes are left.
The board is as large as the largest level asks for.
"""

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete
from sokoban_gymnasium import COLORS, LEVELS, MESSAGE, read_levels

import batchsim
from batchsim.random import integers
from batchsim.ranges import require_between

FLOOR, GOAL, BOX, PLAYER, WALL = 0, 1, 2, 4, 6  # a box on a goal is 3, the player on one 5
DOWN, RIGHT = (-1, 0, 1, 0), (0, 1, 0, -1)  # what each action adds to row and column
ACTION = Discrete(4)
KEYS = {"up": 0, "right": 1, "down": 2, "left": 3}
RENDER_FPS = 10


class Arguments(NamedTuple):
    levels: str = LEVELS


class Tables(NamedTuple):
    boards: np.ndarray  # (levels, rows, columns), uint8, without the player
    row: np.ndarray  # (levels,), where the player starts
    column: np.ndarray
    left: np.ndarray  # (levels,), boxes that are on no goal


class State(NamedTuple):
    level: int
    row: int  # of the player
    column: int
    left: int
    board: batchsim.column(np.uint8, lambda p: p.boards.shape[1:])  # without the player


class Params(NamedTuple):
    step_reward: float = -0.1
    box_reward: float = 1.0
    end_reward: float = 10.0


def tables(p):
    boards = read_levels(p.levels)
    players = np.isin(boards, (PLAYER, PLAYER + GOAL))
    _, row, column = np.nonzero(players)
    left = (boards == BOX).sum((1, 2))
    return Tables((boards - PLAYER * players).astype(np.uint8), row, column, left)


def OBSERVATION(p):
    return Dict(board=Box(FLOOR, WALL, p.boards.shape[1:], np.uint8), message=MESSAGE)


def TOKENS(p):
    levels, rows, columns = p.boards.shape
    return MultiDiscrete([levels, rows * columns], np.int32)  # the level, and boxes left


def text(tokens):
    level, left = tokens
    if left == 0:
        return f"Level {level + 1}: solved"
    return f"Level {level + 1}: {left} box{'es' if left > 1 else ''} to go"


def reset(s, i, p, rng):
    level = integers(rng, i, 0, p.left.shape[0])
    s.level[i], s.left[i] = level, p.left[level]
    s.row[i], s.column[i] = p.row[level], p.column[level]
    for row in range(p.boards.shape[1]):
        for column in range(p.boards.shape[2]):
            s.board[i, row, column] = p.boards[level, row, column]


def step(s, i, action, p, rng):
    row, column = s.row[i] + DOWN[action], s.column[i] + RIGHT[action]
    ahead = look(s, i, p, row, column)
    reward = p.step_reward
    if ahead == WALL:
        return reward, False
    if ahead >= BOX:
        far_row, far_column = row + DOWN[action], column + RIGHT[action]
        beyond = look(s, i, p, far_row, far_column)
        if beyond >= BOX:  # a wall, or another box
            return reward, False
        s.board[i, row, column] = ahead - BOX
        s.board[i, far_row, far_column] = beyond + BOX
        gained = beyond % 2 - ahead % 2
        s.left[i] -= gained
        reward += p.box_reward * gained
    s.row[i], s.column[i] = row, column
    if s.left[i] == 0:
        return reward + p.end_reward, True
    return reward, False


def look(s, i, p, row, column):
    inside = 0 <= row < p.boards.shape[1] and 0 <= column < p.boards.shape[2]
    return int(s.board[i, row, column]) if inside else WALL


def observe(s, i, p, out):
    for row in range(p.boards.shape[1]):
        for column in range(p.boards.shape[2]):
            out.board[row, column] = s.board[i, row, column]
    out.board[s.row[i], s.column[i]] += PLAYER
    out.message[0], out.message[1] = s.level[i], s.left[i]


def check_state(s, p):
    levels, rows, columns = p.boards.shape
    require_between("level", s.level, 0, levels - 1)
    require_between("row", s.row, 0, rows - 1)
    require_between("column", s.column, 0, columns - 1)
    require_between("board", s.board, FLOOR, WALL)
    require_between("left", s.left, 0, rows * columns - 1)


def renderer(p):
    def draw(s, i):
        board = s.board[i].copy()
        board[s.row[i], s.column[i]] += PLAYER
        return COLORS[board].repeat(20, axis=0).repeat(20, axis=1)

    return draw
