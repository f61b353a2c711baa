"""The sides of the pairs: batchsim, Gymnasium, and a plain C loop that never changes."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

import batchsim
from batchsim import registry
from batchsim.batch.processors import available_cpus
from batchsim.envs.egocentric.textures import CEILING, COUNT, FLOOR, SIDE
from batchsim.ladder.check import draw_actions, draw_from
from batchsim.ladder.kind import Kind
from benchmarks.c_library import load
from benchmarks.pairs import Side

__all__ = [
    "batchsim_step",
    "compile_once",
    "copy_columns",
    "definition_step",
    "example_step",
    "free_processors",
    "gymnasium_step",
    "import_libraries",
    "pictures",
    "raycast",
    "raycaster",
    "seeded_reset",
    "send_and_recv",
    "snapshot",
    "start",
    "yardstick_step",
]

ACTIONS = 8
"""Batches of random actions, drawn before and passed in turn."""


def _stepping(name: str, envs: Any) -> Side:
    step, following = envs.step, _following(envs)
    envs.reset(seed=0)
    return Side(name, lambda: step(following()), envs.num_envs, envs.close)


def _following(envs: Any) -> Callable[[], Any]:
    """Return what gives the next batch of random actions of environments."""
    batches = draw_from(envs.single_action_space, envs.num_envs, ACTIONS)
    return itertools.cycle(batches).__next__


def batchsim_step(id: str, num_envs: int, **settings: Any) -> Side:
    """Steps of batchsim."""
    return _stepping("batchsim", batchsim.make_vec(id, num_envs, **settings))


def definition_step(definition: Any, num_envs: int) -> Side:
    """Steps of a definition on one core."""
    envs = batchsim.make_vec(definition, num_envs, num_threads=1)
    return _stepping(definition.__name__, envs)


def example_step(name: str, num_envs: int) -> Side:
    """Steps of one of docs/examples on one core."""
    path = Path(__file__).parents[1] / "docs" / "examples" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    definition = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(definition)
    return definition_step(definition, num_envs)


def pictures(id: str, num_envs: int, **settings: Any) -> Side:
    """Steps of environments that are seen, written into one array, as into rollout storage."""
    envs = batchsim.make_vec(id, num_envs, **settings)
    observations, _ = envs.reset(seed=0)
    out = (np.zeros_like(observations), None, None, None)
    following = _following(envs)
    return Side("batchsim", lambda: envs.step(following(), out=out), num_envs, envs.close)


def gymnasium_step(id: str, num_envs: int, mode: str) -> Side:
    """Steps of per-object environments in Gymnasium's vector environment of that mode."""
    envs = gymnasium.make_vec(registry.original(id), num_envs, vectorization_mode=mode)
    return _stepping(f"gymnasium {mode}", envs)


def envpool_step(id: str, num_envs: int) -> Side:
    """Steps of EnvPool's environments on one thread."""
    import envpool

    envs = envpool.make(id, "gymnasium", num_envs=num_envs, num_threads=1)
    envs.reset()
    batches = draw_from(envs.action_space, num_envs, ACTIONS)
    following = itertools.cycle([batch.astype(np.int32) for batch in batches])
    return Side("envpool", lambda: envs.step(next(following)), num_envs, envs.close)


def yardstick_step(num_envs: int, number: str = "double") -> Side:
    """Steps of CartPole-v1 in plain C (`cartpole.c`), in `double` or `float`."""
    library = load("cartpole.c", f"-DNUMBER={number}")
    library.cartpole_make.restype = ctypes.c_void_p
    rows = ctypes.c_int64(num_envs)
    envs = ctypes.c_void_p(library.cartpole_make(rows))
    outputs = [
        np.zeros((num_envs, 4), np.float32),
        np.zeros(num_envs),
        *np.zeros((2, num_envs), bool),
    ]
    batches = draw_actions(Kind("CartPole-v1"), num_envs, ACTIONS)
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in outputs]
    calls = itertools.cycle(
        functools.partial(
            library.cartpole_step, envs, rows, ctypes.c_void_p(actions.ctypes.data), *pointers
        )
        for actions in batches
    )

    def step(_keep: Any = (outputs, batches)) -> None:
        next(calls)()

    return Side(f"plain C, {number}", step, num_envs, lambda: library.cartpole_free(envs))


def raycaster(id: str, num_envs: int) -> Side:
    """Pictures of a raycaster in C (`raycaster.c`) of what players in these environments see.

    It draws neither items nor monsters, and steps no world.
    """
    envs = batchsim.make_vec(id, num_envs)
    envs.reset(seed=0)
    following = _following(envs)
    for _ in range(50):
        envs.step(following())
    out = np.zeros(envs.observation_space.shape, np.uint8)  # type: ignore[arg-type]
    draw = raycast(envs.get_state(), envs.tables["atlas"], out)
    envs.close()
    return Side("raycaster in C", draw, num_envs)


