"""The command line: `python -m tests.fuzz`."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from .expressions import STYLES
from .vocabulary import DEFAULT_SWITCHES, SWITCHES

ROOT = Path(__file__).parents[2]
SHARE = 50
"""How many of a kind a process does: what it has compiled stays in its memory."""
PATIENCE = 1800
"""Seconds that one may take before its process is ended, as one that never does."""
AVX2 = "+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+cx16,+movbe,+lzcnt,+bmi,+bmi2,+f16c,+fma,+avx,+avx2"
AVX512 = "+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl"
CPUS = {
    "native": {},
    "avx2": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": AVX2},
    "avx512": {"NUMBA_CPU_NAME": "skylake-avx512", "NUMBA_CPU_FEATURES": f"{AVX2},{AVX512}"},
}
"""What Numba compiles for, read when it is imported. Features are named one by one, though the
processor has them: batchsim looks among them for the vectors that its functions can use.
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def fuzz(
    definitions: Annotated[int, typer.Option(help="How many random definitions.")] = 0,
    configurations: Annotated[
        int, typer.Option(help="How many random configurations of the built-in ids.")
    ] = 0,
    seed: Annotated[
        int | None, typer.Option(help="Decides them all; by default a new one.")
    ] = None,
    first: Annotated[int, typer.Option(help="Number of the first one.")] = 0,
    processes: Annotated[int, typer.Option(help="How many processes share the work.")] = 1,
    cpu: Annotated[str, typer.Option(help=f"What to compile for: {', '.join(CPUS)}.")] = "native",
    checked_every: Annotated[int, typer.Option(help="Every so many-th is run checked, too.")] = 10,
    reduce: Annotated[int, typer.Option(help="Attempts at a smaller text of one that fails.")] = 0,
    static: Annotated[
        str | None,
        typer.Option(
            help="module:function that reads assembly and returns what is wrong with it;"
            " the definitions are compiled, and not run."
        ),
    ] = None,
    style: Annotated[
        str | None, typer.Option(help=f"Only definitions of one: {', '.join(STYLES)}.")
    ] = None,
    switch: Annotated[
        list[str] | None, typer.Option(help=f"Turn constructs on: {', '.join(SWITCHES)}, all.")
    ] = None,
) -> None:
    """Compare random definitions, or configurations, in many ways that must do the same."""
    if cpu not in CPUS:
        raise typer.BadParameter(f"--cpu is {cpu!r}; expected one of {', '.join(CPUS)}.")
    for name in switch or []:
        if name not in (*SWITCHES, "all"):
            raise typer.BadParameter(
                f"--switch is {name!r}; expected one of {', '.join(SWITCHES)}."
            )
    if style not in (None, *STYLES):
        raise typer.BadParameter(f"--style is {style!r}; expected one of {', '.join(STYLES)}.")
    switches = set(SWITCHES) if "all" in (switch or []) else {*DEFAULT_SWITCHES, *(switch or [])}
    if seed is None:
        seed = int.from_bytes(os.urandom(4), "little")
    common = {
        "seed": seed,
        "switches": sorted(switches),
        "style": style,
        "checked_every": checked_every,
        "attempts": reduce,
        "scanner": static,
    }
    failed = 0
    for kind, count in (("definitions", definitions), ("configurations", configurations)):
        if count:
            options = "".join(f" --switch {name}" for name in switch or [])
            again = (
                f"python -m tests.fuzz --{kind} 1 --seed {seed} --first {{}} --cpu {cpu}{options}"
            )
            again += f" --style {style}" if style is not None else ""
            again += f" --checked-every {checked_every}" if checked_every != 10 else ""
            worked = "machine code" if static and kind == "definitions" else kind
            shares = [
                {
                    **common,
                    "kind": worked,
                    "first": begin,
                    "count": min(SHARE, first + count - begin),
                }
                for begin in range(first, first + count, SHARE)
            ]
            failed += Run(kind, shares, CPUS[cpu], again).go(processes)
    raise typer.Exit(1 if failed else 0)


