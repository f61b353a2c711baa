"""Snake as an ordinary Gymnasium environment: one object a game."""

from collections import deque

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

FREE, BODY, HEAD, FOOD = 0, 1, 2, 3
UP, RIGHT, DOWN, LEFT = 0, 1, 2, 3
MOVES = {UP: (-1, 0), RIGHT: (0, 1), DOWN: (1, 0), LEFT: (0, -1)}
COLORS = np.array([[24, 26, 31], [88, 165, 92], [160, 220, 120], [214, 72, 72]], np.uint8)


class SnakeEnv(gymnasium.Env):
    """A snake eats, grows, and dies at a wall or at its own body.

    A turn into the opposite direction is ignored. The game is won when the snake fills the board.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 - Gymnasium's own

    def __init__(
        self, size=8, food_reward=1.0, death_reward=-1.0, step_reward=-0.01, render_mode=None
    ):
        self.observation_space = Box(FREE, FOOD, (size, size), np.uint8)
        self.action_space = Discrete(4)
        self.size = size  # rows, and columns, of the board
        self.food_reward = food_reward
        self.death_reward = death_reward
        self.step_reward = step_reward
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        row = self.size // 2
        self.snake = deque([(row, 3), (row, 2), (row, 1)])  # the head first
        self.direction = RIGHT
        self.place_food()
        return self.observation(), {}

    def step(self, action):
        if action != (self.direction + 2) % 4:
            self.direction = action
        row, column = self.snake[0]
        down, right = MOVES[self.direction]
        head = (row + down, column + right)

        inside = 0 <= head[0] < self.size and 0 <= head[1] < self.size
        # The tail's cell is free by the time the head is there.
        if not inside or (head in self.snake and head != self.snake[-1]):
            return self.observation(), self.death_reward, True, False, {}

        eats = head == self.food
        if not eats:
            self.snake.pop()
        self.snake.appendleft(head)
        if not eats:
            return self.observation(), self.step_reward, False, False, {}

        won = len(self.snake) == self.size * self.size
        if won:
            self.food = None
        else:
            self.place_food()
        return self.observation(), self.food_reward, won, False, {}

    def place_food(self):
        cells = [(row, column) for row in range(self.size) for column in range(self.size)]
        free = [cell for cell in cells if cell not in self.snake]
        self.food = free[self.np_random.integers(len(free))]

    def observation(self):
        board = np.zeros((self.size, self.size), np.uint8)
        for cell in self.snake:
            board[cell] = BODY
        board[self.snake[0]] = HEAD
        if self.food is not None:
            board[self.food] = FOOD
        return board

    def render(self):
        return COLORS[self.observation()].repeat(20, axis=0).repeat(20, axis=1)
