"""A hash of what a kernel is made of, by content: what its functions are and what they read.

A kernel is found again under such a hash, so whatever can change machine code must change it.
Numbers, arrays and code count by their bits, never by a text that may leave something out; of a
module counts what is read of it, as the bytecode tells. Only what a version in the kernel's key
stands for counts by its name: Python's own modules, NumPy, Numba, and what kernels use of batchsim.
"""

from __future__ import annotations

import builtins
import contextlib
import dis
import enum
import functools
import hashlib
import importlib.metadata
import reprlib
import struct
import sys
import sysconfig
import types
from pathlib import Path
from typing import Any

import numba
import numpy as np

__all__ = [
    "LIBRARIES",
    "MISSING",
    "OWN_CODE",
    "WHOLE",
    "Digest",
    "Reads",
    "extensions",
    "hash_of_files",
    "is_known",
    "look_up",
    "reads",
]

Reads = dict[str, Any]
"""What code reads of names: of each name, or of its attribute, the attributes that are read."""
WHOLE = ""
"""In place of an attribute: the value itself is used, as a number is, or a module passed on."""
MISSING = object()
"""What a name stands for that is not there."""

LIBRARIES = (
    "batchsim.compiler.columns",
    "batchsim.random",
    "batchsim.random_state",
    "batchsim.python_random",
    "batchsim.streams.counts",
    "batchsim.streams.gamma",
    "batchsim.streams.mt19937",
    "batchsim.streams.orders",
    "batchsim.streams.pcg64",
    "batchsim.streams.sizes",
    "batchsim.streams.source",
    "batchsim.streams.vectors",
    "batchsim.streams.words",
    "batchsim.streams.ziggurat",
    "batchsim.math",
    "batchsim.compiler.libm",
    "batchsim.parts",
    "batchsim.raster",
)
"""Modules whose functions Numba can call as they stand; they choose their own arithmetic."""
OUTSIDE = (
    "actions.py", "math.py", "parts.py", "python_random.py", "random.py", "random_state.py",
    "raster.py",
)  # fmt: skip
"""Files that kernels are made of, beside those of `compiler` and `streams`."""
COMPILER = "batchsim.compiler."
VERSIONED = ("llvmlite", "numba", "numpy")
"""The packages whose versions are in the key of every kernel."""
INSTALLED = frozenset(("site-packages", "dist-packages"))


