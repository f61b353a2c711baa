"""MiniGrid-KeyCorridor: rooms along a corridor, one of them locked; find its key."""

from typing import NamedTuple

from batchsim.envs.minigrid.cells import KEY, colour_of, kind_of
from batchsim.envs.minigrid.doors import add_door, connect_all, remove_wall
from batchsim.envs.minigrid.grid import EXTRA
from batchsim.envs.minigrid.missions import COLOURS, THINGS, Worded, Words, kind_number
from batchsim.envs.minigrid.rooms import (
    ANY,
    LEFT,
    ROWS,
    UP,
    RoomGrid,
    add_thing,
    build,
    place_agent_in,
    room_at,
)
from batchsim.envs.minigrid.target import Target, fetch
from batchsim.envs.minigrid.world import State
from batchsim.family import merge
from batchsim.random import integers


class KeyCorridor(Worded, RoomGrid):
    """# MiniGrid-KeyCorridor

    Pick up a thing in a locked room. The key is in a room at the other side of a corridor,
    behind doors that one must open to find it.

    ## Starting State

    The agent is in the corridor; doors, colours and what is in the rooms are drawn.
    """

    State = merge(State, Words, Target)
    WORDS = (len(COLOURS), len(THINGS))

    class Arguments(NamedTuple):
        num_rows: int = 3
        obj_type: str = "ball"
        room_size: int = 6
        max_steps: int | None = None

    def rooms_of(p):
        return p.room_size, p.num_rows, 3

    def steps_of(p):
        return 30 * p.room_size**2

    def extras_of(p):
        return (kind_number("obj_type", p.obj_type),)

    def text(tokens):
        colour, kind = tokens
        return f"pick up the {COLOURS[colour]} {THINGS[kind]}"

    def reset(s, i, p, rng):
        build(s, i, p, rng)
        rows = p.rooms[ROWS]
        for row in range(1, rows):
            remove_wall(s, i, p, room_at(p, 1, row), UP)
        locked = room_at(p, 2, integers(rng, i, 0, rows))
        door = add_door(s, i, p, rng, locked, LEFT, ANY, True)
        s.target[i] = add_thing(s, i, p, rng, locked, p.grid[EXTRA], ANY)
        of_key = room_at(p, 0, integers(rng, i, 0, rows))
        add_thing(s, i, p, rng, of_key, KEY, colour_of(s.cells[i, door]))
        place_agent_in(s, i, p, rng, room_at(p, 1, rows // 2))
        connect_all(s, i, p, rng, ANY)
        code = s.cells[i, s.target[i]]
        s.words[i, 0], s.words[i, 1] = colour_of(code), kind_of(code) - KEY

    def play(s, i, action, p, rng):
        return fetch(s, i, action, p)
