"""What a step and a reset cost on their way to the kernel: Python, Cython, and the call itself."""

from __future__ import annotations

import ctypes
import functools
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import typer
from line_profiler import LineProfiler

from batchsim import make_vec, random
from batchsim.actions import OWN
from batchsim.batch import checks
from batchsim.batch.allocation import table_of
from batchsim.batch.generators import Generators
from batchsim.batch.vector import BatchEnv
from batchsim.compiler import kernels
from profiling.build import BuildError, build
from profiling.cython_lines import CAN_TRACE
from profiling.report import (
    ROOT,
    Line,
    Profile,
    Report,
    UsageError,
    environment_name,
    explain_lines,
    file_name,
    floor_of,
    main,
    pieces_of,
    profile,
    race,
    resolve,
    shown,
    table,
)
from profiling.sampling import Samples, SamplingError, sample


def session(
    env: Annotated[str, typer.Argument(metavar="[ID]", help="Environment.")] = "CartPole-v1",
    num_envs: Annotated[int, typer.Option(min=1, help="Rows, beside one.")] = 64,
    steps: Annotated[int, typer.Option(min=1, help="Steps to trace.")] = 2000,
    seconds: Annotated[float, typer.Option(min=0.001, help="Time for each layer.")] = 0.5,
    cython: Annotated[
        bool, typer.Option(help="Build the profiling copy and trace the driver's lines.")
    ] = True,
    perf: Annotated[
        bool, typer.Option(help="Sample with Linux perf, where it is permitted.")
    ] = True,
    out: Annotated[Path | None, typer.Option(help="The report.")] = None,
) -> None:
    """Profile the host path of BatchEnv.step and reset."""
    target = resolve(env)
    name = environment_name(env, target)
    sizes = sorted({1, num_envs})
    try:
        make_vec(target).close()
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error
    layers = {size: time_layers(target, size, seconds) for size in sizes}

    report = Report(
        f"Host path: from BatchEnv.step to the kernel of {name}",
        f"python -m profiling.host {shown(env)} --num-envs {num_envs}",
    )
    last = layers[sizes[-1]]
    report.say(
        f"A step of {sizes[-1]} rows takes {last['BatchEnv.step']:,.0f} ns: "
        f"{last[PYTHON]:,.0f} ns in Python, {last[CYTHON]:,.0f} ns in the Cython driver, "
        f"{last[KERNEL]:,.0f} ns in the kernel; of one row {layers[1]['BatchEnv.step']:,.0f} ns, "
        f"{layers[1][KERNEL]:,.0f} ns of them in the kernel."
    )
    host = last[PYTHON] + last[CYTHON]
    dear = {key: last[key] - last["BatchEnv.step"] for key in CALLS[4:7] if key in last}
    report.say(
        f"The host path is {host:,.0f} ns a step; dearer ways to call it add "
        + ", ".join(
            f"{more:,.0f} ns ({key.partition(', ')[2] or 'out='})" for key, more in dear.items()
        )
        + f". A seeded reset takes {last['BatchEnv.reset(seed=0)'] / sizes[-1]:,.0f} ns a row, an "
        f"unseeded one {last['BatchEnv.reset()'] / sizes[-1]:,.0f} ns."
    )
    report.add(
        "Layers, nothing traced",
        "Each the fastest of many blocks of calls that take turns. The kernel is called through "
        "ctypes, a check of no rows taken off. Rows with a dash are differences: together they are "
        "`BatchEnv.step`.",
        table(
            ["layer", *(f"ns, N={size}" for size in sizes)],
            [
                (
                    f"`{key}`" if key in CALLS else key,
                    *(f"{layers[size][key]:,.0f}" for size in sizes),
                )
                for key in last
            ],
        ),
    )
    if perf:
        add_samples(report, env, num_envs)
    add_python_lines(report, target, num_envs, steps)
    if cython:
        add_cython_lines(report, env, num_envs, steps)
    report.write(out or file_name("host", name))


PYTHON = "– Python: `BatchEnv.step` without the driver"
CYTHON = "– Cython: the driver without the kernel"
KERNEL = "– kernel: check and step"
CALLS = (
    "BatchEnv.step",
    "Driver.step",
    "kernel(CHECK_ACTIONS)",
    "kernel(STEP)",
    "BatchEnv.step, int32 actions",
    "BatchEnv.step, a list of actions",
    "BatchEnv.step(out=…)",
    "BatchEnv.reset()",
    "BatchEnv.reset(seed=0)",
    "BatchEnv.reset(reset_mask=…), one row",
)


