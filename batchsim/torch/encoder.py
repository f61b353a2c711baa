"""Encoders: what a policy sees, of any space, as vectors."""

from __future__ import annotations

import math
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from gymnasium.spaces import Box, Discrete, MultiDiscrete, Space
from torch import nn
from torch.nn.grad import conv2d_weight

from batchsim.batch.spaces import Layout
from batchsim.symbols import Symbols, are_tokens, token_values
from batchsim.torch.distributed import ALONE, Ranks
from batchsim.torch.nested import leaves

__all__ = ["Board", "Cells", "Encoder", "Lookup", "Normalizer", "Words", "is_picture"]

Array = npt.NDArray[Any]

CACHED = 2**20
"""Numbers that bytes and symbols are made into at a time, on a CPU; 4 MiB."""
MOST_VALUES = 2**16
"""That the tokens of a text may have together to be looked up; else they are taken for numbers."""


class Normalizer(nn.Module):
    """Shifts and scales numbers to mean 0 and deviation 1 over all that it was shown.

    Args:
        size: how many numbers.
    """

    mean: torch.Tensor
    scale: torch.Tensor
    count: torch.Tensor
    variance: torch.Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("variance", torch.ones(size))
        self.register_buffer("scale", torch.ones(size))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """Return (rows, size), no further than 10 from 0."""
        return ((numbers - self.mean) * self.scale).clamp(-10.0, 10.0)

    @torch.no_grad()
    def show(self, numbers: torch.Tensor, ranks: Ranks = ALONE) -> None:
        """Take (rows, size) of each rank into account: means and variances put together (Chan and
        others).
        """
        own = torch.var_mean(numbers, 0, correction=0)
        for count, variance, mean in ranks.moments(len(numbers), *own):
            share = count / (self.count + count)
            difference = mean - self.mean
            self.variance += ((variance - self.variance) + difference**2 * (1 - share)) * share
            self.mean += difference * share
            self.count += count
        self.scale.copy_((self.variance + 1e-8).rsqrt())


class Encoder(nn.Module):
    """Turns observations of any space into vectors.

    Pixels (a Box of uint8 with three axes, or four where frames are stacked) go through
    convolutions, boards (a Box of bool, likewise) are looked at window by window, numbers are
    flattened, what is discrete becomes a one for its value among zeros; `Symbols` are looked up,
    each in a vector of its own for its place and kind. Where there are texts, pictures and symbols
    are looked at in the light of what they say.

    Args:
        space: of one environment's observations.
        normalize: shift and scale numbers by what was seen of them.
    """

    def __init__(self, space: Space[Any], normalize: bool) -> None:
        super().__init__()
        self.kinds: list[str] = []
        self.counts: dict[int, tuple[list[int], list[int]]] = {}
        self.convolutions = nn.ModuleDict()
        self.lookups = nn.ModuleDict()
        self.boards = nn.ModuleDict()
        self.texts = nn.ModuleDict()
        self.normalizers = nn.ModuleDict()
        self.features = 0
        parts = Layout(space, "The observation space").leaves
        for k, leaf in enumerate(parts):
            if are_tokens(leaf) and _says_something(leaf):
                self.texts[str(k)] = Words(leaf)
        told = Words.features * len(self.texts)
        for k, leaf in enumerate(parts):
            size = int(np.prod(leaf.shape or ()))
            if str(k) in self.texts:
                self.kinds.append("text")
                size = Words.features
            elif isinstance(leaf, Symbols):
                self.kinds.append("symbols")
                size = Cells.features
                counts = np.tile(leaf.counts, math.prod(leaf.shape[:-1]))
                self.lookups[str(k)] = Cells(leaf, told) if told else Lookup(counts, size)
            elif is_picture(leaf, np.bool_):
                self.kinds.append("board")
                self.boards[str(k)] = Board(leaf.shape)
                size = Board.features
            elif is_picture(leaf, np.uint8):
                self.kinds.append("pixels")
                self.convolutions[str(k)] = module = Convolutions(leaf.shape, told)
                size = module.features
            elif isinstance(leaf, (Discrete, MultiDiscrete)):
                self.kinds.append("discrete")
                counts = np.atleast_1d(leaf.n if isinstance(leaf, Discrete) else leaf.nvec)
                starts = np.atleast_1d(leaf.start)
                self.counts[k] = counts.flatten().tolist(), starts.flatten().tolist()
                size = int(counts.sum())
            else:
                self.kinds.append("numbers")
                if normalize and isinstance(leaf, Box):
                    self.normalizers[str(k)] = Normalizer(size)
            self.features += size

    def forward(self, observations: Any) -> torch.Tensor:
        """Return (rows, features)."""
        seen = leaves(observations)
        texts = {int(k): words(seen[int(k)]) for k, words in self.texts.items()}
        told = torch.cat(list(texts.values()), -1) if texts else None
        found = [
            texts[k] if k in texts else self._encode(k, leaf, told) for k, leaf in enumerate(seen)
        ]
        return found[0] if len(found) == 1 else torch.cat(found, -1)

    def _encode(self, k: int, leaf: torch.Tensor, told: torch.Tensor | None) -> torch.Tensor:
        kind = self.kinds[k]
        if kind == "pixels":
            found: torch.Tensor = self.convolutions[str(k)](leaf, told)
            return found
        if kind == "board":
            return self.boards[str(k)](leaf)  # type: ignore[no-any-return]
        if kind == "symbols":
            lookup = self.lookups[str(k)]
            return torch.relu(lookup(leaf.flatten(1))) if told is None else lookup(leaf, told)
        if kind == "discrete":
            counts, starts = self.counts[k]
            columns = _flat(leaf).long()
            return torch.cat(
                [
                    F.one_hot(columns[:, j] - start, count)
                    for j, (count, start) in enumerate(zip(counts, starts, strict=True))
                ],
                -1,
            ).float()
        numbers = _flat(leaf)
        if numbers.dtype != torch.float32:
            numbers = numbers.float()
        if str(k) in self.normalizers:
            numbers = self.normalizers[str(k)](numbers)
        return numbers

    def show(self, observations: Any, ranks: Ranks = ALONE) -> None:
        """Take (rows, …) of each rank into account for the scale of numbers."""
        for k, leaf in enumerate(leaves(observations)):
            if str(k) in self.normalizers:
                normalizer: Any = self.normalizers[str(k)]
                normalizer.show(_flat(leaf).float(), ranks)


