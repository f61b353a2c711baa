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
from collections.abc import Callable, Iterator, Mapping
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

CALLEE: dict[str, Any] = {**OPTIONS, **NO_WRAPPERS}

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

PARTS = ("advance_rows", "restart_rows", "reset_rows", "observe_rows", "inform_rows")
"""The parts of a kernel, by the names that they are called by."""
ENTRY = kernels.run_task.__name__
"""What calls them."""
LAST_SEEN = "truncated"
"""The last field of a tile that parts see; `advance_rows` sees the actions too."""


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
        given: what other free names of `batchsim.compiler.kernels` stand for, as it is; it is in
            no digest.
        namespace: the definition's, which `env` stands for.
        listed: whether actions are Python's numbers.
    """

    def __init__(
        self,
        precision: str,
        placeholders: dict[str, Any],
        wrap: Callable[..., Any],
        *,
        given: Mapping[str, Any] | None = None,
        namespace: Any = None,
        listed: bool = False,
    ) -> None:
        self.fast = precision == "fast"
        self.functions = batchsim_math.FAST if self.fast else batchsim_math.EXACT
        if listed:
            self.functions = {**self.functions, actions.are_listed: actions.listed}
        self.placeholders = placeholders
        self.given = {} if given is None else given
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
            names.update(self.placeholders, **self.given)
        digest = Digest(function.__qualname__)
        digest.add("code", code)
        digest.add("defaults", (defaults, keyword_defaults))
        for name, attributes in reads(code).items():
            value = look_up(names, name)
            if of_loops and name in self.given:
                continue
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
            "add_rewards": kernels.keep_rewards,
            "start_episodes": kernels.keep_starts,
            "report_episodes": kernels.keep_episodes,
        }
    return {
        "add_rewards": kernels.skip_all,
        "start_episodes": kernels.skip_listed,
        "report_episodes": kernels.skip_all,
    }


def _stacking(spec: KernelSpec) -> dict[str, Any]:
    frames = flatten(spec.tile.frames)
    if frames:
        return {
            "observe_all": kernels.observe_frames,
            "observe_listed": kernels.observe_frames_listed,
            "observe_again": kernels.observe_frames_again,
            "FRAMES": frames[0].shape[1],
        }
    return {
        "observe_all": kernels.observe_plain,
        "observe_listed": kernels.observe_plain_listed,
        "observe_again": kernels.observe_plain_again,
    }


def _placeholders(spec: KernelSpec) -> dict[str, Any]:
    discrete = isinstance(spec.bounds, kernels.DiscreteBounds)
    return {
        "reset": spec.definition.reset,
        "step": spec.definition.step,
        "observe": spec.definition.observe,
        "inform": spec.definition.inform or kernels.no_info,
        "mark": kernels.mark_row if spec.checked else kernels.skip_row,
        "step_rows": STEP_LOOPS[spec.autoreset_mode],
        "check_actions": kernels.check_discrete if discrete else kernels.check_box,
        "ACTION": spec.bounds,
        **_stacking(spec),
        **_statistics(spec),
    }


def _part_loops(spec: KernelSpec, *, guarded: bool) -> dict[str, Any]:
    """Return the loops that are the parts, by name."""
    return {
        "advance_rows": kernels.advance_rows_guarded if guarded else kernels.advance_rows,
        "restart_rows": kernels.restart_rows,
        "reset_rows": kernels.reset_rows if spec.definition.options else kernels.restart_or_reset,
        "observe_rows": kernels.observe_rows,
        "inform_rows": kernels.inform_rows if spec.definition.info else kernels.skip_rows,
    }


@dataclass(frozen=True)
class NativeKernel:
    """Machine code with the signature of `Kernel` in _threads.hpp."""

    address: int
    keeps: tuple[Any, ...]
    """What the machine code lives in and refers to."""
    compile_seconds: float
    """Zero if the kernel came from the cache."""


KERNEL = types.int64(types.CPointer(types.int64), types.int64, types.int64, types.int64)
PART = types.int64(types.CPointer(types.int64), *[types.int64] * 5)
"""The types that the functions are compiled for, those of numbers and of the driver's table."""


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
"""By key: the library that a part or the whole of a kernel is in."""


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
                    start = time.perf_counter()
                    libraries = [_load(key) for key in plan.keys.values()]
                    if None in libraries:
                        plan = _Plan(spec, for_numba=True)
                        libraries = _compile(spec, plan)
                    else:
                        start = time.perf_counter()
                    _loaded.setdefault(
                        plan.key,
                        NativeKernel(
                            libraries[-1].get_pointer_to_function(plan.names[ENTRY]),
                            (*libraries, plan.functions),
                            time.perf_counter() - start,
                        ),
                    )
        return _loaded[plan.key]


