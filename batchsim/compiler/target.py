"""The processor that kernels are compiled for, and what is not asked of it.

Kernels have a code generator of their own, so that what is left out here is left out of kernels
alone and not of what else a process compiles with Numba.

`avx512dq` is left out. LLVM 20 to 22 lose the upper bits of a mask: where eight lanes of bytes are
loaded or stored under a mask, LLVM makes sixteen lanes of them and clears the upper eight bits of
the mask with `kmovb`, an instruction that `avx512dq` brings. It then takes that instruction for a
mere copy, which is left out when the mask is kept in memory, over a call or for want of registers:
the upper bits are those of a comparison of bytes that are not there, and eight rows too many are
read or written. Without `avx512dq` two shifts clear the bits, which nothing takes for a copy.
`tests/test_target.py` compiles the few lines that show it, and tells whether this LLVM has the
fault. What is lost: conversions between int64 and float64 take several instructions each, and the
product of int64 takes three.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import llvmlite.binding as llvm
import numba
from numba.core import codegen
from numba.core.compiler_lock import global_compiler_lock, require_global_compiler_lock
from numba.core.cpu import CPUContext
from numba.core.registry import CPUDispatcher, cpu_target
from numba.core.target_extension import jit_registry, target_registry

from batchsim.compiler.interrupts import PlainCompiler, PollingCompiler

__all__ = ["callee", "compile_function", "generator", "overloads_as_callees", "processor"]

SHARED = (llvm.Linkage.external, llvm.Linkage.linkonce_odr)
"""How functions are linked of which several modules may have a copy."""
INLINED = 1000
"""Lines of a function in LLVM's code up to which it is inlined wherever it is called, so that loops
with calls in them can be vectorised. Of others LLVM decides.
"""
SMALL = 2500
"""Lines of all functions up to which that is done of one that is no hot loop, too."""
LARGE = 20_000
"""Lines of a hot loop with all inlined beyond which functions are not inlined at every length."""
REPEATED = 1500
"""Lines that the inlining of one function may add to such a loop."""
CALL = re.compile(r' call [^@\n]*@"?([^"(\s]+)')
"""Whom a line of LLVM's code calls."""
LEFT_OUT = {"x86": ("avx512dq",)}
"""By the beginning of a processor's kind: features that LLVM gets wrong code from."""


def without_faults(features: str, triple: str) -> str:
    """Return a list of LLVM's features without those that it gets wrong code from.

    What is left out stands at the end: features before it that would bring it go with it.
    """
    for kind, names in LEFT_OUT.items():
        if triple.startswith(kind):
            return ",".join([features] * bool(features) + [f"-{name}" for name in names])
    return features


class _Library(codegen.JITCodeLibrary):
    """A library of which nothing is made by itself when others link it: neither optimised code nor
    machine code.

    All that runs is the library that somebody asks for; what it is linked with, at any remove, is
    linked into it once, and optimised there. Numba's own make optimised machine code of each, and
    link and optimise that anew wherever it is called.
    """

    _is_part = False
    """Whether it is only linked into others."""

    def _ensure_finalized(self) -> None:
        # Called by what links it, or reads it.
        if not self._finalized:
            self._is_part = self._finalized = True

    def _optimize_functions(self, ll_module: Any) -> None:
        """Simplify the functions of a module, before others call them.

        No loop is unrolled yet: with calls in it, which are to be inlined, it seems to be short.
        """
        ll_module.data_layout = self._codegen._data_layout
        settings: Any = numba.config
        options = llvm.create_pipeline_tuning_options(speed_level=int(settings.OPT))
        options.loop_unrolling = options.loop_vectorization = options.slp_vectorization = False
        builder = llvm.create_pass_builder(self._codegen._tm, options)
        passes = builder.getFunctionPassManager()
        for function in ll_module.functions:
            passes.run(function, builder)

    def _optimize_final_module(self) -> None:
        """Optimise once: Numba's own does so twice, to remove reference counts in between."""
        passes, builder = self._codegen._module_pass_manager()
        passes.run(self._final_module, builder)

    def _parts(self) -> list[Any]:
        """Return what is to be linked into it: those it links, and what those that are parts do."""
        found: dict[Any, None] = {}
        waiting = list(self._linking_libraries)
        for library in waiting:
            if library not in found:
                found[library] = None
                if isinstance(library, _Library):
                    waiting += library._linking_libraries
        return list(found)

    def finalize_as(self, name: str, entry: str, is_hot: bool) -> None:
        """Link, optimise, and make machine code.

        Args:
            name: what other libraries are to know the entry by.
            entry: the function's name so far.
            is_hot: whether to inline much, however long it takes.
        """
        require_global_compiler_lock()
        self._raise_if_finalized()
        shared = self._link()
        texts = {}
        for function in self._final_module.functions:
            if function.name == entry:
                function.name = name
                function.linkage = "external"
                texts[name] = str(function)
            elif function.name in shared:
                # Another process numbers functions anew: theirs may have the same names.
                function.linkage = "internal"
                texts[function.name] = str(function)
        for called in _inlined(texts, name, is_hot):
            self._final_module.get_function(called).add_function_attribute("alwaysinline")
        self._optimize_final_module()
        self._final_module.verify()
        self._finalize_final_module()

    def _link(self) -> set[str]:
        """Link the parts into this library's module; return the names of their functions."""
        shared = set()
        for library in self._parts():
            self._reload_init.update(library._reload_init)
            if isinstance(library, _Library):
                library._ensure_finalized()
                module = library._final_module.clone()
            else:
                module = library._get_module_for_linking().clone()
            for function in module.functions:
                if not function.is_declaration and function.linkage in SHARED:
                    # LLVM's linker leaves out what nobody calls yet, unless it is weak.
                    function.linkage = "weak_odr"
                    shared.add(function.name)
            self._final_module.link_in(module)
        for name in shared:
            self._final_module.get_function(name).linkage = "linkonce_odr"
        return shared

    def _get_module_for_linking(self) -> Any:
        self._ensure_finalized()
        if self._is_part and self._shared_module is None:
            # Numba's own library links it.
            self._final_module = self._final_module.clone()
            self._link()
        return super()._get_module_for_linking()