class Digest:
    """A hash of values. Different values have different hashes: each part says how long it is.

    Args:
        values: what to begin with.
    """

    def __init__(self, *values: Any) -> None:
        self.hash = hashlib.sha256()
        self.seen: dict[int, tuple[int, Any]] = {}
        for value in values:
            self.add("", value)

    def hexdigest(self) -> str:
        """Return the hash of what was added, as text."""
        return self.hash.hexdigest()

    def _put(self, *parts: str | bytes) -> None:
        for part in parts:
            data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
            self.hash.update(len(data).to_bytes(8, "little"))
            self.hash.update(data)

    def add(self, name: str, value: Any) -> None:
        """Add a value under a name; TypeError if it is of a kind that kernels cannot use."""
        self._put(name, _name_of(type(value)))
        if isinstance(value, enum.Enum):
            self._put(value.name)
            self.add("value", value.value)
        elif isinstance(value, (np.ndarray, np.generic)) and not value.dtype.hasobject:
            order = "F" if value.flags.fnc else "C"
            self._put(repr(value.dtype), repr(value.shape), order, value.tobytes())
        elif isinstance(value, (bool, int)):
            self._put(int.__format__(value, "x"))
        elif isinstance(value, (float, complex)):
            self._put(struct.pack("<dd", value.real, value.imag))
        elif isinstance(value, (str, bytes)):
            self._put(value)
        elif isinstance(value, (type(None), type(...))):
            pass
        elif isinstance(value, (tuple, list)):
            self._put(repr(getattr(value, "_fields", "")), str(len(value)))
            for member in value:
                self.add("", member)
        elif isinstance(value, (set, frozenset)):
            # Their order differs from process to process.
            self._put(str(len(value)), *sorted(Digest(member).hexdigest() for member in value))
        elif isinstance(value, dict):
            self._put(str(len(value)))
            for key, member in sorted((Digest(key).hexdigest(), value[key]) for key in value):
                self.add(key, member)
        elif isinstance(value, types.CodeType):
            self._put(_digest_of_code(value))
        elif isinstance(value, types.ModuleType):
            self._put(value.__name__)
            if not is_known(value) and self._is_first(value):
                self.add_contents(value)
        elif _is_known_by_name(value):
            self._put(_name_of(value))
        elif (function := _function_of(value)) is not None:
            self._add_function(function)
        elif isinstance(value, type):
            self._put(_name_of(value), repr(getattr(value, "_fields", "")))
            if isinstance(value, enum.EnumMeta):
                self.add("members", list(value.__members__.items()))
            self.add("defaults", getattr(value, "_field_defaults", None))
        elif isinstance(value, (types.BuiltinFunctionType, np.ufunc)):
            self._put(_name_of(value))
        else:
            raise TypeError(
                f"The name {name!r} stands for {reprlib.repr(value)}; a kernel can use numbers, "
                "arrays, tuples, functions and modules."
            )

    def add_contents(self, module: types.ModuleType) -> None:
        """Add all that a module holds: the code that runs, whatever its file says by now."""
        for name, value in sorted(vars(module).items()):
            if name.startswith("__") or isinstance(value, dict):
                continue
            function = _function_of(value)
            if function is not None and function.__module__ == module.__name__:
                self._put(name)
                self._add_function(function)
            elif isinstance(value, types.ModuleType) and not _is_part(value, module):
                top = sys.modules.get(value.__name__.partition(".")[0])
                self._put(name, value.__name__, str(getattr(top, "__version__", "")))
            else:
                # What a kernel cannot use is no part of it.
                with contextlib.suppress(TypeError):
                    self.add(name, value)

    def _is_first(self, value: Any) -> bool:
        """Tell whether a function or a module is met for the first time; note which it is."""
        first = id(value) not in self.seen
        place, _ = self.seen.setdefault(id(value), (len(self.seen), value))
        self._put(str(place))
        return first

    def _add_function(self, function: types.FunctionType) -> None:
        """Add a function that is compiled as it stands."""
        if not self._is_first(function):
            return
        code = function.__code__
        self.add("code", code)
        self.add("defaults", (function.__defaults__, function.__kwdefaults__))
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            with contextlib.suppress(TypeError, ValueError):
                self.add(name, cell.cell_contents)
        for name, attributes in reads(code).items():
            self._add_read(name, look_up(function.__globals__, name), attributes)

    def _add_read(self, name: str, value: Any, attributes: Reads) -> None:
        if isinstance(value, types.ModuleType) and WHOLE not in attributes:
            for attribute, inner in attributes.items():
                self._add_read(f"{name}.{attribute}", getattr(value, attribute, MISSING), inner)
        else:
            # An implementation for the compiler may use other things than kernels do.
            with contextlib.suppress(TypeError):
                self.add(name, value)


def _name_of(value: Any) -> str:
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", "")
    return f"{getattr(value, '__module__', '')}.{name}"


def _function_of(value: Any) -> types.FunctionType | None:
    """Return the Python function that a value is, or that was compiled to it."""
    if isinstance(value, numba.core.dispatcher.Dispatcher):
        value = value.py_func
    value = getattr(value, "_defn", value)  # what an intrinsic was made of
    return value if isinstance(value, types.FunctionType) else None


def _is_known_by_name(value: Any) -> bool:
    """Tell whether a function or class is what its name says in a module that is known."""
    owner = sys.modules.get(getattr(value, "__module__", None) or "")
    name = getattr(value, "__name__", "")
    if owner is None or not name or not is_known(owner):
        return False
    return callable(value) and getattr(owner, name, None) is value


def _is_part(module: types.ModuleType, package: types.ModuleType) -> bool:
    """Tell whether a module is one of a user's, or of the same package as another one."""
    tops = {found.__name__.partition(".")[0] for found in (module, package)}
    file = getattr(module, "__file__", None)
    return not is_known(module) and (
        len(tops) == 1 or file is None or not INSTALLED & set(Path(file).parts)
    )


