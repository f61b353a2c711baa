"""Collects rollouts: one half of the environments steps while the policy acts on the other."""

from __future__ import annotations

import contextlib
import reprlib
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import error
from gymnasium.vector import AutoresetMode, VectorEnv

from batchsim.batch.checks import whole_number
from batchsim.batch.infos import final_arrays
from batchsim.batch.vector import BatchEnv
from batchsim.torch.distributed import ALONE, Ranks
from batchsim.torch.gpu import Lane
from batchsim.torch.nested import mapped
from batchsim.torch.policy import Decision, Policy, converter, distribution_of
from batchsim.torch.rollout import Rollout

__all__ = ["Collector", "Times"]

Array = npt.NDArray[Any]

WORTH_SENDING = 20e-6
"""Seconds that the step of a half must take for a thread to be woken for it."""


@dataclass
class Times:
    """Seconds that collecting has taken: in environments, in the policy, and in all."""

    environment: float = 0.0
    """Until their results were there: what ran beside the policy is not in it."""
    policy: float = 0.0
    whole: float = 0.0

    @property
    def overhead(self) -> float:
        """Which part of policy and environment the rest is."""
        parts = self.environment + self.policy
        return self.whole / parts - 1.0 if parts else 0.0


@dataclass
class _Half:
    """Consecutive rows that the policy is asked about together."""

    rows: slice
    seen: list[Any]
    """What the rows observe at each step, (rows, …) on the policy's device."""
    actions: list[torch.Tensor]
    log_probs: list[torch.Tensor]
    values: list[torch.Tensor]
    noise: list[torch.Tensor] = field(default_factory=list)


@dataclass
class _Stepper:
    """Environments that are stepped together, and where what they return goes."""

    envs: Any
    rows: slice
    outs: list[tuple[Any, Array, Array, Array]]


