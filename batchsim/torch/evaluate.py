"""How good a policy is: the returns of fresh episodes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium.spaces import Space

from batchsim.batch.checks import whole_number
from batchsim.batch.vector import BatchEnv
from batchsim.torch.nested import mapped
from batchsim.torch.policy import ActorCritic, converter

__all__ = ["Evaluation", "drawn", "evaluate", "evaluation_seeds", "most_likely", "play"]

Array = npt.NDArray[Any]

LONGEST = 10_000
"""Steps after which an episode is broken off if its environment has no time limit of its own: the
most likely action may lead around in a circle."""


@dataclass(frozen=True)
class Evaluation:
    """The returns of some episodes."""

    episodes: int
    mean: float
    std: float
    """Of single returns."""
    lowest: float
    highest: float
    mean_length: float
    success_rate: float | None
    """Which part of the episodes terminated with a positive reward; None if any other step paid
    something, so that an episode's end does not say alone how it went."""


def most_likely(policy: ActorCritic, action_space: Space[Any]) -> Callable[[Any], Array]:
    """Return a function from observations to a policy's most likely actions, both in arrays.

    Args:
        policy: what acts.
        action_space: of one environment.
    """
    return _acting(policy, action_space, policy.best)


def drawn(policy: ActorCritic, envs: BatchEnv, seed: int) -> Callable[[Any], Array]:
    """Return a function from observations to actions drawn as in training, both in arrays.

    Args:
        policy: what acts.
        envs: where.
        seed: of the draws.
    """
    generator = torch.Generator(next(policy.parameters()).device).manual_seed(seed)

    def act(seen: Any) -> torch.Tensor:
        return policy.act(seen, policy.draw(1, envs.num_envs, generator)[0]).actions

    return _acting(policy, envs.single_action_space, act)


def _acting(
    policy: ActorCritic, action_space: Space[Any], choose: Callable[[Any], torch.Tensor]
) -> Callable[[Any], Array]:
    device = next(policy.parameters()).device
    convert = converter(action_space)

    def act(observations: Any) -> Array:
        seen = mapped(lambda leaf: torch.from_numpy(leaf).to(device), observations)
        with torch.no_grad():
            return convert(choose(seen).cpu().numpy())

    return act


def evaluate(
    policy: ActorCritic,
    env: Any,
    episodes: int = 100,
    *,
    seed: int = 0,
    draw: bool = False,
    **arguments: Any,
) -> Evaluation:
    """Return how a policy does that always takes its most likely action.

    Args:
        policy: what acts.
        draw: draw actions as in training instead. A policy without a memory that sees only a part
            of what there is may do best by chance (Singh and others, 1994).
        env, episodes, seed: as of `play`.
        **arguments: as of `play`.
    """

    def player(envs: BatchEnv) -> Callable[[Any], Array]:
        return drawn(policy, envs, seed) if draw else most_likely(policy, envs.single_action_space)

    return play(player, env, episodes, seed=seed, **arguments)


def play(
    player: Callable[[BatchEnv], Callable[[Any], Array]],
    env: Any,
    episodes: int = 100,
    *,
    seed: int = 0,
    **arguments: Any,
) -> Evaluation:
    """Return how fresh episodes go.

    Each episode is the first of its own environment, so that short ones do not count more often.

    Args:
        player: given the environments, all episodes side by side, a function from what they observe
            to actions, both in arrays.
        env: an id, or the class or module that defines an environment.
        episodes: how many.
        seed: of a stream of seeds that has nothing in common with those of training.
        **arguments: of `BatchEnv`.
    """
    episodes = whole_number("episodes", episodes, at_least=1)
    totals = np.zeros(episodes)
    lengths = np.zeros(episodes, np.int64)
    running = np.ones(episodes, np.bool_)
    succeeded = np.zeros(episodes, np.bool_)
    paid_under_way = False
    with closing(BatchEnv(env, episodes, **arguments)) as envs:
        if envs.max_episode_steps is None and arguments.get("max_episode_steps") is None:
            envs.max_episode_steps = LONGEST
        act = player(envs)
        observations, _ = envs.reset(seed=evaluation_seeds(episodes, seed))
        while running.any():
            observations, rewards, terminated, truncated, _ = envs.step(act(observations))
            rewards = np.where(running, rewards, 0.0)
            totals += rewards
            lengths += running
            succeeded |= running & terminated & (rewards > 0.0)
            paid_under_way |= bool(rewards[~terminated].any())
            running &= ~(terminated | truncated)
    return Evaluation(
        episodes,
        float(totals.mean()),
        float(totals.std()),
        float(totals.min()),
        float(totals.max()),
        float(lengths.mean()),
        None if paid_under_way else float(succeeded.mean()),
    )


def evaluation_seeds(episodes: int, seed: int) -> list[int]:
    """Return the seeds of the episodes that `play` plays."""
    found: list[int] = np.random.SeedSequence((seed, episodes)).generate_state(episodes).tolist()
    return found
