"""Builds the benchmarks' own C files with the compiler that Python names, and loads them."""

from __future__ import annotations

import ctypes
import functools
import os
import shlex
import subprocess
import sysconfig
import tempfile
from pathlib import Path

__all__ = ["load"]

DIRECTORY = Path(__file__).parent
FLAGS = ("-O3", "-ffp-contract=off", "-shared", "-fPIC")


@functools.cache
def load(source: str, *flags: str) -> ctypes.CDLL:
    """Compile `benchmarks/<source>` and return it as a library.

    Args:
        source: the file's name, such as "cartpole.c".
        *flags: for the compiler, after `-O3 -ffp-contract=off`; such as "-march=native".

    Raises:
        RuntimeError: if there is no compiler, or it refuses the file.
    """
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    with tempfile.TemporaryDirectory(prefix="batchsim-benchmarks-") as directory:
        library = Path(directory) / "library.so"
        command = [
            *compiler[:1],
            *FLAGS,
            *flags,
            str(DIRECTORY / source),
            "-o",
            str(library),
            "-lm",
        ]
        try:
            made = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise RuntimeError(
                f"The benchmarks need a C compiler; {compiler[0]} cannot be run ({error}). "
                "Name one in the environment variable CC."
            ) from error
        if made.returncode:
            raise RuntimeError(f"{shlex.join(command)} failed:\n{made.stderr}")
        # The file may go once the library is in memory.
        return ctypes.CDLL(str(library))
