"""Rows of pictures: the arithmetic of textures in 32 bits, and how pixels are written.

LLVM does not vectorise loops that look up tables at computed places while they write bytes, and
Numba computes in 64 bits. So these few functions are made of instructions for vectors; as plain
Python they do the same, pixel by pixel.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import (
    intrinsic,
    lower_builtin,
    overload,
    register_jitable,
    type_callable,
)

__all__ = ["advance", "choose", "paint", "paint_row", "shifted"]

LANES = 16
"""Pixels that are written at once."""
AHEAD = 2
"""Rows of a picture from one that is written to those, above and below, that are brought into the
cache: processors do not foresee that pictures are written from both ends."""
BYTE, SHORT, WORD, LONG = (ir.IntType(bits) for bits in (8, 16, 32, 64))
RED, GREEN, BLUE = 77, 150, 29
"""What each channel adds to grey, of 256 (ITU-R BT.601)."""


def advance(place, step):  # type: ignore[no-untyped-def]
    """Return a place one step further along a texture that repeats.

    Args:
        place, step: integers, in parts of 2 ** 32 of the texture.

    Returns:
        Their sum modulo 2 ** 32, uint32 in compiled code.
    """
    return (int(place) + int(step)) & 0xFFFFFFFF


def shifted(number, left, right):  # type: ignore[no-untyped-def]
    """Return `number << left >> right`, int32; both from 0 to 31.

    Args:
        number: an integer from 0 to below 2 ** 32 that, shifted to the left, still is.
    """
    return int(number) << int(left) >> int(right)


def choose(condition, one, other):  # type: ignore[no-untyped-def]
    """Return `one` if the condition is true, else `other`, both int32, without a branch."""
    return one if condition else other


# Lowered as they are called: an overload would be a function to compile for each kind of arguments.
@type_callable(advance)
def _type_advance(context: Any) -> Any:
    return lambda place, step: types.uint32


@type_callable(shifted)
def _type_shifted(context: Any) -> Any:
    return lambda number, left, right: types.int32


@type_callable(choose)
def _type_choose(context: Any) -> Any:
    return lambda condition, one, other: types.int32


def _cast(context: Any, builder: Any, signature: Any, arguments: Any, *wanted: Any) -> Any:
    each = zip(arguments, signature.args, wanted, strict=True)
    return [context.cast(builder, *one) for one in each]


@lower_builtin(advance, types.Any, types.Any)
def _advance(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    words = _cast(context, builder, signature, arguments, *[types.uint32] * 2)
    return builder.add(*words)


@lower_builtin(shifted, types.Any, types.Any, types.Any)
def _shifted(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    number, left, right = _cast(context, builder, signature, arguments, *[types.uint32] * 3)
    return builder.lshr(builder.shl(number, left), right)


@lower_builtin(choose, types.Any, types.Any, types.Any)
def _choose(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    wanted = types.boolean, types.int32, types.int32
    return builder.select(*_cast(context, builder, signature, arguments, *wanted))


@register_jitable
def paint(out, y, x, colour, light, grayscale, channels_first):  # type: ignore[no-untyped-def]
    """Write a pixel.

    Args:
        out: the picture, uint8: (height, width, channels), or (channels, height, width).
        y, x: the pixel.
        colour: red + 256 * green + 65536 * blue; bits from the 24th on are dropped.
        light: from 0 (black) to 256 (the colour as it is).
        grayscale: the picture has one channel and not three.
        channels_first: of the picture.
    """
    red = (int(colour) & 255) * int(light) >> 8
    green = (int(colour) >> 8 & 255) * int(light) >> 8
    blue = (int(colour) >> 16 & 255) * int(light) >> 8
    if grayscale:
        red = (RED * red + GREEN * green + BLUE * blue) >> 8
    if channels_first:
        out[0, y, x] = red
        if not grayscale:
            out[1, y, x] = green
            out[2, y, x] = blue
    else:
        out[y, x, 0] = red
        if not grayscale:
            out[y, x, 1] = green
            out[y, x, 2] = blue


def paint_row(colours, texels, lights, i, out, y, width, grayscale, channels_first):  # type: ignore[no-untyped-def]
    """Write a row of pixels whose colours are looked up.

    Args:
        colours: a table of an environment, (any,), uint32; see `paint` for what a colour is.
        texels: (N, at least width), int32; row i says where in the table each pixel's colour is,
            which compiled code does not check.
        lights: (N, at least width), int32; row i is the light of each pixel.
        i: the row of both.
        out: the picture, uint8, contiguous.
        y: the row of it.
        width: of the picture.
        grayscale, channels_first: as in `paint`.
    """
    for x in range(width):
        colour = colours[texels[i, x]]
        paint(out, y, x, colour, lights[i, x], grayscale, channels_first)


@overload(paint_row)
def _overload_paint_row(colours, texels, lights, i, out, y, width, grayscale, channels_first):  # type: ignore[no-untyped-def]
    arrays = (colours, texels, lights, out)
    if not all(isinstance(array, types.Array) for array in arrays):
        return None
    if tuple(array.dtype for array in arrays) != (types.uint32, *(types.int32,) * 2, types.uint8):
        return None

    def paint_row(colours, texels, lights, i, out, y, width, grayscale, channels_first):  # type: ignore[no-untyped-def]
        if channels_first:
            start, stride = y * width, out.shape[1] * width
        else:
            start, stride = y * width * out.shape[2], 0
        if grayscale:
            _paint_grey(colours, texels, lights, i, out, start, stride, width)
        elif channels_first:
            _paint_planes(colours, texels, lights, i, out, start, stride, width)
        else:
            _paint_pixels(colours, texels, lights, i, out, start, stride, width)

    return paint_row


def _painter(name: str, store: Any) -> Any:
    """Return the intrinsic (colours, texels, lights, i, out, start, stride, width) of a format."""

    @intrinsic
    def painter(  # type: ignore[no-untyped-def]
        typing_context, colours, texels, lights, i, out, start, stride, width
    ):
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            function = builder.module.globals.get(name) or _define(builder.module, name, store)
            colours, texels, lights, out = (
                context.make_array(signature.args[k])(context, builder, arguments[k])
                for k in (0, 1, 2, 4)
            )
            i, start, stride, width = (
                context.cast(builder, arguments[k], signature.args[k], types.int64)
                for k in (3, 5, 6, 7)
            )

            def row(array: Any) -> Any:
                apart = builder.extract_value(array.strides, 0)
                return cgutils.pointer_add(builder, array.data, builder.mul(i, apart))

            builder.call(
                function,
                [
                    colours.data,
                    row(texels),
                    row(lights),
                    builder.gep(out.data, [start]),
                    stride,
                    width,
                ],
            )
            return context.get_dummy_value()

        return types.none(colours, texels, lights, i, out, start, stride, width), codegen

    return painter


def _define(module: Any, name: str, store: Any) -> Any:
    """Add the function that writes a row: 16 pixels at a time, then those that are left."""
    pointers = [WORD.as_pointer()] * 3 + [BYTE.as_pointer()]
    kind = ir.FunctionType(ir.VoidType(), [*pointers, LONG, LONG])
    function = ir.Function(module, kind, name)
    function.linkage = "internal"
    for argument in function.args[:4]:
        argument.add_attribute("noalias")
    builder = ir.IRBuilder(function.append_basic_block())
    colours, texels, lights, out, stride, width = function.args
    whole = builder.and_(width, LONG(-LANES))

    def block(builder: Any, x: Any, lanes: int) -> None:
        colour: Any = ir.Constant(ir.VectorType(WORD, lanes), ir.Undefined)
        for lane in range(lanes):
            place = builder.add(x, LONG(lane))
            texel = builder.zext(builder.load(builder.gep(texels, [place])), LONG)
            found = builder.load(builder.gep(colours, [texel]))
            colour = builder.insert_element(colour, found, WORD(lane))
        vector = ir.VectorType(WORD, lanes)
        lights_at = builder.bitcast(builder.gep(lights, [x]), vector.as_pointer())
        light = builder.load(lights_at, align=4)
        store(builder, _lit(builder, colour, light, lanes), x, out, stride, width, lanes)

    with cgutils.for_range_slice(builder, LONG(0), whole, LONG(LANES)) as (x, _):
        block(builder, x, LANES)
    with cgutils.for_range_slice(builder, whole, width, LONG(1)) as (x, _):
        block(builder, x, 1)
    builder.ret_void()
    return function


def _lit(builder: Any, colour: Any, light: Any, lanes: int) -> Any:
    """Return the colours lit: bytes red, green, blue and one to be dropped."""
    words, halves = ir.VectorType(WORD, lanes), ir.VectorType(SHORT, 2 * lanes)
    eight = _every(halves, 8)
    # Two channels are 16 bits apart, and 255 * 256 fits into those.
    both = builder.or_(light, builder.shl(light, _every(words, 16)))
    factor, colour = builder.bitcast(both, halves), builder.bitcast(colour, halves)
    even = builder.mul(builder.and_(colour, _every(halves, 255)), factor)
    odd = builder.mul(builder.lshr(colour, eight), factor)
    return builder.or_(builder.lshr(even, eight), builder.and_(odd, _every(halves, 0xFF00)))


def _every(kind: Any, number: int) -> Any:
    """Return a vector of the same number in every lane."""
    return ir.Constant(kind, [number] * kind.count)


def _store(builder: Any, out: Any, place: Any, value: Any, row: Any) -> None:
    """Store a vector of bytes; `row` is how many bytes further its neighbour below is."""
    at = builder.gep(out, [place])
    builder.store(value, builder.bitcast(at, value.type.as_pointer()), align=1)
    if value.type.count < LANES:
        return
    kind = ir.FunctionType(ir.VoidType(), [BYTE.as_pointer(), WORD, WORD, WORD])
    prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    write_to_nearest_data = [WORD(flag) for flag in (1, 3, 1)]
    for rows in (AHEAD, -AHEAD):
        near = builder.gep(at, [builder.mul(row, LONG(rows))])
        builder.call(prefetch, [near, *write_to_nearest_data])


def _channel(builder: Any, lit: Any, number: int, lanes: int) -> Any:
    """Return one channel of lit colours, in 32 bits."""
    words = ir.VectorType(WORD, lanes)
    value = builder.lshr(builder.bitcast(lit, words), _every(words, 8 * number))
    return builder.and_(value, _every(words, 255))


def _store_pixels(
    builder: Any, lit: Any, x: Any, out: Any, stride: Any, width: Any, lanes: int
) -> None:
    octets = builder.bitcast(lit, ir.VectorType(BYTE, 4 * lanes))
    kept = [4 * pixel + channel for pixel in range(lanes) for channel in range(3)]
    mask = ir.Constant(ir.VectorType(WORD, len(kept)), kept)
    kept_octets = builder.shuffle_vector(octets, octets, mask)
    three = LONG(3)
    _store(builder, out, builder.mul(x, three), kept_octets, builder.mul(width, three))


def _store_planes(
    builder: Any, lit: Any, x: Any, out: Any, stride: Any, width: Any, lanes: int
) -> None:
    octets = ir.VectorType(BYTE, lanes)
    for number in range(3):
        value = builder.trunc(_channel(builder, lit, number, lanes), octets)
        place = builder.add(x, builder.mul(stride, LONG(number)))
        _store(builder, out, place, value, width)


def _store_grey(
    builder: Any, lit: Any, x: Any, out: Any, stride: Any, width: Any, lanes: int
) -> None:
    words = ir.VectorType(WORD, lanes)
    total = _every(words, 0)
    for number, weight in enumerate((RED, GREEN, BLUE)):
        channel = _channel(builder, lit, number, lanes)
        total = builder.add(total, builder.mul(channel, _every(words, weight)))
    grey = builder.lshr(total, _every(words, 8))
    _store(builder, out, x, builder.trunc(grey, ir.VectorType(BYTE, lanes)), width)


_paint_pixels = _painter("batchsim_paint_pixels", _store_pixels)
_paint_planes = _painter("batchsim_paint_planes", _store_planes)
_paint_grey = _painter("batchsim_paint_grey", _store_grey)
