"""The kernels of a batch: one for each kind of actions that it was given, by its backend."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from batchsim import actions
from batchsim.batch._driver import poll_address
from batchsim.compiler import compile, interrupts
from batchsim.compiler.kernels import BoxBounds, Tile
from batchsim.compiler.layouts import cut_rows
from batchsim.compiler.loops import Loops, kind_of
from batchsim.compiler.returns import wrong_returns

__all__ = ["Kernel", "Kernels"]

Array = npt.NDArray[Any]

interrupts.poll_with(poll_address())


class Kernel(NamedTuple):
    """The same loops as machine code and as plain Python, as far as they are needed."""

    native: compile.NativeKernel | None
    """None with the reference backend."""
    interpreted: Callable[[Tile, int, int, int], int] | None
    """None with the native backend, but for the checked mode."""

    loops: Loops | None
    """What calls the parts of the machine code; None with the reference backend."""


class Kernels:
    """Makes them when they are asked for; copies and parts of a batch have the same ones.

    Args:
        spec: of the kernel for actions of the space's dtype, which is made at once.
        backend: "native" or "reference".

    Raises:
        batchsim.checking.mistakes.CompileError: if it cannot be compiled.
    """

    def __init__(self, spec: compile.KernelSpec, backend: str) -> None:
        self.spec = dataclasses.replace(
            spec,
            # Only dtypes and shapes matter; the batch's own arrays would be kept alive.
            tile=cut_rows(spec.tile, lambda column: column[:1].copy()),
        )
        self.backend = backend
        self.made = {actions.OWN: self._make(spec)}

    def of(self, kind: int) -> Kernel:
        """Return the kernel for actions that are `actions.OWN`, `WIDE` or `LISTED`."""
        if kind not in self.made:
            tile, bounds = self.spec.tile, self.spec.bounds
            assert isinstance(bounds, BoxBounds)
            wide = {name: getattr(tile, name).astype(np.float64) for name in ("action", "choice")}
            for array in wide.values():
                array.flags.writeable = False
            self.made[kind] = self._make(
                dataclasses.replace(
                    self.spec,
                    tile=tile._replace(**wide),
                    bounds=_widened(bounds),
                    listed=kind == actions.LISTED,
                )
            )
        return self.made[kind]

    def _make(self, spec: compile.KernelSpec) -> Kernel:
        native = interpreted = loops = None
        try:
            if self.backend == "reference" and (wrong := wrong_returns(spec.definition.step)):
                # Python would not mind before a row comes there.
                raise TypeError(wrong[0][0])
            if self.backend == "reference" or spec.checked:
                interpreted = compile.interpret(spec)
            if self.backend == "native":
                kind_of(spec.tile.action.dtype)  # Refused before anything is compiled.
                native = compile.compile_native(spec)
        except compile.REFUSALS as error:
            # Imported where it is needed: nobody compiles to learn that.
            from batchsim.checking.mistakes import explain

            tables = getattr(spec.tile.tables, "_fields", ())
            raise explain(error, spec.definition, tables) from None
        if native:
            loops = Loops(spec.tile, spec.autoreset_mode, spec.bounds, native.addresses)
        return Kernel(native, interpreted, loops)


def _widened(bounds: BoxBounds) -> BoxBounds:
    """Return in float64 the bounds between which numbers are that, rounded, are within these.

    float32's 0.7 is less than float64's.
    """
    low, high = bounds
    return BoxBounds(-_widest(-low), _widest(high))


def _widest(high: Array) -> Array:
    """Return the largest float64 numbers that are not above `high` once they are rounded."""
    exact = high.astype(np.float64)
    if high.dtype == np.float64:
        return exact
    with np.errstate(over="ignore", invalid="ignore"):
        below, above = (np.nextafter(high, high.dtype.type(end)) for end in (-np.inf, np.inf))
        # Beyond the largest number the next one would be as far as the one before.
        gap = np.where(np.isinf(above), exact - below, above - exact)
        middle = exact + gap / 2
        widest = np.where(middle.astype(high.dtype) <= high, middle, np.nextafter(middle, -np.inf))
    return np.where(np.isinf(exact), exact, widest)
