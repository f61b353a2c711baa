"""Makes the functions that environments call give in compiled code the bits that Python gives.

Numba has its own versions of `float`, `**`, `math.hypot` or `np.exp`, which differ from Python's
and NumPy's in width, in the last bit or for special values. Here is the compiler of exact
precision, `Compiler`: in the environment's functions, and in no other compiled code of the process,
it puts functions that agree in their places. What cannot agree it refuses, with the spelling that
does (`RefusedError`). The compiler of fast precision, `FastCompiler`, sees to whole numbers, and to
what Numba cannot compile.
"""

from __future__ import annotations

import builtins
import functools
import math
import operator
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from numba import types
from numba.core import errors, ir
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.ir_utils import build_definitions, mk_unique_var
from numba.core.typed_passes import NopythonTypeInference
from numba.core.untyped_passes import IRProcessing
from numba.extending import intrinsic

from batchsim import math as batchsim_math
from batchsim.compiler import ufuncs
from batchsim.compiler.interrupts import PollingCompiler
from batchsim.compiler.ufuncs import DisagreementError

__all__ = ["OF_MATH", "REFUSED", "Compiler", "FastCompiler", "RefusedError"]


class RefusedError(TypeError):
    """A function cannot be compiled so that it gives Python's bits."""

    def __init__(self, reason: str, loc: Any) -> None:
        super().__init__(f"{loc.filename}:{loc.line}: {reason}.")
        self.reason = reason
        """What differs, and which spelling agrees; without a full stop."""
        self.loc = loc
        """Where it stands, with Numba's `filename` and `line`."""


NUMBERS = (types.Integer, types.Float, types.Boolean)
A_LOOP = "write a loop over the elements"
REFUSED: dict[Any, str] = {
    builtins.round: "round(x, n) rounds otherwise in compiled code: write np.rint(x * 10) / 10",
    math.gamma: "math.gamma is Python's own, not the C library's: use what does without it",
    math.lgamma: "math.lgamma is Python's own, not the C library's: use what does without it",
    math.hypot: "math.hypot is Python's own, not the C library's: write np.hypot(x, y)",
    np.angle: "np.angle computes in another width in compiled code: write np.arctan2(y, x)",
    np.nan_to_num: "np.nan_to_num has another width in compiled code: write `0.0 if x != x else x`",
    np.sinc: "np.sinc computes otherwise in compiled code: write np.sin(pi * x) / (pi * x)",
    **{
        getattr(np, name): f"np.{name} adds in another order in compiled code: {A_LOOP}"
        for name in (
            "average", "convolve", "corrcoef", "correlate", "cov", "cumprod", "cumsum", "dot",
            "inner", "interp", "mean", "median", "nancumprod", "nancumsum", "nanmax", "nanmean",
            "nanmedian", "nanmin", "nanpercentile", "nanprod", "nanquantile", "nanstd", "nansum",
            "nanvar", "percentile", "ptp", "quantile", "std", "trace", "var", "vdot",
        )
    },
}  # fmt: skip
"""Functions of which compiled code has other bits, and what agrees; `round(x)` alone is right."""

REDUCTIONS = {np.max: "max", np.min: "min", np.prod: "prod", np.sum: "sum"}
"""Functions of an array that agree for whole numbers."""
OF_MATH = frozenset(
    value for value in vars(math).values() if callable(value) and not isinstance(value, type)
)
METHODS = {
    **{name: function for function, name in REDUCTIONS.items()},
    **{
        name: getattr(np, name)
        for name in ("cumprod", "cumsum", "dot", "mean", "std", "trace", "var")
    },
}
"""Methods of an array, and the functions that are the same."""

# --- What stands for Python's functions -----------------------------------------------------------


