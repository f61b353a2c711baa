"""How wide the numbers are that operators make of narrow ones: as in NumPy.

An element of a float32 column times a number of Python's is a float32 in NumPy, the sum of two int8
an int8, and that of two truth values a truth value; to Numba they are float64 and int64. Once types
are known, such operators are replaced here by what computes in NumPy's width.

Of Python's number and NumPy's float64 or int64, Numba has one type. So it is followed what each
variable may be (`_Readings`); where it decides the width and is not certain, the function is
refused, with the spelling that is. Whole numbers are not refused then, but stay wide: the numbers
are the same in any width that holds them.
"""

from __future__ import annotations

import builtins
import functools
import itertools
import math
import operator
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
from numba.core import ir, types
from numba.core.ir_utils import mk_unique_var
from numba.np import numpy_support

from batchsim import math as batchsim_math
from batchsim.compiler import elementwise
from batchsim.compiler.array_functions import with_arity
from batchsim.compiler.arrays import TUPLE
from batchsim.compiler.elementwise import BINARY, COMPARISONS, UNARY
from batchsim.compiler.refusals import RefusedError
from batchsim.compiler.rows import ParametersType
from batchsim.compiler.ufuncs import DisagreementError

__all__ = ["READINGS", "Widths", "gives_pythons_number"]

READINGS = "batchsim_readings"
"""In a function's metadata: what returns what the number that it returns may be in Python."""

PYTHONS = {types.int64: int, types.float64: float, types.boolean: bool}
"""Numba's types of which Python's numbers are, too."""
NUMBERS = (types.Integer, types.Float, types.Boolean)
BITWISE = frozenset({operator.and_, operator.or_, operator.xor})
COPIES = ("cast", "phi")
OF_MATH = frozenset(
    value for value in vars(math).values() if callable(value) and not isinstance(value, type)
)
OF_PYTHON: frozenset[Any] = frozenset(
    {
        *OF_MATH,
        *batchsim_math.EXACT.values(),
        builtins.float,
        builtins.int,
        builtins.len,
        builtins.round,
    }
)
"""Functions whose numbers are Python's."""
CHOICES = frozenset({builtins.min, builtins.max, builtins.abs})
"""Functions that do the same with a number that was made wider, and return one as wide."""
ANGLES = (batchsim_math.wrap_angle, batchsim_math.wrap_turns)
OF_OPERANDS: frozenset[Any] = frozenset({*CHOICES, *ANGLES})
OWN = frozenset(
    {"batchsim.random", "batchsim.random_state", "batchsim.python_random", "batchsim.raster"}
)
"""Modules whose functions return numbers of Python's."""

Reading = Any
"""A dtype of NumPy's, or one of Python's types."""

_pythons: set[int] = set()


def gives_pythons_number(stand_in: Any) -> Any:
    """Note that what stands for a function returns a number of Python's; return it."""
    _pythons.add(id(stand_in))
    return stand_in


def _is_number(kind: Any) -> bool:
    return isinstance(types.unliteral(kind), NUMBERS)


# --- What a number may be -------------------------------------------------------------------------


