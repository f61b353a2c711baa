"""Conversions on disk: they are found again while nothing that they were made of has changed.

A conversion has a folder in the cache directory, named by the class and its arguments: the
definition, its tables, and a file that says what was found and which files it was made of, with
their hashes. So it is known without running the author's code whether it still holds.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from batchsim.compiler import cache
from batchsim.compiler.digest import hash_of_files
from batchsim.compiler.target import processor
from batchsim.convert.report import Report

__all__ = ["file_of", "find", "keep"]

HELD = "conversion.json"


def file_of(where: str, qualified: str, *parts: bytes) -> Path:
    """Return the file of a definition in the cache directory.

    Args:
        where, qualified: the class.
        parts: what else decides what is written.
    """
    key = hashlib.sha256()
    for part in (where.encode(), qualified.encode(), *parts, *_tools()):
        key.update(len(part).to_bytes(8, "little") + part)
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", qualified.rpartition(".")[2]).lower()
    return cache.directory() / "converted" / f"{name}-{key.hexdigest()[:16]}" / f"{name}.py"


def _tools() -> Iterable[bytes]:
    """Yield what definitions are written and proved by: the converter, NumPy, the processor …"""
    for path in sorted(Path(__file__).parent.glob("*.py")):
        yield path.read_bytes()
    yield hash_of_files().encode()
    yield repr(processor()).encode()
    yield platform.python_version().encode()
    for package in ("numpy", "numba", "gymnasium"):
        yield version(package).encode()


def _hash(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def find(file: Path) -> Report | None:
    """Return the report of a definition that is there and still holds, or None."""
    try:
        held = json.loads((file.parent / HELD).read_text(encoding="utf-8"))
        files: Mapping[str, str | None] = held["files"]
        if all(_hash(Path(name)) == found for name, found in files.items()):
            return Report.from_json(held["report"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # there is none, or it was not written to its end
    return None


def keep(file: Path, report: Mapping[str, Any], sources: Iterable[str]) -> None:
    """Say that a definition holds, and which files it was made of."""
    own = [file, file.with_suffix(".npz")]
    files = {str(path): _hash(path) for path in [*map(Path, sources), *own]}
    held = json.dumps({"report": dict(report), "files": files}, indent=1)
    cache.write_whole(file.parent / HELD, held.encode())
