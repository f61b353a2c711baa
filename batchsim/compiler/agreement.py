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
from numba.core.typed_passes import NativeLowering, NopythonTypeInference
from numba.core.untyped_passes import IRProcessing
from numba.extending import intrinsic

from batchsim import math as batchsim_math
from batchsim.compiler import ufuncs
from batchsim.compiler.aliases import CERTAIN, CheckAliases, LowerWithArrays, changes_in_place
from batchsim.compiler.array_functions import METHODS as ARRAY_METHODS
from batchsim.compiler.array_functions import of_ufunc, power_of_arrays, with_arity
from batchsim.compiler.arrays import TUPLE
from batchsim.compiler.elementwise import BINARY, is_array
from batchsim.compiler.expressions import Expressions
from batchsim.compiler.interrupts import PollingCompiler
from batchsim.compiler.layouts import ArrayLayout, TupleLayout
from batchsim.compiler.refusals import RefusedError
from batchsim.compiler.rows import ParametersType, StateType
from batchsim.compiler.ufuncs import DisagreementError

__all__ = ["OF_MATH", "REFUSED", "Compiler", "FastCompiler", "RefusedError"]


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
METHODS = {name: getattr(np, name) for name in ("dot", "trace")}
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


@functools.cache
def _power(constants: frozenset[int], exponent: float | None, written: str, in_place: bool) -> Any:
    """Return what stands for `x ** y`.

    Args:
        constants: as in `ufuncs.implement`.
        exponent: if it is written there.
        written: its text, which tells 1.0 from 1 where both are equal.
        in_place: whether it is `x **= y`.
    """

    def implement(typing_context: Any, x: Any, y: Any) -> Any:
        if is_array(x) or is_array(y):
            if in_place:
                raise DisagreementError("an array is raised in place: write array = array ** …")
            return power_of_arrays(x, y, exponent, constants)
        if not (isinstance(x, NUMBERS) and isinstance(y, NUMBERS)):
            return None
        # Of whole numbers NumPy's power is refused, as it raises for negative exponents.
        width = ufuncs.width(np.multiply, (x, y), constants, "x ** y")
        function = _float_power if isinstance(width, types.Float) else _integer_power
        return width(width, width), ufuncs.by_python(function)

    return ufuncs.make_intrinsic("power", 2, implement)


@functools.cache
def _beside_number(function: Any, place: int, written: Any) -> Any:
    """Return what stands for an operator of which one operand is Python's number.

    Beside a float32 it is a float32 in NumPy; in Numba both are float64.

    Args:
        function: the operator.
        place: which operand it is.
        written: the operator as it is written, which may change an array in place.
    """

    def implement(typing_context: Any, *kinds: Any) -> Any:
        number = types.unliteral(kinds[place])
        if kinds[1 - place] != types.float32 or number not in (types.int64, types.float64):
            return _as_numba_does(typing_context, written, *kinds)
        typed = typing_context.resolve_value_type(function)
        own = typing_context.resolve_function_type(typed, (types.float32, types.float32), {})

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            values = [
                context.cast(builder, value, types.unliteral(kind), types.float32)
                for value, kind in zip(arguments, signature.args, strict=True)
            ]
            return context.get_function(typed, own)(builder, values)

        return own.return_type(*kinds), generate

    stand_in = with_arity(function.__name__, 2, implement)
    return stand_in if written is function else changes_in_place(stand_in)


def _has_float32(kind: Any) -> bool:
    """Tell whether an argument, or what it has, may be float32."""
    if isinstance(kind, (StateType, ParametersType)):
        layout = kind.rows.layout if isinstance(kind, StateType) else kind.tile.layout
        return _lies_float32(layout)
    if isinstance(kind, TUPLE):
        return any(map(_has_float32, kind.types))
    return bool(getattr(kind, "dtype", kind) == types.float32)


@functools.cache
def _lies_float32(layout: Any) -> bool:
    if isinstance(layout, ArrayLayout):
        return layout.dtype == np.float32
    return isinstance(layout, TupleLayout) and any(map(_lies_float32, layout.members))


