"""Measures the machine: the bandwidth of its caches and memory, and its arithmetic.

Each figure is the best of several short runs, for one core and for all that this process may use at
once. Bandwidths count the bytes that a loop reads and writes, each once; that a cache may have to
fetch a line before it is overwritten (write-allocate) is not counted, here as in the kernels.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import math
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np

from batchsim import math as batchsim_math
from batchsim.batch.processors import available_cpus
from batchsim.compiler import compile
from benchmarks import c_library

__all__ = ["Curve", "Machine", "load_loops", "measure_machine", "time_calls"]

CHAINS = 12
ROOTS = 512
STREAMS = 10
"""As in loops.c."""
ACCESSES = {"read": 1, "write": 1, "copy": 2, "mix": 14}
"""Reads and writes for each place in the streams."""
SEPARATE = {"read": 1, "write": 1, "copy": 2, "mix": STREAMS}
"""Streams that a loop goes through."""
LINE = 64
SWEEPS = 3
KILO, MEGA = 1 << 10, 1 << 20
USUAL_CACHES = {"L1": 32 * KILO, "L2": MEGA, "L3": 32 * MEGA}
"""Where the system does not tell."""
LEAST_MEMORY, MOST_MEMORY = 64 * MEGA, 1024 * MEGA
BITS = (32, 64)


@dataclass(frozen=True)
class Curve:
    """Bandwidth over the size of the working set."""

    sizes: tuple[int, ...]
    """Bytes, ascending."""
    rates: tuple[float, ...]
    """Bytes a nanosecond."""

    def at(self, size: float) -> float:
        """Return the bandwidth for a working set of `size` bytes, in bytes a nanosecond."""
        return float(np.exp(np.interp(np.log(size), np.log(self.sizes), np.log(self.rates))))


@dataclass(frozen=True)
class Rates:
    """What one core, or all of them together, can do."""

    bandwidth: Curve
    """Of a kernel's mix of streams."""
    levels: dict[str, dict[str, float]]
    """Bytes a nanosecond by level ("L1", …, "memory") and loop ("read", "write", "copy", "mix")."""
    operations: dict[str, float]
    """Operations a nanosecond: "add32", "multiply64", "mixed32" (half of each), "divide64", …"""


@dataclass(frozen=True)
class Machine:
    """One machine, measured."""

    caches: dict[str, int]
    """Bytes of the data caches that a core sees, by level."""
    caches_from: str
    """Where these sizes come from."""
    vector_bytes: int
    """Width of the vectors that LLVM uses on this CPU."""
    ghz: float
    """Cycles a nanosecond."""
    cores: int
    one: Rates
    all: Rates

    def rates(self, cores: int) -> Rates:
        """Return the rates of one core, or of all."""
        return self.one if cores == 1 else self.all

    def level(self, size: float) -> str:
        """Return the smallest level that holds `size` bytes: "L1", …, or "memory"."""
        return next((name for name, bytes in self.caches.items() if size <= bytes), "memory")


def find_caches() -> tuple[dict[str, int], str]:
    """Return the sizes of the data caches by level, in bytes, and where they were read."""
    found: dict[str, int] = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            if (index / "type").read_text().strip() == "Instruction":
                continue
            level, size = ((index / name).read_text().strip() for name in ("level", "size"))
            found[f"L{int(level)}"] = int(size[:-1]) * {"K": KILO, "M": MEGA}[size[-1]]
        except (OSError, ValueError, KeyError, IndexError):
            continue  # This one does not tell; another source may.
    if found:
        return found, "/sys/devices/system/cpu"
    for level in (1, 2, 3):
        name = f"SC_LEVEL{level}_{'D' if level == 1 else ''}CACHE_SIZE"
        size = os.sysconf(name) if name in getattr(os, "sysconf_names", {}) else 0
        if size > 0:
            found[f"L{level}"] = size
    return (
        (found, "sysconf") if found else (dict(USUAL_CACHES), "usual sizes: the system is silent")
    )


@functools.cache
def vector_bytes() -> int:
    """Return the width of the vectors that LLVM chooses on this CPU, in bytes.

    It is read from the registers in the machine code of a small loop compiled by Numba.
    """

    @numba.njit("void(float32[::1], float32[::1])")
    def triad(x: Any, y: Any) -> None:
        for i in range(x.shape[0]):
            y[i] = x[i] * np.float32(1.5) + y[i]

    (assembly,) = triad.inspect_asm().values()
    packed = " ".join(re.findall(r"v?(?:add|mul|fmadd\w*)ps\s.*", assembly))
    widths = {"zmm": 64, "ymm": 32, "xmm": 16}
    return next((bytes for name, bytes in widths.items() if name in packed), 16)


