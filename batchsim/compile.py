"""Binds an environment's functions into the tile loops and compiles the result; all Numba options
are here.

Two backends give the same bits: `native`, machine code that the driver calls by its address, and
    `reference`, the
same functions as plain Python, for debuggers and profilers.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import inspect
import marshal
import sys
import textwrap
import time
import types as python_types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import llvmlite
import numba
import numpy as np
from gymnasium.vector import AutoresetMode
from numba import types
from numba.core.registry import cpu_target
from numba.extending import intrinsic, overload
from numba.np.arrayobj import populate_array

from batchsim import cache, kernels
from batchsim import math as batchsim_math
from batchsim.definition import Definition
from batchsim.kernels import Settings, Tile

__all__ = ["Binder", "KernelSpec", "NativeKernel", "compile_native", "flatten", "interpret"]

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
# Callees are inlined whatever their size: a loop with a call in it cannot be vectorised.
INLINE: dict[str, Any] = {**OPTIONS, "forceinline": True}

LIBRARIES = ("batchsim.random", "batchsim.math")
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
    """`definition.Parameters` of the values compiled in."""
    bounds: kernels.DiscreteBounds | kernels.BoxBounds
    record_episode_statistics: bool
    tile: Tile
    """The arrays; only their dtypes and trailing shapes matter."""


def flatten(nested: Any) -> list[np.ndarray[Any, Any]]:
    """Return the arrays of a `Tile` in the order of the driver's table."""
    if isinstance(nested, np.ndarray):
        return [nested]
    return [array for member in nested for array in flatten(member)]


def row_parameters(constants, columns, i):  # type: ignore[no-untyped-def]
    """Return `constants` with the fields of `columns` replaced by their values in row i."""
    if not columns:
        return constants
    return constants._replace(
        **{name: column[i] for name, column in zip(columns._fields, columns, strict=True)}
    )


@intrinsic
def _replace_fields(typing_context: Any, constants: Any, columns: Any, i: Any) -> Any:
    members = [
        columns.types[columns.fields.index(name)].dtype if name in columns.fields else kind
        for name, kind in zip(constants.fields, constants.types, strict=True)
    ]
    result = types.NamedTuple(members, constants.instance_class)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        constant_values, column_values, row = arguments
        values = []
        for k, name in enumerate(constants.fields):
            if name in columns.fields:
                place = columns.fields.index(name)
                kind = columns.types[place]
                array = context.make_array(kind)(
                    context, builder, value=builder.extract_value(column_values, place)
                )
                pointer = builder.gep(array.data, [row])
                values.append(context.unpack_value(builder, kind.dtype, pointer))
            else:
                values.append(builder.extract_value(constant_values, k))
        return context.make_tuple(builder, result, values)

    return result(constants, columns, types.intp), codegen


@overload(row_parameters, jit_options=INLINE)  # type: ignore[arg-type]
def _overload_row_parameters(constants, columns, i):  # type: ignore[no-untyped-def]
    if isinstance(columns, types.NamedTuple):
        return lambda constants, columns, i: _replace_fields(constants, columns, i)  # type: ignore[call-arg]
    return lambda constants, columns, i: constants