def _inlined(texts: dict[str, str], entry: str, is_hot: bool) -> list[str]:
    """Return the names of the functions that are to be inlined wherever they are called.

    Args:
        texts: functions in LLVM's code, by name.
        entry: the name of the one that is not called by others.
        is_hot: as in `_Library.finalize_as`.
    """
    lines = {name: text.count("\n") for name, text in texts.items()}
    short = [name for name in texts if name != entry and lines[name] <= INLINED]
    if not is_hot:
        return short if sum(lines.values()) - lines[entry] <= SMALL else []
    calls = {name: Counter(CALL.findall(text)) for name, text in texts.items()}

    @functools.cache
    def whole(name: str) -> int:
        return lines[name] + sum(
            count * whole(called) for called, count in calls[name].items() if called in lines
        )

    if whole(entry) <= LARGE:
        return short
    sites: Counter[str] = sum(calls.values(), Counter())
    return [name for name in short if (sites[name] - 1) * whole(name) <= REPEATED]


class _Generator(codegen.JITCPUCodegen):
    """Numba's generator of machine code in memory, for the features that are left."""

    _library_class = _Library

    def _customize_tm_features(self) -> str:
        return without_faults(super()._customize_tm_features(), self._llvm_module.triple)


class _Context(CPUContext):
    """Numba's context, but for the generator: what it knows it shares with the original."""

    def __init__(self, original: CPUContext) -> None:
        own = original.subtarget(_internal_codegen=_Generator("batchsim"))
        self.__dict__.update(own.__dict__)
        self._sizes: dict[Any, int] = {}

    def get_abi_sizeof(self, ty: Any) -> int:
        """Return how many bytes a value of an LLVM type takes: one asks for LLVM's opinion once."""
        if ty not in self._sizes:
            self._sizes[ty] = super().get_abi_sizeof(ty)
        return self._sizes[ty]

    def get_executable(self, library: Any, fndesc: Any, env: Any) -> Any:
        """Return what stands for a function to which only other compiled functions have access.

        Numba's own makes machine code of it, to no purpose: the code that runs is made of the
        library that it is linked into.
        """
        return [].append  # Numba asks for a builtin function, another one each time.


class _Target:
    """What a dispatcher asks of its target."""

    options = cpu_target.options

    @property
    def typing_context(self) -> Any:
        return cpu_target.typing_context

    @functools.cached_property
    def target_context(self) -> Any:
        return _Context(cpu_target.target_context)


class _Callee(CPUDispatcher):
    targetdescr: Any = _Target()


def callee(function: Any, *, pipeline_class: Any = PollingCompiler, **options: Any) -> Any:
    """Return a function that those that are compiled for this target can call.

    Args:
        function: plain Python.
        pipeline_class: Numba's compiler, or one made of it.
        **options: Numba's.
    """
    wanted = {"nopython": True, **options}
    return _Callee(function, targetoptions=wanted, pipeline_class=pipeline_class)


def generator() -> Any:
    """Return the generator of machine code."""
    return _Callee.targetdescr.target_context.codegen()


def processor() -> tuple[str, str, str]:
    """Return the kind of machine, the processor's name and its features, as LLVM calls them."""
    described: tuple[str, str, str] = generator().magic_tuple()
    return described


def _overload(**options: Any) -> Any:
    """Return what stands for `numba.jit` where Numba compiles the body of an `overload`."""
    wanted = {**options, "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "forceinline": False}
    return functools.partial(callee, pipeline_class=PlainCompiler, **wanted)


@contextlib.contextmanager
def overloads_as_callees() -> Iterator[None]:
    """Compile overloads for this target in this block: Numba makes machine code of each.

    What other code of the process calls of them afterwards, it links as any function.
    """
    kind = target_registry["cpu"]
    jit = jit_registry.pop(kind)
    jit_registry[kind] = _overload
    try:
        yield
    finally:
        del jit_registry[kind]
        jit_registry[kind] = jit


def compile_function(
    function: Any, signature: Any, name: str, *, is_hot: bool, **options: Any
) -> Any:
    """Compile a Python function for types of arguments and result, to be called by its address.

    Args:
        function: plain Python.
        signature: Numba's types of the result and the arguments.
        name: what machine code knows the function by: of its own, whatever else is compiled.
        is_hot: whether to inline much, so that loops are fast, however long it takes.
        **options: Numba's.

    Returns:
        The library with the machine code.
    """
    dispatcher = callee(function, **options)
    with global_compiler_lock, overloads_as_callees():
        dispatcher.compile(signature)
        (result,) = dispatcher.overloads.values()
        result.library.finalize_as(name, result.fndesc.llvm_func_name, is_hot)
    return result.library
