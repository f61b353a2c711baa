"""gymnax, compiled by JAX for the CPU: `jax.jit(jax.vmap(env.step))`, keys split at each step."""

from __future__ import annotations

import os
from typing import Any

import gymnasium
import numpy as np

from batchsim.ladder.rung import Array
from benchmarks.peers.peer import Peer, Setting

__all__ = ["PEERS"]


OTHER_RULES = {
    f"MinAtar/{game}-v1": f"{game}-MinAtar"
    for game in ("Asterix", "Breakout", "Freeway", "SpaceInvaders")
}
"""Games after MinAtar's, whose rules are not quite the same: by id, what gymnax calls them."""


def load() -> Any:
    """Import gymnax, on the CPU whatever else JAX finds."""
    os.environ["JAX_PLATFORMS"] = "cpu"
    import gymnax

    return gymnax


class Gymnax:
    """A batch of gymnax environments whose results are NumPy arrays, and so finished."""

    def __init__(self, env_id: str, num_envs: int) -> None:
        env, params = load().make(OTHER_RULES.get(env_id, env_id))
        import jax

        limit = None if env_id in OTHER_RULES else gymnasium.spec(env_id).max_episode_steps
        if limit is not None:
            params = params.replace(max_steps_in_episode=limit)

        @jax.jit
        def reset(key: Any) -> Any:
            key, key_reset = jax.random.split(key)
            keys = jax.random.split(key_reset, num_envs)
            return key, *jax.vmap(env.reset, in_axes=(0, None))(keys, params)

        # Nothing but what the caller asks for is returned, so that nothing else is computed.
        @jax.jit
        def step(key: Any, state: Any, actions: Any) -> Any:
            key, key_step = jax.random.split(key)
            keys = jax.random.split(key_step, num_envs)
            observations, state, rewards, terminated, truncated, _ = jax.vmap(
                env.step, in_axes=(0, 0, 0, None)
            )(keys, state, actions, params)
            return key, state, (observations, rewards, terminated, truncated)

        self._reset, self._step, self._new_key = reset, step, jax.random.key
        self._key: Any = None
        self._state: Any = None

    def reset(self, *, seed: int) -> tuple[Array, dict[str, Any]]:
        """Start an episode in each row."""
        self._key, observations, self._state = self._reset(self._new_key(seed))
        return np.asarray(observations), {}

    def step(self, actions: Any) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Step each row; one whose episode ends starts another in the same step."""
        self._key, self._state, results = self._step(self._key, self._state, actions)
        # Without a copy on the CPU, once the computation has finished.
        observations, rewards, terminated, truncated = map(np.asarray, results)
        return observations, rewards, terminated, truncated, {}

    def close(self) -> None:
        """JAX lets go of the arrays by itself."""


def no_gymnax(env_id: str, num_envs: int) -> str | None:
    """Say so if gymnax has no such id."""
    known = OTHER_RULES.get(env_id, env_id) in load().registered_envs
    return None if known else f"gymnax has no {env_id}"


def other_rules(env_id: str) -> str | None:
    """Tell if its game is another than the original's."""
    if env_id not in OTHER_RULES:
        return None
    return f"its {OTHER_RULES[env_id]}, which has other rules than MinAtar's"


def to_jax(actions: Array) -> Any:
    """Return the actions as an array of JAX's, int32 or float32."""
    import jax.numpy as jnp

    return jnp.asarray(actions)


PEERS = (
    Peer(
        name="gymnax",
        description="gymnax: environments in JAX, compiled by XLA for the CPU, float32",
        adapter=__name__,
        package="gymnax",
        settings=(Setting("all (XLA)", Gymnax),),
        autoreset="same step",
        absent=no_gymnax,
        remark=other_rules,
        prepare=to_jax,
        requirements="gymnax",
        module="gymnax",
    ),
)