def _native_view(tile: Tile) -> Any:
    """Return the intrinsic `view(table, lo, hi)` for arrays like those of `tile`."""
    shapes = [array.shape[1:] for array in flatten(tile)]
    result = numba.typeof(tile)

    @intrinsic
    def view(typing_context: Any, table: Any, lo: Any, hi: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointers, first, end = arguments
            intp = context.get_value_type(types.intp)
            length = builder.sub(end, first)
            slots = iter(range(len(shapes)))

            def array(kind: Any, shared: bool) -> Any:
                slot = next(slots)
                trailing = shapes[slot]
                item = context.get_abi_sizeof(context.get_data_type(kind.dtype))
                row = item * int(np.prod(trailing, dtype=int))
                address = builder.load(builder.gep(pointers, [intp(slot)]))
                rows = intp(1) if shared else length
                if not shared:
                    address = builder.add(address, builder.mul(first, intp(row)))
                value = context.make_array(kind)(context, builder)
                # Constant trailing shapes and strides are what lets LLVM see how rows lie in
                # memory.
                strides = [row]
                for extent in trailing:
                    strides.append(strides[-1] // extent if extent else 0)
                populate_array(
                    value,
                    data=builder.inttoptr(address, value.data.type),
                    shape=[rows, *(intp(extent) for extent in trailing)],
                    strides=[intp(stride) for stride in strides],
                    itemsize=intp(item),
                    meminfo=None,
                )
                return value._getvalue()

            def build(kind: Any, shared: bool) -> Any:
                if isinstance(kind, types.Array):
                    return array(kind, shared)
                shared = shared or getattr(kind, "instance_class", None) is Settings
                return context.make_tuple(
                    builder, kind, [build(member, shared) for member in kind.types]
                )

            return build(result, shared=False)

        return result(table, types.intp, types.intp), codegen

    return view


def _reference_view(table: Tile, lo: int, hi: int) -> Tile:
    def cut(nested: Any) -> Any:
        if isinstance(nested, np.ndarray):
            return nested[lo:hi]
        if isinstance(nested, Settings) or not nested:
            return nested
        return type(nested)(*(cut(member) for member in nested))

    return cut(table)  # type: ignore[no-any-return]


def _to_float32(value: Any) -> Any:
    """Return `value` with Python floats and float64 arrays, nested in tuples too, as float32."""
    if type(value) is float:
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
        self.placeholders = placeholders
        self.wrap = wrap
        self.bound: dict[Any, Any] = {}
        self.digest = hashlib.sha256()

    def note(self, *items: Any) -> None:
        """Add to the hash of what the kernel depends on."""
        for item in items:
            self.digest.update(repr(item).encode() + b"\0")

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
        code = function.__code__
        names = dict(function.__globals__)
        if of_loops:
            names.update(self.placeholders)
        self.note(function.__qualname__, _code_content(code), function.__defaults__)
        for name in sorted(_global_names(code)):
            if name in names:
                names[name] = self.bind_value(name, names[name], demote=self.fast and not of_loops)
        if self.fast and not of_loops:
            code = code.replace(co_consts=_to_float32(code.co_consts))
        copy = python_types.FunctionType(code, names, function.__name__, function.__defaults__)
        copy.__qualname__ = function.__qualname__
        copy.__module__ = function.__module__
        return copy

    def bind_value(self, name: str, value: Any, demote: bool) -> Any:
        """Return what the free name `name` stands for in a bound copy, given what it stood for."""
        if isinstance(value, numba.core.dispatcher.Dispatcher):
            value = value.py_func
        if demote:
            # What cannot be hashed is not a function of batchsim.math.
            with contextlib.suppress(TypeError):
                value = batchsim_math.FAST.get(value, value)
            value = _to_float32(value)
        if isinstance(value, python_types.FunctionType):
            if value.__module__ in LIBRARIES or value is row_parameters:
                self.note(name, value.__qualname__)
                return value
            return self.bind(value)
        if isinstance(value, python_types.ModuleType):
            self.note(name, value.__name__, _module_content(value))
        elif isinstance(value, np.ndarray):
            self.note(name, value.dtype.str, value.shape, value.tobytes())
        elif name != "view":
            self.note(name, value)
        return value


def _global_names(code: python_types.CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, python_types.CodeType):
            names |= _global_names(constant)
    return names


def _code_content(code: python_types.CodeType) -> tuple[Any, ...]:
    def content(constant: Any) -> Any:
        if isinstance(constant, python_types.CodeType):
            return _code_content(constant)
        # The order of a set differs from process to process.
        return sorted(map(repr, constant)) if isinstance(constant, frozenset) else repr(constant)

    constants = [content(constant) for constant in code.co_consts]
    return code.co_code, constants, code.co_names, code.co_varnames, code.co_argcount


def _module_content(module: python_types.ModuleType) -> str:
    """Return a hash of what a module holds: the code that runs, whatever its file says by now."""
    version = getattr(module, "__version__", None)
    if version is not None or module.__name__.partition(".")[0] in sys.stdlib_module_names:
        return str(version)
    content = hashlib.sha256()
    for name, value in sorted(vars(module).items()):
        if isinstance(value, numba.core.dispatcher.Dispatcher):
            value = value.py_func
        value = getattr(value, "_defn", value)  # what an intrinsic was made of
        if isinstance(value, python_types.FunctionType):
            content.update(repr((name, _code_content(value.__code__))).encode())
        elif isinstance(value, np.ndarray):
            content.update(repr((name, value.dtype.str, value.shape)).encode() + value.tobytes())
        elif isinstance(value, (bool, int, float, str, tuple, np.generic)):
            content.update(repr((name, value)).encode())
    return content.hexdigest()


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


def _placeholders(spec: KernelSpec, view: Any, step_rows: Any) -> dict[str, Any]:
    discrete = isinstance(spec.bounds, kernels.DiscreteBounds)
    return {
        "reset": spec.definition.reset,
        "step": spec.definition.step,
        "observe": spec.definition.observe,
        "view": view,
        "row_parameters": row_parameters,
        "step_rows": step_rows,
        "check_actions": kernels.check_discrete if discrete else kernels.check_box,
        "PARAMETERS": spec.constants,
        "ACTION": spec.bounds,
        **_statistics(spec),
    }


def _may_step_finished_rows(definition: Definition) -> bool:
    """Tell whether stepping a row whose episode is over, before it is reset, can do no harm.

    It cannot if `step` draws no random numbers, can index nothing but its own row of scalar
    columns, and `reset` then writes every column, whatever it draws. Anything not understood counts
    as harm.
    """
    arguments = list(inspect.signature(definition.step).parameters)
    if len(arguments) != 5 or any(column.shape for column in definition.columns.values()):
        return False
    return _reads_scalars_only(definition.step, arguments[4]) and _writes_all_columns(definition)


def _reads_scalars_only(function: Any, rng: str | None) -> bool:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError):
        return False
    for node in ast.walk(tree):
        if rng is not None and isinstance(node, ast.Name) and node.id == rng:
            return False
        if isinstance(node, (ast.While, ast.For)):
            return False  # A loop may not end where the state is beyond the rules.
    for name in _global_names(function.__code__):
        value = function.__globals__.get(name)
        if isinstance(value, python_types.FunctionType):
            if value.__module__ not in LIBRARIES and not _reads_scalars_only(value, None):
                return False
        elif isinstance(value, (np.ndarray, tuple, list)):
            return False
    return True


def _writes_all_columns(definition: Definition) -> bool:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(definition.reset)))
    except (OSError, SyntaxError):
        return False
    body = tree.body[0]
    if not isinstance(body, ast.FunctionDef) or len(body.args.args) != 4:
        return False
    state, row = body.args.args[0].arg, body.args.args[1].arg
    written = set()
    for statement in body.body:
        if any(isinstance(node, ast.Return) for node in ast.walk(statement)):
            break
        if not isinstance(statement, ast.Assign):
            continue
        for target in statement.targets:
            for node in target.elts if isinstance(target, ast.Tuple) else [target]:
                if (
                    isinstance(node, ast.Subscript)
                    and isinstance(node.value, ast.Attribute)
                    and isinstance(node.value.value, ast.Name)
                    and node.value.value.id == state
                    and isinstance(node.slice, ast.Name)
                    and node.slice.id == row
                ):
                    written.add(node.value.attr)
    return written >= set(definition.columns)


