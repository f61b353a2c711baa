"""# EgoDefendTheCenter-v0

Monsters come from all around, and there are 26 rounds: none should be wasted.

After the scenario "defend the center" of ViZDoom (Kempka and others, 2016). How fast the monsters
walk and bite is not taken from there.

## Action Space

`Discrete(4)`: 0 nothing, 1 turn left, 2 turn right, 3 shoot.

## Observation Space

`Box(0, 255, (72, 128, 3), uint8)`: what the player sees.

## Rewards

1 for each kill, -1 at the player's death. The task counts as solved at 10.

## Starting State

The player stands in the middle of a round room, in full health and with 26 rounds, and looks
anywhere. Five monsters that bite stand along the wall, one in each fifth of it.

## Episode End

Terminated at the player's death. A hit kills a monster; two seconds later another comes from
anywhere along the wall. The time limit is 525 steps of 4 tics.

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

from gymnasium.spaces import Discrete

from batchsim.envs.egocentric.allowed import check_state
from batchsim.envs.egocentric.maps import ARENA, MIDDLE, arena
from batchsim.envs.egocentric.monsters import act, hurt, is_buried, put_monster
from batchsim.envs.egocentric.overview import RENDER_FPS, overview
from batchsim.envs.egocentric.renderer import Scratch, draw
from batchsim.envs.egocentric.textures import CEILING, FLOOR, STONE
from batchsim.envs.egocentric.view import (
    Info,
    Params,
    check_params,
    held,
    inform,
    pixels,
    tables,
)
from batchsim.envs.egocentric.world import MELEE, State, axis, begin, shoot, tick, turn
from batchsim.math import cos, pi, sin
from batchsim.random import uniform

AMMO = 26
COUNT = 5  # monsters
PACE = 0.06  # cells a tic
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
    arena(s, i, STONE)
    begin(s, i, MIDDLE, MIDDLE, uniform(rng, i, -pi, pi), AMMO)
    for k in range(COUNT):
        come(s, i, k, (k + uniform(rng, i, 0.0, 1.0)) / COUNT)


def come(s, i, k, around):
    """Put a monster near the wall, so much of a turn around the room."""
    angle, radius = 2.0 * pi * around, ARENA - 1.2
    x, y = MIDDLE + radius * cos(angle), MIDDLE + radius * sin(angle)
    put_monster(s, i, k, MELEE, x, y, 1)


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
                come(s, i, k, uniform(rng, i, 0.0, 1.0))
    return float(int(s.kills[i]) - before), False


def observe(s, i, p, out):
    draw(s, i, p, FLOOR, CEILING, out)


def renderer(p):
    """Return a function (s, i) -> frame: what the player sees, beside a map."""
    return overview("EgoDefendTheCenter-v0", p)
