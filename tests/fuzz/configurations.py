"""Random configurations of the built-in ids, compared with Gymnasium's own environments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import oracle
from gymnasium.vector import VectorWrapper
from gymnasium.wrappers import FrameStackObservation
from gymnasium.wrappers.vector import RecordEpisodeStatistics

import batchsim

from .harness import widened

SIZES = [1, 2, 3, 5, 7, 8, 9, 16, 17, 33]
LIMITS = [None, None, 1, 2, 5, 13, 30, -1]


class Copying(VectorWrapper):
    """Passes a copy of the reset options on: SyncVectorEnv takes the mask out of the caller's."""

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return self.env.reset(seed=seed, options=dict(options) if options else options)


class Pair(oracle.SideBySide):  # type: ignore[misc]
    """Leaves out how long episodes took."""

    def __init__(self, reference: Any, subjects: dict[str, Any]) -> None:
        super().__init__(WithoutTimes(reference), subjects)


class WithoutTimes(VectorWrapper):
    """Takes the durations out of the infos."""

    def step(self, actions: Any) -> Any:
        return without_times(self.env.step(actions))


def without_times(result: Any) -> Any:
    """Return a step's result without how long its episodes took."""
    for key in ("episode", "_episode"):
        part = result[4].get(key)
        if isinstance(part, dict):
            part.pop("t", None)
            part.pop("_t", None)
    return result


def timeless(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return a way of stepping whose results have no times."""
    return lambda env, actions: without_times(function(env, actions))


def parameters(
    name: str, rng: np.random.Generator, n: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return parameters as arrays, and the same as one dict a row."""
    columns = {}
    for key, ends in oracle.PARAMETERS.get(name, {}).items():
        if ends == (False, True):
            columns[key] = rng.random(n) < 0.5
        else:
            columns[key] = rng.uniform(*ends, (n, *np.shape(ends[0])))
    rows = [{key: column[k].tolist() for key, column in columns.items()} for k in range(n)]
    return columns, rows


def choose(rng: np.random.Generator) -> dict[str, Any]:
    """Choose an id and what its environments are made with."""
    name = str(rng.choice(oracle.IDS))
    return {
        "id": name,
        "n": int(rng.choice(SIZES)),
        "mode": oracle.MODES[int(rng.integers(3))],
        "limit": LIMITS[int(rng.integers(len(LIMITS)))],
        "frames": int(rng.choice([1, 1, 1, 3])),
        "statistics": bool(rng.random() < 0.3),
        "variant": int(rng.integers(6)),
        "arrays": bool(rng.random() < 0.3) and name in oracle.PARAMETERS,
        "native": bool(rng.random() < 0.6),
        "threads": int(rng.integers(1, 5)),
    }


def check(seed: int, number: int) -> dict[str, Any]:
    """Compare one random configuration; return what it was.

    Raises:
        AssertionError: with the first difference.
    """
    rng = np.random.default_rng([seed, number, 2])
    chosen = choose(rng)
    name, n, mode = chosen["id"], chosen["n"], chosen["mode"]
    variants = oracle.VARIANTS.get(name, [{}])
    # A kernel for other scalars takes seconds to compile: those run as plain Python.
    kwargs = {} if chosen["arrays"] else variants[chosen["variant"] % len(variants)]
    native = chosen["native"] and not kwargs
    settings: dict[str, Any] = dict(kwargs)
    if chosen["limit"] is not None:
        settings["max_episode_steps"] = chosen["limit"]
    wrapping: dict[str, Any] = {}
    if chosen["frames"] > 1:
        wrapping["wrappers"] = [lambda env: FrameStackObservation(env, chosen["frames"])]
    own = {
        "autoreset_mode": mode,
        "frame_stack": chosen["frames"],
        "record_episode_statistics": chosen["statistics"],
        **settings,
    }
    if chosen["arrays"]:
        # Gymnasium's own have no arrays of parameters, and these are made without wrappers.
        own["frame_stack"] = chosen["frames"] = 1
        columns, rows = parameters(name, rng, n)
        own.update(columns)
        reference = oracle.upstream_with_parameters(name, rows, mode, **settings)
    else:
        reference = oracle.upstream(name, n, mode, **settings, **wrapping)
    reference = Copying(reference)
    if chosen["statistics"]:
        reference = RecordEpisodeStatistics(reference)
    sends = rng.random() < 0.5
    subjects = {}
    if native:
        env = batchsim.make_vec(name, n, num_threads=chosen["threads"], **own)
        step = oracle.send_and_receive if sends else oracle.step
        subjects[f"native, {chosen['threads']} threads"] = env, timeless(step)
    if not native or rng.random() < 0.2:
        env = batchsim.make_vec(name, n, backend="reference", **own)
        subjects["reference"] = env, timeless(oracle.step)
    pair = Pair(reference, subjects)
    try:
        _live(pair, rng, name, n, settings)
    except AssertionError as difference:
        raise AssertionError(f"{difference}\nconfiguration: {chosen}, {kwargs}") from None
    finally:
        pair.close()
    return {**chosen, "mode": mode.value, "native": native, "steps": pair.steps * n}


def _typed(actions: oracle.Actions, rng: np.random.Generator) -> Callable[[], Any]:
    """Return the same stream of actions, floating-point ones as float64 or lists now and then."""

    def draw() -> Any:
        found = actions()
        return found if found.dtype.kind != "f" or rng.random() < 0.6 else widened(found, rng)

    return draw


def _live(
    pair: Pair, rng: np.random.Generator, name: str, n: int, settings: dict[str, Any]
) -> None:
    actions = _typed(oracle.Actions(pair.reference, seed=int(rng.integers(2**32))), rng)
    pair.reset(seed=int(rng.integers(2**40)))
    for _ in range(6):
        pair.run(int(rng.integers(0, 9)), actions)
        way = rng.random()
        if way < 0.3:
            continue
        seeds = [
            None,
            int(rng.integers(2**40)),
            [int(s) if rng.random() < 0.6 else None for s in rng.integers(0, 2**33, n)],
        ]
        choices = oracle.OPTIONS.get(name, [{}])
        options = dict(choices[int(rng.integers(len(choices)))])
        if way < 0.8:
            mask = rng.random(n) < 0.4
            mask[int(rng.integers(n))] = True
            if pair.mode.value == "Disabled" and pair.over is not None:
                mask |= pair.over
            options["reset_mask"] = mask
        pair.reset(seed=seeds[int(rng.integers(3))], options=options)
    pair.run(10, actions)
    pair.compare_streams()