class _Readings:
    """What the variables of a function may hold in Python.

    Args:
        function: Numba's instructions, in which each variable is set once.
        typemap, calltypes: Numba's.
    """

    def __init__(self, function: Any, typemap: Any, calltypes: Any) -> None:
        self.function, self.typemap, self.calltypes = function, typemap, calltypes
        self.found: dict[str, frozenset[Reading]] = {}
        changes = True
        while changes:
            changes = False
            for block in function.blocks.values():
                for statement in block.find_insts(ir.Assign):
                    changes |= self._note(statement)

    def _note(self, statement: Any) -> bool:
        name = statement.target.name
        if not _is_number(self.typemap[name]):
            return False
        before = self.found.get(name, frozenset())
        self.found[name] = before | self._of_value(statement.value, self.typemap[name])
        return self.found[name] != before

    def of(self, variable: Any) -> frozenset[Reading]:
        """Return what a variable may be."""
        return self.found.get(variable.name, frozenset())

    def any_of(self, kind: Any) -> frozenset[Reading]:
        """Return what a number of a type may be, of which nothing else is known."""
        kind = types.unliteral(kind)
        python = {PYTHONS[kind]} if kind in PYTHONS else set()
        return frozenset({numpy_support.as_dtype(kind), *python})

    def numpys(self, kind: Any) -> frozenset[Reading]:
        """Return that a number is NumPy's."""
        return frozenset({numpy_support.as_dtype(types.unliteral(kind))})

    def pythons(self, kind: Any) -> frozenset[Reading]:
        """Return that a number is Python's, however narrow it is when compiled."""
        kind = types.unliteral(kind)
        if isinstance(kind, types.Boolean):
            return frozenset({bool})
        return frozenset({float if isinstance(kind, types.Float) else int})

    def definition(self, variable: Any) -> Any:
        """Return what a variable is set to, None if that is several things."""
        try:
            return self.function.get_definition(variable)
        except KeyError:
            return None

    def value_of(self, variable: Any) -> Any:
        """Return the module, function or constant that a variable stands for, or None."""
        defined = self.definition(variable)
        if isinstance(defined, (ir.Const, ir.Global, ir.FreeVar)):
            return defined.value
        if isinstance(defined, ir.Var):
            return self.value_of(defined)
        if isinstance(defined, ir.Expr) and defined.op == "getattr":
            owner = self.value_of(defined.value)
            if isinstance(owner, (ModuleType, type)):
                return getattr(owner, defined.attr, None)
        return None

    def _of_value(self, value: Any, kind: Any) -> frozenset[Reading]:
        if isinstance(value, (ir.Const, ir.Global, ir.FreeVar)):
            is_python = type(value.value) in PYTHONS.values()
            return self.pythons(kind) if is_python else self.numpys(kind)
        if isinstance(value, ir.Var):
            return self.of(value)
        if isinstance(value, ir.Expr):
            return self._of_expression(value, kind)
        return self.any_of(kind)

    def _of_expression(self, value: Any, kind: Any) -> frozenset[Reading]:
        if value.op == "cast":
            return self.of(value.value)
        if value.op == "phi":
            parts = (part for part in value.incoming_values if part is not ir.UNDEFINED)
            return frozenset().union(*map(self.of, parts))
        if value.op in ("binop", "inplace_binop"):
            function = value.fn if value.op == "binop" else value.immutable_fn
            return self._of_operator(function, [value.lhs, value.rhs], kind)
        if value.op == "unary":
            if value.fn is operator.not_:
                return self.pythons(kind)
            return self._of_operator(value.fn, [value.value], kind)
        if value.op in ("getitem", "static_getitem"):
            return self._of_item(value, kind)
        if value.op == "pair_first":
            return self._of_turn(self.definition(value.value), kind)
        if value.op == "getattr":
            return self._of_attribute(value, kind)
        if value.op == "call":
            return self._of_call(value, kind)
        return self.any_of(kind)

    def _of_operator(self, function: Any, operands: list[Any], kind: Any) -> frozenset[Reading]:
        ufunc = BINARY.get(function) or UNARY.get(function)
        if ufunc is None or not all(_is_number(self.typemap[one.name]) for one in operands):
            return self.any_of(kind)
        found = self.outcomes(function, operands).values()
        return frozenset(outcome[-1] for outcome in found if outcome is not None)

    def outcomes(self, function: Any, operands: list[Any]) -> dict[Any, Any]:
        """Return, by what the operands may be, the inputs and the output of what Python does.

        None stands for what raises.
        """
        readings = [sorted(self.of(operand), key=str) for operand in operands]
        return {reading: _outcome(function, reading) for reading in itertools.product(*readings)}

    def _of_item(self, value: Any, kind: Any) -> frozenset[Reading]:
        container = self.typemap[value.value.name]
        if not isinstance(container, TUPLE):
            return self.numpys(kind)
        defined = self.definition(value.value)
        known = self.value_of(value.value)
        if isinstance(known, tuple) and all(type(part) in PYTHONS.values() for part in known):
            return self.pythons(kind)
        if isinstance(defined, ir.Expr) and defined.op == "exhaust_iter":
            source = self.typemap[defined.value.name]
            if not isinstance(source, TUPLE):
                return self.numpys(kind)
            defined = self.definition(defined.value)
        if isinstance(defined, ir.Expr) and defined.op == "build_tuple":
            if value.op == "static_getitem" and isinstance(value.index, int):
                return self.of(defined.items[value.index])
            return frozenset().union(*map(self.of, defined.items))
        return self.any_of(kind)

    def _of_turn(self, turn: Any, kind: Any) -> frozenset[Reading]:
        iterator = self.typemap[turn.value.name] if isinstance(turn, ir.Expr) else None
        if isinstance(iterator, types.RangeIteratorType):
            return self.pythons(kind)
        if isinstance(getattr(iterator, "yield_type", None), NUMBERS):
            return self.numpys(kind)
        return self.any_of(kind)

    def _of_attribute(self, value: Any, kind: Any) -> frozenset[Reading]:
        owner = self.typemap[value.value.name]
        if isinstance(owner, ParametersType):
            return self.pythons(kind) if owner.is_plain(value.attr) else self.numpys(kind)
        if isinstance(owner, types.Array):
            return self.pythons(kind)  # Its size.
        if isinstance(owner, types.Module):
            module = self.value_of(value.value)
            is_python = type(getattr(module, value.attr, None)) in PYTHONS.values()
            return self.pythons(kind) if is_python else self.numpys(kind)
        return self.any_of(kind)

    def _of_call(self, value: Any, kind: Any) -> frozenset[Reading]:
        called = self.typemap[value.func.name]
        if isinstance(called, types.Dispatcher):
            overload = called.dispatcher.overloads.get(tuple(self.calltypes[value].args))
            found = None if overload is None else overload.metadata.get(READINGS)
            return (found() if found else None) or self.any_of(kind)
        function = self.value_of(value.func)
        if id(function) in _pythons:
            return self.pythons(kind)
        try:
            is_python = function in OF_PYTHON
            of_operands = function in OF_OPERANDS
        except TypeError:  # It cannot be hashed.
            return self.any_of(kind)
        if of_operands and all(_is_number(self.typemap[one.name]) for one in value.args):
            return frozenset().union(*map(self.of, value.args))
        if function is batchsim_math.power:
            return self._of_operator(operator.mul, list(value.args), kind)
        module = getattr(function, "__module__", None)
        if is_python or module in OWN:
            return self.pythons(kind)
        is_numpys = isinstance(function, (np.ufunc, type)) or module == "numpy"
        defined = self.definition(value.func)
        is_stand_in = isinstance(defined, ir.Global) and defined.name == "stand_in"
        return self.numpys(kind) if is_numpys or is_stand_in else self.any_of(kind)


