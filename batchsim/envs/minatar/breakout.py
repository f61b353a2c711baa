"""MinAtar's Breakout: a ball, a paddle, and bricks."""

from typing import NamedTuple

import numpy as np

import batchsim
from batchsim.envs.minatar.common import LEFT, NOTHING, RIGHT, SIDE, Last, MinAtar, moved
from batchsim.family import merge
from batchsim.random_state import randint
from batchsim.ranges import require_between

PADDLE, BALL, TRAIL, BRICK = range(4)  # channels
TOP, ROWS = 1, 3  # of the bricks
BOTTOM = SIDE - 1


class Field(NamedTuple):
    paddle: np.int8
    ball_x: np.int8
    ball_y: np.int8
    way_x: np.int8  # 1 to the right
    way_y: np.int8  # 1 downwards
    trail_x: np.int8
    trail_y: np.int8
    struck: bool  # whether the ball has met a brick in every step since it broke one
    bricks: batchsim.column(bool, (ROWS, SIDE))


class Breakout(MinAtar):
    """# MinAtar/Breakout

    Break bricks with a ball, which a paddle keeps from falling.

    The ball goes one cell a step, diagonally. At the left and the right border it stays in its
    column for a step, and goes the other way from there; at the upper border it comes into the
    uppermost row and goes down from there. A brick where it would go is broken: the ball stays in
    its row for that step, and turns up or down. After that it passes through bricks, without
    breaking them, until it has been where there is none. Where it would go into the lowest row,
    it turns up and stays in the row above if the paddle is in its column; it goes back where it
    came from if the paddle is in the column that it goes to. The paddle moves first. When no brick
    is left, there are new ones as soon as the ball gets to the lowest row.

    Source: Young and Tian, "MinAtar: An Atari-Inspired Testbed for Thorough and Reproducible
    Reinforcement Learning Experiments" (2019); what it leaves open was seen at the package's games.

    ## Observation Space

    `Box(False, True, (10, 10, 4), bool)`: row, column and channel. The channels are the paddle, the
    ball, its trail, which is where it was before, and bricks.

    ## Rewards

    1 for each brick.

    ## Starting State

    Three rows of bricks. The paddle is in column 4. The ball is in row 3, on the left or on the
    right, and goes down to the middle; which side is drawn.

    ## Episode End

    Terminated when the ball gets to the lowest row and the paddle is in neither column. There is no
    time limit.
    """

    State = merge(Field, Last)
    CHANNELS = ("paddle", "ball", "trail", "brick")
    MINIMAL = (NOTHING, LEFT, RIGHT)

    def check_board(s):
        for name in ("paddle", "ball_x", "ball_y", "trail_x", "trail_y"):
            require_between(name, getattr(s, name), 0, BOTTOM)
        for name in ("way_x", "way_y"):
            require_between(f"{name}, squared,", getattr(s, name) ** 2, 1, 1)

    def reset(s, i, p, rng):
        s.bricks[i] = True
        s.paddle[i] = 4
        s.ball_x[i], s.ball_y[i], s.way_x[i], s.way_y[i] = 0, 3, 1, 1
        if randint(rng, i, 2) == 1:
            s.ball_x[i], s.way_x[i] = BOTTOM, -1
        s.trail_x[i], s.trail_y[i] = s.ball_x[i], s.ball_y[i]
        s.struck[i] = False

    def play(s, i, action, p, rng):
        s.paddle[i] = moved(int(s.paddle[i]), action, LEFT, RIGHT, 0, BOTTOM)
        old_x, old_y = int(s.ball_x[i]), int(s.ball_y[i])
        x, y = old_x + s.way_x[i], old_y + s.way_y[i]
        if x < 0 or x > BOTTOM:
            x = old_x
            s.way_x[i] = -s.way_x[i]

        reward, lost, struck = 0.0, False, False
        if y < 0:
            y = 0
            s.way_y[i] = 1
        elif y == BOTTOM:
            if not s.bricks[i].any():
                s.bricks[i] = True
            if s.paddle[i] == old_x:
                y = old_y
                s.way_y[i] = -1
            elif s.paddle[i] == x:
                y = old_y
                s.way_y[i] = -1
                s.way_x[i] = -s.way_x[i]
            else:
                lost = True
        elif TOP <= y < TOP + ROWS and s.bricks[i, y - TOP, x]:
            struck = True
            if not s.struck[i]:
                reward = 1.0
                s.bricks[i, y - TOP, x] = False
                y = old_y
                s.way_y[i] = -s.way_y[i]

        s.struck[i] = struck
        s.trail_x[i], s.trail_y[i] = old_x, old_y
        s.ball_x[i], s.ball_y[i] = x, y
        return reward, lost

    def show(s, i, p, out):
        out[BOTTOM, s.paddle[i], PADDLE] = True
        out[s.ball_y[i], s.ball_x[i], BALL] = True
        out[s.trail_y[i], s.trail_x[i], TRAIL] = True
        for y in range(ROWS):
            for x in range(SIDE):
                out[TOP + y, x, BRICK] = s.bricks[i, y, x]