@functools.cache
def load_loops() -> ctypes.CDLL:
    """Compile and load loops.c."""
    width = f"-DVECTOR_BYTES={vector_bytes()}"
    library = c_library.load("roofline/loops.c", "-march=native", "-fno-math-errno", width)
    for bits in BITS:
        for name in ("add", "multiply", "mixed", "divide", "square_root"):
            _declare(library, f"{name}{bits}", ctypes.c_int64, ctypes.c_double)
    words = (ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
    pointer = ctypes.c_void_p
    _declare(library, "cycles", *words)
    for name in ACCESSES:
        _declare(library, f"{name}_streams", ctypes.c_int64, pointer, *words[:2])
    _declare(library, "call_unary", ctypes.c_int64, pointer, pointer, ctypes.c_int64)
    _declare(library, "call_sincos", ctypes.c_int64, pointer, pointer, ctypes.c_int64)
    _declare(library, "call_binary", ctypes.c_int64, pointer, pointer, pointer, ctypes.c_int64)
    table = (pointer, pointer, pointer, ctypes.c_int64, pointer, pointer)
    _declare(library, "run_kernel", *table, *words, *words[:2], pointer, pointer, pointer)
    return library


def _declare(library: ctypes.CDLL, name: str, *arguments: Any) -> None:
    function = getattr(library, name)
    function.argtypes = arguments
    function.restype = ctypes.c_int64


def measure_machine(
    seconds: float = 0.02, progress: Callable[[str], None] | None = None
) -> Machine:
    """Measure one core and all cores.

    Args:
        seconds: for each figure.
        progress: called with a word on what is measured next.
    """
    tell = progress or (lambda text: None)
    caches, source = find_caches()
    cores = available_cpus()
    tell("the clock")
    clock = (_best_rate(_chain, 16, seconds) for _ in range(SWEEPS))
    ghz = max(clock)
    tell("one core")
    one = _measure_rates(caches, 1, seconds)
    tell(f"{cores} cores")
    every = one if cores == 1 else _measure_rates(caches, cores, seconds)
    return Machine(caches, source, vector_bytes(), ghz, cores, one, every)


def _chain(rounds: int) -> int:
    """Run 16 operations of a cycle each, which wait for each other, so many times."""
    took: int = load_loops().cycles(rounds, 0x9E3779B9, 77)
    return took


def _measure_rates(caches: dict[str, int], cores: int, seconds: float) -> Rates:
    arrays = [_aligned(_memory_bytes(caches) // cores + 64 * LINE) for _ in range(cores)]
    sizes = tuple(_sizes(caches))
    places = _typical_sizes(caches, cores)
    # In several sweeps, so that what disturbs one figure for a moment is not taken for the machine.
    sweeps = [
        (
            [_bandwidth("mix", size, arrays, seconds) for size in sizes],
            [
                [_bandwidth(loop, size, arrays, seconds) for loop in ACCESSES]
                for size in places.values()
            ],
            dict(_operations(cores, seconds)),
        )
        for _ in range(SWEEPS)
    ]
    curves, levels, operations = zip(*sweeps, strict=True)
    # A working set is no slower than a larger one.
    rates = np.maximum.accumulate(np.max(curves, axis=0)[::-1])[::-1]
    return Rates(
        Curve(sizes, tuple(rates.tolist())),
        {
            name: dict(zip(ACCESSES, best.tolist(), strict=True))
            for name, best in zip(places, np.max(levels, axis=0), strict=True)
        },
        {name: max(found[name] for found in operations) for name in operations[0]},
    )


def _memory_bytes(caches: dict[str, int]) -> int:
    """Return the size of a working set that no cache holds."""
    return min(max(4 * max(caches.values()), LEAST_MEMORY), MOST_MEMORY)


def _sizes(caches: dict[str, int]) -> Iterator[int]:
    """Return working sets from a part of the first cache to memory, two an octave."""
    size, last = 8.0 * KILO, _memory_bytes(caches)
    while size < last:
        yield int(size)
        size *= 2**0.5
    yield last


def _typical_sizes(caches: dict[str, int], cores: int) -> dict[str, int]:
    """Return a working set that lies in each level; each core has its part of it."""
    names = list(caches)
    found = {}
    for name, bytes in caches.items():
        # The last level is often shared, with strangers too.
        found[name] = bytes // 4 if name == names[-1] and len(names) > 1 else bytes // 2 * cores
    return {**found, "memory": _memory_bytes(caches)}


def _bandwidth(loop: str, size: int, arrays: list[Any], seconds: float) -> float:
    """Return bytes a nanosecond; the working set of `size` bytes is dealt out to the cores."""
    width = vector_bytes()
    length = max(8, size // len(arrays) // SEPARATE[loop] // width // 8 * 8)
    # Streams a power of two apart would all fall into the same few sets of a cache.
    lines = -(-length * width // LINE)
    lines += (6 - lines) % (4 * KILO // LINE)
    while SEPARATE[loop] * lines * LINE > arrays[0].nbytes:
        length -= 8
        lines -= 64
    stride = lines * LINE // width
    function = getattr(load_loops(), f"{loop}_streams")
    calls = [
        functools.partial(lambda data, rounds: function(rounds, data, length, stride), data)
        for data in (array.ctypes.data for array in arrays)
    ]
    rounds = _best_rate_together(calls, seconds)
    return rounds * ACCESSES[loop] * length * width


def _aligned(size: int) -> Any:
    memory = np.zeros(size + 4 * KILO, np.uint8)
    start = -memory.ctypes.data % (4 * KILO)
    return memory[start : start + size]


def _operations(cores: int, seconds: float) -> Iterator[tuple[str, float]]:
    loops = load_loops()
    # Neither growing to infinity nor shrinking to numbers that the CPU treats in a slower way.
    constants = {"add": 1e-3, "multiply": 1.0, "mixed": 1.0, "divide": 1.7, "square_root": 1.7}
    for bits in BITS:
        lanes = vector_bytes() * 8 // bits
        for name, constant in constants.items():
            function = getattr(loops, f"{name}{bits}")
            call = functools.partial(
                lambda function, constant, rounds: function(rounds, constant), function, constant
            )
            each = ROOTS if name == "square_root" else CHAINS * lanes
            yield f"{name}{bits}", each * _best_rate_together([call] * cores, seconds)


def _best_rate(call: Callable[[int], int], each: float, seconds: float) -> float:
    """Return how many times `each` a nanosecond `call(rounds)` does, which returns its time."""
    return each * _best_rate_together([call], seconds)


def _best_rate_together(calls: list[Callable[[int], int]], seconds: float) -> float:
    """Return the most rounds a nanosecond of all `calls` together, each in a thread of its own."""
    rounds, repeats = 1, 3
    enough = seconds * 1e9 / repeats
    while calls[0](rounds) < enough / 4 and rounds < 1 << 40:
        rounds *= 2
    rounds *= 2
    best = 0.0
    for _ in range(repeats):
        times = _run_together(calls, rounds)
        best = max(best, sum(rounds / max(time, 1) for time in times))
    return best


def _run_together(calls: list[Callable[[int], int]], rounds: int) -> list[int]:
    if len(calls) == 1:
        return [calls[0](rounds)]
    times = [0] * len(calls)
    start = threading.Barrier(len(calls))

    def run(k: int) -> None:
        start.wait()
        times[k] = calls[k](rounds)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def time_calls(name: str, arguments: list[tuple[float, ...]], seconds: float = 0.02) -> float:
    """Return the nanoseconds that a function of the C library takes, in a loop of nothing else.

    Where batchsim computes the same in place (`batchsim.math.EXACT`), the faster of the two.

    Args:
        name: such as "sin", "pow" or "sincos".
        arguments: of calls to repeat, as they were recorded.
        seconds: to measure for.
    """
    columns = [np.array(column, np.float64) for column in zip(*arguments, strict=True)]
    return min(_time_library(name, columns, seconds), _time_own(name, columns, seconds))


def _time_library(name: str, columns: list[Any], seconds: float) -> float:
    loops = load_loops()
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    if name == "sincos" and not hasattr(library, name):
        return sum(_time_library(part, columns, seconds) for part in ("sin", "cos"))
    function = ctypes.cast(getattr(library, name), ctypes.c_void_p)
    kind = "sincos" if name == "sincos" else {1: "unary", 2: "binary"}[len(columns)]
    loop = getattr(loops, f"call_{kind}")
    pointers = [column.ctypes.data for column in columns]
    length = len(columns[0])
    return 1 / _best_rate(lambda rounds: loop(rounds, function, *pointers, length), length, seconds)


def _time_own(name: str, columns: list[Any], seconds: float) -> float:
    """Return the nanoseconds of batchsim's own function, infinity if it has none."""
    loop = _own_loop(name)
    if loop is None:
        return math.inf
    x, out = columns[0], (np.empty_like(columns[0]), np.empty_like(columns[0]))

    def call(rounds: int) -> int:
        start = time.perf_counter_ns()
        loop(rounds, x, *out)
        return time.perf_counter_ns() - start

    call(1)
    return 1 / _best_rate(call, len(x), seconds)


@functools.cache
def _own_loop(name: str) -> Any:
    """Compile a loop over batchsim's own function, as kernels compile it."""
    own = {f.__name__: g for f, g in getattr(batchsim_math, "EXACT", {}).items()}
    if name == "sincos" and own.keys() >= {"sin", "cos"}:
        sin, cos = own["sin"], own["cos"]

        def both(rounds: int, x: Any, y: Any, z: Any) -> None:
            for _ in range(rounds):
                for i in range(x.shape[0]):
                    y[i] = sin(x[i])
                    z[i] = cos(x[i])

        return numba.njit(**compile.OPTIONS)(both)
    if name in own:
        function = own[name]

        def one(rounds: int, x: Any, y: Any, z: Any) -> None:
            for _ in range(rounds):
                for i in range(x.shape[0]):
                    y[i] = function(x[i])

        return numba.njit(**compile.OPTIONS)(one)
    return None
