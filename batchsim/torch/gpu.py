"""Half of a rollout on a GPU: copies there and back beside the other half's, at fixed addresses."""

from __future__ import annotations

from typing import Any, Protocol

import torch

from batchsim.torch.nested import mapped
from batchsim.torch.policy import Decision, Policy
from batchsim.torch.rollout import Rollout

__all__ = ["Lane"]

WARM_UPS = 3
"""Calls of a policy before its operations are recorded: the first ones set libraries up."""


class Collecting(Protocol):
    """What a lane asks of the collector that it works for."""

    device: torch.device
    rollout: Rollout
    policy: Policy
    cuda_graph: bool
    noise: torch.Tensor | None

    @property
    def host_actions(self) -> torch.Tensor:
        """The actions of the step at work on the host, (N, …)."""

    def check_decision(self, decision: Decision, rows: slice) -> None:
        """Raise ValueError unless each part has one number, or one action, a row."""


class Lane:
    """Asks the policy about half of the rows, on a stream of its own.

    Args:
        collector: whose rollout it fills.
        rows: the half.
    """

    def __init__(self, collector: Collecting, rows: slice) -> None:
        self.collector = collector
        self.rows = rows
        self.stream = torch.cuda.Stream(collector.device)
        self.graph: torch.cuda.CUDAGraph | None = None
        self.decision: Decision | None = None
        # The policy always reads these tensors, whatever the step.
        self.observations = mapped(
            lambda leaf: torch.zeros_like(leaf[0, rows]), collector.rollout.observations
        )
        self.noise: torch.Tensor | None = None

    def observe(self, t: int) -> None:
        """Copy what the rows observe at step `t` into the rollout on the GPU, and wait for it."""
        with torch.cuda.stream(self.stream):
            self._copy(t)
        self.stream.synchronize()

    def _copy(self, t: int) -> None:
        rollout = self.collector.rollout
        mapped(
            lambda host, there, here: there[t, self.rows].copy_(
                here.copy_(host[t, self.rows], non_blocking=True)
            ),
            rollout.host_observations,
            rollout.observations,
            self.observations,
        )

    def act(self, t: int) -> None:
        """Ask the policy what to do at step `t`; return when the actions are on the host."""
        rollout, all_noise = self.collector.rollout, self.collector.noise
        assert all_noise is not None
        if t == 0:
            # The noise was drawn, and the policy may have learned, on the default stream.
            self.stream.wait_stream(torch.cuda.current_stream(self.collector.device))
        with torch.cuda.stream(self.stream):
            self._copy(t)
            if self.noise is None:
                self.noise = torch.empty_like(all_noise[t, self.rows])
            self.noise.copy_(all_noise[t, self.rows])
            decision = self._decide()
            if t == 0:
                self.collector.check_decision(decision, self.rows)
            rollout.actions[t, self.rows].copy_(decision.actions)
            rollout.log_probs[t, self.rows].copy_(decision.log_probs)
            rollout.values[t, self.rows].copy_(decision.values)
            self.collector.host_actions[self.rows].copy_(decision.actions, non_blocking=True)
        self.stream.synchronize()

    def _decide(self) -> Decision:
        policy: Any = self.collector.policy
        if not self.collector.cuda_graph:
            return policy.act(self.observations, self.noise)  # type: ignore[no-any-return]
        if self.graph is None:
            for _ in range(WARM_UPS):
                policy.act(self.observations, self.noise)
            self.stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=self.stream):
                self.decision = policy.act(self.observations, self.noise)
            # Kept only if all could be recorded.
            self.graph = graph
        self.graph.replay()
        assert self.decision is not None
        return self.decision
