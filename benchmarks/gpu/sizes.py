"""What is measured, in full and in small."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FULL", "SMALL", "Sizes"]


@dataclass(frozen=True)
class Sizes:
    """Environments, batches and times of all parts."""

    collected: tuple[str, ...]
    """What the collector is measured with: policies of perceptrons, and of convolutions."""
    num_envs: tuple[int, ...]
    """The most telling first: time may run out."""
    trained: dict[str, int]
    """Steps of a training, by id."""
    profiled: tuple[str, ...]
    scaled: tuple[str, ...]
    scaled_num_envs: int
    cores: tuple[int, ...]
    seconds: float
    """That each case is measured for."""
    budgets: dict[str, float]
    """Seconds that each part may take, by name."""
    memory: int
    """Bytes that a rollout's observations may take."""


FULL = Sizes(
    collected=("CartPole-v1", "EgoBattle-v0", "MiniGrid-DoorKey-8x8-v0", "LunarLander-v3"),
    num_envs=(16_384, 1_024, 65_536, 4_096),
    trained={"CartPole-v1": 300_000, "EgoBasic-v0": 100_000},
    profiled=("CartPole-v1", "EgoBasic-v0", "MiniGrid-DoorKey-8x8-v0"),
    scaled=("CartPole-v1", "EgoBattle-v0", "MiniGrid-DoorKey-8x8-v0", "LunarLander-v3"),
    scaled_num_envs=16_384,
    cores=(1, 2, 4, 8, 16),
    seconds=0.8,
    budgets={
        "kernels": 70.0,
        "collector": 130.0,
        "idle": 35.0,
        "train": 110.0,
        "scaling": 35.0,
        "tests": 80.0,
    },
    memory=2**32,
)
"""For one H100 or H200 and 16 cores: 460 seconds at most."""

SMALL = Sizes(
    collected=("CartPole-v1",),
    num_envs=(64,),
    trained={"CartPole-v1": 33_000},
    profiled=("CartPole-v1",),
    scaled=("CartPole-v1",),
    scaled_num_envs=256,
    cores=(1, 2),
    seconds=0.02,
    budgets={
        "kernels": 60.0,
        "collector": 60.0,
        "idle": 60.0,
        "train": 120.0,
        "scaling": 60.0,
        "tests": 60.0,
    },
    memory=2**24,
)
"""What shows on any machine that the command itself works."""
