"""The machine code of random definitions, to be read: also for processors that this one is not."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import canaries
import numpy as np

from batchsim.compiler import compile
from batchsim.compiler.compile import KernelSpec

from .generator import generate
from .harness import choose, load, unload
from .vocabulary import DEFAULT_SWITCHES


class _SpecificationFound(Exception):  # noqa: N818 - no error
    pass


def specifications(
    seed: int, numbers: Iterable[int], folder: Path, switches: frozenset[str] = DEFAULT_SWITCHES
) -> Iterator[tuple[int, str, KernelSpec]]:
    """Return the number, the source text and what would be compiled of random definitions."""
    for number in numbers:
        source = generate(seed, number, switches)
        name = f"fuzz_static_{seed}_{number}"
        module = load(source.text, name, folder)
        rng = np.random.default_rng([seed, number, 1])
        case = choose(module, source, rng, False, canaries.Canaries(pages=False))
        found: list[KernelSpec] = []

        def keep(spec: KernelSpec, found: list[KernelSpec] = found) -> Any:
            found.append(spec)
            raise _SpecificationFound

        with mock.patch.object(compile, "compile_native", keep):
            try:
                case.make(slice(0, 64))
            except _SpecificationFound:
                pass
        yield number, source.text, found[0]
        unload(name)


def assemblies(
    seed: int, numbers: Iterable[int], folder: Path, switches: frozenset[str] = DEFAULT_SWITCHES
) -> Iterator[tuple[int, str, str]]:
    """Return the number, the source text and the assembly of random definitions, compiled for the
    processor that NUMBA_CPU_NAME and NUMBA_CPU_FEATURES say.
    """
    for number, text, spec in specifications(seed, numbers, folder, switches):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parts = compile.assemble(spec)
        yield number, text, "\n".join(part.assembly for part in parts)
