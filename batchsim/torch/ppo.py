"""Proximal policy optimisation (Schulman and others, 2017) in one file, readable top to bottom.

An iteration collects a rollout of T steps of N environments, estimates advantages, and improves
policy and values by some epochs of minibatches over it. After CleanRL's manner (Huang and others,
2022), with two additions: the critic learns returns in their own scale (Pop-Art), so that no
environment's rewards need one of their own, and noise may be correlated in time.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import torch
from torch import nn

from batchsim.batch.vector import BatchEnv
from batchsim.definition import suggest
from batchsim.torch import restore
from batchsim.torch._rollout import count_episodes
from batchsim.torch.collector import Collector
from batchsim.torch.distributed import ALONE, Ranks, TrainingError
from batchsim.torch.nested import mapped
from batchsim.torch.policy import ActorCritic

__all__ = ["PPO", "Hyperparameters", "Iteration", "TrainingError"]

ADVICE = "A lower learning rate may help, or rewards and observations that are finite themselves."
RECENT = 100
"""Episodes that the mean return under way is taken over."""


@dataclass(frozen=True)
class Hyperparameters:
    """What PPO may be told; the defaults suit short episodes with dense rewards.

    Where environments take next to no time, fresh steps are cheaper than learning again from old
    ones: so there are many environments and few epochs.
    """

    num_envs: int = 256
    """N."""
    steps: int = 32
    """T, of a rollout."""
    total_steps: int = 500_000
    """Of all environments together; rounded up to whole rollouts."""
    learning_rate: float = 1e-3
    anneal: bool = True
    """Let the learning rate fall to nothing at the end."""
    gamma: float = 0.99
    gae_lambda: float = 0.95
    epochs: int = 2
    minibatches: int = 16
    clip: float = 0.2
    """How far a probability may move away from the old one, as a share of it."""
    entropy: float = 0.0
    """Weight of the entropy, which keeps the policy random."""
    value: float = 0.5
    """Weight of the error of the values."""
    max_gradient: float = 0.5
    """Norm that gradients are scaled down to."""
    normalize: bool = False
    """Shift and scale observations by what was seen of them."""
    hidden: tuple[int, ...] = (64, 64)
    """Units of each hidden layer."""
    log_std: float = 0.0
    """First logarithm of the standard deviation of continuous actions."""
    correlation: float = 0.0
    """Of the noise of one step with that of the next, from 0 to below 1."""
    num_splits: int = 1
    """Halves that step in turns (2), which pays where environments take time."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check(field.name, getattr(self, field.name), field.default)
        if self.num_envs * self.steps < 2 * self.minibatches:
            raise ValueError(
                f"num_envs times steps is {self.num_envs * self.steps}; expected at least two "
                f"samples for each of the {self.minibatches} minibatches."
            )

    def replace(self, **values: Any) -> Hyperparameters:
        """Return them with other values for some.

        Raises:
            TypeError, ValueError: for unknown names and values out of place.
        """
        known = [field.name for field in dataclasses.fields(self)]
        for name in values:
            if name not in known:
                raise ValueError(
                    f"There is no hyperparameter {name!r}{suggest(name, known)}; expected one of "
                    f"{', '.join(known)}."
                )
        return dataclasses.replace(self, **values)

    @property
    def iterations(self) -> int:
        """How many rollouts the steps are."""
        return math.ceil(self.total_steps / (self.num_envs * self.steps))


FROM_0_TO_1 = ("gamma", "gae_lambda")
POSITIVE = ("learning_rate", "clip", "max_gradient")


def _check(name: str, value: Any, default: Any) -> None:
    """Raise ValueError, or TypeError, for a hyperparameter out of place."""
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise TypeError(f"{name} is {value!r}; expected True or False.")
    elif isinstance(default, (int, tuple)):
        numbers = value if isinstance(default, tuple) else (value,)
        if not isinstance(numbers, tuple):
            raise TypeError(f"{name} is {value!r}; expected {_whole(default)}.")
        if not all(type(number) is int for number in numbers):
            raise TypeError(f"{name} is {value!r}; expected {_whole(default)}.")
        if not all(number >= 1 for number in numbers):
            raise ValueError(f"{name} is {value!r}; expected {_whole(default)}.")
        if name == "num_splits" and value > 2:
            raise ValueError(f"num_splits is {value}; expected 1 or 2.")
    elif not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}; expected a number.")
    elif name in FROM_0_TO_1 and not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} is {value}; expected a number from 0 to 1.")
    elif name == "correlation" and not 0.0 <= value < 1.0:
        raise ValueError(f"{name} is {value}; expected a number from 0 to below 1.")
    elif not math.isfinite(value) or (name in POSITIVE and value <= 0.0):
        what = "a positive number" if name in POSITIVE else "a finite number"
        raise ValueError(f"{name} is {value}; expected {what}.")