def time_layers(target: Any, num_envs: int, seconds: float) -> dict[str, float]:
    """Return how long the layers of a step take, in ns, nothing traced."""
    envs = make_vec(target, num_envs, num_threads=1)
    envs.action_space.seed(0)
    actions = envs.action_space.sample()
    envs.reset(seed=0)
    for _ in range(50):
        envs.step(actions)
    driver = envs._driver
    bind = kernel_calls(envs)
    calls: dict[str, Callable[[], Any]] = {
        "nothing": lambda: None,
        "no row": bind(kernels.CHECK_ACTIONS, 0),
        "BatchEnv.step": lambda: envs.step(actions),
        "Driver.step": lambda: driver.step(actions, None),
        "kernel(CHECK_ACTIONS)": bind(kernels.CHECK_ACTIONS, num_envs),
        "kernel(STEP)": bind(kernels.STEP, num_envs),
    }
    if isinstance(envs.single_action_space, gym.spaces.Discrete):
        narrow, listed = actions.astype(np.int32), actions.tolist()
        calls["BatchEnv.step, int32 actions"] = lambda: envs.step(narrow)
        calls["BatchEnv.step, a list of actions"] = lambda: envs.step(listed)
    out = output_arrays(envs, actions)
    if out is not None:
        calls["BatchEnv.step(out=…)"] = lambda: envs.step(actions, out=out)
    one_row = {"reset_mask": np.arange(num_envs) == 0}
    calls["BatchEnv.reset()"] = lambda: envs.reset()
    calls["BatchEnv.reset(seed=0)"] = lambda: envs.reset(seed=0)
    calls["BatchEnv.reset(reset_mask=…), one row"] = lambda: envs.reset(options=one_row)
    times = race(calls, seconds)
    envs.close()

    nothing, no_row = times.pop("nothing"), times.pop("no row")
    for name in times:
        times[name] -= no_row if name.startswith("kernel") else nothing
    whole, inner = times["BatchEnv.step"], times["Driver.step"]
    machine_code = times["kernel(CHECK_ACTIONS)"] + times["kernel(STEP)"]
    found = {"BatchEnv.step": whole, "Driver.step": inner}
    found |= {PYTHON: whole - inner, CYTHON: inner - machine_code, KERNEL: machine_code}
    return found | times


def output_arrays(envs: BatchEnv, actions: Any) -> list[Any] | None:
    """Return arrays for `out`, where observations are one array."""
    arrays = envs.step(actions)[:4]
    return [np.copy(array) for array in arrays] if isinstance(arrays[0], np.ndarray) else None


def kernel_calls(envs: BatchEnv) -> Callable[[int, int], Callable[[], Any]]:
    """Return `bind(task, rows)`, whose result calls the machine code by ctypes."""
    loops = envs._kernels.of(OWN).loops
    table = table_of(envs._tile, loops.address)[len(kernels.BEFORE_TABLE) :]
    result, exception = ctypes.c_int64(), ctypes.c_void_p()
    number, pointer = ctypes.c_int64, ctypes.c_void_p
    # The GIL is kept, as the driver keeps it in short steps.
    kernel = ctypes.PYFUNCTYPE(ctypes.c_int32, pointer, pointer, pointer, number, number, number)(
        loops.kernel
    )
    places = ctypes.byref(result), ctypes.byref(exception), ctypes.c_void_p(table.ctypes.data)

    def bind(task: int, rows: int) -> Callable[[], Any]:
        call = functools.partial(kernel, *places, number(task), number(0), number(rows))
        call.table = table  # type: ignore[attr-defined]  # Lives as long as the call.
        return call

    return bind


def add_samples(report: Report, env: str, num_envs: int) -> None:
    """Add where the processor is during steps, function by function."""
    try:
        samples = sample(env, num_envs)
    except SamplingError as error:
        report.add("Samples", str(error))
        return
    places = Counter(group(samples, place) for place in samples.places)
    whole = sum(places.values())
    rows = [
        (where, f"{samples.nanoseconds * count / whole:,.0f}", f"{count / whole:.1%}")
        for where, count in places.most_common(20)
    ]
    host = Counter(
        {where: count for where, count in places.items() if not where.startswith("kernel")}
    )
    top = ", ".join(
        f"{where} {samples.nanoseconds * count / whole:,.0f} ns"
        for where, count in host.most_common(3)
    )
    report.say(
        f"Outside the kernel most samples fall into {top}, of {samples.nanoseconds:,.0f} ns."
    )
    report.add(
        "Samples, nothing traced",
        f"`perf` looked {whole:,} times where a loop of steps of {num_envs} rows is, "
        f"{samples.nanoseconds:,.0f} ns a step, the loop around it and resets included. The 20 "
        "largest:",
        table(["where", "ns a step", "share"], rows),
    )


def group(samples: Samples, place: tuple[int, str, str]) -> str:
    """Return what a sample counts for: the kernel, a function of Cython, or a library."""
    address, symbol, library = place
    if any(0 <= address - start < 1 << 20 for start in samples.addresses.values()):
        return "kernel"
    file = Path(library).name.split(".")[0]
    if file == "_loops":
        return "kernel: what calls its parts"
    if file == "libm":
        return f"kernel: `{symbol}` of the C library"
    if file in ("_driver", "_buffers"):
        return f"`{file}.pyx`: `{demangled(symbol)}`"
    if file.startswith("libpython") or file.startswith("python"):
        return f"CPython: `{symbol}`"
    if "umath" in file:
        return f"NumPy: `{symbol}`"
    return f"`{file}`: `{symbol}`" if symbol != "[unknown]" else f"`{file}`"


