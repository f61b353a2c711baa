"""Compiles the tile loops around an environment's functions; all Numba options are here.

Two backends give the same bits: `native`, machine code that the driver calls by its address, and
`reference`, the same functions as plain Python, for debuggers and profilers.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import marshal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import llvmlite
import numba
import numpy as np
from gymnasium.vector import AutoresetMode
from numba import types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.errors import NumbaError, UnsupportedBytecodeError

from batchsim.compiler import cache, kernels, layouts, target, ufuncs
from batchsim.compiler import forks as forks  # sees to every fork from now on
from batchsim.compiler.binder import Binder, rebuilt
from batchsim.compiler.digest import LIBRARIES, OWN_CODE, WHOLE, Digest, extensions, hash_of_files
from batchsim.compiler.kernels import Tile
from batchsim.compiler.layouts import flatten, frames_of
from batchsim.compiler.safety import may_step_finished_rows
from batchsim.definition import Definition, record

__all__ = [
    "LIBRARIES",
    "KernelSpec",
    "NativeKernel",
    "ObjectFile",
    "assemble",
    "chosen_of",
    "compile_native",
    "interpret",
]

# No reference counting: arrays reached through a tuple would cost atomic operations, and an
# allocation in an environment becomes a compile error. NumPy's error model: a division by zero
# gives inf or NaN as it does upstream and needs no branch. No fastmath: exact precision forbids it,
# and in fast precision a row's value must not depend on whether it fell into a vector or into the
# remainder.
OPTIONS: dict[str, Any] = {
    "_nrt": False,
    "boundscheck": False,
    "error_model": "numpy",
    "nogil": True,
}
# Called by its address or by another kernel's function, none needs the wrappers that let Python and
# C call it: generating them takes a third of the time.
NO_WRAPPERS: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

CALLEE: dict[str, Any] = {**OPTIONS, **NO_WRAPPERS}

SETTINGS = ("BOUNDSCHECK", "LOOP_VECTORIZE", "OPT", "SLP_VECTORIZE")
"""What Numba's environment variables say of machine code, beside the CPU."""

REFUSALS = (
    *(NumbaError, UnsupportedBytecodeError),  # The second is not one of the first.
    *(AssertionError, AttributeError, ImportError, LookupError, NameError, NotImplementedError),
    *(RecursionError, SyntaxError, TypeError, ValueError),
)
"""What the compiler raises about functions that it cannot compile."""

STEPS = {
    AutoresetMode.NEXT_STEP: kernels.step_next_step,
    AutoresetMode.SAME_STEP: kernels.step_same_step,
    AutoresetMode.DISABLED: kernels.step_disabled,
}
"""What a step is to the reference backend."""
SELDOM = "restart_rows"
"""The part that most steps do little of; many draws in it would be inlined at great length."""
HIDDEN = {
    "advance_rows": ("elapsed", "action"),
    "restart_rows": ("elapsed", "action", "choice"),
    "observe_rows": ("elapsed", "action", "choice"),
    "inform_rows": ("elapsed", "action", "choice"),
}
"""By part: the fields of a tile that it does not read."""


@dataclass(frozen=True)
class KernelSpec:
    """Everything that decides a kernel: the code of its parts, and what calls them."""

    definition: Definition
    precision: str
    autoreset_mode: AutoresetMode
    constants: Any
    """`definition.parameters` of the values compiled in."""
    bounds: kernels.DiscreteBounds | kernels.BoxBounds
    tile: Tile
    """The arrays; only their dtypes and trailing shapes matter."""
    checked: bool
    """Whether indices are checked, and the row at work noted."""
    listed: bool = False
    """Whether actions are Python's numbers; see `batchsim.actions`."""


def chosen_of(bounds: Any) -> Any:
    """Return what reads the action of a row, of a space with these bounds."""
    if isinstance(bounds, kernels.DiscreteBounds):
        return kernels.number_chosen
    return kernels.elements_chosen


def _placeholders(spec: KernelSpec) -> dict[str, Any]:
    return {
        "reset": spec.definition.reset,
        "step": spec.definition.finish or spec.definition.step,
        "begin": spec.definition.begin,
        "together": spec.definition.together,
        "LANES": spec.definition.lanes,
        "observe": spec.definition.observe,
        "inform": spec.definition.inform or kernels.no_info,
        "MARKS": spec.checked,
        "chosen": chosen_of(spec.bounds),
    }


