"""BabyAI-GoTo… in a maze of rooms."""

from typing import NamedTuple

from batchsim.envs.babyai.descriptions import ask_for
from batchsim.envs.babyai.furnishing import can_reach_all, connect, fill_maze, random_last, scatter
from batchsim.envs.babyai.generator import Generator
from batchsim.envs.babyai.level import OWN, Level
from batchsim.envs.babyai.locked import lock_room, place_agent_outside, scatter_in_all
from batchsim.envs.babyai.things import MOST, code_of
from batchsim.envs.babyai.words import GO_TO
from batchsim.envs.minigrid.cells import DOOR, cell, colour_of
from batchsim.envs.minigrid.rooms import ANY
from batchsim.ranges import require_between

DOORS_OPEN = OWN + 1


class GoTo(Level):
    """# BabyAI-GoTo

    Go to one of the things in a maze of rooms, whose doors may be open from the start.

    ## Starting State

    Doors at random connect all rooms, in which `num_dists` random things lie. One can get to
    all of them through doors without moving another. The doors are closed, or with `doors_open`
    open.
    """

    class Arguments(NamedTuple):
        room_size: int = 8
        num_rows: int = 3
        num_cols: int = 3
        num_dists: int = 18
        doors_open: bool = False
        max_steps: int | None = None

    def things_of(p):
        return p.num_dists

    def numbers_of(p):
        require_between("num_dists", p.num_dists, 1, MOST)
        return p.num_dists, p.doors_open

    def generate(s, i, p, rng):
        count = p.grid[OWN]
        if not (fill_maze(s, i, p, rng, count) and can_reach_all(s, i, p)):
            return False
        ask_for(s, i, 0, GO_TO, random_last(s, i, rng, count))
        if p.grid[DOORS_OPEN]:
            for number in range(1, s.last[i] - count + 1):
                colour = colour_of(code_of(s, i, number))
                s.cells[i, s.places[i, number]] = cell(DOOR, colour)
        return True


class GoToImpUnlock(Level):
    """# BabyAI-GoToImpUnlock

    Go to a thing in a room whose door is locked: its key must be found first.

    ## Starting State

    Doors at random connect all rooms, one of which has a locked door. Two random things lie in
    each room, one more in the locked room, and the key anywhere, be it behind its own door. The
    agent is in another room.
    """

    def things_of(p):
        return 2 + 2 * p.num_rows * p.num_cols

    def generate(s, i, p, rng):
        room = lock_room(s, i, p, rng)
        return (
            room != ANY
            and connect(s, i, p, rng, ANY)
            and scatter_in_all(s, i, p, rng, 2)
            and place_agent_outside(s, i, p, rng, room)
            and can_reach_all(s, i, p)
            and scatter(s, i, p, rng, room, 1, False)
            and ask_for(s, i, 0, GO_TO, s.last[i])
        )


class GoToSeq(Generator):
    """# BabyAI-GoToSeq

    Go to one thing, or to several, in the order that is asked for.

    ## Starting State

    Doors at random connect all rooms, in which `num_dists` random things lie. One can get to
    all of them through doors without moving another.
    """

    IS_UNBLOCKING = False
    HAS_LOCATIONS = False
    ACTIONS = ("goto",)

    class Arguments(NamedTuple):
        room_size: int = 8
        num_rows: int = 3
        num_cols: int = 3
        num_dists: int = 18
        max_steps: int | None = None

    def chance_of(p):
        return 0.0
