"""What follows from the facts: each finding with what to do about it.

A part of the facts that could not be gathered is `{"missing": why}`; nothing follows from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from batchsim.doctor.facts import format_cpus
from batchsim.ladder.report import format_bytes, format_time

__all__ = ["Finding", "judge"]

Facts = Mapping[str, Any]

SPINNING = 10.0
"""A forward that more threads make so many times slower is a problem, not a matter of taste."""
NOTICEABLE = 1.2
"""Ratios of times below this are noise."""
BUSY = 0.5
"""CPUs that others may use before it is worth saying; the system itself needs some hundredths."""
STOLEN = 0.1
LEAST_GAIN = 1.3
"""How many times faster all threads should step the largest batch than one."""
SLOW_WAKE_UP = 200e-6
"""Seconds; 5 to 50 µs are usual."""
LITTLE_MEMORY = 1e9

PASSIVE = "OMP_WAIT_POLICY=passive"
PICK = "batchsim.torch.threads.pick_threads measures how many suit your policy"


@dataclass(frozen=True)
class Finding:
    """Something about the machine or the installation.

    Attributes:
        level: `ok`; `advice`, something could be faster; `problem`, something is wrong.
        found: what, in one sentence.
        do: what to do about it; empty where nothing is.
    """

    level: Literal["ok", "advice", "problem"]
    found: str
    do: str = ""


def judge(facts: Facts) -> list[Finding]:
    """Return what follows from the facts, problems first.

    Args:
        facts: as in `Diagnosis.facts`.
    """
    found = [finding for rule in RULES for finding in rule(facts)]
    levels = ("problem", "advice", "ok")
    return sorted(found, key=lambda finding: levels.index(finding.level))


def _have(facts: Facts, *parts: str) -> bool:
    return all(part in facts and "missing" not in facts[part] for part in parts)


def _installation(facts: Facts) -> Iterator[Finding]:
    if _have(facts, "versions") and facts["versions"]["extension"]["older_than_source"]:
        yield Finding(
            "advice",
            "The extension modules are older than their source.",
            "Build them anew, in the clone: python -m pip install --editable .",
        )
    if _have(facts, "checked") and facts["checked"]["checked"]:
        yield Finding(
            "advice",
            f"BATCHSIM_CHECKED={facts['checked']['variable']}: every index is checked, and steps "
            "are some times slower.",
            "Unset BATCHSIM_CHECKED once the environment works.",
        )


def _cpus(facts: Facts) -> Iterator[Finding]:
    if not _have(facts, "cpu"):
        return
    cpu = facts["cpu"]
    usable, cpus = cpu["usable"], cpu["cpus"] or cpu["usable"]
    if usable >= cpus:
        yield Finding("ok", f"{_all(cpus)} may be used.")
        return
    if cpu["affinity"] is not None and len(cpu["affinity"]) <= usable:
        limit = f"the affinity mask allows CPU {format_cpus(cpu['affinity'])}"
        do = "If others are free, start Python with more of them (taskset, or the job's settings)."
    else:
        quota = cpu["quota"]
        limit = "the control group's quota"
        if quota is not None:
            limit += f" is {quota:g} CPU{'s' if quota != 1 else ''}"
        do = "If more is needed, raise the quota of the container or service."
    yield Finding("advice", f"Only {usable} of {cpus} CPUs may be used: {limit}.", do)


def _all(cpus: int) -> str:
    return f"All {cpus} CPUs" if cpus > 1 else "The only CPU"


def _load(facts: Facts) -> Iterator[Finding]:
    if not _have(facts, "load"):
        return
    load = facts["load"]
    if load["busy"] is not None and load["busy"] >= BUSY:
        yield Finding(
            "advice",
            f"Other processes keep {load['busy']:.1f} of the CPUs busy: what is measured here is "
            "slower than the machine.",
            "Stop them, or wait, and measure again.",
        )
    if load["stolen"] is not None and load["stolen"] >= STOLEN:
        yield Finding(
            "advice",
            f"The hypervisor gives {load['stolen']:.1f} CPUs' time to other machines.",
            "Expect times to vary; use fewer threads than CPUs.",
        )


def _c_library(facts: Facts) -> Iterator[Finding]:
    if not _have(facts, "c_library"):
        return
    library = facts["c_library"]
    if library["in_place"]:
        yield Finding("ok", f"{library['name']}: sine and cosine are computed in place.")
        return
    if _have(facts, "cpu") and not facts["cpu"]["fuses"]:
        why = "The CPU fuses no product and sum"
    else:
        why = f"{library['name']} does not compute as batchsim knows it"
    one = _step(facts, largest=True, threads=1)
    took = ""
    if one is not None:
        took = f" (CartPole takes {one['ns_a_row']:.1f} ns a row; computed in place, about 9)"
    yield Finding(
        "advice",
        f"{why}: exact precision calls the C library's sine and cosine{took}.",
        'Where exactness is not needed, precision="fast" needs no C library; or use glibc 2.28 or '
        "newer on a CPU with fused multiply-add.",
    )


def _cache(facts: Facts) -> Iterator[Finding]:
    if not _have(facts, "cache"):
        return
    cache = facts["cache"]
    if cache["error"] is None:
        size = f", {format_bytes(cache['bytes'])}" if cache["files"] else ""
        files = f"{cache['files']} file{'s' if cache['files'] != 1 else ''}"
        yield Finding("ok", f"Compiled kernels are kept: {files}{size}.")
        return
    took = ""
    if _have(facts, "steps"):
        took = f" ({facts['steps']['first_use']:.1f} s for CartPole)"
    yield Finding(
        "problem",
        f"The cache directory {cache['directory']} cannot be written ({cache['error']}): kernels "
        f"are compiled anew in each process{took}.",
        "Set BATCHSIM_CACHE_DIR to a directory that can be written.",
    )


def _steps(facts: Facts) -> Iterator[Finding]:
    if "steps" in facts and not _have(facts, "steps"):
        yield Finding(
            "problem",
            f"CartPole could not be stepped: {facts['steps']['missing']}",
            "Install batchsim anew, and run its tests: make test",
        )
    one, all_ = _step(facts, largest=True, threads=1), _step(facts, largest=True)
    if one is None or all_ is None or all_["threads"] == 1:
        return
    gain = one["seconds"] / all_["seconds"]
    found = (
        f"{all_['threads']} threads step {one['num_envs']:,} rows {gain:.1f} times as fast as one"
    )
    if gain >= LEAST_GAIN:
        yield Finding("ok", f"{found}.")
    else:
        yield Finding(
            "advice",
            f"{found}: the CPUs are busy, or share a core.",
            "See what else runs; if nothing does, num_threads=1 leaves the other CPUs to the "
            "policy.",
        )


def _step(facts: Facts, *, largest: bool, threads: int | None = None) -> Mapping[str, Any] | None:
    """Return a measured step: of the largest batch, with so many threads or the most."""
    if not _have(facts, "steps"):
        return None
    steps = facts["steps"]["steps"]
    sizes = {step["num_envs"] for step in steps}
    size = max(sizes) if largest else min(sizes)
    found = [
        step for step in steps if step["num_envs"] == size and threads in (None, step["threads"])
    ]
    return max(found, key=lambda step: step["threads"], default=None)


def _wake_up(facts: Facts) -> Iterator[Finding]:
    if _have(facts, "wake_up") and facts["wake_up"]["seconds"] > SLOW_WAKE_UP:
        yield Finding(
            "advice",
            f"A sleeping thread needs {format_time(1e6 * facts['wake_up']['seconds'])} to wake up: "
            "steps of small batches gain nothing from threads.",
            "Step more environments a call, or see what else runs.",
        )


def _torch(facts: Facts) -> Iterator[Finding]:
    if "torch" in facts and facts["torch"].get("broken"):
        yield Finding(
            "problem", f"{facts['torch']['missing']}.", "Install PyTorch anew: see pytorch.org."
        )
    if not _have(facts, "torch", "cpu"):
        return
    threads, usable = facts["torch"]["threads"], facts["cpu"]["usable"]
    if threads > usable:
        yield Finding(
            "advice",
            f"PyTorch computes with {threads} threads where {usable} "
            f"CPU{'s' if usable != 1 else ''} may be used.",
            f"Call torch.set_num_threads({usable}), or set OMP_NUM_THREADS={usable} before Python "
            "starts.",
        )


def _forward(facts: Facts) -> Iterator[Finding]:
    if not _have(facts, "forward"):
        return
    timings = {timing["threads"]: timing for timing in facts["forward"]["timings"]}
    one, many = timings[min(timings)], timings[max(timings)]
    if one is many:
        return
    # The mean, since the threads may meet on one CPU in some calls only.
    ratio = many["mean"] / one["mean"]
    found = (
        f"A forward of {facts['forward']['rows']} rows takes {format_time(1e6 * many['mean'])} "
        f"with {many['threads']} threads and {format_time(1e6 * one['mean'])} with "
        f"{one['threads']}, on average"
    )
    variables = facts["threads"]["environment"] if _have(facts, "threads") else {}
    spins = (variables.get("OMP_WAIT_POLICY") or "").lower() != "passive"
    uses_many = _have(facts, "torch") and facts["torch"]["threads"] > 1
    if ratio >= SPINNING and spins:
        yield Finding(
            "problem",
            f"{found}: PyTorch's threads spin while they wait for one that has no CPU.",
            f"Call torch.set_num_threads(1), or set {PASSIVE} before Python starts; {PICK}.",
        )
    elif ratio >= NOTICEABLE:
        yield Finding(
            "advice", f"{found}.", f"For small policies, call torch.set_num_threads(1); {PICK}."
        )
    elif ratio > 1 / NOTICEABLE and spins and uses_many:
        yield Finding(
            "advice",
            f"{found}: more threads gain little, and as they spin while they wait, a call takes "
            "tens of milliseconds when another process holds the CPU of one.",
            f"For small policies, call torch.set_num_threads(1), or set {PASSIVE} before Python "
            f"starts; {PICK}.",
        )
    else:
        yield Finding("ok", f"{found}.")


def _cuda(facts: Facts) -> Iterator[Finding]:
    if _have(facts, "cuda") and facts["cuda"]["available"]:
        yield Finding("ok", f"PyTorch computes on {facts['cuda']['name']}.")
    elif _have(facts, "cards") and facts["cards"]["cards"] and "cuda" in facts:
        why = facts["cuda"].get("why_not") or facts["cuda"].get("missing")
        yield Finding(
            "advice",
            f"There is a {facts['cards']['cards'][0]} that PyTorch cannot use: {why}.",
            "Install a PyTorch built for CUDA that this driver "
            f"({facts['cards']['driver']}) supports: see pytorch.org.",
        )


def _memory(facts: Facts) -> Iterator[Finding]:
    if not _have(facts, "memory"):
        return
    available = facts["memory"]["available"]
    if available is not None and available < LITTLE_MEMORY:
        yield Finding(
            "advice",
            f"Only {format_bytes(available)} of memory are available.",
            "Keep rollouts short, or stop what else runs.",
        )


RULES: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    _installation,
    _cpus,
    _load,
    _memory,
    _c_library,
    _cache,
    _steps,
    _wake_up,
    _torch,
    _forward,
    _cuda,
)
