"""Gathers the facts, measures, and judges; whatever fails is one of the results."""

from __future__ import annotations

import datetime
import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from batchsim.doctor import facts, measure
from batchsim.doctor.findings import Finding, judge

__all__ = ["Diagnosis", "examine", "to_json"]

SCHEMA = 1


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Attributes:
        date: ISO 8601.
        facts: by part, each a dict of plain values, or `{"missing": why}`; see the module `facts`,
            `measure` and `batchsim.torch.facts`. Times are in seconds, sizes in bytes.
        findings: what follows, problems first.
    """

    date: str
    facts: Mapping[str, Mapping[str, Any]]
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Whether there is no problem."""
        return all(finding.level != "problem" for finding in self.findings)


def examine(progress: Callable[[str], object] = lambda doing: None) -> Diagnosis:
    """Look at the machine and the installation, and measure some steps; a few seconds.

    Args:
        progress: is told what comes next.
    """
    found: dict[str, dict[str, Any]] = {}

    def gather(part: str, function: Callable[[], dict[str, Any]]) -> None:
        found[part] = _attempt(function)

    progress("looking at the machine")
    gather("versions", facts.describe_versions)
    gather("extras", facts.describe_extras)
    gather("cpu", facts.describe_cpu)
    gather("c_library", facts.describe_c_library)
    gather("threads", facts.describe_threads)
    gather("load", facts.describe_load)
    gather("memory", facts.describe_memory)
    gather("checked", facts.describe_checked)
    gather("cards", facts.describe_cards)
    threads = found["cpu"].get("usable", 1)
    progress("stepping CartPole")
    gather("steps", lambda: measure.time_steps(threads))
    gather("cache", facts.describe_cache)
    gather("wake_up", measure.time_wake_up)
    # Last: its threads go on spinning for a while.
    progress("loading PyTorch")
    gather("torch", lambda: _torch("describe_torch"))
    gather("cuda", lambda: _torch("describe_cuda"))
    progress("computing with PyTorch")
    gather("forward", lambda: _torch("describe_forward", threads))
    date = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    return Diagnosis(date, found, tuple(judge(found)))


def _attempt(function: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what `function` finds, or why it finds nothing: a machine may lack anything."""
    try:
        with warnings.catch_warnings():
            # Of a cache that cannot be written, say: it is among the findings.
            warnings.simplefilter("ignore")
            return function()
    except Exception as error:
        lines = str(error).strip().splitlines()
        return {"missing": f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__}


def _torch(name: str, *arguments: Any) -> dict[str, Any]:
    """Return what a function of `batchsim.torch.facts` finds."""
    from batchsim.ladder.machine import find_version

    try:
        from batchsim.torch import facts as torch_facts
    except (ImportError, OSError) as error:
        absent = isinstance(error, ModuleNotFoundError) or find_version("torch") is None
        if absent:
            return {"missing": "PyTorch is not installed"}
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return {"missing": f"PyTorch cannot be loaded: {why}", "broken": True}
    found: dict[str, Any] = getattr(torch_facts, name)(*arguments)
    return found


def to_json(diagnosis: Diagnosis) -> str:
    """Return everything as a JSON document: `schema`, `date`, the facts by part, `findings`."""
    findings = [asdict(finding) for finding in diagnosis.findings]
    document = {"schema": SCHEMA, "date": diagnosis.date, **diagnosis.facts, "findings": findings}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
