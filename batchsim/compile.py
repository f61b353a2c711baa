"""Binds an environment's functions into the tile loops and compiles the result; all Numba options
are here.

Two backends give the same bits: `native`, machine code that the driver calls by its address, and
`reference`, the same functions as plain Python, for debuggers and profilers.
"""

from __future__ import annotations

import contextlib
import dis
import enum
import functools
import hashlib
import marshal
import reprlib
import sys
import time
import types as python_types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from gymnasium.vector import AutoresetMode
from numba import types
from numba.core.registry import cpu_target

from batchsim import agreement, cache, columns, kernels, parts, raster, ufuncs  # noqa: F401
from batchsim import math as batchsim_math
from batchsim.definition import Definition
from batchsim.kernels import Tile
from batchsim.safety import may_step_finished_rows

__all__ = [
    "Binder",
    "KernelSpec",
    "NativeKernel",
    "assemble",
    "compile_native",
    "flatten",
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

# Callees are inlined whatever their size: a loop with a call in it cannot be vectorised.
INLINE: dict[str, Any] = {**OPTIONS, **NO_WRAPPERS, "forceinline": True}

LIBRARIES = (
    "batchsim.columns",
    "batchsim.random",
    "batchsim.math",
    "batchsim.libm",
    "batchsim.parts",
    "batchsim.raster",
)
"""Modules whose functions Numba can call as they stand; they choose their own arithmetic."""

STEP_LOOPS = {
    AutoresetMode.NEXT_STEP: kernels.step_next_step,
    AutoresetMode.SAME_STEP: kernels.step_same_step,
    AutoresetMode.DISABLED: kernels.step_disabled,
}


@dataclass(frozen=True)
class KernelSpec:
    """Everything that decides a kernel's code."""

    definition: Definition
    precision: str
    autoreset_mode: AutoresetMode
    constants: Any
    """`definition.parameters` of the values compiled in."""
    bounds: kernels.DiscreteBounds | kernels.BoxBounds
    record_episode_statistics: bool
    tile: Tile
    """The arrays; only their dtypes and trailing shapes matter."""
    checked: bool
    """Whether indices are checked, and the row at work noted."""


def flatten(nested: Any) -> list[np.ndarray[Any, Any]]:
    """Return the arrays of a `Tile` in the order of the driver's table."""
    if isinstance(nested, np.ndarray):
        return [nested]
    return [array for member in nested for array in flatten(member)]


def _to_float32(value: Any) -> Any:
    """Return `value` with floats and float64 arrays, nested in tuples too, as float32."""
    if isinstance(value, float):
        return np.float32(value)
    if type(value) is tuple:
        return tuple(_to_float32(member) for member in value)
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        return value.astype(np.float32)
    return value


class Binder:
    """Copies functions with their free names bound, following the functions that they call.

    Copies keep their code object, and with it file and line numbers, so that a debugger and a
    profiler show the author's source.

    Args:
        precision: "fast" binds the float32 functions and constants.
        placeholders: what the free names of `batchsim.kernels` stand for.
        wrap: applied to every copy that another one calls.
    """

    def __init__(
        self, precision: str, placeholders: dict[str, Any], wrap: Callable[..., Any]
    ) -> None:
        self.fast = precision == "fast"
        self.functions = batchsim_math.FAST if self.fast else batchsim_math.EXACT
        self.placeholders = placeholders
        self.wrap = wrap
        self.bound: dict[Any, Any] = {}
        self.digests: dict[Any, str] = {}
        """Of each function copied: a hash of its code and of all that it refers to."""

    def bind(self, function: Any) -> Any:
        """Return the bound and wrapped copy of `function`, made once."""
        if function not in self.bound:
            self.bound[function] = None
            self.bound[function] = self.wrap(self.copy(function))
        elif self.bound[function] is None:
            raise TypeError(f"{function.__qualname__} calls itself; recursion cannot be compiled.")
        return self.bound[function]

    def copy(self, function: Any) -> Any:
        """Return a copy of `function` whose free names are bound."""
        if function.__closure__:
            raise TypeError(
                f"{function.__qualname__} uses a variable of an enclosing function; use "
                "module-level names, parameters or state instead."
            )
        of_loops = function.__module__ == kernels.__name__
        demote = self.fast and not of_loops
        code = function.__code__
        defaults = (function.__defaults__, function.__kwdefaults__)
        names = dict(function.__globals__)
        if of_loops:
            names.update(self.placeholders)
        digest = _Digest(function.__qualname__)
        digest.add("code", _code_content(code))
        digest.add("defaults", defaults)
        for name in sorted(_global_names(code)):
            if name in names:
                names[name] = self._bind_name(name, names[name], demote, digest)
            elif demote and name == "float":
                names[name] = np.float32
                digest.add(name, np.float32)
        if demote:
            code = code.replace(co_consts=_to_float32(code.co_consts))
            defaults = (_to_float32(defaults[0]), defaults[1])
        copy = python_types.FunctionType(code, names, function.__name__, defaults[0])
        copy.__kwdefaults__ = defaults[1]
        copy.__qualname__ = function.__qualname__
        copy.__module__ = function.__module__
        self.digests[function] = digest.hexdigest()
        return copy

    def _bind_name(self, name: str, value: Any, demote: bool, digest: _Digest) -> Any:
        """Return what the free name `name` stands for in a copy, given what it stood for."""
        if isinstance(value, numba.core.dispatcher.Dispatcher):
            value = value.py_func
        # What cannot be hashed is not a function of batchsim.math.
        with contextlib.suppress(TypeError):
            value = self.functions.get(value, value)
        if demote:
            value = _to_float32(value)
        if name == "view" or name in columns.NATIVE:
            return value  # The tile that it is made from and the module are in the key.
        if isinstance(value, python_types.FunctionType) and value.__module__ not in LIBRARIES:
            bound = self.bind(value)
            digest.add(name, self.digests[value])
            return bound
        digest.add(name, value)
        return value


class _Digest:
    """A hash of values, by their content alone: not by a `repr` that may leave something out."""

    def __init__(self, *values: Any) -> None:
        self.hash = hashlib.sha256()
        self.modules: set[str] = set()
        for value in values:
            self.add("", value)

    def hexdigest(self) -> str:
        return self.hash.hexdigest()

    def add(self, name: str, value: Any) -> None:
        """Add a value under a name; TypeError if it is of a kind that kernels cannot use."""
        self.hash.update(f"{name}:{type(value).__qualname__}:".encode())
        if isinstance(value, enum.Enum):
            self.hash.update(f"{value.name};".encode())
            self.add("value", value.value)
        elif isinstance(value, (bool, int, float, complex, str, bytes, type(None), type(...))):
            self.hash.update(f"{value!r};".encode())
        elif isinstance(value, (np.ndarray, np.generic)):
            self.hash.update(f"{value.dtype.str}{value.shape};".encode() + value.tobytes())
        elif isinstance(value, (tuple, list)):
            self.hash.update(f"{getattr(value, '_fields', '')}{len(value)};".encode())
            for member in value:
                self.add("", member)
        elif isinstance(value, (set, frozenset)):
            # The order of a set differs from process to process.
            self.add("", sorted(map(repr, value)))
        elif isinstance(value, dict):
            for key in sorted(value):
                self.add(str(key), value[key])
        elif isinstance(value, python_types.CodeType):
            self.add("code", _code_content(value))
        elif isinstance(value, python_types.FunctionType):
            self.add("function", _code_content(value.__code__))
            self.add("of", sys.modules[value.__module__])
        elif isinstance(value, python_types.ModuleType):
            if _is_users(value):
                self.add_module(value)
            else:
                top = sys.modules[value.__name__.partition(".")[0]]
                self.hash.update(f"{value.__name__}{getattr(top, '__version__', '')};".encode())
        elif isinstance(value, enum.EnumMeta):
            self.add("members", list(value))
        elif isinstance(value, (type, python_types.BuiltinFunctionType, np.ufunc)):
            module = getattr(value, "__module__", "")
            fields = getattr(value, "_fields", "")
            self.hash.update(f"{module}.{value.__name__}{fields};".encode())
        else:
            raise TypeError(
                f"The name {name!r} stands for {reprlib.repr(value)}; a kernel can use numbers, "
                "arrays, tuples, functions and modules."
            )

    def add_module(self, module: python_types.ModuleType) -> None:
        """Add what a module holds: the code that runs, whatever its file says by now."""
        if module.__name__ in self.modules:
            return
        self.modules.add(module.__name__)
        for name, value in sorted(vars(module).items()):
            if isinstance(value, numba.core.dispatcher.Dispatcher):
                value = value.py_func
            value = getattr(value, "_defn", value)  # what an intrinsic was made of
            if name.startswith("__") or isinstance(value, dict):
                continue
            # What a kernel cannot use is no part of it.
            with contextlib.suppress(TypeError):
                self.add(name, value)


def _is_users(module: python_types.ModuleType) -> bool:
    """Tell whether a module may change without its version: it is neither installed nor ours."""
    file = getattr(module, "__file__", None)
    package = module.__name__.partition(".")[0]
    return not (
        file is None
        or package == __name__.partition(".")[0]
        or package in sys.stdlib_module_names
        or {"site-packages", "dist-packages"} & set(Path(file).parts)
    )


@functools.cache
def _own_code() -> str:
    """Return a hash of the modules of batchsim that kernels are made of."""
    digest = _Digest()
    for module in (__name__, "batchsim.lanes", "batchsim.agreement", "batchsim.ufuncs", *LIBRARIES):
        digest.add_module(sys.modules[module])
        for kind in vars(sys.modules[module]).values():
            if isinstance(kind, type) and kind.__module__ == module:
                methods = {k: m for k, m in vars(kind).items() if hasattr(m, "__code__")}
                digest.add(kind.__name__, methods)
    return digest.hexdigest()


def _global_names(code: python_types.CodeType) -> set[str]:
    names = {
        instruction.argval
        for instruction in dis.get_instructions(code)
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }
    for constant in code.co_consts:
        if isinstance(constant, python_types.CodeType):
            names |= _global_names(constant)
    return names


def _code_content(code: python_types.CodeType) -> tuple[Any, ...]:
    arguments = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
    return code.co_code, code.co_consts, code.co_names, code.co_varnames, arguments


def _statistics(spec: KernelSpec) -> dict[str, Any]:
    if spec.record_episode_statistics:
        return {
            "add_reward": kernels.keep_reward,
            "start_episode": kernels.keep_start,
            "report_episodes": kernels.keep_episodes,
        }
    return {
        "add_reward": kernels.skip_row,
        "start_episode": kernels.skip_row,
        "report_episodes": kernels.skip_all,
    }


def _stacking(spec: KernelSpec) -> dict[str, Any]:
    frames = flatten(spec.tile.frames)
    if frames:
        return {
            "observe_new": kernels.observe_frames,
            "observe_again": kernels.copy_frames,
            "draw_frame": kernels.keep_frame,
            "FRAMES": frames[0].shape[1],
        }
    return {
        "observe_new": kernels.observe_row,
        "observe_again": kernels.observe_row,
        "draw_frame": kernels.skip_row,
    }


def _placeholders(spec: KernelSpec, accessors: dict[str, Any], step_rows: Any) -> dict[str, Any]:
    discrete = isinstance(spec.bounds, kernels.DiscreteBounds)
    return {
        "reset": spec.definition.reset,
        "step": spec.definition.step,
        "observe": spec.definition.observe,
        "inform": spec.definition.inform or kernels.no_info,
        **accessors,
        "mark": kernels.mark_row if spec.checked else kernels.skip_row,
        "step_rows": step_rows,
        "check_actions": kernels.check_discrete if discrete else kernels.check_box,
        "PARAMETERS": spec.constants,
        "ACTION": spec.bounds,
        **_stacking(spec),
        **_statistics(spec),
    }


@dataclass(frozen=True)
class NativeKernel:
    """Machine code with the signature of `Kernel` in _threads.hpp."""

    address: int
    keeps: tuple[Any, ...]
    """What the machine code lives in and refers to."""
    compile_seconds: float
    """Zero if the kernel came from the cache."""


def _signature() -> Any:
    return types.int64(types.CPointer(types.int64), types.int64, types.int64, types.int64)


_loaded: dict[str, NativeKernel] = {}


def compile_native(spec: KernelSpec) -> NativeKernel:
    """Return the kernel of `spec` from this process, the disk cache or the compiler."""
    entry, code = _bind(spec)
    key = _key(spec, code)
    if key not in _loaded:
        _loaded[key] = _load(key) or _compile(spec, entry, key)
    return _loaded[key]


def assemble(spec: KernelSpec) -> tuple[str, bytes]:
    """Return the kernel of `spec`, compiled anew, as assembly and as an object file, to be read."""
    library = _translate(spec, _bind(spec)[0])[0]
    return library.get_asm_str(), library.serialize_using_object_code()[2][0]


def _bind(spec: KernelSpec) -> tuple[Any, str]:
    """Return the function that `spec` stands for, and a hash of everything that it reaches."""
    step_rows = STEP_LOOPS[spec.autoreset_mode]
    by_row = getattr(spec.tile.parameters, "_fields", ())
    constants = {
        name: value for name, value in spec.constants._asdict().items() if name not in by_row
    }
    if step_rows is kernels.step_next_step and not may_step_finished_rows(
        spec.definition, constants
    ):
        step_rows = kernels.step_next_step_guarded
    accessors = {**columns.NATIVE, "view": columns.native_view(spec.tile)}
    inline = {**INLINE, "boundscheck": spec.checked}
    if spec.precision == "exact":
        inline["pipeline_class"] = agreement.Compiler
    binder = Binder(spec.precision, _placeholders(spec, accessors, step_rows), numba.njit(**inline))
    entry = binder.copy(kernels.run_task)
    return entry, binder.digests[kernels.run_task]


def _translate(spec: KernelSpec, entry: Any) -> tuple[Any, str, Any]:
    """Return the library with the machine code, its function's name there, and its owner."""
    options = {**OPTIONS, **NO_WRAPPERS, "boundscheck": spec.checked}
    function: Any = numba.njit(_signature(), **options)(entry)
    (result,) = function.overloads.values()
    return result.library, result.fndesc.llvm_func_name, function


def _key(spec: KernelSpec, code: str) -> str:
    def layout(nested: Any) -> Any:
        if isinstance(nested, np.ndarray):
            return nested.dtype.str, nested.shape[1:], nested.flags.writeable
        return getattr(nested, "_fields", ()), [layout(member) for member in nested]

    lengths = [len(table) for table in spec.tile.tables]
    scratch = sorted(spec.definition.scratch)
    digest = _Digest(code, layout(spec.tile), scratch, lengths, INLINE, spec.checked)
    digest.add("functions", [spec.precision, *ufuncs.fingerprint()])
    digest.add("versions", [sys.version, np.__version__, numba.__version__, llvmlite.__version__])
    digest.add("cpu", cpu_target.target_context.codegen().magic_tuple())
    digest.add("batchsim", _own_code())
    return digest.hexdigest()


def _load(key: str) -> NativeKernel | None:
    content = cache.load(key)
    if content is None:
        return None
    name, serialized = marshal.loads(content)
    library = cpu_target.target_context.codegen().unserialize_library(serialized)
    return NativeKernel(library.get_pointer_to_function(name), (library,), 0.0)


def _compile(spec: KernelSpec, entry: Any, key: str) -> NativeKernel:
    if sys.stderr.isatty():
        print(
            f"batchsim: compiling {spec.definition.name} ({spec.precision} precision, "
            f"{spec.autoreset_mode.value} autoreset), a few seconds, kept for next time …",
            file=sys.stderr,
            flush=True,
        )
    start = time.perf_counter()
    library, name, function = _translate(spec, entry)
    # Code that holds the addresses of this process's arrays (large global ones) is of no use in
    # another process, and the arrays must live as long as the code does.
    if not library.has_dynamic_globals:
        cache.store(key, marshal.dumps((name, library.serialize_using_object_code())))
    return NativeKernel(
        library.get_pointer_to_function(name), (library, function), time.perf_counter() - start
    )


def interpret(spec: KernelSpec) -> Callable[[Tile, int, int, int], int]:
    """Return `kernel(tile, task, lo, hi)` of the reference backend: the same functions as plain
    Python.
    """
    step_rows = STEP_LOOPS[spec.autoreset_mode]
    if step_rows is kernels.step_next_step:
        # Python raises where machine code goes on (math.sin of infinity): rows that are over stay
        # put.
        step_rows = kernels.step_next_step_guarded
    accessors = {**columns.REFERENCE, "view": columns.reference_view}
    binder = Binder(spec.precision, _placeholders(spec, accessors, step_rows), lambda copy: copy)
    return binder.copy(kernels.run_task)  # type: ignore[no-any-return]
