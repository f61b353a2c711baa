"""Sokoban as an ordinary Gymnasium environment: one object a game, levels from a text."""

import string

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, Text

SIZE = 8  # rows, and columns, of the greatest board
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
BOARD = Box(FLOOR, WALL, (SIZE, SIZE), np.uint8)
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
    """Return the boards of a text in the usual signs, each with walls around it."""
    lines = [line for line in text.splitlines() if not line.startswith(";")]
    blocks = "\n".join(line.rstrip() for line in lines).strip("\n").split("\n\n")
    return [read_level(block.strip("\n").split("\n"), k + 1) for k, block in enumerate(blocks)]


def read_level(lines, number):
    if len(lines) > SIZE or max(map(len, lines)) > SIZE:
        raise ValueError(f"Level {number} is larger than {SIZE} by {SIZE}; expected a smaller one.")
    board = np.full((SIZE, SIZE), WALL, np.uint8)
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
    return board


class SokobanEnv(gymnasium.Env):
    """Push every box onto a goal. Boxes can be pushed, one at a time, and not pulled.

    Each episode is on a level drawn at random; it ends when no box is left to push. What is
    observed is the board, and a message that says how far it is.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 - Gymnasium's own

    def __init__(
        self, levels=LEVELS, step_reward=-0.1, box_reward=1.0, end_reward=10.0, render_mode=None
    ):
        self.observation_space = Dict(board=BOARD, message=MESSAGE)
        self.action_space = Discrete(4)
        self.levels = read_levels(levels)
        self.step_reward = step_reward
        self.box_reward = box_reward
        self.end_reward = end_reward
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.level = int(self.np_random.integers(len(self.levels)))
        cells = {divmod(k, SIZE): int(code) for k, code in enumerate(self.levels[self.level].flat)}
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
        return cell in self.walls or not (0 <= cell[0] < SIZE and 0 <= cell[1] < SIZE)

    def observation(self):
        board = np.full((SIZE, SIZE), FLOOR, np.uint8)
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
