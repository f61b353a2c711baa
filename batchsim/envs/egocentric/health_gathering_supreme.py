"""# EgoHealthGatheringSupreme-v0

Health gathering in a maze, where some of what falls from the sky is poison.

After the scenario "health gathering supreme" of ViZDoom (Kempka and others, 2016), whose map is
always the same.

## Action Space

`Discrete(4)`: 0 nothing, 1 turn left, 2 turn right, 3 forward.

## Observation Space

`Box(0, 255, (72, 128, 3), uint8)`: what the player sees.

## Rewards

1 for a tic that the player survives, -100 at its death.

## Starting State

A maze of 7 by 7 rooms, each of 2 by 2 cells, is drawn, in which each room is reached from each
other. 16 things lie in it, and the player is somewhere in it, in full health, looking anywhere.

## Episode End

Terminated at the death. Acid and medikits are those of `EgoHealthGathering-v0`; three of ten things
are vials, which take 20 points of health. The time limit is 525 steps of 4 tics.

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
- `layout`, strings, a text or the name of its file, by default None: [a map of your
  own](../egocentric.md#maps-of-your-own) in place of the drawn one.

The infos are `health`, `ammo` and `kills`.

## Version History

- v0: first version.
"""

from gymnasium.spaces import Discrete

from batchsim.envs.egocentric.allowed import check_state
from batchsim.envs.egocentric.health_gathering import KEYS, fall, gather, observe
from batchsim.envs.egocentric.layout import Arguments, lay, settle, tables
from batchsim.envs.egocentric.maps import free_place, maze
from batchsim.envs.egocentric.overview import RENDER_FPS, overview
from batchsim.envs.egocentric.renderer import Scratch
from batchsim.envs.egocentric.view import (
    Info,
    Params,
    check_params,
    held,
    inform,
    pixels,
)
from batchsim.envs.egocentric.world import State, begin
from batchsim.math import pi
from batchsim.random import uniform

SIDE, WIDTH, DOOR, LOOPS = 7, 2, 2, 24  # rooms a side, cells a room and a door, doors more
AT_FIRST = 16  # things
VIALS = 0.3
OBSERVATION = pixels
ACTION = Discrete(4)


def reset(s, i, p, rng):
    if p.has_layout[0]:
        x, y = lay(s, i, p, rng)
    else:
        maze(s, i, rng, SIDE, WIDTH, DOOR, LOOPS)
        x, y = free_place(s, i, rng)
    begin(s, i, x, y, uniform(rng, i, -pi, pi), 0)
    for k in range(AT_FIRST):
        fall(s, i, k, VIALS, rng)


def step(s, i, action, p, rng):
    return gather(s, i, held(s, i, action, p, rng), VIALS, p, rng)


def renderer(p):
    """Return a function (s, i) -> frame: what the player sees, beside a map."""
    return overview("EgoHealthGatheringSupreme-v0", p)
