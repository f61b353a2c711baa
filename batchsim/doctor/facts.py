"""The facts of a machine and an installation, each as plain values that JSON can hold.

Every function may raise whatever its sources raise; who gathers catches it. What a system does not
tell is None.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from batchsim.batch.processors import available_cpus, cpu_quota

__all__ = [
    "EXTRAS",
    "VARIABLES",
    "describe_c_library",
    "describe_cache",
    "describe_cards",
    "describe_checked",
    "describe_cpu",
    "describe_extras",
    "describe_load",
    "describe_memory",
    "describe_threads",
    "describe_versions",
    "format_cpus",
]

EXTRAS = {
    "torch": ("torch",),
    "plot": ("matplotlib",),
    "render": ("pygame", "PIL", "imageio_ffmpeg"),
    "sb3": ("stable_baselines3",),
    "tensorboard": ("tensorboard",),
    "torchrl": ("torchrl",),
    "peers": ("envpool",),
    "gymnax": ("gymnax",),
    "minatar": ("minatar",),
    "minigrid": ("minigrid",),
}
"""The optional extras that users install, and the modules that each brings."""

VARIABLES = (
    "OMP_NUM_THREADS",
    "OMP_WAIT_POLICY",
    "GOMP_SPINCOUNT",
    "KMP_BLOCKTIME",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
"""The environment variables that decide how many threads there are, and whether they spin."""

TELLING_FEATURES = ("sse4.2", "avx", "avx2", "fma", "avx512f", "neon", "sve")
LOAD_SECONDS = 0.25
"""How long the machine is watched for."""

PROC = Path("/proc")
CGROUP = Path("/sys/fs/cgroup")


def describe_versions() -> dict[str, Any]:
    """Return the versions of Python and the packages, and how the extension modules were built."""
    from batchsim.ladder.machine import find_version

    packages = ("batchsim", "numpy", "numba", "llvmlite", "gymnasium", "torch")
    found: dict[str, Any] = {"python": platform.python_version()}
    found |= {package: find_version(package) for package in packages}
    return found | {"extension": _describe_extension()}


def _describe_extension() -> dict[str, Any]:
    from batchsim.batch import _driver

    # Functions share a type, whose module's name has the version that compiled them.
    name: str = type(_driver.Driver.step).__module__
    package = Path(_driver.__file__).parent.parent
    return {
        "cython": name.removeprefix("_cython_").replace("_", ".") if "_cython_" in name else None,
        "older_than_source": any(map(_is_older_than_source, package.iterdir())),
    }


def _is_older_than_source(folder: Path) -> bool:
    """Tell whether an extension module in a folder was built before its sources were changed."""
    sources = [path for ending in ("*.py[xd]", "*.hpp") for path in folder.glob(ending)]
    built = [path for ending in ("_*.so", "_*.pyd") for path in folder.glob(ending)]
    newest = max((path.stat().st_mtime for path in sources), default=0.0)
    return any(path.stat().st_mtime < newest for path in built)


def describe_extras() -> dict[str, list[str]]:
    """Return the modules that each extra lacks."""
    return {
        extra: [module for module in modules if not _is_installed(module)]
        for extra, modules in EXTRAS.items()
    }


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:  # A module that is None in sys.modules.
        return False


def describe_cpu() -> dict[str, Any]:
    """Return model, vector width, features and number of the CPUs, and which may be used."""
    from batchsim.compiler.lanes import FUSES, WIDTHS
    from batchsim.compiler.target import processor
    from batchsim.ladder.machine import cpu_name

    features = processor()[2].split(",")
    return {
        "model": cpu_name(),
        "vector_bits": 64 * WIDTHS[-1],
        "features": [name for name in TELLING_FEATURES if f"+{name}" in features],
        "fuses": FUSES,
        "cpus": os.cpu_count(),
        "affinity": sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "quota": cpu_quota(),
        "usable": available_cpus(),
    }


def format_cpus(numbers: Iterable[int]) -> str:
    """Return numbers of CPUs as ranges: `0-3,8`."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ",".join(f"{lo}-{hi}" if lo != hi else f"{lo}" for lo, hi in ranges)


def describe_c_library() -> dict[str, Any]:
    """Return the C library's name, and whether its sine and cosine are computed in place."""
    from batchsim.compiler import libm

    name = " ".join(platform.libc_ver()).strip()
    return {"name": name or platform.system(), "in_place": libm.is_known()}


