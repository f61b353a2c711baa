"""BabyAI-PutNext…: put a thing next to another."""

from typing import NamedTuple

from batchsim.envs.babyai.descriptions import ask_to_put
from batchsim.envs.babyai.furnishing import can_reach_all, scatter
from batchsim.envs.babyai.level import OWN
from batchsim.envs.babyai.rooms import OneRoom, TwoRooms
from batchsim.envs.babyai.subsets import draw_two
from batchsim.envs.minigrid.doors import remove_wall
from batchsim.envs.minigrid.rooms import RIGHT, place_agent_in
from batchsim.random import integers
from batchsim.ranges import require_between

CARRIES = OWN + 1
KINDS = 18  # of things, counting colours: all are different


class PutNextLocal(OneRoom):
    """# BabyAI-PutNextLocal

    Put a thing next to another, both in the same room.

    ## Starting State

    `num_objs` random things lie in a room, no two of them alike. One can get to all of them
    without moving another.
    """

    class Arguments(NamedTuple):
        room_size: int = 8
        num_objs: int = 8
        max_steps: int | None = None

    def things_of(p):
        return p.num_objs

    def numbers_of(p):
        require_between("num_objs", p.num_objs, 2, KINDS)
        return (p.num_objs,)

    def generate(s, i, p, rng):
        count = p.grid[OWN]
        if not (
            place_agent_in(s, i, p, rng, 0)
            and scatter(s, i, p, rng, 0, count, True)
            and can_reach_all(s, i, p)
        ):
            return False
        moved, fixed = draw_two(rng, i, count)
        return ask_to_put(s, i, 0, 1 + moved, 1 + fixed)


class PutNext(TwoRooms):
    """# BabyAI-PutNext

    Put a thing next to another, which is in the other one of two rooms without a wall between
    them. With `start_carrying` the agent carries the thing from the first step on; what it
    observes at the reset still shows it on the floor, and dropping it in the first step is not
    counted.

    ## Starting State

    The agent is in the left one of two rooms. `objs_per_room` random things lie in each, no two
    of them alike.
    """

    LEAST_ROOM = 4

    class Arguments(NamedTuple):
        room_size: int = 5
        objs_per_room: int = 2
        start_carrying: bool = False
        max_steps: int | None = None

    def limit_of(p):
        return 8 * p.room_size**2

    def numbers_of(p):
        require_between("objs_per_room", p.objs_per_room, 1, KINDS // 2)
        return p.objs_per_room, p.start_carrying

    def generate(s, i, p, rng):
        if not furnish(s, i, p, rng, p.grid[OWN]):
            return False
        count = p.grid[OWN]
        moved = 1 + integers(rng, i, 0, count)
        fixed = 1 + count + integers(rng, i, 0, count)
        if integers(rng, i, 0, 2) == 0:
            moved, fixed = fixed, moved
        if p.grid[CARRIES]:
            s.lifted[i] = s.places[i, moved]
        return ask_to_put(s, i, 0, moved, fixed)


def furnish(s, i, p, rng, count):
    """Put the agent into the first of two rooms, and things into both; then take the wall away."""
    if not (
        place_agent_in(s, i, p, rng, 0)
        and scatter(s, i, p, rng, 0, count, True)
        and scatter(s, i, p, rng, 1, count, True)
    ):
        return False
    remove_wall(s, i, p, 0, RIGHT)
    return True