def assemble(spec: KernelSpec) -> tuple[str, list[bytes]]:
    """Return the kernel of `spec`, compiled anew, as assembly and as object files, to be read."""
    with _jit:
        plan = _Plan(spec, for_numba=True)
        with _uncollected():
            libraries = [plan.translate(name) for name in plan.keys]
    return (
        "\n".join(library.get_asm_str() for library in libraries),
        [library.serialize_using_object_code()[2][0] for library in libraries],
    )


class _Plan:
    """What a kernel consists of: the functions that it is compiled from, and where they are kept.

    Args:
        spec: what decides it.
        for_numba: whether the functions are to be compiled; else they are of no use, and nothing
            outlives the plan.
    """

    def __init__(self, spec: KernelSpec, *, for_numba: bool) -> None:
        self.spec = spec
        loops = _part_loops(spec, guarded=_is_guarded(spec))
        frame = _frame_layout(spec.tile)
        info = columns.array_layout(spec.tile.info)
        layouts = {
            "advance_rows": (columns.layout_of(spec.tile, "choice"),),
            "restart_rows": (columns.layout_of(spec.tile, LAST_SEEN),),
            "reset_rows": (columns.layout_of(spec.tile, LAST_SEEN),),
            "observe_rows": (columns.layout_of(spec.tile, LAST_SEEN), frame),
            "inform_rows": (columns.layout_of(spec.tile, LAST_SEEN), info),
        }
        whole = columns.layout_of(spec.tile)
        wrap, placeholders = _as_it_is, _placeholders(spec)
        names = (*columns.NATIVE, "view", "part_view", "observation_at", "info_at", *PLACES, *PARTS)
        given = dict.fromkeys(names)
        if for_numba:
            exact = spec.precision == "exact"
            compiler = agreement.Compiler if exact else agreement.FastCompiler
            options = {**CALLEE, "boundscheck": spec.checked}
            wrap = functools.partial(target.callee, pipeline_class=compiler, **options)
            given.update(columns.NATIVE)
            given["observation_at"] = columns.native_target(frame)
            given["info_at"] = columns.native_target(info)
        binder = _binder(spec, placeholders, wrap, given)
        self.keys: dict[str, str] = {}
        """By name of a part, and of the whole at last."""
        self.names: dict[str, str] = {}
        """What machine code knows them by."""
        self.functions: dict[str, Any] = {}
        for name in PARTS:
            if loops[name] in (kernels.skip_rows, kernels.restart_or_reset):
                placeholders[name] = loops[name]
                del given[name]
                continue
            if for_numba:
                given["part_view"] = columns.native_view(layouts[name][0], spec.constants)
            self._add(name, binder, loops[name], layouts[name])
            given[name] = wrap(_named_part(self.names[name])) if for_numba else None
        if for_numba:
            given["view"] = columns.native_view(whole, spec.constants)
            given.update(_places(spec.tile))
        self._add(ENTRY, binder, kernels.run_task, (whole, *self.names.values()))

    @property
    def key(self) -> str:
        """Of the whole."""
        return self.keys[ENTRY]

    def _add(self, name: str, binder: Binder, loop: Any, made_of: tuple[Any, ...]) -> None:
        self.functions[name] = binder.copy(loop)
        self.keys[name] = _key(self.spec, binder.digests[loop], made_of)
        self.names[name] = f"batchsim_{name}_{self.keys[name][:32]}"

    def translate(self, name: str) -> Any:
        """Return the library with the machine code of a part, or of what calls them."""
        return target.compile_function(
            self.functions[name],
            KERNEL if name == ENTRY else PART,
            self.names[name],
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
        listed=spec.listed,
    )


