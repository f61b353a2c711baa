"""Hyperparameters that are known to work, by id; found by trying, on two cores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gymnasium.spaces import Box

from batchsim.spaces import Layout
from batchsim.torch.ppo import Hyperparameters
from batchsim.vector import BatchEnv

__all__ = ["hyperparameters_for"]

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "Acrobot-v1": {"steps": 64, "minibatches": 8, "gae_lambda": 0.94, "normalize": True},
    "CartPole-v1": {"total_steps": 120_000, "epochs": 8, "gamma": 0.98, "gae_lambda": 0.9},
    # Momentum has to be built up before there is any reward: noise must push one way for long.
    "MountainCar-v0": {
        "steps": 128,
        "total_steps": 1_000_000,
        "minibatches": 8,
        "gae_lambda": 0.98,
        "normalize": True,
        "correlation": 0.95,
    },
    "MountainCarContinuous-v0": {
        "steps": 256,
        "minibatches": 16,
        "epochs": 10,
        "normalize": True,
        "correlation": 0.95,
    },
    "Pendulum-v1": {
        "steps": 64,
        "total_steps": 400_000,
        "minibatches": 8,
        "epochs": 10,
        "gamma": 0.9,
    },
}
"""What differs from the defaults of `Hyperparameters`."""

PIXELS: Mapping[str, Any] = {"steps": 64, "learning_rate": 5e-4, "entropy": 0.01, "num_splits": 2}
"""The same for observations that are pictures."""


def hyperparameters_for(env: Any, **given: Any) -> Hyperparameters:
    """Return the hyperparameters for an environment.

    Args:
        env: an id, or the class or module that defines an environment; without a preset it gets
            the defaults, others where it observes pictures.
        **given: those that are to have other values.

    Raises:
        TypeError, ValueError: for unknown names and values out of place.
    """
    envs = BatchEnv(env, 1, backend="reference")
    layout = Layout(envs.single_observation_space, "The observation space")
    envs.close()
    pixels = any(isinstance(leaf, Box) and len(leaf.shape) == 3 for leaf in layout.leaves)
    chosen = PRESETS.get(envs.definition.name, PIXELS if pixels else {})
    return Hyperparameters(**chosen).replace(**given)
