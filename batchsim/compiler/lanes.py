"""Functions that vectorised loops can call: one version for a number, others for a vector of them.

LLVM does not vectorise a loop that has a branch or a call in it, and so an environment that needs
the C library's sine was stepped one row at a time. It does vectorise calls of a function that comes
with versions for vectors, as vector mathematics libraries do. `lanewise` makes such functions: of
the vector version one writes the arithmetic, and where it holds; rows for which it does not hold
take the version for one number, which is always right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.compiler import Flags
from numba.core.typing.templates import Signature
from numba.extending import intrinsic

from batchsim.compiler import target

__all__ = ["FUSES", "WIDTHS", "Lanes", "lanewise"]


def _widths(features: str) -> tuple[int, ...]:
    if "+avx512f" in features:
        return (4, 8)
    return (2, 4) if "+avx" in features else (2,)


_CPU = target.processor()
WIDTHS = _widths(_CPU[2])
"""The numbers of float64 lanes that loops are vectorised with, for the CPU that is compiled for."""
FUSES = not _CPU[0].startswith(("x86", "i686")) or "+fma" in _CPU[2].split(",")
"""Whether it fuses a product and a sum; where it does not, a function does that, slowly."""
DOUBLE, WHOLE, BIT = ir.DoubleType(), ir.IntType(64), ir.IntType(1)


class Lanes:
    """A vector of float64 (or int64, or truth) values of a function that is being built.

    Operators and methods add instructions; Python numbers stand for the same in every lane.
    """

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder = builder
        self.value = value

    @property
    def width(self) -> int:
        """How many lanes."""
        return int(self.value.type.count)

    def _new(self, value: Any) -> Lanes:
        return Lanes(self.builder, value)

    def of(self, other: Any) -> Any:
        """Return a value, or a number in every lane, as an LLVM value."""
        if isinstance(other, Lanes):
            return other.value
        return ir.Constant(self.value.type, [other] * self.width)

    def _binary(self, operation: str, other: Any, swap: bool = False) -> Lanes:
        sides = self.of(other), self.value
        left, right = sides if swap else sides[::-1]
        return self._new(getattr(self.builder, operation)(left, right))

    def __add__(self, other: Any) -> Lanes:
        return self._binary("fadd", other)

    def __sub__(self, other: Any) -> Lanes:
        return self._binary("fsub", other)

    def __rsub__(self, other: Any) -> Lanes:
        return self._binary("fsub", other, swap=True)

    def __mul__(self, other: Any) -> Lanes:
        return self._binary("fmul", other)

    def __truediv__(self, other: Any) -> Lanes:
        return self._binary("fdiv", other)

    def __neg__(self) -> Lanes:
        return self._new(self.builder.fneg(self.value))

    def __and__(self, other: Any) -> Lanes:
        return self._binary("and_", other)

    def __or__(self, other: Any) -> Lanes:
        return self._binary("or_", other)

    def __invert__(self) -> Lanes:
        return self._new(self.builder.not_(self.value))

    def _compare(self, relation: str, other: Any) -> Lanes:
        return self._new(self.builder.fcmp_ordered(relation, self.value, self.of(other)))

    def __lt__(self, other: Any) -> Lanes:
        return self._compare("<", other)

    def __gt__(self, other: Any) -> Lanes:
        return self._compare(">", other)

    def __le__(self, other: Any) -> Lanes:
        return self._compare("<=", other)

    def same(self, other: Any) -> Lanes:
        """Whether the numbers are equal."""
        return self._compare("==", other)

    def call(self, name: str, *others: Any) -> Lanes:
        """Call an LLVM intrinsic of that name on these and other lanes."""
        values = [self.value, *map(self.of, others)]
        kind = self.value.type
        full_name = f"llvm.{name}.v{self.width}f64"
        module = self.builder.module
        function = module.globals.get(full_name)
        if function is None:
            signature = ir.FunctionType(kind, [kind] * len(values))
            function = ir.Function(module, signature, full_name)
        return self._new(self.builder.call(function, values))

    def __abs__(self) -> Lanes:
        return self.call("fabs")

    def fused(self, factor: Any, summand: Any) -> Lanes:
        """Return self * factor + summand, rounded once."""
        return self.call("fma", factor, summand)

    def signed_as(self, other: Lanes) -> Lanes:
        """Return the sizes of these numbers with the signs of the others."""
        return self.call("copysign", other)

    def bits(self) -> Lanes:
        """Return the representations as int64."""
        return self._new(self.builder.bitcast(self.value, ir.VectorType(WHOLE, self.width)))

    def rounded_to_float32(self) -> Lanes:
        """Return the nearest float32 numbers, as float64."""
        kind = self.value.type
        small = self.builder.fptrunc(self.value, ir.VectorType(ir.FloatType(), self.width))
        return self._new(self.builder.fpext(small, kind))

    def whole(self, operation: str, number: int) -> Lanes:
        """Apply an operation on whole numbers ("and_", "add", "shl") with `number`."""
        return self._binary(operation, number)

    def odd(self, bit: int = 1) -> Lanes:
        """Whether that bit of whole numbers is set."""
        masked = self.whole("and_", bit)
        return self._new(self.builder.icmp_signed("!=", masked.value, self.of(0)))

    def choose(self, yes: Any, no: Any) -> Lanes:
        """Return `yes` where these truths hold, else `no`; one of them must be lanes."""
        like = yes if isinstance(yes, Lanes) else no
        return self._new(self.builder.select(self.value, like.of(yes), like.of(no)))

    def any(self) -> Any:
        """Return whether any of these truths holds, one LLVM bit."""
        kind = ir.IntType(self.width)
        together = self.builder.bitcast(self.value, kind)
        return self.builder.icmp_unsigned("!=", together, ir.Constant(kind, 0))

    def rows(self, table: Sequence[float], columns: int) -> list[Lanes]:
        """Return rows of a table, by their numbers: one vector a column."""
        builder, kind = self.builder, ir.VectorType(DOUBLE, self.width)
        found = [ir.Constant(kind, ir.Undefined) for _ in range(columns)]
        address = _constant_table(builder.module, table)
        for lane in range(self.width):
            place = ir.Constant(ir.IntType(32), lane)
            start = builder.mul(
                builder.extract_element(self.value, place), ir.Constant(WHOLE, columns)
            )
            for column in range(columns):
                index = builder.add(start, ir.Constant(WHOLE, column))
                number = builder.load(
                    builder.gep(address, [ir.Constant(WHOLE, 0), index], inbounds=True)
                )
                found[column] = builder.insert_element(found[column], number, place)
        return [self._new(value) for value in found]


def _constant_table(module: Any, table: Sequence[float]) -> Any:
    kind = ir.ArrayType(DOUBLE, len(table))
    name = f".table.{abs(hash(tuple(table)))}"
    found = module.globals.get(name)
    if found is None:
        found = ir.GlobalVariable(module, kind, name)
        found.linkage = "private"
        found.global_constant = True
        found.initializer = ir.Constant(kind, list(table))
    return found


def lanewise(scalar: Callable[[float], float], body: Callable[[Lanes], tuple[Lanes, Lanes]]) -> Any:
    """Return an intrinsic of one float64 that vectorised loops can call.

    Args:
        scalar: the function of one number, which Numba can compile.
        body: builds the same for lanes: returns the results, and where they may be wrong; those
            are computed by `scalar`.
    """
    name = f"batchsim_{scalar.__name__}"

    @intrinsic
    def function(typing_context: Any, x: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            module = builder.module
            found = module.globals.get(name)
            if found is None:
                found = _define(context, module, name, scalar, body)
            return builder.call(found, arguments)

        return types.float64(types.float64), codegen

    return function


def _define(context: Any, module: Any, name: str, scalar: Any, body: Any) -> Any:
    function = ir.Function(module, ir.FunctionType(DOUBLE, [DOUBLE]), name)
    # Inlined before loops are vectorised, it would no longer be a call with other versions.
    _describe(function, "noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    builder.ret(_call_python(context, builder, scalar, function.args))
    versions = []
    for width in WIDTHS:
        version = f"{name}_{width}"
        versions.append(f"_ZGV_LLVM_N{width}v_{name}({version})")
        _define_version(module, version, function, width, body)
    _add_attribute(function, f'"vector-function-abi-variant"="{",".join(versions)}"')
    return function


def _define_version(module: Any, name: str, scalar: Any, width: int, body: Any) -> None:
    kind = ir.VectorType(DOUBLE, width)
    function = ir.Function(module, ir.FunctionType(kind, [kind]), name)
    _describe(function)
    builder = ir.IRBuilder(function.append_basic_block())
    (x,) = function.args
    value, doubtful = body(Lanes(builder, x))
    # Where the values may be wrong: in memory, lane by lane.
    inputs, outputs = (cgutils.alloca_once(builder, kind) for _ in range(2))
    builder.store(value.value, outputs)
    with builder.if_then(doubtful.any(), likely=False):
        builder.store(x, inputs)
        mask = builder.zext(builder.bitcast(doubtful.value, ir.IntType(width)), ir.IntType(64))
        of_lanes = [builder.bitcast(memory, DOUBLE.as_pointer()) for memory in (inputs, outputs)]
        with (
            cgutils.for_range(builder, ir.Constant(WHOLE, width)) as loop,
            builder.if_then(builder.trunc(builder.lshr(mask, loop.index), BIT)),
        ):
            source, target = (builder.gep(start, [loop.index]) for start in of_lanes)
            builder.store(builder.call(scalar, [builder.load(source)]), target)
    builder.ret(builder.load(outputs))


def _describe(function: Any, *more: str) -> None:
    """Say of an LLVM function that it does nothing but compute its result."""
    # Kept although nothing seems to call it, and merged with its like from other modules.
    function.linkage = "weak_odr"
    for attribute in ("nounwind", "readnone", "willreturn", *more):
        _add_attribute(function, attribute)


def _add_attribute(function: Any, attribute: str) -> None:
    """Add an attribute to an LLVM function."""
    # llvmlite refuses attributes that it does not list.
    set.add(function.attributes, attribute)


def _call_python(context: Any, builder: Any, python: Any, arguments: Any) -> Any:
    """Call a Python function, compiled, from a function that has not Numba's calling convention."""
    flags: Any = Flags()
    flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    flags.error_model = "numpy"
    flags.nrt = False
    signature = Signature(types.float64, (types.float64,), None)
    compiled = context.compile_subroutine(builder, python, signature, flags=flags)
    _, result = context.call_internal_no_propagate(builder, compiled.fndesc, signature, arguments)
    return result