@functools.cache
def _outcome(function: Any, readings: tuple[Reading, ...]) -> Any:
    """Return what an operator computes with and what it makes, None if it raises.

    Args:
        function: Python's operator.
        readings: what its operands are.
    """
    ufunc = BINARY.get(function) or UNARY[function]
    if all(isinstance(reading, type) for reading in readings):
        return (*readings, _made_by_python(function, ufunc, readings))
    operands = tuple(np.dtype(bool) if reading is bool else reading for reading in readings)
    try:
        chars = elementwise.loop_of(ufunc, operands)
    except DisagreementError:
        return None
    return tuple(map(np.dtype, chars[: ufunc.nin + 1]))


def _made_by_python(function: Any, ufunc: np.ufunc, readings: tuple[Reading, ...]) -> Reading:
    if ufunc in COMPARISONS or (function in BITWISE and set(readings) == {bool}):
        return bool
    if function is operator.truediv or float in readings:
        return float
    return int


def _sources(value: Any) -> list[Any]:
    """Return the variables one of which a value is: of a `phi`, and of what may be a choice."""
    if not isinstance(value, ir.Expr):
        return []
    if value.op == "phi":
        return [source for source in value.incoming_values if source is not ir.UNDEFINED]
    return list(value.args) if value.op == "call" else []


