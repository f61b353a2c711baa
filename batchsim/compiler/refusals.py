"""What the compiler says of functions whose bits compiled code would not have."""

from __future__ import annotations

from typing import Any

__all__ = ["RefusedError"]


class RefusedError(TypeError):
    """A function cannot be compiled so that it gives Python's bits."""

    def __init__(self, reason: str, loc: Any) -> None:
        super().__init__(f"{loc.filename}:{loc.line}: {reason}.")
        self.reason = reason
        """What differs, and which spelling agrees; without a full stop."""
        self.loc = loc
        """Where it stands, with Numba's `filename` and `line`."""