def is_known(module: types.ModuleType) -> bool:
    """Tell whether what a module holds follows from what is in the key of every kernel."""
    name = module.__name__
    top = name.partition(".")[0]
    if name in LIBRARIES or name.startswith(COMPILER) or top in VERSIONED:
        return sys.modules.get(name) is module
    return top in sys.stdlib_module_names and _is_of_python(name, getattr(module, "__file__", None))


@functools.lru_cache(maxsize=1024)
def _is_of_python(name: str, file: str | None) -> bool:
    if file is None:
        return name in sys.builtin_module_names
    parts = Path(file).parts
    library = Path(sysconfig.get_path("stdlib")).parts
    return parts[: len(library)] == library and not INSTALLED & set(parts)


def look_up(names: dict[str, Any], name: str) -> Any:
    """Return what a name stands for in a module, `MISSING` if nothing."""
    return names[name] if name in names else getattr(builtins, name, MISSING)


@functools.lru_cache(maxsize=1024)
def reads(code: types.CodeType) -> Reads:
    """Return which global names code loads, and which of their attributes.

    `consts.gravity.earth + LIMIT` gives {"LIMIT": {"": {}}, "consts": {"gravity": {"earth": {"":
    {}}}}}. Where a value is used in any other way than by an attribute, there is a `WHOLE`.
    """
    found: Reads = {}
    value: Reads | None = None
    for instruction in dis.get_instructions(code):
        if instruction.opname == "EXTENDED_ARG":
            continue
        if value is not None and instruction.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            value = value.setdefault(instruction.argval, {})
            continue
        if value is not None:
            value[WHOLE] = {}
        loads = instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME")
        value = found.setdefault(instruction.argval, {}) if loads else None
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            _merge(found, reads(constant))
    return _in_order(found)


@functools.lru_cache(maxsize=1024)
def named_by(code: types.CodeType) -> frozenset[str]:
    """Return the names that code has: of what it reads, and of attributes of whatever object."""
    inner = (named_by(part) for part in code.co_consts if isinstance(part, types.CodeType))
    return frozenset(code.co_names).union(*inner)


def _merge(into: Reads, others: Reads) -> None:
    for name, parts in others.items():
        _merge(into.setdefault(name, {}), parts)


def _in_order(found: Reads) -> Reads:
    return {name: _in_order(found[name]) for name in sorted(found)}


@functools.lru_cache(maxsize=1024)
def _digest_of_code(code: types.CodeType) -> str:
    # Neither file nor line numbers.
    return Digest(
        *(code.co_code, code.co_consts, code.co_names, code.co_varnames, code.co_cellvars),
        *(code.co_freevars, code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount),
        code.co_flags,
    ).hexdigest()


# --- What is batchsim's own -----------------------------------------------------------------------


def own_files() -> list[Path]:
    """Return the files of batchsim that are in the key of every kernel."""
    root = Path(__file__).parents[1]
    names = [*OUTSIDE, *(f"streams/{path.name}" for path in (root / "streams").glob("*.py"))]
    names += [f"compiler/{path.name}" for path in (root / "compiler").glob("*.py")]
    return [root / name for name in sorted(names)]


def hash_of_files() -> str:
    """Return a hash of the files that kernels are made of, as they are now."""
    found = hashlib.sha256()
    for path in own_files():
        content = path.read_bytes()
        found.update(f"{path.name} {len(content)} ".encode())
        found.update(content)
    return found.hexdigest()


OWN_CODE = hash_of_files()
"""The hash of the files as they were when they were imported, or will have been: what is compiled
after they have changed is not to be kept.
"""


@functools.cache
def extensions() -> tuple[str, ...]:
    """Return the installed packages that extend Numba, with their versions."""
    found = importlib.metadata.entry_points(group="numba_extensions")
    return tuple(sorted(f"{point.value} {getattr(point.dist, 'version', '')}" for point in found))
