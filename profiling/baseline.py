"""Why the per-object baseline is slow: Gymnasium's environment, its wrappers and `SyncVectorEnv`,
line by line.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import gymnasium as gym
import typer
from gymnasium.vector import SyncVectorEnv
from line_profiler import LineProfiler

from profiling.report import (
    Profile,
    Report,
    UsageError,
    explain_lines,
    file_name,
    floor_of,
    main,
    nanoseconds,
    pieces_of,
    profile,
    table,
)

BURST = 5
"""Steps between two readings of the clock; few, so that episodes seldom end within."""


def session(
    env: Annotated[str, typer.Argument(metavar="[ID]", help="An id of Gymnasium.")] = "CartPole-v1",
    steps: Annotated[int, typer.Option(min=1, help="Steps to profile.")] = 5000,
    num_envs: Annotated[int, typer.Option(min=1, help="Rows of SyncVectorEnv.")] = 8,
    out: Annotated[Path | None, typer.Option(help="The report.")] = None,
) -> None:
    """Profile the step of one Gymnasium environment and of SyncVectorEnv."""
    try:
        layers = unwrap(gym.make(env))
    except (gym.error.Error, TypeError) as error:
        raise UsageError(f"Gymnasium cannot make {env!r}: {error}") from error
    inner = layers[-1]
    functions = list({id(type(layer).step): type(layer).step for layer in layers}.values())
    single = profile(functions, lambda profiler: run(layers[0], steps, profiler))

    vector = gym.make_vec(env, num_envs, vectorization_mode="sync")
    vector.action_space.seed(0)
    vector.reset(seed=0)
    calls = max(1, steps // num_envs)
    actions = [vector.action_space.sample() for _ in range(calls)]

    def step_all(profiler: LineProfiler) -> Iterator[None]:
        for piece in pieces_of(actions):
            with profiler:
                for action in piece:
                    vector.step(action)
            yield

    vectors = profile([SyncVectorEnv.step], step_all)
    floor = floor_of([*single, *vectors])

    times = [time_steps(layer, max(20, steps // BURST)) for layer in layers]
    vector_time = nanoseconds(lambda: vector.step(actions[0])) / num_envs
    action = inner.action_space.sample()
    contains = nanoseconds(lambda: inner.action_space.contains(action))
    report = Report(
        f"Per-object baseline: where a step of {env} goes", f"python -m profiling.baseline {env}"
    )
    by_kind = kinds(next(one for one in single if one.name.startswith(name_of(inner))), inner)
    measured = {kind: shares(by_kind, floor)[kind] for kind in by_kind}
    report.say(
        f"One step takes {times[0]:,.0f} ns: {times[-1]:,.0f} ns in {type(inner).__name__}.step, "
        f"{times[0] - times[-1]:,.0f} ns ({1 - times[-1] / times[0]:.0%}) in {len(layers) - 1} "
        f"wrappers, and {vector_time:,.0f} ns a row in SyncVectorEnv with {num_envs} rows."
    )
    report.say(
        f"Of {type(inner).__name__}.step, "
        + ", ".join(f"{share:.0%} {kind}" for kind, share in measured.items() if share >= 0.005)
        + f". To check the action alone takes {contains:,.0f} ns untraced."
    )
    line, text = costliest(single, inner, floor)
    report.say(f"The costliest line of it is `{text}`: {line / steps:,.0f} ns a step, traced.")

    rows = [
        (
            f"`{name_of(layer)}`",
            f"{time:,.0f}",
            f"{time - below:,.0f}",
            f"{(time - below) / times[0]:.0%}",
        )
        for layer, time, below in zip(layers, times, [*times[1:], 0.0], strict=True)
    ]
    rows.append((f"`SyncVectorEnv.step` / {num_envs}", f"{vector_time:,.0f}", "–", "–"))
    rows.append(("`action_space.contains`", f"{contains:,.0f}", "–", f"{contains / times[0]:.0%}"))
    report.add(
        "Layers, nothing traced",
        "From the outermost wrapper inwards. Own is what a layer adds to the one below. "
        "SyncVectorEnv steps the whole stack of wrappers in each row. The check of the action is "
        "timed by itself; most environments make it in their step.",
        table(["layer", "ns a step", "own ns", "share"], rows),
    )
    report.add(
        f"What the lines of {type(inner).__name__}.step do",
        "Every line counts for the first of these that it holds: a call into NumPy, a call of "
        "anything else, a check (`assert`, `if`), arithmetic, and the rest (assignments, tuples).",
        table(
            ["kind", "lines", "net ns a step", "share"],
            [
                (
                    kind,
                    str(len(lines)),
                    f"{total(lines, floor) / steps:,.0f}",
                    f"{measured[kind]:.0%}",
                )
                for kind, lines in by_kind.items()
            ],
        ),
    )
    report.add("Lines", explain_lines(floor, "a step of one environment"))
    for one in reversed(single):
        report.add_lines(one, steps, floor)
    report.add_brief_lines((one, calls, floor, f", a call of {num_envs} rows") for one in vectors)
    report.write(out or file_name("baseline", env))


def unwrap(env: gym.Env[Any, Any]) -> list[gym.Env[Any, Any]]:
    """Return an environment's wrappers from the outermost inwards, and the environment itself."""
    layers = [env]
    while isinstance(layers[-1], gym.Wrapper):
        layers.append(layers[-1].env)
    return layers


