"""# EgoMyWayHome-v0

Sixteen rooms, and a green vest in one of them: find it. The doors are others in each episode, and
the walls of a room tell where it lies.

After the scenario "my way home" of ViZDoom (Kempka and others, 2016). There, the map is always the
same, with nine rooms and a dead end.

## Action Space

`Discrete(6)`: 0 nothing, 1 turn left, 2 turn right, 3 forward, 4 a step to the left, 5 to the
right.

## Observation Space

`Box(0, 255, (72, 128, 3), uint8)`: what the player sees.

## Rewards

1 for the vest, -0.0001 a tic. The task counts as solved at 0.5.

## Starting State

The doors are drawn: a maze in which each room is reached from each other, and up to four doors
more. The player stands in the middle of any room but the vest's, and looks anywhere. The vest lies
in the middle of the room at the lower right.

## Episode End

Terminated when the vest is reached. The time limit is 525 steps of 4 tics.

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
  own](../egocentric.md#maps-of-your-own) in place of the drawn one; `V` is where the
  vest lies, in one of these places if there are several.

The infos are `health`, `ammo` and `kills`.

## Version History

- v0: first version.
"""

from gymnasium.spaces import Discrete

from batchsim.envs.egocentric.allowed import check_state
from batchsim.envs.egocentric.items import put_item, take
from batchsim.envs.egocentric.layout import Arguments, lay, place_of, settle, to_tables
from batchsim.envs.egocentric.maps import maze
from batchsim.envs.egocentric.overview import RENDER_FPS, overview
from batchsim.envs.egocentric.renderer import Scratch, draw
from batchsim.envs.egocentric.textures import CEILING, FLOOR
from batchsim.envs.egocentric.view import (
    Info,
    Params,
    check_params,
    held,
    inform,
    pixels,
)
from batchsim.envs.egocentric.world import VEST, State, axis, begin, move, tick, turn
from batchsim.math import pi
from batchsim.random import integers, uniform

SIDE, WIDTH, DOOR, LOOPS = 4, 4, 2, 4  # rooms a side, cells a room and a door, doors more
OBSERVATION = pixels
ACTION = Discrete(6)
TURN_LEFT, TURN_RIGHT, FORWARD, LEFT, RIGHT = 1, 2, 3, 4, 5
KEYS = {
    None: 0,
    "left": TURN_LEFT,
    "right": TURN_RIGHT,
    "up": FORWARD,
    "w": FORWARD,
    "a": LEFT,
    "d": RIGHT,
}


def tables(arguments):
    return to_tables(arguments, True)


def reset(s, i, p, rng):
    if p.has_layout[0]:
        x, y = lay(s, i, p, rng)
        vest_x, vest_y = place_of(i, p.goals, rng)
    else:
        maze(s, i, rng, SIDE, WIDTH, DOOR, LOOPS)
        start = integers(rng, i, 0, SIDE * SIDE - 1)
        x, y = middle(start % SIDE), middle(start // SIDE)
        vest_x, vest_y = middle(SIDE - 1), middle(SIDE - 1)
    begin(s, i, x, y, uniform(rng, i, -pi, pi), 0)
    put_item(s, i, 0, VEST, vest_x, vest_y)


def middle(room):
    """Where the middle of a room of this row or column is."""
    return room * (WIDTH + 1) + 1 + WIDTH / 2


def step(s, i, action, p, rng):
    button = held(s, i, action, p, rng)
    reward = 0.0
    for _ in range(p.frame_skip):
        tick(s, i)
        turn(s, i, axis(button, TURN_LEFT, TURN_RIGHT))
        move(s, i, 1 if button == FORWARD else 0, axis(button, LEFT, RIGHT))
        reward -= 0.0001
        kind, _ = take(s, i, 1)
        if kind == VEST:
            return reward + 1.0, True
    return reward, False


def observe(s, i, p, out):
    draw(s, i, p, FLOOR, CEILING, out)


def renderer(p):
    """Return a function (s, i) -> frame: what the player sees, beside a map."""
    return overview("EgoMyWayHome-v0", p)