# --- What is replaced -----------------------------------------------------------------------------


class Widths:
    """Replaces operators of narrow numbers.

    Args:
        function: Numba's instructions.
        precision: in "fast", floating-point numbers are left as they are.
    """

    def __init__(self, function: Any, precision: str) -> None:
        self.function = function
        self.is_exact = precision == "exact"
        self.is_wanted = False

    def operators(self) -> Iterator[tuple[Any, Any, Any, list[Any]]]:
        """Return block, assignment, operator and operands of each operator."""
        for block in self.function.blocks.values():
            for statement in block.find_insts(ir.Assign):
                value = statement.value
                op = getattr(value, "op", None)
                if op in ("binop", "inplace_binop"):
                    function = value.fn if op == "binop" else value.immutable_fn
                    operands = [value.lhs, value.rhs]
                elif op == "unary":
                    function, operands = value.fn, [value.value]
                else:
                    continue
                if function in BINARY or function in UNARY:
                    yield block, statement, function, operands

    def has_narrow(self, typemap: Any) -> bool:
        """Tell whether there is an operator of narrow numbers, or a variable that makes one wider.

        For most functions that is all that is asked.
        """
        for _, _, function, operands in self.operators():
            kinds = [types.unliteral(typemap[operand.name]) for operand in operands]
            if self.is_narrow(function, kinds):
                return True
        return any(
            self.is_wider(typemap[source.name], typemap[statement.target.name])
            for block in self.function.blocks.values()
            for statement in block.find_insts(ir.Assign)
            for source in _sources(statement.value)
        )

    def is_wider(self, given: Any, kind: Any) -> bool:
        """Tell whether a number of NumPy's own type becomes one of another type."""
        given = types.unliteral(given)
        if not isinstance(given, NUMBERS) or given in PYTHONS or given == types.unliteral(kind):
            return False
        return self.is_exact or not isinstance(given, types.Float)

    def is_narrow(self, function: Any, kinds: list[Any]) -> bool:
        """Tell whether an operator of numbers of these types may differ in NumPy."""
        if not all(isinstance(kind, NUMBERS) for kind in kinds):
            return False
        ufunc: Any = BINARY.get(function)
        are_whole = not any(isinstance(kind, types.Float) for kind in kinds)
        if not (are_whole or self.is_exact):
            return False
        if are_whole and ufunc in COMPARISONS:
            return False
        if all(isinstance(kind, types.Boolean) for kind in kinds):
            return function not in BITWISE and len(kinds) == 2
        return not all(kind in PYTHONS for kind in kinds)

    def replace(self, typemap: Any, calltypes: Any) -> bool:
        """Replace what Numba has computed otherwise; return whether anything was.

        Raises:
            RefusedError: what NumPy computes is not certain.
        """
        self.is_wanted = self.is_wanted or self.has_narrow(typemap)
        if not self.is_wanted:
            return False
        readings = _Readings(self.function, typemap, calltypes)
        lost = self.lost(readings, typemap)
        changed: set[str] = set()
        for block, statement, function, operands in list(self.operators()):
            kinds = [types.unliteral(typemap[operand.name]) for operand in operands]
            is_lost = any(operand.name in lost for operand in operands)
            if not (self.is_narrow(function, kinds) or is_lost):
                continue
            loc = statement.loc
            outcomes = readings.outcomes(function, operands)
            found = {outcome for outcome in outcomes.values() if outcome is not None}
            if not found:
                raise RefusedError(
                    f"{_written(function)} does not exist for {_listed(kinds)} in NumPy", loc
                )
            own = calltypes[statement.value]
            wanted = {tuple(map(_numbas, outcome)) for outcome in found}
            is_harmless = self.compares_alike(function, operands, readings)
            if len(wanted) > 1 and not (is_harmless or are_whole(kinds)):
                raise RefusedError(
                    f"{_written(function)} of {_listed(kinds)} computes in one width if a number "
                    "is Python's and in another if it is NumPy's: write float(…) or int(…) around "
                    "them",
                    loc,
                )
            if len(wanted) > 1:
                continue
            (choice,) = wanted
            if own is not None and (*map(types.unliteral, own.args), own.return_type) == choice:
                continue
            _require_fit(function, operands, choice, typemap, loc)
            self.put(block, statement, function, operands, choice)
            changed.add(statement.target.name)
        if not changed:
            self.require_widths(readings, lost)
        return bool(changed)

    def compares_alike(self, function: Any, operands: list[Any], readings: _Readings) -> bool:
        """Tell whether numbers are compared with one that is the same in any width."""
        ufunc: Any = BINARY.get(function)
        if ufunc not in COMPARISONS:
            return False
        known = (readings.value_of(operand) for operand in operands)
        return any(
            type(value) in PYTHONS.values() and float(np.float32(value)) == value for value in known
        )

    def put(
        self, block: Any, statement: Any, function: Any, operands: list[Any], choice: Any
    ) -> None:
        """Put what computes in NumPy's width in the place of an operator."""
        scope, loc = statement.target.scope, statement.loc
        variable = scope.define(mk_unique_var("$stand_in"), loc)
        made = ir.Assign(ir.Global("stand_in", _in_width(function, choice), loc), variable, loc)
        block.body.insert(block.body.index(statement), made)
        statement.value = ir.Expr.call(variable, tuple(operands), (), loc)
        definitions = self.function._definitions
        definitions[variable.name] = [made.value]
        definitions[statement.target.name] = [statement.value]

    def lost(self, readings: _Readings, typemap: Any) -> set[str]:
        """Return the variables that may be narrower numbers in NumPy than they are to Numba, those
        of whole numbers apart.
        """
        return {
            name
            for name, found in readings.found.items()
            if any(
                isinstance(reading, np.dtype)
                and reading.kind not in "iu"
                and self.is_wider(_numbas(reading), typemap[name])
                for reading in found
            )
        }

    def require_widths(self, readings: _Readings, lost: set[str]) -> None:
        """Refuse variables of which some paths have narrower numbers, where that would matter.

        Raises:
            RefusedError: there is one.
        """
        if not lost:
            return
        for block in self.function.blocks.values():
            for statement in block.body:
                used = {variable.name for variable in statement.list_vars()} & lost
                if used and not self.keeps_width(statement, readings):
                    name = min(used).partition(".")[0]
                    who = "a number" if name.startswith("$") else name
                    raise RefusedError(
                        f"{who} has NumPy's narrower numbers on one path and wider ones on "
                        "another: begin with a number of the narrow type, as np.float32(0.0), or "
                        "write float(…) or int(…) around what is added",
                        statement.loc,
                    )

    def keeps_width(self, statement: Any, readings: _Readings) -> bool:
        """Tell whether a statement does the same with a number that was made wider."""
        if not isinstance(statement, ir.Assign):
            return True
        value = statement.value
        if not isinstance(value, ir.Expr) or value.op in COPIES:
            return True
        if value.op == "call":
            function = readings.value_of(value.func)
            if isinstance(function, type) or id(function) in _in_widths or id(function) in _pythons:
                return True
            return function in OF_PYTHON or function in CHOICES
        return value.op in ("binop", "inplace_binop", "unary", "getitem", "static_getitem")

    def note(self, state: Any) -> None:
        """Leave in a function's metadata what the number that it returns may be, when asked for."""
        if _is_number(state.return_type):
            state.metadata[READINGS] = functools.cache(
                functools.partial(self.returned, state.typemap, state.calltypes)
            )

    def returned(self, typemap: Any, calltypes: Any) -> frozenset[Reading]:
        """Return what the number that the function returns may be."""
        readings = _Readings(self.function, typemap, calltypes)
        returns = (
            statement.value
            for block in self.function.blocks.values()
            for statement in block.find_insts(ir.Return)
        )
        return frozenset().union(*map(readings.of, returns))