def name_of(layer: Any) -> str:
    """Return the name of a layer's `step`, which it may have from a base class."""
    return str(type(layer).step.__qualname__)


def run(env: Any, steps: int, profiler: LineProfiler) -> Iterator[None]:
    """Step with random actions; only the steps are traced."""
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(steps)]
    env.reset(seed=0)
    for piece in pieces_of(actions):
        for action in piece:
            with profiler:
                _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()
        yield


def time_steps(layer: Any, bursts: int) -> float:
    """Return how long a step takes in ns, resets left out: the fastest tenth of `bursts`."""
    layer.action_space.seed(0)
    actions = [layer.action_space.sample() for _ in range(BURST)]
    times = []
    for _ in range(bursts):
        # A reset of a layer resets all below it, which is all that its step needs.
        layer.reset()
        done = 0
        start = time.perf_counter()
        for action in actions:
            done += 1
            _, _, terminated, truncated, _ = layer.step(action)
            if terminated or truncated:
                break
        times.append((time.perf_counter() - start) / done)
    times.sort()
    fastest = times[: max(1, bursts // 10)]
    return sum(fastest) / len(fastest) * 1e9


KINDS = ("calls into NumPy", "other calls", "checks", "arithmetic", "the rest")


def kinds(one: Profile, inner: Any) -> dict[str, list[Any]]:
    """Sort the lines of a function by what they do."""
    function: Callable[..., Any] = type(inner).step
    source = textwrap.dedent("".join(inspect.getsourcelines(function)[0]))
    offset = one.first_line - 1
    kind_of: dict[int, str] = {}
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.stmt) or isinstance(node, ast.FunctionDef):
            continue
        headed = isinstance(node, (ast.If, ast.While))
        part: ast.AST = node.test if headed else node
        last = part.end_lineno if headed else node.end_lineno  # type: ignore[attr-defined]
        for number in range(node.lineno, (last or node.lineno) + 1):
            kind_of[number + offset] = kind(part, node, function.__globals__)
    found: dict[str, list[Any]] = {name: [] for name in KINDS}
    for line in one.lines:
        found[kind_of.get(line.number, KINDS[-1])].append(line)
    return found


def kind(part: ast.AST, statement: ast.stmt, names: dict[str, Any]) -> str:
    """Return what a statement does."""
    nodes = list(ast.walk(part))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    if any(is_numpy(call.func, names) for call in calls):
        return KINDS[0]
    if calls:
        return KINDS[1]
    if isinstance(statement, (ast.Assert, ast.If)):
        return KINDS[2]
    if any(
        isinstance(node, (ast.BinOp, ast.Compare, ast.UnaryOp, ast.AugAssign)) for node in nodes
    ):
        return KINDS[3]
    return KINDS[4]


def is_numpy(function: ast.AST, names: dict[str, Any]) -> bool:
    """Tell whether a call such as `np.cos(…)` or `sin(…)` goes to NumPy."""
    while isinstance(function, ast.Attribute):
        function = function.value
    if not isinstance(function, ast.Name) or function.id not in names:
        return False
    value = names[function.id]
    module = value.__name__ if isinstance(value, ModuleType) else type(value).__module__
    return module.partition(".")[0] == "numpy"


def total(lines: list[Any], floor: float) -> float:
    """Return the time of lines without what the tracing costs, in ns."""
    return sum(max(0.0, line.nanoseconds - line.hits * floor) for line in lines)


def shares(by_kind: dict[str, list[Any]], floor: float) -> dict[str, float]:
    """Return the share of the time that each kind of line takes."""
    whole = sum(total(lines, floor) for lines in by_kind.values()) or 1.0
    return {name: total(lines, floor) / whole for name, lines in by_kind.items()}


def costliest(profiles: list[Profile], inner: Any, floor: float) -> tuple[float, str]:
    """Return time and text of the line of the environment's own step that takes longest."""
    one = next(one for one in profiles if one.name.startswith(name_of(inner)))
    line = max(one.lines, key=lambda line: one.net(line, floor))
    return one.net(line, floor), dict(one.source())[line.number].strip()


if __name__ == "__main__":
    main(session)
