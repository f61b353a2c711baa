"""Which lines of an environment take the time: its own functions, run as plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Annotated, Any

import typer
from line_profiler import LineProfiler

from batchsim import make_vec, registry
from batchsim.compiler.digest import LIBRARIES, reads
from batchsim.family import env
from profiling.report import (
    EnvArgument,
    Report,
    UsageError,
    environment_name,
    explain_lines,
    file_name,
    floor_of,
    main,
    pieces_of,
    profile,
    resolve,
    shown,
    table,
)


def session(
    env: EnvArgument,
    steps: Annotated[int, typer.Option(min=1, help="Steps of each row.")] = 2000,
    num_envs: Annotated[int, typer.Option(min=1, help="Rows.")] = 4,
    precision: Annotated[str, typer.Option(help="exact or fast.")] = "exact",
    out: Annotated[Path | None, typer.Option(help="The report.")] = None,
) -> None:
    """Profile an environment's reset, step and observe, and the functions that they call."""
    target = resolve(env)
    name = environment_name(env, target)
    definition = registry.read(target)[0]
    roots = [definition.reset, definition.step, definition.observe, definition.inform]
    roots = [function for function in roots if function is not None]
    functions = list(reached(roots, definition.namespace))

    def run(profiler: LineProfiler) -> Iterator[None]:
        # The copies that the reference backend runs share the code objects that are marked by now.
        try:
            envs = make_vec(target, num_envs, precision=precision, backend="reference")
        except (TypeError, ValueError) as error:
            raise UsageError(str(error)) from error
        envs.action_space.seed(0)
        actions = [envs.action_space.sample() for _ in range(steps)]
        with profiler:
            envs.reset(seed=0)
        for piece in pieces_of(actions):
            with profiler:
                for action in piece:
                    envs.step(action)
            yield
        envs.close()

    profiles = profile(functions, run)
    floor = floor_of(profiles)
    names = {function.__qualname__ for function in roots}
    whole = sum(spent(one, floor) for one in profiles if one.name in names) or 1.0
    rows = steps * num_envs

    report = Report(
        f"Environment: which lines of {name} take the time",
        f"python -m profiling.environment {shown(env)} --steps {steps} --num-envs {num_envs}"
        + (f" --precision {precision}" if precision != "exact" else ""),
    )
    tops = sorted(profiles, key=lambda one: spent(one, floor), reverse=True)
    shares = ", ".join(f"`{one.name}` {spent(one, floor) / whole:.0%}" for one in tops[:4])
    report.say(f"Of the time in the environment's functions: {shares}.")
    report.say(costliest(tops[0], rows, floor))
    begun = next((one.hits for one in profiles if one.name == definition.reset.__qualname__), 0)
    report.say(f"An episode lasts {rows / max(1, begun):,.0f} steps with random actions.")
    report.add(
        "Functions",
        f"{steps:,} steps of {num_envs} rows with random actions, `{precision}` precision, the "
        "functions as plain Python (`backend='reference'`). Machine code has other costs: these "
        "figures tell which lines run, how often, and which are large beside the others. What "
        "helpers take is part of their callers' time as well.",
        table(
            ["function", "calls", "net ns a call", "share"],
            [
                (
                    f"`{one.name}`",
                    f"{one.hits:,}",
                    f"{spent(one, floor) / one.hits:,.0f}",
                    f"{spent(one, floor) / whole:.0%}",
                )
                for one in tops
            ],
        ),
    )
    report.add("Lines", explain_lines(floor, "a step of one row"))
    for one in profiles:
        report.add_lines(one, rows, floor)
    report.write(out or file_name("environment", name))


def reached(functions: list[Any], namespace: Any) -> Iterator[Any]:
    """Yield functions and those that they call, but for batchsim's libraries.

    Args:
        functions: where to begin.
        namespace: the definition's, whose own functions they may call.
    """
    todo, seen = list(functions), set()
    while todo:
        function = todo.pop(0)
        # Numba's functions keep the author's.
        function = getattr(function, "py_func", function)
        if not isinstance(function, FunctionType) or function.__code__ in seen:
            continue
        if function.__module__ in LIBRARIES:
            continue
        seen.add(function.__code__)
        for name, members in reads(function.__code__).items():
            value = function.__globals__.get(name)
            owner = namespace if value is env else value
            todo += [value, *(getattr(owner, member, None) for member in members if member)]
        yield function


def spent(one: Any, floor: float) -> float:
    """Return a function's time without what the tracing costs, in ns."""
    return float(sum(one.net(line, floor) for line in one.lines))


def costliest(one: Any, rows: int, floor: float) -> str:
    """Return a sentence on the line of a function that takes longest."""
    line = max(one.lines, key=lambda line: one.net(line, floor))
    text = dict(one.source())[line.number].strip()
    share = one.net(line, floor) / (spent(one, floor) or 1.0)
    return (
        f"The largest line of `{one.name}` is {line.number}, `{text}`: {share:.0%} of it, "
        f"{line.hits / rows:.2f} times a step."
    )


if __name__ == "__main__":
    main(session)
