"""Reads a kernel's machine code: whether its loops are vector code, and of which widths."""

from __future__ import annotations

import marshal
import re
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from batchsim.compiler import cache, compile
from benchmarks.roofline.count import Counts

__all__ = ["Code", "read_code"]

ARITHMETIC = re.compile(r"v?(add|sub|mul|div|sqrt|fn?m(?:add|sub)\d*)([ps])([sd])$")


@dataclass(frozen=True)
class Code:
    """Instructions of a kernel, as they stand in it: a loop's are there once."""

    packed32: int
    """Additions and multiplications on vectors of the widest kind, float32."""
    packed64: int
    """The same, float64."""
    packed: int
    """All instructions on vectors of the widest kind."""

    def is_vector_code(self, counts: Counts) -> bool:
        """Tell whether at least half of a step's sums and products are done on vectors."""
        needed = sum(counts.of(kind, bits) for kind in ("add", "multiply") for bits in (32, 64))
        return self.packed32 + self.packed64 >= needed / 2

    @property
    def other_share(self) -> float:
        """The part of the vector instructions that are no sums or products."""
        return 1 - (self.packed32 + self.packed64) / max(1, self.packed)


def read_code(kernel: compile.NativeKernel) -> Code | None:
    """Return what objdump finds in the parts of a kernel, or None where one is not on disk."""
    listings = []
    for key in kernel.keys.values():
        content = cache.load(key)
        if content is None:
            return None
        try:
            _, _, (machine_code, _) = marshal.loads(content)
        except (ValueError, TypeError):
            return None  # Not what Numba's libraries serialize to in this version.
        with tempfile.TemporaryDirectory(prefix="batchsim-benchmarks-") as directory:
            path = Path(directory) / "part.o"
            path.write_bytes(machine_code)
            try:
                found = subprocess.run(
                    ["objdump", "--disassemble", "--no-show-raw-insn", str(path)],
                    capture_output=True,
                    text=True,
                    check=True,
                )
            except (OSError, subprocess.CalledProcessError):
                return None
        listings.append(found.stdout)
    return count_instructions("\n".join(listings))


def count_instructions(listing: str) -> Code | None:
    """Count the instructions in objdump's listing; None if it is none of x86."""
    lines = [line.split("\t")[-1].split(None, 1) for line in listing.splitlines() if "\t" in line]
    lines = [parts for parts in lines if len(parts) == 2 and "%" in parts[1]]
    if not lines:
        return None
    arithmetic = [(ARITHMETIC.match(name), rest) for name, rest in lines]
    in_vectors = [rest for match, rest in arithmetic if match and match[2] == "p"]
    widest = next((name for name in ("zmm", "ymm") if any(name in r for r in in_vectors)), "xmm")
    packed = Counter(
        match[3]
        for match, rest in arithmetic
        if match and match[2] == "p" and widest in rest and match[1] not in ("div", "sqrt")
    )
    every = sum(widest in rest for _, rest in lines)
    return Code(packed["s"], packed["d"], every)
