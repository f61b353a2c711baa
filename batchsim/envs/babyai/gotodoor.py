"""BabyAI-GoTo…Door: go to a door, or to a thing in a room with four doors."""

from batchsim.envs.babyai.descriptions import ask_for
from batchsim.envs.babyai.furnishing import can_reach_all, hang, random_last, scatter
from batchsim.envs.babyai.rooms import FourDoors
from batchsim.envs.babyai.words import GO_TO
from batchsim.envs.minigrid.rooms import ANY, place_agent_in, room_at


class GoToDoor(FourDoors):
    """# BabyAI-GoToDoor

    Go to one of the four doors of a room.

    ## Starting State

    The agent is in the room in the middle of nine, whose doors have random colours; some of
    them are locked.
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

    ## Starting State

    The agent and eight random things are in the room in the middle of nine, whose doors have
    random colours; some of them are locked.
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