PLACES = ("OBSERVED", "INFO", "FINAL_INFO")


def _places(tile: Tile) -> dict[str, int]:
    """Return where the driver's table has the arrays that parts write into."""
    fields = ("frames" if flatten(tile.frames) else "observation", "info", "final_info")
    return {name: columns.slot_of(tile, field) for name, field in zip(PLACES, fields, strict=True)}


def _frame_layout(tile: Tile) -> Any:
    """Return the layout of what `observe` writes, one row a frame."""

    def without_frames(nested: Any) -> Any:
        if isinstance(nested, np.ndarray):
            return nested[:, 0]
        return _rebuilt(nested, without_frames)

    frames = flatten(tile.frames)
    return columns.array_layout(without_frames(tile.frames) if frames else tile.observation)


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


def _named_part(name: str) -> Any:
    """Return the function that calls the part of a kernel with this name."""
    function = columns.call_part
    names = {**function.__globals__, "PART": name}
    return python_types.FunctionType(function.__code__, names, function.__name__)


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


def _key(spec: KernelSpec, code: str, made_of: tuple[Any, ...]) -> str:
    def described(part: Any) -> Any:
        if isinstance(part, columns.ArrayLayout):
            return part.dtype.str, part.trailing, part.length, part.writeable
        if isinstance(part, columns.TupleLayout):
            return part.fields, [described(member) for member in part.members]
        return part

    scratch = sorted(spec.definition.scratch)
    digest = Digest(code, [described(part) for part in made_of], spec.constants, scratch)
    digest.add("options", (CALLEE, spec.checked))
    digest.add("precision", spec.precision)
    digest.add("functions", ufuncs.fingerprint())
    digest.add("settings", [getattr(numba.config, setting, None) for setting in SETTINGS])
    digest.add("extensions", extensions())
    digest.add("versions", [sys.version, np.__version__, numba.__version__, llvmlite.__version__])
    digest.add("cpu", target.processor())
    digest.add("batchsim", own_code())
    return digest.hexdigest()


def _load(key: str) -> Any:
    """Return the library that is kept under a key, in this process or on the disk, or None."""
    if key not in _loaded_code:
        content = cache.load(key)
        if content is None:
            return None
        _loaded_code[key] = target.generator().unserialize_library(marshal.loads(content))
    return _loaded_code[key]


def _compile(spec: KernelSpec, plan: _Plan) -> list[Any]:
    """Return the libraries of a kernel, its parts first; what is compiled is kept."""
    if sys.stderr.isatty():
        print(
            f"batchsim: compiling {spec.definition.name} ({spec.precision} precision, "
            f"{spec.autoreset_mode.value} autoreset), a few seconds, kept for next time …",
            file=sys.stderr,
            flush=True,
        )
    libraries = []
    with _uncollected():
        for name, key in plan.keys.items():
            library = _load(key)
            if library is None:
                library = plan.translate(name)
                _loaded_code[key] = library
                # Code that holds the addresses of this process's arrays (large global ones) is of
                # no use in another process, and the arrays must live as long as the code does.
                if not library.has_dynamic_globals:
                    cache.store(key, marshal.dumps(library.serialize_using_object_code()))
            libraries.append(library)
    return libraries


def interpret(spec: KernelSpec) -> Callable[[Tile, int, int, int], int]:
    """Return `kernel(tile, task, lo, hi)` of the reference backend: the same functions as plain
    Python.
    """
    stacks = bool(flatten(spec.tile.frames))
    # Python raises where machine code goes on (math.sin of infinity): rows that are over stay put.
    placeholders = {**_placeholders(spec), **_part_loops(spec, guarded=True)}
    given = columns.reference_accessors(spec.constants, stacks=stacks)
    binder = _binder(spec, placeholders, _as_it_is, given)
    return binder.copy(kernels.run_task)  # type: ignore[no-any-return]
