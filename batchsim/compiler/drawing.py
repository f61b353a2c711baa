"""Arrays of random draws in compiled code: `uniform(rng, i, 0.0, 1.0, size=3)`."""

from __future__ import annotations

import functools
import math
from typing import Any

from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError

from batchsim.compiler.array_functions import with_arity
from batchsim.compiler.arrays import LIMIT, Value, make_value
from batchsim.compiler.elementwise import too_large

__all__ = ["draws"]


@functools.cache
def draws(draw: Any, shape: tuple[int, ...], count: int) -> Any:
    """Return what stands for so many draws, one after the other.

    Args:
        draw: the function that draws a number, or with a size an array.
        shape: of the array.
        count: how many arguments the function has.
    """
    size = math.prod(shape)

    def implement(typing_context: Any, *arguments: Any) -> Any:
        if not 0 < size <= LIMIT:
            raise TypingError(too_large(shape))
        typed = typing_context.resolve_value_type(draw)
        own = typing_context.resolve_function_type(typed, arguments, {})
        if own is None:
            return None
        result = Value(own.return_type, shape)

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            word = context.get_value_type(types.intp)
            given = [
                context.cast(builder, value, kind, wanted)
                for value, kind, wanted in zip(values, signature.args, own.args, strict=True)
            ]
            model = context.data_model_manager[result.dtype]
            memory = cgutils.alloca_once(builder, context.get_data_type(result.dtype), size=size)
            with cgutils.for_range(builder, word(size)) as loop:
                number = context.get_function(typed, own)(builder, given)
                place = builder.gep(memory, [loop.index])
                builder.store(model.as_data(builder, number), place)
            numbers = [
                model.from_data(builder, builder.load(builder.gep(memory, [word(k)])))
                for k in range(size)
            ]
            return make_value(context, builder, result, numbers)

        return result(*arguments), generate

    return with_arity(draw.__name__, count, implement)
