"""Compiled kernels on disk: one file a part, named by a hash of everything that it depends on.

A part is found again only under the same hash, so a stale one is never used and nothing needs to be
invalidated. Files appear whole (written aside, then renamed), so that processes may compile at
once.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path

from platformdirs import user_cache_path

__all__ = ["directory", "files", "find_error", "load", "store"]

MAX_FILES = 2048
"""The least recently used files beyond this many are removed when a kernel is stored."""


def directory() -> Path:
    """Return where kernels are kept: `BATCHSIM_CACHE_DIR`, or the user's cache directory."""
    chosen = os.environ.get("BATCHSIM_CACHE_DIR")
    return Path(chosen) if chosen else user_cache_path("batchsim", appauthor=False)


def _file(key: str) -> Path:
    return directory() / f"{key}.kernel"


def load(key: str) -> bytes | None:
    """Return what is stored under `key`, or None if there is nothing that is whole."""
    path = _file(key)
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, payload = content[:32], content[32:]
    if hashlib.sha256(payload).digest() != digest:
        return None
    # A read-only cache still serves; only the order of removal is lost.
    with contextlib.suppress(OSError):
        os.utime(path)
    return payload


def store(payloads: Mapping[str, bytes]) -> None:
    """Keep payloads under their keys; warn once, and go on, if the directory cannot be written."""
    folder = directory()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for key, payload in payloads.items():
            write_whole(_file(key), hashlib.sha256(payload).digest() + payload)
    except OSError as error:
        warnings.warn(
            f"batchsim cannot keep compiled kernels in {folder} ({error.strerror or error}): every "
            "process will compile them anew; set BATCHSIM_CACHE_DIR to a directory that can be "
            "written.",
            RuntimeWarning,
            stacklevel=2,
        )
        return
    _remove_oldest()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that appears whole, or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name[:16], suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def files() -> list[Path]:
    """Return the files of the kernels that are kept, in no order."""
    return list(directory().glob("*.kernel"))


def find_error() -> str | None:
    """Return why no kernel can be kept, or None if one can; tried with an empty file."""
    folder = directory()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return error.strerror or str(error)
    return None


def _remove_oldest() -> None:
    """Remove what is too much: other processes may do so at the same time."""
    kept = []
    for path in files():
        with contextlib.suppress(OSError):
            kept.append((path.stat().st_mtime, path))
    for _, path in sorted(kept)[: max(0, len(kept) - MAX_FILES)]:
        with contextlib.suppress(OSError):
            path.unlink()