def _make_of_math(function: Any, count: int) -> Any:
    """Return what stands for a function of `math`: its float32 arguments are float64."""

    def implement(typing_context: Any, *arguments: Any) -> Any:
        if function is math.pow and all(isinstance(kind, NUMBERS) for kind in arguments):
            return types.float64(types.float64, types.float64), ufuncs.by_python(_float_power)
        widened = [types.float64 if isinstance(kind, types.Float) else kind for kind in arguments]
        return _as_numba_does(typing_context, function, *widened)

    return ufuncs.make_intrinsic(function.__name__, count, implement)


def _whole(typing_context: Any, x: Any) -> Any:
    """`implement` of `np.round(x)`."""
    if isinstance(x, types.Integer):
        return x(x), lambda context, builder, signature, arguments: arguments[0]
    return _as_numba_does(typing_context, np.rint, x)


def _reduction(function: Any) -> Any:
    """Return `implement` of a function of an array whose order of operations matters."""

    def implement(typing_context: Any, array: Any) -> Any:
        if isinstance(array, types.Array) and isinstance(array.dtype, types.Float):
            raise DisagreementError(
                f"np.{REDUCTIONS[function]} of {array.dtype} numbers goes through them in another "
                f"order in compiled code: {A_LOOP}"
            )
        return _as_numba_does(typing_context, function, array)

    return implement


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
        return _power(constants, None, "", False)
    if function in ufuncs.UFUNCS and count == function.nin:
        return _make_of_arrays(function, constants, "exact", ufuncs.implement(function, constants))
    if function in OF_MATH and count in (1, 2):
        return _make_of_math(function, count)
    return None


_stand_in = functools.cache(_make_stand_in)


@functools.cache
def _otherwise(function: Any, count: int, has_more: bool) -> Any:
    """Return `implement` of a function of arrays that is given none whose shape is known.

    Args:
        function: NumPy's.
        count: how many arguments it is given.
        has_more: whether there are others, such as an axis.
    """
    reason = REFUSED.get(function)
    if function in (np.round, np.around):
        if not has_more:
            return _whole
        reason = f"np.{REFUSED[builtins.round]}"
    elif has_more:
        return None
    elif function in REDUCTIONS and count == 1:
        return _reduction(function)
    if reason is None:
        return functools.partial(_as_numba_does_last, function)

    def refuse(typing_context: Any, *arguments: Any) -> Any:
        raise DisagreementError(reason)

    return refuse


def _make_of_arrays(
    function: Any, constants: frozenset[int], precision: str, of_numbers: Callable[..., Any]
) -> Any:
    """Return what stands for a function that may be given arrays."""
    of_arrays = of_ufunc(function, constants, precision)

    def implement(typing_context: Any, *arguments: Any) -> Any:
        found = of_arrays(typing_context, *arguments)
        return of_numbers(typing_context, *arguments) if found is None else found

    return ufuncs.make_intrinsic(function.__name__, function.nin, implement)


@functools.cache
def _in_fast(function: Any, count: int, has_more: bool = False) -> Any:
    """Return `implement` of Numba's own version, or where it has one width only, of LLVM's."""

    def implement(typing_context: Any, *arguments: Any) -> Any:
        typed = typing_context.resolve_value_type(function)
        own = typing_context.resolve_function_type(typed, arguments, {})
        if own is None or not isinstance(own.return_type, types.Float):
            return _as_numba_does(typing_context, function, *arguments)
        return own.return_type(*arguments), ufuncs.by_intrinsic(function)

    if has_more:
        return None
    if function in ufuncs.INTRINSICS:
        return implement
    return functools.partial(_as_numba_does_last, function)


def _as_numba_does_last(function: Any, typing_context: Any, *arguments: Any) -> Any:
    return _as_numba_does(typing_context, function, *arguments)


@functools.cache
def _fast_stand_in(function: Any, count: int, constants: frozenset[int]) -> Any:
    """Return what stands for a function in fast precision, whose whole numbers are exact too."""
    if function in ufuncs.UFUNCS and count == function.nin:
        return _make_of_arrays(function, constants, "fast", _in_fast(function, count))
    return _int if function is builtins.int and count == 1 else None


# --- In their places ------------------------------------------------------------------------------