def _part_loops(spec: KernelSpec, *, guarded: bool) -> dict[str, Any]:
    """Return the loops that are the parts, by name; of infos none where there are none."""
    advance_rows = kernels.advance_rows_guarded if guarded else kernels.advance_rows
    if spec.definition.together:
        advance_rows = kernels.advance_rows_together
    restart_rows = kernels.restart_rows
    if spec.definition.options:
        restart_rows = kernels.restart_rows_with_options
    loops = {
        "advance_rows": advance_rows,
        "restart_rows": restart_rows,
        "observe_rows": kernels.observe_rows,
    }
    if spec.definition.info:
        loops["inform_rows"] = kernels.inform_rows
    return loops


@dataclass(frozen=True)
class NativeKernel:
    """What of a kernel is compiled: its parts, with the signature of `Part` in _loops.hpp."""

    addresses: Mapping[str, int]
    """Where each part begins, by its name."""
    keys: Mapping[str, str]
    """What they are kept under on disk."""
    keeps: tuple[Any, ...]
    """What the machine code lives in and refers to."""
    compile_seconds: float
    """Zero if the kernel came from the cache."""


class ObjectFile(NamedTuple):
    """A part of a kernel, to be read."""

    name: str
    """One of `PARTS`."""
    assembly: str
    code: bytes


PART = types.int64(types.CPointer(types.int64), *[types.int64] * 5)
"""The types that they are compiled for, those of the driver's table and of numbers."""


