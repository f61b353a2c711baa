"""# EgoDefendTheLine-v0

Monsters come from the other side of a room, some bite and some shoot, and each that dies is
followed by a tougher one.

After the scenario "defend the line" of ViZDoom (Kempka and others, 2016). It has no time limit of
its own; the one here is that of "defend the center". How fast the monsters walk and attack, and by
how much they grow tougher, is not taken from there.

## Action Space

`Discrete(4)`: 0 nothing, 1 turn left, 2 turn right, 3 shoot.

## Observation Space

`Box(0, 255, (72, 128, 3), uint8)`: what the player sees.

## Rewards

1 for each kill, -1 at the player's death. The task counts as solved at 15.

## Starting State

The player stands at the middle of the longer wall, in full health, with more rounds than can be
shot within the time limit. Three monsters that bite and three that shoot stand by turns along the
opposite wall.

## Episode End

Terminated at the player's death. A hit kills each of the first monsters; two seconds later another
of its kind stands at a random place along that wall, and endures 10 points of damage more, of which
a hit does 5, 10 or 15. The time limit is 525 steps of 4 tics.

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
from batchsim.envs.egocentric.monsters import act, hurt, is_buried, put_monster
from batchsim.envs.egocentric.overview import RENDER_FPS, overview
from batchsim.envs.egocentric.renderer import Scratch, draw
from batchsim.envs.egocentric.textures import CEILING, FLOOR, METAL
from batchsim.envs.egocentric.view import (
    Info,
    Params,
    check_params,
    held,
    inform,
    pixels,
    tables,
)
from batchsim.envs.egocentric.world import MELEE, SHOOTER, State, axis, begin, shoot, tick, turn
from batchsim.random import uniform

ROWS, COLUMNS = 10, 20  # of the room
AMMO = 200
COUNT = 6  # monsters
PACE = 0.04  # cells a tic
TOUGHER = 10  # points of health from a monster to its successor
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
    room(s, i, ROWS, COLUMNS, METAL)
    begin(s, i, 1.0 + COLUMNS / 2, ROWS + 0.5, -math.pi / 2, AMMO)
    for k in range(COUNT):
        come(s, i, k, (k + 0.5) / COUNT, 1)


def come(s, i, k, along, health):
    """Put a monster into slot k, so much of the way along the wall."""
    x = 1.5 + along * (COLUMNS - 1.0)
    put_monster(s, i, k, MELEE if k % 2 == 0 else SHOOTER, x, 1.5, health)


def step(s, i, action, p, rng):
    button = held(s, i, action, p, rng)
    before = int(s.kills[i])
    for _ in range(p.frame_skip):
        tick(s, i)
        turn(s, i, axis(button, LEFT, RIGHT))
        if button == ATTACK:
            shoot(s, i, rng)
        if hurt(s, i, act(s, i, COUNT, PACE, rng)):
            return float(int(s.kills[i]) - before) - 1.0, True
        for k in range(COUNT):
            if is_buried(s, i, k):
                come(s, i, k, uniform(rng, i, 0.0, 1.0), int(s.monster_full[i, k]) + TOUGHER)
    return float(int(s.kills[i]) - before), False


def observe(s, i, p, out):
    draw(s, i, p, FLOOR, CEILING, out)


def renderer(p):
    """Return a function (s, i) -> frame: what the player sees, beside a map."""
    return overview("EgoDefendTheLine-v0", p)