def are_whole(kinds: list[Any]) -> bool:
    """Tell whether all types are of whole numbers, truth values apart."""
    return all(isinstance(kind, types.Integer) for kind in kinds)


def _numbas(reading: Reading) -> Any:
    """Return Numba's type of what a number is."""
    return {int: types.int64, float: types.float64, bool: types.boolean}.get(
        reading
    ) or numpy_support.from_dtype(reading)


def _written(function: Any) -> str:
    return f"`{SYMBOLS.get(function, function.__name__)}`"


SYMBOLS = {
    operator.add: "+", operator.sub: "-", operator.mul: "*", operator.truediv: "/",
    operator.floordiv: "//", operator.mod: "%", operator.and_: "&", operator.or_: "|",
    operator.xor: "^", operator.lshift: "<<", operator.rshift: ">>", operator.eq: "==",
    operator.ne: "!=", operator.lt: "<", operator.le: "<=", operator.gt: ">", operator.ge: ">=",
    operator.neg: "-", operator.invert: "~",
}  # fmt: skip


def _listed(kinds: list[Any]) -> str:
    return " and ".join(map(str, kinds))


def _require_fit(
    function: Any, operands: list[Any], choice: tuple[Any, ...], typemap: Any, loc: Any
) -> None:
    """Refuse a literal that is beyond the type of the narrow number beside it: NumPy raises."""
    for operand, kind in zip(operands, choice[:-1], strict=True):
        given = typemap[operand.name]
        if isinstance(given, types.IntegerLiteral) and isinstance(kind, types.Integer):
            limits = np.iinfo(numpy_support.as_dtype(kind))
            if not limits.min <= given.literal_value <= limits.max:
                raise RefusedError(
                    f"{given.literal_value} is beyond {kind}, of which the other number is: NumPy "
                    "raises; write int(…) around that",
                    loc,
                )


