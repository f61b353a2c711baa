"""Shows what was measured: as tables for the terminal and as JSON.

The JSON document has these keys; times are nanoseconds, rates are per nanosecond (bytes a
nanosecond are GB/s), sizes are bytes:

- `schema`: 1; `date` (ISO 8601);
- `machine`: `cpu`, `threads`, `system`, `omp_wait_policy`; `versions`: of `python` and packages;
- `settings`: `env_ids`, `precisions`, `num_envs`, `seconds` (a measurement);
- `measured`: the machine, with `caches` (by level), `caches_from`, `vector_bytes`, `ghz`, `cores`,
  and for `one` core and `all` cores
    - `bandwidth`: `sizes` and `rates` of a kernel's mix of streams;
    - `levels`: rates by level and loop; `operations`: rates by operation and width;
- `kernels`: a list, each with `env_id`, `precision`, `call_ns` and
    - `counts`: `read_bytes`, `written_bytes`, `footprint_bytes`, `operations`, `calls`, `draws`,
      `flops`, all means of one step;
    - `code`: `packed32`, `packed64`, `packed` instructions on vectors, or null;
    - `points`: a list, each with `num_envs`, `working_set`, `limit` and `limit_all` (`ns`,
      `binding`, `memory`, `arithmetic`, `divider`, `libm`, `level`), `times` of the bare kernel
      (`kernel`, `check`, `resets`), `step`, `step_all`, `share`, `share_all` and `losses`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from batchsim.ladder.machine import describe
from batchsim.ladder.report import DASH, fit
from benchmarks.roofline.count import Counts
from benchmarks.roofline.limit import Limit
from benchmarks.roofline.machine import BITS, Machine, Rates
from benchmarks.roofline.run import Kernel, Point, Result, losses

__all__ = ["format_bytes", "header", "print_report", "to_json"]

SCHEMA = 1
WIDTH = 180
"""Of the tables where standard output is not a terminal."""
CLOSE = 0.5
"""From this share of the limit on, nothing is said to be in the way."""
NOTES = (
    "Limit: the slowest of bytes over bandwidth, sums and products over their peak, divisions, and "
    "functions of the C library (libm); nanoseconds an environment's step.",
    "Kernel: called from C on one core, resets included. Step: BatchEnv.step. Share: limit over "
    "kernel on one core, over step on all cores.",
    "Bytes: each column read or written once. What a cache fetches before it is overwritten "
    "(write-allocate), tables and the draws' own arithmetic are not counted.",
    "In the way: the largest part between the limit and the step on one core.",
)


def header(result: Result) -> str:
    """Return the machine, the versions and the date in one line."""
    return describe(result.description, result.versions, result.date)


def print_report(result: Result) -> None:
    """Print the machine and the kernels."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    console.print(Text(header(result)))
    machine = result.machine
    caches = ", ".join(f"{name} {format_bytes(size)}" for name, size in machine.caches.items())
    console.print(
        Text(
            f"Clock {machine.ghz:.2f} GHz, vectors of {8 * machine.vector_bytes} bits; {caches} "
            f"({machine.caches_from})."
        )
    )
    console.print(_bandwidths(machine))
    console.print(_operations(machine))
    console.print(_counts(result))
    parts = fit(console, lambda shown: _kernels(result, shown), COLUMNS, FIRST_OF_SECOND)
    console.print(*parts)
    for note in NOTES:
        console.print(Text(note))