def _flat(leaf: torch.Tensor) -> torch.Tensor:
    """Return (rows, numbers)."""
    return leaf.flatten(1) if leaf.dim() > 1 else leaf.unsqueeze(1)


def is_picture(space: Space[Any], dtype: type[np.generic]) -> TypeGuard[Box]:
    """Whether it is a Box of this dtype with three axes, or four where frames are stacked."""
    return isinstance(space, Box) and space.dtype == dtype and len(space.shape) in (3, 4)


def _read_picture(shape: tuple[int, ...]) -> tuple[bool, int, int, int]:
    """Return whether channels come last, how many all frames have together, height and width."""
    *stack, first, second, third = shape
    last = third <= min(first, second)
    channels, height, width = (third, first, second) if last else (first, second, third)
    return last, math.prod(stack) * channels, height, width


def _says_something(space: Space[Any]) -> bool:
    """Whether tokens may differ, and have few enough values for vectors of their own."""
    counts = token_values(space)[0]
    return bool(counts.max() > 1 and counts.sum() <= MOST_VALUES)


class Convolutions(nn.Module):
    """A small convolutional network after Mnih and others (2015), for pictures of any size.

    The first windows are side by side (stride 8, not 4), which costs a third on a CPU; where a
    thing is within a window, the filters tell.

    Args:
        shape: (height, width, channels), or channels first where the first axis is the shortest;
            (k, …) of k frames, whose channels come one after the other.
        told: how many numbers texts have become, in the light of which the picture is looked at.
    """

    def __init__(self, shape: tuple[int, ...], told: int = 0) -> None:
        super().__init__()
        self.channels_last, channels, height, width = _read_picture(shape)
        layers: list[nn.Module] = []
        for kernel, stride, filters in ((8, 8, 16), (4, 2, 32), (3, 1, 32)):
            # Small pictures get small windows.
            kernel = min(kernel, height, width)
            stride = stride if min(height, width) >= 2 * kernel else 1
            convolution = nn.Conv2d if layers else ByteConvolution
            layers += [convolution(channels, filters, kernel, stride), nn.ReLU()]
            channels, height, width = (
                filters,
                (height - kernel) // stride + 1,
                (width - kernel) // stride + 1,
            )
        self.features = 256
        linear = nn.Linear(channels * height * width, self.features)
        self.layers = nn.Sequential(*layers)
        self.modulation = Modulation(told, channels) if told else None
        self.last = nn.Sequential(nn.Flatten(), linear, nn.ReLU())

    def forward(self, pixels: torch.Tensor, told: torch.Tensor | None) -> torch.Tensor:
        """Return (rows, features) for (rows, …) of uint8 and, if there are texts, (rows, told)."""
        if self.channels_last:
            pixels = pixels.movedim(-1, -3)
        found: torch.Tensor = self.layers(pixels.flatten(1, -3))
        if self.modulation is not None:
            found = self.modulation(found, told, 1)
        return self.last(found)  # type: ignore[no-any-return]


