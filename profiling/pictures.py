"""What a step of an egocentric environment costs, part by part, in ns a picture.

The environment is compiled again and again, each time with one more function of the renderer left
out. All variants step the same frozen states by turns; what a part costs is the difference between
two of them. The fastest round of each counts, as a busy moment of the machine makes a round slower,
never faster.
"""

from __future__ import annotations

import gc
import time
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Annotated, Any

import numpy as np
import typer

from batchsim import make_vec, registry
from batchsim.compiler.compile import LIBRARIES
from batchsim.envs.egocentric import renderer
from batchsim.registry import Entry
from profiling.environment import reached
from profiling.report import (
    EnvArgument,
    Report,
    UsageError,
    environment_name,
    file_name,
    main,
    resolve,
    shown,
    table,
)

ROUNDS = 41
WARM_UP = 20
"""Steps in which the driver learns the size of its tiles."""


def nothing(*arguments: Any) -> None:
    """Stand for a function that is left out."""


def no_walls(s, i, p, c, n, spread):  # type: ignore[no-untyped-def]
    """Stand for `project`: the tallest wall has no pixel."""
    return np.int32(0)


def write_rows(s, i, p, floor, ceiling, out):  # type: ignore[no-untyped-def]
    """Stand for `draw`: the picture's bytes are written row by row, and nothing else."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            for k in range(out.shape[2]):
                out[y, x, k] = 127


PARTS = {
    "sprites": {"draw_sprites": nothing},
    "colours and write-out": {"paint_row": nothing},
    "walls": {"project": no_walls},
    "floor and ceiling": {"survey": nothing},
    "rays": {"draw": nothing},
}
"""Parts of a picture, the last one first, and what stands for their functions when left out."""

MEANINGS = {
    "simulation": "the world's step of all its tics, resets of the rows that are over, the driver",
    "rays": "from cell to cell of the map until a wall; how sure it is between two rays",
    "floor and ceiling": "which texel each pixel of the picture would show if there were no walls",
    "walls": "where each column's wall lies; pixels that show walls in place of floor and ceiling",
    "colours and write-out": "texels looked up, lit and written as bytes",
    "sprites": "items and monsters: found, sorted and drawn",
}
"""Of the parts, the first one first."""


def session(
    env: EnvArgument,
    num_envs: Annotated[int, typer.Option(min=1, help="Rows.")] = 256,
    steps: Annotated[int, typer.Option(min=0, help="Random steps before rows are frozen.")] = 300,
    width: Annotated[int, typer.Option(min=1, help="Of the picture, in pixels.")] = 128,
    height: Annotated[int, typer.Option(min=1, help="Of the picture, in pixels.")] = 72,
    out: Annotated[Path | None, typer.Option(help="The report.")] = None,
) -> None:
    """Measure the parts of an egocentric environment's step by leaving them out.

    An environment of yours has to draw with batchsim's renderer.
    """
    target = resolve(env)
    name = environment_name(env, target)
    definition, entry = registry.read(target)
    if renderer.draw not in reached([definition.observe], definition.namespace):
        raise UsageError(
            f"{env} does not draw with batchsim's renderer; expected an egocentric environment, "
            "such as EgoBattle-v0."
        )
    try:
        made = make_variants(definition, entry, num_envs, width=width, height=height)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error
    rounds = measure(made, steps)
    fastest = {part: min(spent) for part, spent in rounds.items()}
    total, costs = fastest["whole"], parts(fastest)
    written = fastest["bytes"] - fastest["rays"]

    report = Report(
        f"Pictures: what a step of {name} costs by part",
        f"python -m profiling.pictures {shown(env)} --num-envs {num_envs} --steps {steps} "
        f"--width {width} --height {height}",
        traced=False,
    )
    report.say(
        f"A step with its picture of {width} x {height} pixels takes {total:,.0f} ns on one core "
        f"(median {np.median(rounds['whole']):,.0f}), {1e9 / total:,.0f} pictures/s: "
        + ", ".join(f"{part} {costs[part] / total:.0%}" for part in MEANINGS)
        + "."
    )
    drawn = total - costs["simulation"]
    report.say(f"The picture alone takes {drawn / (width * height):.2f} ns a pixel.")
    report.say(
        f"To write its bytes and nothing else takes {written:,.0f} ns, {written / drawn:.0%} of it."
    )
    report.add(
        "Parts",
        f"{num_envs:,} rows after {steps:,} random steps, frozen: each variant steps them with the "
        f"same actions, {ROUNDS} times by turns, written into one array. A part is the difference "
        "of two fastest rounds, with and without its functions; the parts above it are in both, "
        "those below it in neither.",
        table(
            ["part", "ns a picture", "share"],
            [(part, f"{costs[part]:,.0f}", f"{costs[part] / total:.1%}") for part in MEANINGS],
        ),
        "\n".join(f"- {part}: {meaning}" for part, meaning in MEANINGS.items()),
    )
    report.write(out or file_name("pictures", name))


def without(function: Any, replaced: dict[str, Any]) -> Any:
    """Return a copy of a function that calls others in place of those with these names."""
    names = dict(function.__globals__)
    for name in function.__code__.co_names:
        called = names.get(name)
        if name in replaced:
            names[name] = replaced[name]
        elif isinstance(called, FunctionType) and called.__module__ not in LIBRARIES:
            names[name] = without(called, replaced)
    copy = FunctionType(function.__code__, names, function.__name__, function.__defaults__)
    copy.__module__ = function.__module__
    copy.__qualname__ = function.__qualname__
    return copy


def make_variants(definition: Any, entry: Entry, num_envs: int, **params: Any) -> dict[str, Any]:
    """Return environments by the part that they are the first to lack.

    "whole" lacks none, "bytes" writes bytes in place of pictures.
    """
    replaced: dict[str, Any] = {}
    lacking: dict[str, dict[str, Any]] = {"whole": {}}
    for part, functions in PARTS.items():
        replaced |= functions
        lacking[part] = dict(replaced)
    lacking["bytes"] = {"draw": write_rows}
    return {
        part: make_vec(
            variant(definition, functions),
            num_envs,
            num_threads=1,
            max_episode_steps=entry.max_episode_steps,
            **{**entry.kwargs, **params},
        )
        for part, functions in lacking.items()
    }


def variant(definition: Any, replaced: dict[str, Any]) -> ModuleType:
    """Return an environment whose pictures are drawn with these functions in place of others."""
    namespace = ModuleType(definition.name)
    for name in dir(definition.namespace):
        if not name.startswith("__"):
            setattr(namespace, name, getattr(definition.namespace, name))
    namespace.observe = without(definition.observe, replaced)  # type: ignore[attr-defined]
    return namespace


def measure(made: dict[str, Any], steps: int) -> dict[str, list[float]]:
    """Return what a row's step took in each variant, in ns, round by round; they are closed."""
    whole = made["whole"]
    observations, _ = whole.reset(seed=0)
    whole.action_space.seed(0)
    for _ in range(steps):
        whole.step(whole.action_space.sample())
    state, actions = whole.get_state(), whole.action_space.sample()
    out = (np.zeros_like(observations), None, None, None)
    spent: dict[str, list[float]] = {part: [] for part in made}
    for envs in made.values():
        for _ in range(WARM_UP):
            envs.set_state(state)
            envs.step(actions, out=out)
    collecting = gc.isenabled()
    gc.disable()
    for _ in range(ROUNDS):
        for part, envs in made.items():
            envs.set_state(state)
            start = time.perf_counter()
            envs.step(actions, out=out)
            spent[part].append(1e9 * (time.perf_counter() - start) / envs.num_envs)
    if collecting:
        gc.enable()
    for envs in made.values():
        envs.close()
    return spent


def parts(fastest: dict[str, float]) -> dict[str, float]:
    """Return what each part costs, given what variants cost by the part that they first lack."""
    costs = {}
    before = fastest["whole"]
    for part in PARTS:
        costs[part] = before - fastest[part]
        before = fastest[part]
    return {**costs, "simulation": before}


if __name__ == "__main__":
    main(session)