def format_bytes(size: float) -> str:
    """Return a size with a unit of powers of two."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024 or unit == "MiB":
            return f"{size:.3g} {unit}" if size < 1000 else f"{size:.0f} {unit}"
        size /= 1024
    raise AssertionError


def _bandwidths(machine: Machine) -> Table:
    table = Table(title="Bandwidth in GB/s", title_justify="left")
    table.add_column("level")
    loops = list(next(iter(machine.one.levels.values())))
    for cores in ("one core", f"{machine.cores} cores"):
        for loop in loops:
            table.add_column(f"{cores}\n{loop}", justify="right")
    for level in machine.one.levels:
        cells = [
            f"{rates.levels[level][loop]:.1f}"
            for rates in (machine.one, machine.all)
            for loop in loops
        ]
        table.add_row(level, *cells)
    return table


def _operations(machine: Machine) -> Table:
    table = Table(title="Arithmetic in operations a nanosecond", title_justify="left")
    table.add_column("operation")
    for bits in BITS:
        for heading in ("one core", "a cycle", f"{machine.cores} cores"):
            table.add_column(f"float{bits}\n{heading}", justify="right")
    names = [name[:-2] for name in machine.one.operations if name.endswith("32")]
    for name in names:
        cells = []
        for bits in BITS:
            one = machine.one.operations[f"{name}{bits}"]
            every = machine.all.operations[f"{name}{bits}"]
            cells += [f"{one:.1f}", f"{one / machine.ghz:.2f}", f"{every:.1f}"]
        title = "add and multiply, half of each" if name == "mixed" else name.replace("_", " ")
        table.add_row(title, *cells)
    return table


def _counts(result: Result) -> Table:
    table = Table(title="What a step moves and computes", title_justify="left")
    table.add_column("kernel", no_wrap=True)
    headings = ("bytes\nread", "bytes\nwritten", "add", "mul", "div", "sqrt", "libm")
    more = ("compare", "round,\nconvert", "integer", "draws", "vector\ncode")
    for name in headings + more:
        table.add_column(name, justify="right", no_wrap=True)
    for kernel in result.kernels:
        counts = kernel.counts

        def number(*kinds: str, counts: Counts = counts) -> float:
            return sum(counts.of(kind, bits) for kind in kinds for bits in BITS)

        kinds = (("add",), ("multiply",), ("divide",), ("square_root",))
        figures = [
            counts.read_bytes,
            counts.written_bytes,
            *(number(*kind) for kind in kinds),
            sum(counts.calls.values()),
            number("compare"),
            number("round", "convert"),
            counts.operations.get("integer", 0.0),
            counts.draws,
        ]
        table.add_row(_name(kernel), *map(_figure, figures), _vector_code(kernel))
    return table


def _name(kernel: Kernel) -> str:
    return f"{kernel.env_id} {kernel.precision}"


def _figure(number: float) -> str:
    return f"{number:.0f}" if number == round(number) else f"{number:.1f}"


def _vector_code(kernel: Kernel) -> str:
    if kernel.code is None or not kernel.counts.flops:
        return DASH
    if not kernel.code.is_vector_code(kernel.counts):
        return "no"
    # Beside sums and products: loads, stores, shuffles, masks, conversions.
    return f"yes, {kernel.code.other_share:.0%} other"


def _kernels(result: Result, shown: Sequence[int]) -> Table:
    """Return the columns with these numbers of the table of all kernels."""
    every = f"{result.machine.cores} cores"
    columns = ("kernel", "N", "bytes", "flops", "limit\nns", "bound by", "kernel\nns", "step\nns")
    columns += ("share", f"{every}\nlimit", f"{every}\nstep", f"{every}\nshare", "in the way, ns")
    table = Table(title="How close each kernel is to its limit", title_justify="left")
    for k in shown:
        is_text = columns[k] in ("kernel", "bound by", "in the way, ns")
        table.add_column(columns[k], justify="left" if is_text else "right", no_wrap=True)
    for kernel in result.kernels:
        for k, point in enumerate(kernel.points):
            cells = [_name(kernel) if k == 0 else "", *_cells(kernel, point)]
            last = k == len(kernel.points) - 1
            table.add_row(*(cells[column] for column in shown), end_section=last)
    return table


COLUMNS, FIRST_OF_SECOND = 13, 6
"""Of the table of kernels: how many, and where it is cut in two on a narrow terminal."""


def _cells(kernel: Kernel, point: Point) -> list[str]:
    return [
        f"{point.num_envs:,}",
        f"{kernel.counts.bytes:.0f}",
        flops_and_calls(kernel),
        f"{point.limit.ns:.2f}",
        point.limit.binding,
        f"{point.times.kernel:.2f}",
        f"{point.step:.2f}",
        f"{point.share:.0%}",
        f"{point.limit_all.ns:.2f}",
        f"{point.step_all:.2f}",
        f"{point.share_all:.0%}",
        in_the_way(kernel, point),
    ]


def flops_and_calls(kernel: Kernel) -> str:
    """Return the floating-point operations of a step, and the calls of the C library."""
    calls = sum(kernel.counts.calls.values())
    return f"{kernel.counts.flops:.0f}" + (f" + {calls:.0f} calls" if calls else "")


def in_the_way(kernel: Kernel, point: Point) -> str:
    """Return the largest part between the limit and a step, or a dash if both are near."""
    if min(point.share, point.limit.ns / point.step) >= CLOSE:
        return DASH
    name, ns = next(iter(losses(kernel, point).items()))
    return f"{name} {ns:.2f}"


def to_json(result: Result) -> str:
    """Return everything as a JSON document; see the module for its keys."""
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "date": result.date,
        "machine": result.description,
        "versions": result.versions,
        "settings": dataclasses.asdict(result.settings),
        "measured": _machine(result.machine),
        "kernels": [_kernel(kernel) for kernel in result.kernels],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _machine(machine: Machine) -> dict[str, Any]:
    def rates(found: Rates) -> dict[str, Any]:
        return dataclasses.asdict(found)

    fields = ("caches", "caches_from", "vector_bytes", "ghz", "cores")
    found = {name: getattr(machine, name) for name in fields}
    return {**found, "one": rates(machine.one), "all": rates(machine.all)}


def _kernel(kernel: Kernel) -> dict[str, Any]:
    counts = dataclasses.asdict(kernel.counts)
    del counts["arguments"]
    return {
        "env_id": kernel.env_id,
        "precision": kernel.precision,
        "counts": {**counts, "flops": kernel.counts.flops},
        "call_ns": kernel.call_ns,
        "code": dataclasses.asdict(kernel.code) if kernel.code else None,
        "points": [_point(kernel, point) for point in kernel.points],
    }


def _point(kernel: Kernel, point: Point) -> dict[str, Any]:
    def limit(found: Limit) -> dict[str, Any]:
        return {"ns": found.ns, "binding": found.binding, **dataclasses.asdict(found)}

    return {
        **dataclasses.asdict(point),
        "limit": limit(point.limit),
        "limit_all": limit(point.limit_all),
        "share": point.share,
        "share_all": point.share_all,
        "losses": losses(kernel, point),
    }