def raycast(state: dict[str, Any], atlas: Any, out: Any) -> Callable[[], None]:
    """Return a function that draws what players see, by `raycaster.c`.

    Args:
        state: of egocentric environments, as `get_state` returns it; their `fov` is 90.
        atlas: their table of textures; each begins with its largest version.
        out: for the pictures, (N, height, width, 3), uint8; up to 640 wide.
    """
    library = load("raycaster.c", "-march=native")
    players = [state[f"state.{name}"] for name in ("grid", "x", "y", "angle")]
    texels = np.ascontiguousarray(atlas.reshape(COUNT, -1)[:, : SIDE * SIDE])
    num_envs, height, width, _ = out.shape
    arguments = [ctypes.c_int64(num_envs)]
    arguments += [ctypes.c_void_p(array.ctypes.data) for array in (*players, texels)]
    arguments += [ctypes.c_int64(number) for number in (FLOOR, CEILING, width, height)]
    arguments += [ctypes.c_void_p(out.ctypes.data)]

    def draw(_keep: Any = (players, texels, out)) -> None:
        library.raycaster_draw(*arguments)

    return draw


def free_processors(blocks: int = 15) -> float:
    """Return how many times the work of one thread all get done: their number if none is disturbed.

    Each thread steps a C loop of its own; calls through ctypes release the GIL.
    """
    count = available_cpus()
    loops = [yardstick_step(16384) for _ in range(count)]

    def step_often(loop: Side) -> None:
        for _ in range(20):
            loop.call()

    with ThreadPoolExecutor(count) as executor:

        def seconds(working: list[Side]) -> float:
            start = time.perf_counter()
            list(executor.map(step_often, working))
            return time.perf_counter() - start

        seconds(loops)
        ratios = [count * seconds(loops[:1]) / seconds(loops) for _ in range(blocks)]
    for loop in loops:
        loop.close()
    return statistics.median(ratios)


def send_and_recv(id: str, num_envs: int) -> Side:
    """Steps of batchsim by `send` and `recv`."""
    envs = batchsim.make_vec(id, num_envs)
    following = _following(envs)
    envs.reset(seed=0)

    def both() -> None:
        envs.send(following())
        envs.recv()

    return Side("send and recv", both, num_envs, envs.close)


def seeded_reset(envs: Any) -> Side:
    """Resets with a seed: all of a row's random stream is made anew."""
    return Side("reset(seed=…)", lambda: envs.reset(seed=1), envs.num_envs, envs.close)


def snapshot(id: str, num_envs: int) -> Side:
    """Snapshots of all rows, and their restoration."""
    envs = batchsim.make_vec(id, num_envs)
    envs.reset(seed=0)
    return Side(
        "get_state and set_state", lambda: envs.set_state(envs.get_state()), num_envs, envs.close
    )


def copy_columns(id: str, num_envs: int) -> Side:
    """Copies of the same arrays there and back, which no snapshot can do without."""
    envs = batchsim.make_vec(id, num_envs)
    envs.reset(seed=0)
    columns = [np.array(column) for column in envs.get_state().values()]
    envs.close()

    def both() -> None:
        for column in columns:
            column[...] = column.copy()

    return Side("copies", both, num_envs)


def _run(code: str, cache: str) -> None:
    environment = {**os.environ, "BATCHSIM_CACHE_DIR": cache}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def import_libraries() -> Side:
    """A new process that imports what batchsim stands on."""
    return Side("import numba, gymnasium", lambda: _run("import numba, gymnasium.vector", ""), 1)


FIRST_STEP = """
import batchsim
envs = batchsim.make_vec({id!r}, 64)
envs.reset(seed=0)
envs.step(envs.action_space.sample())
"""


def start(id: str) -> Side:
    """A new process up to its first step, the kernel found in the cache."""
    directory = tempfile.TemporaryDirectory(prefix="batchsim-benchmarks-")
    _run(FIRST_STEP.format(id=id), directory.name)
    return Side(
        "warm start", lambda: _run(FIRST_STEP.format(id=id), directory.name), 1, directory.cleanup
    )


def compile_once(id: str) -> Side:
    """A new process up to its first step, the kernel compiled."""

    def run() -> None:
        with tempfile.TemporaryDirectory(prefix="batchsim-benchmarks-") as directory:
            _run(FIRST_STEP.format(id=id), directory)

    return Side("cold start", run, 1)