class Collector:
    """Steps environments with a policy, and keeps what happens in a `Rollout`.

    With two splits, the halves of a batch take turns: one steps in the driver's threads while the
    policy acts on the other. Which rows are in which half never changes, and the policy is asked
    about the same halves whatever `num_splits` says: on the CPU the same seeds give the same
    rollout, bit for bit.

    Args:
        envs: a `BatchEnv`, with NEXT_STEP or SAME_STEP autoreset; with one split any other
            `gymnasium.vector.VectorEnv` with NEXT_STEP. Observations with a text need
            `text_mode="tokens"`.
        policy: what acts; an `ActorCritic`, or what has the methods of `Policy`.
        steps: T, of a rollout.
        num_splits: 1 or 2. With 2, halves that take less than 20 µs for a step are stepped in
            place, since waking a thread takes as long. The whole is stepped where a subclass of
            `BatchEnv` has a `step`, `reset`, `send`, `recv` or `split` of its own.
        device: where the policy is: "cpu", "cuda" or "cuda:1".
        seed: of the environments and of the noise; None for others each time.
        halves: ask the policy about half of the rows at a time, too, when there is one split. Else
            about all at once, which is faster for small batches; the last bits may then differ.
        cuda_graph: on a GPU, record the policy's operations once and play them back, for all of
            which it must have read nothing but its arguments and parameters.
        ranks: the processes that step as many environments each: seeds count on from one to the
            next, and noise is drawn for all of them.

    Raises:
        TypeError, ValueError: for arguments out of place.

    Example:
        >>> import batchsim
        >>> from batchsim.torch import ActorCritic, Collector
        >>> envs = batchsim.make_vec("CartPole-v1", num_envs=8)
        >>> policy = ActorCritic(envs.single_observation_space, envs.single_action_space)
        >>> collector = Collector(envs, policy, steps=16, seed=0)
        >>> rollout = collector.collect()
        >>> rollout.observations.shape, rollout.rewards.shape
        (torch.Size([17, 8, 4]), torch.Size([16, 8]))
    """

    def __init__(
        self,
        envs: VectorEnv[Any, Any, Any],
        policy: Policy,
        steps: int,
        num_splits: int = 2,
        device: torch.device | str = "cpu",
        *,
        seed: int | None = None,
        halves: bool = True,
        cuda_graph: bool = False,
        ranks: Ranks = ALONE,
    ) -> None:
        if not isinstance(envs, VectorEnv):
            raise TypeError(f"envs is {envs!r}; expected a gymnasium.vector.VectorEnv.")
        self.envs = envs
        self.policy = policy
        self.device = torch.device(device)
        if self.device.type not in ("cpu", "cuda"):
            raise ValueError(f"device is {self.device}; expected a CPU or a CUDA device.")
        if self.device.type == "cuda" and not torch.cuda.is_available():
            raise ValueError(f"device is {self.device}, but PyTorch finds no CUDA device.")
        steps = whole_number("steps", steps, at_least=1)
        self.num_splits = whole_number("num_splits", num_splits, at_least=1, at_most=2)
        self.native = isinstance(envs, BatchEnv)
        # What a subclass makes of a step or a reset, parts do not and `send` does not: the whole is
        # stepped then, and the results are taken as they are returned.
        self.plain = self.native and not _overrides_stepping(envs)
        if self.num_splits == 2 and not self.native:
            raise ValueError(f"num_splits is 2, but {envs} is no BatchEnv; expected num_splits=1.")
        if self.num_splits == 2 and not halves:
            raise ValueError("num_splits is 2 and halves is False; expected one or the other.")
        if cuda_graph and self.device.type != "cuda":
            raise ValueError(f"cuda_graph is True on {self.device}; expected device='cuda'.")
        self.seed = None if seed is None else whole_number("seed", seed, at_least=0)
        if self.seed is None and ranks.several:
            raise ValueError(f"seed is None for {ranks.size} ranks; expected one for all of them.")
        self.num_rows = envs.num_envs * ranks.size
        self.rows = ranks.rows_of(self.num_rows)
        self.same_step = _is_same_step(envs, self.native)
        self.times = Times()
        self.cuda_graph = cuda_graph
        self.generator = torch.Generator(self.device)
        if self.seed is not None:
            self.generator.manual_seed(self.seed)
        else:
            self.generator.seed()
        space = envs.single_action_space
        kind = distribution_of(space)
        self.rollout = Rollout(
            steps,
            envs.num_envs,
            envs.single_observation_space,
            (kind.shape, kind.dtype),
            reward=torch.float32 if getattr(envs, "precision", "") == "fast" else torch.float64,
            same_step=self.same_step,
            device=self.device,
        )
        self.convert = converter(space)
        n = envs.num_envs
        middle = (n + 1) // 2
        cuts = [slice(0, middle), slice(middle, n)] if halves and n > 1 else [slice(0, n)]
        self.halves = [self._half(rows) for rows in cuts]
        self.steppers: list[_Stepper] = []
        self.noise: torch.Tensor | None = None
        self.final: list[tuple[int, Array, Any]] = []
        self.broken_off = False
        self.on_gpu = None
        if self.device.type == "cuda":
            self.on_gpu = [Lane(self, half.rows) for half in self.halves]

    def _half(self, rows: slice) -> _Half:
        r, steps = self.rollout, range(self.rollout.steps)
        return _Half(
            rows,
            [mapped(lambda leaf, t=t: leaf[t, rows], r.observations) for t in range(r.steps + 1)],
            [r.actions[t, rows] for t in steps],
            [r.log_probs[t, rows] for t in steps],
            [r.values[t, rows] for t in range(r.steps + 1)],
        )

    def _stepper(self, envs: Any, rows: slice) -> _Stepper:
        r = self.rollout
        outs = [
            (
                mapped(lambda leaf, t=t: leaf[t + 1, rows].numpy(), r.host_observations),
                r.rewards[t, rows].numpy(),
                r.terminated[t, rows].numpy(),
                r.truncated[t, rows].numpy(),
            )
            for t in range(r.steps)
        ]
        return _Stepper(envs, rows, outs)

    # -- where it begins -----------------------------------------------------------------------

    def reset(self) -> None:
        """Start new episodes in all rows, with the seed if there is one."""
        seed = None if self.seed is None else self.seed + self.rows.start
        observations, _ = self.envs.reset(seed=seed)
        self.begin_from(observations, np.zeros(self.envs.num_envs, np.bool_))

    def begin_from(self, observations: Any, restarting: Array) -> None:
        """Go on from the state that the environments are in.

        Args:
            observations: what they observe now, (N, …).
            restarting: (N,), bool: the rows that the next step resets.

        Raises:
            ValueError: for arrays of other shapes or dtypes.
        """
        last = mapped(lambda leaf: leaf[-1].numpy(), self.rollout.host_observations)
        mapped(partial(_check_array, "The observations"), last, observations)
        over = self.rollout.terminated[-1].numpy()
        _check_array("The restarting flags", over, restarting)
        self.split()
        # As if they were what the rollout before had led to.
        mapped(np.copyto, last, observations)
        np.copyto(over, restarting)
        self.rollout.truncated[-1] = False
        self.broken_off = False

    def start_over(self) -> None:
        """Let the next `collect` reset the environments."""
        self.steppers = []
        self.broken_off = False

    def split(self) -> None:
        """Cut the environments, once they have been reset, into what is stepped together."""
        if self.num_splits == 2 and len(self.halves) == 2 and self.plain:
            parts = self.envs.split(2)  # type: ignore[attr-defined]
            self.steppers = [
                self._stepper(part, half.rows)
                for part, half in zip(parts, self.halves, strict=True)
            ]
        else:
            everything = slice(0, self.envs.num_envs)
            self.steppers = [self._stepper(self.envs, everything)]

    # -- a rollout -----------------------------------------------------------------------------

    @torch.no_grad()
    def collect(self) -> Rollout:
        """Take T steps in each environment; return the rollout, which the next call overwrites.

        The first call resets the environments, unless `reset` or `begin_from` was called before.

        Raises:
            gymnasium.error.ResetNeeded: after a call that an exception ended, since some rows may
                then have been stepped and others not.
            gymnasium.error.ClosedEnvironmentError: after the environments were closed.
        """
        if self.envs.closed:
            # Parts of a batch would not notice.
            raise error.ClosedEnvironmentError(
                "collect() was called after the environments were closed; make new ones."
            )
        if self.broken_off:
            raise error.ResetNeeded(
                "collect() was called after one that an exception ended halfway; call reset() or "
                "begin_from() first."
            )
        if not self.steppers:
            self.reset()
        try:
            return self._collect()
        except BaseException:
            self._break_off()
            raise

    def _break_off(self) -> None:
        """Finish steps that are under way, so that nothing is written any more."""
        self.broken_off = True
        self.final.clear()
        if self.native:
            for stepper in self.steppers:
                with contextlib.suppress(Exception):  # Most have none under way.
                    stepper.envs.recv()

    def _collect(self) -> Rollout:
        start = time.perf_counter()
        rollout = self.rollout
        rollout.restarting.copy_(rollout.over())
        for leaf in {id(x): x for x in (rollout.host_observations, rollout.observations)}.values():
            mapped(lambda each: each[0].copy_(each[-1]), leaf)
        if rollout.final_values is not None:
            rollout.final_values.zero_()
        self._draw()
        if len(self.steppers) == 1:
            self._collect_together()
        else:
            self._collect_in_turns(*self.steppers)
        for half in range(len(self.halves)):
            self._value_last(half)
        self._value_finals()
        self.times.whole += time.perf_counter() - start
        return rollout

    def _draw(self) -> None:
        begin = time.perf_counter()
        wanted = self.rollout.steps, self.num_rows
        drawn = self.policy.draw(*wanted, self.generator)
        if drawn.shape[:2] != wanted:
            raise ValueError(
                f"The noise that the policy draws has shape {tuple(drawn.shape)}; expected "
                f"({wanted[0]}, {wanted[1]}, …)."
            )
        drawn = drawn[:, self.rows]
        if self.noise is None:
            self.noise = torch.empty_like(drawn, memory_format=torch.contiguous_format)
            for half in self.halves:
                half.noise = [self.noise[t, half.rows] for t in range(self.rollout.steps)]
        self.noise.copy_(drawn)
        self.times.policy += time.perf_counter() - begin

    def _collect_together(self) -> None:
        (stepper,) = self.steppers
        halves = range(len(self.halves))
        for t in range(self.rollout.steps):
            for half in halves:
                self._act(half, t)
            self._step(stepper, t)

    def _collect_in_turns(self, first: _Stepper, second: _Stepper) -> None:
        if not self._worth_sending():
            for t in range(self.rollout.steps):
                for half, stepper in enumerate((first, second)):
                    self._act(half, t)
                    self._step(stepper, t)
            return
        steps = self.rollout.steps
        self._act(0, 0)
        self._send(first, 0)
        for t in range(steps):
            self._act(1, t)
            self._send(second, t)
            self._receive(first, t)
            if t + 1 < steps:
                self._act(0, t + 1)
                self._send(first, t + 1)
            self._receive(second, t)

    def _worth_sending(self) -> bool:
        """Whether the step of a half takes longer than waking a thread; not known at first."""
        return self.half_step is not None and self.half_step >= WORTH_SENDING

    half_step: float | None = None
    """Seconds, the shortest step of a half that was made in place."""

    def _act(self, half: int, t: int) -> None:
        begin = time.perf_counter()
        if self.on_gpu is not None:
            self.on_gpu[half].act(t)
        else:
            mine = self.halves[half]
            decision = self.policy.act(mine.seen[t], mine.noise[t])
            if t == 0:
                self.check_decision(decision, mine.rows)
            mine.actions[t].copy_(decision[0])
            mine.log_probs[t].copy_(decision[1])
            mine.values[t].copy_(decision[2])
        self.times.policy += time.perf_counter() - begin

    def check_decision(self, decision: Decision, rows: slice) -> None:
        """Raise ValueError unless each part has one number, or one action, a row.

        Others might fit all the same, repeated or cut to whole numbers.
        """
        r = self.rollout
        for name, found, place in zip(
            ("actions", "log-probabilities", "values"),
            decision,
            (r.actions[0, rows], r.log_probs[0, rows], r.values[0, rows]),
            strict=True,
        ):
            floats = found.is_floating_point() == place.is_floating_point()
            if found.shape != place.shape or not floats:
                raise ValueError(
                    f"The policy's {name} have shape {tuple(found.shape)} and {found.dtype}; "
                    f"expected {tuple(place.shape)} and {place.dtype}."
                )

    def _actions(self, stepper: _Stepper, t: int) -> Array:
        """Return the actions as the environments take them."""
        if self.on_gpu is not None:
            actions = self.host_actions[stepper.rows]
        else:
            actions = self.rollout.actions[t, stepper.rows]
        return self.convert(actions.numpy())

    @property
    def host_actions(self) -> torch.Tensor:
        """The actions of the step at work on the host, (N, …)."""
        if self._host_actions is None:
            shape = self.rollout.actions.shape[1:]
            pinned = self.device.type == "cuda"
            self._host_actions = torch.zeros(
                shape, dtype=self.rollout.actions.dtype, pin_memory=pinned
            )
        return self._host_actions

    _host_actions: torch.Tensor | None = None

    def _step(self, stepper: _Stepper, t: int) -> None:
        actions = self._actions(stepper, t)
        out = stepper.outs[t]
        begin = time.perf_counter()
        if self.plain:
            infos = stepper.envs.step(actions, out=out)[4]
        else:
            *results, infos = stepper.envs.step(actions)
            mapped(np.copyto, out, tuple(results))
        took = time.perf_counter() - begin
        self.times.environment += took
        if self.half_step is None or took < self.half_step:
            self.half_step = took
        self._keep_finals(stepper, t, infos)

    def _send(self, stepper: _Stepper, t: int) -> None:
        actions = self._actions(stepper, t)
        begin = time.perf_counter()
        stepper.envs.send(actions, out=stepper.outs[t])
        self.times.environment += time.perf_counter() - begin

    def _receive(self, stepper: _Stepper, t: int) -> None:
        begin = time.perf_counter()
        infos = stepper.envs.recv()[4]
        self.times.environment += time.perf_counter() - begin
        self._keep_finals(stepper, t, infos)

    # -- values --------------------------------------------------------------------------------

    def _value_last(self, half: int) -> None:
        """Ask the policy for the values of what the last step led to."""
        begin = time.perf_counter()
        mine = self.halves[half]
        if self.on_gpu is not None:
            self.on_gpu[half].observe(self.rollout.steps)
        mine.values[-1].copy_(self.policy.value(mine.seen[-1]))
        self.times.policy += time.perf_counter() - begin

    def _keep_finals(self, stepper: _Stepper, t: int, infos: dict[str, Any]) -> None:
        """With SAME_STEP, keep the last observations of truncated episodes for their values."""
        if not self.same_step or "final_obs" not in infos:
            return
        _, _, terminated, truncated = stepper.outs[t]
        rows = np.flatnonzero(truncated & ~terminated)
        if len(rows):
            kept = mapped(lambda leaf: leaf[rows], final_arrays(infos))
            self.final.append((t, rows + stepper.rows.start, kept))

    def _value_finals(self) -> None:
        """Ask the policy about all of them at once: as many rows with one split as with two."""
        if not self.final:
            return
        begin = time.perf_counter()
        # Of the same step the first half comes first.
        steps = np.concatenate([np.full(len(rows), t) for t, rows, _ in self.final])
        rows = np.concatenate([rows for _, rows, _ in self.final])
        observations = mapped(
            lambda *leaves: torch.from_numpy(np.concatenate(leaves)).to(self.device),
            *(kept for _, _, kept in self.final),
        )
        final_values = self.rollout.final_values
        assert final_values is not None
        values = self.policy.value(observations).cpu()
        final_values[torch.from_numpy(steps), torch.from_numpy(rows)] = values
        self.final.clear()
        self.times.policy += time.perf_counter() - begin


