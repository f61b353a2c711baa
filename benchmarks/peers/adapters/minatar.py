"""MinAtar's own Gymnasium environments, `MinAtar/Breakout-v1` and so on, in a `SyncVectorEnv`.

The library is imported and nothing of it is copied: its licence is GPL-3.
"""

from __future__ import annotations

from typing import Any

import gymnasium

from benchmarks.peers.peer import Peer, Setting

__all__ = ["PEERS"]

NAMESPACE = "MinAtar/"


def register() -> None:
    """Register its ids with Gymnasium, where its plugin has not."""
    from minatar.gym import register_envs

    if not any(name.startswith(NAMESPACE) for name in gymnasium.registry):
        register_envs()


def make(env_id: str, num_envs: int) -> Any:
    """Return one MinAtar object an environment, stepped in a Python loop."""
    register()
    return gymnasium.make_vec(env_id, num_envs, vectorization_mode="sync")


def no_minatar(env_id: str, num_envs: int) -> str | None:
    """Say so if MinAtar has no such id."""
    register()
    known = env_id.startswith(NAMESPACE) and env_id in gymnasium.registry
    return None if known else f"MinAtar has no {env_id}"


PEERS = (
    Peer(
        name="minatar",
        description="MinAtar's own Python environments in Gymnasium's SyncVectorEnv",
        adapter=__name__,
        package="minatar",
        settings=(Setting("1", make),),
        autoreset="next step",
        absent=no_minatar,
        requirements="minatar",
        module="minatar",
    ),
)
