"""The ids that come with batchsim, and what each of them is: one line an id.

Importing this module is cheap; it loads no environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

__all__ = ["ABSENT", "ENTRIES", "Entry"]


@dataclass(frozen=True)
class Entry:
    """An id's definition and defaults.

    An id that Gymnasium has too behaves as Gymnasium's, bit for bit, and one with a baseline as
    that; the tests compare every one of them.
    """

    module: Any
    """The module's name, or `module:Class`; for an environment that a user registered, the class or
    module itself."""
    max_episode_steps: int | None = None
    reward_threshold: float | None = None
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Arguments that the id sets, where the environment's own defaults are others."""
    baseline: str | None = None
    """Entry point of the per-object environment, `module:Class`, of an id that Gymnasium does not
    have."""
    package: str | None = None
    """The package that has the per-object environment of the same id."""
    registered_by: str | None = None
    """Its function, `module:function`, that registers the id with Gymnasium; None if importing the
    package does."""


_CLASSIC = "batchsim.envs.classic_control"
_BOX2D = "batchsim.envs.box2d"
_TOY = "batchsim.envs.toy_text"
_EGO = "batchsim.envs.egocentric"
_GRID = "batchsim.envs.minigrid"
_BABYAI = "batchsim.envs.babyai"
_MINATAR = "batchsim.envs.minatar"


def _egocentric(
    module: str, baselines: str, name: str, steps: int, solved: float | None = None
) -> Entry:
    baseline = f"batchsim.baselines.egocentric.{baselines}:{name}"
    return Entry(f"{_EGO}.{module}:{name}", steps, solved, baseline=baseline)


def _minigrid(definition: str, ids: Mapping[str, Mapping[str, Any]]) -> dict[str, Entry]:
    """Return the ids of a definition, which have arguments of MiniGrid's."""
    module = f"{_GRID}.{definition}"
    return {
        f"MiniGrid-{name}": Entry(module, kwargs=kwargs, package="minigrid")
        for name, kwargs in ids.items()
    }


def _babyai(definition: str, ids: Mapping[str, Mapping[str, Any]]) -> dict[str, Entry]:
    """Return the ids of a definition, which have arguments of BabyAI's."""
    module = f"{_BABYAI}.{definition}"
    return {
        f"BabyAI-{name}": Entry(module, kwargs=kwargs, package="minigrid")
        for name, kwargs in ids.items()
    }


def _minatar(module: str, name: str) -> dict[str, Entry]:
    """Return the ids of a game of MinAtar's: all actions, and those that the game knows."""
    return {
        f"MinAtar/{name}-v{version}": Entry(
            f"{_MINATAR}.{module}:{name}",
            kwargs={"use_minimal_action_set": version == 1},
            package="minatar",
            registered_by="minatar.gym:register_envs",
        )
        for version in (0, 1)
    }


