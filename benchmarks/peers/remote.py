"""The parent's end of a worker: starts the process, asks it and notices if it dies."""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.peers.peer import Peer

__all__ = ["PeerError", "Remote"]

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 600.0
"""Seconds to wait for an answer."""


class PeerError(Exception):
    """What went wrong in a peer, in one line."""


class Remote:
    """A worker process, as a context.

    Args:
        python: the interpreter that runs it.
        peer: whose worker.
        setting: the number of its setting.
    """

    def __init__(self, python: Path, peer: Peer, setting: int) -> None:
        # Closed when the context ends.
        self.errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        command: list[str | Path] = [
            python,
            "-m",
            "benchmarks.peers.worker",
            peer.adapter,
            peer.name,
            str(setting),
        ]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            encoding="utf-8",
        )
        # Waited for when it is asked for the first time, so that workers import side by side.
        self.started = False

    def __enter__(self) -> Remote:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.close()
            self.process.wait(timeout=10.0)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.errors.close()

    def ask(self, request: str, *arguments: Any) -> Any:
        """Return the worker's answer.

        Raises:
            PeerError: if the peer raised an error, or its process has ended or does not answer.
        """
        if not self.started:
            self._receive()
            self.started = True
        assert self.process.stdin is not None
        try:
            print(json.dumps([request, *arguments]), file=self.process.stdin, flush=True)
        except OSError as error:
            raise PeerError(self._last_words()) from error
        return self._receive()

    def _receive(self) -> Any:
        assert self.process.stdout is not None
        overdue = threading.Event()

        def give_up() -> None:
            overdue.set()
            self.process.kill()

        timer = threading.Timer(PATIENCE, give_up)
        timer.start()
        try:
            line = self.process.stdout.readline()
        finally:
            timer.cancel()
        if overdue.is_set():
            raise PeerError(f"no answer within {PATIENCE:.0f} s")
        if not line:
            raise PeerError(self._last_words())
        answer = json.loads(line)
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer["value"]

    def _last_words(self) -> str:
        status = self.process.wait()
        self.errors.seek(0)
        lines = [line.strip() for line in self.errors if line.strip()]
        return f"its process ended with status {status}" + (f": {lines[-1]}" if lines else "")
