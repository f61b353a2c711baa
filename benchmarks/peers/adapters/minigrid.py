"""MiniGrid's own environments, `MiniGrid-Empty-5x5-v0` and so on, in a `SyncVectorEnv`."""

from __future__ import annotations

import importlib
from typing import Any

import gymnasium

from benchmarks.peers.peer import Peer, Setting

__all__ = ["PEERS"]

PREFIXES = ("MiniGrid-", "BabyAI-")


def register() -> None:
    """Register its ids with Gymnasium, where its plugin has not."""
    minigrid = importlib.import_module("minigrid")
    if not any(name.startswith(PREFIXES) for name in gymnasium.registry):
        minigrid.register_minigrid_envs()


def make(env_id: str, num_envs: int) -> Any:
    """Return one MiniGrid object an environment, stepped in a Python loop."""
    register()
    return gymnasium.make_vec(env_id, num_envs, vectorization_mode="sync")


def no_minigrid(env_id: str, num_envs: int) -> str | None:
    """Say so if MiniGrid has no such id."""
    register()
    known = env_id.startswith(PREFIXES) and env_id in gymnasium.registry
    return None if known else f"MiniGrid has no {env_id}"


PEERS = (
    Peer(
        name="minigrid",
        description="MiniGrid's own Python environments in Gymnasium's SyncVectorEnv",
        adapter=__name__,
        package="minigrid",
        settings=(Setting("1", make),),
        autoreset="next step",
        absent=no_minigrid,
        requirements="minigrid",
        module="minigrid",
    ),
)
