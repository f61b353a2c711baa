"""The Cython half of `profiling.host`, to be run where the profiling copy is imported.

line_profiler 5.1 sees Cython's lines on Python 3.11, which has the old tracing interface,
and from 3.13 on, by `sys.monitoring`; on 3.12 Cython has neither. `cdef` functions cannot be named
from Python, but each has a code object, which tracing shows: one traced call finds them, and
line_profiler is given something that stands for the function.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from line_profiler import LineProfiler

from batchsim import make_vec, registry
from batchsim.batch import _buffers, _driver
from profiling.report import pieces_of, profile

MODULES = {"_driver.pyx": _driver, "_buffers.pyx": _buffers}
CAN_TRACE = not (3, 12) <= sys.version_info < (3, 13)


class Named:
    """What line_profiler asks of a function, for one that has no name in Python."""

    def __init__(self, code: types.CodeType, module: types.ModuleType) -> None:
        self.__code__ = code
        self.__globals__ = vars(module)


def find_functions(call: Callable[[], Any]) -> list[Named]:
    """Return the functions of the traced Cython modules that `call` runs through."""
    codes: dict[tuple[str, int], types.CodeType] = {}

    def note(code: types.CodeType) -> None:
        codes.setdefault((code.co_filename, code.co_firstlineno), code)

    with _noting(note):
        call()
    return [
        Named(code, module)
        for (file, _), code in codes.items()
        for ending, module in MODULES.items()
        if file.endswith(ending)
    ]


@contextmanager
def _noting(note: Callable[[types.CodeType], None]) -> Iterator[None]:
    if not hasattr(sys, "monitoring"):

        def trace(frame: types.FrameType, event: str, argument: Any) -> Any:
            note(frame.f_code)
            return trace

        sys.settrace(trace)
        try:
            yield
        finally:
            sys.settrace(None)
        return
    monitoring = sys.monitoring
    tool = monitoring.COVERAGE_ID
    monitoring.use_tool_id(tool, "profiling")
    monitoring.register_callback(tool, monitoring.events.PY_START, lambda code, _: note(code))
    monitoring.set_events(tool, monitoring.events.PY_START)
    try:
        yield
    finally:
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)


def trace(target: Any, num_envs: int, steps: int) -> dict[str, Any]:
    """Return the lines of the driver and the buffers during steps, and during resets."""
    envs = make_vec(target, num_envs)
    envs.action_space.seed(0)
    actions = [envs.action_space.sample() for _ in range(steps)]
    envs.reset(seed=0)
    for action in actions[:50]:  # The driver learns how large tiles should be.
        envs.step(action)

    def run(calls: list[Callable[[], Any]]) -> Callable[[LineProfiler], Iterator[None]]:
        def every(profiler: LineProfiler) -> Iterator[None]:
            for piece in pieces_of(calls):
                for call in piece:
                    # One by one: Cython tells of the return before a `finally` block, and what
                    # follows the call would be counted as the last line's.
                    with profiler:
                        call()
                yield

        return every

    steps_found = find_functions(lambda: envs.step(actions[0]))
    resets_found = find_functions(lambda: envs.reset(seed=0))
    resets = [lambda: envs.reset(seed=0)] * max(1, steps // 20)
    stepping = [lambda action=action: envs.step(np.copy(action)) for action in actions]
    found = {
        "steps": steps,
        "resets": len(resets),
        "step": profile(steps_found, run(stepping)),
        "reset": profile(resets_found, run(resets)),
    }
    envs.close()
    return found


def main() -> None:
    """Print what `trace` finds as JSON; the arguments are environment, rows and steps."""
    environment, num_envs, steps = sys.argv[1:]
    found = trace(registry.resolve(environment), int(num_envs), int(steps))
    print(json.dumps(found, default=dataclasses.asdict))


if __name__ == "__main__":
    main()
