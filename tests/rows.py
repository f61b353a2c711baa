"""Functions over rows, which Python runs with NumPy, and which are compiled as a definition's are.

What they return, and the rows they may have written into, is compared bit by bit.
"""

import functools
import types as python_types

import numba
import numpy as np
import pytest
from numba.extending import intrinsic

from batchsim.compiler import agreement, compile, target
from batchsim.compiler.arrays import TUPLE, Reference, reference_at

COMPILERS = {"exact": agreement.Compiler, "fast": agreement.FastCompiler}


@functools.cache
def row(shape, *, readonly=False):
    """What makes a row of this shape of an array."""

    @intrinsic
    def make(typing_context, array):
        kind = Reference(array.dtype, shape, readonly=readonly)

        def generate(context, builder, signature, arguments):
            found = context.make_array(array)(context, builder, value=arguments[0])
            return reference_at(context, builder, kind, found.data)

        return kind(array), generate

    return make


def compiled(function, precision, checked=False):
    """The function, and those of its module that it calls, as batchsim compiles them."""
    made = {}

    def bind(function):
        if function not in made:
            names = dict(function.__globals__)
            for name in function.__code__.co_names:
                other = names.get(name)
                if isinstance(other, python_types.FunctionType):
                    if other.__module__ == function.__module__:
                        names[name] = bind(other)
            copy = python_types.FunctionType(function.__code__, names, function.__name__)
            options = {**compile.CALLEE, "boundscheck": checked}
            options["pipeline_class"] = COMPILERS[precision]
            made[function] = target.callee(copy, **options)
        return made[function]

    return bind(function)


def parts(result):
    """What a function returned, as a list of arrays."""
    if result is None:
        return []
    members = result if isinstance(result, tuple) else (result,)
    return [np.asarray(member) for member in members]


@functools.cache
def caller(function, given, wanted, precision, checked):
    """What calls a function, compiled, with arrays, and stores what it returns in others.

    Args:
        function: of rows.
        given, wanted: of each array the dtype and the shape.
        precision, checked: how it is compiled.
    """
    made = compiled(function, precision, checked)
    names = {"function": made}
    rows, outputs, lines = [], [], []
    for k, (_, shape) in enumerate(given):
        names[f"row{k}"] = row(shape)
        rows.append(f"a{k}")
    calls = ", ".join(f"row{k}({name})" for k, name in enumerate(rows))
    for k, (_, shape) in enumerate(wanted):
        names[f"result{k}"] = row(shape or (1,))
        outputs.append(f"o{k}")
        member = f"found[{k}]" if len(wanted) > 1 else "found"
        lines.append(f"    result{k}(o{k})[{'...' if shape else 0}] = {member}")
    lines = [f"def main({', '.join(rows + outputs)}):", f"    found = function({calls})", *lines]
    exec("\n".join(lines), names)
    main = numba.njit(names["main"], _nrt=False, error_model="numpy", boundscheck=checked)
    return made, main


def described(arrays):
    """The dtype and the shape of each array."""
    return tuple((array.dtype, array.shape) for array in arrays)


def run(function, *arrays, precision="exact", checked=False):
    """Call a function compiled; return what it returned, and the rows as they are then.

    What it returns is stored as arrays of the types and shapes that Python's results have.
    """
    rows = [np.array(array) for array in arrays]
    with np.errstate(all="ignore"):
        wanted = parts(function(*rows))
    rows = [np.array(array) for array in arrays]
    results = [np.zeros(one.shape or (1,), one.dtype) for one in wanted]
    made, main = caller(function, described(rows), described(wanted), precision, checked)
    main(*rows, *results)
    if precision == "exact":
        _require_types(made, wanted)
    return [one.reshape(other.shape) for one, other in zip(results, wanted, strict=True)], rows


def _require_types(made, wanted):
    """Fail if an array has other numbers than NumPy's."""
    (overload,) = made.overloads.values()
    kind = overload.signature.return_type
    kinds = kind.types if isinstance(kind, TUPLE) else [kind]
    for k, (found, one) in enumerate(zip(kinds, wanted, strict=False)):
        if hasattr(found, "shape"):
            assert numba.np.numpy_support.as_dtype(found.dtype) == one.dtype, f"result {k}: {found}"


def differences(function, *arrays, **how):
    """Return what is not the same: which result or row, what Python says, and what is found."""
    rows = [np.array(array) for array in arrays]
    with np.errstate(all="ignore"):
        wanted = parts(function(*rows))
    results, found = run(function, *arrays, **how)
    pairs = [(f"result {k}", *pair) for k, pair in enumerate(zip(wanted, results, strict=True))]
    pairs += [(f"row {k}", *pair) for k, pair in enumerate(zip(rows, found, strict=True))]
    return [(name, one, other) for name, one, other in pairs if not same(one, other)]


def same(one, other):
    """Whether two arrays have the same bits; NaN is NaN."""
    if one.dtype.kind != "f":
        return one.dtype == other.dtype and np.array_equal(one, other)
    both = np.isnan(one) & np.isnan(other)
    bits = f"i{one.itemsize}"
    return bool(((one.view(bits) == other.view(bits)) | both).all())


class Cases(list):
    """Functions, and the arrays that they are called with."""

    def over(self, *arrays, **how):
        """Add a function."""

        def add(function):
            self.append(pytest.param(function, arrays, how, id=f"{function.__name__}{len(self)}"))
            return function

        return add


class Refusals(list):
    """Functions that cannot be compiled, and what is said of them."""

    def saying(self, sentence, *arrays):
        """Add a function."""

        def add(function):
            self.append(pytest.param(function, sentence, arrays, id=function.__name__))
            return function

        return add


def reason(function, *arrays):
    """Return what is said of a function that cannot be compiled, None if it can."""
    try:
        made = compiled(function, "exact")
        kinds = [Reference(numba.from_dtype(array.dtype), array.shape) for array in arrays]
        made.compile(tuple(kinds))
    except Exception as error:
        return str(error)
    return None
