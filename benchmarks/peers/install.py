"""Where the peers are installed: beside batchsim, or in virtual environments of their own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.peers.peer import Peer

__all__ = ["DIRECTORY", "find_python", "install"]

ROOT = Path(__file__).resolve().parents[2]
DIRECTORY = ROOT / ".venv-peers"
"""Holds one virtual environment for each `requirements/peers-<name>.txt`."""


def find_python(peer: Peer) -> Path | None:
    """Return the interpreter that has what a peer needs, or None if it is not installed.

    That of its own virtual environment comes first.
    """
    if peer.requirements is None or peer.module is None:
        return Path(sys.executable)
    python = _python(DIRECTORY / peer.requirements)
    if python.exists():
        return python
    if importlib.util.find_spec(peer.module) is not None:
        return Path(sys.executable)
    return None


def install(name: str) -> Path:
    """Create the virtual environment of `requirements/peers-<name>.txt`, or bring it up to date.

    batchsim itself is not installed into it: a worker runs in this checkout, and needs no more of
    it than Python files.

    Returns:
        Its directory.

    Raises:
        RuntimeError: if that fails; what failed has been printed.
    """
    directory = DIRECTORY / name
    requirements = ROOT / "requirements" / f"peers-{name}.txt"
    commands: list[list[str | Path]] = [
        [sys.executable, "-m", "venv", directory],
        [_python(directory), "-m", "pip", "install", "--requirement", requirements],
    ]
    for command in commands:
        if subprocess.run(command, check=False).returncode:
            raise RuntimeError(f"{name} is not installed: {' '.join(map(str, command))} failed")
    return directory


def _python(directory: Path) -> Path:
    return directory / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