def _check_array(name: str, place: Array, given: Any) -> None:
    """Raise ValueError unless what is given is an array that can be copied to its place."""
    shape, dtype = np.shape(given), getattr(given, "dtype", None)
    if shape != place.shape or not (dtype and np.can_cast(dtype, place.dtype, "same_kind")):
        found = f"shape {shape} and dtype {dtype}" if dtype else f"no dtype ({reprlib.repr(given)})"
        raise ValueError(f"{name} have {found}; expected {place.shape} and {place.dtype}.")


def _overrides_stepping(envs: Any) -> bool:
    """Whether a BatchEnv is stepped in a way of its own, by its class or what was set on it."""
    return any(
        name in vars(envs) or getattr(type(envs), name) is not getattr(BatchEnv, name)
        for name in ("reset", "step", "send", "recv", "split")
    )


def _is_same_step(envs: VectorEnv[Any, Any, Any], native: bool) -> bool:
    """Return whether finished rows are reset in the same step; raise for other modes."""
    mode = envs.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
    if mode is AutoresetMode.SAME_STEP and native:
        return True
    if mode is not AutoresetMode.NEXT_STEP:
        expected = "NEXT_STEP or SAME_STEP" if native else "NEXT_STEP"
        raise ValueError(f"The environments have autoreset_mode {mode}; expected {expected}.")
    return False
