"""Finds, in a function's instructions, what NumPy does with arrays whose shape is known.

What is called is bound to its parameters; what of them must be known when a kernel is compiled, a
shape, an axis, a dtype, the bounds of a slice, is worked out here, where the instructions are still
those of the source. Lists that are only handed on become tuples, which need no memory.
"""

from __future__ import annotations

import functools
import inspect
import math
import operator
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from llvmlite.ir import Undefined
from numba.core import ir
from numba.core.errors import TypingError
from numba.core.ir_utils import mk_unique_var
from numba.core.types import Integer, intp

from batchsim.compiler import (  # noqa: F401 - they tell Numba of what they have
    array_functions,
    array_further,
    array_reductions,
    drawing,
    operators,
    sorting,
    ufuncs,
)
from batchsim.compiler.aliases import shares_memory
from batchsim.compiler.array_choices import OF_WIDTHS, PYTHONS
from batchsim.compiler.array_functions import (
    CONSTANTS,
    METHODS,
    SPECIFICATIONS,
    VIEWS,
    with_arity,
)
from batchsim.compiler.array_linear import SHARED, SHARING
from batchsim.compiler.arrays import DYNAMIC, ConstantArray, IndexType, Window
from batchsim.compiler.indexing import refuse_arrays
from batchsim.compiler.refusals import RefusedError
from batchsim.compiler.rows import ParametersType, StateType
from batchsim.streams.sizes import one_draw, shape_of
from batchsim.values import is_whole

__all__ = ["METHODS", "VIEWS", "Expressions", "of_arrays"]

UNKNOWN = object()
"""What is not known when a kernel is compiled."""

OF_ROWS = (ParametersType, StateType)
"""Types of what has columns, rows or tables as its attributes."""

ARITHMETIC = {
    operator.add, operator.sub, operator.mul, operator.floordiv, operator.mod, operator.truediv,
    operator.pow, operator.neg, operator.pos,
}  # fmt: skip


