"""Python's operators over arrays whose shape is known, small ones and large."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature

from batchsim.compiler.arrays import (
    Large,
    Reference,
    Value,
    cast_elements,
    data_pointer,
    make_value,
    store_elements,
)
from batchsim.compiler.elementwise import (
    BINARY,
    INPLACE,
    UNARY,
    compute,
    is_array,
    make,
    result_type,
)
from batchsim.compiler.large import is_large, large_type, make_large, store

__all__: list[str] = []


class _Operator(AbstractTemplate):
    ufunc: np.ufunc
    prefer_literal = True
    metadata = {"target": "cpu"}  # noqa: RUF012

    def generic(self, args: Any, kws: Any) -> Any:
        if not any(map(is_array, args)):
            return None
        found = large_type if is_large(args) else result_type
        return signature(found(self.ufunc, args), *args)


class _InPlace(AbstractTemplate):
    ufunc: np.ufunc
    prefer_literal = True
    metadata = {"target": "cpu"}  # noqa: RUF012

    def generic(self, args: Any, kws: Any) -> Any:
        if not is_array(args[0]):
            return None
        # What does not go is refused by `aliases`: Numba's own operator is not to be asked.
        return signature(args[0], *args)


def _lower_in_place(ufunc: np.ufunc) -> Any:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        array = sig.args[0]
        if is_large(sig.args):
            wanted = signature(large_type(ufunc, sig.args), *sig.args)
            value = make_large(context, builder, wanted, args)
            pointer = data_pointer(context, builder, array, args[0])
            store(context, builder, array, pointer, wanted.return_type, value)
            return args[0]
        choice, _, numbers = compute(context, builder, ufunc, sig, args)
        numbers = cast_elements(context, builder, numbers, choice.output, array.dtype)
        if isinstance(array, Value):
            return make_value(context, builder, array, numbers)
        pointer = data_pointer(context, builder, array, args[0])
        store_elements(context, builder, array, pointer, numbers)
        return args[0]

    return generate


def _lower_operator(ufunc: np.ufunc) -> Any:
    of_small = make(ufunc)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        of_large = isinstance(sig.return_type, Large)
        return (make_large if of_large else of_small)(context, builder, sig, args)

    return generate


KINDS = (Large, Reference, Value)


def _register() -> None:
    for function, ufunc in (*BINARY.items(), *UNARY.items()):
        name = f"_{ufunc.__name__}"
        template = type(name, (_Operator,), {"key": function, "ufunc": ufunc})
        infer_global(function)(template)
        generate = _lower_operator(ufunc)
        if function in UNARY:
            for kind in KINDS:
                lower_builtin(function, kind)(generate)
            continue
        for kind in KINDS:
            lower_builtin(function, kind, types.Any)(generate)
            lower_builtin(function, types.Any, kind)(generate)
            for other in KINDS:
                lower_builtin(function, kind, other)(generate)
    for function, ufunc in INPLACE.items():
        template = type(
            f"_in_place_{ufunc.__name__}", (_InPlace,), {"key": function, "ufunc": ufunc}
        )
        infer_global(function)(template)
        generate = _lower_in_place(ufunc)
        for kind in KINDS:
            lower_builtin(function, kind, types.Any)(generate)
            for other in KINDS:
                lower_builtin(function, kind, other)(generate)


_register()