class _Jit:
    """A context in which Numba compiles, whatever `NUMBA_DISABLE_JIT` says.

    That is for functions that a user decorates; who wants plain Python here says
    `backend="reference"`, and a kernel from the cache is compiled code anyway.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.config: Any = numba.config
        self.disabled = 0

    def __enter__(self) -> None:
        with self.lock:
            if self.inside == 0:
                self.disabled, self.config.DISABLE_JIT = self.config.DISABLE_JIT, 0
            self.inside += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                self.config.DISABLE_JIT = self.disabled


_jit = _Jit()
_loaded: dict[str, NativeKernel] = {}
_loaded_code: dict[str, Any] = {}
"""By key: the library that a part of a kernel is in."""


def compile_native(spec: KernelSpec) -> NativeKernel:
    """Return the kernel of `spec` from this process, the disk cache or the compiler."""
    with _jit:
        # Bound for Numba only where it must compile: what Numba makes of a function, it keeps.
        plan = _Plan(spec, for_numba=False)
        if plan.key not in _loaded:
            # LLVM finds functions by name: of two kernels that threads load under one key, both
            # would run the code of the first, which goes when the second takes its place.
            with global_compiler_lock:
                if plan.key not in _loaded:
                    seconds = 0.0
                    libraries = _load_all(plan)
                    if libraries is None:
                        start = time.perf_counter()
                        plan = _Plan(spec, for_numba=True)
                        libraries = _compile(spec, plan)
                        seconds = time.perf_counter() - start
                    addresses = {
                        name: library.get_pointer_to_function(plan.names[name])
                        for name, library in zip(plan.keys, libraries, strict=True)
                    }
                    _loaded[plan.key] = NativeKernel(
                        addresses, plan.keys, (*libraries, plan.functions), seconds
                    )
        return _loaded[plan.key]


def assemble(spec: KernelSpec) -> list[ObjectFile]:
    """Return the parts of the kernel of `spec`, compiled anew, to be read."""
    with _jit:
        plan = _Plan(spec, for_numba=True)
        with _uncollected():
            libraries = {name: plan.translate(name) for name in plan.keys}
    return [
        ObjectFile(name, library.get_asm_str(), library.serialize_using_object_code()[2][0])
        for name, library in libraries.items()
    ]


class _Plan:
    """What a kernel consists of: the functions that it is compiled from, and where they are kept.

    Args:
        spec: what decides it.
        for_numba: whether the functions are to be compiled; else they are of no use, and nothing
            outlives the plan.
    """

    def __init__(self, spec: KernelSpec, *, for_numba: bool) -> None:
        self.spec = spec
        common = _common_key(spec)
        loops = _part_loops(spec, guarded=_is_guarded(spec))
        frame, info = _frame_layout(spec.tile), layouts.array_layout(spec.tile.info)
        writes = {"observe_rows": (frame,), "inform_rows": (info,)}
        whole = layouts.layout_of(spec.tile)
        wrap = _as_it_is
        names = (*layouts.ACCESSORS, "part_view", "observation_at", "info_at")
        given: dict[str, Any] = dict.fromkeys(names)
        scratch = tuple(sorted(spec.definition.scratch))
        if for_numba:
            from batchsim.compiler import agreement, columns

            exact = spec.precision == "exact"
            compiler = agreement.Compiler if exact else agreement.FastCompiler
            options = {**CALLEE, "boundscheck": spec.checked}
            wrap = functools.partial(target.callee, pipeline_class=compiler, **options)
            given.update(columns.NATIVE)
            given["observation_at"] = columns.native_target(frame)
            given["info_at"] = columns.native_target(info)
        binder = _binder(spec, _placeholders(spec), wrap, given)
        self.keys: dict[str, str] = {}
        """By name of a part."""
        self.names: dict[str, str] = {}
        """What machine code knows them by."""
        self.functions: dict[str, Any] = {}
        for name, loop in loops.items():
            function = binder.copy(loop)
            constants = _read_of(spec.constants, binder.names[loop])
            seen = layouts.part_layout(whole, HIDDEN[name], constants._fields)
            if for_numba:
                # Of this part alone: no function that two parts share may name it.
                function.__globals__["part_view"] = columns.native_view(seen, constants)
            # Not `_hash`: equal numbers may be of different types.
            made_of = Digest(constants).hexdigest(), seen, *writes.get(name, ())
            self._add(name, function, (binder.digests[loop], *made_of, common, scratch))
        self.key = _key(tuple(self.keys.items()))
        """Of the whole."""

    def _add(self, name: str, function: Any, made_of: tuple[Any, ...]) -> None:
        self.functions[name] = function
        self.keys[name] = _key(made_of)
        self.names[name] = f"batchsim_{name}_{self.keys[name][:32]}"

    def translate(self, name: str) -> Any:
        """Return the library with the machine code of a part."""
        return target.compile_function(
            self.functions[name],
            PART,
            self.names[name],
            is_hot=name != SELDOM,
            **{**OPTIONS, **NO_WRAPPERS, "boundscheck": self.spec.checked},
        )


def _binder(
    spec: KernelSpec, placeholders: dict[str, Any], wrap: Callable[..., Any], given: dict[str, Any]
) -> Binder:
    return Binder(
        spec.precision,
        placeholders,
        wrap,
        given=given,
        namespace=spec.definition.namespace,
        random=spec.definition.random,
        listed=spec.listed,
    )


def _frame_layout(tile: Tile) -> Any:
    """Return the layout of what `observe` writes, one row a frame."""

    def without_frames(nested: Any) -> Any:
        if isinstance(nested, np.ndarray):
            return nested[:, 0]
        return rebuilt(nested, without_frames)

    frames = flatten(tile.frames)
    return layouts.array_layout(without_frames(tile.frames) if frames else tile.observation)


def _read_of(constants: Any, names: frozenset[str]) -> Any:
    """Return those of the constants that functions may read, a namedtuple.

    Args:
        constants: the values of parameters and tables that are compiled in, a namedtuple.
        names: as in `Binder.names`.
    """
    read = [name for name in constants._fields if WHOLE in names or name in names]
    kind = record(type(constants).__name__, tuple(read))
    return kind(*(getattr(constants, name) for name in read))


def _is_guarded(spec: KernelSpec) -> bool:
    """Tell whether stepping a row that is over, before its reset, could do harm."""
    varying = {
        *getattr(spec.tile.parameters, "_fields", ()),
        *getattr(spec.tile.common, "_fields", ()),
        *getattr(spec.tile.tables, "_fields", ()),
    }
    constants = {
        name: value for name, value in spec.constants._asdict().items() if name not in varying
    }
    return not may_step_finished_rows(spec.definition, constants)


def _as_it_is(copy: Any) -> Any:
    return copy


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Collect no garbage in this block: the compiler makes millions of objects, and keeps most.

    Looking through them again and again takes a tenth of its time, or more.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _seen_names(layout: layouts.TupleLayout) -> tuple[str | None, ...]:
    """Return the names of the members that are seen, those of a plain tuple empty."""
    names = layout.fields or ("",) * len(layout.members)
    return tuple(
        None if isinstance(member, layouts.HiddenLayout) else name
        for name, member in zip(names, layout.members, strict=False)
    )


def _key(made_of: tuple[Any, ...]) -> str:
    """Return a hash of what a part is made of: layouts, names, and hashes of other things."""

    def described(part: Any) -> Any:
        if isinstance(part, layouts.ArrayLayout):
            return part.dtype.str, part.trailing, part.length, part.writeable, part.is_small_table
        if isinstance(part, layouts.TupleLayout):
            members = tuple(map(described, part.members))
            return _seen_names(part), members
        return part

    return Digest(*(_hash(described(part)) for part in made_of)).hexdigest()


def _common_key(spec: KernelSpec) -> str:
    """Return a hash of what all parts of a kernel of a precision depend on."""
    digest = Digest((CALLEE, spec.checked))
    digest.add("precision", spec.precision)
    settings = tuple(getattr(numba.config, setting, None) for setting in SETTINGS)
    versions = (sys.version, np.__version__, numba.__version__, llvmlite.__version__)
    processor = target.processor()
    process = (tuple(ufuncs.fingerprint()), settings, extensions(), versions, processor, OWN_CODE)
    digest.add("process", _hash(process))
    return digest.hexdigest()


@functools.lru_cache(maxsize=1024)
def _hash(value: Any) -> str:
    """Return a hash of a value that comes again with nearly every batch."""
    return Digest(value).hexdigest()


def _load(key: str) -> Any:
    """Return the library that is kept under a key, in this process or on the disk, or None."""
    if key not in _loaded_code:
        content = cache.load(key)
        if content is None:
            return None
        if b"batchsim_numpy_" in content:
            # They define names that the code may call: LLVM ends the process where one is missing.
            from batchsim.compiler import gufuncs, sorting  # noqa: F401
        _loaded_code[key] = target.generator().unserialize_library(marshal.loads(content))
    return _loaded_code[key]


def _load_all(plan: _Plan) -> list[Any] | None:
    """Return the libraries of a kernel's parts, or None if one is missing."""
    libraries = []
    for key in plan.keys.values():
        library = _load(key)
        if library is None:
            return None
        libraries.append(library)
    return libraries


