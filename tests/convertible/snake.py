"""Snake on a ring: a deque, membership in it, and a comprehension over the cells that are free."""

import collections
import random

import gymnasium as gym
import numpy as np

Cell = collections.namedtuple("Cell", "x y")

# clockwise, so that +1 is a turn to the right
COMPASS = [Cell(0, -1), Cell(1, 0), Cell(0, 1), Cell(-1, 0)]


class RingSnake(gym.Env):
    metadata = {"render_modes": ["ansi"]}

    def __init__(self, width=6, height=6, patience=60, render_mode=None):
        self.width = width
        self.height = height
        self.patience = patience
        self.render_mode = render_mode
        self.action_space = gym.spaces.Discrete(3)  # straight on, right, left
        self.observation_space = gym.spaces.Box(0, 3, (height, width), dtype=np.uint8)
        self.best_score = 0
        self.log = []

    # ------------------------------------------------------------------ api
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        middle = Cell(self.width // 2, self.height // 2)
        self.body = collections.deque([middle, Cell(middle.x - 1, middle.y)])
        self.heading = 1
        self.score = 0
        self.hungry = 0
        self.apple = self._new_apple()
        return self._grid(), self._info()

    def step(self, action):
        if action == 1:
            self.heading = (self.heading + 1) % 4
        elif action == 2:
            self.heading = (self.heading - 1) % 4

        head = self._next(self.body[0])
        self.hungry += 1
        reward = -0.01

        # the tail moves away, unless the snake grows
        if head in list(self.body)[:-1]:
            self.log.append(("bitten", self.score))
            return self._grid(), -1.0, True, False, self._info()

        self.body.appendleft(head)
        if head == self.apple:
            self.score += 1
            self.hungry = 0
            reward = 1.0 + 0.1 * len(self.body)
            if len(self.body) == self.width * self.height:
                return self._grid(), 10.0, True, False, self._info()
            self.apple = self._new_apple()
        else:
            self.body.pop()

        starved = self.hungry >= self.patience
        self.best_score = max(self.best_score, self.score)
        return self._grid(), reward, False, starved, self._info()

    # -------------------------------------------------------------- helpers
    def _next(self, cell):
        d = COMPASS[self.heading]
        return Cell((cell.x + d.x) % self.width, (cell.y + d.y) % self.height)

    def _new_apple(self):
        free = [
            Cell(x, y)
            for y in range(self.height)
            for x in range(self.width)
            if Cell(x, y) not in self.body
        ]
        return free[self.np_random.integers(len(free))]

    def _grid(self):
        grid = np.zeros((self.height, self.width), dtype=np.uint8)
        for part in self.body:
            grid[part.y, part.x] = 1
        grid[self.body[0].y][self.body[0].x] = 2
        if self.apple not in self.body:
            grid[self.apple.y, self.apple.x] = 3
        return grid

    def _info(self):
        return {"score": self.score, "length": len(self.body)}

    def render(self):
        return "\n".join("".join(".o@*"[v] for v in row) for row in self._grid())


class RefusedTrail(RingSnake):
    """Refused: a list grew beyond its capacity; `trail` holds every cell that was ever crossed."""

    def reset(self, *, seed=None, options=None):
        self.trail = []
        return super().reset(seed=seed, options=options)

    def step(self, action):
        obs, reward, terminated, truncated, info = super().step(action)
        reward -= 0.001 * self.trail.count(self.body[0])
        self.trail.append(self.body[0])
        # nobody starves here: a snake that goes straight on lives for ever
        return obs, reward, terminated, False, info


def play(env, steps=100):
    """A game at random, for those who only want to look."""
    env.reset(seed=random.randrange(1000))
    for _ in range(steps):
        env.step(env.action_space.sample())
        print(env.render())