class _Replacement:
    """Goes through the instructions of a function and changes what is called.

    Args:
        function: Numba's instructions.
        arguments: the types of its arguments.
        precision: "exact" or "fast".
        find: returns what stands for a function, None for itself.
        otherwise: as in `Expressions`.
        refused: of functions that cannot agree, why.
    """

    def __init__(
        self,
        function: Any,
        arguments: tuple[Any, ...],
        precision: str,
        find: Callable[..., Any],
        otherwise: Callable[..., Any],
        refused: dict[Any, str],
    ) -> None:
        self.function = function
        self.find = find
        self.refused = refused
        self.values: dict[str, Any] = {}
        """What variables stand for: modules and functions."""
        self.methods: dict[str, tuple[Any, Any]] = {}
        """Of variables that hold a method: the function that is the same, and the array."""
        self.loads: dict[str, Any] = {}
        """The instructions that load functions of modules."""
        self.sees_float32 = precision == "exact" and any(map(_has_float32, arguments))
        """Whether numbers may be float32, beside which Python's are."""
        self.certain: set[str] = set()
        """Operands that are certain to be Python's numbers."""
        self.arrays = Expressions(function, arguments, precision, otherwise, self.values)
        self.arrays.is_pythons_number = self.is_pythons_number

    def run(self) -> None:
        for _, block in sorted(self.function.blocks.items()):
            body = []
            for instruction in block.body:
                if isinstance(instruction, ir.Assign):
                    body += self.before(instruction)
                elif isinstance(instruction, ir.SetItem):
                    loc, scope = instruction.loc, block.scope
                    instruction.index, made = self.arrays.index(instruction.index, loc, scope)
                    body += made
                    value = self.arrays.without_lists(instruction.value, body, instruction)
                    instruction.value = value
                body.append(instruction)
            block.body = body
        self.function._definitions = build_definitions(self.function.blocks)

    def before(self, assignment: Any) -> list[Any]:
        """Note what a variable stands for; change a call, and return what must come before it."""
        name, value = assignment.target.name, assignment.value
        self.values.pop(name, None)
        self.methods.pop(name, None)
        self.arrays.note(assignment)
        if isinstance(value, (ir.Global, ir.FreeVar)):
            self.values[name] = value.value
            self.arrays.constant(assignment)
        elif isinstance(value, ir.Var):
            self.values[name] = self.values.get(value.name)
        elif isinstance(value, ir.Expr) and value.op == "getattr":
            base = self.values.get(value.value.name)
            if isinstance(base, ModuleType):
                self.values[name] = getattr(base, value.attr, None)
                self.loads[name] = assignment
                self.arrays.constant(assignment)
            elif value.attr in ARRAY_METHODS:
                self.methods[name] = ARRAY_METHODS[value.attr], value.value
                self.loads[name] = assignment
            elif value.attr in METHODS:
                self.methods[name] = METHODS[value.attr], value.value
        elif isinstance(value, ir.Expr) and value.op == "getitem":
            value.index, made = self.arrays.index(
                value.index, assignment.loc, assignment.target.scope
            )
            return made
        elif isinstance(value, ir.Expr) and value.op in ("binop", "inplace_binop"):
            function = value.fn if value.op == "binop" else value.immutable_fn
            constants = self.constants([value.lhs, value.rhs])
            self.certain.update(
                variable.name for k, variable in enumerate((value.lhs, value.rhs)) if k in constants
            )
            if function is operator.pow:
                return self.power(assignment, value)
            if function is operator.matmul:
                return self.arrays.matmul(assignment)
            with_list = value.op == "inplace_binop" or function in (operator.add, operator.sub)
            made = self.arrays.with_list(assignment) if with_list else []
            if made or not self.sees_float32 or len(constants) != 1 or function not in BINARY:
                return made
            (place,) = constants
            stand_in = _beside_number(function, place, value.fn)
            return self.arrays.put(assignment, stand_in, [value.lhs, value.rhs])
        elif isinstance(value, ir.Expr) and value.op == "call":
            called, arguments = self.values.get(value.func.name), list(value.args)
            methods = value.func.name in self.methods
            if methods:
                called, array = self.methods[value.func.name]
                arguments.insert(0, array)
            of_arrays = self.arrays.call(assignment, called, arguments[0] if methods else None)
            if of_arrays is not None:
                self.forget(value)
                return of_arrays
            count = len(arguments) + len(value.kws)
            reason = _reason(called, count, self.refused)
            if reason is not None:
                raise RefusedError(reason, assignment.loc)
            if not value.kws and value.vararg is None:
                before = self.call(assignment, called, arguments)
                if before:
                    self.forget(value)
                return before
        return []

    def power(self, assignment: Any, value: Any) -> list[Any]:
        """Change `x ** y` in exact precision."""
        operands = [value.lhs, value.rhs]
        constants = self.constants(operands)
        if self.find(operator.pow, 2, constants) is None:
            return []
        exponent = self.arrays.known(value.rhs)
        if not isinstance(exponent, (int, float)) or isinstance(exponent, bool):
            exponent = None
        stand_in = _power(constants, exponent, repr(exponent), value.op == "inplace_binop")
        return self.arrays.put(assignment, stand_in, operands)

    def constants(self, arguments: list[Any]) -> frozenset[int]:
        """Return which arguments are certain to be Python's numbers."""
        return frozenset(k for k, a in enumerate(arguments) if self.is_pythons_number(a))

    def forget(self, call: Any) -> None:
        """Load no function that is called no more: Numba may not know it."""
        loaded = self.loads.get(call.func.name)
        if loaded is not None:
            loaded.value = ir.Const(None, call.loc)

    def call(self, assignment: Any, function: Any, arguments: list[Any]) -> list[Any]:
        try:
            stand_in = self.find(function, len(arguments), self.constants(arguments))
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
        if isinstance(value, ir.Expr) and value.op == "getattr":
            return self.arrays.is_parameter(value)
        if isinstance(value, ir.Expr) and value.op == "call":
            called = self.values.get(value.func.name)
            return called in (builtins.float, builtins.int, builtins.len) or called in OF_MATH
        return False


