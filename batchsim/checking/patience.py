"""Ends a call of plain Python that takes too long, such as a loop without end."""

from __future__ import annotations

import contextlib
import ctypes
import threading
import time
from collections.abc import Iterator
from types import TracebackType

__all__ = ["Patience", "TooLong"]


class TooLong(BaseException):
    """Raised in the line that ran when the time was over; no handler of the author's takes it."""


class Patience:
    """A context in which blocks of this thread are watched by another one.

    Args:
        seconds: how long each block may take.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.watched = threading.get_ident()
        # Entered in one instruction: `TooLong` cannot be raised between it and the block.
        self.lock = threading.Lock()
        self.ended = threading.Condition(self.lock)
        self.deadline: float | None = None
        """When the block that runs must have ended; None between blocks."""
        self.over = False
        self.watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Patience:
        self.watcher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self.lock:
            self.over = True
            self.ended.notify()
        self.watcher.join()

    @contextlib.contextmanager
    def block(self) -> Iterator[None]:
        """Raise `TooLong` in this thread, between two lines of Python, if the block takes longer.

        The watcher is not woken, which would take longer than most blocks: it looks again before
        any that begins meanwhile can have lasted too long.
        """
        with self.lock:
            self.deadline = time.monotonic() + self.seconds
        try:
            yield
        finally:
            with self.lock:
                self.deadline = None

    def _watch(self) -> None:
        with self.lock:
            while not self.over:
                left = self.seconds
                if self.deadline is not None:
                    left = self.deadline - time.monotonic()
                if left <= 0.0:
                    self.deadline = None  # Not in what comes after the block.
                    left = self.seconds
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(
                        ctypes.c_ulong(self.watched), ctypes.py_object(TooLong)
                    )
                self.ended.wait(left)
