"""NumPy's reductions of small arrays, as functions call them: `np.sum(a)`, `a.max(axis=0)`.

What is computed, and in which order, is in `batchsim.compiler.reductions`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numba.core.errors import TypingError

from batchsim.compiler import reductions, runs
from batchsim.compiler.array_functions import array_type, numba_dtype, numbers_of, specify
from batchsim.compiler.arrays import Value, make_value
from batchsim.compiler.elementwise import is_array, is_by_row
from batchsim.compiler.large import element_by_index, is_large, lies_in_one_run

__all__: list[str] = []


def strides_of(kind: Any) -> tuple[int, ...] | None:
    """Return the strides of an array, as NumPy has them, None if it lies by row."""
    return None if is_by_row(kind) else kind.strides


def _of_run(name: str, kind: Any, statics: dict[str, Any], precision: str) -> Any:
    """Return signature and code of a reduction of a large array, or expression, to one number."""
    if any(statics.get(key) for key in ("dtype", "keepdims")) or name.startswith("cum"):
        raise TypingError(f"np.{name} of {math.prod(kind.shape):,} elements: write a loop.")
    if statics.get("axis") is not None and kind.ndim > 1:
        raise TypingError(
            f"np.{name} of {math.prod(kind.shape):,} elements along an axis: write a loop over its "
            "rows, and reduce each."
        )
    if isinstance(kind.dtype, types.Float) and not lies_in_one_run(kind):
        raise TypingError(f"np.{name} of a slice of many elements: write a loop over its rows.")
    result = runs.reduce_run_type(name, kind.dtype, math.prod(kind.shape))

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        element = element_by_index(context, builder, kind, args[0])
        _, value = runs.reduce_run(
            context,
            builder,
            name,
            kind.dtype,
            math.prod(kind.shape),
            element,
            ddof=statics.get("ddof", 0),
            exact=precision == "exact",
        )
        return value

    return result(kind), generate


def _reduced(name: str, *, accumulates: bool = False) -> Any:
    def build(precision: str, statics: dict[str, Any]) -> Any:
        axis = statics.get("axis")
        if not (axis is None or isinstance(axis, int)) or isinstance(axis, bool):
            raise TypingError(f"np.{name} is along the axis {axis}; expected one number.")
        dtype = statics.get("dtype")
        settings: dict[str, Any] = {
            key: statics[key] for key in ("keepdims", "ddof") if key in statics
        }
        type_of: Any = reductions.accumulate_type if accumulates else reductions.reduce_type
        make: Any = reductions.accumulate if accumulates else reductions.reduce
        if not accumulates:
            settings["exact"] = precision == "exact"

        def implement(typing_context: Any, given: Any) -> Any:
            if isinstance(given, types.Array) and not is_array(given):
                return None
            if is_array(given) and is_large((given,)):
                return _of_run(name, given, statics, precision)
            kind = array_type(given, precision)
            if not is_array(kind):
                return None
            element = kind.dtype if dtype is None else numba_dtype(dtype, precision)
            more = {"keepdims": settings["keepdims"]} if "keepdims" in settings else {}
            found, shape = type_of(name, element, kind.shape, axis, **more)
            result = Value(found, shape) if shape else found

            def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
                _, values = numbers_of(context, builder, sig.args[0], args[0], element)
                more: dict[str, Any] = (
                    {} if accumulates else {"strides": strides_of(kind), **settings}
                )
                _, _, numbers = make(
                    context, builder, name, element, kind.shape, values, axis, **more
                )
                return make_value(context, builder, result, numbers) if shape else numbers[0]

            return result(given), generate

        return implement

    return build


for _names, _parameters in (
    (("sum", "prod", "mean"), "a, axis=None, dtype=None, keepdims=False"),
    (("min", "max", "any", "all", "ptp"), "a, axis=None, keepdims=False"),
    (("amin", "amax"), "a, axis=None, keepdims=False"),
    (("argmin", "argmax"), "a, axis=None"),
    (("std", "var"), "a, axis=None, dtype=None, ddof=0, keepdims=False"),
    (("count_nonzero",), "a, axis=None, keepdims=False"),
):
    for _name in _names:
        _methods = () if _name in ("count_nonzero", "ptp", "amin", "amax") else (_name,)
        _build = _reduced({"amin": "min", "amax": "max"}.get(_name, _name))
        specify(getattr(np, _name), _parameters, "a", *_methods)(_build)
for _name in ("cumsum", "cumprod"):
    specify(getattr(np, _name), "a, axis=None, dtype=None", "a", _name)(
        _reduced(_name, accumulates=True)
    )