_entries = {
    "Acrobot-v1": Entry(f"{_CLASSIC}.acrobot", max_episode_steps=500, reward_threshold=-100.0),
    "CartPole-v1": Entry(f"{_CLASSIC}.cartpole", max_episode_steps=500, reward_threshold=475.0),
    "BipedalWalker-v3": Entry(
        f"{_BOX2D}.bipedal_walker:BipedalWalker", 1600, 300.0, package="Box2D"
    ),
    "BipedalWalkerHardcore-v3": Entry(
        f"{_BOX2D}.bipedal_walker:BipedalWalker", 2000, 300.0, {"hardcore": True}, package="Box2D"
    ),
    "LunarLander-v3": Entry(f"{_BOX2D}.lunar_lander:LunarLander", 1000, 200.0, package="Box2D"),
    "LunarLanderContinuous-v3": Entry(
        f"{_BOX2D}.lunar_lander:LunarLander", 1000, 200.0, {"continuous": True}, package="Box2D"
    ),
    "MountainCar-v0": Entry(
        f"{_CLASSIC}.mountain_car", max_episode_steps=200, reward_threshold=-110.0
    ),
    "MountainCarContinuous-v0": Entry(
        f"{_CLASSIC}.mountain_car_continuous", max_episode_steps=999, reward_threshold=90.0
    ),
    "Pendulum-v1": Entry(f"{_CLASSIC}.pendulum", max_episode_steps=200),
    "Blackjack-v1": Entry(f"{_TOY}.blackjack"),
    "CliffWalking-v1": Entry(f"{_TOY}.cliff_walking"),
    "CliffWalkingSlippery-v1": Entry(f"{_TOY}.cliff_walking", kwargs={"is_slippery": True}),
    "FrozenLake-v1": Entry(f"{_TOY}.frozen_lake", max_episode_steps=100, reward_threshold=0.70),
    "FrozenLake8x8-v1": Entry(
        f"{_TOY}.frozen_lake",
        max_episode_steps=200,
        reward_threshold=0.85,
        kwargs={"map_name": "8x8"},
    ),
    "Taxi-v4": Entry(f"{_TOY}.taxi", max_episode_steps=200, reward_threshold=8),
    # Steps of 4 tics, by default. Where one is given, the success criterion is that of gym-doom.
    "EgoBasic-v0": _egocentric("basic", "fighting", "Basic", 75, 10.0),
    "EgoMyWayHome-v0": _egocentric("my_way_home", "gathering", "MyWayHome", 525, 0.5),
    "EgoHealthGathering-v0": _egocentric(
        "health_gathering", "gathering", "HealthGathering", 525, 1000.0
    ),
    "EgoHealthGatheringSupreme-v0": _egocentric(
        "health_gathering_supreme", "gathering", "HealthGatheringSupreme", 525
    ),
    "EgoDefendTheCenter-v0": _egocentric(
        "defend_the_center", "fighting", "DefendTheCenter", 525, 10.0
    ),
    "EgoDefendTheLine-v0": _egocentric("defend_the_line", "fighting", "DefendTheLine", 525, 15.0),
    "EgoDeadlyCorridor-v0": _egocentric(
        "deadly_corridor", "fighting", "DeadlyCorridor", 525, 1000.0
    ),
    "EgoBattle-v0": _egocentric("battle", "fighting", "Battle", 525),
    **_minigrid(
        "crossing:Crossing",
        {
            "LavaCrossingS9N1-v0": {},
            "LavaCrossingS9N2-v0": {"num_crossings": 2},
            "LavaCrossingS9N3-v0": {"num_crossings": 3},
            "LavaCrossingS11N5-v0": {"size": 11, "num_crossings": 5},
            "SimpleCrossingS9N1-v0": {"obstacle_type": "wall"},
            "SimpleCrossingS9N2-v0": {"num_crossings": 2, "obstacle_type": "wall"},
            "SimpleCrossingS9N3-v0": {"num_crossings": 3, "obstacle_type": "wall"},
            "SimpleCrossingS11N5-v0": {"size": 11, "num_crossings": 5, "obstacle_type": "wall"},
        },
    ),
    **_minigrid(
        "distshift:DistShift",
        {
            "DistShift1-v0": {},
            "DistShift2-v0": {"strip2_row": 5},
        },
    ),
    **_minigrid(
        "doorkey:DoorKey",
        {
            "DoorKey-5x5-v0": {"size": 5},
            "DoorKey-6x6-v0": {"size": 6},
            "DoorKey-8x8-v0": {},
            "DoorKey-16x16-v0": {"size": 16},
        },
    ),
    **_minigrid(
        "dynamicobstacles:DynamicObstacles",
        {
            "Dynamic-Obstacles-5x5-v0": {"size": 5, "n_obstacles": 2},
            "Dynamic-Obstacles-Random-5x5-v0": {
                "size": 5,
                "agent_start_pos": None,
                "n_obstacles": 2,
            },
            "Dynamic-Obstacles-6x6-v0": {"size": 6, "n_obstacles": 3},
            "Dynamic-Obstacles-Random-6x6-v0": {
                "size": 6,
                "agent_start_pos": None,
                "n_obstacles": 3,
            },
            "Dynamic-Obstacles-8x8-v0": {},
            "Dynamic-Obstacles-16x16-v0": {"size": 16, "n_obstacles": 8},
        },
    ),
    **_minigrid(
        "empty:Empty",
        {
            "Empty-5x5-v0": {"size": 5},
            "Empty-Random-5x5-v0": {"size": 5, "agent_start_pos": None},
            "Empty-6x6-v0": {"size": 6},
            "Empty-Random-6x6-v0": {"size": 6, "agent_start_pos": None},
            "Empty-8x8-v0": {},
            "Empty-16x16-v0": {"size": 16},
        },
    ),
    **_minigrid(
        "fetch:Fetch",
        {
            "Fetch-5x5-N2-v0": {"size": 5, "numObjs": 2},
            "Fetch-6x6-N2-v0": {"size": 6, "numObjs": 2},
            "Fetch-8x8-N3-v0": {},
        },
    ),
    **_minigrid(
        "fourrooms:FourRooms",
        {
            "FourRooms-v0": {},
        },
    ),
    **_minigrid(
        "goto:GoToDoor",
        {
            "GoToDoor-5x5-v0": {},
            "GoToDoor-6x6-v0": {"size": 6},
            "GoToDoor-8x8-v0": {"size": 8},
        },
    ),
    **_minigrid(
        "goto:GoToObject",
        {
            "GoToObject-6x6-N2-v0": {},
            "GoToObject-8x8-N2-v0": {"size": 8},
        },
    ),
    **_minigrid(
        "keycorridor:KeyCorridor",
        {
            "KeyCorridorS3R1-v0": {"room_size": 3, "num_rows": 1},
            "KeyCorridorS3R2-v0": {"room_size": 3, "num_rows": 2},
            "KeyCorridorS3R3-v0": {"room_size": 3},
            "KeyCorridorS4R3-v0": {"room_size": 4},
            "KeyCorridorS5R3-v0": {"room_size": 5},
            "KeyCorridorS6R3-v0": {},
        },
    ),
    **_minigrid(
        "lavagap:LavaGap",
        {
            "LavaGapS5-v0": {},
            "LavaGapS6-v0": {"size": 6},
            "LavaGapS7-v0": {"size": 7},
        },
    ),
    **_minigrid(
        "lockedroom:LockedRoom",
        {
            "LockedRoom-v0": {},
        },
    ),
    **_minigrid(
        "memory:Memory",
        {
            "MemoryS7-v0": {"size": 7},
            "MemoryS9-v0": {"size": 9},
            "MemoryS11-v0": {"size": 11},
            "MemoryS13-v0": {"size": 13},
            "MemoryS13Random-v0": {"size": 13, "random_length": True},
            "MemoryS17Random-v0": {"size": 17, "random_length": True},
        },
    ),
    **_minigrid(
        "multiroom:MultiRoom",
        {
            "MultiRoom-N2-S4-v0": {"minNumRooms": 2, "maxNumRooms": 2, "maxRoomSize": 4},
            "MultiRoom-N4-S5-v0": {"maxRoomSize": 5},
            "MultiRoom-N4-S5-v1": {"minNumRooms": 4, "maxNumRooms": 4, "maxRoomSize": 5},
            "MultiRoom-N6-v0": {},
        },
    ),
    **_minigrid(
        "obstructedmaze:ObstructedMazeOneDoor",
        {
            "ObstructedMaze-1Dl-v0": {"key_in_box": False, "blocked": False},
            "ObstructedMaze-1Dlh-v0": {"blocked": False},
            "ObstructedMaze-1Dlhb-v0": {},
        },
    ),
    **_minigrid(
        "obstructedmaze:ObstructedMazeFull",
        {
            "ObstructedMaze-2Dl-v0": {
                "agent_room": (2, 1),
                "key_in_box": False,
                "blocked": False,
                "num_quarters": 1,
                "num_rooms_visited": 4,
            },
            "ObstructedMaze-2Dlh-v0": {
                "agent_room": (2, 1),
                "blocked": False,
                "num_quarters": 1,
                "num_rooms_visited": 4,
            },
            "ObstructedMaze-2Dlhb-v0": {
                "agent_room": (2, 1),
                "num_quarters": 1,
                "num_rooms_visited": 4,
            },
            "ObstructedMaze-1Q-v0": {"num_quarters": 1, "num_rooms_visited": 5},
            "ObstructedMaze-2Q-v0": {
                "agent_room": (2, 1),
                "num_quarters": 2,
                "num_rooms_visited": 11,
            },
            "ObstructedMaze-Full-v0": {},
        },
    ),
    **_minigrid(
        "obstructedmaze:ObstructedMazeFullV1",
        {
            "ObstructedMaze-2Dlhb-v1": {
                "agent_room": (2, 1),
                "num_quarters": 1,
                "num_rooms_visited": 4,
            },
            "ObstructedMaze-1Q-v1": {"num_quarters": 1, "num_rooms_visited": 5},
            "ObstructedMaze-2Q-v1": {
                "agent_room": (2, 1),
                "num_quarters": 2,
                "num_rooms_visited": 11,
            },
            "ObstructedMaze-Full-v1": {},
        },
    ),
    **_minigrid(
        "playground:Playground",
        {
            "Playground-v0": {},
        },
    ),
    **_minigrid(
        "putnear:PutNear",
        {
            "PutNear-6x6-N2-v0": {},
            "PutNear-8x8-N3-v0": {"size": 8, "numObjs": 3},
        },
    ),
    **_minigrid(
        "redbluedoors:RedBlueDoors",
        {
            "RedBlueDoors-6x6-v0": {"size": 6},
            "RedBlueDoors-8x8-v0": {},
        },
    ),
    **_minigrid(
        "unlock:Unlock",
        {
            "Unlock-v0": {},
        },
    ),
    **_minigrid(
        "unlock:UnlockPickup",
        {
            "UnlockPickup-v0": {},
        },
    ),
    **_minigrid(
        "unlock:BlockedUnlockPickup",
        {
            "BlockedUnlockPickup-v0": {},
        },
    ),
    **_babyai(
        "goto:GoToRedBallGrey",
        {
            "GoToRedBallGrey-v0": {},
        },
    ),
    **_babyai(
        "goto:GoToRedBall",
        {
            "GoToRedBall-v0": {},
        },
    ),
    **_babyai(
        "goto:GoToRedBallNoDists",
        {
            "GoToRedBallNoDists-v0": {},
        },
    ),
    **_babyai(
        "goto:GoToObj",
        {
            "GoToObj-v0": {},
            "GoToObjS4-v0": {"room_size": 4},
            "GoToObjS6-v1": {"room_size": 6},
        },
    ),
    **_babyai(
        "goto:GoToLocal",
        {
            "GoToLocal-v0": {},
            "GoToLocalS5N2-v0": {"room_size": 5, "num_dists": 2},
            "GoToLocalS6N2-v0": {"room_size": 6, "num_dists": 2},
            "GoToLocalS6N3-v0": {"room_size": 6, "num_dists": 3},
            "GoToLocalS6N4-v0": {"room_size": 6, "num_dists": 4},
            "GoToLocalS7N4-v0": {"room_size": 7, "num_dists": 4},
            "GoToLocalS7N5-v0": {"room_size": 7, "num_dists": 5},
            "GoToLocalS8N2-v0": {"room_size": 8, "num_dists": 2},
            "GoToLocalS8N3-v0": {"room_size": 8, "num_dists": 3},
            "GoToLocalS8N4-v0": {"room_size": 8, "num_dists": 4},
            "GoToLocalS8N5-v0": {"room_size": 8, "num_dists": 5},
            "GoToLocalS8N6-v0": {"room_size": 8, "num_dists": 6},
            "GoToLocalS8N7-v0": {"room_size": 8, "num_dists": 7},
        },
    ),
    **_babyai(
        "gotomaze:GoTo",
        {
            "GoTo-v0": {},
            "GoToOpen-v0": {"doors_open": True},
            "GoToObjMaze-v0": {"num_dists": 1, "doors_open": False},
            "GoToObjMazeOpen-v0": {"num_dists": 1, "doors_open": True},
            "GoToObjMazeS4R2-v0": {"num_dists": 1, "room_size": 4, "num_rows": 2, "num_cols": 2},
            "GoToObjMazeS4-v0": {"num_dists": 1, "room_size": 4},
            "GoToObjMazeS5-v0": {"num_dists": 1, "room_size": 5},
            "GoToObjMazeS6-v0": {"num_dists": 1, "room_size": 6},
            "GoToObjMazeS7-v0": {"num_dists": 1, "room_size": 7},
        },
    ),
    **_babyai(
        "gotomaze:GoToImpUnlock",
        {
            "GoToImpUnlock-v0": {},
        },
    ),
    **_babyai(
        "gotomaze:GoToSeq",
        {
            "GoToSeq-v0": {},
            "GoToSeqS5R2-v0": {"room_size": 5, "num_rows": 2, "num_cols": 2, "num_dists": 4},
        },
    ),
    **_babyai(
        "goto:GoToRedBlueBall",
        {
            "GoToRedBlueBall-v0": {},
        },
    ),
    **_babyai(
        "gotodoor:GoToDoor",
        {
            "GoToDoor-v0": {},
        },
    ),
    **_babyai(
        "gotodoor:GoToObjDoor",
        {
            "GoToObjDoor-v0": {},
        },
    ),
    **_babyai(
        "open:Open",
        {
            "Open-v0": {},
        },
    ),
    **_babyai(
        "open:OpenRedDoor",
        {
            "OpenRedDoor-v0": {},
        },
    ),
    **_babyai(
        "open:OpenDoor",
        {
            "OpenDoor-v0": {},
            "OpenDoorDebug-v0": {"debug": True},
            "OpenDoorColor-v0": {"select_by": "color"},
            "OpenDoorLoc-v0": {"select_by": "loc"},
        },
    ),
    **_babyai(
        "openorder:OpenTwoDoors",
        {
            "OpenTwoDoors-v0": {},
            "OpenRedBlueDoors-v0": {"first_color": "red", "second_color": "blue"},
            "OpenRedBlueDoorsDebug-v0": {
                "first_color": "red",
                "second_color": "blue",
                "strict": True,
            },
        },
    ),
    **_babyai(
        "openorder:OpenDoorsOrder",
        {
            "OpenDoorsOrderN2-v0": {"num_doors": 2},
            "OpenDoorsOrderN4-v0": {"num_doors": 4},
            "OpenDoorsOrderN2Debug-v0": {"debug": True, "num_doors": 2},
            "OpenDoorsOrderN4Debug-v0": {"debug": True, "num_doors": 4},
        },
    ),
    **_babyai(
        "pickup:Pickup",
        {
            "Pickup-v0": {},
        },
    ),
    **_babyai(
        "pickup:UnblockPickup",
        {
            "UnblockPickup-v0": {},
        },
    ),
    **_babyai(
        "pickup:PickupLoc",
        {
            "PickupLoc-v0": {},
        },
    ),
    **_babyai(
        "pickup:PickupDist",
        {
            "PickupDist-v0": {},
            "PickupDistDebug-v0": {"debug": True},
        },
    ),
    **_babyai(
        "pickup:PickupAbove",
        {
            "PickupAbove-v0": {},
        },
    ),
    **_babyai(
        "putnext:PutNextLocal",
        {
            "PutNextLocal-v0": {},
            "PutNextLocalS5N3-v0": {"room_size": 5, "num_objs": 3},
            "PutNextLocalS6N4-v0": {"room_size": 6, "num_objs": 4},
        },
    ),
    **_babyai(
        "putnext:PutNext",
        {
            "PutNextS4N1-v0": {"room_size": 4, "objs_per_room": 1},
            "PutNextS5N2-v0": {"room_size": 5, "objs_per_room": 2},
            "PutNextS5N1-v0": {"room_size": 5, "objs_per_room": 1},
            "PutNextS6N3-v0": {"room_size": 6, "objs_per_room": 3},
            "PutNextS7N4-v0": {"room_size": 7, "objs_per_room": 4},
            "PutNextS5N2Carrying-v0": {"room_size": 5, "objs_per_room": 2, "start_carrying": True},
            "PutNextS6N3Carrying-v0": {"room_size": 6, "objs_per_room": 3, "start_carrying": True},
            "PutNextS7N4Carrying-v0": {"room_size": 7, "objs_per_room": 4, "start_carrying": True},
        },
    ),
    **_babyai(
        "unlock:Unlock",
        {
            "Unlock-v0": {},
        },
    ),
    **_babyai(
        "unlock:UnlockLocal",
        {
            "UnlockLocal-v0": {},
            "UnlockLocalDist-v0": {"distractors": True},
        },
    ),
    **_babyai(
        "unlock:KeyInBox",
        {
            "KeyInBox-v0": {},
        },
    ),
    **_babyai(
        "unlockpickup:UnlockPickup",
        {
            "UnlockPickup-v0": {},
            "UnlockPickupDist-v0": {"distractors": True},
        },
    ),
    **_babyai(
        "unlockpickup:BlockedUnlockPickup",
        {
            "BlockedUnlockPickup-v0": {},
        },
    ),
    **_babyai(
        "unlockpickup:UnlockToUnlock",
        {
            "UnlockToUnlock-v0": {},
        },
    ),
    **_babyai(
        "other:ActionObjDoor",
        {
            "ActionObjDoor-v0": {},
        },
    ),
    **_babyai(
        "other:FindObjS5",
        {
            "FindObjS5-v0": {},
            "FindObjS6-v0": {"room_size": 6},
            "FindObjS7-v0": {"room_size": 7},
        },
    ),
    **_babyai(
        "other:KeyCorridor",
        {
            "KeyCorridor-v0": {},
            "KeyCorridorS3R1-v0": {"room_size": 3, "num_rows": 1},
            "KeyCorridorS3R2-v0": {"room_size": 3, "num_rows": 2},
            "KeyCorridorS3R3-v0": {"room_size": 3, "num_rows": 3},
            "KeyCorridorS4R3-v0": {"room_size": 4, "num_rows": 3},
            "KeyCorridorS5R3-v0": {"room_size": 5, "num_rows": 3},
            "KeyCorridorS6R3-v0": {"room_size": 6, "num_rows": 3},
        },
    ),
    **_babyai(
        "other:OneRoomS8",
        {
            "OneRoomS8-v0": {},
            "OneRoomS12-v0": {"room_size": 12},
            "OneRoomS16-v0": {"room_size": 16},
            "OneRoomS20-v0": {"room_size": 20},
        },
    ),
    **_babyai(
        "other:MoveTwoAcross",
        {
            "MoveTwoAcrossS5N2-v0": {"room_size": 5, "objs_per_room": 2},
            "MoveTwoAcrossS8N9-v0": {"room_size": 8, "objs_per_room": 9},
        },
    ),
    **_babyai(
        "synth:Synth",
        {
            "Synth-v0": {},
            "SynthS5R2-v0": {"room_size": 5, "num_rows": 2},
        },
    ),
    **_babyai(
        "synth:SynthLoc",
        {
            "SynthLoc-v0": {},
        },
    ),
    **_babyai(
        "synth:SynthSeq",
        {
            "SynthSeq-v0": {},
        },
    ),
    **_babyai(
        "synth:MiniBossLevel",
        {
            "MiniBossLevel-v0": {},
        },
    ),
    **_babyai(
        "synth:BossLevel",
        {
            "BossLevel-v0": {},
        },
    ),
    **_babyai(
        "synth:BossLevelNoUnlock",
        {
            "BossLevelNoUnlock-v0": {},
        },
    ),
    **_minatar("asterix", "Asterix"),
    **_minatar("breakout", "Breakout"),
    **_minatar("freeway", "Freeway"),
    **_minatar("seaquest", "Seaquest"),
    **_minatar("space_invaders", "SpaceInvaders"),
}

ENTRIES: Mapping[str, Entry] = MappingProxyType(_entries)

ABSENT: Mapping[str, str] = MappingProxyType(
    {
        "MiniGrid-WFC-": "its levels are made of pictures of patterns that minigrid's "
        "distributions lack, and minigrid cannot make it either"
    }
)
"""Why ids that begin so, and that others have, are not there."""
