"""Hyperparameters that are known to work, by id; found by trying, on two cores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from batchsim.batch.spaces import Layout
from batchsim.batch.vector import BatchEnv
from batchsim.symbols import Symbols
from batchsim.torch.encoder import is_picture
from batchsim.torch.ppo import Hyperparameters

__all__ = ["hyperparameters_for"]

CORRELATED: Mapping[str, Any] = {"normalize": True, "correlation": 0.95}
"""Where many steps one way are needed before there is any reward."""

PIXELS: Mapping[str, Any] = {
    "num_envs": 64,
    "learning_rate": 5e-4,
    "epochs": 3,
    "minibatches": 8,
    "entropy": 0.01,
}
"""For observations that are pictures. Convolutions take far longer than environments: here old
steps are worth a third look, and few steps lie between one improvement and the next."""

GRIDS: Mapping[str, Any] = {
    "steps": 128,
    "total_steps": 2_000_000,
    "learning_rate": 7e-4,
    "minibatches": 32,
    "entropy": 0.02,
}
"""For grid worlds, where the reward comes at the end, and only once in a while at first."""

BOARDS: Mapping[str, Any] = {
    "num_envs": 128,
    "steps": 64,
    "total_steps": 5_000_000,
    "learning_rate": 2.5e-3,
    "minibatches": 8,
    "entropy": 0.01,
    "hidden": (64,),
}
"""For boards of flags, such as MinAtar's: their layer is one of the policy's and of the values'."""

LANDERS: Mapping[str, Any] = {
    "steps": 64,
    "total_steps": 1_500_000,
    "learning_rate": 1.5e-3,
    "gamma": 0.995,
    "gae_lambda": 0.98,
    "epochs": 4,
    "minibatches": 32,
    "entropy": 0.01,
}
"""To land brings most at the very end, which long traces tell the steps that led there."""

FAMILIES: Mapping[str, Mapping[str, Any]] = {
    "BabyAI-": {**GRIDS, "total_steps": 3_000_000, "entropy": 0.002}
}
"""By how ids begin. What a mission of BabyAI asks for is often done by chance, so that there is
less to explore; and the less random a policy is while it learns, the better are its most likely
actions."""

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "Acrobot-v1": {"total_steps": 600_000, "gae_lambda": 0.94, "normalize": True},
    # Without a weight of the entropy and correlated noise a policy soon is sure that standing still
    # is best, or crawling on a knee.
    "BipedalWalker-v3": {
        "steps": 64,
        "total_steps": 3_000_000,
        "learning_rate": 7e-4,
        "epochs": 4,
        "minibatches": 32,
        "entropy": 0.005,
        "normalize": True,
        "correlation": 0.5,
    },
    "CartPole-v1": {"total_steps": 300_000, "learning_rate": 2e-3},
    "EgoBasic-v0": {**PIXELS, "total_steps": 400_000},
    # How healthy the player is cannot be seen: that a medikit was worth its way shows only at the
    # death that it put off, some 60 steps later.
    "EgoHealthGathering-v0": {
        **PIXELS,
        "steps": 128,
        "total_steps": 800_000,
        "gae_lambda": 0.99,
        "epochs": 2,
        "minibatches": 32,
    },
    "FrozenLake8x8-v1": {
        "steps": 64,
        "total_steps": 1_500_000,
        "entropy": 0.02,
        "correlation": 0.9,
    },
    "LunarLander-v3": LANDERS,
    "LunarLanderContinuous-v3": LANDERS,
    "MiniGrid-DoorKey-6x6-v0": {**GRIDS, "total_steps": 1_000_000},
    "MountainCar-v0": {**CORRELATED, "steps": 64, "total_steps": 1_500_000, "gae_lambda": 0.98},
    "MountainCarContinuous-v0": {**CORRELATED, "steps": 128, "epochs": 4, "minibatches": 32},
    "Pendulum-v1": {
        "steps": 16,
        "total_steps": 800_000,
        "learning_rate": 2e-3,
        "gamma": 0.97,
        "gae_lambda": 0.9,
        "epochs": 4,
        "minibatches": 8,
    },
}
"""What differs from the defaults of `Hyperparameters`."""


def hyperparameters_for(env: Any, **given: Any) -> Hyperparameters:
    """Return the hyperparameters for an environment.

    Args:
        env: an id, or the class or module that defines an environment; without a preset it gets
            the defaults, others where it observes pictures or boards.
        **given: those that are to have other values.

    Raises:
        TypeError, ValueError: for unknown names and values out of place.
    """
    envs = BatchEnv(env, 1, backend="reference", text_mode="tokens")
    layout = Layout(envs.single_observation_space, "The observation space")
    envs.close()
    symbols = any(isinstance(leaf, Symbols) for leaf in layout.leaves)
    pixels, boards = (
        any(is_picture(leaf, dtype) for leaf in layout.leaves) for dtype in (np.uint8, np.bool_)
    )
    name = envs.definition.name
    others = GRIDS if symbols else PIXELS if pixels else BOARDS if boards else {}
    of_family = (preset for start, preset in FAMILIES.items() if name.startswith(start))
    chosen = PRESETS.get(name, next(of_family, others))
    return Hyperparameters(**chosen).replace(**given)
