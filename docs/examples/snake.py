"""Snake: eat, grow, hit neither a wall nor yourself. Actions: 0 up, 1 right, 2 down, 3 left; a turn
into the opposite direction is ignored. Won when the snake fills the board.
"""

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

import batchsim
from batchsim.random import integers

FREE, BODY, HEAD, FOOD = 0, 1, 2, 3
DOWN, RIGHT = (-1, 0, 1, 0), (0, 1, 0, -1)  # what each direction adds to row and column
SMALLEST, LARGEST = 4, 256  # boards: the snake has to fit in, and uint16 to number the cells
ACTION = Discrete(4)


def OBSERVATION(p):
    return Box(FREE, FOOD, (p.size, p.size), np.uint8)


class State(NamedTuple):
    body: batchsim.column(np.uint16, lambda p: p.size * p.size)  # a ring of cells, the head last
    taken: batchsim.column(bool, lambda p: p.size * p.size)  # whether the body is on a cell
    front: int  # where in the ring the head is
    length: int
    direction: int
    food: int  # a cell


class Params(NamedTuple):
    size: int = 8  # rows, and columns, of the board
    food_reward: float = 1.0
    death_reward: float = -1.0
    step_reward: float = -0.01


def check_params(params):
    if not SMALLEST <= params.size <= LARGEST:
        raise ValueError(f"size is {params.size}; expected from {SMALLEST} to {LARGEST}.")


def reset(s, i, p, rng):
    s.body[i], s.taken[i] = 0, False
    for k in range(3):
        s.body[i, k] = p.size // 2 * p.size + 1 + k
        s.taken[i, s.body[i, k]] = True
    s.front[i], s.length[i], s.direction[i] = 2, 3, 1
    place_food(s, i, p, rng)


def step(s, i, action, p, rng):
    cells = p.size * p.size
    if action != (s.direction[i] + 2) % 4:
        s.direction[i] = action
    head = int(s.body[i, s.front[i]])
    tail = int(s.body[i, (s.front[i] - s.length[i] + 1) % cells])
    row = head // p.size + DOWN[s.direction[i]]
    column = head % p.size + RIGHT[s.direction[i]]
    cell = row * p.size + column
    inside = 0 <= row < p.size and 0 <= column < p.size
    if not inside or (s.taken[i, cell] and cell != tail):
        return p.death_reward, True
    eats = cell == s.food[i]
    s.taken[i, tail] = eats
    s.taken[i, cell] = True
    s.length[i] += eats
    s.front[i] = (s.front[i] + 1) % cells
    s.body[i, s.front[i]] = cell
    if eats and s.length[i] < cells:
        place_food(s, i, p, rng)
    return p.food_reward if eats else p.step_reward, s.length[i] == cells


def place_food(s, i, p, rng):
    cell = integers(rng, i, 0, p.size * p.size - s.length[i])  # counts the free cells alone
    for k in range(p.size * p.size):
        if k <= cell and s.taken[i, k]:
            cell += 1
    s.food[i] = cell


def observe(s, i, p, out):
    out[:] = FREE
    out[s.food[i] // p.size, s.food[i] % p.size] = FOOD
    for k in range(s.length[i]):
        cell = s.body[i, (s.front[i] - k) % (p.size * p.size)]
        out[cell // p.size, cell % p.size] = HEAD if k == 0 else BODY
