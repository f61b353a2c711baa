"""BabyAI-Synth… and BabyAI-BossLevel: missions of many kinds."""

from typing import NamedTuple

from batchsim.envs.babyai.generator import Generator


class Synth(Generator):
    """# BabyAI-Synth

    Go to a thing, pick one up, open a door, or put a thing next to another, in a maze of rooms.
    A locked door must be opened only if the mission says so; things may be in the way.

    ## Starting State

    Doors at random connect all rooms, in which `num_dists` random things lie. With the
    probability `locked_room_prob` one of them has a locked door, whose key is in another; the
    agent is in another one, too.
    """

    HAS_LOCATIONS = False
    UNLOCKS = False
    SHAPES = ("action",)


class SynthLoc(Generator):
    """# BabyAI-SynthLoc

    As BabyAI-Synth, and things may be described by where they are at the start.

    ## Starting State

    Doors at random connect all rooms, in which `num_dists` random things lie. With the
    probability `locked_room_prob` one of them has a locked door, whose key is in another; the
    agent is in another one, too.
    """

    UNLOCKS = False
    SHAPES = ("action",)


class SynthSeq(Generator):
    """# BabyAI-SynthSeq

    As BabyAI-SynthLoc, and a mission may ask for up to four things, some of them in a certain
    order.

    ## Starting State

    Doors at random connect all rooms, in which `num_dists` random things lie. With the
    probability `locked_room_prob` one of them has a locked door, whose key is in another; the
    agent is in another one, too.
    """

    UNLOCKS = False


class MiniBossLevel(Generator):
    """# BabyAI-MiniBossLevel

    Any mission that can be said, in four small rooms, of which one may be locked.

    ## Starting State

    Doors at random connect all rooms, in which seven random things lie. One of four times, a
    room has a locked door, whose key is in another; the agent is in another one, too.
    """

    class Arguments(NamedTuple):
        max_steps: int | None = None

    def rooms_of(p):
        return 5, 2, 2

    def dists_of(p):
        return 7

    def chance_of(p):
        return 0.25


class BossLevel(Generator):
    """# BabyAI-BossLevel

    Any mission that can be said, in a maze of rooms, of which one may be locked.

    ## Starting State

    Doors at random connect all rooms, in which `num_dists` random things lie. With the
    probability `locked_room_prob` one of them has a locked door, whose key is in another; the
    agent is in another one, too.
    """


class BossLevelNoUnlock(Generator):
    """# BabyAI-BossLevelNoUnlock

    Any mission that can be said, in a maze of rooms, none of which is locked.

    ## Starting State

    Doors at random connect all rooms, in which `num_dists` random things lie.
    """

    UNLOCKS = False

    class Arguments(NamedTuple):
        room_size: int = 8
        num_rows: int = 3
        num_cols: int = 3
        num_dists: int = 18
        max_steps: int | None = None

    def chance_of(p):
        return 0.0
