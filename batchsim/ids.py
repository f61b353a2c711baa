"""The ids that come with batchsim, and what each of them is: one line an id.

Importing this module is cheap; it loads no environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

__all__ = ["ENTRIES", "Entry"]


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
    """The package that has the per-object environment of the same id, and registers it with
    Gymnasium when it is imported."""


_CLASSIC = "batchsim.envs.classic_control"
_TOY = "batchsim.envs.toy_text"
_EGO = "batchsim.envs.egocentric"
_GRID = "batchsim.envs.minigrid"


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


_entries = {
    "Acrobot-v1": Entry(f"{_CLASSIC}.acrobot", max_episode_steps=500, reward_threshold=-100.0),
    "CartPole-v1": Entry(f"{_CLASSIC}.cartpole", max_episode_steps=500, reward_threshold=475.0),
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
}

ENTRIES: Mapping[str, Entry] = MappingProxyType(_entries)
