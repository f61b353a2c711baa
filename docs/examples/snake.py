"""Snake: eat, grow, hit neither a wall nor yourself. Actions: 0 up, 1 right, 2 down, 3 left; a turn
into the opposite direction is ignored. Won when the snake fills the board.
"""

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

from batchsim.random import integers

SIZE = 8  # rows, and columns, of the board
CELLS = SIZE * SIZE
FREE, BODY, HEAD, FOOD = 0, 1, 2, 3
DOWN, RIGHT = (-1, 0, 1, 0), (0, 1, 0, -1)  # what each direction adds to row and column
OBSERVATION = Box(FREE, FOOD, (SIZE, SIZE), np.uint8)
ACTION = Discrete(4)


class State(NamedTuple):
    body: np.dtype((np.uint8, CELLS))  # a ring of cells, from the tail to the head
    taken: np.dtype((np.bool_, CELLS))  # whether the body is on a cell
    front: int  # where in the ring the head is
    length: int
    direction: int
    food: int  # a cell


class Params(NamedTuple):
    food_reward: float = 1.0
    death_reward: float = -1.0
    step_reward: float = -0.01


def reset(s, i, p, rng):
    s.body[i], s.taken[i] = 0, False
    for k in range(3):
        s.body[i, k] = SIZE // 2 * SIZE + 1 + k
        s.taken[i, s.body[i, k]] = True
    s.front[i], s.length[i], s.direction[i] = 2, 3, 1
    place_food(s, i, rng)


def step(s, i, action, p, rng):
    if action != (s.direction[i] + 2) % 4:
        s.direction[i] = action
    head = int(s.body[i, s.front[i]])
    tail = int(s.body[i, (s.front[i] - s.length[i] + 1) % CELLS])
    row = head // SIZE + DOWN[s.direction[i]]
    column = head % SIZE + RIGHT[s.direction[i]]
    cell = row * SIZE + column
    inside = 0 <= row < SIZE and 0 <= column < SIZE
    if not inside or (s.taken[i, cell] and cell != tail):
        return p.death_reward, True
    eats = cell == s.food[i]
    s.taken[i, tail] = eats
    s.taken[i, cell] = True
    s.length[i] += eats
    s.front[i] = (s.front[i] + 1) % CELLS
    s.body[i, s.front[i]] = cell
    if eats and s.length[i] < CELLS:
        place_food(s, i, rng)
    return p.food_reward if eats else p.step_reward, s.length[i] == CELLS


def place_food(s, i, rng):
    cell = integers(rng, i, 0, CELLS - s.length[i])  # counts the free cells alone
    for k in range(CELLS):
        if k <= cell and s.taken[i, k]:
            cell += 1
    s.food[i] = cell


def observe(s, i, p, out):
    out[:] = FREE
    out[s.food[i] // SIZE, s.food[i] % SIZE] = FOOD
    for k in range(s.length[i]):
        cell = s.body[i, (s.front[i] - k) % CELLS]
        out[cell // SIZE, cell % SIZE] = HEAD if k == 0 else BODY
