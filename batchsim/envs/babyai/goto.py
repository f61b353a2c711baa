"""BabyAI-GoTo…: go to a thing."""

from typing import NamedTuple

from batchsim.envs.babyai.generator import Generator
from batchsim.envs.babyai.instructions import ask_for
from batchsim.envs.babyai.level import OWN, FourDoors, Level, OneRoom
from batchsim.envs.babyai.locked import lock_room, place_agent_outside, scatter_in_all
from batchsim.envs.babyai.things import (
    add,
    can_reach_all,
    code_of,
    connect,
    hang,
    random_last,
    scatter,
)
from batchsim.envs.babyai.words import GO_TO
from batchsim.envs.minigrid.cells import (
    BALL,
    BLUE,
    CLOSED,
    DOOR,
    GREY,
    OPAQUE,
    RED,
    cell,
    kind_of,
)
from batchsim.envs.minigrid.rooms import ANY, place_agent_anywhere, place_agent_in, room_at
from batchsim.random import integers

DOORS_OPEN = OWN + 1


class GoToLocal(OneRoom):
    """# BabyAI-GoToLocal

    Go to one of the things in a room.
    """

    class Arguments(NamedTuple):
        room_size: int = 8
        num_dists: int = 8
        max_steps: int | None = None

    def things_of(p):
        return p.num_dists

    def numbers_of(p):
        return (p.num_dists,)

    def generate(s, i, p, rng):
        count = p.grid[OWN]
        return (
            place_agent_anywhere(s, i, p, rng)
            and scatter(s, i, p, rng, ANY, count, False)
            and can_reach_all(s, i, p)
            and ask_for(s, i, 0, GO_TO, random_last(s, i, rng, count))
        )


class GoToRedBall(GoToLocal):
    """# BabyAI-GoToRedBall

    Go to the red ball; other things lie about in the room.
    """

    class Arguments(NamedTuple):
        room_size: int = 8
        num_dists: int = 7
        max_steps: int | None = None

    def things_of(p):
        return 1 + p.num_dists

    def generate(s, i, p, rng):
        return (
            place_agent_anywhere(s, i, p, rng)
            and add(s, i, p, rng, 0, BALL, RED)
            and scatter(s, i, p, rng, ANY, p.grid[OWN], False)
            and can_reach_all(s, i, p)
            and ask_for(s, i, 0, GO_TO, 1)
        )


class GoToRedBallGrey(GoToRedBall):
    """# BabyAI-GoToRedBallGrey

    Go to the red ball; other things, all of them grey, lie about in the room.
    """

    def generate(s, i, p, rng):
        if not GoToRedBall.generate(s, i, p, rng):
            return False
        for number in range(2, s.count[i] + 1):
            s.cells[i, s.places[i, number]] = cell(kind_of(code_of(s, i, number)), GREY)
        return True


class GoToRedBallNoDists(GoToRedBall):
    """# BabyAI-GoToRedBallNoDists

    Go to the red ball, the only thing in the room.
    """

    class Arguments(NamedTuple):
        max_steps: int | None = None

    def rooms_of(p):
        return 8, 1, 1

    def things_of(p):
        return 1

    def numbers_of(p):
        return (0,)


class GoToObj(OneRoom):
    """# BabyAI-GoToObj

    Go to the only thing in the room.
    """

    def generate(s, i, p, rng):
        return (
            place_agent_anywhere(s, i, p, rng)
            and scatter(s, i, p, rng, ANY, 1, False)
            and ask_for(s, i, 0, GO_TO, 1)
        )


class GoToRedBlueBall(GoToRedBall):
    """# BabyAI-GoToRedBlueBall

    Go to the red ball or to the blue one: the room has one of them, and other things.
    """

    def generate(s, i, p, rng):
        if not place_agent_anywhere(s, i, p, rng):
            return False
        if not scatter(s, i, p, rng, ANY, p.grid[OWN], False):
            return False
        for number in range(1, s.count[i] + 1):
            code = code_of(s, i, number)
            if code == cell(BALL, RED) or code == cell(BALL, BLUE):
                return False
        colour = RED if integers(rng, i, 0, 2) == 0 else BLUE
        return (
            add(s, i, p, rng, 0, BALL, colour)
            and can_reach_all(s, i, p)
            and ask_for(s, i, 0, GO_TO, s.count[i])
        )


class GoTo(Level):
    """# BabyAI-GoTo

    Go to one of the things in a maze of rooms, whose doors may be open from the start.
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
        return p.num_dists, p.doors_open

    def generate(s, i, p, rng):
        count = p.grid[OWN]
        if not (
            place_agent_anywhere(s, i, p, rng)
            and connect(s, i, p, rng, ANY)
            and scatter(s, i, p, rng, ANY, count, False)
            and can_reach_all(s, i, p)
        ):
            return False
        ask_for(s, i, 0, GO_TO, random_last(s, i, rng, count))
        if p.grid[DOORS_OPEN]:
            for number in range(1, s.count[i] - count + 1):
                s.cells[i, s.places[i, number]] += DOOR - CLOSED - OPAQUE
        return True


class GoToImpUnlock(Level):
    """# BabyAI-GoToImpUnlock

    Go to a thing in a room whose door is locked: its key must be found first.
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
            and ask_for(s, i, 0, GO_TO, s.count[i])
        )


class GoToDoor(FourDoors):
    """# BabyAI-GoToDoor

    Go to one of the four doors of a room.
    """

    ROOM = 7

    def generate(s, i, p, rng):
        room = room_at(p, 1, 1)
        for _ in range(4):
            hang(s, i, p, rng, room, ANY, ANY, ANY)
        return place_agent_in(s, i, p, rng, room) and ask_for(
            s, i, 0, GO_TO, random_last(s, i, rng, 4)
        )


class GoToObjDoor(FourDoors):
    """# BabyAI-GoToObjDoor

    Go to one of the things in a room, or to one of its four doors.
    """

    def things_of(p):
        return 8

    def generate(s, i, p, rng):
        room = room_at(p, 1, 1)
        if not place_agent_in(s, i, p, rng, room):
            return False
        if not scatter(s, i, p, rng, room, 8, False):
            return False
        for _ in range(4):
            hang(s, i, p, rng, room, ANY, ANY, ANY)
        return can_reach_all(s, i, p) and ask_for(s, i, 0, GO_TO, random_last(s, i, rng, 12))


class GoToSeq(Generator):
    """# BabyAI-GoToSeq

    Go to one thing, or to several, in the order that is asked for.
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
