"""One training in several processes, its ranks, as torchrun starts them.

Each rank steps its share of the rows and learns from its share of each minibatch; gradients are
added up. Noise and the order of samples are drawn for all rows on every rank, from the same seed,
and of what a minibatch is compared with every rank has the whole. So the ranks do together what one
process does alone, and differ from it only in the order in which gradients are added up.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import torch
import torch.distributed as dist

from batchsim.batch.checks import MOST_THREADS
from batchsim.batch.processors import allowed_cpus, cpu_quota

__all__ = ["ALONE", "Ranks", "TrainingError", "join_ranks", "share_of_cpus"]

NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
"""Environment variables that torchrun sets."""

FAILED = "failed"
"""Counts, in the store that ranks share, those that have failed."""

MOMENT = 1.0
"""Seconds that others wait while the rank that has failed first says why: once one process has
ended, torchrun ends all."""


class TrainingError(RuntimeError):
    """Training cannot go on."""


class Ranks:
    """The processes of a training, and which of them this one is.

    Its methods exchange what they are told to: all ranks call them, in the same order. Of one
    process alone they return what they are given.

    Args:
        rank: of this process, from 0.
        size: how many there are.
        local_rank, local_size: likewise, of those on this machine.
        store: what ranks can read and write as long as any of them lives.
        restarts: how often torchrun has started all of them anew, since one had ended.
    """

    def __init__(
        self,
        rank: int = 0,
        size: int = 1,
        local_rank: int = 0,
        local_size: int = 1,
        store: Any = None,
        restarts: int = 0,
    ) -> None:
        self.rank = rank
        self.size = size
        self.local_rank = local_rank
        self.local_size = local_size
        self.store = store
        self.restarts = restarts
        self._places: tuple[tuple[int, int], torch.Tensor] | None = None

    @property
    def several(self) -> bool:
        """Whether there are others."""
        return self.size > 1

    @property
    def first(self) -> bool:
        """Whether this is the rank that shows, saves and evaluates."""
        return self.rank == 0

    # -- what is whose -------------------------------------------------------------------------

    def rows_of(self, num_envs: int) -> slice:
        """Return which of all rows are this rank's.

        Raises:
            ValueError: if they cannot be shared out evenly.
        """
        if num_envs % self.size:
            raise ValueError(
                f"num_envs is {num_envs}, which {self.size} ranks cannot share evenly; expected a "
                f"multiple of {self.size}."
            )
        own = num_envs // self.size
        return slice(self.rank * own, (self.rank + 1) * own)

    def share_out(
        self, samples: torch.Tensor, steps: int, num_envs: int, parts: Sequence[slice]
    ) -> tuple[torch.Tensor, Sequence[slice]]:
        """Return this rank's samples of a rollout (T, N), counted in its own, and its parts.

        Args:
            samples: places in the flattened rollout of all ranks, on the CPU.
            steps, num_envs: T and N, of all ranks.
            parts: of the samples, one behind the other; what is returned are the parts of this
                rank's.
        """
        if not self.several:
            return samples, parts
        places = self._own_places(steps, num_envs)[samples]
        mine = places >= 0
        sizes = [int(mine[part].sum()) for part in parts]
        stops = itertools.accumulate(sizes)
        shares = [slice(stop - size, stop) for stop, size in zip(stops, sizes, strict=True)]
        return places[mine], shares

    def _own_places(self, steps: int, num_envs: int) -> torch.Tensor:
        """Return by place in the flattened rollout of all the place in this rank's, -1 for none."""
        if self._places is None or self._places[0] != (steps, num_envs):
            own = num_envs // self.size
            table = torch.full((steps, num_envs), -1)
            table[:, self.rows_of(num_envs)] = torch.arange(steps * own).view(steps, own)
            self._places = (steps, num_envs), table.flatten()
        return self._places[1]

    def own_device(self, device: torch.device) -> torch.device:
        """Return the device of this rank, given the one that was asked for: each has its own GPU.

        Raises:
            ValueError: if there are fewer of them than ranks, or one is asked for by its number.
        """
        if not self.several or device.type != "cuda":
            return device
        if str(device) != "cuda":
            raise ValueError(
                f"device is '{device}', but each of the {self.size} ranks has a GPU of its own; "
                "expected 'cuda'."
            )
        if self.local_size > torch.cuda.device_count():
            raise ValueError(
                f"There are {self.local_size} ranks on this machine, and "
                f"{torch.cuda.device_count()} CUDA devices; expected at most one rank a device, or "
                "device 'cpu'."
            )
        found = torch.device("cuda", self.local_rank)
        torch.cuda.set_device(found)
        return found

    def count_threads(self) -> int | None:
        """Return how many threads suit this rank's share of the CPUs; None for all there are."""
        if not self.several:
            return None
        here = self.rank - self.local_rank  # The first rank of this machine.
        everyones = self.gather_all((here, allowed_cpus()))
        beside = [cpus for place, cpus in everyones if place == here]
        return min(share_of_cpus(allowed_cpus(), beside, cpu_quota()), MOST_THREADS)

    # -- exchange ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _connected(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise TrainingError(
                f"Another of the {self.size} ranks has ended, or cannot be reached; where there is "
                "a checkpoint, --resume goes on from the last."
            ) from error

    def wait(self) -> None:
        """Return once all ranks have come here."""
        if self.several:
            with self._connected():
                dist.barrier()

    @contextlib.contextmanager
    def one_first(self) -> Iterator[None]:
        """Let one rank of each machine through this block before the others.

        What it compiles there, they find.
        """
        if self.local_rank:
            self.wait()
        yield
        if not self.local_rank:
            self.wait()

    def gather_all(self, value: Any) -> list[Any]:
        """Return the values of all ranks."""
        if not self.several:
            return [value]
        found = [None] * self.size
        with self._connected():
            dist.all_gather_object(found, value)
        return found

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all ranks on the first, and none on the others."""
        if not self.several:
            return [value]
        found: list[Any] | None = [None] * self.size if self.first else None
        with self._connected():
            dist.gather_object(value, found)
        return found or []

    def gather_rows(self, *tensors: torch.Tensor) -> list[torch.Tensor]:
        """Return tensors (T, N) on the CPU of the rows of all ranks, given those of this one's."""
        if not self.several:
            return list(tensors)
        mine = torch.cat([tensor.contiguous().view(torch.uint8).flatten() for tensor in tensors])
        everyones = mine.new_empty(self.size, len(mine))
        with self._connected():
            dist.all_gather(list(everyones.unbind()), mine)
        found, begin = [], 0
        for tensor in tensors:
            end = begin + tensor.numel() * tensor.element_size()
            part = everyones[:, begin:end].clone().view(tensor.dtype)
            by_rank = part.view(self.size, *tensor.shape).transpose(0, 1)
            found.append(by_rank.reshape(len(tensor), -1))
            begin = end
        return found

    def moments(
        self, count: int, variance: torch.Tensor, mean: torch.Tensor
    ) -> list[tuple[int, torch.Tensor, torch.Tensor]]:
        """Return how many samples each rank has, their variances and means, in order of ranks."""
        if not self.several:
            return [(count, variance, mean)]
        number = torch.tensor([count], dtype=torch.float64, device=mean.device)
        mine = torch.cat([variance.double(), mean.double(), number])
        everyones = [torch.empty_like(mine) for _ in range(self.size)]
        with self._connected():
            dist.all_gather(everyones, mine)
        size = len(mean)
        return [
            (int(one[-1]), one[:size].to(mean.dtype), one[size:-1].to(mean.dtype))
            for one in everyones
            if one[-1] > 0  # Of no samples there is no mean.
        ]

    def add_up(self, parameters: Sequence[torch.nn.Parameter], losses: torch.Tensor) -> None:
        """Make gradients and losses the sums over all ranks, as one tensor.

        Args:
            parameters: whose gradients; None counts as zero.
            losses: one axis.
        """
        if not self.several:
            return
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([*(gradient.flatten() for gradient in gradients), losses])
        with self._connected():
            dist.all_reduce(flat)
        *added, summed = flat.split([*(p.numel() for p in parameters), len(losses)])
        for parameter, gradient in zip(parameters, added, strict=True):
            parameter.grad = gradient.view_as(parameter)
        losses.copy_(summed)

    def of_first(self, flag: bool) -> bool:
        """Return the first rank's truth value."""
        if not self.several:
            return flag
        told = torch.tensor([flag], dtype=torch.uint8)
        with self._connected():
            dist.broadcast(told, 0)
        return bool(told)

    def copy_first(self, module: torch.nn.Module) -> None:
        """Give a module the first rank's parameters and buffers: other processors may have computed
        others.
        """
        if self.several:
            with self._connected():
                for tensor in module.state_dict().values():
                    dist.broadcast(tensor, 0)

    # -- the end -------------------------------------------------------------------------------

    def first_to_fail(self) -> bool:
        """Return whether this rank is the one to say why training cannot go on.

        That is the first one that asks. The others, which fail since it has, or as it has, wait a
        moment.
        """
        if not self.several:
            return True
        try:
            if self.store.add(FAILED, 1) == 1:
                return True
        except RuntimeError:
            return True  # The store has gone with torchrun.
        time.sleep(MOMENT)
        return False

    def close(self) -> None:
        """Leave the others, which may go on."""
        if self.several and dist.is_initialized():
            dist.destroy_process_group()