class Expressions:
    """Changes what a function does with small arrays.

    Args:
        function: Numba's instructions.
        arguments: the types of its arguments.
        precision: "exact" or "fast".
        otherwise: returns `implement` of what stands for a function if it is given no small array,
            None of nothing; given the function, how many arguments it has, and whether there are
            others, such as an axis.
        values: what variables stand for: modules and functions; kept up to date by the caller.
    """

    def __init__(
        self,
        function: Any,
        arguments: tuple[Any, ...],
        precision: str,
        otherwise: Callable[..., Any],
        values: dict[str, Any],
    ) -> None:
        self.function = function
        self.arguments = arguments
        self.precision = precision
        self.otherwise = otherwise
        self.values = values
        self.is_pythons_number: Callable[[Any], bool] = lambda variable: False
        """Whether a variable is certain to hold a number of Python's; set by the caller."""
        self.lists: dict[str, Any] = {}
        """The instructions that make lists, by the compiler's own names for them."""

    # -- What is known --

    def definition(self, variable: Any) -> Any:
        """Return what a variable is set to, None if that is several things."""
        try:
            return self.function.get_definition(variable)
        except KeyError:
            return None

    def known(self, variable: Any) -> Any:
        """Return the value of a variable that is known when the function is compiled."""
        if variable.name in self.values and self.values[variable.name] is not None:
            return self.values[variable.name]
        defined = self.definition(variable)
        if isinstance(defined, ir.Var):
            return self.known(defined)
        if isinstance(defined, (ir.Const, ir.Global, ir.FreeVar)):
            return defined.value
        if isinstance(defined, ir.Expr):
            return self.known_expression(defined)
        return UNKNOWN

    def known_expression(self, expression: Any) -> Any:
        """Return the value of an expression, `UNKNOWN` if it is not known."""
        if expression.op in ("build_tuple", "build_list"):
            items = [self.known(item) for item in expression.items]
            if any(item is UNKNOWN for item in items):
                return UNKNOWN
            return tuple(items) if expression.op == "build_tuple" else items
        if expression.op in ("binop", "unary") and expression.fn in ARITHMETIC:
            names = ("lhs", "rhs") if expression.op == "binop" else ("value",)
            operands = [self.known(getattr(expression, name)) for name in names]
            if all(isinstance(operand, (int, float)) for operand in operands):
                try:
                    return expression.fn(*operands)
                except ArithmeticError:
                    return UNKNOWN
        if expression.op == "getattr":
            return self.known_attribute(expression)
        if expression.op in ("getitem", "static_getitem"):
            return self.known_extent(expression)
        if expression.op == "call" and not expression.kws:
            called = self.known(expression.func)
            if called is len and len(expression.args) == 1:
                shape = self.shape(expression.args[0])
                return shape[0] if shape and shape[0] is not None else UNKNOWN
            arguments = [self.known(argument) for argument in expression.args]
            is_known = not any(argument is UNKNOWN for argument in arguments)
            if is_known and any(called is function for function in (slice, len, int, float)):
                return called(*arguments)
        return UNKNOWN

    def known_attribute(self, expression: Any) -> Any:
        """Return an attribute of a module, or a parameter that is compiled in."""
        base = self.definition(expression.value)
        while isinstance(base, ir.Var):
            base = self.definition(base)
        if isinstance(base, ir.Arg):
            kind = self.arguments[base.index]
            if not isinstance(kind, ParametersType) or expression.attr in kind.sources:
                return UNKNOWN
            return getattr(kind.tile.constants, expression.attr, UNKNOWN)
        if expression.attr in ("shape", "size", "ndim"):
            shape = self.shape(expression.value)
            if shape is not None and None not in shape:
                of_array = {"shape": shape, "size": math.prod(shape), "ndim": len(shape)}  # type: ignore[arg-type]
                return of_array[expression.attr]
        owner = self.known(expression.value)
        if isinstance(owner, (ModuleType, type)):
            return getattr(owner, expression.attr, UNKNOWN)
        return UNKNOWN

    def known_extent(self, expression: Any) -> Any:
        """Return `array.shape[k]`, if it is known."""
        of = self.origin(expression.value)
        if not isinstance(of, ir.Expr) or of.op != "getattr" or of.attr != "shape":
            return UNKNOWN
        index = expression.index
        k = self.known(index) if isinstance(index, ir.Var) else index
        shape = self.shape(of.value)
        if shape is None or not isinstance(k, int) or not -len(shape) <= k < len(shape):
            return UNKNOWN
        return UNKNOWN if shape[k] is None else shape[k]

    def origin(self, variable: Any) -> Any:
        """Return what a variable, or the one that it is a copy of, is set to."""
        defined = self.definition(variable)
        while isinstance(defined, ir.Var):
            defined = self.definition(defined)
        return defined

    def shape(self, variable: Any) -> tuple[int | None, ...] | None:
        """Return the shape of an argument, a column's row or a table, None where it is not known;
        None in it is an extent that the code finds out.
        """
        defined = self.origin(variable)
        if isinstance(defined, ir.Arg):
            return getattr(self.arguments[defined.index], "shape", None)
        if isinstance(defined, (ir.Global, ir.FreeVar)):
            value = getattr(defined.value, "array", defined.value)
            return value.shape if isinstance(value, np.ndarray) else None
        if not isinstance(defined, ir.Expr):
            return None
        if defined.op == "getattr":
            base = self.origin(defined.value)
            kind = self.arguments[base.index] if isinstance(base, ir.Arg) else None
            return kind.shape_of(defined.attr) if isinstance(kind, OF_ROWS) else None
        if defined.op in ("getitem", "static_getitem"):
            shape = self.shape(defined.value)
            count = self.count_of_numbers(defined)
            return None if shape is None or count is None else shape[count:]
        return None

    def count_of_numbers(self, expression: Any) -> int | None:
        """Return how many axes an index takes away, None if it does more than that."""
        index = expression.index
        if not isinstance(index, ir.Var):
            return 1 if is_whole(index) else None
        defined = self.origin(index)
        is_tuple = isinstance(defined, ir.Expr) and defined.op == "build_tuple"
        parts = list(defined.items) if is_tuple else [index]
        plain = all(not self.is_slice(part) and self.is_number(part) for part in parts)
        return len(parts) if plain else None

    def is_number(self, variable: Any) -> bool:
        """Tell whether an index is known to be, or is a variable that can only be, a number."""
        value = self.known(variable)
        if value is not UNKNOWN:
            return is_whole(value)
        defined = self.origin(variable)
        kind = self.arguments[defined.index] if isinstance(defined, ir.Arg) else None
        return isinstance(kind, Integer)

    def is_parameter(self, expression: Any) -> bool:
        """Tell whether an expression is a parameter, which is Python's number or truth value."""
        base = self.definition(expression.value)
        while isinstance(base, ir.Var):
            base = self.definition(base)
        if not isinstance(base, ir.Arg):
            return False
        kind = self.arguments[base.index]
        return isinstance(kind, ParametersType) and kind.is_plain(expression.attr)

    # -- What is changed --

    def note(self, assignment: Any) -> None:
        """Remember an instruction that makes a list."""
        name = assignment.target.name
        if name.startswith("$") and getattr(assignment.value, "op", None) == "build_list":
            self.lists[name] = assignment

    def constant(self, assignment: Any) -> None:
        """Give an array of a module's a type that knows its shape."""
        value = assignment.value
        array = value.value if isinstance(value, (ir.Global, ir.FreeVar)) else None
        if isinstance(value, ir.Expr) and value.op == "getattr":
            array = self.values.get(assignment.target.name)
        if isinstance(array, np.ndarray) and _can_be_constant(array):
            assignment.value = ir.Global("array", ConstantArray(array), assignment.loc)

    def call(self, assignment: Any, function: Any, first: Any) -> list[Any] | None:
        """Change a call of a function of arrays; return what must come before it, None if it is
        none.

        Args:
            assignment: whose value is the call.
            function: what is called.
            first: the array whose method it is, or None.
        """
        expression = assignment.value
        try:
            specification = SPECIFICATIONS.get(function)
        except TypeError:  # It cannot be hashed.
            return None
        arguments = list(expression.args) if first is None else [first, *expression.args]
        keywords = dict(expression.kws)
        if function in CONSTANTS:
            found = self.constant_call(assignment, function, arguments, keywords)
            if found is not None:
                return found
        if specification is None or expression.vararg is not None:
            return None
        if function in (np.reshape, np.transpose) and first is not None and len(arguments) > 2:
            # `array.reshape(2, 3)`: what is only read here needs no instruction.
            arguments = [first, self.tuple_of(arguments[1:], assignment)]
        try:
            bound = specification.signature.bind(*arguments, **keywords).arguments
        except TypeError as error:
            raise RefusedError(f"np.{function.__name__}: {error}", assignment.loc) from None
        before: list[Any] = []
        dynamic, statics = [], {}
        for name, variable in bound.items():
            if name in specification.dynamic:
                dynamic.append(self.without_lists(variable, before, assignment))
                continue
            statics[name] = self.known(variable)
            if statics[name] is UNKNOWN:
                raise RefusedError(
                    f"np.{function.__name__}: {name} must be known when the environment is "
                    "compiled: a number that is written there, or a parameter that decides the "
                    "shape of a column",
                    assignment.loc,
                )
        otherwise = self.otherwise(function, len(dynamic), bool(statics))
        if function in OF_WIDTHS:
            certain = (k for k, variable in enumerate(dynamic) if self.is_pythons_number(variable))
            statics[PYTHONS] = tuple(certain)
        if function in SHARING and self.memory(arguments[0]) == self.memory(arguments[1]):
            statics[SHARED] = True
        made = _make(function, self.precision, len(dynamic), _frozen(statics), otherwise)
        return before + self.put(assignment, made, dynamic)

    def draws(self, assignment: Any, function: Any) -> list[Any]:
        """Change a call of a function that draws numbers, with `size=`; return what must come
        before it.
        """
        expression, loc = assignment.value, assignment.loc
        keywords = dict(expression.kws)
        size = self.known(keywords.pop("size"))
        if size is UNKNOWN or not all(map(is_whole, shape_of(size))):
            raise RefusedError(
                f"{function.__name__}: size must be known when the environment is compiled: a "
                "number or a tuple of numbers",
                loc,
            )
        one = one_draw(function)
        try:
            bound = inspect.signature(one).bind(*expression.args, **keywords)
        except TypeError as error:
            raise RefusedError(f"{function.__name__}: {error}", loc) from None
        before = []
        arguments = []
        for name, parameter in inspect.signature(one).parameters.items():
            variable = bound.arguments.get(name)
            if variable is None:
                variable = assignment.target.scope.define(mk_unique_var("$default"), loc)
                before.append(ir.Assign(ir.Const(parameter.default, loc), variable, loc))
            arguments.append(variable)
        stand_in = drawing.draws(function, shape_of(size), len(arguments))
        return before + self.put(assignment, stand_in, arguments)

    def memory(self, variable: Any) -> str:
        """Return the name of the first variable that an array is known to be, or to be a view of.

        NumPy multiplies an array with its own transpose in another way.
        """
        defined = self.definition(variable)
        if isinstance(defined, ir.Var):
            return self.memory(defined)
        if isinstance(defined, ir.Expr):
            if defined.op == "getattr" and defined.attr == "T":
                return self.memory(defined.value)
            if defined.op == "call" and defined.args and self.known(defined.func) is np.transpose:
                return self.memory(defined.args[0])
        name: str = variable.name
        return name

    def matmul(self, assignment: Any) -> list[Any]:
        """Change `x @ y`."""
        value = assignment.value
        operands = (value.lhs, value.rhs)
        called = assignment.target.scope.define(mk_unique_var("$matmul"), assignment.loc)
        assignment.value = ir.Expr.call(called, operands, (), assignment.loc)
        made = self.call(assignment, operator.matmul, None)
        assert made is not None
        return made

    def tuple_of(self, variables: list[Any], assignment: Any) -> Any:
        """Return a variable that holds several in a tuple; its definition is noted at once."""
        loc, scope = assignment.loc, assignment.target.scope
        variable = scope.define(mk_unique_var("$tuple"), loc)
        expression = ir.Expr.build_tuple(variables, loc)
        self.function._definitions[variable.name].append(expression)
        return variable

    def constant_call(
        self, assignment: Any, function: Any, arguments: list[Any], keywords: dict[str, Any]
    ) -> list[Any] | None:
        """Call a function now, if all that it is given is known."""
        given = [self.known(argument) for argument in arguments]
        named = {name: self.known(argument) for name, argument in keywords.items()}
        unknown = [value for value in (*given, *named.values()) if value is UNKNOWN]
        if unknown:
            if function is np.full:
                return None
            raise RefusedError(
                f"np.{function.__name__}: what it is given must be known when the environment is "
                "compiled: numbers that are written there, or parameters that decide the shape of "
                "a column",
                assignment.loc,
            )
        try:
            array = np.zeros(*given, **named) if function is np.empty else function(*given, **named)
            constant = array_functions.constant_array(array, self.precision)
        except (TypeError, ValueError) as error:
            raise RefusedError(f"np.{function.__name__}: {error}", assignment.loc) from None
        except TypingError as error:
            raise RefusedError(str(error).rstrip("."), assignment.loc) from None
        return self.put(assignment, constant, [])

    def put(self, assignment: Any, stand_in: Any, arguments: list[Any]) -> list[Any]:
        """Call what stands for a function; return what must come before it."""
        loc, scope = assignment.loc, assignment.target.scope
        variable = scope.define(mk_unique_var("$stand_in"), loc)
        assignment.value = ir.Expr.call(variable, tuple(arguments), (), loc)
        return [ir.Assign(ir.Global("stand_in", stand_in, loc), variable, loc)]

    def without_lists(self, variable: Any, before: list[Any], assignment: Any) -> Any:
        """Return a variable that holds a tuple where another holds a list that is written there."""
        defined = self.definition(variable)
        if not isinstance(defined, ir.Expr) or defined.op not in ("build_list", "build_tuple"):
            return variable
        items = [self.without_lists(item, before, assignment) for item in defined.items]
        if variable.name in self.lists:
            # Nobody else has it.
            self.lists[variable.name].value = ir.Const(None, assignment.loc)
        if defined.op == "build_tuple" and items == list(defined.items):
            return variable
        loc, scope = assignment.loc, assignment.target.scope
        found = scope.define(mk_unique_var("$tuple"), loc)
        before.append(ir.Assign(ir.Expr.build_tuple(items, loc), found, loc))
        return found

    def sort(self, assignment: Any, arguments: list[Any], keywords: Any) -> list[Any]:
        """Change `array.sort()` into `array[...] = np.sort(array)`, as `fill` changes a call."""
        loc, scope = assignment.loc, assignment.target.scope
        found = scope.define(mk_unique_var("$sorted"), loc)
        called = ir.Expr.call(found, tuple(arguments), keywords, loc)
        made = ir.Assign(called, found, loc)
        before = self.call(made, np.sort, None)
        assert before is not None
        return [*before, made, *self.fill(assignment, arguments[0], found)]

    def fill(self, assignment: Any, array: Any, value: Any) -> list[Any]:
        """Change `array.fill(value)` into `array[...] = value`; return what must come before."""
        loc, scope = assignment.loc, assignment.target.scope
        called = scope.define(mk_unique_var("$stand_in"), loc)
        index = scope.define(mk_unique_var("$index"), loc)
        assignment.value = ir.Const(None, loc)
        return [
            ir.Assign(ir.Global("stand_in", _index((Ellipsis,)), loc), called, loc),
            ir.Assign(ir.Expr.call(called, (), (), loc), index, loc),
            ir.SetItem(array, index, value, loc),
        ]

    def array_of(self, variable: Any, loc: Any, scope: Any) -> tuple[Any, list[Any]]:
        """Return a variable that holds an array where another holds a list or a tuple that is
        written there, and what must come before: `s.x[i] = y, x`.
        """
        defined = self.definition(variable)
        if not isinstance(defined, ir.Expr) or defined.op not in ("build_list", "build_tuple"):
            return variable, []
        if not defined.items:
            return variable, []
        found = scope.define(mk_unique_var("$array"), loc)
        called = ir.Expr.call(found, (variable,), (), loc)
        assignment = ir.Assign(called, found, loc)
        made = self.call(assignment, np.array, None)
        assert made is not None
        return found, [*made, assignment]

    def with_list(self, assignment: Any) -> list[Any]:
        """Change `x + [y, z]` and `x += [y, z]`, where `x` is no list; return what must come
        before.
        """
        value = assignment.value
        defined = self.definition(value.rhs)
        if getattr(defined, "op", None) != "build_list":
            return []
        if getattr(self.definition(value.lhs), "op", None) == "build_list":
            return []
        scope = assignment.target.scope
        value.rhs, made = self.array_of(value.rhs, assignment.loc, scope)
        return made

    def index(self, variable: Any, loc: Any, scope: Any) -> tuple[Any, list[Any]]:
        """Return the variable of an index whose slices are known, and what must come before."""
        defined = self.definition(variable)
        if isinstance(defined, ir.Expr) and defined.op == "build_list":
            return self.array_of(variable, loc, scope)
        parts = [variable]
        if isinstance(defined, ir.Expr) and defined.op == "build_tuple":
            parts = list(defined.items)
        if any(getattr(self.definition(part), "op", None) == "build_list" for part in parts):
            return self.index_with_lists(parts, loc, scope)
        pattern: list[Any] = []
        dynamic = []
        for part in parts:
            value = self.known(part)
            if isinstance(value, slice):
                pattern.append((value.start, value.stop, value.step))
            elif is_whole(value):
                pattern.append(int(value))
            elif value is None or value is Ellipsis:
                pattern.append(value)
            elif value is UNKNOWN and not self.is_slice(part):
                pattern.append(DYNAMIC)
                dynamic.append(part)
            else:
                window = self.window(part)
                if window is None:
                    return variable, []
                pattern.append(window[1])
                dynamic.append(window[0])
        if all(isinstance(part, int) or part == DYNAMIC for part in pattern):
            return variable, []
        called = scope.define(mk_unique_var("$stand_in"), loc)
        found = scope.define(mk_unique_var("$index"), loc)
        stand_in = _index(tuple(pattern))
        return found, [
            ir.Assign(ir.Global("stand_in", stand_in, loc), called, loc),
            ir.Assign(ir.Expr.call(called, tuple(dynamic), (), loc), found, loc),
        ]

    def index_with_lists(self, parts: list[Any], loc: Any, scope: Any) -> tuple[Any, list[Any]]:
        """Return the variable of an index with arrays in the places of lists, and what must come
        before: `a[[0, 1], [1, 0]]`.
        """
        items, before = [], []
        for part in parts:
            item, made = self.array_of(part, loc, scope)
            items.append(item)
            before += made
        found = scope.define(mk_unique_var("$tuple"), loc)
        return found, [*before, ir.Assign(ir.Expr.build_tuple(items, loc), found, loc)]

    def window(self, variable: Any) -> tuple[Any, Window] | None:
        """Return where a slice begins, and its length, if that is known: `x[t : t + 5]`."""
        bounds = [] if not self.is_slice(variable) else self.definition(variable).args
        if len(bounds) != 2:
            return None
        (start, before), (end, behind) = map(self.sum_of, bounds)
        length = behind - before
        if start is None or start != end or length < 1:
            return None
        return bounds[0], Window(length)

    def sum_of(self, variable: Any) -> tuple[str | None, int]:
        """Return the variable that has a name, and the number, of which a bound is the sum.

        What variables with names are set to is not followed: it may have been long ago.
        """
        value = self.known(variable)
        if is_whole(value):
            return None, int(value)
        defined = self.definition(variable) if variable.name.startswith("$") else None
        if isinstance(defined, ir.Var):
            return self.sum_of(defined)
        if isinstance(defined, ir.Expr) and defined.op == "binop":
            (left, one), (right, other) = self.sum_of(defined.lhs), self.sum_of(defined.rhs)
            if defined.fn is operator.add and None in (left, right):
                return left or right, one + other
            if defined.fn is operator.sub and right is None:
                return left, one - other
        return variable.name, 0

    def is_slice(self, variable: Any) -> bool:
        """Tell whether a variable is a slice, whose bounds are not known."""
        defined = self.definition(variable)
        return (
            isinstance(defined, ir.Expr)
            and defined.op == "call"
            and self.known(defined.func) is slice
        )


