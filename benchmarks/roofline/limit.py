"""The least time that a step can take on a machine: what it needs over what the machine can do."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.roofline.count import Counts
from benchmarks.roofline.machine import BITS, Machine

__all__ = ["Limit", "find_limit"]


@dataclass(frozen=True)
class Limit:
    """Nanoseconds that one environment's step needs of each part of the machine.

    The parts work beside each other, so that the slowest is the limit.
    """

    memory: float
    """Bytes over the bandwidth that a kernel's mix of streams has at this working set."""
    arithmetic: float
    """Additions and multiplications, each over its peak and both together over theirs."""
    divider: float
    """Divisions and square roots."""
    libm: float
    """Functions of the C library, with the arguments that the environment calls them with, at the
    speed of its own or of batchsim's, whichever is faster."""
    level: str
    """Where the working set lies: "L1", …, or "memory"."""

    @property
    def ns(self) -> float:
        """The limit, in nanoseconds an environment's step."""
        return max(self.memory, self.arithmetic, self.divider, self.libm)

    @property
    def binding(self) -> str:
        """The part that is the limit."""
        names = ("arithmetic", "divider", "libm")
        found = next((name for name in names if getattr(self, name) == self.ns), None)
        return found or ("memory" if self.level == "memory" else f"{self.level} bandwidth")


def find_limit(
    counts: Counts, machine: Machine, num_envs: int, cores: int, call_ns: dict[str, float]
) -> Limit:
    """Return the limit of a step of `num_envs` environments.

    Args:
        counts: what a step of one row moves and computes.
        machine: what was measured of it.
        num_envs: N, which decides the size of the working set.
        cores: 1, or all of the machine's.
        call_ns: nanoseconds of each call of the C library, by name, on one core.
    """
    rates = machine.rates(cores)
    size = counts.footprint_bytes * num_envs
    arithmetic = divider = 0.0
    for bits in BITS:
        adds, products = counts.of("add", bits), counts.of("multiply", bits)
        arithmetic += max(
            adds / rates.operations[f"add{bits}"],
            products / rates.operations[f"multiply{bits}"],
            (adds + products) / rates.operations[f"mixed{bits}"],
        )
        for kind in ("divide", "square_root"):
            divider += counts.of(kind, bits) / rates.operations[f"{kind}{bits}"]
    libm = sum(number * call_ns[name] for name, number in counts.calls.items())
    return Limit(
        counts.bytes / rates.bandwidth.at(size),
        arithmetic,
        divider,
        # Their code needs nothing that cores share.
        libm / cores,
        machine.level(size / cores if cores > 1 else size),
    )
