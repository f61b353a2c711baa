"""Measures a rung in a process of its own, which is ended if it compiles for too long.

Numba compiles with a loop all that it reaches. Where that is much, it takes minutes, and most of
them in calls of LLVM, which nothing but the end of the process ends.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Iterator
from dataclasses import fields
from pathlib import Path
from typing import IO, Any

import batchsim
from batchsim.ladder.measure import FIRST_USE, Row, Settings, measure_row
from batchsim.ladder.peers import PEERS
from batchsim.ladder.rungs import RUNGS

__all__ = ["measure_apart"]

FOUND = [field.name for field in fields(Row) if field.name not in ("rung", "peer")]
"""What a process finds out of a row."""


def measure_apart(row: Row, settings: Settings) -> Generator[str, None, None]:
    """Fill in `row` as `measure_row` does, or write into `row.absent` that it takes too long."""
    folder = Path(batchsim.__file__).parent.parent
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "batchsim.ladder.apart"]
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "PYTHONPATH": path},
        ) as process,
    ):
        overdue = threading.Event()

        def give_up() -> None:
            overdue.set()
            process.kill()

        timer = threading.Timer(settings.compile_seconds, give_up)
        try:
            for message in _converse(process, (row.rung.name, row.absent, settings)):
                if not isinstance(message, str):
                    vars(row).update(message)
                    return
                if message == FIRST_USE:
                    timer.start()
                else:
                    timer.cancel()
                yield message
        finally:
            timer.cancel()
            process.kill()
        if overdue.is_set():
            row.overdue = True
            reason = f"given up, as it had not compiled within {settings.compile_seconds:g} s"
            row.absent = dict.fromkeys(settings.num_envs, reason) | row.absent
            return
        errors.seek(0)
        said = [line.strip() for line in errors if line.strip()]
        row.failed = f"its process ended with status {process.wait()}"
        if said:
            row.failed += f": {said[-1]}"


def _converse(process: subprocess.Popen[bytes], request: Any) -> Iterator[Any]:
    """Yield what a process answers to a request, as long as it lives."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(pickle.dumps(request))
        process.stdin.close()
        while True:
            yield pickle.load(process.stdout)
    except (BrokenPipeError, EOFError, pickle.UnpicklingError):
        return


def _answer(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Measure the rung that is asked for; tell each part as it comes, and last what was found."""
    name, absent, settings = pickle.load(requests)
    (rung,) = (rung for rung in (*RUNGS, *PEERS) if rung.name == name)
    row = Row(rung, peer=rung in PEERS, absent=absent)
    for doing in measure_row(row, settings):
        pickle.dump(doing, answers)
        answers.flush()
    pickle.dump({name: getattr(row, name) for name in FOUND}, answers)
    answers.flush()


if __name__ == "__main__":
    with os.fdopen(os.dup(1), "wb") as stream:
        os.dup2(2, 1)  # Whatever is printed is kept away from the answers.
        _answer(sys.stdin.buffer, stream)