class Board(nn.Module):
    """Looks at a board of flags through windows that overlap by half, and then at all together.

    As a product of matrices: PyTorch's convolutions of three by three cells, as Young and Tian
    (2019) have them for such boards, take three times as long on a CPU.

    Args:
        shape: as of `Convolutions`.
    """

    features = 128
    filters = 16
    window, stride = 4, 2

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.channels_last, channels, *cells = _read_picture(shape)
        self.windows = [min(self.window, count) for count in cells]
        pairs = list(zip(cells, self.windows, strict=True))
        # Cells without flags are added to what the last windows would not reach else.
        missing = [(size - count) % self.stride for count, size in pairs]
        self.padding = [0, 0, 0, missing[1], 0, missing[0]] if any(missing) else []
        self.counts = [-(-(count - size) // self.stride) + 1 for count, size in pairs]
        self.look = nn.Linear(math.prod(self.windows) * channels, self.filters)
        self.linear = nn.Linear(math.prod(self.counts) * self.filters, self.features)

    def forward(self, flags: torch.Tensor) -> torch.Tensor:
        """Return (rows, features) for (rows, …) of bool."""
        if not self.channels_last:
            flags = flags.flatten(1, -3).movedim(1, -1)
        elif flags.dim() == 5:
            flags = flags.movedim(1, -2).flatten(-2)
        if self.padding:
            flags = F.pad(flags, self.padding)
        flags = flags.contiguous()
        (high, wide), channels = self.windows, flags.shape[-1]
        row, line, cell, _ = flags.stride()
        windows = flags.as_strided(
            (len(flags), *self.counts, high, wide * channels),
            (row, self.stride * line, self.stride * cell, line, 1),
        )
        numbers = windows.reshape(-1, high * wide * channels).float()
        seen = torch.relu(self.look(numbers)).view(len(flags), self.linear.in_features)
        return torch.relu(self.linear(seen))


class Lookup(nn.Module):
    """A linear layer over whole numbers, as over a one for each number's value among zeros.

    Args:
        counts: how many values each number has.
        features: how many it makes of them.
    """

    first: torch.Tensor

    def __init__(self, counts: Array, features: int) -> None:
        super().__init__()
        self.places, self.features = len(counts), features
        # Where the vectors of each number begin.
        first = torch.from_numpy(np.cumsum(counts) - counts)
        self.register_buffer("first", first, persistent=False)
        self.vectors = nn.Parameter(torch.zeros(int(counts.sum()), features))
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """Return (rows, features) for (rows, places) of whole numbers counted from 0."""
        found: torch.Tensor = _Lookup.apply(numbers.long() + self.first, self.vectors)
        return found + self.bias


class _Lookup(torch.autograd.Function):
    """Adds up vectors forward, and backward multiplies by the ones that they stand for: a product
    of matrices takes a third of the time of adding each row's gradient to each of its vectors.
    """

    @staticmethod
    def forward(ctx: Any, indices: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(indices)
        ctx.count = len(vectors)
        return F.embedding_bag(indices, vectors, mode="sum")

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = gradients
        (indices,) = ctx.saved_tensors
        rows = max(1, CACHED // ctx.count)
        of_vectors = gradient.new_zeros(ctx.count, gradient.shape[1])
        for some, its in zip(indices.split(rows), gradient.split(rows), strict=True):
            ones = gradient.new_zeros(len(some), ctx.count).scatter_(1, some, 1.0)
            of_vectors.addmm_(ones.t(), its)
        return None, of_vectors


class Words(nn.Module):
    """What a text says: a layer over its tokens, each of which has vectors of its own.

    Args:
        space: of the tokens of one environment.
    """

    features = 64
    start: torch.Tensor

    def __init__(self, space: Space[Any]) -> None:
        super().__init__()
        counts, start = (values.astype(np.int64) for values in token_values(space))
        self.register_buffer("start", torch.from_numpy(start), persistent=False)
        self.lookup = Lookup(counts, self.features)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return (rows, features) for (rows, …) of tokens."""
        return torch.relu(self.lookup(tokens.flatten(1).long() - self.start))


class Modulation(nn.Module):
    """Looks at something in the light of texts, which scale and shift each of its channels.

    Feature-wise linear modulation (Perez and others, 2018), with which agents follow instructions
    well (Chevalier-Boisvert and others, "BabyAI", 2019).

    Args:
        told: how many numbers the texts have become.
        channels: of what is looked at.
    """

    def __init__(self, told: int, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(told, 2 * channels)

    def forward(self, maps: torch.Tensor, told: torch.Tensor, axis: int) -> torch.Tensor:
        """Return maps (rows, …) modulated, whose channels are on that axis, none below 0."""
        shape = [1] * maps.dim()
        shape[0], shape[axis] = maps.shape[0], maps.shape[axis]
        scale, shift = (part.reshape(shape) for part in self.linear(told).chunk(2, -1))
        return torch.relu(maps * (1 + scale) + shift)


class Cells(nn.Module):
    """Looks at each place of `Symbols` in the light of texts, and then at all places together.

    What is at a place becomes a vector, the same wherever that is, and is modulated: so what is
    looked for looks different from all else before any layer knows where it is.

    Args:
        space: of one environment's observations.
        told: how many numbers the texts have become.
    """

    features = 128
    channels = 16

    def __init__(self, space: Symbols, told: int) -> None:
        super().__init__()
        self.lookup = Lookup(np.array(space.counts), self.channels)
        self.modulation = Modulation(told, self.channels)
        places = math.prod(space.shape[:-1])
        self.linear = nn.Linear(places * self.channels, self.features)

    def forward(self, symbols: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        """Return (rows, features) for (rows, …) of uint8 and (rows, told)."""
        places = self.lookup(symbols.reshape(-1, self.lookup.places))
        places = self.modulation(places.view(len(symbols), -1, self.channels), told, -1)
        return torch.relu(self.linear(places.flatten(1)))


class ByteConvolution(nn.Conv2d):
    """A convolution of bytes, taken for numbers from 0 to 1, without a gradient for them."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return (rows, filters, …) for (rows, channels, height, width) of uint8."""
        assert self.bias is not None
        # Far fewer weights are to be scaled than pixels.
        weight, stride = self.weight * (1 / 255), (self.stride[0], self.stride[1])
        found: torch.Tensor = _ByteConvolution.apply(pixels, weight, self.bias, stride)
        return found


class _ByteConvolution(torch.autograd.Function):
    """Makes numbers of bytes some rows at a time, forward and again backward.

    Those of a whole minibatch fit into no cache, and go to memory that the system takes back and
    clears each time: that took longer than all the rest of the network.
    """

    @staticmethod
    def forward(
        ctx: Any, pixels: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, stride: Any
    ) -> torch.Tensor:
        ctx.save_for_backward(pixels, weight)
        ctx.stride, ctx.rows = stride, _rows_at_a_time(pixels)
        parts = [F.conv2d(p.float(), weight, bias, stride) for p in pixels.split(ctx.rows)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = gradients
        pixels, weight = ctx.saved_tensors
        of_weight = torch.zeros_like(weight)
        pairs = zip(pixels.split(ctx.rows), gradient.split(ctx.rows), strict=True)
        for some, its in pairs:
            of_weight += conv2d_weight(some.float(), weight.shape, its, ctx.stride)
        return None, of_weight, gradient.sum((0, 2, 3)), None


def _rows_at_a_time(pixels: torch.Tensor) -> int:
    if pixels.device.type != "cpu":
        return len(pixels)
    return max(1, CACHED // math.prod(pixels.shape[1:]))
