"""Rung `multiprocessing`: per-object environments, one process each (`AsyncVectorEnv`)."""

from __future__ import annotations

import multiprocessing
import sys

from gymnasium.vector import AsyncVectorEnv

from batchsim.ladder.check import same_bits
from batchsim.ladder.kind import Kind
from batchsim.ladder.memory import private_to_processes
from batchsim.ladder.rung import Rung, at_most

__all__ = ["RUNG", "make"]

MAX_ENVS = 64


def make(kind: Kind, num_envs: int) -> AsyncVectorEnv:
    """Return `num_envs` worker processes that share memory for the observations, unless these have
    texts: of them Gymnasium reads what the memory held at first.
    """
    # Forked where it is safe: a process that has to import everything takes a second to start.
    fork = sys.platform == "linux" and "fork" in multiprocessing.get_all_start_methods()
    return AsyncVectorEnv(
        [kind.original.make] * num_envs,
        shared_memory=not kind.has_texts,
        context="fork" if fork else None,
    )


RUNG = Rung(
    name="multiprocessing",
    description="one process an environment, actions and results through pipes",
    make=make,
    check=same_bits,
    bytes_per_env=private_to_processes,
    absent=at_most(MAX_ENVS, "each is a process of its own"),
)
