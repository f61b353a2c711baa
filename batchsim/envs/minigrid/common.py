"""What all environments of MiniGrid have in common, as a family of definitions."""

import string
from typing import Any, NamedTuple

import numpy as np
from gymnasium.spaces import Dict, Discrete, MultiDiscrete, Text

from batchsim.envs.minigrid import views
from batchsim.envs.minigrid.allowed import check_world
from batchsim.envs.minigrid.grid import LIMIT, lay_out
from batchsim.envs.minigrid.painter import painter
from batchsim.envs.minigrid.view import Partial, Scratch
from batchsim.envs.minigrid.world import State, act
from batchsim.family import env, merge


class Params(NamedTuple):
    agent_view_size: int = 7
    see_through_walls: bool = False


class Open(NamedTuple):
    """Parameters where MiniGrid's own environments see through walls."""

    agent_view_size: int = 7
    see_through_walls: bool = True


class MiniGrid(Partial):
    """A definition has `Arguments`, of which `steps_of(p)` makes the time limit, `reset`, and what
    differs from this of `size_of(p)`, of `play`, the rules of a step, and of the mission.

    ## Action Space

    `Discrete(7)`: 0 turns left, 1 right, 2 moves forward, 3 picks up, 4 drops, 5 toggles what is
    ahead, 6 says that the task is done.

    ## Observation Space

    By default a `Dict` of the `direction` in which the agent looks, the `mission`, and the `image`:
    of each cell that the agent sees, (column, row), its kind, its colour and the state of a door.
    Other observations are those of MiniGrid's wrappers, by two arguments. `view` is what the image
    is:

    | `view` | `image` | the wrapper |
    |---|---|---|
    | `"partial"` | the cells that the agent sees | |
    | `"full"` | all cells of the grid | `FullyObsWrapper` |
    | `"onehot"` | the cells that the agent sees, as bits | `OneHotPartialObsWrapper` |
    | `"symbolic"` | of all cells column, row and kind | `SymbolicObsWrapper` |
    | `"rgb"` | a picture of the grid | `RGBImgObsWrapper` |
    | `"rgb_partial"` | a picture of what the agent sees | `RGBImgPartialObsWrapper` |

    Pictures have `tile_size` pixels, 8 by default, for the side of a cell. `form` is what there is
    beside the image: `"dict"`; `"image"`, the image alone (`ImgObsWrapper`); or `"flat"`, the image
    and the letters of the mission in one array (`FlatObsWrapper`). How far the agent sees are the
    parameters `agent_view_size`, an odd number, and `see_through_walls`.

    ## Rewards

    A success brings `1 - 0.9 * steps / max_steps`: the sooner, the more. Anything else brings
    nothing.

    ## Episode End

    Terminated by success; truncated after `max_steps`, an argument.

    ## Version History

    Versions are MiniGrid's, and so are the rules: of its release 3.
    """

    State, Scratch = State, Scratch
    Params: Any = Params  # or Open
    ACTION = Discrete(7)
    KEYS = {
        "left": 0, "right": 1, "up": 2, "tab": 3, "page up": 3, "left shift": 4, "page down": 4,
        "space": 5, "return": 6,
    }  # fmt: skip
    RENDER_FPS = 10
    MISSION = ""  # or `text` and `say`, where it differs by episode
    WORDS: tuple[int, ...] = (1,)  # how many values each token of a mission has
    LONGEST = 100  # letters of a mission

    LEAST = 3  # of `size`
    HAS_WALLS = True  # around the grid

    def __init_subclass__(cls):
        """Add the arguments of views to a definition's own."""
        if "Arguments" in vars(cls):
            cls.Arguments = merge(cls.Arguments, views.Views)

    @classmethod
    def choose(cls, arguments):
        return views.choose(cls, arguments)

    def size_of(p):
        """Return width and height of the grid."""
        return p.size, p.size

    def extras_of(p):
        """Return numbers that `reset` and `step` find in `p.grid`, from EXTRA on."""
        return ()

    @classmethod
    def tables(cls, p):
        if p.agent_view_size < 3 or p.agent_view_size % 2 == 0:
            raise ValueError(
                f"agent_view_size is {p.agent_view_size}; expected an odd number of at least 3."
            )
        if "size" in cls.Arguments._fields and p.size < cls.LEAST:
            raise ValueError(f"size is {p.size}; expected at least {cls.LEAST}.")
        width, height = cls.size_of(p)
        steps = cls.steps_of(p) if p.max_steps is None else p.max_steps
        if steps < 1:
            raise ValueError(f"max_steps is {steps}; expected at least 1.")
        return lay_out(width, height, steps, p.agent_view_size, cls.HAS_WALLS, cls.extras_of(p))

    @classmethod
    def OBSERVATION(cls, p):
        return Dict(
            direction=Discrete(4),
            image=cls.image_of(p),
            mission=Text(cls.LONGEST, min_length=0, charset=string.ascii_letters + " ,"),
        )

    @classmethod
    def TOKENS(cls, p):
        return MultiDiscrete(cls.WORDS, np.uint8)

    @classmethod
    def text(cls, tokens):
        return cls.MISSION

    @classmethod
    def check_state(cls, s, p):
        check_world(s, p, cls.WORDS)

    def REWARD_TYPE(reward):
        return int(reward) if reward.is_integer() else reward

    def step(s, i, action, p, rng):
        s.steps[i] += 1
        reward, terminated = env.play(s, i, action, p, rng)
        return reward, terminated, s.steps[i] >= p.grid[LIMIT]

    def play(s, i, action, p, rng):
        return act(s, i, action, p)

    def renderer(p):
        """Return a function (s, i) -> frame that draws the grid, what the agent sees lighter."""
        return painter(p)

    def say(s, i, p, out):
        """Write the tokens of the mission."""
        out[0] = 0

    def observe(s, i, p, out):
        out.direction[0] = s.heading[i]
        env.say(s, i, p, out.mission)
        env.show(s, i, p, out.image)


def started(p, width, height):
    """Return the numbers that `start` puts the agent by."""
    if p.agent_start_pos is None:
        return -1, -1, -1
    x, y = p.agent_start_pos
    if not (0 < x < width - 1 and 0 < y < height - 1 and 0 <= p.agent_start_dir < 4):
        raise ValueError(
            f"agent_start_pos is {p.agent_start_pos!r} and agent_start_dir {p.agent_start_dir!r}; "
            f"expected a cell within the walls of a grid of {width} by {height}, and 0 to 3."
        )
    return x, y, p.agent_start_dir


def require_odd(size):
    """Refuse a grid without a cell in its middle."""
    if size % 2 == 0:
        raise ValueError(f"size is {size}; expected an odd number.")