def _convert(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return context.cast(builder, arguments[0], signature.args[0], signature.return_type)


@intrinsic
def _float(typing_context: Any, x: Any) -> Any:
    # Numba's leaves float32 as it is.
    return (types.float64(x), _convert) if isinstance(x, NUMBERS) else None


@intrinsic
def _int(typing_context: Any, x: Any) -> Any:
    # Numba's makes unsigned numbers of unsigned ones, which become floats together with others.
    return (types.int64(x), _convert) if isinstance(x, NUMBERS) else None


def _as_numba_does(typing_context: Any, function: Any, *arguments: Any) -> Any:
    """Return signature and code generator of Numba's own version, None if it has none."""
    try:
        typed = typing_context.resolve_value_type(function)
    except ValueError:
        return None
    own = typing_context.resolve_function_type(typed, arguments, {})
    if own is None:
        return None

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return context.get_function(typed, own)(builder, values)

    return own, codegen


def _integer_power(x, y):  # type: ignore[no-untyped-def]
    # Products wrap around, as NumPy's: the lower bits are the same in any width.
    result = np.int64(1)
    factor = np.int64(x)
    rest = np.int64(y)
    while rest > 0:
        if rest & 1:
            result *= factor
        factor *= factor
        rest >>= 1
    return result


def _float_power(x, y):  # type: ignore[no-untyped-def]
    return batchsim_math.power(x, y)


def _make_power(constants: frozenset[int]) -> Any:
    """Return what stands for `x ** y`; `constants` as in `ufuncs.of_numbers`."""

    def implement(typing_context: Any, x: Any, y: Any) -> Any:
        if not (isinstance(x, NUMBERS) and isinstance(y, NUMBERS)):
            return None
        # Of whole numbers NumPy's power is refused, as it raises for negative exponents.
        width = ufuncs.width(np.multiply, (x, y), constants, "x ** y")
        function = _float_power if isinstance(width, types.Float) else _integer_power
        return width(width, width), ufuncs.by_python(function)

    return ufuncs.make_intrinsic("power", 2, implement)


def _make_of_math(function: Any, count: int) -> Any:
    """Return what stands for a function of `math`: its float32 arguments are float64."""

    def implement(typing_context: Any, *arguments: Any) -> Any:
        if function is math.pow and all(isinstance(kind, NUMBERS) for kind in arguments):
            return types.float64(types.float64, types.float64), ufuncs.by_python(_float_power)
        widened = [types.float64 if isinstance(kind, types.Float) else kind for kind in arguments]
        return _as_numba_does(typing_context, function, *widened)

    return ufuncs.make_intrinsic(function.__name__, count, implement)


@intrinsic
def _round_to_whole(typing_context: Any, x: Any) -> Any:
    if isinstance(x, types.Integer):
        return x(x), lambda context, builder, signature, arguments: arguments[0]
    return _as_numba_does(typing_context, np.rint, x)


def _make_reduction(function: Any) -> Any:
    """Return what stands for a function of an array whose order of operations matters."""

    def implement(typing_context: Any, array: Any) -> Any:
        if isinstance(array, types.Array) and isinstance(array.dtype, types.Float):
            raise DisagreementError(
                f"np.{REDUCTIONS[function]} of {array.dtype} numbers goes through them in another "
                f"order in compiled code: {A_LOOP}"
            )
        return _as_numba_does(typing_context, function, array)

    return ufuncs.make_intrinsic(REDUCTIONS[function], 1, implement)


def _make_stand_in(function: Any, count: int, constants: frozenset[int]) -> Any:
    """Return what stands for a function that is called with `count` arguments, None for itself.

    Args:
        function: what is called.
        count: how many arguments it is given.
        constants: which of them are Python's numbers.
    """
    if function in (builtins.float, builtins.int) and count == 1:
        return _float if function is builtins.float else _int
    if function in (builtins.pow, operator.pow) and count == 2:
        return _make_power(constants)
    if function in (np.round, np.around) and count == 1:
        return _round_to_whole
    if function in REDUCTIONS and count == 1:
        return _make_reduction(function)
    if function in ufuncs.UFUNCS and count == function.nin:
        return ufuncs.of_numbers(function, constants)
    if function in OF_MATH and count in (1, 2):
        return _make_of_math(function, count)
    return None


_stand_in = functools.cache(_make_stand_in)


def _make_by_intrinsic(function: Any) -> Any:
    """Return what stands for a function that Numba cannot compile for two widths."""

    def implement(typing_context: Any, *arguments: Any) -> Any:
        typed = typing_context.resolve_value_type(function)
        own = typing_context.resolve_function_type(typed, arguments, {})
        if own is None or not isinstance(own.return_type, types.Float):
            return _as_numba_does(typing_context, function, *arguments)
        return own.return_type(*arguments), ufuncs.by_intrinsic(function)

    return ufuncs.make_intrinsic(function.__name__, function.nin, implement)


@functools.cache
def _fast_stand_in(function: Any, count: int, constants: frozenset[int]) -> Any:
    """Return what stands for a function in fast precision, whose whole numbers are exact too."""
    if function in ufuncs.INTRINSICS and count == function.nin:
        return _make_by_intrinsic(function)
    return _int if function is builtins.int and count == 1 else None


# --- In their places ------------------------------------------------------------------------------


class _Replacement:
    """Goes through the instructions of a function and changes what is called.

    Args:
        function: Numba's instructions.
        find: returns what stands for a function, None for itself.
        refused: of functions that cannot agree, why.
    """

    def __init__(self, function: Any, find: Callable[..., Any], refused: dict[Any, str]) -> None:
        self.function = function
        self.find = find
        self.refused = refused
        self.values: dict[str, Any] = {}
        """What variables stand for: modules and functions."""
        self.methods: dict[str, tuple[Any, Any]] = {}
        """Of variables that hold a method: the function that is the same, and the array."""
        self.loads: dict[str, Any] = {}
        """The instructions that load functions of modules."""

    def run(self) -> None:
        for _, block in sorted(self.function.blocks.items()):
            body = []
            for instruction in block.body:
                if isinstance(instruction, ir.Assign):
                    body += self.before(instruction)
                body.append(instruction)
            block.body = body
        self.function._definitions = build_definitions(self.function.blocks)

    def before(self, assignment: Any) -> list[Any]:
        """Note what a variable stands for; change a call, and return what must come before it."""
        name, value = assignment.target.name, assignment.value
        self.values.pop(name, None)
        self.methods.pop(name, None)
        if isinstance(value, (ir.Global, ir.FreeVar)):
            self.values[name] = value.value
        elif isinstance(value, ir.Var):
            self.values[name] = self.values.get(value.name)
        elif isinstance(value, ir.Expr) and value.op == "getattr":
            base = self.values.get(value.value.name)
            if isinstance(base, ModuleType):
                self.values[name] = getattr(base, value.attr, None)
                self.loads[name] = assignment
            elif value.attr in METHODS:
                self.methods[name] = METHODS[value.attr], value.value
        elif isinstance(value, ir.Expr) and value.op in ("binop", "inplace_binop"):
            function = value.fn if value.op == "binop" else value.immutable_fn
            if function is operator.pow:
                return self.call(assignment, operator.pow, [value.lhs, value.rhs])
        elif isinstance(value, ir.Expr) and value.op == "call":
            called, arguments = self.values.get(value.func.name), list(value.args)
            if value.func.name in self.methods:
                called, array = self.methods[value.func.name]
                arguments.insert(0, array)
            count = len(arguments) + len(value.kws)
            reason = _reason(called, count, self.refused)
            if reason is not None:
                raise RefusedError(reason, assignment.loc)
            if not value.kws and value.vararg is None:
                before = self.call(assignment, called, arguments)
                if before and value.func.name in self.loads:
                    # Numba may not know it.
                    self.loads[value.func.name].value = ir.Const(None, assignment.loc)
                return before
        return []

    def call(self, assignment: Any, function: Any, arguments: list[Any]) -> list[Any]:
        constants = frozenset(k for k, a in enumerate(arguments) if self.is_pythons_number(a))
        try:
            stand_in = self.find(function, len(arguments), constants)
        except TypeError:  # It cannot be hashed, and is none of these functions.
            return []
        if stand_in is None:
            return []
        loc, scope = assignment.loc, assignment.target.scope
        variable = scope.define(mk_unique_var("$stand_in"), loc)
        assignment.value = ir.Expr.call(variable, tuple(arguments), (), loc)
        return [ir.Assign(ir.Global("stand_in", stand_in, loc), variable, loc)]

    def is_pythons_number(self, variable: Any) -> bool:
        """Tell whether a variable is certain to hold a number of Python's, not one of NumPy's."""
        try:
            value = self.function.get_definition(variable)
        except KeyError:
            return False
        if isinstance(value, (ir.Const, ir.Global, ir.FreeVar)):
            return type(value.value) in (int, float)
        if isinstance(value, ir.Expr) and value.op == "unary":
            return self.is_pythons_number(value.value)
        if isinstance(value, ir.Expr) and value.op == "call":
            called = self.values.get(value.func.name)
            return called in (builtins.float, builtins.int, builtins.len) or called in OF_MATH
        return False


def _reason(function: Any, count: int, refused: dict[Any, str]) -> str | None:
    """Return why a function must not be called with `count` arguments."""
    if not refused or (function is builtins.round and count == 1):
        return None
    if function in (np.round, np.around):
        return None if count == 1 else f"np.{refused[builtins.round]}"
    try:
        return refused.get(function)
    except TypeError:  # It cannot be hashed, and is none of these functions.
        return None


@register_pass(mutates_CFG=False, analysis_only=False)
class _Replace(FunctionPass):
    _name = "batchsim_replace"

    def __init__(self) -> None:
        super().__init__()

    def replacement(self, function: Any) -> _Replacement:
        """Return what changes a function's calls."""
        return _Replacement(function, _stand_in, REFUSED)

    def run_pass(self, state: Any) -> bool:
        self.replacement(state.func_ir).run()
        # Functions are made when they are first called for, after Numba has looked for new ones.
        state.typingctx.refresh()
        state.targetctx.refresh()
        return True


@register_pass(mutates_CFG=False, analysis_only=False)
class _ReplaceInFast(_Replace):
    _name = "batchsim_replace_in_fast"

    def replacement(self, function: Any) -> _Replacement:
        return _Replacement(function, _fast_stand_in, {})


@register_pass(mutates_CFG=True, analysis_only=False)
class _Infer(NopythonTypeInference):
    """Type inference; what cannot agree is said in one sentence."""

    _name = "batchsim_infer"

    def run_pass(self, state: Any) -> Any:
        try:
            return super().run_pass(state)
        except errors.TypingError as error:
            found = re.search(f"{ufuncs.MARK}([^\n\x1b]*)", str(error))
            loc = getattr(error, "loc", None)
            if found is None or loc is None:
                raise
            raise RefusedError(found[1].strip(), loc) from None


class Compiler(PollingCompiler):
    """Numba's compiler, for exact precision: `numba.njit(pipeline_class=Compiler)`."""

    def define_pipelines(self) -> list[Any]:
        """Return the passes of `PollingCompiler`, and those that make functions agree."""
        (passes,) = super().define_pipelines()
        passes.passes = [
            (_Infer if kind is NopythonTypeInference else kind, name)
            for kind, name in passes.passes
        ]
        passes.add_pass_after(_Replace, IRProcessing)
        passes.finalize()
        return [passes]


class FastCompiler(PollingCompiler):
    """Numba's compiler, for fast precision."""

    def define_pipelines(self) -> list[Any]:
        """Return the passes of `PollingCompiler`, and the one that puts in what agrees."""
        (passes,) = super().define_pipelines()
        passes.add_pass_after(_ReplaceInFast, IRProcessing)
        passes.finalize()
        return [passes]