def _whole(default: Any) -> str:
    return f"{'a tuple of' if isinstance(default, tuple) else 'a'} positive whole number" + (
        "s" if isinstance(default, tuple) else ""
    )


@dataclass
class Iteration:
    """What an iteration did."""

    number: int
    steps: int
    """Of all environments, since the beginning."""
    mean_return: float
    """Of the last episodes that ended, at most 100; NaN before the first."""
    mean_length: float
    episodes: int
    """That have ended since the beginning."""
    policy_loss: float
    value_loss: float
    entropy: float
    learning_rate: float


class _Outcome(NamedTuple):
    """What came of a rollout, (T, N) of all ranks, on the CPU."""

    rewards: torch.Tensor
    advantages: torch.Tensor
    returns: torch.Tensor
    valid: torch.Tensor
    terminated: torch.Tensor
    truncated: torch.Tensor


class PPO:
    """Learns from environments, an iteration a call.

    Args:
        envs: a `BatchEnv`, or another `gymnasium.vector.VectorEnv` with NEXT_STEP autoreset; as
            many environments as the hyperparameters say, or this rank's share of them.
        hyperparameters: how to learn.
        seed: of weights, environments, noise and minibatches.
        device: where policy and learning are: "cpu", "cuda", ….
        ranks: the processes that learn together; all of them make the same calls.

    Example:
        >>> import batchsim
        >>> from batchsim.torch import PPO, Hyperparameters
        >>> how = Hyperparameters(num_envs=8, steps=16, total_steps=256)
        >>> ppo = PPO(batchsim.make_vec("CartPole-v1", num_envs=8), how, seed=1)
        >>> while not ppo.finished:
        ...     iteration = ppo.iterate()
        >>> iteration.number, iteration.steps
        (2, 256)
    """

    def __init__(
        self,
        envs: gymnasium.vector.VectorEnv[Any, Any, Any],
        hyperparameters: Hyperparameters,
        *,
        seed: int = 0,
        device: torch.device | str = "cpu",
        ranks: Ranks = ALONE,
    ) -> None:
        h = self.hyperparameters = hyperparameters
        if envs.num_envs * ranks.size != h.num_envs:
            where = f" on each of {ranks.size} ranks" if ranks.several else ""
            raise ValueError(
                f"num_envs is {h.num_envs}, but there are {envs.num_envs} of them{where}."
            )
        self.ranks = ranks
        self.device = torch.device(device)
        self.envs = envs
        # Another stream than the collector's noise, which is drawn with the seed itself.
        own = int(np.random.SeedSequence(seed).generate_state(1)[0])
        self.generator = torch.Generator().manual_seed(own)
        self.policy = ActorCritic(
            envs.single_observation_space,
            envs.single_action_space,
            hidden=h.hidden,
            normalize=h.normalize,
            log_std=h.log_std,
            correlation=h.correlation,
            generator=self.generator,
        ).to(self.device)
        ranks.copy_first(self.policy)
        self.optimizer = torch.optim.Adam(
            self.policy.parameters(), lr=h.learning_rate, eps=1e-5, fused=True
        )
        splits = h.num_splits if isinstance(envs, BatchEnv) else 1
        self.collector = Collector(
            envs,
            self.policy,
            h.steps,
            splits,
            self.device,
            seed=seed,
            halves=h.num_splits == 2,
            ranks=ranks,
        )
        self.iteration = 0
        self.learning_seconds = 0.0
        self.episodes = 0
        self.recent: deque[tuple[float, int]] = deque(maxlen=RECENT)
        self.totals = np.zeros(h.num_envs)
        self.lengths = np.zeros(h.num_envs, np.int64)

    @property
    def finished(self) -> bool:
        """Whether all iterations have been made."""
        return self.iteration >= self.hyperparameters.iterations

    def iterate(self) -> Iteration:
        """Collect a rollout and learn from it.

        Raises:
            TrainingError: if actions or a loss are not finite, which nothing would recover from.
        """
        h = self.hyperparameters
        rate = h.learning_rate
        if h.anneal:
            rate *= max(0.0, 1.0 - self.iteration / h.iterations)
        self.optimizer.param_groups[0]["lr"] = rate
        self._collect()
        begin = time.perf_counter()
        outcome = self._estimate()
        losses = self._learn(outcome)
        self.iteration += 1
        self._count(outcome)
        self.learning_seconds += time.perf_counter() - begin
        returns = [total for total, _ in self.recent]
        return Iteration(
            self.iteration,
            self.iteration * h.num_envs * h.steps,
            float(np.mean(returns)) if returns else math.nan,
            float(np.mean([length for _, length in self.recent])) if returns else math.nan,
            self.episodes,
            *losses,
            rate,
        )

    def _collect(self) -> None:
        try:
            self.collector.collect()
        except BaseException as cause:
            # The episodes under way are lost: what comes next is a reset.
            self.totals[:] = 0.0
            self.lengths[:] = 0
            finite = bool(self.collector.rollout.log_probs.isfinite().all())
            if finite or not isinstance(cause, ValueError):
                raise
            raise TrainingError(
                f"The actions of iteration {self.iteration + 1} are not finite. {ADVICE}"
            ) from cause

    def _estimate(self) -> _Outcome:
        h, rollout = self.hyperparameters, self.collector.rollout
        found = rollout.estimate(h.gamma, h.gae_lambda)
        return _Outcome(
            *self.ranks.gather_rows(
                rollout.rewards,
                found.advantages,
                found.returns,
                found.valid,
                rollout.terminated,
                rollout.truncated,
            )
        )

    def _count(self, outcome: _Outcome) -> None:
        flags = (outcome.terminated, outcome.truncated, outcome.valid)
        ended = count_episodes(
            outcome.rewards.numpy(),
            *(flag.numpy().view(np.uint8) for flag in flags),
            self.totals,
            self.lengths,
        )
        self.episodes += len(ended)
        self.recent.extend(ended)

    def _learn(self, outcome: _Outcome) -> tuple[float, float, float]:
        """Improve policy and values; return the mean losses and the mean entropy."""
        h, rollout = self.hyperparameters, self.collector.rollout
        policy, ranks = self.policy, self.ranks
        # With NEXT_STEP the steps that reset a row teach nothing.
        valid = outcome.valid.flatten().nonzero().squeeze(1)
        count = len(valid)
        if not count:
            return 0.0, 0.0, 0.0
        everyones = outcome.advantages.flatten().to(self.device)
        returns = outcome.returns.flatten()[valid].to(self.device)
        policy.rescale_values(returns, 1.0 if self.iteration == 0 else 0.1)
        # Of this rank's rows from here on.
        actions = rollout.actions.flatten(0, 1)
        old_log_probs = rollout.log_probs.flatten()
        advantages = rollout.advantages.advantages.flatten().to(self.device)
        returns = rollout.advantages.returns.flatten().to(self.device)
        targets = (returns - policy.value_mean) / policy.value_std
        # One sample alone would have no deviation.
        size = max(2, math.ceil(count / h.minibatches))
        minibatches = [
            slice(start, min(start + size, count)) for start in range(0, count - 1, size)
        ]
        # Those of the policy, which takes a while to list them.
        parameters = self.optimizer.param_groups[0]["params"]
        sums = torch.zeros(3, device=self.device)
        for _ in range(h.epochs):
            order = valid[torch.randperm(count, generator=self.generator)]
            rows, parts = ranks.share_out(order, h.steps, h.num_envs, minibatches)
            rows = rows.to(self.device)
            compared = everyones.index_select(0, order.to(self.device))
            epoch = [
                one.index_select(0, rows) for one in (actions, old_log_probs, advantages, targets)
            ]
            for whole, part in zip(minibatches, parts, strict=True):
                self.optimizer.zero_grad()
                samples = [one[part] for one in epoch]
                losses = self._go_back(rows[part], samples, compared[whole])
                ranks.add_up(parameters, losses)
                nn.utils.clip_grad_norm_(parameters, h.max_gradient)
                self.optimizer.step()
                sums += losses
        if h.normalize:
            own, _ = ranks.share_out(valid, h.steps, h.num_envs, [])
            policy.encoder.show(self._seen(own.to(self.device)), ranks)
        policy_loss, value_loss, entropy = (sums / max(1, h.epochs * len(minibatches))).tolist()
        if not all(map(math.isfinite, (policy_loss, value_loss, entropy))):
            raise TrainingError(
                f"The losses of iteration {self.iteration + 1} are not finite (policy "
                f"{policy_loss}, values {value_loss}, entropy {entropy}). {ADVICE}"
            )
        return policy_loss, value_loss, entropy

    def _seen(self, rows: torch.Tensor) -> Any:
        """Return what was observed at these places of the flattened rollout."""
        observations = self.collector.rollout.observations
        return mapped(lambda leaf: leaf[:-1].flatten(0, 1).index_select(0, rows), observations)

    def _go_back(
        self, rows: torch.Tensor, samples: Sequence[torch.Tensor], compared: torch.Tensor
    ) -> torch.Tensor:
        """Add to the gradients what these samples of a minibatch have a part in; return their parts
        of the policy's loss, the values' and the entropy, (3,).

        Args:
            rows: the samples' places in the flattened rollout.
            samples: their actions, old log-probabilities, advantages and targets.
            compared: the advantages of all samples of the minibatch.
        """
        h, count = self.hyperparameters, len(compared)
        if not len(rows):  # All are of other ranks.
            return compared.new_zeros(3)
        actions, old_log_probs, advantages, targets = samples
        # Pictures of a whole epoch would be too much memory at once to be fast.
        log_probs, entropy, values = self.policy.evaluate(self._seen(rows), actions)
        ratio = (log_probs - old_log_probs).exp()
        std, mean = torch.std_mean(compared)
        advantages = (advantages - mean) / (std + 1e-8)
        gain = torch.min(advantages * ratio, advantages * ratio.clamp(1.0 - h.clip, 1.0 + h.clip))
        losses = (
            -gain.sum() / count,
            0.5 * ((values - targets).square().sum() / count),
            entropy.sum() / count,
        )
        (losses[0] + h.value * losses[1] - h.entropy * losses[2]).backward()
        return torch.stack(losses).detach()

    # -- going on later ------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of all that decides how training goes on, environments included: tensors
        and plain Python values.

        Of several ranks the first one has the environments of all; the others have none.

        Raises:
            TypeError: if the environments are no `BatchEnv`, and so have no snapshot.
        """
        if not isinstance(self.envs, BatchEnv):
            raise TypeError(f"{self.envs} has no snapshot; expected a BatchEnv.")
        collector = self.collector
        environments = restarting = None
        if collector.steppers:
            everyones = self.ranks.gather((self.envs.get_state(), collector.rollout.over()))
            if self.ranks.first:
                snapshots, flags = zip(*everyones, strict=True)
                environments = _as_tensors(snapshots)
                restarting = torch.cat(flags)
        return {
            "policy": copy.deepcopy(self.policy.state_dict()),
            "optimizer": copy.deepcopy(self.optimizer.state_dict()),
            "seed": collector.seed,
            "generators": [self.generator.get_state(), collector.generator.get_state()],
            "environments": environments,
            "restarting": restarting,
            "iteration": self.iteration,
            "episodes": self.episodes,
            "recent": list(self.recent),
            "totals": torch.from_numpy(self.totals.copy()),
            "lengths": torch.from_numpy(self.lengths.copy()),
            "seconds": [
                self.learning_seconds,
                collector.times.environment,
                collector.times.policy,
                collector.times.whole,
            ],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a `state_dict` of the same environments and hyperparameters.

        Raises:
            ValueError: if anything in it has not the type, shape, dtype or range that it must have;
                nothing has then changed.
        """
        found = restore.read_training(state, self)
        collector = self.collector
        if found.snapshot is not None:
            assert isinstance(self.envs, BatchEnv)
            rows = collector.rows
            snapshot = {name: column[rows] for name, column in found.snapshot.items()}
            collector.begin_from(self.envs.set_state(snapshot), found.restarting[rows])
        else:
            collector.start_over()
        self.policy.load_state_dict(found.policy)
        # PyTorch's optimizers go on in the very tensors that they load.
        self.optimizer.load_state_dict(copy.deepcopy(found.optimizer))
        collector.seed = found.seed
        self.generator.set_state(found.generators[0])
        collector.generator.set_state(found.generators[1])
        self.iteration = found.iteration
        self.episodes = found.episodes
        self.recent = deque(found.recent, RECENT)
        self.totals = found.totals
        self.lengths = found.lengths
        self.learning_seconds = found.seconds[0]
        times = collector.times
        times.environment, times.policy, times.whole = found.seconds[1:]


def _as_tensors(snapshots: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return snapshots of all ranks as one of tensors, and lists where an array holds objects."""
    columns = {name: np.concatenate([one[name] for one in snapshots]) for name in snapshots[0]}
    return {
        name: column.tolist() if column.dtype == object else torch.from_numpy(column)
        for name, column in columns.items()
    }