def of_arrays(function: Any) -> bool:
    """Tell whether a function is one of those of small arrays."""
    try:
        return function in SPECIFICATIONS or function in CONSTANTS or function in ufuncs.UFUNCS
    except TypeError:  # It cannot be hashed.
        return False


def _can_be_constant(array: np.ndarray[Any, Any]) -> bool:
    return array.flags.c_contiguous and array.ndim > 0 and array.dtype.kind in "biuf"


def _frozen(statics: dict[str, Any]) -> tuple[Any, ...]:
    """Return arguments so that they can be hashed, with their types: 1 is not True."""

    def freeze(value: Any) -> Any:
        if isinstance(value, (tuple, list)):
            return tuple(map(freeze, value))
        return value

    return tuple((name, freeze(value), repr(value)) for name, value in statics.items())


@functools.cache
def _make(
    function: Any, precision: str, count: int, statics: tuple[Any, ...], otherwise: Any
) -> Any:
    """Return what stands for a function that is given what is known, and so many arguments."""
    known = {name: value for name, value, _ in statics}
    of_arrays = SPECIFICATIONS[function].build(precision, known)

    def implement(typing_context: Any, *arguments: Any) -> Any:
        found = of_arrays(typing_context, *arguments)
        if found is None and otherwise is not None:
            return otherwise(typing_context, *arguments)
        return found

    stand_in = with_arity(function.__name__, count, implement)
    if function in VIEWS or function in (np.asarray, np.asanyarray):
        shares_memory(stand_in)
    return stand_in


@functools.cache
def _index(pattern: tuple[Any, ...]) -> Any:
    """Return what makes an index of this pattern from the numbers that are dynamic."""
    kind = IndexType(pattern)

    def implement(typing_context: Any, *numbers: Any) -> Any:
        refuse_arrays(numbers)

        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            value = context.get_value_type(kind)(Undefined)
            for k, (number, given) in enumerate(zip(args, sig.args, strict=True)):
                word = context.cast(builder, number, given, intp)
                value = builder.insert_value(value, word, k)
            return value

        return kind(*numbers), generate

    return with_arity("index", kind.count, implement)