def _compile(spec: KernelSpec, plan: _Plan) -> list[Any]:
    """Return the libraries of a kernel's parts; what is compiled is kept."""
    if sys.stderr.isatty():
        print(
            f"batchsim: compiling {spec.definition.name} ({spec.precision} precision), "
            "a few seconds, kept for next time …",
            file=sys.stderr,
            flush=True,
        )
    made = {}
    with _uncollected():
        for name, key in plan.keys.items():
            if _load(key) is None:
                made[key] = _loaded_code[key] = plan.translate(name)
    # Code that holds the addresses of this process's arrays (large global ones) is of no use in
    # another process, and the arrays must live as long as the code does.
    if hash_of_files() != OWN_CODE:
        return [_loaded_code[key] for key in plan.keys.values()]
    cache.store(
        {
            key: marshal.dumps(library.serialize_using_object_code())
            for key, library in made.items()
            if not library.has_dynamic_globals
        }
    )
    return [_loaded_code[key] for key in plan.keys.values()]


def interpret(spec: KernelSpec) -> Callable[[Tile, int, int, int], int]:
    """Return `kernel(tile, task, lo, hi)` of the reference backend: the same functions as plain
    Python.
    """
    frames = frames_of(spec.tile)
    # Python raises where machine code goes on (math.sin of infinity): rows that are over stay put.
    placeholders = {**_placeholders(spec), **_part_loops(spec, guarded=True)}
    is_discrete = isinstance(spec.bounds, kernels.DiscreteBounds)
    placeholders |= {
        "check_actions": kernels.check_discrete if is_discrete else kernels.check_box,
        "ACTION": spec.bounds,
        "step_rows": STEPS[spec.autoreset_mode],
        "FRAMES": frames,
    }
    from batchsim.compiler import columns

    given = columns.reference_accessors(spec.constants, stacks=frames > 1)
    binder = _binder(spec, placeholders, _as_it_is, given)
    return binder.copy(kernels.run_task)  # type: ignore[no-any-return]
