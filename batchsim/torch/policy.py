"""Policies: what a `Collector` asks of one, and the network that `train` teaches."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete, Space
from torch import nn

from batchsim.torch.encoder import Encoder, Lookup
from batchsim.torch.threads import one_thread

__all__ = ["ActorCritic", "Decision", "Policy", "converter", "distribution_of"]

Array = npt.NDArray[Any]


class Decision(NamedTuple):
    """What a policy does in some rows."""

    actions: torch.Tensor
    """(rows, …): int64, counted from 0, for Discrete and MultiDiscrete; float32 for Box, which are
    clipped to its bounds before the environment gets them."""
    log_probs: torch.Tensor
    """(rows,), float32."""
    values: torch.Tensor
    """(rows,), float32."""


class Policy(Protocol):
    """What a `Collector` asks for actions.

    Whatever is random comes in as noise, drawn for a whole rollout at once: so a row's action does
    not depend on which rows the policy is asked for together, and a step draws nothing.
    """

    def draw(self, steps: int, rows: int, generator: torch.Generator) -> torch.Tensor:
        """Return the noise of a rollout, (steps, rows, …), on the generator's device."""

    def act(self, observations: Any, noise: torch.Tensor) -> Decision:
        """Return what to do in some rows, given what they observe and their noise (rows, …)."""

    def value(self, observations: Any) -> torch.Tensor:
        """Return what is expected of some rows, (rows,)."""