@dataclass(frozen=True)
class NativeKernel:
    """Machine code: `int64 kernel(int64* table, int64 task, int64 lo, int64 hi)`."""

    address: int
    library: Any
    """Keeps the machine code alive."""
    compile_seconds: float
    """Zero if the kernel came from the cache."""


def _signature() -> Any:
    return types.int64(types.CPointer(types.int64), types.int64, types.int64, types.int64)


_loaded: dict[str, NativeKernel] = {}


def compile_native(spec: KernelSpec) -> NativeKernel:
    """Return the kernel of `spec` as machine code, from this process, the disk cache or the
    compiler.
    """
    step_rows = STEP_LOOPS[spec.autoreset_mode]
    if step_rows is kernels.step_next_step and not _may_step_finished_rows(spec.definition):
        step_rows = kernels.step_next_step_guarded
    view = _native_view(spec.tile)
    binder = Binder(spec.precision, _placeholders(spec, view, step_rows), numba.njit(**INLINE))
    entry = binder.copy(kernels.run_task)
    key = _key(spec, binder)
    if key not in _loaded:
        _loaded[key] = _load(key) or _compile(spec, entry, key)
    return _loaded[key]


def _key(spec: KernelSpec, binder: Binder) -> str:
    shapes = [array.shape[1:] for array in flatten(spec.tile)]
    binder.note(numba.typeof(spec.tile), shapes, sorted(INLINE.items()))
    binder.note(sys.version, np.__version__, numba.__version__, llvmlite.__version__)
    binder.note(cpu_target.target_context.codegen().magic_tuple())
    for module in (__name__, *LIBRARIES):
        binder.note(_module_content(sys.modules[module]))
    return binder.digest.hexdigest()


def _load(key: str) -> NativeKernel | None:
    content = cache.load(key)
    if content is None:
        return None
    name, serialized = marshal.loads(content)
    library = cpu_target.target_context.codegen().unserialize_library(serialized)
    return NativeKernel(library.get_pointer_to_function(name), library, 0.0)


def _compile(spec: KernelSpec, entry: Any, key: str) -> NativeKernel:
    if sys.stderr.isatty():
        print(
            f"batchsim: compiling {spec.definition.name} ({spec.precision} precision, "
            f"{spec.autoreset_mode.value} autoreset), a few seconds, kept for next time …",
            file=sys.stderr,
            flush=True,
        )
    start = time.perf_counter()
    function = numba.cfunc(_signature(), **OPTIONS)(entry)
    library: Any = function._library  # type: ignore[attr-defined]
    cache.store(key, marshal.dumps((function.native_name, library.serialize_using_object_code())))
    return NativeKernel(
        library.get_pointer_to_function(function.native_name), library, time.perf_counter() - start
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
    binder = Binder(
        spec.precision, _placeholders(spec, _reference_view, step_rows), lambda copy: copy
    )
    return binder.copy(kernels.run_task)  # type: ignore[no-any-return]