ALONE = Ranks()
"""One process."""


def share_of_cpus(
    mine: Collection[int], everyones: Iterable[Collection[int]], quota: float | None = None
) -> int:
    """Return how many of its CPUs a process may take for itself, at least 1.

    Where several may use the same CPU, each has a part of it: so it does not matter whether they
    were started with the same CPUs or each with its own.

    Args:
        mine: the numbers of the CPUs that this process may use.
        everyones: likewise of all processes, this one too.
        quota: how many CPUs' time all of them together may use, if there is a limit.

    Example:
        >>> share_of_cpus({0, 1, 2, 3}, [{0, 1, 2, 3}, {0, 1, 2, 3}])
        2
    """
    everyones = list(everyones)
    users = Counter(cpu for cpus in everyones for cpu in cpus)
    share = sum(1 / users[cpu] for cpu in mine)
    if quota is not None:
        share = min(share, quota / len(everyones))
    return max(1, int(share + 1e-6))


def join_ranks() -> Ranks:
    """Return which of the processes that torchrun has started this one is, connected with them.

    Without torchrun, or where it has started one alone, that is `ALONE`. Close it at the end.

    Raises:
        ValueError: if environment variables say only a part of it, or something else, or the others
            cannot be reached.
    """
    if any(name not in os.environ for name in NAMES[:2]):
        return ALONE
    rank, size = (_read(name) for name in NAMES[:2])
    if size == 1:
        return ALONE
    # Here, since a PyTorch that was built without distributed training has no such module.
    from torch.distributed.rendezvous import rendezvous

    local_rank, local_size = (_read(name) for name in NAMES[2:])
    restarts = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
    with_gpus = torch.cuda.is_available() and dist.is_nccl_available()
    # What lies in the host's memory goes by gloo, gradients on GPUs by NCCL.
    backend = "cpu:gloo,cuda:nccl" if with_gpus else "gloo"
    try:
        store, rank, size = next(iter(rendezvous("env://", rank, size)))
        # What ranks of before have left in it, such as their addresses, is not for those of now.
        store = dist.PrefixStore(f"batchsim/{restarts}", store)  # type: ignore[attr-defined]
        dist.init_process_group(backend, store=store, rank=rank, world_size=size)
    except RuntimeError as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ValueError(f"The {size} ranks cannot reach each other: {reason}.") from error
    return Ranks(rank, size, local_rank, local_size, store, restarts)


def _read(name: str) -> int:
    text = os.environ.get(name, "")
    if not text.isdecimal():
        raise ValueError(
            f"The environment variable {name} is {text!r}; expected whole numbers in "
            f"{', '.join(NAMES)}, as torchrun sets them."
        )
    return int(text)