class Categorical:
    """Distributions over one or several discrete actions.

    Args:
        counts: how many actions there are, of each.
        single: there is one, and actions have no axis for it.
    """

    dtype = torch.int64

    def __init__(self, counts: Sequence[int], single: bool) -> None:
        self.counts = list(counts)
        self.outputs = sum(self.counts)
        self.shape: tuple[int, ...] = () if single else (len(self.counts),)

    def noise(self, normal: torch.Tensor | None, shape: tuple[int, ...], generator: Any) -> Any:
        """Return Gumbel noise; made from normal noise, if given, and as correlated as that is."""
        if normal is not None:
            # Never 0 or 1, of which the logarithms would be infinite.
            uniform = torch.special.ndtr(normal).clamp_(1e-7, 1 - 1e-7)
            return uniform.log_().neg_().log_().neg_()
        noise = torch.empty(*shape, self.outputs, device=generator.device)
        return noise.exponential_(generator=generator).log_().neg_()

    def _parts(self, flat: torch.Tensor) -> Sequence[torch.Tensor]:
        return torch.split(flat, self.counts, -1)

    def sample(self, logits: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return actions drawn by the Gumbel-max trick (Gumbel, 1954)."""
        return self.mode(logits + noise)

    def mode(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the most likely actions."""
        if not self.shape:
            return logits.argmax(-1)
        return torch.stack([part.argmax(-1) for part in self._parts(logits)], -1)

    def log_prob(self, logits: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Return the logarithms of the actions' probabilities, (rows,)."""
        return self.log_prob_and_entropy(logits, actions)[0]

    def log_prob_and_entropy(
        self, logits: torch.Tensor, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logarithms of the actions' probabilities, and the entropies, each (rows,)."""
        chosen = actions.unsqueeze(-1) if not self.shape else actions
        log_prob: Any = 0.0
        entropy: Any = 0.0
        for k, part in enumerate(self._parts(logits)):
            log_probs = F.log_softmax(part, -1)
            log_prob = log_prob + log_probs.gather(-1, chosen[:, k : k + 1]).squeeze(-1)
            entropy = entropy - (log_probs.exp() * log_probs).sum(-1)
        return log_prob, entropy


class Gaussian:
    """Independent normal distributions over the elements of a Box, whose standard deviation the
    network learns but does not compute from what it sees.
    """

    dtype = torch.float32

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.outputs = int(np.prod(shape))

    def noise(self, normal: torch.Tensor | None, shape: tuple[int, ...], generator: Any) -> Any:
        """Return normal noise."""
        if normal is not None:
            return normal
        return torch.empty(*shape, self.outputs, device=generator.device).normal_(
            generator=generator
        )

    def sample(self, parameters: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return the mean and the noise scaled."""
        mean, log_std = parameters.chunk(2, -1)
        return torch.addcmul(mean, log_std.exp(), noise).view(-1, *self.shape)

    def mode(self, parameters: torch.Tensor) -> torch.Tensor:
        """Return the means."""
        return parameters.chunk(2, -1)[0].reshape(-1, *self.shape)

    def log_prob(self, parameters: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Return the logarithms of the actions' densities, (rows,)."""
        mean, log_std = parameters.chunk(2, -1)
        scaled = (actions.reshape(mean.shape) - mean) * torch.exp(-log_std)
        constant = 0.5 * math.log(2 * math.pi) * self.outputs
        return -0.5 * scaled.square().sum(-1) - log_std.sum(-1) - constant

    def log_prob_and_entropy(
        self, parameters: torch.Tensor, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logarithms of the actions' densities, and the entropies, each (rows,)."""
        log_std = parameters.chunk(2, -1)[1]
        constant = 0.5 * math.log(2 * math.pi * math.e) * self.outputs
        return self.log_prob(parameters, actions), log_std.sum(-1) + constant


def distribution_of(space: Space[Any]) -> Categorical | Gaussian:
    """Return the kind of distribution over the actions of a space.

    Raises:
        TypeError: if there is none.
    """
    if isinstance(space, Discrete):
        return Categorical([int(space.n)], single=True)
    if isinstance(space, MultiDiscrete) and len(space.shape) == 1:
        return Categorical(space.nvec.tolist(), single=False)
    if isinstance(space, MultiBinary) and len(space.shape or ()) == 1:
        return Categorical([2] * int(np.prod(space.shape)), single=False)
    if isinstance(space, Box) and np.issubdtype(space.dtype, np.floating):
        return Gaussian(space.shape)
    raise TypeError(
        f"The action space is {space}; expected Discrete, a Box of floats, or a MultiDiscrete or "
        "MultiBinary with one axis."
    )


def converter(space: Space[Any]) -> Callable[[Array], Array]:
    """Return what makes the environments' actions of a policy's: an array of the space's dtype."""
    dtype: Any = space.dtype
    if isinstance(space, Box):
        low, high = space.low, space.high
        bounded = np.isfinite(low).any() or np.isfinite(high).any()
        if not bounded:
            return lambda actions: actions.astype(dtype, copy=False)
        return lambda actions: np.clip(actions, low, high).astype(dtype, copy=False)
    start: Any = space.start if isinstance(space, (Discrete, MultiDiscrete)) else 0
    if np.any(start):
        return lambda actions: (actions + start).astype(dtype, copy=False)
    return lambda actions: actions.astype(dtype, copy=False)


class ActorCritic(nn.Module):
    """A policy and a value function, each a perceptron over the same encoded observations.

    Args:
        observation_space, action_space: of one environment.
        hidden: units of each hidden layer.
        normalize: shift and scale the numbers in observations by what was seen of them.
        log_std: the first logarithm of the standard deviation of continuous actions.
        correlation: of the noise in one step with that in the next, from 0 to below 1. Correlated
            noise explores further (Hollenstein and others, 2024).
        generator: of the first weights, on the CPU.

    Raises:
        TypeError: for an action space without a distribution.
    """

    value_mean: torch.Tensor
    value_std: torch.Tensor

    def __init__(
        self,
        observation_space: Space[Any],
        action_space: Space[Any],
        *,
        hidden: Sequence[int] = (64, 64),
        normalize: bool = False,
        log_std: float = 0.0,
        correlation: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.distribution = distribution_of(action_space)
        self.correlation = correlation
        self.encoder = Encoder(observation_space, normalize)
        features = self.encoder.features
        self.actor = _perceptron(features, hidden, self.distribution.outputs)
        self.critic = _perceptron(features, hidden, 1)
        self.log_std: nn.Parameter | None = None
        if isinstance(self.distribution, Gaussian):
            self.log_std = nn.Parameter(torch.full((self.distribution.outputs,), log_std))
        # The critic's outputs have mean 0 and deviation 1; these lead back to returns.
        self.register_buffer("value_mean", torch.zeros(()))
        self.register_buffer("value_std", torch.ones(()))
        with one_thread():  # With others the last bits of the first weights differ.
            self._initialize(generator)

    @torch.no_grad()
    def _initialize(self, generator: torch.Generator | None) -> None:
        """Orthogonal weights, of which the policy's last are small: it begins nearly uniform."""
        last = {self.actor[-1]: 0.01, self.critic[-1]: 0.01}
        for module in self.modules():
            if isinstance(module, Lookup):
                # As many vectors are added up as there are places.
                deviation = math.sqrt(2 / module.places)
                module.vectors.normal_(0.0, deviation, generator=generator)
            elif isinstance(module, (nn.Linear, nn.Conv2d)):
                gain = last.get(module, math.sqrt(2))
                nn.init.orthogonal_(module.weight, gain, generator=generator)
                if module.bias is not None:
                    module.bias.zero_()

    def draw(self, steps: int, rows: int, generator: torch.Generator) -> torch.Tensor:
        """Return the noise of a rollout (steps, rows, k)."""
        shape, normal = (steps, rows), None
        if self.correlation > 0.0:
            normal = torch.empty(*shape, self.distribution.outputs, device=generator.device)
            normal.normal_(generator=generator)
            fresh = math.sqrt(1.0 - self.correlation**2)
            for t in range(1, steps):
                normal[t].mul_(fresh).add_(normal[t - 1], alpha=self.correlation)
        found: torch.Tensor = self.distribution.noise(normal, shape, generator)
        return found

    def _parameters_of(self, features: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.actor(features)
        if self.log_std is not None:
            found = torch.cat([found, self.log_std.expand_as(found)], -1)
        return found

    def act(self, observations: Any, noise: torch.Tensor) -> Decision:
        """Return actions drawn with the noise, their log-probabilities and the values."""
        features = self.encoder(observations)
        parameters = self._parameters_of(features)
        actions = self.distribution.sample(parameters, noise)
        return Decision(
            actions, self.distribution.log_prob(parameters, actions), self._value_of(features)
        )

    def value(self, observations: Any) -> torch.Tensor:
        """Return the returns that are expected, (rows,)."""
        return self._value_of(self.encoder(observations))

    def _value_of(self, features: torch.Tensor) -> torch.Tensor:
        return torch.addcmul(self.value_mean, self.critic(features).squeeze(-1), self.value_std)

    def best(self, observations: Any) -> torch.Tensor:
        """Return the most likely actions, as `Decision` has them."""
        return self.distribution.mode(self._parameters_of(self.encoder(observations)))

    def evaluate(
        self, observations: Any, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return log-probabilities of actions, entropies, and values in the critic's own scale."""
        features = self.encoder(observations)
        log_probs, entropy = self.distribution.log_prob_and_entropy(
            self._parameters_of(features), actions
        )
        return log_probs, entropy, self.critic(features).squeeze(-1)

    @torch.no_grad()
    def rescale_values(self, returns: torch.Tensor, rate: float) -> None:
        """Move the critic's scale towards these returns, its values staying as they are.

        Pop-Art (van Hasselt and others, 2016).

        Args:
            returns: (samples,).
            rate: how far, from 0 to 1.
        """
        std, mean = torch.std_mean(returns, correction=0)
        mean = torch.lerp(self.value_mean, mean, rate)
        std = torch.lerp(self.value_std, std, rate)
        # Where all returns are nearly the same, what is left of them is not worth a gradient.
        std = torch.maximum(std, 0.01 * mean.abs()).clamp(min=1e-4)
        last: Any = self.critic[-1]
        last.weight.mul_(self.value_std / std)
        last.bias.mul_(self.value_std).add_(self.value_mean - mean).div_(std)
        self.value_mean.copy_(mean)
        self.value_std.copy_(std)


def _perceptron(inputs: int, hidden: Sequence[int], outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for units in hidden:
        layers += [nn.Linear(inputs, units), nn.Tanh()]
        inputs = units
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))
