"""Batches leave nothing behind: what one takes is free again with its last reference.

Whatever a process makes of a kind, it makes once: a kernel, Numba's types, classes of namedtuples.
"""
# ruff: noqa: N805 - the author's contract: plain functions, whose first argument is the state

import copy
import gc
import pickle
import sys
import weakref
from typing import NamedTuple

import numpy as np
import oracle
import pytest
from gymnasium.spaces import Box, Dict, Discrete

import batchsim
import batchsim.compiler.compile
from batchsim.batch.vector import BatchEnv
from batchsim.compiler import columns, layouts
from batchsim.compiler.kernels import Tile
from batchsim.random import random


class Orchard:
    """Has a part of every kind that an environment can have."""

    class State(NamedTuple):
        ripe: float
        scratch: np.dtype((np.int16, (3,)))  # A field may have the name of anything of ours.

    class Scratch(NamedTuple):
        basket: np.dtype((float, (4,)))

    class Params(NamedTuple):
        pace: float = 0.25

    class Options(NamedTuple):
        start: float = 0.0

    class Arguments(NamedTuple):
        trees: int = 3

    class Tables(NamedTuple):
        heights: np.ndarray

    class Info(NamedTuple):
        trees: np.int64

    ACTION = Discrete(2)
    OBSERVATION = Dict({"ripe": Box(-np.inf, np.inf, (1,)), "trees": Box(0, 9, (3,), np.int16)})

    def tables(arguments):
        return Orchard.Tables(np.arange(arguments.trees, dtype=float))

    def reset(s, i, p, rng):
        s.ripe[i] = p.start + random(rng, i)
        for k in range(3):
            s.scratch[i, k] = k

    def step(s, i, action, p, rng):
        for k in range(4):
            s.basket[i, k] = p.pace * k
        s.ripe[i] = s.ripe[i] + s.basket[i, 1 + action] + p.heights[2]
        return s.ripe[i], s.ripe[i] > 9.0

    def observe(s, i, p, out):
        out.ripe[0] = s.ripe[i]
        for k in range(3):
            out.trees[k] = s.scratch[i, k]

    def inform(s, i, p, out):
        out.trees[0] = s.scratch[i, 2]


KINDS = {
    "plain": ("CartPole-v1", {}),
    "reference": ("CartPole-v1", {"backend": "reference"}),
    "every part": (
        Orchard,
        {
            "pace": np.linspace(0.1, 0.4, 6),
            "autoreset_mode": "SameStep",
            "frame_stack": 2,
            "record_episode_statistics": True,
            "checked": True,
        },
    ),
}


def make(kind: str) -> BatchEnv:
    definition, settings = KINDS[kind]
    return batchsim.make_vec(definition, 6, **settings)


def family(kind: str) -> list[BatchEnv]:
    """Return a batch that was stepped, its copies and its parts, stepped too."""
    envs = make(kind)
    envs.reset(seed=1)
    actions = np.ones(6, np.int64)
    envs.step(actions)
    copies = [copy.copy(envs), copy.deepcopy(envs), pickle.loads(pickle.dumps(envs))]
    for twin in copies:
        twin.step(actions)
        twin.send(actions)
        twin.recv()
    parts = envs.split(2)
    for part in parts:
        part.step(actions[:3])
    return [envs, *copies, *parts]


@pytest.mark.parametrize("kind", KINDS)
def test_batches_leave_no_objects_and_no_memory_behind(kind: str) -> None:
    def turn() -> int:
        batches = family(kind)
        for envs in batches:
            envs.close()
        return len(batches)

    def count() -> tuple[int, int]:
        gc.collect()
        return len(gc.get_objects()), sys.getallocatedblocks()

    for _ in range(10):
        turn()
    growth = []
    for _ in range(3):
        objects, blocks = count()
        batches = sum(turn() for _ in range(15))
        more_objects, more_blocks = count()
        growth.append((more_objects - objects, more_blocks - blocks))
    # What is kept once, such as blocks for the next of a size, is not kept each time.
    assert min(objects for objects, _ in growth) < batches / 4
    assert min(blocks for _, blocks in growth) < batches * 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_and_its_columns_are_gone_with_the_last_reference(kind: str) -> None:
    # Not when the garbage collector comes next: that may be many large batches later.
    batches = family(kind)
    traces = [weakref.ref(envs) for envs in batches]
    traces += [weakref.ref(array) for envs in batches for array in envs._tile.state]
    gc.collect()
    gc.disable()
    try:
        del batches
        assert [trace() for trace in traces] == [None] * len(traces)
    finally:
        gc.enable()


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy, lambda envs: envs.split(2)[1]])
def test_a_copy_or_a_part_has_the_very_kernel_of_its_original(copier, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    envs = make("every part")
    envs.reset(seed=0)
    monkeypatch.delattr(batchsim.compiler.compile, "compile_native")
    monkeypatch.delattr(batchsim.compiler.compile, "interpret")
    assert copier(envs).kernel is envs.kernel


def test_batches_of_one_layout_share_a_binding() -> None:
    def tile(num_envs: int, **settings: object) -> Tile:
        # Not compiled: what is bound is the same for either backend.
        return batchsim.make_vec(Orchard, num_envs, backend="reference", **settings)._tile

    def view(tile: Tile) -> object:
        return columns.native_view(layouts.layout_of(tile), ())

    one = view(tile(2))
    assert view(tile(77)) is one
    assert view(tile(2, trees=4)) is one  # Lengths of tables are read.
    assert view(tile(2, pace=0.5)) is view(tile(3, pace=0.75))
    others = [
        view(tile(2, precision="fast")),  # dtypes
        view(tile(2, max_episode_steps=10)),
        view(tile(2, frame_stack=2)),  # trailing shapes
        view(tile(2, frame_stack=3)),
        view(tile(2, pace=0.5)),  # fields
        view(tile(2, pace=[0.1, 0.2])),
        view(tile(2)._replace(action=np.zeros(2, np.int64))),  # what may be written
    ]
    assert len({id(binding) for binding in (one, *others)}) == 8


def test_batches_of_one_kind_share_their_classes() -> None:
    one, other = (make("every part") for _ in range(2))
    for field in ("state", "parameters", "options", "tables", "frames", "observation", "info"):
        assert type(getattr(one._tile, field)) is type(getattr(other._tile, field)), field
    assert type(one._row_values(0)) is type(other._row_values(0))


def test_every_part_has_the_reference_backends_bits() -> None:
    definition, settings = KINDS["every part"]
    one, other = (
        batchsim.make_vec(definition, 6, backend=backend, **settings)
        for backend in ("native", "reference")
    )

    def bits(observations: dict[str, np.ndarray], *others: np.ndarray) -> tuple:
        return oracle.bits((*observations.values(), *others))

    assert bits(one.reset(seed=3)[0]) == bits(other.reset(seed=3)[0])
    for _ in range(9):
        assert bits(*one.step([0, 1] * 3)[:4]) == bits(*other.step([0, 1] * 3)[:4])
