"""# EgoBasic-v0

One room, one monster that only stands there: step aside until it is straight ahead, and shoot.

After the scenario "basic" of ViZDoom (Kempka and others, 2016). There, a shot costs 5 and the
monster brings 106, which is the same; and a shot leaves some tics after its button.

## Action Space

`Discrete(4)`: 0 nothing, 1 a step to the left, 2 to the right, 3 shoot.

## Observation Space

`Box(0, 255, (72, 128, 3), uint8)`: what the player sees.

## Rewards

-1 a tic, -5 for a shot that misses, 101 for the monster. The task counts as solved at 10.

## Starting State

The player stands at the middle of one wall, with 50 rounds; the monster somewhere along the
opposite one. One hit kills it.

## Episode End

Terminated when the monster is dead. The time limit is 75 steps of 4 tics.

## Arguments

- `frame_skip`, int, by default 4: the tics of a step.
- `sticky`, float, by default 0: how likely a step repeats the buttons of the one before.
- `width`, `height`, ints, by default 128 and 72: of the picture.
- `fov`, float, by default 90: the angle of view in degrees.
- `grayscale`, `channels_first`, bools, by default False: one channel in place of three; (channels,
  height, width) in place of (height, width, channels).
- `depth`, `labels`, bools, by default False: a `Dict` of `pixels` and of how far away, in cells, is
  what each pixel shows, and of what that is.
- `status_bar`, bool, by default False: health, kills and ammunition at the picture's lower edge.

The infos are `health`, `ammo` and `kills`.

## Version History

- v0: first version.
"""

import math

from gymnasium.spaces import Discrete

from batchsim.envs.egocentric.allowed import check_state
from batchsim.envs.egocentric.maps import room
from batchsim.envs.egocentric.monsters import put_monster
from batchsim.envs.egocentric.overview import RENDER_FPS, overview
from batchsim.envs.egocentric.renderer import Scratch, draw
from batchsim.envs.egocentric.textures import BRICKS, CEILING, FLOOR
from batchsim.envs.egocentric.view import (
    Info,
    Params,
    check_params,
    held,
    inform,
    pixels,
    tables,
)
from batchsim.envs.egocentric.world import SHOOTER, State, axis, begin, move, shoot, tick
from batchsim.random import uniform

ROWS, COLUMNS = 6, 9  # of the room
OBSERVATION = pixels
ACTION = Discrete(4)
LEFT, RIGHT, ATTACK = 1, 2, 3
KEYS = {
    None: 0,
    "left": LEFT,
    "a": LEFT,
    "right": RIGHT,
    "d": RIGHT,
    "space": ATTACK,
    "left ctrl": ATTACK,
}


def reset(s, i, p, rng):
    room(s, i, ROWS, COLUMNS, BRICKS)
    begin(s, i, 1.0 + COLUMNS / 2, ROWS + 0.5, -math.pi / 2, 50)
    put_monster(s, i, 0, SHOOTER, uniform(rng, i, 1.5, COLUMNS + 0.5), 1.5, 1)


def step(s, i, action, p, rng):
    button = held(s, i, action, p, rng)
    reward = 0.0
    for _ in range(p.frame_skip):
        tick(s, i)
        move(s, i, 0, axis(button, LEFT, RIGHT))
        reward -= 1.0
        if button == ATTACK:
            shot, hit = shoot(s, i, rng)
            if shot and hit < 0:
                reward -= 5.0
        if s.kills[i] > 0:
            return reward + 101.0, True
    return reward, False


def observe(s, i, p, out):
    draw(s, i, p, FLOOR, CEILING, out)


def renderer(p):
    """Return a function (s, i) -> frame: what the player sees, beside a map."""
    return overview("EgoBasic-v0", p)
