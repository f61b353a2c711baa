"""Keeps a fork from splitting a compilation: the child could never compile, nor load a kernel.

A child has the locks of all threads, but not the threads. One that was forked while another thread
compiled would wait for the compiler's lock for good, and LLVM's data could be in any state. So a
fork waits until what is being compiled is done.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

from llvmlite.binding import ffi
from numba.core.compiler_lock import global_compiler_lock

__all__: list[str] = []


_compiler_lock: Any = global_compiler_lock
# llvmlite has no public name for it.
_llvm_lock: Any = getattr(ffi.lib, "_lock", contextlib.nullcontext())


def _hold() -> None:
    # In the order in which a compilation takes them.
    _compiler_lock.acquire()
    _llvm_lock.__enter__()


def _release() -> None:
    try:
        _llvm_lock.__exit__(None, None, None)
    finally:
        _compiler_lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_release)
