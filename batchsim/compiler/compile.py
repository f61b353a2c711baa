"""Binds an environment's functions into the tile loops and compiles the result; all Numba options
are here.

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
import types as python_types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import llvmlite
import numba
import numpy as np
from gymnasium.vector import AutoresetMode
from numba import types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.errors import NumbaError, UnsupportedBytecodeError

from batchsim import actions, parts, raster  # noqa: F401 - they tell Numba of their functions
from batchsim import math as batchsim_math
from batchsim.compiler import agreement, cache, columns, kernels, target, ufuncs
from batchsim.compiler import forks as forks  # sees to every fork from now on
from batchsim.compiler.digest import (
    LIBRARIES,
    MISSING,
    WHOLE,
    Digest,
    Reads,
    extensions,
    is_known,
    look_up,
    own_code,
    reads,
)
from batchsim.compiler.interrupts import PollingCompiler
from batchsim.compiler.kernels import Tile
from batchsim.compiler.safety import may_step_finished_rows
from batchsim.definition import Definition, suggest
from batchsim.family import env, is_namespace

__all__ = [
    "LIBRARIES",
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

SETTINGS = ("BOUNDSCHECK", "LOOP_VECTORIZE", "OPT", "SLP_VECTORIZE")
"""What Numba's environment variables say of machine code, beside the CPU."""

REFUSALS = (
    *(NumbaError, UnsupportedBytecodeError),  # The second is not one of the first.
    *(AssertionError, AttributeError, ImportError, LookupError, NameError, NotImplementedError),
    *(RecursionError, SyntaxError, TypeError, ValueError),
)
"""What the compiler raises about functions that it cannot compile."""

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
    listed: bool = False
    """Whether actions are Python's numbers; see `batchsim.actions`."""


def flatten(nested: Any) -> list[np.ndarray[Any, Any]]:
    """Return the arrays of a `Tile` in the order of the driver's table."""
    if isinstance(nested, np.ndarray):
        return [nested]
    return [array for member in nested for array in flatten(member)]


def _to_float32(value: Any) -> Any:
    """Return `value` with floats and float64 arrays, nested in tuples too, as float32."""
    if value is float:
        return np.float32
    if isinstance(value, float):
        return np.float32(value)
    if isinstance(value, tuple):
        return _rebuilt(value, _to_float32)
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        return value.astype(np.float32)
    return value