def describe_threads() -> dict[str, Any]:
    """Return batchsim's threads by default, and the variables that govern other libraries'."""
    from batchsim.batch.checks import MOST_THREADS

    return {
        "batchsim": min(available_cpus(), MOST_THREADS),
        "environment": {name: os.environ.get(name) for name in VARIABLES},
    }


def describe_load() -> dict[str, Any]:
    """Watch the machine for a moment; return what others use of the CPUs that may be used.

    `busy` is in CPUs: 1.5 is one and a half. `stolen` is what a hypervisor gave to other machines.
    """
    found: dict[str, Any] = {"average": None, "busy": None, "stolen": None}
    if hasattr(os, "getloadavg"):
        found["average"] = list(os.getloadavg())
    try:
        before = _cpu_ticks()
    except (OSError, ValueError):
        return found
    own = time.process_time()
    start = time.perf_counter()
    time.sleep(LOAD_SECONDS)
    elapsed = time.perf_counter() - start
    own = time.process_time() - own
    total, idle, stolen = (
        after - earlier for earlier, after in zip(before, _cpu_ticks(), strict=True)
    )
    ticks = os.sysconf("SC_CLK_TCK") * elapsed
    busy = (total - idle - stolen) / ticks - own / elapsed
    return found | {"busy": max(0.0, round(busy, 2)), "stolen": round(stolen / ticks, 2)}


def _cpu_ticks() -> tuple[int, int, int]:
    """Return the ticks of all kinds, idle and stolen, of the CPUs that may be used together."""
    lines = (PROC / "stat").read_text().splitlines()
    usable = os.sched_getaffinity(0)
    sums = [0, 0, 0]
    for line in lines:
        name, *fields = line.split()
        if name.startswith("cpu") and name[3:].isdecimal() and int(name[3:]) in usable:
            # user, nice, system, idle, iowait, irq, softirq, steal; guests are in user and nice.
            kinds = [int(field) for field in fields[:8]]
            counts = (sum(kinds), kinds[3] + kinds[4], kinds[7])
            sums = [total + count for total, count in zip(sums, counts, strict=True)]
    if not sums[0]:
        raise ValueError("/proc/stat counts no CPU that may be used.")
    return sums[0], sums[1], sums[2]


def describe_cache() -> dict[str, Any]:
    """Return the directory of compiled kernels, why it cannot be written, and what is in it."""
    from batchsim.compiler import cache

    files = cache.files()
    return {
        "directory": str(cache.directory()),
        "chosen": os.environ.get("BATCHSIM_CACHE_DIR"),
        "error": cache.find_error(),
        "files": len(files),
        "bytes": sum(path.stat().st_size for path in files),
    }


def describe_checked() -> dict[str, Any]:
    """Return whether environments are checked where nothing else is said."""
    from batchsim.batch import checked

    return {"checked": checked.wanted(None), "variable": os.environ.get("BATCHSIM_CHECKED")}


def describe_memory() -> dict[str, Any]:
    """Return the bytes of memory: all, available, and what the control group allows."""
    found: dict[str, Any] = {"total": None, "available": None, "limit": None}
    try:
        lines = (PROC / "meminfo").read_text().splitlines()
        sizes = {line.split(":")[0]: 1024 * int(line.split()[1]) for line in lines if ":" in line}
        found |= {"total": sizes.get("MemTotal"), "available": sizes.get("MemAvailable")}
    except (OSError, ValueError, IndexError):
        if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
            found["total"] = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        found["limit"] = int((CGROUP / "memory.max").read_text())
    except (OSError, ValueError):
        pass  # None, or `max`.
    return found


def describe_cards() -> dict[str, Any]:
    """Return the cards and the driver that NVIDIA's tool names, whatever PyTorch can use."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return {"cards": [], "driver": None}
    query = [tool, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, check=False, timeout=10)
    if done.returncode != 0:
        raise OSError((done.stderr or done.stdout).strip().splitlines()[0])
    rows = [line.rsplit(",", 1) for line in done.stdout.splitlines() if "," in line]
    return {
        "cards": [name.strip() for name, _ in rows],
        "driver": rows[0][1].strip() if rows else None,
    }
