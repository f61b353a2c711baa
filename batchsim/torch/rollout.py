"""The storage of a rollout [T, N, …], which environments write into themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Space

from batchsim.batch.spaces import Layout
from batchsim.torch.advantages import Advantages, generalised_advantages

__all__ = ["Rollout"]


class Rollout:
    """What T steps of N environments saw, did and got; allocated once and filled again and again.

    What environments write lies in the host's memory, pinned if the policy is on a GPU.

    Attributes:
        observations: (T + 1, N, …) on the policy's device, nested as the space is: what each step
            saw, and what the last one led to.
        actions: (T, N, …) on the policy's device, as the policy chose them.
        log_probs: (T, N), float32, on the policy's device.
        values: (T + 1, N), float32, on the policy's device.
        rewards: (T, N), on the host, in the dtype of the environments.
        terminated, truncated: (T, N), bool, on the host.
        restarting: (N,), bool, on the host: the rows that the first step resets, with NEXT_STEP
            autoreset.
        final_values: (T, N), float32, on the host, with SAME_STEP autoreset, or None: the value of
            the last observation where an episode was truncated, 0 elsewhere.
        advantages: `Advantages` on the host, once `estimate` has been called.
    """

    def __init__(
        self,
        steps: int,
        num_envs: int,
        observation_space: Space[Any],
        action: tuple[tuple[int, ...], torch.dtype],
        *,
        reward: torch.dtype = torch.float64,
        same_step: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        device = torch.device(device)
        pinned = device.type == "cuda"
        layout = Layout(observation_space, "The observation space")
        shapes = [(steps + 1, *shape) for shape in layout.shapes(num_envs)]

        def host(shape: Iterable[int], dtype: torch.dtype) -> torch.Tensor:
            return torch.zeros(tuple(shape), dtype=dtype, pin_memory=pinned)

        def placed(shape: Iterable[int], dtype: torch.dtype) -> torch.Tensor:
            return torch.zeros(tuple(shape), dtype=dtype, device=device)

        dtypes = [torch.from_numpy(np.zeros(0, dtype)).dtype for dtype in layout.dtypes()]
        parts = [host(*both) for both in zip(shapes, dtypes, strict=True)]
        self.host_observations: Any = layout.outer(parts)  # type: ignore[arg-type]
        self.observations: Any = self.host_observations
        if pinned:
            on_device = [placed(*both) for both in zip(shapes, dtypes, strict=True)]
            self.observations = layout.outer(on_device)  # type: ignore[arg-type]
        shape, dtype = action
        self.actions = placed((steps, num_envs, *shape), dtype)
        self.log_probs = placed((steps, num_envs), torch.float32)
        self.values = placed((steps + 1, num_envs), torch.float32)
        self.rewards = host((steps, num_envs), reward)
        self.terminated = host((steps, num_envs), torch.bool)
        self.truncated = host((steps, num_envs), torch.bool)
        self.restarting = torch.zeros(num_envs, dtype=torch.bool)
        self.final_values = torch.zeros(steps, num_envs) if same_step else None
        self.advantages = Advantages(
            host((steps, num_envs), torch.float32),
            host((steps, num_envs), torch.float32),
            host((steps, num_envs), torch.bool),
        )

    @property
    def steps(self) -> int:
        """T."""
        return len(self.rewards)

    @property
    def num_envs(self) -> int:
        """N."""
        return len(self.restarting)

    def estimate(self, gamma: float, gae_lambda: float) -> Advantages:
        """Fill `advantages` from rewards and values, and return them."""
        return generalised_advantages(
            self.rewards,
            self.values.cpu(),
            self.terminated,
            self.truncated,
            restarting=self.restarting if self.final_values is None else None,
            final_values=self.final_values,
            gamma=gamma,
            gae_lambda=gae_lambda,
            out=self.advantages,
        )

    def over(self) -> torch.Tensor:
        """Return whose episodes the last step ended, (N,), bool."""
        return self.terminated[-1] | self.truncated[-1]
