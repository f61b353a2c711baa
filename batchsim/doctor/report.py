"""Shows a diagnosis in a terminal, or as plain text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from batchsim.doctor.diagnosis import Diagnosis
from batchsim.doctor.facts import EXTRAS, format_cpus
from batchsim.ladder.report import format_bytes, format_time

__all__ = ["print_diagnosis"]

WIDTH = 118
"""Where standard output is not a terminal."""

Part = Mapping[str, Any]
Row = tuple[str, str]

NOT_FOUND = "not found"
LEVELS = {"problem": "bold red", "advice": "yellow", "ok": "green"}
NAMES = {
    "python": "Python",
    "numpy": "NumPy",
    "numba": "Numba",
    "gymnasium": "Gymnasium",
    "torch": "PyTorch",
}


def print_diagnosis(diagnosis: Diagnosis) -> None:
    """Print the facts, the measurements and the findings."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    console.print(_facts(diagnosis))
    if diagnosis.facts["steps"].get("steps"):
        console.print(_measurements(diagnosis.facts))
    console.print(_findings(diagnosis))


def _facts(diagnosis: Diagnosis) -> Table:
    table = Table(title="Machine and installation", title_justify="left", show_header=False)
    for style in ("bold", "", ""):
        table.add_column(style=style, overflow="fold")
    for title, part, rows in SECTIONS:
        found = diagnosis.facts[part]
        lines = [("", found["missing"])] if "missing" in found else list(rows(found))
        for number, (name, value) in enumerate(lines):
            table.add_row(
                title if number == 0 else "",
                Text(name),
                Text(value),
                end_section=number == len(lines) - 1,
            )
    return table


def _measurements(facts: Mapping[str, Part]) -> Table:
    """Return the table of times with one thread and with all."""
    steps = facts["steps"]["steps"]
    most = max(step["threads"] for step in steps)
    table = Table(title="Measured", title_justify="left")
    table.add_column("", overflow="fold")
    for threads in sorted({1, most}):
        heading = f"{threads} thread{'s' if threads != 1 else ''}"
        table.add_column(heading, justify="right", no_wrap=True)
    for size in sorted({step["num_envs"] for step in steps}):
        cells = [
            f"{format_time(1e6 * step['seconds'])}\n{step['ns_a_row']:.1f} ns a row"
            for step in steps
            if step["num_envs"] == size
        ]
        table.add_row(f"{facts['steps']['env_id']}, step of {size:,} rows", *cells)
    if "missing" not in facts["forward"]:
        timings = facts["forward"]["timings"]
        # The mean: rare slow calls count too.
        cells = [format_time(1e6 * timing["mean"]) for timing in timings]
        table.add_row(f"PyTorch, forward of {facts['forward']['rows']} rows, mean", *cells)
    if "missing" not in facts["wake_up"]:
        table.add_row("wake-up of a thread", format_time(1e6 * facts["wake_up"]["seconds"]))
    return table


def _findings(diagnosis: Diagnosis) -> Table:
    table = Table(title="Findings", title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in diagnosis.findings:
        text = Text(finding.found)
        if finding.do:
            text.append(f"\n→ {finding.do}")
        table.add_row(Text(finding.level, style=LEVELS[finding.level]), text)
    return table


def _versions(part: Part) -> Iterator[Row]:
    for name, version in part.items():
        if name != "extension":
            yield NAMES.get(name, name), version or "not installed"
    extension = part["extension"]
    built = f"built with Cython {extension['cython']}" if extension["cython"] else "built"
    yield "extension", built + (", older than source" * extension["older_than_source"])


def _extras(part: Part) -> Iterator[Row]:
    yield "present", ", ".join(extra for extra, lacking in part.items() if not lacking) or "none"
    missing = [
        # What is left of an extra that is there in part.
        f"{extra} ({', '.join(lacking)})" if len(lacking) < len(EXTRAS[extra]) else extra
        for extra, lacking in part.items()
        if lacking
    ]
    yield "missing", ", ".join(missing) or "none"


def _cpu(part: Part) -> Iterator[Row]:
    yield "model", part["model"]
    features = f" ({', '.join(part['features'])})" if part["features"] else ""
    yield "vectors", f"{part['vector_bits']} bits{features}"
    yield "CPUs", str(part["cpus"] or NOT_FOUND)
    affinity = part["affinity"]
    yield "affinity mask", NOT_FOUND if affinity is None else f"CPU {format_cpus(affinity)}"
    yield "quota", "none" if part["quota"] is None else f"{part['quota']:g} CPUs"
    yield "may be used", str(part["usable"])


def _c_library(part: Part) -> Iterator[Row]:
    yield "name", part["name"]
    yield "sine, cosine", "computed in place" if part["in_place"] else "called"


def _threads(part: Part) -> Iterator[Row]:
    yield "batchsim", f"{part['batchsim']}"
    variables = part["environment"]
    yield from ((name, value) for name, value in variables.items() if value is not None)
    unset = [name for name, value in variables.items() if value is None]
    yield "not set", ", ".join(unset) or "none"


def _torch(part: Part) -> Iterator[Row]:
    yield "threads", f"{part['threads']} in an operation, {part['interop_threads']} between them"


def _load(part: Part) -> Iterator[Row]:
    average = part["average"]
    minutes = NOT_FOUND if average is None else " ".join(f"{value:.2f}" for value in average)
    yield "load average", minutes
    for name, key in (("others use", "busy"), ("hypervisor took", "stolen")):
        yield name, NOT_FOUND if part[key] is None else f"{part[key]:.2f} CPUs"


def _memory(part: Part) -> Iterator[Row]:
    for name in ("total", "available"):
        yield name, NOT_FOUND if part[name] is None else format_bytes(part[name])
    yield "limit", "none" if part["limit"] is None else format_bytes(part["limit"])


def _cache(part: Part) -> Iterator[Row]:
    chosen = " (BATCHSIM_CACHE_DIR)" if part["chosen"] else ""
    yield "directory", part["directory"] + chosen
    yield "writable", "yes" if part["error"] is None else f"no: {part['error']}"
    yield "files", f"{part['files']}, {format_bytes(part['bytes'])}"


def _checked(part: Part) -> Iterator[Row]:
    variable = part["variable"]
    asked = "not set" if variable is None else variable
    yield "BATCHSIM_CHECKED", f"{asked}: {'on' if part['checked'] else 'off'}"


def _cards(part: Part) -> Iterator[Row]:
    yield "cards", ", ".join(part["cards"]) or "none found"
    yield "driver", part["driver"] or NOT_FOUND


def _cuda(part: Part) -> Iterator[Row]:
    if part["available"]:
        memory = format_bytes(part["memory"])
        yield "in PyTorch", f"{part['name']}, {memory}, CUDA {part['built_for']}"
    else:
        yield "in PyTorch", f"no: {part['why_not']}"


SECTIONS: tuple[tuple[str, str, Callable[[Part], Iterator[Row]]], ...] = (
    ("versions", "versions", _versions),
    ("extras", "extras", _extras),
    ("CPU", "cpu", _cpu),
    ("C library", "c_library", _c_library),
    ("threads", "threads", _threads),
    ("PyTorch", "torch", _torch),
    ("load now", "load", _load),
    ("memory", "memory", _memory),
    ("kernel cache", "cache", _cache),
    ("checked mode", "checked", _checked),
    ("NVIDIA", "cards", _cards),
    ("CUDA", "cuda", _cuda),
)
