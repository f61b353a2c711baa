"""A taxi's town: where each action leads from each state in dry weather, and what it brings."""

import numpy as np

SOUTH, NORTH, EAST, WEST, PICKUP, DROPOFF = range(6)
IN_TAXI, DELIVERED = 4, 20  # a passenger's place, and a reward
PLACES = (0, 4, 20, 23)  # cells, row * 5 + column
WALLS = (1, 6, 15, 17, 20, 22)  # the cells with a wall to their east


def _move(cell, direction):
    row, column = divmod(cell, 5)
    east_is_free = column < 4 and cell not in WALLS
    west_is_free = column > 0 and cell - 1 not in WALLS
    is_free = (row < 4, row > 0, east_is_free, west_is_free)
    return cell + (5, -5, 1, -1)[direction] if is_free[direction] else cell


def _outcome(state, action):
    """Return the next state and the reward, in dry weather."""
    cell, passenger, destination, reward = state // 20, state // 4 % 5, state % 4, -1
    if action < PICKUP:
        cell = _move(cell, action)
    elif action == PICKUP and passenger != IN_TAXI and cell == PLACES[passenger]:
        passenger = IN_TAXI
    elif action == DROPOFF and passenger == IN_TAXI and cell in PLACES:
        passenger = PLACES.index(cell)
        if passenger == destination:
            reward = DELIVERED
    else:
        reward = -10
    return (cell * 5 + passenger) * 4 + destination, reward


OUTCOMES = np.array([[_outcome(state, action) for action in range(6)] for state in range(500)])
NEXT_STATE = OUTCOMES[:, :, 0].astype(np.int16)
REWARD = OUTCOMES[:, :, 1].astype(np.int8)
ACTION_MASK = (OUTCOMES[:, :, 0] != np.arange(500)[:, np.newaxis]).astype(np.int8)
IS_START = [state // 4 % 5 not in (IN_TAXI, state % 4) for state in range(500)]
STARTS = np.append(np.flatnonzero(IS_START), 0).astype(np.int16)  # 0 stands for none of them
START_SUMS = np.cumsum(np.full(300, 1.0 / 300.0))
AHEAD_LEFT_RIGHT = np.array(
    [(0, 2, 3), (1, 3, 2), (2, 1, 0), (3, 0, 1), (4, 4, 4), (5, 5, 5)], np.int8
)