def demangled(symbol: str) -> str:
    """Return the Python name of a function that Cython made, such as `Driver._begin`."""
    found = re.match(r"__pyx_\w+?_8batchsim_5batch_\d+_(?:driver|buffers)_(.*)", symbol)
    if found is None:
        return symbol.partition("(")[0]
    # A class is written as its length and name, a method with its place in the class or without.
    text = found[1]
    size = re.match(r"\d+", text)
    if size is None:
        return text
    name = text[size.end() :]
    length = int(size[0])
    return f"{name[:length]}.{re.sub(r'^[0-9]+', '', name[length + 1 :])}"


def add_python_lines(report: Report, target: Any, num_envs: int, steps: int) -> None:
    """Add the lines of the Python layer: a step, steps whose actions are converted, and resets."""
    envs = make_vec(target, num_envs, num_threads=1)
    envs.action_space.seed(0)
    actions = [envs.action_space.sample() for _ in range(steps)]
    envs.reset(seed=0)
    discrete = isinstance(envs.single_action_space, gym.spaces.Discrete)
    others = [action.astype(np.int32) if discrete else action.tolist() for action in actions]
    resets = max(1, steps // 20)

    out = output_arrays(envs, actions[0])

    def step(batch: list[Any], out: Any = None) -> Callable[[LineProfiler], Iterator[None]]:
        def run(profiler: LineProfiler) -> Iterator[None]:
            for piece in pieces_of(batch):
                with profiler:
                    for action in piece:
                        envs.step(action, out=out)
                yield

        return run

    def reset(profiler: LineProfiler) -> Iterator[None]:
        for piece in pieces_of(range(resets)):
            with profiler:
                for _ in piece:
                    envs.reset(seed=0)
            yield

    parts = [
        ("a step", steps, profile([BatchEnv.step], step(actions))),
        (
            f"a step with actions {'in int32' if discrete else 'in lists'}",
            steps,
            profile([checks.Checks.convert], step(others)),
        ),
        ("a step with out=", steps, profile([checks.Checks.outputs], step(actions, out))),
        (
            "a reset with seed=0",
            resets,
            profile(
                [
                    BatchEnv.reset,
                    BatchEnv._reset,
                    Generators.seed,
                    checks.read_seeds,
                    random.seed_rows,
                ],
                reset,
            ),
        ),
    ]
    envs.close()
    floor = floor_of([one for _, _, profiles in parts[2:] for one in profiles])
    report.add("Lines of the Python layer", explain_lines(floor, "what each heading says"))
    report.add_brief_lines(
        (one, calls, floor, f": {per}") for per, calls, profiles in parts for one in profiles
    )


def add_cython_lines(report: Report, env: str, num_envs: int, steps: int) -> None:
    """Add the lines of the driver and the buffers, traced in a profiling copy of batchsim."""
    if not CAN_TRACE:
        report.add(
            "Lines of the Cython layer",
            "Cython's lines cannot be traced on Python 3.12; 3.11 and those from 3.13 can.",
        )
        return
    try:
        copy = build()
    except BuildError as error:
        report.add("Lines of the Cython layer", str(error))
        return
    path = Path(env.partition(".py")[0] + ".py")
    named = env.replace(str(path), str(path.resolve())) if path.is_file() else env
    done = subprocess.run(
        [sys.executable, "-m", "profiling.cython_lines", named, str(num_envs), str(steps)],
        cwd=copy,
        # The copy comes first; a user's module may lie in the working directory.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (copy, ROOT, Path.cwd())))},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        report.add("Lines of the Cython layer", f"The session in the profiling copy failed: {last}")
        return
    found = json.loads(done.stdout)
    report.add(
        "Lines of the Cython layer",
        "From a copy of batchsim built with line tracing (`python -m profiling.build`). Tracing a "
        "line costs 0.2 to 1 µs here, as much as the whole driver takes untraced: read which lines "
        "run and how often, and take times from the tables above. `net ns` leaves out each "
        "function's own cheapest line, and keeps the tracing of the functions that a line calls. "
        "Functions of one or two lines, and those of a reset that a step calls too, are left out.",
    )
    rows = {}
    for part, calls in (("step", found["steps"]), ("reset", found["resets"])):
        for one in found[part]:
            one = Profile(**{**one, "lines": [Line(**line) for line in one["lines"]]})
            if len(one.lines) > 2:
                row = one, calls, floor_of([one]), f": a {part}"
                rows.setdefault((one.file, one.first_line), row)
    report.add_brief_lines(rows.values())


if __name__ == "__main__":
    main(session)
