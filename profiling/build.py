"""The profiling copy of batchsim: its Cython modules with line tracing, in a directory of its own.

    python -m profiling.build

Nothing of the normal installation is touched: the sources are copied to `build/profiling` and built
there, anew only when they have changed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from batchsim.ladder.machine import find_version
from profiling.report import ROOT

COPY = ROOT / "build" / "profiling"
STAMP = COPY / "built"
TRACED = (".pyx", ".pxd", ".hpp")
COPIED = (".py", *TRACED)
BUILD_FILES = ("setup.py", "pyproject.toml", "README.md", "LICENSE")


class BuildError(Exception):
    """The copy could not be built; the message is a sentence."""


def build() -> Path:
    """Return the directory that holds the copy, built if it has to be (about half a minute)."""
    sources = {
        path.relative_to(ROOT): path.read_bytes()
        for path in sorted((ROOT / "batchsim").rglob("*"))
        if path.suffix in COPIED
    }
    digest = hashlib.sha256(f"{sys.version} {find_version('cython')}".encode())
    digest.update((ROOT / "setup.py").read_bytes())
    for path, content in sources.items():
        if path.suffix in TRACED:
            digest.update(f"{path}:{len(content)};".encode() + content)
    built = STAMP.exists() and STAMP.read_text() == digest.hexdigest()
    if not built:
        shutil.rmtree(COPY, ignore_errors=True)
    COPY.mkdir(parents=True, exist_ok=True)
    for path, content in sources.items():
        target = COPY / path
        if not target.exists() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    if built:
        return COPY
    for name in BUILD_FILES:
        shutil.copy(ROOT / name, COPY)
    log = COPY / "build.log"
    with log.open("w", encoding="utf-8") as output:
        status = subprocess.run(
            [sys.executable, "setup.py", "build_ext", "--inplace"],
            cwd=COPY,
            env={**os.environ, "BATCHSIM_CYTHON_PROFILE": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    if status:
        raise BuildError(
            f"The profiling copy could not be built (status {status}); "
            f"{log.relative_to(ROOT)} has the compiler's messages."
        )
    STAMP.write_text(digest.hexdigest())
    return COPY


if __name__ == "__main__":
    print(build().relative_to(ROOT))
