"""Measures a machine with a GPU, in eight minutes at most, whatever happens.

    python -m benchmarks.gpu --out FOLDER
    python -m benchmarks.gpu --out FOLDER --device cpu --small

Each part is a process of its own, is ended when its time is up, and loses nothing of what it has
measured until then: `FOLDER/gpu.json` has all of it, with what failed and why, and the plots show
it. The exit status is 1 if any part failed.
"""

from __future__ import annotations

import datetime
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from batchsim.commands import options
from batchsim.commands.options import FAILURE, UsageError
from batchsim.ladder.machine import describe, describe_machine, find_versions
from batchsim.torch.facts import describe_cuda
from batchsim.torch.train import read_device
from benchmarks.gpu.parts import PARTS, ROOT
from benchmarks.gpu.plot import draw
from benchmarks.gpu.report import tables
from benchmarks.gpu.sizes import FULL, SMALL

__all__ = ["app", "gpu"]

SCHEMA = 1

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def gpu(
    out: Annotated[Path, typer.Option(help="Folder for the figures and plots; it must be empty.")],
    device: Annotated[str, typer.Option(help="cuda, or cpu to try the command out.")] = "cuda",
    small: Annotated[bool, typer.Option(help="Small sizes, to try the command out.")] = False,
    parts: Annotated[
        str | None, typer.Option(help=f"Only these, separated by commas: {', '.join(PARTS)}.")
    ] = None,
) -> None:
    """Measure what batchsim does on a machine with a GPU."""
    try:
        read_device(device)
        chosen = tuple(PARTS)
        if parts is not None:
            chosen = options.read_names("parts", parts, chosen)
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ValueError(f"--out is {out}, which is not empty; expected a new folder.")
        out.mkdir(parents=True, exist_ok=True)
        options.check_writable(out / "gpu.json")
    except (OSError, ValueError) as error:
        raise UsageError(str(error)) from error
    console = Console()
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "date": datetime.date.today().isoformat(),
        "device": device,
        "small": small,
        "machine": describe_machine(),
        "versions": find_versions("torch"),
        "cuda": describe_cuda(),
        "parts": {},
    }
    machine = describe(found["machine"], found["versions"], found["date"])
    header = f"{found['cuda'].get('name', device)}; {machine}"
    console.print(header)
    for name in chosen:
        found["parts"][name] = part = _run(name, out, device, small)
        (out / "gpu.json").write_text(json.dumps(found, indent=2), encoding="utf-8")
        failures = [case for case in part["cases"] if "failed" in case]
        told = part["failed"] or (f"{len(failures)} cases failed" if failures else "done")
        console.print(f"{name}: {part['seconds']:.0f} s, {len(part['cases'])} cases, {told}")
    (out / "gpu.md").write_text(f"{header}\n\n{tables(found)}", encoding="utf-8")
    draw(found, out)
    console.print(f"Figures and plots are in {out}.")
    if any(p["failed"] or any("failed" in c for c in p["cases"]) for p in found["parts"].values()):
        raise typer.Exit(FAILURE)


def _run(name: str, out: Path, device: str, small: bool) -> dict[str, Any]:
    """Run a part; return its cases, how long it took, and why it failed, if it did."""
    budget = (SMALL if small else FULL).budgets[name]
    lines, log = out / f"{name}.jsonl", out / f"{name}.log"
    begin = time.time()
    command = [sys.executable, "-m", "benchmarks.gpu.parts", name, "--device", device]
    command += ["--until", str(begin + budget), "--file", str(lines.resolve())]
    command += ["--small"] if small else []
    failed = None
    with log.open("w", encoding="utf-8") as text:
        # A group of its own, so that what the part has started ends with it.
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "OMP_WAIT_POLICY": "passive"},
            stdout=text,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait(budget)
            if status:
                last = log.read_text(encoding="utf-8").strip().splitlines() or [""]
                failed = f"status {status}: {last[-1]}"
        except subprocess.TimeoutExpired:
            failed = f"it was ended after its {budget:.0f} s"
        finally:
            _end(process)
    cases = []
    if lines.exists():
        # The last line of a process that was ended may be cut short.
        whole = lines.read_text(encoding="utf-8").rpartition("\n")[0]
        cases = [json.loads(line) for line in whole.splitlines()]
    return {"cases": cases, "seconds": time.time() - begin, "failed": failed}


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a part and all that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # There is nothing left of it.
    process.wait()


if __name__ == "__main__":
    options.run(app)
