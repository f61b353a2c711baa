"""# EgoHealthGathering-v0

The floor is acid, and medikits fall from the sky: take them, to live as long as possible.

After the scenario "health gathering" of ViZDoom (Kempka and others, 2016). How much the acid hurts,
how large the room is, and how often medikits fall, are not taken from there.

## Action Space

`Discrete(4)`: 0 nothing, 1 turn left, 2 turn right, 3 forward.

## Observation Space

`Box(0, 255, (72, 128, 3), uint8)`: what the player sees.

## Rewards

1 for a tic that the player survives, -100 at its death. The task counts as solved at 1000.

## Starting State

A room of 16 by 16 cells, with 10 medikits at random places; the player in the middle, in full
health, looking anywhere.

## Episode End

Terminated at the death. Every 32 tics the acid takes 8 of 100 points of health. Every 32 tics, a
medikit falls to a random place, unless 24 things lie there; a medikit gives 25 points. The time
limit is 525 steps of 4 tics.

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
  own](../egocentric.md#maps-of-your-own) in place of the room.

The infos are `health`, `ammo` and `kills`.

## Version History

- v0: first version.
"""

from gymnasium.spaces import Discrete

from batchsim.envs.egocentric.allowed import check_state
from batchsim.envs.egocentric.items import heal, put_item, take
from batchsim.envs.egocentric.layout import Arguments, lay, settle, tables
from batchsim.envs.egocentric.maps import free_place, room
from batchsim.envs.egocentric.overview import RENDER_FPS, overview
from batchsim.envs.egocentric.renderer import Scratch, draw
from batchsim.envs.egocentric.textures import ACID, BRICKS, CEILING
from batchsim.envs.egocentric.view import (
    Info,
    Params,
    check_params,
    held,
    inform,
    pixels,
)
from batchsim.envs.egocentric.world import (
    ITEMS,
    MEDIKIT,
    NOTHING,
    VIAL,
    State,
    axis,
    begin,
    move,
    tick,
    turn,
)
from batchsim.math import pi
from batchsim.random import random, uniform

SIDE = 16  # cells
AT_FIRST = 10  # medikits
EVERY = 32  # tics
BURN, HEALING, POISON = 8.0, 25.0, 20.0  # points of health
OBSERVATION = pixels
ACTION = Discrete(4)
LEFT, RIGHT, FORWARD = 1, 2, 3
KEYS = {None: 0, "left": LEFT, "a": LEFT, "right": RIGHT, "d": RIGHT, "up": FORWARD, "w": FORWARD}


def reset(s, i, p, rng):
    if p.has_layout[0]:
        x, y = lay(s, i, p, rng)
    else:
        room(s, i, SIDE, SIDE, BRICKS)
        x, y = 1.0 + SIDE / 2, 1.0 + SIDE / 2
    begin(s, i, x, y, uniform(rng, i, -pi, pi), 0)
    for k in range(AT_FIRST):
        fall(s, i, k, 0.0, rng)


def fall(s, i, k, vials, rng):
    """Let something fall into slot k: a medikit, or with probability `vials` a vial of poison."""
    kind = VIAL if vials > 0.0 and random(rng, i) < vials else MEDIKIT
    x, y = free_place(s, i, rng)
    put_item(s, i, k, kind, x, y)


def gather(s, i, button, vials, p, rng):
    """Go on for a step among things of which so many are vials."""
    reward = 0.0
    for _ in range(p.frame_skip):
        tick(s, i)
        turn(s, i, axis(button, LEFT, RIGHT))
        move(s, i, 1 if button == FORWARD else 0, 0)
        kind, _ = take(s, i, ITEMS)
        if kind == MEDIKIT:
            heal(s, i, HEALING)
        elif kind == VIAL:
            heal(s, i, -POISON)
        if s.tic[i] % EVERY == 0:
            heal(s, i, -BURN)
            for k in range(ITEMS):
                if s.item[i, k] == NOTHING:
                    fall(s, i, k, vials, rng)
                    break
        if s.health[i] <= 0.0:
            return reward - 100.0, True
        reward += 1.0
    return reward, False


def step(s, i, action, p, rng):
    return gather(s, i, held(s, i, action, p, rng), 0.0, p, rng)


def observe(s, i, p, out):
    draw(s, i, p, ACID, CEILING, out)


def renderer(p):
    """Return a function (s, i) -> frame: what the player sees, beside a map."""
    return overview("EgoHealthGathering-v0", p)
