"""The command line: `python -m tests.convertible` puts each class before Gymnasium's checker."""

from __future__ import annotations

import random
import warnings
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils.env_checker import check_env
from rich.console import Console
from rich.table import Table

from . import CASES

STEPS = 2000


class Modern(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment of old behind today's API."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Seeds, and starts an episode."""
        if seed is not None:
            self.env.seed(seed)  # type: ignore[attr-defined]
        return self.env.reset(), {}

    def step(self, action: Any) -> Any:
        """What the old `step` returned, and that nothing was truncated."""
        observation, reward, done, info = self.env.step(action)
        return observation, reward, done, False, info


class Seeded(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment whose seed goes to the global streams that it draws from."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Seeds `np.random` and `random` too."""
        if seed is not None:
            np.random.seed(seed)
            random.seed(seed)
        return self.env.reset(seed=seed, options=options)


def play(env: gymnasium.Env[Any, Any]) -> tuple[int, int, int, list[bytes]]:
    """Episodes, terminations, truncations, and all that came out, of actions at random."""
    env.action_space.seed(3)
    observation, _ = env.reset(seed=5)
    episodes, ends, cuts, seen = 1, 0, 0, []
    for _ in range(STEPS):
        observation, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        parts = observation.values() if isinstance(observation, dict) else [observation]
        seen += [np.asarray(part).tobytes() for part in (*parts, reward, terminated, truncated)]
        if terminated or truncated:
            ends, cuts = ends + bool(terminated), cuts + bool(truncated)
            observation, _ = env.reset()
            episodes += 1
    return episodes, ends, cuts, seen


def main() -> None:
    """Raises where the checker does, or where two runs of one seed differ."""
    table = Table("module", "class", "arguments", "episodes", "terminated", "truncated", "warnings")
    for module, case in CASES.items():
        original, _ = case.load(module)
        for arguments in case.arguments:

            def make(original: type = original, arguments: dict[str, Any] = arguments) -> Any:
                env = original(**arguments)
                if case.api == 4:
                    return Modern(env)
                return env if case.streams == "self.np_random" else Seeded(env)

            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                check_env(make(), skip_render_check=True)
                *counts, seen = play(make())
                assert seen == play(make())[-1], f"{original.__name__} differs under one seed"
            said = "; ".join(str(w.message).replace("\x1b[33mWARN: ", "")[:90] for w in caught)
            table.add_row(module, original.__name__, str(arguments), *map(str, counts), said)
    Console().print(table)


if __name__ == "__main__":
    main()