_in_widths: set[int] = set()


@functools.cache
def _in_width(function: Any, choice: tuple[Any, ...]) -> Any:
    """Return what stands for an operator that computes as NumPy does.

    Args:
        function: Python's operator.
        choice: the types that operands are converted to, and that of the result.
    """
    inputs, output = choice[:-1], choice[-1]
    ufunc = BINARY.get(function) or UNARY[function]

    def implement(typing_context: Any, *kinds: Any) -> Any:
        typed = typing_context.resolve_value_type(function)
        own = typing_context.resolve_function_type(typed, inputs, {})

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            numbers = [
                context.cast(builder, value, types.unliteral(kind), wanted)
                for value, kind, wanted in zip(arguments, signature.args, inputs, strict=True)
            ]
            if all(isinstance(kind, types.Boolean) for kind in inputs):
                known = elementwise.Choice(inputs, output, ("?",) * (len(inputs) + 1), ())
                columns = [[number] for number in numbers]
                return elementwise.apply(context, builder, ufunc, known, columns)[0]
            # Of whole numbers Numba's wider result has the same lower bits.
            numbers = [
                context.cast(builder, number, given, wanted)
                for number, given, wanted in zip(numbers, inputs, own.args, strict=True)
            ]
            found = context.get_function(typed, own)(builder, numbers)
            return context.cast(builder, found, own.return_type, output)

        return output(*kinds), generate

    stand_in = with_arity(function.__name__, len(inputs), implement)
    _in_widths.add(id(stand_in))
    return stand_in