def _reason(function: Any, count: int, refused: dict[Any, str]) -> str | None:
    """Return why a function must not be called with `count` arguments."""
    if not refused or (function is builtins.round and count == 1):
        return None
    try:
        return refused.get(function)
    except TypeError:  # It cannot be hashed, and is none of these functions.
        return None


@register_pass(mutates_CFG=False, analysis_only=False)
class _Replace(FunctionPass):
    _name = "batchsim_replace"

    def __init__(self) -> None:
        super().__init__()

    def replacement(self, function: Any, arguments: tuple[Any, ...]) -> _Replacement:
        """Return what changes a function's calls."""
        return _Replacement(function, arguments, "exact", _stand_in, _otherwise, REFUSED)

    def run_pass(self, state: Any) -> bool:
        replacement = self.replacement(state.func_ir, state.args)
        replacement.run()
        state.metadata[CERTAIN] = replacement.certain
        # Functions are made when they are first called for, after Numba has looked for new ones.
        state.typingctx.refresh()
        state.targetctx.refresh()
        return True


@register_pass(mutates_CFG=False, analysis_only=False)
class _ReplaceInFast(_Replace):
    _name = "batchsim_replace_in_fast"

    def replacement(self, function: Any, arguments: tuple[Any, ...]) -> _Replacement:
        return _Replacement(function, arguments, "fast", _fast_stand_in, _in_fast, {})


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

    replace: Any = _Replace
    """The pass that puts functions in the places of others."""

    def define_pipelines(self) -> list[Any]:
        """Return the passes of `PollingCompiler`, and those that make functions agree."""
        (passes,) = super().define_pipelines()
        ours = {NopythonTypeInference: _Infer, NativeLowering: LowerWithArrays}
        passes.passes = [(ours.get(kind, kind), name) for kind, name in passes.passes]
        passes.add_pass_after(self.replace, IRProcessing)
        passes.add_pass_after(CheckAliases, _Infer)
        passes.finalize()
        return [passes]


class FastCompiler(Compiler):
    """Numba's compiler, for fast precision."""

    replace = _ReplaceInFast
