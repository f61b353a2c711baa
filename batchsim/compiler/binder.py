"""Binds an environment's functions into the tile loops: copies whose free names stand for what a
kernel needs, and a hash of all that they reach.
"""

from __future__ import annotations

import contextlib
import types as python_types
from collections.abc import Callable, Mapping
from typing import Any

import numba
import numpy as np

from batchsim import actions
from batchsim import math as batchsim_math
from batchsim.compiler import kernels
from batchsim.compiler.digest import (
    LIBRARIES,
    MISSING,
    WHOLE,
    Digest,
    Reads,
    is_known,
    look_up,
    named_by,
    reads,
)
from batchsim.definition import suggest
from batchsim.family import env, is_namespace
from batchsim.streams import GENERATOR, is_other_stream

__all__ = ["Binder", "rebuilt"]


def _to_float32(value: Any) -> Any:
    """Return `value` with floats and float64 arrays, nested in tuples too, as float32."""
    if value is float:
        return np.float32
    if isinstance(value, float):
        return np.float32(value)
    if isinstance(value, tuple):
        return rebuilt(value, _to_float32)
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        return value.astype(np.float32)
    return value


def rebuilt(value: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
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
        random: the kind of the definition's streams.
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
        random: str = GENERATOR,
        listed: bool = False,
    ) -> None:
        self.fast = precision == "fast"
        self.functions = batchsim_math.FAST if self.fast else batchsim_math.EXACT
        if self.fast:
            self.functions = {**self.functions, **getattr(namespace, "FAST", {})}
        if listed:
            self.functions = {**self.functions, actions.are_listed: actions.listed}
        self.placeholders = placeholders
        self.given = {} if given is None else given
        self.wrap = wrap
        self.namespace = namespace
        self.random = random
        self.bound: dict[Any, Any] = {}
        self.arrays: dict[int, tuple[Any, Any]] = {}
        self.digests: dict[Any, str] = {}
        """Of each function copied: a hash of its code and of all that it refers to."""
        self.names: dict[Any, frozenset[str]] = {}
        """Of each function copied: what its code, and that of all that it calls, may read of an
        object by its name; `WHOLE` is among them if that is not known.
        """
        self.at_work: list[set[str]] = []
        """The names of the functions that are being copied, each of which is called by the one
        before.
        """

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
        self.at_work.append(set(named_by(code)))
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
        self.names[function] = frozenset(self.at_work.pop())
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
        self._refuse_other_stream(value)
        if isinstance(value, numba.core.dispatcher.Dispatcher):
            value = value.py_func
        # What cannot be hashed is not a function of batchsim.math.
        with contextlib.suppress(TypeError):
            value = self.functions.get(value, value)
        if demote:
            value = _to_float32(value)
        value = self._frozen(value)
        if value is getattr:
            self.at_work[-1].add(WHOLE)
        if isinstance(value, python_types.FunctionType) and value.__module__ not in LIBRARIES:
            bound = self.bind(value)
            self.at_work[-1] |= self.names[value]
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
                self._refuse_other_stream(value)
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

    def _refuse_other_stream(self, function: Any) -> None:
        if is_other_stream(function, self.random):
            raise TypeError(
                f"{function.__name__} of {function.__module__} draws from streams of another kind "
                f"than {self.random}, which RANDOM of the definition names."
            )

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
            return rebuilt(value, self._frozen) if _holds_array(value) else value
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
