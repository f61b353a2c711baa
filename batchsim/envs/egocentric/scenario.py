"""What all scenarios are: a world, what a player sees of it, and what a caller may set.

A scenario is a class that inherits from one of these and has the rest: what its players may do, its
map, and what happens in a tic.
"""

from batchsim.envs.egocentric.allowed import check_state
from batchsim.envs.egocentric.layout import Arguments, lay, settle, to_tables
from batchsim.envs.egocentric.overview import RENDER_FPS, overview
from batchsim.envs.egocentric.renderer import Scratch, draw
from batchsim.envs.egocentric.textures import CEILING, FLOOR
from batchsim.envs.egocentric.view import Info, Params, check_params, held, inform, pixels, tables
from batchsim.envs.egocentric.world import State, begin, tick
from batchsim.family import env
from batchsim.math import pi
from batchsim.random import uniform


class Scenario:
    """A scenario has `ACTION`, `KEYS`, `reset`, and `play(s, i, button, reward, rng)`.

    `play` is what happens in a tic while a button is down. It returns the reward of the step so
    far, of which it was told, and whether the episode is over.

    ## Observation Space

    `Box(0, 255, (72, 128, 3), uint8)`: what the player sees.

    ## Arguments

    - `frame_skip`, int, by default 4: the tics of a step.
    - `sticky`, float, by default 0: how likely a step repeats the buttons of the one before.
    - `width`, `height`, ints, by default 128 and 72: of the picture.
    - `fov`, float, by default 90: the angle of view in degrees.
    - `grayscale`, `channels_first`, bools, by default False: one channel in place of three;
      (channels, height, width) in place of (height, width, channels).
    - `depth`, `labels`, bools, by default False: a `Dict` of `pixels` and of how far away, in
      cells, is what each pixel shows, and of what that is.
    - `status_bar`, bool, by default False: health, kills and ammunition at the picture's lower
      edge.

    The infos are `health`, `ammo` and `kills`.

    ## Version History

    - v0: first version.
    """

    State, Scratch, Params, Info = State, Scratch, Params, Info
    OBSERVATION = pixels
    FLOOR, CEILING = FLOOR, CEILING  # their textures
    RENDER_FPS = RENDER_FPS
    tables, inform, check_params, check_state = tables, inform, check_params, check_state

    def step(s, i, action, p, rng):
        button = held(s, i, action, p, rng)
        reward, is_over = 0.0, False
        for _ in range(p.frame_skip):
            tick(s, i)
            reward, is_over = env.play(s, i, button, reward, rng)
            if is_over:
                break
        return reward, is_over

    def observe(s, i, p, out):
        draw(s, i, p, env.FLOOR, env.CEILING, out)

    @classmethod
    def renderer(cls, p):
        """Return a function (s, i) -> frame: what the player sees, beside a map."""
        return overview(cls, p)


class OnMaps(Scenario):
    """A scenario whose map the caller may draw.

    In place of `reset` it has `build(s, i, rng)`, which makes the map of an episode and returns
    where the player starts, and `furnish(s, i, rng)`, which puts monsters and items there.

    ## Maps

    `layout`, strings, a text or the name of its file, by default None, is [a map of your
    own](../egocentric.md#maps-of-your-own) in place of the scenario's.
    """

    Arguments, settle = Arguments, settle
    HAS_GOALS = False  # whether a map says where a vest may lie
    AMMO = 0  # at first

    @classmethod
    def tables(cls, arguments):
        return to_tables(arguments, cls.HAS_GOALS)

    def reset(s, i, p, rng):
        if p.has_layout[0]:
            x, y = lay(s, i, p, rng)
        else:
            x, y = env.build(s, i, rng)
        begin(s, i, x, y, uniform(rng, i, -pi, pi), env.AMMO)
        env.furnish(s, i, rng)
