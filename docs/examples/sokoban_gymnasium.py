"""Sokoban as an ordinary Gymnasium environment: one object a game, levels from a text."""

import string

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, Text

FLOOR, GOAL, BOX, PLAYER, WALL = 0, 1, 2, 4, 6  # a box on a goal is 3, the player on one 5
UP, RIGHT, DOWN, LEFT = 0, 1, 2, 3
MOVES = {UP: (-1, 0), RIGHT: (0, 1), DOWN: (1, 0), LEFT: (0, -1)}
CODES = {
    " ": FLOOR,
    ".": GOAL,
    "$": BOX,
    "*": BOX + GOAL,
    "@": PLAYER,
    "+": PLAYER + GOAL,
    "#": WALL,
}
COLORS = np.array(
    [
        [32, 34, 40],
        [96, 48, 52],
        [176, 124, 64],
        [88, 165, 92],
        [84, 148, 220],
        [150, 132, 220],
        [90, 94, 104],
    ],
    np.uint8,
)
MESSAGE = Text(40, charset=string.ascii_letters + string.digits + " :")

LEVELS = """
; A line for a start.
#####
#@$.#
#####

######
#  + #
# $* #
#    #
######

 ######
 #  ..#
##  $ #
#  $  #
#  @ ##
######

#######
#. . .#
# $$$ #
#  @  #
#######
"""


def read_levels(text):
    """Return the boards of a text in the usual signs, an array (levels, rows, columns) of uint8.

    It is as large as the largest level; around smaller ones there are walls.
    """
    if not isinstance(text, str):
        raise TypeError(f"levels is {text!r}; expected a text.")
    lines = [line for line in text.splitlines() if not line.startswith(";")]
    blocks = "\n".join(line.rstrip() for line in lines).strip("\n").split("\n\n")
    levels = [block.strip("\n").split("\n") for block in blocks]
    rows = max(map(len, levels))
    columns = max(len(line) for level in levels for line in level)
    boards = np.full((len(levels), rows, columns), WALL, np.uint8)
    for k, level in enumerate(levels):
        read_level(level, boards[k], k + 1)
    return boards


def read_level(lines, board, number):
    """Write a level into a board."""
    for row, line in enumerate(lines):
        for column, sign in enumerate(line):
            if sign not in CODES:
                raise ValueError(
                    f"Level {number} has a {sign!r}; expected {''.join(CODES)!r} alone."
                )
            board[row, column] = CODES[sign]
    players = np.isin(board, (PLAYER, PLAYER + GOAL)).sum()
    boxes = np.isin(board, (BOX, BOX + GOAL)).sum()
    goals = np.isin(board, (GOAL, BOX + GOAL, PLAYER + GOAL)).sum()
    if players != 1 or boxes != goals or not (board == BOX).any():
        raise ValueError(
            f"Level {number} has {players} players, {boxes} boxes and {goals} goals; expected one "
            "player, and as many goals as boxes, of which one at least is on none."
        )


class SokobanEnv(gymnasium.Env):
    """Push every box onto a goal. Boxes can be pushed, one at a time, and not pulled.

    Each episode is on a level drawn at random; it ends when no box is left to push. What is
    observed is the board, and a message that says how far it is.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 - Gymnasium's own

    def __init__(
        self, levels=LEVELS, step_reward=-0.1, box_reward=1.0, end_reward=10.0, render_mode=None
    ):
        self.levels = read_levels(levels)
        self.size = self.levels.shape[1:]
        board = Box(FLOOR, WALL, self.size, np.uint8)
        self.observation_space = Dict(board=board, message=MESSAGE)
        self.action_space = Discrete(4)
        self.step_reward = step_reward
        self.box_reward = box_reward
        self.end_reward = end_reward
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.level = int(self.np_random.integers(len(self.levels)))
        cells = {cell: int(code) for cell, code in np.ndenumerate(self.levels[self.level])}
        self.walls = {cell for cell, code in cells.items() if code == WALL}
        self.goals = {cell for cell, code in cells.items() if code != WALL and code % 2 == GOAL}
        self.boxes = {cell for cell, code in cells.items() if code in (BOX, BOX + GOAL)}
        self.player = next(cell for cell, code in cells.items() if code in (PLAYER, PLAYER + GOAL))
        return self.observation(), {}

    def step(self, action):
        down, right = MOVES[int(action)]
        row, column = self.player
        ahead, beyond = (row + down, column + right), (row + 2 * down, column + 2 * right)
        if self.is_wall(ahead) or (
            ahead in self.boxes and (self.is_wall(beyond) or beyond in self.boxes)
        ):
            return self.observation(), self.step_reward, False, False, {}

        self.player = ahead
        reward = self.step_reward
        if ahead in self.boxes:
            self.boxes.remove(ahead)
            self.boxes.add(beyond)
            reward += self.box_reward * ((beyond in self.goals) - (ahead in self.goals))
        solved = self.boxes == self.goals
        if solved:
            reward += self.end_reward
        return self.observation(), reward, solved, False, {}

    def is_wall(self, cell):
        inside = 0 <= cell[0] < self.size[0] and 0 <= cell[1] < self.size[1]
        return cell in self.walls or not inside

    def observation(self):
        board = np.full(self.size, FLOOR, np.uint8)
        for cells, code in (self.walls, WALL), (self.goals, GOAL), (self.boxes, BOX):
            for cell in cells:
                board[cell] += code
        board[self.player] += PLAYER
        return {"board": board, "message": self.message()}

    def message(self):
        left = len(self.boxes - self.goals)
        if left == 0:
            return f"Level {self.level + 1}: solved"
        return f"Level {self.level + 1}: {left} box{'es' if left > 1 else ''} to go"

    def render(self):
        return COLORS[self.observation()["board"]].repeat(20, axis=0).repeat(20, axis=1)
