"""What a measurement is worth nothing without: the machine and the versions it was made with."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

from batchsim.batch.processors import available_cpus

__all__ = ["cpu_name", "describe", "describe_machine", "find_version", "find_versions"]

PACKAGES = ("batchsim", "gymnasium", "numba", "numpy", "envpool")


def describe_machine() -> dict[str, str | int]:
    """Return the CPU's name, the threads that this process may use, and the system."""
    return {
        "cpu": cpu_name(),
        "threads": available_cpus(),
        "system": f"{platform.system()} {platform.machine()}",
        # Decides whether the threads of numba-parallel spin or sleep while they wait.
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY", "default"),
    }


def find_versions(*more: str) -> dict[str, str]:
    """Return the versions of Python and of the packages that are installed, those of `more` too."""
    found = {"python": platform.python_version()}
    for package in (*PACKAGES, *more):
        version = find_version(package)
        if version is not None:
            found[package] = version
    return found


def find_version(package: str) -> str | None:
    """Return the version of one package, or None if it is not installed."""
    if package == "batchsim":
        import batchsim

        return batchsim.__version__
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def describe(machine: Mapping[str, str | int], versions: Mapping[str, str], date: str) -> str:
    """Return machine, versions and date in one line, to be written beside what was measured."""
    named = {"python": "Python", "numpy": "NumPy", "gymnasium": "Gymnasium"}
    named |= {"numba": "Numba", "torch": "PyTorch", "envpool": "EnvPool", "batchsim": "batchsim"}
    packages = ", ".join(
        f"{name} {versions[key]}" for key, name in named.items() if key in versions
    )
    threads = f"{machine['threads']} thread{'s' if machine['threads'] != 1 else ''}"
    return f"{machine['cpu']}, {threads}, {machine['system']}; {packages}; {date}"


def cpu_name() -> str:
    """Return the CPU's name as the system tells it, or else its architecture."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    except OSError:
        pass
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        if found.returncode == 0 and found.stdout.strip():
            return found.stdout.strip()
    return platform.processor() or platform.machine()