def _rebuilt(value: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    """Return a tuple or namedtuple with its members changed."""
    members = [change(member) for member in value]
    return tuple.__new__(type(value) if hasattr(value, "_fields") else tuple, members)


class Binder:
    """Copies functions with their free names bound, following the functions that they call.

    Copies keep their code object, and with it file and line numbers, so that a debugger and a
    profiler show the author's source.

    Args:
        precision: "fast" binds the float32 functions and constants.
        placeholders: what the free names of `batchsim.compiler.kernels` stand for.
        wrap: applied to every copy that another one calls.
        namespace: the definition's, which `env` stands for.
        listed: whether actions are Python's numbers.
    """

    def __init__(
        self,
        precision: str,
        placeholders: dict[str, Any],
        wrap: Callable[..., Any],
        *,
        namespace: Any = None,
        listed: bool = False,
    ) -> None:
        self.fast = precision == "fast"
        self.functions = batchsim_math.FAST if self.fast else batchsim_math.EXACT
        if listed:
            self.functions = {**self.functions, actions.are_listed: actions.listed}
        self.placeholders = placeholders
        self.wrap = wrap
        self.namespace = namespace
        self.bound: dict[Any, Any] = {}
        self.arrays: dict[int, tuple[Any, Any]] = {}
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
        defaults, keyword_defaults = function.__defaults__, function.__kwdefaults__
        names = dict(function.__globals__)
        if of_loops:
            names.update(self.placeholders)
        digest = Digest(function.__qualname__)
        digest.add("code", code)
        digest.add("defaults", (defaults, keyword_defaults))
        for name, attributes in reads(code).items():
            value = look_up(names, name)
            if of_loops and (name == "view" or name in columns.NATIVE):
                continue  # The tile that it is made from and the module are in the key.
            if not name.isidentifier():
                continue  # pytest's: it rewrites the assertions of test modules.
            bound = self._bind_name(name, value, attributes, demote, digest)
            if bound is not value:
                names[name] = bound
        if demote:
            code = code.replace(co_consts=_to_float32(code.co_consts))
            defaults = _to_float32(defaults)
            if keyword_defaults is not None:
                keyword_defaults = {k: _to_float32(v) for k, v in keyword_defaults.items()}
        copy = python_types.FunctionType(code, names, function.__name__, defaults)
        copy.__kwdefaults__ = keyword_defaults
        copy.__qualname__ = function.__qualname__
        copy.__module__ = function.__module__
        self.digests[function] = digest.hexdigest()
        return copy

    def _bind_name(
        self, name: str, value: Any, attributes: Reads, demote: bool, digest: Digest
    ) -> Any:
        """Return what a free name, or an attribute of a module, stands for in a copy.

        Args:
            name: as it is written.
            value: what it stood for, `MISSING` if nothing.
            attributes: which of its attributes are read.
            demote: whether floating-point constants become float32.
            digest: takes note of it.
        """
        if value is MISSING:
            digest.add(name, "missing")
            return value
        if isinstance(value, python_types.ModuleType):
            return self._bind_module(name, value, attributes, demote, digest)
        if value is env:
            return self._bind_class(name, self.namespace, attributes, demote, digest)
        if is_namespace(value) and WHOLE not in attributes:
            return self._bind_class(name, value, attributes, demote, digest)
        if isinstance(value, numba.core.dispatcher.Dispatcher):
            value = value.py_func
        # What cannot be hashed is not a function of batchsim.math.
        with contextlib.suppress(TypeError):
            value = self.functions.get(value, value)
        if demote:
            value = _to_float32(value)
        value = self._frozen(value)
        if isinstance(value, python_types.FunctionType) and value.__module__ not in LIBRARIES:
            bound = self.bind(value)
            digest.add(name, self.digests[value])
            return bound
        digest.add(name, value)
        return value

    def _bind_module(
        self,
        name: str,
        module: python_types.ModuleType,
        attributes: Reads,
        demote: bool,
        digest: Digest,
    ) -> Any:
        """Return a module that holds what `module` holds now, what is read of it bound."""
        known = is_known(module) and module is not batchsim_math
        bound: dict[str, Any] = {}
        if WHOLE in attributes:
            digest.add(name, module)
            if not known:
                bound |= {
                    attribute: self._frozen(_to_float32(value) if demote else value)
                    for attribute, value in vars(module).items()
                    if isinstance(value, (float, tuple, np.ndarray))
                }
        for attribute in filter(None, attributes):  # all but WHOLE
            path = f"{name}.{attribute}"
            value = getattr(module, attribute, MISSING)
            if not known or value is MISSING or isinstance(value, python_types.ModuleType):
                member = self._bind_name(path, value, attributes[attribute], demote, digest)
            else:
                member = _to_float32(value) if demote and value is not float else value
                # What the compiler makes of it follows from its name.
                with contextlib.suppress(TypeError):
                    digest.add(path, member)
            if member is not value:
                bound[attribute] = member
        if known and not bound:
            return module
        copy = python_types.ModuleType(module.__name__, module.__doc__)
        vars(copy).update(vars(module) | bound)
        return copy

    def _bind_class(
        self, name: str, namespace: Any, attributes: Reads, demote: bool, digest: Digest
    ) -> Any:
        """Return a module in place of a class or of `env`, with what is read of it bound."""
        found = python_types.ModuleType(name)
        for attribute, inner in attributes.items():
            path = f"{name}.{attribute}"
            if attribute == WHOLE:
                raise TypeError(f"{name} is used as a value; expected {name}.something.")
            value = getattr(namespace, attribute, MISSING)
            if value is MISSING:
                owner = getattr(namespace, "__name__", "no definition")
                near = suggest(attribute, dir(namespace))
                raise TypeError(f"{path} is used, and {owner} has no {attribute!r}{near}.")
            if isinstance(value, python_types.MethodType):
                raise TypeError(f"{path} is a classmethod; expected a plain function, with `env`.")
            setattr(found, attribute, self._bind_name(path, value, inner, demote, digest))
        return found

    def _frozen(self, value: Any) -> Any:
        """Return arrays, nested in tuples too, as read-only copies that nobody else can change.

        Machine code may refer to their memory.
        """
        if isinstance(value, tuple):
            return _rebuilt(value, self._frozen) if _holds_array(value) else value
        if not isinstance(value, np.ndarray):
            return value
        if id(value) not in self.arrays:
            copy = value.copy(order="K")
            copy.flags.writeable = False
            self.arrays[id(value)] = value, copy
        return self.arrays[id(value)][1]


def _holds_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) or (
        isinstance(value, tuple) and any(map(_holds_array, value))
    )


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


def compile_native(spec: KernelSpec) -> NativeKernel:
    """Return the kernel of `spec` from this process, the disk cache or the compiler."""
    with _jit:
        # Bound for Numba only where it must compile: what Numba makes of a function, it keeps.
        key = _key(spec, _bind(spec, for_numba=False)[1])
        if key not in _loaded:
            # LLVM finds functions by name: of two kernels that threads load under one key, both
            # would run the code of the first, which goes when the second takes its place.
            with global_compiler_lock:
                if key not in _loaded:
                    kernel = _load(key)
                    if kernel is None:
                        key, kernel = _compile(spec)
                    _loaded.setdefault(key, kernel)
        return _loaded[key]


