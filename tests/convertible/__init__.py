"""Classes of `gymnasium.Env` as people write them, for the converter.

Each module has one that converts, and a variant of it that must be refused, with the reason. They
are written in the habits of several authors on purpose: with and without types, helpers, logs that
nobody reads and attributes that nobody needs. `python -m tests.convertible` puts them before
Gymnasium's own checker.
"""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple


class Case(NamedTuple):
    """A module, its two classes, and arguments to make the first one with."""

    original: str
    arguments: list[dict[str, Any]]
    refused: str
    why: str
    """What the message about the variant must speak of."""
    streams: str = "self.np_random"
    """Where random numbers come from."""
    api: int = 5
    """How many values `step` returns."""

    def load(self, module: str) -> tuple[type, type]:
        """The class that converts, and the one that is refused."""
        found = importlib.import_module(f"{__name__}.{module}")
        return getattr(found, self.original), getattr(found, self.refused)


CASES = {
    "pendulum": Case(
        "MotorPendulum",
        [{}, {"mass": 0.2, "gear": 9.0}, {"gear": 2.5, "friction": 0.2, "seconds": 3.0}],
        "RefusedGusts",
        "it is a foreign function",
    ),
    "walker": Case(
        "PuddleWalk",
        [{}, {"size": 4, "puddles": 2}, {"slip": 0.5}],
        "RefusedWind",
        "it is float here and float64 array of 2 there",
    ),
    "courier": Case(
        "CourierEnv",
        [{}, {"road_length": 5}, {"order_rate": 0.9, "fuel": 30}],
        "RefusedToll",
        "a line that never ran",
    ),
    "snake": Case(
        "RingSnake",
        [{}, {"width": 2, "height": 3}, {"patience": 15}],
        "RefusedTrail",
        "a list that grows beyond its capacity",
    ),
    "minesweeper": Case(
        "Minefield",
        [{}, {"rows": 4, "columns": 9, "mines": 3}, {"win_reward": 1.0, "reveal_reward": 0.5}],
        "RefusedFrontier",
        "for over a set",
    ),
    "bandit": Case(
        "RestlessBandit",
        [{}, {"arms": 3}, {"wander": 0.3, "break_chance": 0.2, "pulls": 40}],
        "RefusedVonMises",
        "no stream of the batch has this draw",
        "np.random and random",
    ),
    "greenhouse": Case(
        "GreenhouseEnv",
        [{}, {"evaporation": 0.12}, {"can": 0.2, "season": 25}],
        "RefusedDayOff",
        "the original raises on a legal action",
        api=4,
    ),
    "inventory": Case(
        "ShopEnv",
        [{}, {"lead_time": (1, 9), "capacity": 20}, {"demand_rate": 9.0, "patience": 5}],
        "RefusedHurry",
        "depends on more than the steps",
    ),
    "trader": Case(
        "TraderEnv",
        [{}, {"window_size": 3}, {"commission": 0.01, "max_loss": 0.02}],
        "RefusedAverage",
        "no kernel can ask pandas",
    ),
    "elevators": Case(
        "ElevatorEnv",
        [{}, {"floors": 4, "arrivals": 0.7}, {"queue_limit": 4}],
        "RefusedExpress",
        "it hangs: watching gave no sign of life",
    ),
    "reacher": Case(
        "Reacher2",
        [{}, {"links": (0.5, 0.5)}, {"damping": 1.5, "tolerance": 0.6}],
        "RefusedShadow",
        "two attributes share one array",
    ),
    "course": Case(
        "Hurdles",
        [{}, {"mode": "gentle", "power": 0.1}, {"mode": "wild", "promote_after": 1}],
        "RefusedLeague",
        "a line that never ran",
    ),
}