class Run:
    """A run of one kind, shared out over processes.

    Args:
        kind: "definitions" or "configurations".
        shares: what a process each is to do.
        environment: variables of those processes.
        again: the command that repeats one, with {} for its number.
    """

    def __init__(
        self, kind: str, shares: list[dict[str, Any]], environment: dict[str, str], again: str
    ) -> None:
        self.kind = kind
        self.again = again
        self.shares: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        for share in shares:
            self.shares.put(share)
        self.seed = shares[0]["seed"]
        self.total = sum(share["count"] for share in shares)
        self.cache = tempfile.mkdtemp(prefix="batchsim-fuzz-cache-")
        paths = [str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]
        self.environment = {
            **os.environ,
            "OMP_WAIT_POLICY": "passive",
            **environment,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "BATCHSIM_CACHE_DIR": self.cache,
        }
        self.lock = threading.Lock()
        self.done = self.failed = 0
        self.seconds = self.compiling = 0.0
        self.counts: Counter[str] = Counter()

    def go(self, processes: int) -> int:
        """Do all shares; return how many failed."""
        start = time.perf_counter()
        print(f"{self.total} random {self.kind} of seed {self.seed}", flush=True)
        threads = [threading.Thread(target=self.work) for _ in range(processes)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        shutil.rmtree(self.cache, ignore_errors=True)
        took = time.perf_counter() - start
        rate = 60 * self.done / max(self.seconds, 1e-9)
        print(
            f"{self.done} {self.kind} of seed {self.seed} in {took:.0f} s, {rate:.1f} a minute and "
            f"process, {self.compiling / max(self.seconds, 1e-9):.0%} of it compiling; "
            f"{self.failed} failed. {dict(sorted(self.counts.items()))}",
            flush=True,
        )
        return self.failed

    def work(self) -> None:
        """Do shares one after the other, each in a process of its own."""
        while True:
            try:
                share = self.shares.get_nowait()
            except queue.Empty:
                return
            begun = self.watch(share)
            if begun is not None:
                # The rest of a share whose process died.
                rest = share["first"] + share["count"] - begun - 1
                if rest:
                    self.shares.put({**share, "first": begun + 1, "count": rest})

    def watch(self, share: dict[str, Any]) -> int | None:
        """Run a process; return the number at which it died, if it did."""
        process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", "fuzz.worker", json.dumps(share)],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        errors: list[str] = []
        reader = threading.Thread(target=lambda: errors.extend(process.stderr or []))
        reader.start()
        begun = share["first"]
        waiting = threading.Timer(PATIENCE, process.kill)
        waiting.start()
        for line in process.stdout:
            waiting.cancel()
            waiting = threading.Timer(PATIENCE, process.kill)
            waiting.start()
            if not line.startswith("{"):
                continue
            found = json.loads(line)
            if "begun" in found:
                begun = found["begun"]
                continue
            self.note(found)
            begun = found["number"] + 1
        waiting.cancel()
        code = process.wait()
        reader.join()
        if code == 0:
            return None
        tail = "".join(errors[-30:])
        self.note(
            {"number": begun, "seconds": 0.0, "failure": f"its process ended with {code}\n{tail}"}
        )
        return begun

    def note(self, found: dict[str, Any]) -> None:
        """Count a result, and print it if it is a failure."""
        with self.lock:
            self.done += 1
            self.seconds += found["seconds"]
            if "failure" in found:
                self.failed += 1
                number = found["number"]
                print(
                    f"\nFAILED: number {number} of seed {self.seed}: {found['failure']}\n"
                    f"again: {self.again.format(number)}\n",
                    flush=True,
                )
                return
            facts = found["facts"]
            self.compiling += facts.get("compile", 0.0)
            self.counts.update(
                f"{key} {facts[key]}"
                for key in ("style", "mode", "precision", "harmless", "native")
                if key in facts
            )
            self.counts["episodes"] += facts.get("episodes", 0)
            if self.done % 100 == 0:
                print(f"{self.done} of {self.total} are done", flush=True)


if __name__ == "__main__":
    app(prog_name="python -m tests.fuzz")