def assemble(spec: KernelSpec) -> tuple[str, bytes]:
    """Return the kernel of `spec`, compiled anew, as assembly and as an object file, to be read."""
    with _jit:
        library = _translate(spec, _bind(spec, for_numba=True)[0])[0]
    return library.get_asm_str(), library.serialize_using_object_code()[2][0]


def _bind(spec: KernelSpec, *, for_numba: bool) -> tuple[Any, str]:
    """Return the function that `spec` stands for, and a hash of everything that it reaches.

    Unless it is `for_numba`, the function is of no use, and nothing outlives this call.
    """
    step_rows = STEP_LOOPS[spec.autoreset_mode]
    varying = {
        *getattr(spec.tile.parameters, "_fields", ()),
        *getattr(spec.tile.common, "_fields", ()),
        *getattr(spec.tile.tables, "_fields", ()),
    }
    constants = {
        name: value for name, value in spec.constants._asdict().items() if name not in varying
    }
    if step_rows is kernels.step_next_step and not may_step_finished_rows(
        spec.definition, constants
    ):
        step_rows = kernels.step_next_step_guarded
    wrap, view = _as_it_is, None
    if for_numba:
        compiler = agreement.Compiler if spec.precision == "exact" else PollingCompiler
        options = {**INLINE, "boundscheck": spec.checked}
        wrap = functools.partial(target.callee, pipeline_class=compiler, **options)
        view = columns.native_view(columns.layout_of(spec.tile))
    accessors = {**columns.NATIVE, "view": view}
    placeholders = _placeholders(spec, accessors, step_rows)
    namespace = spec.definition.namespace
    binder = Binder(spec.precision, placeholders, wrap, namespace=namespace, listed=spec.listed)
    entry = binder.copy(kernels.run_task)
    return entry, binder.digests[kernels.run_task]


def _as_it_is(copy: Any) -> Any:
    return copy


def _translate(spec: KernelSpec, entry: Any) -> tuple[Any, str]:
    """Return the library with the machine code, and its function's name there."""
    options = {**OPTIONS, **NO_WRAPPERS, "boundscheck": spec.checked}
    with _uncollected():
        return target.compile_function(entry, _signature(), **options)


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


def _key(spec: KernelSpec, code: str) -> str:
    def layout(nested: Any) -> Any:
        if isinstance(nested, np.ndarray):
            return nested.dtype.str, nested.shape[1:], nested.flags.writeable
        return getattr(nested, "_fields", ()), [layout(member) for member in nested]

    scratch = sorted(spec.definition.scratch)
    digest = Digest(code, layout(spec.tile), scratch, INLINE, spec.checked)
    digest.add("precision", spec.precision)
    digest.add("functions", ufuncs.fingerprint())
    digest.add("settings", [getattr(numba.config, setting, None) for setting in SETTINGS])
    digest.add("extensions", extensions())
    digest.add("versions", [sys.version, np.__version__, numba.__version__, llvmlite.__version__])
    digest.add("cpu", target.processor())
    digest.add("batchsim", own_code())
    return digest.hexdigest()


def _load(key: str) -> NativeKernel | None:
    content = cache.load(key)
    if content is None:
        return None
    name, serialized = marshal.loads(content)
    library = target.generator().unserialize_library(serialized)
    return NativeKernel(library.get_pointer_to_function(name), (library,), 0.0)


def _compile(spec: KernelSpec) -> tuple[str, NativeKernel]:
    """Compile the kernel and keep it; return its key too, of what it was compiled from."""
    entry, code = _bind(spec, for_numba=True)
    key = _key(spec, code)
    if sys.stderr.isatty():
        print(
            f"batchsim: compiling {spec.definition.name} ({spec.precision} precision, "
            f"{spec.autoreset_mode.value} autoreset), a few seconds, kept for next time …",
            file=sys.stderr,
            flush=True,
        )
    start = time.perf_counter()
    library, name = _translate(spec, entry)
    # Code that holds the addresses of this process's arrays (large global ones) is of no use in
    # another process, and the arrays must live as long as the code does.
    if not library.has_dynamic_globals:
        cache.store(key, marshal.dumps((name, library.serialize_using_object_code())))
    return key, NativeKernel(
        library.get_pointer_to_function(name), (library, entry), time.perf_counter() - start
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
    placeholders = _placeholders(spec, accessors, step_rows)
    namespace = spec.definition.namespace
    binder = Binder(
        spec.precision, placeholders, _as_it_is, namespace=namespace, listed=spec.listed
    )
    return binder.copy(kernels.run_task)  # type: ignore[no-any-return]
