"""MinAtar's Freeway: a road of eight lanes, which a chicken crosses."""

from typing import NamedTuple

import numpy as np

import batchsim
from batchsim.envs.minatar.common import DOWN, NOTHING, SIDE, UP, Last, MinAtar, moved
from batchsim.family import merge
from batchsim.random_state import rand, randint
from batchsim.ranges import require_between

CHICKEN, CAR, SPEED_1 = range(3)  # channels; of a car's trail, one a speed
LANES = 8  # lane k is row k + 1
FASTEST, SLOWEST = 1, 5  # steps that a car waits between two moves
START, COLUMN = 9, 4  # of the chicken
PAUSE = 3  # steps from one move of the chicken to the next
STEPS = 2500


class Road(NamedTuple):
    row: np.int8  # of the chicken
    pause: np.int8  # steps until it can move
    time_left: np.int16
    car: batchsim.column(np.int8, (LANES,))  # columns of the cars
    wait: batchsim.column(np.int8, (LANES,))  # steps until they move
    speed: batchsim.column(np.int8, (LANES,))  # steps that they wait; below 0 to the left


class Freeway(MinAtar):
    """# MinAtar/Freeway

    Cross a road of eight lanes, as often as there is time for.

    Each of the rows 1 to 8 has one car. A car of speed k waits k steps between two moves of a cell,
    so that the lowest is the fastest; cars that leave on one side come back on the other. Before
    and after its car moves, each lane is looked at: a chicken that is hit is back in row 9. The
    chicken moves before the cars do, one row at most in three steps; a move against the lower
    border counts.

    Source: Young and Tian, "MinAtar: An Atari-Inspired Testbed for Thorough and Reproducible
    Reinforcement Learning Experiments" (2019); what it leaves open was seen at the package's games.

    ## Observation Space

    `Box(False, True, (10, 10, 7), bool)`: row, column and channel. The channels are the chicken,
    cars, and five of trails: of cars of speed 1 to 5, the cell that they came from.

    ## Rewards

    1 for each time that row 0 is reached; the chicken is back in row 9 then, and the cars, which
    stay where they are, get other speeds.

    ## Starting State

    The chicken is in row 9 and cannot move for three steps. All cars are in column 0. Their speeds
    are drawn, and then which of them go to the left.

    ## Episode End

    Terminated after 2501 steps.
    """

    State = merge(Road, Last)
    CHANNELS = ("chicken", "car", "speed1", "speed2", "speed3", "speed4", "speed5")
    MINIMAL = (NOTHING, UP, DOWN)

    def check_board(s):
        require_between("row", s.row, 0, START)
        require_between("pause", s.pause, 0, PAUSE)
        require_between("time_left", s.time_left, -1, STEPS)
        require_between("car", s.car, 0, SIDE - 1)
        require_between("the size of speed", abs(s.speed), FASTEST, SLOWEST)
        require_between("wait", s.wait, 0, SLOWEST)

    def reset(s, i, p, rng):
        s.car[i] = 0
        drive(s, i, rng)
        s.row[i] = START
        s.pause[i] = PAUSE
        s.time_left[i] = STEPS

    def play(s, i, action, p, rng):
        reward = 0.0
        if s.pause[i] == 0 and (action == UP or action == DOWN):
            s.row[i] = moved(int(s.row[i]), action, UP, DOWN, 0, START)
            s.pause[i] = PAUSE
            if s.row[i] == 0:
                reward = 1.0
                s.row[i] = START
                drive(s, i, rng)
        # What happens in another lane than the chicken's cannot hit it.
        lane = s.row[i] - 1
        was_there = lane < LANES and s.car[i, lane] == COLUMN
        move_cars(s, i)
        if was_there or (lane < LANES and s.car[i, lane] == COLUMN):
            s.row[i] = START
        s.pause[i] = max(s.pause[i] - 1, 0)
        s.time_left[i] -= 1
        return reward, s.time_left[i] < 0

    def show(s, i, p, out):
        out[s.row[i], COLUMN, CHICKEN] = True
        for lane in range(LANES):
            car, speed = s.car[i, lane], s.speed[i, lane]
            out[lane + 1, car, CAR] = True
            trail = (car - (1 if speed > 0 else -1)) % SIDE
            out[lane + 1, trail, SPEED_1 + abs(speed) - FASTEST] = True


def drive(s, i, rng):
    """Draw the speeds of the cars, and then their directions."""
    for lane in range(LANES):
        s.speed[i, lane] = randint(rng, i, FASTEST, SLOWEST + 1)
        s.wait[i, lane] = s.speed[i, lane]
    for lane in range(LANES):
        if rand(rng, i) < 0.5:
            s.speed[i, lane] = -s.speed[i, lane]


def move_cars(s, i):
    """Move each car that has waited long enough."""
    for lane in range(LANES):
        # In a form that is computed for all lanes at once.
        speed, wait = s.speed[i, lane], s.wait[i, lane]
        step = 0 if wait > 0 else 1 if speed > 0 else -1
        car = s.car[i, lane] + step
        s.car[i, lane] = 0 if car == SIDE else SIDE - 1 if car < 0 else car
        s.wait[i, lane] = wait - 1 if wait > 0 else abs(speed)
